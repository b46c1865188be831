"""The page of documents, and the questions that an empty conversation offers about them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from index.errors import PinciteError
from index.terms import STOP
from ui.texts import TEXTS

if TYPE_CHECKING:
    import gradio as gr

    from ui.models import BlockText, Caller, Shown
    from ui.service import Service

_EXAMPLES = 4
_SHORT = 50  # characters of a title that fit into a question
_LOOKED_AT = 60
_REMEMBERED = 64
_TRIES = 24  # questions that are tried for the few that are shown
_OF_ONE = 6  # of these, about the same document
_BEGINNING = 20_000  # characters of a document that headings are taken from


def documents_page() -> gr.HTML:
    """Adding, listing, filtering, reading and removing documents; everything goes through the HTTP API."""
    from ui.panel import own

    return own('<div id="pin-library"></div>', "documents.js", "pin-documents")


class Topic(NamedTuple):
    """A heading, and the range of its document's text up to the next one."""

    words: str
    start: int
    end: int


class Examples:
    """Questions about the documents that are there, each of them one that was answered from where it points."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._known: dict[tuple[str, ...], list[str]] = {}
        self._making = asyncio.Lock()

    async def of(self, caller: Caller, language: str) -> tuple[int, list[str]]:
        """How many documents a caller sees, and a few questions about them, made from their titles and headings.

        Those in the language of the interface come first; each is in the language of its document. Where the server is
        busy there are none.
        """
        found = await self._service.library.list(caller, limit=_LOOKED_AT)
        # What is remembered is named by the very documents: nobody is told of one that it does not see.
        key = (language, *(one.id for one in found.items))
        async with self._making:  # whoever comes meanwhile waits for it, and does not try them all again
            if key not in self._known:
                if len(self._known) >= _REMEMBERED:
                    self._known.clear()
                try:
                    self._known[key] = await self._made(caller, found.items, language)
                except PinciteError:
                    return found.total, []
            return found.total, self._known[key]

    async def _made(self, caller: Caller, documents: Iterable[Shown], language: str) -> list[str]:
        titled = [one for one in documents if one.title]
        titled.sort(key=lambda one: (one.language != language, len(one.title or "") > _SHORT))
        questions: dict[str, str] = {}  # by topic, so that no two ask for the same
        tries = 0
        for one in titled:
            say = TEXTS[one.language if one.language in TEXTS else "en"]
            blocks = (await self._service.library.blocks(caller, one.id, 0, _BEGINNING)).blocks
            for topic in _topics(blocks, one.title or ""):
                if len(questions) == _EXAMPLES or tries == _TRIES:
                    return list(questions.values())
                if topic.words.casefold() in questions:
                    continue
                tries += 1
                question = say["example_about"].format(title=_shortened(one.title or ""), topic=topic.words)
                cited = (await self._service.try_out(caller, question)).citations
                if any(c.document == one.id and topic.start <= c.start < topic.end for c in cited):
                    questions[topic.words.casefold()] = question
                    break
        return list(questions.values())


def _topics(blocks: Sequence[BlockText], title: str) -> list[Topic]:
    """The headings that name a topic: a few words, without digits or signs, and not the title again."""
    headings = [block for block in blocks if block.kind == "heading"]
    ends = [*(after.start for _, after in pairwise(headings)), blocks[-1].end if blocks else 0]
    topics = [Topic(" ".join(h.text.split()), h.end, end) for h, end in zip(headings, ends, strict=False)]
    return [topic for topic in topics if _tells(topic.words, title)][:_OF_ONE]


def _tells(heading: str, title: str) -> bool:
    words = heading.casefold().split()
    named = heading.casefold() not in title.casefold() and "".join(words).replace("-", "").isalpha()
    return named and words[0] not in STOP and len(words) <= 5


def _shortened(title: str) -> str:
    return title if len(title) <= _SHORT else title[:_SHORT].rsplit(" ", 1)[0] + "…"
