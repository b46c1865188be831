"""Train the model of what a question asks for: ``python -m eval.train_kind``; it takes a few seconds.

Multinomial logistic regression over `rag.kinds.marks`, on the practice questions alone. It writes
``rag/weights/kind.json`` with the share that is right on documents not learned from, beside that of the rules.
"""

from __future__ import annotations

import json
import sys
import zlib
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from eval.cases import read_cases
from eval.training import PRACTICE
from rag.kinds import WEIGHTS, by_rule, is_russian, marks
from rag.question import masked

_FOLDS = 6
_LEAST = 2  # questions that a mark must be seen in
_SMALLEST = 0.15  # a mark whose weights are all smaller is left out: half of the file, which each start has to read
_STRENGTH = 1.0  # the inverse of the weight of the penalty (l2)


def main() -> None:
    """Train, judge by leaving documents out, and write the weights."""
    cases = [case for case in read_cases(PRACTICE / "cases.jsonl") if not is_russian(case.question)]
    texts = [masked(" ".join(case.question.split())) for case in cases]
    seen = [list(marks(text)) for text in texts]
    kinds = np.array([case.kind for case in cases])
    fold = np.array([zlib.crc32(case.id.rsplit("-", 1)[0].encode()) % _FOLDS for case in cases])
    told = np.empty(len(kinds), object)
    for left in range(_FOLDS):
        learned = _fit([seen[n] for n in np.flatnonzero(fold != left)], kinds[fold != left])
        for n in np.flatnonzero(fold == left):
            told[n] = _kind(learned, seen[n])
    names, bias, weights = _fit(seen, kinds)
    scores = {
        "questions": len(kinds),
        "right, on documents not learned from": round(float((told == kinds).mean()), 4),
        "right by the rules alone": round(
            float(np.mean([by_rule(t) == k for t, k in zip(texts, kinds, strict=True)])), 4
        ),
    }
    report = {"scores": scores, "kinds": names, "bias": bias, "weights": weights}
    WEIGHTS.write_text(json.dumps(report, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")
    sys.stdout.write(json.dumps(scores, indent=1) + "\n")


_Learned = tuple[list[str], list[float], dict[str, list[float]]]


def _fit(seen: Sequence[Sequence[str]], kinds: NDArray[np.str_]) -> _Learned:
    from scipy.sparse import csr_array
    from sklearn.linear_model import LogisticRegression

    often = Counter(mark for marked in seen for mark in marked)
    place = {mark: n for n, mark in enumerate(sorted(mark for mark, count in often.items() if count >= _LEAST))}
    pairs = [(row, place[mark]) for row, marked in enumerate(seen) for mark in marked if mark in place]
    rows, columns = zip(*pairs, strict=True)
    table = csr_array((np.ones(len(pairs)), (rows, columns)), shape=(len(seen), len(place)))
    model = LogisticRegression(C=_STRENGTH, class_weight="balanced", max_iter=1000).fit(table, kinds)
    found = ((mark, np.round(model.coef_[:, n], 2)) for mark, n in place.items())
    weights = {mark: row.tolist() for mark, row in found if np.abs(row).max() >= _SMALLEST}
    return model.classes_.tolist(), np.round(model.intercept_, 2).tolist(), weights


def _kind(learned: _Learned, marked: Sequence[str]) -> str:
    names, bias, weights = learned
    scores = np.array(bias) + np.sum([weights[mark] for mark in marked if mark in weights], axis=0)
    return names[int(scores.argmax())]


if __name__ == "__main__":
    main()
