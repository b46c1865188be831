"""Train the network that reads: ``python -m eval.train_cross --data DIR --work DIR``. It can be stopped and run again.

The encoder reads a question beside a few sentences (`rag.cross`), and learns which of them answer it.
It learns in two steps, with files in the work folder after each few minutes: from the public train sets, without any
document that `eval.train_reader` learns from; and then from these and practice, twice, each time without one half of
the practice documents. The halves judge each other's documents while the trees are trained; what is shipped is the
mean of their weights (Wortsman et al., "Model soups", ICML 2022).
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator, Sequence
from itertools import count, islice
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple

import click
import numpy as np
from numpy.typing import NDArray

from eval.cross import HALVES, half_of, network
from eval.training import SEED, Example, TrainingSet, complete, kept_for_trees, label_of, read
from index.encode import default_model, tokenizer
from index.library import Index
from index.terms import content_terms
from rag.cross import Window, encoded, rows, window
from rag.read import candidates

if TYPE_CHECKING:
    import torch

_DEPTH = 6
_SHARD = 500
_BATCH = 3072  # word pieces, with padding, in one step
_RATE = 2e-4
_STEPS = {"public": 280, "practice": 1200}
_AMONG = 0.5  # how much it weighs which sentence is the right one, beside how right each is
_HIDDEN = 0.1  # of the word pieces of sentences, while it learns
_SAVE = 60  # seconds


class Read(NamedTuple):
    """Encoded windows, one after another.

    Attributes:
        ids, parts: of all word pieces; see `rag.cross.encoded`.
        ends: where each window ends in them.
        labels: of all sentences: 1 answers, 0 does not, -1 nobody knows.
        label_ends: where each window's end.
        half: of the practice documents that a window belongs to; -1 for the public sets.
        question: the number of the question that it is read for; its windows stand together.
    """

    ids: NDArray[np.int32]
    parts: NDArray[np.int16]
    ends: NDArray[np.int64]
    labels: NDArray[np.int8]
    label_ends: NDArray[np.int64]
    half: NDArray[np.int8]
    question: NDArray[np.int64]


def windows_of(training: TrainingSet, index: Index, example: Example, vector: NDArray[np.float32]) -> list[Window]:
    """What is read for a question: around answers, and around what likeness and shared words take for one.

    Practice gives up to two and four of them; a question of a public set at most one of each, and the second only where
    it has no answer and in one of three others.
    """
    chance = random.Random(zlib.crc32(example.question.encode()))
    made: list[Window] = []
    document = training.documents[example.document]
    golden = [
        (stored.passage.sentences, at)
        for stored in index.engine.passages_of(example.document)
        for at, span in enumerate(stored.passage.sentences)
        if label_of(training, example, False, document.id, span.start, span.end) == 1
    ]
    practice = example.source == "practice"
    for sentences, at in chance.sample(golden, min(len(golden), 2 if practice else 1)):
        # Were the answer always where the window was begun, its place would give it away.
        near = min(max(at + chance.choice((-1, 0, 0, 1)), 0), len(sentences) - 1)
        around = window(document, sentences, near)
        one = around if sentences[at] in around.sentences else window(document, sentences, at)
        if one not in made:
            made.append(one)
    wrong = 4 if practice else int(not golden or chance.random() < 0.35)
    if not wrong:
        return made
    most = len(made) + wrong
    found = [r for r in index.retrieve(example.question, _DEPTH, vector=vector) if r.document.id in training.documents]
    asked = set(content_terms(example.question)) or {""}
    for c in sorted(candidates(found), key=lambda c: -c.cosine - len(asked & set(content_terms(c.text))) / len(asked)):
        if len(made) == most:
            break
        if any(w.document.id == c.document.id and _held(w, c.start) for w in made):
            continue
        if label_of(training, example, False, c.document.id, c.start, c.end) == 0:
            sentences = found[c.rank - 1].hit.passage.sentences
            made.append(window(c.document, sentences, [span.start for span in sentences].index(c.start)))
    return made


def _held(one: Window, start: int) -> bool:
    return any(span.start == start for span in one.sentences)


def _read(training: TrainingSet, work: Path, *, practice: bool) -> Read:
    """All windows of practice, or of the public sets, from the shards on disk or made now."""
    kept = [e for e in kept_for_trees(training) if e.source != "practice"]
    documents, questions = {e.document for e in kept}, {e.question.casefold() for e in kept}
    examples = []
    for e in training.examples:  # some questions are in two sets
        told = practice or e.gold or not e.answerable
        own = (e.source == "practice") == practice
        if own and told and e.document not in documents and e.question.casefold() not in questions:
            examples.append(e)
            questions.add(e.question.casefold())
    random.Random(SEED).shuffle(examples)
    name = "practice" if practice else "public"
    shards = []
    with Index(work / "train.index") as index:
        complete(index, training.documents.values())
        for at in range(0, len(examples), _SHARD):
            some = examples[at : at + _SHARD]
            asked = zlib.crc32("\n".join(f"{e.question} {e.document} {e.gold}" for e in some).encode())
            path = work / f"windows-{name}-{at:06d}-{asked:08x}.npz"
            if not path.exists():
                temporary = path.with_suffix(".tmp.npz")
                np.savez(temporary, **_shard(training, index, some)._asdict())
                temporary.replace(path)
                click.echo(f"{name}: questions {at} to {at + len(some)} of {len(examples)} laid out")
            with np.load(path, allow_pickle=False) as shard:
                shards.append(Read(**shard))
    layout = _joined(shards)
    click.echo(f"{name}: {len(layout.ends)} windows, {len(layout.ids)} word pieces")
    return layout


def _shard(training: TrainingSet, index: Index, examples: Sequence[Example]) -> Read:
    vectors = index.encoder.encode([example.question for example in examples])
    made = []
    for number, (example, vector) in enumerate(zip(examples, vectors, strict=True)):
        half = half_of(example.document) if example.source == "practice" else -1
        for one in windows_of(training, index, example, vector):
            ids, parts = encoded(example.question, one)
            labels = [label_of(training, example, False, one.document.id, *span) for span in one.sentences]
            made.append((ids, parts, labels, half, number))
    return Read(
        np.concatenate([np.array(ids, np.int32) for ids, *_ in made]),
        np.concatenate([np.array(parts, np.int16) for _, parts, *_ in made]),
        np.cumsum([len(ids) for ids, *_ in made]),
        np.concatenate([np.array(labels, np.int8) for _, _, labels, *_ in made]),
        np.cumsum([len(labels) for _, _, labels, *_ in made]),
        np.array([half for *_, half, _ in made], np.int8),
        np.array([number for *_, number in made]),
    )


def _joined(shards: Sequence[Read]) -> Read:
    ends = np.cumsum([0, *(len(s.ids) for s in shards)])
    label_ends = np.cumsum([0, *(len(s.labels) for s in shards)])
    questions = np.cumsum([0, *(s.question[-1] + 1 for s in shards)])
    return Read(
        np.concatenate([s.ids for s in shards]),
        np.concatenate([s.parts for s in shards]),
        np.concatenate([s.ends + at for s, at in zip(shards, ends, strict=False)]),
        np.concatenate([s.labels for s in shards]),
        np.concatenate([s.label_ends + at for s, at in zip(shards, label_ends, strict=False)]),
        np.concatenate([s.half for s in shards]),
        np.concatenate([s.question + at for s, at in zip(shards, questions, strict=False)]),
    )


@click.command()
@click.option("--data", type=click.Path(path_type=Path), required=True, help="The folder of public data.")
@click.option("--work", type=click.Path(path_type=Path), required=True, help="Where checkpoints are kept.")
@click.option("--threads", type=int, default=2, show_default=True, help="Learn with so many threads.")
def main(data: Path, work: Path, threads: int) -> None:
    """Train the network that reads, as checkpoints in the work folder: `eval.train_reader` takes it from there."""
    import torch
    from transformers.utils import logging

    torch.set_num_threads(threads)
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    work.mkdir(parents=True, exist_ok=True)
    training = read(data)
    first = _read(training, work, practice=False)
    public = _learned(work, "public")
    if public is None:
        public = _learn(first, np.arange(len(first.ends)), "public", None, work)
    # What it learned first goes on beside practice: learned from practice alone, it forgets how other texts answer.
    layout = _joined([first, _read(training, work, practice=True)])
    for half in range(HALVES):
        if _learned(work, f"practice-{half}") is None:
            _learn(layout, np.flatnonzero(layout.half != half), f"practice-{half}", public, work)


def _learned(work: Path, name: str) -> Any:  # noqa: ANN401  state of torch
    """The network after all of its steps; ``None`` while some are missing."""
    import torch

    place = work / f"{name}.pt"
    state = torch.load(place, weights_only=True) if place.exists() else {"done": 0}
    return state["net"] if state["done"] == _STEPS[name.partition("-")[0]] else None


def _learn(layout: Read, which: NDArray[np.int64], name: str, start: Any, work: Path) -> Any:  # noqa: ANN401  state of torch
    """The network after all epochs over some windows; goes on from its last checkpoint."""
    import torch

    torch.manual_seed(SEED)
    net = network()
    if start is not None:
        net.load_state_dict(start)
    rate = _RATE if start is None else _RATE / 2
    learned = [p for p in net.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(learned, lr=rate, weight_decay=0.01)
    batches = list(islice(_batches(layout, which), _STEPS[name.partition("-")[0]]))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda n: min((n + 1) / (0.06 * len(batches)), 1 - n / len(batches))
    )
    place, done = work / f"{name}.pt", 0
    if place.exists():
        state = torch.load(place, weights_only=True)
        done = state["done"]
        net.load_state_dict(state["net"])
        if done < len(batches):
            optimizer.load_state_dict(state["optimizer"])
            schedule.load_state_dict(state["schedule"])
    losses: list[float] = []
    saved = monotonic()
    net.train()
    for at in range(done, len(batches)):
        loss = _loss(net, layout, batches[at], np.random.default_rng([SEED, at]))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learned, 1.0)
        optimizer.step()
        schedule.step()
        losses.append(float(loss.detach()))
        if monotonic() - saved > _SAVE or at + 1 == len(batches):
            click.echo(f"{name}: step {at + 1} of {len(batches)}, loss {np.mean(losses):.4f}")
            held = {"net": net.state_dict(), "optimizer": optimizer.state_dict(), "schedule": schedule.state_dict()}
            temporary = place.with_suffix(".tmp")
            torch.save({**held, "done": at + 1}, temporary)
            temporary.replace(place)
            losses, saved = [], monotonic()
    return {key: value.clone() for key, value in net.state_dict().items()}


def _batches(layout: Read, which: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Windows of whole questions, about as long as each other, in an order that a seed decides; without an end."""
    _, first = np.unique(layout.question[which], return_index=True)
    asked = np.split(which, first[1:])
    lengths = np.diff(layout.ends, prepend=0)
    longest = np.array([lengths[windows].max() for windows in asked])
    for epoch in count():
        chance = np.random.default_rng([SEED, epoch])
        found: list[list[NDArray[np.int64]]] = [[]]
        for at in np.lexsort((chance.random(len(asked)), longest)):
            if (sum(map(len, found[-1])) + len(asked[at])) * longest[at] > _BATCH:
                found.append([])
            found[-1].append(asked[at])
        chance.shuffle(found)
        yield from map(np.concatenate, found)


def _loss(net: torch.nn.Module, layout: Read, which: NDArray[np.int64], chance: np.random.Generator) -> torch.Tensor:
    """Of each sentence for itself, and of the right ones among all that is read for their question.

    Among these stands, with a logit of 0, that none of them answers (Devlin et al., "BERT", section 4.3).
    """
    import torch

    read, label = arrays(layout, which)
    told = read.pool[:, 1:].any(1)
    read.ids[told & (chance.random(told.shape) < _HIDDEN)] = tokenizer(default_model()).token_to_id("[MASK]")
    with torch.autocast("cpu", dtype=torch.bfloat16):  # takes two thirds of the time where the processor knows it
        logits = net(*(torch.from_numpy(array) for array in read)).float()
    known, right = torch.from_numpy(label >= 0), torch.from_numpy(label == 1)
    alone = torch.nn.functional.binary_cross_entropy_with_logits(logits[known], right[known].float())
    numbers, at = np.unique(layout.question[which], return_inverse=True)
    shares = torch.zeros((2, len(numbers)))
    shares = shares.index_add(1, torch.from_numpy(at), torch.stack([(logits.exp() * m).sum(1) for m in (known, right)]))
    among = torch.log1p(shares[0]) - torch.log(torch.where(shares[1] > 0, shares[1], 1.0))
    return alone + _AMONG * among.mean()


def arrays(layout: Read, which: NDArray[np.int64]) -> tuple[Any, NDArray[np.int8]]:
    """Some windows as the network takes them, and the labels of their sentences, -1 beyond the last."""
    starts = layout.ends - np.diff(layout.ends, prepend=0)
    label_starts = layout.label_ends - np.diff(layout.label_ends, prepend=0)
    read = rows([(layout.ids[starts[w] : layout.ends[w]], layout.parts[starts[w] : layout.ends[w]]) for w in which])
    label = np.full((len(which), read.pool.shape[1] - 1), -1, np.int8)
    for row, w in enumerate(which):
        told = layout.labels[label_starts[w] : layout.label_ends[w]]
        label[row, : len(told)] = told[: label.shape[1]]
    return read, label


if __name__ == "__main__":
    main()
