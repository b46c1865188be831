"""What the server remembers beside the documents: accounts, conversations, feedback, sharing and the audit log.

One SQLite file, ``state.sqlite``, in the folder of the index. One connection, used by one thread at a time.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from index import seal
from index.database import Mark
from index.errors import DamagedError, NewerFormatError, StoreError
from index.files import is_damage

DATABASE = "state.sqlite"
_RESTORE = "restore it from a copy, or move it away with all files called state beside it"
_TABLES = """
CREATE TABLE users (name TEXT PRIMARY KEY, role TEXT NOT NULL, password TEXT, created TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE members (user TEXT NOT NULL REFERENCES users ON DELETE CASCADE, name TEXT NOT NULL,
    PRIMARY KEY (user, name)) WITHOUT ROWID;
CREATE TABLE keys (id TEXT PRIMARY KEY, user TEXT NOT NULL REFERENCES users ON DELETE CASCADE, label TEXT NOT NULL,
    digest BLOB NOT NULL, created TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE sessions (digest BLOB PRIMARY KEY, user TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
    used REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE failures (name TEXT PRIMARY KEY, count INTEGER NOT NULL, last REAL NOT NULL) WITHOUT ROWID;
-- A source with rows here is shared with these groups alone; the group '' has no members.
CREATE TABLE shares (source TEXT NOT NULL, name TEXT NOT NULL, PRIMARY KEY (source, name)) WITHOUT ROWID;
CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE conversations (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, user TEXT NOT NULL,
    title TEXT NOT NULL, origin TEXT NOT NULL, created TEXT NOT NULL, changed TEXT NOT NULL);
CREATE INDEX conversations_user ON conversations (user, changed);
CREATE TABLE turns (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,
    conversation TEXT NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    question TEXT NOT NULL, answer TEXT NOT NULL, created TEXT NOT NULL);
CREATE INDEX turns_conversation ON turns (conversation);
CREATE TABLE feedback (turn TEXT NOT NULL REFERENCES turns (id) ON DELETE CASCADE, citation INTEGER NOT NULL,
    value TEXT NOT NULL, comment TEXT, created TEXT NOT NULL, PRIMARY KEY (turn, citation)) WITHOUT ROWID;
"""
_AUDIT = """
CREATE TABLE audit (number INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, user TEXT NOT NULL,
    action TEXT NOT NULL, subject TEXT NOT NULL, documents TEXT NOT NULL, detail TEXT NOT NULL);
CREATE TRIGGER audit_not_deleted BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log only grows'); END;
CREATE TRIGGER audit_not_changed BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log only grows'); END;
"""
FORMATS = (_TABLES, _AUDIT)
"""What each format adds to the one before it; a database of an earlier format is brought up to the last when opened."""

_SEALED = {
    "users": ("name", "role", "password", "created"),
    "members": ("user", "name"),
    "keys": ("id", "user", "label", "digest", "created"),
    "sessions": ("digest", "user"),
    "shares": ("source", "name"),
    "conversations": ("number", "id", "user", "title", "origin", "created", "changed"),
    "turns": ("number", "id", "conversation", "question", "answer", "created"),
    "feedback": ("turn", "citation", "value", "comment", "created"),
    "audit": ("number", "at", "user", "action", "subject", "documents", "detail"),
}
"""What `index.seal` watches: all but what is counted."""


def now() -> datetime:
    """The time."""
    return datetime.now(UTC)


class State:
    """The server's database. Safe from any thread; other processes, such as ``pincite user``, may write too."""

    def __init__(self, folder: Path, clock: Callable[[], datetime] = now) -> None:
        """Open the database in a folder, making both where they are missing.

        Raises:
            NewerFormatError: it was made by a newer version.
            StoreError: it cannot be opened.
        """
        self._path = folder / DATABASE
        self._mark = Mark(self._path)
        self.clock = clock
        self._lock = threading.RLock()
        self._depth = 0
        with self._errors():
            folder.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, timeout=5)
            try:
                self._prepare()
            except BaseException:
                self._db.close()
                raise

    def _prepare(self) -> None:
        seal.prepare(self._db)
        self._db.create_function("folded", 1, lambda text: text.casefold(), deterministic=True)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.execute("PRAGMA foreign_keys=ON")
        self._path.chmod(0o600)  # it holds the digests of passwords and what people asked
        with self.transaction():
            (made,) = self._db.execute("PRAGMA user_version").fetchone()
            if made > len(FORMATS):
                raise NewerFormatError(f"{self._path} was made by a newer pincite (format {made}): upgrade pincite")
            if made == 0 and self._mark.exists():
                raise DamagedError(f"all of {self._path} is lost: {_RESTORE}")
            if made < len(FORMATS):
                for statement in ";\n".join(FORMATS[made:]).split(";\n"):
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA user_version={len(FORMATS)}")
            self._verify()
        self._db.row_factory = sqlite3.Row

    def _verify(self) -> None:
        """See that all rows are as they were put there; those of a database that has no seal yet get one.

        Raises:
            DamagedError: they are not.
        """
        sound = self._db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        if sound and not seal.exists(self._db):
            seal.install(self._db, _SEALED)
        if not sound or not seal.is_whole(self._db, _SEALED):
            raise DamagedError(f"{self._path} is damaged: {_RESTORE}")
        name, changes = seal.age(self._db)
        if changes < self._mark.read(name):
            raise DamagedError(f"the last changes of {self._path} are lost: {_RESTORE}")

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything in the block is done, or nothing; inside another one, the outer one decides."""
        with self._lock, self._errors():
            if self._depth:
                yield
                return
            self._db.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield
                self._db.execute("COMMIT")
                self._mark.write(*seal.age(self._db))
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
            finally:
                self._depth -= 1

    def rows(self, query: str, *values: object) -> list[sqlite3.Row]:
        """All rows of a query."""
        with self._lock, self._errors():
            return self._db.execute(query, values).fetchall()

    def row(self, query: str, *values: object) -> sqlite3.Row | None:
        """The first row of a query, if there is one."""
        with self._lock, self._errors():
            found: sqlite3.Row | None = self._db.execute(query, values).fetchone()
            return found

    def value(self, query: str, *values: object) -> Any:  # noqa: ANN401  whatever the column holds
        """The first column of the first row."""
        found = self.row(query, *values)
        return found[0] if found else None

    def do(self, query: str, *values: object) -> int:
        """Change something, in one commit; returns how many rows were changed."""
        with self.transaction():
            return self._db.execute(query, values).rowcount

    def time(self) -> str:
        """The time, as it is stored."""
        return self.clock().isoformat(timespec="milliseconds")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            if is_damage(error):
                raise DamagedError(f"{self._path} is damaged ({error}): {_RESTORE}") from error
            raise StoreError(f"{self._path}: {error}; check the disk and the permissions of its folder") from error
        except OSError as error:
            raise StoreError(
                f"cannot use {self._path} ({error.strerror}): check the permissions of its folder"
            ) from error
