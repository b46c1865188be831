"""The gate lets a run pass that is as good as its floors, and names the questions of one that is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from eval.cases import Case
from eval.gate import NOISE, Floors, check, key, pin, read_floors, write_floors
from eval.run import Loaded, run
from eval.summary import Scores, Summary, score_run, summarise
from eval.support import PlainVerifier
from index.errors import UsageError
from rag.models import Answer
from tests.handmade import CASES, DELTA_2021, HandMade, answer, best, gold_answer, refusal
from tests.test_run import settings

Scored = tuple[Loaded, Scores, Summary]


def scored(out: Path, how=gold_answer, **known) -> Scored:
    loaded = run(out, settings(**known), CASES, HandMade("hand", how))
    scores = score_run(loaded, PlainVerifier())
    return loaded, scores, summarise(loaded, scores, PlainVerifier())


def careless(case: Case) -> Answer:
    if case.id == "year":
        return answer(case, [DELTA_2021])
    return answer(case, best(case)[:1]) if case.id == "list" else gold_answer(case)


def test_a_run_passes_its_own_floors(tmp_path: Path) -> None:
    good = scored(tmp_path / "good")
    floors = pin(*good, Floors(), lower=False)
    assert check(*good, floors) == []
    write_floors(floors, tmp_path / "floors.json")
    assert read_floors(tmp_path / "floors.json") == floors
    assert key(good[0]) == "cases/hand"
    assert floors.sets["cases/hand"].floors["right"].value == 1.0


def test_a_worse_run_breaks_it_and_names_the_questions(tmp_path: Path) -> None:
    floors = pin(*scored(tmp_path / "good"), Floors(), lower=False)
    broken = {each.name: each for each in check(*scored(tmp_path / "worse", careless), floors)}
    assert broken["citation_recall"].cases == [("list", 1.0, pytest.approx(1 / 3, abs=1e-3))]
    assert broken["refusal_recall"].cases == [("year", 1.0, 0.0)]
    assert broken["crag"].cases == [("list", 1.0, -1.0), ("year", 1.0, -1.0)]
    assert broken["right"].value == 0.75
    assert "exactness" not in broken


def test_what_was_below_already_is_not_named(tmp_path: Path) -> None:
    floors = pin(*scored(tmp_path / "worse", careless), Floors(), lower=False)
    assert floors.sets["cases/hand"].floors["right"].below == {"list": 0.0}

    def more(case: Case) -> Answer:
        return refusal(case) if case.id == "date" else careless(case)

    broken = {each.name: each for each in check(*scored(tmp_path / "more", more), floors)}
    assert [case for case, _, _ in broken["right"].cases] == ["date"]


def test_noise_is_forgiven(tmp_path: Path) -> None:
    good = scored(tmp_path / "good")
    floors = pin(*good, Floors(), lower=False)
    pinned = floors.sets["cases/hand"]

    def raised(by: float) -> Floors:
        changed = {name: floor.model_copy(update={"value": floor.value + by}) for name, floor in pinned.floors.items()}
        less = {"forbidden"}
        kept = {name: floor for name, floor in changed.items() if name not in less}
        return Floors(sets={"cases/hand": pinned.model_copy(update={"floors": kept})})

    assert check(*good, raised(NOISE)) == []
    assert len(check(*good, raised(NOISE + 0.001))) == len(pinned.floors) - 1


def test_less_is_better_has_a_ceiling(tmp_path: Path) -> None:
    floors = pin(*scored(tmp_path / "good"), Floors(), lower=False)
    other = next(each for each in CASES if each.id == "amount")

    def forbidden(case: Case) -> Answer:
        if case is not other:
            return gold_answer(case)
        given = gold_answer(case)
        claims = (given.claims[0].model_copy(update={"text": "Once it got $40,000."}),)
        return given.model_copy(update={"claims": claims})

    broken = {each.name: each for each in check(*scored(tmp_path / "f", forbidden), floors)}
    assert (broken["forbidden"].value, broken["forbidden"].cases) == (1.0, [("amount", 1.0, 0.0)])


def test_floors_fall_only_when_told_to(tmp_path: Path) -> None:
    good, worse = scored(tmp_path / "good"), scored(tmp_path / "worse", careless)
    floors = pin(*good, Floors(), lower=False)
    with pytest.raises(UsageError, match=r"lower the floors of .*right.*--lower-floors"):
        pin(*worse, floors, lower=False)
    lowered = pin(*worse, floors, lower=True)
    assert lowered.sets["cases/hand"].floors["right"].value == 0.75
    assert pin(*good, lowered, lower=False).sets["cases/hand"].floors["right"].value == 1.0


def test_floors_of_other_cases_or_none_are_no_pass(tmp_path: Path) -> None:
    good = scored(tmp_path / "good")
    with pytest.raises(UsageError, match="no floors are pinned for cases/hand"):
        check(*good, Floors())
    floors = pin(*good, Floors(), lower=False)
    changed = floors.sets["cases/hand"].model_copy(update={"digest": "0" * 64})
    with pytest.raises(UsageError, match="are not those the floors were pinned on"):
        check(*good, Floors(sets={"cases/hand": changed}))


def test_an_unfinished_run_is_no_pass(tmp_path: Path) -> None:
    loaded, scores, summary = scored(tmp_path / "good")
    floors = pin(loaded, scores, summary, Floors(), lower=False)
    half = loaded._replace(records=dict(list(loaded.records.items())[:2]))
    for call in (lambda: check(half, scores, summary, floors), lambda: pin(half, scores, summary, floors, lower=True)):
        with pytest.raises(UsageError, match=r"4 cases of .* were not asked yet"):
            call()


def test_a_damaged_file_of_floors(tmp_path: Path) -> None:
    (tmp_path / "floors.json").write_text('{"sets": 1}')
    with pytest.raises(UsageError, match="cannot be read as floors"):
        read_floors(tmp_path / "floors.json")
    assert read_floors(tmp_path / "none.json") == Floors()
