"""What names are worth: the same cases with other names, years and amounts, beside the cases as they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from eval import stats
from eval.bench import read_documents, read_set, run_product
from eval.renaming import renamed
from eval.score import BY_NAME, Score
from eval.silence import Ratio
from eval.summary import score_run
from eval.support import PlainVerifier
from eval.training import PRACTICE

BEGIN, END = "<!-- renamed:begin -->", "<!-- renamed:end -->"
SEEDS = (1, 2, 3)
SHOWN = ("right", "citation_precision", "citation_recall", "nugget_vital", "item_recall", "refusal_f1", "crag")
Tell = Callable[[str], None]


class Change(NamedTuple):
    """A figure of a reader on the cases as they are and, averaged over the seeds, with everything renamed."""

    reader: str
    measure: str
    cases: int
    before: float
    after: float
    comparison: stats.Comparison


def measure(
    cases: Path, out: Path, readers: Sequence[str], *, workers: int = 1, tell: Tell = lambda _: None
) -> list[Change]:
    """Ask the cases as they are and renamed by each seed; runs under ``out`` that are still valid are kept.

    Both are asked on documents made in memory, so that nothing but the names, years and amounts differs.

    Raises:
        UsageError: the cases or their documents cannot be read.
    """
    plain = read_set(cases, None, None)
    common = [document.text for document in read_documents(PRACTICE / "documents").values()]
    sets = {0: plain, **{seed: renamed(plain, common, seed) for seed in SEEDS}}
    found = []
    for reader in readers:
        scored: list[list[Score]] = []
        for seed, benchmark in sets.items():
            tell(f"{len(plain.cases)} cases {f'renamed by seed {seed}' if seed else 'as they are'}: {reader}")
            folder, index = out / f"{reader}-{seed}", out / f"index-{seed}"
            loaded = run_product(benchmark, cases, folder, reader=reader, index=index, workers=workers, renew=True)
            scores = score_run(loaded, PlainVerifier())
            scored.append([scores[case.id, "asked"] for case in loaded.cases])
        found += [change for name in SHOWN if (change := _change(reader, name, scored[0], scored[1:]))]
    return found


def _change(reader: str, name: str, before: Sequence[Score], after: Sequence[Sequence[Score]]) -> Change | None:
    nothing = Ratio(0, 0)
    runs = [[score.values.get(name, nothing) for score in scores] for scores in (before, *after)]
    first = [each.of for each in runs[0]], [each.out_of for each in runs[0]]
    columns = list(zip(*runs[1:], strict=True))
    second = (
        [sum(each.of for each in column) / len(column) for column in columns],
        [sum(each.out_of for each in column) / len(column) for column in columns],
    )
    compared, values = stats.compare(first, second), (stats.ratio(*first), stats.ratio(*second))
    if compared is None or values[0] is None or values[1] is None:
        return None
    return Change(reader, name, sum(each > 0 for each in first[1]), values[0], values[1], compared)


def section(changes: Sequence[Change]) -> str:
    """The table, and what it shows."""
    rows = ["| measure | n | reader | as they are | renamed | difference |", "|---|---|---|---|---|---|"]
    for each in changes:
        low, high = each.comparison.interval
        rows.append(
            f"| {BY_NAME[each.measure].title} | {each.cases} | {each.reader} | {each.before:.3f} | {each.after:.3f} |"
            f" {each.comparison.difference:+.3f} [{low:+.3f}, {high:+.3f}] |"
        )
    return "\n".join(
        [
            "`corpus/cases.jsonl` as it is, and with every name, year and amount of its documents, questions and"
            f" answers replaced; the mean of {len(SEEDS)} replacements, each drawn from a seed. Names become invented"
            " words, years move by one number and amounts are multiplied by one, so that everything that could be"
            " read or reckoned still can be. What hung on a name would be lost. In brackets: the 95% interval of"
            " the paired difference.",
            "",
            *rows,
        ]
    )
