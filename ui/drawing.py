"""Draws pages of stored files in a process apart: a page may be made to hang whoever looks at it."""

from __future__ import annotations

from index.apart import Apart, Limits
from index.errors import DamagedError, DocumentError
from index.models import Document, Model
from ui.pages import draw_page
from ui.problems import NotFoundError

_LIMITS = Limits(seconds=30, memory=1024**3, answer=64 * 1024**2)
_PNG, _GONE, _DAMAGED = b"P", b"N", b"D"


class Asked(Model):
    """A page (from 1) and the range of the text that is to be marked on it."""

    document: Document
    page: int
    start: int
    end: int


def page_png(document: Document, data: bytes, number: int, start: int, end: int) -> bytes:
    """A page as PNG, drawn in the process that is kept for it; see `ui.pages.draw_page`.

    Raises:
        NotFoundError: there is no such page, or it takes too long or too much to draw.
        DamagedError: the stored file cannot be read any more.
    """
    before = [b for b in document.blocks if b.page and b.page < number][-1:]
    there = [b for b in document.blocks if b.page == number][:1]
    # All that is looked at: where the page begins.
    needed = document.model_copy(update={"blocks": (*before, *there), "hidden": ()})
    asked = Asked(document=needed, page=number, start=start, end=end)
    try:
        answered = _drawer.ask(data, asked.model_dump_json(), document.source)
    except DocumentError as error:
        raise NotFoundError(f"page {number} cannot be drawn: read the text instead") from error
    kind, rest = answered[:1], answered[1:]
    if kind == _GONE:
        raise NotFoundError(rest.decode())
    if kind == _DAMAGED:
        raise DamagedError(rest.decode())
    return rest


def begin() -> None:
    """Load what every page needs."""
    import pypdfium2  # noqa: F401
    from PIL import Image, ImageChops, ImageDraw, PngImagePlugin  # noqa: F401


def answer(question: str, data: bytes) -> bytes:
    """The page that is asked for, or why there is none; see `index.child`."""
    asked = Asked.model_validate_json(question)
    try:
        return _PNG + draw_page(asked.document, data, asked.page, asked.start, asked.end)
    except NotFoundError as error:
        return _GONE + str(error).encode()
    except DamagedError as error:
        return _DAMAGED + str(error).encode()


_drawer = Apart(_LIMITS, "ui.drawing")
