"""The trained reader. `eval.train_reader` makes its weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from index.library import Retrieved
from rag import cross, signals
from rag.models import Evidence
from rag.question import Question
from rag.read import Limits, limits_of
from rag.trees import session

if TYPE_CHECKING:
    import onnxruntime

_WEIGHTS = Path(__file__).parent / "weights"
_MEASURED = _WEIGHTS / "scores.json"
NAMES = (*signals.NAMES, *cross.NAMES)
RISING = signals.RISING | frozenset(cross.NAMES)


class Models(NamedTuple):
    """What the reader runs: trees that choose places, a network that reads these, and trees that judge by both."""

    first: onnxruntime.InferenceSession
    network: onnxruntime.InferenceSession
    last: onnxruntime.InferenceSession


class Trained:
    """Boosted trees over `rag.signals` and what a network reads (`rag.cross`), scaled to probabilities."""

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
        probability = self._models.last.run(None, {"signals": rows})[0][:, 0]
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
        without = np.repeat(row, len(NAMES), axis=0)
        np.fill_diagonal(without, np.nan)
        left = self._models.last.run(None, {"signals": without})[0][:, 0]
        return dict(zip(NAMES, (evidence.probability - left).tolist(), strict=True))

    @property
    def _models(self) -> Models:
        places = _WEIGHTS / "first.onnx", cross.WEIGHTS, _WEIGHTS / "reader.onnx"
        return self._others or Models(*(session(place, _MEASURED) for place in places))
