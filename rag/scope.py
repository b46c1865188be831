"""What a sentence means by where it stands: the years it inherits from the words, headings and title before it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Literal, NamedTuple

from index.models import Document
from rag.periods import Period, Periods, agree, periods

Agreement = Literal["told", "inherited", "unknown", "contradicted"]

_REACH = 1500  # characters over which a year that was named goes on to hold
_LEAD = 500  # characters of body text in which a document says what it is about


class Scoped(NamedTuple):
    """Years that hold for a sentence: named in it, last before it, in its headings, and in the document's lead."""

    own: Periods
    near: Periods
    heading: Periods
    lead: Periods
    published: int | None

    def agreement(self, asked: Sequence[Period]) -> Agreement:
        """How the sentence stands to the years asked for; the nearest mention decides."""
        asked = tuple(asked)
        if not asked:
            return "unknown"
        if self.own:
            return "told" if agree(asked, self.own) else "contradicted"
        for named in (self.near, self.heading, self.lead):
            if named:
                return "inherited" if agree(asked, named) else "contradicted"
        return "unknown"


class Scope:
    """The years named in one document, by place."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._at: list[int] = []
        self._named: list[Periods] = []
        self._sections: list[tuple[int, Periods]] = [(0, ())]
        lead: list[str] = [document.title or ""]
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
            elif length < _LEAD and block.kind != "footnote":
                lead.append(text[: _LEAD - length])
                length += len(text)
        self._lead = periods("\n".join(lead))

    def of(self, start: int, end: int) -> Scoped:
        """The years that hold for a range of the document."""
        text = self._document.text
        section_start, heading = self._section(start)
        before = max(section_start, start - _REACH)
        near = _last(text[before:start])
        published = self._document.published
        return Scoped(periods(text[start:end]), near, heading, self._lead, published.year if published else None)

    def _section(self, start: int) -> tuple[int, Periods]:
        at = bisect_left(self._sections, (start + 1,)) - 1
        return self._sections[max(at, 0)]


def _last(text: str) -> Periods:
    """The periods of the last sentence-like stretch that names any."""
    for line in reversed(text.splitlines()):
        named = periods(line)
        if named:
            return named[-1:]
    return ()


def scope(document: Document) -> Scope:
    """The scope of a document, kept for the next question."""
    known = _KEPT.pop(document.id, None) or Scope(document)
    _KEPT[document.id] = known
    if len(_KEPT) > _MOST_KEPT:
        _KEPT.pop(next(iter(_KEPT)), None)
    return known


_KEPT: dict[str, Scope] = {}
_MOST_KEPT = 256
