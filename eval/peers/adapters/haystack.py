"""Haystack: exact FAISS; with ``hybrid`` its BM25 in memory beside it, joined by reciprocal rank fusion."""

from __future__ import annotations

from haystack import Document
from haystack.components.joiners import DocumentJoiner
from haystack.components.retrievers.in_memory import InMemoryBM25Retriever
from haystack.document_stores.in_memory import InMemoryDocumentStore
from haystack_integrations.components.embedders.sentence_transformers import (
    SentenceTransformersDocumentEmbedder,
    SentenceTransformersTextEmbedder,
)
from haystack_integrations.components.retrievers.faiss import FAISSEmbeddingRetriever
from haystack_integrations.document_stores.faiss import FAISSDocumentStore

from eval.peers.protocol import Opened, Texts, serve

_DIM = 384


class Haystack:
    """See `eval.peers.protocol.System`."""

    packages = ("haystack-ai", "faiss-haystack", "torch", "sentence-transformers", "faiss-cpu")

    def __init__(self, opened: Opened) -> None:
        self.settings = "FAISSDocumentStore(Flat), SentenceTransformersDocumentEmbedder, FAISSEmbeddingRetriever"
        self._path = opened.folder / "store"
        self._store = FAISSDocumentStore(index_path=str(self._path), embedding_dim=_DIM)
        self._retriever = FAISSEmbeddingRetriever(document_store=self._store)
        self._documents = SentenceTransformersDocumentEmbedder(model=opened.model, progress_bar=False)
        self._queries = SentenceTransformersTextEmbedder(model=opened.model, progress_bar=False)
        self._documents.warm_up()
        self._queries.warm_up()
        self._words: InMemoryBM25Retriever | None = None
        if opened.hybrid:
            self.settings += ", InMemoryBM25Retriever, DocumentJoiner(reciprocal_rank_fusion)"
            memory = InMemoryDocumentStore()
            memory.write_documents(self._store.filter_documents())
            self._words = InMemoryBM25Retriever(document_store=memory)
            self._joiner = DocumentJoiner(join_mode="reciprocal_rank_fusion")

    def add(self, texts: Texts) -> None:
        """See `System.add`."""
        given = [None] * len(texts.ids) if texts.vectors is None else texts.vectors.tolist()
        rows = zip(texts.ids, texts.passages, given, strict=True)
        documents = [Document(id=name, content=text, embedding=vector) for name, text, vector in rows]
        if texts.vectors is None:
            documents = self._documents.run(documents)["documents"]
        self._store.write_documents(documents)

    def save(self) -> None:
        """See `System.save`."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._store.save(self._path)

    def search(self, query: str, k: int) -> list[str]:
        """See `System.search`."""
        vector = self._queries.run(query)["embedding"]
        found = self._retriever.run(query_embedding=vector, top_k=k)["documents"]
        if self._words:
            words = self._words.run(query=query, top_k=k)["documents"]
            found = self._joiner.run(documents=[found, words], top_k=k)["documents"]
        return [str(document.id) for document in found]


if __name__ == "__main__":
    serve(Haystack)
