"""One number over all rows of some tables, kept by triggers: a row that is lost, added or changed otherwise shows.

Checksums of rows tell that a row is damaged, but not that one is missing. The seal is the exclusive or of a hash of
each row, so that a change costs the same however many rows there are. SQLite's own check of its pages is the other
half: it tells where an index of a table no longer leads to its rows.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from hashlib import blake2b

Sealed = Mapping[str, Sequence[str]]
"""The columns of each table that a seal is over."""

_TABLE = (
    "CREATE TABLE seal (one INTEGER PRIMARY KEY CHECK (one = 1), value INTEGER NOT NULL,"
    " changes INTEGER NOT NULL, name TEXT NOT NULL)"
)


def prepare(db: sqlite3.Connection) -> None:
    """Make a connection able to keep a seal; each that writes must be."""
    db.create_function("sealed", -1, _change, deterministic=True)
    db.execute("PRAGMA recursive_triggers=ON")  # so that a row that is replaced is taken out, too


def install(db: sqlite3.Connection, tables: Sealed) -> None:
    """Seal tables, whatever they hold now; inside the caller's transaction."""
    db.execute(_TABLE)
    db.execute("INSERT INTO seal VALUES (1, ?, 0, lower(hex(randomblob(4))))", (value(db, tables),))
    for table, columns in tables.items():
        old, new = (", ".join(f"{row}.{column}" for column in columns) for row in ("OLD", "NEW"))
        out = f"UPDATE seal SET value = sealed(value, '{table}', {old}), changes = changes + 1;"  # noqa: S608  fixed names
        into = f"UPDATE seal SET value = sealed(value, '{table}', {new}), changes = changes + 1;"  # noqa: S608
        for event, change in (("INSERT", into), ("DELETE", out), ("UPDATE", out + into)):
            db.execute(f"CREATE TRIGGER seal_{table}_{event.lower()} AFTER {event} ON {table} BEGIN {change} END")


def exists(db: sqlite3.Connection) -> bool:
    """Whether a database has a seal."""
    return db.execute("SELECT 1 FROM sqlite_master WHERE name = 'seal'").fetchone() is not None


def age(db: sqlite3.Connection) -> tuple[str, int]:
    """The name that a database got with its seal, and how many changes there have been since.

    Raises:
        sqlite3.DatabaseError: they cannot be read, or are not there.
    """
    rows = db.execute("SELECT name, changes FROM seal").fetchall()
    if [tuple(map(type, row)) for row in rows] != [(str, int)]:
        raise sqlite3.DatabaseError("malformed seal")
    return rows[0][0], rows[0][1]


def is_whole(db: sqlite3.Connection, tables: Sealed) -> bool:
    """Whether the tables hold just the rows that were put there; inside the caller's transaction.

    Raises:
        sqlite3.DatabaseError: they cannot be read.
    """
    return fits(db, value(db, tables))


def fits(db: sqlite3.Connection, made: int) -> bool:
    """Whether this is the seal of a database: the exclusive or of the `value` of all tables.

    Raises:
        sqlite3.DatabaseError: it cannot be read.
    """
    rows = db.execute("SELECT value FROM seal").fetchall()
    return bool(rows == [(made,)])


def value(db: sqlite3.Connection, tables: Sealed) -> int:
    """What all rows of some tables add to a seal.

    Raises:
        sqlite3.DatabaseError: they cannot be read.
    """
    made = 0
    for table, columns in tables.items():
        for row in db.execute(f"SELECT {', '.join(columns)} FROM {table}"):  # noqa: S608
            made ^= of(table, *row)
    return made


def of(*row: object) -> int:
    """What a row, table first, adds to a seal; 63 bits."""
    return int.from_bytes(blake2b(repr(row).encode(), digest_size=8).digest(), "big") >> 1


def _change(value: int, *row: object) -> int:
    """The seal after a row, table first, comes in or goes out."""
    return value ^ of(*row)
