"""What evidence must agree with, however likely it looks: the years, the names and the kind of thing asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from index.models import Document, Span
from rag.claims import is_bait
from rag.cues import DATE, MONEY, NUMBER, SUPERLATIVE, TOTAL, has_number
from rag.models import Evidence
from rag.question import Question
from rag.scope import scope
from rag.subject import speaks_of
from rag.whose import another, told

_ASIDE = 0.5
LIKELY = 0.1  # the probability from which a sentence of another period tells that it is only the period that differs
_SHOWN = 0.05  # the probability below which nothing is ever shown, nor looked at for whose sentence it is
_NOTED = 50  # of the best sentences, those that are of another period are told in a note


class Locked(NamedTuple):
    """Evidence that may be shown, and evidence that is of another period than the one asked for; best first."""

    evidence: list[Evidence]
    other_period: list[Evidence]


def lock(question: Question, evidence: Sequence[Evidence], documents: Mapping[str, Document]) -> Locked:
    """Sort evidence by whether it agrees with a question."""
    kept: list[Evidence] = []
    other: list[Evidence] = []
    strict = question.kind in ("amount", "total", "list", "count", "largest", "comparison")
    unnamed = {id_ for id_, document in documents.items() if not_named(question, document)}
    for place, e in enumerate(evidence):
        document = documents[e.document]
        if e.document in unnamed or barred(question, document, e):
            continue
        if e.probability >= _SHOWN and of_another(question, document, e):
            continue
        scoped = scope(document).of(e.start, e.end)
        if scoped.agreement(question.periods, question.kind) != "contradicted":
            kept.append(e)
        elif scoped.own or scoped.before or scoped.heading or strict:
            if place < _NOTED if strict else e.probability >= LIKELY:
                other.append(e)
        else:
            # What a document is about as a whole binds what it says in passing only so far.
            kept.append(e.model_copy(update={"probability": e.probability * _ASIDE}))
    kept.sort(key=lambda e: -e.probability)
    if strict:  # what was paid in another year is the figure most easily mistaken for the one asked for
        other.sort(key=lambda e: (not MONEY.search(documents[e.document].text[e.start : e.end]), -e.probability))
    return Locked(kept, other)


def same_but_for_period(question: Question, document: Document, e: Evidence) -> bool:
    """Whether a sentence of another period would answer a question, were it of the right one."""
    text = document.text[e.start : e.end]
    named = bool(question.names) and all(told(name, text, document) for name in question.names)
    return e.probability >= LIKELY or (question.kind == "amount" and named and bool(MONEY.search(text)))


def barred(question: Question, document: Document, e: Evidence) -> str | None:
    """Why a sentence cannot answer a question, whatever its year; ``None`` where it can."""
    text = document.text[e.start : e.end]
    if text.endswith("?"):
        return "it is a question"
    if is_bait(text):
        return "it gives orders to a program that reads it"
    if _is_heading(document, e.start):
        return "it is a heading, which names a subject but states nothing"
    if question.plain and not _fits(question, text):
        return f"it holds nothing of the kind asked for ({question.kind})"
    return None


def not_named(question: Question, document: Document) -> str | None:
    """Why a document cannot answer a question: it does not name what the question names; ``None`` where it does."""
    named = speaks_of(question.names, document)
    return None if named else f"its document does not name {' and '.join(question.names)}"


def of_another(question: Question, document: Document, e: Evidence) -> str | None:
    """Why a sentence is about something else than a question is; ``None`` where it may be about that."""
    name = another(question, document, Span(e.start, e.end))
    return f"it speaks of {name}, not of {' and '.join(question.names)}" if name else None


def _is_heading(document: Document, start: int) -> bool:
    """Whether a place is in a heading, which names a subject but states nothing."""
    return any(b.kind == "heading" and b.start <= start < b.end for b in document.blocks)


def says(question: Question, text: str) -> bool:
    """Whether a sentence itself says what could also be worked out: the number, the largest, the total."""
    match question.kind:
        case "largest":
            return bool(SUPERLATIVE.search(text))
        case "total":
            return bool(TOTAL.search(text) and MONEY.search(text))
        case _:
            return _fits(question, text)


def _fits(question: Question, text: str) -> bool:
    """Whether a sentence holds a thing of the kind that is asked for."""
    match question.kind:
        case "amount" | "total":
            # A sum is often told without its currency ("28,500 in 2022"), but never by a year alone.
            return bool(MONEY.search(text) or has_number(text))
        case "count":
            return bool(NUMBER.search(text))
        case "date":
            return bool(DATE.search(text) or NUMBER.search(text))
        case _:
            return True
