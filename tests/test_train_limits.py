"""How it is chosen what of a reader's evidence is shown; choosing takes some minutes and needs the trained halves."""

import json
import shutil

import numpy as np
import pytest

from eval import train_limits
from eval.cases import read_cases, write_cases
from eval.training import PRACTICE
from index.library import Index
from rag.learned import Trained
from rag.read import Limits, Similarity, limits_of

FEW = 30  # questions


@pytest.fixture(scope="module")
def figures(tmp_path_factory):
    """What whole answers of the baseline from four documents give, under all limits."""
    folder = tmp_path_factory.mktemp("practice")
    (folder / "documents").mkdir()
    files = sorted((PRACTICE / "documents").iterdir())[:4]
    for file in files:
        shutil.copy(file, folder / "documents")
    names = {file.name for file in files}
    cases = [c for c in read_cases(PRACTICE / "cases.jsonl") if c.tags[0] in names and c.kind != "list"]
    write_cases(folder / "cases.jsonl", cases[:: len(cases) // FEW])
    with pytest.MonkeyPatch.context() as patch, Index(folder / "index") as index:
        patch.setattr(train_limits, "PRACTICE", folder)
        asked = read_cases(folder / "cases.jsonl")
        assert {c.answerable for c in asked} == {True, False}
        return train_limits.figures_of(train_limits.asked(index, {0: Similarity(), 1: Similarity()}, asked))


def test_a_higher_threshold_tells_fewer_facts_and_is_silent_more_often(figures):
    shares = {limits.share for limits in figures}
    for share in shares:
        told = [figures[limits]["nugget_all"] for limits in sorted(figures) if limits.share == share]
        assert told == sorted(told, reverse=True)
    assert len({tuple(figures[limits].values()) for limits in figures}) > len(shares)


def test_more_is_told_where_more_may_stand_beside_the_best(figures):
    for limits in figures:
        for other in figures:
            if limits.threshold == other.threshold and limits.share < other.share:
                assert figures[limits]["nugget_all"] >= figures[other]["nugget_all"]


def test_the_most_careful_of_those_not_told_from_the_best_are_taken():
    figures = {
        Limits(0.1, 0.3): {"below": 0.0, "error": 0.0},
        Limits(0.2, 0.2): {"below": 0.02, "error": 0.03},
        Limits(0.2, 0.3): {"below": 0.01, "error": 0.03},
        Limits(0.3, 0.3): {"below": 0.04, "error": 0.03},
    }
    assert train_limits.careful(figures) == Limits(0.2, 0.3)


def test_how_far_limits_are_below_the_best_is_told_with_its_error():
    values = np.ones((400, 36, 3, 2))
    values[:, 1:, :, 0] = np.random.default_rng(7).integers(0, 2, 400)[:, None, None]
    figures = list(train_limits.figures_of(values).values())
    assert (figures[0]["below"], figures[0]["error"]) == (0, 0)
    assert figures[1]["below"] == pytest.approx(1 - figures[1]["nugget_all"], abs=1e-4)
    assert figures[1]["error"] == pytest.approx(0.5 / 400**0.5, rel=0.1)
    assert figures[1] == figures[2]


@pytest.mark.parametrize("reader", [Trained.name, Similarity.name])
def test_the_limits_in_use_follow_from_what_was_measured(reader):
    made = json.loads(train_limits._WEIGHTS.read_text(encoding="utf-8"))[reader]
    figures = {Limits(row["threshold"], row["share"]): row for row in made["by limits"]}
    assert limits_of(reader) == train_limits.careful(figures)
