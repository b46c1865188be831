"""Which names stand for one thing: those of a list are put together where they do."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from rag.names import acronym, key, same

Aliases = Sequence[tuple[str, str]]


def one(name: str, other: str, aliases: Aliases) -> bool:
    """Whether two names stand for one thing, by themselves or by an alias."""
    return same(name, other) or any(
        (same(name, a) and same(other, b)) or (same(name, b) and same(other, a)) for a, b in aliases
    )


def together(names: Sequence[str], aliases: Aliases = ()) -> list[list[int]]:
    """The places of names that stand for one thing, in the order in which they first appear.

    A short name belongs to the long one that it shortens; where it may shorten several that are not one thing
    themselves ("Youth Centre" beside those of two towns), it stands for itself.
    """
    distinct = list(dict.fromkeys(names))
    shortened = _shortened(distinct)
    equal = _Sets(len(distinct))
    by_key: dict[object, list[int]] = defaultdict(list)
    for at, name in enumerate(distinct):
        by_key[key(name) or name].append(at)
    for alike in by_key.values():
        equal.join(alike)
    for a, b in aliases:
        ends = [by_key.get(key(end)) or [at for at, name in enumerate(distinct) if same(name, end)] for end in (a, b)]
        if all(ends):
            equal.join([ends[0][0], *ends[1]])
            equal.join([ends[1][0], *ends[0]])
    # From the longest to the shortest, so that the names which one may shorten are already put together.
    for at in sorted(range(len(distinct)), key=lambda at: -len(distinct[at])):
        if len({equal.of(longer) for longer in shortened[at]}) == 1:
            equal.join([at, *shortened[at]])
    found: dict[int, list[int]] = {}
    number = {name: at for at, name in enumerate(distinct)}
    for place, name in enumerate(names):
        found.setdefault(equal.of(number[name]), []).append(place)
    return list(found.values())


def _shortened(names: Sequence[str]) -> list[list[int]]:
    """For each name the longer ones that it may stand for: they hold all its terms, or it is their initials."""
    keys = [key(name) for name in names]
    holding: dict[str, set[int]] = defaultdict(set)
    initials: dict[str, set[int]] = defaultdict(set)
    for at, (name, terms) in enumerate(zip(names, keys, strict=True)):
        for term in terms:
            holding[term].add(at)
        letters = acronym(name)
        for begin in range(len(letters) - 1):
            initials[letters[begin:]].add(at)
    found = []
    for at, (name, terms) in enumerate(zip(names, keys, strict=True)):
        longer: set[int] = set()
        if len(terms) > 1:
            holders = sorted((holding[term] for term in terms), key=len)
            longer = {other for other in set.intersection(*holders) if terms < keys[other]}
        if len(name) > 1 and name.isupper():
            longer |= initials[name] - {at}
        found.append(sorted(longer))
    return found


class _Sets:
    """Disjoint sets of numbers; Galler and Fischer, "An improved equivalence algorithm", 1964."""

    def __init__(self, count: int) -> None:
        self._parent = list(range(count))

    def of(self, number: int) -> int:
        """The number that stands for the set of a number."""
        while self._parent[number] != number:
            self._parent[number] = number = self._parent[self._parent[number]]
        return number

    def join(self, numbers: Sequence[int]) -> None:
        """Make one set of the sets of some numbers."""
        for number in numbers[1:]:
            self._parent[self.of(number)] = self.of(numbers[0])
