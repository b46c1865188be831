"""All that is made of a file's bytes alone: its document, its passages, and the minhash that finds its versions."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from pydantic import ConfigDict

from index.errors import DocumentError
from index.load import load_bytes
from index.models import Document, Model, Passage
from index.split import split
from index.terms import terms

PERMUTATIONS = 128  # of a minhash
SCHEME = "affine32"  # of a minhash's stored values; datasketch does not compare across schemes


class Read(Model):
    """A file that has been read; ``minhash`` is of the pairs of its words, 128 unsigned numbers of 64 bits."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_bytes="base64", val_json_bytes="base64")

    document: Document
    passages: tuple[Passage, ...]
    minhash: bytes


def read_document(data: bytes, source: str) -> Read:
    """Load and split a file, here and now; see `index.apart` for doing it where a bad file does no harm.

    Raises:
        DocumentError: what is in the file cannot become a document, or nothing of it can be found.
    """
    document = load_bytes(data, source)
    passages = split(document)
    if not passages:
        raise DocumentError(f"{source} holds nothing but leftovers such as menus: leave it out")
    return Read(document=document, passages=tuple(passages), minhash=minhash_of(document))


def begin() -> None:
    """Load what every text needs."""
    read_document(b"Whoever reads this has loaded what every text needs.", "first.txt")


def answer(source: str, data: bytes) -> bytes:
    """What `read_document` gives, as JSON; see `index.child`."""
    return read_document(data, source).model_dump_json().encode()


def minhash_of(document: Document) -> bytes:
    """Broder, "On the resemblance and containment of documents", 1997, over the pairs of a document's words."""
    from index.minhash import MinHash

    words = [
        word
        for block in document.blocks
        if block.kind != "leftover"
        for word in terms(document.text[block.start : block.end])
    ]
    minhash = MinHash(PERMUTATIONS, scheme=SCHEME)
    minhash.update_batch([" ".join(pair).encode() for pair in pairwise(words)] or [b""])
    return bytes(minhash.hashvalues.astype(np.uint64).tobytes())
