"""The commands of ``pincite eval`` on real files: from a folder of documents to a gate, and the table of benchmarks."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from eval import renamed
from eval import table as tables
from eval.bench import index_collection, prepare_index, read_documents, read_set, search_collection
from eval.cases import read_cases, write_cases
from eval.collection import Collection, write_beir
from eval.commands import eval_group
from eval.followups import agreement, alone, joined
from eval.pairs import read_skills
from eval.retrieval import read_qrels
from eval.retrievers import RERANKED, retrievers
from eval.systems import corpus_digest
from index.errors import PinciteError, UsageError
from index.library import Index
from tests.conftest import document
from tests.handmade import CASES, TEXTS, gold_answer, write_corpus
from tests.stub_model import serving
from tests.test_adapters import clapnq_record, lines, write_conversations
from tests.test_judge import Endpoint, endpoint

__all__ = ["endpoint"]


def call(*arguments: object, code: int = 0) -> Result:
    result = CliRunner().invoke(eval_group, [str(each) for each in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_corpus(tmp_path_factory.mktemp("corpus"))
    write_cases(folder / "cases.jsonl", CASES)
    return folder


@pytest.fixture(scope="module")
def product(corpus: Path) -> Path:
    """A run of this product on the hand-made corpus."""
    out = corpus / "runs" / "product"
    result = call("run", corpus / "cases.jsonl", "--out", out, "--reader", "similarity")
    assert "similarity was asked 6 questions" in result.output
    return out


def test_this_product_is_measured(product: Path) -> None:
    records = [json.loads(line) for line in (product / "answers.jsonl").read_text().splitlines()]
    assert len(records) == 7
    assert all(record["answer"]["answerer"] == "similarity" for record in records)
    assert all(record["seen"] for record in records)
    result = call("report", product)
    assert [Path(line.removeprefix("wrote ")).name for line in result.output.splitlines()] == [
        "report.html", "report.md", "report.json",
    ]  # fmt: skip
    whole = json.loads(call("report", product, "--json").output)
    figures = {figure["name"]: figure["value"] for figure in whole["summary"]["figures"]}
    assert figures["exactness"] == 1.0
    assert figures["seen_recall"] == 1.0
    assert whole["summary"]["settings"]["code"]


def test_a_second_run_asks_nothing_again(product: Path, corpus: Path) -> None:
    before = (product / "answers.jsonl").read_bytes()
    call("run", corpus / "cases.jsonl", "--out", product, "--reader", "similarity")
    assert (product / "answers.jsonl").read_bytes() == before


def test_wrong_answers_are_drawn_and_told(corpus: Path, tmp_path: Path) -> None:
    lines(tmp_path / "silent.jsonl", {"id": "amount", "text": ""}, {"id": "list", "text": "The moon [1]."})
    call("run", corpus / "cases.jsonl", "--out", tmp_path / "run", "--answers", tmp_path / "silent.jsonl")
    told = call("wrong", tmp_path / "run").output
    assert len(re.findall(r"^\d+\. \*\*", told, re.MULTILINE)) == len(CASES)  # a case without an answer is wrong, too
    assert "(`amount`)\n   - Shown: a refusal (no_evidence)\n   - Right: $55,000" in told
    assert "(`list`)\n   - Shown: The moon." in told
    one = call("wrong", tmp_path / "run", "--sample", 1).output
    assert one.count("   - Stage: ") == 1
    assert one == call("wrong", tmp_path / "run", "--sample", 1).output


def test_answers_from_a_file_against_the_product(product: Path, corpus: Path, tmp_path: Path) -> None:
    answers = tmp_path / "peer.jsonl"
    given = [gold_answer(case) for case in CASES]
    lines(
        answers,
        *(
            {
                "id": case.id,
                "text": "" if each.status == "refused" else each.text,
                "citations": [{"source": c.source, "quote": c.quote} for c in each.citations],
                "rows": [row.model_dump() for row in each.rows],
                "reason": each.reason,
            }
            for case, each in zip(CASES, given, strict=True)
        ),
    )
    out = tmp_path / "peer"
    result = call("run", corpus / "cases.jsonl", "--out", out, "--answers", answers, "--name", "perfect")
    assert "perfect was asked 6 questions" in result.output
    whole = json.loads(call("report", out, "--json").output)
    figures = {figure["name"]: figure["value"] for figure in whole["summary"]["figures"]}
    assert figures["citation_f1"] == figures["right"] == figures["item_amounts"] == figures["crag"] == 1.0
    compared = call("compare", product, out).output
    assert "Citation F1" in compared
    assert "questions changed" in compared
    as_json = json.loads(call("compare", out, out, "--json").output)
    assert as_json["changed"] == []
    assert {figure["difference"] for figure in as_json["figures"]} == {0.0}
    lines(answers, {"id": "unheard-of"})
    with pytest.raises(UsageError, match="which is no case of"):
        call("run", corpus / "cases.jsonl", "--out", tmp_path / "other", "--answers", answers)


def test_answers_with_and_without_a_language_model_in_one_table(corpus: Path, tmp_path: Path) -> None:
    page = tmp_path / "models.md"
    page.write_text("# Models\n\n<!-- writer:begin -->\nold\n<!-- writer:end -->\n\nThe end.\n")
    cases = ("--cases", corpus / "cases.jsonl", "--docs", page)
    with serving(mode="echo") as stub:
        model = ("--llm-base-url", stub.url, "--llm-model", "stub")
        call("writer", *cases, "--out", tmp_path / "runs", *model)
        asked = len(stub.asked)
        assert asked
        call("writer", *cases, "--out", tmp_path / "runs", *model)
        assert len(stub.asked) == asked  # a run that is there is taken as it is
    text = page.read_text()
    assert "| measure | n | without a model | with stub |" in text
    assert "| Right answers |" in text
    assert "All 6 cases of `corpus/cases.jsonl`." in text
    assert "are shown in its words" in text
    assert "old" not in text
    assert text.endswith("\n\nThe end.\n")
    kept = [json.loads(line) for line in (tmp_path / "runs" / "with" / "answers.jsonl").read_text().splitlines()]
    assert any(record["answer"]["answerer"].startswith("llm:stub") for record in kept)
    with serving(mode="503") as stub:
        model = ("--llm-base-url", stub.url, "--llm-model", "stub")
        call("writer", *cases, "--out", tmp_path / "down", "--sample", 4, *model)
    text = page.read_text()
    assert "4 of the 6 cases, drawn once at random, of" in text
    assert "times: the language model failed (HTTP 503)" in text
    with pytest.raises(UsageError, match="has no line <!-- writer:begin -->"):
        call("writer", "--cases", corpus / "cases.jsonl", "--docs", tmp_path / "no.md", "--out", tmp_path / "down",
             "--sample", 4, *model)  # fmt: skip


def test_a_run_asks_no_model_that_it_was_not_told_of(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(mode="echo") as stub:
        monkeypatch.setenv("PINCITE_LLM_BASE_URL", stub.url)
        monkeypatch.setenv("PINCITE_LLM_MODEL", "stub")
        call("run", corpus / "cases.jsonl", "--out", tmp_path / "without")
        assert not stub.asked
        named = ("--llm-base-url", stub.url, "--llm-model", "stub")
        output = call("run", corpus / "cases.jsonl", "--out", tmp_path / "with", *named).output
        assert stub.asked
    assert "trained+llm:stub:" in output


def test_the_gate_by_command(product: Path, tmp_path: Path) -> None:
    floors = tmp_path / "floors.json"
    with pytest.raises(UsageError, match="no floors are pinned"):
        call("gate", product, "--floors", floors)
    assert "pinned the floors of cases/similarity" in call("gate", product, "--floors", floors, "--pin").output
    assert "passes" in call("gate", product, "--floors", floors).output
    raised = json.loads(floors.read_text())
    raised["sets"]["cases/similarity"]["floors"]["exactness"] = {"value": 1.5, "below": {}}
    floors.write_text(json.dumps(raised))
    result = call("gate", product, "--floors", floors, code=1)
    assert "exactness: 1.0000, floor 1.5000 (noise 0.01)" in result.output
    with pytest.raises(UsageError, match="--lower-floors"):
        call("gate", product, "--floors", floors, "--pin")
    call("gate", product, "--floors", floors, "--pin", "--lower-floors")


def test_a_judge_by_command(product: Path, endpoint: Endpoint) -> None:
    result = call("judge", product, "--base-url", endpoint.url, "--model", "tiny")
    assert "by llm:tiny; agrees with gold on" in result.output
    assert json.loads((product / "judge.json").read_text())["model"] == "llm:tiny"


def test_from_documents_to_a_case_file(corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "new.jsonl"
    assert "wrote 3 cases" in call("new", corpus / "documents", "--out", out, "--per-document", 1).output
    assert [case.gold[0].source for case in read_cases(out)] == sorted(TEXTS)
    result = call("lint", out, "--corpus", corpus / "documents", code=1)
    assert "3 cases, 3 problems" in result.output
    with pytest.raises(UsageError, match="is there already"):
        call("new", corpus / "documents", "--out", out)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="holds no document that can be read"):
        call("new", tmp_path / "empty", "--out", tmp_path / "other.jsonl")
    assert "6 cases, 0 problems" in call("lint", corpus / "cases.jsonl").output


def test_calls_that_are_wrong(corpus: Path, tmp_path: Path) -> None:
    for arguments, message in (
        ((tmp_path / "none.jsonl",), "cannot read the cases"),
        ((corpus / "cases.jsonl", "--corpus", tmp_path / "none"), "none is missing"),
        ((tmp_path / "none", "--set", "clapnq"), "none is missing"),
        ((corpus, "--set", "squad"), "there is no set 'squad'; take one of clapnq, multispanqa, tatqa"),
        ((corpus / "cases.jsonl", "--reader", "unheard-of"), "there is no reader 'unheard-of'"),
        ((corpus / "cases.jsonl", "--answers", tmp_path / "none.jsonl"), r"none.jsonl is missing"),
    ):
        with pytest.raises(PinciteError, match=message):
            call("run", *arguments, "--out", tmp_path / "out")
    with pytest.raises(UsageError, match="holds no run"):
        call("report", tmp_path)
    moved = CASES[0].model_copy(
        update={"nuggets": (CASES[0].nuggets[0].model_copy(update={
            "gold": (CASES[0].gold[0].model_copy(update={"source": "documents/gone.txt"}),)}),)}
    )  # fmt: skip
    write_cases(corpus / "moved.jsonl", [moved])
    with pytest.raises(UsageError, match=r"quotes documents/gone.txt, which is not in the corpus"):
        read_set(corpus / "moved.jsonl", None, None)


def test_an_index_is_made_once_and_again_when_the_documents_change(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    prepare_index(folder, [document("One thing.", "a.txt"), document("One thing.", "b.txt")])
    with Index(folder) as index:
        assert [hit.source for hit in index.search("thing")] == ["a.txt"]
        state = index.engine.snapshot()
    prepare_index(folder, [document("One thing.", "a.txt"), document("One thing.", "b.txt")])
    with Index(folder) as index:
        assert index.engine.snapshot() == state
    prepare_index(folder, [document("Another thing.", "c.txt")])
    with Index(folder) as index:
        assert [hit.source for hit in index.search("thing")] == ["c.txt"]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(UsageError, match="holds something else"):
        prepare_index(tmp_path / "mine", [])
    assert (tmp_path / "mine" / "letter.txt").exists()
    assert corpus_digest([("a", "1"), ("b", "2")]) == corpus_digest([("b", "2"), ("a", "1")])


@pytest.mark.parametrize("search", ["fused", "lexical", "dense", RERANKED])
def test_a_collection_is_searched_by_its_documents(tmp_path: Path, search: str) -> None:
    texts = {"1": ("Radio", "Delta Radio is on air."), "2": ("Radio", "Delta Radio is on air."), "3": ("School", "")}
    collection = Collection("tiny", texts, {"q": "Delta Radio", "s": "school"}, {"q": {"1": 1}})
    names = index_collection(collection, tmp_path / "index")
    assert names == {"tiny/1": ["1", "2"], "tiny/3": ["3"]}
    with Index(tmp_path / "index") as index:
        found = search_collection(collection, names, retrievers(index)[search])
    assert list(found["q"])[:2] == ["1", "2"]
    assert next(iter(found["s"])) == "3"


def test_a_collection_is_ranked_and_judged_by_command(tmp_path: Path) -> None:
    texts = {"1": ("Radio", "Delta Radio is on air."), "2": ("School", "The school is in Reedbed.")}
    write_beir(tmp_path / "tiny", Collection("tiny", texts, {"q": "Where is the school?"}, {"q": {"2": 1}}))
    out = tmp_path / "out"
    result = call("retrieval", tmp_path / "tiny", "--out", out, "--mode", "lexical")
    assert "nDCG@10  1.0000  [1.000, 1.000]  n=1" in result.output
    assert read_qrels(out / "qrels.trec") == {"q": {"2": 1}}
    (tmp_path / "worse.trec").write_text("q Q0 1 1 2.0 x\nq Q0 2 2 1.0 x\n")
    result = call("retrieval", tmp_path / "tiny", "--out", out, "--run", tmp_path / "worse.trec")
    assert "RR@10    0.5000" in result.output
    for wrong in ("--set", "--mode"):
        with pytest.raises(UsageError, match="there is no"):
            call("retrieval", tmp_path / "tiny", "--out", out, wrong, "unheard-of")


def test_documents_that_cannot_be_read_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Words that can be read.")
    (tmp_path / "b.pdf").write_bytes(b"%PDF-1.4 nonsense")
    assert list(read_documents(tmp_path)) == [f"{tmp_path.name}/a.txt"]


def test_ways_to_resolve_a_turn() -> None:
    assert agreement([], alone, lambda question: []) is None
    assert joined("Where?", []) == "Where?"


@pytest.fixture(scope="module")
def measured(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> tables.Table:
    folder = tmp_path_factory.mktemp("table")
    data = folder / "data"
    (data / "clapnq").mkdir(parents=True)
    sentences = ["Delta Radio went on air in 1999 .", "It sits in Northgate ."]
    lines(data / "clapnq" / "clapnq_dev_answerable.jsonl", clapnq_record("1", sentences, sentences[:1]))
    lines(data / "clapnq" / "clapnq_dev_unanswerable.jsonl", clapnq_record("2", ["Rain fell in May ."], []))
    (data / "attributionbench").mkdir()
    pair = {
        "id": "a",
        "claim": "Delta Radio fell.",
        "references": ["Delta Radio fell."],
        "attribution_label": "attributable",
    }
    other = {**pair, "references": ["Rain."], "attribution_label": "not attributable"}
    lines(data / "attributionbench" / "dev_all_subset_balanced.jsonl", pair, other)
    (data / "cranfield").mkdir()
    texts = "<doc><docno>1</docno><title>radio</title><text>radio waves bend</text></doc>"
    texts += "<doc><docno>2</docno><title>rain</title><text>rain falls in may</text></doc>"
    (data / "cranfield" / "cran.all.1400.xml").write_text(texts)
    (data / "cranfield" / "cran.qry.xml").write_text("<xml><top><num>9</num><title>why rain falls</title></top></xml>")
    (data / "cranfield" / "cranqrel.trec.txt").write_text("1 0 2 1\n")
    (data / "trec_cast").mkdir()
    write_conversations(data / "trec_cast")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("eval.renamed.SEEDS", (1,))  # three would take three times as long and show nothing more
        return tables.measure(data, corpus / "cases.jsonl", folder / "runs", readers=["similarity"])


def test_every_set_that_is_there_has_figures(measured: tables.Table) -> None:
    there = {"own", "clapnq", "attributionbench", "cranfield", "trec_cast"}
    assert {line.set for line in measured.lines} == there
    assert set(measured.missing) == set(tables.TITLES) - there
    cells = {(line.set, line.measure): line.cells for line in measured.lines}
    assert set(cells["own", "gold in the first 5"]) >= {"lexical", "dense", "fused", "reranked"}
    assert cells["attributionbench", "balanced accuracy"]["verifier plain"].value == 1.0
    assert {name: cell.value for name, cell in cells["cranfield", "nDCG@10"].items()} == {
        "lexical": 1.0, "dense": 1.0, "fused": 1.0, "reranked": 1.0, "plain BM25": 1.0,
    }  # fmt: skip
    kept = {measure: line["fused"].value for (name, measure), line in cells.items() if name == "trec_cast"}
    assert kept == dict.fromkeys(
        ("passages kept, as it is", "passages kept, with the questions before", "passages kept, resolved"), 1.0
    )  # two passages: every question finds both
    assert cells["clapnq", "sentence F1"]["similarity"].cases == 1


def test_it_is_written_between_the_markers(measured: tables.Table, tmp_path: Path) -> None:
    readme, docs = tmp_path / "README.md", tmp_path / "docs" / "benchmarks.md"
    skills = tmp_path / "verifiers.json"
    with pytest.raises(UsageError, match="has no line <!-- benchmarks:begin -->"):
        tables.write(measured, docs, readme, skills)
    readme.write_text(f"before\n\n{tables.BEGIN}\nstale\n{tables.END}\n\nafter\n")
    assert tables.write(measured, docs, readme, skills) == [docs, readme, skills]
    assert read_skills(skills) == measured.skills
    text = readme.read_text()
    assert text.startswith(f"before\n\n{tables.BEGIN}\n| set | measure | n | similarity |")
    assert text.endswith(f"{tables.END}\n\nafter\n")
    assert "stale" not in text
    assert "Not measured, their folders being missing: MultiSpanQA (no multispanqa/)" in text
    assert tables.markdown(measured) in docs.read_text()
    assert {(each.reader, each.measure) for each in measured.renamed} >= {
        ("similarity", "right"),
        ("similarity", "crag"),
    }
    assert renamed.section(measured.renamed) in docs.read_text()
    others = "\n<!-- speed:begin -->\nof another command\n<!-- speed:end -->\n"
    docs.write_text(docs.read_text() + others)
    once = docs.read_text()
    tables.write(measured, docs, readme, skills)
    assert (readme.read_text(), docs.read_text()) == (text, once)


def test_no_data_at_all(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no folder; give --data"):
        tables.measure(tmp_path / "none", corpus / "cases.jsonl", tmp_path)
