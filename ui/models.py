"""What the page and the HTTP API are given: answers with their place in a conversation, documents as they are shown."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from index.models import BlockKind, Hit, Listed, Model
from rag.models import Answer, Citation

Role = Literal["reader", "editor", "admin"]
Origin = Literal["page", "api", "chat", "mcp"]
FeedbackValue = Literal["up", "down", "wrong_source"]


class Caller(Model):
    """Who asks. Every method of the service takes one, and decides by it.

    Attributes:
        name: the user's name; "local" where there are no accounts.
        groups: the groups whose documents it may see beside those shared with everyone; an admin sees all.
    """

    name: str
    role: Role
    groups: frozenset[str] = frozenset()

    @property
    def may_edit(self) -> bool:
        """Whether it may add and remove documents."""
        return self.role in ("editor", "admin")


class Feedback(Model):
    """What a user thought of an answer, or of one of its citations."""

    value: FeedbackValue
    citation: int | None = Field(default=None, ge=1)
    comment: str | None = Field(default=None, max_length=2000)


class Turn(Model):
    """A question of a conversation with its answer.

    What rests on documents that are gone, or no longer shared with the caller, is left out of ``answer``.
    """

    id: str
    conversation: str
    question: str
    answer: Answer
    created: datetime
    feedback: tuple[Feedback, ...] = ()


class Conversation(Model):
    """A conversation without its turns."""

    id: str
    title: str
    origin: Origin
    created: datetime
    changed: datetime
    turns: int


class Talk(Conversation):
    """A conversation with what was said in it, oldest first."""

    answers: tuple[Turn, ...]


class Conversations(Model):
    """One page of conversations, the last changed first, and how many there are."""

    total: int
    items: tuple[Conversation, ...]


class Shown(Listed):
    """A document as a caller may see it.

    Attributes:
        groups: whom it is shared with; empty for everyone.
        pages: how many pages can be shown as images; 0 where the format has none.
    """

    groups: tuple[str, ...] = ()
    pages: int = 0


class Documents(Model):
    """One page of documents by source, and how many there are."""

    total: int
    items: tuple[Shown, ...]


class CellText(Model):
    """A cell of a table row."""

    header: str
    text: str
    start: int
    end: int


class BlockText(Model):
    """A block with its words, ``document.text[start:end]``; ``hidden`` tells why some are not seen."""

    kind: BlockKind
    level: int
    page: int | None
    start: int
    end: int
    text: str
    cells: tuple[CellText, ...] = ()
    why: str | None = None
    hidden: str | None = None


class Blocks(Model):
    """The blocks of a document, or of the part around a place in a long one.

    Attributes:
        start, end: the range of the document's text that they cover.
        characters: the length of the whole text.
    """

    document: str
    start: int
    end: int
    characters: int
    blocks: tuple[BlockText, ...]


class Cited(Model):
    """All that a source panel needs to show one citation in place.

    Attributes:
        numbers: the numbers of all citations of the answer and of its notes, in order, for previous and next.
        section: the headings above the quote, outermost first.
        page_image: the path of the page's image with the quote highlighted, where the document has pages.
        link: the path that opens this very view in a fresh browser.
    """

    answer: str
    conversation: str
    number: int
    numbers: tuple[int, ...]
    citation: Citation
    document: Shown
    section: tuple[str, ...]
    blocks: Blocks
    page_image: str | None
    link: str


class Hits(Model):
    """What a search found, best first."""

    hits: tuple[Hit, ...]
