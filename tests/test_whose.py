"""Whose sentence it is: one on another club, clinic or fund is no evidence on the one that is asked about."""

from __future__ import annotations

from pathlib import Path

import pytest

from eval.bench import read_documents
from eval.cases import read_cases
from index.load import load_bytes
from index.models import Document, Span
from index.split import sentences
from rag.locks import barred, lock, not_named, of_another
from rag.models import Evidence
from rag.question import understand
from rag.whose import another
from tests.conftest import document

ROOT = Path(__file__).parents[1] / "corpus" / "subjects"
TURNS = document(
    """# Invented clubs

## Dunlow Rovers

The club was founded in 1911. Its ground holds 6,400.

## Kirkby Fell

Founded in 1934. Maja Strand trains it.
Dunlow Rovers lent it a bus for 300 crowns, from Eskmouth.

"Charity begins at home," says Strand. He meant it as a joke.

## Money

Eskmouth got 900 crowns. It had asked for 2,000.""",
    source="clubs.md",
    media_type="text/markdown",
)


def at(doc: Document, words: str) -> Span:
    start = doc.text.index(words)
    return Span(start, start + len(words))


@pytest.fixture(scope="module")
def subjects() -> dict[str, Document]:
    return read_documents(ROOT / "documents")


@pytest.mark.parametrize(
    ("question", "words", "holder"),
    [
        ("When was Dunlow Rovers founded?", "The club was founded in 1911.", None),
        ("When was Kirkby Fell founded?", "The club was founded in 1911.", "Dunlow Rovers"),
        ("When was Kirkby Fell founded?", "Founded in 1934.", None),
        ("When was Dunlow Rovers founded?", "Founded in 1934.", "Kirkby Fell"),
        (
            "What did Dunlow Rovers lend for 300 crowns?",
            "Dunlow Rovers lent it a bus for 300 crowns, from Eskmouth.",
            None,
        ),
        ("What did Dunlow Rovers ask for?", "It had asked for 2,000.", "Eskmouth"),
        ("What did Eskmouth ask for?", "It had asked for 2,000.", None),
        ("Who trains Dunlow Rovers?", "Maja Strand trains it.", None),  # a name may be the answer to who
        ("Which clubs are there besides Dunlow Rovers?", "Eskmouth got 900 crowns.", None),
        ("Why did Eskmouth laugh?", "He meant it as a joke.", "Kirkby Fell"),  # and not of "Charity"
        ("What did the clubs get?", "Eskmouth got 900 crowns.", None),  # nothing is named
        ("When was Velland United founded?", "The club was founded in 1911.", None),  # it has no turn here
    ],
)
def test_a_sentence_speaks_of_one_thing_at_a_time(question: str, words: str, holder: str | None) -> None:
    assert another(understand(question), TURNS, at(TURNS, words)) == holder


TABLE = "Place,Grantee,Lent by,Sum\nEskmouth,Kirkby Fell,Ada Thorn,900\nDunlow,Dunlow Rovers,Eskmouth Bank,2000\n"


@pytest.mark.parametrize(
    ("question", "holder"),
    [
        ("What sum did Kirkby Fell get?", "Dunlow Rovers"),
        ("Who lent money to the Kirkby Fell Club?", "Dunlow Rovers"),  # a club has a row of its own
        ("What sum did Dunlow Rovers get?", None),
        ("Who came after Ada Thorn?", None),  # no row tells of her
        ("What did Eskmouth Bank lend?", None),
        ("What sum did Velland United get?", None),
        ("Which grantees did better than Kirkby Fell?", None),
        ("What sum did Invented clubs give Kirkby Fell?", "Dunlow Rovers"),  # who gives is named over all of them
    ],
)
def test_a_row_is_of_what_stands_in_its_column_of_names(question: str, holder: str | None) -> None:
    doc = load_bytes(TABLE.encode(), "Invented clubs.csv")
    row = doc.blocks[-1]
    assert row.kind == "row"
    assert another(understand(question), doc, Span(row.start, row.end)) == holder


def test_the_lock_drops_what_is_of_another() -> None:
    place = at(TURNS, "It had asked for 2,000.")
    evidence = Evidence(document=TURNS.id, start=place.start, end=place.end, probability=0.9)
    of_rovers, of_eskmouth = (understand(f"What did {name} ask for?") for name in ("Dunlow Rovers", "Eskmouth"))
    assert of_another(of_rovers, TURNS, evidence) == "it speaks of Eskmouth, not of Dunlow Rovers"
    assert barred(of_rovers, TURNS, evidence) is None
    assert lock(of_rovers, [evidence], {TURNS.id: TURNS}).evidence == []
    assert lock(of_eskmouth, [evidence], {TURNS.id: TURNS}).evidence == [evidence]


@pytest.mark.parametrize(
    ("asked", "told", "named"),
    [
        ("Harvest House", "The house by the quay was sold in May. Nobody there had seen such a harvest before.", False),
        ("Harvest House", "The house by the quay was sold in May to Harvest House.", True),
        ("Centre for Tide Studies of the Ferrol Academy", "The Ferrol Academy's Centre for Tide Studies.", True),
        ("Vlasta Media Group", "The media were loud. Vlasta was not of that group.", True),
        ("Maja Strand", "The trainer is Strand, Maja.", True),
        ("Dunlow Tide Society", "The DTS met twice.", True),
    ],
)  # fmt: skip
def test_a_document_names_something_where_the_words_of_the_name_stand_together(
    asked: str, told: str, named: bool
) -> None:
    assert (not_named(understand(f"What did {asked} spend?"), document(told)) is None) == named


def test_what_answers_is_let_through_and_most_of_what_is_anothers_is_not(subjects: dict[str, Document]) -> None:
    held = told = 0
    for case in read_cases(ROOT / "cases.jsonl"):
        question, doc = understand(case.question), subjects[f"documents/{case.tags[0]}"]
        for gold in case.gold:
            assert another(question, doc, Span(gold.start, gold.end)) is None, case.id
        for block in doc.blocks if not case.answerable else ():
            for start, end in sentences(doc.text, block.start, block.end, doc.language):
                if any(value in doc.text[start:end] for value in case.forbidden):
                    told += 1
                    held += another(question, doc, Span(start, end)) is not None
    assert told > 30
    assert held / told > 0.85
