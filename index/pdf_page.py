"""One PDF page: from PDFium's characters to a text whose every character knows where it came from."""

from __future__ import annotations

import ctypes
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from index.build import normalise
from index.models import Block, Hidden
from index.models import Cell as BlockCell
from index.pdf_hidden import ranges, unseen
from index.pdf_table import Cell, Fragment, Line, Table, cell_text, find_tables

if TYPE_CHECKING:
    from pypdfium2 import PdfPage, PdfTextPage

PAGE_BREAK = "\n\n"
"""Stands between paragraphs, and between the texts of two pages."""

_HYPHEN = "\x02"  # PDFium's sign for a hyphen that ended a line; the line break itself is left out then
_WORD = re.compile(r"\w+")
_LINE = re.compile(r"[^\r\n]+")
_MARKER = re.compile(r"\s*(?:[•◦▪‣●○■*\-–—]|\(?\w{1,3}[.)])\s*")
_BULLETS = "•◦▪‣●○■-–—*"
_WIDE_GAP = 1.0  # in ems: wider than a blank in justified text, as wide as between the columns of a table
_BOLD = 600


class Placed(NamedTuple):
    """A line where it came to stand in the page's text, with its baseline, size in points and weight."""

    start: int
    end: int
    y: float
    size: float
    bold: bool


class Page(NamedTuple):
    """A page's text, PDFium's index for each of its characters (or -1), its lines, table rows, and what is unseen."""

    text: str
    chars: list[int]
    lines: list[Placed]
    rows: list[Block]
    hidden: tuple[Hidden, ...] = ()


def read_page(page: PdfPage) -> Page:
    """Read a page: a blank line between paragraphs, rows with their headers, no words broken by a line's end."""
    import pypdfium2.raw as pdfium

    textpage = page.get_textpage()
    try:
        codes = [pdfium.FPDFText_GetUnicode(textpage, n) for n in range(textpage.count_chars())]
        raw = "".join(chr(code) if code < 0x110000 else "\0" for code in codes).replace("\ufffe", _HYPHEN)
        lines = [_measure(textpage, raw, *span) for span in _spans(raw)]
        not_seen = unseen(page, textpage, raw)
    finally:
        textpage.close()
    tables = {table.first: table for table in find_tables(lines, raw)}
    writer = _Writer(raw)
    at = 0
    while at < len(lines):
        if at in tables:
            writer.table(tables[at])
            at = tables[at].last
        else:
            writer.line(lines[at], goes_on=at > 0 and _goes_on(lines, at, raw))
            at += 1
    made = _normal(writer)
    return made._replace(hidden=tuple(ranges(made.chars, made.text, not_seen))) if not_seen else made


def _spans(raw: str) -> list[tuple[int, int]]:
    """Ranges of the lines that hold something, without the blanks at their ends."""
    spans = []
    for found in _LINE.finditer(raw):
        start, end = found.span()
        while start < end and raw[start].isspace():
            start += 1
        while end > start and raw[end - 1].isspace():
            end -= 1
        if start < end:
            spans.append((start, end))
    return spans


def _measure(textpage: PdfTextPage, raw: str, start: int, end: int) -> Line:
    """A line's place, type and fragments."""
    import pypdfium2.raw as pdfium

    marker = _MARKER.match(raw, start, end)
    first = marker.end() if marker and marker.end() < end else start
    # A bullet is often of another type than its item, and a word at either end of a line of another than the line.
    samples = [first, *(first + (end - 1 - first) * n // 4 for n in (1, 2, 3)), end - 1]
    size = round(median(_finite(pdfium.FPDFText_GetFontSize(textpage, n)) for n in samples) * 2) / 2 or 1.0
    cuts = [n for n in range(first, end) if raw[n] == " " and _gap(textpage, n, start, end) > _WIDE_GAP * size]
    bounds = [start, *(edge for cut in cuts for edge in (cut, cut + 1)), end]
    return Line(
        start=start,
        end=end,
        top=_origin(textpage, start)[1],
        base=_origin(textpage, end - 1)[1],
        size=size,
        bold=all(_is_bold(textpage, n) for n in samples),
        fragments=tuple(
            Fragment(a, b, _origin(textpage, a)[0], _box(textpage, b - 1)[1], _origin(textpage, a)[1])
            for a, b in zip(bounds[::2], bounds[1::2], strict=True)
            if a < b
        ),
    )


def _origin(textpage: PdfTextPage, n: int) -> tuple[float, float]:
    """Where a character begins on its baseline."""
    import pypdfium2.raw as pdfium

    x, y = ctypes.c_double(), ctypes.c_double()
    pdfium.FPDFText_GetCharOrigin(textpage, n, x, y)
    return _finite(x.value), _finite(y.value)


def _box(textpage: PdfTextPage, n: int) -> tuple[float, float]:
    """The left and the right edge of a character."""
    import pypdfium2.raw as pdfium

    left, right, bottom, top = (ctypes.c_double() for _ in range(4))
    pdfium.FPDFText_GetCharBox(textpage, n, left, right, bottom, top)
    return _finite(left.value), _finite(right.value)


def _finite(value: float) -> float:
    """A coordinate; a broken file may give none that can be reckoned with."""
    return value if abs(value) < 1e6 else 0.0


def _is_bold(textpage: PdfTextPage, n: int) -> bool:
    """Whether a character is bold by its weight or by its font's name."""
    import pypdfium2.raw as pdfium

    if pdfium.FPDFText_GetFontWeight(textpage, n) >= _BOLD:
        return True
    buffer, flags = ctypes.create_string_buffer(128), ctypes.c_int()
    size = pdfium.FPDFText_GetFontInfo(textpage, n, buffer, len(buffer), flags)
    return 0 < size <= len(buffer) and b"bold" in buffer.value.lower()


def _gap(textpage: PdfTextPage, n: int, start: int, end: int) -> float:
    """How far the characters on both sides of a blank are apart."""
    return _box(textpage, n + 1)[0] - _box(textpage, n - 1)[1] if start < n < end - 1 else 0.0


def _goes_on(lines: Sequence[Line], number: int, raw: str) -> bool:
    """Whether a line is the next line of the paragraph that the line before it belongs to."""
    before, line = lines[number - 1], lines[number]
    if len(before.fragments) > 1 or len(line.fragments) > 1:
        return False  # set in columns
    down = before.base - line.top
    alike = abs(line.size - before.size) <= 0.1 * line.size and line.bold == before.bold
    if not alike or not 0.5 * line.size < down < 2.5 * line.size:
        return False
    steps = [a.base - b.top for a, b in pairwise(lines) if a.size == b.size == line.size]
    usual = [step for step in steps if 0.5 * line.size < step < 2.5 * line.size]
    if down > 1.2 * min(median(usual or [down]), 1.6 * line.size):
        return False
    column = [other for other in lines if abs(other.left - line.left) < 3 * line.size and other.size == line.size]
    margin = min(other.left for other in column)
    if line.left - margin > 0.8 * line.size and line.left - before.left > 1:
        return raw[before.start] in _BULLETS  # hanging below a bullet, or the first line of a new paragraph
    # Only a line that had no room for the next word goes on; a few lines may stick out of the column.
    rights = sorted(other.right for other in column)
    edge = rights[int(0.9 * (len(rights) - 1))]
    word = raw[line.start : line.end].split(maxsplit=1)[0]
    room = min(len(word), 20) * 0.5 + 0.2
    if word[0].islower() and raw[before.end - 1].isalnum():
        room += 4  # inside a sentence
    return before.right + room * line.size > edge - 0.03 * (edge - line.left)


class _Writer:
    """Puts a page's text together, character by character."""

    def __init__(self, raw: str) -> None:
        self.raw = raw
        self.text: list[str] = []
        self.chars: list[int] = []
        self.lines: list[Placed] = []
        self.rows: list[Block] = []
        self._known = Counter(word.lower() for word in _WORD.findall(raw))

    def _insert(self, text: str) -> None:
        """Add characters that PDFium does not have."""
        self.text += text
        self.chars += [-1] * len(text)

    def _copy(self, start: int, end: int) -> None:
        """Add PDFium's characters, without the hyphens that a line end put into words."""
        for n in range(start, end):
            if self.raw[n] == _HYPHEN and not self._is_real_hyphen(n):
                continue
            self.text.append("-" if self.raw[n] == _HYPHEN else self.raw[n])
            self.chars.append(n)

    def line(self, line: Line, *, goes_on: bool) -> None:
        """Add a line; its fragments are parted by tabs."""
        if self.text:
            self._insert("\n" if goes_on else PAGE_BREAK)
        at = len(self.text)
        for number, part in enumerate(line.fragments):
            if number:
                self.text.append("\t")
                self.chars.append(part.start - 1)
            self._copy(part.start, part.end)
        self.lines.append(Placed(at, len(self.text), line.top, line.size, line.bold))

    def table(self, table: Table) -> None:
        """Add a table's rows, each value after its header ("Amount: $250,000"); so the header row goes into each."""
        names = {cell.column: cell_text(cell, self.raw).replace(_HYPHEN, "-").rstrip(" :") for cell in table.header}
        for number, row in enumerate(table.rows):
            if self.text:
                self._insert("\n" if number else PAGE_BREAK)
            start = len(self.text)
            cells = [self._cell(cell, names.get(cell.column, ""), first=not n) for n, cell in enumerate(row)]
            if self.text[-1] not in ".!?…。":
                self._insert(".")
            self.rows.append(Block(kind="row", start=start, end=len(self.text), cells=tuple(cells)))

    def _cell(self, cell: Cell, name: str, *, first: bool) -> BlockCell:
        self._insert(("" if first else "; ") + (f"{name}: " if name else ""))
        start = len(self.text)
        for number, part in enumerate(cell.parts):
            if number:
                self._insert(" ")
            self._copy(part.start, part.end)
        return BlockCell(header=name, start=start, end=len(self.text))

    def _is_real_hyphen(self, n: int) -> bool:
        """Whether a hyphen at a line's end is part of the word ("long-term") rather than a break inside it."""
        left = re.search(r"\w*\Z", self.raw[max(0, n - 40) : n])
        right = re.match(r"\w*", self.raw[n + 1 : n + 41])
        a, b = (left[0] if left else ""), (right[0] if right else "")
        if not a or not b or not b[0].islower() or not a[-1].isalpha():
            return True
        if self._known[(a + b).lower()]:
            return False
        both = min(len(a), len(b)) > 2 and min(self._known[a.lower()], self._known[b.lower()]) > 1
        return both or f"{a}-{b}" in self.raw


def _normal(written: _Writer) -> Page:
    """The page with its text in normal form; a composed letter keeps the place of its first part."""
    text = "".join(written.text)
    if normalise(text) == text:
        return Page(text, written.chars, written.lines, written.rows)
    parts: list[str] = []
    chars: list[int] = []
    moved: list[int] = []
    at = 0
    while at < len(text):
        end = at + 1
        while end < len(text) and _may_compose(text[end]):
            end += 1
        piece = normalise(text[at:end])
        moved += [len(chars)] * (end - at)
        parts.append(piece)
        chars += [written.chars[at]] * len(piece)
        at = end
    moved.append(len(chars))
    lines = [line._replace(start=moved[line.start], end=moved[line.end]) for line in written.lines]
    rows = [move_block(row, moved) for row in written.rows]
    return Page("".join(parts), chars, [line for line in lines if line.start < line.end], rows)


def move_block(block: Block, moved: Sequence[int]) -> Block:
    """A block whose offsets are looked up in a list of new ones; cells that lost their text are left out."""
    cells = tuple(c.model_copy(update={"start": moved[c.start], "end": moved[c.end]}) for c in block.cells)
    kept = tuple(cell for cell in cells if cell.start < cell.end)
    return block.model_copy(update={"start": moved[block.start], "end": moved[block.end], "cells": kept})


def _may_compose(char: str) -> bool:
    """Whether normalisation may join a character with the one before it: a mark, or a Hangul vowel or final."""
    return unicodedata.category(char).startswith("M") or "\u1160" <= char <= "\u11ff"
