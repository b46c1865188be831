"""What can be done for one file anywhere, in any process or on any machine: loading, splitting, encoding.

A document's vectors depend on the document alone, not on what is encoded beside it or where: its passages are encoded
by themselves. So a folder that is added on three machines gives the same index, bit for bit, as one added on one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from index.encode import Encoder, Vectors
from index.errors import DocumentError
from index.load import load_bytes, read
from index.models import Document, Passage, Span
from index.split import context, split
from index.terms import terms

PERMUTATIONS = 128  # of a minhash
SCHEME = "affine32"  # of a minhash's stored values; datasketch does not compare across schemes
_TOGETHER = 256  # passages of one document that are encoded in one go
_SHOWN_AS_PAGES = ("application/pdf",)


class Given(NamedTuple):
    """A file on its way in.

    Attributes:
        source: the name it will be known by.
        file: where it lies, or its bytes.
        known: the digest of the file that the source held before, where it held one.
    """

    source: str
    file: Path | bytes
    known: str | None = None


class Encoded(NamedTuple):
    """The vectors of a document's passages: float32 (passages, dim), and (sentences, dim) for each passage."""

    vectors: Vectors
    sentence_vectors: list[Vectors]


class Prepared(NamedTuple):
    """What a file turned out to be: a document; or unchanged, without one; or refused, for a reason.

    Attributes:
        sha256: the digest of the file's bytes; empty where it could not be read.
        minhash: of the pairs of its words, 128 unsigned numbers of 64 bits.
        original: the file's bytes, where a page of it can be shown.
        encoded: the vectors, where they have been made.
    """

    source: str
    sha256: str
    reason: str | None = None
    document: Document | None = None
    passages: Sequence[Passage] = ()
    minhash: bytes = b""
    original: bytes | None = None
    encoded: Encoded | None = None


class Workers(Protocol):
    """Others that prepare files, all at once."""

    def prepared(self, files: Iterator[Given], encoder: Encoder) -> Iterator[Prepared]:
        """The files in the order given, as documents with vectors."""


def prepare(given: Given) -> Prepared:
    """Load and split a file, where it has changed."""
    source, file, known = given
    digest = ""
    try:
        data = read(file) if isinstance(file, Path) else file
        digest = hashlib.sha256(data).hexdigest()
        if digest == known:
            return Prepared(source, digest)
        document = load_bytes(data, source)
        passages = split(document)
        if not passages:
            raise DocumentError(f"{source} holds nothing but leftovers such as menus: leave it out")
    except DocumentError as error:
        return Prepared(source, digest, str(error))
    original = data if document.media_type in _SHOWN_AS_PAGES else None
    return Prepared(source, digest, None, document, passages, minhash_of(document), original)


def unchanged(given: Given) -> Prepared | None:
    """A file that is what its source held before, which only needs to be read; ``None`` for any other."""
    if given.known is None:
        return None
    try:
        data = read(given.file) if isinstance(given.file, Path) else given.file
    except DocumentError:
        return None  # told by whoever prepares it
    digest = hashlib.sha256(data).hexdigest()
    return Prepared(given.source, digest) if digest == given.known else None


def encode(document: Document, passages: Sequence[Passage], encoder: Encoder) -> Encoded:
    """Each passage's vector, and those of its sentences, read under its title and headings."""
    vectors: list[Vectors] = []
    inner: list[Vectors] = []
    for at in range(0, len(passages), _TOGETHER):
        texts, spans = [], []
        for passage in passages[at : at + _TOGETHER]:
            before = context(document, passage)
            shift = len(before) - passage.start
            texts.append(before + document.text[passage.start : passage.end])
            spans.append([Span(start + shift, end + shift) for start, end in passage.sentences])
        whole, parts = encoder.encode_spans(texts, spans)
        vectors.append(whole)
        inner += parts
    return Encoded(np.concatenate(vectors), inner)


def minhash_of(document: Document) -> bytes:
    """Broder, "On the resemblance and containment of documents", 1997, over the pairs of a document's words."""
    from datasketch import MinHash

    words = [
        word
        for block in document.blocks
        if block.kind != "leftover"
        for word in terms(document.text[block.start : block.end])
    ]
    minhash = MinHash(PERMUTATIONS, scheme=SCHEME)
    minhash.update_batch([" ".join(pair).encode() for pair in pairwise(words)] or [b""])
    return bytes(minhash.hashvalues.astype(np.uint64).tobytes())
