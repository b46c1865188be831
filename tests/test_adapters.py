"""Public sets read from folders of the same form, made here; and the real ones where they lie beside the project."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path

import pytest

from eval.adapters import cast, clapnq, multispanqa, tatqa
from eval.bench import SETS
from eval.collection import cranfield, scifact
from eval.pairs import attributionbench, wice
from index.errors import UsageError
from tests.test_retrieval import public


def lines(path: Path, *records: object) -> None:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")


def clapnq_record(name: str, sentences: list[str], *chosen: list[str]) -> dict[str, object]:
    return {
        "id": name,
        "input": f"question {name}",
        "passages": [{"title": "A  title", "text": " ".join(sentences), "sentences": sentences}],
        "output": [{"answer": "…", "selected_sentences": each} for each in chosen],
    }


def test_clapnq(tmp_path: Path) -> None:
    sentences = ["Delta Radio  is invented .", "It sits in Northgate .", "Rain fell ."]
    lines(
        tmp_path / "clapnq_dev_answerable.jsonl",
        clapnq_record("1", sentences, sentences[:1], [sentences[1], sentences[0]]),
        clapnq_record("2", sentences, [sentences[2]]),
        clapnq_record("3", sentences, []),
    )
    lines(tmp_path / "clapnq_dev_unanswerable.jsonl", clapnq_record("4", ["Snow fell ."], []))
    found = clapnq(tmp_path)
    assert [case.id for case in found.cases] == ["1", "2", "4"]
    assert found.left_out == Counter({"nobody chose a sentence": 1})
    assert len(found.documents) == 2  # the same passage is one document
    first, _, last = found.cases
    document = found.documents[found.given["1"]]
    assert document.text == "Delta Radio is invented . It sits in Northgate . Rain fell ."
    assert document.title == "A title"
    assert [nugget.gold[0].quote for nugget in first.nuggets] == ["Delta Radio is invented ."]
    assert [gold.quote for gold in first.context] == ["It sits in Northgate ."]
    assert [len(each) for each in found.references["1"]] == [1, 2]
    assert len(found.sentences["1"]) == 3
    assert (last.answerable, last.reason) == (False, "no_evidence")
    in_place(found)


def test_clapnq_with_a_sentence_that_is_not_there(tmp_path: Path) -> None:
    lines(tmp_path / "clapnq_dev_answerable.jsonl", clapnq_record("1", ["One ."], ["Two ."]))
    with pytest.raises(UsageError, match=r"selects 'Two \."):
        clapnq(tmp_path)


def test_multispanqa(tmp_path: Path) -> None:
    context = (
        "Grants went to Delta Radio and the Reedbed School . The \u200b Open Archive got one . Delta Radio thanked"
    )
    words = context.split(" ")
    labels = dict.fromkeys(range(len(words)), "O") | {
        3: "B",
        4: "I",
        7: "B",
        8: "I",
        12: "B",
        13: "I",
        17: "B",
        18: "I",
    }
    record = {
        "id": "m1",
        "question": ["who", "got", "grants"],
        "context": words,
        "label": list(labels.values()),
        "type": "ENTY",
        "structure": "Conjunction",
    }
    (tmp_path / "data_MultiSpanQA_data_valid.json").write_text(json.dumps({"data": [record]}))
    found = multispanqa(tmp_path)
    (case,) = found.cases
    assert case.question == "who got grants?"
    assert [item.name for item in case.items] == ["Delta Radio", "Reedbed School", "Open Archive"]
    assert [[gold.quote for gold in item.gold] for item in case.items] == [
        ["Grants went to Delta Radio and the Reedbed School .", "Delta Radio thanked"],
        ["Grants went to Delta Radio and the Reedbed School ."],
        ["The Open Archive got one ."],
    ]
    in_place(found)


def tatqa_question(name: str, kind: str, answer: object, **more: object) -> dict[str, object]:
    base = {"uid": name, "question": f"{name}?", "answer": answer, "answer_type": kind, "answer_from": "table"}
    return {**base, "derivation": "", "scale": "", **more}


def test_tatqa(tmp_path: Path) -> None:
    table = [["", "2021", "2020"], ["Radio grants", "$ 55.5", "(12)"], ["School grants", "70", "1"]]
    record = {
        "table": {"uid": "t", "table": table},
        "paragraphs": [{"uid": "p", "order": 1, "text": "The Fund is invented. It paid fees, rent and travel."}],
        "questions": [
            tatqa_question("q1", "span", ["$ 55.5"]),
            tatqa_question("q2", "multi-span", ["rent", "travel", ""]),
            tatqa_question("q3", "arithmetic", -14.5, derivation="55.5-70", scale="percent"),
            tatqa_question("q4", "count", "2", derivation="Radio grants##School grants"),
            tatqa_question("q5", "span", ["invented"]),
            tatqa_question("q6", "span", ["absent"]),
            tatqa_question("q7", "arithmetic", 3, derivation="9999-9998"),
        ],
    }
    (tmp_path / "tatqa_dataset_dev.json").write_text(json.dumps([record]))
    found = tatqa(tmp_path)
    amount, listed, computed, counted, fact = found.cases
    assert sum(found.left_out.values()) == 2
    row = "Radio grants; 2021: $ 55.5; 2020: (12)."
    assert (amount.kind, amount.amounts, amount.nuggets[0].gold[0].quote) == ("amount", ("$ 55.5",), row)
    assert [item.name for item in listed.items] == ["rent", "travel"]
    assert listed.items[0].gold[0].quote == "It paid fees, rent and travel."
    assert (computed.kind, computed.amounts, len(computed.nuggets)) == ("total", ("-14.5%",), 2)
    assert (counted.kind, counted.amounts) == ("count", ("2",))
    assert (fact.kind, fact.amounts) == ("fact", ())
    in_place(found)


def write_conversations(folder: Path) -> None:
    topics = [{"number": 31, "turn": [{"number": n, "raw_utterance": f"turn {n} "} for n in (1, 2, 3)]}]
    (folder / "2019_data_evaluation_evaluation_topics_v1.0.json").write_text(json.dumps(topics))
    resolved = "2019_data_evaluation_evaluation_topics_annotated_resolved_v1.0.tsv"
    (folder / resolved).write_text("31_1\tx\n31_2\ttwo\n")
    manual = {"number": 1, "raw_utterance": "a", "manual_rewritten_utterance": "A"}
    other = {"number": 2, "raw_utterance": "b", "manual_rewritten_utterance": "B"}
    topics = [{"number": 81, "turn": [manual, other]}]
    (folder / "2020_2020_manual_evaluation_topics_v1.0.json").write_text(json.dumps(topics))


def test_cast(tmp_path: Path) -> None:
    write_conversations(tmp_path)
    turns = cast(tmp_path)
    found = [(turn.id, turn.question, turn.rewritten) for turn in turns]
    assert found == [("31_2", "turn 2", "two"), ("81_2", "b", "B")]
    assert [earlier.question for earlier in turns[0].history] == ["turn 1"]


def test_pairs(tmp_path: Path) -> None:
    record = {"id": "a", "claim": "c", "references": ["r", "s"], "attribution_label": "attributable"}
    lines(tmp_path / "dev_all_subset_balanced.jsonl", record, {**record, "attribution_label": "not attributable"})
    assert [(pair.evidence, pair.level) for pair in attributionbench(tmp_path)] == [("r\ns", "full"), ("r\ns", "none")]
    claim = {"claim": "c", "evidence": ["e"], "label": "partially_supported", "meta": {"id": "w"}}
    lines(tmp_path / "data_entailment_retrieval_claim_dev.jsonl", claim)
    assert [(pair.id, pair.level) for pair in wice(tmp_path)] == [("w", "partial")]


def test_scifact_and_cranfield_of_the_same_form(tmp_path: Path) -> None:
    abstract = '"[\'First \\n sentence.\'\n ""It\'s second.""]"'
    (tmp_path / "corpus_train.csv").write_text(f"doc_id,title,abstract,structured\n7,A title,{abstract},False\n")
    (tmp_path / "qrels.beir-v1.0.0-scifact.test.txt").write_text("1 0 7 1\n")
    (tmp_path / "topics.beir-v1.0.0-scifact.test.tsv.gz").write_bytes(gzip.compress(b"1\tis it so?\n"))
    found = scifact(tmp_path)
    assert found.documents == {"7": ("A title", "First \n sentence. It's second.")}
    assert found.queries == {"1": "is it so?"}
    texts = "<doc><docno>5</docno><title>a\nb</title><text>a\nb c\nd</text></doc>\n"
    (tmp_path / "cran.all.1400.xml").write_text(f"{texts}<doc><docno>6</docno><title>e</title><text/></doc>")
    (tmp_path / "cran.qry.xml").write_text("<xml><top><num> 4</num><title>\nwhat ?\n</title></top></xml>")
    (tmp_path / "cranqrel.trec.txt").write_text("1 0 5 1\n")
    found = cranfield(tmp_path)
    assert found.documents == {"5": ("a b", "c d"), "6": ("e", "")}
    assert found.queries == {"1": "what ?"}
    (tmp_path / "cranqrel.trec.txt").write_text("1 0 99 1\n")
    with pytest.raises(UsageError, match="judges '99'"):
        cranfield(tmp_path)
    (tmp_path / "cran.qry.xml").write_text("<xml>")
    with pytest.raises(UsageError, match="XML"):
        cranfield(tmp_path)


@pytest.mark.parametrize("read", [*SETS.values(), cast, attributionbench, wice, scifact, cranfield])
def test_a_missing_folder_is_named(tmp_path: Path, read) -> None:
    with pytest.raises(UsageError, match="nowhere is missing"):
        read(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="is missing"):
        read(tmp_path)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "tatqa_dataset_dev.json").write_text("[{]")
    with pytest.raises(UsageError, match=r"tatqa_dataset_dev.json"):
        tatqa(tmp_path)
    (tmp_path / "dev_all_subset_balanced.jsonl").write_text("{}\n{")
    with pytest.raises((UsageError, KeyError)):
        attributionbench(tmp_path)


@pytest.mark.parametrize(
    ("name", "cases", "documents", "left_out"),
    [("clapnq", 599, 596, 1), ("multispanqa", 653, 648, 0), ("tatqa", 1643, 278, 25)],
)
def test_the_real_sets(name: str, cases: int, documents: int, left_out: int) -> None:
    found = SETS[name](public(name))
    assert (len(found.cases), len(found.documents), sum(found.left_out.values())) == (cases, documents, left_out)
    assert len({case.id for case in found.cases}) == cases
    in_place(found)


def test_the_real_conversations_and_pairs() -> None:
    assert len(cast(public("trec_cast"))) == 620
    assert Counter(pair.level for pair in attributionbench(public("attributionbench"))) == {"full": 599, "none": 599}
    assert Counter(pair.level for pair in wice(public("wice"))) == {"full": 115, "partial": 191, "none": 43}


def in_place(found) -> None:
    """Every gold quote is the slice of its document, and every case is asked on a document that is there."""
    for case in found.cases:
        assert found.given[case.id] in found.documents
        for gold in (*case.gold, *case.context):
            assert found.documents[gold.source].text[gold.start : gold.end] == gold.quote
