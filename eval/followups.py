"""Follow-up questions without judgements: does a turn find the passages that its rewriting by a person finds?

TREC CAsT comes with rewritten turns and, here, without its passages. So the passages of other sets are searched, and
what is measured is agreement: of the five passages that the rewritten turn finds, the share that the turn itself finds
too, when resolved from its history. It says nothing about whether those passages answer the question.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from eval import stats
from eval.adapters import FollowUp
from eval.cases import Turn
from rag.conversation import Turn as Earlier
from rag.conversation import resolve

TOP = 5
Resolve = Callable[[str, Sequence[Turn]], str]
"""Makes a question stand alone, given the turns before it."""


class Agreement(NamedTuple):
    """How far turns find what their rewritings find.

    Attributes:
        kept: the mean share of the rewriting's first five passages that the turn finds among its own first five.
        same: the share of turns whose first five are the same set.
    """

    turns: int
    kept: float
    interval: stats.Interval
    same: float


def agreement(turns: Sequence[FollowUp], resolve: Resolve, search: Callable[[str], Sequence[str]]) -> Agreement | None:
    """Measure one way of resolving turns; ``None`` where there are none.

    Args:
        search: the ids of the best `TOP` passages for a question.

    >>> turn = FollowUp("1_2", (Turn(question="What is a shark?"),), "Where do they live?", "Where do sharks live?")
    >>> agreement([turn], lambda question, history: question, lambda question: question.split()[:5]).kept
    0.75
    """
    shares = []
    for turn in turns:
        wanted = set(search(turn.rewritten))
        shares.append(len(wanted & set(search(resolve(turn.question, turn.history)))) / max(len(wanted), 1))
    interval = stats.bootstrap(shares, [1] * len(shares))
    if interval is None:
        return None
    return Agreement(
        len(shares), sum(shares) / len(shares), interval, sum(share == 1 for share in shares) / len(shares)
    )


def alone(question: str, history: Sequence[Turn]) -> str:
    """The turn as it is: what is lost without any history."""
    return question


def joined(question: str, history: Sequence[Turn]) -> str:
    """The turn after the questions before it: the plainest use of history.

    >>> joined("Where?", [Turn(question="Who?")])
    'Who? Where?'
    """
    return " ".join([*(turn.question for turn in history), question])


def resolved(question: str, history: Sequence[Turn]) -> str:
    """The turn as this product makes it stand alone."""
    return resolve(question, [Earlier(**turn.model_dump()) for turn in history]).question
