"""Which sentences answer a question: the protocol of a reader, and the plain one that others are measured against."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from index.library import Retrieved
from index.models import Document
from index.terms import content_terms
from rag.models import Evidence
from rag.question import Question
from rag.scope import scope


class Candidate(NamedTuple):
    """A sentence that might answer, in the best passage that holds it.

    Attributes:
        rank: the passage's place in the search, from 1.
        cosine: of the question and the sentence as it reads in its passage.
    """

    document: Document
    start: int
    end: int
    rank: int
    cosine: float
    around: str

    @property
    def text(self) -> str:
        """The sentence's words."""
        return self.document.text[self.start : self.end]


class Reader(Protocol):
    """Proposes evidence; it may be wrong."""

    name: str
    threshold: float
    """The probability from which evidence is shown as an answer."""

    def read(self, question: Question, retrieved: Sequence[Retrieved]) -> list[Evidence]:
        """Every sentence of the retrieved passages with its probability, best first.

        Args:
            question: what is asked.
            retrieved: passages, best first.
        """


class Similarity:
    """The baseline: likeness of vectors and shared terms, and nothing learned.

    Evidence from another period than the one asked for gets the probability 0 and the signal "contradicted".
    """

    name = "similarity"
    threshold = 0.5

    def read(self, question: Question, retrieved: Sequence[Retrieved]) -> list[Evidence]:
        """See `Reader.read`."""
        found = [self._evidence(question, candidate) for candidate in candidates(retrieved)]
        return sorted(found, key=lambda e: (-e.probability, -e.signals["score"], e.document, e.start))

    def _evidence(self, question: Question, candidate: Candidate) -> Evidence:
        own = set(content_terms(candidate.text))
        around = own | set(content_terms(candidate.around))
        wanted = question.terms or ("",)
        told = sum(term in own for term in wanted) / len(wanted)
        near = sum(term in around for term in wanted) / len(wanted)
        score = 0.5 * candidate.cosine + 0.25 * told + 0.25 * near
        scoped = scope(candidate.document).of(candidate.start, candidate.end)
        contradicted = scoped.agreement(question.periods) == "contradicted"
        return Evidence(
            document=candidate.document.id,
            start=candidate.start,
            end=candidate.end,
            probability=0.0 if contradicted else 1 / (1 + math.exp(-_STEEPNESS * (score - _EVEN))),
            signals={
                "rank": candidate.rank,
                "cosine": candidate.cosine,
                "terms": told,
                "terms around": near,
                "score": score,
                "contradicted": float(contradicted),
            },
        )


_STEEPNESS = 12.0
_EVEN = 0.55  # the score at which a sentence is as likely to answer as not, chosen on corpus/cases.jsonl


def candidates(retrieved: Sequence[Retrieved]) -> list[Candidate]:
    """The sentences of the retrieved passages, each once, where it ranks best."""
    found: dict[tuple[str, int], Candidate] = {}
    for rank, (hit, document, _, cosines) in enumerate(retrieved, 1):
        passage = hit.passage
        around = " ".join((document.title or "", *passage.headings, hit.text))
        for (start, end), cosine in zip(passage.sentences, cosines, strict=True):
            found.setdefault((document.id, start), Candidate(document, start, end, rank, float(cosine), around))
    return list(found.values())
