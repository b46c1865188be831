"""The engine for a library in Milvus: dense vectors and BM25 on the server, documents and their text there too."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from index.errors import StoreError
from index.filters import Where
from index.milvus_rows import Held, tokens
from index.milvus_server import Address, Server, quoted
from index.milvus_store import MilvusStore
from index.models import Document
from index.records import Entry, Stored

if TYPE_CHECKING:
    from index.engine import Found, Within

_REMEMBERED = 256  # documents
_MOST = 16_384  # results of one search, which is Milvus's own limit


class MilvusEngine:
    """See `index.engine.Engine`. Nothing of a library is kept here but what was read lately."""

    def __init__(self, address: Address, encoder: str, dim: int) -> None:
        """Open the library at an address, making it where there is none.

        Raises:
            UsageError: pymilvus is not installed.
            StoreError: the server cannot be used, or the library was made by another encoder or a newer version.
        """
        self._server = Server(address)
        self.store = MilvusStore(self._server, encoder, dim)
        self._remembering = threading.Lock()
        self._documents: dict[int, Document] = {}
        self._frequencies: dict[str, int] = {}
        self._frequencies_at = ""

    def close(self) -> None:
        """Disconnect."""
        self._server.close()

    def upsert(self, entry: Entry, replaces: str | None = None) -> None:
        """Store a document durably; it is searchable at once."""
        self.store.put(entry, replaces)

    def delete(self, document: str) -> None:
        """Remove a document durably."""
        self.store.remove(document)

    def follow(self) -> None:
        """Nothing to do: the server follows by itself."""

    def dense(self, vector: NDArray[np.float32], k: int, where: Where, within: Within = None) -> Found:
        """See `Engine.dense`; exact while the collection has the index that it was made with."""
        return self._search("vector", vector.tolist(), "IP", k, where, within)

    def lexical(self, terms: Sequence[str], k: int, where: Where, within: Within = None) -> Found:
        """See `Engine.lexical`.

        Raises:
            StoreError: the server is older than 2.5, which has no BM25.
        """
        self._need_terms()
        return self._search("weights", tokens(terms), "BM25", k, where, within) if terms else []

    def _search(self, field: str, query: object, metric: str, k: int, where: Where, within: Within) -> Found:
        if within is not None and not within:
            return []
        condition = self.store.filter(where, within)
        found = self._server.search(self._server.passages, field, query, metric, min(k, _MOST), condition)
        # Milvus Lite gives BM25 as a distance below 0. Ties are broken by key, so that every engine gives one order.
        scored = [(key, abs(score) if metric == "BM25" else score) for key, score in found]
        return sorted(scored, key=lambda item: (-item[1], item[0]))

    def rarity(self, terms: Sequence[str]) -> list[float]:
        """See `Engine.rarity`."""
        from index.engine import rare

        self._need_terms()
        state = self.snapshot()
        with self._remembering:
            if state != self._frequencies_at:
                self._frequencies, self._frequencies_at = {}, state
            known = self._frequencies
        for term in {"", *terms} - known.keys():
            condition = f"text_match(terms, {quoted(tokens([term]))})" if term else ""
            known[term] = self._server.count(self._server.passages, condition)
        return [rare(known[""], known[term]) for term in terms]

    def _need_terms(self) -> None:
        if not self._server.has_terms:
            number = ".".join(map(str, self._server.version))
            raise StoreError(
                f"Milvus {number} at {self._server.address} cannot search for terms: upgrade it to 2.5 or newer, "
                "or search with --mode dense"
            )

    def get(self, keys: Sequence[int]) -> list[tuple[Stored, Document]]:
        """See `Engine.get`.

        Raises:
            DamagedError: a passage or its document does not match its digest.
        """
        found = self.store.passages(keys)
        documents = self._remembered({held for _, held in found})
        return [(passage, documents[held.generation]) for passage, held in found if held.generation in documents]

    def _remembered(self, wanted: set[Held]) -> dict[int, Document]:
        """The documents of some generations, read where they are not known or have lost the source they were under."""
        with self._remembering:
            known = {
                held.generation: document
                for held in wanted
                if (document := self._documents.get(held.generation)) and document.source in held.sources
            }
        read = self.store.generations({held.generation for held in wanted} - known.keys())
        with self._remembering:
            self._documents.update(read)
            while len(self._documents) > _REMEMBERED:
                self._documents.pop(next(iter(self._documents)))
        return known | read

    def document(self, document: str) -> Document | None:
        """See `Engine.document`."""
        held = self.store.held([document]).get(document)
        return self._remembered({held}).get(held.generation) if held else None

    def passages_of(self, document: str) -> list[Stored]:
        """See `Engine.passages_of`."""
        return self.store.passages_of(document)

    def snapshot(self) -> str:
        """See `Engine.snapshot`."""
        return f"{self.store.name}-{self.store.last_change()}"

    def check(self) -> list[str]:
        """See `Engine.check`."""
        return self.store.check()

    def rebuild(self) -> None:
        """Delete what adds that were cut off have left behind; nobody must be adding meanwhile."""
        self.store.drop(self.store.leftovers())
