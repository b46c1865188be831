"""How an index's data lies in SQLite: the schema, rows with their checksums, and vectors as bytes."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from index.errors import DamagedError
from index.models import Document, Passage, Span

FORMAT = 2

SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE documents (
    id TEXT PRIMARY KEY,
    source TEXT NOT NULL,
    publisher TEXT, published TEXT, language TEXT,
    text TEXT NOT NULL,
    record TEXT NOT NULL,        -- the Document as JSON, without its text
    digest BLOB NOT NULL,        -- SHA-256 over record and text
    minhash BLOB NOT NULL,
    original BLOB                -- the file itself, where a page of it can be shown
) WITHOUT ROWID;
CREATE TABLE sources (source TEXT PRIMARY KEY, origin TEXT NOT NULL, sha256 TEXT NOT NULL, document TEXT NOT NULL,
    crc INTEGER NOT NULL DEFAULT 0)  -- CRC-32 over all of the above
    WITHOUT ROWID;
CREATE INDEX sources_document ON sources (document);
CREATE TABLE near (document TEXT NOT NULL, other TEXT NOT NULL, similarity REAL NOT NULL, PRIMARY KEY (document, other))
    WITHOUT ROWID;
CREATE TABLE passages (
    key INTEGER PRIMARY KEY AUTOINCREMENT,
    document TEXT NOT NULL, ordinal INTEGER NOT NULL,
    start INTEGER NOT NULL, end INTEGER NOT NULL, page INTEGER,
    headings TEXT NOT NULL,      -- JSON list
    sentences BLOB NOT NULL,     -- int32 pairs, from the passage's start
    vector BLOB NOT NULL,        -- float16
    sentence_vectors BLOB NOT NULL,  -- int8 rows, each a unit vector times a factor of its own
    crc INTEGER NOT NULL,        -- CRC-32 over all of the above but the key
    UNIQUE (document, ordinal)
);
CREATE TABLE log (number INTEGER PRIMARY KEY AUTOINCREMENT, operation TEXT NOT NULL, document TEXT NOT NULL);
"""

SEALED = {
    "meta": ("key", "value"),
    "documents": ("id", "source", "publisher", "published", "language", "digest", "minhash"),
    "sources": ("source", "crc"),
    "near": ("document", "other", "similarity"),
    "passages": ("key", "crc"),
    "log": ("number", "operation", "document"),
}
"""What `index.seal` watches; a text is watched by its document's digest, a file by the digest in its record."""


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


def crc(values: Iterable[object]) -> int:
    """CRC-32 over a row's values."""
    return zlib.crc32(b"".join([value if type(value) is bytes else repr(value).encode() for value in values]))


def passage_crc(values: Sequence[Any]) -> int:
    """`crc` of a passage's row, the last three of whose values are bytes; -1 where they are not.

    Each is taken as it lies in memory: this is done for every passage whenever an index is opened.
    """
    document, ordinal, start, end, page, headings, sentences, vector, inner = values
    if not (type(sentences) is type(vector) is type(inner) is bytes):
        return -1
    told = zlib.crc32(f"{document!r}{ordinal!r}{start!r}{end!r}{page!r}{headings!r}".encode())
    return zlib.crc32(inner, zlib.crc32(vector, zlib.crc32(sentences, told)))


def digest(record: str, text: str) -> bytes:
    """The SHA-256 of a document's record and text."""
    return hashlib.sha256(record.encode() + b"\0" + text.encode()).digest()


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
