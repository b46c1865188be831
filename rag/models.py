"""The data of a question and its answer: evidence, claims, citations, rows, notes and the answer itself."""

from __future__ import annotations

from datetime import date
from typing import Literal

from index.models import Model

Status = Literal["answered", "refused"]
Reason = Literal["no_documents", "no_evidence", "other_period", "detail_not_given", "unclear_question"]


class Resolved(Model):
    """A question that stands alone.

    Attributes:
        question: the question to answer; the one that was asked where nothing had to be carried over.
        carried: the words that were taken from earlier turns; empty for a new topic.
        choices: questions of which each may be meant, where it can't be told which: to be asked, not guessed.
    """

    question: str
    carried: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()


class Evidence(Model):
    """A sentence or table row that a reader proposes as evidence. It may be wrong; `verify` decides.

    Attributes:
        start, end: where the sentence stands in the document's text.
        probability: calibrated, that the sentence answers the question.
        signals: what the reader saw, by name, kept so that "why not?" can be answered.
    """

    document: str
    start: int
    end: int
    probability: float
    signals: dict[str, float] = {}


class Citation(Model):
    """Words of a document, at their place: ``document.text[start:end] == quote``, checked by `verify`.

    Attributes:
        number: what stands in square brackets in the answer, counted from 1.
        sha256: the digest of the document's file.
        page: the page that the quote begins on, where the format has pages.
        hidden: why some of the quote is not seen where the document is opened ("not displayed"); ``None`` for all else.
    """

    number: int
    document: str
    source: str
    title: str | None
    publisher: str | None
    published: date | None
    sha256: str
    start: int
    end: int
    quote: str
    page: int | None = None
    hidden: str | None = None


class Claim(Model):
    """A statement of the answer, with the numbers of the citations that it rests on (at least one)."""

    text: str
    citations: tuple[int, ...]


class Row(Model):
    """One entry of a list answer; what the documents do not tell is ``None``."""

    name: str
    amount: str | None = None
    period: str | None = None
    purpose: str | None = None
    citations: tuple[int, ...]


class Rejected(Model):
    """A claim that was not shown because it failed verification, with the reason."""

    text: str
    reason: str


class Piece(Model):
    """A sentence of an answer while a language model writes it.

    Attributes:
        at: which sentence it is, from 0; a later piece with the same ``at`` takes its place.
        state: only a "verified" one may be shown as cited; one that is "writing" is to be marked as unverified, and one
            that is "rejected" is to be taken back.
        citations: what a verified one rests on, numbered as in the answer that follows.
    """

    at: int
    text: str
    state: Literal["writing", "verified", "rejected"]
    citations: tuple[Citation, ...] = ()


class Note(Model):
    """Something the reader of an answer should know, with citations of its own.

    ``kind`` says what it is: "other_period", "disagreement", "version", "total", "wording", "hidden", ….
    """

    kind: str
    text: str
    citations: tuple[Citation, ...] = ()


class Nearest(Model):
    """A passage close to a question that was refused: shown as what it is, not an answer.

    ``hidden`` tells why some of it is not seen where the document is opened.
    """

    document: str
    source: str
    title: str | None
    start: int
    end: int
    quote: str
    score: float
    hidden: str | None = None


class Answer(Model):
    """What `Assistant.ask` returns, and what ``--json`` and the HTTP API print.

    Attributes:
        reason: why it was refused; ``None`` for an answer.
        text: the claims, each followed by its citation numbers in brackets; for a refusal, a sentence that says why.
        understood: for a follow-up, the question that was answered, made to stand alone.
        choices: for a follow-up that may mean several things, each of them as a question to ask instead.
        confidence: the calibrated probability of the best evidence; also there for a refusal.
        answerer: which reader (and model) wrote it.
        generation: the state of the index that it was answered from.
    """

    question: str
    status: Status
    reason: Reason | None
    text: str
    claims: tuple[Claim, ...] = ()
    citations: tuple[Citation, ...] = ()
    rows: tuple[Row, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    nearest: tuple[Nearest, ...] = ()
    notes: tuple[Note, ...] = ()
    confidence: float = 0.0
    understood: str | None = None
    choices: tuple[str, ...] = ()
    answerer: str = "trained"
    generation: str = ""
    timing_ms: dict[str, float] = {}
