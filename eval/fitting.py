"""The trees of the reader: how they are fitted, and how well they do on what they have not learned from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eval.training import SEED, SETS
from rag import cross, sure
from rag.learned import NAMES, RISING

FOLDS = 6
_TRIED_FOLDS = 3
READINGS = 3  # of each question: in a library, on its own document alone, on another alone
_TREES = 200
_PRACTICE_WEIGHT = 3.0

Floats = NDArray[np.float32]


class Table(NamedTuple):
    """Signals of candidates, a row each: (n, signals); labels; numbers of the reading, the set and the document."""

    signals: Floats
    label: NDArray[np.int64]
    question: NDArray[np.int64]
    data_set: NDArray[np.int64]
    document: NDArray[np.int64]


def part(table: Table, which: NDArray[np.bool_]) -> Table:
    """Some rows of a table."""
    signals, label, question, data_set, document = table
    return Table(signals[which], label[which], question[which], data_set[which], document[which])


def fit(table: Table, without: Sequence[str] = ()) -> Any:  # noqa: ANN401  LightGBM has no types
    """Boosted trees over the first of the reader's signals, as many as the table has, but for some left out."""
    import lightgbm

    names = NAMES[: table.signals.shape[1]]
    settings = {
        "objective": "binary", "learning_rate": 0.05, "num_leaves": 31,
        "min_data_in_leaf": 100, "feature_fraction": 0.7, "bagging_fraction": 0.7,
        "bagging_freq": 1, "lambda_l2": 5, "monotone_constraints": [int(name in RISING) for name in names],
        "seed": SEED, "deterministic": True, "num_threads": 2, "verbose": -1,
    }  # fmt: skip
    signals = table.signals.copy()
    signals[:, [names.index(name) for name in without]] = np.nan
    return lightgbm.train(settings, lightgbm.Dataset(signals, table.label, weight=_weight(table)), _TREES)


def _weight(table: Table) -> NDArray[np.float64]:
    """A few hundred questions on documents such as ours teach as much as thousands on an encyclopaedia."""
    return np.where(table.data_set == SETS.index("practice"), _PRACTICE_WEIGHT, 1.0)


def fit_sure(table: Table, _: Sequence[str] = ()) -> Any:  # noqa: ANN401
    """Boosted trees over the signals of whole questions, `rag.sure.NAMES`."""
    import lightgbm

    settings = {
        "objective": "binary", "learning_rate": 0.05, "num_leaves": 12, "min_data_in_leaf": 60,
        "feature_fraction": 0.6, "bagging_fraction": 0.8, "bagging_freq": 1, "lambda_l2": 5,
        "seed": SEED, "deterministic": True, "num_threads": 2, "verbose": -1,
    }  # fmt: skip
    return lightgbm.train(settings, lightgbm.Dataset(table.signals, table.label, weight=_weight(table)), _TREES)


def by_reading(table: Table, logits: NDArray[np.float64]) -> Table:
    """A row for each reading of a question: its `rag.sure` signals, and whether any sentence answers."""
    parts = list(by_question(table.question))
    signals = np.stack([sure.measured(table.signals[rows], logits[rows]) for rows in parts])
    label = np.array([int(table.label[rows].any()) for rows in parts])
    first = np.array([rows.start for rows in parts])
    return Table(signals, label, table.question[first], table.data_set[first], table.document[first])


def how_sure(whole: Table, certain: NDArray[np.float64]) -> dict[str, dict[str, float]]:
    """For each set, read in a library: how well answerable questions are told by the best sentence, and by all.

    Args:
        whole: as `by_reading` gives it.
        certain: what was made of each reading by trees that have not learned from its document.
    """
    best, library = whole.signals[:, 0], whole.question % READINGS == 0
    return {
        name: {
            "by the best sentence": round(auc(whole.label[which], best[which]), 4),
            "by all of them": round(auc(whole.label[which], certain[which]), 4),
        }
        for number, name in enumerate(SETS)
        for which in [library & (whole.data_set == number)]
    }


def unseen(
    table: Table,
    without: Sequence[str] = (),
    folds: int = FOLDS,
    fitted: Callable[[Table, Sequence[str]], Any] | None = None,
) -> NDArray[np.float64]:
    """Raw scores of all rows, each of trees that have learned from no question on its document."""
    raw = np.zeros(len(table.label))
    for fold in range(folds):
        left = table.document % folds == fold
        signals = table.signals[left].copy()
        signals[:, [NAMES.index(name) for name in without]] = np.nan
        raw[left] = (fitted or fit)(part(table, ~left), without).predict(signals, raw_score=True)
    return raw


def by_question(question: NDArray[np.int64]) -> Iterator[slice]:
    """The rows of each reading of a question."""
    edges = [0, *(np.flatnonzero(np.diff(question)) + 1).tolist(), len(question)]
    for start, end in pairwise(edges):
        yield slice(start, end)


def scores(score: NDArray[np.float64], label: NDArray[np.int64], question: NDArray[np.int64]) -> dict[str, float]:
    """Whether the best sentence answers and its score tells answerable questions; the best sentence F1."""
    best, answerable, right = [], [], []
    for rows in by_question(question):
        best.append(score[rows].max())
        answerable.append(int(label[rows].any()))
        if answerable[-1]:
            right.append(label[rows][score[rows].argmax()])
    grid = np.quantile(score, np.linspace(0.8, 0.999, 80))
    f1 = max(
        2 * float(((score >= t) & (label == 1)).sum()) / float((score >= t).sum() + (label == 1).sum()) for t in grid
    )
    return {
        "questions": len(best),
        "best sentence answers": round(float(np.mean(right)), 4),
        "answerability AUC": round(auc(np.array(answerable), np.array(best)), 4),
        "sentence F1 at its best threshold": round(f1, 4),
    }


def auc(label: NDArray[np.int64], score: NDArray[np.float64]) -> float:
    """The chance that a positive scores above a negative (Mann and Whitney, 1947); 0.5 where there is only one kind."""
    positive, negative = score[label == 1], np.sort(score[label == 0])
    if not len(positive) or not len(negative):
        return 0.5
    below = np.searchsorted(negative, positive, "left") + np.searchsorted(negative, positive, "right")
    return float(below.mean() / 2 / len(negative))


def left_out(table: Table, data_set: int) -> dict[str, dict[str, float]]:
    """Scores on one set of trees that have not seen it, beside those of the plain cosine."""
    test = part(table, table.data_set == data_set)
    learned = fit(part(table, table.data_set != data_set)).predict(test.signals)
    cosine = test.signals[:, NAMES.index("cosine")].astype(np.float64)
    return {
        "learned": scores(learned, test.label, test.question),
        "cosine": scores(cosine, test.label, test.question),
    }


GROUPS: Mapping[str, Sequence[str]] = {
    "the network": cross.NAMES,
    "cosines": ("cosine", "passage cosine", "cosine below best", "cosine order", "passage below best", "best cosine",
                "bare cosine", "bare below best"),
    "ranks of the search": ("lexical place", "vector place", "lexical share"),
    "terms and names told": ("terms told", "names told", "rarest told", "pairs told", "terms of sentence",
                             "terms below best", "best terms", "new words", "question terms"),
    "terms and names around": ("terms around", "terms in title", "names around", "rarest around", "names in document",
                               "terms in document"),
    "what was given already": ("rest told", "rest around", "rest", "given", "names given", "rest told loosely",
                               "rest before"),
    "the kind asked for": ("kind fits", "wants all", "number"),
    "neighbours": ("cosine before", "cosine after", "terms before", "terms after"),
    "form and place": ("length", "heading", "row", "leans", "asks", "place in document", "first in document"),
    "period": ("period",),
}  # fmt: skip


def ablation(table: Table) -> dict[str, dict[str, float]]:
    """Scores on practice in a library, on documents not learned from: with all signals, and without each group."""
    library = (table.data_set == SETS.index("practice")) & (table.question % READINGS == 0)
    tried = {"nothing": (), **GROUPS}
    got = {name: unseen(table, group, _TRIED_FOLDS)[library] for name, group in tried.items()}
    return {name: scores(raw, table.label[library], table.question[library]) for name, raw in got.items()}
