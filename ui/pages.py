"""One page of a stored PDF as an image, with the quoted words marked.

PDFium is not safe in threads, so all of it happens under `index.pdf.LOCK`, a page at a time.
"""

from __future__ import annotations

import ctypes
import io
from collections import OrderedDict
from collections.abc import Iterable
from itertools import pairwise
from typing import TYPE_CHECKING

from index.errors import DamagedError
from index.pdf import LOCK, page_text
from index.pdf_page import PAGE_BREAK
from ui.problems import NotFoundError

if TYPE_CHECKING:
    from PIL.Image import Image
    from pypdfium2 import PdfDocument, PdfPage

_WIDE = 1400  # pixels that a page is drawn wide
_LONG = 3000  # the most pixels of either side
_YELLOW = (255, 224, 102)
_REMEMBERED = 64

Box = tuple[float, float, float, float]


class Pages:
    """Draws pages, and remembers where in its document's text each page of the last documents begins."""

    def __init__(self) -> None:
        self._starts: OrderedDict[str, list[int]] = OrderedDict()

    def image(self, document: str, data: bytes, number: int, start: int, end: int) -> bytes:
        """Page ``number`` (from 1) as PNG; what it holds of the text's range start to end is marked.

        Raises:
            NotFoundError: there is no such page.
            DamagedError: the stored file cannot be read any more.
        """
        import pypdfium2

        with LOCK:
            try:
                pdf = pypdfium2.PdfDocument(data)
            except pypdfium2.PdfiumError as error:
                raise DamagedError(f"the file of document {document} is damaged: add it again") from error
        try:
            if not 1 <= number <= len(pdf):
                raise NotFoundError(f"there is no page {number}: the document has {len(pdf)}")
            first = self._start(document, pdf, number) if start < end else 0
            with LOCK:
                page = pdf[number - 1]
                image, boxes = _drawn(page, start - first, end - first)
        finally:
            with LOCK:
                pdf.close()
        out = io.BytesIO()
        _marked(image, boxes).save(out, "PNG")
        return out.getvalue()

    def _start(self, document: str, pdf: PdfDocument, number: int) -> int:
        """Where page ``number`` begins in the document's text."""
        starts = self._starts.pop(document, [0])
        while len(starts) < number:
            with LOCK:  # for one page only, so that others get their turn
                starts.append(starts[-1] + len(page_text(pdf[len(starts) - 1])[0]) + len(PAGE_BREAK))
        self._starts[document] = starts
        while len(self._starts) > _REMEMBERED:
            self._starts.popitem(last=False)
        return starts[number - 1]


def _drawn(page: PdfPage, start: int, end: int) -> tuple[Image, list[Box]]:
    """A page as an image, and the boxes of a range of its text on it, in pixels."""
    width, height = page.get_size()
    scale = min(_WIDE / max(width, 1), _LONG / max(width, height, 1))
    bitmap = page.render(scale=scale)
    boxes: list[Box] = []
    if start < end:
        chars = page_text(page)[1]
        place = bitmap.get_posconv(page)
        for left, bottom, right, top in _rectangles(page, chars[max(start, 0) : max(end, 0)]):
            (x1, y1), (x2, y2) = place.to_bitmap(left, top), place.to_bitmap(right, bottom)
            boxes.append((min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)))
    return bitmap.to_pil().convert("RGB"), boxes


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
