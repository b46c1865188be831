"""What is stored, and its rows in SQLite: passages with their vectors as bytes, sources, and what changed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from index.errors import DamagedError
from index.models import Document, Passage, Span
from index.schema import crc, passage_crc


class Stored(NamedTuple):
    """A passage as it lies in the store, with its vectors: float16 (dim,) and int8 (sentences, dim)."""

    key: int
    passage: Passage
    vector: NDArray[np.float16]
    sentence_vectors: NDArray[np.int8]


class Source(NamedTuple):
    """Where a source was added from (a path, or "upload"), its file's digest, and the document that it holds."""

    origin: str
    sha256: str
    document: str


class Change(NamedTuple):
    """One entry of the log: ``operation`` is "add", "remove", or "name" where its sources changed."""

    number: int
    operation: str
    document: str


class Entry(NamedTuple):
    """A document on its way in, with all that is stored beside it.

    Attributes:
        vectors: float32 unit rows of shape (passages, dim).
        sentence_vectors: for each passage float32 unit rows of shape (its sentences, dim).
        near: documents that are nearly the same, with the estimated Jaccard index.
        original: the file's bytes, where a page of it can be shown.
    """

    document: Document
    passages: Sequence[Passage]
    vectors: NDArray[np.float32]
    sentence_vectors: Sequence[NDArray[np.float32]]
    minhash: bytes = b""
    near: Sequence[tuple[str, float]] = ()
    origin: str = ""
    original: bytes | None = None


def passage_row(
    passage: Passage, vector: NDArray[np.float32], inner: NDArray[np.float32]
) -> tuple[str | int | bytes | None, ...]:
    """The columns of a passage after its key, ending with their checksum."""
    spans = np.array(passage.sentences, np.int32).reshape(-1, 2) - passage.start
    largest = np.maximum(np.abs(inner).max(axis=1, keepdims=True), 1e-12) if len(inner) else 1.0
    row = (
        passage.document,
        passage.ordinal,
        passage.start,
        passage.end,
        passage.page,
        json.dumps(passage.headings, ensure_ascii=False),
        spans.tobytes(),
        vector.astype(np.float16).tobytes(),
        np.rint(inner / largest * 127).astype(np.int8).tobytes(),
    )
    return (*row, passage_crc(row))


def source_row(source: str, origin: str, sha256: str, document: str) -> tuple[str | int, ...]:
    """The columns of a source, ending with their checksum."""
    row = (source, origin, sha256, document)
    return (*row, crc(row))


def stored(row: tuple[Any, ...], remedy: str = "run `pincite rebuild`") -> Stored:
    """A passage from its row; ``remedy`` is what to do where it is damaged.

    Raises:
        DamagedError: the checksum does not match.
    """
    key, document, ordinal, start, end, page, headings, sentences, vector, inner, checksum = row
    if passage_crc(row[1:-1]) != checksum:
        raise DamagedError(f"a passage of document {document} is damaged: {remedy}")
    pairs = np.frombuffer(sentences, np.int32).reshape(-1, 2) + start
    # Built without validation: the checksum vouches for what was validated on its way in.
    passage = Passage.model_construct(
        id=f"{document}:{ordinal}",
        document=document,
        ordinal=ordinal,
        start=start,
        end=end,
        sentences=tuple(Span(a, b) for a, b in pairs.tolist()),
        headings=tuple(json.loads(headings)),
        page=page,
    )
    vectors = np.frombuffer(inner, np.int8).reshape(len(pairs), -1)
    return Stored(key, passage, np.frombuffer(vector, np.float16), vectors)
