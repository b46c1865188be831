"""Train the model of what belongs to a list: ``python -m eval.train_members --work DIR``; it takes a few minutes.

It comes after `eval.train_reader`, with the same work folder. Boosted trees over `rag.members.SIGNALS`, learned from
the list questions of practice alone, those without an answer among them. Its limits are chosen on documents that were
not learned from; both and what they give are written to ``rag/weights/members.json``, the trees to
``rag/weights/members.onnx``.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np
from numpy.typing import NDArray

from eval.bench import read_documents
from eval.cases import Case, read_cases
from eval.cross import half_of, half_readers
from eval.training import PRACTICE, complete
from eval.trees import export, platt, sigmoid
from index.library import Index
from index.models import Document, Span
from rag.members import SIGNALS, WEIGHTS, measured, told_in
from rag.names import same
from rag.question import understand
from rag.read import rarities, vectors_of

SEED = 1
_FOLDS = 6
_TREES = 120
_READ = 20  # passages that a question is searched to


class Name(NamedTuple):
    """A name that was measured for a question; ``label`` -1 where it is a member, but is not told so there."""

    case: Case
    name: str
    signals: NDArray[np.float32]
    label: int


@click.command()
@click.option("--work", type=click.Path(path_type=Path), required=True, help="Where checkpoints are kept.")
def main(work: Path) -> None:
    """Train on the list questions of practice, and write weights, limits and scores."""
    cases = [case for case in read_cases(PRACTICE / "cases.jsonl") if case.kind == "list"]
    names = _names(cases, work)
    fold = np.array([zlib.crc32(name.case.id.rsplit("-", 1)[0].encode()) % _FOLDS for name in names])
    raw = np.zeros(len(names))
    for left in range(_FOLDS):
        model = _fit([name for name, part in zip(names, fold, strict=True) if part != left])
        raw[fold == left] = model.predict(_table(names)[fold == left], raw_score=True)
    known = np.array([name.label >= 0 for name in names])
    scale = platt(raw[known], np.array([name.label for name in names])[known])
    probability = sigmoid(scale[0] * raw + scale[1])
    grid = [(best, share) for best in np.arange(0.05, 0.5, 0.025) for share in np.arange(0.2, 0.8, 0.05)]
    scores = {limits: _scores(cases, names, probability, *limits) for limits in grid}
    best, share = max(grid, key=lambda limits: scores[limits]["F1"])
    export(_fit(names), scale, len(SIGNALS), WEIGHTS)
    report = {
        "best": round(float(best), 3),
        "share": round(float(share), 2),
        "sha256": hashlib.sha256(WEIGHTS.read_bytes()).hexdigest(),
        "questions": len(cases),
        "names": len(names),
        "on documents not learned from": scores[best, share],
    }
    WEIGHTS.with_suffix(".json").write_text(json.dumps(report, indent=1) + "\n")
    click.echo(json.dumps(report, indent=1))


def _names(cases: Sequence[Case], work: Path) -> list[Name]:
    work.mkdir(parents=True, exist_ok=True)
    documents = read_documents(PRACTICE / "documents")
    found: list[Name] = []
    with Index(work / "practice.index") as index:
        complete(index, documents.values())
        readers = half_readers(work)
        for case in cases:
            question = understand(case.question)
            vectors = vectors_of(question, index.encoder)
            seen = index.retrieve(question.text, _READ, vector=vectors)
            near = {r.document.id: r.document for r in seen}.values()
            reader = readers[half_of(documents[f"documents/{case.tags[0]}"].id)]  # has not learned from it
            evidence = reader.read(question, seen, rarities(question, index.engine))
            for document, places, rows in measured(question, near, index, vectors, evidence):
                told = told_in(document)[0]
                found += [
                    Name(case, place.name, row, _label(case, document, place.name, told[place.number].span))
                    for place, row in zip(places, rows, strict=True)
                ]
    return found


def _label(case: Case, document: Document, name: str, span: Span) -> int:
    fitting = [item for item in case.items if _is_one(name, item.names)]
    gold = [place for item in fitting for place in item.gold if place.source == document.source]
    if any(place.start < span.end and span.start < place.end for place in gold):
        return 1
    return -1 if fitting else 0


@cache
def _is_one(name: str, known: tuple[str, ...]) -> bool:
    return any(same(name, other) for other in known)


def _table(names: Sequence[Name]) -> NDArray[np.float32]:
    return np.stack([name.signals for name in names])


def _fit(names: Sequence[Name]) -> Any:  # noqa: ANN401  LightGBM has no types
    import lightgbm

    settings = {
        "objective": "binary", "learning_rate": 0.06, "num_leaves": 8, "min_data_in_leaf": 20, "feature_fraction": 0.5,
        "bagging_fraction": 0.8, "bagging_freq": 1, "lambda_l2": 5, "seed": SEED, "deterministic": True,
        "num_threads": 1, "verbose": -1,
    }  # fmt: skip
    known = [name for name in names if name.label >= 0]
    labels = [name.label for name in known]
    return lightgbm.train(settings, lightgbm.Dataset(_table(known), labels), _TREES)


def _scores(
    cases: Sequence[Case], names: Sequence[Name], probability: NDArray[np.float64], best: float, share: float
) -> dict[str, float]:
    """Members found and names right, averaged over answerable questions; silence on the others; their mean as F1.

    A question of which nothing is shown counts as wrong in both.
    """
    shown: dict[str, list[tuple[float, str]]] = {}
    for name, p in zip(names, probability, strict=True):
        shown.setdefault(name.case.id, []).append((float(p), name.name))
    found, right, silent = [], [], []
    for case in cases:
        likeliest = max((p for p, _ in shown.get(case.id, ())), default=0.0)
        told = [n for p, n in shown.get(case.id, ()) if likeliest >= best and p >= share * likeliest]
        if not case.answerable:
            silent.append(not told)
            continue
        had = [any(_is_one(n, item.names) for n in told) for item in case.items]
        fit = [any(_is_one(n, item.names) for item in case.items) for n in told]
        found.append(sum(had) / len(had))
        right.append(sum(fit) / max(len(fit), 1))
    recall, precision = float(np.mean(found)), float(np.mean(right))
    f1 = 2 * recall * precision / (recall + precision) if recall + precision else 0.0
    silence = float(np.mean(silent))
    return {
        "members found": round(recall, 4),
        "names right": round(precision, 4),
        "silent where there is none": round(silence, 4),
        "F1": round((f1 * len(found) + silence * len(silent)) / len(cases), 4),
    }


if __name__ == "__main__":
    main()
