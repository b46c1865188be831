"""Whether a library in Milvus answers as a folder does: ``python -m tests.agreement milvus://HOST:PORT/NAME``.

Both are given the demo corpus and each of its questions. Where they differ it is in the lexical ranks: tantivy rounds
the length of a passage to one of 256 steps before it weighs terms by it, Milvus does not.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from index.library import Index
from rag.assistant import READERS, Assistant

CORPUS = Path(__file__).parents[1] / "corpus"


class Agreement(NamedTuple):
    """Of some questions: those with the same status, text and citations, and with the same best hit, and shared hits.

    Attributes:
        dense: questions whose ten nearest passages are the same, in the same order, with scores within 1e-5.
        shared: the share of the ten best hits that both have.
        differing: the questions that are answered otherwise.
    """

    questions: int
    answers: int
    first: int
    dense: int
    shared: float
    differing: tuple[str, ...]


def questions() -> list[str]:
    """The questions of the demo."""
    return [json.loads(line)["question"] for line in (CORPUS / "cases.jsonl").read_text("utf-8").splitlines()]


def compare(one: Index, two: Index, asked: list[str]) -> Agreement:
    """Add the demo's documents to both and ask both the same."""
    assistants = [Assistant(index, READERS["similarity"]()) for index in (one, two)]
    for assistant in assistants:
        assistant.add(CORPUS / "documents")
    answers = first = dense = 0
    shared = 0.0
    differing = []
    for question in asked:
        a, b = (assistant.ask(question) for assistant in assistants)
        if (a.status, a.text, a.citations) == (b.status, b.text, b.citations):
            answers += 1
        else:
            differing.append(question)
        hits = [[hit.passage.id for hit in assistant.search(question)] for assistant in assistants]
        first += hits[0][0] == hits[1][0]
        shared += len({*hits[0]} & {*hits[1]}) / len(hits[0])
        near = [assistant.search(question, mode="dense") for assistant in assistants]
        same = all(
            x.passage.id == y.passage.id and abs((x.vector_score or 0) - (y.vector_score or 0)) < 1e-5
            for x, y in zip(*near, strict=True)
        )
        dense += same
    return Agreement(len(asked), answers, first, dense, shared / len(asked), tuple(differing))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, Index(Path(folder)) as here, Index(sys.argv[1]) as there:
        sys.stdout.write(f"{compare(here, there, questions())}\n")
