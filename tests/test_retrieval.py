"""Rankings judged two ways, files in and out, and a known figure on a public collection."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.bm25 import BM25
from eval.collection import Collection, cranfield, read_beir, scifact, write_beir
from eval.retrieval import (
    existing,
    ndcg,
    per_query,
    ranking,
    read_qrels,
    read_run,
    recall_at,
    reciprocal_rank,
    write_qrels,
    write_run,
)
from index.errors import UsageError

DATA = Path(os.environ.get("PINCITE_DATA") or Path(__file__).parents[2] / "shared" / "data")
names = st.sampled_from([f"d{n}" for n in range(30)])


@given(
    st.dictionaries(names, st.integers(0, 3), min_size=1),
    st.dictionaries(names, st.sampled_from([0.5, 1.0, 1.5, 2.0])),
)
def test_our_figures_agree_with_ir_measures(grades: dict[str, int], scores: dict[str, float]) -> None:
    theirs = per_query({"q": grades}, {"q": scores})
    if not any(grades.values()):
        assert theirs["nDCG@10"] == {}
        return
    ranked = ranking(scores)
    assert theirs["nDCG@10"]["q"] == pytest.approx(ndcg(grades, ranked))
    assert theirs["R@5"]["q"] == pytest.approx(recall_at(grades, ranked, 5))
    assert theirs["R@100"]["q"] == pytest.approx(recall_at(grades, ranked, 100))
    assert theirs["RR@10"]["q"] == pytest.approx(reciprocal_rank(grades, ranked))


def test_a_query_without_results_scores_zero() -> None:
    qrels = {"found": {"d": 1}, "empty": {"d": 1}, "absent": {"d": 1}, "nothing to find": {"d": 0}}
    values = per_query(qrels, {"found": {"d": 1.0}, "empty": {}})
    for measure in values.values():
        assert measure == {"found": 1.0, "empty": 0.0, "absent": 0.0}


def test_trec_files_come_back_as_they_were(tmp_path: Path) -> None:
    qrels = {"1": {"a": 1, "b": 0}, "2": {"a": 2}}
    run = {"1": {"a": 1 / 3, "b": 2.5e-9}, "2": {"c": -1.0}}
    write_qrels(tmp_path / "q", qrels)
    write_run(tmp_path / "r", run, tag="ours")
    assert read_qrels(tmp_path / "q") == qrels
    assert read_run(tmp_path / "r") == run
    assert (tmp_path / "r").read_text().splitlines()[0] == f"1 Q0 a 1 {1 / 3!r} ours"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 0 a\n", "line 1: 3 fields instead of 4"),
        ("1 0 a 1\n\n1 0 b high\n", "line 3: the grade 'high'"),
        ("1 0 a 1\n1 0 a 0\n", "line 2: document a is judged twice"),
    ],
)
def test_bad_qrels_name_the_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "q").write_text(text)
    with pytest.raises(UsageError, match=message):
        read_qrels(tmp_path / "q")


@pytest.mark.parametrize(
    ("text", "message"),
    [("1 Q0 a 1 x t\n", "line 1: the score 'x'"), ("1 Q0 a 1 2 t\n1 Q0 a 2 1 t\n", "line 2: document a stands twice")],
)
def test_bad_runs_name_the_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "r").write_text(text)
    with pytest.raises(UsageError, match=message):
        read_run(tmp_path / "r")


def test_missing_and_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nowhere is missing"):
        existing(tmp_path / "nowhere")
    (tmp_path / "latin").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="cannot read"):
        read_qrels(tmp_path / "latin")
    with pytest.raises(UsageError, match="cannot read"):
        read_qrels(tmp_path)


COLLECTION = Collection(
    "tiny", {"a": ("Title", "Text\u2028of a"), "b": ("", "b")}, {"1": "what?"}, {"1": {"a": 1, "b": 0}}
)


def test_beir_folders_come_back_as_they_were(tmp_path: Path) -> None:
    write_beir(tmp_path / "tiny", COLLECTION)
    assert read_beir(tmp_path / "tiny") == COLLECTION


def test_bad_beir_folders(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="missing"):
        read_beir(tmp_path / "none")
    write_beir(tmp_path, COLLECTION)
    (tmp_path / "corpus.jsonl").write_text('{"_id": "a", "text": "x"}\n{"no": 1}\n')
    with pytest.raises(UsageError, match=r"corpus.jsonl, line 2: no object with _id and text"):
        read_beir(tmp_path)
    (tmp_path / "corpus.jsonl").write_text("{\n")
    with pytest.raises(UsageError, match=r"corpus.jsonl, line 1"):
        read_beir(tmp_path)
    write_beir(tmp_path, COLLECTION)
    (tmp_path / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n9\ta\t1\n")
    with pytest.raises(UsageError, match="query '9' is unknown"):
        read_beir(tmp_path)


def test_bm25_by_hand() -> None:
    index = BM25({"a": "grant grant radio", "b": "grant school", "c": "museum"}, k1=1.0, b=0.0)
    found = index.search("grants")
    # idf = ln(1 + 1.5/2.5) = 0.47; tf/(tf + 1): 2/3 for a, 1/2 for b.
    assert found == {"a": pytest.approx(0.4700036 * 2 / 3), "b": pytest.approx(0.4700036 / 2)}
    assert index.search("the") == {}


def public(name: str) -> Path:
    if not (DATA / name).is_dir():
        pytest.skip(f"the folder {DATA / name} is missing")
    return DATA / name


def searched(collection: Collection) -> dict[str, float]:
    index = BM25({name: f"{title} {text}" for name, (title, text) in collection.documents.items()})
    run = {query: index.search(text) for query, text in collection.queries.items()}
    values = per_query(collection.qrels, run)
    ours = [ndcg(collection.qrels[query], ranking(run[query])) for query in values["nDCG@10"]]
    assert sum(ours) / len(ours) == pytest.approx(sum(values["nDCG@10"].values()) / len(ours))
    return {name: sum(each.values()) / len(each) for name, each in values.items()}


def test_plain_bm25_over_scifact() -> None:
    collection = scifact(public("beir_scifact"))
    assert (len(collection.documents), len(collection.queries)) == (5183, 300)
    assert sum(map(len, collection.qrels.values())) == 339
    assert searched(collection)["nDCG@10"] == pytest.approx(0.677, abs=0.01)


def test_cranfield_numbers_its_queries_in_order() -> None:
    collection = cranfield(public("cranfield"))
    assert (len(collection.documents), len(collection.queries)) == (1400, 225)
    assert collection.queries["3"].startswith("what problems of heat conduction")
    # By the numbers in the file instead of their order, nDCG@10 falls below 0.05.
    assert searched(collection)["nDCG@10"] > 0.3
