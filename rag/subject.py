"""What a document says it is about, and all that it holds, as search terms."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from index.models import Document
from index.terms import content_terms, term, terms
from rag.kept import per_document
from rag.names import acronym, is_kind, key, mentions

BEGINNING = 5  # letters; words that share them are mostly kin
_LEAD = 400  # characters of body text in which a document names its subject
_TOGETHER = 4  # terms from one word of a name to the next, at most
_LOWER = re.compile(r"(?<!\w)[a-zа-яё]+(?!\w)")


@per_document
def held(document: Document) -> frozenset[str]:
    """The terms that stand anywhere in a document, its title, publisher and file name included."""
    return frozenset(content_terms(f"{_named(document)} {document.text}"))


def speaks_of(names: Iterable[str], document: Document) -> bool:
    """Whether a document speaks of what is named: every name of several words stands in it, whole or by its initials,
    and at least half of all names. A name in a script that the document is not in is passed over."""
    every = held(document)
    latin = any(t.isascii() and t.isalpha() for t in every)
    wanted = [(name, content_terms(name)) for name in names]
    wanted = [(name, words) for name, words in wanted if words and all(t.isascii() for t in words) == latin]
    told = [
        (every.issuperset(words) and _is_one(name, words, document)) or acronym(name).casefold() in every
        for name, words in wanted
    ]
    whole = all(is_told or len(words) == 1 for is_told, (_, words) in zip(told, wanted, strict=True))
    return whole and sum(told) * 2 >= len(told)


def _is_one(name: str, words: Sequence[str], document: Document) -> bool:
    """Whether the words of a name that a document holds are that name: a house and a harvest are no Harvest House.

    A name without a word for what it is, as a person's, may be told in parts.
    """
    own = [word for word in name.split() if not is_kind(word)]
    return len(own) == len(name.split()) or _together(words, document) or key(" ".join(own)) <= proper(document)


def _together(words: Sequence[str], document: Document) -> bool:
    """Whether each word, or every second at least, stands beside the next."""
    order = _order(document)
    places = [np.flatnonzero(order == hash(word)) for word in words]
    near = [_beside(one, two) for one, two in pairwise(places)]
    return 2 * sum(near) >= len(near)


def _beside(some: NDArray[np.int64], others: NDArray[np.int64]) -> bool:
    """Whether any of some places is at most `_TOGETHER` from one of others; both ascend."""
    following = np.searchsorted(others, some - _TOGETHER)
    there = following < len(others)
    return bool((others[following[there]] <= some[there] + _TOGETHER).any())


@per_document
def _order(document: Document) -> NDArray[np.int64]:
    """The terms that a document holds, in order, as numbers."""
    return np.array([hash(term) for term in terms(f"{_named(document)} {document.text}")], np.int64)


@per_document
def proper(document: Document) -> frozenset[str]:
    """The terms of the names that stand inside sentences, without those that are words in small letters, too."""
    prose = [document.text[b.start : b.end] for b in document.blocks if b.kind in ("paragraph", "item")]
    plain = frozenset(term(word) for text in prose for word in _LOWER.findall(text))
    return frozenset(t for text in prose for m in mentions(text) for t in key(m.text)) - plain


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
