"""The parts of training that can be checked on small data; the whole takes half an hour and needs the public sets."""

import numpy as np
import pytest

from eval import fitting
from eval.trees import export, platt, sigmoid
from rag import sure
from rag.learned import NAMES, RISING, Trained


@pytest.fixture(scope="module")
def table() -> fitting.Table:
    chance = np.random.default_rng(1)
    signals = chance.normal(size=(3000, len(NAMES))).astype(np.float32)
    signals[chance.random(signals.shape) < 0.05] = np.nan
    label = (np.nan_to_num(signals[:, 0]) + chance.normal(size=3000) > 1).astype(np.int64)
    number = np.repeat(np.arange(300), 10)
    return fitting.Table(signals, label, number, number % 2, number)


def test_the_exported_model_gives_the_same_probabilities(table, tmp_path):
    import onnxruntime

    booster = fitting.fit(table)
    scale = platt(booster.predict(table.signals, raw_score=True), table.label)
    export(booster, scale, len(NAMES), tmp_path / "x.onnx")
    expected = sigmoid(scale[0] * booster.predict(table.signals, raw_score=True) + scale[1])
    got = onnxruntime.InferenceSession(tmp_path / "x.onnx").run(None, {"signals": table.signals})[0][:, 0]
    assert np.allclose(got, expected, atol=1e-5)


def test_platt_scaling_finds_the_slope_that_made_the_labels():
    raw = np.linspace(-6, 6, 20_000)
    label = (np.random.default_rng(2).random(20_000) < 1 / (1 + np.exp(-(0.5 * raw - 1)))).astype(np.int64)
    assert platt(raw, label) == pytest.approx((0.5, -1), abs=0.1)


def test_auc_by_hand():
    assert fitting.auc(np.array([1, 1, 0, 0]), np.array([0.9, 0.4, 0.4, 0.1])) == 0.875
    assert fitting.auc(np.array([1, 1]), np.array([0.1, 0.2])) == 0.5


def test_the_shipped_model_rises_with_what_can_only_speak_for_a_sentence():
    reader = Trained()
    rows = np.random.default_rng(3).random((200, len(NAMES))).astype(np.float32)
    before = reader._models.last.run(None, {"signals": rows})[0]
    for name in sorted(RISING):
        more = rows.copy()
        more[:, NAMES.index(name)] += 0.5
        assert (reader._models.last.run(None, {"signals": more})[0] >= before - 1e-6).all(), name
    assert 0 < reader.limits.threshold < reader.limits.share < 1


def test_platt_scaling_of_rare_and_well_told_labels_does_not_run_away():
    raw = np.concatenate([np.random.default_rng(4).normal(-5, 1.5, 6000), np.random.default_rng(5).normal(0, 1, 200)])
    label = np.concatenate([np.zeros(6000, np.int64), np.ones(200, np.int64)])
    slope, offset = platt(raw, label)
    assert 0.5 < slope < 5
    assert sigmoid(slope * raw + offset).mean() == pytest.approx(label.mean(), rel=1e-3)


def test_every_signal_is_in_one_group_of_the_ablation():
    assert sorted(name for group in fitting.GROUPS.values() for name in group) == sorted(NAMES)


def test_the_ablation_judges_each_document_by_what_has_not_learned_from_it_and_hides_the_signals(monkeypatch):
    document = np.repeat(np.arange(10), 4)
    table = fitting.Table(np.ones((40, len(NAMES)), np.float32), document * 0, document, document * 0, document)
    learned = []

    class Sum:  # trees over so little would all be one leaf
        def predict(self, told, raw_score):
            assert raw_score
            assert np.isnan(told[:, 0]).all()
            return np.nansum(told, axis=1) + len(learned)

    def fit(some, without):
        assert list(without) == [NAMES[0]]
        learned.append(set(some.document))
        return Sum()

    monkeypatch.setattr(fitting, "fit", fit)
    score = fitting.unseen(table, NAMES[:1], 3)
    for fold, seen in enumerate(learned):
        judged = {d for d, s in zip(document, score, strict=True) if s == len(NAMES) - 1 + fold + 1}
        assert judged == set(range(10)) - seen


def test_a_question_has_all_signals_of_how_sure_it_is_whatever_was_read():
    chance = np.random.default_rng(6)
    for count in (1, 3, 9):
        rows = chance.random((count, len(NAMES))).astype(np.float32)
        rows[0] = np.nan
        logits = chance.normal(size=count)
        found = dict(zip(sure.NAMES, sure.measured(rows, logits), strict=True))
        assert found["logit 1"] == pytest.approx(logits.max())
        assert found["logits together"] >= found["logit 1"]
        told = rows[logits.argmax(), NAMES.index("terms told")]
        assert np.array_equal(found["terms told"], told, equal_nan=True)
    assert found["read 1"] == np.nanmax(rows[:, NAMES.index("read")])


def test_a_reading_is_answered_where_any_sentence_answers(table):
    whole = fitting.by_reading(table, np.nan_to_num(table.signals[:, 0]))
    assert whole.signals.shape == (300, len(sure.NAMES))
    assert whole.label.tolist() == [int(table.label[table.question == n].any()) for n in range(300)]
    assert whole.question.tolist() == list(range(300))
    told = fitting.how_sure(whole, whole.label.astype(np.float64))
    assert told["selqa"] == {"by the best sentence": told["selqa"]["by the best sentence"], "by all of them": 1}
    assert 0.5 < told["selqa"]["by the best sentence"] < 1
