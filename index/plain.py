"""Blocks of a text that has no markup: paragraphs, headings, list items, footnotes and aligned tables.

Three layouts are told apart: paragraphs between blank lines, one paragraph on each line, and lines wrapped at a width
with or without blank lines between paragraphs.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from functools import cache
from itertools import groupby, pairwise

from index.build import trimmed
from index.models import Block, BlockKind, Cell
from index.tables import is_plain_header

_LINE = re.compile(r"[^\n]+")
_RULE = re.compile(r"[\s\-=_*~#+|·•.—–]{3,}")
_BULLET = re.compile(r"(?:[•◦▪‣●○■*·\-–—+]|\(?\d{1,3}[.)]|\(?[^\W\d_]\))\s+(?=\S)")
_MARK = re.compile(r"(?:\*{1,5}(?!\*)\s*(?=\w)|\[\^?\w{1,4}\]:?\s+(?=\S)|[¹²³⁰⁴-⁹]+\s*(?=\w))")
_STOPS = (".", "!", "?", "…", ":", ";", "。", "！", "？", "؟", "।")
_CLOSERS = "\"'”»’)]*"
_CJK = re.compile("[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef]")
# Two blanks after a stop are an old way to part sentences, not columns.
_GAP = re.compile(r"(?<![.!?:;\s]) {2,}(?=\S)|(?<!\s) {3,}(?=\S)| *\t\s*|\s*\|\s*")
_LABELLED = re.compile(r"[^\W\d_][\w ]{0,24}:\s")
_NUMBERED = re.compile(r"(\d{1,2}(?:\.\d{1,2})*)\.?\s+(?=[^\W\d_])")
_ADDRESS = re.compile(r"https?://|www\.|\S@\S|\d{1,2}[./:]\d{2}\b")

_WIDTHS = range(30, 201)  # a text is wrapped somewhere in here, or not at all
_HEADING_LENGTH = 90
_HEADING_WORDS = 12


@dataclass(frozen=True)
class _Line:
    """A line without the blanks around it; ``group`` counts the blank-line separated groups."""

    start: int
    end: int
    indent: int
    group: int
    text: str

    @property
    def width(self) -> int:
        """Columns from the left margin to the line's end; a wide character takes two."""
        wide = 0 if self.text.isascii() else len(_CJK.findall(self.text))
        return self.indent + len(self.text) + wide


@dataclass
class _Unit:
    """Lines that belong together, on the way to a block."""

    kind: BlockKind
    lines: list[_Line]
    underlined: bool = False
    why: str | None = None

    @property
    def text(self) -> str:
        return " ".join(line.text for line in self.lines)


def find_blocks(text: str, *, soft: bool = False) -> list[Block]:
    """The blocks of a plain text.

    Args:
        soft: whether every line break inside a group of lines is known to be only a wrap.
    """
    lines = _lines(text)
    units = _units(lines, soft=soft, width=None if soft else _wrap_width(lines))
    _head(units)
    blocks: list[Block] = []
    for kind, run in groupby(units, key=lambda unit: unit.kind):
        if kind == "row":
            blocks += _rows(list(run))
        elif kind == "heading":
            blocks += _headings(list(run), first=not blocks)
        else:
            blocks += [Block(kind=kind, start=u.lines[0].start, end=u.lines[-1].end, why=u.why) for u in run]
    return mark_footnotes(text, blocks)


def mark_footnotes(text: str, blocks: list[Block]) -> list[Block]:
    """The blocks with those that begin with a note's mark, used in the text before them, as footnotes.

    A run of notes counts as a whole, so that ``*`` may stand for something named only in the title.
    """
    marks = {n: m[0].strip(" :") for n, b in enumerate(blocks) if (m := _mark(text, b))}
    used = cache(lambda mark: _first_use(text, mark))
    result = list(blocks)
    numbers = deque(marks)
    while numbers:
        run = [numbers.popleft()]
        while numbers and numbers[0] == run[-1] + 1:
            run.append(numbers.popleft())
        if any(marks[n].startswith("**") or used(marks[n]) < blocks[run[0]].start for n in run):
            for n in run:
                result[n] = blocks[n].model_copy(update={"kind": "footnote", "level": 0})
    return result


def _mark(text: str, block: Block) -> re.Match[str] | None:
    return _MARK.match(text, block.start, block.end) if block.kind in ("paragraph", "item") else None


def _first_use(text: str, mark: str) -> int:
    """Where a note's mark first stands behind a word, or in brackets anywhere; the text's length if it never does."""
    if mark.startswith("["):
        at = text.find(mark)
        return len(text) if at < 0 else at
    follows = r"(?!\*)" if mark.startswith("*") else r"(?![¹²³⁰⁴-⁹])"
    found = re.search(rf"(?<=[^\s*¹²³⁰⁴-⁹]){re.escape(mark)}{follows}", text)
    return found.start() if found else len(text)


def _lines(text: str) -> list[_Line]:
    lines: list[_Line] = []
    group, last = 0, 0
    for found in _LINE.finditer(text):
        start, end = trimmed(text, *found.span())
        if start == end:
            continue
        if text[last:start].count("\n") > 1:
            group += 1
        lines.append(_Line(start, end, start - found.start(), group, text[start:end]))
        last = end
    return lines


def _stops(line: str) -> bool:
    return line.rstrip(_CLOSERS).endswith(_STOPS)


def _wrap_width(lines: list[_Line]) -> int | None:
    """The width that a text was wrapped at, or None where a line's end is a paragraph's end.

    Wrapped lines are nearly full, mostly end inside a sentence, and few others are longer.
    """
    inner = [a for a, b in pairwise(lines) if a.group == b.group]
    if not inner:
        return None
    widths = sorted(line.width for line in inner)
    width = widths[int(0.9 * (len(widths) - 1))]
    full = sum(w >= 0.75 * width for w in widths)
    unfinished = sum(not _stops(line.text) for line in inner)
    longer = sum(line.width > 1.3 * width for line in lines)
    wrapped = width in _WIDTHS and full * 2 >= len(inner) and unfinished * 2 >= len(inner) and longer * 10 <= len(lines)
    return width if wrapped else None


def _is_wrap(before: _Line, after: _Line, width: int) -> bool:
    """Whether a line ended only because the next word had no room; proportional fonts make it a matter of degree."""
    word = after.text.split(maxsplit=1)[0]
    room = 2 if _CJK.match(word) else min(len(word), 20)
    ends = _stops(before.text) and not after.text[0].islower()
    return before.width + 1 + room > width * (0.95 if ends else 0.8)


def _units(lines: list[_Line], *, soft: bool, width: int | None) -> list[_Unit]:
    """Lines put together into paragraphs, items, table rows and rules, in order."""
    tabular = _tabular(lines)
    units: list[_Unit] = []
    for number, line in enumerate(lines):
        last = units[-1] if units and units[-1].lines[-1].group == line.group else None
        if _RULE.fullmatch(line.text):
            if last and last.kind == "paragraph" and len(last.lines) == 1 and line.text[0] in "=-~":
                last.underlined = True
            units.append(_Unit("leftover", [line], why="rule"))
            continue
        if number in tabular:
            units.append(_Unit("row", [line]))
            continue
        if last and last.kind not in ("paragraph", "item"):
            last = None
        follows = last is not None and (soft or (width is not None and _is_wrap(last.lines[-1], line, width)))
        begins = _BULLET.match(line.text) or _MARK.match(line.text)
        # In running text a dash or a number may begin a line by chance; a list goes on from an item or after a stop.
        if begins and follows and last and last.kind != "item" and not _stops(last.text):
            begins = begins if line.text[0] in "•◦▪‣●○■" else None
        if begins or not follows or last is None:
            units.append(_Unit("item" if _BULLET.match(line.text) else "paragraph", [line]))
        else:
            last.lines.append(line)
    return units


def _tabular(lines: list[_Line]) -> set[int]:
    """Numbers of the lines that are rows of an aligned table: neighbours with the same number of cells."""
    counts = [len(_cells(line)) if any(mark in line.text for mark in ("  ", "\t", "|")) else 1 for line in lines]
    found: set[int] = set()
    for many, run in groupby(range(len(lines)), key=lambda n: counts[n] > 1 or bool(_RULE.fullmatch(lines[n].text))):
        rows = [n for n in run if counts[n] > 1 and not _RULE.fullmatch(lines[n].text)]
        if many and len(rows) > 1:
            sizes = [counts[n] for n in rows]
            if max(sizes.count(size) for size in set(sizes)) * 2 > len(sizes):
                found.update(rows)
    return found


def _cells(line: _Line) -> list[tuple[int, int]]:
    """The ranges of the cells of an aligned line."""
    cells, at = [], 0
    for gap in [*_GAP.finditer(line.text), None]:
        end = gap.start() if gap else len(line.text)
        if line.text[at:end].strip():
            cells.append((line.start + at, line.start + end))
        at = gap.end() if gap else end
    return cells


def _rows(units: list[_Unit]) -> list[Block]:
    """Blocks of an aligned table; rows as wide as a header row above them know their headers."""
    lines = [unit.lines[0] for unit in units]
    ranges = [_cells(line) for line in lines]
    words = [
        [line.text[a - line.start : b - line.start] for a, b in cells]
        for line, cells in zip(lines, ranges, strict=True)
    ]
    names = words[0] if is_plain_header(words[0], words[1:]) else []
    blocks = []
    for number, (line, cells) in enumerate(zip(lines, ranges, strict=True)):
        known = names if number and len(names) == len(cells) else []
        placed = tuple(Cell(header=name, start=a, end=b) for name, (a, b) in zip(known, cells, strict=False))
        blocks.append(Block(kind="row", start=line.start, end=line.end, cells=placed))
    return blocks


def is_title_like(text: str) -> bool:
    """Whether words could stand as a title: few, on their own, without a stop at the end.

    >>> is_title_like("Versatile approach"), is_title_like("It was so."), is_title_like("Views: 3945")
    (True, False, False)
    """
    first = text[0]
    return (
        len(text) <= _HEADING_LENGTH
        and len(text.split()) <= _HEADING_WORDS
        and any(c.isalpha() for c in text)
        and not first.islower()
        and (first.isalnum() or first in "\"“«'‘(¿")
        and not text.rstrip("\"”»’'").endswith((*(s for s in _STOPS if s not in "?？؟"), ","))
        and not _LABELLED.match(text)
        and not _ADDRESS.search(text)
        and not _GAP.search(text)
        and text.count(",") < 3
    )


def _head(units: list[_Unit]) -> None:
    """Turn units into headings: short lines that stand alone above text, and lines that are underlined."""
    sizes: dict[int, int] = {}
    for unit in units:
        group = unit.lines[0].group
        sizes[group] = sizes.get(group, 0) + 1
    one_group = len(sizes) == 1  # no blank lines at all: each line stands as alone as it can
    _join_title(units)
    alone = [
        len(u.lines) == 1
        and (u.kind == "paragraph" or (u.kind == "item" and _NUMBERED.match(u.text) is not None))
        and (one_group or sizes[u.lines[0].group] == 1)
        and is_title_like(u.text)
        for u in units
    ]
    at = 0
    for title, group_of in groupby(alone):
        run = len(list(group_of))
        following = units[at + run] if at + run < len(units) else None
        # Three short lines in a row are a list; short lines at the end head nothing.
        if title and run <= 2 and following and following.kind in ("paragraph", "item", "row"):
            numbered = all(unit.kind == "item" for unit in units[at : at + run])
            if not (numbered and following.kind == "item"):
                for unit in units[at : at + run]:
                    unit.kind = "heading"
        at += run
    for unit in units:
        if unit.underlined:
            unit.kind = "heading"


def _join_title(units: list[_Unit]) -> None:
    """Make one heading of a title that takes the first two or three lines of a text."""
    group = [u for u in units[:4] if u.lines[0].group == units[0].lines[0].group] if units else []
    whole = all(u.kind == "paragraph" and len(u.lines) == 1 and is_title_like(u.text) for u in group)
    if 2 <= len(group) <= 3 and len(units) > len(group) + 1 and whole:
        joined = _Unit("heading", [line for u in group for line in u.lines])
        if units[len(group)].lines[0].group != joined.lines[0].group:
            units[: len(group)] = [joined]


def _headings(units: list[_Unit], *, first: bool) -> list[Block]:
    """Blocks of headings: level 1 for the text's first line, by number ("2.1") or 2 for the others."""
    blocks = []
    for number, unit in enumerate(units):
        numbered = _NUMBERED.match(unit.text)
        level = 1 if first and not number else min(2 + numbered[1].count("."), 6) if numbered else 2
        blocks.append(Block(kind="heading", start=unit.lines[0].start, end=unit.lines[-1].end, level=level))
    return blocks
