"""The corpus: documents that are our own and say when they are invented, and questions whose gold stands in them."""

from __future__ import annotations

import importlib.util
import re
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

from eval.cases import KINDS, Case, read_cases
from index.load import load
from index.models import Document

CORPUS = Path(__file__).parents[1] / "corpus"
DOCUMENTS = sorted(path for path in (CORPUS / "documents").rglob("*") if path.is_file())
SEEDS = Path(__file__).parents[2] / "shared" / "seeds"
# An official name that is itself longer than the longest run of words that may be shared.
LONG_NAME = "kazakhstan international bureau for human rights and rule of law"


def script(name: str) -> ModuleType:
    """A script of the corpus as a module: the folder is no package."""
    spec = importlib.util.spec_from_file_location(f"corpus_{name}", CORPUS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def source_of(path: Path) -> str:
    return path.relative_to(CORPUS).as_posix()


@pytest.fixture(scope="module")
def documents() -> dict[str, Document]:
    return {source_of(path): load(path, source_of(path))[0] for path in DOCUMENTS}


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    return read_cases(CORPUS / "cases.jsonl")


def test_every_format_is_there() -> None:
    formats = Counter(path.suffix for path in DOCUMENTS)
    assert formats.keys() == {".md", ".txt", ".html", ".csv", ".pdf", ".docx", ".pptx", ".xlsx"}
    assert 15 <= len(DOCUMENTS) <= 20


def test_documents_know_their_title_day_and_language(documents: dict[str, Document]) -> None:
    assert {source for source, document in documents.items() if not document.text.strip()} == set()
    assert documents["documents/reports/otchet-2023.docx"].language == "ru"
    assert str(documents["documents/web/annual-report-2021.html"].published) == "2022-03-29"
    assert str(documents["documents/reports/erratum-2022.md"].published) == "2023-09-14"
    brief = documents["documents/briefs/ned-grants-2021.md"]
    assert brief.publisher == "pincite demo corpus"
    assert brief.title == "NED grants for Kazakhstan in 2021: what RT reported"


@pytest.mark.parametrize("path", [path for path in DOCUMENTS if path.parent.name != "briefs"], ids=source_of)
def test_an_invented_document_says_so(path: Path, documents: dict[str, Document]) -> None:
    assert re.search(r"\binvented\b|вымышлен", documents[source_of(path)].text)


@pytest.mark.parametrize("path", [path for path in DOCUMENTS if path.parent.name == "briefs"], ids=source_of)
def test_a_brief_copies_nothing(path: Path) -> None:
    if not SEEDS.is_dir():
        pytest.skip(f"the folder {SEEDS} is missing, so that there is nothing to compare with")
    runs = word_runs(path.read_text(encoding="utf-8"))
    for seed in sorted(SEEDS.glob("*.txt")):
        shared = runs & word_runs(seed.read_text(encoding="utf-8"))
        assert not shared, f"{path.name} shares {min(shared)!r} with {seed.name}"


def word_runs(text: str, length: int = 8) -> set[str]:
    """Every run of eight words, where the long name counts as one."""
    listed = " ".join(re.findall(r"\w+", text.casefold())).replace(LONG_NAME, "_").split()
    return {" ".join(listed[start : start + length]) for start in range(len(listed) - length + 1)}


def test_make_gives_the_committed_bytes() -> None:
    for name, data in script("make").build().items():
        assert (CORPUS / "documents" / name).read_bytes() == data, f"{name} differs: run python corpus/make.py"


def test_pin_gives_the_committed_cases(cases: list[Case]) -> None:
    assert script("pin").build() == cases, "run python corpus/pin.py"


def test_every_gold_quote_is_its_slice(cases: list[Case], documents: dict[str, Document]) -> None:
    for case in cases:
        for gold in (*case.gold, *case.context):
            assert documents[gold.source].text[gold.start : gold.end] == gold.quote, case.id


def test_enough_questions_of_every_kind(cases: list[Case]) -> None:
    assert len(cases) >= 150
    refusals = Counter(case.reason for case in cases if not case.answerable)
    assert refusals.total() >= 45
    assert min(refusals[reason] for reason in ("other_period", "no_evidence", "detail_not_given")) >= 10
    answerable = Counter(case.kind for case in cases if case.answerable)
    assert answerable.keys() == set(KINDS)
    assert sum(1 for case in cases if case.history) >= 15
    assert sum(1 for case in cases if case.language == "ru") >= 12


def test_every_document_answers_something(cases: list[Case], documents: dict[str, Document]) -> None:
    assert {gold.source for case in cases for gold in case.gold} == documents.keys()


def test_a_form_of_each_fact_stands_in_its_gold(cases: list[Case]) -> None:
    for case in cases:
        for nugget in case.nuggets:
            for gold in nugget.gold:
                quote = " ".join(gold.quote.split()).casefold()
                assert any(form.casefold() in quote for form in nugget.forms), f"{case.id}: not in {quote!r}"


def test_no_forbidden_value_is_wanted_too(cases: list[Case]) -> None:
    for case in cases:
        forms = {form for nugget in case.nuggets for form in nugget.forms}
        forms.update(name for item in case.items for name in item.names)
        assert not forms & set(case.forbidden), case.id
        assert not set(case.amounts) & set(case.forbidden), case.id
