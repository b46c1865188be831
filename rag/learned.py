"""The trained reader. `eval.train_reader` makes its weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from index.library import Retrieved
from rag import cross, signals, sure
from rag.models import Evidence
from rag.question import Question
from rag.read import Limits, limits_of
from rag.trees import session

if TYPE_CHECKING:
    import onnxruntime

_WEIGHTS = Path(__file__).parent / "weights"
_MEASURED = _WEIGHTS / "scores.json"
NAMES = sure.OF_SENTENCE
RISING = signals.RISING | frozenset(cross.NAMES)


class Models(NamedTuple):
    """What the reader runs, one after another.

    Attributes:
        first: trees that choose places.
        network: reads these.
        last: trees that judge sentences by both.
        sure: trees that tell from all of them how likely any answers (`rag.sure`).
    """

    first: onnxruntime.InferenceSession
    network: onnxruntime.InferenceSession
    last: onnxruntime.InferenceSession
    sure: onnxruntime.InferenceSession


class Trained:
    """Boosted trees over `rag.signals` and what a network reads (`rag.cross`), scaled to probabilities.

    The likeliest sentence is as likely as it is that any answers, and the others in proportion to it.
    """

    name = "trained"

    def __init__(self, models: Models | None = None) -> None:
        """With others in place of the shipped models: training asks some that have not learned from a document."""
        self._others = models

    @property
    def limits(self) -> Limits:
        """See `Reader.limits`; chosen on practice questions by models that had not learned from their documents."""
        return limits_of(self.name)

    def read(self, question: Question, retrieved: Sequence[Retrieved], rarity: Mapping[str, float]) -> list[Evidence]:
        """See `Reader.read`."""
        candidates, known = signals.signals(question, retrieved, rarity)
        if not candidates:
            return []
        first = self._models.first.run(None, {"signals": known})[0][:, 0]
        order = [candidates[n] for n in np.argsort(-first, kind="stable")]
        windows = cross.likeliest((c.document, retrieved[c.rank - 1].hit.passage.sentences, c.start) for c in order)
        told = cross.read(question.text, windows, self._models.network)
        logits = [told.get((c.document.id, c.start), np.nan) for c in candidates]
        rows = np.concatenate([known, cross.columns(np.array(logits, np.float32))], axis=1)
        alone = self._models.last.run(None, {"signals": rows})[0][:, 0]
        whole = sure.measured(rows, _logit(alone))[None]
        probability = alone * (self._models.sure.run(None, {"signals": whole})[0][0, 0] / alone.max())
        found = [
            Evidence(
                document=c.document.id,
                start=c.start,
                end=c.end,
                probability=float(p),
                signals=dict(zip(NAMES, map(float, row), strict=True)),
            )
            for c, p, row in zip(candidates, probability, rows, strict=True)
        ]
        return sorted(found, key=lambda e: (-e.probability, e.document, e.start))

    def contributions(self, evidence: Evidence) -> dict[str, float]:
        """See `Reader.contributions`; a signal is taken away by saying that it does not apply."""
        row = np.array([[evidence.signals[name] for name in NAMES]], np.float32)
        without = np.repeat(row, 1 + len(NAMES), axis=0)
        np.fill_diagonal(without[1:], np.nan)
        alone, *left = self._models.last.run(None, {"signals": without})[0][:, 0]
        lost = evidence.probability * (1 - np.array(left) / alone)
        return dict(zip(NAMES, lost.tolist(), strict=True))

    @property
    def _models(self) -> Models:
        places = _WEIGHTS / "first.onnx", cross.WEIGHTS, _WEIGHTS / "reader.onnx", _WEIGHTS / "sure.onnx"
        return self._others or Models(*(session(place, _MEASURED) for place in places))


def _logit(probability: NDArray[np.float32]) -> NDArray[np.float64]:
    """The logits of probabilities, the surest ones cut off."""
    p = np.clip(probability.astype(np.float64), 1e-6, 1 - 1e-6)
    return np.asarray(np.log(p / (1 - p)))
