"""Nearest vectors: FAISS in memory, built from SQLite when the index is opened.

Exact, at half precision, as long as looking at every vector is quick. A larger index has a short code of each vector,
too: a bit for each dimension (RaBitQ: Gao and Long, SIGMOD 2024). The codes say which vectors may be nearest, and the
vectors themselves rank those, so that each score is the exact one. A filtered search looks at all that pass.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index.guard import ReadersWriter

Keys = NDArray[np.int64]
Block = tuple[Keys, NDArray[np.float16]]

LARGE = 100_000
"""More vectors than these get short codes; so many are looked at one by one in ten milliseconds or so."""
_WIDE = 16  # candidates by short code for each vector that is asked for
_STEP = 20_000  # vectors that are coded in one go, while no change can be made
_MOST_GONE = 0.1  # the share of removed vectors from which on their places are given back


class VectorIndex:
    """Keys and unit vectors; may be searched while they are changed, which FAISS itself may not.

    A vector's place is where it was added. Short codes are made in a thread of its own, where a search is exact until
    they are all there.
    """

    def __init__(self, dim: int, large: int = LARGE) -> None:
        """An empty index, which has short codes while it holds more vectors than ``large``."""
        # Several threads on one query are slower than one; queries run side by side instead. Read when FAISS loads.
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        import faiss

        self._faiss: Any = faiss
        self._dim = dim
        self._large = large
        self._guard = ReadersWriter()
        self._exact = faiss.IndexScalarQuantizer(dim, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
        self._keys = np.zeros(0, np.int64)  # of the vector in each place
        self._there = np.zeros(0, bool)  # whether it has not been removed
        self._order = np.zeros(0, np.int64)  # the places by key
        self._moved = 0  # how often places have been given back, so that vectors have others
        self._codes: Any = None
        self._coding: threading.Thread | None = None
        self._closed = threading.Event()

    def __len__(self) -> int:
        return int(np.count_nonzero(self._there))

    @property
    def is_coded(self) -> bool:
        """Whether short codes are in use."""
        return self._codes is not None

    def close(self) -> None:
        """Stop making short codes."""
        self._closed.set()
        self.settle()

    def settle(self) -> None:
        """Wait until the short codes that are being made are there."""
        if coding := self._coding:
            coding.join()

    def reserve(self, count: int) -> None:
        """Make room for so many vectors at once, while nobody else uses the index: room that grows is copied."""
        held = self._exact.codes.size()
        self._exact.codes.resize(max(held, count * int(self._exact.code_size)))
        self._exact.codes.resize(held)  # what was made stays reserved

    def change(self, removed: Keys, added: Iterable[Block]) -> None:
        """Remove the vectors with some keys, then add blocks of keys (n,) and unit rows (n, dim); all at once.

        Rows are float16, which is also how FAISS keeps them.
        """
        with self._guard.writing():
            self._there[self._places(removed)] = False
            keys, there = [self._keys], [self._there]
            for some, vectors in added:
                self._exact.add_sa_codes(vectors.view(np.uint8))
                if self._codes is not None:
                    self._codes.add(vectors.astype(np.float32))
                keys.append(some)
                there.append(np.ones(len(some), bool))
            self._keys, self._there = np.concatenate(keys), np.concatenate(there)
            gone = len(self._there) - len(self)
            if gone > (0 if self._codes is None else _MOST_GONE * len(self._there)):
                self._give_back()
            self._order = np.argsort(self._keys, kind="stable")
            if self._codes is None and self._coding is None and self._is_large():
                self._coding = threading.Thread(target=self._code, daemon=True)
                self._coding.start()

    def search(self, vector: NDArray[np.float32], k: int, allowed: Keys | None) -> list[tuple[int, float]]:
        """The k nearest keys with their cosine, nearest first; only among the allowed, where given."""
        row = vector.reshape(1, -1)
        with self._guard.reading():
            looked_at = self._likely(row, k) if allowed is None else self._mask(self._places(allowed))
            k = min(k, int(np.count_nonzero(looked_at)))
            if k == 0:
                return []
            sel = None if looked_at.all() else self._selector(looked_at)
            parameters = self._faiss.SearchParameters(sel=sel)
            scores, places = self._exact.search(row, k, params=parameters)
            found = zip(self._keys[places[0]].tolist(), scores[0].tolist(), strict=True)
        return sorted(found, key=lambda hit: (-hit[1], hit[0]))  # so that ties are in one order, whatever the engine

    def _likely(self, row: NDArray[np.float32], k: int) -> NDArray[np.bool_]:
        """Where the nearest vectors may be: by their short codes, or anywhere."""
        if self._codes is None:
            return self._there
        _, places = self._codes.search(row, min(_WIDE * k, len(self._there)))
        found = self._mask(places[places >= 0])
        return found if np.count_nonzero(found) >= min(k, len(self)) else self._there

    def _mask(self, places: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Some places, without those whose vectors have been removed."""
        mask = np.zeros(len(self._there), bool)
        mask[places] = self._there[places]
        return mask

    def _selector(self, mask: NDArray[np.bool_]) -> Any:  # noqa: ANN401  a library without types
        return self._faiss.IDSelectorBitmap(np.packbits(mask, bitorder="little"))

    def _places(self, keys: Keys) -> NDArray[np.int64]:
        """The places of those keys that were ever added; the latest of each."""
        at = np.searchsorted(self._keys, keys, side="right", sorter=self._order) - 1
        found = self._order[at[at >= 0]]
        places: NDArray[np.int64] = found[self._keys[found] == keys[at >= 0]]
        return places

    def _give_back(self) -> None:
        """Close up the places of vectors that have been removed; short codes have to be made anew."""
        self._exact.remove_ids(self._selector(~self._there))
        self._keys = self._keys[self._there]
        self._there = np.ones(len(self._keys), bool)
        self._codes = None
        self._moved += 1

    def _is_large(self) -> bool:
        return int(self._exact.ntotal) > self._large and not self._closed.is_set()

    def _code(self) -> None:
        """Make short codes of all vectors, step by step beside searches and changes, and put them in use."""
        codes, moved = None, self._moved
        while True:
            with self._guard.reading():
                if codes is None or moved != self._moved:
                    codes, moved = self._trained(), self._moved
                start, end = int(codes.ntotal), min(int(codes.ntotal) + _STEP, int(self._exact.ntotal))
                vectors = self._exact.reconstruct_n(start, end - start)
            if start < end:
                codes.add(vectors)
            with self._guard.writing():
                is_whole = moved == self._moved and codes.ntotal == self._exact.ntotal
                if is_whole or not self._is_large():
                    self._codes = codes if is_whole else None
                    self._coding = None
                    return

    def _trained(self) -> Any:  # noqa: ANN401  a library without types
        """Short codes that know where the middle of all vectors is, of none yet."""
        codes = self._faiss.IndexRaBitQFastScan(self._dim, self._faiss.METRIC_INNER_PRODUCT)
        count = int(self._exact.ntotal)
        codes.train(self._exact.reconstruct_batch(np.linspace(0, count - 1, min(count, _STEP)).astype(np.int64)))
        return codes
