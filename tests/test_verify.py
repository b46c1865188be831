"""Nothing is cited that does not stand in its document."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.errors import DamagedError
from rag.verify import Draft, amounts, cite, missing, verify
from tests.conftest import document

QUOTE = "In May 2021 the Institute received $236,000 (about 100 million tenge) for training, not for travel."


@given(st.integers(0, 40), st.integers(1, 20))
def test_a_citation_is_a_slice(start, length):
    made = document("Некоторые слова 🎉 and some words, long enough for the test to slice it.")
    citation = cite(made, start, start + length, 1)
    assert made.text[citation.start : citation.end] == citation.quote


@pytest.mark.parametrize(("start", "end"), [(-1, 4), (0, 0), (3, 2), (0, 999)])
def test_a_range_outside_the_text_is_never_cited(start, end):
    with pytest.raises(DamagedError):
        cite(document("Some words."), start, end, 1)


@pytest.mark.parametrize(
    "claim",
    [
        "In May 2021 the Institute received $236,000",
        "The Institute received $236,000 in May 2021, not for travel.",
        "It received 100 million tenge, not for travel.",
        "for training, not for travel",
    ],
)
def test_what_stands_in_the_quote_passes(claim):
    assert missing(claim, [QUOTE]) is None


@pytest.mark.parametrize(
    ("claim", "why"),
    [
        ("The Institute received $237,000 and did not travel.", "number"),
        ("The Institute received €236,000, not for travel.", "number"),
        ("The Institute received $236 million, not for travel.", "number"),
        ("In 2020 the Institute received $236,000, not for travel.", "number"),
        ("In June 2021 the Institute received $236,000, not for travel.", "month"),
        ("The Academy received $236,000, not for travel.", "name"),
        ("The Institute received $236,000 for training and for travel.", "negated"),
    ],
)
def test_what_does_not_stand_in_the_quote_fails(claim, why):
    assert why in str(missing(claim, [QUOTE]))


def test_amounts_in_one_form():
    assert amounts("$1.3 million ($1,338,860 million)") == {("1.3", "million", "USD"), ("1338860", "million", "USD")}
    assert amounts("1 338 860 тенге и 5 млн рублей") == {("1338860", "", "KZT"), ("5", "million", "RUB")}
    assert amounts("EUR 1.250.000 and 12.5%") == {("1250000", "", "EUR"), ("12.5", "%", "")}


def test_drafts_become_numbered_claims_or_are_rejected_with_a_reason():
    made = document("The fund gave $5. The school got it.")
    first, second = (made, 0, 17), (made, 18, 36)
    drafts = [
        Draft("The fund gave $5.", (first,)),
        Draft("It gave $6.", (first,)),
        Draft("Both.", (first, second)),
        Draft("None.", ()),
    ]
    claims, citations, rejected = verify(drafts)
    assert [c.citations for c in claims] == [(1,), (1, 2)]
    assert [c.quote for c in citations] == ["The fund gave $5.", "The school got it."]
    assert [(r.text, r.reason) for r in rejected] == [
        ("It gave $6.", "the number 6 USD does not stand in its citation"),
        ("None.", "it has no citation"),
    ]
