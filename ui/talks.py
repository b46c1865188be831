"""Conversations, answers and feedback as they are stored. A user's own are all that it can reach."""

from __future__ import annotations

import secrets
import sqlite3
from typing import TYPE_CHECKING

from rag.models import Answer
from ui.models import Caller, Conversation, Conversations, Feedback, Origin, Turn
from ui.problems import NotFoundError

if TYPE_CHECKING:
    from ui.state import State

_LONGEST_TITLE = 120
_COUNTED = "SELECT c.*, (SELECT count(*) FROM turns t WHERE t.conversation = c.id) AS turns FROM conversations c"


def new_id() -> str:
    """A name that nobody can guess."""
    return secrets.token_hex(8)


class Talks:
    """The conversations of all users."""

    def __init__(self, state: State) -> None:
        self._state = state

    def begin(self, caller: Caller, title: str, origin: Origin, id_: str) -> Conversation:
        """A new conversation, empty."""
        time = self._state.time()
        self._state.do(
            "INSERT INTO conversations (id, user, title, origin, created, changed) VALUES (?, ?, ?, ?, ?, ?)",
            *(id_, caller.name, _title(title), origin, time, time),
        )
        return self.get(caller, id_)

    def get(self, caller: Caller, conversation: str) -> Conversation:
        """A conversation of the caller's.

        Raises:
            NotFoundError: there is none, or it is another user's.
        """
        row = self._state.row(f"{_COUNTED} WHERE c.id = ? AND c.user = ?", conversation, caller.name)
        if row is None:
            raise NotFoundError("there is no such conversation of yours: it may have been deleted")
        return _conversation(row)

    def listing(self, caller: Caller, text: str, origin: Origin | None, limit: int, offset: int) -> Conversations:
        """The caller's conversations whose title or questions hold some text, the last changed first."""
        condition, values = "c.user = ?", [caller.name]
        if origin:
            condition += " AND c.origin = ?"
            values.append(origin)
        if text:
            condition += (
                " AND (instr(folded(c.title), ?) OR EXISTS (SELECT 1 FROM turns t WHERE t.conversation = c.id"
                " AND instr(folded(t.question), ?)))"
            )
            values += [text.casefold()] * 2
        total = self._state.value(f"SELECT count(*) FROM conversations c WHERE {condition}", *values)  # noqa: S608
        query = f"{_COUNTED} WHERE {condition} ORDER BY c.changed DESC, c.number DESC LIMIT ? OFFSET ?"
        rows = self._state.rows(query, *values, limit, offset)
        return Conversations(total=total, items=tuple(map(_conversation, rows)))

    def rename(self, caller: Caller, conversation: str, title: str) -> Conversation:
        """Give a conversation another title."""
        self.get(caller, conversation)
        self._state.do("UPDATE conversations SET title = ? WHERE id = ?", _title(title), conversation)
        return self.get(caller, conversation)

    def delete(self, caller: Caller, conversation: str) -> None:
        """Delete a conversation with all that was said in it."""
        self.get(caller, conversation)
        self._state.do("DELETE FROM conversations WHERE id = ?", conversation)

    def said(self, caller: Caller, conversation: str, last: int | None = None) -> list[Turn]:
        """The turns of a conversation, or the last of them, oldest first."""
        self.get(caller, conversation)
        query = "SELECT * FROM turns WHERE conversation = ? ORDER BY number DESC LIMIT ?"
        rows = self._state.rows(query, conversation, -1 if last is None else last)
        return [self._turn(row) for row in reversed(rows)]

    def say(self, caller: Caller, conversation: str, id_: str, question: str, answer: Answer) -> Turn:
        """Store a question and its answer.

        Raises:
            NotFoundError: the conversation has been deleted while the question was answered.
        """
        time = self._state.time()
        with self._state.transaction():
            if not self.get(caller, conversation).title:
                self.rename(caller, conversation, question)
            self._state.do(
                "INSERT INTO turns (id, conversation, question, answer, created) VALUES (?, ?, ?, ?, ?)",
                *(id_, conversation, question, answer.model_dump_json(), time),
            )
            self._state.do("UPDATE conversations SET changed = ? WHERE id = ?", time, conversation)
        return self.turn(caller, id_)

    def turn(self, caller: Caller, answer: str) -> Turn:
        """An answer of the caller's, with its question.

        Raises:
            NotFoundError: there is none, or it is another user's.
        """
        query = "SELECT t.* FROM turns t JOIN conversations c ON c.id = t.conversation WHERE t.id = ? AND c.user = ?"
        row = self._state.row(query, answer, caller.name)
        if row is None:
            raise NotFoundError("there is no such answer of yours: it may have been deleted")
        return self._turn(row)

    def forget(self, caller: Caller, answer: str) -> None:
        """Delete one answer."""
        self.turn(caller, answer)
        self._state.do("DELETE FROM turns WHERE id = ?", answer)

    def judge(self, caller: Caller, answer: str, feedback: Feedback) -> Feedback:
        """Keep what the caller thinks of an answer, or of one citation, in place of what it thought before.

        Raises:
            NotFoundError: the answer has no such citation.
        """
        numbers = numbers_of(self.turn(caller, answer).answer)
        if feedback.citation is not None and feedback.citation not in numbers:
            raise NotFoundError(f"the answer has no citation {feedback.citation}: it has {len(numbers)}")
        values = (answer, feedback.citation or 0, feedback.value, feedback.comment, self._state.time())
        self._state.do("INSERT OR REPLACE INTO feedback VALUES (?, ?, ?, ?, ?)", *values)
        return feedback

    def _turn(self, row: sqlite3.Row) -> Turn:
        judged = self._state.rows("SELECT * FROM feedback WHERE turn = ? ORDER BY citation", row["id"])
        return Turn(
            id=row["id"],
            conversation=row["conversation"],
            question=row["question"],
            answer=Answer.model_validate_json(row["answer"]),
            created=row["created"],
            feedback=tuple(
                Feedback(value=f["value"], citation=f["citation"] or None, comment=f["comment"]) for f in judged
            ),
        )


def numbers_of(answer: Answer) -> tuple[int, ...]:
    """The numbers of all citations of an answer and of its notes, in order."""
    cited = [*answer.citations, *(c for note in answer.notes for c in note.citations)]
    return tuple(sorted({citation.number for citation in cited}))


def _conversation(row: sqlite3.Row) -> Conversation:
    return Conversation.model_validate({name: row[name] for name in Conversation.model_fields})


def _title(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST_TITLE else text[: _LONGEST_TITLE - 1] + "…"
