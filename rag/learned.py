"""The trained reader: which sentences answer, and whether any does. `eval.train_reader` makes its weights."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from index.library import Retrieved
from rag.models import Evidence
from rag.question import Question
from rag.signals import NAMES, signals

if TYPE_CHECKING:
    import onnxruntime

_WEIGHTS = Path(__file__).parent / "weights"
_OF_BEST = (
    "cosine", "terms told", "terms around", "names told", "names around", "pairs told", "kind fits", "lexical place",
    "vector place", "terms of sentence", "passage cosine",
)  # fmt: skip

SILENCE: tuple[str, ...] = (
    "first", "second", "third", "sum of ten", "best cosine", "best terms", "question terms",
    *(f"best's {name}" for name in _OF_BEST),
)  # fmt: skip

Floats = NDArray[np.float32]


def silence_signals(rows: Floats, probability: NDArray[np.floating]) -> Floats:
    """What the best sentences of a question look like: float32 of shape (len(SILENCE),).

    Args:
        rows: the signals of all candidates, of shape (n, len(NAMES)), n at least 1.
        probability: of each candidate, of shape (n,).
    """
    order = np.argsort(-probability, kind="stable")
    top = np.zeros(3)
    top[: min(3, len(order))] = probability[order[:3]]
    best = rows[order[0]]
    whole = [best[NAMES.index(name)] for name in ("best cosine", "best terms", "question terms")]
    values = [*top, probability[order[:10]].sum(), *whole, *(best[NAMES.index(name)] for name in _OF_BEST)]
    return np.array(values, np.float32)


class Trained:
    """Boosted trees over `rag.signals`; one model for sentences, one for whether the question has an answer at all."""

    name = "trained"

    @cached_property
    def thresholds(self) -> Mapping[str, float]:
        """From which probability a sentence is evidence, and a question has an answer; chosen on training questions."""
        return cast("dict[str, float]", json.loads((_WEIGHTS / "thresholds.json").read_text()))

    def read(
        self, question: Question, retrieved: Sequence[Retrieved], rarity: Mapping[str, float]
    ) -> tuple[list[Evidence], float]:
        """See `Reader.read`."""
        candidates, rows = signals(question, retrieved, rarity)
        if not candidates:
            return [], 0.0
        probability = self._sentence.run(None, {"signals": rows})[0][:, 0]
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
        told = silence_signals(rows, probability)[None, :]
        confidence = float(self._silence.run(None, {"signals": told})[0][0, 0])
        return sorted(found, key=lambda e: (-e.probability, e.document, e.start)), confidence

    @cached_property
    def _sentence(self) -> onnxruntime.InferenceSession:
        return _session("sentence")

    @cached_property
    def _silence(self) -> onnxruntime.InferenceSession:
        return _session("silence")


def _session(name: str) -> onnxruntime.InferenceSession:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(_WEIGHTS / f"{name}.onnx"), options, providers=["CPUExecutionProvider"])
