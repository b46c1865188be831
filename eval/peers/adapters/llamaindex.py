"""LlamaIndex: a vector index over exact FAISS, which is the faster of the stores that need no server."""

from __future__ import annotations

import faiss
from llama_index.core import Settings, StorageContext, VectorStoreIndex, load_index_from_storage
from llama_index.core.schema import TextNode
from llama_index.embeddings.huggingface import HuggingFaceEmbedding
from llama_index.vector_stores.faiss import FaissVectorStore

from eval.peers.protocol import Opened, Texts, serve

_DIM = 384


class LlamaIndex:
    """See `eval.peers.protocol.System`."""

    packages = ("llama-index-core", "llama-index-vector-stores-faiss", "torch", "sentence-transformers", "faiss-cpu")
    settings = "VectorStoreIndex(TextNode…), FaissVectorStore(IndexFlatIP), HuggingFaceEmbedding"

    def __init__(self, opened: Opened) -> None:
        self._folder = str(opened.folder)
        Settings.embed_model = HuggingFaceEmbedding(opened.model)
        if opened.folder.exists():
            store = FaissVectorStore.from_persist_dir(self._folder)
            context = StorageContext.from_defaults(vector_store=store, persist_dir=self._folder)
            self._index = load_index_from_storage(context)
        else:
            context = StorageContext.from_defaults(vector_store=FaissVectorStore(faiss.IndexFlatIP(_DIM)))
            self._index = VectorStoreIndex([], storage_context=context)

    def add(self, texts: Texts) -> None:
        """See `System.add`."""
        given = [None] * len(texts.ids) if texts.vectors is None else texts.vectors.tolist()
        rows = zip(texts.ids, texts.passages, given, strict=True)
        self._index.insert_nodes([TextNode(id_=name, text=text, embedding=vector) for name, text, vector in rows])

    def save(self) -> None:
        """See `System.save`."""
        self._index.storage_context.persist(self._folder)

    def search(self, query: str, k: int) -> list[str]:
        """See `System.search`."""
        return [str(found.node.node_id) for found in self._index.as_retriever(similarity_top_k=k).retrieve(query)]


if __name__ == "__main__":
    serve(LlamaIndex)
