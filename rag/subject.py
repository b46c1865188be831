"""What a document says it is about, and all that it holds, as search terms."""

from __future__ import annotations

import re
from collections.abc import Iterable

from index.models import Block, Document
from index.terms import content_terms
from rag.kept import per_document

_LEAD = 400  # characters of body text in which a document names its subject


@per_document
def held(document: Document) -> frozenset[str]:
    """The terms that stand anywhere in a document, its title, publisher and file name included."""
    return frozenset(content_terms(f"{_named(document)} {document.text}"))


def speaks_of(names: Iterable[str], document: Document) -> bool:
    """Whether a document holds the words of at least half of some names, of those that are in its script."""
    terms = held(document)
    latin = any(t.isascii() and t.isalpha() for t in terms)
    wanted = [set(content_terms(name)) for name in names]
    wanted = [name for name in wanted if name and all(t.isascii() for t in name) == latin]
    return not wanted or sum(name <= terms for name in wanted) * 2 >= len(wanted)


@per_document
def about(document: Document) -> frozenset[str]:
    """The terms of a document's title, publisher, file name and first lines: what its sentences need not repeat."""
    return frozenset(content_terms(f"{_named(document)} {' '.join(_opening(document))[:_LEAD]}"))


def lead(document: Document, length: int = 700) -> str:
    """The words in which a document says what it is about, its file name too; at most ``length`` characters."""
    return "\n".join((_named(document), *_opening(document)))[:length]


def headings(document: Document, block: Block) -> list[str]:
    """The headings that stand over a block."""
    path: list[tuple[int, str]] = []
    for other in document.blocks:
        if other.start > block.start:
            break
        if other.kind == "heading":
            path = [(level, text) for level, text in path if level < other.level]
            path.append((other.level, document.text[other.start : other.end]))
    return [text for _, text in path]


def _opening(document: Document) -> list[str]:
    """The texts of a document's blocks that are its own prose."""
    return [document.text[b.start : b.end] for b in document.blocks if b.kind not in ("leftover", "row", "footnote")]


def _named(document: Document) -> str:
    name = re.sub(r"[-_.]+", " ", document.source.rsplit("/", 1)[-1])
    return f"{document.title or ''} {document.publisher or ''} {name}"
