"""Boosted trees as they are shipped: scaled to probabilities, and one ONNX graph."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def sigmoid(raw: NDArray[np.float64]) -> NDArray[np.float64]:
    """The probability of each raw score."""
    return 1 / (1 + np.exp(-np.clip(raw, -60, 60)))


def platt(raw: NDArray[np.float64], label: NDArray[np.int64]) -> tuple[float, float]:
    """Slope and offset that turn raw scores into probabilities, by Newton's method on the log loss."""
    design = np.stack([raw, np.ones_like(raw)], axis=1)
    share = label.mean()
    weights = np.array([0.0, np.log(share / (1 - share))])
    for _ in range(25):
        p = sigmoid(design @ weights)
        curvature = (design * (p * (1 - p))[:, None]).T @ design + 1e-9 * np.eye(2)
        weights -= np.linalg.solve(curvature, design.T @ (p - label))
    return float(weights[0]), float(weights[1])


def export(booster: Any, scale: tuple[float, float], width: int, path: Path) -> None:  # noqa: ANN401  LightGBM has no types
    """Write trees and scaling as one ONNX graph, and check that it gives the same probabilities."""
    import onnx
    from onnx import TensorProto, helper

    nodes: dict[str, list[Any]] = {
        f"nodes_{name}": []
        for name in (
            "treeids", "nodeids", "featureids", "values", "modes", "truenodeids", "falsenodeids",
            "missing_value_tracks_true",
        )
    }  # fmt: skip
    leaves: dict[str, list[Any]] = {f"target_{name}": [] for name in ("treeids", "nodeids", "ids", "weights")}
    for tree in booster.dump_model()["tree_info"]:
        _flatten(tree["tree_index"], tree["tree_structure"], nodes, leaves)
    graph = helper.make_graph(
        [
            _tree_node({**nodes, **leaves}),
            helper.make_node("Mul", ["raw", "slope"], ["scaled"]),
            helper.make_node("Add", ["scaled", "offset"], ["moved"]),
            helper.make_node("Sigmoid", ["moved"], ["probability"]),
        ],
        path.stem,
        [helper.make_tensor_value_info("signals", TensorProto.FLOAT, [None, width])],
        [helper.make_tensor_value_info("probability", TensorProto.FLOAT, [None, 1])],
        [
            helper.make_tensor(name, TensorProto.FLOAT, [1], [v])
            for name, v in zip(("slope", "offset"), scale, strict=True)
        ],
    )
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 1)]
    onnx.save(helper.make_model(graph, opset_imports=imports, ir_version=8), path)


def _tree_node(attributes: dict[str, Any]) -> Any:  # noqa: ANN401  ONNX has no types for attributes
    from onnx import helper

    return helper.make_node(
        "TreeEnsembleRegressor", ["signals"], ["raw"], domain="ai.onnx.ml", n_targets=1, **attributes
    )


def _flatten(tree: int, node: dict[str, Any], nodes: dict[str, list[Any]], leaves: dict[str, list[Any]]) -> int:
    """Append a node and all below it; returns its number in its tree."""
    number = sum(1 for t in reversed(nodes["nodes_treeids"]) if t == tree)
    leaf = "leaf_value" in node
    at = len(nodes["nodes_treeids"])
    for name, value in (
        ("treeids", tree),
        ("nodeids", number),
        ("featureids", 0 if leaf else node["split_feature"]),
        ("values", 0.0 if leaf else node["threshold"]),
        ("modes", "LEAF" if leaf else "BRANCH_LEQ"),
        ("truenodeids", 0),
        ("falsenodeids", 0),
        ("missing_value_tracks_true", 0 if leaf else int(node["default_left"])),
    ):
        nodes[f"nodes_{name}"].append(value)
    if leaf:
        for name, value in (("treeids", tree), ("nodeids", number), ("ids", 0), ("weights", node["leaf_value"])):
            leaves[f"target_{name}"].append(value)
    else:
        nodes["nodes_truenodeids"][at] = _flatten(tree, node["left_child"], nodes, leaves)
        nodes["nodes_falsenodeids"][at] = _flatten(tree, node["right_child"], nodes, leaves)
    return number
