"""What a sentence means by where it stands: the years it inherits from the words, headings and title before it."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from typing import Literal, NamedTuple

from index.models import Document
from rag.cues import LEANS
from rag.kept import per_document
from rag.periods import Period, Periods, agree, periods

Agreement = Literal["told", "inherited", "unknown", "contradicted"]

_SUMS = ("amount", "total", "count")
_REACH = 1500  # characters over which a year that was named goes on to hold
_NEXT_TO = 300
_DATELINE = re.compile(r"\W*(?:published|date|updated|posted|дата|опубликован\w*)\b", re.IGNORECASE)
_YEAR_CELL = re.compile(r"(?:^|; )(?:fiscal |financial )?(?:year|period|год|период)\s*: ([^;]+)", re.IGNORECASE)
_LEAD = 500  # characters of body text in which a document says what it is about


class Scoped(NamedTuple):
    """Years that hold for a sentence, by where they are named.

    ``own`` in it, ``before`` in the sentence that it leans on, ``heading`` over it, ``title`` of its document,
    ``near`` somewhat before it, ``lead`` where the document says what it is about. The first that names any decides.
    """

    own: Periods
    before: Periods
    heading: Periods
    title: Periods
    near: Periods
    lead: Periods

    @property
    def holding(self) -> Periods:
        """The years that hold."""
        return next((named for named in self if named), ())

    def agreement(self, asked: Sequence[Period], kind: str = "") -> Agreement:
        """How the sentence stands to the years asked for.

        Args:
            kind: of the question. Where a date is asked for, the year in a sentence may be the answer, and what stands
                around it tells of which year it speaks. Where a sum is, one over an open stretch of years ("since
                1995") is not that of any year in it.
        """
        if not asked or not self.holding:
            return "unknown"
        if kind in _SUMS and all(named.open for named in self.holding) and not any(period.open for period in asked):
            return "contradicted"
        if not agree(tuple(asked), self.holding):
            around = (self.before, self.heading, self.title, self.near, self.lead)
            if kind == "date" and any(agree(tuple(asked), named) for named in around if named):
                return "inherited"
            return "contradicted"
        return "told" if self.own else "inherited"


class Scope:
    """The years named in one document, by place."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._known: dict[tuple[int, int], Scoped] = {}
        self._sections: list[tuple[int, Periods]] = [(0, ())]
        lead: list[str] = []
        path: list[tuple[int, Periods]] = []
        length = 0
        for block in document.blocks:
            if block.kind == "leftover":
                continue
            text = document.text[block.start : block.end]
            if block.kind == "heading":
                path = [(level, named) for level, named in path if level < block.level]
                path.append((block.level, periods(text)))
                inherited = next((named for _, named in reversed(path) if named), ())
                self._sections.append((block.start, inherited))
            elif length < _LEAD and block.kind != "footnote" and not _DATELINE.match(text):
                lead.append(text[: _LEAD - length])
                length += len(text)
        self._rows = [(b.start, b.end) for b in document.blocks if b.kind == "row"]
        name = re.split(r"[/.]", document.source)[-2:][0]
        self._title = periods(document.title or "") or periods(re.sub(r"[-_]+", " ", name))
        self._lead = periods("\n".join(lead))

    def of(self, start: int, end: int) -> Scoped:
        """The years that hold for a range of the document."""
        if (start, end) not in self._known:
            self._known[start, end] = self._of(start, end)
        return self._known[start, end]

    def _of(self, start: int, end: int) -> Scoped:
        text = self._document.text
        section_start, heading = self._section(start)
        leans = bool(LEANS.search(text[start:end]))
        before = _last(text[max(section_start, start - _NEXT_TO) : start]) if leans else ()
        near = _last(text[max(section_start, start - _REACH) : start])
        own = periods(text[start:end])
        if any(first <= start < last for first, last in self._rows):
            if cell := _YEAR_CELL.search(text[start:end]):
                own = periods(cell[1])
            elif heading or self._title:
                # In a row of a yearly table a date is that of a payment, say; the table's year decides.
                own = tuple(named for named in own if agree((named,), heading or self._title))
        return Scoped(own, before, heading, self._title, near, self._lead)

    def _section(self, start: int) -> tuple[int, Periods]:
        at = bisect_left(self._sections, (start + 1,)) - 1
        return self._sections[max(at, 0)]


def _last(text: str) -> Periods:
    """The last period that is named; all of them where a line names nothing else, as the head of columns does."""
    for line in reversed(text.splitlines()):
        named = periods(line)
        if named:
            return named if not any(c.isalpha() for c in line) else named[-1:]
    return ()


@per_document
def scope(document: Document) -> Scope:
    """The scope of a document."""
    return Scope(document)
