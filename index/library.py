"""An index: documents in, hits out. Adding is incremental, searching is hybrid, and nothing is hidden."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from index.encode import Encoder, Vectors, built_in, unit
from index.engine import Engine, Within, open_engine
from index.errors import UsageError
from index.filters import Where, conditions
from index.hidden import why_hidden
from index.milvus_server import is_address
from index.models import Added, Document, Hit, Listed
from index.records import Stored
from index.terms import content_terms

if TYPE_CHECKING:
    from index.mend import Mended
    from index.prepare import Workers

Mode = Literal["fused", "lexical", "dense"]

DEPTH = 100  # how many passages each search gives to the fusion
_RRF = 60  # the constant of Cormack, Clarke and Büttcher, SIGIR 2009
_LONGEST_QUERY = 64  # terms; the rarest words of a pasted page say enough


class Retrieved(NamedTuple):
    """A hit with what a reader needs: its document, and the cosines of the query with it and with its sentences.

    Attributes:
        sentence_cosines: of shape (sentences, vectors): with the query's own vector, and with others that were given.
    """

    hit: Hit
    document: Document
    cosine: float
    sentence_cosines: NDArray[np.float32]


class _Ranks(NamedTuple):
    """By key: rank and score of each search, and the fused score, best first."""

    lexical: dict[int, tuple[int, float]]
    dense: dict[int, tuple[int, float]]
    fused: dict[int, float]


class Index:
    """The documents of one folder, or of a library in Milvus, searchable. Close it, or use it in a ``with`` block."""

    def __init__(self, place: str | Path, encoder: Encoder | None = None) -> None:
        """Open the index in a folder or at an address such as milvus://HOST:19530/NAME, making it where there is none.

        Raises:
            StoreError: it was made by another encoder or a newer version, or it cannot be read.
        """
        self.encoder = encoder or built_in()
        self.engine: Engine = open_engine(place, self.encoder.id, self.encoder.dim)
        self._adding = threading.Lock()

    def __enter__(self) -> Index:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close its files and connections."""
        self.engine.close()

    def add(self, paths: str | Path | Iterable[str | Path]) -> list[Added]:
        """Add files and folders; returns what became of each file.

        One file that cannot be read does not keep the others out.

        Raises:
            UsageError: a path does not exist.
            LockedError: another process is writing.
        """
        return list(self.add_each(paths))

    def add_each(
        self,
        paths: str | Path | Iterable[str | Path],
        started: Callable[[int], None] | None = None,
        workers: Workers | None = None,
    ) -> Iterator[Added]:
        """Like `add`, giving each result as soon as it is durable.

        Args:
            paths: files and folders.
            started: is told how many files there are.
            workers: who loads, splits and encodes; this process alone if left out. The index is the same.
        """
        from index.ingest import Ingest, sources  # a tenth of the time that a search from a cold shell takes

        files = sources([paths] if isinstance(paths, str | Path) else paths)
        if started:
            started(len(files))
        with self._adding, self.engine.store.writing():
            try:
                yield from Ingest(self.engine.store, self.encoder).files(files, workers)
            finally:
                self.engine.follow()

    def add_bytes(self, data: bytes, source: str) -> Added:
        """Add one document from memory, such as an upload."""
        from index.ingest import Ingest

        with self._adding, self.engine.store.writing():
            (added,) = Ingest(self.engine.store, self.encoder).files([(source, data)])
            self.engine.follow()
        return added

    def add_documents(self, documents: Iterable[Document]) -> Iterator[Added]:
        """Add documents that were made otherwise than from files, such as those of a benchmark."""
        from index.ingest import Ingest

        with self._adding, self.engine.store.writing():
            try:
                yield from Ingest(self.engine.store, self.encoder).documents(documents)
            finally:
                self.engine.follow()

    def remove(self, name: str) -> Document:
        """Remove the document with this id, beginning of an id, or source; returns what was removed.

        Raises:
            UsageError: there is no such document.
        """
        document = self.show(name)
        self.engine.delete(document.id)
        self.engine.follow()
        return document

    def documents(self, where: Where | None = None) -> list[Listed]:
        """The documents that pass a filter, by source."""
        return self.engine.store.listing(where or {})

    def show(self, name: str) -> Document:
        """The document with this id, beginning of an id, or source.

        Raises:
            UsageError: there is no such document.
            DamagedError: it does not match its digest.
        """
        document = self.engine.document(self.engine.store.find(name))
        if document is None:
            raise UsageError(f"{name!r} has just been removed: see `pincite list`")
        return document

    def search(
        self, query: str, k: int = 10, where: Where | None = None, mode: Mode = "fused", within: Within = None
    ) -> list[Hit]:
        """The k best passages for a query, best first; see `retrieve`."""
        return [found.hit for found in self.retrieve(query, k, where, mode, within)]

    def retrieve(
        self,
        query: str,
        k: int = 10,
        where: Where | None = None,
        mode: Mode = "fused",
        within: Within = None,
        vector: Vectors | None = None,
    ) -> list[Retrieved]:
        """The k best passages for a query with their documents and cosines, best first.

        Args:
            query: words or a question.
            k: how many, at least 1.
            where: a filter on metadata, such as ``{"published": ">=2021-01-01"}``.
            mode: "fused" joins both searches; "lexical" and "dense" are each alone.
            within: the ids of the only documents to be searched.
            vector: the query's unit vector of shape (dim,), where the caller has it already; or of shape (n, dim), with
                others below it whose cosines with the sentences are wanted, too.

        Raises:
            UsageError: an empty query, a bad filter or a bad k.
        """
        if not query.strip():
            raise UsageError("the query is empty: type some words to search for")
        if k < 1:
            raise UsageError(f"k is {k}: ask for 1 passage or more")
        where = where or {}
        conditions(where)
        depth = max(DEPTH, k)
        terms = content_terms(query[:20_000])[:_LONGEST_QUERY]
        lexical = self.engine.lexical(terms, depth, where, within) if mode != "dense" else []
        if vector is None and mode != "lexical":
            vector = self.encoder.encode([query[:20_000]])[0]
        vectors = None if vector is None else np.atleast_2d(vector)
        dense = self.engine.dense(vectors[0], depth, where, within) if vectors is not None and mode != "lexical" else []
        ranks = _Ranks(
            {key: (rank, score) for rank, (key, score) in enumerate(lexical, 1)},
            {key: (rank, score) for rank, (key, score) in enumerate(dense, 1)},
            dict(fuse([key for key, _ in lexical], [key for key, _ in dense])),
        )
        found: list[Retrieved] = []
        order = list(ranks.fused)
        for at in range(0, len(order), k):  # one that has been removed meanwhile makes room for the next
            for stored, document in self.engine.get(order[at : at + k]):
                found.append(_retrieved(stored, document, ranks, vectors))
                if len(found) == k:
                    return found
        return found

    def check(self) -> list[str]:
        """What is wrong with the index, a line each; nothing where it is sound."""
        return self.engine.check()

    def rebuild(self) -> None:
        """Make everything that is derived again from what is stored, which must be sound; else see `rebuild`.

        Raises:
            DamagedError: it is not.
        """
        self.engine.rebuild()


def _retrieved(stored: Stored, document: Document, ranks: _Ranks, vectors: Vectors | None) -> Retrieved:
    passage = stored.passage
    lexical_rank, lexical_score = ranks.lexical.get(stored.key, (None, None))
    vector_rank, vector_score = ranks.dense.get(stored.key, (None, None))
    hit = Hit(
        passage=passage,
        text=document.text[passage.start : passage.end],
        source=document.source,
        title=document.title,
        publisher=document.publisher,
        published=document.published,
        lexical_rank=lexical_rank,
        lexical_score=lexical_score,
        vector_rank=vector_rank,
        vector_score=vector_score,
        fused=ranks.fused.get(stored.key, 0.0),
        hidden=why_hidden(document, passage.start, passage.end),
    )
    if vectors is None:
        return Retrieved(hit, document, 0.0, np.zeros((len(passage.sentences), 1), np.float32))
    rows = unit(stored.sentence_vectors.astype(np.float32))
    return Retrieved(hit, document, float(stored.vector.astype(np.float32) @ vectors[0]), rows @ vectors.T)


def fuse(*rankings: Sequence[int]) -> list[tuple[int, float]]:
    """Reciprocal rank fusion: each ranking gives 1 / (60 + rank) to what it holds; ties go to the smaller key.

    Cormack, Clarke and Büttcher, "Reciprocal rank fusion outperforms Condorcet and individual rank learning methods",
    SIGIR 2009.

    >>> fuse([7, 8], [8, 9])[0][0]
    8
    """
    scores: dict[int, float] = {}
    for ranking in rankings:
        for rank, key in enumerate(ranking, 1):
            scores[key] = scores.get(key, 0.0) + 1 / (_RRF + rank)
    return sorted(scores.items(), key=lambda item: (-item[1], item[0]))


def rebuild(place: str | Path, encoder: Encoder | None = None) -> Mended:
    """Make the index at a place whole again: what is damaged from the texts, and all that is derived from that.

    Returns:
        what had to be made again, and what could not be.

    Raises:
        LockedError: another process is writing.
        DamagedError: nothing can be read any more.
    """
    from index.mend import Mended, mend

    encoder = encoder or built_in()
    mended = Mended() if is_address(place) else mend(Path(place), encoder)
    with Index(place, encoder) as index:
        index.rebuild()
    return mended


def open(place: str | Path) -> Index:
    """Open the index in a folder or at an address in Milvus, making it where there is none."""
    return Index(place)
