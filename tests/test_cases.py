"""The case model, and reading and writing case files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from pydantic_core import PydanticSerializationError

from eval.cases import Case, Gold, Item, Nugget, Turn, digest, locate, read_cases, write_cases
from index.errors import UsageError

GOLD = Gold(source="a.txt", start=3, end=8, quote="€5 to")
FACT = Nugget(forms=("€5",), gold=(GOLD,))
CASE = Case(id="c1", question="How much?", kind="amount", answerable=True, nuggets=(FACT,), amounts=("€5",))
REFUSED = Case(id="c2", question="And in 2019?", kind="amount", answerable=False, reason="other_period")


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    follow_up = Case(
        id="c3",
        question="Кто ещё?\u2028",
        kind="list",
        answerable=True,
        language="ru",
        history=(Turn(question="Кто?", answer="Он."), Turn(question="Где?")),
        rewritten="Кто ещё получил?",
        items=(Item(name="Он", aliases=("Она",), amount="5 ₸", gold=(GOLD,)),),
        context=(GOLD,),
        dates=("2021", "2021-05", "2021-05-13"),
        forbidden=("7 ₸",),
        tags=("coordination",),
        note="a note",
    )
    path = tmp_path / "cases.jsonl"
    write_cases(path, [CASE, REFUSED, follow_up])
    assert read_cases(path) == [CASE, REFUSED, follow_up]
    assert [file.name for file in tmp_path.iterdir()] == ["cases.jsonl"]
    assert follow_up.items[0].names == ("Он", "Она")


def test_blank_lines_and_byte_order_mark_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl"
    write_cases(path, [CASE])
    path.write_text("\ufeff\n" + path.read_text() + "\n  \r\n")
    assert read_cases(path) == [CASE]


def test_digest_is_of_the_cases_and_not_of_the_layout(tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_text(json.dumps(CASE.model_dump(), indent=None) + "\n\n" + REFUSED.model_dump_json())
    assert digest(read_cases(path)) == digest([CASE, REFUSED])
    assert digest([CASE, REFUSED]) != digest([REFUSED, CASE])
    assert digest([CASE]) != digest([CASE.model_copy(update={"note": "x"})])
    assert len(digest([])) == 64


def test_a_failed_write_keeps_the_file(tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl"
    write_cases(path, [CASE])
    before = path.read_bytes()
    with pytest.raises(PydanticSerializationError):
        write_cases(path, [CASE.model_copy(update={"note": "\ud800"})])
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["cases.jsonl"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 2: Invalid JSON"),
        ('{"id": "x"}', "line 2: question: Field required"),
        (CASE.model_dump_json().replace('"note":null', '"extra":1'), "line 2: extra: Extra inputs"),
        (CASE.model_dump_json().replace('"end":8', '"end":9'), "line 2: nuggets.0.gold.0: .*does not fit a quote of 5"),
        (CASE.model_dump_json().replace("How much?", "Again?"), "the id 'c1' stands in line 1 too; rename one"),
        (CASE.model_dump_json().replace('"amount"', '"sum"', 1), "line 2: kind: Input should be"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_text(f"{CASE.model_dump_json()}\n{line}\n")
    with pytest.raises(UsageError, match=message) as caught:
        read_cases(path)
    assert "\n" not in str(caught.value)


def test_unreadable_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read the cases in .*none\.jsonl: No such file"):
        read_cases(tmp_path / "none.jsonl")
    (tmp_path / "latin.jsonl").write_bytes(b'{"id": "\xe9"}')
    with pytest.raises(UsageError, match="not UTF-8"):
        read_cases(tmp_path / "latin.jsonl")
    (tmp_path / "empty.jsonl").write_text("\n\n")
    with pytest.raises(UsageError, match="holds no case"):
        read_cases(tmp_path / "empty.jsonl")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"nuggets": ()}, "needs nuggets or items"),
        ({"reason": "no_evidence"}, "no reason"),
        ({"answerable": False}, "needs a reason"),
        ({"answerable": False, "reason": "no_evidence"}, "no nuggets, items, amounts or dates"),
        ({"rewritten": "How much?"}, "both a history"),
        ({"history": ({"question": "Who?"},)}, "both a history"),
        ({"dates": ("13 May",)}, "'13 May' is not YYYY"),
        ({"id": "two words"}, "id"),
    ],
)
def test_cases_that_do_not_hang_together(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Case.model_validate(CASE.model_dump() | change)


def test_gold_is_each_span_once() -> None:
    other = Gold(source="b.txt", start=0, end=2, quote="It")
    item = Item(name="It", gold=(other, GOLD))
    assert CASE.model_copy(update={"items": (item,)}).gold == (GOLD, other)


def test_locate_wants_one_place() -> None:
    assert locate("a bb a", "bb") == (2, 4)
    assert locate("a bb a", "a", nth=2) == (5, 6)
    with pytest.raises(UsageError, match="stands 2 times"):
        locate("a bb a", "a")
    with pytest.raises(UsageError, match="no place number 3, only 2"):
        locate("a bb a", "a", nth=3)
    with pytest.raises(UsageError, match="does not stand"):
        locate("a bb a", "c" * 100)
    with pytest.raises(UsageError, match="empty quote"):
        locate("a", "")


@given(st.text(), st.text(min_size=1), st.text())
def test_what_is_located_is_the_slice(before: str, quote: str, after: str) -> None:
    text = before + quote + after
    start, end = locate(text, quote, nth=1)
    assert text[start:end] == quote
