"""What each group of the reader's signals brings: the scores of trees that do without it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rag.signals import NAMES

GROUPS: Mapping[str, Sequence[str]] = {
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
FOLDS = 2


def unseen(
    fit: Callable[[NDArray[np.float32], NDArray[np.bool_]], Any],
    signals: NDArray[np.float32],
    document: NDArray[np.int64],
    without: Sequence[str] = (),
) -> NDArray[np.float64]:
    """Scores of all rows, each of trees that have learned from no question on its document.

    Args:
        fit: makes trees from some signals and which of the rows they may learn from.
        signals: float32 of shape (n, len(NAMES)).
        document: the number of each row's document.
        without: signals that are not told.
    """
    told = signals.copy()
    told[:, [NAMES.index(name) for name in without]] = np.nan
    score = np.zeros(len(told))
    for fold in range(FOLDS):
        left = document % FOLDS == fold
        score[left] = fit(told, ~left).predict(told[left])
    return score
