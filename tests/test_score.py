"""Systems made by hand behave as they must, from the gold answers down to nothing at all."""

from __future__ import annotations

import pytest

from eval.cases import Case
from eval.measures import Place
from eval.score import MEASURES, Score, all_statements, score, shown, statements
from eval.silence import aurc, crag_score, rows
from eval.stats import ratio
from eval.support import PlainVerifier, judge
from rag.models import Answer, Note, Rejected
from tests.handmade import CASES, DELTA_2021, DELTA_NOTES, TEXTS, answer, best, every_sentence, gold_answer, refusal

LESS_IS_BETTER = {measure.name for measure in MEASURES if not measure.higher_is_better}
BY_ID = {case.id: case for case in CASES}


def scored(case: Case, given: Answer | None, **known) -> Score:
    judged = judge(statements(given), PlainVerifier())
    return score(case, given, TEXTS, judged=judged, **known)


def figure(scores: list[Score], name: str) -> float | None:
    ratios = [each.values[name] for each in scores if name in each.values]
    return ratio([each.of for each in ratios], [each.out_of for each in ratios])


def test_gold_answers_score_one_on_everything() -> None:
    seen = [Place(*place) for place in every_sentence()]
    scores = [scored(case, gold_answer(case), seen=seen, used=len(seen)) for case in CASES]
    names = {name for each in scores for name in each.values}
    # Only the sentences that people chose are missing, which no case here has.
    assert {measure.name for measure in MEASURES} - names == {"sentence_precision", "sentence_recall", "sentence_f1"}
    for name in names:
        assert figure(scores, name) == (0.0 if name in LESS_IS_BETTER else 1.0), name
    assert [each.failure for each in scores] == [None] * len(CASES)


def test_refusing_everything() -> None:
    scores = [scored(case, refusal(case)) for case in CASES]
    assert figure(scores, "crag") == 0.0
    assert figure(scores, "refusal_recall") == 1.0
    assert figure(scores, "refusal_precision") == pytest.approx(2 / 6)
    for name in ("citation_precision", "citation_recall", "right", "nugget_vital", "item_recall", "amounts", "dates"):
        assert figure(scores, name) == 0.0, name
    assert figure(scores, "exactness") is None  # nothing was cited


def test_citing_everything_keeps_recall_and_loses_precision() -> None:
    scores = [scored(case, answer(case, every_sentence())) for case in CASES if case.answerable]
    assert figure(scores, "citation_recall") == 1.0
    # Of ten sentences 2, 4, 1 and 2 are gold.
    assert figure(scores, "citation_precision") == pytest.approx((0.2 + 0.4 + 0.1 + 0.2) / 4)


def test_citing_nothing_loses_recall() -> None:
    for case in CASES:
        if case.answerable:
            without = gold_answer(case).model_copy(update={"citations": ()})
            result = scored(case, without)
            assert result.values["citation_recall"].of == 0.0
            assert result.values["citation_f1"].of == 0.0
            assert result.values["weighted_recall"].value == 0.0


def test_offsets_off_by_one_fail_exactness_and_nothing_else() -> None:
    scores = [scored(case, answer(case, best(case), shift=1)) for case in CASES if case.answerable]
    assert figure(scores, "exactness") == 0.0
    assert figure(scores, "citation_f1") == 1.0


def test_citations_of_another_case_are_wrong() -> None:
    amount, date = BY_ID["amount"], BY_ID["date"]
    result = scored(amount, answer(amount, best(date)))
    assert result.values["citation_precision"].of == 0.0
    assert result.outcome.right is False
    assert result.failure == "not selected"


def test_no_answer_scores_zero_everywhere() -> None:
    for case in CASES:
        result = scored(case, None)
        assert result.failure == "no answer"
        assert all(ratio.of == 0 for name, ratio in result.values.items() if name not in {"forbidden", "refusal_f1"}), (
            case.id
        )
        assert not result.outcome.refused


def test_an_answer_to_a_question_without_one() -> None:
    result = scored(BY_ID["year"], answer(BY_ID["year"], [DELTA_2021]))
    assert result.values["crag"].of == -1
    assert result.failure == "should have refused"
    assert result.outcome.right is False


def test_an_alternative_is_as_good() -> None:
    result = scored(BY_ID["amount"], answer(BY_ID["amount"], [DELTA_NOTES]))
    assert result.values["citation_f1"].of == 1.0
    assert result.failure is None


def test_a_forbidden_value_makes_an_answer_wrong() -> None:
    case = BY_ID["amount"]
    other = Place("documents/2020.txt", 31, 85)  # the sentence with another year's amount
    result = scored(case, answer(case, [DELTA_2021, other]))
    assert result.forbidden == ("$40,000",)
    assert result.values["forbidden"].of == 1
    assert result.outcome.right is False
    assert result.failure == "wrong period"
    # As a note it is no part of the answer.
    noted = gold_answer(case).model_copy(update={"notes": (Note(kind="other_period", text="In 2020: $40,000."),)})
    assert scored(case, noted).forbidden == ()


def test_half_a_list() -> None:
    case = BY_ID["list"]
    values = scored(case, answer(case, best(case)[:2])).values
    assert values["item_recall"].of == pytest.approx(2 / 3)
    assert values["item_recall_5"].of == pytest.approx(2 / 3)
    assert values["item_precision"].of == 1.0
    assert values["item_amounts"].of == pytest.approx(2 / 3)
    plain = scored(case, answer(case, best(case), rows=False)).values
    assert plain["item_precision"].of == plain["item_amounts"].of == 1.0  # read from the claims


class TestWhy:
    CASE = BY_ID["date"]
    GOLD = tuple(Place(g.source, g.start, g.end) for g in BY_ID["date"].gold)
    OTHER = (Place("documents/notes.txt", 47, 66),)

    def why(self, given: Answer, seen: tuple[Place, ...], used: int = 1) -> str | None:
        return score(self.CASE, given, TEXTS, seen=seen, used=used).failure

    def test_each_stage(self) -> None:
        wrong = answer(self.CASE, [DELTA_2021])
        assert self.why(wrong, self.OTHER) == "not retrieved"
        assert self.why(wrong, self.OTHER + self.GOLD) == "ranked too low"
        assert self.why(wrong, self.OTHER + self.GOLD, used=2) == "not selected"
        assert self.why(refusal(self.CASE), self.GOLD) == "refused"
        assert self.why(refusal(self.CASE, "other_period"), self.GOLD) == "wrong period"
        rejected = wrong.model_copy(update={"rejected": (Rejected(text=self.CASE.gold[0].quote, reason="a name"),)})
        assert self.why(rejected, self.GOLD) == "rejected"
        assert self.why(gold_answer(self.CASE), self.GOLD) is None

    def test_the_right_evidence_with_the_wrong_value(self) -> None:
        case = self.CASE.model_copy(update={"dates": ("1999-01-01",), "nuggets": self.CASE.nuggets})
        result = score(case, gold_answer(self.CASE), TEXTS)
        assert result.outcome.right is False
        assert result.failure == "wrong value"


def test_a_refusal_shows_nothing() -> None:
    given = refusal(BY_ID["amount"]).model_copy(update={"text": "Not $55,000, surely."})
    assert shown(given) == ""
    assert all_statements(given) == []


def test_the_reason_given_is_compared() -> None:
    assert scored(BY_ID["year"], refusal(BY_ID["year"], "no_evidence")).values["reasons"].of == 0
    assert scored(BY_ID["year"], refusal(BY_ID["year"])).reasons == ("other_period", "other_period")


def test_scores_of_a_run_behave() -> None:
    outcomes = [scored(case, gold_answer(case)).outcome for case in CASES]
    assert crag_score(outcomes).value == 1.0
    # Four right, then two that have no answer: risks 0 0 0 0 1/5 2/6, the least that these cases allow.
    assert aurc(rows(outcomes)) == pytest.approx((1 / 5 + 2 / 6) / 6)
