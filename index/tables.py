"""Tables as rows that can be read alone: which rows are headers, and numbers in the form that a sheet displays."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from itertools import groupby

from index.build import MERGED, Builder, one_line
from index.hidden import bare

Grid = list[list[str]]
"""Rows of cell texts; a cell merged into the one on its left holds `MERGED`, one merged into that above repeats it."""

_LABEL_LENGTH = 80
_CAPTION_LENGTH = 120
_YEAR = re.compile(r"(?:19|20)\d\d(?:\s?[/–—-]\s?(?:19|20)?\d\d)?")  # or two, as of accounts: "2019/20"
_LETTER = re.compile(r"[^\W\d_]")
# A value rather than a label: a number with a sign, currency or unit of at most three letters around it, or a date.
_VALUE = re.compile(
    r"""[^\w\s]*\s?(?:[A-Z]{2,3}\s?)?[-+(]?\s?[^\w\s(]?\s?\d[\d\s.,'’:/\-]*\s?[%)]?\s?(?:[^\W\d_]{1,3}\.?|[^\w\s]{1,3})?""",
    re.X,
)


def is_value(text: str) -> bool:
    """Whether a cell holds a number, an amount, a percentage or a numeric date rather than words.

    >>> is_value("$250,000"), is_value("12.5 %"), is_value("2021-03-04"), is_value("Grants 2021")
    (True, True, True, False)
    """
    return len(text) <= _LABEL_LENGTH and bool(_VALUE.fullmatch(text))


def is_header(row: list[str], below: list[list[str]]) -> bool:
    """Whether a row names the columns of the rows below it: words, or years over figures that are none."""
    cells = [_words(cell) for cell in row if cell != MERGED]
    filled = [cell for cell in cells if cell]
    if not below or len(filled) < 2 or len(filled) * 2 < len(row) or len(set(filled)) < len(filled) * 0.6:
        return False
    if any(len(cell) > _LABEL_LENGTH or (is_value(cell) and not _YEAR.fullmatch(cell)) for cell in filled):
        return False
    if any(_YEAR.fullmatch(cell) for cell in filled):
        columns = [n for n, cell in enumerate(row) if _YEAR.fullmatch(_words(cell))]
        figures = [_words(line[n]) for line in below for n in columns if n < len(line)]
        return bool(figures) and not any(_YEAR.fullmatch(figure) for figure in figures)
    # "Name: | Anna" is a pair of a label and its value, not two column headers.
    return not (len(row) == 2 and filled[0].endswith(":"))


def _words(cell: str) -> str:
    """A cell as it is compared: on one line, whether hidden or not."""
    return one_line(bare(cell))


def is_plain_header(row: list[str], below: list[list[str]]) -> bool:
    """Whether a row that only its place makes part of a table names the columns below it.

    Lists of two columns ("-v  version") and text set in columns have no headers: there must be figures below, or three
    short labels in capitals.
    """
    if not is_header(row, below):
        return False
    figures = any(sum(is_value(line[n]) for line in below if n < len(line)) * 2 >= len(below) for n in range(len(row)))
    labels = [cell for cell in row if cell]
    return figures or (len(labels) > 2 and all(len(cell) <= 30 and cell[0].isupper() for cell in labels))


def header_rows(grid: Grid) -> int:
    """How many of the first rows are headers: more than one where merged or empty cells ask for a second line."""
    if not grid or not is_header(grid[0], grid[1:]):
        return 0
    count = 1
    while (
        count < min(3, len(grid) - 1)
        and any(cell == MERGED or not cell.strip() for cell in grid[count - 1])
        and not any(is_value(_words(cell)) for cell in grid[count])
        and is_header(grid[count], grid[count + 1 :])
        and any(is_value(_words(cell)) for cell in grid[count + 1])
    ):
        count += 1
    return count


def add_sheet(out: Builder, grid: Grid, *, level: int = 4) -> None:
    """Add the tables of a sheet, parted by empty rows; one without a header row goes on under the header before it."""
    grid = _without_empty_columns(grid)
    names: list[str] = []
    for filled, rows in groupby(grid, key=_is_filled):
        if not filled:
            continue
        part = list(rows)
        if len(part) == 1 and (caption := _only_cell(part[0])):
            _add_caption(out, caption, level, None)
        else:
            names = add_table(out, part, carried=names, level=level)


def add_table(
    out: Builder,
    grid: Grid,
    *,
    headers: int | None = None,
    row_headers: bool = False,
    carried: Sequence[str] = (),
    level: int = 4,
    page: int | None = None,
) -> list[str]:
    """Add a table to a text, one row a line, each value after its column's header; returns the columns' names.

    First rows that are one cell wide are captions; a later one that spans the whole table heads the rows below it.

    Args:
        headers: how many of the first rows are headers at least, 0 for none; otherwise it is guessed.
        row_headers: whether the first of two columns names the second ("Name | Anna").
        carried: the names of the columns where the table has no header row of its own.
        level: of the heading that a caption becomes; a heading among the rows is one deeper.
    """
    grid = [row for row in _without_empty_columns(grid) if _is_filled(row)]
    width = len(grid[0]) if grid else 0
    while width > 1 and len(grid) > 1 and (caption := _only_cell(grid[0])):
        grid.pop(0)
        headers = headers - 1 if headers else None
        _add_caption(out, caption, level, page)
    count = 0 if headers == 0 else min(max(header_rows(grid), headers or 0), len(grid))
    names = [_column_name(grid[:count], column) for column in range(width)]
    if not count and len(carried) == width:
        names = list(carried)
    pairs = width == 2 and not any(names) and (row_headers or all(row[0].rstrip().endswith(":") for row in grid))
    head = [one_line(cell) for cell in grid[0]] if count else None
    for row in grid[count:]:
        values = ["" if cell == MERGED else one_line(cell) for cell in row]
        if values == head:
            continue  # the header again, where a table goes on on the next page
        if width > 1 and values[0] and all(cell == MERGED for cell in row[1:]):
            _add_caption(out, values[0], min(level + 1, 6), page)
        elif pairs and all(values):
            out.row([(values[0], values[1])], page=page)
        else:
            out.row(list(zip(names, values, strict=True)), page=page)
    return names


def _add_caption(out: Builder, caption: str, level: int, page: int | None) -> None:
    """Add a heading, or a paragraph where it is a sentence or too long."""
    short = len(one_line(caption)) <= _CAPTION_LENGTH and not caption.endswith((".", "。"))
    out.add("heading" if short else "paragraph", caption, level=level if short else 0, page=page)


def _only_cell(row: list[str]) -> str:
    """The text of a row's first cell where no other cell of it holds anything, otherwise ""."""
    return row[0].strip() if len(row) > 1 and not _is_filled(row[1:]) else ""


def _is_filled(row: list[str]) -> bool:
    return any(cell != MERGED and cell.strip() for cell in row)


def _without_empty_columns(grid: Grid) -> Grid:
    """The grid with rows of one length and without columns in which nothing stands."""
    width = max((len(row) for row in grid), default=0)
    rows = [row + [""] * (width - len(row)) for row in grid]
    used = [n for n, column in enumerate(zip(*rows, strict=True)) if _is_filled(list(column))]
    return [[row[n] for n in used] for row in rows]


def _column_name(rows: Grid, column: int) -> str:
    """The words of all header rows above a column: "Grants / 2021"."""
    names: list[str] = []
    for row in rows:
        at = column
        while at and row[at] == MERGED:
            at -= 1
        name = one_line(row[at]).rstrip(" :") if row[at] != MERGED else ""
        if name and name not in names:
            names.append(name)
    return " / ".join(names)


_SECTION = re.compile(r';(?=(?:[^"]*"[^"]*")*[^"]*$)')
_BRACKET = re.compile(r"\[(?:\$([^\]\-]*)(?:-[^\]]*)?|[^\]]*)\]")
_DIGITS = re.compile(r"[#0?][#0?,]*(?:\.[#0?]+)?,*")
_EXACT = Decimal(10) ** 15


def displayed(value: object, number_format: str) -> str:
    """A spreadsheet cell as it is displayed, where its format is simple; dates in ISO form.

    >>> displayed(1250000, "#,##0"), displayed(0.125, "0.0%"), displayed(-3, '"$"#,##0;("$"#,##0)')
    ('1,250,000', '12.5%', '($3)')
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, dt.datetime):
        midnight = value.time() == dt.time()
        return value.date().isoformat() if midnight else value.isoformat(" ", "minutes")
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, dt.time):
        return value.isoformat("minutes")
    if isinstance(value, int | float):
        return _number(value, number_format)
    return str(value)


def _number(value: float, number_format: str) -> str:
    """A number under an Excel number format; a format that is not plain digits gives the number as it is."""
    general = format(value, ".15g")  # a sheet keeps 15 digits
    exact = Decimal(general)
    if not exact.is_finite() or abs(exact) >= _EXACT:
        return general
    sections = _SECTION.split(number_format)
    section = sections[0]
    if exact < 0 and len(sections) > 1:
        section, exact = sections[1], -exact
    section = _BRACKET.sub(lambda found: f'"{found[1]}"' if found[1] else "", section)
    section = re.sub(r"\\(.)", r'"\1"', re.sub(r"_.|\*.", "", section))
    bare = re.sub(r'"[^"]*"', "", section)
    digits = _DIGITS.search(bare)
    # Beside the digits only signs and currency may be left: letters are dates, "E" an exponent, "/" a fraction.
    if digits is None or _LETTER.search(bare) or "/" in bare or "?" in bare or len(_DIGITS.findall(bare)) > 1:
        return general
    pattern = digits[0]
    if "%" in bare:
        exact *= 100
    exact = exact.scaleb(-3 * (len(pattern) - len(pattern.rstrip(","))))
    pattern = pattern.rstrip(",")
    fraction = pattern.partition(".")[2]
    rounded = exact.quantize(Decimal(1).scaleb(-len(fraction)), ROUND_HALF_UP)
    text = format(abs(rounded), ",f" if "," in pattern else "f")
    if optional := len(fraction) - len(fraction.rstrip("#")):
        whole, _, decimals = text.partition(".")
        kept = decimals[:-optional] + decimals[-optional:].rstrip("0")
        text = f"{whole}.{kept}" if kept else whole
    least = pattern.partition(".")[0].replace(",", "").count("0")
    text = text.zfill(least + len(text) - len(text.partition(".")[0])) if "," not in pattern else text
    # The digits take the place of their pattern; literal quotation marks go, what they quote stays.
    shown = _place(section, digits[0], text)
    return f"-{shown}" if rounded < 0 else shown


def _place(section: str, pattern: str, digits: str) -> str:
    """The format's section with its digit pattern replaced and its quotation marks removed."""
    parts = section.split('"')
    for number in range(0, len(parts), 2):
        if pattern in parts[number]:
            parts[number] = parts[number].replace(pattern, digits, 1)
            break
    return "".join(parts).strip()
