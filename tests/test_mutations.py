"""Gold sentences with one thing changed: how many of them pass, by kind, beside plain matching."""

# ruff: noqa: T201

from collections import Counter
from pathlib import Path

import pytest
from rapidfuzz.fuzz import ratio

from eval.cases import read_cases
from eval.mutations import CHANGES, changes
from rag.claims import Checker
from rag.verify import missing

CASES = Path(__file__).parents[1] / "corpus" / "cases.jsonl"
WANTED = 10_000
FUZZY = 80  # of 100, the usual threshold


def gold():
    """Each gold sentence of the cases, once."""
    return list(dict.fromkeys(g.quote for case in read_cases(CASES) for g in case.gold))


@pytest.fixture(scope="module")
def mutations():
    """Ten thousand sentences with one thing changed."""
    return changes(gold(), WANTED)


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
        print("".join(f"{head:>14}" for head in ("", *CHANGES)))
        print("".join(f"{n:>14}" for n in ("claims", *(of[kind] for kind in CHANGES))))
        for judge, counts in accepted.items():
            print(f"{judge:>14}" + "".join(f"{counts[kind] / of[kind]:>14.4f}" for kind in CHANGES))
        for kind in CHANGES:
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
