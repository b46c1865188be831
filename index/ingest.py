"""Files into the store: found, loaded, compared, split, encoded, and stored one by one in order."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from index.encode import Encoder
from index.engine import DocumentStore
from index.errors import DocumentError, UsageError
from index.load import load_bytes, read
from index.models import Added, Document, Outcome, Passage, Span
from index.records import Entry
from index.split import context, split
from index.terms import terms

if TYPE_CHECKING:
    from datasketch import MinHash, MinHashLSH

NEAR = 0.35  # estimated Jaccard index of shingles from which two documents are versions of one text
_PERMUTATIONS = 128
_SCHEME = "affine32"  # of the stored values; datasketch does not compare across schemes
_TOGETHER = 256  # passages that are encoded in one go
_MOST_VERSIONS = 10
_UPLOAD = "upload"
_SHOWN_AS_PAGES = ("application/pdf",)


class _Ready(NamedTuple):
    """A document that only waits for its vectors; ``replaces`` is the document that its source held before."""

    document: Document
    origin: str
    replaces: str | None
    passages: list[Passage]
    minhash: bytes
    near: list[tuple[str, float]]
    original: bytes | None


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
        self._versions = _Versions(store)
        self._waiting: list[Added | _Ready] = []
        self._origins: dict[str, str] = {}

    def files(self, files: Iterable[tuple[str, Path | bytes]]) -> Iterator[Added]:
        """Add files in order, giving each result once it is durable; a bytes value is a file that lies in memory."""
        for source, file in files:
            yield from self._one(source, file)
            if sum(len(w.passages) for w in self._waiting if isinstance(w, _Ready)) >= _TOGETHER:
                yield from self._store_waiting()
        yield from self._store_waiting()

    def documents(self, documents: Iterable[Document]) -> Iterator[Added]:
        """Add documents that were made otherwise than from files; one without a passage is left out.

        Their versions are not looked for.
        """
        for document in documents:
            passages = [] if self._store.has(document.id) else split(document)
            if passages:
                self._waiting.append(_Ready(document, _UPLOAD, None, passages, b"", [], None))
            if sum(len(w.passages) for w in self._waiting if isinstance(w, _Ready)) >= _TOGETHER:
                yield from self._store_waiting()
        yield from self._store_waiting()

    def _one(self, source: str, file: Path | bytes) -> Iterator[Added]:
        """Decide what becomes of a file; a new document waits until there are enough to encode together."""
        origin = str(file.resolve()) if isinstance(file, Path) else _UPLOAD
        source = self._name(source, origin)
        known = self._store.source(source)
        before = known.document if known else None
        try:
            data = read(file) if isinstance(file, Path) else file
            digest = hashlib.sha256(data).hexdigest()
            if before and known and known.sha256 == digest:
                versions = self._store.near(before)
                self._waiting.append(Added(source=source, outcome="unchanged", document=before, near=versions))
                return
            document = load_bytes(data, source)
            passages = split(document)
            if not passages:
                raise DocumentError(f"{source} holds nothing but leftovers such as menus: leave it out")
        except DocumentError as error:
            self._waiting.append(Added(source=source, outcome="refused", reason=str(error)))
            return
        if any(isinstance(w, _Ready) and document.id == w.document.id for w in self._waiting):
            yield from self._store_waiting()
        if before and document.id == before:
            self._store.alias(source, origin, digest, before)
            self._waiting.append(Added(source=source, outcome="unchanged", document=before))
        elif same := self._store.document(document.id):
            self._store.alias(source, origin, digest, document.id, before)
            reason = f"its text is the same as that of {same.source}"
            self._waiting.append(Added(source=source, outcome="duplicate", document=document.id, reason=reason))
        else:
            minhash, near = self._versions.of(document, before)
            original = data if document.media_type in _SHOWN_AS_PAGES else None
            self._waiting.append(_Ready(document, origin, before, passages, minhash, near, original))

    def _name(self, source: str, origin: str) -> str:
        """The source's name, with folders before it where another file that is still there has that name already."""
        name, parents = source, list(Path(origin).parts[1 : -len(Path(source).parts)])
        while origin != _UPLOAD:
            known = self._store.source(name)
            holder = self._origins.get(name) or (known.origin if known else origin)
            if holder in (origin, _UPLOAD) or not (Path(holder).exists() and parents):
                break
            name = f"{parents.pop()}/{name}"
        self._origins[name] = origin
        return name

    def _store_waiting(self) -> Iterator[Added]:
        """Encode and store what waits, in order."""
        waiting, self._waiting = self._waiting, []
        ready = [w for w in waiting if isinstance(w, _Ready)]
        vectors = iter(self._encode([(w.document, passage) for w in ready for passage in w.passages]))
        for item in waiting:
            if isinstance(item, Added):
                yield item
                continue
            document = item.document
            pairs = [next(vectors) for _ in item.passages]
            entry = Entry(
                document,
                item.passages,
                np.array([vector for vector, _ in pairs]),
                [inner for _, inner in pairs],
                item.minhash,
                item.near,
                item.origin,
                item.original,
            )
            self._store.put(entry, item.replaces)
            outcome: Outcome = "updated" if item.replaces else "added"
            near = self._store.near(document.id)
            yield Added(source=document.source, outcome=outcome, document=document.id, near=near)

    def _encode(
        self, passages: list[tuple[Document, Passage]]
    ) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """Each passage's vector, and those of its sentences, read under its title and headings."""
        for at in range(0, len(passages), _TOGETHER):
            texts, spans = [], []
            for document, passage in passages[at : at + _TOGETHER]:
                before = context(document, passage)
                shift = len(before) - passage.start
                texts.append(before + document.text[passage.start : passage.end])
                spans.append([Span(start + shift, end + shift) for start, end in passage.sentences])
            yield from zip(*self._encoder.encode_spans(texts, spans), strict=True)


class _Versions:
    """Finds the stored documents that are nearly the same as a new one, by MinHash over the pairs of their words.

    Broder, "On the resemblance and containment of documents", 1997.
    """

    def __init__(self, store: DocumentStore) -> None:
        self._store = store
        self._lsh: MinHashLSH | None = None
        self._hashes: dict[str, MinHash] = {}

    def of(self, document: Document, replaces: str | None) -> tuple[bytes, list[tuple[str, float]]]:
        """The document's minhash as bytes, and its versions, nearest first, with the estimated Jaccard index."""
        from datasketch import MinHash, MinHashLSH

        if self._lsh is None:
            self._lsh = MinHashLSH(threshold=NEAR, num_perm=_PERMUTATIONS)
            for other, values in self._store.minhashes():
                self._remember(
                    other, MinHash(_PERMUTATIONS, hashvalues=np.frombuffer(values, np.uint64), scheme=_SCHEME)
                )
        words = [
            word
            for block in document.blocks
            if block.kind != "leftover"
            for word in terms(document.text[block.start : block.end])
        ]
        minhash = MinHash(_PERMUTATIONS, scheme=_SCHEME)
        minhash.update_batch([" ".join(pair).encode() for pair in pairwise(words)] or [b""])
        found = [(other, float(minhash.jaccard(self._hashes[other]))) for other in self._lsh.query(minhash)]
        near = [(other, similarity) for other, similarity in found if similarity >= NEAR and other != replaces]
        self._remember(document.id, minhash)
        return minhash.hashvalues.astype(np.uint64).tobytes(), sorted(near, key=lambda n: -n[1])[:_MOST_VERSIONS]

    def _remember(self, document: str, minhash: MinHash) -> None:
        if self._lsh is not None and document not in self._hashes:
            self._lsh.insert(document, minhash)
        self._hashes[document] = minhash
