"""From evidence to an answer: which sentences become claims, and what is said where none may."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from index.library import Retrieved
from index.models import Document
from index.terms import content_terms, term
from rag.models import Citation, Claim, Evidence, Nearest, Note, Reason
from rag.question import Question
from rag.verify import Draft, cite

_MOST_FACTS = 3
_MOST_LISTED = 12
_BESIDE = 0.75  # evidence is shown beside the best where its probability is at least this share of the best's


def facts(question: Question, evidence: Sequence[Evidence], documents: Mapping[str, Document]) -> list[Draft]:
    """The best sentences as claims, in the order of the documents; more of them where a question asks for all."""
    if not evidence:
        return []
    floor = 0.0 if question.wants_all else evidence[0].probability * _BESIDE
    chosen = [e for e in evidence if e.probability >= floor][: _MOST_LISTED if question.wants_all else _MOST_FACTS]
    order = {document: n for n, document in enumerate(dict.fromkeys(e.document for e in chosen))}
    chosen.sort(key=lambda e: (order[e.document], e.start))
    drafts = []
    for e in chosen:
        document = documents[e.document]
        words = " ".join(document.text[e.start : e.end].split())
        drafts.append(Draft(words, ((document, e.start, e.end),)))
    return drafts


def written(claims: Sequence[Claim]) -> str:
    """The answer's text: each claim, then the numbers of its citations."""
    return "\n".join(f"{claim.text} {''.join(f'[{number}]' for number in claim.citations)}" for claim in claims)


def left_out(
    question: Question, evidence: Sequence[Evidence], documents: Mapping[str, Document], first: int
) -> list[Note]:
    """A note on sentences that would answer for another year than the one asked for; citations count from ``first``."""
    if not evidence:
        return []
    cited: list[Citation] = [
        cite(documents[e.document], e.start, e.end, first + n) for n, e in enumerate(evidence[:_MOST_FACTS])
    ]
    asked = ", ".join(map(str, question.periods))
    return [Note(kind="other_period", text=f"Left out because it is not about {asked}:", citations=tuple(cited))]


def why_silent(question: Question, other_period: bool, retrieved: Sequence[Retrieved]) -> Reason:
    """Why there is no answer, from what came nearest."""
    if other_period:
        return "other_period"
    held = {t for r in retrieved[:10] for t in content_terms(f"{r.document.title or ''} {r.hit.text}")}
    named = {term(word) for name in question.names for word in name.split()}
    wanted = named or set(question.terms)
    return "detail_not_given" if wanted and wanted <= held else "no_evidence"


_SILENT: dict[Reason, str] = {
    "no_documents": "There are no documents to answer from yet. Add some first.",
    "no_evidence": "The documents do not say. The nearest passages are shown, but none of them answers.",
    "other_period": "The documents tell this only for another time than {asked}.",
    "detail_not_given": "The documents speak of this, but do not give what is asked.",
    "unclear_question": "It is not clear what is asked. Name a person, an organisation, a thing or a year.",
}


def silence(question: Question, reason: Reason) -> str:
    """A refusal in words."""
    return _SILENT[reason].format(asked=" or ".join(map(str, question.periods)) or "the one asked about")


def nearest(retrieved: Sequence[Retrieved], most: int = 3) -> tuple[Nearest, ...]:
    """The best passages of a search, as what they are."""
    return tuple(
        Nearest(
            document=document.id,
            source=document.source,
            title=document.title,
            start=hit.passage.start,
            end=hit.passage.end,
            quote=hit.text,
            score=hit.fused,
        )
        for hit, document, _, _ in retrieved[:most]
    )
