"""How sure a figure is: bootstrap intervals, and paired tests of two runs over the same cases.

A figure is a ratio of sums over cases (`of` / `out_of`); a plain mean has ``out_of`` 1 for every case. Cases are what
is drawn again, so that a case with many citations stays one case. Everything is seeded: the same numbers give the same
interval.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SAMPLES = 2000
LEVEL = 0.95
SEED = 20240601

Floats = NDArray[np.float64]


class Interval(NamedTuple):
    """The bounds of a confidence interval; the level is `LEVEL`."""

    low: float
    high: float


class Comparison(NamedTuple):
    """One run less another on the same cases.

    Attributes:
        difference: the figure of the second run less that of the first.
        interval: of the difference, by paired bootstrap.
        p: the two-sided probability of a difference as large by chance, by paired randomisation.
    """

    difference: float
    interval: Interval
    p: float


def ratio(of: Sequence[float], out_of: Sequence[float]) -> float | None:
    """The sum of one over the sum of the other; ``None`` where that is a share of nothing.

    >>> ratio([1, 0, 1], [1, 1, 2])
    0.5
    """
    total = float(sum(out_of))
    return float(sum(of)) / total if total else None


def bootstrap(of: Sequence[float], out_of: Sequence[float], seed: int = SEED) -> Interval | None:
    """The percentile bootstrap interval of a ratio of sums over cases; ``None`` where the ratio is.

    Source: Efron, 1979; Efron and Tibshirani, 1993, chapter 13. Samples that draw no denominator are left out.

    >>> bootstrap([1, 1, 1], [1, 1, 1])
    Interval(low=1.0, high=1.0)
    """
    if ratio(of, out_of) is None:
        return None
    sums = _resampled(np.array([of, out_of], dtype=np.float64), np.random.default_rng(seed))
    return _percentiles(sums[0], sums[1])


def bootstrap_of(cases: Floats, statistic: Callable[[Floats], float | None], seed: int = SEED) -> Interval | None:
    """The percentile bootstrap interval of any statistic of the rows of an array; ``None`` where it has no value.

    For what is no ratio of sums, such as an area under a curve; half the usual samples, being slower.
    """
    if not len(cases) or statistic(cases) is None:
        return None
    generator = np.random.default_rng(seed)
    drawn = (statistic(cases[generator.integers(0, len(cases), len(cases))]) for _ in range(SAMPLES // 2))
    values = [value for value in drawn if value is not None]
    return _percentiles(np.array(values), np.ones(len(values))) if values else None


def compare(
    first: tuple[Sequence[float], Sequence[float]], second: tuple[Sequence[float], Sequence[float]], seed: int = SEED
) -> Comparison | None:
    """Compare a figure of two runs over the same cases in the same order; ``None`` where either has no value.

    The p value swaps the two runs' scores of a case at random (approximate randomisation: Noreen, 1989; Smucker et al.,
    2007) and counts the observed order among the random ones, so that it is never 0 (Phipson and Smyth, 2010).

    >>> result = compare(([0, 0, 1, 0], [1] * 4), ([0, 0, 1, 0], [1] * 4))
    >>> result.difference, result.p
    (0.0, 1.0)
    """
    before, after = ratio(*first), ratio(*second)
    if before is None or after is None:
        return None
    generator = np.random.default_rng(seed)
    columns = np.array([*first, *second], dtype=np.float64)
    sums = _resampled(columns, generator)
    usable = (sums[1] > 0) & (sums[3] > 0)
    differences = sums[2][usable] / sums[3][usable] - sums[0][usable] / sums[1][usable]
    swapped = _swapped(columns, generator)
    usable = (swapped[1] > 0) & (swapped[3] > 0)
    chance = swapped[2][usable] / swapped[3][usable] - swapped[0][usable] / swapped[1][usable]
    observed = abs(after - before)
    p = (1 + int(np.sum(np.abs(chance) >= observed - 1e-12))) / (1 + len(chance))
    return Comparison(after - before, _percentiles(differences, np.ones(len(differences))), p)


def percentile(values: Sequence[float], share: float) -> float | None:
    """The value below which a share of the values lies, between neighbours in proportion; ``None`` for no values.

    >>> percentile([10, 20, 30], 0.5), percentile([10, 20, 30], 0.95)
    (20.0, 29.0)
    """
    return float(np.quantile(np.array(values, dtype=np.float64), share)) if values else None


def _resampled(columns: Floats, generator: np.random.Generator) -> Floats:
    """The sums of each column, for `SAMPLES` draws of the cases with replacement: ``(columns, SAMPLES)``."""
    cases = columns.shape[1]
    parts = []
    for _ in range(SAMPLES // 100):  # a hundred at a time, so that thousands of cases stay small in memory
        counts = generator.multinomial(cases, np.full(cases, 1 / cases), size=100)
        parts.append(columns @ counts.T)
    return np.concatenate(parts, axis=1)


def _swapped(columns: Floats, generator: np.random.Generator) -> Floats:
    """The sums of each column, for `SAMPLES` random exchanges of the first run's scores with the second's."""
    cases = columns.shape[1]
    moved = columns[2:] - columns[:2]
    totals = columns.sum(axis=1)
    parts = []
    for _ in range(SAMPLES // 100):
        exchanged = moved @ generator.integers(0, 2, size=(100, cases)).T
        parts.append(np.concatenate([totals[:2, None] + exchanged, totals[2:, None] - exchanged]))
    return np.concatenate(parts, axis=1)


def _percentiles(of: Floats, out_of: Floats) -> Interval:
    values = of[out_of > 0] / out_of[out_of > 0]
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return Interval(float(low), float(high))
