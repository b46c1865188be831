"""This product; what it searches by words and by vectors is fused unless ``hybrid`` is off."""

from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path

from eval.peers.protocol import Opened, Texts, serve
from index.library import Index, Mode
from index.models import Document, Passage
from index.records import Entry


class Pincite:
    """See `eval.peers.protocol.System`. It is given whole documents and makes the same passages of them itself."""

    packages = ("pincite", "onnxruntime", "faiss-cpu", "tantivy")

    def __init__(self, opened: Opened) -> None:
        self._index = Index(opened.folder)
        self._mode: Mode = "fused" if opened.hybrid else "dense"
        self.settings = f'Index(…).search(…, mode="{self._mode}")'
        self._sources: dict[str, str] = {}

    def add(self, texts: Texts) -> None:
        """See `System.add`; with vectors that are given, those of sentences are taken to be their passage's."""
        with Path(texts.files["documents"]).open(encoding="utf-8") as file:
            documents = [Document.model_validate_json(line) for line in file]
        if texts.vectors is None:
            for _ in self._index.add_documents(documents):
                pass
            return
        with Path(texts.files["passages"]).open(encoding="utf-8") as file:
            passages = [Passage.model_validate(json.loads(line)["passage"]) for line in file]
        at = 0
        by_document = groupby(passages, key=lambda passage: passage.document)
        with self._index.engine.store.writing():
            for document, (_, group) in zip(documents, by_document, strict=True):
                own = list(group)
                vectors = texts.vectors[at : at + len(own)]
                inner = [
                    row.repeat(len(p.sentences)).reshape(-1, len(p.sentences)).T
                    for row, p in zip(vectors, own, strict=True)
                ]
                self._index.engine.upsert(Entry(document, own, vectors, inner))
                at += len(own)
        self._index.engine.follow()

    def save(self) -> None:
        """See `System.save`: what was added is durable already."""

    def search(self, query: str, k: int) -> list[str]:
        """See `System.search`."""
        return [hit.passage.id for hit in self._index.search(query, k, mode=self._mode)]


if __name__ == "__main__":
    serve(Pincite)
