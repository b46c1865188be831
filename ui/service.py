"""The one authorised layer that page, API, OpenAI route and MCP call.

Every method takes a `Caller` and decides by it. All of them are coroutines: what takes time runs in a few threads with
short queues (`ui.pools`). Errors are `PinciteError`, each message fit to be shown.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from index.errors import PinciteError, UsageError
from index.library import Mode
from index.models import Hit
from rag.models import Answer, Piece
from rag.question import LONGEST
from rag.why import Why, no_such_sentence
from ui.accounts import Accounts
from ui.audit import Audit
from ui.library import GONE, Library, around
from ui.limits import Rates
from ui.models import Caller, Cited, Conversation, Conversations, Feedback, Origin, Talk, Turn
from ui.places import link, page_image, section
from ui.pools import Pool
from ui.problems import NotFoundError
from ui.state import State
from ui.talks import Talks, new_id, numbers_of
from ui.visible import Sharing, documents_of, redacted
from ui.watch import Watch
from ui.writing import Writing

if TYPE_CHECKING:
    from ui.settings import Settings

_HISTORY = 10  # earlier turns that a question is understood by
_TOGETHER = 0.08  # seconds; what a model writes within them is shown at once
MOST_HITS = 100


class Service:
    """What the server can do, for whoever may.

    Attributes:
        library: the documents: list, show, text, blocks, page_image, add, remove, share.
        accounts: users, keys and sessions.
        audit: who did and saw what.
        watch: what is counted and logged.
    """

    def __init__(self, settings: Settings) -> None:
        """A service that is not open yet, so that the routes over it can be made.

        Raises:
            UsageError: there is no folder for its database.
        """
        self._keeps = settings.keeps
        self.cookie_seconds = int(settings.session_days * 24 * 3600)
        self._settings = settings
        self._rates = Rates(settings.ask_rate)
        self.desk = Pool("desk", 4, 252)
        self._thinking = Pool("ask", settings.workers, settings.waiting)
        self._intake = Pool("add", 1, 15)
        self.watch = Watch((self.desk, self._thinking, self._intake), settings.log_content)
        self.library = Library(self.desk, self._intake)
        self._writing: dict[str, tuple[str, Turn]] = {}  # answers that are being written, and whose they are
        self.is_open = False

    def open(self) -> None:
        """Open the index and the database.

        Raises:
            StoreError: one of them cannot be used.
        """
        import rag

        self._assistant = rag.open(self._settings.index, self._settings.reader, self._settings.llm)
        index = self._assistant.index
        index.engine.follow()
        self._state = State(self._keeps)
        self.accounts = Accounts(self._state, self._settings.session_days)
        self.audit = Audit(self._state)
        self._talks = Talks(self._state)
        self._sharing = Sharing(self._state, index)
        self.library.open(index, self._sharing, self.accounts, self.audit)
        self.is_open = True

    def close(self) -> None:
        """Finish what has begun; what waits is dropped."""
        for pool in (self._thinking, self._intake, self.desk):
            pool.close()
        self._state.close()
        self._assistant.close()

    async def ready(self) -> bool:
        """Whether questions can be answered now: the index and the database can be read, and there is room."""
        return await self.desk.run(self._ready)

    def _ready(self) -> bool:
        self._assistant.index.engine.snapshot()
        return self._state.value("PRAGMA user_version") is not None and not self._thinking.is_full

    # questions

    async def ask(
        self,
        caller: Caller,
        question: str,
        conversation: str | None = None,
        where: Mapping[str, str] | None = None,
        origin: Origin = "api",
        history: tuple[tuple[str, str], ...] = (),
        alone: bool = False,
    ) -> Turn:
        """Answer a question from what the caller may see, and keep it in a conversation of the caller's.

        Args:
            conversation: the one that it goes on; a new one where left out.
            where: a filter on the documents.
            history: earlier questions and answers that were not kept here, oldest first.
            alone: take the question as it is typed, and not in the light of those before it.

        Raises:
            UsageError: the question is empty or too long, or the filter is bad.
            NotFoundError: the conversation is not there, or not the caller's.
            TooManyError, BusyError: not now.
        """
        stream = self.stream(caller, question, conversation, where, origin, history=history, alone=alone)
        turn = [said async for said in stream][-1]
        if not isinstance(turn, Turn):
            raise TypeError("a stream ends with its turn")
        return turn

    async def stream(
        self,
        caller: Caller,
        question: str,
        conversation: str | None = None,
        where: Mapping[str, str] | None = None,
        origin: Origin = "api",
        ids: tuple[str, str] | None = None,
        history: tuple[tuple[str, str], ...] = (),
        alone: bool = False,
    ) -> AsyncIterator[Piece | Turn]:
        """Answer as `ask` does: first what a language model writes, while it writes it, and last the turn.

        Of each sentence only what is newest comes, a dozen times a second at most. The citations of verified sentences
        can be looked up by `citation` from then on. Whoever leaves before the turn is there takes the question back.

        Args:
            ids: of the answer and of a new conversation, from `new_id`, where they must be known before.

        Raises:
            as `ask` does.
        """
        answer, new = ids or (new_id(), new_id())
        asked = Turn(
            id=answer,
            conversation=conversation or new,
            question=question,
            answer=Writing(question).answer,
            created=datetime.now(UTC),
        )
        told: asyncio.Queue[Piece | None] = asyncio.Queue()
        stop, loop = threading.Event(), asyncio.get_running_loop()

        def tell(piece: Piece) -> None:
            loop.call_soon_threadsafe(told.put_nowait, piece)

        def end(asking: asyncio.Task[Turn]) -> None:
            told.put_nowait(None)
            if not asking.cancelled():
                asking.exception()  # looked at, even where nobody waits for it any more

        with self.watch.asking(asked, caller.name, origin) as answered:
            self._rates.take(caller.name)
            if len(question) > LONGEST:
                raise UsageError(f"the question is longer than {LONGEST:,} characters: shorten it, or add it as a file")
            goes_on = bool(conversation)
            if goes_on:
                await self.desk.run(self._talks.get, caller, asked.conversation)
            call = self._thinking.run(self._ask, caller, asked, goes_on, where, origin, history, alone, tell, stop)
            asking = asyncio.ensure_future(call)
            asking.add_done_callback(end)
            try:
                ended = False
                while not ended:
                    news = [await told.get()]
                    if news[0]:
                        await asyncio.sleep(_TOGETHER)
                    while not told.empty():
                        news.append(told.get_nowait())
                    ended = None in news
                    for piece in {piece.at: piece for piece in news if piece}.values():
                        yield piece
                turn = await asking
                answered(turn.answer)
                yield turn
            finally:
                stop.set()
                asking.cancel()

    def _ask(
        self,
        caller: Caller,
        asked: Turn,
        goes_on: bool,
        where: Mapping[str, str] | None,
        origin: Origin,
        history: tuple[tuple[str, str], ...],
        alone: bool,
        tell: Callable[[Piece], None],
        stop: threading.Event,
    ) -> Turn:
        """Answer in a thread, and keep the answer. ``goes_on`` where its conversation is there already."""
        sight = self._sharing.sight(caller)
        before: list[Answer] | list[tuple[str, str]] = list(history)
        if goes_on and not alone:
            before = [self._seen(caller, t).answer for t in self._talks.said(caller, asked.conversation, _HISTORY)]
        question, within = asked.question, sight.within
        writing = Writing(question)
        try:
            for said in self._assistant.stream(question, before, dict(where) if where else None, within, stop):
                if stop.is_set():
                    raise PinciteError("the question was taken back: ask it again")
                if isinstance(said, Piece):
                    piece = sight.piece(said)
                    if writing.take(piece):
                        written = asked.model_copy(update={"answer": writing.answer})
                        self._writing[asked.id] = (caller.name, written)
                    tell(piece)
                else:
                    answer = sight.answer(said)
            with self._state.transaction():
                if not goes_on:
                    self._talks.begin(caller, question, origin, asked.conversation)
                turn = self._talks.say(caller, asked.conversation, asked.id, question, answer)
                self.audit.note(caller.name, "answer", asked.id, documents_of(answer))
            self._writing.pop(asked.id, None)
            return self._seen(caller, turn)  # sharing may have changed while it was answered
        finally:
            shown = self._writing.pop(asked.id, None)
            if shown:  # it was left, or failed, when part of it had been shown
                self.audit.note(caller.name, "answer", asked.id, documents_of(shown[1].answer))

    async def search(
        self,
        caller: Caller,
        query: str,
        k: int = 10,
        where: Mapping[str, str] | None = None,
        mode: Mode = "fused",
    ) -> list[Hit]:
        """The k best passages for a query among what the caller may see.

        Raises:
            UsageError: the query is empty or too long, or k or the filter is bad.
            TooManyError, BusyError: not now.
        """
        self._rates.take(caller.name)
        if len(query) > LONGEST or k > MOST_HITS:
            raise UsageError(f"a search takes {LONGEST:,} characters and k up to {MOST_HITS}: ask for less")
        return await self._thinking.run(self._search, caller, query, k, where, mode)

    def _search(self, caller: Caller, query: str, k: int, where: Mapping[str, str] | None, mode: Mode) -> list[Hit]:
        sight = self._sharing.sight(caller)
        hits = self._assistant.search(query, k, dict(where) if where else None, mode, sight.within)
        after = self._sharing.sight(caller)
        seen = [after.hit(hit) for hit in hits if after.sees(hit.passage.document)]
        self.audit.note(caller.name, "search", documents={hit.passage.document for hit in seen})
        return seen

    async def why(self, caller: Caller, question: str, quote: str) -> Why:
        """Why a sentence of what the caller may see is shown for a question, or why not; see `Assistant.why`.

        Raises:
            UsageError: the question or the quote is empty or too long, or no such sentence is to be seen.
            TooManyError, BusyError: not now.
        """
        self._rates.take(caller.name)
        if len(question) > LONGEST or len(quote) > LONGEST:
            raise UsageError(f"a question and a quote take {LONGEST:,} characters each: shorten them")
        found = await self._thinking.run(self._why, caller, question, quote)
        await self.desk.run(self.audit.note, caller.name, "read", found.source, [found.document])
        return found

    def _why(self, caller: Caller, question: str, quote: str) -> Why:
        found = self._assistant.why(question, quote, self._sharing.sight(caller).within)
        after = self._sharing.sight(caller)  # sharing may have changed while it was looked for
        if not after.sees(found.document):
            raise UsageError(no_such_sentence(quote))
        return found.model_copy(update={"source": after.name(found.document, found.source)})

    async def try_out(self, caller: Caller, question: str) -> Answer:
        """The answer to a question of our own making: it is not kept, and no language model words it."""
        return await self._thinking.run(self._try_out, caller, question)

    def _try_out(self, caller: Caller, question: str) -> Answer:
        sight = self._sharing.sight(caller)
        return sight.answer(self._assistant.without_model().ask(question, within=sight.within))

    # answers

    async def answer(self, caller: Caller, answer: str) -> Turn:
        """An earlier answer of the caller's, without what the caller may not see any more.

        Raises:
            NotFoundError: there is none, or it is another user's.
        """
        return await self.desk.run(lambda: self._seen(caller, self._talks.turn(caller, answer)))

    async def delete_answer(self, caller: Caller, answer: str) -> None:
        """Delete an answer of the caller's."""
        await self.desk.run(self._talks.forget, caller, answer)

    async def citation(self, caller: Caller, answer: str, number: int) -> Cited:
        """One citation of an answer, or of its notes, with its document around it.

        Raises:
            NotFoundError: there is none of that number, or its document is gone or not shared with the caller.
        """
        return await self.desk.run(self._citation, caller, answer, number)

    async def give_feedback(self, caller: Caller, answer: str, feedback: Feedback) -> Feedback:
        """Keep what the caller thinks of an answer of its own, or of one of its citations."""
        return await self.desk.run(self._talks.judge, caller, answer, feedback)

    def _seen(self, caller: Caller, turn: Turn) -> Turn:
        sight = self._sharing.sight(caller)
        shown = documents_of(turn.answer)
        has = self._assistant.index.engine.store.has
        hidden = frozenset(d for d in shown if not sight.sees(d) or not has(d))
        return turn.model_copy(update={"answer": sight.answer(redacted(turn.answer, hidden))})

    def _citation(self, caller: Caller, answer: str, number: int) -> Cited:
        owner, written = self._writing.get(answer, (None, None))
        turn = written if written and owner == caller.name else self._talks.turn(caller, answer)
        given = turn.answer
        cited = {c.number: c for c in (*(c for note in given.notes for c in note.citations), *given.citations)}
        if number not in cited:
            raise NotFoundError(f"the answer has no citation {number}: it has {len(cited)}")
        citation = cited[number]
        document = self.library.read(caller, citation.document)
        if document.text[citation.start : citation.end] != citation.quote:
            raise NotFoundError(GONE)
        return Cited(
            answer=turn.id,
            conversation=turn.conversation,
            number=number,
            numbers=numbers_of(self._seen(caller, turn).answer),
            citation=citation.model_copy(update={"source": document.source}),
            document=self.library.shown(caller, document.id),
            section=section(document, citation.start),
            blocks=around(document, citation.start, citation.end),
            page_image=page_image(document, citation),
            link=link(turn, number),
        )

    # conversations

    async def conversations(
        self, caller: Caller, text: str = "", origin: Origin | None = None, limit: int = 50, offset: int = 0
    ) -> Conversations:
        """The caller's conversations, the last changed first, where their title or questions hold some text."""
        return await self.desk.run(self._talks.listing, caller, text, origin, limit, offset)

    async def new_conversation(self, caller: Caller, title: str = "", origin: Origin = "api") -> Conversation:
        """Begin a conversation; without a title it is called after its first question."""
        return await self.desk.run(self._talks.begin, caller, title, origin, new_id())

    async def conversation(self, caller: Caller, conversation: str) -> Talk:
        """A conversation of the caller's with all that was said.

        Raises:
            NotFoundError: there is none, or it is another user's.
        """
        return await self.desk.run(self._talk, caller, conversation)

    async def rename(self, caller: Caller, conversation: str, title: str) -> Conversation:
        """Give a conversation another title."""
        return await self.desk.run(self._talks.rename, caller, conversation, title)

    async def delete_conversation(self, caller: Caller, conversation: str) -> None:
        """Delete a conversation with its answers."""
        await self.desk.run(self._talks.delete, caller, conversation)

    def _talk(self, caller: Caller, conversation: str) -> Talk:
        found = self._talks.get(caller, conversation)
        said = tuple(self._seen(caller, turn) for turn in self._talks.said(caller, conversation))
        return Talk(**dict(found), answers=said)
