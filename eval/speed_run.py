"""One run of ``pincite eval speed``: everything measured, in one go."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from eval import growth, speed
from eval.cases import read_cases
from eval.recombine import pool
from index.encode import Encoder
from index.library import Index
from index.split import context

ENCODED = 32  # passages, three times over
ADDED = 100  # files
LEAST = 1_000  # passages of the smallest library


class Measured(NamedTuple):
    """Everything of one run; ``load`` is how many processes wanted to run before it and after it."""

    encoding: speed.Encoding
    adding: speed.Adding
    sizes: list[growth.Size]
    lexical: list[speed.Timing]
    load: tuple[float, float]


def measure(
    documents: Sequence[Path],
    cases: Path,
    out: Path,
    *,
    passages: int,
    questions: int,
    lexical: int = 0,
    encoded: int = ENCODED,
    added: int = ADDED,
    tell: Callable[[str], None] = lambda _: None,
) -> Measured:
    """Measure everything; the documents' index and the library that grows are kept under ``out`` and taken up again.

    Args:
        documents: files and folders, whose sentences make up the library.
        cases: a case file, whose questions are asked.
        out: a folder.
        passages: how far the library grows, tenfold at a time from a thousand.
        questions: how many are asked of it at each size.
        lexical: how many passages lexical engines are compared on; they are not, where it is 0.
        encoded: how many passages are encoded, round for round.
        added: how many files are added.
        tell: is told what is being done.
    """
    before = os.getloadavg()[0]
    encoder = Encoder()
    tell("reading the documents")
    with closing(Index(out / "documents.index", encoder)) as index:
        index.add(documents)
        made_of, texts = pool(index), _texts(index)
    tell("encoding")
    encoding = speed.encoding(encoder, random.Random(1).sample(texts, min(encoded, len(texts))), 3)
    tell("adding")
    adding = speed.adding(encoder, made_of, added, 3)
    sizes = [LEAST]
    while sizes[-1] * 10 <= passages:
        sizes.append(sizes[-1] * 10)
    asked = [case.question for case in read_cases(cases) if not case.history]
    asked = random.Random(1).sample(asked, min(questions, len(asked)))
    found = growth.measure(out, encoder, made_of, sizes, asked, tell)
    engines = speed.lexical_engines(made_of, lexical) if lexical else []
    return Measured(encoding, adding, found, engines, (before, os.getloadavg()[0]))


def _texts(index: Index) -> list[str]:
    """Every passage as it is encoded: after its title and headings."""
    found = []
    for listed in index.documents():
        document = index.show(listed.id)
        for stored in index.engine.passages_of(listed.id):
            passage = stored.passage
            found.append(context(document, passage) + document.text[passage.start : passage.end])
    return found
