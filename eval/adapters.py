"""Public question-answering sets as cases: CLAPnq, MultiSpanQA, TAT-QA, and the conversations of TREC CAsT.

An adapter takes the path of a folder as its authors publish it. Nothing is downloaded, and the texts of these sets are
kept nowhere else. Documents are built here, so that gold offsets are known and never searched for later.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from eval.cases import Case, Gold, Item, Nugget, Turn
from eval.measures import Place
from eval.retrieval import existing, read_text
from index.build import Builder, one_line, tidy
from index.errors import UsageError
from index.models import Block, Document
from index.split import sentences


@dataclass(frozen=True)
class Benchmark:
    """A set of cases with the documents that they are asked on.

    Attributes:
        documents: by source.
        given: for each case, the source that it is asked on; a case that is not here is asked on all documents.
        sentences: for each case, its passage cut into the sentences that people chose from, where the set tells them.
        references: for each case, the sentences that each person chose.
        left_out: how many questions of the set could not become a case, by why.
    """

    name: str
    cases: list[Case] = field(default_factory=list)
    documents: dict[str, Document] = field(default_factory=dict)
    given: dict[str, str] = field(default_factory=dict)
    sentences: dict[str, tuple[Place, ...]] = field(default_factory=dict)
    references: dict[str, tuple[tuple[Place, ...], ...]] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)


class FollowUp(NamedTuple):
    """A turn of a conversation: the questions before it, its own, and the same made to stand alone by a person."""

    id: str
    history: tuple[Turn, ...]
    question: str
    rewritten: str


def clapnq(folder: str | Path) -> Benchmark:
    """CLAPnq (Rosenthal et al., 2024), development set: 300 answerable and 300 unanswerable questions.

    Each is asked on its own passage. The sentences that the first person chose are the nuggets, those that only others
    chose are context; `references` keeps them all apart.

    Raises:
        UsageError: the folder or one of its files is missing or of another form.
    """
    folder = existing(folder)
    found = Benchmark("clapnq")
    sources: dict[str, str] = {}
    for name, answerable in (("answerable", True), ("unanswerable", False)):
        for record in _records(folder / f"clapnq_dev_{name}.jsonl"):
            passage, outputs = record["passages"][0], record["output"]
            texts = [one_line(sentence) for sentence in passage["sentences"]]
            text = " ".join(texts)
            source = sources.setdefault(text, f"clapnq/{record['id']}.txt")
            found.documents.setdefault(source, _document(source, [("paragraph", text)], one_line(passage["title"])))
            places: dict[str, Place] = {}
            at = 0
            for sentence in texts:
                places.setdefault(sentence, Place(source, at, at + len(sentence)))
                at += len(sentence) + 1
            chosen = [_chosen(output["selected_sentences"], places) for output in outputs if answerable]
            chosen = [each for each in chosen if each]
            if answerable and not chosen:
                found.left_out["nobody chose a sentence"] += 1
                continue
            golds = [
                [Gold(**place._asdict(), quote=text[place.start : place.end]) for place in each] for each in chosen
            ]
            first = golds[0] if golds else []
            others = [gold for each in golds[1:] for gold in each if gold not in first]
            found.cases.append(
                Case(
                    id=record["id"],
                    question=record["input"],
                    kind="fact",
                    answerable=answerable,
                    reason=None if answerable else "no_evidence",
                    nuggets=tuple(Nugget(gold=(gold,)) for gold in first),
                    context=tuple(dict.fromkeys(others)),
                )
            )
            found.given[record["id"]] = source
            found.sentences[record["id"]] = tuple(dict.fromkeys(places.values()))
            found.references[record["id"]] = tuple(tuple(each) for each in chosen)
    return found


def multispanqa(folder: str | Path) -> Benchmark:
    """MultiSpanQA (Li et al., 2022), validation set: 653 questions whose answer is several spans of one passage.

    Each answer span is an item whose gold is the sentence around it; a full stop, question or exclamation mark that is
    a token of its own ends a sentence, as the set's own tokens have it.

    Raises:
        UsageError: the folder or its file is missing or of another form.
    """
    path = existing(folder) / "data_MultiSpanQA_data_valid.json"
    found = Benchmark("multispanqa")
    sources: dict[str, str] = {}
    for record in _json(path)["data"]:
        labelled = [(one_line(word), label) for word, label in zip(record["context"], record["label"], strict=True)]
        words = [word for word, _ in labelled if word]
        starts = [0]
        for word in words:
            starts.append(starts[-1] + len(word) + 1)
        text = " ".join(words)
        source = sources.setdefault(text, f"multispanqa/{record['id']}.txt")
        found.documents.setdefault(source, _document(source, [("paragraph", text)]))
        ends = [0, *(n + 1 for n, word in enumerate(words) if word in {".", "?", "!"}), len(words)]
        items: dict[str, list[Gold]] = {}
        for first, last in _spans([label for word, label in labelled if word]):
            begin, stop = max(n for n in ends if n <= first), min(n for n in ends if n >= last)
            start, end = starts[begin], starts[stop] - 1
            gold = Gold(source=source, start=start, end=end, quote=text[start:end])
            items.setdefault(text[starts[first] : starts[last] - 1], []).append(gold)
        found.cases.append(
            Case(
                id=record["id"],
                question=" ".join(record["question"]) + "?",
                kind="list",
                answerable=True,
                items=tuple(Item(name=name, gold=tuple(dict.fromkeys(golds))) for name, golds in items.items()),
                tags=(record["type"], record["structure"]),
            )
        )
        found.given[record["id"]] = source
    return found


def tatqa(folder: str | Path) -> Benchmark:
    """TAT-QA (Zhu et al., 2021), development set: questions on 278 tables with the paragraphs around them.

    Table rows and paragraphs become one document. Answers that are one span become an amount (where they hold a number)
    or a fact, several spans a list; computed and counted answers keep tags of their own, as they stand nowhere. Gold is
    the row or sentence that holds the answer, or a number of its derivation. The scale ("million") is not asked for.

    Raises:
        UsageError: the folder or its file is missing or of another form.
    """
    found = Benchmark("tatqa")
    for number, record in enumerate(_json(existing(folder) / "tatqa_dataset_dev.json"), start=1):
        source = f"tatqa/{number:03}.txt"
        document = _tatqa_document(source, record)
        found.documents[source] = document
        places = [place for block in document.blocks for place in _units(document, block)]
        for question in record["questions"]:
            case = _tatqa_case(question, document, places)
            if case is None:
                found.left_out["its answer was not found in its document"] += 1
            else:
                found.cases.append(case)
                found.given[case.id] = source
    return found


def cast(folder: str | Path) -> list[FollowUp]:
    """TREC CAsT 2019 and 2020 (Dalton et al., 2020): the turns after the first, with the rewriting of each by a person.

    The folder holds no passages, so there is nothing to judge an answer by; see `eval.followups`.

    Raises:
        UsageError: the folder or one of its files is missing or of another form.
    """
    folder = existing(folder)
    resolved = {}
    for line in read_text(folder / "2019_data_evaluation_evaluation_topics_annotated_resolved_v1.0.tsv").split("\n"):
        turn, _, text = line.partition("\t")
        resolved[turn] = text.strip()
    turns = []
    for name in ("2019_data_evaluation_evaluation_topics_v1.0", "2020_2020_manual_evaluation_topics_v1.0"):
        for topic in _json(folder / f"{name}.json"):
            history: list[Turn] = []
            for turn in topic["turn"]:
                key = f"{topic['number']}_{turn['number']}"
                said, alone = turn["raw_utterance"].strip(), turn.get("manual_rewritten_utterance") or resolved.get(key)
                if history and alone:
                    turns.append(FollowUp(key, tuple(history), said, alone.strip()))
                history.append(Turn(question=said))
    return turns


# ------------------------------------------------------------------------------------------------------------- pieces


def _document(source: str, blocks: Sequence[tuple[str, str]], title: str | None = None) -> Document:
    """A document of paragraphs, each already on one line."""
    builder = Builder()
    for kind, text in blocks:
        builder.add("heading" if kind == "heading" else "paragraph", text)
    return _finished(source, builder, title)


def _finished(source: str, builder: Builder, title: str | None = None) -> Document:
    digest = hashlib.sha256(builder.text.encode()).hexdigest()
    return Document(
        id=digest[:16],
        source=source,
        sha256=digest,
        media_type="text/plain",
        text=builder.text,
        title=title,
        language="en",
        blocks=tuple(builder.blocks),
    )


def _chosen(selected: Sequence[str], places: dict[str, Place]) -> list[Place]:
    try:
        return list(dict.fromkeys(places[one_line(sentence)] for sentence in selected))
    except KeyError as error:
        raise UsageError(f"CLAPnq selects {error.args[0]!r}, which its passage lacks; get the data again") from error


def _spans(labels: Sequence[str]) -> Iterator[tuple[int, int]]:
    """The ranges of tokens marked B I I …."""
    start = None
    for at, label in enumerate([*labels, "O"]):
        if start is not None and label != "I":
            yield start, at
            start = None
        if label == "B":
            start = at


def _tatqa_document(source: str, record: dict[str, Any]) -> Document:
    builder = Builder()
    grid = [[one_line(cell) for cell in row] for row in record["table"]["table"]]
    heads = next((n for n, row in enumerate(grid) if row[0] and n), len(grid))
    names = [" ".join(filter(None, (row[column] for row in grid[:heads]))) for column in range(len(grid[0]))]
    for order, paragraph in enumerate(record["paragraphs"]):
        builder.add("paragraph", tidy(paragraph["text"]))
        if order == 0:  # after the paragraph that introduces it
            for row in grid[heads:]:
                builder.row([("" if not column else names[column], cell) for column, cell in enumerate(row)])
    return _finished(source, builder)


def _units(document: Document, block: Block) -> list[Gold]:
    spans: Sequence[tuple[int, int]] = [(block.start, block.end)]
    if block.kind != "row":
        spans = sentences(document.text, block.start, block.end, "en")
    return [Gold(source=document.source, start=a, end=b, quote=document.text[a:b]) for a, b in spans]


def _tatqa_case(question: dict[str, Any], document: Document, places: Sequence[Gold]) -> Case | None:
    kind, answer = question["answer_type"], question["answer"]
    spans = [one_line(str(each)) for each in (answer if isinstance(answer, list) else [answer])]
    spans = list(dict.fromkeys(span for span in spans if span))
    base: dict[str, Any] = {
        "id": question["uid"],
        "question": question["question"],
        "answerable": True,
        "tags": (kind, question["answer_from"]),
    }
    if kind in {"arithmetic", "count"}:
        wanted = re.findall(r"\d+(?:,\d{3})*(?:\.\d+)?", question["derivation"])
        if kind == "count":
            wanted = [part.strip() for part in question["derivation"].split("##") if part.strip()]
        parts = [golds for text in dict.fromkeys(wanted) if (golds := _holding(text, places))]
        if not parts or not spans:
            return None
        shown = f"{spans[0]}%" if question["scale"] == "percent" else spans[0]
        nuggets = tuple(Nugget(vital=False, gold=golds) for golds in parts)
        return Case(kind="count" if kind == "count" else "total", nuggets=nuggets, amounts=(shown,), **base)
    held = [_holding(span, places) for span in spans]
    if not spans or not all(held):
        return None
    if kind == "multi-span":
        items = tuple(Item(name=span, gold=gold) for span, gold in zip(spans, held, strict=True))
        return Case(kind="list", items=items, **base)
    nuggets = tuple(Nugget(forms=(span,), gold=gold) for span, gold in zip(spans, held, strict=True))
    if re.fullmatch(r"(19|20)\d\d", spans[0]):
        return Case(kind="date", nuggets=nuggets, dates=(spans[0],), **base)
    is_amount = len(spans[0]) <= 20 and re.fullmatch(r"[-($€£ ]*[\d,.]+[)% ]*", spans[0]) is not None
    return Case(
        kind="amount" if is_amount else "fact", nuggets=nuggets, amounts=(spans[0],) if is_amount else (), **base
    )


def _holding(text: str, places: Sequence[Gold]) -> tuple[Gold, ...]:
    """The rows and sentences that hold a text, not as part of a longer word or number."""
    pattern = re.compile(rf"(?<![\w.,]){re.escape(text)}(?!\w|[.,]\d)")
    return tuple(place for place in places if pattern.search(place.quote)) or tuple(
        place for place in places if text in place.quote
    )


def _records(path: Path) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if line.strip():
            yield _parsed(line, f"{path}, line {number}")


def _json(path: Path) -> Any:  # noqa: ANN401 - what the file holds
    return _parsed(read_text(path), str(path))


def _parsed(text: str, where: str) -> Any:  # noqa: ANN401 - what the file holds
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise UsageError(f"{where}: {error.msg}; get the data again") from error
