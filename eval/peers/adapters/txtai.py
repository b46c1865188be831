"""txtai: vectors in FAISS, texts in SQLite; with ``hybrid`` its BM25 beside them."""

from __future__ import annotations

from typing import Any

import numpy as np
from txtai import Embeddings

from eval.peers.protocol import Opened, Texts, serve


class Txtai:
    """See `eval.peers.protocol.System`."""

    packages = ("txtai", "torch", "transformers", "faiss-cpu")

    def __init__(self, opened: Opened) -> None:
        self._folder = str(opened.folder)
        self._embeddings = Embeddings(path=opened.model, content=True, hybrid=opened.hybrid)
        self.settings = f"Embeddings(path=…, content=True, hybrid={opened.hybrid})"
        if self._embeddings.exists(self._folder):
            self._embeddings.load(self._folder)

    def add(self, texts: Texts) -> None:
        """See `System.add`; vectors that are given take the place of the model's while they are added."""
        documents: list[tuple[str, str]] = list(zip(texts.ids, texts.passages, strict=True))
        if texts.vectors is None:
            self._embeddings.upsert(documents)
            return
        model: Any = self._embeddings.model
        of = dict(zip(texts.passages, texts.vectors, strict=True))
        own, model.encode = model.encode, lambda data, category=None: np.array([of[text] for text in data])
        try:
            self._embeddings.upsert(documents)
        finally:
            model.encode = own

    def save(self) -> None:
        """See `System.save`."""
        self._embeddings.save(self._folder)

    def search(self, query: str, k: int) -> list[str]:
        """See `System.search`."""
        return [str(found["id"]) for found in self._embeddings.search(query, k)]


if __name__ == "__main__":
    serve(Txtai)
