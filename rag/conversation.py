"""Follow-ups made to stand alone: what a question leaves out is taken from the turns before it, by rules.

A question that names what it asks about is left as it is. Otherwise the last turn is looked at for what a pronoun, a
place in a list, a bare year or a bare "why" can mean; where it can mean several things, all are returned to be asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from index.models import Model
from index.terms import STOP, content_terms, words
from rag.models import Answer
from rag.names import Mention, mentions, same
from rag.periods import periods
from rag.question import Question, understand

_DEEPEST = 8  # turns; what was said before them is not meant by "it"
_MOST_CHOICES = 5
_LONGEST_FOLLOW_UP = 300  # characters; a longer question says what it is about
_READ = 1200  # characters of an answer in which names are looked for


class Turn(Model):
    """An earlier question, as it was asked or as it was understood, with its answer where there is one."""

    question: str
    answer: Answer | str | None = None


class Resolved(Model):
    """A question that stands alone.

    Attributes:
        question: the question to answer; the one that was asked where nothing had to be carried over.
        carried: the words that were taken from earlier turns; empty for a new topic.
        choices: questions that each may be meant, where it can't be told which: to be asked, not guessed.
    """

    question: str
    carried: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()


class _Focus(NamedTuple):
    """What the conversation is about after a turn.

    Attributes:
        asked: the turn's question, standing alone.
        names: in the question.
        topic: what the question is about, in its words.
        found: names that its answer gave and the question did not hold.
        listed: the entries of the last list that was given, in order.
        year: the last single year asked about or, where none was, told; ``before``: the one asked about before it.
        title: of the document that was cited first.
    """

    asked: Question
    names: tuple[str, ...]
    topic: str
    found: tuple[str, ...]
    listed: tuple[str, ...]
    year: int | None
    before: int | None
    title: str | None


def resolve(question: str, history: Sequence[Turn]) -> Resolved:
    """Make a question stand alone, given the turns before it, oldest first.

    Raises:
        UsageError: the question is empty or far too long.

    >>> first = Turn(question="How much did NED give Vlast Media Group in 2021?")
    >>> resolve("And in 2020?", [first]).question
    'How much did NED give Vlast Media Group in 2020?'
    >>> resolve("Who chairs the Dialogue Platform?", [first]).carried
    ()
    """
    focus: _Focus | None = None
    for turn in history[-_DEEPEST:]:
        if turn.question.strip():
            told = _resolved(turn.question[-2000:], focus)
            if not told.choices:
                focus = _focused(told, turn.answer, focus)
    return _resolved(question, focus)


def _resolved(text: str, focus: _Focus | None) -> Resolved:
    asked = understand(text)
    if focus is None or len(asked.text) > _LONGEST_FOLLOW_UP:
        return Resolved(question=asked.text)
    for rule in (_corrected, _fragment, _bare, _placed, _anaphor, _implicit):
        found = rule(asked, focus)
        if found is not None:
            return found
    return Resolved(question=asked.text)


# What the conversation is about


def _focused(told: Resolved, answer: Answer | str | None, last: _Focus | None) -> _Focus:
    asked = understand(told.question)
    names = _named(asked)
    reply, listed, title = _told(answer)
    found = tuple(
        m.text for m in mentions(reply) if not any(same(m.text, n) for n in names) and _YEAR.search(m.text) is None
    )
    found = tuple(dict.fromkeys(found))
    if not listed and asked.kind in ("list", "largest", "count") and len(found) > 1:
        listed = found
    years = [p.first for p in asked.periods if p.first == p.last] or (
        [p.first for p in periods(reply) if p.first == p.last] if last is None or not told.carried else []
    )
    year = years[-1] if years else (last.year if last and told.carried else None)
    before = last.year if last and told.carried and last.year != year else None
    topic = _about(asked, names)
    if last and told.carried and last.topic and not (set(names) - set(last.names)):
        topic = last.topic if not names else topic
    kept = listed or (last.listed if last and told.carried else ())
    return _Focus(asked, names, topic, found, kept, year, before, title)


def _told(answer: Answer | str | None) -> tuple[str, tuple[str, ...], str | None]:
    """An answer's words, the entries it listed, and the title of what it cited first."""
    if answer is None:
        return "", (), None
    if isinstance(answer, str):
        return answer[:_READ], (), None
    if answer.status == "refused":
        return "", (), None
    title = next((c.title for c in answer.citations if c.title), None)
    return " ".join(c.text for c in answer.claims)[:_READ], tuple(row.name for row in answer.rows), title


def _named(asked: Question) -> tuple[str, ...]:
    """The names of a question, without a possessive and without those that only say where."""
    kept = []
    for name in asked.names:
        bare = re.sub(r"['’]s?$", "", name)
        first, _, rest = bare.partition(" ")
        if first.casefold() in STOP and first.casefold() != "the":
            bare = rest
        if len(bare) > 1 and bare.casefold() not in STOP and not _PLACE_BEFORE(bare).search(asked.text):
            kept.append(bare)
    return tuple(dict.fromkeys(kept))


def _PLACE_BEFORE(name: str) -> re.Pattern[str]:  # noqa: N802
    return re.compile(rf"\b(?:in|at|near|along|around|across|from|в|во|на)\s+(?:the\s+)?{re.escape(name)}\b(?!\s+[a-z]+ly)")
