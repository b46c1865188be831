"""The threshold of the support score: from which share of its words on a claim counts as supported by what it cites.

It is chosen on public *train* sets of entailment, never on a score set::

    python -m eval.calibrate --data DIR

Each pair of a premise and a hypothesis goes through the checks that a sentence of a language model goes through. Of the
pairs that pass all of them, those with a score from the threshold on are accepted. The threshold is the least one at
which, averaged over the sets, at least `TARGET` of what is accepted is entailed; it is written to
``rag/weights/support.json`` with what was measured.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from index.errors import UsageError
from rag.claims import Checker, likeness

TARGET = 0.88
STEPS = tuple(round(0.5 + 0.05 * step, 2) for step in range(11))
WEIGHTS = Path(__file__).parents[1] / "rag" / "weights" / "support.json"
_ENTAILED = ("entailment", "SUPPORTS")
_NLI = {  # MPE is of captions, which are no sentences; a premise of QNLI is a question
    "MNLI": ("mnli_dev",),
    "SNLI": ("snli_dev",),
    "RTE": ("rte_dev", "rte_train"),
    "SciTail": ("scitail_dev",),
}


class Pair(NamedTuple):
    """A claim, the words given for it, and whether they entail it."""

    claim: str
    quotes: tuple[str, ...]
    entailed: bool


class Judged(NamedTuple):
    """What the checks other than the threshold say of a pair, and its score."""

    passes: bool
    score: float
    entailed: bool


def read(folder: Path) -> dict[str, list[Pair]]:
    """The pairs of each train set of entailment under a folder of public data.

    Raises:
        UsageError: a file is missing.
    """
    sets = {name: [pair for file in files for pair in _nli(folder, file)] for name, files in _NLI.items()}
    sets["ConjNLI"] = list(_conjnli(folder))
    sets["FoolMeTwice"] = [pair for part in ("dev", "test") for pair in _fool_me_twice(folder, part)]
    return sets


def judge(pairs: Iterable[Pair]) -> list[Judged]:
    """Check pairs by everything but the threshold."""
    checker = Checker(threshold=0.0)
    return [
        Judged(checker.problem(claim, quotes) is None, likeness(claim, quotes), entailed)
        for claim, quotes, entailed in pairs
    ]


def accepted(judged: Iterable[Judged], threshold: float) -> tuple[int, int]:
    """How many pairs are accepted at a threshold, and how many of them are entailed.

    >>> accepted([Judged(True, 0.9, True), Judged(True, 0.8, False), Judged(False, 1.0, True)], 0.8)
    (2, 1)
    """
    entailed = [each.entailed for each in judged if each.passes and each.score >= threshold]
    return len(entailed), sum(entailed)


def calibrate(sets: dict[str, list[Judged]]) -> dict[str, Any]:
    """The threshold, and what was measured on the way to it.

    Raises:
        UsageError: no threshold reaches `TARGET`.
    """
    curve = [(step, _mean_precision(sets, step)) for step in STEPS]
    reached = [step for step, precision in curve if precision >= TARGET]
    if not reached:
        raise UsageError(f"no threshold accepts claims of which {TARGET:.0%} are entailed: the checks must be better")
    threshold = min(reached)
    measured = {}
    for name, judged in sets.items():
        count, entailed = accepted(judged, threshold)
        measured[name] = {
            "pairs": len(judged),
            "entailed": sum(each.entailed for each in judged),
            "accepted": count,
            "precision": round(entailed / count, 4) if count else None,
            "recall": round(entailed / sum(each.entailed for each in judged), 4),
        }
    return {
        "threshold": threshold,
        "target": TARGET,
        "made_by": "python -m eval.calibrate",
        "precision_by_threshold": {str(step): round(precision, 4) for step, precision in curve},
        "sets": measured,
    }


def _mean_precision(sets: dict[str, list[Judged]], threshold: float) -> float:
    """Over the sets, so that the largest does not decide; a set of which nothing is accepted does not count."""
    found = [accepted(judged, threshold) for judged in sets.values()]
    shares = [entailed / count for count, entailed in found if count]
    return sum(shares) / len(shares) if shares else 0.0


def _nli(folder: Path, name: str) -> Iterator[Pair]:
    for row in csv.DictReader(_lines(folder / "nli" / f"nli_datasets_{name}.csv")):
        yield Pair(row["hypothesis"], (row["premise"],), row["label"] in _ENTAILED)


def _conjnli(folder: Path) -> Iterator[Pair]:
    lines = _lines(folder / "conjnli" / "data_NLI_adversarial_train_15k.tsv")
    for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE):
        yield Pair(row["Hypothesis"], (row["Premise"],), row["Label"] in _ENTAILED)


def _fool_me_twice(folder: Path, part: str) -> Iterator[Pair]:
    for line in _lines(folder / "foolmetwice" / f"{part}.jsonl"):
        record = json.loads(line)
        quotes = tuple(evidence["text"] for evidence in record["gold_evidence"])
        yield Pair(record["text"], quotes, record["label"] in _ENTAILED)


def _lines(path: Path) -> Iterator[str]:
    if not path.is_file():
        raise UsageError(f"the training data {path} is missing: name the folder that holds it with --data")
    with path.open(encoding="utf-8-sig", newline="") as file:
        yield from file


def main() -> None:
    """Choose the threshold and write it."""
    parser = argparse.ArgumentParser(prog="python -m eval.calibrate", description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--data", type=Path, required=True, help="The folder that holds the public sets.")
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="The file to write.")
    given = parser.parse_args()
    try:
        made = calibrate({name: judge(pairs) for name, pairs in read(given.data).items()})
    except UsageError as error:
        sys.exit(f"{parser.prog}: {error}")
    given.out.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(f"threshold {made['threshold']}: wrote {given.out}\n")


if __name__ == "__main__":
    main()
