"""The assistant: an index, a reader and the rules for what may be shown."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from index.errors import UsageError
from index.filters import Where
from index.library import Index, Mode, Retrieved
from index.models import Added, Document, Hit, Listed
from rag.compose import (
    Composed,
    from_lists,
    from_section,
    from_sentences,
    left_out,
    likeliest,
    nearest,
    silence,
    why_silent,
    written,
)
from rag.learned import Trained
from rag.locks import Locked, lock, same_but_for_period, says
from rag.members import members
from rag.models import Answer, Evidence, Piece, Reason, Resolved
from rag.question import Question, is_clear, understand
from rag.read import Limits, Reader, Similarity, rarities, vectors_of
from rag.rows import ABOUT_RECEIPT, sums_of_other_years
from rag.unseen import told

if TYPE_CHECKING:
    from rag.llm import LlmSettings
    from rag.why import Why
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
        *_, answer = self.stream(question, history, where, within)
        if not isinstance(answer, Answer):
            raise TypeError("a stream ends with its answer")
        return answer

    def stream(
        self,
        question: str,
        history: Sequence[Answer | tuple[str, str | None]] = (),
        where: Where | None = None,
        within: frozenset[str] | None = None,
        stop: threading.Event | None = None,
    ) -> Iterator[Piece | Answer]:
        """Answer as `ask` does: first the sentences of a language model as it writes them, last the answer.

        Without a language model there is only the answer. Closing the iterator ends the model's work.

        Args:
            question, history, where, within: as `ask` takes them.
            stop: ends the model's work as soon as it is set, by whichever thread; the answer without it follows.

        Raises:
            UsageError, DamagedError: as `ask` does.
        """
        clock = _Clock()
        resolved = Resolved(question=question)
        if history:
            from rag.conversation import resolve, turns  # rules that a first question has no need of

            resolved = resolve(question, turns(history))
        understood = understand(resolved.question)
        generation = self.index.engine.snapshot()
        retrieved: list[Retrieved] = []
        locked = Locked([], [])
        made = Composed([], [], [], [], [])
        if is_clear(understood) and not resolved.choices:
            vectors = vectors_of(understood, self.index.encoder)
            clock.lap("encode")
            retrieved = self.index.retrieve(understood.text, PASSAGES, where, within=within, vector=vectors)
            clock.lap("search")
        documents = {r.document.id: r.document for r in retrieved}
        if retrieved:
            evidence = self.reader.read(understood, retrieved, rarities(understood, self.index.engine))
            clock.lap("read")
            locked = lock(understood, evidence, documents)
            made = composed(understood, evidence, locked, documents, self.index, vectors, self.reader.limits)
        reason: Reason | None = None
        if not made.claims:
            reason = (
                "unclear_question"
                if resolved.choices
                else why_silent(
                    understood,
                    any(same_but_for_period(understood, documents[e.document], e) for e in locked.other_period),
                    retrieved,
                )
            )
        sums = sums_of_other_years(understood, documents.values()) if made.rows and understood.periods else []
        notes = left_out(understood, locked.other_period, documents, _next(made), sums)
        clock.lap("compose")
        text = silence(understood, reason) if reason else written(made)
        answer = Answer(
            question=" ".join(question.split()),
            status="refused" if reason else "answered",
            reason=reason,
            text="Which of these do you mean?" if resolved.choices else text,
            claims=tuple(made.claims),
            citations=tuple(made.citations),
            rows=tuple(made.rows),
            rejected=tuple(made.rejected),
            nearest=nearest(retrieved) if reason else (),
            notes=(*made.notes, *notes),
            confidence=locked.evidence[0].probability if locked.evidence else 0.0,
            understood=understood.text if resolved.carried else None,
            choices=resolved.choices,
            answerer=self.reader.name,
            generation=generation,
        )
        if self.writer and not reason:
            for said in self.writer.write(understood.text, answer, locked.evidence[:OFFERED], documents, stop=stop):
                if isinstance(said, Answer):
                    answer = said
                else:
                    yield said
            clock.lap("write")
        yield told(answer).model_copy(update={"timing_ms": clock.laps()})

    def without_model(self) -> Assistant:
        """The same assistant with no language model, over the same index; there is nothing of its own to close."""
        return Assistant(self.index, self.reader)

    def why(self, question: str, quote: str, within: frozenset[str] | None = None) -> Why:
        """Why a sentence is shown for a question, or why not; see `rag.why.why`.

        Args:
            question: as it would be asked.
            quote: some words of the sentence.
            within: the ids of the only documents that are looked at.

        Raises:
            UsageError: no document holds these words, or the question is empty.
        """
        from rag.why import why

        return why(self, question, quote, within)


def composed(
    question: Question,
    evidence: Sequence[Evidence],
    locked: Locked,
    documents: Mapping[str, Document],
    index: Index,
    vectors: NDArray[np.float32],
    limits: Limits,
) -> Composed:
    """Rows where what was given to whom is asked and the documents list it, else the sentences that stand.

    Args:
        evidence: all that was read.
        locked: the evidence that agrees with the question.
        documents: those that were read, by id.
        vectors: of the question, as `rag.read.vectors_of` gives them.
        limits: what of the evidence is shown.
    """
    good = [e for e in locked.evidence if e.probability >= limits.threshold]
    named = members(question, documents.values(), index, vectors, evidence) if question.kind == "list" else []
    if question.kind == "list" or ABOUT_RECEIPT.search(question.text):
        best = likeliest(good, limits.share)
        answered = any(says(question, documents[e.document].text[e.start : e.end]) for e in best)
        listed = from_lists(question, list(documents.values()), answered, named)
        if listed:
            return listed
    unlikely = [e for e in locked.evidence if e.probability < limits.threshold]
    section = from_section(question, list(documents.values()))
    return section or from_sentences(question, good, documents, unlikely, limits.share)


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


def open(index: str | Path, reader: str | None = None, llm: LlmSettings | None = None) -> Assistant:
    """Open an assistant on an index, making it where there is none.

    Args:
        index: a folder, or an address in Milvus such as milvus://HOST:19530/NAME.
        reader: which one proposes evidence; the best one if left out.
        llm: the language model that words answers, if any; what ``PINCITE_LLM_…`` variables say, if left out.

    Raises:
        UsageError: there is no reader of that name, or the language model is not set as it must be.
        StoreError: the index cannot be used.
    """
    reader = reader or Trained.name
    if reader not in READERS:
        raise UsageError(f"there is no reader {reader!r}: use one of {', '.join(READERS)}")
    writer = _writer(llm)
    return Assistant(Index(index), READERS[reader](), writer)


def _writer(settings: LlmSettings | None) -> Writer | None:
    """The writer that the settings name, if any; neither a client nor a model is loaded before it is asked."""
    from rag.llm import Llm, read_settings

    settings = settings or read_settings()
    if not settings.base_url:
        return None
    from rag.writer import Writer

    return Writer(Llm(settings))
