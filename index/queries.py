"""What is read from an index's database. Each document and passage is checked as it is read."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index.errors import DamagedError, UsageError
from index.files import sqlite_errors
from index.filters import Where, sql_where
from index.models import Document, Listed, Near
from index.records import Change, Source, Stored, stored
from index.schema import digest

_FEW = 500  # documents that are looked up one by one


class Queries:
    """The queries of a store, over the connection that it gives them."""

    def __init__(self, path: Path, dim: int) -> None:
        self._path = path
        self.dim = dim

    @property
    def connection(self) -> sqlite3.Connection:
        """This thread's connection."""
        raise NotImplementedError

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
            raise DamagedError(f"document {document} is damaged: run `pincite rebuild`")
        return Document.model_validate({**json.loads(record), "text": text})

    def original(self, document: str) -> bytes | None:
        """The file that a document was loaded from, where it is kept.

        Raises:
            DamagedError: it does not match the digest in the document's record.
        """
        rows = self._rows("SELECT original, record FROM documents WHERE id = ?", document)
        if not rows or rows[0][0] is None:
            return None
        data, record = rows[0]
        if hashlib.sha256(data).hexdigest() != json.loads(record)["sha256"]:
            raise DamagedError(f"the file of document {document} is damaged: run `pincite rebuild`, then add it again")
        return bytes(data)

    def documents(self) -> list[str]:
        """The ids of all documents, by source."""
        return [str(row[0]) for row in self._rows("SELECT id FROM documents ORDER BY source, id")]

    def keys(self, where: Where, within: frozenset[str] | None = None) -> NDArray[np.int64]:
        """The keys of all passages whose documents pass a filter and, where given, are among some ids; in order."""
        condition, values = sql_where(where)
        if within is not None and len(within) <= _FEW:  # looked up one by one, not found among all
            condition += f" AND id IN ({','.join('?' * len(within))})"
            values = [*values, *within]
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

    def vectors(self, document: str) -> tuple[NDArray[np.int64], NDArray[np.float16]]:
        """The keys and vectors of a document's passages.

        Raises:
            DamagedError: a vector has the wrong length.
        """
        rows = self._rows("SELECT key, vector FROM passages WHERE document = ? ORDER BY key", document)
        return self._block([key for key, _ in rows], [vector for _, vector in rows])

    def _block(self, keys: Sequence[int], vectors: Sequence[bytes]) -> tuple[NDArray[np.int64], NDArray[np.float16]]:
        """Keys and vectors, float16 of shape (keys, dim), as they are stored."""
        if any(type(vector) is not bytes or len(vector) != 2 * self.dim for vector in vectors):
            raise DamagedError("a stored vector is damaged: run `pincite check`, then `pincite rebuild`")
        rows = np.frombuffer(b"".join(vectors), np.float16).reshape(len(vectors), self.dim)
        return np.array(keys, np.int64), rows

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

    def _rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with sqlite_errors(self._path):
            return self.connection.execute(query, values).fetchall()

    def _one(self, query: str, *values: object) -> tuple[Any, ...]:
        return self._rows(query, *values)[0]
