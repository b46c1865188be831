"""How an index's data lies in SQLite, and the checksums of its rows: all that is needed to check them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

from isal.isal_zlib import crc32

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


def crc(values: Iterable[object]) -> int:
    """CRC-32 over a row's values."""
    return crc32(b"".join([value if type(value) is bytes else repr(value).encode() for value in values]))


def passage_crc(values: Sequence[Any]) -> int:
    """`crc` of a passage's row, the last three of whose values are bytes; -1 where they are not.

    Each is taken as it lies in memory: this is done for every passage whenever an index is opened.
    """
    document, ordinal, start, end, page, headings, sentences, vector, inner = values
    if not (type(sentences) is type(vector) is type(inner) is bytes):
        return -1
    told = crc32(f"{document!r}{ordinal!r}{start!r}{end!r}{page!r}{headings!r}".encode())
    return crc32(inner, crc32(vector, crc32(sentences, told)))


def digest(record: str, text: str) -> bytes:
    """The SHA-256 of a document's record and text."""
    return hashlib.sha256(record.encode() + b"\0" + text.encode()).digest()
