"""The assistant: an index, a reader and the rules for what may be shown."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from index.errors import UsageError
from index.filters import Where
from index.library import Index, Mode, Retrieved
from index.models import Added, Document, Hit, Listed
from rag.compose import Composed, from_lists, from_sentences, left_out, nearest, silence, why_silent, written
from rag.conversation import Resolved, resolve, turns
from rag.learned import Trained
from rag.locks import LIKELY, Locked, lock, says
from rag.models import Answer, Reason
from rag.question import Question, is_clear, understand
from rag.read import Reader, Similarity
from rag.rows import ABOUT_RECEIPT

if TYPE_CHECKING:
    from rag.writer import Writer

OFFERED = 24  # how many sentences of evidence a language model may cite
PASSAGES = 20  # how many passages are read for a question
READERS: Mapping[str, Callable[[], Reader]] = {Similarity.name: Similarity, Trained.name: Trained}


class Assistant:
    """Answers questions from one index, and keeps it. Close it, or use it in a ``with`` block."""

    def __init__(self, index: Index, reader: Reader, writer: Writer | None = None) -> None:
        """Put together an index, a reader, and a language model that words answers, where there is one."""
        self.index = index
        self.reader = reader
        self.writer = writer

    def __enter__(self) -> Assistant:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the index."""
        self.index.close()

    def add(self, paths: str | Path | Iterable[str | Path]) -> list[Added]:
        """Add files and folders; see `index.Index.add`."""
        return self.index.add(paths)

    def remove(self, name: str) -> Document:
        """Remove a document by id or source; see `index.Index.remove`."""
        return self.index.remove(name)

    def documents(self, where: Where | None = None) -> list[Listed]:
        """The documents that pass a filter; see `index.Index.documents`."""
        return self.index.documents(where)

    def show(self, name: str) -> Document:
        """A document by id or source; see `index.Index.show`."""
        return self.index.show(name)

    def search(
        self,
        query: str,
        k: int = 10,
        where: Where | None = None,
        mode: Mode = "fused",
        within: frozenset[str] | None = None,
    ) -> list[Hit]:
        """The k best passages for a query; see `index.Index.search`."""
        return self.index.search(query, k, where, mode, within)

    def ask(
        self,
        question: str,
        history: Sequence[Answer | tuple[str, str | None]] = (),
        where: Where | None = None,
        within: frozenset[str] | None = None,
    ) -> Answer:
        """Answer a question, or say why not.

        Args:
            question: in English or Russian.
            history: earlier answers, or pairs of question and answer, oldest first; a follow-up is read in their light.
            where: answer only from documents that pass this filter.
            within: answer only from the documents with these ids.

        Raises:
            UsageError: the question is empty or far too long, or the filter is bad.
            DamagedError: what would have been answered from does not match its digest.
        """
        clock = _Clock()
        resolved = resolve(question, turns(history)) if history else Resolved(question=question)
        understood = understand(resolved.question)
        generation = self.index.engine.snapshot()
        retrieved: list[Retrieved] = []
        locked = Locked([], [])
        composed = Composed([], [], [], [], [])
        if is_clear(understood) and not resolved.choices:
            vector = self.index.encoder.encode([understood.text[:20_000]])[0]
            clock.lap("encode")
            retrieved = self.index.retrieve(understood.text, PASSAGES, where, within=within, vector=vector)
            clock.lap("search")
        documents = {r.document.id: r.document for r in retrieved}
        if retrieved:
            rarity = dict(zip(understood.terms, self.index.engine.rarity(understood.terms), strict=True))
            evidence = self.reader.read(understood, retrieved, rarity)
            clock.lap("read")
            locked = lock(understood, evidence, documents)
            composed = self._compose(understood, locked, documents)
        reason: Reason | None = None
        if not composed.claims:
            reason = (
                "unclear_question"
                if resolved.choices
                else why_silent(understood, any(e.probability >= LIKELY for e in locked.other_period), retrieved)
            )
        notes = left_out(understood, locked.other_period, documents, _next(composed))
        clock.lap("compose")
        text = silence(understood, reason) if reason else written(composed)
        answer = Answer(
            question=" ".join(question.split()),
            status="refused" if reason else "answered",
            reason=reason,
            text="Which of these do you mean?" if resolved.choices else text,
            claims=tuple(composed.claims),
            citations=tuple(composed.citations),
            rows=tuple(composed.rows),
            rejected=tuple(composed.rejected),
            nearest=nearest(retrieved) if reason else (),
            notes=(*composed.notes, *notes),
            confidence=locked.evidence[0].probability if locked.evidence else 0.0,
            understood=understood.text if resolved.carried else None,
            choices=resolved.choices,
            answerer=self.reader.name,
            generation=generation,
        )
        if self.writer and not reason:
            for said in self.writer.write(understood.text, answer, locked.evidence[:OFFERED], documents):
                if isinstance(said, Answer):
                    answer = said
            clock.lap("write")
        return answer.model_copy(update={"timing_ms": clock.laps()})

    def _compose(self, question: Question, locked: Locked, documents: Mapping[str, Document]) -> Composed:
        """Rows where what was given to whom is asked and the documents list it, else the sentences that stand."""
        good = [e for e in locked.evidence if e.probability >= self.reader.threshold]
        if ABOUT_RECEIPT.search(question.text):
            answered = any(says(question, documents[e.document].text[e.start : e.end]) for e in good)
            listed = from_lists(question, list(documents.values()), answered)
            if listed:
                return listed
        return from_sentences(question, good, documents)


def _next(composed: Composed) -> int:
    """The number after the last citation, those of notes included."""
    return 1 + len(composed.citations) + sum(len(note.citations) for note in composed.notes)


class _Clock:
    """Milliseconds by stage."""

    def __init__(self) -> None:
        self._start = self._last = perf_counter()
        self._laps: dict[str, float] = {}

    def lap(self, stage: str) -> None:
        now = perf_counter()
        self._laps[stage] = round((now - self._last) * 1000, 3)
        self._last = now

    def laps(self) -> dict[str, float]:
        return {**self._laps, "total": round((perf_counter() - self._start) * 1000, 3)}


def open(index: str | Path, reader: str = Similarity.name) -> Assistant:
    """Open an assistant on an index, making it where there is none.

    Args:
        index: a folder, or an address in Milvus such as milvus://HOST:19530/NAME.
        reader: the name of the reader that proposes evidence.

    Raises:
        UsageError: there is no reader of that name.
        StoreError: the index cannot be used.
    """
    if reader not in READERS:
        raise UsageError(f"there is no reader {reader!r}: use one of {', '.join(READERS)}")
    return Assistant(Index(index), READERS[reader](), _writer())


def _writer() -> Writer | None:
    """The language model that the environment names, if any; nothing of it is loaded otherwise."""
    if not os.environ.get("PINCITE_LLM_BASE_URL"):
        return None
    from rag.llm import Llm, LlmSettings
    from rag.writer import Writer

    return Writer(Llm(LlmSettings()))
