"""The SQLite file of an index: made whole or not at all, opened with what writing it safely takes."""

from __future__ import annotations

import os
import sqlite3
import uuid
from contextlib import suppress
from pathlib import Path

from isal.isal_zlib import crc32

from index import seal
from index.errors import DamagedError, NewerFormatError, StoreError
from index.files import fsync_folder, sqlite_errors
from index.schema import FORMAT, SCHEMA, SEALED


def create(path: Path, encoder: str, dim: int) -> None:
    """Make a database beside its final name, so that a half-made one is never opened."""
    temporary = path.parent / f".{uuid.uuid4().hex}.tmp"
    try:
        with sqlite_errors(path):
            db = sqlite3.connect(temporary, isolation_level=None)
            try:
                db.execute("PRAGMA synchronous=OFF")  # once at the end is enough: nobody knows of it before
                seal.prepare(db)
                db.executescript(f"BEGIN; {SCHEMA}")
                seal.install(db, SEALED)
                meta = {"format": FORMAT, "encoder": encoder, "dim": dim, "name": uuid.uuid4().hex[:8]}
                db.executemany("INSERT INTO meta VALUES (?, ?)", [(k, str(v)) for k, v in meta.items()])
                db.execute("COMMIT")
                db.execute("PRAGMA journal_mode=WAL")
            finally:
                db.close()
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
        fsync_folder(path.parent)
    except OSError as error:
        raise StoreError(f"cannot make {path} ({error.strerror}): check the disk, then try again") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def connect(path: Path, readonly: bool) -> sqlite3.Connection:
    """A connection that keeps the seal, and waits for the disk with each commit.

    In a folder that cannot be written, and on a disk without room, SQLite cannot share memory with other processes;
    where nobody has left anything in the log beside the file, it is read as it lies there.
    """
    log = path.with_name(path.name + "-wal")
    is_settled = not (log.exists() and log.stat().st_size)
    if readonly:
        place = f"{path.absolute().as_uri()}?{'immutable=1' if is_settled else 'mode=ro'}"
        db = sqlite3.connect(place, uri=True, isolation_level=None, check_same_thread=False)
    else:
        db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA synchronous=FULL")
        db.execute("PRAGMA busy_timeout=5000")
        seal.prepare(db)
        db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        db.close()
        if is_settled and not readonly and "I/O error" in str(error):
            return connect(path, readonly=True)
        raise
    return db


def format_of(path: Path, meta: dict[str, str]) -> int:
    """The format that a database says it has.

    Raises:
        NewerFormatError: it is not known yet.
        DamagedError: it says no such thing.
    """
    made = meta.get("format", "")
    if not made.isdecimal() or made == "0" or not {"encoder", "dim", "name"} <= meta.keys():
        raise DamagedError(f"{path} does not say what it is: run `pincite rebuild`")
    if int(made) > FORMAT:
        raise NewerFormatError(f"{path.parent} was made by a newer pincite (format {made}): upgrade pincite")
    return int(made)


class Mark:
    """The number of the last commit, kept outside the database, so that commits that are lost are noticed.

    SQLite ends its log at the first frame that does not match its checksum, and goes on from there without a word. The
    mark is written after each commit and never waited for: it may be older than the database, but never newer.
    """

    def __init__(self, database: Path) -> None:
        """The mark of a database lies beside it."""
        self._path = database.with_suffix(".committed")

    def exists(self) -> bool:
        """Whether there was a commit to any database of this place."""
        return self._path.exists()

    def read(self, name: str) -> int:
        """The last commit that is known of the database of this name; 0 where nothing sound is known."""
        try:
            crc, of, number = self._path.read_text(encoding="ascii").split()
            return int(number) if of == name and int(crc, 16) == crc32(f"{of} {number}".encode()) else 0
        except (OSError, ValueError):
            return 0

    def write(self, name: str, number: int) -> None:
        """Note a commit; where that fails, the one before stays noted, which harms nothing."""
        body = f"{name} {number:016}"
        try:
            handle = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o666)
        except OSError:
            return
        try:
            os.pwrite(handle, f"{crc32(body.encode()):08x} {body}\n".encode(), 0)
        except OSError:
            pass
        finally:
            os.close(handle)
