"""Years in words, and which of them a sentence inherits."""

import pytest

from index.load import load_bytes
from rag.periods import Period, agree, periods
from rag.rows import of_years
from rag.scope import Scope
from tests.conftest import document


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("in 2021", [(2021, 2021)]),
        ("since 1995, the fund", [(1995, 9999)]),
        ("in 2020-2021", [(2020, 2021)]),
        ("the 2020/21 season", [(2020, 2021)]),
        ("from 2019 to 2021", [(2019, 2021)]),
        ("between 2019 and 2021", [(2019, 2021)]),
        ("in 2019 and 2021", [(2019, 2019), (2021, 2021)]),
        ("с 2019 по 2021", [(2019, 2021)]),
        ("14.04.2021 08:58", [(2021, 2021)]),
        ("2022-03-21", [(2022, 2022)]),
        ("$2,021 or 2021.5 or €2019 or 20215", []),
        ("On May 13, 2025, an article", [(2025, 2025)]),
        ("until 2018", [(1000, 2018)]),
        ("2021.", [(2021, 2021)]),
    ],
)
def test_periods_are_read(text, expected):
    assert list(periods(text)) == [Period(*p) for p in expected]


def test_a_range_agrees_with_a_year_inside_it():
    assert agree(periods("2020"), periods("2019-2021"))
    assert not agree(periods("2022"), periods("2019-2021"))
    assert agree(periods("2022"), periods("since 1995"))


REPORT = (
    "# Grants of the foundation\n\nThe report covers grants made in 2021.\n\nThe institute received $250,000.\n\n"
    "## Earlier years\n\nIn 2019 a network was funded.\n\nIt received $9,000.\n\n"
    "## Plans for 2023\n\nA school will open."
)


@pytest.mark.parametrize(
    ("quote", "year", "expected"),
    [
        ("The report covers grants made in 2021.", "2021", "told"),
        ("The report covers grants made in 2021.", "2020", "contradicted"),
        ("The institute received $250,000.", "2021", "inherited"),
        ("It received $9,000.", "2021", "contradicted"),
        ("It received $9,000.", "2019", "inherited"),
        ("A school will open.", "2023", "inherited"),
        ("A school will open.", "2021", "contradicted"),
    ],
)
def test_the_nearest_mention_decides(quote, year, expected):
    made = document(REPORT)
    start = made.text.index(quote)
    assert Scope(made).of(start, start + len(quote)).agreement(periods(year)) == expected


def test_without_any_year_nothing_is_known():
    made = document("A sentence without a year.")
    assert Scope(made).of(0, 10).agreement(periods("2021")) == "unknown"
    assert Scope(document(REPORT)).of(30, 60).agreement(()) == "unknown"


def test_a_row_is_of_the_year_in_its_own_column():
    table = "| year | recipient | paid on |\n|---|---|---|\n| 2017 | Delta Radio | 3 May 2018 |\n"
    text = f"# Register, checked in 2021\n\n{table}"
    made = load_bytes(text.encode(), "a.md")
    row = next(b for b in made.blocks if b.kind == "row")
    assert Scope(made).of(row.start, row.end).holding == periods("2017")


def test_years_over_columns_hold_for_all_the_lines_below():
    made = document("Figures of the clinic\n\n        2020    2021    2022\nBirths   988   1,046   1,013\n", "a.txt")
    start = made.text.index("Births")
    scoped = Scope(made).of(start, len(made.text))
    assert [scoped.agreement(periods(year)) for year in ("2020", "2021", "2019")] == [
        "inherited", "inherited", "contradicted",
    ]  # fmt: skip


def test_the_year_in_a_sentence_may_be_the_date_that_is_asked_for():
    made = document("# Results for 2022\n\nThe dividend is payable on 17 March 2023.")
    scoped = Scope(made).of(made.text.index("The dividend"), len(made.text))
    assert scoped.agreement(periods("2022")) == "contradicted"
    assert scoped.agreement(periods("2022"), "date") == "inherited"
    assert scoped.agreement(periods("2019"), "date") == "contradicted"


def test_what_was_spent_since_a_year_was_not_spent_in_one_year():
    made = document("The fund works in Osh. Since 1995 it has spent $100 million there.")
    scoped = Scope(made).of(made.text.index("Since"), len(made.text))
    assert scoped.agreement(periods("2021"), "amount") == "contradicted"
    assert scoped.agreement(periods("since 1995"), "amount") == "told"
    assert scoped.agreement(periods("2021"), "person") == "told"


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("in 2024", "Species: Curlew; 2024: 574; Trend: falling."),
        ("between 2022 and 2024", "Species: Curlew; 2022: 688; 2024: 574; Trend: falling."),
        ("", "Species: Curlew; 2020: 742; 2022: 688; 2024: 574; Trend: falling."),
        ("in 2019", "Species: Curlew; 2020: 742; 2022: 688; 2024: 574; Trend: falling."),
    ],
)
def test_a_row_is_told_without_the_columns_of_other_years(asked, told):
    doc = load_bytes(b"Species,2020,2022,2024,Trend\nCurlew,742,688,574,falling\n", "birds.csv")
    assert of_years(doc.blocks[-1], doc, periods(asked)) == told


def test_years_of_accounts_share_a_year_but_are_not_each_other():
    doc = load_bytes("Zone,2018/19,2019–20,2020/2021\nOstwick,21.7,22.9,19.3\n".encode(), "leaks.csv")
    assert of_years(doc.blocks[-1], doc, periods("in 2019/20")) == "Zone: Ostwick; 2019–20: 22.9."
    assert of_years(doc.blocks[-1], doc, periods("in 2019")) == "Zone: Ostwick; 2018/19: 21.7; 2019–20: 22.9."
