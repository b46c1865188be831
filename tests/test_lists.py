"""Lists swept from whole documents, and what is worked out from them."""

import csv

import pytest

from index.library import Index
from index.load import load_bytes
from rag.assistant import READERS, Assistant
from rag.compose import from_sentences
from rag.compute import computed
from rag.merge import together
from rag.models import Evidence, Row
from rag.question import understand

PROSE = """Report of the Larch Fund for 2021 (invented)

The Larch Fund made its grants in June 2021.

The Owl Museum received $40,000 for a new roof. The Heron Choir was given $15,500 for a tour of five villages. Among the
grantees were also the Swift Library and the "Lark Centre". The Otter Trust mended nets with its grant. It was $2,500.

In 2020 the Larch Fund paid $9,000 to the Finch School.
"""
TABLE = [
    ("Grantee", "Amount", "Year", "Purpose"),
    ("Owl Museum", "$41,000", "2021", "roof"),
    ("Finch School", "$9,000", "2020", "books"),
    ("Wren Press", "€7,000", "2021", "printing"),
    ("Wren Press", "€8,500", "2022", "paper"),
    ("Crow Club", "$1,000", "2021", "withdrawn"),
    ("Total", "$58,000", "2021", ""),
]


@pytest.fixture(scope="module")
def assistant(tmp_path_factory, encoder):
    folder = tmp_path_factory.mktemp("lists")
    (folder / "docs").mkdir()
    (folder / "docs" / "report.txt").write_text(PROSE)
    with (folder / "docs" / "register.csv").open("w", newline="") as file:
        csv.writer(file).writerows(TABLE)
    with Index(folder / "x.index", encoder) as index:
        index.add(folder / "docs")
        yield Assistant(index, READERS["trained"]())


def rows(answer):
    return {row.name: row.amount for row in answer.rows}


def test_a_funder_that_is_named_bounds_the_list_to_its_own_report(assistant):
    answer = assistant.ask("Who received grants from the Larch Fund in 2021?")
    assert rows(answer) == {
        "Owl Museum": "$40,000", "Heron Choir": "$15,500", "Swift Library": None, "Lark Centre": None,
        "Otter Trust": "$2,500",
    }  # fmt: skip


def test_rows_of_a_table_and_of_prose_are_one_list_each_cited_to_words_that_hold_it(assistant):
    answer = assistant.ask("Which organisations received grants in 2021?")
    quotes = {citation.number: citation.quote for citation in answer.citations}
    assert {"Owl Museum", "Heron Choir", "Wren Press", "Swift Library", "Lark Centre", "Otter Trust"} == set(
        rows(answer)
    )
    for row in answer.rows:
        cited = " ".join(quotes[n] for n in row.citations)
        assert row.name in cited
        assert row.amount is None or row.amount in cited


def test_documents_that_tell_different_amounts_are_set_side_by_side(assistant):
    answer = assistant.ask("Which organisations received grants in 2021?")
    (note,) = [note for note in answer.notes if note.kind == "disagreement"]
    assert "$40,000" in note.text
    assert "$41,000" in note.text
    assert len(note.citations) == 2


def test_the_sum_of_one_grantee(assistant):
    answer = assistant.ask("How much did the Heron Choir get in 2021?")
    assert "$15,500" in answer.text
    assert len(answer.claims) == 1


def test_a_sum_of_another_year_is_not_given(assistant):
    answer = assistant.ask("How much did the Finch School get in 2021?")
    assert "$9,000" not in answer.text
    assert (answer.status, answer.reason) == ("refused", "other_period")


def test_a_figure_of_one_year_is_told_without_those_of_others(tmp_path, encoder):
    (tmp_path / "prices.csv").write_text(
        "Service,2022,2023,2024\nNeutering a male cat,75,82,88\nNeutering a dog,110,118,127\n"
    )
    with Index(tmp_path / "x.index", encoder) as index:
        index.add(tmp_path / "prices.csv")
        answer = Assistant(index, READERS["trained"]()).ask("How much did neutering a dog cost in 2023?")
    (claim,) = answer.claims  # and no row of another service
    assert claim.text == "Service: Neutering a dog; 2023: 118."
    assert [citation.quote for citation in answer.citations] == [
        "Service: Neutering a dog; 2022: 110; 2023: 118; 2024: 127."
    ]


@pytest.mark.parametrize(("question", "told"), [("What did a dog cost?", 1), ("Which cost more, a dog or a cat?", 2)])
def test_of_a_table_one_row_is_told_where_one_thing_is_asked(question, told):
    prices = load_bytes(b"Service,Price\nNeutering a cat,82\nNeutering a dog,118\n", "prices.csv")
    rows = [block for block in prices.blocks if block.kind == "row"]
    evidence = [
        Evidence(document=prices.id, start=row.start, end=row.end, probability=p)
        for row, p in zip(reversed(rows), (0.9, 0.8), strict=True)
    ]
    made = from_sentences(understand(question), evidence, {prices.id: prices}, [], 0.3)
    assert len(made.claims) == told
    assert "Service: Neutering a dog; Price: 118." in [claim.text for claim in made.claims]


def test_what_one_grantee_got_over_the_years_is_added_up(assistant):
    answer = assistant.ask("How much did the Wren Press get in total?")
    assert answer.claims[0].text == "Added up: €7,000 + €8,500 = €15,500."
    assert [(row.amount, row.period) for row in answer.rows] == [("€7,000", "2021"), ("€8,500", "2022")]


def row(name: str, amount: str | None, number: int, period: str = "2021") -> Row:
    return Row(name=name, amount=amount, period=period, citations=(number,))


ROWS = [row("A", "$1,000", 1), row("B", "$2.5 thousand", 2), row("C", "€9,000", 3), row("D", None, 4)]


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("How many grants were made?", [("Counted: 4, listed below.", (1, 2, 3, 4))]),
        ("What was the largest grant?",
         [("Largest of 2 in USD: B — $2.5 thousand.", (2,)), ("Largest of 1 in EUR: C — €9,000.", (3,))]),
        ("What was the smallest grant?",
         [("Smallest of 2 in USD: A — $1,000.", (1,)), ("Smallest of 1 in EUR: C — €9,000.", (3,))]),
        ("How much in total?", [("Added up: $1,000 + $2.5 thousand = $3,500.", (1, 2))]),
        ("Did A get less than B?", [("Compared: B (2021) $2.5 thousand − A (2021) $1,000 = $1,500.", (2, 1))]),
        ("Who received grants?", []),
    ],
)  # fmt: skip
def test_what_is_worked_out_shows_how(question, expected):
    assert [(claim.text, claim.citations) for claim in computed(understand(question), ROWS)] == expected


def test_a_short_name_that_may_stand_for_several_stands_for_itself():
    names = (
        "Youth Centre",
        "Almaty Youth Centre",
        "Osh Youth Centre",
        "AYC",
        "Vlast Media Group",
        "Vlast Media Group LLP",
    )
    assert together(names) == [[0], [1, 3], [2], [4, 5]]
    assert together(
        ("Youth Centre", "Almaty Youth Centre", "YC of Almaty"), [("Almaty Youth Centre", "YC of Almaty")]
    ) == [[0, 1, 2]]
