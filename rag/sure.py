"""How sure it is that a question is answered at all, from all that was read for it.

Trees that judge sentences one by one learn mostly which of them is the likeliest. Whether any answers at all shows in
several together: how many come near it, how the network takes the best of them, and what the question asks for that
none of them tells. `eval.train_reader` makes the weights.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rag import cross, signals

_BEST = 4  # sentences
_OF_BEST = (
    "cosine", "passage cosine", "lexical share", "terms told", "terms around", "terms in title", "names told",
    "names around", "rarest told", "rarest around", "terms of sentence", "kind fits", "new words", "length", "row",
    "best cosine", "best terms", "names in document", "terms in document", "rest told", "rest around", "rest", "period",
    "read",
)  # fmt: skip
_MOST = ("terms around", "rest told")
NAMES: tuple[str, ...] = (
    *(f"logit {n}" for n in range(1, _BEST + 1)),
    *(f"read {n}" for n in range(1, _BEST + 1)),
    "logit over next", "logits together", *(f"most {name}" for name in _MOST), *_OF_BEST,
)  # fmt: skip
OF_SENTENCE = (*signals.NAMES, *cross.NAMES)
_COLUMNS = [OF_SENTENCE.index(name) for name in _OF_BEST]
_LOW = -9.0  # the logit of a sentence that is not there


def measured(rows: NDArray[np.float32], logits: NDArray[np.floating]) -> NDArray[np.float32]:
    """The signals `NAMES` of a question: float32 of shape (len(NAMES),).

    Args:
        rows: the signals `OF_SENTENCE` of its sentences; of shape (n, len(OF_SENTENCE)), n at least 1.
        logits: what the trees make of each sentence; of shape (n,).
    """
    order = np.argsort(-logits, kind="stable")[:_BEST]
    likely = _first(logits[order])
    read = np.nan_to_num(rows[:, OF_SENTENCE.index("read")], nan=_LOW)
    most = [_most(rows[:, OF_SENTENCE.index(name)]) for name in _MOST]
    together = np.logaddexp.reduce(likely)
    beside = likely[0] - likely[1], together, *most
    return np.concatenate([likely, _first(np.sort(read)[::-1]), beside, rows[order[0], _COLUMNS]]).astype(np.float32)


def _first(values: NDArray[np.floating]) -> NDArray[np.floating]:
    """The first values, as many as `NAMES` has of them."""
    return np.pad(values[:_BEST], (0, max(0, _BEST - len(values))), constant_values=_LOW)


def _most(values: NDArray[np.float32]) -> float:
    return float(np.nanmax(values)) if np.isfinite(values).any() else np.nan
