"""A small network that reads: a question beside a few sentences, and how well each of them answers it.

`rag.signals` measures sentences one by one and knows words; this reads them together and in their order. It is slow, so
only `WINDOWS` places are read: what the signals alone take for the likeliest. `eval.train_cross` makes its weights.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from math import isnan, nan
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from index.encode import default_model, tokenizer
from index.models import Document, Span
from rag.models import Evidence

if TYPE_CHECKING:
    import onnxruntime

WEIGHTS = Path(__file__).parent / "weights" / "cross.onnx"
NAMES = ("read", "read below best", "best read")
WINDOWS = 6  # places that are read for a question
_QUESTION = 28  # word pieces of it that are read, the last ones: after a long preamble the question comes last
_TITLE = 12
_CHARACTERS = 1_000  # of either that are cut into pieces at all
_WINDOW = 80  # word pieces of sentences
_SENTENCE = 64  # of one of them

Place = tuple[str, int]  # a document's id and where in it a sentence starts


class Window(NamedTuple):
    """Some sentences of a document, one after another, that are read together."""

    document: Document
    sentences: tuple[Span, ...]


class Rows(NamedTuple):
    """Windows as the network takes them.

    Attributes:
        ids: word pieces, int64 of shape (windows, pieces).
        types: 0 in the question, 1 after it; int64 of that shape.
        mask: 1 where there is a piece; int64 of that shape.
        pool: what takes the mean of each part, float32 of shape (windows, 1 + sentences, pieces); part 0 is the
            question; a part that a window lacks is all zeros.
    """

    ids: NDArray[np.int64]
    types: NDArray[np.int64]
    mask: NDArray[np.int64]
    pool: NDArray[np.float32]


def pieces(texts: Sequence[str]) -> list[list[int]]:
    """The word pieces of each text."""
    return [encoding.ids for encoding in tokenizer(default_model()).encode_batch(list(texts), add_special_tokens=False)]


def window(document: Document, sentences: Sequence[Span], anchor: int) -> Window:
    """The sentence at a place of a passage with its neighbours, as many as fit, those before it first."""
    lengths = [min(len(ids), _SENTENCE) for ids in pieces([document.text[s.start : s.end] for s in sentences])]
    first, last, held = anchor, anchor, lengths[anchor]
    grown = True
    while grown:
        grown = False
        if first > 0 and held + lengths[first - 1] <= _WINDOW:
            first, grown = first - 1, True
            held += lengths[first]
        if last + 1 < len(sentences) and held + lengths[last + 1] <= _WINDOW:
            last, grown = last + 1, True
            held += lengths[last]
    return Window(document, tuple(sentences[first : last + 1]))


def encoded(question: str, window: Window) -> tuple[list[int], list[int]]:
    """The word pieces of a question and a window, and of each the part it belongs to.

    Part 0 is the question, 1 the window's first sentence and so on, -1 what is in none.
    """
    cls, sep = _specials()
    text = window.document.text
    asked, title, *told = pieces(
        [
            question[-_CHARACTERS:],
            (window.document.title or "")[:_CHARACTERS],
            *(text[start:end] for start, end in window.sentences),
        ]
    )
    asked, title = asked[-_QUESTION:], title[:_TITLE]
    ids = [cls, *asked, sep, *title]
    parts = [-1, *(0 for _ in asked), -1, *(-1 for _ in title)]
    for number, sentence in enumerate(told, 1):
        ids += sentence[:_SENTENCE]
        parts += [number] * len(sentence[:_SENTENCE])
    return [*ids, sep], [*parts, -1]


@cache
def _specials() -> tuple[int, int]:
    cls, sep = tokenizer(default_model()).encode("").ids
    return cls, sep


def rows(read: Sequence[tuple[ArrayLike, ArrayLike]]) -> Rows:
    """Encoded windows as arrays, padded to the longest."""
    arrays = [(np.asarray(ids), np.asarray(parts)) for ids, parts in read]
    longest = max(len(ids) for ids, _ in arrays)
    most = 1 + max(int(parts.max()) for _, parts in arrays)
    ids, types, mask = (np.zeros((len(read), longest), np.int64) for _ in range(3))
    made = Rows(ids, types, mask, np.zeros((len(read), most, longest), np.float32))
    for n, (own, part) in enumerate(arrays):
        made.ids[n, : len(own)] = own
        made.mask[n, : len(own)] = 1
        asked = np.flatnonzero(part == 0)
        made.types[n, int(asked[-1]) + 2 if len(asked) else 2 : len(own)] = 1
        for number in range(most):
            here = np.flatnonzero(part == number)
            if len(here):
                made.pool[n, number, here] = 1 / len(here)
    return made


def likeliest(order: Iterable[tuple[Document, Sequence[Span], int]]) -> list[Window]:
    """What is read: windows around the first places that no window before holds, `WINDOWS` of them.

    Args:
        order: the likeliest place first: a document, the sentences of a passage, and where one of them starts.
    """
    made: list[Window] = []
    held: set[Place] = set()
    for document, sentences, start in order:
        if len(made) == WINDOWS:
            break
        if (document.id, start) not in held:
            made.append(window(document, sentences, [span.start for span in sentences].index(start)))
            held.update((document.id, span.start) for span in made[-1].sentences)
    return made


def read(question: str, windows: Sequence[Window], network: onnxruntime.InferenceSession) -> dict[Place, float]:
    """How well each sentence of some windows answers, as a logit; one that stands in two counts where it came first.

    Each window is read for itself, beside the others: the network reckons in eight bits, which are shared out over all
    that it is given at once.
    """
    found: dict[Place, float] = {}
    made = _readers().map(lambda one: network.run(None, rows([encoded(question, one)])._asdict())[0][0], windows)
    for one, told in zip(windows, made, strict=True):
        for span, logit in zip(one.sentences, told, strict=False):
            found.setdefault((one.document.id, span.start), float(logit))
    return found


@cache
def _readers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(WINDOWS)


def read_of(evidence: Iterable[Evidence]) -> dict[Place, float]:
    """What `read` gave for the sentences of some evidence that were read."""
    found = {(e.document, e.start): e.signals.get(NAMES[0], nan) for e in evidence}
    return {place: logit for place, logit in found.items() if not isnan(logit)}


def columns(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """The signals `NAMES` of some sentences, float32 of shape (n, 3).

    Args:
        logits: of shape (n,); ``nan`` where a sentence was not read.
    """
    best = np.nanmax(logits) if np.isfinite(logits).any() else np.float32(np.nan)
    return np.stack([logits, logits - best, np.full_like(logits, best)], axis=1)
