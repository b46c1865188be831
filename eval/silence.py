"""Measures of knowing when to be silent: refusals, confidence, and the reasons given.

A case here is an `Outcome`: whether the documents hold the answer, whether the system answered, whether that answer
was right, and how sure the system was. Shares are returned as the two sums they are made of (`Ratio`), so that a figure
and its interval come from the same numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float64]


class Outcome(NamedTuple):
    """What became of one case.

    Attributes:
        answerable: whether the documents hold the answer.
        answered: whether the system gave an answer; no answer at all is neither answered nor a refusal.
        right: whether the answer given is right; never for a refusal.
        confidence: how sure the system was, from 0 to 1, of the answer that it gave or would have given.
        refused: whether the system said that it cannot answer.
    """

    answerable: bool
    answered: bool
    right: bool
    confidence: float
    refused: bool


class Ratio(NamedTuple):
    """A share as the sums it is made of."""

    of: float
    out_of: float

    @property
    def value(self) -> float | None:
        """The share; ``None`` where there is nothing to take a share of.

        >>> Ratio(1, 4).value, Ratio(0, 0).value
        (0.25, None)
        """
        return self.of / self.out_of if self.out_of else None


def refusal_precision(outcomes: Sequence[Outcome]) -> Ratio:
    """Of the questions refused, the share that the documents do not answer (Rajpurkar et al., 2018, for no-answer).

    >>> refusal_precision([Outcome(False, False, False, 0.1, True), Outcome(True, False, False, 0.2, True)]).value
    0.5
    """
    return Ratio(sum(not each.answerable for each in outcomes if each.refused), sum(each.refused for each in outcomes))


def refusal_recall(outcomes: Sequence[Outcome]) -> Ratio:
    """Of the questions that the documents do not answer, the share refused (source: as `refusal_precision`).

    >>> refusal_recall([Outcome(False, False, False, 0.1, True), Outcome(False, True, False, 0.9, False)]).value
    0.5
    """
    return Ratio(
        sum(each.refused for each in outcomes if not each.answerable), sum(not each.answerable for each in outcomes)
    )


def refusal_f1(outcomes: Sequence[Outcome]) -> Ratio:
    """The harmonic mean of refusal precision and recall, as one ratio of sums: 2TP / (2TP + FP + FN).

    >>> refusal_f1([Outcome(False, False, False, 0.1, True), Outcome(True, False, False, 0.2, True)]).value
    0.6666666666666666
    """
    both = sum(each.refused and not each.answerable for each in outcomes)
    return Ratio(2 * both, sum(each.refused for each in outcomes) + sum(not each.answerable for each in outcomes))


def crag(outcome: Outcome) -> int:
    """The CRAG score of one case: 1 for a right answer, 0 for a refusal or none, -1 for a wrong answer.

    Source: Yang et al., 2024 (CRAG), with "acceptable" counted as right. An answer to a question that the documents do
    not answer is wrong.

    >>> crag(Outcome(True, True, True, 0.9, False)), crag(Outcome(False, True, False, 0.9, False))
    (1, -1)
    >>> crag(Outcome(True, False, False, 0.1, True))
    0
    """
    return (1 if outcome.right and outcome.answerable else -1) if outcome.answered else 0


def crag_score(outcomes: Sequence[Outcome]) -> Ratio:
    """The sum of the CRAG scores of all cases, for each answerable one.

    CRAG takes the mean over all of its questions; with unanswerable ones among them, where a refusal earns 0, the best
    system would then score less than 1. Dividing by the answerable ones keeps 1 for the gold answers and 0 for refusing
    everything; each wrong answer still costs one, wherever it is given, so the score may fall below -1.

    >>> right, refused = Outcome(True, True, True, 0.9, False), Outcome(False, False, False, 0.1, True)
    >>> crag_score([right, refused]).value, crag_score([refused, refused]).value
    (1.0, None)
    """
    return Ratio(sum(crag(each) for each in outcomes), sum(each.answerable for each in outcomes))


class Curve(NamedTuple):
    """Risk against coverage: after the k most confident cases, the coverage k/n and the share of errors among them."""

    coverage: tuple[float, ...]
    risk: tuple[float, ...]


def rows(outcomes: Sequence[Outcome]) -> Rows:
    """Outcomes as an array of shape (cases, 4), for the measures below that are drawn again many times.

    Columns: answerable, answered, right (never for what was not answered or has no answer), confidence.

    >>> rows([Outcome(True, True, True, 0.9, False)]).tolist()
    [[1.0, 1.0, 1.0, 0.9]]
    """
    values = [(each.answerable, each.answered, _right(each), each.confidence) for each in outcomes]
    return np.array(values, dtype=np.float64).reshape(-1, 4)


def risk_coverage(cases: Rows) -> Curve:
    """The risk-coverage curve: the error rate of the most confident share of the cases, for every share.

    Cases are taken by confidence, those answered before those that were not; cases that tie count as their mean, so
    their order in the file does not matter. Every case that did not get a right answer is an error once it is covered:
    to cover a question that has no answer, or one that was refused, is never right. Source: El-Yaniv and Wiener, 2010;
    Geifman and El-Yaniv, 2017.

    >>> sure, unsure = Outcome(True, True, True, 0.9, False), Outcome(True, True, False, 0.4, False)
    >>> risk_coverage(rows([unsure, sure]))
    Curve(coverage=(0.5, 1.0), risk=(0.0, 0.5))
    """
    taken = np.arange(1, len(cases) + 1)
    return Curve(tuple((taken / max(len(cases), 1)).tolist()), tuple(_risk(cases).tolist()))


def aurc(cases: Rows) -> float | None:
    """The area under the risk-coverage curve: the mean of the risk over all coverages; lower is better.

    Source: Geifman, Uziel and El-Yaniv, 2019 (AURC), after Geifman and El-Yaniv, 2017.

    >>> sure, unsure = Outcome(True, True, True, 0.9, False), Outcome(True, True, False, 0.4, False)
    >>> aurc(rows([unsure, sure]))
    0.25
    """
    return float(_risk(cases).mean()) if len(cases) else None


def excess_aurc(cases: Rows) -> float | None:
    """AURC less the AURC of a perfect order of the same answers: what better confidences alone could gain (E-AURC).

    Source: Geifman, Uziel and El-Yaniv, 2019, computed from the curve itself instead of their closed approximation.

    >>> sure, unsure = Outcome(True, True, True, 0.4, False), Outcome(True, True, False, 0.9, False)
    >>> excess_aurc(rows([unsure, sure]))
    0.5
    """
    if not len(cases):
        return None
    perfect = cases.copy()
    perfect[:, 1], perfect[:, 3] = 1.0, cases[:, 2]
    return float(_risk(cases).mean() - _risk(perfect).mean())


def answerability_auc(cases: Rows) -> float | None:
    """The chance that an answerable case has a higher confidence than an unanswerable one, ties counting half.

    The area under the ROC curve by ranks (Mann and Whitney, 1947; Hanley and McNeil, 1982); 0.5 is chance. ``None``
    where either sort is missing.

    >>> answerability_auc(rows([Outcome(True, True, True, 0.9, False), Outcome(False, False, False, 0.2, True)]))
    1.0
    """
    yes = cases[:, 0] > 0
    positive, negative = int(yes.sum()), int((~yes).sum())
    if not positive or not negative:
        return None
    _, place, tied = np.unique(cases[:, 3], return_inverse=True, return_counts=True)
    ranks = (np.cumsum(tied) - (tied - 1) / 2)[place]  # from 1; cases that tie share their mean rank
    return float((ranks[yes].sum() - positive * (positive + 1) / 2) / (positive * negative))


class Bin(NamedTuple):
    """The answers whose confidence lies in one range: how many, their mean confidence, and the share that is right."""

    low: float
    high: float
    size: int
    confidence: float
    right: float


def calibration(cases: Rows, bins: int = 10) -> list[Bin]:
    """The answers given, by confidence in bins of equal width; empty bins are left out.

    Source: reliability diagrams (DeGroot and Fienberg, 1983), binned as in Guo et al., 2017.

    >>> calibration(rows([Outcome(True, True, True, 0.75, False), Outcome(True, True, False, 0.75, False)]))
    [Bin(low=0.7, high=0.8, size=2, confidence=0.75, right=0.5)]
    """
    given = cases[cases[:, 1] > 0]
    places = np.minimum((given[:, 3] * bins).astype(int), bins - 1)
    found = []
    for at in np.unique(places).tolist():
        group = given[places == at]
        confidence, right = float(group[:, 3].mean()), float(group[:, 2].mean())
        found.append(Bin(at / bins, (at + 1) / bins, len(group), confidence, right))
    return found


def calibration_error(cases: Rows, bins: int = 10) -> float | None:
    """The expected calibration error: the mean gap between confidence and share right, over the answers given.

    Source: Naeini, Cooper and Hauskrecht, 2015. ``None`` where nothing was answered.

    >>> calibration_error(rows([Outcome(True, True, True, 0.75, False)]))
    0.25
    """
    filled = calibration(cases, bins)
    total = sum(each.size for each in filled)
    return sum(each.size * abs(each.confidence - each.right) for each in filled) / total if total else None


def reason_table(pairs: Sequence[tuple[str | None, str | None]]) -> dict[str, dict[str, int]]:
    """How often each expected reason met each reason given; ``None`` stands for an answer, on either side.

    >>> table = reason_table([("other_period", "no_evidence"), (None, None), ("other_period", None)])
    >>> table["other_period"]
    {'no_evidence': 1, 'answered': 1}
    """
    table: dict[str, dict[str, int]] = {}
    for expected, given in pairs:
        row = table.setdefault(expected or "answered", {})
        row[given or "answered"] = row.get(given or "answered", 0) + 1
    return table


def _right(outcome: Outcome) -> bool:
    return outcome.answered and outcome.answerable and outcome.right


def _risk(cases: Rows) -> NDArray[np.float64]:
    order = np.lexsort((-cases[:, 3], -cases[:, 1]))
    keys, errors = cases[order][:, (1, 3)], 1 - cases[order][:, 2]
    first = np.ones(len(cases), dtype=bool)
    first[1:] = (keys[1:] != keys[:-1]).any(axis=1)
    group = np.cumsum(first) - 1
    shared = (np.bincount(group, errors) / np.bincount(group))[group] if len(cases) else errors
    risk: NDArray[np.float64] = np.cumsum(shared) / np.arange(1, len(cases) + 1)
    return risk
