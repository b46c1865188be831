"""Whether what a database holds is what was put there: all of it, in one look."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from index import seal
from index.errors import DamagedError
from index.files import sqlite_errors
from index.records import SEALED, crc, digest


def problems(db: sqlite3.Connection, path: Path) -> Iterator[str]:
    """What is wrong with a database, a line each, in the order in which it is found; nothing where it is sound.

    Raises:
        StoreError: it cannot be read for another reason than damage.
    """
    with sqlite_errors(path):
        db.execute("BEGIN")  # one state, whoever writes meanwhile
    try:
        with sqlite_errors(path):
            yield from _problems(db)
    except DamagedError as error:
        yield str(error)
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")


def _problems(db: sqlite3.Connection) -> Iterator[str]:
    yield from (f"the database: {row[0]}" for row in db.execute("PRAGMA integrity_check") if row[0] != "ok")
    lengths: dict[str, int] = {}
    columns = "id, source, record, text, digest"
    for document, source, record, text, expected in db.execute(f"SELECT {columns} FROM documents"):  # noqa: S608
        lengths[document] = len(text)
        if digest(record, text) != expected:
            yield f"document {document} ({source}) is damaged"
    for row in db.execute("SELECT * FROM passages"):
        document, start, end = row[1], row[3], row[4]
        if crc(row[1:-1]) != row[-1]:
            yield f"document {document}: a passage is damaged"
        elif document not in lengths:
            yield f"document {document}: a passage belongs to no document"
        elif not 0 <= start < end <= lengths[document]:
            yield f"document {document}: a passage leaves its text"
    for *row, expected in db.execute("SELECT source, origin, sha256, document, crc FROM sources"):
        if crc(row) != expected:
            yield f"source {row[0]} is damaged"
        elif row[-1] not in lengths:
            yield f"source {row[0]}: its document is missing"
    if not seal.is_whole(db, SEALED):
        yield "rows are missing or changed: they do not match their seal"
