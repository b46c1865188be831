"""Train the reader: ``python -m eval.train_reader --data DIR --work DIR``. It can be stopped at any time and run again.

It begins where `eval.train_cross` ends, in the same work folder. Each step leaves files there and is skipped where
they are: the signals of every candidate sentence (in shards); a first look, which decides what the network reads; what
it makes of that; and the model: gradient-boosted trees over `rag.signals` and the network's logits, held to rise with
the signals that can only speak for a sentence, and scaled to probabilities on questions held back (Platt, 1999).

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
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from shutil import copyfile
from typing import Any, NamedTuple

import click
import numpy as np
from numpy.typing import NDArray

from eval.cross import HALVES, SOUP, half_of, written
from eval.fitting import (
    READINGS,
    Table,
    ablation,
    by_question,
    by_reading,
    fit,
    fit_sure,
    how_sure,
    left_out,
    part,
    scores,
    unseen,
)
from eval.training import SETS, Example, TrainingSet, kept_for_trees, label_of, read
from eval.trees import export, platt, sigmoid
from index.library import Index, Retrieved
from index.models import Passage, Span
from rag import cross, sure
from rag.learned import NAMES
from rag.question import understand
from rag.read import rarities
from rag.signals import signals
from rag.trees import opened

_SHARD = 400  # questions in one file of signals
_DEPTH = 60  # passages that a question is searched to, of which up to _READ are kept
_READ = 20
_NEAR = 6  # of so many documents that a search takes for the one asked about, one is read alone
_LIKELIEST = 30
_THREADS = 2  # that read at once, each with one core
_WEIGHTS = Path(__file__).parents[1] / "rag" / "weights"
_PRACTICE = SETS.index("practice")
_WRITTEN = ("first.onnx", "cross.onnx", "reader.onnx", "sure.onnx")


@click.command()
@click.option("--data", type=click.Path(path_type=Path), required=True, help="The folder of public data.")
@click.option("--work", type=click.Path(path_type=Path), required=True, help="Where checkpoints are kept.")
def main(data: Path, work: Path) -> None:
    """Train the reader on the public train sets and our own practice, and write its weights and scores."""
    training = read(data)
    examples = kept_for_trees(training)
    networks = written(work)
    with Index(work / "train.index") as index:
        plain, places, digest = _table(training, index, examples, work)
        first = _kept(work / f"first-{digest:08x}.npy", lambda: unseen(plain))
        asked = _Asked(plain, places, first)
        digest = zlib.crc32(networks[SOUP].read_bytes(), digest)
        told = _kept(work / f"told-{digest:08x}.npy", lambda: _told(training, index, examples, asked, networks))
    table = plain._replace(signals=np.concatenate([plain.signals, told], axis=1))
    raw = unseen(table)
    practice = table.data_set == _PRACTICE
    scale = _scale(table, raw)
    probability = sigmoid(scale[0] * raw + scale[1])
    booster = fit(table)
    export(fit(plain), (1.0, 0.0), plain.signals.shape[1], _WEIGHTS / "first.onnx")
    export(booster, scale, len(NAMES), _WEIGHTS / "reader.onnx")
    copyfile(networks[SOUP], cross.WEIGHTS)
    whole = by_reading(table, scale[0] * raw + scale[1])
    certain = unseen(whole, fitted=fit_sure)
    sure_scale = _scale(whole, certain)
    export(fit_sure(whole), sure_scale, len(sure.NAMES), _WEIGHTS / "sure.onnx")
    _write_halves(plain, table, work)
    for left in range(HALVES):
        export(fit_sure(part(whole, ~_half(whole, left))), sure_scale, len(sure.NAMES), work / f"sure{left}.onnx")
    report = {
        "sha256": {name: _digest(_WEIGHTS / name) for name in _WRITTEN},
        "questions": len(examples),
        "sentences": len(table.label),
        "practice, by documents not learned from": {
            reading: scores(probability[which], table.label[which], table.question[which])
            for number, reading in enumerate(("in a library", "alone"))
            for which in [practice & (table.question % READINGS == number)]
        },
        "how sure": how_sure(whole, certain),
        "left out": {name: left_out(table, n) for n, name in enumerate(SETS)},
        "without": ablation(table),
        "gain": dict(zip(NAMES, booster.feature_importance("gain").round().tolist(), strict=True)),
    }
    (_WEIGHTS / "scores.json").write_text(json.dumps(report, indent=1) + "\n")
    click.echo(json.dumps(report, indent=1))


class _Asked(NamedTuple):
    """The rows of a table, and where each sentence stands: the id of a passage, and which of its sentences it is."""

    table: Table
    places: tuple[NDArray[np.str_], NDArray[np.int64]]
    first: NDArray[np.float64]


def _write_halves(plain: Table, table: Table, work: Path) -> None:
    """Leave trees in the work folder that have not learned from one half of practice, for `eval.cross.half_readers`."""
    raw, trees = np.zeros(len(table.label)), {}
    for left in range(HALVES):
        unknown = _half(table, left)
        trees[left] = fit(part(table, ~unknown))
        raw[unknown] = trees[left].predict(table.signals[unknown], raw_score=True)
        export(fit(part(plain, ~unknown)), (1.0, 0.0), plain.signals.shape[1], work / f"first{left}.onnx")
    scale = _scale(table, raw)
    for left, booster in trees.items():
        export(booster, scale, len(NAMES), work / f"reader{left}.onnx")


def _half(table: Table, half: int) -> NDArray[np.bool_]:
    """The rows of one half of practice."""
    rows: NDArray[np.bool_] = (table.data_set == _PRACTICE) & (table.document % HALVES == half)
    return rows


def _scale(table: Table, raw: NDArray[np.float64]) -> tuple[float, float]:
    """What makes raw scores probabilities: for libraries such as ours, so from practice, unseen documents of it."""
    library = (table.data_set == _PRACTICE) & (table.question % READINGS == 0)
    return platt(raw[library], table.label[library])


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _kept(path: Path, made: Callable[[], NDArray[Any]]) -> NDArray[Any]:
    """An array from the disk, or made now and put there."""
    if not path.exists():
        np.save(path, made())
    found: NDArray[Any] = np.load(path, allow_pickle=False)
    return found


def _table(
    training: TrainingSet, index: Index, examples: Sequence[Example], work: Path
) -> tuple[Table, tuple[NDArray[np.str_], NDArray[np.int64]], int]:
    """All signals and where their sentences stand, from the shards on disk or made now; a digest of what was asked."""
    shards, digest = [], 0
    for at in range(0, len(examples), _SHARD):
        some = examples[at : at + _SHARD]
        asked = zlib.crc32("\n".join(f"{e.question} {e.document} {e.gold}" for e in some).encode())
        digest = zlib.crc32(asked.to_bytes(4, "big"), digest)
        path = work / f"signals-{at:06d}-{asked:08x}.npz"
        if not path.exists():
            rows = list(_signals(training, index, some, at))
            temporary = path.with_suffix(".tmp.npz")
            np.savez(temporary, *(np.concatenate(column) for column in zip(*rows, strict=True)))
            temporary.replace(path)
            click.echo(f"questions {at} to {at + len(some)} of {len(examples)} measured")
        with np.load(path, allow_pickle=False) as shard:
            shards.append([shard[name] for name in shard.files])
    *columns, passages, sentences = (np.concatenate(column) for column in zip(*shards, strict=True))
    return Table(*columns), (passages, sentences), digest


def _told(
    training: TrainingSet, index: Index, examples: Sequence[Example], asked: _Asked, networks: Mapping[int, Path]
) -> NDArray[np.float32]:
    """What the network makes of the likeliest places of each reading: float32 of shape (rows, len(cross.NAMES)).

    A practice question is read by the network that has not learned from its document.
    """
    running = {half: opened(path.read_bytes()) for half, path in networks.items()}
    passages, sentences = asked.places

    @cache
    def spans(passage: str) -> tuple[Span, ...]:
        document, _, ordinal = passage.rpartition(":")
        return index.engine.passages_of(document)[int(ordinal)].passage.sentences

    def one(rows: slice) -> NDArray[np.float32]:
        example = examples[asked.table.question[rows.start] // READINGS]
        held = [
            (training.documents[str(passage).rpartition(":")[0]], spans(str(passage)), int(at))
            for passage, at in zip(passages[rows], sentences[rows], strict=True)
        ]
        order = [held[n] for n in np.argsort(-asked.first[rows], kind="stable")]
        windows = cross.likeliest((document, at, at[n].start) for document, at, n in order)
        network = running[half_of(example.document) if example.source == "practice" else SOUP]
        found = cross.read(understand(example.question).text, windows, network)
        logits = [found.get((document.id, at[n].start), np.nan) for document, at, n in held]
        return cross.columns(np.array(logits, np.float32))

    made = []
    with ThreadPoolExecutor(_THREADS) as pool:
        for number, found in enumerate(pool.map(one, by_question(asked.table.question))):
            made.append(found)
            if number % 1000 == 0:
                click.echo(f"{number} readings read by the network")
    return np.concatenate(made)


def _signals(
    training: TrainingSet, index: Index, examples: Sequence[Example], first: int
) -> Iterator[tuple[NDArray[Any], ...]]:
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
            label = np.array([label_of(training, example, lacking, c.document.id, c.start, c.end) for c in candidates])
            known = label >= 0
            if reading == 0:  # of a library's sentences, the likelier and those of the document itself teach the most
                own = np.array([c.document.id == example.document for c in candidates])
                known &= own | (np.argsort(np.argsort(-rows[:, 0])) < _LIKELIEST)
            count = int(known.sum())
            passages = [kept[c.rank - 1].hit.passage for c in candidates]
            yield (
                rows[known],
                label[known],
                np.full(count, READINGS * number + reading),
                np.full(count, SETS.index(example.source)),
                np.full(count, zlib.crc32(example.document.encode())),
                np.array([passage.id for passage in passages])[known],
                np.array([_place(passage, c.start) for passage, c in zip(passages, candidates, strict=True)])[known],
            )


def _place(passage: Passage, start: int) -> int:
    return [span.start for span in passage.sentences].index(start)


def _keep(found: Retrieved, example: Example, withheld: bool, lucky: bool) -> bool:
    return not withheld if found.document.id == example.document else lucky


if __name__ == "__main__":
    main()
