"""Pin practice questions to their documents: ``python corpus/practice/pin.py [FOLDER]`` writes `cases.jsonl` there.

The folder is that of this file, or another of the same layout.

A quote in `questions/*.toml` is widened to the whole sentence or table row in which it stands, as documents are loaded.
A quote of a table is a line of it, or a cell that no other row has.
"""

from __future__ import annotations

import csv
import re
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from eval.bench import read_documents
from eval.cases import Case, Gold, Item, Nugget, locate, write_cases
from index.errors import UsageError
from index.models import Document
from index.split import sentences

HERE = Path(__file__).parent


def cases(folder: Path, documents: dict[str, Document]) -> Iterable[Case]:
    """The cases of all question files.

    Raises:
        UsageError: a quote is absent, or stands more than once.
    """
    for path in sorted((folder / "questions").glob("*.toml")):
        asked = tomllib.loads(path.read_text(encoding="utf-8"))
        document = documents[f"documents/{asked['source']}"]
        for number, question in enumerate(asked["question"], start=1):
            yield _case(f"{path.stem}-{number:02}", question, document)


def _case(name: str, question: dict[str, Any], document: Document) -> Case:
    nuggets = [Nugget(forms=fact["forms"], gold=_golds(document, fact["quotes"])) for fact in question.get("facts", ())]
    items = [
        Item(
            name=item["name"],
            aliases=item.get("aliases", ()),
            amount=item.get("amount"),
            gold=_golds(document, item["quotes"]),
        )
        for item in question.get("items", ())
    ]
    return Case(
        id=name,
        question=question["ask"],
        kind=question["kind"],
        answerable=question.get("answerable", True),
        reason=question.get("reason"),
        language="ru" if any("а" <= letter <= "я" for letter in question["ask"].casefold()) else "en",
        nuggets=tuple(nuggets),
        items=tuple(items),
        context=_golds(document, question.get("context", ())),
        forbidden=question.get("forbidden", ()),
        tags=(document.source.split("/")[1],),
    )


def _golds(document: Document, quotes: Iterable[str]) -> tuple[Gold, ...]:
    return tuple(dict.fromkeys(_gold(document, quote) for quote in quotes))


def _gold(document: Document, quote: str) -> Gold:
    tabular = document.source.endswith(".csv") or " | " in quote
    quote = re.sub(r"^(?:[-•]|\d+\.)\s+|[*]+", "", quote)  # the marks of Markdown, which a reader does not see
    start, end = _row(document, quote) if tabular else locate(document.text, quote)
    for block in document.blocks:
        if block.start <= start < block.end:
            units = [(block.start, block.end)]
            if block.kind != "row":
                units = sentences(document.text, block.start, block.end, document.language)
            start = min((a for a, b in units if b > start), default=start)
            end = max((b for a, b in units if a < end), default=end)
    return Gold(source=document.source, start=start, end=end, quote=document.text[start:end])


def _row(document: Document, line: str) -> tuple[int, int]:
    """The row that holds every cell of a line of a table."""
    cells = [cell.strip() for cell in (line.split("|") if "|" in line else next(csv.reader([line]))) if cell.strip()]
    found = [b for b in document.blocks if b.kind == "row" and _holds(document.text[b.start : b.end], cells)]
    if len(found) != 1:
        raise UsageError(f"{document.source}: the line {line!r} fits {len(found)} rows; quote it whole")
    return found[0].start, found[0].end


def _holds(row: str, cells: Iterable[str]) -> bool:
    return all(cell in row for cell in cells)


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if sys.argv[1:] else HERE
    found = list(cases(folder, read_documents(folder / "documents")))
    write_cases(folder / "cases.jsonl", found)
    sys.stdout.write(f"{len(found)} cases, {sum(case.answerable for case in found)} answerable\n")
