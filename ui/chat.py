"""The browser page: a chat whose every claim can be clicked, the conversations, the documents and the source panel.

Gradio draws the chat; citations, conversations and documents stay on the server and are reached by id, each time for
the caller. What a browser sends back of the chat is never read. Only `serve` may import this module: gradio takes
seconds to load.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import TYPE_CHECKING, Any

# Read when gradio's queue is made: without them it keeps and counts over every event that it ever had.
os.environ.setdefault("GRADIO_ANALYTICS_MAX_EVENTS", "100")
os.environ.setdefault("GRADIO_ANALYTICS_CACHE_FREQUENCY", "1000")
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"

import gradio as gr
from gradio.events import api

from index.errors import PinciteError
from ui.documents import Examples, documents_page
from ui.models import Turn
from ui.panel import EVENTS, STYLE, growing, own, sidebar, source_panel
from ui.places import section
from ui.problems import NotFoundError
from ui.render import answer_html, pending_html, question_html, written_html
from ui.security import caller_of
from ui.talks import new_id
from ui.texts import TEXTS, language
from ui.writing import Writing

if TYPE_CHECKING:
    from fastapi import FastAPI

    from index.models import Document
    from rag.models import Answer
    from ui.library import Library
    from ui.models import Caller
    from ui.service import Service

Message = dict[str, str]
# The chat, what is typed, the id of the conversation, and what is being written; `gr.skip()` where it stays as it is.
Shown = tuple[Any, Any, Any, str]

_ADDRESS = "() => [new URLSearchParams(window.location.search).get('conv') || '']"
_LOADED = """(conversation) => {
  document.pinLoaded = true;
  document.dispatchEvent(new CustomEvent('pin:loaded', { detail: conversation }));
}"""
_UNANSWERED = (
    "(conversation) => [conversation, [...document.querySelectorAll('.pin-question')].at(-1)?.textContent ?? '']"
)
_SESSIONS = 200  # of which gradio keeps what it knows of their components


class Page:
    """What the page's events call."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._examples = Examples(service)

    async def open(self, conversation: str, request: gr.Request) -> tuple[list[Message], str] | Any:  # noqa: ANN401
        """The conversation that the address names; where it names none, nothing is touched."""
        if not conversation:
            return gr.skip()
        return await self._opened(caller_of(request), conversation, _language(request))

    async def greet(self, request: gr.Request) -> dict[str, Any]:
        """What an empty conversation shows."""
        documents, questions = await self._examples.of(caller_of(request), _language(request))
        return {"documents": documents, "examples": questions}

    async def pick(self, event: gr.EventData, request: gr.Request) -> tuple[list[Message], str]:
        """The conversation that was chosen from the list; a new one where it is empty."""
        return await self._opened(caller_of(request), event.conversation, _language(request))

    async def submit(self, question: str, conversation: str, request: gr.Request) -> AsyncIterator[Shown]:
        """Show the question at once, and its answer when it is there."""
        caller, tongue = caller_of(request), _language(request)
        before, conversation = await self._opened(caller, conversation, tongue)
        if not question.strip():
            yield before, "", conversation, ""
            return
        async for shown in self._asked(caller, tongue, question, conversation, before):
            yield shown

    async def example(self, conversation: str, event: gr.EventData, request: gr.Request) -> AsyncIterator[Shown]:
        """Ask one of the questions that an empty conversation offers."""
        async for shown in self.submit(event.question, conversation, request):
            yield shown

    async def again(self, event: gr.EventData, request: gr.Request) -> AsyncIterator[Shown]:
        """Ask the question of an answer once more; the new answer takes the place of the old one when it is there."""
        async for shown in self._instead(event.answer, request):
            yield shown

    async def alone(self, event: gr.EventData, request: gr.Request) -> AsyncIterator[Shown]:
        """Ask the question of an answer as it was typed, not as it was understood."""
        async for shown in self._instead(event.answer, request, alone=True):
            yield shown

    async def choose(self, event: gr.EventData, request: gr.Request) -> AsyncIterator[Shown]:
        """Ask one of the questions that an ambiguous one may have meant; ``event.choice`` counts from 0."""
        caller, tongue = caller_of(request), _language(request)
        turn = await self._answered(caller, event.answer)
        before, conversation = await self._opened(caller, turn.conversation, tongue)
        question = dict(enumerate(turn.answer.choices)).get(event.choice, turn.question)
        async for shown in self._asked(caller, tongue, question, conversation, before):
            yield shown

    async def _instead(self, answer: str, request: gr.Request, alone: bool = False) -> AsyncIterator[Shown]:
        caller, tongue = caller_of(request), _language(request)
        turn = await self._answered(caller, answer)
        before, conversation = await self._opened(caller, turn.conversation, tongue, without=turn.id)
        async for shown in self._asked(caller, tongue, turn.question, conversation, before, alone, turn.id):
            yield shown

    async def _answered(self, caller: Caller, answer: str) -> Turn:
        try:
            return await self._service.answer(caller, answer)
        except PinciteError as error:
            raise gr.Error(str(error)) from error

    async def stop(self, conversation: str, question: str, request: gr.Request) -> tuple[list[Message], str, str]:
        """The conversation without the question that waits for its answer, which goes back to where it was typed."""
        shown, _ = await self._opened(caller_of(request), conversation, _language(request))
        return shown, question, ""

    async def _asked(
        self,
        caller: Caller,
        tongue: str,
        question: str,
        conversation: str,
        before: list[Message],
        alone: bool = False,
        instead: str | None = None,
    ) -> AsyncIterator[Shown]:
        """The chat with a question, with what is written in answer to it, and last with its answer.

        Args:
            alone: ask it as it is typed.
            instead: the answer that the new one takes the place of.
        """
        asked, pending = _message("user", question_html(question)), _message("assistant", pending_html(tongue))
        yield [*before, asked, pending], "", conversation, ""
        ids, writing = (new_id(), new_id()), Writing(question)
        try:
            stream = self._service.stream(caller, question, conversation or None, None, "page", ids, alone=alone)
            async for said in stream:
                if isinstance(said, Turn):
                    if instead:
                        await self._service.delete_answer(caller, instead)
                    yield [*before, *await self._said(caller, [said], tongue)], gr.skip(), said.conversation, ""
                    return
                chat = gr.skip()
                if writing.take(said):
                    written = writing.answer
                    above = await self._service.desk.run(_sections, self._service.library, caller, [written])
                    claims = _message("assistant", written_html(written, ids[0], above[0], tongue))
                    chat = [*before, asked, claims, pending]
                yield chat, gr.skip(), gr.skip(), writing.words
        except PinciteError as error:
            gr.Warning(str(error))
            yield before, question, conversation, ""

    async def _opened(
        self, caller: Caller, conversation: str, tongue: str, without: str | None = None
    ) -> tuple[list[Message], str]:
        """The messages of a conversation, and its id: none, where it is gone or another's."""
        if not conversation:
            return [], ""
        try:
            talk = await self._service.conversation(caller, conversation)
        except NotFoundError as error:
            gr.Warning(str(error))
            return [], ""
        return await self._said(caller, [turn for turn in talk.answers if turn.id != without], tongue), talk.id

    async def _said(self, caller: Caller, turns: Sequence[Turn], tongue: str) -> list[Message]:
        """Questions and answers as messages."""
        answers = [turn.answer for turn in turns]
        sections = await self._service.desk.run(_sections, self._service.library, caller, answers)
        shown: list[Message] = []
        for turn, above in zip(turns, sections, strict=True):
            shown.append(_message("user", question_html(turn.question, turn.answer.understood, turn.id, tongue)))
            shown.append(_message("assistant", answer_html(turn.answer, turn.id, above, tongue, turn.feedback)))
        return shown


def mount(app: FastAPI, service: Service) -> FastAPI:
    """Put the page at "/" of an application that has all its other routes already."""
    page, say = Page(service), gr.I18n(**TEXTS)
    with gr.Blocks(title="Pincite", analytics_enabled=False, fill_width=True) as blocks:
        with gr.Row(elem_id="pin"):
            with gr.Column(elem_id="pin-side"):
                side = sidebar()
            with gr.Column(elem_id="pin-main"):
                gr.HTML('<div id="pin-bar"></div>', apply_default_css=False, container=False)
                with gr.Column(elem_id="pin-chat"):
                    hello = own('<div id="pin-hello"></div>', "welcome.js", "pin-welcome", _NOTHING)
                    chat = gr.Chatbot(
                        layout="panel",
                        allow_tags=False,
                        latex_delimiters=[],
                        elem_id="chat",
                        label=say("conversation"),
                        show_label=False,
                        container=False,
                        buttons=[],
                        feedback_options=None,
                        group_consecutive_messages=False,
                        height="100%",
                        autoscroll=False,
                    )
                    words = growing()
                    with gr.Row(elem_id="pin-ask"):
                        box = gr.Textbox(
                            label=say("question"),
                            placeholder=say("question_hint"),
                            show_label=False,
                            container=False,
                            autofocus=True,
                            max_lines=6,
                            scale=1,
                            elem_id="pin-question",
                        )
                        send = gr.Button(say("send"), variant="primary", scale=0, elem_id="pin-send")
                        stop = gr.Button(say("stop"), scale=0, elem_id="pin-stop")
                documents_page()
            with gr.Column(elem_id="pin-aside"):
                source_panel()
        shown, open_ = [chat, box, side, words], [chat, side]
        loaded = blocks.load(page.open, side, open_, js=_ADDRESS, show_progress="hidden", api_visibility="private")
        loaded.then(None, side, js=_LOADED, api_visibility="private")
        blocks.load(page.greet, None, hello, show_progress="hidden", api_visibility="private")
        side.pick(page.pick, None, open_, show_progress="hidden", api_visibility="private")
        asking = [
            gr.on(
                [box.submit, send.click],
                page.submit,
                [box, side],
                shown,
                show_progress="hidden",
                api_visibility="private",
            ),
            hello.example(page.example, side, shown, show_progress="hidden", api_visibility="private"),
            *(
                event(handler, None, shown, show_progress="hidden", api_visibility="private")
                for event, handler in (
                    (side.again, page.again),
                    (side.alone, page.alone),
                    (side.choose, page.choose),
                )
            ),
        ]
        stop.click(
            page.stop,
            [side, box],
            [chat, box, words],
            js=_UNANSWERED,
            cancels=asking,
            show_progress="hidden",
            api_visibility="private",
        )
        _endpoints(service)
    blocks.queue(default_concurrency_limit=8, max_size=128)
    blocks.state_session_capacity = _SESSIONS
    gr.mount_gradio_app(
        app,
        blocks,
        path="/",
        footer_links=[],
        run_history=False,
        show_error=False,
        max_file_size=1,  # files are added through the API; nothing may be left in gradio's folder
        ssr_mode=False,
        mcp_server=False,
        pwa=False,
        enable_monitoring=False,
        i18n=say,
        theme=_theme(),
        # As ``css`` each rule would be put under an element of gradio's; as ``js`` the script would come too late.
        head=f"<style>{STYLE}</style><script>{EVENTS}</script>",
    )
    return app


_NOTHING: dict[str, Any] = {"documents": 1, "examples": []}


def _endpoints(service: Service) -> None:
    """What ``gradio_client`` can call by name."""

    async def ask(question: str, request: gr.Request) -> dict[str, Any]:
        """Answer a question, with citations, or say why not."""
        try:
            turn = await service.ask(caller_of(request), question, origin="api")
        except PinciteError as error:
            raise gr.Error(str(error)) from error
        return turn.answer.model_dump(mode="json")

    async def search(query: str, request: gr.Request) -> list[dict[str, Any]]:
        """The best passages for a query."""
        try:
            hits = await service.search(caller_of(request), query)
        except PinciteError as error:
            raise gr.Error(str(error)) from error
        return [hit.model_dump(mode="json") for hit in hits]

    api(ask, api_name="ask")
    api(search, api_name="search")


def _sections(library: Library, caller: Caller, answers: Iterable[Answer]) -> list[dict[int, str]]:
    """For each answer, by the number of each citation, the headings above its words."""
    documents: dict[str, Document | None] = {}
    found: list[dict[int, str]] = []
    for answer in answers:
        found.append({})
        for citation in (*answer.citations, *(c for note in answer.notes for c in note.citations)):
            if citation.document not in documents:
                documents[citation.document] = _held(library, caller, citation.document)
            document = documents[citation.document]
            found[-1][citation.number] = " › ".join(section(document, citation.start)) if document else ""
    return found


def _held(library: Library, caller: Caller, document: str) -> Document | None:
    try:
        return library.held(caller, document)
    except NotFoundError:  # removed a moment ago: the chip says so when it is clicked
        return None


def _message(role: str, html: str) -> Message:
    return {"role": role, "content": html}


def _language(request: gr.Request) -> str:
    return language(request.headers.get("accept-language"))


def _theme() -> gr.themes.Base:
    """System fonts and no others: a theme's usual fonts would be asked for from another host."""
    fonts: Sequence[str] = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif")
    return gr.themes.Base(primary_hue="blue", neutral_hue="slate", font=fonts, font_mono=("ui-monospace", "monospace"))
