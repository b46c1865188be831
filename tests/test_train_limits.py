"""How it is chosen what of a reader's evidence is shown; choosing takes some minutes and needs the trained halves."""

import json
import shutil

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
        return train_limits.asked(index, {0: Similarity(), 1: Similarity()}, asked)


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


@pytest.mark.parametrize("reader", [Trained.name, Similarity.name])
def test_the_limits_in_use_are_the_best_of_those_measured(reader):
    made = json.loads(train_limits._WEIGHTS.read_text(encoding="utf-8"))[reader]
    best = max(made["by limits"], key=lambda row: sum(row[name] for name in train_limits.MEASURES))
    assert limits_of(reader) == Limits(best["threshold"], best["share"])
