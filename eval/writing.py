"""What a language model as the writer does to the answers: the same cases without it and with it, in one table."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from eval.bench import read_set, run_product
from eval.run import Loaded, versions
from eval.score import BY_NAME
from eval.stats import SEED
from eval.summary import Figure, Summary, score_run, summarise
from eval.support import PlainVerifier
from eval.table import put_between

if TYPE_CHECKING:
    from rag.llm import LlmSettings
    from rag.models import Answer

BEGIN, END = "<!-- writer:begin -->", "<!-- writer:end -->"
SHOWN = (
    "right",
    "citation_precision",
    "citation_recall",
    "nugget_vital",
    "forbidden",
    "refusal_f1",
    "crag",
    "support_recall",
    "unsupported",
)
Tell = Callable[[str], None]


class Compared(NamedTuple):
    """The figures of both runs, and what became of the answers that the model was asked to word.

    Attributes:
        cases: how many were asked, and of how many.
        worded: how many answers are in the model's words, of those that it was asked for.
        fallen: why the others are in the documents' own words, and how often.
        struck: how many of its sentences did not stand.
    """

    llm: LlmSettings
    cases: tuple[int, int]
    without: Summary
    with_: Summary
    worded: tuple[int, int]
    fallen: dict[str, int]
    struck: int


def measure(
    cases: Path, out: Path, llm: LlmSettings, *, sample: int | None = None, tell: Tell = lambda _: None
) -> Compared:
    """Ask the cases, or a sample of them that is the same each time, without the model and then with it.

    Runs under ``out`` that are still valid are taken as they are, and one that was broken off goes on.

    Raises:
        UsageError: the cases or their documents cannot be read, or the model is not set as it must be.
    """
    benchmark = read_set(cases, None, None)
    known = len(benchmark.cases)
    if sample is not None and sample < known:
        benchmark = replace(benchmark, cases=random.Random(SEED).sample(benchmark.cases, sample))
    runs: list[Loaded] = []
    for name, model in (("without", None), ("with", llm)):
        tell(f"{len(benchmark.cases)} cases {name} {llm.model}")
        runs.append(
            run_product(
                benchmark,
                cases,
                out / name,
                llm=model,
                corpus=cases.parent / "documents",
                index=out / "index",
                renew=True,
            )
        )
    verifier = PlainVerifier()
    summaries = [summarise(loaded, score_run(loaded, verifier), verifier) for loaded in runs]
    answers = [r.answer for (_, variant), r in runs[1].records.items() if variant == "asked" and r.answer]
    worded = sum(answer.answerer.startswith("llm:") for answer in answers)
    fallen = Counter(note.text for answer in answers for note in answer.notes if note.kind == "writer")
    struck = _rejected(answers) - _rejected(
        [r.answer for (_, variant), r in runs[0].records.items() if variant == "asked" and r.answer]
    )
    return Compared(
        llm=llm,
        cases=(len(benchmark.cases), known),
        without=summaries[0],
        with_=summaries[1],
        worded=(worded, worded + sum(fallen.values())),
        fallen=dict(fallen.most_common()),
        struck=struck,
    )


def _rejected(answers: Sequence[Answer]) -> int:
    return sum(len(answer.rejected) for answer in answers)


def markdown(compared: Compared) -> str:
    """The table, and below it what became of the answers."""
    rows = [f"| measure | n | without a model | with {compared.llm.model} |", "|---|---|---|---|"]
    for name in SHOWN:
        before, after = compared.without.figure(name), compared.with_.figure(name)
        if before and after:
            better = "" if BY_NAME[name].higher_is_better else " (less is better)"
            rows.append(f"| {before.title}{better} | {before.cases} | {_shown(before)} | {_shown(after)} |")
    for stage in ("p50", "p95"):
        times = [_total(summary, stage) for summary in (compared.without, compared.with_)]
        rows.append(f"| Time of an answer, {stage} | {compared.cases[0]} | {times[0]} | {times[1]} |")
    count, known = compared.cases
    asked = f"All {known} cases" if count == known else f"{count} of the {known} cases, drawn once at random,"
    worded, wanted = compared.worded
    known_versions = versions()
    return "\n".join(
        [
            *rows,
            "",
            f"{asked} of `corpus/cases.jsonl`. {wanted} answers were given to the model to word (refusals and lists are"
            f" not); {worded} are shown in its words, in which {compared.struck} of its sentences were struck out or"
            " replaced by the exact sentence. The others are in the documents' own words:"
            if wanted > worded
            else f"{asked} of `corpus/cases.jsonl`. All {wanted} answers that were given to the model to word (refusals"
            f" and lists are not) are shown in its words, in which {compared.struck} of its sentences were struck out"
            " or replaced by the exact sentence.",
            "",
            *(f"- {times} times: {_why(text)}" for text, times in compared.fallen.items()),
            *([""] if compared.fallen else []),
            f"Measured by `pincite eval writer` with a window of {compared.llm.window} tokens, answers of"
            f" {compared.llm.answer_tokens} and {compared.llm.seconds:.0f} s at most, python"
            f" {known_versions['python']}, pincite {known_versions['pincite']}.",
        ]
    )


def write(compared: Compared, docs: Path) -> None:
    """Put the table between its markers in a page.

    Raises:
        UsageError: the page has no markers.
    """
    put_between(docs, BEGIN, END, markdown(compared))


def _shown(figure: Figure) -> str:
    return f"{figure.value:.3f} [{figure.low:.2f}, {figure.high:.2f}]"


def _total(summary: Summary, percentile: str) -> str:
    total = next((each for each in summary.times if each.stage == "total"), None)
    return f"{getattr(total, percentile) / 1000:.2f} s" if total else ""


def _why(note: str) -> str:
    return note.partition(": ")[2].rstrip(".")
