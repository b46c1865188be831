"""SQLite: the truth of an index. Documents, passages, vectors and a log of changes, in one commit.

Everything else (FAISS, tantivy) is derived from here and can be thrown away. Each document and each passage carries a
digest that is checked when it is read, so that damage is reported and never answered from.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from index import seal
from index.database import Mark, connect, create, format_of
from index.errors import DamagedError, LostError, StoreError, WrongEncoderError
from index.files import Lock, make_folder, sqlite_errors
from index.migrate import migrate
from index.queries import Queries
from index.records import Entry, passage_row, source_row
from index.schema import FORMAT, digest
from index.sound import Looked, one_state, passages, problems

DATABASE = "pincite.sqlite"
_BLOCK = 10_000  # passages
_MANY = 50_000  # passages: fewer are checked sooner than another process starts
Vectors = tuple[list[str], NDArray[np.int64], NDArray[np.float16]]
"""The document, key and vector of some passages."""
UNMENDED = "damaged"
"""The folder of what `index.mend` has not finished with."""


class Store(Queries):
    """The database of one index folder. Reading is safe from any thread; one process writes at a time."""

    def __init__(self, folder: Path, encoder: str, dim: int) -> None:
        """Open the database in a folder, making both where they are missing.

        Raises:
            NewerFormatError, WrongEncoderError, DamagedError, StoreError
        """
        self.folder = folder
        super().__init__(folder / DATABASE, dim)
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._one_write = threading.Lock()
        self._counting = threading.Lock()
        self._writers = 0
        self._lock: Lock | None = None
        self._failed = ""
        try:
            make_folder(folder)
        except OSError as error:
            raise StoreError(f"cannot make the index folder {folder}: {error.strerror}; choose another") from error
        self._mark = Mark(folder / DATABASE)
        if (folder / UNMENDED).exists():
            raise DamagedError(f"mending {folder} was cut off: run `pincite rebuild`")
        self.readonly = not os.access(folder, os.W_OK)
        if not self._path.exists():
            with self.writing():
                if not self._path.exists():
                    if self._mark.exists():
                        raise DamagedError(f"{self._path} is missing: restore it from a copy, or delete its folder")
                    create(self._path, encoder, dim)
        self._file = self._path.stat().st_ino
        try:
            self._begin(encoder)
        except BaseException:
            self.close()
            raise

    def _begin(self, encoder: str) -> None:
        """See that the database is one that can be used here."""
        meta = self._meta()
        if format_of(self._path, meta) < FORMAT:
            with self._transaction() as db:  # whoever waited for the lock may find it done
                if (made := format_of(self._path, self._meta())) < FORMAT:
                    migrate(db, made)
        if meta["encoder"] != encoder:
            self.verify()  # it may only say so
            raise WrongEncoderError(
                f"{self.folder} was made with the encoder {meta['encoder']}, not {encoder}: "
                "open it with that one, or make a new index with `pincite add`"
            )
        self.name = meta["name"]
        marked, last = self._mark.read(self.name), self.last_change()
        if last < marked:
            raise LostError(
                f"the last {marked - last} changes of {self.folder} are lost: restore {DATABASE} with all that lies "
                "beside it, or run `pincite rebuild` to go on without them",
                marked - last,
            )

    def _meta(self) -> dict[str, str]:
        with sqlite_errors(self._path):
            return dict(self.connection.execute("SELECT key, value FROM meta"))

    @property
    def connection(self) -> sqlite3.Connection:
        """This thread's connection."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            with sqlite_errors(self._path):
                connection = connect(self._path, self.readonly)
            self._local.connection = connection
            self._connections.append(connection)
        return connection

    def close(self) -> None:
        """Close every thread's connection."""
        while self._connections:
            self._connections.pop().close()
        self._local = threading.local()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Keep other processes from writing, until the end of the block or of this process.

        Raises:
            LockedError: another process is writing.
        """
        with self._counting:
            if self._writers == 0:
                self._lock = Lock(self.folder)
            self._writers += 1
        try:
            yield
        finally:
            with self._counting:
                self._writers -= 1
                if self._writers == 0 and self._lock:
                    self._lock.close()
                    self._lock = None

    def put(self, entry: Entry, replaces: str | None = None) -> None:
        """Store a document, taking its source from the one that it replaces, in one commit."""
        document = entry.document
        record = document.model_dump_json(exclude={"text"})
        with self._transaction() as db:
            if replaces:
                self._forget(db, document.source, replaces)
            db.execute(
                "INSERT INTO documents VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    document.id,
                    document.source,
                    document.publisher,
                    document.published.isoformat() if document.published else None,
                    document.language,
                    document.text,
                    record,
                    digest(record, document.text),
                    entry.minhash,
                    entry.original,
                ),
            )
            db.execute(
                "INSERT OR REPLACE INTO sources VALUES (?, ?, ?, ?, ?)",
                source_row(document.source, entry.origin, document.sha256, document.id),
            )
            db.executemany(
                "INSERT OR REPLACE INTO near VALUES (?, ?, ?)",
                [row for other, s in entry.near for row in ((document.id, other, s), (other, document.id, s))],
            )
            rows = zip(entry.passages, entry.vectors, entry.sentence_vectors, strict=True)
            db.executemany(
                "INSERT INTO passages (document, ordinal, start, end, page, headings, sentences, vector,"
                " sentence_vectors, crc) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (passage_row(*row) for row in rows),
            )
            self._log(db, "add", document.id)

    def alias(self, source: str, origin: str, sha256: str, document: str, replaces: str | None = None) -> None:
        """Remember that a source holds the text of a document that is already stored."""
        with self._transaction() as db:
            if replaces:
                self._forget(db, source, replaces)
            row = source_row(source, origin, sha256, document)
            db.execute("INSERT OR REPLACE INTO sources VALUES (?, ?, ?, ?, ?)", row)
            self._log(db, "name", document)

    def remove(self, document: str) -> None:
        """Remove a document with all its sources."""
        with self._transaction() as db:
            db.execute("DELETE FROM sources WHERE document = ?", (document,))
            self._drop(db, document)

    def _forget(self, db: sqlite3.Connection, source: str, document: str) -> None:
        """Take a source away from a document, and the document with it when that was its last."""
        db.execute("DELETE FROM sources WHERE source = ?", (source,))
        left = db.execute("SELECT source FROM sources WHERE document = ? ORDER BY 1 LIMIT 1", (document,)).fetchone()
        if left is None:
            self._drop(db, document)
            return
        record, text = db.execute("SELECT record, text FROM documents WHERE id = ?", (document,)).fetchone()
        record = json.dumps({**json.loads(record), "source": left[0]}, ensure_ascii=False)
        values = (left[0], record, digest(record, text), document)
        db.execute("UPDATE documents SET source = ?, record = ?, digest = ? WHERE id = ?", values)
        self._log(db, "name", document)

    def _drop(self, db: sqlite3.Connection, document: str) -> None:
        db.execute("DELETE FROM documents WHERE id = ?", (document,))
        db.execute("DELETE FROM passages WHERE document = ?", (document,))
        db.execute("DELETE FROM near WHERE document = ? OR other = ?", (document, document))
        self._log(db, "remove", document)

    def _log(self, db: sqlite3.Connection, operation: str, document: str) -> None:
        db.execute("INSERT INTO log (operation, document) VALUES (?, ?)", (operation, document))

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        db = self.connection
        with self.writing(), self._one_write:
            self._need_the_same_file()
            if self._failed:
                raise StoreError(f"{self._failed}: check the disk, then open the index again")
            try:
                with sqlite_errors(self._path):
                    db.execute("BEGIN IMMEDIATE")
                    try:
                        yield db
                        db.execute("COMMIT")
                    except BaseException:
                        if db.in_transaction:
                            db.execute("ROLLBACK")
                        raise
            except StoreError as error:
                # After a write or an fsync that failed nobody knows what the disk holds; trying again would hide it.
                if "I/O error" in str(error):
                    self._failed = f"an earlier write to {self._path} failed"
                raise
            if hasattr(self, "name"):
                self._mark.write(self.name, self.last_change())

    def _need_the_same_file(self) -> None:
        """Nobody may write to a database that was put aside, nor take two for one.

        Raises:
            StoreError: another file lies in its place.
        """
        try:
            same = self._path.stat().st_ino == self._file
        except OSError:
            same = False
        if not same:
            raise StoreError(f"{self._path} was replaced by another process: open the index again")

    def last_change(self) -> int:
        """The number of the last log entry; 0 for an index that never held anything.

        Raises:
            StoreError: another database lies in the place of this one.
        """
        self._need_the_same_file()
        return int(self._one("SELECT coalesce(max(number), 0) FROM log")[0])

    def check(self) -> list[str]:
        """What is wrong with the database, a line each; nothing where it is sound."""
        try:
            with one_state(self.connection, self._path):
                return problems(self.connection, self._looked)
        except DamagedError as error:
            return [str(error)]

    def _looked(self) -> Looked:
        return passages(self.connection, lambda: self.connection, self._path)

    def verified(self) -> Iterator[Vectors]:
        """The document, key and vector of each passage, in blocks, while all rows are seen to be what was put there.

        Raises:
            DamagedError: they are not. That may be known only at the end: what came before it is not to be used.
        """
        with one_state(self.connection, self._path), ExitStack() as ended:
            checker = None
            if self._one("SELECT coalesce(max(key), 0) FROM passages")[0] > _MANY:
                from index.checker import Checker

                checker = ended.enter_context(Checker(self._path, self.readonly, seal.age(self.connection)))
            rows = self.connection.execute("SELECT key, document, vector FROM passages ORDER BY key")
            while block := rows.fetchmany(_BLOCK):
                keys, documents, vectors = zip(*block, strict=True)
                yield list(documents), *self._block(keys, vectors)
            # Where the other process was ended, or somebody wrote before it began, this one looks for itself.
            for problem in problems(self.connection, lambda: (checker and checker.looked()) or self._looked()):
                raise self._damaged(problem)

    def _damaged(self, problem: str) -> DamagedError:
        return DamagedError(f"{self.folder}: {problem}: run `pincite rebuild`")

    def verify(self) -> None:
        """See that all rows are there as they were put there.

        Raises:
            DamagedError: they are not.
        """
        for problem in self.check():
            raise self._damaged(problem)
