"""The page of documents, and the questions that an empty conversation offers about them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from index.errors import PinciteError
from index.terms import STOP
from ui.texts import TEXTS

if TYPE_CHECKING:
    import gradio as gr

    from ui.models import Caller, Shown
    from ui.service import Service

_EXAMPLES = 4
_SHORT = 50  # characters of a title that fit into a question
_LOOKED_AT = 60
_REMEMBERED = 64
_HEADINGS = 6  # of one document
_BEGINNING = 20_000  # characters of a document that headings are taken from


def documents_page() -> gr.HTML:
    """Adding, listing, filtering, reading and removing documents; everything goes through the HTTP API."""
    from ui.panel import own

    return own('<div id="pin-library"></div>', "documents.js", "pin-documents")


class Examples:
    """Questions about the documents that are there, each of them one that a search finds the right document for."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._known: dict[tuple[str, ...], list[str]] = {}

    async def of(self, caller: Caller, language: str) -> tuple[int, list[str]]:
        """How many documents a caller sees, and a few questions about them, made from their titles and headings.

        Those in the language of the interface come first. Where the server is busy there are none.
        """
        found = await self._service.library.list(caller, limit=_LOOKED_AT)
        # What is remembered is named by the very documents: nobody is told of one that it does not see.
        key = (language, *(one.id for one in found.items))
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
        for one in titled:
            if len(questions) == _EXAMPLES:
                break
            for topic in await self._topics(caller, one):
                question = TEXTS[language]["example_about"].format(title=_shortened(one.title or ""), topic=topic)
                hits = await self._service.search(caller, question, k=1) if topic.casefold() not in questions else []
                if hits and hits[0].passage.document == one.id:
                    questions[topic.casefold()] = question
                    break
        return list(questions.values())

    async def _topics(self, caller: Caller, one: Shown) -> list[str]:
        blocks = (await self._service.library.blocks(caller, one.id, 0, _BEGINNING)).blocks
        headings = [" ".join(block.text.split()) for block in blocks if block.kind == "heading"]
        return _telling(headings, one.title or "")


def _telling(headings: Iterable[str], title: str) -> list[str]:
    """The headings that name a topic: a few words, without digits or signs, and not the title again."""
    words = (heading for heading in headings if heading.casefold() not in title.casefold())
    named = (heading for heading in words if heading.replace(" ", "").replace("-", "").isalpha())
    topics = (heading for heading in named if heading.split()[0].casefold() not in STOP)
    return [heading for heading in topics if 2 <= len(heading.split()) <= 5][:_HEADINGS]


def _shortened(title: str) -> str:
    return title if len(title) <= _SHORT else title[:_SHORT].rsplit(" ", 1)[0] + "…"
