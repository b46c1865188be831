"""BM25 over stemmed terms: tantivy, on disk beside SQLite, brought up to date from SQLite's log.

Chosen by measurement at 100,000 passages: a question of ten terms takes tantivy under a millisecond and SQLite's FTS5
about a hundred (`docs/benchmarks.md`).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import tantivy
from numpy.typing import NDArray

from index.files import fsync_folder
from index.terms import terms

_VERSION = 1  # of the schema and of `index.terms`; another one is rebuilt
_MARK = "watermark.json"
_HEAP = 64_000_000


class LexicalIndex:
    """Terms of passages by key. It may lag behind SQLite, never lead; what it finds is looked up there."""

    def __init__(self, folder: Path, name: str) -> None:
        """Open the index in a folder, for the store of this name; whatever cannot be opened starts empty."""
        self._folder = folder
        self._name = name
        self.number = self._read_mark()
        self._index = self._open() if self.number else None

    def reset(self) -> None:
        """Throw everything away and start empty; only under the writer's lock."""
        self._index = None
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._index = tantivy.Index(_schema(), path=str(self._folder))
        self._register()
        self.number = 0

    def apply(self, changes: Iterable[tuple[str, Iterable[tuple[int, str]]]], number: int) -> None:
        """Replay changes, each a document with the (key, text) of its passages, and move the watermark to a log number.

        Replaying twice is harmless: a document is deleted before it is added again.
        """
        if self._index is None:
            self.reset()
        assert self._index is not None  # noqa: S101  reset has just made it
        writer = self._index.writer(heap_size=_HEAP, num_threads=1)
        for document, passages in changes:
            writer.delete_documents_by_term("document", document)
            for key, text in passages:
                writer.add_document(tantivy.Document(key=key, document=document, terms=" ".join(terms(text))))
        writer.commit()
        writer.wait_merging_threads()
        self._write_mark(number)
        self._index.reload()
        self.number = number

    def refresh(self) -> None:
        """See what another process has written."""
        mark = self._read_mark()
        if mark != self.number:
            self.number = mark
            self._index = self._open() if mark else None

    def search(self, query: Sequence[str], k: int, allowed: NDArray[np.int64] | None) -> list[tuple[int, float]]:
        """The k best keys with their BM25 score for these terms, best first; only among the allowed, where given."""
        if self._index is None or not query or (allowed is not None and not len(allowed)):
            return []
        schema = self._index.schema
        clauses = [(tantivy.Occur.Should, tantivy.Query.term_query(schema, "terms", term)) for term in query]
        parsed = tantivy.Query.boolean_query(clauses)
        searcher = self._index.searcher()
        limit = k if allowed is None else max(4 * k, 100)
        wanted = None if allowed is None else set(allowed.tolist())
        while True:
            found = searcher.search(parsed, limit=limit, count=False).hits
            hits = [(int(searcher.doc(address)["key"][0]), float(score)) for score, address in found]
            # Ties are broken by key, so that every engine and every rebuild gives the same order.
            kept = sorted((h for h in hits if wanted is None or h[0] in wanted), key=lambda h: (-h[1], h[0]))
            if len(kept) >= k or len(found) < limit:
                return kept[:k]
            limit *= 4

    def frequency(self, query: Sequence[str]) -> list[int]:
        """In how many passages each term stands."""
        if self._index is None:
            return [0] * len(query)
        searcher = self._index.searcher()
        return [int(searcher.doc_freq("terms", term)) for term in query]

    def count(self) -> int:
        """How many passages it holds."""
        return int(self._index.searcher().num_docs) if self._index else 0

    def _open(self) -> tantivy.Index | None:
        try:
            self._index = tantivy.Index.open(str(self._folder))
            self._register()
        except (ValueError, OSError):  # missing or damaged: it will be built again from SQLite
            self.number = 0
            return None
        return self._index

    def _register(self) -> None:
        """Name the analyser; tantivy forgets it each time an index is opened."""
        assert self._index is not None  # noqa: S101  only called after opening
        analyzer = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).build()
        self._index.register_tokenizer("terms", analyzer)

    def _read_mark(self) -> int:
        try:
            mark = json.loads((self._folder / _MARK).read_text())
            return int(mark["number"]) if (mark["name"], mark["version"]) == (self._name, _VERSION) else 0
        except (OSError, ValueError, KeyError, TypeError):
            return 0

    def _write_mark(self, number: int) -> None:
        temporary = self._folder / f"{_MARK}.tmp"
        temporary.write_text(json.dumps({"number": number, "name": self._name, "version": _VERSION}))
        temporary.replace(self._folder / _MARK)
        fsync_folder(self._folder)


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_integer_field("key", stored=True, indexed=True)
    builder.add_text_field("document", stored=False, tokenizer_name="raw", index_option="basic")
    builder.add_text_field("terms", stored=False, tokenizer_name="terms", index_option="freq")
    return builder.build()
