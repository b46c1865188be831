"""Hand-made documents, cases and systems, small enough to work every figure out on paper.

The Larkspur Fund and everything told of it are invented.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from eval.cases import Case, Gold, Item, Nugget, Turn, locate
from eval.measures import Place
from eval.systems import Asked
from rag.models import Answer, Citation, Claim, Row

TEXTS = {
    "documents/2020.txt": (
        "The Larkspur Fund is invented. In 2020 it gave $40,000 to Delta Radio for a newsroom. "
        "The grant was signed on 3 March 2020. Its office is in Northgate."
    ),
    "documents/2021.txt": (
        "In 2021 the Larkspur Fund gave $55,000 to Delta Radio. It gave $70,000 to the Reedbed School in 2021. "
        "The Fund also gave €12,000 to the Open Archive. Rain fell for most of May."
    ),
    "documents/notes.txt": "Delta Radio got $55,000 from Larkspur in 2021. Nobody disputes it.",
}


def gold(source: str, quote: str) -> Gold:
    start, end = locate(TEXTS[source], quote)
    return Gold(source=source, start=start, end=end, quote=quote)


DELTA_2021 = gold("documents/2021.txt", "In 2021 the Larkspur Fund gave $55,000 to Delta Radio.")
DELTA_NOTES = gold("documents/notes.txt", "Delta Radio got $55,000 from Larkspur in 2021.")
REEDBED = gold("documents/2021.txt", "It gave $70,000 to the Reedbed School in 2021.")
ARCHIVE = gold("documents/2021.txt", "The Fund also gave €12,000 to the Open Archive.")
SIGNED = gold("documents/2020.txt", "The grant was signed on 3 March 2020.")
OFFICE = gold("documents/2020.txt", "Its office is in Northgate.")

CASES = [
    Case(
        id="amount",
        question="How much did Delta Radio get in 2021?",
        kind="amount",
        answerable=True,
        nuggets=(Nugget(forms=("$55,000",), gold=(DELTA_2021, DELTA_NOTES)),),
        amounts=("$55,000",),
        forbidden=("$40,000",),
    ),
    Case(
        id="list",
        question="Who received grants from the Larkspur Fund in 2021?",
        kind="list",
        answerable=True,
        items=(
            Item(name="Delta Radio", amount="$55,000", gold=(DELTA_2021, DELTA_NOTES)),
            Item(name="Reedbed School", aliases=("the school at Reedbed",), amount="$70,000", gold=(REEDBED,)),
            Item(name="Open Archive", amount="€12,000", gold=(ARCHIVE,)),
        ),
    ),
    Case(
        id="date",
        question="When was the grant to Delta Radio signed?",
        kind="date",
        answerable=True,
        nuggets=(Nugget(forms=("3 March 2020", "2020-03-03"), gold=(SIGNED,)),),
        dates=("2020-03-03",),
    ),
    Case(
        id="place",
        question="Where is its office?",
        kind="place",
        answerable=True,
        history=(Turn(question="What is the Larkspur Fund?"),),
        rewritten="Where is the office of the Larkspur Fund?",
        nuggets=(
            Nugget(forms=("Northgate",), gold=(OFFICE,)),
            Nugget(
                forms=("invented",), vital=False, gold=(gold("documents/2020.txt", "The Larkspur Fund is invented."),)
            ),
        ),
    ),
    Case(
        id="year", question="What did Delta Radio get in 2019?", kind="amount", answerable=False, reason="other_period"
    ),
    Case(id="detail", question="Who runs the Fund?", kind="person", answerable=False, reason="detail_not_given"),
]


def cite(number: int, place: Gold | Place, shift: int = 0) -> Citation:
    """A citation of a place; ``shift`` moves its offsets off the words that it quotes."""
    return Citation(
        number=number,
        document=place.source,
        source=place.source,
        title=None,
        publisher=None,
        published=None,
        sha256="",
        start=place.start + shift,
        end=place.end + shift,
        quote=TEXTS[place.source][place.start : place.end],
    )


def answer(
    case: Case, places: Sequence[Gold | Place], *, rows: bool = True, shift: int = 0, confidence: float = 0.9
) -> Answer:
    """An answer that says and cites exactly some places, with a row for each item that a place shows."""
    citations = tuple(cite(number, place, shift) for number, place in enumerate(places, start=1))
    numbered = {(each.source, each.start - shift): each.number for each in citations}
    entries = [
        Row(name=item.name, amount=item.amount, citations=(numbered[one.source, one.start],))
        for item in case.items
        if (one := next((each for each in item.gold if (each.source, each.start) in numbered), None))
    ]
    return Answer(
        question=case.question,
        status="answered",
        reason=None,
        text=" ".join(f"{each.quote} [{each.number}]" for each in citations),
        claims=tuple(Claim(text=each.quote, citations=(each.number,)) for each in citations),
        citations=citations,
        rows=tuple(entries) if rows else (),
        confidence=confidence,
        timing_ms={"search": 2.0, "total": 10.0},
    )


def refusal(case: Case, reason: str | None = None) -> Answer:
    """A refusal, by default for the reason that the case expects."""
    return Answer.model_validate(
        {
            "question": case.question,
            "status": "refused",
            "reason": reason or case.reason or "no_evidence",
            "text": "The documents don't say.",
            "confidence": 0.1,
            "timing_ms": {"search": 2.0, "total": 5.0},
        }
    )


def every_sentence() -> list[Place]:
    """Every sentence of every document."""
    return [
        Place(source, match.start(), match.end())
        for source, text in TEXTS.items()
        for match in re.finditer(r"[^ ][^.]*\.", text)
    ]


def best(case: Case) -> list[Gold]:
    """The first gold of each part."""
    return [part.gold[0] for part in (*case.nuggets, *case.items)]


def gold_answer(case: Case) -> Answer:
    return answer(case, best(case)) if case.answerable else refusal(case)


class HandMade:
    """A system made of a function from cases to answers; it retrieves every sentence, gold first."""

    used = 8

    def __init__(self, name: str, answers: Callable[[Case], Answer | None], cases: Iterable[Case] = CASES) -> None:
        self.name = name
        self.asked: list[Asked] = []
        self._answers = answers
        self._cases = {case.id: case for case in cases}

    def answer(self, asked: Asked) -> Answer | None:
        self.asked.append(asked)
        return self._answers(self._cases[asked.id])

    def seen(self, asked: Asked) -> list[Place]:
        case = self._cases[asked.id]
        first = [Place(each.source, each.start, each.end) for each in case.gold]
        return first + [place for place in every_sentence() if place not in first]

    def text(self, source: str) -> str | None:
        return TEXTS.get(source)


def write_corpus(folder: Path) -> Path:
    """The documents as files; returns the folder that holds ``documents/``."""
    for source, text in TEXTS.items():
        path = folder / source
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder
