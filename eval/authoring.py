"""Case files made and mended: a first file from a folder of documents, and what no longer stands where it stood."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from eval.cases import Case, Gold, Nugget
from index.models import Document, Span
from index.split import split

TODO = "FILL IN: a question that the quote answers"


class Problem(NamedTuple):
    """Something wrong with a case, and what to do about it."""

    case: str
    what: str


def lint(cases: Sequence[Case], documents: Mapping[str, Document]) -> list[Problem]:
    """What is wrong with some cases: gold that does not stand in its document any more, and questions not filled in.

    Where the quote stands exactly once elsewhere in its document, the message tells where.
    """
    problems = []
    for case in cases:
        if case.question.startswith("FILL IN"):
            problems.append(Problem(case.id, "its question is not filled in; write one, or delete the case"))
        for gold in dict.fromkeys((*case.gold, *case.context)):
            document = documents.get(gold.source)
            if document is None:
                problems.append(Problem(case.id, f"{gold.source} is not in the corpus; add it, or drop the quote"))
            elif document.text[gold.start : gold.end] != gold.quote:
                problems.append(Problem(case.id, _moved(gold, document.text)))
    return problems


def draft(documents: Sequence[Document], per_document: int = 3) -> list[Case]:
    """Cases to fill in: for each document, its sentences that hold most names and numbers, in order.

    Every case has its gold quote; its question, kind and accepted forms are left to a person.
    """
    cases = []
    for document in documents:
        spans = list(dict.fromkeys(span for passage in split(document) for span in passage.sentences))
        best = sorted(spans, key=lambda span: (-_told(document.text, span), span.start))[:per_document]
        stem = re.sub(r"[^\w.-]+", "-", document.source.rpartition("/")[2].rpartition(".")[0]) or document.id
        for number, (start, end) in enumerate(sorted(best), start=1):
            gold = Gold(source=document.source, start=start, end=end, quote=document.text[start:end])
            cases.append(
                Case(
                    id=f"{stem}-{document.id[:4]}-{number}",
                    question=TODO,
                    kind="fact",
                    answerable=True,
                    language=document.language or "en",
                    nuggets=(Nugget(gold=(gold,)),),
                )
            )
    return cases


def _moved(gold: Gold, text: str) -> str:
    shown = gold.quote if len(gold.quote) <= 60 else gold.quote[:57] + "..."
    places = [match.start() for match in re.finditer(re.escape(gold.quote), text)]
    if not places:
        return f"{shown!r} does not stand in {gold.source} any more; choose other words"
    if len(places) > 1:
        return f"{shown!r} is not at {gold.start} of {gold.source}, but stands {len(places)} times; choose one"
    return f"{shown!r} is not at {gold.start} of {gold.source} but at {places[0]}:{places[0] + len(gold.quote)}"


def _told(text: str, span: Span) -> int:
    """How many numbers, and capitals after the first word, a sentence has; none for one too short or long to quote."""
    words = text[span.start : span.end].split()
    if not 6 <= len(words) <= 60:
        return 0
    return sum(any(c.isdigit() for c in word) or word[0].isupper() for word in words[1:])
