"""Make the binary documents of the corpus from `corpus/source/`; a rerun gives identical bytes.

``python corpus/make.py`` writes them. Sources are a small part of Markdown: headings, paragraphs of one line, ``- ``
items, ``| a | b |`` tables whose first row is the header, and ``> `` for a speaker's notes. Every date inside the files
is fixed, and nothing in them is compressed, so that the bytes do not hang on the clock or on a version of zlib.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Literal, NamedTuple

import docx
import openpyxl
import pptx
from docx.enum.style import WD_STYLE_TYPE
from openpyxl.styles import Font
from pptx.util import Cm, Pt
from reportlab.lib import colors
from reportlab.lib.pagesizes import A5
from reportlab.lib.styles import ParagraphStyle, getSampleStyleSheet
from reportlab.lib.units import mm
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, ListFlowable, Paragraph, SimpleDocTemplate, Spacer, Table

HERE = Path(__file__).parent
AUTHOR = "Merrowdale Foundation (invented for this corpus)"
ZIP_TIME = (2020, 1, 1, 0, 0, 0)


class Part(NamedTuple):
    """A heading, paragraph, item, note (one text) or table (rows of cells) of a source."""

    kind: Literal["heading", "paragraph", "item", "note", "table"]
    text: str = ""
    level: int = 0
    rows: tuple[tuple[str, ...], ...] = ()


def parse(source: str) -> list[Part]:
    """The parts of a source, in order."""
    parts: list[Part] = []
    for line in source.splitlines():
        if heading := re.match(r"(#+) (.+)", line):
            parts.append(Part("heading", heading[2], level=len(heading[1])))
        elif line.startswith("|"):
            row = tuple(cell.strip() for cell in line.strip().strip("|").split("|"))
            if parts[-1].kind == "table":
                parts[-1] = parts[-1]._replace(rows=(*parts[-1].rows, row))
            else:
                parts.append(Part("table", rows=(row,)))
        elif line.startswith("- "):
            parts.append(Part("item", line[2:]))
        elif line.startswith("> "):
            parts.append(Part("note", line[2:]))
        elif line.strip():
            parts.append(Part("paragraph", line))
    return parts


def to_docx(parts: list[Part], made: datetime) -> bytes:
    """A Word file with headings, bulleted lists and ruled tables, and the notice in the page header."""
    document = docx.Document()
    for style in [style for style in document.styles if style.type == WD_STYLE_TYPE.TABLE]:
        if style.name not in ("Normal Table", "Table Grid"):
            style.delete()  # the template's 97 others would be most of an uncompressed file
    for key, relation in list(document.part.rels.items()):
        if relation.reltype.endswith("stylesWithEffects"):  # the same styles once more, for Word 2010
            del document.part.rels[key]
    document.sections[0].header.paragraphs[0].text = AUTHOR
    for part in parts:
        if part.kind == "heading":
            document.add_heading(part.text, level=part.level)
        elif part.kind == "item":
            document.add_paragraph(part.text, style="List Bullet")
        elif part.kind == "table":
            table = document.add_table(rows=0, cols=len(part.rows[0]), style="Table Grid")
            for row in part.rows:
                for cell, value in zip(table.add_row().cells, row, strict=True):
                    cell.text = value
        else:
            document.add_paragraph(part.text)
    properties = document.core_properties
    properties.author, properties.title = AUTHOR, parts[0].text
    properties.created = properties.modified = made
    file = io.BytesIO()
    document.save(file)
    return _repacked(file.getvalue(), made)


def to_pptx(parts: list[Part], made: datetime) -> bytes:
    """Slides: one a heading, with its table above its text, and the notes as speaker's notes."""
    deck = pptx.Presentation()
    slides: list[list[Part]] = []
    for part in parts:
        if part.kind == "heading":
            slides.append([])
        slides[-1].append(part)
    for number, content in enumerate(slides):
        slide = deck.slides.add_slide(deck.slide_layouts[0 if number == 0 else 5])
        slide.shapes.title.text = content[0].text
        lines = [part.text for part in content if part.kind in ("paragraph", "item")]
        top: int = Cm(4.2)
        for part in content:
            if part.kind == "table":
                size = (len(part.rows), len(part.rows[0]))
                table = slide.shapes.add_table(*size, Cm(1.5), top, Cm(22), Cm(1.1) * size[0]).table
                for y, row in enumerate(part.rows):
                    for x, value in enumerate(row):
                        table.cell(y, x).text = value
                top += Cm(1.1) * size[0] + Cm(1)
            elif part.kind == "note":
                slide.notes_slide.notes_text_frame.text = part.text
        if number == 0:
            slide.placeholders[1].text = "\n".join(lines)
        elif lines:
            frame = slide.shapes.add_textbox(Cm(1.5), top, Cm(22), Cm(6)).text_frame
            frame.word_wrap = True
            for position, line in enumerate(lines):
                paragraph = frame.paragraphs[0] if position == 0 else frame.add_paragraph()
                paragraph.text = line
                paragraph.font.size = Pt(18)
    properties = deck.core_properties
    properties.author, properties.title = AUTHOR, parts[0].text
    properties.created = properties.modified = made
    file = io.BytesIO()
    deck.save(file)
    return _repacked(file.getvalue(), made)


def to_xlsx(parts: list[Part], made: datetime) -> bytes:
    """A workbook: a sheet for each second-level heading; a paragraph before a table is a title row above its header."""
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for part in parts:
        if part.kind == "heading" and part.level == 2:
            sheet, first = book.create_sheet(part.text), 1
        elif part.kind == "paragraph":
            sheet.cell(first, 1, part.text)
            first += 2
        elif part.kind == "table":
            for y, row in enumerate(part.rows, start=first):
                for x, value in enumerate(row, start=1):
                    cell = sheet.cell(y, x, _typed(value))
                    if isinstance(cell.value, int):
                        cell.number_format = "#,##0"
                    if y == first:
                        cell.font = Font(bold=True)
    book.properties.creator, book.properties.title = AUTHOR, parts[0].text
    book.properties.created = made.replace(tzinfo=None)
    file = io.BytesIO()
    book.save(file)
    return _repacked(file.getvalue(), made)


def to_pdf(parts: list[Part], made: datetime) -> bytes:
    """A PDF of small pages with a running header and page numbers, in the standard fonts (Western letters only)."""
    styles = getSampleStyleSheet()
    title = parts[0].text
    story: list[Flowable] = []
    for part in parts:
        text = re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", part.text.replace("&", "&amp;"))
        text.encode("cp1252")
        if part.kind == "heading":
            story.append(Paragraph(text, styles["Title" if part.level == 1 else "Heading2"]))
        elif part.kind == "item":
            story.append(ListFlowable([Paragraph(text, styles["Normal"])], bulletType="bullet"))
        elif part.kind == "table":
            story += [_ruled(part.rows, A5[0] - 36 * mm), Spacer(1, 4 * mm)]
        else:
            story += [Paragraph(text, styles["Normal"]), Spacer(1, 2 * mm)]

    def running(canvas: Canvas, layout: SimpleDocTemplate) -> None:
        canvas.setFont("Helvetica", 7)
        canvas.drawString(18 * mm, A5[1] - 10 * mm, f"{AUTHOR} - {title}")
        canvas.drawCentredString(A5[0] / 2, 8 * mm, f"Page {layout.page}")

    file = io.BytesIO()
    SimpleDocTemplate(
        file,
        pagesize=A5,
        leftMargin=18 * mm,
        rightMargin=18 * mm,
        topMargin=16 * mm,
        bottomMargin=16 * mm,
        title=title,
        author=AUTHOR,
        invariant=1,
        pageCompression=0,
    ).build(story, onFirstPage=running, onLaterPages=running)
    # Invariant mode fixes the dates to the year 2000; the day of the report is as constant, and true to the document.
    return file.getvalue().replace(b"D:20000101000000+00'00'", made.strftime("D:%Y%m%d%H%M%S+00'00'").encode())


def _ruled(rows: tuple[tuple[str, ...], ...], width: float) -> Table:
    """A PDF table in which only the last column wraps."""
    style = ParagraphStyle("cell", fontName="Helvetica", fontSize=7.5, leading=9)
    natural = [
        max(stringWidth(row[x], style.fontName, style.fontSize) for row in rows) + 13 for x in range(len(rows[0]) - 1)
    ]
    cells = [[Paragraph(cell.replace("&", "&amp;"), style) for cell in row] for row in rows]
    table = Table(cells, colWidths=[*natural, width - sum(natural)], repeatRows=1)
    table.setStyle([("GRID", (0, 0), (-1, -1), 0.4, colors.grey), ("VALIGN", (0, 0), (-1, -1), "TOP")])
    return table


def _typed(value: str) -> str | int | date:
    if re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        return date.fromisoformat(value)
    return int(value) if value.isdecimal() else value


def _repacked(archive: bytes, made: datetime) -> bytes:
    """The same zip archive, stored, with one fixed time for its members and the given one as date of change."""
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "docProps/core.xml":  # openpyxl writes the time of saving, whatever its properties say
                stamp = made.strftime("%Y-%m-%dT%H:%M:%SZ").encode()
                data = re.sub(rb"(<dcterms:modified[^>]*>)[^<]*", rb"\g<1>" + stamp, data)
            new.writestr(zipfile.ZipInfo(name, ZIP_TIME), data)
    return packed.getvalue()


MADE: dict[str, tuple[Callable[[list[Part], datetime], bytes], str, datetime]] = {
    "reports/annual-report-2020.pdf": (to_pdf, "annual-report-2020.md", datetime(2021, 4, 8, 9, tzinfo=UTC)),
    "reports/annual-report-2022.docx": (to_docx, "annual-report-2022.md", datetime(2023, 3, 31, 9, tzinfo=UTC)),
    "reports/grants-2022.xlsx": (to_xlsx, "grants-2022.md", datetime(2023, 1, 31, 9, tzinfo=UTC)),
    "reports/annual-report-2023.pptx": (to_pptx, "annual-report-2023.md", datetime(2024, 4, 5, 9, tzinfo=UTC)),
    "reports/otchet-2023.docx": (to_docx, "otchet-2023.md", datetime(2024, 5, 24, 9, tzinfo=UTC)),
    "reports/annual-report-2024.pdf": (to_pdf, "annual-report-2024.md", datetime(2025, 4, 10, 9, tzinfo=UTC)),
}
"""For each document: how it is made, from which source, and the day that it gives for itself."""


def build() -> dict[str, bytes]:
    """The bytes of every binary document, by its path under `corpus/documents/`."""
    return {
        path: make(parse((HERE / "source" / source).read_text(encoding="utf-8")), made)
        for path, (make, source, made) in MADE.items()
    }


if __name__ == "__main__":
    for name, data in build().items():
        (HERE / "documents" / name).write_bytes(data)
