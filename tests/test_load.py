"""Files of every format to documents: true offsets, readable rows, and one clear line for what cannot be read."""

import datetime as dt
import hashlib
import io
import os
import random
import re
import textwrap
import unicodedata
import zipfile
from itertools import pairwise
from pathlib import Path

import docx
import openpyxl
import pptx
import pypdfium2
import pytest
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl.styles import Font
from PIL import Image
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Inches
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.pdfgen import canvas
from reportlab.platypus import Paragraph, SimpleDocTemplate, Table, TableStyle

from index import pdf
from index.build import normalise
from index.errors import DocumentError
from index.load import MAX_BYTES, SUFFIXES, load, load_bytes, read
from index.models import Document
from index.pdf_page import PAGE_BREAK, _normal, _Writer
from index.pdf_table import Fragment, Line
from index.tables import displayed, is_value

PROSE = (
    "The Kestrel Fund is invented for these tests. In 2021 it gave twelve grants, and the largest, of $250,000, went "
    "to the Harbour Light Institute for trainings on human rights in six regions of the country."
)
ROWS = [
    ["Grantee", "Amount", "Purpose"],
    ["Harbour Light", "$250,000", "trainings"],
    ["Wings of Dawn", "$24,000", "a film"],
]


def blocks(document: Document, kind: str) -> list[str]:
    return [document.text[b.start : b.end] for b in document.blocks if b.kind == kind]


def cells(document: Document) -> list[list[tuple[str, str]]]:
    return [[(c.header, document.text[c.start : c.end]) for c in b.cells] for b in document.blocks if b.kind == "row"]


def check(document: Document) -> None:
    """What always holds: one normal form, blocks that cover every word, cells inside their rows."""
    text = document.text
    assert unicodedata.is_normalized("NFC", text)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\ufeff]", text)
    assert document.id == hashlib.sha256(text.encode()).hexdigest()[:16]
    edges = [0, *(edge for b in document.blocks for edge in (b.start, b.end)), len(text)]
    assert edges == sorted(edges)
    assert not "".join(text[a:b] for a, b in zip(edges[::2], edges[1::2], strict=True)).strip()
    for block in document.blocks:
        assert text[block.start : block.end] == text[block.start : block.end].strip()
        inner = [block.start, *(edge for c in block.cells for edge in (c.start, c.end)), block.end]
        assert inner == sorted(inner)


def outcome(data: bytes, name: str) -> str:
    """Whether a file was read or refused; anything else that it raises is an error of the test that asks."""
    try:
        document = load_bytes(data, name)
    except DocumentError as error:
        return "refused" if "\n" not in str(error) else "refused in more than one line"
    check(document)
    return "read"


def saved(thing: object) -> bytes:
    out = io.BytesIO()
    thing.save(out)
    return out.getvalue()


def a_docx() -> bytes:
    document = docx.Document()
    document.core_properties.title = "Report of the Kestrel Fund"
    document.add_heading("Grants of 2021", 0)
    document.add_paragraph(PROSE)
    document.add_heading("Table", 1)
    table = document.add_table(rows=0, cols=3)
    for row in ROWS:
        for cell, words in zip(table.add_row().cells, row, strict=True):
            cell.text = words
    document.add_heading("After the table", 2)
    document.add_paragraph("first", style="List Bullet")
    document.add_paragraph("second", style="List Bullet")
    return saved(document)


def a_pptx() -> bytes:
    deck = pptx.Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[1])
    slide.shapes.title.text = "Grants of 2021"
    slide.placeholders[1].text = "Twelve grants were made.\nThe largest was $250,000."
    slide = deck.slides.add_slide(deck.slide_layouts[5])
    slide.shapes.title.text = "Table"
    table = slide.shapes.add_table(3, 3, Inches(1), Inches(2), Inches(6), Inches(2)).table
    for y, row in enumerate(ROWS):
        for x, words in enumerate(row):
            table.cell(y, x).text = words
    slide.notes_slide.notes_text_frame.text = "Said aloud: the film came late."
    return saved(deck)


def an_xlsx() -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Grants"
    sheet.append(["Grantee", "Amount", "Share", "Paid on", "Paid"])
    sheet.append(["Harbour Light", 1250000, 0.125, dt.date(2021, 4, 14), True])
    sheet.append(["Wings of Dawn", -3, 0.5, dt.datetime(2021, 5, 1, 9, 30), False])
    sheet["B2"].number_format = sheet["B3"].number_format = '"$"#,##0;("$"#,##0)'
    sheet["C2"].number_format, sheet["C3"].number_format = "0.0%", "0%"
    return saved(book)


def a_pdf(path: Path, *, encrypt: str | None = None) -> bytes:
    style = getSampleStyleSheet()

    def edge(page: canvas.Canvas, document: SimpleDocTemplate) -> None:
        page.setFont("Helvetica", 8)
        page.drawString(72, 800, "Kestrel Fund (invented), Annual report")
        page.drawRightString(520, 30, f"Page {document.page} of 2")

    wrapped = Paragraph("a network of instructors who speak two languages and travel", style["BodyText"])
    table = Table([*ROWS[:2], ["Wings of Dawn", "$24,000", wrapped], ["Total", "", "none"]], colWidths=[140, 70, 140])
    table.setStyle(TableStyle([("GRID", (0, 0), (-1, -1), 0.5, colors.black)]))
    story = [Paragraph("Grants of 2021", style["Title"]), Paragraph("Human rights", style["Heading2"])]
    story += [Paragraph(PROSE + " " + PROSE, style["BodyText"]) for _ in range(2)]
    story += [table, Paragraph("More", style["Heading2"])]
    story += [Paragraph(f"{n}. {PROSE} {PROSE}", style["BodyText"]) for n in "abcdefghijk"]
    template = SimpleDocTemplate(str(path), pagesize=A4, title="Annual report", author="Kestrel Fund", encrypt=encrypt)
    template.build(story, onFirstPage=edge, onLaterPages=edge)
    return path.read_bytes()


HTML = f"""<!doctype html><html lang="en"><head><title>Grants | Kestrel</title>
<meta property="og:site_name" content="Kestrel Fund (invented)">
<meta property="article:published_time" content="2022-02-11T10:00Z">
</head><body><nav><ul><li><a href="/">Home</a></li><li><a href="/about">About us</a></li></ul></nav>
<main><article><h1>Grants of 2021</h1><p>{PROSE}</p><h2>List</h2><ul><li>first item</li><li>second item</li></ul>
<p>The area was 5 m<sup>2</sup> and the sum $274,000.<sup>1</sup></p>
<table><caption>All grants</caption><tr><th rowspan="2">Grantee</th><th colspan="2">Grant</th></tr>
<tr><th>Amount</th><th>Year</th></tr>
<tr><td rowspan="2">Harbour Light</td><td>$200,000</td><td>2020</td></tr><tr><td>$250,000</td><td>2021</td></tr></table>
<p><sup>1</sup> At the rate of December.</p></article></main>
<footer>Copyright 2023. Subscribe to our newsletter</footer></body></html>"""

CSV = 'Grantee;Amount;Remark\nHarbour Light;250,000;"two\nlines; one cell"\nWings of Dawn;24,000;\n'

MARKDOWN = """---
title: "Grants of 2021"
publisher: Kestrel Fund (invented)
published: 2022-02-11
language: en
---
# Grants of *2021*

The **largest** grant[^1] went to [Harbour Light](https://example.org/a),
as its `report` says.

3. third
4. fourth

| Grantee | Amount |
|---|---:|
| Harbour Light | $250,000 |

[^1]: It is $250,000.
[^2]: Not used.
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """One small file of each format."""
    return {
        "a.txt": f"Grants of 2021\n\n{PROSE}\n\n- first\n- second\n".encode(),
        "a.md": MARKDOWN.encode(),
        "a.html": HTML.encode(),
        "a.csv": CSV.encode(),
        "a.docx": a_docx(),
        "a.pptx": a_pptx(),
        "a.xlsx": an_xlsx(),
        "a.pdf": a_pdf(tmp_path_factory.mktemp("pdf") / "a.pdf"),
    }


def test_every_format_keeps_the_rules_and_finds_the_grant(files):
    assert {"." + name.split(".")[1] for name in files} <= SUFFIXES
    for name, data in files.items():
        document = load_bytes(data, f"reports/{name}")
        check(document)
        assert document.source == f"reports/{name}"
        assert document.sha256 == hashlib.sha256(data).hexdigest()
        assert "250,000" in document.text, name
        assert load_bytes(data, f"reports/{name}") == document


def test_load_reads_a_file_from_disk(tmp_path, files):
    path = tmp_path / "a.md"
    path.write_bytes(files["a.md"])
    document, data = load(path, "docs/a.md")
    assert (document, data) == (load_bytes(files["a.md"], "docs/a.md"), files["a.md"])


# Plain text


def test_a_paragraph_a_line_where_there_are_no_blank_lines():
    lines = [f"{PROSE} Number {n} of the paragraphs says no more than this." for n in range(6)]
    assert blocks(load_bytes("\n".join(lines).encode(), "a.txt"), "paragraph") == lines


def test_wrapped_lines_are_one_paragraph_with_their_line_breaks():
    one, two = (textwrap.fill(f"{PROSE} {words} {words.upper()}", 72) for words in ("It was so.", "Or was it not?"))
    document = load_bytes(f"Versatile approach\n\n{one}\n\n{two}".encode(), "a.txt")
    assert blocks(document, "heading") == ["Versatile approach"]
    assert blocks(document, "paragraph") == [one, two]


def test_wrapped_paragraphs_without_blank_lines_end_at_a_short_line():
    one = textwrap.fill(
        "It was decided in March that the money would be paid in two parts, the first at once, the second later.", 60
    )
    two = textwrap.fill(
        "The second part was not paid in the end, because no report came in before the board met again that year.", 60
    )
    assert blocks(load_bytes(f"{one}\n{two}".encode(), "a.txt"), "paragraph") == [one, two]


def test_headings_stand_alone_above_text_and_lists_are_none():
    names = "Acme House\n\nBeta Trust\n\nGamma Club"
    text = f"ANNUAL REPORT\n\n{PROSE}\n\nMoney\n\n{PROSE} More.\n\nGrantees\n\n{names}\n\n{PROSE} End.\n\nViews: 12"
    document = load_bytes(text.encode(), "a.pdf.txt")
    assert blocks(document, "heading") == ["ANNUAL REPORT", "Money"]
    assert [b.level for b in document.blocks if b.kind == "heading"] == [1, 2]


def test_numbered_and_underlined_headings():
    text = f"Report\n======\n\n2. Money\n\n{PROSE}\n\n2.1 Sums\n\n{PROSE} More.\n\n1. one item\n2. two items\n"
    document = load_bytes(text.encode(), "a.txt")
    assert [(document.text[b.start : b.end], b.level) for b in document.blocks if b.kind == "heading"] == [
        ("Report", 1),
        ("2. Money", 2),
        ("2.1 Sums", 3),
    ]
    assert blocks(document, "item") == ["1. one item", "2. two items"]


def test_footnotes_are_told_from_list_items():
    notes = ["* The fund is banned.", "** So is the institute.", "[1] The report."]
    text = "\n\n".join(["The Institute (IRI)** got it, see [1].", PROSE, *notes])
    document = load_bytes(text.encode(), "a.txt")
    assert blocks(document, "footnote") == notes
    assert "(IRI)**" in document.text
    items = load_bytes(f"{PROSE}\n\n* one\n* two\n".encode(), "a.txt")
    assert (blocks(items, "item"), blocks(items, "footnote")) == (["* one", "* two"], [])


def test_aligned_columns_are_rows_with_headers():
    table = "Grantee          Amount    Year\nHarbour Light    $250,000  2021\nWings of Dawn    $24,000   2022\n"
    document = load_bytes(f"{PROSE}\n\n{table}".encode(), "a.txt")
    assert cells(document)[1] == [("Grantee", "Harbour Light"), ("Amount", "$250,000"), ("Year", "2021")]


@pytest.mark.parametrize(
    "text",
    [
        "Фонд выдал гранты. Ёлка стоит.\n\nСумма: 5 млн руб.",
        "Қор грант берді.\n\nЖаңа жоба басталды.",
        "هذا هو السطر الأول.\n\nهل هذا سؤال؟",
        "基金会发放了赠款。\n\n谁收到了？",
        "We won 🎉🎉.\n\nThe 👩‍👩‍👧 family came.",
        "e\u0301te\u0301 and \u1112\u1161\u11ab",
    ],
)
def test_every_script_keeps_its_words(text):
    document = load_bytes(text.encode(), "a.txt")
    check(document)
    assert document.text == unicodedata.normalize("NFC", text)


def test_text_is_normalised_once():
    document = load_bytes("\ufeffOne\r\ntwo\x00\x07 e\u0301 soft\u00adhyphen\rthree\u2028four".encode(), "a.txt")
    assert document.text == "One\ntwo é softhyphen\nthree\nfour"


@given(st.text())
def test_normalising_twice_changes_nothing(text):
    once = normalise(text)
    assert normalise(once) == once
    assert unicodedata.is_normalized("NFC", once)


@settings(max_examples=150)
@given(
    st.lists(
        st.one_of(
            st.text(max_size=80),
            st.sampled_from(
                [
                    "\n",
                    "\n\n",
                    "* note",
                    "| a | b |\n|---|---|\n",
                    "<p>",
                    "<table><tr><td>",
                    "[1] x",
                    "a\tb\tc\n",
                    PROSE,
                ]
            ),
        ),
        max_size=12,
    ).map("\n".join),
    st.sampled_from(["a.txt", "a.md", "a.html", "a.csv"]),
)
def test_any_text_becomes_a_document_or_a_document_error(text, name):
    assert outcome(text.encode("utf-8", "replace"), name) in ("read", "refused")


# Encodings


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32", "cp1251", "koi8-r"])
def test_encodings_are_found(encoding):
    text = "Фонд выдал гранты в 2021 году. Общая сумма составила около 1,3 миллиона долларов."
    assert load_bytes(text.encode(encoding), "a.txt").text == text


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1252", "The fund gave €250,000 to the café and said “yes” – no more."),
        ("cp1254", "Vakıf 2021 yılında bağış yaptı. En büyük bağışı şu kuruluş aldı: İşçi Güneş."),
        ("cp1250", "Fundacja przyznała w 2021 roku dotacje w wysokości miliona złotych. Najwięcej ze Śląska, źródła."),
        ("gb18030", "教育基金会在2021年发放了赠款。总额约为一百三十万美元。"),
    ],
)
def test_old_encodings_are_no_mojibake(encoding, text):
    assert load_bytes(text.encode(encoding), "a.txt").text == text


def test_an_html_page_is_read_in_the_encoding_that_it_declares():
    page = f'<html><head><meta charset="windows-1251"></head><body><p>Фонд выдал грант. {PROSE}</p></body></html>'
    assert "Фонд выдал грант" in load_bytes(page.encode("cp1251"), "a.html").text


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("Hello wörld. ".encode() * 30 + b"\xff" + "wörld".encode(), "damaged at byte 420"),
        (bytes(range(33, 256)) * 3, "cannot be told|binary"),
        ("Привет".encode("utf-16")[:-1], "damaged"),
        (b"abc\x01\x02\x03" * 50, "binary"),
        (b"abc\x00def" * 50, "binary"),
    ],
)
def test_bytes_that_are_no_text_are_refused(data, words):
    with pytest.raises(DocumentError, match=words):
        load_bytes(data, "a.txt")


# Markdown, CSV and HTML


def test_markdown_reads_as_rendered(files):
    document = load_bytes(files["a.md"], "a.md")
    assert blocks(document, "heading") == ["Grants of 2021"]
    assert blocks(document, "paragraph") == ["The largest grant[^1] went to Harbour Light, as its report says."]
    assert blocks(document, "item") == ["3. third", "4. fourth"]
    assert blocks(document, "row") == ["Grantee: Harbour Light; Amount: $250,000."]
    assert blocks(document, "footnote") == ["[^1]: It is $250,000.", "[^2]: Not used."]
    assert document.media_type == "text/markdown"


def test_csv_rows_carry_their_headers(files):
    document = load_bytes(files["a.csv"], "a.csv")
    assert document.text.split("\n") == [
        "Grantee: Harbour Light; Amount: 250,000; Remark: two lines; one cell.",
        "Grantee: Wings of Dawn; Amount: 24,000.",
    ]
    assert cells(document)[0][2] == ("Remark", "two lines; one cell")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_csv_delimiters(delimiter):
    rows = [["Name", "Sum, in dollars", "Year"], ["Acme", "1,5", "2021"], ["Beta", "2,5", "2022"]]
    data = "\n".join(delimiter.join(f'"{cell}"' if delimiter in cell else cell for cell in row) for row in rows)
    document = load_bytes(data.encode(), "a.csv")
    assert cells(document)[1] == [("Name", "Beta"), ("Sum, in dollars", "2,5"), ("Year", "2022")]


def test_tables_without_a_usable_header():
    bare = load_bytes(b"Acme,250,2021\nBeta,300,2022\n", "a.csv")
    assert bare.text == "Acme; 250; 2021.\nBeta; 300; 2022."
    pairs = load_bytes(b"Name:,Acme\nSum:,250\n", "a.csv")
    assert pairs.text == "Name: Acme.\nSum: 250."
    gap = load_bytes(b"Grantee,,Year\nAcme,EUR,2021\n", "a.csv")
    assert gap.text == "Grantee: Acme; EUR; Year: 2021."


def test_captions_empty_rows_and_repeated_headers():
    data = (
        b"Grants of 2021,,\nGrantee,Amount,Year\nAcme,5,2021\n,,\nGrantee,Amount,Year\nBeta,6,2022\n,,\nGamma,7,2023\n"
    )
    document = load_bytes(data, "a.csv")
    assert blocks(document, "heading") == ["Grants of 2021"]
    assert blocks(document, "row")[1:] == [
        "Grantee: Beta; Amount: 6; Year: 2022.",
        "Grantee: Gamma; Amount: 7; Year: 2023.",
    ]


def test_html_body_without_menus_with_spans_and_notes(files):
    document = load_bytes(files["a.html"], "a.html")
    assert "About us" not in document.text
    assert "Subscribe" not in document.text
    assert blocks(document, "heading") == ["Grants of 2021", "List", "All grants"]
    assert blocks(document, "item") == ["first item", "second item"]
    assert blocks(document, "paragraph")[1] == "The area was 5 m² and the sum $274,000.¹"
    assert blocks(document, "footnote") == ["¹ At the rate of December."]
    assert cells(document) == [
        [("Grantee", "Harbour Light"), ("Grant / Amount", "$200,000"), ("Grant / Year", "2020")],
        [("Grantee", "Harbour Light"), ("Grant / Amount", "$250,000"), ("Grant / Year", "2021")],
    ]


def test_small_and_odd_web_pages():
    rows = "<tr><th>Name</th><th>Sum</th></tr><tr><td>A</td><td>$5</td></tr>"
    table = f"<html><body><h1>Sums</h1><table>{rows}</table></body></html>"
    assert load_bytes(table.encode(), "a.html").text == "Sums\n\nName: A; Sum: $5."
    assert load_bytes(b"<html><body>Bare words only</body></html>", "a.html").text == "Bare words only"
    flat = f"<html><body><h2>Head</h2><p>{PROSE}</p><h2>Foot</h2><p>{PROSE} More.</p></body></html>"
    assert blocks(load_bytes(flat.encode(), "a.html"), "heading") == ["Head", "Foot"]
    with pytest.raises(DocumentError, match="holds no text"):
        load_bytes(b"<html><body><script>let a = 1</script></body></html>", "a.html")


# Office files


def test_docx_in_document_order(files):
    document = load_bytes(files["a.docx"], "a.docx")
    assert [(b.kind, b.level) for b in document.blocks] == [
        ("heading", 1),
        ("paragraph", 0),
        ("heading", 1),
        ("row", 0),
        ("row", 0),
        ("heading", 2),
        ("item", 0),
        ("item", 0),
    ]
    assert blocks(document, "row")[0] == "Grantee: Harbour Light; Amount: $250,000; Purpose: trainings."
    assert cells(document)[1][1] == ("Amount", "$24,000")


def test_docx_merged_cells_tracked_changes_and_line_breaks():
    document = docx.Document()
    paragraph = document.add_paragraph("Kept ")
    for tag, words in (("w:ins", "added"), ("w:del", "gone")):
        change, run = OxmlElement(tag), OxmlElement("w:r")
        inner = OxmlElement("w:t" if tag == "w:ins" else "w:delText")
        inner.text = words
        run.append(inner)
        change.append(run)
        paragraph._p.append(change)
    paragraph.add_run().add_break()
    paragraph.add_run("next line")
    table = document.add_table(rows=4, cols=3)
    for y, row in enumerate(
        [["Grantee", "Grant", ""], ["", "Amount", "Year"], ["Acme", "5", "2020"], ["", "6", "2021"]]
    ):
        for x, words in enumerate(row):
            table.cell(y, x).text = words
    table.cell(0, 1).merge(table.cell(0, 2)).text = "Grant"
    table.cell(0, 0).merge(table.cell(1, 0)).text = "Grantee"
    table.cell(2, 0).merge(table.cell(3, 0)).text = "Acme"
    loaded = load_bytes(saved(document), "a.docx")
    assert loaded.text == (
        "Kept added\nnext line\n\nGrantee: Acme; Grant / Amount: 5; Grant / Year: 2020.\n"
        "Grantee: Acme; Grant / Amount: 6; Grant / Year: 2021."
    )


def test_docx_footnotes_are_numbered_and_stand_at_the_end():
    document = docx.Document()
    run = document.add_paragraph("The sum is $250,000").add_run()
    reference = OxmlElement("w:footnoteReference")
    reference.set(qn("w:id"), "7")
    run._r.append(reference)
    name = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    note = '<w:footnote w:id="7"><w:p><w:r><w:t>In cash.</w:t></w:r></w:p></w:footnote>'
    notes = f'<w:footnotes xmlns:w="{name}">{note}</w:footnotes>'
    part = docx.opc.part.Part(
        docx.opc.packuri.PackURI("/word/footnotes.xml"),
        "application/vnd.openxmlformats-officedocument.wordprocessingml.footnotes+xml",
        notes.encode(),
        document.part.package,
    )
    document.part.relate_to(part, "http://schemas.openxmlformats.org/officeDocument/2006/relationships/footnotes")
    loaded = load_bytes(saved(document), "a.docx")
    assert loaded.text == "The sum is $250,000[1]\n\n[1] In cash."
    assert loaded.blocks[-1].kind == "footnote"


def test_pptx_slides_are_pages(files):
    document = load_bytes(files["a.pptx"], "a.pptx")
    assert [(b.kind, b.page) for b in document.blocks] == [
        ("heading", 1),
        ("item", 1),
        ("item", 1),
        ("heading", 2),
        ("row", 2),
        ("row", 2),
        ("paragraph", 2),
    ]
    assert blocks(document, "row")[1] == "Grantee: Wings of Dawn; Amount: $24,000; Purpose: a film."
    assert blocks(document, "paragraph") == ["Said aloud: the film came late."]


def test_pptx_charts_and_groups_are_read():
    deck = pptx.Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[6])
    data = CategoryChartData()
    data.categories = ["2020", "2021"]
    data.add_series("Grants", (5, 7.5))
    slide.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, 0, 0, Inches(4), Inches(3), data)
    group = slide.shapes.add_group_shape()
    group.shapes.add_textbox(0, 0, Inches(1), Inches(1)).text_frame.text = "In a group"
    document = load_bytes(saved(deck), "a.pptx")
    assert blocks(document, "row") == ["2020; Grants: 5.", "2021; Grants: 7.5."]
    assert blocks(document, "paragraph") == ["In a group"]


def test_xlsx_numbers_are_as_displayed(files):
    document = load_bytes(files["a.xlsx"], "a.xlsx")
    assert blocks(document, "heading") == ["Grants"]
    assert blocks(document, "row") == [
        "Grantee: Harbour Light; Amount: $1,250,000; Share: 12.5%; Paid on: 2021-04-14; Paid: TRUE.",
        "Grantee: Wings of Dawn; Amount: ($3); Share: 50%; Paid on: 2021-05-01 09:30; Paid: FALSE.",
    ]


def test_xlsx_merged_headers_hidden_sheets_and_far_cells():
    book = openpyxl.Workbook()
    sheet = book.active
    for row in [
        ["Report of the Kestrel Fund", None, None],
        ["Grantee", "Grant", None],
        [None, "Amount", "Year"],
        ["Acme", 5, 2021],
    ]:
        sheet.append(row)
    for area in ("A1:C1", "A2:A3", "B2:C2"):
        sheet.merge_cells(area)
    sheet["A1"].font = Font(bold=True)
    sheet.cell(1_048_576, 3, "the last row of all")
    hidden = book.create_sheet("Secret")
    hidden.append(["not", "shown"])
    hidden.sheet_state = "hidden"
    document = load_bytes(saved(book), "a.xlsx")
    assert "not" not in document.text
    assert blocks(document, "heading") == ["Report of the Kestrel Fund"]
    assert blocks(document, "row")[0] == "Grantee: Acme; Grant / Amount: 5; Grant / Year: 2021."
    assert "the last row of all" in document.text


@pytest.mark.parametrize(
    ("value", "number_format", "shown"),
    [
        (1250000, "#,##0", "1,250,000"),
        (1234.5, "[$€-407] #,##0.00", "€ 1,234.50"),
        (1234567, '#,##0 "₽"', "1,234,567 ₽"),
        (-5.5, "#,##0.00_);[Red](#,##0.00)", "(5.50)"),
        (1500000, '#,##0.0,,"M"', "1.5M"),
        (0.1 + 0.2, "General", "0.3"),
        (5, "000", "005"),
        (2.5, "0", "3"),
        (44197, "mmm-yy", "44197"),
        (123, "0.00E+00", "123"),
        (1e300, "#,##0", "1e+300"),
        (dt.time(9, 5), "h:mm", "09:05"),
        (None, "General", ""),
    ],
)
def test_number_formats(value, number_format, shown):
    assert displayed(value, number_format) == shown


def test_values_are_told_from_labels():
    assert all(map(is_value, ["$250,000", "12.5 %", "2021-03-04", "€1.2m", "KZT 7,350,000", "(1,250)", "45 500 ₽"]))
    assert not any(map(is_value, ["Grants 2021", "Q1", "n/a", "March 2023", "—", ""]))


# PDF


def test_pdf_headings_paragraphs_and_running_lines(files):
    document = load_bytes(files["a.pdf"], "a.pdf")
    headings = [(document.text[b.start : b.end], b.level, b.page) for b in document.blocks if b.kind == "heading"]
    assert headings == [("Grants of 2021", 1, 1), ("Human rights", 2, 1), ("More", 2, 1)]
    first = blocks(document, "paragraph")[0]
    assert first.replace("\n", " ") == f"{PROSE} {PROSE}"
    assert "\n" in first
    leftovers = [(b.why, b.page) for b in document.blocks if b.kind == "leftover" and not b.why.startswith("repeats")]
    assert leftovers == [
        ("running header or footer", 1),
        ("page number", 1),
        ("running header or footer", 2),
        ("page number", 2),
    ]
    assert document.blocks[-1].page == 2


def test_pdf_table_rows_carry_their_headers(files):
    assert cells(load_bytes(files["a.pdf"], "a.pdf")) == [
        [("Grantee", "Harbour Light"), ("Amount", "$250,000"), ("Purpose", "trainings")],
        [
            ("Grantee", "Wings of Dawn"),
            ("Amount", "$24,000"),
            ("Purpose", "a network of instructors who speak two languages and travel"),
        ],
        [("Grantee", "Total"), ("Purpose", "none")],
    ]


def test_pdf_characters_know_where_they_came_from(files):
    document = load_bytes(files["a.pdf"], "a.pdf")
    reader = pypdfium2.PdfDocument(files["a.pdf"])
    at = 0
    with pdf.LOCK:
        for page in reader:
            text, chars = pdf.page_text(page)
            assert (text, chars) == pdf.page_text(page)
            assert document.text[at : at + len(text)] == text
            assert len(text) == len(chars)
            textpage = page.get_textpage()
            whole = textpage.get_text_range()
            for char, index in zip(text, chars, strict=True):
                assert index == -1 or whole[index] == char or (char, whole[index]) == ("\t", " ")
            textpage.close()
            at += len(text) + len(PAGE_BREAK)
    reader.close()
    assert at - len(PAGE_BREAK) == len(document.text)


def drawn(path: Path, *lines: tuple[float, float, str]) -> Document:
    page = canvas.Canvas(str(path))
    for x, y, words in lines:
        page.drawString(x, y, words)
    page.save()
    return load_bytes(path.read_bytes(), path.name)


def test_words_that_a_line_end_broke_are_whole_again(tmp_path):
    document = drawn(
        tmp_path / "a.pdf",
        (72, 700, "The fund gave money for the infor-"),
        (72, 686, "mation of all, and for the long-"),
        (72, 672, "term work; work for the long term is long."),
        (72, 658, "The term is seven years, and term is a word."),
    )
    assert "the information of all, and for the long-term work" in document.text


def test_composed_letters_keep_the_place_of_their_first_part():
    writer = _Writer("xe\u0301\x00y \u1112\u1161\u11ab")
    line = Line(0, 9, 700, 700, 10, False, (Fragment(0, 9, 72, 200, 700),))
    writer.line(line, goes_on=False)
    page = _normal(writer)
    assert (page.text, page.chars) == ("xéy 한", [0, 1, 4, 5, 6])
    assert (page.lines[0].start, page.lines[0].end) == (0, 5)


def test_options_and_other_pairs_in_columns_get_no_headers(tmp_path):
    pairs = [
        ("-c, --check", "checks the syntax only"),
        ("-o, --output", "output file"),
        ("-h, --help", "display this help"),
    ]
    lines = [(x, 700 - 14 * n, words) for n, pair in enumerate(pairs) for x, words in zip((72, 220), pair, strict=True)]
    document = drawn(tmp_path / "a.pdf", *lines)
    assert document.text.split("\n\n") == ["\t".join(pair) for pair in pairs]


def test_pdf_columns_of_prose_are_no_table(tmp_path):
    left = ["the board met in the spring and", "decided that the money should", "go to schools in the north and"]
    right = ["not to schools in the south, as", "those had been given much in", "the years before this one was"]
    lines = [(72, 700 - 14 * n, words) for n, words in enumerate(left)]
    lines += [(320, 700 - 14 * n, words) for n, words in enumerate(right)]
    document = drawn(tmp_path / "a.pdf", *lines)
    assert not cells(document)
    for words in left + right:
        assert words.split()[0] in document.text


# What cannot be read


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.txt", b"", "is empty"),
        ("a.txt", b" \n\t\n", "is empty"),
        ("a.txt", b"\xef\xbb\xbf...", "holds no text"),
        ("a.pdf", b"%PDF-1.7\n%%EOF", "damaged"),
        ("a.pdf", b"\x89PNG\r\n\x1a\n" + b"\0" * 50, "PNG picture"),
        ("a.docx", b"PK\x03\x04 and no more", "damaged"),
        ("a.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "old office format; save it as DOCX"),
        ("a.docx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"), "encrypted"),
        ("a.rtf", rb"{\rtf1 Hello}", "rich text"),
        ("a.json", b'{"a": 1}', r"\.json files are not supported"),
        ("a.xlsx", b"Just some words.", "no XLSX file"),
        ("a.gz", b"\x1f\x8b\x08\0\0\0", "gzip"),
    ],
)
def test_each_bad_file_gives_one_line_that_says_what_to_do(name, data, words):
    with pytest.raises(DocumentError, match=words) as error:
        load_bytes(data, f"docs/{name}")
    message = str(error.value)
    assert message.startswith(name)
    assert "\n" not in message
    assert ";" in message


def test_a_wrong_name_does_not_matter(files):
    for name, data in files.items():
        kind = name.split(".")[1]
        if kind in ("pdf", "docx", "pptx", "xlsx", "html"):
            assert load_bytes(data, "a.txt").text == load_bytes(data, name).text
            assert load_bytes(data, "nothing").media_type == load_bytes(data, name).media_type
    picture = io.BytesIO()
    Image.new("RGB", (8, 8)).save(picture, "PNG")
    with pytest.raises(DocumentError, match="PNG picture"):
        load_bytes(picture.getvalue(), "a.pdf")


def test_encrypted_scanned_and_empty_pdfs(tmp_path):
    with pytest.raises(DocumentError, match="encrypted; save a copy without a password"):
        load_bytes(a_pdf(tmp_path / "locked.pdf", encrypt="secret"), "locked.pdf")
    page = canvas.Canvas(str(tmp_path / "scan.pdf"))
    page.rect(10, 10, 100, 100)
    page.save()
    with pytest.raises(DocumentError, match="no text; run OCR"):
        load_bytes((tmp_path / "scan.pdf").read_bytes(), "scan.pdf")
    empty = pypdfium2.PdfDocument.new()
    empty.save(tmp_path / "empty.pdf")
    empty.close()
    with pytest.raises(DocumentError, match=r"empty\.pdf: the PDF"):
        load_bytes((tmp_path / "empty.pdf").read_bytes(), "empty.pdf")


def packed(**parts: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as package:
        for name, data in parts.items():
            package.writestr(name.replace("__", "/").replace("_xml", ".xml"), data)
    return out.getvalue()


def test_zip_bombs_and_other_archives_are_refused(monkeypatch):
    with pytest.raises(DocumentError, match="zip archive; unpack it"):
        load_bytes(packed(notes_xml=b"<a/>"), "a.zip")
    bomb = packed(word__document_xml=b"<a>" + b" " * 100 * 1024 * 1024)
    assert len(bomb) < 200_000
    with pytest.raises(DocumentError, match="unpacks to too much"):
        load_bytes(bomb, "a.docx")
    laughs = b'<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol">]><a>&lol;</a>'
    with pytest.raises(DocumentError, match="declares XML entities"):
        load_bytes(packed(xl__workbook_xml=laughs), "a.xlsx")
    # A file that lies about a part's size is caught by what comes out of it.
    lying = bytearray(packed(word__document_xml=b"<a>" + b"x" * 5000))
    directory = lying.rindex(b"PK\x01\x02")
    lying[directory + 24 : directory + 28] = (10).to_bytes(4, "little")
    with pytest.raises(DocumentError, match="damaged"):
        load_bytes(bytes(lying), "a.docx")


def test_files_that_cannot_be_opened(tmp_path):
    with pytest.raises(DocumentError, match=r"gone\.txt is not there any more"):
        read(tmp_path / "gone.txt")
    with pytest.raises(DocumentError, match="not a regular file"):
        read(tmp_path)
    os.mkfifo(tmp_path / "pipe.txt")
    with pytest.raises(DocumentError, match="not a regular file"):
        read(tmp_path / "pipe.txt")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_rights(tmp_path):
    path = tmp_path / "secret.txt"
    path.write_text("secret")
    path.chmod(0)
    with pytest.raises(DocumentError, match="may not be read"):
        read(path)


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    path = tmp_path / "large.txt"
    with path.open("wb") as file:
        file.truncate(200 * 1024 * 1024)  # sparse: it takes no room on the disk, and would be 200 MB in memory
    with pytest.raises(DocumentError, match="larger than 64 MiB; split it"):
        read(path)
    with pytest.raises(DocumentError, match="larger than 64 MiB"):
        load_bytes(bytes(MAX_BYTES + 1), "large.txt")
    with pytest.raises(DocumentError, match="more than 16,777,216 characters"):
        load_bytes(b"word " * 3_500_000, "long.txt")


def mutated(data: bytes, rng: random.Random) -> bytes:
    """A file with a hole, a lump or wrong bytes in it, or the end cut off."""
    kind, at = rng.randrange(4), rng.randrange(len(data))
    if kind == 0:
        return data[:at]
    if kind == 1:
        return data[:at] + data[at + rng.randrange(1, 200) :]
    if kind == 2:
        return data[:at] + rng.randbytes(rng.randrange(1, 50)) + data[at:]
    changed = bytearray(data)
    for _ in range(rng.choice([1, 5, 50])):
        changed[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(changed)


def mutated_inside(data: bytes, rng: random.Random) -> bytes:
    """A package that is well zipped, with one of its XML parts damaged or missing."""
    parts = zipfile.ZipFile(io.BytesIO(data))
    names = [name for name in parts.namelist() if name.endswith((".xml", ".rels"))]
    chosen = rng.choice(names)
    out = io.BytesIO()
    with parts, zipfile.ZipFile(out, "w") as package:
        for name in parts.namelist():
            part = parts.read(name)
            if name == chosen:
                kind = rng.randrange(4)
                if kind == 0:
                    continue
                if kind == 1:
                    part = mutated(part, rng)
                else:
                    found = list(re.finditer(rb'"[^"]*"' if kind == 2 else rb"<[^>]*/>", part))
                    if found:
                        spot = rng.choice(found)
                        new = rng.choice([b'"-1"', b'"99999999999"', b'"x"', b'""']) if kind == 2 else b""
                        part = part[: spot.start()] + new + part[spot.end() :]
            package.writestr(name, part)
    return out.getvalue()


@pytest.mark.parametrize("kind", ["txt", "md", "html", "csv", "docx", "pptx", "xlsx", "pdf"])
def test_a_damaged_file_is_a_document_or_a_document_error(files, kind):
    rng = random.Random(2021)  # noqa: S311 - nothing secret
    name = f"a.{kind}"
    outcomes = set()
    for number in range(60):
        inside = kind in ("docx", "pptx", "xlsx") and number % 4
        data = (mutated_inside if inside else mutated)(files[name], rng)
        outcomes.add(outcome(data, name))
    assert outcomes == {"read", "refused"}


# The scraped articles


def test_the_five_scraped_articles(seeds):
    found = {}
    for path in sorted(seeds.glob("*.txt")):
        document, _ = load(path, path.name)
        check(document)
        assert document.language == "en"
        found[path.name[:3]] = document
    assert "(IRI)**" in blocks(found["002"], "paragraph")[4]
    assert blocks(found["002"], "heading") == ["Versatile approach", "Suspicious coincidence"]
    assert len(blocks(found["002"], "footnote")) == 3
    assert [b.kind for b in found["001"].blocks].count("paragraph") == 24
    assert all(a.end <= b.start for d in found.values() for a, b in pairwise(d.blocks))
