"""Trained trees as they are shipped: an ONNX file beside a JSON file that tells its digest."""

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
def session(trees: Path, measured: Path) -> onnxruntime.InferenceSession:
    """What runs some trees, on one core: input "signals", float32 of shape (n, signals); output (n, 1) probabilities.

    Args:
        trees: the ONNX file.
        measured: the JSON file of what was measured of it, its ``sha256`` too.

    Raises:
        EncoderError: the file is not the one that was measured.
    """
    import onnxruntime

    data = trees.read_bytes()
    if hashlib.sha256(data).hexdigest() != json.loads(measured.read_text(encoding="utf-8"))["sha256"]:
        raise EncoderError(f"{trees.name} is not the file that was measured: reinstall pincite")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
