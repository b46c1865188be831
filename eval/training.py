"""Questions to learn from: the public *train* sets and our own practice, as documents with the places that answer.

A score set is never read here. Each question keeps the name of its set, so that a whole set can be left out to see how
well what was learned carries over.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import random
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from eval.bench import read_documents
from eval.cases import read_cases
from index.errors import UsageError
from index.library import Index
from index.models import Block, Document, Span

SEED = 1
SETS = ("squad2_dev_half", "selqa", "qed", "nq_open_oracle", "practice")
PRACTICE = Path(__file__).parents[1] / "corpus" / "practice"


class Example(NamedTuple):
    """A question about one document.

    Attributes:
        answerable: False where the document, though close, does not answer.
        gold: the ranges of the document's text that answer; empty where only the document as a whole is known to.
        beside: ranges that neither answer nor are wrong to show.
    """

    source: str
    question: str
    document: str
    answerable: bool
    gold: tuple[Span, ...]
    beside: tuple[Span, ...] = ()


class TrainingSet(NamedTuple):
    """Documents by id, and questions about them."""

    documents: dict[str, Document]
    examples: list[Example]


def read(folder: Path) -> TrainingSet:
    """All train sets under a folder of public data.

    Raises:
        UsageError: one of them is missing.
    """
    made = TrainingSet({}, [])
    for name, reader in (
        ("squad2_dev_half", _squad),
        ("selqa", _selqa),
        ("qed", _qed),
        ("nq_open_oracle", _nq),
        ("ares_synthetic", _ares),
    ):
        place = folder / name
        if not place.is_dir():
            raise UsageError(f"the training data {place} is missing: name the folder that holds it with --data")
        for title, text, question, answerable, gold in reader(place):
            document = _document(title, text)
            made.documents.setdefault(document.id, document)
            made.examples.append(Example(name, question, document.id, answerable, tuple(gold)))
    _practise(made, PRACTICE)
    return made


def _practise(made: TrainingSet, folder: Path) -> None:
    """Add our own practice questions, each about the document that its tag names."""
    documents = read_documents(folder / "documents")
    made.documents.update((document.id, document) for document in documents.values())
    for case in read_cases(folder / "cases.jsonl"):
        source = f"documents/{case.tags[0]}"
        spans, beside = (
            tuple(Span(gold.start, gold.end) for gold in golds if gold.source == source)
            for golds in (case.gold, case.context)
        )
        made.examples.append(Example("practice", case.question, documents[source].id, case.answerable, spans, beside))


def complete(index: Index, documents: Iterable[Document]) -> None:
    """Add those of some documents that an index lacks."""
    for _ in index.add_documents(document for document in documents if not index.engine.store.has(document.id)):
        pass


def kept_for_trees(training: TrainingSet, questions: int = 600) -> list[Example]:
    """What the trees of the reader learn from, set by set: all practice, and so many questions of each public set."""
    kept = []
    for name in SETS:
        examples = [example for example in training.examples if example.source == name]
        random.Random(SEED).shuffle(examples)
        kept += examples if name == "practice" else examples[:questions]
    return kept


def label_of(training: TrainingSet, example: Example, withheld: bool, document: str, start: int, end: int) -> int:
    """1 for an answer, 0 for none, -1 where nobody knows: the same article, or the same words, elsewhere."""
    if document == example.document:
        if withheld or not example.answerable:
            return 0
        if any(min(b, end) - max(a, start) > 0 for a, b in example.beside):
            return -1
        return int(any(min(b, end) - max(a, start) >= 0.5 * min(b - a, end - start) for a, b in example.gold))
    if not example.answerable:
        return 0
    gold, other = training.documents[example.document], training.documents[document]
    if gold.title == other.title and example.source != "squad2_dev_half":
        return -1
    text = other.text[start:end].casefold()
    same = example.source != "selqa" and any(b - a > 3 and gold.text[a:b].casefold() in text for a, b in example.gold)
    return -1 if same else 0


Row = tuple[str, str, str, bool, list[Span]]


def _document(title: str, text: str) -> Document:
    digest = hashlib.sha256(f"{title}\n{text}".encode()).hexdigest()
    return Document(
        id=digest[:16],
        source=digest[:16],
        sha256=digest,
        media_type="text/plain",
        text=text,
        title=title or None,
        language="en",
        blocks=(Block(kind="paragraph", start=0, end=len(text)),),
    )


def _squad(folder: Path) -> Iterator[Row]:
    for article in json.loads((folder / "dev-v2.0.json").read_text(encoding="utf-8"))["data"]:
        for paragraph in article["paragraphs"]:
            text = paragraph["context"]
            for qa in paragraph["qas"]:
                spans = [Span(a["answer_start"], a["answer_start"] + len(a["text"])) for a in qa["answers"]]
                yield article["title"].replace("_", " "), text, qa["question"], not qa["is_impossible"], spans


def _selqa(folder: Path) -> Iterator[Row]:
    for part in ("dev", "test"):
        for case in json.loads((folder / f"selqa-ass-{part}.json").read_text(encoding="utf-8")):
            text, spans = "", []
            for number, sentence in enumerate(case["candidates"]):
                if number in case["answers"]:
                    spans.append(Span(len(text), len(text) + len(sentence)))
                text += sentence + " "
            yield f"{case['article']} {case['section']}", text.rstrip(), case["question"], bool(spans), spans


def _qed(folder: Path) -> Iterator[Row]:
    for line in (folder / "qed-dev.jsonlines").read_text(encoding="utf-8").splitlines():
        case = json.loads(line)
        text = case["paragraph_text"]
        selected = case["annotation"].get("selected_sentence")
        spans = [Span(selected["start"], selected["end"])] if selected else []
        spans += [Span(a["start"], a["end"]) for group in case["original_nq_answers"] for a in group]
        yield case["title_text"], text, case["question_text"], True, spans


def _nq(folder: Path) -> Iterator[Row]:
    with gzip.open(folder / "nq-open-oracle.jsonl.gz", "rt", encoding="utf-8") as file:
        for line in file:
            case = json.loads(line)
            gold = case["nq_annotated_gold"]
            text = gold["long_answer"]
            # Where a short answer stands several times, its first sentence is the annotated one more often than not.
            spans = [Span(at, at + len(a)) for a in case["answers"] if (at := text.find(a)) >= 0]
            if spans:
                yield gold["title"], text, case["question"], True, spans


def _ares(folder: Path) -> Iterator[Row]:
    for name in ("nq", "hotpotqa"):
        with (folder / f"{name}_synthetic_queries.tsv").open(encoding="utf-8", newline="") as file:
            for case in csv.DictReader(file, delimiter="\t"):
                if case["Context_Relevance_Label"] == "Yes" and len(case["document"]) < 6000:
                    # Its answers were written by a model: only that the document is the right one is believed.
                    yield "", case["document"].strip(), case["synthetic_query"], True, []
