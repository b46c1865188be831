"""Measures of refusals and of confidence, worked out by hand."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.silence import (
    Outcome,
    answerability_auc,
    aurc,
    calibration,
    calibration_error,
    crag_score,
    excess_aurc,
    reason_table,
    refusal_f1,
    refusal_precision,
    refusal_recall,
    risk_coverage,
    rows,
)


def right(confidence: float = 0.9) -> Outcome:
    return Outcome(True, True, True, confidence, False)


def wrong(confidence: float = 0.6) -> Outcome:
    return Outcome(True, True, False, confidence, False)


def refused(confidence: float = 0.2, *, answerable: bool) -> Outcome:
    return Outcome(answerable, False, False, confidence, True)


def invented(confidence: float = 0.7) -> Outcome:
    """An answer to a question that has none."""
    return Outcome(False, True, False, confidence, False)


NOTHING = Outcome(True, False, False, 0.0, False)
outcomes = st.lists(
    st.one_of(
        st.builds(right, st.floats(0, 1)),
        st.builds(wrong, st.floats(0, 1)),
        st.builds(refused, st.floats(0, 1), answerable=st.booleans()),
        st.builds(invented, st.floats(0, 1)),
    ),
    min_size=1,
    max_size=30,
)


def test_refusals_by_hand() -> None:
    run = [right(), wrong(), refused(answerable=True), refused(answerable=False), refused(answerable=False), invented()]
    assert refusal_precision(run).value == pytest.approx(2 / 3)
    assert refusal_recall(run).value == pytest.approx(2 / 3)
    assert refusal_f1([*run, refused(answerable=True)]).value == pytest.approx(2 * 2 / (4 + 3))


def test_no_answer_is_no_refusal() -> None:
    assert refusal_precision([NOTHING]).value is None
    assert crag_score([NOTHING, right()]).value == 0.5
    assert aurc(rows([NOTHING])) == 1.0


def test_crag_by_hand() -> None:
    # 2 right, 1 wrong, 1 refused of 4 answerable, 1 invented of 2 others: (2 - 1 - 1) / 4.
    run = [right(), right(), wrong(), refused(answerable=True), invented(), refused(answerable=False)]
    assert crag_score(run).value == 0.0
    assert crag_score([refused(answerable=True), refused(answerable=False)]).value == 0.0
    assert crag_score([right(), refused(answerable=False)]).value == 1.0
    assert crag_score([invented(), invented(), wrong()]).value == -3.0


def test_the_curve_by_hand() -> None:
    curve = risk_coverage(rows([right(0.9), wrong(0.8), right(0.7), refused(0.99, answerable=False)]))
    assert curve.coverage == (0.25, 0.5, 0.75, 1.0)
    assert curve.risk == pytest.approx((0.0, 1 / 2, 1 / 3, 1 / 2))  # what was refused comes last, however sure
    assert aurc(rows([right(0.9), wrong(0.8)])) == 0.25
    assert excess_aurc(rows([right(0.9), wrong(0.8)])) == 0.0


def test_cases_that_tie_count_as_their_mean() -> None:
    assert risk_coverage(rows([right(0.5), wrong(0.5)])).risk == (0.5, 0.5)


@given(outcomes, st.randoms(use_true_random=False))
def test_the_order_of_cases_does_not_matter(run: list[Outcome], generator: random.Random) -> None:
    shuffled = run.copy()
    generator.shuffle(shuffled)
    assert aurc(rows(shuffled)) == pytest.approx(aurc(rows(run)))
    assert calibration_error(rows(shuffled)) == pytest.approx(calibration_error(rows(run)))


@given(outcomes)
def test_a_perfect_order_leaves_nothing_to_save(run: list[Outcome]) -> None:
    perfect = [each._replace(confidence=float(each.right)) for each in run if each.answered]
    assert not perfect or excess_aurc(rows(perfect)) == pytest.approx(0.0)
    assert excess_aurc(rows(run)) >= -1e-9


@given(outcomes)
def test_the_area_under_the_roc_against_another_implementation(run: list[Outcome]) -> None:
    from sklearn.metrics import roc_auc_score  # a second that only this test pays

    ours = answerability_auc(rows(run))
    labels = [each.answerable for each in run]
    if len(set(labels)) < 2:
        assert ours is None
    else:
        assert ours == pytest.approx(roc_auc_score(labels, [each.confidence for each in run]))


def test_calibration_by_hand() -> None:
    run = [right(0.95), right(0.91), wrong(0.99), wrong(0.15), refused(0.5, answerable=True)]
    low, high = calibration(rows(run))
    assert (low.size, low.right) == (1, 0.0)
    assert (high.size, high.right) == (3, pytest.approx(2 / 3))
    assert calibration_error(rows(run)) == pytest.approx((0.15 + 3 * (0.95 - 2 / 3)) / 4)
    assert calibration_error(rows([refused(answerable=True)])) is None
    assert calibration(rows([right(1.0)]))[0].high == 1.0


def test_reasons() -> None:
    table = reason_table(
        [(None, None), ("other_period", "other_period"), ("other_period", "no_evidence"), (None, "no_evidence")]
    )
    assert table == {
        "answered": {"answered": 1, "no_evidence": 1},
        "other_period": {"other_period": 1, "no_evidence": 1},
    }
