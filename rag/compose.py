"""From what was read to an answer: sentences that become claims, or the rows of a list, or why there is neither."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import groupby, takewhile
from typing import NamedTuple

from index.library import Retrieved
from index.models import Document, Span
from index.split import sentences
from index.terms import content_terms
from rag.compute import computed
from rag.cues import PRONOUN
from rag.locks import of_another
from rag.members import Member
from rag.models import Citation, Claim, Evidence, Nearest, Note, Reason, Rejected, Row
from rag.periods import Periods
from rag.question import Question, is_clear
from rag.rivals import alike, rivals
from rag.rows import Entry, entries, known_as, merged, named_in, of_years, sums_in
from rag.scope import scope
from rag.verify import Draft, cite, verify

_MOST_FACTS = 3
_MOST_LISTED = 12
_MOST_NOTED = 5
_MOST_SUMS = 3


class Composed(NamedTuple):
    """What is to be shown, verified."""

    claims: list[Claim]
    citations: list[Citation]
    rejected: list[Rejected]
    rows: list[Row]
    notes: list[Note]


def from_sentences(
    question: Question,
    evidence: Sequence[Evidence],
    documents: Mapping[str, Document],
    unlikely: Sequence[Evidence],
    share: float,
) -> Composed:
    """The best sentences as claims, in the order of the documents; more of them where a question asks for all.

    Args:
        unlikely: what does not answer by itself, but is shown where it is what answers but for a number or a name.
        share: see `rag.read.Limits`.
    """
    most = _MOST_LISTED if question.wants_all else _MOST_FACTS
    chosen = _without_echoes(likeliest(evidence, share), documents)
    if not question.wants_all:
        chosen = _one_of_each_table(chosen, documents)
    chosen = chosen[:most]
    shown = _shown(chosen, documents)
    same = [e for e in unlikely if _differs(e, shown, documents, only=True)]
    same = [e for e in same if not of_another(question, documents[e.document], e)]
    chosen, differing = _with_rivals(chosen, [*evidence, *same], documents)
    order = {document: n for n, document in enumerate(dict.fromkeys(e.document for e in chosen))}
    chosen.sort(key=lambda e: (order[e.document], e.start))
    drafts = []
    for e in chosen:
        document = documents[e.document]
        place = Span(e.start, e.end)
        drafts.append(_stated(document, _with_what_it_leans_on(document, place), question.periods))
        drafts += [_stated(document, [item]) for item in _announced(document, place)]
    claims, citations, rejected = verify(drafts)
    notes = [Note(kind="disagreement", text="The documents differ on this.")] if differing and len(claims) > 1 else []
    return Composed(claims, citations, rejected, [], notes)


def _one_of_each_table(evidence: Sequence[Evidence], documents: Mapping[str, Document]) -> list[Evidence]:
    """Evidence, best first, without rows of which a better one is of the same table: those are of other things."""
    kept: dict[tuple[str, int | str], Evidence] = {}
    for e in evidence:
        row = next((b for b in documents[e.document].blocks if b.cells and b.start <= e.start < b.end), None)
        kept.setdefault((e.document, named_in(row).header if row else e.start), e)
    return list(kept.values())


def likeliest(evidence: Sequence[Evidence], share: float) -> list[Evidence]:
    """The best of some evidence, best first, and what is nearly as likely."""
    return [e for e in evidence if e.probability >= evidence[0].probability * share]


def _with_rivals(
    chosen: Sequence[Evidence], evidence: Sequence[Evidence], documents: Mapping[str, Document]
) -> tuple[list[Evidence], bool]:
    """What was chosen, and what other documents tell in the same words with another value, if less likely.

    What is chosen is shown after the sentence that it leans on, so that another value of that counts, too.

    Returns:
        the evidence, and whether any of it differs.
    """
    shown = _shown(chosen, documents)
    wanted = [e for e in evidence if _differs(e, shown, documents)]
    beside = _without_echoes([*chosen, *wanted], documents)[: max(_MOST_LISTED, len(chosen))]
    shown = _shown(beside, documents)
    return beside, any(_differs(e, shown, documents) for e in beside)


def _shown(evidence: Sequence[Evidence], documents: Mapping[str, Document]) -> list[tuple[str, str]]:
    """The sentences by which evidence is shown, each with the id of its document."""
    spans = [(documents[e.document], Span(e.start, e.end)) for e in evidence]
    return [(d.id, d.text[start:end]) for d, span in spans for start, end in _with_what_it_leans_on(d, span)]


def _differs(
    evidence: Evidence, shown: Sequence[tuple[str, str]], documents: Mapping[str, Document], only: bool = False
) -> bool:
    """Whether a sentence tells another value than one that another document shows."""
    words = _words(evidence, documents)
    return any(evidence.document != document and rivals(words, other, only) for document, other in shown)


def _words(evidence: Evidence, documents: Mapping[str, Document]) -> str:
    return documents[evidence.document].text[evidence.start : evidence.end]


def from_section(question: Question, documents: Sequence[Document]) -> Composed | None:
    """The first sentences under a heading that a question names, where it asks what is said about that.

    Of several such sections, the one whose document's title the question names, too; ``None`` where there is none.
    """
    if not _SAID_ABOUT.search(question.text):
        return None
    names = [" ".join(name.rstrip("…").split()).casefold() for name in question.names]
    ranked = sorted(documents, key=lambda d: not any((d.title or "").casefold().startswith(name) for name in names))
    for document in ranked:
        topics = [name for name in names if not (document.title or "").casefold().startswith(name)]
        for n, block in enumerate(document.blocks):
            if block.kind != "heading" or document.text[block.start : block.end].casefold().strip() not in topics:
                continue
            under = takewhile(lambda b: b.kind != "heading", document.blocks[n + 1 :])
            said = [s for b in under for s in sentences(document.text, b.start, b.end, document.language)]
            if said:
                return Composed(*verify([_stated(document, [Span(*place)]) for place in said[:_MOST_FACTS]]), [], [])
    return None


_SAID_ABOUT = re.compile(
    r"\b(?:say|says|said|tell|tells|told)\b.*\babout\b|\bсказано\b.*\b(?:о|об|на тему)\b", re.IGNORECASE
)


def _stated(document: Document, spans: Sequence[Span], asked: Periods = ()) -> Draft:
    """Consecutive sentences of a document as a claim; of a table row no columns of years that are not asked for."""
    row = next((b for b in document.blocks if b.cells and (b.start, b.end) == spans[0]), None) if asked else None
    words = of_years(row, document, asked) if row else " ".join(document.text[start:end] for start, end in spans)
    return Draft(" ".join(words.split()), tuple((document, start, end) for start, end in spans))


def _with_what_it_leans_on(document: Document, place: Span) -> list[Span]:
    """A sentence; one that begins with a pronoun after the one before it in its block, which says who "he" is."""
    if not PRONOUN.match(document.text[place.start : place.end]):
        return [place]
    block = next((b for b in document.blocks if b.start <= place.start < b.end), None)
    before = sentences(document.text, block.start, place.start, document.language) if block else []
    return [*before[-1:], place]


def _announced(document: Document, place: Span) -> list[Span]:
    """The list items that a sentence with a colon at its end announces."""
    if not document.text[place.start : place.end].endswith(":"):
        return []
    following = [block for block in document.blocks if block.start >= place.end]
    return [Span(b.start, b.end) for b in takewhile(lambda block: block.kind in ("item", "row"), following)]


def from_lists(
    question: Question, documents: Sequence[Document], answered: bool, named: Sequence[Member] = ()
) -> Composed | None:
    """What the tables and the recipients named in whole documents tell; ``None`` where sentences answer better.

    Args:
        question: about who was given what.
        documents: each is gone through from beginning to end.
        answered: whether a sentence answers already; then a number is only worked out where a comparison is asked for.
        named: names in running text that are likely members of the list asked for.
    """
    aliases = [pair for document in documents for pair in known_as(document)]
    inside, _ = entries(question, documents, aliases)
    groups = merged(inside, aliases)
    if question.kind == "list" and len(groups) < 2:  # what the rules find is right more often than what is learned
        likely = merged(_entries_of(named), aliases)
        groups = likely if len(likely) > 1 else groups
    match question.kind:
        case "list" if len(groups) > 1:
            return from_entries(groups)
        case "list" if len(groups) == 1 and question.names and len(years := _one_a_year(groups[0])) > 1:
            return from_entries([[e] for e in sorted(years, key=lambda e: e.period or "")])
        case "amount" if len(groups) == 1 and question.names:
            told = [entry for entry in groups[0] if entry.amount]
            return from_places(told) if told else None
        case "comparison" if question.names and groups:
            return _worked_out(question, [[e] for group in groups for e in _one_a_year(group)])
        case "total" if (
            len(groups) == 1 and question.names and not answered and len(years := _one_a_year(groups[0])) > 1
        ):
            rows = [[e] for e in sorted(years, key=lambda e: e.period or "")]
            return _worked_out(question, rows) or from_entries(rows)  # sums in several currencies stay as they are
        case "count" | "total" | "largest" if len(groups) > 1 and not answered:
            return _worked_out(question, groups)
        case _:
            return None


def _worked_out(question: Question, groups: Sequence[Sequence[Entry]]) -> Composed | None:
    """Rows after what can be worked out from them; ``None`` where nothing can."""
    composed = from_entries(groups)
    claims = computed(question, composed.rows)
    return composed._replace(claims=[*claims, *composed.claims]) if claims else None


def _entries_of(named: Sequence[Member]) -> list[Entry]:
    """An entry for each name; a sum is its own where its sentence tells one for each name in it."""
    found = []
    for _, together in groupby(named, key=lambda member: (member.document.id, member.span)):
        names = list(together)
        document, span = names[0].document, names[0].span
        sums = sums_in(" ".join(document.text[span.start : span.end].split()))
        own = sums if len(sums) == len(names) else [None] * len(names)
        period = ", ".join(map(str, scope(document).of(*span).holding)) or None
        found += [
            Entry(member.name, amount, period, None, document, (span,), False)
            for member, amount in zip(names, own, strict=True)
        ]
    return found


def _one_a_year(group: Sequence[Entry]) -> list[Entry]:
    """The best entry of each period."""
    return list({e.period: e for e in reversed(group) if e.amount}.values())


def from_places(found: Sequence[Entry]) -> Composed:
    """The sentence or row of the best entry as a claim, and of each that tells another amount, with a note on that."""
    differing = list({"".join(filter(str.isdigit, e.amount or "")): e for e in reversed(found)}.values())[::-1]
    drafts = []
    for entry in differing[:_MOST_FACTS]:
        start, end = entry.spans[-1]
        spans = tuple((entry.document, *span) for span in entry.spans)
        drafts.append(Draft(" ".join(entry.document.text[start:end].split()), spans))
    claims, citations, rejected = verify(drafts)
    notes = []
    if len(claims) > 1:
        values = " and ".join(str(e.amount) for e in differing[:_MOST_FACTS])
        notes.append(Note(kind="disagreement", text=f"The documents differ: {values}."))
    return Composed(claims, citations, rejected, [], notes)


def from_entries(groups: Sequence[Sequence[Entry]]) -> Composed:
    """A row for each group of entries that name one thing; where their amounts differ, a note shows both."""
    drafts, kept = [], []
    for group in groups:
        best = group[0]
        label = best.name + (f" — {best.amount}" if best.amount else "")
        drafts.append(Draft(label, tuple((best.document, *span) for span in best.spans)))
        kept.append(group)
    claims, citations, rejected = verify(drafts)
    failed = {r.text for r in rejected}
    shown = [(draft, group) for draft, group in zip(drafts, kept, strict=True) if draft.text not in failed]
    rows = [
        Row(
            name=group[0].name,
            amount=group[0].amount,
            period=next((e.period for e in group if e.period), None),
            purpose=next((e.purpose for e in group if e.purpose), None),
            citations=claim.citations,
        )
        for (_, group), claim in zip(shown, claims, strict=True)
    ]
    told = sum(row.amount is not None for row in rows)
    sources = len({citation.document for citation in citations})
    counted = f"{len(rows)} found in {sources} document{'s' * (sources != 1)}"
    counted += f"; amounts are told for {told}." if told else "."
    notes = [Note(kind="completeness", text=counted)]
    notes += _disagreements([group for _, group in shown], len(citations) + 1)
    return Composed(claims, citations, rejected, rows, notes)


def _disagreements(groups: Sequence[Sequence[Entry]], first: int) -> list[Note]:
    """A note for each group whose entries tell different amounts for one period; citations count from ``first``."""
    notes = []
    for group in groups:
        by_amount: dict[str, Entry] = {}
        for entry in group:
            if entry.amount and entry.period == group[0].period:
                by_amount.setdefault("".join(c for c in entry.amount if c.isdigit()), entry)
        if len(by_amount) > 1:
            cited = [
                cite(e.document, e.spans[-1].start, e.spans[-1].end, first + n)
                for n, e in enumerate(by_amount.values())
            ]
            first += len(cited)
            values = " and ".join(str(e.amount) for e in by_amount.values())
            notes.append(
                Note(
                    kind="disagreement",
                    text=f"The documents tell {values} for {group[0].name}:",
                    citations=tuple(cited),
                )
            )
    return notes


def _without_echoes(evidence: Sequence[Evidence], documents: Mapping[str, Document]) -> list[Evidence]:
    """Evidence without sentences that say what a better one has said already, such as those of a second version.

    What another document says with another value stays.
    """
    kept: list[Evidence] = []
    said: list[tuple[str, str]] = []
    for e in evidence:
        words = _words(e, documents)
        if all(not alike(words, other) or (e.document != d and rivals(words, other)) for d, other in said):
            kept.append(e)
            said.append((e.document, words))
    return kept


def written(composed: Composed) -> str:
    """The answer's text: each claim, then the numbers of its citations."""
    bullet = "- " if composed.rows else ""
    return "\n".join(
        f"{bullet}{claim.text} {''.join(f'[{number}]' for number in claim.citations)}" for claim in composed.claims
    )


def left_out(
    question: Question,
    evidence: Sequence[Evidence],
    documents: Mapping[str, Document],
    first: int,
    sums: Sequence[tuple[Document, Span]] = (),
) -> list[Note]:
    """A note on sentences that would answer for another year than the one asked for.

    Args:
        evidence: such sentences, best first.
        first: the number of the first citation.
        sums: sums of other years beside a list, which come first.
    """
    told = [Evidence(document=d.id, start=span.start, end=span.end, probability=0.0) for d, span in sums]
    chosen = _without_echoes([*told[:_MOST_SUMS], *evidence], documents)[:_MOST_NOTED]
    if not chosen:
        return []
    cited = [cite(documents[e.document], e.start, e.end, first + n) for n, e in enumerate(chosen)]
    asked = ", ".join(map(str, question.periods))
    return [Note(kind="other_period", text=f"Left out because it is not about {asked}:", citations=tuple(cited))]


def why_silent(question: Question, other_period: bool, retrieved: Sequence[Retrieved]) -> Reason:
    """Why there is no answer, from what came nearest."""
    if not is_clear(question):
        return "unclear_question"
    if not retrieved:
        return "no_documents"
    if other_period:
        return "other_period"
    held = {t for r in retrieved for t in content_terms(f"{r.document.title or ''} {r.hit.text}")}
    named = {t for name in question.names for t in content_terms(name)}
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
            hidden=hit.hidden,
        )
        for hit, document, _, _ in retrieved[:most]
    )
