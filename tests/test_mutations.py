"""Gold sentences with one thing changed do not pass; ``python -m eval.peers run quotes`` counts 10,000 of them."""

from collections import Counter
from pathlib import Path

import pytest

from eval.cases import read_cases
from eval.mutations import CHANGES, changes
from rag.claims import Checker
from rag.verify import missing

CASES = Path(__file__).parents[1] / "corpus" / "cases.jsonl"
WANTED = 2_000


@pytest.fixture(scope="module")
def gold():
    """Each gold sentence of the cases, once."""
    return list(dict.fromkeys(g.quote for case in read_cases(CASES) for g in case.gold))


def test_false_claims_are_refused(gold):
    checker = Checker()
    mutations = changes(gold, WANTED)
    assert len(mutations) >= WANTED
    assert {kind for kind, _, _ in mutations} == set(CHANGES)
    verified = Counter(kind for kind, quote, claim in mutations if missing(claim, [quote]) is None)
    written = Counter(kind for kind, quote, claim in mutations if checker.problem(claim, [quote]) is None)
    assert verified["name"] <= WANTED / 1_000  # a name that differs from another by a title may pass
    assert (verified - Counter(name=verified["name"])).total() == written.total() == 0


def test_the_sentences_themselves_pass(gold):
    checker = Checker()
    assert [s for s in gold if missing(" ".join(s.split()), [s])] == []
    assert [s for s in gold if checker.problem(" ".join(s.split()), [s])] == []
