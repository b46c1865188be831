"""The HTTP API, under ``/api/v1``. It only reads requests and writes responses; `ui.service` decides and does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Depends, File, Form, Path, Query, Request, Response, Security, UploadFile
from fastapi.responses import PlainTextResponse, StreamingResponse
from fastapi.security import APIKeyCookie, HTTPBearer

from index.errors import PinciteError
from index.filters import parse_where
from index.models import Added, Model
from rag.models import Answer, Claim, Piece
from rag.why import Why
from ui import problems, render
from ui.bodies import EXAMPLE, ID, Groups, Question, Search, Session, SignIn, Title, Trace
from ui.library import MOST_LISTED
from ui.limits import Rates
from ui.models import (
    Blocks,
    Caller,
    Cited,
    Conversation,
    Conversations,
    Documents,
    Feedback,
    Hits,
    Origin,
    Shown,
    Talk,
    Turn,
)
from ui.problems import SignInError
from ui.security import COOKIE, caller_of, token_of
from ui.talks import new_id

if TYPE_CHECKING:
    from ui.service import Service

_ALIVE = 10.0  # seconds between signs of life of a stream
_SIGN_INS = 20  # a minute, of one address

DocumentId = Annotated[str, Path(pattern=ID, description="A document's id.", examples=["3f2a9c0d1b5e7a68"])]
AnswerId = Annotated[str, Path(pattern=ID, description="An answer's id.", examples=["9b1de8c2a4f06d37"])]
TalkId = Annotated[str, Path(pattern=ID, description="A conversation's id.", examples=["c40a7be1f2d95863"])]
Offset = Annotated[int, Query(ge=0, le=2**53)]
Limit = Annotated[int, Query(ge=1, le=MOST_LISTED)]
Language = Annotated[Literal["en", "ru"], Query(description="Of the words around what was said.")]
Text = Annotated[str, Query(max_length=200)]


_KEY = HTTPBearer(auto_error=False, scheme_name="API key", description="From `pincite key add USER`.")
_SESSION = APIKeyCookie(name=COOKIE, auto_error=False, scheme_name="session", description="From `POST /session`.")


def _who(
    request: Request,
    key: Annotated[object, Security(_KEY)],  # these two only tell in the description how to sign in
    session: Annotated[object, Security(_SESSION)],
) -> Caller:
    return caller_of(request)


Who = Annotated[Caller, Depends(_who)]


def routes(service: Service) -> APIRouter:
    """The API over a service."""
    api = APIRouter(prefix="/api/v1", responses=problems.described(400, 401, 403, 404, 413, 422, 429, 503))
    _questions(api, service)
    _answers(api, service)
    _conversations(api, service)
    _documents(api, service)
    _sessions(api, service)
    return api


def _json(model: Model, status: int = 200, **headers: str) -> Response:
    """A model as it is: it was validated when it was made."""
    named = {f"X-{name.title()}-Id": value for name, value in headers.items()}
    return Response(model.model_dump_json(), status, named, "application/json")


def _questions(api: APIRouter, service: Service) -> None:
    good = {
        "description": "With `Accept: text/event-stream`: where a language model writes, `writing` for each sentence as"
        " it grows (not verified: to be marked so), then `claim` with its citations once it is verified, or `rejected`"
        " where it is to be taken back, each with the sentence's place `at`; elsewhere a `claim` for each claim. Last"
        " `answer`, which stands in place of all that came before it, or `problem`.",
        "content": {
            "application/json": {"example": EXAMPLE},
            "text/event-stream": {"example": "event: answer\ndata: {…}\n\n"},
        },
    }

    @api.post(
        "/ask",
        tags=["questions"],
        response_model=Answer,
        responses={200: good},
    )
    async def ask(asked: Question, caller: Who, request: Request) -> Response:
        """Answer a question, with citations, or say why not.

        The ids of the answer and of its conversation are in the headers `X-Answer-Id` and `X-Conversation-Id`.
        """
        given = (caller, asked.question, asked.conversation, asked.where, asked.origin)
        if "text/event-stream" not in request.headers.get("accept", ""):
            turn = await _unless_left(request, service.ask(*given, alone=asked.alone))
            return _json(turn.answer, answer=turn.id, conversation=turn.conversation)
        # The ids go out before the answer is there.
        ids = (new_id(), new_id())
        headers = {"X-Answer-Id": ids[0], "X-Conversation-Id": asked.conversation or ids[1]}
        events = _events(service.stream(*given, ids, alone=asked.alone))
        return StreamingResponse(events, headers=headers, media_type="text/event-stream")

    @api.post("/why", tags=["questions"], response_model=Why)
    async def why(asked: Trace, caller: Who) -> Response:
        """Why a sentence is shown for a question, or at which step it was stopped."""
        return _json(await service.why(caller, asked.question, asked.quote))

    @api.post("/search", tags=["questions"], response_model=Hits)
    async def search(asked: Search, caller: Who) -> Response:
        """The best passages for a query, with the ranks and scores that put them there."""
        return _json(Hits(hits=tuple(await service.search(caller, asked.query, asked.k, asked.where, asked.mode))))


async def _unless_left(request: Request, asking: Coroutine[Any, Any, Turn]) -> Turn:
    """What is being asked; where the client leaves before it is there, the question is taken back.

    Raises:
        PinciteError: the client has left.
    """
    answered, left = asyncio.ensure_future(asking), asyncio.ensure_future(request.receive())
    try:
        await asyncio.wait({answered, left}, return_when=asyncio.FIRST_COMPLETED)
        if not answered.done():
            raise PinciteError("the client has left: ask again")
        return answered.result()
    finally:
        answered.cancel()
        left.cancel()


async def _events(stream: AsyncIterator[Piece | Turn]) -> AsyncIterator[str]:
    """An answer as server-sent events, with signs of life while nothing happens."""
    written = False
    coming: asyncio.Future[Piece | Turn] | None = None
    try:
        while True:
            coming = asyncio.ensure_future(anext(stream))
            while not (await asyncio.wait({coming}, timeout=_ALIVE))[0]:
                yield ": still reading\n\n"
            said = coming.result()
            if isinstance(said, Turn):
                for claim in () if written else said.answer.claims:
                    yield _event("claim", claim.model_dump_json())
                yield _event("answer", said.answer.model_dump_json())
                return
            written = True
            yield _event(*_told(said))
    except PinciteError as error:
        yield _event("problem", problems.body(problems.status_of(error), str(error)).decode())
    finally:
        if coming:
            coming.cancel()  # the client is gone: the question is taken back


def _told(piece: Piece) -> tuple[str, str]:
    """The name of a piece's event, and its data."""
    match piece.state:
        case "writing":
            return "writing", json.dumps({"at": piece.at, "text": piece.text}, ensure_ascii=False)
        case "verified":
            claim = Claim(text=piece.text, citations=tuple(c.number for c in piece.citations))
            return "claim", json.dumps({"at": piece.at, **claim.model_dump(mode="json")}, ensure_ascii=False)
        case "rejected":
            return "rejected", json.dumps({"at": piece.at})


def _event(name: str, data: str) -> str:
    return f"event: {name}\ndata: {data}\n\n"


def _answers(api: APIRouter, service: Service) -> None:
    @api.get("/answers/{answer}", tags=["answers"], response_model=Turn)
    async def get(answer: AnswerId, caller: Who) -> Response:
        """An earlier answer, without what rests on documents that are gone or not shared any more."""
        return _json(await service.answer(caller, answer))

    @api.delete("/answers/{answer}", tags=["answers"], status_code=204)
    async def delete(answer: AnswerId, caller: Who) -> None:
        """Delete an answer."""
        await service.delete_answer(caller, answer)

    @api.get("/answers/{answer}/text", tags=["answers"], response_class=PlainTextResponse)
    async def text(answer: AnswerId, caller: Who, language: Language = "en") -> str:
        """An answer as plain text, with `[1]` and a list of sources."""
        return render.plain_text((await service.answer(caller, answer)).answer, language)

    @api.get(
        "/answers/{answer}/table.csv",
        tags=["answers"],
        response_class=Response,
        responses={200: {"content": {"text/csv": {}}}},
    )
    async def table(answer: AnswerId, caller: Who, language: Language = "en") -> Response:
        """The rows of an answer as CSV; no cell is read as a formula."""
        csv = render.csv_text((await service.answer(caller, answer)).answer, language)
        return _download(csv.encode("utf-8-sig"), f"answer-{answer}.csv", "text/csv")

    @api.get("/answers/{answer}/citations/{number}", tags=["answers"], response_model=Cited)
    async def citation(answer: AnswerId, number: Annotated[int, Path(ge=1, le=2**31)], caller: Who) -> Response:
        """One citation of an answer, or of its notes, with its document around it."""
        return _json(await service.citation(caller, answer, number))

    @api.post("/answers/{answer}/feedback", tags=["answers"], status_code=201)
    async def feedback(answer: AnswerId, given: Feedback, caller: Who) -> Feedback:
        """Say what you think of an answer, or of one of its citations, in place of what you said before."""
        return await service.give_feedback(caller, answer, given)


def _conversations(api: APIRouter, service: Service) -> None:
    tags: list[str | Enum] = ["conversations"]

    @api.get("/conversations", tags=tags, response_model=Conversations)
    async def listing(
        caller: Who, text: Text = "", origin: Origin | None = None, limit: Limit = 50, offset: Offset = 0
    ) -> Response:
        """Your conversations, the last changed first, where the title or a question holds some text."""
        return _json(await service.conversations(caller, text, origin, limit, offset))

    @api.post("/conversations", tags=tags, status_code=201)
    async def create(given: Title, caller: Who) -> Conversation:
        """Begin a conversation; without a title it is called after its first question."""
        return await service.new_conversation(caller, given.title, given.origin)

    @api.get("/conversations/{conversation}", tags=tags, response_model=Talk)
    async def get(conversation: TalkId, caller: Who) -> Response:
        """A conversation with all that was said."""
        return _json(await service.conversation(caller, conversation))

    @api.patch("/conversations/{conversation}", tags=tags)
    async def rename(conversation: TalkId, given: Title, caller: Who) -> Conversation:
        """Give a conversation another title."""
        return await service.rename(caller, conversation, given.title)

    @api.delete("/conversations/{conversation}", tags=tags, status_code=204)
    async def delete(conversation: TalkId, caller: Who) -> None:
        """Delete a conversation with its answers."""
        await service.delete_conversation(caller, conversation)

    @api.get(
        "/conversations/{conversation}/export",
        tags=tags,
        response_class=Response,
        responses={200: {"content": {"text/markdown": {}, "text/html": {}}}},
    )
    async def export(
        conversation: TalkId,
        caller: Who,
        format: Literal["markdown", "html"] = "markdown",
        language: Language = "en",
    ) -> Response:
        """A conversation as a file."""
        talk = await service.conversation(caller, conversation)
        turns = [render.Turn(turn.question, turn.answer) for turn in talk.answers]
        if format == "html":
            page = render.conversation_html(talk.title, turns, language)
            return _download(page.encode(), f"conversation-{conversation}.html", "text/html")
        words = render.conversation_markdown(talk.title, turns, language)
        return _download(words.encode(), f"conversation-{conversation}.md", "text/markdown")


def _download(data: bytes, name: str, media_type: str) -> Response:
    return Response(data, headers={"Content-Disposition": f'attachment; filename="{name}"'}, media_type=media_type)


def _documents(api: APIRouter, service: Service) -> None:
    tags: list[str | Enum] = ["documents"]
    library = service.library

    @api.get("/documents", tags=tags, response_model=Documents)
    async def listing(
        caller: Who,
        text: Text = "",
        where: Annotated[
            list[str] | None,
            Query(description="FIELD=VALUE, such as published>=2021-01-01", examples=[["publisher=RT"]], max_length=20),
        ] = None,
        limit: Limit = 50,
        offset: Offset = 0,
    ) -> Response:
        """The documents that you may see, by source, where title, source or publisher hold some text."""
        return _json(await library.list(caller, parse_where(where or []), text, limit, offset))

    @api.post("/documents", tags=tags, status_code=201)
    async def add(
        caller: Who,
        file: Annotated[list[UploadFile], File(description="One file or more.")],
        group: Annotated[
            list[str] | None, Form(description="Share with these groups alone; else with everyone.")
        ] = None,
    ) -> list[Added]:
        """Add files; what became of each, in order. One that is refused does not keep the others out."""
        return [await library.add(caller, one.filename or "", await one.read(), group) for one in file]

    @api.get("/documents/{document}", tags=tags, response_model=Shown)
    async def show(document: DocumentId, caller: Who) -> Response:
        """What is known of a document."""
        return _json(await library.show(caller, document))

    @api.delete("/documents/{document}", tags=tags, status_code=204)
    async def remove(document: DocumentId, caller: Who) -> None:
        """Remove a document."""
        await library.remove(caller, document)

    @api.put("/documents/{document}/groups", tags=tags)
    async def share(document: DocumentId, given: Groups, caller: Who) -> Shown:
        """Share a document with some groups alone, or with everyone."""
        return await library.share(caller, document, given.groups)

    @api.get("/documents/{document}/text", tags=tags, response_class=PlainTextResponse)
    async def text(document: DocumentId, caller: Who) -> str:
        """The text in which all offsets count, in Unicode code points."""
        return await library.text(caller, document)

    @api.get("/documents/{document}/blocks", tags=tags, response_model=Blocks)
    async def blocks(
        document: DocumentId, caller: Who, start: Offset = 0, end: Annotated[int | None, Query(ge=0, le=2**53)] = None
    ) -> Response:
        """The headings, paragraphs and rows within a range of a document's text; at most 200,000 characters at once."""
        return _json(await library.blocks(caller, document, start, end))

    @api.get(
        "/documents/{document}/pages/{page}.png",
        tags=tags,
        response_class=Response,
        responses={200: {"content": {"image/png": {}}}},
    )
    async def page_image(
        document: DocumentId,
        page: Annotated[int, Path(ge=1, le=2**31)],
        caller: Who,
        start: Offset = 0,
        end: Offset = 0,
    ) -> Response:
        """A page of a PDF, with the words from start to end marked."""
        return Response(await library.page_image(caller, document, page, start, end), media_type="image/png")


def _sessions(api: APIRouter, service: Service) -> None:
    tags: list[str | Enum] = ["session"]
    rates = Rates(_SIGN_INS)

    @api.get("/session", tags=tags)
    async def get(request: Request) -> Session:
        """Who is signed in."""
        exist = await service.desk.run(service.accounts.exist)
        try:
            caller = caller_of(request)
        except SignInError:
            return Session(user=None, role=None, accounts=exist)
        return Session(
            user=caller.name,
            role=caller.role,
            groups=tuple(sorted(caller.groups)),
            may_share=await service.library.may_share(caller),
            accounts=exist,
        )

    @api.post("/session", tags=tags, status_code=204)
    async def sign_in(given: SignIn, request: Request) -> Response:
        """Sign in with name and password; the session is a cookie."""
        rates.take(request.client.host if request.client else "")
        token = await service.desk.run(service.accounts.sign_in, given.name, given.password)
        response = Response(status_code=204)
        secure = request.url.scheme == "https"
        response.set_cookie(COOKIE, token, service.cookie_seconds, httponly=True, samesite="lax", secure=secure)
        return response

    @api.delete("/session", tags=tags, status_code=204)
    async def sign_out(request: Request) -> Response:
        """Sign out."""
        token = token_of(request.headers)
        if token:
            await service.desk.run(service.accounts.sign_out, token)
        response = Response(status_code=204)
        response.delete_cookie(COOKIE, httponly=True, samesite="lax", secure=request.url.scheme == "https")
        return response
