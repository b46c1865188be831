"""Why a sentence was shown for a question, or why not: each step that it passed, and the first that it did not."""

from __future__ import annotations

from index.errors import UsageError
from index.library import Retrieved
from index.models import Document, Model, Span
from index.split import sentences
from rag.assistant import PASSAGES, Assistant
from rag.locks import barred, not_named, of_another
from rag.models import Citation, Evidence
from rag.question import Question, understand
from rag.read import rarities, vectors_of
from rag.scope import scope

_DEPTH = 1000  # passages among which a sentence's own is looked for
_LIKELY = 200  # passages whose documents are looked through for the words of a quote
_TOLD = 6  # signals that are told of

Contributions = dict[str, float]


class Step(Model):
    """One step from a sentence to an answer.

    Attributes:
        name: "lexical", "vector", "fused", "evidence", "locks", "threshold" or "shown".
        passed: whether the sentence got past it.
        told: what happened, for people.
        value: the rank (counted from 1) or the probability, where the step has one.
    """

    name: str
    passed: bool
    told: str
    value: float | None = None


class Why(Model):
    """The way of one sentence through a question.

    Attributes:
        document: the id of the document that holds the sentence.
        start, end: the sentence in the document's text.
        contributions: what the probability would lose without each signal, the largest first.
        shown: whether the answer cites it.
    """

    question: str
    document: str
    source: str
    start: int
    end: int
    quote: str
    steps: tuple[Step, ...]
    contributions: Contributions = {}
    shown: bool


def why(assistant: Assistant, text: str, quote: str, within: frozenset[str] | None = None) -> Why:
    """Trace a sentence, given by some of its words, through a question.

    Args:
        text: the question.
        quote: words of the sentence; of several that hold them, the first of the likeliest document.
        within: the ids of the only documents that are looked at.

    Raises:
        UsageError: no document holds these words, or the question is empty.
    """
    question = understand(text)
    document, place = _find(assistant, quote, within)
    vectors = vectors_of(question, assistant.index.encoder)
    found = assistant.index.retrieve(question.text, _DEPTH, within=within, vector=vectors)
    rank = next((n for n, r in enumerate(found, 1) if _holds(r, document, place)), None)
    steps = _ranks(found[rank - 1] if rank else None, rank, PASSAGES)
    evidence: Evidence | None = None
    if rank and rank <= PASSAGES:
        read = assistant.reader.read(question, found[:PASSAGES], rarities(question, assistant.index.engine))
        order = next(n for n, e in enumerate(read, 1) if e.document == document.id and _overlap(e, place))
        evidence = read[order - 1]
        steps.append(_evidence(evidence, order, len(read)))
        steps.append(_locks(question, document, evidence))
        threshold = assistant.reader.limits.threshold
        told = f"its probability is {evidence.probability:.2f}, and {threshold:.2f} is needed"
        steps.append(Step(name="threshold", passed=evidence.probability >= threshold, told=told, value=threshold))
    answer = assistant.without_model().ask(text, within=within)  # no model has a say in it
    cited = [c.number for c in answer.citations if c.document == document.id and _overlap(c, place)]
    told = f"the answer cites it as [{cited[0]}]" if cited else _not_shown(answer.reason, bool(answer.rows))
    steps.append(Step(name="shown", passed=bool(cited), told=told))
    return Why(
        question=question.text,
        document=document.id,
        source=document.source,
        start=place.start,
        end=place.end,
        quote=document.text[place.start : place.end],
        steps=tuple(steps),
        contributions=_largest(assistant, evidence),
        shown=bool(cited),
    )


def _find(assistant: Assistant, quote: str, within: frozenset[str] | None) -> tuple[Document, Span]:
    """The first sentence or row that holds the words, whatever space stands between them."""
    words = " ".join(quote.split()).casefold()
    if not words:
        raise UsageError("the quote is empty: give some words of the sentence that you ask about")
    likely = assistant.index.retrieve(quote, _LIKELY, mode="lexical", within=within)
    for document in {r.document.id: r.document for r in likely}.values():
        for block in document.blocks:
            units = [Span(block.start, block.end)]
            if block.kind != "row":
                units = sentences(document.text, block.start, block.end, document.language)
            for unit in units:
                if words in " ".join(document.text[unit.start : unit.end].split()).casefold():
                    return document, Span(unit.start, unit.end)
    raise UsageError(no_such_sentence(quote))


def no_such_sentence(quote: str) -> str:
    """What is said where no sentence that may be seen holds a quote."""
    return f"no sentence holds {quote!r}: copy some of its words from `pincite show`"


def _holds(found: Retrieved, document: Document, place: Span) -> bool:
    return found.document.id == document.id and any(_overlap(s, place) for s in found.hit.passage.sentences)


def _overlap(one: Span | Evidence | Citation, other: Span) -> bool:
    return one.start < other.end and other.start < one.end


def _ranks(found: Retrieved | None, rank: int | None, read: int) -> list[Step]:
    hit = found.hit if found else None
    steps = []
    places = {"lexical": hit.lexical_rank, "vector": hit.vector_rank} if hit else {"lexical": None, "vector": None}
    for name, place in places.items():
        told = f"its passage is number {place}" if place else "its passage was not found"
        steps.append(Step(name=name, passed=place is not None, told=told, value=place))
    told = (
        f"its passage is number {rank} of both together; the first {read} are read" if rank else "not found by either"
    )
    return [*steps, Step(name="fused", passed=rank is not None and rank <= read, told=told, value=rank)]


def _evidence(e: Evidence, order: int, count: int) -> Step:
    return Step(
        name="evidence",
        passed=True,
        told=f"the reader puts it at place {order} of {count} sentences",
        value=e.probability,
    )


def _locks(question: Question, document: Document, e: Evidence) -> Step:
    if bar := barred(question, document, e) or not_named(question, document) or of_another(question, document, e):
        return Step(name="locks", passed=False, told=bar)
    scoped = scope(document).of(e.start, e.end)
    if scoped.agreement(question.periods, question.kind) == "contradicted":
        years, asked = (" and ".join(map(str, each)) for each in (scoped.holding, question.periods))
        return Step(name="locks", passed=False, told=f"it speaks of {years}, not of {asked}")
    return Step(name="locks", passed=True, told="names, years and the kind of thing asked for agree")


def _not_shown(reason: str | None, rows: bool) -> str:
    if reason:
        return f"the question was refused ({reason})"
    return "the answer is a list made from other places" if rows else "better sentences answer, or say the same"


def _largest(assistant: Assistant, evidence: Evidence | None) -> Contributions:
    if evidence is None:
        return {}
    found = assistant.reader.contributions(evidence)
    return dict(sorted(found.items(), key=lambda item: -abs(item[1]))[:_TOLD])
