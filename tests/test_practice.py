"""The practice questions fit their documents, and are kept apart from the cases that score."""

import runpy
from pathlib import Path

import pytest

from eval.bench import read_documents
from eval.cases import read_cases

SAID = (
    "invent", "made up", "made-up", "make-believe", "imagin", "fiction", "fabricated", "dreamt up", "for practice only",
    "вымыш", "выдуман", "придуман",
)  # fmt: skip
ROOT = Path(__file__).parents[1] / "corpus"
SETS = ("practice", "subjects")


@pytest.mark.parametrize("name", SETS)
def test_the_cases_are_what_their_questions_pin(name: str) -> None:
    pin = runpy.run_path(str(ROOT / "practice" / "pin.py"))
    folder = ROOT / name
    assert list(pin["cases"](folder, read_documents(folder / "documents"))) == read_cases(folder / "cases.jsonl")


def test_no_question_is_also_a_scored_one() -> None:
    scored, *practice = (
        {case.question.casefold() for case in read_cases(ROOT / name / "cases.jsonl")} for name in ("", *SETS)
    )
    assert all(practice)
    assert not scored & set().union(*practice)


@pytest.mark.parametrize("name", SETS)
def test_every_document_says_that_it_is_invented(name: str) -> None:
    for source, document in read_documents(ROOT / name / "documents").items():
        words = document.text.casefold()
        assert any(word in words for word in SAID), source
