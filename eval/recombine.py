"""A library of any size, for measuring: sentences of some documents, recombined by seeded chance into passages.

To encode a million passages takes hours on two cores. So a passage's vector is the mean of its sentences' own vectors,
which are real ones, with a little noise; everything else is the real thing: SQLite, FAISS, tantivy.
"""

from __future__ import annotations

import hashlib
import random
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from index.encode import unit
from index.engine import LocalEngine
from index.library import Index
from index.models import Block, Document, Passage, Span
from index.records import Entry

PASSAGES = 10  # in a document
SENTENCES = 4  # in a passage, which is the mean of the demo
NOISE = 0.3  # the length of what is added to a passage's unit vector
PUBLISHERS = 20
_LETTERS = str.maketrans("0123456789", "abcdefghij")


class Pool(NamedTuple):
    """Sentences, and their vectors as float32 unit rows."""

    sentences: list[str]
    vectors: NDArray[np.float32]


def pool(index: Index) -> Pool:
    """Every sentence of an index once."""
    found: dict[str, NDArray[np.float32]] = {}
    for listed in index.documents():
        text = index.show(listed.id).text
        for stored in index.engine.passages_of(listed.id):
            rows = stored.sentence_vectors.astype(np.float32)
            for (start, end), row in zip(stored.passage.sentences, rows, strict=True):
                found.setdefault(" ".join(text[start:end].split()), row)
    return Pool(list(found), unit(np.array(list(found.values()))))


def grow(engine: LocalEngine, made_of: Pool, before: int, after: int) -> None:
    """Add documents to a library of ``before`` passages until it has ``after``, both multiples of ten.

    SQLite is not made to wait for the disk meanwhile: a library that is lost is made again.
    """
    db = engine.store.connection
    db.execute("PRAGMA synchronous=OFF")
    with engine.store.writing():
        for number in range(before // PASSAGES, after // PASSAGES):
            engine.upsert(_document(made_of, number))
    db.execute("PRAGMA synchronous=FULL")
    engine.follow()


def _word(number: int) -> str:
    """A word that no other number has."""
    return f"{number}q".translate(_LETTERS)


def _document(made_of: Pool, number: int) -> Entry:
    chance = random.Random(number)
    title = f"Recombined {number}"
    text, blocks = title, [Block(kind="heading", start=0, end=len(title), level=1)]
    ranges: list[tuple[int, int, tuple[Span, ...]]] = []
    picked = [chance.sample(range(len(made_of.sentences)), SENTENCES) for _ in range(PASSAGES)]
    for ordinal, some in enumerate(picked):
        start = len(text) + 2
        spans: list[Span] = []
        # A word of its own in each passage gives the vocabulary the long tail that a real library has.
        for sentence in [f"Entry {_word(number * PASSAGES + ordinal)}.", *(made_of.sentences[one] for one in some)]:
            at = start if not spans else spans[-1].end + 1
            spans.append(Span(at, at + len(sentence)))
            text += ("\n\n" if at == start else " ") + sentence
        blocks.append(Block(kind="paragraph", start=start, end=len(text)))
        ranges.append((start, len(text), tuple(spans)))
    digest = hashlib.sha256(text.encode()).hexdigest()
    document = Document(
        id=digest[:16],
        source=f"recombined/{number:06}.txt",
        sha256=digest,
        media_type="text/plain",
        text=text,
        title=title,
        publisher=f"Publisher {number % PUBLISHERS}",
        language="en",
        blocks=tuple(blocks),
    )
    sentences = made_of.vectors[np.array(picked)]  # (passages, sentences, dim)
    means = unit(sentences.mean(1))
    own = np.random.default_rng(number).normal(scale=NOISE / means.shape[1] ** 0.5, size=means.shape)
    return Entry(
        document,
        [
            Passage(id=f"{document.id}:{n}", document=document.id, ordinal=n, start=start, end=end, sentences=spans)
            for n, (start, end, spans) in enumerate(ranges)
        ],
        unit(means + own.astype(np.float32)),
        list(np.concatenate([means[:, None], sentences], axis=1)),
    )
