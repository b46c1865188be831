"""Questions and documents that are far from usual: the answer is whole, or it is a refusal, and it comes."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest

import rag
from index.encode import Encoder
from index.library import Index
from rag.assistant import READERS, Assistant
from rag.models import Answer

GRANTEES = 500
ROWS = int(os.environ.get("TABLE_ROWS", "400"))  # 10,000 take a minute to add
WORDS = ("Alder", "Birch", "Cedar", "Dogwood", "Elm", "Fir", "Gorse", "Holly", "Ivy", "Juniper")
COLOURS = ("Amber", "Blue", "Coral", "Dun", "Ecru", "Fawn", "Green", "Hazel", "Indigo", "Jade")
KINDS = ("Choir", "Library", "Museum", "Theatre", "Garden", "School", "Press", "Workshop", "Archive", "Orchestra")


def name(number: int) -> str:
    """An invented name, another for each number below 1,000 and of words alone."""
    return f"{COLOURS[number // 100]} {WORDS[number // 10 % 10]} {KINDS[number % 10]}"


@pytest.fixture(scope="module")
def assistant(tmp_path_factory: pytest.TempPathFactory, encoder: Encoder):
    folder = tmp_path_factory.mktemp("bounds")
    docs = folder / "docs"
    docs.mkdir()
    told = "\n\n".join(f"The {name(n)} received ${1000 + n} for its work." for n in range(GRANTEES))
    (docs / "report.txt").write_text(
        f"Grants of the Teasel Fund in 2021 (invented)\n\nPublished: 4 May 2022\n\n{told}\n"
    )
    with (docs / "register.csv").open("w", newline="") as file:
        rows = ((f"Bridge {n}", f"{n * 7 % 90_000 + 1000} crowns", 2015 + n % 10) for n in range(ROWS))
        csv.writer(file).writerows([("Bridge of the Sorrel Office (invented)", "Cost", "Year"), *rows])
    again = "\n\n".join(f"Note {n} of the log.\n\nThe warden of Plum Island is Ada Quill." for n in range(200))
    (docs / "log.txt").write_text(f"The log of Plum Island (invented)\n\n{again}\n")
    with Index(folder / "x.index", encoder) as index:
        assert [one.outcome for one in index.add(docs)] == ["added"] * 3
        yield Assistant(index, READERS["trained"]())


def exact(assistant: Assistant, answer: Answer) -> bool:
    """Whether every citation is the slice of its document that it says."""
    cited = [*answer.citations, *(c for note in answer.notes for c in note.citations)]
    return all(assistant.show(c.document).text[c.start : c.end] == c.quote for c in cited)


def test_a_list_of_five_hundred_has_every_row_with_its_own_sentence(assistant):
    answer = assistant.ask("Who received grants from the Teasel Fund in 2021?")
    assert {row.name: row.amount for row in answer.rows} == {name(n): f"${1000 + n}" for n in range(GRANTEES)}
    quotes = {c.number: c.quote for c in answer.citations}
    assert all(row.name in quotes[row.citations[0]] for row in answer.rows)
    assert exact(assistant, answer)


def test_one_row_of_a_long_table_is_found(assistant):
    answer = assistant.ask(f"How much did Bridge {ROWS - 7} cost?")
    assert answer.status == "answered"
    assert f"Bridge {ROWS - 7};" in answer.citations[0].quote
    assert f"{(ROWS - 7) * 7 % 90_000 + 1000} crowns" in answer.text
    assert exact(assistant, answer)


def test_every_row_of_a_year_of_a_long_table_is_listed(assistant):
    answer = assistant.ask("List the bridges of the Sorrel Office in 2019.")
    assert {row.name: row.amount for row in answer.rows} == {
        f"Bridge {n}": f"{n * 7 % 90_000 + 1000} crowns" for n in range(ROWS) if n % 10 == 4
    }
    assert exact(assistant, answer)


def test_what_is_said_two_hundred_times_is_told_once(assistant):
    answer = assistant.ask("Who is the warden of Plum Island?")
    assert answer.text.count("Ada Quill") == 1
    assert len(answer.claims) == 1
    assert exact(assistant, answer)


@pytest.mark.parametrize(
    "question",
    [
        "谁在2021年获得了资助？",
        "ใครได้รับเงินช่วยเหลือในปี 2021",
        "من حصل على المنح في عام 2021؟",
        "ვინ მიიღო გრანტი?",
        "grants",
        "Who?",
        "the of and to in",
        "?!… — «»",
        "👩🏽‍🚀🌉",
        "a" * 10_000,
        " ".join(f"word{n}" for n in range(10_000)),
        "Who is the warden of Plum Island? " * 1_500,
        "in 2021 " * 5_000,
        "(" * 5_000,
    ],
)
def test_any_question_ends_in_exact_words_or_in_silence_with_a_reason(assistant, question):
    answer = assistant.ask(question)
    assert exact(assistant, answer)
    if answer.status == "refused":
        assert answer.reason
        assert answer.text
        assert not answer.claims
    else:
        assert answer.citations


def test_a_question_of_stop_words_alone_is_not_answered(assistant):
    assert assistant.ask("the of and to in").status == "refused"


def test_the_python_interface_takes_them_too(tmp_path: Path):
    with rag.open(tmp_path / "empty.index") as opened:
        assert opened.ask("word " * 10_000).reason == "no_documents"
