"""The members of a list that running text tells: each name in a document, and how likely it is one that is asked for.

A list is told in many ways ("X received …", "we were also glad to back X and Y", "with the same theme was X"), too many
for rules. So each name is measured, as a sentence is by `rag.signals`, and a learned model judges;
`eval.train_members` makes its weights.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from math import isnan, log, nan
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from index.models import Document, Span
from index.split import sentences
from index.terms import content_terms
from rag import cross
from rag.kept import per_document
from rag.models import Evidence
from rag.names import key, mentions, recipients
from rag.question import Question
from rag.read import Candidate, candidates
from rag.scope import Scoped, scope
from rag.signals import AGREEMENT
from rag.subject import BEGINNING, about, beginnings, headings
from rag.trees import session

if TYPE_CHECKING:
    from index.library import Index

SIGNALS: tuple[str, ...] = (
    "words", "in or at", "in lead", "names in sentence", "share of names", "item", "length", "place in document",
    "receivers in sentence", "names around",
    "cosine", "bare cosine", "cosine around", "bare around", "told", "told around", "rest told", "rest around",
    "rest over", "rest", "period", "of the kind", "document", "sentences read", *cross.NAMES,
    "likely", "below likeliest", "likeliest",
)  # fmt: skip
WEIGHTS = Path(__file__).parent / "weights" / "members.onnx"
_DOCUMENTS = 3  # of those that speak of what is asked, so many are gone through
_PASSAGES = 60  # of each
_AROUND = 2  # sentences before and after
_LEAD = 400  # characters
_LEAST = 1e-6  # probability
_AT = re.compile(r"\b(?:in|at|near|around|on|в|на|под)\s+(?:the\s+)?$", re.IGNORECASE)


class Member(NamedTuple):
    """A name that may be a member of the list asked for, in a sentence of a document."""

    document: Document
    name: str
    span: Span
    probability: float


class Place(NamedTuple):
    """A name in running text.

    Attributes:
        number: which sentence of the document holds it.
        signals: the first ten of `SIGNALS`, which do not hang on the question.
    """

    name: str
    number: int
    signals: tuple[float, ...]


class Told(NamedTuple):
    """A sentence of running text: its terms, those of the headings over it, and the years that hold for it."""

    span: Span
    terms: frozenset[str]
    over: frozenset[str]
    scoped: Scoped


def members(
    question: Question,
    documents: Iterable[Document],
    index: Index,
    vectors: NDArray[np.float32],
    evidence: Sequence[Evidence],
) -> list[Member]:
    """The names that are likely enough members of the list that a question asks for, in the order of their documents.

    Args:
        documents: those that a search found, best first.
        vectors: of the question, as `rag.read.vectors_of` gives them.
        evidence: what a reader made of the sentences that it read for the question.
    """
    limits = _limits()
    found = judged(question, documents, index, vectors, evidence)
    best = max((member.probability for member in found), default=0.0)
    if best < limits.best:
        return []
    return [member for member in found if member.probability >= limits.share * best]


def judged(
    question: Question,
    documents: Iterable[Document],
    index: Index,
    vectors: NDArray[np.float32],
    evidence: Sequence[Evidence],
) -> list[Member]:
    """All names of the likeliest documents with their probabilities; the arguments are those of `members`."""
    found: list[Member] = []
    for document, places, rows in measured(question, documents, index, vectors, evidence):
        if places:
            probability = session(WEIGHTS, WEIGHTS.with_suffix(".json")).run(None, {"signals": rows})[0][:, 0]
            told = told_in(document)[0]
            found += [
                Member(document, place.name, told[place.number].span, float(p))
                for place, p in zip(places, probability, strict=True)
            ]
    return found


def measured(
    question: Question,
    documents: Iterable[Document],
    index: Index,
    vectors: NDArray[np.float32],
    evidence: Sequence[Evidence],
) -> Iterable[tuple[Document, list[Place], NDArray[np.float32]]]:
    """The likeliest documents, the names in each that the question does not name, and their signals.

    A document that does not hold every name of the question, and a sentence of another period, are passed over.

    Signals are float32 of shape (names, len(SIGNALS)).
    """
    read = _read(evidence)
    likely = [document for document in documents if _speaks_of_all(question.names, document)][:_DOCUMENTS]
    for rank, document in enumerate(likely, start=1):
        within = frozenset((document.id,))
        near = candidates(index.retrieve(question.text, _PASSAGES, within=within, vector=vectors))
        yield document, *_signals(question, document, rank, near, read)


class _Read(NamedTuple):
    """What a reader made of some sentences: the network's logits, and the logarithms of the probabilities."""

    logits: Mapping[cross.Place, float]
    likely: Mapping[cross.Place, float]


def _read(evidence: Sequence[Evidence]) -> _Read:
    trained = [e for e in evidence if cross.NAMES[0] in e.signals]  # what another reader calls likely is not scaled
    return _Read(cross.read_of(trained), {(e.document, e.start): log(max(e.probability, _LEAST)) for e in trained})


def _speaks_of_all(names: Iterable[str], document: Document) -> bool:
    """Whether a document holds every word of some names, or one that begins alike: "Kazakh" for "Kazakhstan"."""
    known = beginnings(document)
    return all(t[:BEGINNING] in known for name in names for t in content_terms(name))


@per_document
def told_in(document: Document) -> tuple[list[Told], list[Place]]:
    """The sentences of a document that are no rows, and the names in them."""
    told: list[Told] = []
    lines: list[tuple[str, bool]] = []
    years = scope(document)
    for block in document.blocks:
        if block.kind not in ("paragraph", "item", "footnote"):
            continue
        over = frozenset(t for heading in headings(document, block.start) for t in content_terms(heading))
        for start, end in sentences(document.text, block.start, block.end, document.language):
            line = " ".join(document.text[start:end].split())
            told.append(Told(Span(start, end), frozenset(content_terms(line)), over, years.of(start, end)))
            lines.append((line, block.kind == "item"))
    named = [mentions(line) for line, _ in lines]
    lead = key(f"{document.title or ''} {document.text[:_LEAD]}")
    found: list[Place] = []
    for n, (line, is_item) in enumerate(lines):
        near = range(max(0, n - _AROUND), min(len(lines), n + _AROUND + 1))
        around = float(sum(len(named[k]) for k in near if k != n))
        covered = sum(m.end - m.start for m in named[n]) / max(len(line), 1)
        given = float(len(recipients(line)))
        for m in named[n]:
            signals = (
                float(len(m.text.split())),
                float(bool(_AT.search(line[: m.start]))),
                float(key(m.text) <= lead),
                float(len(named[n])),
                covered,
                float(is_item),
                log(1 + len(line)),
                n / len(lines),
                given,
                around,
            )
            found.append(Place(m.text, n, signals))
    return told, found


def _signals(
    question: Question, document: Document, rank: int, near: Sequence[Candidate], read: _Read
) -> tuple[list[Place], NDArray[np.float32]]:
    told, found = told_in(document)
    asked = key(" ".join(question.names)) if question.names else frozenset()
    found = [
        place
        for place in found
        if not key(place.name) <= asked
        and told[place.number].scoped.agreement(question.periods) != "contradicted"  # another year's list is no answer
    ]
    rows = np.empty((len(found), len(SIGNALS)), np.float32)
    cosines = {c.start: (c.cosine, c.bare) for c in near}
    known = [cosines.get(each.span.start, (nan, nan)) for each in told]
    wanted = set(question.terms)
    rest = wanted - about(document)
    best, likeliest = (max(of.values(), default=nan) for of in read)
    stems = {t[:BEGINNING] for t in wanted}
    for row, place in zip(rows, found, strict=True):
        n = place.number
        beside = range(max(0, n - _AROUND), min(len(told), n + _AROUND + 1))
        around = told[n].over.union(*(told[k].terms for k in beside if k <= n))
        logit, likely = (of.get((document.id, told[n].span.start), nan) for of in read)
        row[:] = (
            *place.signals,
            *known[n],
            _best(known[k][0] for k in beside),
            _best(known[k][1] for k in beside),
            _share(wanted, told[n].terms),
            _share(wanted, around),
            _share(rest, told[n].terms),
            _share(rest, around),
            _share(rest, told[n].over),
            float(len(rest)),
            AGREEMENT[told[n].scoped.agreement(question.periods)] if question.periods else nan,
            float(any(word[:BEGINNING] in stems for word in key(place.name))),
            float(rank),
            log(1 + len(cosines)),
            logit,
            logit - best,
            best,
            likely,
            likely - likeliest,
            likeliest,
        )
    return found, rows


def _best(values: Iterable[float]) -> float:
    return max((value for value in values if not isnan(value)), default=nan)


def _share(wanted: set[str], held: frozenset[str]) -> float:
    return len(wanted & held) / len(wanted) if wanted else nan


class _Limits(NamedTuple):
    """The probability that the likeliest name must have, and the share of it that others must have."""

    best: float
    share: float


@cache
def _limits() -> _Limits:
    held = json.loads(WEIGHTS.with_suffix(".json").read_text(encoding="utf-8"))
    return _Limits(held["best"], held["share"])
