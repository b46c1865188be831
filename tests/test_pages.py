"""A page of a PDF as an image: the marker lies on the very words, and no other page is read for it."""

import io

import numpy as np
import pypdfium2
import pytest
from PIL import Image
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.platypus import PageBreak, Paragraph, SimpleDocTemplate

from index.apart import Apart, Limits
from index.errors import DamagedError
from index.load import load_bytes
from index.pdf import page_text
from ui import drawing, pages
from ui.drawing import page_png
from ui.pages import draw_page
from ui.problems import NotFoundError

WIDTH, HEIGHT = 300, 200  # in points: a page holds a few lines, so that paragraphs go on overleaf


def made(*parts):
    """A PDF of paragraphs; an empty one begins a new page."""
    style, out = getSampleStyleSheet()["Normal"], io.BytesIO()
    story = [Paragraph(part, style) if part else PageBreak() for part in parts]
    SimpleDocTemplate(out, pagesize=(WIDTH, HEIGHT), leftMargin=30, rightMargin=30).build(story)
    return out.getvalue()


LONG = ", ".join(f"the heron of bay {n} eats {n + 2} eels a day" for n in range(40)) + "."
PARTS = ("The herons of Quenby, an invented place", LONG, "", "A short page.", "", LONG.upper(), "The end.")


def read(data, name="x.pdf"):
    document = load_bytes(data, name)
    return document, max(block.page for block in document.blocks)


def marked_words(data, png, number):
    """The words that lie under the marker, read from the file at the place where the image is yellow."""
    pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)
    yellow = (pixels[:, :, 0] > 230) & (pixels[:, :, 2] < 150)
    rows = np.flatnonzero(yellow.any(axis=1))
    bands = np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1) if rows.size else []
    pdf = pypdfium2.PdfDocument(data)
    page = pdf[number - 1]
    scale, high, textpage = pixels.shape[1] / page.get_width(), page.get_height(), page.get_textpage()
    words = []
    for band in bands:
        columns = np.flatnonzero(yellow[band].any(axis=0))
        left, right, top, bottom = (float(at) / scale for at in (columns[0], columns[-1], band[0], band[-1]))
        words.append(textpage.get_text_bounded(left, high - bottom, right, high - top))
    textpage.close()
    pdf.close()
    return " ".join(" ".join(words).split())


def test_the_marker_lies_on_the_words_of_every_page(monkeypatch):
    monkeypatch.setattr(pages, "_WIDE", 500)  # quicker to draw, and to look at
    data = made(*PARTS)
    document, last = read(data)
    assert last >= 8
    assert max(document.text.count("\n\n", block.start, block.end) for block in document.blocks) >= 2
    whole = 0
    for words in (f"{word} {n} {verb}" for word, verb in (("bay", "eats"), ("BAY", "EATS")) for n in range(0, 40, 8)):
        start = " ".join(document.text.split("\n")).index(words)
        said = [
            marked_words(data, draw_page(document, data, n, start, start + len(words)), n) for n in range(1, last + 1)
        ]
        assert " ".join(filter(None, said)) == words, "a page break may cut them in two"
        whole += words in said
    assert whole > 6


def test_a_page_is_marked_without_reading_the_others(monkeypatch):
    data = made(*PARTS)
    document, last = read(data)
    asked = []
    monkeypatch.setattr(pages, "page_text", lambda page: asked.append(page) or page_text(page))
    end = len(document.text)
    assert marked_words(data, draw_page(document, data, last, end - 4, end), last) == "end."
    assert len(asked) == 1


def test_what_an_earlier_version_read_otherwise_is_not_marked():
    data = made(*PARTS)
    document, _ = read(data)
    other = document.model_copy(update={"text": document.text.replace("eels", "EELS")})
    assert marked_words(data, draw_page(document, data, 1, 0, 10), 1) == "The herons"
    assert marked_words(data, draw_page(other, data, 1, 0, 10), 1) == ""
    assert marked_words(data, draw_page(document, data, 1, 10, 10), 1) == ""


@pytest.mark.parametrize("number", [0, 999])
def test_a_page_that_is_not_there(number):
    data = made("One page.")
    with pytest.raises(NotFoundError, match="the document has 1"):
        draw_page(read(data)[0], data, number, 0, 3)


def test_a_file_that_is_damaged_is_told():
    data = made("One page.")
    with pytest.raises(DamagedError, match="add it again"):
        draw_page(read(data)[0], data[:40], 1, 0, 3)


def test_a_page_is_drawn_in_a_process_apart():
    data = made(*PARTS)
    document, last = read(data)
    end = len(document.text)
    assert page_png(document, data, last, end - 4, end) == draw_page(document, data, last, end - 4, end)
    with pytest.raises(NotFoundError, match=f"the document has {last}"):
        page_png(document, data, last + 1, 0, 3)
    with pytest.raises(DamagedError, match="add it again"):
        page_png(document, data[:40], 1, 0, 3)


def test_a_page_that_cannot_be_drawn_in_time_ends_the_process_that_draws(monkeypatch):
    data = made("One page.")
    document, _ = read(data)
    slow = Apart(Limits(seconds=0.001), "ui.drawing")
    monkeypatch.setattr(drawing, "_drawer", slow)
    with pytest.raises(NotFoundError, match="page 1 cannot be drawn: read the text instead"):
        page_png(document, data, 1, 0, 3)
    assert slow._child is None
