"""What a question asks for: the small model over the rules."""

import json

import pytest

from rag.kinds import WEIGHTS, by_rule, kind_of, marks
from rag.question import masked, understand


@pytest.mark.parametrize(
    ("text", "rule", "kind"),
    [
        # Where the rules hear a word, the model hears the question.
        ("What share of the members voted?", "fact", "amount"),
        ("name of the inspector who was moved to other duties", "list", "person"),
        ("Which groups in Lower Isk were funded by the Northmere Fund?", "list", "list"),
    ],
)
def test_the_model_corrects_the_rules(text, rule, kind):
    assert by_rule(masked(text)) == rule
    assert understand(text).kind == kind


def test_a_name_says_nothing_of_what_is_asked():
    assert masked("Which groups in Lower Isk were there?") == "Which groups in Name were there?"
    assert "lower" not in list(marks(masked("Which groups in Lower Isk were there?")))


def test_in_russian_and_for_totals_the_rules_decide():
    assert kind_of("Кто получил гранты в 2021 году?") == by_rule("Кто получил гранты в 2021 году?") == "list"
    assert kind_of("How much in total?") == "total"


def test_the_model_is_better_than_the_rules():
    scores = json.loads(WEIGHTS.read_text())["scores"]
    assert scores["right, on documents not learned from"] > scores["right by the rules alone"] + 0.05
