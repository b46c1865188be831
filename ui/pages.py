"""One page of a stored PDF as an image, with the quoted words marked.

PDFium is not safe in threads, so all of it happens under `index.pdf.LOCK`.
"""

from __future__ import annotations

import ctypes
import io
import re
from collections.abc import Iterable
from itertools import pairwise
from typing import TYPE_CHECKING

from index.errors import DamagedError
from index.pdf import LOCK, page_text
from index.pdf_page import PAGE_BREAK
from ui.problems import NotFoundError

if TYPE_CHECKING:
    from PIL.Image import Image
    from pypdfium2 import PdfPage

    from index.models import Document

_WIDE = 1400  # pixels that a page is drawn wide
_LONG = 3000  # the most pixels of either side
_YELLOW = (255, 224, 102)

Box = tuple[float, float, float, float]


def draw_page(document: Document, data: bytes, number: int, start: int, end: int) -> bytes:
    """Page ``number`` (from 1) as PNG; what it holds of the text's range start to end is marked.

    No page but this one is read. ``data`` is the file that the document was made from.

    Raises:
        NotFoundError: there is no such page.
        DamagedError: the stored file cannot be read any more.
    """
    import pypdfium2

    with LOCK:
        try:
            pdf = pypdfium2.PdfDocument(data)
        except pypdfium2.PdfiumError as error:
            raise DamagedError(f"the file of document {document.id} is damaged: add it again") from error
        try:
            if not 1 <= number <= len(pdf):
                raise NotFoundError(f"there is no page {number}: the document has {len(pdf)}")
            image, boxes = _drawn(document, pdf[number - 1], number, start, end)
        finally:
            pdf.close()
    out = io.BytesIO()
    _marked(image, boxes).save(out, "PNG", compress_level=3)  # half the time of the usual level, and no larger
    return out.getvalue()


def _drawn(document: Document, page: PdfPage, number: int, start: int, end: int) -> tuple[Image, list[Box]]:
    """A page as an image, and the boxes of a range of the document's text on it, in pixels."""
    width, height = page.get_size()
    scale = min(_WIDE / max(width, 1), _LONG / max(width, height, 1))
    bitmap = page.render(scale=scale)
    boxes: list[Box] = []
    if start < end:
        text, chars = page_text(page)
        first = _begin(document, number, text)
        wanted = [] if first is None else chars[max(start - first, 0) : max(end - first, 0)]
        place = bitmap.get_posconv(page)
        for left, bottom, right, top in _rectangles(page, wanted):
            (x1, y1), (x2, y2) = place.to_bitmap(left, top), place.to_bitmap(right, bottom)
            boxes.append((min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)))
    return bitmap.to_pil().convert("RGB"), boxes


def _begin(document: Document, number: int, text: str) -> int | None:
    """Where page ``number``, whose own text is given, begins in the document's text.

    A page begins with its first block, or within a paragraph that goes on from an earlier page, which holds the page
    break then. ``None`` where the page is empty, or where an earlier version read the file otherwise: wrong words are
    worse than none.
    """
    begins = [block.start - (len(text) - len(text.lstrip())) for block in document.blocks if block.page == number][:1]
    earlier = next((block for block in reversed(document.blocks) if block.page and block.page < number), None)
    if earlier and earlier.page:
        breaks = re.finditer(PAGE_BREAK, document.text[earlier.start : earlier.end])
        begins += [earlier.start + found.end() for found in breaks][number - earlier.page - 1 :][:1]
    return next((begin for begin in begins if text and begin >= 0 and document.text.startswith(text, begin)), None)


def _rectangles(page: PdfPage, chars: Iterable[int]) -> list[Box]:
    """The rectangles of some of PDFium's characters, one for each piece of a line: left, bottom, right, top."""
    import pypdfium2.raw as pdfium

    wanted = sorted({char for char in chars if char >= 0})
    breaks = [at for at, (a, b) in enumerate(pairwise(wanted), start=1) if b != a + 1]
    textpage = page.get_textpage()
    found: list[Box] = []
    try:
        for begin, end in pairwise([0, *breaks, len(wanted)] if wanted else []):
            for n in range(pdfium.FPDFText_CountRects(textpage, wanted[begin], end - begin)):
                left, top, right, bottom = (ctypes.c_double() for _ in range(4))
                pdfium.FPDFText_GetRect(textpage, n, left, top, right, bottom)
                found.append((left.value, bottom.value, right.value, top.value))
    finally:
        textpage.close()
    return found


def _marked(image: Image, boxes: list[Box]) -> Image:
    """The image with its boxes coloured as by a text marker: dark letters stay dark."""
    from PIL import Image, ImageChops, ImageDraw

    if not boxes:
        return image
    ink = Image.new("RGB", image.size, "white")
    draw = ImageDraw.Draw(ink)
    for x1, y1, x2, y2 in boxes:
        draw.rectangle((x1 - 2, y1 - 2, x2 + 2, y2 + 2), fill=_YELLOW)
    return ImageChops.multiply(image, ink)
