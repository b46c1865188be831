"""Search terms: one form for each word and number, in any script."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.terms import content_terms, terms


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("grants", "Grant"),
        ("Kazakhstan's", "Kazakhstan"),
        ("Kazakhstan’s", "kazakhstan"),
        ("1,338,860", "1338860"),
        ("гранты", "грантов"),
        ("ёлка", "елка"),
        ("naïve", "naive"),
        ("ＧＲＡＮＴ", "grant"),
    ],
)
def test_forms_of_one_word_are_one_term(one, other):
    assert terms(one) == terms(other)


def test_different_numbers_stay_different():
    assert len({*terms("1.3 13 1,3 1,300 2021")}) == 5


def test_scripts_without_spaces_give_pairs():
    assert terms("基金会发放") == ["基金", "金会", "会发", "发放"]


def test_stop_words_go_unless_nothing_else_is_left():
    assert content_terms("who received the grants, and who received more grants") == ["receiv", "grant"]
    assert content_terms("who is it?") == ["who", "is", "it"]
    assert content_terms("?!") == []


@given(st.text(max_size=200))
def test_any_text_gives_terms_without_white_space(text):
    assert all(term and not any(c.isspace() for c in term) for term in terms(text))
