"""Where the words of an answer stand: the headings above them, their page, and links to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rag.subject import headings
from ui.library import PDF

if TYPE_CHECKING:
    from index.models import Document
    from rag.models import Citation
    from ui.models import Turn


def section(document: Document, start: int) -> tuple[str, ...]:
    """The headings above a place, outermost first."""
    return tuple(" ".join(heading.split()) for heading in headings(document, start))


def link(turn: Turn, number: int | None = None) -> str:
    """The path of the page that shows an answer, or one of its sources."""
    return f"/?conv={turn.conversation}#{'answer' if number is None else 'cite'}-{turn.id}" + (
        "" if number is None else f"-{number}"
    )


def page_image(document: Document, citation: Citation) -> str | None:
    """The path of the image of a citation's page, where the document has pages."""
    if document.media_type != PDF or citation.page is None:
        return None
    place = f"start={citation.start}&end={citation.end}"
    return f"/api/v1/documents/{document.id}/pages/{citation.page}.png?{place}"
