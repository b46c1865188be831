"""Whether what a database holds is what was put there: all of it, in one look.

Passages are most of it, and may be looked at elsewhere meanwhile (`index.checker`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from index import seal
from index.files import sqlite_errors
from index.schema import SEALED, crc, digest, passage_crc


class Looked(NamedTuple):
    """What was found of passages.

    Attributes:
        problems: a line each.
        sealed: their part in the seal: the exclusive or of `seal.of` each.
    """

    problems: list[str]
    sealed: int


@contextmanager
def one_state(db: sqlite3.Connection, path: Path) -> Iterator[None]:
    """Read one state of a database, whoever writes meanwhile.

    Raises:
        DamagedError, StoreError: what is wrong while reading, in our words.
    """
    try:
        with sqlite_errors(path):
            db.execute("BEGIN")
            yield
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")


def problems(db: sqlite3.Connection, of_passages: Callable[[], Looked]) -> list[str]:
    """What is wrong with a database, a line each; nothing where it is sound. Inside `one_state`.

    Args:
        of_passages: gives what was found of them and of the pages they lie on; it is asked last.

    Raises:
        DamagedError, StoreError, sqlite3.DatabaseError: it cannot even be looked at.
    """
    found = list(_documents(db))
    sealed = seal.value(db, {table: columns for table, columns in SEALED.items() if table != "passages"})
    looked = of_passages()
    if not seal.fits(db, sealed ^ looked.sealed):
        found.append("rows are missing or changed: they do not match their seal")
    return [*looked.problems, *found]


def passages(db: sqlite3.Connection, another: Callable[[], sqlite3.Connection], path: Path) -> Looked:
    """Look at all passages, and at the pages that all rows lie on. Inside `one_state`.

    Args:
        another: gives the thread that calls it a connection of its own: pages are looked at beside passages.
        path: where the database lies.

    Raises:
        DamagedError, StoreError, sqlite3.DatabaseError: they cannot even be looked at.
    """
    with ThreadPoolExecutor(1) as beside:
        damaged = beside.submit(lambda: _pages(another(), path))
        found, sealed = [], 0
        lengths = {
            id_: len(text) if isinstance(text, str) else 0 for id_, text in db.execute("SELECT id, text FROM documents")
        }
        for row in db.execute("SELECT * FROM passages ORDER BY key"):
            key, document, start, end, checksum = row[0], row[1], row[3], row[4], row[-1]
            sealed ^= seal.of("passages", key, checksum)
            if passage_crc(row[1:-1]) != checksum:
                found.append(f"document {document}: a passage is damaged")
            elif document not in lengths:
                found.append(f"document {document}: a passage belongs to no document")
            elif not 0 <= start < end <= lengths[document]:
                found.append(f"document {document}: a passage leaves its text")
        return Looked([*damaged.result(), *found], sealed)


def _pages(db: sqlite3.Connection, path: Path) -> list[str]:
    """What SQLite itself finds wrong."""
    with sqlite_errors(path):
        return [f"the database: {row[0]}" for row in db.execute("PRAGMA integrity_check") if row[0] != "ok"]


def _documents(db: sqlite3.Connection) -> Iterator[str]:
    known = set()
    columns = "id, source, record, text, digest"
    for document, source, record, text, expected in db.execute(f"SELECT {columns} FROM documents"):  # noqa: S608
        known.add(document)
        if not isinstance(record, str) or not isinstance(text, str) or digest(record, text) != expected:
            yield f"document {document} ({source}) is damaged"
    for *values, expected in db.execute("SELECT source, origin, sha256, document, crc FROM sources"):
        if crc(values) != expected:
            yield f"source {values[0]} is damaged"
        elif values[-1] not in known:
            yield f"source {values[0]}: its document is missing"
