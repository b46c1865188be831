"""What a document says it is about, and all that it holds, as search terms."""

from __future__ import annotations

import re
from collections.abc import Iterable

from index.models import Document
from index.terms import content_terms
from rag.kept import per_document
from rag.names import acronym

BEGINNING = 5  # letters; words that share them are mostly kin
_LEAD = 400  # characters of body text in which a document names its subject


@per_document
def held(document: Document) -> frozenset[str]:
    """The terms that stand anywhere in a document, its title, publisher and file name included."""
    return frozenset(content_terms(f"{_named(document)} {document.text}"))


def speaks_of(names: Iterable[str], document: Document) -> bool:
    """Whether a document speaks of what is named: every name of several words stands in it, whole or by its initials,
    and at least half of all names. A name in a script that the document is not in is passed over."""
    terms = held(document)
    latin = any(t.isascii() and t.isalpha() for t in terms)
    wanted = [(name, set(content_terms(name))) for name in names]
    wanted = [(name, words) for name, words in wanted if words and all(t.isascii() for t in words) == latin]
    told = [words <= terms or acronym(name).casefold() in terms for name, words in wanted]
    whole = all(is_told or len(words) == 1 for is_told, (_, words) in zip(told, wanted, strict=True))
    return whole and sum(told) * 2 >= len(told)


@per_document
def beginnings(document: Document) -> frozenset[str]:
    """How the terms that a document holds begin, in `BEGINNING` letters."""
    return frozenset(t[:BEGINNING] for t in held(document))


@per_document
def about(document: Document) -> frozenset[str]:
    """The terms of a document's title, publisher, file name and first lines: what its sentences need not repeat."""
    return frozenset(content_terms(f"{_named(document)} {' '.join(_opening(document))[:_LEAD]}"))


def lead(document: Document, length: int = 700) -> str:
    """The words in which a document says what it is about, its file name too; at most ``length`` characters."""
    return "\n".join((_named(document), *_opening(document)))[:length]


def beginning(document: Document) -> str:
    """The words in which a document is named: its title, publisher and file name, and its first line."""
    return f"{_named(document)} {next(iter(_opening(document)), '')[:_LEAD]}"


def headings(document: Document, at: int) -> list[str]:
    """The headings that stand over a place, outermost first; a heading over itself, too."""
    path: list[tuple[int, str]] = []
    for other in document.blocks:
        if other.start > at:
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
