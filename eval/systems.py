"""What is measured: this product on an index, or another system whose answers lie in a file.

A system is asked one question at a time and keeps nothing between questions, so that a run can be cut off anywhere and
go on later.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from pydantic import Field, ValidationError

from eval.cases import Turn
from eval.measures import Place
from eval.retrieval import read_text
from index.errors import UsageError
from index.models import Document, Model, Span
from index.split import sentences
from rag.conversation import Turn as Earlier
from rag.conversation import resolve
from rag.models import Answer, Citation, Claim, Reason, Row

if TYPE_CHECKING:
    from index.library import Index
    from rag.assistant import Assistant

DEPTH = 100
"""How many retrieved passages a run keeps for each case, to tell what was not found from what ranked too low."""


class Asked(NamedTuple):
    """A question as a system gets it; with ``source`` it may be answered from that document alone."""

    id: str
    question: str
    history: tuple[Turn, ...] = ()
    source: str | None = None


class System(Protocol):
    """Something that answers questions.

    Attributes:
        name: what reports call it.
        used: how many of the passages that it retrieves it reads for an answer.
    """

    @property
    def name(self) -> str: ...
    @property
    def used(self) -> int: ...

    def answer(self, asked: Asked) -> Answer | None:
        """The answer; ``None`` where there is none."""
        ...

    def seen(self, asked: Asked) -> list[Place]:
        """The best `DEPTH` passages that it retrieves, best first; empty where that is not known."""
        ...

    def text(self, source: str) -> str | None:
        """The text of a document; ``None`` where it is unknown."""
        ...


class Product:
    """This product."""

    def __init__(self, assistant: Assistant) -> None:
        from rag.assistant import PASSAGES

        self.assistant = assistant
        writer = assistant.writer
        self.name = f"{assistant.reader.name}+{writer.name}" if writer else assistant.reader.name
        self.used = PASSAGES

    def answer(self, asked: Asked) -> Answer:
        """See `System.answer`; a follow-up that may mean several things counts as refused."""
        resolved = resolve(asked.question, [Earlier(**turn.model_dump()) for turn in asked.history])
        if resolved.choices:
            text = "\n".join(resolved.choices)
            return Answer(question=asked.question, status="refused", reason="unclear_question", text=text)
        where = {"source": asked.source} if asked.source else None
        return self.assistant.ask(resolved.question, where=where)

    def seen(self, asked: Asked) -> list[Place]:
        """See `System.seen`."""
        resolved = resolve(asked.question, [Earlier(**turn.model_dump()) for turn in asked.history])
        where = {"source": asked.source} if asked.source else None
        hits = self.assistant.search(resolved.question, DEPTH, where)
        return [Place(hit.source, hit.passage.start, hit.passage.end) for hit in hits]

    def text(self, source: str) -> str | None:
        """See `System.text`."""
        try:
            return self.assistant.show(source).text
        except UsageError:
            return None


class Quote(Model):
    """A citation of another system: the words it quotes, and where they stand if it tells."""

    source: str
    quote: str = Field(min_length=1)
    start: int | None = None


class Given(Model):
    """One line of another system's answers.

    Attributes:
        id: of the case.
        text: the answer, with ``[1]``, ``[2]``, … after what each citation supports; empty for a refusal.
        citations: in the order of their numbers.
        refused: said that it cannot answer; also so where the text is empty.
    """

    id: str
    text: str = ""
    citations: tuple[Quote, ...] = ()
    rows: tuple[Row, ...] = ()
    refused: bool = False
    reason: Reason | None = None
    confidence: float = Field(default=0.0, ge=0.0, le=1.0)
    seconds: float | None = None


class FromFile:
    """Another system, whose answers lie in a JSON Lines file of `Given`.

    A quote without an offset is looked up in its document and stands where it is found first; one that is not found
    stands nowhere and counts as wrong.
    """

    used = 0

    def __init__(self, path: str | Path, texts: Mapping[str, str], name: str | None = None) -> None:
        """Read the answers.

        Raises:
            UsageError: the file is missing, a line is not an answer, or a case is answered twice.
        """
        self.name = name or Path(path).stem
        self._texts = texts
        self._answers: dict[str, Given] = {}
        for number, line in enumerate(read_text(path).split("\n"), start=1):
            if not line.strip():
                continue
            try:
                given = Given.model_validate_json(line)
            except ValidationError as error:
                first = error.errors(include_url=False)[0]
                where = ".".join(str(part) for part in first["loc"])
                raise UsageError(f"{path}, line {number}: {where}: {first['msg']}; correct that line") from error
            if given.id in self._answers:
                raise UsageError(f"{path}, line {number}: case {given.id!r} is answered twice; keep one of them")
            self._answers[given.id] = given

    def unknown(self, ids: Iterable[str]) -> list[str]:
        """The answered cases that are not among these ids."""
        return sorted(self._answers.keys() - set(ids))

    def answer(self, asked: Asked) -> Answer | None:
        """See `System.answer`."""
        given = self._answers.get(asked.id)
        return None if given is None else self._answer(asked.question, given)

    def seen(self, asked: Asked) -> list[Place]:
        """See `System.seen`."""
        return []

    def text(self, source: str) -> str | None:
        """See `System.text`."""
        return self._texts.get(source)

    def _answer(self, question: str, given: Given) -> Answer:
        refused = given.refused or not given.text.strip()
        citations = [self._citation(number, quote) for number, quote in enumerate(given.citations, start=1)]
        known = {citation.number for citation in citations}
        claims = [
            claim.model_copy(update={"citations": tuple(n for n in claim.citations if n in known)})
            for claim in claims_of("" if refused else given.text)
        ]
        return Answer(
            question=question,
            status="refused" if refused else "answered",
            reason=(given.reason or "no_evidence") if refused else None,
            text=given.text,
            claims=tuple(claims),
            citations=() if refused else tuple(citations),
            rows=() if refused else given.rows,
            confidence=given.confidence,
            answerer=self.name,
            timing_ms={} if given.seconds is None else {"total": given.seconds * 1000},
        )

    def _citation(self, number: int, quote: Quote) -> Citation:
        text = self._texts.get(quote.source, "")
        start = quote.start if quote.start is not None else text.find(quote.quote)
        placed = start >= 0
        return Citation(
            number=number,
            document="",
            source=quote.source,
            title=None,
            publisher=None,
            published=None,
            sha256="",
            start=start if placed else 0,
            end=start + len(quote.quote) if placed else 0,
            quote=quote.quote,
        )


def claims_of(text: str) -> list[Claim]:
    """The sentences of a text with the numbers in square brackets that follow each.

    >>> [(claim.text, claim.citations) for claim in claims_of("It opened in 2021 [1][2]. It closed. [3]")]
    [('It opened in 2021.', (1, 2)), ('It closed.', (3,))]
    """
    plain, marks, at = "", [], 0
    for match in re.finditer(r"[ \t]*\[(\d+(?:\s*,\s*\d+)*)\]", text):
        plain += text[at : match.start()]
        marks.append((len(plain), [int(number) for number in match[1].split(",")]))
        at = match.end()
    plain += text[at:]
    spans: list[Span] = []
    for line in re.finditer(r"[^\n]+", plain):
        spans.extend(sentences(plain, line.start(), line.end()))
    numbers: list[list[int]] = [[] for _ in spans]
    for place, found in marks:
        before = [number for number, span in enumerate(spans) if span.start < place]
        if before:
            numbers[before[-1]].extend(found)
    return [
        Claim(text=plain[span.start : span.end], citations=tuple(dict.fromkeys(found)))
        for span, found in zip(spans, numbers, strict=True)
    ]


def put(index: Index, documents: Sequence[Document]) -> None:
    """Store documents that were built in memory, and make them searchable."""
    for _ in index.add_documents(documents):
        pass


def corpus_digest(documents: Iterable[tuple[str, str]]) -> str:
    """The SHA-256 over the sources and file digests of a corpus, in order of source, as 64 hex digits."""
    lines = (json.dumps(pair, ensure_ascii=False) for pair in sorted(documents))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
