"""What is measured of a sentence before it is judged: the signals that a learned reader combines.

Each signal is a plain number with a name. ``nan`` stands for "does not apply" (no name is asked for, no year), which a
tree can tell from any value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from math import log, nan

import numpy as np
from numpy.typing import NDArray

from index.library import Retrieved
from index.models import Document
from index.terms import STOP, content_terms, term, terms, words
from rag.cues import CAUSE, DATE, DEFINES, LEANS, MONEY, NUMBER, PLACE, has_number
from rag.question import Question
from rag.read import Candidate, candidates
from rag.scope import scope
from rag.subject import BEGINNING, about, held

AGREEMENT = {"told": 2.0, "inherited": 1.0, "unknown": 0.0, "contradicted": -1.0}
NAMES: tuple[str, ...] = (
    "cosine", "passage cosine", "lexical place", "vector place", "lexical share",
    "terms told", "terms around", "terms in title", "names told", "names around", "rarest told", "rarest around",
    "pairs told", "terms of sentence", "kind fits", "new words", "length", "heading", "row", "leans", "asks",
    "cosine before", "cosine after", "terms before", "terms after",
    "cosine below best", "cosine order", "terms below best", "passage below best", "best cosine", "best terms",
    "place in document", "first in document", "period", "question terms", "wants all",
    "rest told", "rest around", "rest", "given", "names given", "names in document", "terms in document", "number",
    "bare cosine", "bare below best", "rest told loosely", "rest before",
)  # fmt: skip

# Signals of which more can only speak for a sentence; a learned model is held to that.
RISING = frozenset(
    ("cosine", "passage cosine", "terms told", "terms around", "names told", "names around", "pairs told", "kind fits",
     "cosine below best", "terms below best", "period", "best cosine", "best terms", "rarest told", "rarest around",
     "bare cosine", "bare below best", "rest told loosely", "rest told", "rest around", "names given",
     "names in document", "terms in document")
)  # fmt: skip


def signals(
    question: Question, retrieved: Sequence[Retrieved], rarity: Mapping[str, float]
) -> tuple[list[Candidate], NDArray[np.float32]]:
    """The candidates of some passages, and their signals: float32 of shape (candidates, len(NAMES)).

    Args:
        question: what is asked.
        retrieved: passages, best first.
        rarity: for each term of the question, how rare it is (`Engine.rarity`).
    """
    found = candidates(retrieved)
    if not found:
        return [], np.zeros((0, len(NAMES)), np.float32)
    wanted = {t: max(rarity.get(t, 1.0), 0.05) for t in question.terms} or {"": 1.0}
    named = {term(word) for name in question.names for word in _words(name)}
    pairs = set(pairwise(question.terms))
    rarest = max(wanted, key=lambda t: wanted[t])
    top = max((r.hit.lexical_score or 0.0) for r in retrieved) or 1.0
    told = [_share(wanted, _content(c.text)) for c in found]
    order = np.argsort(np.argsort([-c.cosine for c in found]))
    best_cosine = max(c.cosine for c in found)
    best_bare = max(c.bare for c in found)
    best_terms = max(told)
    best_passage = max(r.cosine for r in retrieved)
    # Neighbours are looked up by place, not by order: two candidates may come from two passages.
    beside = {(c.document.id, c.start): n for n, c in enumerate(found)}
    by_document: dict[str, list[int]] = {}
    for document, start in beside:
        by_document.setdefault(document, []).append(start)
    after: dict[tuple[str, int], int] = {}
    before: dict[tuple[str, int], int] = {}
    for document, starts in by_document.items():
        starts.sort()
        for one, two in pairwise(starts):
            if two - found[beside[document, one]].end < 100:
                after[document, one] = beside[document, two]
                before[document, two] = beside[document, one]

    rows = np.empty((len(found), len(NAMES)), np.float32)
    for n, c in enumerate(found):
        key = (c.document.id, c.start)
        own = _content(c.text)
        around = _content(c.around) | own
        hit, _, passage_cosine, _ = retrieved[c.rank - 1]
        previous, following = before.get(key), after.get(key)
        kind, row, first = _block(c.document, c.start)
        # What the title, the first lines and the headings have said already, a sentence need not say again.
        given = about(c.document) | _content(" ".join(hit.passage.headings))
        rest = {t: w for t, w in wanted.items() if t not in given}
        agreement = scope(c.document).of(c.start, c.end).agreement(question.periods) if question.periods else None
        rows[n] = (
            c.cosine,
            passage_cosine,
            1 / hit.lexical_rank if hit.lexical_rank else 0.0,
            1 / hit.vector_rank if hit.vector_rank else 0.0,
            (hit.lexical_score or 0.0) / top,
            told[n],
            _share(wanted, around),
            _share(wanted, _content(c.document.title or "")),
            _share(dict.fromkeys(named, 1.0), own) if named else nan,
            _share(dict.fromkeys(named, 1.0), around) if named else nan,
            float(rarest in own),
            float(rarest in around),
            len(pairs & _pairs(c.text)) / len(pairs) if pairs else nan,
            len(own & wanted.keys()) / max(len(own), 1),
            _fits(question, c.text, named),
            log(1 + len(own - wanted.keys())),
            log(1 + c.end - c.start),
            float(kind),
            float(row),
            float(bool(LEANS.search(c.text))),
            float(c.text.rstrip().endswith("?")),
            nan if previous is None else found[previous].cosine,
            nan if following is None else found[following].cosine,
            nan if previous is None else told[previous],
            nan if following is None else told[following],
            c.cosine - best_cosine,
            log(1 + order[n]),
            told[n] - best_terms,
            passage_cosine - best_passage,
            best_cosine,
            best_terms,
            c.start / max(len(c.document.text), 1),
            float(first),
            nan if agreement is None else AGREEMENT[agreement],
            len(question.terms),
            float(question.wants_all),
            _share(rest, own) if rest else nan,
            _share(rest, around) if rest else nan,
            len(rest),
            _share(wanted, given),
            _share(dict.fromkeys(named, 1.0), own | given) if named else nan,
            _share(dict.fromkeys(named, 1.0), held(c.document)) if named else nan,
            _share(wanted, held(c.document)),
            float(has_number(c.text)),
            c.bare,
            c.bare - best_bare,
            _loosely(rest, own) if rest else nan,
            nan if previous is None or not rest else _share(rest, _content(found[previous].text)),
        )
    return found, rows


def _share(weights: dict[str, float], held: frozenset[str]) -> float:
    """The share of the weights whose terms are held."""
    return sum(w for t, w in weights.items() if t in held) / sum(weights.values())


def _loosely(weights: dict[str, float], held: frozenset[str]) -> float:
    """The share of the weights whose terms begin as a held one does: "founder" for "founded", and slips of the pen."""
    beginnings = {t[:BEGINNING] for t in held}
    return sum(w for t, w in weights.items() if t in held or t[:BEGINNING] in beginnings) / sum(weights.values())


def _fits(question: Question, text: str, named: set[str]) -> float:
    """Whether a sentence holds something of the kind that is asked for; ``nan`` where any sentence would do."""
    match question.kind:
        case "amount" | "total":
            return float(bool(MONEY.search(text))) or 0.5 * float(bool(NUMBER.search(text)))
        case "count":
            return float(bool(NUMBER.search(text)))
        case "date":
            return float(bool(DATE.search(text)))
        case "person" | "list" | "largest":
            return float(_new_names(text, named))
        case "place":
            return float(bool(PLACE.search(text)))
        case "reason":
            return float(bool(CAUSE.search(text)))
        case "definition":
            return float(bool(DEFINES.search(text)))
        case _:
            return nan


def _new_names(text: str, named: set[str]) -> bool:
    """Whether a text names something that the question does not."""
    return any(
        text[start].isupper() and text[start:end].casefold() not in STOP and term(text[start:end]) not in named
        for start, end in words(text)[1:]
    )


def _block(document: Document, start: int) -> tuple[bool, bool, bool]:
    """Whether a place is in a heading, in a table row, and in the first block of its document."""
    for n, block in enumerate(document.blocks):
        if block.start <= start < block.end:
            return block.kind == "heading", block.kind == "row", n == 0
    return False, False, False


def _words(text: str) -> list[str]:
    return [text[start:end] for start, end in words(text) if text[start:end].casefold() not in STOP]


@lru_cache(maxsize=20_000)
def _content(text: str) -> frozenset[str]:
    return frozenset(content_terms(text))


@lru_cache(maxsize=20_000)
def _pairs(text: str) -> frozenset[tuple[str, str]]:
    kept = [t for t in terms(text) if t not in STOP]
    return frozenset(pairwise(kept))
