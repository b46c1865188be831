"""What a system is measured on: questions with their gold facts, and the JSON Lines file that keeps them.

A case says what a complete answer holds (``nuggets`` for facts, ``items`` for the entries of a list) and which words of
which documents support each part (``Gold``). Offsets count Unicode code points of ``Document.text``; documents are
named by their ``source`` because an id changes with the text.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, Self, get_args

from pydantic import Field, ValidationError, model_validator

from index.errors import UsageError
from index.models import Model
from rag.models import Reason

Kind = Literal[
    "fact",
    "list",
    "amount",
    "date",
    "place",
    "person",
    "definition",
    "reason",
    "yes_no",
    "comparison",
    "total",
    "count",
    "largest",
]
"""What is asked for; "largest" stands for the smallest too. Whether it is a follow-up is told by its history."""

KINDS: tuple[str, ...] = get_args(Kind)
_ISO_PERIOD = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?")


class Gold(Model):
    """Words of a document that support something: ``text[start:end] == quote`` of the document added as ``source``."""

    source: str = Field(min_length=1)
    start: int = Field(ge=0)
    end: int
    quote: str = Field(min_length=1)

    @model_validator(mode="after")
    def _quote_fills_range(self) -> Self:
        if self.end - self.start != len(self.quote):
            raise ValueError(f"the range {self.start}:{self.end} does not fit a quote of {len(self.quote)} characters")
        return self


class Nugget(Model):
    """One fact that the answer should hold.

    Attributes:
        forms: ways to write the fact; any one of them in the answer's text or quotes is enough. Empty where only the
            gold spans tell (as in public sets without short answers).
        vital: an answer without it is incomplete; others are welcome but not needed.
        gold: alternatives, any one of which supports the fact; mostly whole sentences or table rows.
    """

    forms: tuple[str, ...] = ()
    vital: bool = True
    gold: tuple[Gold, ...] = Field(min_length=1)


class Item(Model):
    """One entry of a list answer.

    Attributes:
        name, aliases: any one of these names the entry.
        amount: what the documents tell for it in the period asked about, as they write it; ``None`` where they do not.
        gold: alternatives, any one of which shows that the entry belongs to the list.
    """

    name: str = Field(min_length=1)
    aliases: tuple[str, ...] = ()
    amount: str | None = None
    gold: tuple[Gold, ...] = Field(min_length=1)

    @property
    def names(self) -> tuple[str, ...]:
        """The name and its aliases."""
        return (self.name, *self.aliases)


class Turn(Model):
    """An earlier question of a conversation, with the answer that was given where it matters."""

    question: str = Field(min_length=1)
    answer: str | None = None


class Case(Model):
    """A question, what a right answer holds, and where that stands.

    Attributes:
        history: the turns before it, oldest first; empty for a question that stands alone.
        rewritten: for a follow-up, the same question made to stand alone.
        answerable: whether the documents hold the answer. If not, ``reason`` is the code a refusal should give.
        nuggets, items: what a complete answer holds; an answerable case has at least one of either.
        context: spans that may be cited beside the gold without harm (a sentence that only sets the year or the
            subject, a note on another version); neither asked for nor counted as wrong.
        amounts: each must be stated, as the documents write it or as computed from the items.
        dates: each must be stated in some form; here as ISO 8601, to the day, month or year.
        forbidden: what must not be shown as part of the answer, such as another year's amount.
        tags: what makes it hard ("renamed", "correction", "table"), to break scores down by.
    """

    id: str = Field(pattern=r"^[\w.:-]+$")
    question: str = Field(min_length=1)
    kind: Kind
    answerable: bool
    reason: Reason | None = None
    language: str = "en"
    history: tuple[Turn, ...] = ()
    rewritten: str | None = None
    nuggets: tuple[Nugget, ...] = ()
    items: tuple[Item, ...] = ()
    context: tuple[Gold, ...] = ()
    amounts: tuple[str, ...] = ()
    dates: tuple[str, ...] = ()
    forbidden: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    note: str | None = None

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        expected = self.nuggets or self.items
        if self.answerable and (not expected or self.reason):
            raise ValueError("an answerable case needs nuggets or items, and no reason")
        if not self.answerable and (not self.reason or expected or self.amounts or self.dates):
            raise ValueError("an unanswerable case needs a reason, and no nuggets, items, amounts or dates")
        if bool(self.history) != (self.rewritten is not None):
            raise ValueError("a follow-up needs both a history and its rewritten question; other cases neither")
        if wrong := [value for value in self.dates if not _ISO_PERIOD.fullmatch(value)]:
            raise ValueError(f"the date {wrong[0]!r} is not YYYY, YYYY-MM or YYYY-MM-DD")
        return self

    @property
    def gold(self) -> tuple[Gold, ...]:
        """Every span that supports a nugget or an item, each once, in the order first named."""
        parts: tuple[Nugget | Item, ...] = (*self.nuggets, *self.items)
        return tuple(dict.fromkeys(gold for part in parts for gold in part.gold))


def read_cases(path: str | Path) -> list[Case]:
    """Read a JSON Lines file of cases; empty lines are passed over.

    Raises:
        UsageError: the file cannot be read or holds no case, a line is not a case, or an id stands twice. The message
            names the line.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UsageError(f"cannot read the cases in {path}: {why}; give the path of a JSON Lines file") from error
    cases: list[Case] = []
    lines: dict[str, int] = {}
    for number, line in enumerate(text.split("\n"), start=1):  # splitlines() would also break at U+2028 inside a quote
        if not line.strip():
            continue
        try:
            case = Case.model_validate_json(line)
        except ValidationError as error:
            raise UsageError(f"{path}, line {number}: {_first_problem(error)}; correct that line") from error
        if case.id in lines:
            raise UsageError(
                f"{path}, line {number}: the id {case.id!r} stands in line {lines[case.id]} too; rename one"
            )
        lines[case.id] = number
        cases.append(case)
    if not cases:
        raise UsageError(f"{path} holds no case; write one JSON object a line")
    return cases


def write_cases(path: str | Path, cases: Iterable[Case]) -> None:
    """Write cases as JSON Lines, one a line, whole or not at all; what `read_cases` reads back."""
    path = Path(path)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        partial.write_bytes(_lines(cases))
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def digest(cases: Sequence[Case]) -> str:
    """The SHA-256 of the cases as `write_cases` writes them, as 64 hex digits: the layout of a file does not matter."""
    return hashlib.sha256(_lines(cases)).hexdigest()


def locate(text: str, quote: str, nth: int | None = None) -> tuple[int, int]:
    """Where a quote stands in a text, for writing cases only: answers carry their offsets and never search for them.

    Args:
        nth: which of several places, counted from 1; needed where the quote stands more than once.

    Raises:
        UsageError: the quote is absent, stands more than once and ``nth`` is not given, or has no ``nth`` place.
    """
    if not quote:
        raise UsageError("an empty quote has no place; give the words to find")
    found = [match.start() for match in re.finditer(re.escape(quote), text)]
    shown = quote if len(quote) <= 70 else quote[:67] + "..."
    if not found:
        raise UsageError(f"the quote {shown!r} does not stand in the text; copy it from `pincite show`")
    if nth is None and len(found) > 1:
        raise UsageError(f"the quote {shown!r} stands {len(found)} times; make it longer or say which one")
    if nth is not None and not 1 <= nth <= len(found):
        raise UsageError(f"the quote {shown!r} has no place number {nth}, only {len(found)}; count from 1")
    start = found[(nth or 1) - 1]
    return start, start + len(quote)


def _lines(cases: Iterable[Case]) -> bytes:
    return "".join(case.model_dump_json(exclude_defaults=True) + "\n" for case in cases).encode("utf-8")


def _first_problem(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else str(first["msg"])
