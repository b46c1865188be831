"""Tables on a PDF page: found from the places of words, since PDF itself knows no tables."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from index.tables import is_header, is_plain_header

_LABEL_LENGTH = 40
_TIGHT = 1.4  # lines of one cell follow each other within this many ems
_REACH = 3.5  # a line in one column follows the others within this many ems
_CELL_LINES = 6


class Fragment(NamedTuple):
    """A part of a line between wide gaps: its characters, and its place in points (y grows upwards)."""

    start: int
    end: int
    left: float
    right: float
    y: float


class Line(NamedTuple):
    """A line of a page: its characters, its type in points, and its fragments from left to right.

    ``top`` and ``base`` are the baselines of its first and last character: they differ where a hyphen joins two lines.
    """

    start: int
    end: int
    top: float
    base: float
    size: float
    bold: bool
    fragments: tuple[Fragment, ...]

    @property
    def left(self) -> float:
        """The left edge."""
        return self.fragments[0].left

    @property
    def right(self) -> float:
        """The right edge."""
        return self.fragments[-1].right


class Cell(NamedTuple):
    """One cell: its column, and the fragments that stand in it from top to bottom."""

    column: int
    parts: tuple[Fragment, ...]


class Table(NamedTuple):
    """Lines ``first`` to ``last`` (excluded) of a page as a header row and rows of cells."""

    first: int
    last: int
    header: list[Cell]
    rows: list[list[Cell]]


def find_tables(lines: Sequence[Line], raw: str) -> list[Table]:
    """The tables of a page that have a header row and at least two columns, in the order of the page's lines."""
    tables = []
    at = 0
    while at < len(lines):
        table = _table_at(lines, at, raw) if len(lines[at].fragments) > 1 else None
        if table:
            tables.append(table)
        at = table.last if table else at + 1
    return tables


def _table_at(lines: Sequence[Line], first: int, raw: str) -> Table | None:
    """The table that begins with a line, or None where the lines from there on make none."""
    columns: list[tuple[float, float]] = []
    last = first
    lowest = lines[first].base
    while last < len(lines):
        line = lines[last]
        wider = _fit(columns, line)
        reach = _REACH if len(line.fragments) == 1 else _TIGHT * _CELL_LINES
        far = abs(lowest - line.top) > reach * line.size or line.top > lines[first].top + line.size
        if wider is None or far or (last > first + 1 and _stands_out(line, lines[last - 1])):
            break
        columns = wider
        lowest = min(lowest, line.base)
        last += 1
    while last > first + 1:
        rows = _rows(lines[first:last], columns)
        # What stands alone in the first column below a table is the text that goes on there.
        if len(rows[-1]) > 1:
            break
        last -= 1
    else:
        return None
    header, body = rows[0], rows[1:]
    grid = [[""] * len(columns) for _ in rows]
    for texts, row in zip(grid, rows, strict=True):
        for cell in row:
            texts[cell.column] = cell_text(cell, raw)
    stands_out = lines[first].bold and not lines[last - 1].bold
    good = (
        body
        and (is_header if stands_out else is_plain_header)(grid[0], grid[1:])
        and all(len(name) <= _LABEL_LENGTH and not name.endswith((".", ",", ";")) for name in grid[0])
        and all(len(cell.parts) <= _CELL_LINES for row in body for cell in row)
        and sum(len(row) > 1 for row in body) * 2 > len(body)
    )
    return Table(first, last, header, body) if good else None


def _stands_out(line: Line, before: Line) -> bool:
    """Whether a line in one column has larger or bolder type than the row before it: the next heading, most likely."""
    return len(line.fragments) == 1 and (line.size > before.size or (line.bold and not before.bold))


def cell_text(cell: Cell, raw: str) -> str:
    """The words of a cell on one line."""
    return " ".join(raw[part.start : part.end].strip() for part in cell.parts)


def _fit(columns: list[tuple[float, float]], line: Line) -> list[tuple[float, float]] | None:
    """The columns widened by a line, or None where a fragment of the line reaches into two of them."""
    result = list(columns)
    for part in line.fragments:
        hit = [n for n, (left, right) in enumerate(result) if part.left < right and part.right > left]
        if len(hit) > 1:
            return None
        if hit:
            left, right = result[hit[0]]
            result[hit[0]] = (min(left, part.left), max(right, part.right))
        elif len(line.fragments) == 1 and columns and part.right < columns[0][0]:
            return None
        else:
            result.append((part.left, part.right))
    return sorted(result)


def _rows(lines: Sequence[Line], columns: list[tuple[float, float]]) -> list[list[Cell]]:
    """The rows from top to bottom, each a list of its cells from left to right."""
    parts = sorted(
        ((_column(part, columns), part, line.size) for line in lines for part in line.fragments),
        key=lambda item: (-item[1].y, item[0]),
    )
    full = sorted({round(line.top, 1) for line in lines if len(line.fragments) > 1}, reverse=True)
    size = median(line.size for line in lines)
    dense = bool(full[1:]) and median(a - b for a, b in pairwise(full)) < _TIGHT * size
    rows: list[list[Cell]] = []
    if dense:
        # Rows as close as the lines of a cell: only the first column tells where a row begins.
        for column, part, _ in parts:
            if not rows or (column == 0 and abs(rows[-1][0].parts[0].y - part.y) > 1):
                rows.append([])
            _put(rows[-1], column, part)
        return [sorted(row) for row in rows]
    cells: list[Cell] = []
    open_cells: dict[int, int] = {}
    for column, part, em in parts:
        known = open_cells.get(column)
        if known is not None and cells[known].parts[-1].y - part.y < _TIGHT * em:
            cells[known] = Cell(column, (*cells[known].parts, part))
        else:
            open_cells[column] = len(cells)
            cells.append(Cell(column, (part,)))
    bottom = 0.0
    for cell in sorted(cells, key=lambda cell: -cell.parts[0].y):
        if not rows or cell.parts[0].y < bottom - 0.3 * size:
            rows.append([])
            bottom = cell.parts[-1].y
        rows[-1].append(cell)
        bottom = min(bottom, cell.parts[-1].y)
    return [sorted(row) for row in rows]


def _put(row: list[Cell], column: int, part: Fragment) -> None:
    for number, cell in enumerate(row):
        if cell.column == column:
            row[number] = Cell(column, (*cell.parts, part))
            return
    row.append(Cell(column, (part,)))


def _column(part: Fragment, columns: list[tuple[float, float]]) -> int:
    """The number of the column that a fragment stands in or is nearest to."""
    return min(range(len(columns)), key=lambda n: max(columns[n][0] - part.right, part.left - columns[n][1]))
