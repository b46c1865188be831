"""Which characters of a PDF page are not seen: invisible, white on white, covered, tiny, or off the page."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, NamedTuple

from index.hidden import COVERED, NOT_DRAWN, OUTSIDE, SAME_COLOUR, SCANNED, TINY
from index.models import Hidden

if TYPE_CHECKING:
    from pypdfium2 import PdfObject, PdfPage, PdfTextPage

_UNDRAWN = (3, 7)  # text render modes: invisible, and for clipping alone (ISO 32000-1, table 106)
_WHITE = 245
_TINY = 1.0  # points that a letter or digit is high
_CONTRAST = 24  # of 255, between the lightest and the darkest pixel around a character that can be seen
_PIXELS = 1600  # of the longer side of a page that is drawn to see what is behind white words
_MOST_COVERED = 0.5  # of the page, from which on a picture is a scan of it
_DEEP = 3  # levels of forms in forms that are looked into
_MOST_THINGS = 4_000  # on a page; of a map or a drawing with more it is not looked up what covers which words


class _Drawn(NamedTuple):
    """How a text object is drawn: whether at all, in white, and whether some of it is tiny or off the page."""

    undrawn: bool
    white: bool
    odd: bool


def unseen(page: PdfPage, textpage: PdfTextPage, raw: str) -> dict[int, str]:
    """PDFium's indices of the characters that are not seen, and why."""
    import pypdfium2.raw as pdfium

    known: dict[int, _Drawn] = {}
    found: dict[int, str] = {}
    faint: dict[int, str] = {}
    over = _covers(page)
    bounds = left, bottom, right, top = page.get_bbox()
    drawn = 0
    for n, char in enumerate(raw):
        if char.isspace():
            continue
        thing = pdfium.FPDFText_GetTextObject(textpage, n)
        if not thing:
            continue
        key = ctypes.addressof(thing.contents)
        look = known.get(key)
        if look is None:
            look = known[key] = _look(thing, bounds)
        if look.undrawn:
            found[n] = NOT_DRAWN
            continue
        drawn += 1
        if look.odd:
            x1, y1, x2, y2 = _box(textpage, n)
            if x2 < left or x1 > right or y2 < bottom or y1 > top:
                found[n] = OUTSIDE
            elif char.isalnum() and 0 < y2 - y1 < _TINY:
                found[n] = TINY
        if n not in found and look.white:
            faint[n] = SAME_COLOUR
        elif n not in found and any(_inside(_box(textpage, n), cover) for cover in over.get(key, ())):
            faint[n] = COVERED
    if found and not drawn and _is_scan(page):
        return dict.fromkeys(found, SCANNED)
    if faint:
        found |= {n: faint[n] for n in _without_contrast(page, textpage, list(faint))}
    return found


def ranges(chars: list[int], text: str, unseen: dict[int, str]) -> list[Hidden]:
    """What is unseen as ranges of a page's text, whose characters have these indices; signs between do not part it."""
    found: list[Hidden] = []
    for at, n in enumerate(chars):
        why = unseen.get(n) if n >= 0 else None
        if why is None:
            continue
        last = found[-1] if found else None
        if last and last.why == why and not any(c.isalnum() for c in text[last.end : at]):
            found[-1] = last.model_copy(update={"end": at + 1})
        else:
            found.append(Hidden(start=at, end=at + 1, why=why))
    return found


_Box = tuple[float, float, float, float]


def _covers(page: PdfPage) -> dict[int, list[_Box]]:
    """The bounds of what is filled or pictured above each text object that something of that kind may cover."""
    import pypdfium2.raw as pdfium

    texts: list[tuple[int, _Box]] = []
    found: dict[int, list[_Box]] = {}
    for count, thing in enumerate(page.get_objects(max_depth=_DEEP)):
        if count == _MOST_THINGS:
            return {}
        if thing.type == pdfium.FPDF_PAGEOBJ_TEXT:
            # The bounds of what stands in a form are in its own measures: any cover may be over it.
            bounds = thing.get_bounds() if thing.level == 0 else page.get_bbox()
            texts.append((ctypes.addressof(thing.raw.contents), bounds))
        elif texts and thing.level == 0 and _is_filled(thing):
            left, bottom, right, top = cover = thing.get_bounds()
            for key, (a, b, c, d) in texts:
                if a < right and c > left and b < top and d > bottom:
                    found.setdefault(key, []).append(cover)
    return found


def _is_filled(thing: PdfObject) -> bool:
    """Whether a picture, or a path that is filled and not seen through."""
    import pypdfium2.raw as pdfium

    if thing.type != pdfium.FPDF_PAGEOBJ_PATH:
        return bool(thing.type == pdfium.FPDF_PAGEOBJ_IMAGE)
    mode, stroke = ctypes.c_int(), ctypes.c_int()
    pdfium.FPDFPath_GetDrawMode(thing, mode, stroke)
    *_, opacity = colour = [ctypes.c_uint() for _ in range(4)]
    return bool(mode.value and pdfium.FPDFPageObj_GetFillColor(thing, *colour) and opacity.value == 255)


def _inside(box: _Box, cover: _Box) -> bool:
    """Whether the middle of a character lies in a cover."""
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return cover[0] <= x <= cover[2] and cover[1] <= y <= cover[3]


def _look(thing: object, page: tuple[float, float, float, float]) -> _Drawn:
    """How a text object is drawn on a page with these bounds: left, bottom, right, top."""
    import pypdfium2.raw as pdfium

    red, green, blue, opacity = (ctypes.c_uint() for _ in range(4))
    stated = pdfium.FPDFPageObj_GetFillColor(thing, red, green, blue, opacity)
    white = bool(stated) and min(red.value, green.value, blue.value) >= _WHITE
    undrawn = pdfium.FPDFTextObj_GetTextRenderMode(thing) in _UNDRAWN or (bool(stated) and opacity.value == 0)
    a, b, c, d = (ctypes.c_float() for _ in range(4))
    placed = pdfium.FPDFPageObj_GetBounds(thing, a, b, c, d)
    inside = a.value >= page[0] and b.value >= page[1] and c.value <= page[2] and d.value <= page[3]
    low = min(c.value - a.value, d.value - b.value) < _TINY
    return _Drawn(undrawn, white, not placed or not inside or low)


def _box(textpage: PdfTextPage, n: int) -> tuple[float, float, float, float]:
    """Left, bottom, right and top of a character, in points."""
    import pypdfium2.raw as pdfium

    left, right, bottom, top = (ctypes.c_double() for _ in range(4))
    pdfium.FPDFText_GetCharBox(textpage, n, left, right, bottom, top)
    return left.value, bottom.value, right.value, top.value


def _is_scan(page: PdfPage) -> bool:
    """Whether one picture covers most of a page."""
    import pypdfium2.raw as pdfium

    left, bottom, right, top = page.get_bbox()
    whole = max((right - left) * (top - bottom), 1.0)
    for thing in page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_IMAGE], max_depth=_DEEP):
        a, b, c, d = thing.get_bounds()
        covered = max(min(c, right) - max(a, left), 0) * max(min(d, top) - max(b, bottom), 0)
        if covered >= _MOST_COVERED * whole:
            return True
    return False


def _without_contrast(page: PdfPage, textpage: PdfTextPage, chars: list[int]) -> list[int]:
    """Those of some characters around which a drawing of the page is all of one colour."""
    width, height = page.get_size()
    bitmap = page.render(scale=_PIXELS / max(width, height, 1.0), grayscale=True)
    picture, place = bitmap.to_numpy(), bitmap.get_posconv(page)
    found = []
    for n in chars:
        a, b, c, d = _box(textpage, n)
        (x1, y1), (x2, y2) = place.to_bitmap(a, d), place.to_bitmap(c, b)
        part = picture[max(min(y1, y2) - 1, 0) : max(y1, y2) + 2, max(min(x1, x2) - 1, 0) : max(x1, x2) + 2]
        if part.size and int(part.max()) - int(part.min()) < _CONTRAST:
            found.append(n)
    return found
