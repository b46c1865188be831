"""What a document says it is about, and all that it holds, as search terms."""

from __future__ import annotations

import re

from index.models import Document
from index.terms import content_terms
from rag.kept import per_document

_LEAD = 400  # characters of body text in which a document names its subject


@per_document
def held(document: Document) -> frozenset[str]:
    """The terms that stand anywhere in a document, its title, publisher and file name included."""
    return frozenset(content_terms(f"{_named(document)} {document.text}"))


@per_document
def about(document: Document) -> frozenset[str]:
    """The terms of a document's title, publisher, file name and first lines: what its sentences need not repeat."""
    return frozenset(content_terms(f"{_named(document)} {' '.join(_opening(document))[:_LEAD]}"))


def lead(document: Document, length: int = 700) -> str:
    """The words in which a document says what it is about, a line for each block, at most ``length`` characters."""
    return "\n".join((document.title or "", document.publisher or "", *_opening(document)))[:length]


def _opening(document: Document) -> list[str]:
    """The texts of a document's blocks that are its own prose."""
    return [document.text[b.start : b.end] for b in document.blocks if b.kind not in ("leftover", "row", "footnote")]


def _named(document: Document) -> str:
    name = re.sub(r"[-_.]+", " ", document.source.rsplit("/", 1)[-1])
    return f"{document.title or ''} {document.publisher or ''} {name}"
