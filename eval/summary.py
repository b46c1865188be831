"""A run in figures: each with its interval, by kind, with what it cost; and two runs compared case by case."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from eval import silence, stats, support
from eval.cases import Case
from eval.pairs import Skill
from eval.retrieval import MEASURES as RANKED
from eval.retrieval import per_query
from eval.run import Cost, Loaded, Settings, Variant
from eval.score import BY_NAME, MEASURES, Choice, Measure, Score, score, statements
from eval.silence import Bin
from index.errors import UsageError
from index.models import Model
from index.split import count_tokens

Scores = dict[tuple[str, Variant], Score]
HEADLINE = ("citation_precision", "citation_recall", "citation_f1", "nugget_vital", "item_recall", "right")
"""What is shown by kind, and for follow-ups beside their rewriting."""

_CURVES: tuple[tuple[Measure, Callable[[silence.Rows], float | None]], ...] = (
    (Measure("aurc", "Area under risk–coverage", "Silence", higher_is_better=False), silence.aurc),
    (Measure("excess_aurc", "The part of it that order could save", "Silence", False), silence.excess_aurc),
    (Measure("answerability_auc", "Confidence tells answerable (AUC)", "Silence"), silence.answerability_auc),
    (Measure("calibration_error", "Calibration error", "Silence", False), silence.calibration_error),
)


class Figure(Model):
    """A measure over a run: its value with a 95 % bootstrap interval, and how many cases it is made of."""

    name: str
    title: str
    group: str
    higher_is_better: bool
    value: float
    low: float
    high: float
    cases: int


class FollowUps(Model):
    """Turns with their history beside the same turns rewritten to stand alone."""

    turns: int
    asked: tuple[Figure, ...]
    rewritten: tuple[Figure, ...]


class Times(Model):
    """Percentiles of a stage's time in milliseconds."""

    stage: str
    p50: float
    p95: float
    cases: int


class Summary(Model):
    """A run in figures.

    Attributes:
        verifier: which verifier judged support; its figures are only as good as it is (``skills``).
        kinds: the headline figures for each kind of case.
        reasons: expected reason -> reason given -> how often ("answered" for an answer).
        failures: how many cases each stage lost.
        left_out: statements that need no citation, and are in no measure of support.
        errors, unanswered: cases that ended in an error, and that have no answer at all; both score zero.
        tokens: cl100k tokens of an answer and its quotes, on average over the answers given.
    """

    name: str
    settings: Settings
    cases: int
    answerable: int
    figures: tuple[Figure, ...]
    kinds: dict[str, tuple[Figure, ...]]
    verifier: str
    skills: tuple[Skill, ...] = ()
    coverage: tuple[float, ...]
    risk: tuple[float, ...]
    calibration: tuple[Bin, ...]
    reasons: dict[str, dict[str, int]]
    failures: dict[str, int]
    followups: FollowUps | None = None
    times: tuple[Times, ...]
    cost: Cost
    tokens: float | None
    left_out: int
    errors: int
    unanswered: int

    def figure(self, name: str) -> Figure | None:
        """The figure of this name, where the run has one."""
        return next((each for each in self.figures if each.name == name), None)


def score_run(loaded: Loaded, verifier: support.Verifier) -> Scores:
    """Score every case of a run, and each follow-up in its rewritten form too."""
    said = {key: statements(record.answer) for key, record in loaded.records.items()}
    verdicts = iter(support.judge([each for group in said.values() for each in group], verifier))
    judged = {key: [next(verdicts) for _ in group] for key, group in said.items()}
    scores: Scores = {}
    for case in loaded.cases:
        variants: tuple[Variant, ...] = ("asked", "rewritten") if case.rewritten else ("asked",)
        references = loaded.choices.references.get(case.id)
        choice = Choice(loaded.choices.sentences[case.id], references) if references else None
        for variant in variants:
            record = loaded.records.get((case.id, variant))
            scores[case.id, variant] = score(
                case,
                record.answer if record else None,
                loaded.texts,
                seen=record.seen if record else (),
                used=loaded.settings.used,
                judged=judged.get((case.id, variant), ()),
                choice=choice,
            )
    return scores


def figures(scores: Sequence[Score], names: Sequence[str] | None = None) -> tuple[Figure, ...]:
    """The figures that these cases have a value for, in the order of `MEASURES`."""
    found = []
    for measure in MEASURES if names is None else [BY_NAME[name] for name in names]:
        ratios = [each.values[measure.name] for each in scores if measure.name in each.values]
        of, out_of = [ratio.of for ratio in ratios], [ratio.out_of for ratio in ratios]
        value, interval = stats.ratio(of, out_of), stats.bootstrap(of, out_of)
        if value is not None and interval is not None:
            found.append(_figure(measure, value, interval, sum(each > 0 for each in out_of)))
    return tuple(found)


def summarise(loaded: Loaded, scores: Scores, verifier: support.Verifier, skills: Sequence[Skill] = ()) -> Summary:
    """Sum a scored run up."""
    asked = [scores[case.id, "asked"] for case in loaded.cases]
    outcomes = silence.rows([each.outcome for each in asked])
    curve = silence.risk_coverage(outcomes)
    answers = [record.answer for (_, variant), record in loaded.records.items() if variant == "asked"]
    given = [answer for answer in answers if answer and answer.status == "answered"]
    tokens = [count_tokens(each.text + "".join(citation.quote for citation in each.citations)) for each in given]
    return Summary(
        name=loaded.folder.name,
        settings=loaded.settings,
        cases=len(loaded.cases),
        answerable=sum(case.answerable for case in loaded.cases),
        figures=(*figures(asked), *_areas(outcomes), *_ranked(loaded)),
        kinds=_kinds(loaded.cases, scores),
        verifier=verifier.name,
        skills=tuple(skill for skill in skills if skill.verifier == verifier.name),
        coverage=curve.coverage,
        risk=curve.risk,
        calibration=tuple(silence.calibration(outcomes)),
        reasons=silence.reason_table([each.reasons for each in asked]),
        failures=dict(Counter(each.failure for each in asked if each.failure).most_common()),
        followups=_followups(loaded.cases, scores),
        times=_times(loaded),
        cost=loaded.cost,
        tokens=sum(tokens) / len(tokens) if tokens else None,
        left_out=sum(each.left_out for each in asked),
        errors=sum(1 for (_, variant), each in loaded.records.items() if variant == "asked" and each.error),
        unanswered=len(loaded.cases) - sum(1 for answer in answers if answer),
    )


class Changed(NamedTuple):
    """A case whose outcome or citations differ between two runs."""

    case: Case
    before: str
    after: str
    f1_before: float | None
    f1_after: float | None


class Difference(NamedTuple):
    """A figure in two runs, with the paired comparison."""

    measure: Measure
    before: float
    after: float
    comparison: stats.Comparison


def compare(
    first: Loaded, first_scores: Scores, second: Loaded, second_scores: Scores
) -> tuple[list[Difference], list[Changed]]:
    """Compare two runs of the same cases, measure by measure and case by case.

    Raises:
        UsageError: the runs are of other cases.
    """
    if first.settings.cases_digest != second.settings.cases_digest:
        raise UsageError(f"{first.folder} and {second.folder} are runs of other cases; compare runs of the same ones")
    pairs = [(first_scores[case.id, "asked"], second_scores[case.id, "asked"]) for case in first.cases]
    differences = []
    for measure in MEASURES:
        nothing = silence.Ratio(0, 0)
        sides = [[each[side].values.get(measure.name, nothing) for each in pairs] for side in (0, 1)]
        columns = [([ratio.of for ratio in side], [ratio.out_of for ratio in side]) for side in sides]
        comparison = stats.compare(columns[0], columns[1])
        before, after = stats.ratio(*columns[0]), stats.ratio(*columns[1])
        if comparison is not None and before is not None and after is not None:
            differences.append(Difference(measure, before, after, comparison))
    changed = []
    for case, (old, new) in zip(first.cases, pairs, strict=True):
        f1s = [each.values["citation_f1"].of if "citation_f1" in each.values else None for each in (old, new)]
        if label(old) != label(new) or f1s[0] != f1s[1]:
            changed.append(Changed(case, label(old), label(new), f1s[0], f1s[1]))
    return differences, changed


def label(scored: Score) -> str:
    """What became of a case in a word or two, and the stage that lost it."""
    outcome = scored.outcome
    if outcome.refused:
        word = "refused"
    elif not outcome.answered:
        return "no answer"
    else:
        word = "right" if outcome.right else "wrong"
    return f"{word} ({scored.failure})" if scored.failure and scored.failure != word else word


def _figure(measure: Measure, value: float, interval: stats.Interval, cases: int) -> Figure:
    return Figure(**measure._asdict(), value=value, low=interval.low, high=interval.high, cases=cases)


def _areas(outcomes: silence.Rows) -> list[Figure]:
    found = []
    for measure, statistic in _CURVES:
        value, interval = statistic(outcomes), stats.bootstrap_of(outcomes, statistic)
        if value is not None and interval is not None:
            found.append(_figure(measure, value, interval, len(outcomes)))
    return found


def _ranked(loaded: Loaded) -> list[Figure]:
    """Documents ranked by their best passage, judged by ir-measures; only where a case may be asked on all of them."""
    seen = {case.id: loaded.records[case.id, "asked"].seen for case in loaded.cases if case.id not in loaded.missing}
    if loaded.settings.set is not None or not any(seen.values()):
        return []
    qrels = {case.id: {gold.source: 1 for gold in case.gold} for case in loaded.cases if case.answerable}
    run: dict[str, dict[str, float]] = {}
    for name, places in seen.items():
        for rank, place in enumerate(places, start=1):
            run.setdefault(name, {}).setdefault(place.source, 1 / rank)
    values = per_query(qrels, run)
    found = []
    for name in RANKED:
        each = list(values[name].values())
        interval = stats.bootstrap(each, [1] * len(each))
        if interval is not None:
            measure = Measure(name, f"{name} of documents", "Retrieval")
            found.append(_figure(measure, sum(each) / len(each), interval, len(each)))
    return found


def _kinds(cases: Sequence[Case], scores: Mapping[tuple[str, Variant], Score]) -> dict[str, tuple[Figure, ...]]:
    groups: dict[str, list[Score]] = {}
    for case in cases:
        if case.answerable:
            groups.setdefault(case.kind, []).append(scores[case.id, "asked"])
    return {kind: figures(group, HEADLINE) for kind, group in sorted(groups.items())}


def _followups(cases: Sequence[Case], scores: Mapping[tuple[str, Variant], Score]) -> FollowUps | None:
    turns = [case.id for case in cases if case.history]
    if not turns:
        return None
    names = (*HEADLINE, "crag", "refusal_f1")
    return FollowUps(
        turns=len(turns),
        asked=figures([scores[turn, "asked"] for turn in turns], names),
        rewritten=figures([scores[turn, "rewritten"] for turn in turns], names),
    )


def _times(loaded: Loaded) -> tuple[Times, ...]:
    stages: dict[str, list[float]] = {}
    for (_, variant), record in loaded.records.items():
        if variant == "asked" and record.answer is not None:
            for stage, milliseconds in record.answer.timing_ms.items():
                stages.setdefault(stage, []).append(milliseconds)
    found = []
    for stage, values in stages.items():
        p50, p95 = stats.percentile(values, 0.5), stats.percentile(values, 0.95)
        if p50 is not None and p95 is not None:
            found.append(Times(stage=stage, p50=p50, p95=p95, cases=len(values)))
    return tuple(found)
