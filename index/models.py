"""The data that flows through an index: documents, their blocks, passages and hits.

Every offset counts Unicode code points of ``Document.text`` and every range is half-open, so that
``document.text[start:end]`` is always the words themselves.
"""

from __future__ import annotations

from datetime import date
from typing import Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, model_validator

BlockKind = Literal["heading", "paragraph", "item", "row", "footnote", "leftover"]
Outcome = Literal["added", "updated", "unchanged", "duplicate", "refused"]


class Model(BaseModel):
    """Frozen, and refuses fields that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Span(NamedTuple):
    """A half-open range of code points."""

    start: int
    end: int


class Cell(Model):
    """One cell of a table row: its header, and where its value stands in the document's text."""

    header: str
    start: int
    end: int


class Block(Model):
    """A paragraph, heading, list item, table row, footnote, or a leftover that is never indexed.

    Attributes:
        start, end: where the block stands in the document's text.
        level: 1 to 6 for a heading, 0 for anything else.
        page: the page it begins on, counted from 1, where the format has pages.
        cells: the cells of a table row; a row's text names each header before its value.
        why: what a leftover is ("menu", "share links", "repeats an earlier paragraph").
    """

    kind: BlockKind
    start: int
    end: int
    level: int = 0
    page: int | None = None
    cells: tuple[Cell, ...] = ()
    why: str | None = None


class Hidden(Model):
    """A range of a document's text whose words are not seen where the document is opened, and why."""

    start: int
    end: int
    why: str


class Document(Model):
    """A file's text, normalised once, with what is known about it and where that came from.

    Attributes:
        id: 16 hex digits of the SHA-256 of the text: the same text is the same document.
        source: the name it was added under, with forward slashes ("reports/ned.txt").
        sha256: the digest of the file's bytes.
        text: Unicode NFC, newlines as "\\n", no NUL and no byte order mark.
        published: the day that the document gives for itself.
        language: an ISO 639-1 code ("en", "ru").
        origins: for each metadata field that is known, where it came from ("line 4", "meta article:author").
        blocks: in order, without overlap; text outside every block is white space.
        hidden: what of the text is not seen where the document is opened; ranges may overlap.
    """

    id: str
    source: str
    sha256: str
    media_type: str
    text: str
    title: str | None = None
    publisher: str | None = None
    published: date | None = None
    language: str | None = None
    origins: dict[str, str] = {}
    blocks: tuple[Block, ...] = ()
    hidden: tuple[Hidden, ...] = ()

    @model_validator(mode="after")
    def _blocks_in_order(self) -> Self:
        at = 0
        for block in self.blocks:
            if not at <= block.start < block.end <= len(self.text):
                raise ValueError(f"block {block.start}:{block.end} overlaps or leaves the text")
            at = block.end
        if any(not 0 <= one.start < one.end <= len(self.text) for one in self.hidden):
            raise ValueError("a hidden range leaves the text")
        return self


class Passage(Model):
    """Some whole sentences of one document: the unit that is encoded, searched and shown.

    Attributes:
        id: "<document>:<ordinal>".
        sentences: the range of each sentence, in order, within start and end.
        headings: the path of headings above it, outermost first.
        page: the page it begins on, counted from 1.
    """

    id: str
    document: str
    ordinal: int
    start: int
    end: int
    sentences: tuple[Span, ...]
    headings: tuple[str, ...] = ()
    page: int | None = None


class Hit(Model):
    """A passage that a search found, with every rank and score that put it there.

    Ranks count from 1; ``None`` where that search did not find the passage.

    Attributes:
        text: the passage's words, ``document.text[start:end]``.
        hidden: why some of it is not seen where the document is opened.
        fused: reciprocal rank fusion of the two ranks (Cormack, Clarke and Büttcher, SIGIR 2009).
        rerank: the score of a reranker, where one is in use.
    """

    passage: Passage
    text: str
    source: str
    title: str | None
    publisher: str | None
    published: date | None
    lexical_rank: int | None
    lexical_score: float | None
    vector_rank: int | None
    vector_score: float | None
    fused: float
    rerank: float | None = None
    hidden: str | None = None


class Near(Model):
    """Another document that is nearly the same; ``similarity`` is the estimated Jaccard index."""

    document: str
    source: str
    similarity: float


class Added(Model):
    """What became of one file of an ``add``."""

    source: str
    outcome: Outcome
    document: str | None = None
    reason: str | None = None
    near: tuple[Near, ...] = ()


class Listed(Model):
    """One line of ``list``: a document without its text."""

    id: str
    source: str
    also: tuple[str, ...]
    sha256: str
    media_type: str
    title: str | None
    publisher: str | None
    published: date | None
    language: str | None
    origins: dict[str, str]
    characters: int
    passages: int
    near: tuple[Near, ...]
