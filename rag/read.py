"""Which sentences answer a question: the protocol of a reader, and the plain one that others are measured against."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from index.encode import Encoder
from index.engine import Engine
from index.library import Retrieved
from index.models import Document
from index.terms import content_terms
from rag.models import Evidence
from rag.question import Question


class Candidate(NamedTuple):
    """A sentence that might answer, in the best passage that holds it.

    Attributes:
        rank: the passage's place in the search, from 1.
        cosine: of the question and the sentence as it reads in its passage.
        bare: the same for the question without its names and years.
    """

    document: Document
    start: int
    end: int
    rank: int
    cosine: float
    bare: float
    around: str

    @property
    def text(self) -> str:
        """The sentence's words."""
        return self.document.text[self.start : self.end]


class Limits(NamedTuple):
    """What of a reader's evidence is shown.

    Attributes:
        threshold: the probability from which on a sentence is shown.
        share: of the best one's probability; from there on another is shown beside it.
    """

    threshold: float
    share: float


@cache
def limits_of(reader: str) -> Limits:
    """The limits that `eval.train_limits` chose for a reader."""
    chosen = json.loads((Path(__file__).parent / "weights" / "limits.json").read_text(encoding="utf-8"))[reader]
    return Limits(chosen["threshold"], chosen["share"])


class Reader(Protocol):
    """Proposes evidence; it may be wrong."""

    name: str

    @property
    def limits(self) -> Limits:
        """What of its evidence is shown."""

    def read(self, question: Question, retrieved: Sequence[Retrieved], rarity: Mapping[str, float]) -> list[Evidence]:
        """Every sentence of the retrieved passages with its probability, best first.

        Args:
            question: what is asked.
            retrieved: passages, best first.
            rarity: for each term of the question, how rare it is (`Engine.rarity`).
        """

    def contributions(self, evidence: Evidence) -> dict[str, float]:
        """What the probability would lose without each signal."""


class Similarity:
    """The baseline: likeness of vectors and shared terms, and nothing learned."""

    name = "similarity"

    @property
    def limits(self) -> Limits:
        """See `Reader.limits`; chosen as the trained reader's are."""
        return limits_of(self.name)

    def read(self, question: Question, retrieved: Sequence[Retrieved], rarity: Mapping[str, float]) -> list[Evidence]:
        """See `Reader.read`."""
        found = [self._evidence(question, candidate) for candidate in candidates(retrieved)]
        found.sort(key=lambda e: (-e.probability, e.document, e.start))
        return found

    def _evidence(self, question: Question, candidate: Candidate) -> Evidence:
        own = set(content_terms(candidate.text))
        around = own | set(content_terms(candidate.around))
        wanted = question.terms or ("",)
        told = sum(term in own for term in wanted) / len(wanted)
        near = sum(term in around for term in wanted) / len(wanted)
        signals = {"cosine": candidate.cosine, "terms told": told, "terms around": near}
        return Evidence(
            document=candidate.document.id,
            start=candidate.start,
            end=candidate.end,
            probability=similarity(signals),
            signals=signals,
        )

    def contributions(self, evidence: Evidence) -> dict[str, float]:
        """See `Reader.contributions`."""
        return {name: evidence.probability - similarity({**evidence.signals, name: 0.0}) for name in evidence.signals}


_READ_OF_IT = 2_000  # characters, the last ones: after a long preamble the question comes last
_STEEPNESS = 12.0
_EVEN = 0.55


def similarity(signals: Mapping[str, float]) -> float:
    """What the baseline takes for the probability that a sentence with some signals answers; made up, not scaled."""
    score = 0.5 * signals["cosine"] + 0.25 * signals["terms told"] + 0.25 * signals["terms around"]
    return 1 / (1 + math.exp(-_STEEPNESS * (score - _EVEN)))


def vectors_of(question: Question, encoder: Encoder) -> NDArray[np.float32]:
    """The vectors of a question and of the question without its names and years: float32 of shape (2, dim)."""
    return encoder.encode([question.text[-_READ_OF_IT:], question.bare[-_READ_OF_IT:]])


def rarities(question: Question, engine: Engine) -> dict[str, float]:
    """How rare each term of a question is in an index; see `Engine.rarity`."""
    return dict(zip(question.terms, engine.rarity(question.terms), strict=True))


def candidates(retrieved: Sequence[Retrieved]) -> list[Candidate]:
    """The sentences of the retrieved passages, each once, where it ranks best."""
    found: dict[tuple[str, int], Candidate] = {}
    for rank, (hit, document, _, cosines) in enumerate(retrieved, 1):
        passage = hit.passage
        around = " ".join((document.title or "", *passage.headings, hit.text))
        for (start, end), cosine in zip(passage.sentences, cosines, strict=True):
            place = (document.id, start)
            found.setdefault(place, Candidate(document, start, end, rank, float(cosine[0]), float(cosine[-1]), around))
    return list(found.values())
