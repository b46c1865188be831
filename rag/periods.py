"""Years in words: which a text names, and which a sentence inherits from what stands before it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

# Years stand alone or in a date; the guards keep amounts, decimals, decades and ordinary numbers out.
_YEAR = r"(?<![\d.,$€£₸₽/-])((?:19|20)\d{2})(?![\d%]|[.,]\d|s\b|-?[её]?х\b)"
_RANGE = re.compile(rf"{_YEAR}\s*(?:[-–—/]|to|through|until|and|по|до|и)\s*((?:19|20)?\d{{2}})(?!\d)", re.IGNORECASE)
_SINCE = re.compile(rf"\b(?:since|from|after|начиная с|с|после)\s+(?:\w+\s+)?{_YEAR}", re.IGNORECASE)
_BEFORE = re.compile(rf"\b(?:before|until|till|prior to|up to|до)\s+(?:\w+\s+)?{_YEAR}", re.IGNORECASE)
_ISO = re.compile(r"(?<!\d)((?:19|20)\d{2})-\d{2}(?:-\d{2})?(?!\d)")
_DOTTED = re.compile(r"(?<!\d)\d{1,2}[./]\d{1,2}[./]((?:19|20)\d{2})(?!\d)")
_SINGLE = re.compile(_YEAR)
_CENTURY = re.compile(r"(?:19|20)\d\d")  # each of the above holds one; most sentences hold none
_OPEN_START, _OPEN_END = 1000, 9999


class Period(NamedTuple):
    """Years from first to last, both included."""

    first: int
    last: int

    def meets(self, other: Period) -> bool:
        """Whether the two share a year."""
        return self.first <= other.last and other.first <= self.last

    @property
    def open(self) -> bool:
        """Whether it has no beginning or no end."""
        return self.first == _OPEN_START or self.last == _OPEN_END

    def __str__(self) -> str:
        if self.first == self.last:
            return str(self.first)
        if self.last == _OPEN_END:
            return f"since {self.first}"
        if self.first == _OPEN_START:
            return f"until {self.last}"
        return f"{self.first}–{self.last}"


Periods = tuple[Period, ...]


@lru_cache(maxsize=8192)  # a line is looked at once for each sentence that it may hold for
def periods(text: str) -> Periods:
    """The years that a text names, in order, without repeats.

    >>> periods("from 2019 to 2021, and again in 2023 ($1,338,860)")
    (Period(first=2019, last=2021), Period(first=2023, last=2023))
    >>> periods("since 1995")
    (Period(first=1995, last=9999),)
    """
    if not _CENTURY.search(text):
        return ()
    found: list[tuple[int, Period]] = []
    taken: list[tuple[int, int]] = []

    def take(match: re.Match[str], period: Period) -> None:
        if not any(start < match.end() and match.start() < end for start, end in taken):
            taken.append(match.span())
            found.append((match.start(), period))

    for pattern in (_ISO, _DOTTED):
        for match in pattern.finditer(text):
            take(match, Period(int(match[1]), int(match[1])))
    for match in _RANGE.finditer(text):
        first, last = int(match[1]), int(match[2] if len(match[2]) == 4 else match[1][:2] + match[2])
        joined = (
            re.search(r"\band\b|\bи\b", match[0], re.IGNORECASE)
            and "between" not in text[: match.start()].lower()[-20:]
        )
        if first <= last and not joined:
            take(match, Period(first, last))
    for match in _SINCE.finditer(text):
        take(match, Period(int(match[1]), _OPEN_END))
    for match in _BEFORE.finditer(text):
        take(match, Period(_OPEN_START, int(match[1])))
    for match in _SINGLE.finditer(text):
        take(match, Period(int(match[1]), int(match[1])))
    return tuple(dict.fromkeys(period for _, period in sorted(found)))


def agree(asked: Periods, told: Periods) -> bool:
    """Whether any period asked for shares a year with any that is told.

    "Since 1995" speaks for 2021 only where no closed period stands beside it: "in 2020 …, and since 1995 …" does not.
    """
    closed = [t for t in told if not t.open] or told
    return any(a.meets(t) for a in asked for t in (told if a.open else closed))


def carried(before: Sequence[Periods], reach: int) -> Periods:
    """The periods that were named last before a sentence, at most ``reach`` sentences back; ``before`` is in order."""
    for named in reversed(before[-reach:] if reach else []):
        if named:
            return named
    return ()
