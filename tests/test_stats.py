"""Intervals and paired tests: repeatable, and right where the answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.stats import bootstrap, bootstrap_of, compare, percentile, ratio

shares = st.lists(st.floats(0, 1), min_size=1, max_size=40)


def test_the_interval_of_a_coin() -> None:
    # 60 of 100: the normal approximation gives 0.6 ± 1.96 * sqrt(.24/100) = [.504, .696].
    low, high = bootstrap([1] * 60 + [0] * 40, [1] * 100)
    assert low == pytest.approx(0.504, abs=0.015)
    assert high == pytest.approx(0.696, abs=0.015)


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    generator = np.random.default_rng(5)
    covered = 0
    for trial in range(200):
        low, high = bootstrap(generator.binomial(1, 0.3, 80).tolist(), [1] * 80, seed=trial)
        covered += low <= 0.3 <= high
    assert covered / 200 > 0.9


def test_a_ratio_of_sums_is_not_a_mean_of_ratios() -> None:
    of, out_of = [1, 9], [1, 99]
    assert ratio(of, out_of) == pytest.approx(0.1)
    low, high = bootstrap(of, out_of)
    assert (low, high) == (pytest.approx(9 / 99), 1.0)


def test_nothing_has_no_interval() -> None:
    assert bootstrap([], []) is None
    assert bootstrap([0, 0], [0, 0]) is None
    assert bootstrap_of(np.zeros((0, 1)), len) is None
    assert compare(([], []), ([], [])) is None


@given(shares)
def test_the_same_numbers_give_the_same_interval_around_the_value(values: list[float]) -> None:
    ones = [1] * len(values)
    interval = bootstrap(values, ones)
    assert interval == bootstrap(values, ones)
    assert min(values) - 1e-9 <= interval.low <= interval.high <= max(values) + 1e-9


def test_any_statistic_can_have_an_interval() -> None:
    low, high = bootstrap_of(np.arange(1.0, 6.0), lambda sample: float(np.median(sample)))
    assert 1.0 <= low < 3.0 < high <= 5.0


def test_equal_runs_do_not_differ() -> None:
    run = ([0, 1, 1, 0], [1, 1, 1, 1])
    result = compare(run, run)
    assert (result.difference, result.p) == (0.0, 1.0)
    assert result.interval == (0.0, 0.0)


def test_a_better_run_is_seen() -> None:
    before, after = [0] * 20 + [1] * 20, [1] * 38 + [0] * 2
    result = compare((before, [1] * 40), (after, [1] * 40))
    assert result.difference == pytest.approx(0.45)
    assert result.p < 0.01
    assert result.interval.low > 0
    back = compare((after, [1] * 40), (before, [1] * 40))
    assert back.difference == pytest.approx(-0.45)


def test_the_p_value_of_one_change_by_hand() -> None:
    # One case differs: half of all exchanges give +1/4, half -1/4, each as large as observed.
    result = compare(([0, 1, 1, 1], [1] * 4), ([1, 1, 1, 1], [1] * 4))
    assert result.p == 1.0


def test_chance_is_rarely_called_a_difference() -> None:
    generator = np.random.default_rng(11)
    small = 0
    for trial in range(100):
        first, second = generator.binomial(1, 0.5, (2, 50)).tolist()
        small += compare((first, [1] * 50), (second, [1] * 50), seed=trial).p < 0.05
    assert small <= 12


def test_percentiles() -> None:
    assert percentile([], 0.5) is None
    assert percentile([3.0], 0.95) == 3.0
