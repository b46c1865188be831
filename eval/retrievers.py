"""What is measured of retrieval alone: each search of this product, and the fused one put in order by the reader."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, get_args

from index.models import Hit

if TYPE_CHECKING:
    from index.library import Index

Retriever = Callable[[str, int], list[Hit]]
"""The best k passages for a query, best first."""

RERANKED = "reranked"
_READ = 50  # how many of the fused passages the reader puts in order


def retrievers(index: Index) -> dict[str, Retriever]:
    """Every retriever over an index, by name."""
    from index.library import Mode

    def searching(mode: Mode) -> Retriever:
        return lambda query, k: index.search(query, k, mode=mode)

    return {**{mode: searching(mode) for mode in get_args(Mode)}, RERANKED: _reranking(index)}


def _reranking(index: Index) -> Retriever:
    """The fused search, its first passages in the order of their best sentence as the trained reader sees it."""
    from rag.learned import Trained
    from rag.question import understand
    from rag.read import rarities, vectors_of

    reader = Trained()

    def search(query: str, k: int) -> list[Hit]:
        question = understand(query)
        vectors = vectors_of(question, index.encoder)
        found = index.retrieve(query, max(k, _READ), vector=vectors)
        best: dict[tuple[str, int], float] = {}
        for e in reader.read(question, found[:_READ], rarities(question, index.engine)):
            best.setdefault((e.document, e.start), e.probability)

        def likely(hit: Hit) -> float:
            sentences = hit.passage.sentences
            return max((best.get((hit.passage.document, start), 0.0) for start, _ in sentences), default=0.0)

        hits = [each.hit for each in found]
        return [*sorted(hits[:_READ], key=likely, reverse=True), *hits[_READ:]][:k]

    return search
