"""Train the reader: ``python -m eval.train_reader --data DIR --work DIR``. It can be stopped at any time and run again.

Three steps, each of which leaves files in the work folder and is skipped where they are there: an index of all train
documents, the signals of every candidate sentence (in shards), and the model: gradient-boosted trees over
`rag.signals`, held to rise with the signals that can only speak for a sentence, and scaled to probabilities on
questions held back (Platt, 1999).

Negatives come in four kinds, because a model that has seen one kind only learns what sets that kind apart: sentences
beside the answer, paragraphs that almost answer (SQuAD 2), what our own search brings up from all other documents, and
questions whose document is withheld. Each question is read three times: in a library, on its document alone, and on
another document alone that the search takes for it. Every choice is judged by leaving one whole data set out.
"""

from __future__ import annotations

import json
import random
import zlib
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click
import numpy as np
from numpy.typing import NDArray

from eval.training import Example, TrainingSet, read
from index.library import Index, Retrieved
from rag.question import understand
from rag.signals import NAMES, RISING, signals

if TYPE_CHECKING:
    from collections.abc import Mapping

SEED = 1
_SHARD = 400  # questions in one file of signals
_DEPTH = 60  # passages that a question is searched to, of which up to _READ are kept
_READ = 20
_NEAR = 6  # of so many documents that a search takes for the one asked about, one is read alone
_LIKELIEST = 30
_WEIGHTS = Path(__file__).parents[1] / "rag" / "weights"
_SETS = ("squad2_dev_half", "selqa", "qed", "nq_open_oracle", "practice")
_TREES = 300

Floats = NDArray[np.float32]


class Table(NamedTuple):
    """Signals of candidates, a row each: (n, len(NAMES)); labels; the numbers of reading and set."""

    signals: Floats
    label: NDArray[np.int64]
    question: NDArray[np.int64]
    data_set: NDArray[np.int64]


@click.command()
@click.option("--data", type=click.Path(path_type=Path), required=True, help="The folder of public data.")
@click.option("--work", type=click.Path(path_type=Path), required=True, help="Where checkpoints are kept.")
@click.option("--questions", type=int, default=13_000, show_default=True, help="Learn from so many at most.")
def main(data: Path, work: Path, questions: int) -> None:
    """Train the reader on the public train sets and write its weights and scores."""
    training = read(data)
    work.mkdir(parents=True, exist_ok=True)
    table = _table(training, work, questions)
    left_out = {name: _left_out(table, n) for n, name in enumerate(_SETS)}
    held = table.question // 3 % 5 == 0
    booster = _fit(_rows(table, ~held))
    scale = _platt(booster.predict(table.signals[held], raw_score=True), table.label[held])
    probability = _sigmoid(scale[0] * booster.predict(table.signals[held], raw_score=True) + scale[1])
    label, question = table.label[held], table.question[held]
    _WEIGHTS.mkdir(exist_ok=True)
    _export(booster, scale, len(NAMES), _WEIGHTS / "reader.onnx")
    report = {
        "threshold": _best_threshold(probability, label),
        "sentences": len(table.label),
        "held back": _scores(probability, label, question),
        "left out": left_out,
        "gain": dict(zip(NAMES, booster.feature_importance("gain").round().tolist(), strict=True)),
    }
    (_WEIGHTS / "scores.json").write_text(json.dumps(report, indent=1) + "\n")
    click.echo(json.dumps(report, indent=1))


def _table(training: TrainingSet, work: Path, questions: int) -> Table:
    """All signals, from the shards on disk or made now."""
    examples = [example for example in training.examples if example.source in _SETS]
    random.Random(SEED).shuffle(examples)
    examples.sort(key=lambda example: example.source != "practice")
    examples = examples[:questions]
    shards = []
    with Index(work / "train.index") as index:
        missing = (d for d in training.documents.values() if not index.engine.store.has(d.id))
        for done, _ in enumerate(index.add_documents(missing), 1):
            if done % 500 == 0:
                click.echo(f"{done} documents encoded")
        for at in range(0, len(examples), _SHARD):
            path = work / f"signals-{at:06d}.npz"
            if not path.exists():
                rows = list(_signals(training, index, examples[at : at + _SHARD], at))
                parts = [np.concatenate(column) for column in zip(*rows, strict=True)]
                temporary = path.with_suffix(".tmp.npz")
                np.savez(temporary, *parts)
                temporary.replace(path)
                click.echo(f"{at + _SHARD} of {len(examples)} questions read")
            with np.load(path, allow_pickle=False) as shard:
                shards.append([shard[name] for name in shard.files])
    return Table(*(np.concatenate(column) for column in zip(*shards, strict=True)))


def _signals(training: TrainingSet, index: Index, examples: Sequence[Example], first: int) -> Iterator[Table]:
    vectors = index.encoder.encode([example.question for example in examples])
    for number, (example, vector) in enumerate(zip(examples, vectors, strict=True), first):
        question = understand(example.question)
        chance = random.Random(zlib.crc32(example.question.encode()))
        withheld = example.answerable and chance.random() < 0.25
        # Dropping a share of the others makes libraries of every size out of one large one.
        dropped = chance.random() * 0.95
        found = index.retrieve(example.question, _DEPTH, vector=vector)
        rarity = dict(zip(question.terms, index.engine.rarity(question.terms), strict=True))
        library = [r for r in found if _keep(r, example, withheld, chance.random() > dropped)][:_READ]
        alone = [r for r in found if r.document.id == example.document]
        others = list(dict.fromkeys(r.document.id for r in found if r.document.id != example.document))
        near = chance.choice(others[:_NEAR]) if others else ""
        other = [r for r in found if r.document.id == near]
        for reading, (kept, lacking) in enumerate(((library, withheld), (alone, False), (other, False))):
            if not kept:
                continue
            candidates, rows = signals(question, kept, rarity)
            label = np.array([_label(training, example, lacking, c.document.id, c.start, c.end) for c in candidates])
            known = label >= 0
            if reading == 0:  # of a library's sentences, the likelier and those of the document itself teach the most
                own = np.array([c.document.id == example.document for c in candidates])
                known &= own | (np.argsort(np.argsort(-rows[:, 0])) < _LIKELIEST)
            count = int(known.sum())
            yield Table(
                rows[known],
                label[known],
                np.full(count, 3 * number + reading),
                np.full(count, _SETS.index(example.source)),
            )


def _keep(found: Retrieved, example: Example, withheld: bool, lucky: bool) -> bool:
    return not withheld if found.document.id == example.document else lucky


def _label(training: TrainingSet, example: Example, withheld: bool, document: str, start: int, end: int) -> int:
    """1 for an answer, 0 for none, -1 where nobody knows: the same article, or the same words, elsewhere."""
    if document == example.document:
        if withheld or not example.answerable:
            return 0
        if any(min(b, end) - max(a, start) > 0 for a, b in example.beside):
            return -1
        return int(any(min(b, end) - max(a, start) >= 0.5 * min(b - a, end - start) for a, b in example.gold))
    if not example.answerable:
        return 0
    gold, other = training.documents[example.document], training.documents[document]
    if gold.title == other.title and example.source != "squad2_dev_half":
        return -1
    text = other.text[start:end].casefold()
    same = example.source != "selqa" and any(b - a > 3 and gold.text[a:b].casefold() in text for a, b in example.gold)
    return -1 if same else 0


def _rows(table: Table, which: NDArray[np.bool_]) -> Table:
    return Table(table.signals[which], table.label[which], table.question[which], table.data_set[which])


def _fit(table: Table) -> Any:  # noqa: ANN401  LightGBM has no types
    import lightgbm

    rising = [int(signal in RISING) for signal in NAMES]
    settings = {
        "objective": "binary", "learning_rate": 0.05, "num_leaves": 31,
        "min_data_in_leaf": 100, "feature_fraction": 0.7, "bagging_fraction": 0.7,
        "bagging_freq": 1, "lambda_l2": 5, "monotone_constraints": rising, "seed": SEED, "deterministic": True,
        "num_threads": 2, "verbose": -1,
    }  # fmt: skip
    return lightgbm.train(settings, lightgbm.Dataset(table.signals, table.label), _TREES)


def _by_question(question: NDArray[np.int64]) -> Iterator[slice]:
    edges = [0, *(np.flatnonzero(np.diff(question)) + 1).tolist(), len(question)]
    for start, end in pairwise(edges):
        yield slice(start, end)


def _left_out(table: Table, data_set: int) -> Mapping[str, dict[str, float]]:
    """Scores on one set of a model that has not seen it, beside those of the plain cosine."""
    test = _rows(table, table.data_set == data_set)
    learned = _fit(_rows(table, table.data_set != data_set)).predict(test.signals)
    cosine = test.signals[:, NAMES.index("cosine")].astype(np.float64)
    return {
        "learned": _scores(learned, test.label, test.question),
        "cosine": _scores(cosine, test.label, test.question),
    }


def _scores(score: NDArray[np.float64], label: NDArray[np.int64], question: NDArray[np.int64]) -> dict[str, float]:
    """Whether the best sentence answers and its score tells answerable questions; the best sentence F1."""
    best, answerable, right = [], [], []
    for part in _by_question(question):
        best.append(score[part].max())
        answerable.append(int(label[part].any()))
        if answerable[-1]:
            right.append(label[part][score[part].argmax()])
    grid = np.quantile(score, np.linspace(0.8, 0.999, 80))
    f1 = max(
        2 * float(((score >= t) & (label == 1)).sum()) / float((score >= t).sum() + (label == 1).sum()) for t in grid
    )
    return {
        "questions": len(best),
        "best sentence answers": round(float(np.mean(right)), 4),
        "answerability AUC": round(_auc(np.array(answerable), np.array(best)), 4),
        "sentence F1 at its best threshold": round(f1, 4),
    }


def _auc(label: NDArray[np.int64], score: NDArray[np.float64]) -> float:
    """The chance that a positive scores above a negative (Mann and Whitney, 1947); 0.5 where there is only one kind."""
    positive, negative = score[label == 1], np.sort(score[label == 0])
    if not len(positive) or not len(negative):
        return 0.5
    below = np.searchsorted(negative, positive, "left") + np.searchsorted(negative, positive, "right")
    return float(below.mean() / 2 / len(negative))


def _best_threshold(score: NDArray[np.float64], label: NDArray[np.int64]) -> float:
    """The threshold with the best F1."""

    def f1(t: float) -> float:
        hit = score >= t
        return 2 * float((hit & (label == 1)).sum()) / float(hit.sum() + (label == 1).sum())

    return round(float(max(np.linspace(0.02, 0.98, 97), key=f1)), 2)


def _sigmoid(raw: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-np.clip(raw, -60, 60)))


def _platt(raw: NDArray[np.float64], label: NDArray[np.int64]) -> tuple[float, float]:
    """Slope and offset that turn raw scores into probabilities, by Newton's method on the log loss."""
    design = np.stack([raw, np.ones_like(raw)], axis=1)
    share = label.mean()
    weights = np.array([0.0, np.log(share / (1 - share))])
    for _ in range(25):
        p = _sigmoid(design @ weights)
        curvature = (design * (p * (1 - p))[:, None]).T @ design + 1e-9 * np.eye(2)
        weights -= np.linalg.solve(curvature, design.T @ (p - label))
    return float(weights[0]), float(weights[1])


def _export(booster: Any, scale: tuple[float, float], width: int, path: Path) -> None:  # noqa: ANN401  LightGBM has no types
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


if __name__ == "__main__":
    main()
