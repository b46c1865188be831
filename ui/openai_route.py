"""The OpenAI-compatible route: chat completions whose text keeps its citations, and carries them as annotations too."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from index.errors import UsageError
from rag.models import Answer, Citation
from ui import problems
from ui.api import Who
from ui.models import Turn
from ui.places import link
from ui.problems import NotFoundError

if TYPE_CHECKING:
    from ui.service import Service

MODEL = "pincite"
_PIECE = 200  # characters of a streamed piece
_MOST_MESSAGES = 500
_EXAMPLE: dict[str, Any] = {"model": MODEL, "messages": [{"role": "user", "content": "Who received grants in 2021?"}]}
_USAGE = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}  # nothing here is billed by the token

# What OpenAI's clients send besides what is named here, such as a temperature, changes nothing.


class Part(BaseModel):
    """A part of a message; only text is understood."""

    type: str
    text: str = ""


class Message(BaseModel):
    """A message of the conversation so far."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[Part] | None = None

    @property
    def words(self) -> str:
        """Its text."""
        if isinstance(self.content, str):
            return self.content
        return "\n".join(part.text for part in self.content or [])


class StreamOptions(BaseModel):
    """How to stream."""

    include_usage: bool = False


class Asked(BaseModel):
    """A request for a chat completion: the last message is the question."""

    model_config = ConfigDict(title="ChatCompletionRequest", json_schema_extra={"examples": [_EXAMPLE]})

    model: str = MODEL
    messages: Annotated[list[Message], Field(min_length=1, max_length=_MOST_MESSAGES)]
    stream: bool = False
    stream_options: StreamOptions | None = None


def routes(service: Service) -> APIRouter:
    """The routes over a service."""
    api = APIRouter(
        prefix="/v1", tags=["OpenAI-compatible"], responses=problems.described(400, 401, 404, 413, 422, 429, 503)
    )
    model = {"id": MODEL, "object": "model", "created": 0, "owned_by": "pincite"}

    @api.get("/models")
    async def models(caller: Who) -> dict[str, Any]:
        """The only model there is."""
        return {"object": "list", "data": [model]}

    @api.get("/models/{name}")
    async def one_model(name: str, caller: Who) -> dict[str, Any]:
        """The model, by its name."""
        _check_model(name)
        return model

    @api.post("/chat/completions", responses={200: {"content": {"text/event-stream": {"example": "data: {…}\n\n"}}}})
    async def complete(asked: Asked, caller: Who, request: Request) -> Response:
        """Answer the last message, with `[1]` in the text, a list of sources, and an annotation for each marker."""
        _check_model(asked.model)
        if asked.messages[-1].role != "user":
            raise UsageError("the last message is not the user's: end with a question")
        turn = await service.ask(
            caller, asked.messages[-1].words, origin="chat", history=tuple(_pairs(asked.messages[:-1]))
        )
        text, annotations = content(turn, str(request.base_url).rstrip("/"))
        if asked.stream:
            usage = bool(asked.stream_options and asked.stream_options.include_usage)
            return StreamingResponse(_streamed(turn, text, annotations, usage), media_type="text/event-stream")
        message = {"role": "assistant", "content": text, "refusal": None, "annotations": annotations}
        choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
        whole = _envelope(turn, "chat.completion") | {"choices": [choice], "usage": _USAGE}
        whole["pincite"] = {"answer": turn.id, "conversation": turn.conversation, "status": turn.answer.status}
        return Response(json.dumps(whole, ensure_ascii=False), media_type="application/json")

    return api


def _check_model(name: str) -> None:
    if name != MODEL:
        raise NotFoundError(f"there is no model {name!r} here: use {MODEL!r}")


def _pairs(messages: Iterable[Message]) -> Iterator[tuple[str, str]]:
    """Each earlier question with its answer."""
    question: str | None = None
    for message in messages:
        if message.role == "user":
            question = message.words
        elif message.role == "assistant" and question is not None:
            yield question, message.words
            question = None


def content(turn: Turn, base: str) -> tuple[str, list[dict[str, Any]]]:
    """An answer as text with its sources, and an annotation for each marker in it; ``base`` begins their links."""
    answer = turn.answer
    cited = {c.number: c for c in (*answer.citations, *(c for note in answer.notes for c in note.citations))}
    out = _Written(turn, base, cited)
    for words, numbers in _statements(answer):
        out.add(words, numbers)
    if cited:
        out.lines("", "Sources:", *(f"[{c.number}] {_source(c)}" for c in cited.values()))
    return out.text, out.annotations


def _statements(answer: Answer) -> Iterator[tuple[str, tuple[int, ...]]]:
    """What an answer says, each with the numbers of its citations."""
    if answer.status == "refused":
        yield answer.text, ()
        yield from ((f"- {choice}", ()) for choice in answer.choices)
    for row in answer.rows:
        yield "- " + "; ".join(v for v in (row.name, row.amount, row.period, row.purpose) if v), row.citations
    shown = {number for row in answer.rows for number in row.citations}
    for claim in answer.claims:
        if not shown.issuperset(claim.citations):
            yield claim.text, claim.citations
    for note in answer.notes:
        yield note.text, tuple(c.number for c in note.citations)


def _source(citation: Citation) -> str:
    about = (
        citation.title or citation.source,
        citation.publisher,
        citation.published and citation.published.isoformat(),
    )
    page = f", page {citation.page}" if citation.page else ""
    return f"{', '.join(a for a in about if a)}{page}: “{' '.join(citation.quote.split())}”"


class _Written:
    """A text in the making, which knows where its markers stand."""

    def __init__(self, turn: Turn, base: str, cited: dict[int, Citation]) -> None:
        self.text = ""
        self.annotations: list[dict[str, Any]] = []
        self._turn = turn
        self._base = base
        self._cited = cited

    def lines(self, *lines: str) -> None:
        for line in lines:
            self.text += f"\n{line}" if self.text else line

    def add(self, words: str, numbers: tuple[int, ...]) -> None:
        """A line with markers at its end."""
        self.lines(" ".join(words.split()) + (" " if numbers else ""))
        for number in numbers:
            citation, start = self._cited[number], len(self.text)
            self.text += f"[{number}]"
            place = {
                "start_index": start,
                "end_index": len(self.text),
                "title": citation.title or citation.source,
                "url": self._base + link(self._turn, number),
            }
            whole = citation.model_dump(mode="json")
            self.annotations.append({"type": "url_citation", "url_citation": place, "citation": whole})


def _envelope(turn: Turn, kind: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{turn.id}", "object": kind, "created": int(turn.created.timestamp()), "model": MODEL}


def _streamed(turn: Turn, text: str, annotations: list[dict[str, Any]], usage: bool) -> Iterator[str]:
    """A completion in pieces: the text, then the annotations, then the end."""
    head = _envelope(turn, "chat.completion.chunk")

    def chunk(delta: dict[str, Any], finish: str | None = None) -> str:
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
        return f"data: {json.dumps(head | {'choices': [choice]}, ensure_ascii=False)}\n\n"

    yield chunk({"role": "assistant", "content": ""})
    for at in range(0, len(text), _PIECE):
        yield chunk({"content": text[at : at + _PIECE]})
    yield chunk({"annotations": annotations}, "stop")
    if usage:
        yield f"data: {json.dumps(head | {'choices': [], 'usage': _USAGE})}\n\n"
    yield "data: [DONE]\n\n"
