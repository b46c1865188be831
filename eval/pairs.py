"""Public pairs of a statement and evidence, to measure a support verifier by: AttributionBench and WiCE."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from eval.retrieval import existing, read_text
from eval.stats import bootstrap_of
from eval.support import Level, Verifier, balanced_accuracy
from index.errors import UsageError
from index.models import Model

SKILLS = Path(__file__).parent / "verifiers.json"
"""Where `pincite eval table` keeps what it measured of the verifiers."""


class Pair(NamedTuple):
    """A statement, the evidence given for it, and how far people found it supported."""

    id: str
    statement: str
    evidence: str
    level: Level


class Skill(Model):
    """How well a verifier does on a set of pairs.

    Attributes:
        value, low, high: balanced accuracy of "fully supported or not", with its interval; chance is 0.5.
        levels: balanced accuracy over full, partial and no support, chance 1/3; ``None`` where the set tells only two.
    """

    verifier: str
    data: str
    pairs: int
    value: float
    low: float
    high: float
    levels: float | None = None


def attributionbench(folder: str | Path) -> list[Pair]:
    """AttributionBench (Li et al., 2024), the balanced development subset: attributable or not.

    Raises:
        UsageError: the folder or its file is missing or of another form.
    """
    pairs = []
    for record in _records(existing(folder) / "dev_all_subset_balanced.jsonl"):
        level: Level = "full" if record["attribution_label"] == "attributable" else "none"
        pairs.append(Pair(record["id"], record["claim"], "\n".join(record["references"]), level))
    return pairs


def wice(folder: str | Path) -> list[Pair]:
    """WiCE (Kamoi et al., 2023), development claims with the whole text of the page they cite.

    Raises:
        UsageError: the folder or its file is missing or of another form.
    """
    levels: dict[str, Level] = {"supported": "full", "partially_supported": "partial", "not_supported": "none"}
    return [
        Pair(record["meta"]["id"], record["claim"], "\n".join(record["evidence"]), levels[record["label"]])
        for record in _records(existing(folder) / "data_entailment_retrieval_claim_dev.jsonl")
    ]


def skill(verifier: Verifier, name: str, pairs: Sequence[Pair]) -> Skill:
    """Measure a verifier on pairs."""
    verdicts = verifier.judge([(pair.statement, pair.evidence) for pair in pairs])
    said = [(pair.level, verdict.level) for pair, verdict in zip(pairs, verdicts, strict=True)]
    binary = [("yes" if gold == "full" else "no", "yes" if level == "full" else "no") for gold, level in said]
    value = balanced_accuracy(binary)
    columns = np.array([(gold == "yes", gold == level) for gold, level in binary], dtype=np.float64).reshape(-1, 2)
    interval = bootstrap_of(columns, _balanced)
    if value is None or interval is None:
        raise UsageError(f"{name} holds no pairs; get the data again")
    three = balanced_accuracy(said) if len({gold for gold, _ in said}) == 3 else None
    return Skill(
        verifier=verifier.name,
        data=name,
        pairs=len(pairs),
        value=value,
        low=interval.low,
        high=interval.high,
        levels=three,
    )


def _balanced(columns: NDArray[np.float64]) -> float:
    """Balanced accuracy of rows (class, named rightly)."""
    return float(np.mean([columns[columns[:, 0] == label, 1].mean() for label in np.unique(columns[:, 0])]))


def read_skills(path: Path = SKILLS) -> list[Skill]:
    """The skills measured last, as `write_skills` left them; none where there is no such file."""
    return _Skills.validate_json(path.read_bytes()) if path.exists() else []


def write_skills(skills: Sequence[Skill], path: Path = SKILLS) -> None:
    """Keep measured skills, to be shown beside the figures that rest on their verifiers."""
    path.write_bytes(_Skills.dump_json(list(skills), indent=1) + b"\n")


_Skills = TypeAdapter(list[Skill])


def _records(path: Path) -> list[dict[str, Any]]:
    records = []
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if line.strip():
            try:
                records.append(json.loads(line))
            except json.JSONDecodeError as error:
                raise UsageError(f"{path}, line {number}: {error.msg}; get the data again") from error
    return records
