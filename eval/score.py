"""One case and one answer to numbers: every measure that applies, as the sums it adds to a figure.

A case without an answer scores zero in every measure that an answer would be scored in. What counts as the answer's
text is stated here once: nothing of a refusal counts, not the passages that it offers as nearest either.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from eval import measures, silence, support
from eval.cases import Case, Gold
from eval.measures import Fact, Spanned
from eval.silence import Outcome, Ratio
from rag.models import Answer, Row

RIGHT_FROM = 0.5
"""An answer is right when it shows nothing forbidden and each measure of what it holds is at least this."""


class Measure(NamedTuple):
    """A figure that a report shows: its name in files, its title, the group it stands in, and which way is better."""

    name: str
    title: str
    group: str
    higher_is_better: bool = True


MEASURES = (
    Measure("citation_precision", "Citation precision", "Citations"),
    Measure("citation_recall", "Citation recall", "Citations"),
    Measure("citation_f1", "Citation F1", "Citations"),
    Measure("character_iou", "Character overlap (IoU)", "Citations"),
    Measure("exactness", "Exact offsets", "Citations"),
    Measure("sentence_precision", "Sentences chosen, precision", "Citations"),
    Measure("sentence_recall", "Sentences chosen, recall", "Citations"),
    Measure("sentence_f1", "Sentences chosen, F1", "Citations"),
    Measure("right", "Right answers", "Answers"),
    Measure("nugget_vital", "Vital facts", "Answers"),
    Measure("nugget_all", "All facts", "Answers"),
    Measure("item_recall", "List items found", "Answers"),
    Measure("item_recall_5", "List items found, capped at 5", "Answers"),
    Measure("item_precision", "List entries right", "Answers"),
    Measure("item_amounts", "Amounts beside their items", "Answers"),
    Measure("amounts", "Amounts", "Answers"),
    Measure("dates", "Dates", "Answers"),
    Measure("forbidden", "Forbidden values shown", "Answers", higher_is_better=False),
    Measure("refusal_precision", "Refusal precision", "Silence"),
    Measure("refusal_recall", "Refusal recall", "Silence"),
    Measure("refusal_f1", "Refusal F1", "Silence"),
    Measure("reasons", "Right reason for a refusal", "Silence"),
    Measure("crag", "CRAG score", "Silence"),
    Measure("support_recall", "Statements supported (ALCE recall)", "Support"),
    Measure("support_precision", "Citations needed (ALCE precision)", "Support"),
    Measure("weighted_precision", "Weighted precision (TREC RAG)", "Support"),
    Measure("weighted_recall", "Weighted recall (TREC RAG)", "Support"),
    Measure("unsupported", "Unsupported statements", "Support", higher_is_better=False),
    Measure("seen_recall", "Gold in the passages seen", "Retrieval"),
)
BY_NAME = {measure.name: measure for measure in MEASURES}


class Choice(NamedTuple):
    """The sentences of a passage, and for each person those chosen."""

    sentences: Sequence[Spanned]
    references: Sequence[Sequence[Spanned]]


class Score(NamedTuple):
    """The scores of one case.

    Attributes:
        values: for each measure that applies, what the case adds to its two sums.
        outcome: what became of it, for the measures of silence.
        reasons: the reason a refusal should give and the one given; ``None`` for an answer, "no answer" for nothing.
        forbidden: the forbidden values that were shown.
        left_out: statements that need no citation.
        failure: the stage that lost it; ``None`` where nothing was lost.
        support: how far each of `statements` is supported by its citations together.
    """

    values: dict[str, Ratio]
    outcome: Outcome
    reasons: tuple[str | None, str | None]
    forbidden: tuple[str, ...]
    left_out: int
    failure: str | None
    support: tuple[support.Level, ...] = ()


def score(
    case: Case,
    answer: Answer | None,
    texts: Mapping[str, str],
    *,
    seen: Sequence[Spanned] = (),
    used: int = 0,
    judged: Sequence[support.Judged] = (),
    choice: Choice | None = None,
) -> Score:
    """Score one answer; ``None`` stands for no answer at all and scores as an empty one.

    Args:
        texts: the text of each document by source, for the exactness of offsets.
        seen: the passages that were retrieved, best first.
        used: how many of these the answerer read.
        judged: verdicts on the answer's statements, as `statements` gives them; none where no verifier is in use.
        choice: the sentences of the passage and those that people chose, where the set has them.
    """
    answered = answer is not None and answer.status == "answered"
    refused = answer is not None and not answered
    values: dict[str, Ratio] = {}
    forbidden = measures.forbidden_shown(case.forbidden, claimed(answer))
    if case.answerable:
        values |= _citations(case, answer, choice) | _answers(case, answer)
        if seen:
            values["seen_recall"] = Ratio(measures.citation_recall(seen[:used], parts(case)), 1)
    if answered and answer is not None and answer.citations:
        exact = measures.exact_citations(answer.citations, texts)
        values["exactness"] = Ratio(sum(exact), len(exact))
    if case.forbidden:
        values["forbidden"] = Ratio(bool(forbidden), 1)
    held = [values[name].of for name in _HELD if name in values]
    if case.answerable and not held:  # nothing is vital: then every fact is
        held = [values["nugget_all"].of]
    right = case.answerable and answered and not forbidden and all(value >= RIGHT_FROM for value in held)
    outcome = Outcome(case.answerable, answered, right, answer.confidence if answer else 0.0, refused)
    expected = None if case.answerable else case.reason
    given = "no answer" if answer is None else answer.reason if refused else None
    if case.answerable:
        values["right"] = Ratio(right, 1)
    elif refused:
        values["reasons"] = Ratio(given == expected, 1)
    values |= {
        "refusal_precision": silence.refusal_precision([outcome]),
        "refusal_recall": silence.refusal_recall([outcome]),
        "refusal_f1": silence.refusal_f1([outcome]),
        "crag": silence.crag_score([outcome]),
    }
    if judged:
        values |= {
            "support_recall": support.alce_recall(judged),
            "support_precision": support.alce_precision(judged),
            "weighted_precision": support.weighted_precision(judged),
            "weighted_recall": support.weighted_recall(judged),
            "unsupported": support.unsupported(judged),
        }
    return Score(
        values=values,
        outcome=outcome,
        reasons=(expected, given),
        forbidden=forbidden,
        left_out=sum(not support.needs_citation(each.text) for each in all_statements(answer)),
        failure=why(case, answer, right=right, forbidden=bool(forbidden), seen=seen, used=used),
        support=tuple(each.together for each in judged),
    )


_HELD = ("nugget_vital", "item_recall_5", "item_precision", "amounts", "dates")


def parts(case: Case) -> list[tuple[Gold, ...]]:
    """The gold of each part of a complete answer (nugget or item), as alternatives."""
    return [*(nugget.gold for nugget in case.nuggets), *(item.gold for item in case.items)]


def shown(answer: Answer | None) -> str:
    """All words of an answer that a reader sees as its content: text, claims, rows, notes and quotes."""
    if answer is None or answer.status != "answered":
        return ""
    quotes = [citation.quote for citation in answer.citations]
    return "\n".join([answer.text, *_claims(answer), *(note.text for note in answer.notes), *quotes])


def claimed(answer: Answer | None) -> str:
    """What an answer asserts by itself: its claims and rows, or its text where it has neither; not its notes."""
    if answer is None or answer.status != "answered":
        return ""
    return "\n".join(_claims(answer)) or answer.text


def all_statements(answer: Answer | None) -> list[support.Statement]:
    """The claims and rows of an answer with the words that each cites."""
    if answer is None or answer.status != "answered":
        return []
    quotes = {citation.number: citation.quote for citation in answer.citations}
    said = [(claim.text, claim.citations) for claim in answer.claims]
    if not said:
        said = [(_row(row), row.citations) for row in answer.rows]
    return [support.Statement(text, tuple(quotes[n] for n in numbers if n in quotes)) for text, numbers in said]


def statements(answer: Answer | None) -> list[support.Statement]:
    """The statements of an answer that need a citation: what a verifier judges."""
    return [each for each in all_statements(answer) if support.needs_citation(each.text)]


def why(
    case: Case, answer: Answer | None, *, right: bool, forbidden: bool, seen: Sequence[Spanned], used: int
) -> str | None:
    """The stage that lost a case: of the evidence missing from its citations, the stage that lost most of it.

    One of "no answer", "should have refused", "not retrieved", "ranked too low", "rejected", "wrong period", "refused",
    "not selected", "wrong value"; ``None`` where all evidence is cited and the answer is right.
    """
    if answer is None:
        return "no answer"
    if not case.answerable:
        return "should have refused" if answer.status == "answered" else None
    cited = answer.citations if answer.status == "answered" else ()
    missing = [part for part in parts(case) if not measures.citation_recall(cited, [part])]
    stages = [_lost(part, answer, forbidden=forbidden, seen=seen, used=used) for part in missing]
    if stages:
        return max(_STAGES, key=stages.count)
    if right:
        return None
    return "wrong period" if forbidden else "wrong value"


_STAGES = ("not retrieved", "ranked too low", "rejected", "wrong period", "refused", "not selected")


def _lost(part: Sequence[Gold], answer: Answer, *, forbidden: bool, seen: Sequence[Spanned], used: int) -> str:
    if seen and not measures.citation_recall(seen, [part]):
        return "not retrieved"
    if seen and not measures.citation_recall(seen[:used], [part]):
        return "ranked too low"
    rejected = [" ".join(each.text.split()) for each in answer.rejected]
    if any(" ".join(gold.quote.split()) in text or (text and text in gold.quote) for gold in part for text in rejected):
        return "rejected"
    if forbidden or answer.reason == "other_period":
        return "wrong period"
    return "refused" if answer.status == "refused" else "not selected"


def _citations(case: Case, answer: Answer | None, choice: Choice | None) -> dict[str, Ratio]:
    cited = answer.citations if answer and answer.status == "answered" else ()
    precision = measures.citation_precision(cited, case.gold, case.context)
    recall = measures.citation_recall(cited, parts(case))
    values = {
        "citation_precision": precision,
        "citation_recall": recall,
        "citation_f1": measures.f1(precision, recall),
        "character_iou": measures.character_iou(cited, parts(case), case.context),
    }
    if choice:
        names = ("sentence_precision", "sentence_recall", "sentence_f1")
        values |= zip(names, measures.sentence_choice(cited, *choice), strict=True)
    return {name: Ratio(value, 1) for name, value in values.items()}


def _answers(case: Case, answer: Answer | None) -> dict[str, Ratio]:
    text, values = shown(answer), {}
    cited = answer.citations if answer and answer.status == "answered" else ()
    facts = [Fact(nugget.forms, nugget.vital, nugget.gold) for nugget in case.nuggets]
    for name, vital in (("nugget_vital", True), ("nugget_all", False)):
        found = measures.nugget_recall(facts, text, cited, vital=vital)
        if found is not None:
            values[name] = found
    if case.items:
        names = [item.names for item in case.items]
        entries = _entries(answer)
        values["item_recall"] = measures.item_recall(names, [claimed(answer)])
        values["item_recall_5"] = measures.item_recall(names, [claimed(answer)], cap=5)
        values["item_precision"] = measures.item_precision(names, [name for name, _ in entries])
        with_amount = [(item.names, item.amount) for item in case.items if item.amount is not None]
        if with_amount:
            values["item_amounts"] = measures.item_amounts(with_amount, entries)
    if case.amounts:
        values["amounts"] = measures.amount_recall(case.amounts, text)
    if case.dates:
        values["dates"] = measures.date_recall(case.dates, text)
    return {name: Ratio(value, 1) for name, value in values.items()}


def _entries(answer: Answer | None) -> list[tuple[str, str]]:
    """The entries of a list answer: each row's name with its amount, or each claim twice where there are no rows.

    A claim that needs no citation, such as the line that leads in to a list, is no entry.
    """
    if answer is None or answer.status != "answered":
        return []
    if answer.rows:
        return [(row.name, row.amount or "") for row in answer.rows]
    claims = [claim.text for claim in answer.claims if support.needs_citation(claim.text)] or [answer.text]
    return [(text, text) for text in claims]


def _claims(answer: Answer) -> list[str]:
    return [*(claim.text for claim in answer.claims), *map(_row, answer.rows)]


def _row(row: Row) -> str:
    return ", ".join(cell for cell in (row.name, row.amount, row.period, row.purpose) if cell)
