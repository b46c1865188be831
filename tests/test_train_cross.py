"""The parts of training the network that can be checked on small data; the whole takes an hour and the public sets."""

from itertools import islice

import numpy as np
import pytest

from eval import train_cross


def layout(questions, sentences=2):
    """One window for each number of a question: `question . . sentence . sentence .`, word pieces being anything."""
    chance = np.random.default_rng(1)
    ids, parts = [], []
    for _ in questions:
        told = [part for n in range(sentences) for part in [n + 1] * chance.integers(1, 9)]
        parts.append([-1, 0, 0, -1, *told, -1])
        ids.append(chance.integers(1000, 2000, len(parts[-1])))
    return train_cross.Read(
        np.concatenate(ids).astype(np.int32),
        np.concatenate(parts).astype(np.int16),
        np.cumsum([len(i) for i in ids]),
        np.zeros(len(questions) * sentences, np.int8),
        np.cumsum([sentences] * len(questions)),
        np.zeros(len(questions), np.int8),
        np.array(questions),
    )


def test_each_batch_holds_whole_questions_and_each_round_all_of_them(monkeypatch):
    monkeypatch.setattr(train_cross, "_BATCH", 90)
    made = layout(np.repeat(np.arange(40), 3))
    which = np.flatnonzero(made.question % 4 != 0)
    lengths = np.diff(made.ends, prepend=0)
    seen = []
    for batch in train_cross._batches(made, which):
        asked = made.question[batch]
        assert np.unique(asked, return_counts=True)[1].tolist() == [3] * len(set(asked))
        assert len(batch) * lengths[batch].max() <= 90 or len(batch) == 3
        seen += batch.tolist()
        if len(seen) == len(which):
            break
    assert sorted(seen) == which.tolist()
    again = np.concatenate(list(islice(train_cross._batches(made, which), 100)))
    assert again[: len(seen)].tolist() == seen
    assert again[len(seen) : 2 * len(seen)].tolist() != seen


def test_the_loss_by_hand():
    import torch

    made = layout([0, 0, 1])
    made.labels[:] = [0, 1, 0, -1, 0, 0]  # the first question is answered in its first window, the second nowhere
    logits = torch.tensor([[0.5, 2.0], [1.0, 9.0], [-1.0, 0.0]])
    found = train_cross._loss(lambda *_: logits, made, np.arange(3), np.random.default_rng(1))
    e = np.exp
    alone = np.mean([np.log1p(e(0.5)), np.log1p(e(-2.0)), np.log1p(e(1.0)), np.log1p(e(-1.0)), np.log1p(e(0.0))])
    among = np.mean([np.log((1 + e(0.5) + e(2.0) + e(1.0)) / e(2.0)), np.log(1 + e(-1.0) + e(0.0))])
    assert float(found) == pytest.approx(alone + train_cross._AMONG * among, rel=1e-5)
