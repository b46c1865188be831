"""Questions as they are understood, in English and Russian."""

import pytest

from index.errors import UsageError
from rag.periods import Period
from rag.question import is_clear, understand


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Who received NED grants in 2021?", "list"),
        ("Which organisations were funded?", "list"),
        ("Кто получил гранты в 2021 году?", "list"),
        ("How much did the institute receive?", "amount"),
        ("Сколько получил институт?", "amount"),
        ("How many grants were made?", "count"),
        ("What was the total amount of grants?", "total"),
        ("What was the largest grant?", "largest"),
        ("Did it give more in 2020 than in 2021?", "comparison"),
        ("When was the platform created?", "date"),
        ("Когда была создана площадка?", "date"),
        ("Where was the seminar held?", "place"),
        ("Why was the grant given?", "reason"),
        ("What is the Dialogue Platform?", "definition"),
        ("Who wrote the article?", "person"),
        ("Was the report published?", "yes_no"),
        ("Tell me about the seminar", "fact"),
    ],
)
def test_kinds(text, kind):
    assert understand(text).kind == kind


def test_years_names_and_terms_are_told_apart():
    question = understand('How much did Vlast Media Group and the "Adil Soz" fund receive from NED in 2020-2021?')
    assert question.periods == (Period(2020, 2021),)
    assert question.names == ("Vlast Media Group", "Adil Soz", "NED")
    assert "2021" not in question.terms
    assert "receiv" in question.terms


def test_an_empty_or_endless_question_is_an_error():
    with pytest.raises(UsageError, match="type a question"):
        understand(" \n ")
    with pytest.raises(UsageError, match="add it as a document"):
        understand("why " * 300_000)


@pytest.mark.parametrize(
    ("text", "clear"), [("who is it?", False), ("???", False), ("grants", True), ("Who is IRI?", True)]
)
def test_a_question_of_stop_words_is_not_clear(text, clear):
    assert is_clear(understand(text)) is clear


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Members of the Orme Society in 2020?", ("Orme Society",)),
        ("Bank of Ferrol rates in 2020?", ("Ferrol",)),
        ("Academy of Tides in 2020?", ("Academy of Tides",)),
        ("How Much Did The Orme Society Get In 2020?", ()),
        ("HOW MUCH DID IT GET?", ()),
        ("Who Leads The «Orme Society» In 2020?", ("Orme Society",)),
        ("Who founded The Orme Society?", ("Orme Society",)),
        ("Did I read of The Orme Society?", ("Orme Society",)),
    ],
)
def test_a_capital_makes_a_name_only_where_it_tells_something(text, names):
    assert understand(text).names == names
