"""BM25 over stemmed terms: tantivy, on disk beside SQLite, brought up to date from SQLite's log.

Chosen by measurement at 100,000 passages: a question of ten terms takes tantivy under a millisecond and SQLite's FTS5
about a hundred (`docs/benchmarks.md`).

Each change makes a new generation: a folder that shares the files of the one before, which tantivy never changes once
they are written. A manifest with their checksums is renamed into place last, so that a reader opens one whole
generation or the one before it, and believes neither where a checksum does not match.
"""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import tantivy
from numpy.typing import NDArray

from index.errors import StoreError
from index.files import fsync_folder
from index.manifest import Manifest, checksum
from index.terms import terms

_VERSION = 2  # of the schema, of `index.terms` and of the folder; another one is rebuilt
_MANIFEST = "manifest.json"
_HEAP = 64_000_000
_FEW = 2_000  # passages that are looked at alone, not found among all that hold a term
_LOCKS = ".lock"  # how the names of tantivy's own locks end: they belong to one folder


class LexicalIndex:
    """Terms of passages by key. It may lag behind SQLite, never lead; what it finds is looked up there.

    Attributes:
        number: the last log entry that it holds.
        damaged: whether there was an index that could not be believed.
    """

    def __init__(self, folder: Path | None, name: str, readonly: bool = False) -> None:
        """Open the index in a folder, for the store of this name; whatever cannot be opened starts empty.

        Without a folder it lives in memory: for terms that cannot be written.
        """
        self._folder = folder
        self._name = name
        self._readonly = readonly
        self._view: tempfile.TemporaryDirectory[str] | None = None
        self._index: tantivy.Index | None = None
        self._manifest: Manifest | None = None
        self.number = 0
        self.damaged = False
        self._open()

    def close(self) -> None:
        """Give back what reading took."""
        self._index = None
        if self._view:
            self._view.cleanup()
            self._view = None

    def reset(self) -> None:
        """Start empty; what is on disk stays until something else takes its place."""
        self._index = self._manifest = None
        self.number = 0

    def apply(self, changes: Iterable[tuple[str, Iterable[tuple[int, str]]]], number: int) -> None:
        """Replay changes, each a document with the (key, text) of its passages, up to a log number.

        Replaying twice is harmless: a document is deleted before it is added again. Only under the writer's lock.

        Raises:
            StoreError: the terms cannot be written; those of before are still there.
        """
        try:
            self._apply(changes, number)
        except (ValueError, OSError) as error:
            raise StoreError(
                f"the terms in {self._folder} cannot be written ({error}): check the disk, then run it again"
            ) from error

    def _apply(self, changes: Iterable[tuple[str, Iterable[tuple[int, str]]]], number: int) -> None:
        folder = self._begun()
        if folder is None:
            index = self._index or tantivy.Index(_schema())
        elif (folder / "meta.json").exists():
            index = tantivy.Index.open(str(folder))
        else:
            index = tantivy.Index(_schema(), path=str(folder))
        _register(index)
        writer = index.writer(heap_size=_HEAP, num_threads=1)
        for document, passages in changes:
            writer.delete_documents_by_term("document", document)
            for key, text in passages:
                writer.add_document(tantivy.Document(key=key, document=document, terms=" ".join(terms(text))))
        writer.commit()
        writer.wait_merging_threads()
        if folder and self._folder:
            fsync_folder(folder)
            known = self._manifest.files if self._manifest else {}
            files = {f.name: known.get(f.name) if _kept(f) else None for f in folder.iterdir() if _belongs(f)}
            sums = {name: checksum(folder / name) if found is None else found for name, found in files.items()}
            before, self._manifest = self._manifest, Manifest(self._name, _VERSION, number, folder.name, sums)
            self._manifest.write(self._folder / _MANIFEST)
            # The one before stays for a reader that is just opening it.
            self._sweep({folder.name, before.generation if before else folder.name})
        index.reload()
        self._index, self.number, self.damaged = index, number, False

    def refresh(self) -> None:
        """See what another process has written."""
        if self._folder:
            manifest = Manifest.read(self._folder / _MANIFEST)
            if manifest != self._manifest or manifest is None:
                self._open()

    def search(self, query: Sequence[str], k: int, allowed: NDArray[np.int64] | None) -> list[tuple[int, float]]:
        """The k best keys with their BM25 score for these terms, best first; only among the allowed, where given."""
        index = self._index
        if index is None or not query or (allowed is not None and not len(allowed)):
            return []
        schema = index.schema
        clauses = [(tantivy.Occur.Should, tantivy.Query.term_query(schema, "terms", term)) for term in query]
        parsed = tantivy.Query.boolean_query(clauses)
        searcher = index.searcher()
        if allowed is not None and len(allowed) <= _FEW:  # the engine looks at these alone; they add nothing to a score
            these = tantivy.Query.const_score_query(tantivy.Query.term_set_query(schema, "key", allowed.tolist()), 0.0)
            parsed = tantivy.Query.boolean_query([(tantivy.Occur.Must, parsed), (tantivy.Occur.Must, these)])
            allowed = None
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
        index = self._index
        if index is None:
            return [0] * len(query)
        searcher = index.searcher()
        return [int(searcher.doc_freq("terms", term)) for term in query]

    def count(self) -> int:
        """How many passages it holds."""
        index = self._index
        return int(index.searcher().num_docs) if index else 0

    def _begun(self) -> Path | None:
        """A folder for the next generation with the files of this one in it; ``None`` in memory."""
        if self._folder is None:
            return None
        self._folder.mkdir(parents=True, exist_ok=True)
        folder = self._folder / uuid.uuid4().hex
        folder.mkdir()
        for name in self._manifest.files if self._manifest and self._index else ():
            file = self._folder / self._manifest.generation / name if self._manifest else folder
            try:
                (folder / name).hardlink_to(file)
            except OSError:  # a file system without links
                shutil.copyfile(file, folder / name)
        return folder

    def _sweep(self, kept: set[str]) -> None:
        """Delete what no manifest names any more."""
        for path in self._folder.iterdir() if self._folder else ():
            if path.is_dir() and path.name not in kept:
                shutil.rmtree(path, ignore_errors=True)
            elif not path.is_dir() and path.name != _MANIFEST:
                path.unlink(missing_ok=True)

    def _open(self) -> None:
        """Open the generation that the manifest names; none where it is missing, of another kind or damaged."""
        index, manifest, damaged = self._read() if self._folder else (None, None, False)
        self._index, self._manifest, self.damaged = index, manifest, damaged
        self.number = manifest.number if manifest else 0

    def _read(self) -> tuple[tantivy.Index | None, Manifest | None, bool]:
        assert self._folder is not None  # noqa: S101  only called with one
        path = self._folder / _MANIFEST
        manifest = Manifest.read(path)
        if manifest is None:
            return None, None, path.exists()
        while manifest and (manifest.store, manifest.version) == (self._name, _VERSION):
            try:
                folder = self._folder / manifest.generation
                if manifest.matches(folder):
                    index = tantivy.Index.open(str(self._seen(folder, manifest)))
                    _register(index)
                    return index, manifest, False
            except (ValueError, OSError):
                pass  # told below: it is damaged, unless another process has just put a newer one in its place
            newer = Manifest.read(path)
            if newer == manifest:
                return None, None, True
            manifest = newer
        return None, None, False

    def _seen(self, folder: Path, manifest: Manifest) -> Path:
        """A folder that tantivy can make its lock in: in a read-only place, one of links."""
        if not self._readonly:
            return folder
        if self._view:
            self._view.cleanup()
        self._view = tempfile.TemporaryDirectory(prefix="pincite-terms-", ignore_cleanup_errors=True)
        for name in manifest.files:
            (Path(self._view.name) / name).symlink_to((folder / name).resolve())
        return Path(self._view.name)


def _belongs(file: Path) -> bool:
    return file.is_file() and not file.name.endswith(_LOCKS)


def _kept(file: Path) -> bool:
    """Whether tantivy leaves a file as it is once it is written; it replaces its lists."""
    return not file.name.endswith(".json")


def _register(index: tantivy.Index) -> None:
    """Name the analyser; tantivy forgets it each time an index is opened."""
    analyzer = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).build()
    index.register_tokenizer("terms", analyzer)


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_integer_field("key", stored=True, indexed=True)
    builder.add_text_field("document", stored=False, tokenizer_name="raw", index_option="basic")
    builder.add_text_field("terms", stored=False, tokenizer_name="terms", index_option="freq")
    return builder.build()
