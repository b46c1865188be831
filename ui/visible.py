"""What a caller may see: which documents, under which of their names, and what of an answer given earlier.

Sharing is kept by source: a source that nobody restricted is everyone's, so that a file which is added again stays
restricted, whatever it says now. A document is visible where any of its sources is.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, NamedTuple

from index.models import Hit
from rag.models import Answer, Citation, Claim, Note, Piece

if TYPE_CHECKING:
    from index.library import Index
    from ui.models import Caller
    from ui.state import State

NOBODY = ""  # the group of sources that were removed by one user while another may still see their document
_REMEMBERED = 64  # sets of groups
_WITHHELD = "Part of this answer is not shown: a document that it rests on was removed, or is not shared with you."


class Sight(NamedTuple):
    """What one caller sees of the documents.

    Attributes:
        within: the ids of the documents that it may see; ``None`` for all.
        names: for documents with a hidden source, the sources that may be shown, in order.
    """

    within: frozenset[str] | None
    names: dict[str, tuple[str, ...]]

    def sees(self, document: str) -> bool:
        """Whether a document may be seen, if it is there."""
        return self.within is None or document in self.within

    def name(self, document: str, source: str) -> str:
        """The name by which a document may be called."""
        names = self.names.get(document)
        return source if names is None or source in names else names[0]

    def hit(self, hit: Hit) -> Hit:
        """A hit under a name that may be shown."""
        return hit.model_copy(update={"source": self.name(hit.passage.document, hit.source)}) if self.names else hit

    def answer(self, answer: Answer) -> Answer:
        """A fresh answer under names that may be shown."""
        if not self.names:
            return answer
        return answer.model_copy(
            update={
                "citations": self._cited(answer.citations),
                "nearest": tuple(
                    n.model_copy(update={"source": self.name(n.document, n.source)}) for n in answer.nearest
                ),
                "notes": tuple(n.model_copy(update={"citations": self._cited(n.citations)}) for n in answer.notes),
            }
        )

    def piece(self, piece: Piece) -> Piece:
        """A piece of an answer under names that may be shown."""
        return piece.model_copy(update={"citations": self._cited(piece.citations)}) if self.names else piece

    def _cited(self, citations: Iterable[Citation]) -> tuple[Citation, ...]:
        return tuple(c.model_copy(update={"source": self.name(c.document, c.source)}) for c in citations)


class Sharing:
    """Whom the sources of an index are shared with."""

    def __init__(self, state: State, index: Index) -> None:
        self._state = state
        self._lock = threading.Lock()
        self._known: dict[frozenset[str], tuple[object, Sight]] = {}
        self._engine = index.engine

    def groups(self, sources: Sequence[str]) -> tuple[str, ...]:
        """The groups that a document of these sources is shared with; empty for everyone."""
        rows = {source: self._rows(source) for source in sources}
        if not all(rows.values()):
            return ()
        return tuple(sorted({name for names in rows.values() for name in names if name != NOBODY}))

    def set(self, source: str, groups: Iterable[str]) -> None:
        """Share a source with these groups alone; with none, share it with everyone."""
        with self._state.transaction():
            self._state.do("DELETE FROM shares WHERE source = ?", source)
            for group in set(groups):
                self._state.do("INSERT INTO shares VALUES (?, ?)", source, group)
            self._state.do(
                "INSERT INTO counters VALUES ('shares', 1) ON CONFLICT (name) DO UPDATE SET value = value + 1"
            )

    def together(self) -> AbstractContextManager[None]:
        """A block in which everything is shared and noted, or nothing."""
        return self._state.transaction()

    def of(self, source: str) -> tuple[str, ...]:
        """The groups that one source is shared with, as they are stored."""
        return self._rows(source)

    def allows(self, caller: Caller, source: str) -> bool:
        """Whether a caller may know of a source."""
        names = self._rows(source)
        return caller.role == "admin" or not names or not caller.groups.isdisjoint(names)

    def _rows(self, source: str) -> tuple[str, ...]:
        return tuple(r[0] for r in self._state.rows("SELECT name FROM shares WHERE source = ? ORDER BY name", source))

    def about(self, document: str) -> tuple[list[str], int]:
        """All sources of a document, and how many passages it has."""
        return self._engine.store.about(document)

    def sight(self, caller: Caller) -> Sight:
        """What a caller sees now. Reckoned again when documents or their sharing have changed."""
        if caller.role == "admin" or not self._state.value("SELECT EXISTS (SELECT 1 FROM shares)"):
            return Sight(None, {})
        with self._lock:
            state = (self._engine.snapshot(), self._state.value("SELECT value FROM counters WHERE name = 'shares'"))
            known = self._known.get(caller.groups)
            if known is None or known[0] != state:
                if len(self._known) >= _REMEMBERED:
                    self._known.clear()
                known = self._known[caller.groups] = (state, self._reckon(caller))
            return known[1]

    def _reckon(self, caller: Caller) -> Sight:
        hidden = {row["source"] for row in self._state.rows("SELECT DISTINCT source FROM shares")}
        if caller.groups:
            marks = ",".join("?" * len(caller.groups))
            query = f"SELECT DISTINCT source FROM shares WHERE name IN ({marks})"  # noqa: S608  only marks
            hidden -= {row["source"] for row in self._state.rows(query, *caller.groups)}
        seen: dict[str, list[str]] = {}
        touched: set[str] = set()
        for source, document in self._engine.store.named():
            if source in hidden:
                touched.add(document)
            else:
                seen.setdefault(document, []).append(source)
        names = {document: tuple(sources) for document, sources in seen.items() if document in touched}
        return Sight(frozenset(seen), names)


def redacted(answer: Answer, hidden: frozenset[str]) -> Answer:
    """An earlier answer without what rests on hidden documents; numbers of citations stay as they were."""
    if not hidden:
        return answer
    gone = {c.number for c in answer.citations if c.document in hidden}
    claims = tuple(claim for claim in answer.claims if gone.isdisjoint(claim.citations))
    used = {number for claim in claims for number in claim.citations}
    notes = (n for n in answer.notes if n.citations and all(c.document not in hidden for c in n.citations))
    answered = answer.status == "answered"
    return Answer(  # what is not named here is not kept
        question=answer.question,
        status="answered" if answered and claims else "refused",
        reason=None if answered and claims else answer.reason or "no_evidence",
        text=answer.text if not answered else _written(claims) if claims else _WITHHELD,
        claims=claims,
        citations=tuple(c for c in answer.citations if c.number in used),
        rows=tuple(row for row in answer.rows if used.issuperset(row.citations)),
        nearest=tuple(n for n in answer.nearest if n.document not in hidden),
        # A note without citations may still speak of what is hidden.
        notes=(*notes, Note(kind="withheld", text=_WITHHELD)),
        confidence=answer.confidence,
        answerer=answer.answerer,
        generation=answer.generation,
        timing_ms=answer.timing_ms,
    )


def _written(claims: Sequence[Claim]) -> str:
    return "\n".join(f"{claim.text} {''.join(f'[{number}]' for number in claim.citations)}" for claim in claims)


def documents_of(answer: Answer) -> frozenset[str]:
    """The ids of all documents that an answer shows words of."""
    cited = [*answer.citations, *(c for note in answer.notes for c in note.citations)]
    return frozenset([*(c.document for c in cited), *(n.document for n in answer.nearest)])
