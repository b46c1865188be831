"""Gold quotes with one thing changed, and in other guises that change nothing: what a checker must tell apart."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from typing import NamedTuple

from rag.names import mentions

CHANGES = ("digit", "year", "currency", "name", "negation", "unit")
GUISES = ("as it is", "line break", "typographic signs", "first clause")

_MONTHS = "January February March April May June July August September October November December".split()
_YEAR = re.compile(r"(?<![\d,.])(?:19|20)\d{2}(?![\d,]|\.\d)")
_DIGIT = re.compile(r"\d")
_CURRENCIES = {
    "$": "€£₸", "€": "$£₸", "£": "$€₸", "₸": "$€£",
    "USD": ("EUR", "GBP"), "EUR": ("USD", "GBP"), "GBP": ("USD", "EUR"), "KZT": ("USD", "EUR"),
    "dollars": ("euros", "pounds"), "euros": ("dollars", "pounds"), "pounds": ("dollars", "euros"),
    "tenge": ("dollars", "roubles"), "фунтов": ("евро", "долларов"), "евро": ("долларов", "фунтов"),
    "долларов": ("евро", "тенге"), "тенге": ("рублей", "долларов"),
}  # fmt: skip
_CURRENCY = re.compile("|".join(re.escape(c) if len(c) == 1 else rf"\b{c}\b" for c in _CURRENCIES))
_UNITS = (
    ("thousand", "million", "billion"), ("тысяч", "миллионов", "миллиардов"), ("тыс", "млн", "млрд"),
    ("per cent", "thousand"), ("percent", "million"), ("%", " million"), ("days", "weeks", "months", "years"),
    ("hours", "days"), ("kilometres", "miles"), ("metres", "kilometres"),
)  # fmt: skip
_NEGATED = re.compile(r"\b(?:not|never|no|не|нет|ни)\b\s*", re.IGNORECASE)
_VERB = re.compile(r"\b(?:was|were|is|are|has|had|have|will|can|could|did|would|был[аио]?)\b")
_CURLY = {"'": "’", "-": "–"}


class Pair(NamedTuple):
    """A claim and the quote that it is checked against; ``kind`` is one of `CHANGES` or of `GUISES`."""

    kind: str
    quote: str
    claim: str


def changes(quotes: Sequence[str], wanted: int, seed: int = 20) -> list[Pair]:
    """So many different claims, as evenly of each kind as can be, each a quote with one thing changed.

    >>> [pair.claim for pair in changes(["It got $5."], 1)]
    ['It got $2.']
    """
    chance = random.Random(seed)
    names = sorted({m.text for q in quotes for m in mentions(q) if m.text[0].isupper() and " " in m.text})
    able = {kind: [q for q in quotes if changed(kind, q, random.Random(1), names)] for kind in CHANGES}
    kinds = [kind for kind in CHANGES if able[kind]]
    found: set[Pair] = set()
    for number in range(40 * wanted if kinds else 0):
        if len(found) >= wanted:
            break
        kind = kinds[number % len(kinds)]
        quote = chance.choice(able[kind])
        other = changed(kind, quote, chance, names)
        if other and " ".join(other.split()) != " ".join(quote.split()):
            found.add(Pair(kind, quote, " ".join(other.split())))
    return sorted(found)


def guises(quotes: Sequence[str], seed: int = 20) -> list[Pair]:
    """Each quote as it is, and in every guise that it can have."""
    chance = random.Random(seed)
    pairs = []
    for quote in quotes:
        text = " ".join(quote.split())
        blanks = [m.start() for m in re.finditer(" ", text)]
        broken = chance.choice(blanks) if blanks else 0
        forms = {
            "as it is": text,
            "line break": f"{text[:broken]}\n{text[broken + 1 :]}" if blanks else text,
            "typographic signs": re.sub("['-]", lambda sign: _CURLY[sign[0]], text),
            "first clause": re.split(r"[,;:](?=\s)", text)[0],
        }
        pairs.append(Pair("as it is", quote, text))
        pairs += [Pair(k, quote, c) for k, c in forms.items() if c != text and len(c.split()) > 3]
    return pairs


def changed(kind: str, text: str, chance: random.Random, names: Sequence[str]) -> str | None:  # noqa: PLR0912
    """The text with one thing of a kind changed, names for one of those given; ``None`` where it has none."""
    match kind:
        case "digit":
            years = [m.span() for m in _YEAR.finditer(text)]
            places = [m for m in _DIGIT.finditer(text) if not any(a <= m.start() < b for a, b in years)]
            if places:
                place = chance.choice(places)
                return _put(text, place, chance.choice([d for d in "123456789" if d != place[0]]))
        case "year":
            places = list(_YEAR.finditer(text))
            if places:
                place = chance.choice(places)
                return _put(text, place, str(int(place[0]) + chance.choice((-10, -2, -1, 1, 2, 10))))
        case "currency":
            places = list(_CURRENCY.finditer(text))
            if places:
                place = chance.choice(places)
                return _put(text, place, chance.choice(_CURRENCIES[place[0]]))
        case "name":
            named = [m for m in mentions(text) if not any(month in m.text for month in _MONTHS)]
            others = [n for n in names if not set(n.split()) & set(text.split())]
            if named and others:
                old, other = chance.choice(named), chance.choice(others)
                return f"{text[: old.start]}{other}{text[old.end :]}"
        case "negation":
            places = list(_NEGATED.finditer(text))
            if len(places) == 1:
                return _put(text, places[0], "")
            places = list(_VERB.finditer(text))
            if places and not _NEGATED.search(text):
                place = chance.choice(places)
                return _put(text, place, f"не {place[0]}" if place[0][0] in "бы" else f"{place[0]} not")
        case "unit":
            for units in chance.sample(_UNITS, len(_UNITS)):
                places = [m for u in units for m in re.finditer(rf"(?<![^\W\d_]){re.escape(u)}(?![^\W\d_])", text)]
                if places:
                    place = chance.choice(places)
                    return _put(text, place, chance.choice([u for u in units if u != place[0]]))
    return None


def _put(text: str, match: re.Match[str], new: str) -> str:
    return f"{text[: match.start()]}{new}{text[match.end() :]}"
