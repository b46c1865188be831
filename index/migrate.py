"""Steps from each earlier format of a database to the next one, each in one commit."""

from __future__ import annotations

import sqlite3

from index import seal
from index.errors import DamagedError
from index.records import source_row, stored
from index.schema import FORMAT, SEALED
from index.schema import digest as digest_of


def migrate(db: sqlite3.Connection, made: int) -> None:
    """Bring a database of an earlier format up to date, inside the caller's transaction.

    Raises:
        DamagedError: what is there does not match its checksums, so that no seal could be put on it.
    """
    for step in _STEPS[made - 1 :]:
        step(db)
    db.execute("UPDATE meta SET value = ? WHERE key = 'format'", (str(FORMAT),))


def _sealed(db: sqlite3.Connection) -> None:
    """From 1 to 2: checksums of sources, and a seal over all rows."""
    _trusted(db)
    db.execute("ALTER TABLE sources ADD COLUMN crc INTEGER NOT NULL DEFAULT 0")
    rows = db.execute("SELECT source, origin, sha256, document FROM sources").fetchall()
    db.executemany("INSERT OR REPLACE INTO sources VALUES (?, ?, ?, ?, ?)", [source_row(*row) for row in rows])
    seal.install(db, SEALED)


def _trusted(db: sqlite3.Connection) -> None:
    """Look through what carries a checksum already in format 1."""
    if db.execute("PRAGMA integrity_check").fetchone() != ("ok",):
        raise DamagedError("the database is malformed: run `pincite rebuild`")
    for document, record, text, expected in db.execute("SELECT id, record, text, digest FROM documents"):
        if digest_of(record, text) != expected:
            raise DamagedError(f"document {document} is damaged: run `pincite rebuild`")
    for row in db.execute("SELECT * FROM passages"):
        stored(row)


_STEPS = (_sealed,)
