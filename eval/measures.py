"""Measures of citations against gold spans, and of answers against what they should hold.

Every function is pure and returns a share from 0 to 1. A span is anything with ``source``, ``start`` and ``end``
(`eval.cases.Gold`, `rag.models.Citation`, `Place`). One rule decides everywhere whether spans meet: a span counts as
covered when at least ``COVERED`` of its characters lie inside the others, in the same source. Half is the usual reading
of "mostly": a sentence cited without its last words still counts, its neighbour does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from eval.values import states, states_amount, states_date, tokens

COVERED = 0.5
"""The share of a span's characters that must lie inside other spans for it to count as covered."""

Ranges = dict[str, list[tuple[int, int]]]


class Spanned(Protocol):
    """A range of a document that is named by its source."""

    @property
    def source(self) -> str: ...
    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...


class Quoted(Spanned, Protocol):
    """A span that says which words stand there."""

    @property
    def quote(self) -> str: ...


class Place(NamedTuple):
    """The plainest span."""

    source: str
    start: int
    end: int


class Citation(NamedTuple):
    """The plainest quoted span, for examples and for answers of other systems."""

    source: str
    start: int
    end: int
    quote: str


# ---------------------------------------------------------------------------------------------- citations, gold spans


def citation_precision(cited: Sequence[Spanned], gold: Iterable[Spanned], context: Iterable[Spanned] = ()) -> float:
    """The share of citations that are mostly gold; 0 where nothing is cited.

    A citation is right when at least half of its characters lie in the union of the gold spans. One that is not, but
    lies mostly in gold and ``context`` together, is left out: it may be cited, and need not be. Source: precision of
    evidence as in FEVER (Thorne et al., 2018), on characters instead of whole sentences.

    >>> gold = [Place("a", 0, 10)]
    >>> citation_precision([Place("a", 0, 10), Place("a", 20, 30)], gold)
    0.5
    >>> citation_precision([Place("a", 4, 14), Place("a", 20, 30)], gold, context=[Place("a", 20, 30)])
    1.0
    """
    right_in, allowed_in = merged(gold), merged([*gold, *context])
    right = wrong = 0
    for citation in cited:
        if coverage(citation, right_in) >= COVERED:
            right += 1
        elif coverage(citation, allowed_in) < COVERED:
            wrong += 1
    return right / (right + wrong) if right else 0.0


def citation_recall(cited: Iterable[Spanned], parts: Sequence[Sequence[Spanned]]) -> float:
    """The share of an answer's parts whose evidence is cited.

    Each part (a nugget, an item) comes with alternatives; it is recalled when at least half of any one of them is
    covered by the citations together. Source: as `citation_precision`.

    >>> parts = [[Place("a", 0, 10), Place("b", 5, 15)], [Place("a", 50, 60)]]
    >>> citation_recall([Place("b", 0, 12)], parts)
    0.5
    """
    ranges = merged(cited)
    found = sum(any(coverage(gold, ranges) >= COVERED for gold in part) for part in parts)
    return found / len(parts) if parts else 0.0


def f1(precision: float, recall: float) -> float:
    """The harmonic mean of precision and recall; 0 where both are 0 (van Rijsbergen, 1979).

    >>> f1(1.0, 0.5)
    0.6666666666666666
    """
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def character_iou(
    cited: Iterable[Spanned], parts: Sequence[Sequence[Spanned]], context: Iterable[Spanned] = ()
) -> float:
    """The characters that are both cited and gold, as a share of those that are either (Jaccard index).

    Of a part's alternatives the ones that a citation touches count as gold; where none is touched, the shortest does.
    Characters of ``context`` that are not gold don't count.

    >>> character_iou([Place("a", 5, 15)], [[Place("a", 0, 10)]])
    0.3333333333333333
    >>> character_iou([Place("b", 0, 8)], [[Place("a", 0, 10), Place("b", 0, 8)]])
    1.0
    """
    cited_in = merged(cited)
    chosen: list[Spanned] = []
    for part in parts:
        touched = [gold for gold in part if coverage(gold, cited_in) > 0]
        chosen.extend(touched or [min(part, key=lambda gold: gold.end - gold.start)])
    gold_in = merged(chosen)
    both = overlap(cited_in, gold_in)
    harmless = overlap(cited_in, merged([*chosen, *context])) - both
    either = size(cited_in) + size(gold_in) - both - harmless
    return both / either if either else 0.0


def exact_citations(cited: Iterable[Quoted], texts: Mapping[str, str]) -> list[bool]:
    """For each citation, whether ``text[start:end] == quote`` in its document; the share of these is the exactness.

    >>> cited = [Citation("a", 0, 2, "It"), Citation("a", 1, 3, "It")]
    >>> exact_citations(cited, {"a": "It is."})
    [True, False]
    """
    checks = []
    for citation in cited:
        text = texts.get(citation.source)
        inside = text is not None and 0 <= citation.start < citation.end <= len(text)
        checks.append(inside and text is not None and text[citation.start : citation.end] == citation.quote)
    return checks


def sentence_choice(
    cited: Iterable[Spanned], sentences: Sequence[Spanned], references: Sequence[Sequence[Spanned]]
) -> tuple[float, float, float]:
    """Precision, recall and F1 of the sentences cited out of those given, against the best of several references.

    A sentence is chosen when at least half of it is cited. Where people chose differently, the reference with the
    highest F1 counts, as SQuAD does for its answers (Rajpurkar et al., 2016).

    >>> given = [Place("a", 0, 10), Place("a", 11, 20), Place("a", 21, 30)]
    >>> sentence_choice([Place("a", 0, 20)], given, [[given[0]], [given[1], given[2]]])
    (0.5, 1.0, 0.6666666666666666)
    """
    ranges = merged(cited)
    chosen = {(place.source, place.start) for place in sentences if coverage(place, ranges) >= COVERED}
    best = (0.0, 0.0, 0.0)
    for reference in references:
        wanted = {(place.source, place.start) for place in reference}
        hits = len(chosen & wanted)
        precision = hits / len(chosen) if chosen else 0.0
        recall = hits / len(wanted) if wanted else 0.0
        best = max(best, (precision, recall, f1(precision, recall)), key=lambda scores: scores[2])
    return best


# ------------------------------------------------------------------------------------------------------------ answers


def item_recall(items: Sequence[Sequence[str]], shown: Iterable[str], cap: int | None = None) -> float:
    """The share of a list's items that are shown under one of their names.

    With ``cap`` the target is at most that many, so that finding five of twenty scores 1 at ``cap=5``: the recall-5
    that ALCE (Gao et al., 2023) reports for QAMPARI.

    >>> items = [["National Endowment for Democracy", "NED"], ["Vlast"]]
    >>> item_recall(items, ["a grant of NED"]), item_recall(items, ["a grant of NED"], cap=1)
    (0.5, 1.0)
    """
    texts = list(shown)
    found = sum(any(states(text, name) for text in texts for name in names) for names in items)
    target = min(len(items), cap or len(items))
    return min(found, target) / target if target else 0.0


def item_precision(items: Sequence[Sequence[str]], shown: Sequence[str]) -> float:
    """The share of the entries shown (rows, or claims where there are none) that name an item of the list.

    An entry that stands twice counts once. Nothing shown scores 0. Source: as `item_recall`.

    >>> item_precision([["Vlast", "Власть"]], ["Vlast Media Group", "Vlast Media Group", "Someone else"])
    0.5
    """
    entries = {" ".join(tokens(entry)): entry for entry in shown}
    right = sum(any(states(entry, name) for names in items for name in names) for entry in entries.values())
    return right / len(entries) if entries else 0.0


def item_amounts(items: Sequence[tuple[Sequence[str], str]], rows: Iterable[tuple[str, str]]) -> float:
    """The share of items with an amount whose own row states that amount.

    Args:
        items: each item's names, and the amount that the documents give for it.
        rows: each entry's name, and the words that stand with it (its amount, or the whole claim).

    >>> item_amounts([(["Vlast"], "$236,000"), (["IRI"], "$250,000")], [("Vlast", "$236,000"), ("IRI", "$236,000")])
    0.5
    """
    entries = list(rows)
    right = sum(
        any(states_amount(words, amount) and any(states(entry, name) for name in names) for entry, words in entries)
        for names, amount in items
    )
    return right / len(items) if items else 0.0


def amount_recall(amounts: Sequence[str], text: str) -> float:
    """The share of the gold amounts that a text states, however they are written.

    >>> amount_recall(["$250,000", "€1.2 million"], "It gave 250 000 dollars.")
    0.5
    """
    return sum(states_amount(text, amount) for amount in amounts) / len(amounts) if amounts else 0.0


def date_recall(dates: Sequence[str], text: str) -> float:
    """The share of the gold dates (ISO 8601, to the day, month or year) that a text states, as finely or finer.

    >>> date_recall(["2021-04-14", "2020"], "Signed on 14.04.2021.")
    0.5
    """
    return sum(states_date(text, date) for date in dates) / len(dates) if dates else 0.0


class Fact(NamedTuple):
    """A nugget as it is scored: ways to write it, whether it is vital, and the spans that show it."""

    forms: Sequence[str]
    vital: bool
    gold: Sequence[Spanned]


def nugget_recall(nuggets: Sequence[Fact], text: str, cited: Iterable[Spanned], *, vital: bool) -> float | None:
    """The share of nuggets (only the vital ones with ``vital``) that an answer holds; ``None`` where there is no such.

    A nugget is held when the text states one of its forms; a nugget without forms, when its gold is cited. Source:
    vital and okay nuggets of the TREC question answering track (Voorhees, 2003), with the strict all-or-nothing
    matching of TREC RAG 2024 (Pradeep et al., 2024).

    >>> facts = [Fact(["in Almaty"], True, []), Fact(["2021"], False, [])]
    >>> nugget_recall(facts, "It sits in Almaty.", [], vital=True), nugget_recall(facts, "In Almaty.", [], vital=False)
    (1.0, 0.5)
    """
    wanted = [nugget for nugget in nuggets if nugget.vital or not vital]
    ranges = merged(cited)
    held = sum(
        any(states(text, form) for form in nugget.forms)
        if nugget.forms
        else any(coverage(gold, ranges) >= COVERED for gold in nugget.gold)
        for nugget in wanted
    )
    return held / len(wanted) if wanted else None


def forbidden_shown(forbidden: Iterable[str], text: str) -> tuple[str, ...]:
    """The values that must not be shown as part of the answer, but are.

    >>> forbidden_shown(["$48,267", "2019"], "In 2021 it gave 48 267 USD.")
    ('$48,267',)
    """
    return tuple(value for value in forbidden if states(text, value))


# ------------------------------------------------------------------------------------------------------------- ranges


def merged(spans: Iterable[Spanned]) -> Ranges:
    """The union of spans: for each source, ranges in order that do not touch.

    >>> merged([Place("a", 5, 9), Place("a", 0, 6), Place("b", 1, 2)])
    {'a': [(0, 9)], 'b': [(1, 2)]}
    """
    ranges: Ranges = {}
    for span in sorted(spans, key=lambda span: (span.source, span.start, span.end)):
        if span.end <= span.start:
            continue
        there = ranges.setdefault(span.source, [])
        if there and span.start <= there[-1][1]:
            there[-1] = (there[-1][0], max(there[-1][1], span.end))
        else:
            there.append((span.start, span.end))
    return ranges


def coverage(span: Spanned, ranges: Ranges) -> float:
    """The share of a span's characters inside some ranges; 0 for an empty span.

    >>> coverage(Place("a", 0, 10), {"a": [(5, 30)]})
    0.5
    """
    length = span.end - span.start
    return overlap({span.source: [(span.start, span.end)]}, ranges) / length if length > 0 else 0.0


def overlap(one: Ranges, other: Ranges) -> int:
    """How many characters two unions of spans share.

    >>> overlap({"a": [(0, 5), (8, 12)]}, {"a": [(3, 10)]})
    4
    """
    return sum(
        max(0, min(end, there_end) - max(start, there_start))
        for source, spans in one.items()
        for start, end in spans
        for there_start, there_end in other.get(source, ())
    )


def size(ranges: Ranges) -> int:
    """How many characters a union of spans holds.

    >>> size({"a": [(0, 5)], "b": [(2, 3)]})
    6
    """
    return sum(end - start for spans in ranges.values() for start, end in spans)
