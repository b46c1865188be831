"""The trained reader. `eval.train_reader` makes its weights."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from index.library import Retrieved
from rag import cross, signals
from rag.models import Evidence
from rag.question import Question
from rag.trees import session

if TYPE_CHECKING:
    import onnxruntime

_WEIGHTS = Path(__file__).parent / "weights"
_MEASURED = _WEIGHTS / "scores.json"
_CORES = 2  # on which the network reads: the longest step of an answer
NAMES = (*signals.NAMES, *cross.NAMES)
RISING = signals.RISING | frozenset(cross.NAMES)


class Trained:
    """Boosted trees over `rag.signals` and what a network reads (`rag.cross`), scaled to probabilities."""

    name = "trained"

    @cached_property
    def threshold(self) -> float:
        """See `Reader.threshold`; chosen on practice questions by models that had not learned from their documents."""
        return float(json.loads(_MEASURED.read_text())["threshold"])

    def read(self, question: Question, retrieved: Sequence[Retrieved], rarity: Mapping[str, float]) -> list[Evidence]:
        """See `Reader.read`."""
        candidates, known = signals.signals(question, retrieved, rarity)
        if not candidates:
            return []
        first = self._first.run(None, {"signals": known})[0][:, 0]
        order = [candidates[n] for n in np.argsort(-first, kind="stable")]
        windows = cross.likeliest((c.document, retrieved[c.rank - 1].hit.passage.sentences, c.start) for c in order)
        told = cross.read(question.text, windows, session(cross.WEIGHTS, _MEASURED, _CORES))
        logits = [told.get((c.document.id, c.start), np.nan) for c in candidates]
        rows = np.concatenate([known, cross.columns(np.array(logits, np.float32))], axis=1)
        probability = self._session.run(None, {"signals": rows})[0][:, 0]
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
        left = self._session.run(None, {"signals": without})[0][:, 0]
        return dict(zip(NAMES, (evidence.probability - left).tolist(), strict=True))

    @property
    def _session(self) -> onnxruntime.InferenceSession:
        return session(_WEIGHTS / "reader.onnx", _MEASURED)

    @property
    def _first(self) -> onnxruntime.InferenceSession:
        """The trees that decide what the network reads."""
        return session(_WEIGHTS / "first.onnx", _MEASURED)
