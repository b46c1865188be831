"""The audit log: who added, removed, shared and saw which documents, and who was let in. Rows are only ever added.

It lies in ``state.sqlite``, in one commit with what it tells of where that is there too. It holds neither questions nor
quotes.
"""

from __future__ import annotations

import json
import os
import pwd
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from index.models import Model

if TYPE_CHECKING:
    from ui.state import State

Action = Literal[
    "add",
    "remove",
    "share",
    "read",
    "answer",
    "search",
    "sign in",
    "sign in refused",
    "sign out",
    "user add",
    "user set",
    "user remove",
    "key add",
    "key remove",
]
MOST_ENTRIES = 1000


class Entry(Model):
    """A line of the log.

    Attributes:
        user: who did it; ``shell:NAME`` for a login of this machine that used the command line, empty for a stranger.
        subject: what it was done to: a document's source, an answer's id, a user's name, a key's id.
        documents: the ids of the documents that were changed or whose words were shown.
        detail: what else is known of it, such as the groups that a document was shared with.
    """

    number: int
    at: datetime
    user: str
    action: Action
    subject: str
    documents: tuple[str, ...]
    detail: dict[str, str]


class Entries(Model):
    """Part of the log, the latest first, and how many lines fit in all."""

    total: int
    items: tuple[Entry, ...] = Field(max_length=MOST_ENTRIES)


class Audit:
    """Writes the log and reads it."""

    def __init__(self, state: State) -> None:
        self._state = state

    def note(self, user: str, action: Action, subject: str = "", documents: Iterable[str] = (), **detail: str) -> None:
        """Add a line; durable when this returns, or with the transaction that it is part of."""
        values = (self._state.time(), user, action, subject, json.dumps(sorted(documents)), json.dumps(detail))
        self._state.do(
            "INSERT INTO audit (at, user, action, subject, documents, detail) VALUES (?, ?, ?, ?, ?, ?)", *values
        )

    def entries(
        self,
        user: str | None = None,
        action: str | None = None,
        document: str | None = None,
        since: datetime | None = None,
        limit: int = 50,
        offset: int = 0,
    ) -> Entries:
        """What fits, the latest first.

        Args:
            document: the id of a document.
            since: with its time zone; one without is taken for local time.
        """
        wanted: list[tuple[str, object]] = []
        if user is not None:
            wanted.append(("user = ?", user))
        if action is not None:
            wanted.append(("action = ?", action))
        if document is not None:
            wanted.append(("EXISTS (SELECT 1 FROM json_each(documents) WHERE value = ?)", document))
        if since is not None:
            wanted.append(("julianday(at) >= julianday(?)", since.astimezone().isoformat(timespec="milliseconds")))
        condition = " AND ".join(words for words, _ in wanted) or "TRUE"
        values = [value for _, value in wanted]
        total = self._state.value(f"SELECT count(*) FROM audit WHERE {condition}", *values)  # noqa: S608  only marks
        query = f"SELECT * FROM audit WHERE {condition} ORDER BY number DESC LIMIT ? OFFSET ?"  # noqa: S608
        rows = self._state.rows(query, *values, min(limit, MOST_ENTRIES), offset)
        parsed = ({**dict(row), **{name: json.loads(row[name]) for name in ("documents", "detail")}} for row in rows)
        return Entries(total=total, items=tuple(Entry.model_validate(one) for one in parsed))


@contextmanager
def from_the_shell(folder: Path) -> Iterator[Callable[[Action, str, str | None], None]]:
    """Notes what the command line does to a document, named by source and id, where the index was ever served."""
    from ui.state import DATABASE, State

    if not (folder / DATABASE).is_file():
        yield lambda action, source, document: None
        return
    state = State(folder)
    try:
        audit = Audit(state)
        yield lambda action, source, document: audit.note(shell(), action, source, [document] if document else [])
    finally:
        state.close()


def shell() -> str:
    """Who uses the command line, as the log names them."""
    number = os.getuid()
    try:
        return f"shell:{pwd.getpwuid(number).pw_name}"
    except KeyError:  # a container may run under a number that has no name
        return f"shell:{number}"
