"""Whether what a database holds is what was put there: all of it, in one look."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from index import seal
from index.errors import DamagedError
from index.files import sqlite_errors
from index.records import SEALED, crc, digest, passage_crc


class Sound(NamedTuple):
    """A passage that is what was put there: its key, the id of its document, and its vector as it is stored."""

    key: int
    document: str
    vector: bytes


def problems(db: sqlite3.Connection, path: Path) -> Iterator[str]:
    """What is wrong with a database, a line each, in the order in which it is found; nothing where it is sound.

    Raises:
        StoreError: it cannot be read for another reason than damage.
    """
    try:
        yield from pages(db, path)
    except DamagedError as error:
        yield str(error)
        return
    yield from (found for found in rows(db, path) if isinstance(found, str))


def pages(db: sqlite3.Connection, path: Path) -> list[str]:
    """What SQLite itself finds wrong with the pages that rows lie on.

    Raises:
        DamagedError, StoreError: it cannot even look.
    """
    with sqlite_errors(path):
        return [f"the database: {row[0]}" for row in db.execute("PRAGMA integrity_check") if row[0] != "ok"]


def rows(db: sqlite3.Connection, path: Path) -> Iterator[str | Sound]:
    """What is wrong with rows, a line each, and between these every passage that is sound, in the order of keys.

    Raises:
        StoreError: they cannot be read for another reason than damage.
    """
    with sqlite_errors(path):
        db.execute("BEGIN")  # one state, whoever writes meanwhile
    try:
        with sqlite_errors(path):
            yield from _rows(db)
    except DamagedError as error:
        yield str(error)
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")


def _rows(db: sqlite3.Connection) -> Iterator[str | Sound]:
    lengths: dict[str, int] = {}
    columns = "id, source, record, text, digest"
    for document, source, record, text, expected in db.execute(f"SELECT {columns} FROM documents"):  # noqa: S608
        are_texts = isinstance(record, str) and isinstance(text, str)
        lengths[document] = len(text) if are_texts else 0
        if not are_texts or digest(record, text) != expected:
            yield f"document {document} ({source}) is damaged"
    sealed = 0  # made beside the checksums: going over all passages is most of the work
    for row in db.execute("SELECT * FROM passages ORDER BY key"):
        key, document, start, end, checksum = row[0], row[1], row[3], row[4], row[-1]
        sealed ^= seal.of("passages", key, checksum)
        if passage_crc(row[1:-1]) != checksum:
            yield f"document {document}: a passage is damaged"
        elif document not in lengths:
            yield f"document {document}: a passage belongs to no document"
        elif not 0 <= start < end <= lengths[document]:
            yield f"document {document}: a passage leaves its text"
        else:
            yield Sound(key, document, row[8])
    for *values, expected in db.execute("SELECT source, origin, sha256, document, crc FROM sources"):
        if crc(values) != expected:
            yield f"source {values[0]} is damaged"
        elif values[-1] not in lengths:
            yield f"source {values[0]}: its document is missing"
    if not seal.is_whole(db, {table: columns for table, columns in SEALED.items() if table != "passages"}, sealed):
        yield "rows are missing or changed: they do not match their seal"
