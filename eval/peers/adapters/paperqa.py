"""PaperQA's retriever: its collection of documents with vectors in numpy, without the language model around it."""

from __future__ import annotations

import asyncio

from lmi import SentenceTransformerEmbeddingModel
from paperqa import Docs, Settings
from paperqa.types import Doc, Text

from eval.peers.protocol import Opened, Texts, serve


class PaperQA:
    """See `eval.peers.protocol.System`."""

    packages = ("paper-qa", "fhlmi", "torch", "sentence-transformers")
    settings = "Docs.aadd_texts, Docs.retrieve_texts, NumpyVectorStore, MMR off as by default; kept as JSON"

    def __init__(self, opened: Opened) -> None:
        self._file = opened.folder / "docs.json"
        self._encoder = SentenceTransformerEmbeddingModel(name=opened.model)
        self._chosen = Settings()
        self._docs = Docs.model_validate_json(self._file.read_bytes()) if self._file.exists() else Docs()
        self._loop = asyncio.Runner()

    def add(self, texts: Texts) -> None:
        """See `System.add`."""
        given = [None] * len(texts.ids) if texts.vectors is None else texts.vectors.tolist()
        documents: dict[str, list[Text]] = {}
        for name, text, vector in zip(texts.ids, texts.passages, given, strict=True):
            of = name.partition(":")[0]
            doc = Doc(docname=of, dockey=of, citation=of)
            documents.setdefault(of, []).append(Text(text=text, name=name, doc=doc, embedding=vector))
        for own in documents.values():
            self._loop.run(self._docs.aadd_texts(own, own[0].doc, self._chosen, self._encoder))

    def save(self) -> None:
        """See `System.save`."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._file.write_text(self._docs.model_dump_json(exclude={"texts_index"}), encoding="utf-8")

    def search(self, query: str, k: int) -> list[str]:
        """See `System.search`."""
        found = self._loop.run(self._docs.retrieve_texts(query, k, self._chosen, self._encoder))
        return [text.name for text in found]


if __name__ == "__main__":
    serve(PaperQA)
