"""A library small enough to be tried thousands of times: short invented texts, and an encoder that only counts words.

The store, the vectors, the terms and all that is done to files are the real ones.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from time import perf_counter

import numpy as np

from index.encode import Encoder, Progress, Vectors, unit
from index.errors import PinciteError
from index.library import Index
from index.models import Span

DIM = 32
WORDS = (
    "amber birch cedar delta ember fjord grove haven inlet jetty kelp larch maple nectar orchard pebble quarry ridge "
    "spruce thistle umber violet willow yarrow"
).split()
NAMES = tuple(f"reports/{n:02}.txt" for n in range(12))
State = frozenset[tuple[str, int]]
"""Which text each source holds: (source, number of the text)."""


class Light(Encoder):
    """Stands in for the real encoder: a vector counts the words of a text, each on an axis of its own or nearly."""

    def __init__(self) -> None:
        self.model, self.id, self.dim, self.threads = None, "light", DIM, 1

    def encode_spans(
        self, texts: Sequence[str], spans: Sequence[Sequence[Span]], progress: Progress | None = None
    ) -> tuple[Vectors, list[Vectors]]:
        """See `Encoder.encode_spans`."""
        inner = [_counted([text[a:b] for a, b in some]) for text, some in zip(texts, spans, strict=True)]
        return _counted(texts), inner


def _counted(texts: Sequence[str]) -> Vectors:
    rows = np.full((len(texts), DIM), 0.01, np.float32)
    for row, text in zip(rows, texts, strict=True):
        for word in text.casefold().split():
            row[hashlib.sha256(word.strip(".").encode()).digest()[0] % DIM] += 1
    return unit(rows)


def text(number: int) -> bytes:
    """The text of a number, in which its word stands; no two are alike."""
    word = WORDS[number]
    lines = [
        f"The keeper of the {word} lighthouse (invented) counted {number + n} ships in week {n}." for n in range(3)
    ]
    return "\n\n".join([f"The log of {word}", *lines, f"Nobody saw the {word} twice."]).encode()


def after(state: State, step: Sequence[object]) -> State:
    """What a step makes of a library: ("put", source, number), ("drop", source) or ("rebuild",)."""
    if step[0] == "put":
        return frozenset({pair for pair in state if pair[0] != step[1]} | {(str(step[1]), int(str(step[2])))})
    if step[0] == "drop":
        gone = dict(state).get(str(step[1]))
        return frozenset(pair for pair in state if pair[1] != gone)
    return state


def held(index: Index) -> State:
    """What a library holds, each text compared with the one that was added."""
    texts = {text(number).decode(): number for number in range(len(WORDS))}
    found: set[tuple[str, int]] = set()
    for source, document in index.engine.store.named():
        known = index.engine.document(document)
        found.add((source, texts.get(known.text, -1) if known else -2))
    return frozenset(found)


def wrong(folder: Path, states: Collection[State]) -> str | None:
    """What is wrong with a library that must be in one of some states: nothing lost, nothing extra, all of it found."""
    try:
        with Index(folder, Light()) as index:
            state = held(index)
            if state not in states:
                nearest = min(states, key=lambda one: len(one ^ state))
                return f"lost {sorted(nearest - state)}, extra {sorted(state - nearest)}"
            listed = [(one.source, *one.also) for one in index.documents()]
            if sorted(source for some in listed for source in some) != sorted(source for source, _ in state):
                return f"the list shows {listed}"
            return _unfound(index, state) or next(iter(index.check()), None)
    except PinciteError as error:
        return str(error)


def _unfound(index: Index, state: State) -> str | None:
    """Whether each text, and nothing else, is found by its word, and all of them by vector."""
    numbers = {number for _, number in state}
    for number, word in enumerate(WORDS):
        sources = {index.show(hit.passage.document).text for hit in index.search(word, k=50, mode="lexical")}
        if sources != ({text(number).decode()} if number in numbers else set()):
            return f"the word {word} finds {sources}"
    documents = [hit.passage.id for hit in index.search("lighthouse", k=500, mode="dense")]
    if len(set(documents)) != len(documents) or len({one.split(":")[0] for one in documents}) != len(numbers):
        return f"{len(documents)} passages are found by vector, of {len(numbers)} documents"
    return None


def opened_in(folder: Path) -> float:
    """Seconds until a library has answered its first question."""
    began = perf_counter()
    with Index(folder, Light()) as index:
        index.search("amber")
    return perf_counter() - began


def made(folder: Path, contents: Mapping[str, int]) -> State:
    """A library with these texts by source, closed."""
    with Index(folder, Light()) as index:
        for source, number in contents.items():
            index.add_bytes(text(number), source)
    return frozenset(contents.items())
