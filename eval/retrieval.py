"""Retrieval by itself: qrels and runs, their files, and the usual measures through ir-measures.

nDCG here has linear gain, as trec_eval and ir-measures have: a document of grade 2 gains 2, not 2**2 - 1. On binary
judgements both are the same.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from index.errors import UsageError

Qrels = dict[str, dict[str, int]]
"""query -> document -> grade; grades above 0 are relevant."""
Run = dict[str, dict[str, float]]
"""query -> document -> score, higher is better."""

MEASURES = ("nDCG@10", "R@5", "R@100", "RR@10")


# ----------------------------------------------------------------------------------------------------------- measures


def per_query(qrels: Qrels, run: Run) -> dict[str, dict[str, float]]:
    """Each measure of `MEASURES` for each judged query, computed by ir-measures.

    A judged query without results scores 0; one without a relevant document is left out, there being nothing to find.
    Ties are broken as `ranking` does before the measures are computed, since the libraries behind ir-measures break
    them in different ways.

    >>> per_query({"q": {"d": 1}, "r": {"d": 1}}, {"q": {"d": 2.0}})["nDCG@10"]
    {'q': 1.0, 'r': 0.0}
    """
    import ir_measures

    asked = {query: grades for query, grades in qrels.items() if any(grade > 0 for grade in grades.values())}
    values: dict[str, dict[str, float]] = {name: dict.fromkeys(asked, 0.0) for name in MEASURES}
    measures = [ir_measures.parse_measure(name) for name in MEASURES]
    untied = {
        query: {name: -float(rank) for rank, name in enumerate(ranking(run[query]))}
        for query in asked
        if run.get(query)
    }
    for metric in ir_measures.iter_calc(measures, asked, untied):
        values[str(metric.measure)][metric.query_id] = float(metric.value)
    return values


def ranking(scores: Mapping[str, float]) -> list[str]:
    """Documents by falling score; ties fall to the later name, as trec_eval has it.

    >>> ranking({"a": 1.0, "b": 2.0, "c": 1.0})
    ['b', 'c', 'a']
    """
    return sorted(scores, key=lambda name: (scores[name], name), reverse=True)


def ndcg(grades: Mapping[str, int], ranked: Sequence[str], cutoff: int = 10) -> float:
    """Normalised discounted cumulative gain: gain = grade, discount = log2(rank + 1).

    Source: Järvelin and Kekäläinen, 2002, with the discount of Burges et al., 2005, from rank 1 on and linear gain.

    >>> round(ndcg({"a": 2, "b": 1}, ["b", "a"]), 4)  # (1 + 2/log2(3)) / (2 + 1/log2(3))
    0.8597
    """

    def gained(values: Sequence[int]) -> float:
        return sum(max(value, 0) / math.log2(rank + 1) for rank, value in enumerate(values[:cutoff], start=1))

    ideal = gained(sorted(grades.values(), reverse=True))
    return gained([grades.get(name, 0) for name in ranked]) / ideal if ideal else 0.0


def recall_at(grades: Mapping[str, int], ranked: Sequence[str], cutoff: int) -> float:
    """The share of the relevant documents among the first few.

    >>> recall_at({"a": 1, "b": 1, "c": 0}, ["b", "c", "a"], 2)
    0.5
    """
    relevant = {name for name, grade in grades.items() if grade > 0}
    return len(relevant & set(ranked[:cutoff])) / len(relevant) if relevant else 0.0


def reciprocal_rank(grades: Mapping[str, int], ranked: Sequence[str], cutoff: int = 10) -> float:
    """One over the rank of the first relevant document, 0 beyond the cutoff (Voorhees, 1999).

    >>> reciprocal_rank({"a": 1}, ["b", "a"])
    0.5
    """
    ranks = (rank for rank, name in enumerate(ranked[:cutoff], start=1) if grades.get(name, 0) > 0)
    return 1 / next(ranks, math.inf)


# -------------------------------------------------------------------------------------------------------------- files


def read_qrels(path: str | Path) -> Qrels:
    """Read TREC qrels: ``query 0 document grade`` a line.

    Raises:
        UsageError: a line has another form, or judges a document twice; the message names the line.
    """
    qrels: Qrels = {}
    for number, (query, _, document, grade) in fields_of(path, 4):
        try:
            value = int(grade)
        except ValueError as error:
            raise UsageError(f"{path}, line {number}: the grade {grade!r} is no whole number; correct it") from error
        if document in qrels.setdefault(query, {}):
            raise UsageError(f"{path}, line {number}: document {document} is judged twice for query {query}")
        qrels[query][document] = value
    return qrels


def write_qrels(path: str | Path, qrels: Qrels) -> None:
    """Write TREC qrels; what `read_qrels` reads back."""
    lines = (f"{q} 0 {name} {grade}\n" for q, grades in qrels.items() for name, grade in grades.items())
    Path(path).write_text("".join(lines), encoding="utf-8")


def read_run(path: str | Path) -> Run:
    """Read a TREC run: ``query Q0 document rank score tag`` a line; the score decides, not the rank.

    Raises:
        UsageError: a line has another form, or names a document twice; the message names the line.
    """
    run: Run = {}
    for number, (query, _, document, _, score, _) in fields_of(path, 6):
        try:
            value = float(score)
        except ValueError as error:
            raise UsageError(f"{path}, line {number}: the score {score!r} is no number; correct it") from error
        if document in run.setdefault(query, {}):
            raise UsageError(f"{path}, line {number}: document {document} stands twice for query {query}; keep one")
        run[query][document] = value
    return run


def write_run(path: str | Path, run: Run, tag: str = "pincite") -> None:
    """Write a TREC run; what `read_run` reads back."""
    lines = (
        f"{query} Q0 {name} {rank} {scores[name]!r} {tag}\n"
        for query, scores in run.items()
        for rank, name in enumerate(ranking(scores), start=1)
    )
    Path(path).write_text("".join(lines), encoding="utf-8")


def existing(path: str | Path) -> Path:
    """The path, where it exists.

    Raises:
        UsageError: it doesn't; the message names it.
    """
    path = Path(path)
    if not path.exists():
        raise UsageError(f"{path} is missing; give the path where the data lies")
    return path


def fields_of(path: str | Path, count: int) -> list[tuple[int, list[str]]]:
    """The fields of each line that is not empty, with its number.

    Raises:
        UsageError: a line has another number of fields; the message names it.
    """
    rows = []
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        fields = line.split()
        if fields and len(fields) != count:
            raise UsageError(f"{path}, line {number}: {len(fields)} fields instead of {count}; correct that line")
        if fields:
            rows.append((number, fields))
    return rows


def read_text(path: str | Path) -> str:
    """The text of a file in UTF-8.

    Raises:
        UsageError: it is missing or cannot be read.
    """
    try:
        return existing(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {path}: {error}; give a text file in UTF-8") from error
