"""Nearest vectors: FAISS in memory, built from SQLite when the index is opened. Exact, at half precision."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Iterable


class VectorIndex:
    """Keys and unit vectors; the caller keeps searches apart from changes (FAISS does not)."""

    def __init__(self, dim: int) -> None:
        # Several threads on one query are slower than one; queries run side by side instead. Read when FAISS loads.
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        import faiss

        self._faiss: Any = faiss
        flat = faiss.IndexScalarQuantizer(dim, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
        self._index = faiss.IndexIDMap2(flat)

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def add(self, blocks: Iterable[tuple[NDArray[np.int64], NDArray[np.float32]]]) -> None:
        """Add blocks of keys (n,) and float32 unit rows (n, dim)."""
        for keys, vectors in blocks:
            self._index.add_with_ids(vectors, keys)

    def remove(self, keys: NDArray[np.int64]) -> None:
        """Remove the vectors with these keys."""
        self._index.remove_ids(self._faiss.IDSelectorBatch(keys))

    def search(self, vector: NDArray[np.float32], k: int, allowed: NDArray[np.int64] | None) -> list[tuple[int, float]]:
        """The k nearest keys with their cosine, nearest first; only among the allowed, where given."""
        k = min(k, len(self) if allowed is None else len(allowed))
        if k == 0:
            return []
        parameters = None
        if allowed is not None:
            parameters = self._faiss.SearchParameters(sel=self._faiss.IDSelectorBatch(allowed))
        scores, keys = self._index.search(vector.reshape(1, -1), k, params=parameters)
        found = [(int(key), float(score)) for key, score in zip(keys[0], scores[0], strict=True) if key >= 0]
        return sorted(found, key=lambda hit: (-hit[1], hit[0]))  # so that ties are in one order, whatever the engine
