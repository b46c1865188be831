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

import hashlib
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

from eval.ablation import GROUPS, unseen
from eval.training import Example, TrainingSet, read
from eval.trees import export, platt, sigmoid
from index.library import Index, Retrieved
from rag.question import understand
from rag.read import rarities
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
_TREES = 200
_READINGS = 3  # in a library, on its own document alone, on another alone
_PRACTICE_WEIGHT = 3.0
_FOLDS = 6

Floats = NDArray[np.float32]


class Table(NamedTuple):
    """Signals of candidates, a row each: (n, len(NAMES)); labels; numbers of the reading, the set and the document."""

    signals: Floats
    label: NDArray[np.int64]
    question: NDArray[np.int64]
    data_set: NDArray[np.int64]
    document: NDArray[np.int64]


@click.command()
@click.option("--data", type=click.Path(path_type=Path), required=True, help="The folder of public data.")
@click.option("--work", type=click.Path(path_type=Path), required=True, help="Where checkpoints are kept.")
@click.option("--questions", type=int, default=600, show_default=True, help="Learn from so many of each public set.")
def main(data: Path, work: Path, questions: int) -> None:
    """Train the reader on the public train sets and write its weights and scores."""
    training = read(data)
    work.mkdir(parents=True, exist_ok=True)
    table = _table(training, work, questions)
    booster = _fit(table)
    # Thresholds and scaling are for libraries such as ours, so they come from practice, on documents not learned from.
    practice = table.data_set == _SETS.index("practice")
    raw = _unseen(table, practice)
    library = practice & (table.question % _READINGS == 0)
    scale = platt(raw[library], table.label[library])
    probability = sigmoid(scale[0] * raw + scale[1])
    _WEIGHTS.mkdir(exist_ok=True)
    export(booster, scale, len(NAMES), _WEIGHTS / "reader.onnx")
    report = {
        "threshold": _best_threshold(_rows(table, library), probability[library]),
        "sha256": hashlib.sha256((_WEIGHTS / "reader.onnx").read_bytes()).hexdigest(),
        "questions": len(set((table.question // _READINGS).tolist())),
        "sentences": len(table.label),
        "practice, by documents not learned from": {
            reading: _scores(probability[which], table.label[which], table.question[which])
            for number, reading in enumerate(("in a library", "alone"))
            for which in [practice & (table.question % _READINGS == number)]
        },
        "left out": {name: _left_out(table, n) for n, name in enumerate(_SETS)},
        "without": _ablation(_rows(table, practice)),
        "gain": dict(zip(NAMES, booster.feature_importance("gain").round().tolist(), strict=True)),
    }
    (_WEIGHTS / "scores.json").write_text(json.dumps(report, indent=1) + "\n")
    click.echo(json.dumps(report, indent=1))


def _table(training: TrainingSet, work: Path, questions: int) -> Table:
    """All signals, from the shards on disk or made now."""
    shards = []
    with Index(work / "train.index") as index:
        missing = (d for d in training.documents.values() if not index.engine.store.has(d.id))
        for done, _ in enumerate(index.add_documents(missing), 1):
            if done % 500 == 0:
                click.echo(f"{done} documents encoded")
        for at, part in _parts(training, questions):
            asked = zlib.crc32("\n".join(f"{e.question} {e.document} {e.gold}" for e in part).encode())
            path = work / f"signals-{at:06d}-{asked:08x}.npz"
            if not path.exists():
                rows = list(_signals(training, index, part, at))
                parts = [np.concatenate(column) for column in zip(*rows, strict=True)]
                temporary = path.with_suffix(".tmp.npz")
                np.savez(temporary, *parts)
                temporary.replace(path)
                click.echo(f"{part[0].source}: questions {at} to {at + len(part)} read")
            with np.load(path, allow_pickle=False) as shard:
                shards.append([shard[name] for name in shard.files])
    return Table(*(np.concatenate(column) for column in zip(*shards, strict=True)))


def _parts(training: TrainingSet, questions: int) -> Iterator[tuple[int, list[Example]]]:
    """The questions of each set in shards, each with the number of its first question."""
    first = 0
    for name in _SETS:
        examples = [example for example in training.examples if example.source == name]
        random.Random(SEED).shuffle(examples)
        examples = examples if name == "practice" else examples[:questions]
        for at in range(0, len(examples), _SHARD):
            yield first + at, examples[at : at + _SHARD]
        first += len(examples)


def _signals(training: TrainingSet, index: Index, examples: Sequence[Example], first: int) -> Iterator[Table]:
    questions = [understand(example.question) for example in examples]
    texts = [text for question in questions for text in (question.text, question.bare)]
    vectors = index.encoder.encode(texts).reshape(len(questions), 2, -1)
    for number, (example, question, vector) in enumerate(zip(examples, questions, vectors, strict=True), first):
        chance = random.Random(zlib.crc32(example.question.encode()))
        withheld = example.answerable and chance.random() < 0.25
        # Dropping a share of the others makes libraries of every size out of one large one.
        dropped = chance.random() * 0.95
        found = [  # the index may hold earlier versions of practice documents
            r for r in index.retrieve(example.question, _DEPTH, vector=vector) if r.document.id in training.documents
        ]
        rarity = rarities(question, index.engine)
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
                np.full(count, _READINGS * number + reading),
                np.full(count, _SETS.index(example.source)),
                np.full(count, zlib.crc32(example.document.encode())),
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


def _unseen(table: Table, practice: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Raw scores of the practice rows, each of a model that has learned from no question on its document."""
    raw = np.zeros(len(table.label))
    for fold in range(_FOLDS):
        left = practice & (table.document % _FOLDS == fold)
        raw[left] = _fit(_rows(table, ~left)).predict(table.signals[left], raw_score=True)
    return raw


def _rows(table: Table, which: NDArray[np.bool_]) -> Table:
    signals, label, question, data_set, document = table
    return Table(signals[which], label[which], question[which], data_set[which], document[which])


def _fit(table: Table) -> Any:  # noqa: ANN401  LightGBM has no types
    import lightgbm

    rising = [int(signal in RISING) for signal in NAMES]
    settings = {
        "objective": "binary", "learning_rate": 0.05, "num_leaves": 31,
        "min_data_in_leaf": 100, "feature_fraction": 0.7, "bagging_fraction": 0.7,
        "bagging_freq": 1, "lambda_l2": 5, "monotone_constraints": rising, "seed": SEED, "deterministic": True,
        "num_threads": 2, "verbose": -1,
    }  # fmt: skip
    # A few hundred questions on documents such as ours teach as much as thousands on paragraphs of an encyclopaedia.
    weight = np.where(table.data_set == _SETS.index("practice"), _PRACTICE_WEIGHT, 1.0)
    return lightgbm.train(settings, lightgbm.Dataset(table.signals, table.label, weight=weight), _TREES)


def _ablation(practice: Table) -> dict[str, dict[str, float]]:
    """Scores in a library, on documents not learned from, of trees over all signals and of trees without a group."""
    library = practice.question % _READINGS == 0

    def scores(without: Sequence[str]) -> dict[str, float]:
        score = unseen(
            lambda signals, which: _fit(_rows(practice._replace(signals=signals), which)),
            practice.signals,
            practice.document,
            without,
        )
        return _scores(score[library], practice.label[library], practice.question[library])

    return {name: scores(without) for name, without in {"nothing": (), **GROUPS}.items()}


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


def _best_threshold(table: Table, probability: NDArray[np.float64]) -> float:
    """The threshold that serves askers best: right answers to what is told, silence on what is not.

    Of the thresholds whose sum of both shares is within one standard error of the best sum, the lowest: an answer that
    is shown with its sentence can be checked, and one that is withheld cannot.
    """
    parts = list(_by_question(table.question))
    best = np.array([probability[part].max() for part in parts])
    right = np.array([bool(table.label[part][probability[part].argmax()]) for part in parts])
    told = np.array([bool(table.label[part].any()) for part in parts])
    grid = np.linspace(0.02, 0.98, 97)
    answered = best >= grid[:, None]
    found, silent = (answered & right)[:, told].mean(1), (~answered)[:, ~told].mean(1)
    gain = found + silent
    top = int(gain.argmax())
    error = np.sqrt(found[top] * (1 - found[top]) / told.sum() + silent[top] * (1 - silent[top]) / (~told).sum())
    return round(float(grid[gain >= gain[top] - error][0]), 2)


if __name__ == "__main__":
    main()
