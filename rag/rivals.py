"""Sentences of two documents that say the same with another value, or deny it: outdated, forged, or simply not agreed.

None of them is an echo of the other, and which one is true is not ours to say: both are shown.
"""

from __future__ import annotations

from functools import lru_cache

from index.terms import term, terms, words

_ALIKE = 0.8  # share of the shorter sentence's words that are in the longer one, from which on they say one thing
_COUNTS = """one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million billion half third
quarter twice once noon midnight monday tuesday wednesday thursday friday saturday sunday january february march april
may june july august september october november december
один два три четыре пять шесть семь восемь девять десять двадцать тридцать сорок пятьдесят сто тысяча миллион"""
_NUMBERS = frozenset(term(word) for word in _COUNTS.split())
_DENIALS = frozenset(term(word) for word in "not no never none neither without cannot не нет ни никогда без".split())


def alike(one: str, other: str) -> bool:
    """Whether two sentences hold the same words, but for a few."""
    first, second = _held(one), _held(other)
    return len(first & second) >= _ALIKE * min(len(first), len(second))


def rivals(one: str, other: str, only: bool = False) -> bool:
    """Whether each of two sentences that are otherwise alike tells a number or a name that the other does not.

    Args:
        only: whether all their other words must be the same.

    >>> rivals("The ferry leaves at nine.", "The ferry leaves at seven.")
    True
    >>> rivals("The ferry leaves at nine.", "The ferry leaves at nine in the evening.")
    False
    """
    first, second = _held(one), _held(other)
    mine, yours = _values(one) - second, _values(other) - first
    rest, others = first - mine, second - yours
    if not rest or not others or len(rest & others) < _ALIKE * min(len(rest), len(others)) or (only and rest != others):
        return False
    return bool(mine and yours) or bool(first & _DENIALS) != bool(second & _DENIALS)


@lru_cache(maxsize=2_000)  # each is compared with many others
def _held(text: str) -> frozenset[str]:
    return frozenset(terms(text))


def _values(text: str) -> frozenset[str]:
    """The terms of the numbers and names of a sentence; its first word is a name only where it holds a digit."""
    found = set()
    for n, (start, end) in enumerate(words(text)):
        word = text[start:end]
        held = term(word)
        if word[0].isdigit() or held in _NUMBERS or (n and word[0].isupper()):
            found.add(held)
    return frozenset(found)
