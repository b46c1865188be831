"""Gold sentences with one thing changed: how many of them pass, by kind, beside plain matching."""

# ruff: noqa: S311, T201

import random
import re
from collections import Counter
from pathlib import Path

import pytest
from rapidfuzz.fuzz import ratio

from eval.cases import read_cases
from rag.claims import Checker
from rag.names import mentions
from rag.verify import missing

CASES = Path(__file__).parents[1] / "corpus" / "cases.jsonl"
WANTED = 10_000
FUZZY = 80  # of 100, the usual threshold
KINDS = ("digit", "year", "currency", "name", "negation", "unit")
MONTHS = "January February March April May June July August September October November December".split()
YEAR = re.compile(r"(?<![\d,.])(?:19|20)\d{2}(?![\d,]|\.\d)")
DIGIT = re.compile(r"\d")
CURRENCIES = {
    "$": "€£₸", "€": "$£₸", "£": "$€₸", "₸": "$€£",
    "USD": ("EUR", "GBP"), "EUR": ("USD", "GBP"), "GBP": ("USD", "EUR"), "KZT": ("USD", "EUR"),
    "dollars": ("euros", "pounds"), "euros": ("dollars", "pounds"), "pounds": ("dollars", "euros"),
    "tenge": ("dollars", "roubles"), "фунтов": ("евро", "долларов"), "евро": ("долларов", "фунтов"),
    "долларов": ("евро", "тенге"), "тенге": ("рублей", "долларов"),
}  # fmt: skip
CURRENCY = re.compile("|".join(re.escape(c) if len(c) == 1 else rf"\b{c}\b" for c in CURRENCIES))
UNITS = (
    ("thousand", "million", "billion"), ("тысяч", "миллионов", "миллиардов"), ("тыс", "млн", "млрд"),
    ("per cent", "thousand"), ("percent", "million"), ("%", " million"), ("days", "weeks", "months", "years"),
    ("hours", "days"), ("kilometres", "miles"), ("metres", "kilometres"),
)  # fmt: skip
NEGATED = re.compile(r"\b(?:not|never|no|не|нет|ни)\b\s*", re.IGNORECASE)
VERB = re.compile(r"\b(?:was|were|is|are|has|had|have|will|can|could|did|would|был[аио]?)\b")


def gold():
    """Each gold sentence of the cases, once."""
    return list(dict.fromkeys(g.quote for case in read_cases(CASES) for g in case.gold))


def put(text, match, new):
    return f"{text[: match.start()]}{new}{text[match.end() :]}"


def changed(kind, text, chance, names):  # noqa: PLR0912
    """The text with one thing of a kind changed; ``None`` where it has none."""
    match kind:
        case "digit":
            years = [m.span() for m in YEAR.finditer(text)]
            places = [m for m in DIGIT.finditer(text) if not any(a <= m.start() < b for a, b in years)]
            if places:
                place = chance.choice(places)
                return put(text, place, chance.choice([d for d in "123456789" if d != place[0]]))
        case "year":
            places = list(YEAR.finditer(text))
            if places:
                place = chance.choice(places)
                return put(text, place, str(int(place[0]) + chance.choice((-10, -2, -1, 1, 2, 10))))
        case "currency":
            places = list(CURRENCY.finditer(text))
            if places:
                place = chance.choice(places)
                return put(text, place, chance.choice(CURRENCIES[place[0]]))
        case "name":
            places = [m for m in mentions(text) if not any(month in m.text for month in MONTHS)]
            if places:
                place = chance.choice(places)
                other = chance.choice([n for n in names if not set(n.split()) & set(text.split())])
                return f"{text[: place.start]}{other}{text[place.end :]}"
        case "negation":
            places = list(NEGATED.finditer(text))
            if len(places) == 1:
                return put(text, places[0], "")
            places = list(VERB.finditer(text))
            if places and not NEGATED.search(text):
                place = chance.choice(places)
                return put(text, place, f"не {place[0]}" if place[0][0] in "бы" else f"{place[0]} not")
        case "unit":
            for units in chance.sample(UNITS, len(UNITS)):
                places = [m for u in units for m in re.finditer(rf"(?<![^\W\d_]){re.escape(u)}(?![^\W\d_])", text)]
                if places:
                    place = chance.choice(places)
                    return put(text, place, chance.choice([u for u in units if u != place[0]]))
    return None


@pytest.fixture(scope="module")
def mutations():
    """Ten thousand (kind, sentence, sentence with one thing changed)."""
    chance = random.Random(20)
    sentences = gold()
    names = sorted({m.text for s in sentences for m in mentions(s) if m.text[0].isupper() and " " in m.text})
    found = set()
    able = {kind: [s for s in sentences if changed(kind, s, random.Random(1), names)] for kind in KINDS}
    tries = 0
    while len(found) < WANTED and tries < 40 * WANTED:
        tries += 1
        kind = KINDS[tries % len(KINDS)]
        sentence = chance.choice(able[kind])
        other = changed(kind, sentence, chance, names)
        if other and " ".join(other.split()) != " ".join(sentence.split()):
            found.add((kind, sentence, " ".join(other.split())))
    return sorted(found)


def test_ten_thousand_false_claims(mutations, capsys):
    checker = Checker()
    judges = {
        "exact": lambda claim, quote: claim.casefold() in " ".join(quote.split()).casefold(),
        "fuzzy 0.8": lambda claim, quote: ratio(claim, quote) >= FUZZY,
        "rag.verify": lambda claim, quote: missing(claim, [quote]) is None,
        "the writer's": lambda claim, quote: checker.problem(claim, [quote]) is None,
    }
    of = Counter(kind for kind, _, _ in mutations)
    accepted = {judge: Counter() for judge in judges}
    passed = []
    for kind, sentence, other in mutations:
        for judge, accepts in judges.items():
            if accepts(other, sentence):
                accepted[judge][kind] += 1
                if judge == "rag.verify":
                    passed.append((kind, sentence, other))
    with capsys.disabled():
        print(f"\n{len(mutations):,} claims with one thing changed; share accepted")
        print("".join(f"{head:>14}" for head in ("", *KINDS)))
        print("".join(f"{n:>14}" for n in ("claims", *(of[kind] for kind in KINDS))))
        for judge, counts in accepted.items():
            print(f"{judge:>14}" + "".join(f"{counts[kind] / of[kind]:>14.4f}" for kind in KINDS))
        for kind in KINDS:
            for _, sentence, other in [p for p in passed if p[0] == kind][:3]:
                print(f"  passed, {kind}: {sentence[:150]!r}\n    -> {other[:150]!r}")
    assert len(mutations) >= WANTED
    for judge in ("rag.verify", "the writer's"):
        assert {kind: accepted[judge][kind] for kind in ("digit", "year", "currency")} == {
            "digit": 0,
            "year": 0,
            "currency": 0,
        }


def test_the_sentences_themselves_pass():
    checker = Checker()
    assert [s for s in gold() if missing(" ".join(s.split()), [s])] == []
    assert [s for s in gold() if checker.problem(" ".join(s.split()), [s])] == []
