"""Runs: every case on disk as it is answered, whatever happens; answers of other systems; two runs compared."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from eval.cases import Case
from eval.run import Loaded, Record, Settings, load, run, settings_for
from eval.score import BY_NAME
from eval.summary import Summary, compare, label, score_run, summarise
from eval.support import PlainVerifier
from eval.systems import FromFile, claims_of
from index.errors import DocumentError, UsageError
from rag.models import Answer
from tests.handmade import CASES, TEXTS, HandMade, answer, best, cite, gold_answer, refusal


def settings(**changed) -> Settings:
    known = {"cases": "cases.jsonl", "system": "hand", "used": 8, "corpus": "3", "corpus_digest": "c", "index": "i"}
    return settings_for(CASES, **{**known, **changed})


def made(out: Path, system: HandMade, **known) -> Loaded:
    return run(out, settings(system=system.name), CASES, system, **known)


def summed(loaded: Loaded) -> Summary:
    verifier = PlainVerifier()
    return summarise(loaded, score_run(loaded, verifier), verifier)


def test_a_run_keeps_everything(tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    loaded = made(tmp_path / "r", HandMade("hand", gold_answer), progress=lambda *step: steps.append(step))
    assert steps == [(n, 7) for n in range(8)]  # six cases, one of them rewritten too
    assert load(tmp_path / "r") == loaded
    assert loaded.missing == []
    assert loaded.cases == CASES
    assert loaded.texts == {source: TEXTS[source] for source in loaded.texts}
    assert loaded.records["place", "rewritten"].answer == gold_answer(CASES[3])
    assert loaded.cost.peak_mib > 1
    assert loaded.settings.versions["python"].startswith("3.")
    assert len(loaded.settings.code) == 16


def test_a_follow_up_is_asked_with_its_history_and_rewritten_without(tmp_path: Path) -> None:
    system = HandMade("hand", gold_answer)
    made(tmp_path / "r", system)
    asked = [each for each in system.asked if each.id == "place"]
    assert [(each.question, len(each.history)) for each in asked] == [
        ("Where is its office?", 1),
        ("Where is the office of the Larkspur Fund?", 0),
    ]


class CrashError(RuntimeError):
    pass


def test_a_crash_half_way_costs_only_what_was_not_written(tmp_path: Path) -> None:
    def breaking(case: Case) -> Answer:
        if case.id == "date" and armed:
            raise CrashError
        return gold_answer(case)

    armed = [True]
    with pytest.raises(CrashError):
        made(tmp_path / "r", HandMade("hand", breaking))
    half = load(tmp_path / "r")
    assert half.missing == ["date", "place", "year", "detail"]
    path = tmp_path / "r" / "answers.jsonl"
    with path.open("a") as file:
        file.write('{"case": "date", "answ')  # the line that the crash cut off
    assert load(tmp_path / "r").missing == half.missing
    armed.clear()
    again = HandMade("hand", breaking)
    whole = made(tmp_path / "r", again)
    assert whole.missing == []
    assert [each.id for each in again.asked] == ["date", "place", "place", "year", "detail"]
    assert [json.loads(line)["case"] for line in path.read_text().splitlines()] == [
        "amount", "list", "date", "place", "place", "year", "detail",
    ]  # fmt: skip


def test_a_case_without_an_answer_scores_zero_and_is_counted(tmp_path: Path) -> None:
    def failing(case: Case) -> Answer | None:
        if case.id == "amount":
            raise DocumentError("no such luck; try again")
        return None if case.id == "list" else gold_answer(case)

    loaded = made(tmp_path / "r", HandMade("hand", failing))
    assert loaded.records["amount", "asked"].error == "no such luck; try again"
    summary = summed(loaded)
    assert (summary.errors, summary.unanswered) == (1, 2)
    assert summary.figure("right").value == 0.5
    assert summary.figure("right").cases == 4
    assert summary.failures == {"no answer": 2}


def test_an_unfinished_run_scores_its_missing_cases_zero(tmp_path: Path) -> None:
    loaded = made(tmp_path / "r", HandMade("hand", gold_answer))
    path = tmp_path / "r" / "answers.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:1]))
    summary = summed(load(tmp_path / "r"))
    assert summary.figure("right").value == 0.25
    assert summary.unanswered == 5
    assert loaded.folder == tmp_path / "r"


@pytest.mark.parametrize(
    "change", [{"system": "other"}, {"corpus_digest": "d"}, {"index": "j"}, {"seed": 2}, {"code": "x"}]
)
def test_a_run_does_not_go_on_under_other_settings(tmp_path: Path, change: dict[str, object]) -> None:
    made(tmp_path / "r", HandMade("hand", gold_answer))
    with pytest.raises(UsageError, match=f"holds a run with {next(iter(change))}"):
        run(tmp_path / "r", settings(**change), CASES, HandMade("hand", gold_answer))


def test_other_versions_or_workers_go_on(tmp_path: Path) -> None:
    made(tmp_path / "r", HandMade("hand", gold_answer))
    run(tmp_path / "r", settings(workers=3, versions={}), CASES, HandMade("hand", gold_answer))


def test_questions_are_asked_side_by_side(tmp_path: Path) -> None:
    meeting = threading.Barrier(2, timeout=20)

    def waiting(case: Case) -> Answer:
        if case.id in {"amount", "list"}:
            meeting.wait()  # passes only when both are asked at once
        return gold_answer(case)

    loaded = run(tmp_path / "r", settings(workers=2), CASES, HandMade("hand", waiting))
    assert loaded.missing == []


def test_damage_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no run"):
        load(tmp_path)
    made(tmp_path / "r", HandMade("hand", gold_answer))
    path = tmp_path / "r" / "answers.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text(lines[0] + '{"nonsense": 1}\n' + "".join(lines[1:]))
    with pytest.raises(UsageError, match=r"answers.jsonl, line 2 is damaged"):
        load(tmp_path / "r")
    path.write_text("".join(lines))
    (tmp_path / "r" / "settings.json").write_text("{}")
    with pytest.raises(UsageError, match=r"settings.json is damaged"):
        load(tmp_path / "r")


# ---------------------------------------------------------------------------------------------------- other systems


def peer(path: Path, *records: dict[str, object]) -> Path:
    path.write_text("\n".join(json.dumps(record) for record in records) + "\n")
    return path


DELTA = "In 2021 the Larkspur Fund gave $55,000 to Delta Radio."


def test_answers_of_another_system_are_scored_by_the_same_code(tmp_path: Path) -> None:
    answers = peer(
        tmp_path / "peer.jsonl",
        {
            "id": "amount",
            "text": "Delta Radio got $55,000 [1].",
            "citations": [{"source": "documents/2021.txt", "quote": DELTA}],
            "confidence": 0.8,
            "seconds": 1.5,
        },
        {
            "id": "date",
            "text": "On 3 March 2020. [1][7]",
            "citations": [{"source": "documents/2020.txt", "quote": "no such words"}],
        },
        {"id": "year", "text": ""},
        {"id": "detail", "text": "Nobody knows.", "refused": True, "reason": "detail_not_given"},
    )
    system = FromFile(answers, TEXTS)
    assert system.name == "peer"
    assert system.unknown(case.id for case in CASES) == []
    loaded = run(tmp_path / "r", settings(system="peer", used=0), CASES, system)
    scores = score_run(loaded, PlainVerifier())
    good = scores["amount", "asked"].values
    assert (good["citation_f1"].of, good["exactness"].value, good["right"].of) == (1.0, 1.0, 1.0)
    bad = scores["date", "asked"].values
    assert (bad["citation_f1"].of, bad["exactness"].value, bad["dates"].of) == (0.0, 0.0, 1.0)
    assert scores["list", "asked"].failure == "no answer"
    assert scores["year", "asked"].outcome.refused
    assert scores["detail", "asked"].values["reasons"].of == 1
    summary = summarise(loaded, scores, PlainVerifier())
    assert summary.figure("seen_recall") is None  # nothing is known of what it retrieved
    assert [(each.stage, each.p50, each.cases) for each in summary.times] == [("total", 1500.0, 1)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"id": "a"}\n{"id": "a"}', "line 2: case 'a' is answered twice"),
        ('{"id": "a", "words": 1}', "line 1: words"),
        ("{", "line 1"),
    ],
)
def test_bad_answers_name_the_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.jsonl").write_text(text)
    with pytest.raises(UsageError, match=message):
        FromFile(tmp_path / "a.jsonl", TEXTS)


def test_marks_go_to_the_sentence_before_them() -> None:
    claims = claims_of("U.S. grants went up [1, 2]. They fell. [3] Then:\n- one [4]\n- two\n")
    assert [(claim.text, claim.citations) for claim in claims] == [
        ("U.S. grants went up.", (1, 2)),
        ("They fell.", (3,)),
        ("Then:", ()),
        ("- one", (4,)),
        ("- two", ()),
    ]
    assert claims_of("[1]") == []


# ------------------------------------------------------------------------------------------------ figures of a run


def test_figures_of_a_perfect_run(tmp_path: Path) -> None:
    summary = summed(made(tmp_path / "r", HandMade("hand", gold_answer)))
    for figure in summary.figures:
        if figure.name in BY_NAME and figure.higher_is_better:
            assert (figure.value, figure.low, figure.high) == (1.0, 1.0, 1.0), figure.name
    assert summary.figure("answerability_auc").value == 1.0
    assert summary.figure("excess_aurc").value == pytest.approx(0.0)
    assert summary.figure("calibration_error").value == pytest.approx(0.1)
    assert summary.figure("nDCG@10").value == 1.0
    assert {kind: figures[0].cases for kind, figures in summary.kinds.items()} == dict.fromkeys(
        ["amount", "date", "list", "place"], 1
    )
    assert summary.followups.turns == 1
    assert summary.followups.asked == summary.followups.rewritten
    assert {each.stage: each.p50 for each in summary.times} == {"search": 2.0, "total": 10.0}
    assert summary.tokens > 10
    assert summary.failures == {}
    assert summary.reasons["other_period"] == {"other_period": 1}
    assert Summary.model_validate_json(summary.model_dump_json()) == summary


def test_follow_ups_are_shown_beside_their_rewriting(tmp_path: Path) -> None:
    class Forgetful(HandMade):
        def answer(self, asked):
            return refusal(self._cases[asked.id]) if asked.history else super().answer(asked)

    summary = summed(made(tmp_path / "r", Forgetful("hand", gold_answer)))
    values = [{f.name: f.value for f in side} for side in (summary.followups.asked, summary.followups.rewritten)]
    assert [each["citation_f1"] for each in values] == [0.0, 1.0]
    assert summary.figure("right").value == 0.75  # only what was asked as it is counts


def test_two_runs_are_compared_case_by_case(tmp_path: Path) -> None:
    def worse(case: Case) -> Answer:
        if case.id == "list":
            return answer(case, best(case)[:1])
        return refusal(case) if case.id == "date" else gold_answer(case)

    runs = [made(tmp_path / name, HandMade("hand", how)) for name, how in (("a", gold_answer), ("b", worse))]
    scores = [score_run(each, PlainVerifier()) for each in runs]
    differences, changed = compare(runs[0], scores[0], runs[1], scores[1])
    by_name = {each.measure.name: each for each in differences}
    assert by_name["right"].before == 1.0
    assert by_name["right"].comparison.difference == pytest.approx(-0.5)
    assert by_name["exactness"].comparison.difference == 0.0
    assert [(each.case.id, each.before, each.after) for each in changed] == [
        ("list", "right", "wrong (not selected)"),
        ("date", "right", "refused"),
    ]
    assert changed[1].f1_after == 0.0
    assert compare(runs[0], scores[0], runs[0], scores[0])[1] == []


def test_runs_of_other_cases_are_not_compared(tmp_path: Path) -> None:
    first = made(tmp_path / "a", HandMade("hand", gold_answer))
    few = settings_for(CASES[:2], **settings().model_dump(exclude={"cases_digest", "code", "versions"}))
    other = run(tmp_path / "b", few, CASES[:2], HandMade("hand", gold_answer))
    with pytest.raises(UsageError, match="runs of other cases"):
        compare(first, score_run(first, PlainVerifier()), other, score_run(other, PlainVerifier()))


def test_labels(tmp_path: Path) -> None:
    loaded = made(tmp_path / "r", HandMade("hand", lambda case: None if case.id == "list" else refusal(case)))
    scores = score_run(loaded, PlainVerifier())
    assert label(scores["list", "asked"]) == "no answer"
    assert label(scores["year", "asked"]) == "refused"
    assert isinstance(loaded.records["year", "asked"], Record)
    assert cite(1, CASES[0].gold[0]).quote == DELTA
