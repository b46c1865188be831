"""SQLite: the truth of an index. Documents, passages, vectors and a log of changes, in one commit.

Everything else (FAISS, tantivy) is derived from here and can be thrown away. Each document and each passage carries a
digest that is checked when it is read, so that damage is reported and never answered from.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from index.errors import DamagedError, NewerFormatError, StoreError, UsageError, WrongEncoderError
from index.files import fsync_folder, lock, sqlite_errors
from index.filters import Where, sql_where
from index.models import Document, Listed, Near
from index.records import FORMAT, SCHEMA, Change, Entry, Source, Stored, digest, passage_row, stored

DATABASE = "pincite.sqlite"


class Store:
    """The database of one index folder. Reading is safe from any thread; one process writes at a time."""

    def __init__(self, folder: Path, encoder: str, dim: int) -> None:
        """Open the database in a folder, making both where they are missing.

        Raises:
            NewerFormatError, WrongEncoderError, DamagedError, StoreError
        """
        self.folder = folder
        self.dim = dim
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._one_write = threading.Lock()
        self._counting = threading.Lock()
        self._writers = 0
        self._lock: IO[str] | None = None
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"cannot make the index folder {folder}: {error.strerror}; choose another") from error
        self._path = folder / DATABASE
        if not self._path.exists():
            with self.writing():
                if not self._path.exists():
                    self._create(encoder, dim)
        with sqlite_errors(self._path):
            meta = dict(self.connection.execute("SELECT key, value FROM meta"))
        if int(meta.get("format", 0)) > FORMAT:
            raise NewerFormatError(f"{folder} was made by a newer pincite (format {meta['format']}): upgrade pincite")
        if meta.get("encoder") != encoder:
            raise WrongEncoderError(
                f"{folder} was made with the encoder {meta.get('encoder')}, not {encoder}: "
                "open it with that one, or make a new index with `pincite add`"
            )
        self.name = meta["name"]

    def _create(self, encoder: str, dim: int) -> None:
        """Make the database beside its final name, so that a half-made one is never opened."""
        temporary = self.folder / f".{uuid.uuid4().hex}.tmp"
        with sqlite_errors(self._path):
            connection = sqlite3.connect(temporary, isolation_level=None)
            try:
                connection.executescript(SCHEMA)
                meta = {"format": FORMAT, "encoder": encoder, "dim": dim, "name": uuid.uuid4().hex[:8]}
                connection.executemany("INSERT INTO meta VALUES (?, ?)", [(k, str(v)) for k, v in meta.items()])
                connection.execute("PRAGMA journal_mode=WAL")
            finally:
                connection.close()
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            temporary.replace(self._path)
            fsync_folder(self.folder)

    @property
    def connection(self) -> sqlite3.Connection:
        """This thread's connection."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("PRAGMA busy_timeout=5000")
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
                self._lock = lock(self.folder)
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
                "INSERT OR REPLACE INTO sources VALUES (?, ?, ?, ?)",
                (document.source, entry.origin, document.sha256, document.id),
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
            db.execute("INSERT OR REPLACE INTO sources VALUES (?, ?, ?, ?)", (source, origin, sha256, document))
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
        with self.writing(), self._one_write, sqlite_errors(self._path):
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise

    def last_change(self) -> int:
        """The number of the last log entry; 0 for an index that never held anything."""
        return int(self._one("SELECT coalesce(max(number), 0) FROM log")[0])

    def changes(self, after: int) -> list[Change]:
        """Log entries past a number, in order."""
        return [
            Change(*row) for row in self._rows("SELECT number, operation, document FROM log WHERE number > ?", after)
        ]

    def source(self, source: str) -> Source | None:
        """What is known of a source."""
        rows = self._rows("SELECT origin, sha256, document FROM sources WHERE source = ?", source)
        return Source(*rows[0]) if rows else None

    def has(self, document: str) -> bool:
        """Whether a document is stored."""
        return bool(self._rows("SELECT 1 FROM documents WHERE id = ?", document))

    def find(self, name: str) -> str:
        """The id of the document with this id, unambiguous beginning of an id (6 digits or more), or source.

        Raises:
            UsageError: there is none, or more than one.
        """
        rows = self._rows("SELECT document FROM sources WHERE source = ?", name)
        if not rows and len(name) >= 6:
            rows = self._rows("SELECT id FROM documents WHERE substr(id, 1, ?) = ?", len(name), name)
        if len(rows) != 1:
            many = "more than one document begins with" if rows else "no document is called"
            raise UsageError(f"{many} {name!r}: see `pincite list` for ids and sources")
        return str(rows[0][0])

    def document(self, document: str) -> Document | None:
        """A document, checked against its digest.

        Raises:
            DamagedError: the digest does not match.
        """
        rows = self._rows("SELECT record, text, digest FROM documents WHERE id = ?", document)
        if not rows:
            return None
        record, text, expected = rows[0]
        if digest(record, text) != expected:
            raise DamagedError(f"document {document} is damaged: run `pincite check`, then add its file again")
        return Document.model_validate({**json.loads(record), "text": text})

    def original(self, document: str) -> bytes | None:
        """The file that a document was loaded from, where it is kept."""
        rows = self._rows("SELECT original FROM documents WHERE id = ?", document)
        return rows[0][0] if rows else None

    def documents(self) -> list[str]:
        """The ids of all documents, by source."""
        return [str(row[0]) for row in self._rows("SELECT id FROM documents ORDER BY source, id")]

    def keys(self, where: Where, within: frozenset[str] | None = None) -> NDArray[np.int64]:
        """The keys of all passages whose documents pass a filter and, where given, are among some ids; in order."""
        condition, values = sql_where(where)
        query = (
            "SELECT key, document FROM passages"  # noqa: S608  made of fixed column names
            f" WHERE document IN (SELECT id FROM documents WHERE {condition}) ORDER BY key"
        )
        rows = self._rows(query, *values)
        return np.array([key for key, document in rows if within is None or document in within], np.int64)

    def passages(self, keys: Sequence[int]) -> list[Stored]:
        """The passages with these keys that are still there, in the order asked for.

        Raises:
            DamagedError: a checksum does not match.
        """
        found: dict[int, Stored] = {}
        for at in range(0, len(keys), 500):
            some = [int(key) for key in keys[at : at + 500]]
            marks = ",".join("?" * len(some))
            rows = self._rows(f"SELECT * FROM passages WHERE key IN ({marks})", *some)  # noqa: S608  only marks
            found.update((row[0], stored(row)) for row in rows)
        return [found[key] for key in keys if key in found]

    def passages_of(self, document: str) -> list[Stored]:
        """All passages of a document, in order."""
        return [
            stored(row) for row in self._rows("SELECT * FROM passages WHERE document = ? ORDER BY ordinal", document)
        ]

    def vectors(self, document: str | None = None) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """Keys and vectors of all passages, or of one document's, in blocks.

        Raises:
            DamagedError: a vector has the wrong length.
        """
        condition, values = ("WHERE document = ?", (document,)) if document else ("", ())
        with sqlite_errors(self._path):
            cursor = self.connection.execute(f"SELECT key, vector FROM passages {condition} ORDER BY key", values)  # noqa: S608
            while rows := cursor.fetchmany(10_000):
                if any(len(vector) != 2 * self.dim for _, vector in rows):
                    raise DamagedError("a stored vector is damaged: run `pincite check`, then `pincite rebuild`")
                block = np.frombuffer(b"".join(vector for _, vector in rows), np.float16).reshape(len(rows), self.dim)
                yield np.array([key for key, _ in rows], np.int64), block.astype(np.float32)

    def keys_by_document(self) -> dict[str, NDArray[np.int64]]:
        """The keys of each document's passages."""
        keys: dict[str, list[int]] = {}
        for document, key in self._rows("SELECT document, key FROM passages ORDER BY key"):
            keys.setdefault(document, []).append(key)
        return {document: np.array(some, np.int64) for document, some in keys.items()}

    def minhashes(self) -> Iterator[tuple[str, bytes]]:
        """The id and minhash of each document that has one."""
        yield from self._rows("SELECT id, minhash FROM documents WHERE length(minhash) > 0")

    def near(self, document: str) -> tuple[Near, ...]:
        """The documents that are nearly the same as this one, nearest first."""
        query = (
            "SELECT n.other, d.source, n.similarity FROM near n JOIN documents d ON d.id = n.other"
            " WHERE n.document = ? ORDER BY n.similarity DESC, d.source"
        )
        return tuple(Near(document=o, source=s, similarity=x) for o, s, x in self._rows(query, document))

    def listing(self, where: Where) -> list[Listed]:
        """All documents that pass a filter, without their texts, by source."""
        condition, values = sql_where(where)
        query = (
            "SELECT id, record, length(text), (SELECT count(*) FROM passages WHERE document = documents.id)"  # noqa: S608
            f" FROM documents WHERE {condition} ORDER BY source, id"
        )
        listed = []
        for id_, record, characters, passages in self._rows(query, *values):
            data = json.loads(record)
            also = self._rows(
                "SELECT source FROM sources WHERE document = ? AND source <> ? ORDER BY 1", id_, data["source"]
            )
            fields = {name: data[name] for name in Listed.model_fields if name in data}
            extra = {"also": tuple(row[0] for row in also), "characters": characters, "passages": passages}
            listed.append(Listed.model_validate({**fields, **extra, "near": self.near(id_)}))
        return listed

    def named(self) -> list[tuple[str, str]]:
        """Every source with the id of its document, by source."""
        return self._rows("SELECT source, document FROM sources ORDER BY source")

    def about(self, document: str) -> tuple[list[str], int]:
        """All sources of a document, and how many passages it has."""
        sources = self._rows("SELECT source FROM sources WHERE document = ? ORDER BY source", document)
        count = self._one("SELECT count(*) FROM passages WHERE document = ?", document)[0] if sources else 0
        return [str(row[0]) for row in sources], int(count)

    def counts(self) -> tuple[int, int]:
        """How many documents and passages are stored."""
        documents, passages = self._one("SELECT (SELECT count(*) FROM documents), (SELECT count(*) FROM passages)")
        return int(documents), int(passages)

    def check(self) -> list[str]:
        """What is wrong with the database, a line each; nothing where it is sound."""
        try:
            problems = [str(row[0]) for row in self._rows("PRAGMA integrity_check") if row[0] != "ok"]
            for document in self.documents():
                try:
                    text = (self.document(document) or _missing(document)).text
                    if any(not 0 <= p.passage.start < p.passage.end <= len(text) for p in self.passages_of(document)):
                        problems.append(f"document {document}: a passage leaves its text")
                except (DamagedError, ValueError) as error:
                    problems.append(f"document {document}: {error}")
            stray = self._one("SELECT count(*) FROM passages WHERE document NOT IN (SELECT id FROM documents)")[0]
            if stray:
                problems.append(f"{stray} passages belong to no document")
        except StoreError as error:
            problems = [str(error)]
        return problems

    def _rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with sqlite_errors(self._path):
            return self.connection.execute(query, values).fetchall()

    def _one(self, query: str, *values: object) -> tuple[Any, ...]:
        return self._rows(query, *values)[0]


def _missing(document: str) -> Document:
    raise DamagedError(f"document {document} cannot be read: add its file again")
