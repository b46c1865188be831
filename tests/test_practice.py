"""The practice questions fit their documents, and are kept apart from the cases that score."""

import runpy
from pathlib import Path

from eval.bench import read_documents
from eval.cases import read_cases

SAID = ("invent", "made up", "made-up", "make-believe", "imagined", "fiction", "for practice only", "вымыш", "придуман")
ROOT = Path(__file__).parents[1] / "corpus"


def test_the_cases_are_what_their_questions_pin() -> None:
    pin = runpy.run_path(str(ROOT / "practice" / "pin.py"))
    assert list(pin["cases"](read_documents(ROOT / "practice" / "documents"))) == read_cases(
        ROOT / "practice" / "cases.jsonl"
    )


def test_no_question_is_also_a_scored_one() -> None:
    practice, scored = (
        {case.question.casefold() for case in read_cases(ROOT / name)}
        for name in ("practice/cases.jsonl", "cases.jsonl")
    )
    assert practice
    assert not practice & scored


def test_every_document_says_that_it_is_invented() -> None:
    for source, document in read_documents(ROOT / "practice" / "documents").items():
        words = document.text.casefold()
        assert any(word in words for word in SAID), source
