"""Words that a document holds but does not show: they stay in its text, marked, so that nobody cites them unaware.

While a text is put together, what is hidden stands between two marks, noncharacters that no text has a use for; the
builder takes them out again and keeps where they stood.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from index.models import Document, Hidden

NOT_DISPLAYED = "not displayed"
SAME_COLOUR = "in the colour of their background"
TINY = "too small to be read"
OUTSIDE = "outside the page"
INVISIBLE_SIGNS = "signs that have no shape"
NOT_DRAWN = "drawn invisibly"
COVERED = "under something that is laid over them"
SCANNED = "the text layer of a scanned page"
"""Nothing bad: what was recognised in a scanned page is hidden beneath its picture."""

_WHYS = (NOT_DISPLAYED, SAME_COLOUR, TINY, OUTSIDE, NOT_DRAWN, SCANNED, COVERED)
_BEGIN, _END = 0xFDD0, "\ufdef"
_BEGINS = {chr(_BEGIN + n): why for n, why in enumerate(_WHYS)}
_CHARS = "".join(_BEGINS)
_MARKS = re.compile(f"[{_CHARS}{_END}]")

# Tags spell words that no font shows; the flags of England, Scotland and Wales are made of them, too. Joiners and the
# marks of direction are part of many scripts, but not several of them in a row.
_SHAPELESS = re.compile(
    "\U0001f3f4[\U000e0020-\U000e007e]{2,6}\U000e007f"
    "|(?P<hidden>[\U000e0000-\U000e0fff]+"
    "|[\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200c-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\uffa0]{4,})"
)


def veiled(words: str, why: str | None) -> str:
    """Words between marks that say why they are hidden, where they are; the blanks at their ends stay outside."""
    core = words.strip()
    if not core or why is None:
        return words
    at = len(words) - len(words.lstrip())
    return f"{words[:at]}{chr(_BEGIN + _WHYS.index(why))}{core}{_END}{words[at + len(core) :]}"


def bare(words: str) -> str:
    """Words without marks."""
    return _MARKS.sub("", words)


def unveiled(words: str) -> tuple[str, list[Hidden]]:
    """Words without marks, and the ranges of them that the marks stood around.

    A mark that has lost its other half, where a parser took a text apart, holds to the end of the words.
    """
    if not _MARKS.search(words):
        return words, []
    parts: list[str] = []
    found: list[Hidden] = []
    opened: list[tuple[int, str]] = []
    length = last = 0
    for mark in _MARKS.finditer(words):
        parts.append(words[last : mark.start()])
        length += mark.start() - last
        last = mark.end()
        if mark[0] != _END:
            opened.append((length, _BEGINS[mark[0]]))
        elif opened:
            found += _range(opened.pop(), length)
    parts.append(words[last:])
    length += len(words) - last
    for one in opened:
        found += _range(one, length)
    return "".join(parts), found


def _range(opened: tuple[int, str], end: int) -> list[Hidden]:
    start, why = opened
    return [Hidden(start=start, end=end, why=why)] if start < end else []


def shapeless(text: str) -> list[Hidden]:
    """The runs of a text's characters that no font shows, such as Unicode's tags."""
    if text.isascii():
        return []
    return [
        Hidden(start=found.start(), end=found.end(), why=INVISIBLE_SIGNS)
        for found in _SHAPELESS.finditer(text)
        if found["hidden"]
    ]


def merged(ranges: Iterable[Hidden]) -> tuple[Hidden, ...]:
    """Ranges in order, those of one kind that touch or overlap made one."""
    result: list[Hidden] = []
    for one in sorted(ranges, key=lambda r: (r.why, r.start, r.end)):
        last = result[-1] if result else None
        if last and last.why == one.why and one.start <= last.end:
            result[-1] = last.model_copy(update={"end": max(last.end, one.end)})
        else:
            result.append(one)
    return tuple(sorted(result, key=lambda r: (r.start, r.end, r.why)))


def why_hidden(document: Document, start: int, end: int) -> str | None:
    """Why some of a range of a document's text is not seen where the document is opened, or ``None``."""
    whys = dict.fromkeys(one.why for one in document.hidden if one.start < end and start < one.end)
    return "; ".join(whys) or None
