"""Measures of citations and answers: every figure here was worked out by hand, and the docstrings' examples run."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

import eval as package
from eval.measures import (
    Citation,
    Fact,
    Place,
    amount_recall,
    character_iou,
    citation_precision,
    citation_recall,
    coverage,
    date_recall,
    exact_citations,
    f1,
    forbidden_shown,
    item_amounts,
    item_precision,
    item_recall,
    merged,
    nugget_recall,
    overlap,
    sentence_choice,
    size,
)

MODULES = [module.name for module in pkgutil.iter_modules(package.__path__)]

places = st.builds(
    lambda source, start, length: Place(source, start, start + length),
    st.sampled_from("ab"),
    st.integers(0, 40),
    st.integers(1, 20),
)
some = st.lists(places, max_size=6)


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_in_docstrings(name: str) -> None:
    result = doctest.testmod(importlib.import_module(f"eval.{name}"), raise_on_error=False)
    assert result.failed == 0


def test_every_measure_has_an_example() -> None:
    for name in ("measures", "silence", "support", "retrieval"):
        module = importlib.import_module(f"eval.{name}")
        for function, thing in vars(module).items():
            own = (
                callable(thing) and getattr(thing, "__module__", "") == module.__name__ and not isinstance(thing, type)
            )
            about_files = function.startswith(("read_", "write_", "existing", "fields_of", "_")) or function == "judge"
            assert not own or about_files or ">>>" in (thing.__doc__ or ""), f"{name}.{function}"


class TestCitations:
    GOLD = (Place("a", 100, 200), Place("a", 300, 340))

    def test_half_a_citation_is_enough(self) -> None:
        # 50 of 100 characters are gold; one character less is not enough.
        assert citation_precision([Place("a", 150, 250)], self.GOLD) == 1.0
        assert citation_precision([Place("a", 151, 251)], self.GOLD) == 0.0

    def test_the_same_range_of_another_document_is_wrong(self) -> None:
        assert citation_precision([Place("b", 100, 200)], self.GOLD) == 0.0
        assert citation_recall([Place("b", 100, 200)], [[self.GOLD[0]]]) == 0.0

    def test_two_citations_of_a_part_add_up(self) -> None:
        # 30 + 30 of 100 characters: neither covers half alone, together they do.
        cited = [Place("a", 100, 130), Place("a", 170, 200)]
        assert citation_recall(cited, [[self.GOLD[0]]]) == 1.0
        assert citation_recall(cited[:1], [[self.GOLD[0]]]) == 0.0

    def test_any_alternative_recalls_a_part(self) -> None:
        parts = [list(self.GOLD), [Place("c", 0, 10)]]
        assert citation_recall([Place("a", 300, 340)], parts) == 0.5

    def test_a_whole_document_recalls_everything_and_is_not_precise(self) -> None:
        whole = [Place("a", 0, 1000)]
        assert citation_recall(whole, [[each] for each in self.GOLD]) == 1.0
        assert citation_precision(whole, self.GOLD) == 0.0

    def test_context_is_neither_right_nor_wrong(self) -> None:
        cited = [self.GOLD[0], Place("a", 210, 250), Place("a", 400, 420)]
        assert citation_precision(cited, self.GOLD, context=[Place("a", 210, 250)]) == 0.5
        assert citation_precision(cited[1:2], self.GOLD, context=[Place("a", 210, 250)]) == 0.0

    def test_nothing_cited_scores_zero(self) -> None:
        assert citation_precision([], self.GOLD) == 0.0
        assert citation_recall([], [self.GOLD]) == 0.0
        assert character_iou([], [self.GOLD]) == 0.0
        assert f1(0.0, 0.0) == 0.0

    def test_iou_by_hand(self) -> None:
        # Cited 150-250, gold 100-200 and 300-340: 50 shared, 100 + 140 - 50 = 190 in all.
        parts = [[each] for each in self.GOLD]
        assert character_iou([Place("a", 150, 250)], parts) == pytest.approx(50 / 190)
        # With 200-250 as context the 50 characters beyond the gold don't count: 50 / 140.
        assert character_iou([Place("a", 150, 250)], parts, [Place("a", 200, 250)]) == pytest.approx(50 / 140)

    def test_exactness_finds_a_shift_by_one(self) -> None:
        texts = {"a": "One. Two. Two."}
        right, shifted = Citation("a", 5, 9, "Two."), Citation("a", 4, 8, "Two.")
        assert exact_citations([right, shifted, Citation("a", 10, 14, "Two.")], texts) == [True, False, True]
        assert exact_citations([Citation("b", 0, 1, "O"), Citation("a", 5, 99, "Two. Two.")], texts) == [False, False]

    def test_the_best_of_several_references_counts(self) -> None:
        given = [Place("a", start, start + 10) for start in (0, 10, 20, 30)]
        references = [[given[0], given[1]], [given[2]], [given[2], given[3], given[0]]]
        # Chosen 2 and 3: F1 0, 2*(.5*1)/1.5 = .667, and 2*(1*.667)/1.667 = .8.
        assert sentence_choice(given[2:], given, references) == pytest.approx((1.0, 2 / 3, 0.8))
        assert sentence_choice([], given, references) == (0.0, 0.0, 0.0)

    @given(some, some)
    def test_iou_is_symmetric_and_one_only_for_equal_sets(self, one: list[Place], other: list[Place]) -> None:
        forth = character_iou(one, [[place] for place in other])
        assert forth == pytest.approx(character_iou(other, [[place] for place in one]))
        assert (forth == 1.0) == (bool(one) and merged(one) == merged(other))

    @given(some, some, places)
    def test_more_citations_never_lower_recall(self, cited: list[Place], gold: list[Place], more: Place) -> None:
        parts = [[place] for place in gold]
        assert citation_recall([*cited, more], parts) >= citation_recall(cited, parts)

    @given(some)
    def test_unions_against_sets_of_characters(self, spans: list[Place]) -> None:
        characters = {(place.source, at) for place in spans for at in range(place.start, place.end)}
        ranges = merged(spans)
        assert size(ranges) == overlap(ranges, ranges) == len(characters)
        for place in spans:
            assert coverage(place, ranges) == 1.0

    def test_shuffled_citations_fall_to_chance(self) -> None:
        # 400 one-sentence cases: each cites another's sentence, so about one in 400 stays right.
        gold = [Place("a", 10 * n, 10 * n + 9) for n in range(400)]
        shuffled = gold.copy()
        random.Random(7).shuffle(shuffled)  # noqa: S311 - nothing secret
        right = [citation_precision([cited], [place]) for cited, place in zip(shuffled, gold, strict=True)]
        assert sum(right) / len(right) < 0.02


class TestAnswers:
    ITEMS = (("Delta Radio",), ("Reedbed School", "the school at Reedbed"), ("Open Archive", "ОА"))

    def test_items_by_any_of_their_names(self) -> None:
        assert item_recall(self.ITEMS, ["Grants went to DELTA RADIO, and the school at Reedbed."]) == pytest.approx(
            2 / 3
        )
        assert item_recall(self.ITEMS, ["Delta", "Radio Reedbed"]) == 0.0

    def test_the_cap_counts_items_not_shares(self) -> None:
        twenty = [(f"Item {n}",) for n in range(20)]
        shown = [f"Item {n}" for n in range(4)]
        assert item_recall(twenty, shown) == pytest.approx(4 / 20)
        assert item_recall(twenty, shown, cap=5) == pytest.approx(4 / 5)
        assert item_recall(twenty, [f"Item {n}" for n in range(7)], cap=5) == 1.0
        assert item_recall(self.ITEMS, ["Delta Radio"], cap=5) == pytest.approx(1 / 3)

    def test_precision_counts_an_entry_once(self) -> None:
        assert item_precision(self.ITEMS, ["Delta Radio", "delta radio", "Ridge Club", "ОА"]) == pytest.approx(2 / 3)
        assert item_precision(self.ITEMS, []) == 0.0

    def test_an_amount_must_stand_with_its_item(self) -> None:
        items = [(("Delta Radio",), "$55,000"), (("Reedbed School",), "$70,000")]
        assert item_amounts(items, [("Delta Radio", "55 000 USD"), ("Reedbed School", "$70,000")]) == 1.0
        assert item_amounts(items, [("Delta Radio", "$70,000"), ("Reedbed School", "$55,000")]) == 0.0

    def test_amounts_and_dates(self) -> None:
        text = "It paid €1.25 million on 14.04.2021 and £300 in May 2020."
        assert amount_recall(["€1,250,000", "£300", "$300"], text) == pytest.approx(2 / 3)
        assert date_recall(["2021-04-14", "2021", "2020-05", "2020-05-01"], text) == pytest.approx(3 / 4)

    def test_nuggets_by_form_or_by_gold(self) -> None:
        facts = [
            Fact(("Northgate", "North Gate"), True, ()),
            Fact((), True, (Place("a", 0, 10),)),
            Fact(("invented",), False, ()),
        ]
        assert nugget_recall(facts, "In North Gate.", [], vital=True) == 0.5
        assert nugget_recall(facts, "In North Gate.", [Place("a", 0, 6)], vital=True) == 1.0
        assert nugget_recall(facts, "An invented one in Northgate.", [], vital=False) == pytest.approx(2 / 3)
        assert nugget_recall(facts[2:], "", [], vital=True) is None

    def test_forbidden_values_however_written(self) -> None:
        assert forbidden_shown(["$40,000", "2019"], "It had 40 000 dollars in 2020.") == ("$40,000",)
        assert forbidden_shown(["$40,000"], "It had $140,000 and $40,000,000.") == ()
