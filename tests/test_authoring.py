"""A first case file from documents, and gold that has moved or gone."""

from __future__ import annotations

from eval.authoring import TODO, draft, lint
from eval.cases import Case, Gold, Nugget
from tests.conftest import document

TEXT = (
    "A short one.\n\nIn 2021 the invented Larkspur Fund gave $55,000 to Delta Radio of Northgate. Nothing else of note "
    "happened in that year at all. The Reedbed School of Northgate got $70,000 from the Larkspur Fund in May 2021."
)


def test_a_draft_quotes_what_tells_most() -> None:
    (doc,) = documents = [document(TEXT, source="reports/fund 2021.txt")]
    cases = draft(documents, per_document=2)
    assert [case.gold[0].quote.split()[0] for case in cases] == ["In", "The"]
    assert [case.id for case in cases] == [f"fund-2021-{doc.id[:4]}-1", f"fund-2021-{doc.id[:4]}-2"]
    assert all(case.question == TODO for case in cases)
    assert all(doc.text[gold.start : gold.end] == gold.quote for case in cases for gold in case.gold)
    assert [problem.what for problem in lint(cases, {doc.source: doc})] == [
        "its question is not filled in; write one, or delete the case"
    ] * 2


def case(source: str, start: int, quote: str) -> Case:
    gold = Gold(source=source, start=start, end=start + len(quote), quote=quote)
    return Case(id="c", question="What?", kind="fact", answerable=True, nuggets=(Nugget(gold=(gold,)),))


def test_what_lint_finds() -> None:
    documents = {"a.txt": document("One. Two. Three. Two.")}

    def problems(source: str, start: int, quote: str) -> list[str]:
        return [problem.what for problem in lint([case(source, start, quote)], documents)]

    assert problems("a.txt", 5, "Two.") == []
    assert problems("a.txt", 9, "Three.") == ["'Three.' is not at 9 of a.txt but at 10:16"]
    assert problems("a.txt", 6, "Two.") == ["'Two.' is not at 6 of a.txt, but stands 2 times; choose one"]
    assert problems("a.txt", 0, "Four.") == ["'Four.' does not stand in a.txt any more; choose other words"]
    assert problems("b.txt", 0, "One.") == ["b.txt is not in the corpus; add it, or drop the quote"]
    context = case("a.txt", 5, "Two.").model_copy(
        update={"context": (Gold(source="a.txt", start=0, end=1, quote="X"),)}
    )
    assert len(lint([context], documents)) == 1
