"""Trained models as they are shipped: an ONNX file beside a JSON file that tells its digest."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from index.errors import EncoderError

if TYPE_CHECKING:
    import onnxruntime


@cache
def session(model: Path, measured: Path) -> onnxruntime.InferenceSession:
    """What runs a model.

    Trees take "signals", float32 of shape (n, signals), and give probabilities of shape (n, 1).

    Args:
        model: the ONNX file.
        measured: the JSON file of what was measured of it, its ``sha256`` too; of several, by their files' names.

    Raises:
        EncoderError: the file is not the one that was measured.
    """
    data = model.read_bytes()
    told = json.loads(measured.read_text(encoding="utf-8"))["sha256"]
    if hashlib.sha256(data).hexdigest() != (told if isinstance(told, str) else told[model.name]):
        raise EncoderError(f"{model.name} is not the file that was measured: reinstall pincite")
    return opened(data)


def opened(model: bytes) -> onnxruntime.InferenceSession:
    """What runs an ONNX file as it is, on the core of whoever asks."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL  # done where it was written
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
