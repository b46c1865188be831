"""The network that reads, as it is trained and written for `rag.cross` to run, and the readers of one half with it."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

from rag.learned import Models, Trained
from rag.trees import opened

HALVES = 2
SOUP = -1


def half_of(document: str) -> int:
    """Which half of the practice documents one belongs to."""
    return zlib.crc32(document.encode()) % HALVES


def network() -> Any:  # noqa: ANN401  torch is imported within
    """The encoder, and a judge of each sentence that begins as its cosine with the question.

    It takes `rag.cross.Rows` as tensors and gives logits of shape (windows, sentences).
    """
    import torch
    from transformers import AutoModel

    from index.encode import default_model

    class Network(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.body = AutoModel.from_pretrained(default_model(), add_pooling_layer=False, local_files_only=True)
            # Word pieces are hidden instead (`eval.train_cross`): dropping out is slow.
            for module in self.body.modules():
                if isinstance(module, torch.nn.Dropout):
                    module.p = 0.0
            self.body.embeddings.word_embeddings.requires_grad_(False)  # too few words are seen to move them well
            wide = self.body.config.hidden_size
            self.norm = torch.nn.LayerNorm(3 * wide)
            self.deep = torch.nn.Sequential(torch.nn.Linear(3 * wide, 128), torch.nn.GELU())
            self.out = torch.nn.Linear(128, 1)
            torch.nn.init.zeros_(self.out.weight)
            self.slope = torch.nn.Parameter(torch.tensor(6.0))
            self.offset = torch.nn.Parameter(torch.tensor(-4.0))

        def forward(
            self, ids: torch.Tensor, types: torch.Tensor, mask: torch.Tensor, pool: torch.Tensor
        ) -> torch.Tensor:
            hidden = self.body(input_ids=ids, token_type_ids=types, attention_mask=mask).last_hidden_state
            parts = torch.bmm(pool, hidden)
            asked, told = parts[:, :1], parts[:, 1:]
            unit = torch.nn.functional.normalize(asked, dim=-1), torch.nn.functional.normalize(told, dim=-1)
            cosine = (unit[0] * unit[1]).sum(-1)
            wide = self.norm(torch.cat([told, told * asked, (told - asked).abs()], -1))
            judged = self.out(self.deep(wide))[..., 0]
            return self.slope * cosine + self.offset + judged

    return Network()


def written(work: Path) -> dict[int, Path]:
    """The networks of `eval.train_cross`, written for onnxruntime: of each half the one that has not learned from it.

    Under `SOUP` is the one that is shipped: the mean of the weights of the others.
    """
    import torch

    states = {half: torch.load(work / f"practice-{half}.pt", weights_only=True)["net"] for half in range(HALVES)}
    states[SOUP] = {key: torch.stack([s[key] for s in states.values()]).mean(0) for key in states[0]}
    return {half: _write(state, work / f"network{half}.onnx") for half, state in states.items()}


def half_readers(work: Path) -> dict[int, Trained]:
    """The readers that `eval.train_reader` left in the work folder: of each half one that has not learned from it."""
    kinds = "first", "network", "reader", "sure"
    return {
        half: Trained(Models(*(opened((work / f"{kind}{half}.onnx").read_bytes()) for kind in kinds)))
        for half in range(HALVES)
    }


def _write(state: Any, path: Path) -> Path:  # noqa: ANN401
    """Export a network to ONNX with weights of eight bits."""
    import logging
    import warnings

    import torch
    from onnxruntime.quantization import QuantType, quantize_dynamic

    net = network()
    net.load_state_dict(state)
    net.eval()
    ids = torch.ones((2, 9), dtype=torch.long)
    inputs = (ids, ids, ids, torch.ones((2, 3, 9)))
    names = ["ids", "types", "mask", "pool"]
    axes: dict[str, dict[int, str]] = {name: {0: "windows", 1: "pieces"} for name in names[:3]}
    axes["pool"] = {0: "windows", 1: "parts", 2: "pieces"}
    whole = path.with_suffix(".whole.onnx")
    logging.getLogger().setLevel(logging.ERROR)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the tracer warns about shapes that it records as dynamic
        torch.onnx.export(
            net, inputs, str(whole), input_names=names, output_names=["logits"], opset_version=17, dynamo=False,
            dynamic_axes={**axes, "logits": {0: "windows", 1: "sentences"}},
        )  # fmt: skip
    quantize_dynamic(whole, path, per_channel=True, weight_type=QuantType.QInt8)
    return optimised(path)


def optimised(path: Path) -> Path:
    """Put an ONNX file into the form that onnxruntime would bring it to at each start, which takes 50 ms there."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED  # for any processor
    options.optimized_model_filepath = str(path)
    options.log_severity_level = 3
    onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    return path
