"""A run as a page, as Markdown and as JSON.

The page is one file that opens without a network: the plotting library stands in it, and its security policy forbids
every request.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from eval.cases import Case, Gold
from eval.measures import COVERED, Ranges, Spanned, coverage, merged
from eval.plots import library, plots
from eval.run import Loaded
from eval.score import Score, statements
from eval.summary import Figure, Scores, Summary, label
from rag.models import Answer, Citation

_TEMPLATE = Path(__file__).parent / "report.html"
CARDS = ("right", "citation_precision", "citation_recall", "exactness", "refusal_f1", "crag")


class Piece(NamedTuple):
    """Some characters of a quote, and whether the other side has them too."""

    text: str
    shared: bool


class GoldQuote(NamedTuple):
    """Gold words, with what was cited of them marked."""

    source: str
    start: int
    end: int
    pieces: list[Piece]


class Part(NamedTuple):
    """What a complete answer holds, and whether its evidence was cited."""

    what: str
    cited: bool
    quotes: list[GoldQuote]


class CitedQuote(NamedTuple):
    """A citation, with what is gold of it marked; ``verdict`` is "gold", "context" or "not gold"."""

    citation: Citation
    pieces: list[Piece]
    verdict: str
    exact: bool


class Said(NamedTuple):
    """A statement of the answer, the numbers it cites, and how far the verifier finds it supported."""

    text: str
    numbers: tuple[int, ...]
    support: str


class Row(NamedTuple):
    """One case as the page shows it."""

    case: Case
    outcome: str
    failure: str
    f1: float | None
    seconds: float | None
    answer: Answer | None
    error: str | None
    said: list[Said]
    parts: list[Part]
    cited: list[CitedQuote]
    score: Score


def write(loaded: Loaded, scores: Scores, summary: Summary) -> list[Path]:
    """Write ``report.html``, ``report.md`` and ``report.json`` into the run's folder; returns the three paths."""
    written = []
    for name, text in (
        ("report.html", html(loaded, scores, summary)),
        ("report.md", markdown(summary)),
        ("report.json", as_json(loaded, scores, summary)),
    ):
        path = loaded.folder / name
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return written


def html(loaded: Loaded, scores: Scores, summary: Summary) -> str:
    """The page."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATE.parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"share": share, "interval": interval, "number": number}
    rows = [row(loaded, case, scores[case.id, "asked"]) for case in loaded.cases]
    return environment.get_template(_TEMPLATE.name).render(
        summary=summary,
        sentences=sentences(summary),
        judged_by=judged_by(summary),
        cards=[figure for name in CARDS if (figure := summary.figure(name))],
        groups=grouped(summary.figures),
        plots=plots(summary),
        plotly=library(),
        rows=rows,
        kinds=sorted({each.case.kind for each in rows}),
        outcomes=sorted({each.outcome for each in rows}),
        failures=sorted({each.failure for each in rows if each.failure}),
        given=sorted({reason for row in summary.reasons.values() for reason in row}),
    )


def markdown(summary: Summary) -> str:
    """The figures as Markdown."""
    lines = [f"# {summary.name}: {summary.settings.system}", "", *sentences(summary), ""]
    for group, figures in grouped(summary.figures):
        lines += [f"## {group}", "", "| measure | value | 95% interval | cases |", "|---|---|---|---|"]
        lines += [f"| {f.title} | {number(f.value)} | {interval(f)} | {f.cases} |" for f in figures]
        lines += ["", *([judged_by(summary), ""] if group == "Support" else [])]
    if summary.failures:
        lines += ["## What lost them", "", "| stage | cases |", "|---|---|"]
        lines += [f"| {stage} | {count} |" for stage, count in summary.failures.items()] + [""]
    if summary.followups:
        lines += [
            f"## {summary.followups.turns} follow-ups",
            "",
            "| measure | with history | rewritten |",
            "|---|---|---|",
        ]
        other = {figure.name: figure for figure in summary.followups.rewritten}
        for figure in summary.followups.asked:
            beside = (
                f"{number(other[figure.name].value)} {interval(other[figure.name])}" if figure.name in other else "–"
            )
            lines.append(f"| {figure.title} | {number(figure.value)} {interval(figure)} | {beside} |")
        lines.append("")
    lines += ["## Time", "", "| stage | p50 ms | p95 ms |", "|---|---|---|"]
    lines += [f"| {each.stage} | {each.p50:.1f} | {each.p95:.1f} |" for each in summary.times]
    return "\n".join(lines) + "\n"


def as_json(loaded: Loaded, scores: Scores, summary: Summary) -> str:
    """The summary, and for each case its scores and what became of it."""
    cases = [
        {
            "id": case.id,
            "variant": variant,
            "outcome": label(scored),
            "failure": scored.failure,
            "scores": {name: ratio.value for name, ratio in scored.values.items() if ratio.out_of},
        }
        for case in loaded.cases
        for variant in ("asked", "rewritten")
        if (scored := scores.get((case.id, "asked" if variant == "asked" else "rewritten"))) is not None
    ]
    whole = {"summary": summary.model_dump(mode="json"), "cases": cases}
    return json.dumps(whole, ensure_ascii=False, indent=1) + "\n"


def sentences(summary: Summary) -> list[str]:
    """The summary that is read in a minute."""
    unanswerable = summary.cases - summary.answerable
    said = [
        f"{summary.settings.system} was asked {summary.cases} questions; the documents answer {summary.answerable} "
        f"of them and leave {unanswerable} open."
    ]
    right, wrong = summary.figure("right"), summary.figure("citation_precision")
    if right:
        said.append(f"{share(right)} of the answerable questions were answered right.")
    if wrong:
        said.append(f"{share(wrong)} of what it cited for them is evidence.")
    refused, false = summary.figure("refusal_recall"), summary.figure("refusal_precision")
    if refused:
        said.append(f"It was silent on {share(refused)} of the questions that have no answer.")
    if false:
        said.append(f"Of its refusals, {share(false)} were called for.")
    if summary.failures:
        stage, count = next(iter(summary.failures.items()))
        said.append(f"Most losses: {stage} ({count} of {sum(summary.failures.values())}).")
    if summary.unanswered:
        said.append(f"Without any answer: {summary.unanswered} ({summary.errors} by an error); these score zero.")
    return said


def judged_by(summary: Summary) -> str:
    """Whose verdicts the figures of support are, and how far these can be trusted."""
    skills = ", ".join(f"{each.data} {each.value:.3f} [{each.low:.3f}, {each.high:.3f}]" for each in summary.skills)
    trust = f"its own balanced accuracy: {skills} (chance 0.5)" if skills else "its own accuracy has not been measured"
    return (
        f"Judged by the verifier “{summary.verifier}”, not by people; {trust}. "
        f"{summary.left_out} statements need no citation and are left out."
    )


def grouped(figures: Iterable[Figure]) -> list[tuple[str, list[Figure]]]:
    """Figures by group, in the order of the first of each."""
    groups: dict[str, list[Figure]] = {}
    for figure in figures:
        groups.setdefault(figure.group, []).append(figure)
    return list(groups.items())


def number(value: float | None) -> str:
    """A figure to three places; a dash where there is none.

    >>> number(0.12345), number(None)
    ('0.123', '–')
    """
    return "–" if value is None else f"{value:.3f}"


def interval(figure: Figure) -> str:
    """A figure's interval to three places."""
    return f"[{figure.low:.3f}, {figure.high:.3f}]"


def share(figure: Figure) -> str:
    """A figure in per cent with its interval."""
    return f"{100 * figure.value:.0f}% ({100 * figure.low:.0f}–{100 * figure.high:.0f}%)"


def row(loaded: Loaded, case: Case, scored: Score) -> Row:
    """A case with its answer, and gold and cited words side by side."""
    record = loaded.records.get((case.id, "asked"))
    answer = record.answer if record else None
    citations = answer.citations if answer and answer.status == "answered" else ()
    cited_in, gold_in = merged(citations), merged(case.gold)
    context_in = merged([*case.gold, *case.context])
    named: list[tuple[str, Sequence[Gold]]] = [
        *((" / ".join(nugget.forms) or "evidence", nugget.gold) for nugget in case.nuggets),
        *((item.name, item.gold) for item in case.items),
    ]
    f1 = scored.values.get("citation_f1")
    return Row(
        case=case,
        outcome=label(scored).partition(" (")[0],
        failure=scored.failure or "",
        f1=f1.of if f1 else None,
        seconds=record.seconds if record else None,
        answer=answer,
        error=record.error if record else None,
        said=_said(answer, scored),
        parts=[
            Part(
                what=what,
                cited=any(coverage(gold, cited_in) >= COVERED for gold in part),
                quotes=[
                    GoldQuote(gold.source, gold.start, gold.end, _pieces(gold, gold.quote, cited_in)) for gold in part
                ],
            )
            for what, part in named
        ],
        cited=[
            CitedQuote(
                citation=each,
                pieces=_pieces(each, each.quote, gold_in),
                verdict=_verdict(each, gold_in, context_in),
                exact=loaded.texts.get(each.source, "")[each.start : each.end] == each.quote,
            )
            for each in citations
        ],
        score=scored,
    )


def _said(answer: Answer | None, scored: Score) -> list[Said]:
    levels = dict(zip((each.text for each in statements(answer)), scored.support, strict=False))
    claims = answer.claims if answer and answer.status == "answered" else ()
    return [Said(claim.text, claim.citations, levels.get(claim.text, "")) for claim in claims]


def _verdict(citation: Spanned, gold: Ranges, context: Ranges) -> str:
    if coverage(citation, gold) >= COVERED:
        return "gold"
    return "context" if coverage(citation, context) >= COVERED else "not gold"


def _pieces(span: Spanned, quote: str, ranges: Ranges) -> list[Piece]:
    """The quote cut where the other side begins and ends."""
    inside = [False] * len(quote)
    for start, end in ranges.get(span.source, ()):
        for at in range(max(start - span.start, 0), min(end - span.start, len(quote))):
            inside[at] = True
    pieces: list[Piece] = []
    for character, shared in zip(quote, inside, strict=True):
        if pieces and pieces[-1].shared == shared:
            pieces[-1] = Piece(pieces[-1].text + character, shared)
        else:
            pieces.append(Piece(character, shared))
    return pieces
