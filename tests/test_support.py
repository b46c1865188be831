"""Measures that rest on a verifier, the plain verifier, and what is known of verifiers."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from eval.pairs import Pair, read_skills, skill, write_skills
from eval.support import (
    Judged,
    PlainVerifier,
    Statement,
    Verdict,
    alce_precision,
    alce_recall,
    balanced_accuracy,
    judge,
    needs_citation,
    unsupported,
    weighted_precision,
    weighted_recall,
)
from index.errors import UsageError


class Letters:
    """Supports a statement as far as the evidence holds its letters: a verifier to reckon with by hand."""

    name = "letters"

    def judge(self, pairs: Sequence[tuple[str, str]]) -> list[Verdict]:
        shares = [len(set(said) & set(there)) / len(set(said)) for said, there in pairs]
        return [Verdict("full" if s == 1 else "partial" if s > 0 else "none", s) for s in shares]


STATEMENTS = [
    Statement("ab", ("ab",)),  # supported by one
    Statement("ab", ("a", "b")),  # supported by two together, each needed
    Statement("ab", ("ab", "z")),  # the second is irrelevant
    Statement("ab", ("a",)),  # half
    Statement("ab", ("z",)),  # not at all
    Statement("ab", ()),  # not cited
]


def test_verdicts_go_to_their_statements() -> None:
    judged = judge(STATEMENTS, Letters())
    assert judged[1] == Judged("full", ("partial", "partial"), ("partial", "partial"))
    assert judged[2] == Judged("full", ("full", "none"), ("none", "full"))
    assert judged[3] == Judged("partial", ("partial",), ("none",))
    assert judged[5] == Judged("none")


def test_figures_by_hand() -> None:
    judged = judge(STATEMENTS, Letters())
    assert alce_recall(judged).value == pytest.approx(3 / 6)
    # 7 citations; needed: 1 of statement 1, 2 of statement 2, 1 of statement 3; none of the unsupported ones.
    assert alce_precision(judged).value == pytest.approx(4 / 7)
    # First citations: full, partial, full, partial, none: 3 over 5 cited statements, over 6 in all.
    assert weighted_precision(judged).value == pytest.approx(3 / 5)
    assert weighted_recall(judged).value == pytest.approx(3 / 6)
    assert unsupported(judged).value == pytest.approx(2 / 6)


def test_no_statements() -> None:
    assert judge([], Letters()) == []
    assert alce_recall([]).value is None


@pytest.mark.parametrize(
    "text", ["The grants were:", "Who knows?", "I could not find that.", "No information.", "Hello there!", " *", ""]
)
def test_what_needs_no_citation(text: str) -> None:
    assert not needs_citation(text)


@pytest.mark.parametrize(
    "text", ["It opened in 2021.", "The fund supports newsrooms.", "- Delta Radio", "Грант получило радио."]
)
def test_what_needs_one(text: str) -> None:
    assert needs_citation(text)


EVIDENCE = "In 2021 the Larkspur Fund gave $55,000 to Delta Radio. The office did not move."


@pytest.mark.parametrize(
    ("statement", "level"),
    [
        ("The Larkspur Fund gave $55,000 to Delta Radio in 2021.", "full"),
        ("The Larkspur Fund gave $56,000 to Delta Radio in 2021.", "partial"),
        ("The Larkspur Fund did not give $55,000 to Delta Radio in 2021.", "none"),
        ("The Larkspur Fund gave Delta Radio a studio and a garden.", "partial"),
        ("The museum closed its doors to visitors.", "none"),
        ("...", "none"),
    ],
)
def test_the_plain_verifier(statement: str, level: str) -> None:
    (verdict,) = PlainVerifier().judge([(statement, EVIDENCE)])
    assert verdict.level == level
    assert 0.0 <= verdict.score <= 1.0


def test_balanced_accuracy_is_not_moved_by_the_larger_class() -> None:
    pairs = [("yes", "yes")] * 98 + [("no", "yes")] * 2
    assert balanced_accuracy(pairs) == 0.5
    assert balanced_accuracy([]) is None


def test_the_skill_of_a_verifier() -> None:
    pairs = [Pair("1", "ab", "ab", "full"), Pair("2", "ab", "a", "partial"), Pair("3", "ab", "ab", "none")]
    known = skill(Letters(), "letters", pairs)
    assert known.value == pytest.approx((1 + 1 / 2) / 2)
    assert known.levels == pytest.approx(2 / 3)
    assert known.low <= known.value <= known.high
    assert skill(Letters(), "two", [pairs[0], pairs[2]]).levels is None
    with pytest.raises(UsageError, match="no pairs"):
        skill(Letters(), "none", [])


def test_skills_are_kept(tmp_path) -> None:
    path = tmp_path / "verifiers.json"
    assert read_skills(path) == []
    known = [skill(Letters(), "letters", [Pair("1", "ab", "ab", "full"), Pair("2", "ab", "z", "none")])]
    write_skills(known, path)
    assert read_skills(path) == known
