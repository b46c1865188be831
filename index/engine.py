"""The seam between the product and what stores and searches for it, and the embedded engine behind it."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import pairwise
from math import log
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from index.errors import DamagedError, LockedError, StoreError
from index.filters import Where
from index.guard import ReadersWriter
from index.lexical import LexicalIndex
from index.milvus_server import Address, Server, is_address
from index.models import Document, Listed, Near
from index.records import Entry, Source, Stored
from index.split import context
from index.store import Store
from index.vectors import LARGE, Block, VectorIndex

Found = list[tuple[int, float]]
Within = frozenset[str] | None
"""The ids of the only documents to be searched; ``None`` for all."""

_TOGETHER = 500  # documents whose vectors change in one go: each change closes up or goes over all keys
_NONE = np.zeros(0, np.int64)


class DocumentStore(Protocol):
    """Where an engine keeps its documents: what adding, listing and sharing need of it."""

    def writing(self) -> AbstractContextManager[None]:
        """Keep out other writers where the store allows one at a time.

        Raises:
            LockedError: another process is writing.
        """

    def put(self, entry: Entry, replaces: str | None = None) -> None:
        """Store a document durably, taking its source from the document that held it before; all or nothing."""

    def alias(self, source: str, origin: str, sha256: str, document: str, replaces: str | None = None) -> None:
        """Remember that a source holds the text of a document that is already stored."""

    def remove(self, document: str) -> None:
        """Remove a document with all its sources."""

    def source(self, source: str) -> Source | None:
        """What is known of a source."""

    def has(self, document: str) -> bool:
        """Whether a document is stored."""

    def find(self, name: str) -> str:
        """The id of the document with this id, unambiguous beginning of an id (6 digits or more), or source.

        Raises:
            UsageError: there is none, or more than one.
        """

    def document(self, document: str) -> Document | None:
        """A document, checked against its digest.

        Raises:
            DamagedError: the digest does not match.
        """

    def original(self, document: str) -> bytes | None:
        """The file that a document was loaded from, where it is kept."""

    def documents(self) -> list[str]:
        """The ids of all documents, by source."""

    def passages_of(self, document: str) -> list[Stored]:
        """All passages of a document, in order.

        Raises:
            DamagedError: one does not match its checksum.
        """

    def minhashes(self) -> Iterable[tuple[str, bytes]]:
        """The id and minhash of each document that has one."""

    def near(self, document: str) -> tuple[Near, ...]:
        """The documents that are nearly the same as this one, nearest first."""

    def listing(self, where: Where) -> list[Listed]:
        """All documents that pass a filter, without their texts, by source."""

    def named(self) -> Iterable[tuple[str, str]]:
        """Every source with the id of its document, by source."""

    def about(self, document: str) -> tuple[list[str], int]:
        """All sources of a document, and how many passages it has."""


class Engine(Protocol):
    """What an index needs of the thing underneath. Fusion is not its business, so engines cannot differ on it."""

    @property
    def store(self) -> DocumentStore:
        """Where the documents are."""

    def close(self) -> None:
        """Close files and connections."""

    def upsert(self, entry: Entry, replaces: str | None = None) -> None:
        """Store a document durably, in place of another one where named; all or nothing."""

    def delete(self, document: str) -> None:
        """Remove a document durably."""

    def follow(self) -> None:
        """Make what has been stored searchable, as far as a search would not do so itself."""

    def dense(self, vector: NDArray[np.float32], k: int, where: Where, within: Within = None) -> Found:
        """The k passages nearest to a unit vector of shape (dim,): (key, cosine), nearest first."""

    def lexical(self, terms: Sequence[str], k: int, where: Where, within: Within = None) -> Found:
        """The k best passages for some terms: (key, BM25 score), best first."""

    def rarity(self, terms: Sequence[str]) -> list[float]:
        """How rare each term is: log of the passages there are over those that hold it, at least 0."""

    def get(self, keys: Sequence[int]) -> list[tuple[Stored, Document]]:
        """The passages with these keys that are still there, in order, with their documents."""

    def document(self, document: str) -> Document | None:
        """A document, perhaps kept in memory; ``None`` where it is no longer stored."""

    def passages_of(self, document: str) -> list[Stored]:
        """All passages of a document, in order."""

    def snapshot(self) -> str:
        """A name for the state that is being read; it changes with every change."""

    def check(self) -> list[str]:
        """What is wrong, a line each; nothing where the index is sound."""

    def rebuild(self) -> None:
        """Throw away what is derived or left over, and make it again from what is stored."""


def open_engine(place: str | Path, encoder: str, dim: int) -> Engine:
    """The engine of an index: the one in Milvus for an address such as milvus://HOST:19530/NAME, else a folder's own.

    Raises:
        UsageError: the address cannot be read, or pymilvus is not installed.
        StoreError: the index cannot be used.
    """
    if is_address(place):
        from index.milvus import MilvusEngine

        return MilvusEngine(Address.parse(str(place)), encoder, dim)
    return LocalEngine(Path(place), encoder, dim)


def exists(place: str | Path) -> bool:
    """Whether there is an index in a folder or at an address.

    Raises:
        UsageError, StoreError: see `open_engine`.
    """
    if is_address(place):
        server = Server(Address.parse(str(place)))
        try:
            return bool(server.call("has_collection", server.records))
        finally:
            server.close()
    return Path(place).is_dir()


def rare(total: int, held: int) -> float:
    """Inverse document frequency of a term that `held` of `total` passages hold, at least 0."""
    return log((total + 1) / (held + 0.5)) if held <= total else 0.0


class LocalEngine:
    """SQLite for truth, FAISS for vectors, tantivy for terms; the last two follow SQLite's log."""

    def __init__(self, folder: Path, encoder: str, dim: int, large: int = LARGE) -> None:
        """Open a folder; more vectors than ``large`` are searched by short codes first, see `VectorIndex`."""
        self.store = Store(folder, encoder, dim)
        self._dim = dim
        self._large = large
        self._guard = ReadersWriter()  # of the terms
        self._following = threading.Lock()
        self._vectors: VectorIndex | None = None
        self._vectors_at = 0
        self._lexical = LexicalIndex(folder / "lexical", self.store.name, self.store.readonly)
        self._keys: dict[str, NDArray[np.int64]] = {}
        self._documents: dict[str, Document] = {}

    def close(self) -> None:
        """Close the database."""
        if self._vectors is not None:
            self._vectors.close()
        self._lexical.close()
        self.store.close()

    def settle(self) -> None:
        """Wait until what is made in the background is there."""
        if self._vectors is not None:
            self._vectors.settle()

    def upsert(self, entry: Entry, replaces: str | None = None) -> None:
        """Store a document durably; `follow` makes it searchable."""
        self.store.put(entry, replaces)

    def delete(self, document: str) -> None:
        """Remove a document durably; it is not shown from here on, and `follow` forgets its vectors and terms."""
        self.store.remove(document)

    def dense(self, vector: NDArray[np.float32], k: int, where: Where, within: Within = None) -> Found:
        """See `Engine.dense`; exact but for the few of a large index that `VectorIndex` may miss."""
        vectors = self._follow(reading=True)
        allowed = None if not where and within is None else self.store.keys(where, within)
        return vectors.search(vector, k, allowed)

    def lexical(self, terms: Sequence[str], k: int, where: Where, within: Within = None) -> Found:
        """See `Engine.lexical`."""
        self._follow(reading=True)
        allowed = None if not where and within is None else self.store.keys(where, within)
        with self._guard.reading():
            return self._lexical.search(terms, k, allowed)

    def rarity(self, terms: Sequence[str]) -> list[float]:
        """See `Engine.rarity`."""
        self._follow(reading=True)
        with self._guard.reading():
            total = self._lexical.count()
            return [rare(total, held) for held in self._lexical.frequency(terms)]

    def get(self, keys: Sequence[int]) -> list[tuple[Stored, Document]]:
        """See `Engine.get`.

        Raises:
            DamagedError: a passage or its document does not match its digest.
        """
        pairs = ((passage, self.document(passage.passage.document)) for passage in self.store.passages(keys))
        return [(passage, document) for passage, document in pairs if document]

    def passages_of(self, document: str) -> list[Stored]:
        """All passages of a document, in order.

        Raises:
            DamagedError: one does not match its checksum.
        """
        return self.store.passages_of(document)

    def document(self, document: str) -> Document | None:
        """A document, kept in memory while it is there."""
        known = self._documents.get(document)
        if known is None:
            known = self.store.document(document)
            if known:
                if len(self._documents) >= 256:
                    self._documents.pop(next(iter(self._documents)), None)
                self._documents[document] = known
        elif not self.store.has(document):
            self._documents.pop(document, None)
            return None
        return known

    def snapshot(self) -> str:
        """See `Engine.snapshot`."""
        return f"{self.store.name}-{self.store.last_change()}"

    def follow(self) -> None:
        """Bring vectors and terms up to the end of SQLite's log.

        Raises:
            DamagedError: what is stored is not what was put there.
            StoreError: the terms cannot be written.
        """
        self._follow(reading=False)

    def _follow(self, reading: bool) -> VectorIndex:
        last, vectors = self.store.last_change(), self._vectors
        if vectors is not None and self._vectors_at == last and self._lexical.number == last:
            return vectors
        with self._following:
            vectors = self._follow_vectors(last)
            self._follow_terms(last, reading)
        return vectors

    def rebuild(self) -> None:
        """Throw vectors and terms away and make them again from SQLite.

        Raises:
            LockedError: another process is writing.
        """
        with self._following, self.store.writing():
            with self._guard.writing():
                self._lexical.reset()
            if self._vectors is not None:
                self._vectors.close()
                self._vectors = None
            last = self.store.last_change()
            self._follow_vectors(last)
            self._follow_terms(last, reading=False)

    def check(self) -> list[str]:
        """See `Engine.check`."""
        problems = self.store.check()
        if problems:
            return problems
        self.follow()
        _, passages = self.store.counts()
        held = len(self._vectors) if self._vectors else 0
        if held != passages:
            problems.append(f"FAISS holds {held} vectors of {passages}: run `pincite rebuild`")
        if self._lexical.count() != passages:
            problems.append(f"tantivy holds {self._lexical.count()} passages of {passages}: run `pincite rebuild`")
        return problems

    def _follow_vectors(self, last: int) -> VectorIndex:
        if self._vectors is None:
            vectors, self._keys = VectorIndex(self._dim, self._large), {}
            vectors.change(_NONE, self._verified(vectors))
            self._vectors, self._vectors_at = vectors, last
            return vectors
        changed = list(dict.fromkeys(change.document for change in self.store.changes(self._vectors_at)))
        for at in range(0, len(changed), _TOGETHER):
            removed, added = [_NONE], []
            for document in changed[at : at + _TOGETHER]:
                self._documents.pop(document, None)
                removed.append(self._keys.pop(document, _NONE))
                keys, rows = self.store.vectors(document)
                if len(keys):
                    self._keys[document] = keys
                    added.append((keys, rows))
            self._vectors.change(np.concatenate(removed), added)
        self._vectors_at = last
        return self._vectors

    def _verified(self, into: VectorIndex) -> Iterator[Block]:
        """The vectors of all passages; the keys of each document are kept on the way."""
        for number, (documents, keys, vectors) in enumerate(self.store.verified()):
            if number == 0:  # and not before: whoever checks beside this process is at work by now
                into.reserve(self.store.counts()[1])
            ends = [n for n in range(1, len(documents)) if documents[n] != documents[n - 1]]
            for start, end in pairwise([0, *ends, len(documents)]):
                document, some = documents[start], keys[start:end]
                before = self._keys.get(document)
                self._keys[document] = some if before is None else np.append(before, some)
            yield keys, vectors

    def _follow_terms(self, last: int, reading: bool) -> None:
        self._lexical.refresh()
        if self._lexical.number == last:
            return
        try:
            with self.store.writing():
                self._replay(last)
        except LockedError as error:
            # The process that holds the lock writes these terms; what is stale is hidden when it is looked up.
            if self._lexical.damaged:
                raise DamagedError(f"the terms of {self.store.folder} are damaged; {error}, then ask again") from error
        except StoreError:
            if not reading:
                raise
            # The disk is full or may not be written: reading goes on, with terms that are kept in memory.
            self._lexical.close()
            self._lexical = LexicalIndex(None, self.store.name)
            self._replay(last)

    def _replay(self, last: int) -> None:
        documents = list(dict.fromkeys(c.document for c in self.store.changes(self._lexical.number)))
        with self._guard.writing():
            self._lexical.apply(((d, self._texts(d)) for d in documents), last)

    def _texts(self, document: str) -> Iterator[tuple[int, str]]:
        """The key of each passage of a document, and its words after its title and headings."""
        whole = self.store.document(document)
        if whole:
            for key, passage, *_ in self.store.passages_of(document):
                yield key, context(whole, passage) + whole.text[passage.start : passage.end]
