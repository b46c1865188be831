"""Other names, years and amounts: every question stays answerable, every place stays its words, and no name is left."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from eval.adapters import Benchmark
from eval.bench import read_set
from eval.cases import Case, Gold, Item, Nugget, Turn
from eval.renamed import SHOWN, Change, section
from eval.renaming import Edit, Moved, Renaming, renamed
from eval.stats import Comparison, Interval
from eval.values import states
from index.load import load_bytes
from index.models import Document

ROOT = Path(__file__).parents[1]
TEXT = """The Larkspur Fund (LF) gave $55,000 to Delta Radio of Northgate on 3 May 2021, and 4.5 million tenge in 2020.
It pays for wires; 12% went to Wrenby. In 2021 Delta Radio bought the tower of Northgate for 55 000 euros."""
TABLE = b"Grantee,Year,Amount\nDelta Radio,2021,900\nWings of Song,2020,4800\nReed Choir,2020,700\n"


def gold(document: Document, quote: str) -> Gold:
    start = document.text.index(quote)
    return Gold(source=document.source, start=start, end=start + len(quote), quote=quote)


@pytest.fixture(scope="module")
def small() -> tuple[Benchmark, Benchmark]:
    """Two invented documents as they are, and renamed."""
    prose = load_bytes(TEXT.encode(), "documents/northgate-2021.txt")
    table = load_bytes(TABLE, "documents/songs.csv")
    case = Case(
        id="c",
        question="What did Delta Radio get from Larkspur in 2021?",
        kind="amount",
        answerable=True,
        history=(Turn(question="What is Northgate?"),),
        rewritten="What did Delta Radio get from Larkspur in 2021?",
        nuggets=(Nugget(forms=("$55,000", "900"), gold=(gold(prose, "$55,000 to Delta Radio"),)),),
        items=(Item(name="Wings of Song", amount="4800", gold=(gold(table, "Wings of Song"),)),),
        dates=("2021-05-03",),
    )
    dated = prose.model_copy(update={"published": date(2024, 2, 29), "title": "Larkspur in 2021"})
    before = Benchmark("small", [case], {dated.source: dated, table.source: table})
    return before, renamed(before, ["the radio fund of a song choir"])


def test_the_same_word_for_the_same_name(small: tuple[Benchmark, Benchmark]) -> None:
    before, after = small
    made = Renaming(list(before.documents.values()), before.cases, ["the radio fund of a song choir"])
    (case,), documents = after.cases, {name.rsplit(".")[-1]: document for name, document in after.documents.items()}
    text = documents["txt"].text
    for name in ("Larkspur", "Northgate", "Delta", "Wings", "2021", "55,000"):
        assert name not in text + documents["csv"].text + case.model_dump_json()
    assert made.word("Delta") in case.question
    assert f"{made.word('Delta')} Radio of {made.word('Northgate')}" in text
    assert made.word("NORTHGATE") == made.word("Northgate").upper()
    assert "12%" in text
    assert f"{4.5 * made.factor:.1f} million" in text
    assert case.dates == (f"{2021 + made.shift}-05-03",)
    assert documents["txt"].source == f"documents/{made.word('northgate')}-{2021 + made.shift}.txt"
    assert documents["txt"].published == date(2024 + made.shift, 2, 28)
    assert documents["txt"].title == f"{made.word('Larkspur')} in {2021 + made.shift}"


def test_amounts_of_a_column_are_replaced_where_they_stand_alone(small: tuple[Benchmark, Benchmark]) -> None:
    before, after = small
    made = Renaming(list(before.documents.values()), before.cases)
    table = next(document for source, document in after.documents.items() if source.endswith("csv"))
    cells = [[table.text[c.start : c.end] for c in block.cells] for block in table.blocks if block.cells]
    assert [row[2] for row in cells] == [str(each * made.factor) for each in (900, 4800, 700)]
    assert after.cases[0].nuggets[0].forms == (f"${55000 * made.factor:,}", str(900 * made.factor))
    assert after.cases[0].items[0].amount == str(4800 * made.factor)


def test_another_seed_gives_other_names(small: tuple[Benchmark, Benchmark]) -> None:
    before, after = small
    assert renamed(before, ["the radio fund of a song choir"]) == after
    assert renamed(before, ["the radio fund of a song choir"], seed=2) != after


def test_places_move_with_their_words() -> None:
    moved = Moved([Edit(0, 2, "abcd"), Edit(5, 8, "x")])
    assert moved.span(0, 2) == (0, 4)
    assert moved.span(2, 5) == (4, 7)
    assert moved.span(2, 6) == (4, 8)  # a range that ends inside a replaced word takes the whole of it
    assert moved.span(6, 10) == (7, 10)


def parts_of(case: Case) -> list[Nugget | Item]:
    return [*case.nuggets, *case.items]


def test_our_own_cases_stay_answerable() -> None:
    before = read_set(ROOT / "corpus" / "cases.jsonl", None, None)
    after = renamed(before)
    for old, new in zip(before.cases, after.cases, strict=True):
        for one, other in zip(parts_of(old), parts_of(new), strict=True):
            forms = one.forms if isinstance(one, Nugget) else one.names
            changed = other.forms if isinstance(other, Nugget) else other.names
            told = [[states(place.quote, form) for place in one.gold] for form in forms]
            assert [[states(place.quote, form) for place in other.gold] for form in changed] == told, old.id
        for place in (*new.gold, *new.context):
            assert after.documents[place.source].text[place.start : place.end] == place.quote
    everything = " ".join(document.text for document in after.documents.values())
    for name in ("Merrowdale", "Kestrel", "Казахстан", "Мерроудейл", "Kazakh", "NED", "$250,000", "Vlast"):
        assert name not in everything


def test_the_table_tells_the_difference() -> None:
    change = Change("plain", "right", 7, 0.5, 0.25, Comparison(-0.25, Interval(-0.5, 0.1), 0.2))
    assert "| Right answers | 7 | plain | 0.500 | 0.250 | -0.250 [-0.500, +0.100] |" in section([change])
    assert "right" in SHOWN
