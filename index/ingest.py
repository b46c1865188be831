"""Files into the store: found, prepared, compared with what is there, and stored one by one in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from index.encode import Encoder
from index.engine import DocumentStore
from index.errors import UsageError
from index.models import Added, Document, Outcome
from index.prepare import Given, Prepared, Workers, encode, prepare
from index.reading import PERMUTATIONS, SCHEME
from index.records import Entry
from index.split import split

if TYPE_CHECKING:
    from index.minhash import MinHash, MinHashLSH

NEAR = 0.35  # estimated Jaccard index of shingles from which two documents are versions of one text
_TOGETHER = 256  # passages that wait for each other, so that all cores have something to encode
_MOST_VERSIONS = 10
UPLOAD = "upload"
"""The origin of a document that came from no file which is known."""


class _Ready(NamedTuple):
    """A document that waits to be stored; ``replaces`` is the document that its source held before."""

    prepared: Prepared
    document: Document
    origin: str
    replaces: str | None
    near: list[tuple[str, float]]


def sources(paths: Iterable[str | Path]) -> list[tuple[str, Path]]:
    """The files under some paths, each with the name that it is known by: the folder's name, then the path inside it.

    Hidden files and folders are passed over.

    Raises:
        UsageError: a path does not exist.
    """
    found: list[tuple[str, Path]] = []
    for path in map(Path, paths):
        if not path.exists():
            raise UsageError(f"there is no file or folder {path}: check the path")
        if not path.is_dir():
            found.append((path.name, path))
            continue
        top = path.resolve()
        for file in sorted(top.rglob("*")):
            inside = file.relative_to(top)
            if file.is_file() and not any(part.startswith(".") for part in inside.parts):
                found.append(((Path(top.name) / inside).as_posix(), file))
    return found


class Ingest:
    """One run of adding, under the writer's lock."""

    def __init__(self, store: DocumentStore, encoder: Encoder) -> None:
        self._store = store
        self._encoder = encoder
        self._versions = Versions(store)
        self._waiting: list[Added | _Ready] = []
        self._origins: dict[str, str] = {}

    def files(self, files: Iterable[tuple[str, Path | bytes]], workers: Workers | None = None) -> Iterator[Added]:
        """Add files in order, giving each result once it is durable; a bytes value is a file that lies in memory."""
        given = (self._given(source, file) for source, file in files)
        for prepared in workers.prepared(given, self._encoder) if workers else map(prepare, given):
            yield from self._one(prepared)
            yield from self._store_waiting(_TOGETHER)
        yield from self._store_waiting()

    def documents(self, documents: Iterable[Document]) -> Iterator[Added]:
        """Add documents that were made otherwise than from files; one without a passage is left out.

        Their versions are not looked for.
        """
        for document in documents:
            passages = [] if self._store.has(document.id) else split(document)
            if passages:
                prepared = Prepared(document.source, document.sha256, None, document, passages)
                self._waiting.append(_Ready(prepared, document, UPLOAD, None, []))
            yield from self._store_waiting(_TOGETHER)
        yield from self._store_waiting()

    def _given(self, source: str, file: Path | bytes) -> Given:
        origin = str(file.resolve()) if isinstance(file, Path) else UPLOAD
        source = self._name(source, origin)
        known = self._store.source(source)
        return Given(source, file, known.sha256 if known else None)

    def _one(self, prepared: Prepared) -> Iterator[Added]:
        """Decide what becomes of a file; a new document waits until there are enough to encode together."""
        source, digest, document = prepared.source, prepared.sha256, prepared.document
        if prepared.reason:
            self._waiting.append(Added(source=source, outcome="refused", reason=prepared.reason))
            return
        if document and any(isinstance(w, _Ready) and document.id == w.document.id for w in self._waiting):
            yield from self._store_waiting()
        known = self._store.source(source)
        before = known.document if known else None
        origin = self._origins[source]
        if document is None:
            near = self._store.near(before) if before else ()
            self._waiting.append(Added(source=source, outcome="unchanged", document=before, near=near))
        elif document.id == before:
            self._store.alias(source, origin, digest, before)
            self._waiting.append(Added(source=source, outcome="unchanged", document=before))
        elif same := self._store.document(document.id):
            self._store.alias(source, origin, digest, document.id, before)
            reason = f"its text is the same as that of {same.source}"
            self._waiting.append(Added(source=source, outcome="duplicate", document=document.id, reason=reason))
        else:
            near_ones = self._versions.of(document.id, prepared.minhash, before)
            self._waiting.append(_Ready(prepared, document, origin, before, near_ones))

    def _name(self, source: str, origin: str) -> str:
        """The source's name, with folders before it where another file that is still there has that name already."""
        name, parents = source, list(Path(origin).parts[1 : -len(Path(source).parts)])
        while origin != UPLOAD:
            known = self._store.source(name)
            holder = self._origins.get(name) or (known.origin if known else origin)
            if holder in (origin, UPLOAD) or not (Path(holder).exists() and parents):
                break
            name = f"{parents.pop()}/{name}"
        self._origins[name] = origin
        return name

    def _store_waiting(self, enough: int = 1) -> Iterator[Added]:
        """Encode and store what waits, in order, once it has enough passages that are not encoded yet."""
        todo = [w.prepared for w in self._waiting if isinstance(w, _Ready) and not w.prepared.encoded]
        if enough > 1 and todo and sum(len(p.passages) for p in todo) < enough:
            return
        waiting, self._waiting = self._waiting, []
        with ThreadPoolExecutor(self._encoder.threads) as pool:
            made = pool.map(lambda p: encode(p.document, p.passages, self._encoder), todo)
            for item in waiting:
                if isinstance(item, Added):
                    yield item
                    continue
                prepared, document = item.prepared, item.document
                encoded = prepared.encoded or next(made)
                entry = Entry(
                    document,
                    prepared.passages,
                    encoded.vectors,
                    encoded.sentence_vectors,
                    prepared.minhash,
                    item.near,
                    item.origin,
                    prepared.original,
                )
                self._store.put(entry, item.replaces)
                outcome: Outcome = "updated" if item.replaces else "added"
                near = self._store.near(document.id)
                yield Added(source=document.source, outcome=outcome, document=document.id, near=near)


class Versions:
    """Finds the stored documents that are nearly the same as a new one, by their minhashes."""

    def __init__(self, store: DocumentStore) -> None:
        self._store = store
        self._lsh: MinHashLSH | None = None
        self._hashes: dict[str, MinHash] = {}

    def of(self, document: str, values: bytes, replaces: str | None) -> list[tuple[str, float]]:
        """The versions of a document by its minhash, nearest first, with the estimated Jaccard index."""
        from index.minhash import BANDS, MinHashLSH

        if self._lsh is None:
            self._lsh = MinHashLSH(num_perm=PERMUTATIONS, params=BANDS)
            for other, stored in self._store.minhashes():
                self._remember(other, stored)
        minhash = self._remember(document, values)
        found = [(o, float(minhash.jaccard(self._hashes[o]))) for o in self._lsh.query(minhash) if o != document]
        near = [(other, similarity) for other, similarity in found if similarity >= NEAR and other != replaces]
        return sorted(near, key=lambda n: (-n[1], n[0]))[:_MOST_VERSIONS]

    def _remember(self, document: str, values: bytes) -> MinHash:
        from index.minhash import MinHash

        minhash = MinHash(PERMUTATIONS, hashvalues=np.frombuffer(values, np.uint64), scheme=SCHEME)
        if self._lsh is not None and document not in self._hashes:
            self._lsh.insert(document, minhash)
        self._hashes[document] = minhash
        return minhash
