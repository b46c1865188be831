"""What every system is given: passages with our ids, vectors of theirs, and queries, in files."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eval.bench import documents_of, index_collection
from eval.collection import Collection
from index.build import Builder
from index.encode import Encoder, Vectors, unit
from index.library import Index
from index.models import Document, Passage, Span
from index.split import context, split

_SEED = 7
_POOL = 4000  # sentences that passages are put together from
_SENTENCES = 4  # in a passage: about as long as those of real documents
_PASSAGES = 20  # in a document

Whole = tuple[Document, list[Passage]]


class Chunk(NamedTuple):
    """Some documents as files: whole, as passages, and the vectors of those."""

    documents: Path
    passages: Path
    vectors: Path

    def command(self, *, given: bool) -> dict[str, str]:
        """What `add` is told; with the vectors only where they are ``given``."""
        files = {"documents": str(self.documents), "passages": str(self.passages)}
        return files | {"vectors": str(self.vectors)} if given else files


class Inputs(NamedTuple):
    """One set made ready.

    Attributes:
        chunks: of documents, in order.
        queries: a file of queries.
        passages: how many there are.
        documents: the id of each passage's document.
    """

    chunks: list[Chunk]
    queries: Path
    passages: int
    documents: dict[str, str]


def first_of(collection: Collection, folder: Path, *, most: int, chunk: int) -> Inputs:
    """The first documents of a retrieval collection, in chunks of so many, without vectors."""
    documents, _ = documents_of(collection)
    return _written(folder, [(one, split(one)) for one in documents[:most]], chunk, collection.queries)


def whole(collection: Collection, folder: Path) -> Inputs:
    """All documents of a retrieval collection with the vectors that this product has for their passages.

    They are taken from an index in the folder, which is made unless it is there already.
    """
    index_collection(collection, folder / "index")
    found: list[Whole] = []
    vectors: list[NDArray[np.float16]] = []
    with Index(folder / "index") as index:
        for document in index.engine.store.documents():
            stored = index.engine.passages_of(document)
            found.append((index.show(document), [each.passage for each in stored]))
            vectors += [each.vector for each in stored]
    return _written(folder, found, len(found), collection.queries, unit(np.array(vectors, np.float32)))


def recombined(collection: Collection, folder: Path, *, count: int, queries: int, encoder: Encoder) -> Inputs:
    """So many passages put together at random from sentences of a collection, and the first of its queries.

    A passage's vector is the mean of its sentences' vectors, as a unit row: encoding so many takes an hour. A word of
    its own in each passage gives the vocabulary the long tail that a real library has.
    """
    pool: dict[str, None] = {}
    for document in documents_of(collection)[0]:
        for start, end in (span for passage in split(document) for span in passage.sentences):
            pool[document.text[start:end]] = None
        if len(pool) >= _POOL:
            break
    sentences, chance = list(pool), random.Random(_SEED)
    rows = encoder.encode(sentences)
    made, vectors = [], []
    for first in range(0, count, _PASSAGES):
        picked = [chance.sample(range(len(sentences)), _SENTENCES) for _ in range(min(_PASSAGES, count - first))]
        vectors += [rows[chosen].mean(0) for chosen in picked]
        texts = [[*(sentences[n] for n in chosen), f"w{first + at}"] for at, chosen in enumerate(picked)]
        made.append(_together(f"recombined/{first}.txt", texts))
    asked = dict(list(collection.queries.items())[:queries])
    return _written(folder, made, len(made), asked, unit(np.array(vectors, np.float32)))


def _together(source: str, passages: Sequence[Sequence[str]]) -> Whole:
    """A document of these passages, each of these sentences."""
    builder = Builder()
    for words in passages:
        builder.add("paragraph", " ".join(words))
    digest = hashlib.sha256(builder.text.encode()).hexdigest()
    document = Document(
        id=digest[:16],
        source=source,
        sha256=digest,
        media_type="text/plain",
        text=builder.text,
        language="en",
        blocks=tuple(builder.blocks),
    )
    made = []
    for ordinal, (block, words) in enumerate(zip(builder.blocks, passages, strict=True)):
        at, spans = block.start, []
        for sentence in words:
            spans.append(Span(at, at + len(sentence)))
            at += len(sentence) + 1
        made.append(
            Passage(
                id=f"{document.id}:{ordinal}",
                document=document.id,
                ordinal=ordinal,
                start=block.start,
                end=block.end,
                sentences=tuple(spans),
            )
        )
    return document, made


def _written(
    folder: Path, found: Sequence[Whole], chunk: int, queries: Mapping[str, str], vectors: Vectors | None = None
) -> Inputs:
    """Write everything, the vectors where there are some."""
    folder.mkdir(parents=True, exist_ok=True)
    chunks: list[Chunk] = []
    documents: dict[str, str] = {}
    for at in range(0, len(found), chunk):
        part = found[at : at + chunk]
        files = Chunk(*(folder / f"{kind}-{at // chunk}.{end}" for kind, end in _FILES))
        _lines(files.documents, [document.model_dump_json() for document, _ in part])
        texts = [context(d, p) + d.text[p.start : p.end] for d, passages in part for p in passages]
        passages = [passage for _, own in part for passage in own]
        rows = [
            json.dumps({"id": p.id, "text": text, "passage": p.model_dump(mode="json")}, ensure_ascii=False)
            for p, text in zip(passages, texts, strict=True)
        ]
        _lines(files.passages, rows)
        if vectors is not None:
            np.save(files.vectors, vectors[len(documents) : len(documents) + len(texts)])
        documents.update({passage.id: passage.document for passage in passages})
        chunks.append(files)
    asked = folder / "queries.jsonl"
    _lines(asked, [json.dumps({"id": name, "text": text}, ensure_ascii=False) for name, text in queries.items()])
    return Inputs(chunks, asked, len(documents), documents)


_FILES = (("documents", "jsonl"), ("passages", "jsonl"), ("vectors", "npy"))


def _lines(path: Path, lines: Sequence[str]) -> None:
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
