"""The assistant: an index, a reader and the rules for what may be shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from time import perf_counter

from index.errors import UsageError
from index.library import Index, Mode, Retrieved
from index.models import Added, Document, Hit, Listed
from rag.compose import facts, left_out, nearest, silence, why_silent, written
from rag.models import Answer, Evidence, Note, Reason
from rag.question import Question, is_clear, understand
from rag.read import Reader, Similarity
from rag.verify import verify

PASSAGES = 20  # how many passages are read for a question
READERS = {Similarity.name: Similarity}


class Assistant:
    """Answers questions from one index, and keeps it. Close it, or use it in a ``with`` block."""

    def __init__(self, index: Index, reader: Reader) -> None:
        self.index = index
        self.reader = reader

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

    def documents(self, where: dict[str, str] | None = None) -> list[Listed]:
        """The documents that pass a filter; see `index.Index.documents`."""
        return self.index.documents(where)

    def show(self, name: str) -> Document:
        """A document by id or source; see `index.Index.show`."""
        return self.index.show(name)

    def search(self, query: str, k: int = 10, where: dict[str, str] | None = None, mode: Mode = "fused") -> list[Hit]:
        """The k best passages for a query; see `index.Index.search`."""
        return self.index.search(query, k, where, mode)

    def ask(self, question: str, where: dict[str, str] | None = None) -> Answer:
        """Answer a question from the documents that pass a filter, or say why not.

        Raises:
            UsageError: the question is empty or far too long, or the filter is bad.
            DamagedError: what would have been answered from does not match its digest.
        """
        clock = _Clock()
        understood = understand(question)
        generation = self.index.engine.snapshot()
        retrieved: list[Retrieved] = []
        evidence: list[Evidence] = []
        clear = is_clear(understood)
        if clear:
            vector = self.index.encoder.encode([understood.text[:20_000]])[0]
            clock.lap("encode")
            retrieved = self.index.retrieve(understood.text, PASSAGES, where, vector=vector)
            clock.lap("search")
            evidence = self.reader.read(understood, retrieved)
            clock.lap("read")
        answer = self._answer(understood, retrieved, evidence, clear)
        clock.lap("compose")
        return answer.model_copy(update={"generation": generation, "timing_ms": clock.laps()})

    def _answer(
        self, question: Question, retrieved: Sequence[Retrieved], evidence: Sequence[Evidence], clear: bool
    ) -> Answer:
        documents = {r.document.id: r.document for r in retrieved}
        good = [e for e in evidence if e.probability >= self.reader.threshold]
        other = [e for e in evidence if e.signals.get("contradicted") and e.signals["score"] >= _OTHER_PERIOD]
        other.sort(key=lambda e: -e.signals["score"])
        claims, citations, rejected = verify(facts(question, good, documents))
        confidence = evidence[0].probability if evidence else 0.0
        notes: list[Note] = left_out(question, other, documents, len(citations) + 1)
        reason: Reason | None = None
        if not claims:
            reason = (
                "unclear_question"
                if not clear
                else "no_documents"
                if not retrieved
                else why_silent(question, bool(other), retrieved)
            )
        return Answer(
            question=question.text,
            status="refused" if reason else "answered",
            reason=reason,
            text=silence(question, reason) if reason else written(claims),
            claims=tuple(claims),
            citations=tuple(citations),
            rejected=tuple(rejected),
            nearest=nearest(retrieved) if reason else (),
            notes=tuple(notes),
            confidence=confidence,
            answerer=self.reader.name,
        )


_OTHER_PERIOD = 0.55


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


def open(folder: str | Path, reader: str = Similarity.name) -> Assistant:
    """Open an assistant on the index in a folder, making the index where there is none.

    Raises:
        UsageError: there is no reader of that name.
        StoreError: the index cannot be used.
    """
    if reader not in READERS:
        raise UsageError(f"there is no reader {reader!r}: use one of {', '.join(READERS)}")
    return Assistant(Index(Path(folder)), READERS[reader]())
