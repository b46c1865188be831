"""Word, PowerPoint and Excel files: text, headings, lists, tables and notes in the order of the document."""

from __future__ import annotations

import io
import re
import threading
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from index.build import MERGED, Builder, Found, Parsed, one_line
from index.errors import DocumentError
from index.hidden import veiled
from index.office_hidden import LONGEST_CHAIN, SheetVeil, WordVeil, run_veil, shape_veil, slide_veil
from index.plain import mark_footnotes
from index.tables import Grid, add_sheet, add_table, displayed

if TYPE_CHECKING:
    from pptx.shapes.base import BaseShape
    from pptx.slide import Slide

MAX_UNPACKED = 512 * 1024 * 1024
MAX_UNPACKED_XML = 96 * 1024 * 1024
_MOST_PARTS = 20_000
_MOST_MERGED = 1_000_000  # cells of a sheet's merged areas
_CHUNK = 1024 * 1024
_ENCRYPTED = 0x1

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_COMPANY = re.compile(rb"<Company>([^<]+)</Company>")
_HEADING = re.compile(r"heading (\d)", re.I)
_GENERIC_SHEET = re.compile(r"(?:sheet|лист|парақ|аркуш|tabelle|feuil|hoja|sayfa)\s*\d*", re.I)

# What the three libraries raise on parts that are well zipped but broken inside, found by mutating files; the errors of
# the XML parsers are subclasses of SyntaxError.
_BROKEN_INSIDE = (KeyError, ValueError, AttributeError, TypeError, IndexError, OverflowError, SyntaxError, OSError)
_QUIET = threading.Lock()


def kind_of_package(data: bytes) -> str | None:
    """Which of "docx", "pptx" and "xlsx" a zip file is, or None; every part is unpacked once to see that it is sound.

    Raises:
        DocumentError: the file is damaged, encrypted, or unpacks to more than the limits.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as package:
            names = set(package.namelist())
            _check_parts(package)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, ValueError, UnicodeError) as error:
        raise DocumentError("the file is damaged or incomplete; fetch or save it again") from error
    main = {"word/document.xml": "docx", "ppt/presentation.xml": "pptx", "xl/workbook.xml": "xlsx"}
    return next((kind for name, kind in main.items() if name in names), None)


def parse(kind: str, data: bytes) -> Parsed:
    """A checked package of a kind that `kind_of_package` gave. Raises DocumentError where it is broken inside."""
    from docx.opc.exceptions import OpcError as WordError
    from openpyxl.utils.exceptions import InvalidFileException
    from pptx.exc import PythonPptxError

    parsers = {"docx": parse_docx, "pptx": parse_pptx, "xlsx": parse_xlsx}
    try:
        # openpyxl warns of features that it leaves out (print areas, conditional formats): none of them is text. The
        # lock is there because warning filters belong to the process, not to the thread.
        with _QUIET, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return parsers[kind](data)
    except (*_BROKEN_INSIDE, WordError, PythonPptxError, InvalidFileException) as error:
        raise DocumentError(f"the {kind.upper()} file is damaged; open it and save it again") from error


def _check_parts(package: zipfile.ZipFile) -> None:
    """Unpack every part in pieces and count: the sizes and checksums that a file declares are not taken on trust."""
    parts = package.infolist()
    declared = sum(part.file_size for part in parts)
    if len(parts) > _MOST_PARTS or declared > MAX_UNPACKED:
        raise DocumentError("the file unpacks to too much; split it into smaller files")
    total = xml = 0
    for part in parts:
        if part.flag_bits & _ENCRYPTED:
            raise DocumentError("the file is encrypted; save a copy without a password and add that")
        is_xml = part.filename.endswith((".xml", ".rels", ".vml"))
        with package.open(part) as stream:
            before = b""
            while piece := stream.read(_CHUNK):
                total += len(piece)
                xml += len(piece) if is_xml else 0
                if total > MAX_UNPACKED or xml > MAX_UNPACKED_XML:
                    raise DocumentError("the file unpacks to too much; split it into smaller files")
                # Office files never declare document types; one that does is out to blow up its reader.
                bare = before + piece.replace(b"\0", b"") if is_xml else b""
                if b"<!DOCTYPE" in bare:
                    raise DocumentError("the file declares XML entities, which no office program writes; save it again")
                before = bare[-len(b"<!DOCTYPE") :]


def _company(data: bytes) -> str:
    """The company that an office file's properties name, or ""."""
    with zipfile.ZipFile(io.BytesIO(data)) as package:
        if "docProps/app.xml" not in package.namelist():
            return ""
        found = _COMPANY.search(package.read("docProps/app.xml"))
    from html import unescape

    return one_line(unescape(found[1].decode("utf-8", "replace"))) if found else ""


def _properties(core: Any, data: bytes) -> Found:  # noqa: ANN401 - three libraries, three classes with the same names
    """What an office file's properties state: title, author and company."""
    stated = {"title": core.title, "author": getattr(core, "author", None) or getattr(core, "creator", None)}
    stated["publisher"] = _company(data)
    labels = {"title": "document properties: title", "author": "document properties: author"}
    labels["publisher"] = "document properties: company"
    return {field: (one_line(value), labels[field]) for field, value in stated.items() if value and one_line(value)}


def parse_docx(data: bytes) -> Parsed:
    """A Word document: paragraphs, headings by style, lists, tables, and foot- and endnotes at the end as ``[1] …``."""
    import docx

    document = docx.Document(io.BytesIO(data))
    out = Builder()
    notes = _Notes(document)
    for element in _content(document.element.body):
        if element.tag == f"{_W}tbl":
            _word_table(element, out, notes)
            continue
        words = notes.words(element)
        kind, level = _word_style(element, document)
        out.add("heading" if level else "item" if kind == "item" else "paragraph", words, level=level)
    for note in notes.used():
        out.add("footnote", note)
    found = _properties(document.core_properties, data)
    return out.parsed(mark_footnotes(out.text, out.blocks), found, scraped=False)


def _content(parent: Any) -> Iterator[Any]:  # noqa: ANN401 - lxml elements of python-docx's own classes
    """Paragraphs and tables in order, also inside content controls and insertions that are tracked."""
    for child in parent:
        if child.tag in (f"{_W}p", f"{_W}tbl"):
            yield child
        elif child.tag in (f"{_W}sdt", f"{_W}sdtContent", f"{_W}ins", f"{_W}customXml"):
            yield from _content(child)


def _word_style(paragraph: Any, document: Any) -> tuple[str, int]:  # noqa: ANN401
    """Whether a paragraph is an item, and its heading level or 0; styles are followed to those they build on."""
    properties = paragraph.find(f"{_W}pPr")
    outline = None if properties is None else properties.find(f"{_W}outlineLvl")
    numbered = properties is not None and properties.find(f"{_W}numPr") is not None
    if outline is not None and outline.get(f"{_W}val", "9").isdigit() and int(outline.get(f"{_W}val")) < 6:
        return "paragraph", int(outline.get(f"{_W}val")) + 1
    style = properties.find(f"{_W}pStyle") if properties is not None else None
    style_id = style.get(f"{_W}val") if style is not None else None
    named = next((s for s in document.styles if s.style_id == style_id), None) if style_id else None
    for _ in range(LONGEST_CHAIN):
        if named is None:
            break
        name = (named.name or "").lower()
        if name == "title":
            return "paragraph", 1
        if heading := _HEADING.fullmatch(name):
            return "paragraph", min(int(heading[1]), 6) or 1
        if name.startswith("list"):
            return "item", 0
        named = getattr(named, "base_style", None)
    return "item" if numbered else "paragraph", 0


class _Notes:
    """The words of paragraphs, with a number in brackets where a foot- or endnote is referred to."""

    def __init__(self, document: Any) -> None:  # noqa: ANN401
        from lxml import etree

        self._texts: dict[tuple[str, str], str] = {}
        self._numbers: dict[tuple[str, str], int] = {}
        self._veil = WordVeil(document)
        parser = etree.XMLParser(resolve_entities=False, no_network=True)
        for relation in document.part.rels.values():
            kind = relation.reltype.rsplit("/", 1)[-1]
            if kind in ("footnotes", "endnotes") and not relation.is_external:
                for note in etree.fromstring(relation.target_part.blob, parser):
                    if note.get(f"{_W}type") is None:
                        paragraphs = (self.words(p) for p in note.iter(f"{_W}p"))
                        self._texts[kind[:-1], note.get(f"{_W}id", "")] = " ".join(filter(None, paragraphs))

    def words(self, element: Any) -> str:  # noqa: ANN401
        """The visible words of an element; what tracked changes deleted is not among them."""
        parts: list[str] = []
        for node in element.iter():
            tag = node.tag[len(_W) :] if isinstance(node.tag, str) and node.tag.startswith(_W) else ""
            if tag == "t":
                parts.append(veiled(node.text or "", self._veil.why(node)))
            elif tag == "tab" and node.getparent().tag == f"{_W}r":
                parts.append("\t")
            elif tag in ("br", "cr"):
                parts.append("\n")
            elif tag == "noBreakHyphen":
                parts.append("-")
            elif tag in ("footnoteReference", "endnoteReference"):
                key = (tag[: -len("Reference")], node.get(f"{_W}id", ""))
                parts.append(f"[{self._numbers.setdefault(key, len(self._numbers) + 1)}]")
        return "".join(parts).strip()

    def used(self) -> list[str]:
        """The notes that the text refers to, in the order of their numbers."""
        return [f"[{number}] {self._texts[key]}" for key, number in self._numbers.items() if self._texts.get(key)]


def _word_table(table: Any, out: Builder, notes: _Notes) -> None:  # noqa: ANN401
    """Add a table; a cell merged downwards is repeated, so that each row can be read alone."""
    grid: Grid = []
    heads = 0
    for row in table.iter(f"{_W}tr"):
        if next(row.iterancestors(f"{_W}tbl")) is not table:
            continue  # a table inside a cell: its words are part of the cell's
        line: list[str] = []
        for cell in row.iter(f"{_W}tc"):
            if next(cell.iterancestors(f"{_W}tr")) is not row:
                continue
            properties = cell.find(f"{_W}tcPr")
            span = None if properties is None else properties.find(f"{_W}gridSpan")
            down = None if properties is None else properties.find(f"{_W}vMerge")
            goes_on = down is not None and down.get(f"{_W}val", "continue") == "continue"
            above = grid[-1][len(line)] if goes_on and grid and len(line) < len(grid[-1]) else ""
            text = " ".join(filter(None, (notes.words(p) for p in cell.iter(f"{_W}p"))))
            line.append(text or above)
            wide = int(span.get(f"{_W}val", "1")) if span is not None else 1
            line += [MERGED] * (min(wide, 100) - 1)
        header = row.find(f"{_W}trPr/{_W}tblHeader")
        heads += header is not None and heads == len(grid) and header.get(f"{_W}val") not in ("0", "false")
        grid.append(line)
    add_table(out, grid, headers=heads or None)


def parse_pptx(data: bytes) -> Parsed:
    """A presentation: a slide is a page, its title a heading; text, tables, figures of charts, and speaker notes."""
    import pptx

    presentation = pptx.Presentation(io.BytesIO(data))
    out = Builder()
    for page, slide in enumerate(presentation.slides, start=1):
        _slide(slide, page, out)
    found = _properties(presentation.core_properties, data)
    return out.parsed(mark_footnotes(out.text, out.blocks), found, scraped=False)


def _slide(slide: Slide, page: int, out: Builder) -> None:
    title = slide.shapes.title
    whole = slide_veil(slide)
    if title is not None and title.has_text_frame:
        words = veiled(title.text_frame.text.replace("\v", " "), whole or shape_veil(title))
        out.add("heading", words, level=1 if page == 1 else 2, page=page)
    for shape in _shapes(slide.shapes):
        if title is not None and shape.shape_id == title.shape_id:
            continue
        if shape.has_text_frame:
            paragraphs = [p for p in shape.text_frame.paragraphs if p.text.strip()]
            for one in paragraphs:
                words = veiled(one.text, whole or shape_veil(shape) or run_veil(one, shape, slide))
                out.add("item" if len(paragraphs) > 1 else "paragraph", words, page=page)
        elif getattr(shape, "has_table", False):
            grid = [
                [
                    MERGED
                    if cell.is_spanned and n and row.cells[n - 1]._tc.gridSpan > 1
                    else veiled(cell.text, whole or shape_veil(shape))
                    for n, cell in enumerate(row.cells)
                ]
                for row in shape.table.rows
            ]
            add_table(out, grid, page=page)
        elif getattr(shape, "has_chart", False):
            _chart(shape.chart, page, out)
    if slide.has_notes_slide and (frame := slide.notes_slide.notes_text_frame) is not None:
        for words in frame.text.split("\n"):
            out.add("paragraph", veiled(words, whole), page=page)


def _shapes(shapes: Any) -> Iterator[BaseShape]:  # noqa: ANN401 - shape trees and groups
    """Shapes in reading order of the file, those inside groups too."""
    for shape in shapes:
        if hasattr(shape, "shapes"):
            yield from _shapes(shape.shapes)
        else:
            yield shape


def _chart(chart: Any, page: int, out: Builder) -> None:  # noqa: ANN401
    """Add a chart's figures as a table: categories down, series across."""
    if chart.has_title and chart.chart_title.has_text_frame:
        out.add("heading", chart.chart_title.text_frame.text, level=4, page=page)
    for plot in chart.plots:
        series = list(plot.series)
        grid = [["", *(one.name for one in series)]]
        for number, category in enumerate(plot.categories):
            grid.append([str(category), *(displayed(one.values[number], "General") for one in series)])
        add_table(out, grid, headers=1, page=page)


def parse_xlsx(data: bytes) -> Parsed:
    """A workbook: each visible sheet a heading, each row readable alone, numbers as they are displayed."""
    import openpyxl

    book = openpyxl.load_workbook(io.BytesIO(data), data_only=True)
    out = Builder()
    for sheet in book.worksheets:
        if sheet.sheet_state != "visible":
            continue
        grid = _sheet_grid(sheet)
        if grid and not _GENERIC_SHEET.fullmatch(sheet.title.strip()):
            out.add("heading", sheet.title, level=2)
        add_sheet(out, grid, level=3)
    return out.parsed(out.blocks, _properties(book.properties, data), scraped=False)


def _sheet_grid(sheet: Any) -> Grid:  # noqa: ANN401
    """The cells of a sheet that hold something, and no others: a sheet may claim a million empty rows."""
    # The public iterators make a cell for every place up to the last row and column.
    veil = SheetVeil(sheet)
    cells = {
        place: veiled(displayed(cell.value, cell.number_format), veil.why(cell))
        for place, cell in sheet._cells.items()
        if cell.value is not None
    }
    most = _MOST_MERGED
    for area in sheet.merged_cells.ranges:
        words = cells.get((area.min_row, area.min_col))
        if words and most > 0:
            most -= min(area.max_row - area.min_row + 1, 1000) * min(area.max_col - area.min_col + 1, 100)
            for row in range(area.min_row, min(area.max_row, area.min_row + 1000) + 1):
                cells[row, area.min_col] = words
                cells |= {(row, c): MERGED for c in range(area.min_col + 1, min(area.max_col, area.min_col + 100) + 1)}
    columns = {column: n for n, column in enumerate(sorted({column for _, column in cells}))}
    grid: Grid = []
    last = 0
    rows: dict[int, dict[int, str]] = {}
    for (row, column), words in cells.items():
        rows.setdefault(row, {})[columns[column]] = words
    for row in sorted(rows):
        if grid and row > last + 1:
            grid.append([""] * len(columns))
        grid.append([rows[row].get(n, "") for n in range(len(columns))])
        last = row
    return grid
