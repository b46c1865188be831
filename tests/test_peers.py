"""Measuring other systems: the protocol through a real process, and a page that is what was measured."""

from pathlib import Path

import numpy as np
import pytest

from eval.collection import Collection
from eval.mutations import CHANGES, GUISES, changes, guises
from eval.peers import inputs, page, results
from eval.peers.client import Variant, Worker, found
from eval.peers.environments import python_of, setup
from eval.peers.results import Cell, Results, Row
from eval.peers.trials import Bench
from index.encode import Encoder
from index.errors import UsageError
from rag.verify import missing

DOCS = Path(__file__).parents[1] / "docs"
SMALL = Collection(
    "small",
    {
        "wheel": ("The mill", "The mill at Zanthorpe has two wheels. Both of them turn when the beck is full."),
        "heron": ("Herons", "Grey herons nest on the island every spring. They eat frogs and small fish."),
    },
    {"q": "Which birds nest on the island?"},
    {"q": {"heron": 1}},
)


def test_this_product_answers_over_the_protocol(tmp_path):
    given = inputs.recombined(SMALL, tmp_path / "inputs", count=4, queries=1, encoder=Encoder())
    (chunk,) = given.chunks
    lines = chunk.documents.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1
    assert len(given.documents) == 4
    variant = Variant("pincite", hybrid=False)
    out = tmp_path / "found.jsonl"
    with Worker(variant, tmp_path / "index", tmp_path) as worker:
        worker.open()
        worker.ask({"do": "add", **chunk.command(given=True)})
        worker.ask({"do": "save"})
        reply = worker.ask({"do": "search", "queries": str(given.queries), "k": 4, "out": str(out)})
        with pytest.raises(UsageError, match="has ended at `dance`"):
            worker.ask({"do": "dance"})
    assert set(found(out)["q"]) == set(given.documents)
    assert len(reply.times_ms) == len(reply.cpu_ms) == 1
    assert reply.peak_mb >= reply.now_mb > 1


def test_a_system_that_cannot_run_is_left_out_loudly_and_the_others_are_measured(tmp_path):
    told: list[str] = []
    variants = [Variant(name, hybrid=False) for name in ("txtai", "pincite")]
    bench = Bench(variants, tmp_path, SMALL, Results(), told.append)
    bench.adding(documents=2, chunk=1)
    assert "python -m eval.peers setup txtai" in bench.results.skipped["txtai"]
    assert any(line.startswith("LEFT OUT: txtai") for line in told)
    assert [set(row.cells) for row in bench.results.rows] == [{"pincite, vectors only"}] * 4
    *took, same = (row.cells["pincite, vectors only"].value for row in bench.results.rows)
    assert all(took)
    assert same == 1
    assert "2 passages of 2 documents" in bench.results.settings["adding"][0]


def test_a_passage_put_together_holds_its_sentences():
    document, passages = inputs._together("a.txt", [["One bird sings.", "w1"], ["Two wheels turn.", "w2"]])
    assert [document.text[p.start : p.end] for p in passages] == ["One bird sings. w1", "Two wheels turn. w2"]
    assert [[document.text[a:b] for a, b in p.sentences] for p in passages] == [
        ["One bird sings.", "w1"],
        ["Two wheels turn.", "w2"],
    ]


def test_documents_come_in_chunks_without_vectors(tmp_path):
    made = inputs.first_of(SMALL, tmp_path, most=2, chunk=1)
    assert len(made.chunks) == 2
    assert "vectors" not in made.chunks[0].command(given=False)
    assert not made.chunks[0].vectors.exists()


def test_vectors_that_are_given_are_unit_rows(tmp_path):
    made = inputs.recombined(SMALL, tmp_path, count=3, queries=1, encoder=Encoder())
    assert np.linalg.norm(np.load(made.chunks[0].vectors), axis=1) == pytest.approx(1, abs=1e-5)


def test_an_environment_that_is_not_there_is_told(tmp_path):
    with pytest.raises(UsageError, match=r"python -m eval\.peers setup txtai"):
        python_of("txtai", tmp_path)
    with pytest.raises(UsageError, match="there is no peer 'nobody'"):
        setup("nobody", tmp_path)


def test_the_best_is_bold_whoever_it_is():
    cells = {"pincite": Cell(value=20.0), "other": Cell(value=10.0, low=9.0, high=11.0, n=5)}
    row = Row(trial="cold", measure="a search", unit="s", better="less", cells=cells)
    assert "| a search, s | 20 | **10** [9, 11] |" in page.table([row])
    more = row.model_copy(update={"better": "more"})
    assert "| a search, s | **20** | 10 [9, 11] |" in page.table([more])


def test_a_trial_replaces_its_own_rows_and_a_system_that_runs_is_no_longer_left_out(tmp_path):
    row = Row(trial="cold", measure="a search", better="less", cells={"pincite": Cell(value=1.0)})
    other = row.model_copy(update={"trial": "large"})
    first = Results().with_trial("cold", [row, row], ["once"]).with_trial("large", [other], ["many"])
    again = first.with_trial("cold", [row], ["twice"]).with_skipped("txtai", "it is not installed")
    assert len(again.rows) == 2
    results.write(again, tmp_path / "peers.json")
    assert results.read(tmp_path / "peers.json") == again
    assert "- txtai: it is not installed" in page.page(again)
    assert "Left out" not in page.page(again.with_system("txtai", "as it comes", {"txtai": "9"}))


def test_the_page_is_what_was_measured():
    assert page.page(results.read(DOCS / "peers.json")) == (DOCS / "peers.md").read_text(encoding="utf-8")


def test_a_guise_changes_nothing_and_a_change_does():
    quotes = ["In 2021 Vlast received $250,000 from NED's fund, which was not a loan - it was a grant of 3 years."]
    same = guises(quotes)
    assert {pair.kind for pair in same} == set(GUISES)
    assert all(missing(pair.claim, [pair.quote]) is None for pair in same)
    other = changes([*quotes, "Anna Berg met Carl Dorn in Rome Falls."], 40)
    assert {pair.kind for pair in other} == set(CHANGES)
    assert all(" ".join(pair.quote.split()) != pair.claim for pair in other)
