"""Follow-ups made to stand alone: what a question leaves out is taken from the turns before it, by rules.

A question that names what it asks about is left as it is. Otherwise the last turn is looked at for what a pronoun, a
place in a list, a bare year or a bare "why" can mean; where it can mean several things, each is given to be asked.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from index.terms import STOP, words
from rag.anaphora import anaphor
from rag.focus import WHEN, Focus, Turn, focused, is_russian, named
from rag.followup import LEAD, tidy, with_topic
from rag.fragments import bare, corrected, fragment, placed
from rag.models import Answer, Resolved
from rag.question import understand

__all__ = ["Turn", "resolve", "turns"]

_DEEPEST = 8  # turns; "it" does not reach further back

_LONGEST_FOLLOW_UP = 300  # characters; a longer question says what it is about


def turns(history: Sequence[Answer | Turn | tuple[str, str | None]]) -> list[Turn]:
    """Earlier answers, or plain pairs of a question and its answer, as turns.

    An answer is taken as the answer to what was understood, which may not be what was typed.

    >>> turns([("Who received grants?", "The school.")])[0].question
    'Who received grants?'
    """
    made = []
    for each in history:
        match each:
            case Turn():
                made.append(each)
            case Answer():
                followed = each.understood is not None
                made.append(Turn(question=each.understood or each.question, answer=each, followed=followed))
            case (question, answer):
                made.append(Turn(question=question, answer=answer))
    return made


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
    focus: Focus | None = None
    for turn in history[-_DEEPEST:]:
        earlier = turn.question[-2000:]
        if earlier.strip():
            told = _resolved(earlier, focus)
            # What could not be tied to anything does not change what is spoken of.
            loose = LEAD.match(earlier) and not told.carried and not named(understand(earlier))
            if not told.choices and not (focus and loose):
                focus = focused(told.question, turn.answer, focus, turn.followed or bool(told.carried))
    return _resolved(question, focus)


def _resolved(question: str, focus: Focus | None) -> Resolved:
    plain = understand(question).text
    if focus is None or len(plain) > _LONGEST_FOLLOW_UP:
        return Resolved(question=plain)
    text, years = _dated(plain, focus)
    for rule in _RULES:
        found = rule(text, focus)
        if found is not None:
            carried = tuple(dict.fromkeys((*years, *found.carried)))
            return found.model_copy(update={"question": tidy(found.question), "carried": carried})
    return Resolved(question=tidy(text), carried=years) if years else Resolved(question=plain)


_STANDS = r"(?=\s*(?:[?.!,;]|$))"

_COUNT = {"a": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "2": 2, "3": 3, "4": 4, "5": 5}

_EARLIER = re.compile(
    rf"(?:\b(?:in|for|of)\s+)?(?:\bthe\s+(?:previous|preceding|prior)\s+year\b|"
    rf"(?:\bthe\s+)?\b(?:(?P<n>a|one|two|three|four|five|[2-5])\s+)?years?\s+(?:earlier|before|"
    rf"prior)(?:\s+(?:that|then|it))?{_STANDS}|"
    r"(?:\bв\s+)?\b(?:предыдущ|прошл)\w+\s+год\w*|\bгодом\s+(?:ранее|раньше)|\b(?:за\s+)?год\s+до\s+(?:этого|того))",
    re.IGNORECASE,
)

_LATER = re.compile(
    rf"(?:\b(?:in|for|of)\s+)?(?:\bthe\s+(?:following|next|subsequent)\s+year\b|"
    rf"(?:\bthe\s+)?\b(?:(?P<n>a|one|two|three|four|five|[2-5])\s+)?years?\s+(?:later|after|on)(?:\s+(?:that|"
    rf"then|it))?{_STANDS}|"
    r"(?:\bв\s+)?\bследующ\w+\s+год\w*|\bгодом\s+позже|\bчерез\s+год)",
    re.IGNORECASE,
)

_THEN = re.compile(
    rf"\b(?:in|for|during)\s+(?:that|the same)\s+(?:same\s+)?year\b|\b(?:that|the same) year\b|\bat (?:that|"
    rf"the) time{_STANDS}|"
    rf"\bback then\b|\bthen{_STANDS}|\bв (?:том|этом)(?: же)? году\b|\bтогда(?=\s*[?.!]|$)",
    re.IGNORECASE,
)


def _dated(text: str, focus: Focus) -> tuple[str, tuple[str, ...]]:
    """A question with "the year before" and the like as years, and those that were carried over."""
    if focus.year is None or WHEN.search(text):
        return text, ()
    for pattern, step in ((_EARLIER, -1), (_LATER, 1), (_THEN, 0)):
        place = pattern.search(text)
        if place:
            many = _COUNT.get((place.groupdict().get("n") or "one").lower(), 1)
            year = str(focus.year + step * many)
            said = f"в {year} году" if is_russian(text) else f"in {year}"
            return f"{text[: place.start()]}{said}{text[place.end() :]}", (year,)
    return text, ()


_ASKS_GENERALLY = re.compile(
    r"\b(?:an?|any|every|each|all|people|world|you|your|i|my|we|our)\b|^(?:what|who|что|кто) (?:is|are|means|"
    r"такое|такой|такая)\s+(?!the\b)|"
    r"\bmean(?:s|ing)?\b|\bdefine\b|^(?:list|tell|explain|describe|write|hello|hi|thanks|thank)\b",
    re.IGNORECASE,
)


def _implicit(text: str, focus: Focus) -> Resolved | None:
    lead = LEAD.match(text)
    rest = text[lead.end() :] if lead else text
    # A word before it keeps the first word from being taken for a name.
    if (
        named(understand(f"about {rest[:1].lower()}{rest[1:]}"))
        or any(c in text for c in '"“«')
        or _ASKS_GENERALLY.search(rest)
    ):
        return None
    told = [w for w in (rest[a:b].casefold() for a, b in words(rest)) if w not in STOP and not w.isdigit()]
    definite = re.search(r"\bthe\b", rest, re.IGNORECASE)
    most = 3 if re.match(r"how (?:many|much)\b|сколько\b", rest, re.IGNORECASE) else 2 if definite or lead else 1
    if len(told) > most or len(words(rest)) < 2:
        return None
    return with_topic(rest, focus)


_RULES = (corrected, bare, fragment, placed, anaphor, _implicit)
