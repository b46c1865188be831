"""Pin the questions of `corpus/cases/*.toml` to their documents: ``python corpus/pin.py`` writes `corpus/cases.jsonl`.

The TOML files quote the words that support each answer; this finds where they stand in the documents as they are
loaded, and stops at the first quote that is absent or ambiguous. Their keys are explained in `corpus/README.md`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from eval.cases import Case, Gold, Item, Nugget, Turn, locate, write_cases
from index.errors import UsageError
from index.load import load
from index.models import Document

HERE = Path(__file__).parent
FILES = ("briefs", "foundation", "followups", "russian", "unanswerable")
LONGEST = 1200
"""How many characters "…" may stand for at most: more than any sentence of the corpus has."""


class Pins:
    """Finds the places that a quote of the TOML files means.

    Args:
        documents: by source.
        names: for each short name, the sources that it stands for.
        grants: the grants, by key; ``@key`` in a list of quotes means the quotes of that grant.
    """

    def __init__(self, documents: dict[str, Document], names: dict[str, list[str]], grants: dict[str, Any]) -> None:
        self.documents = documents
        self.names = names
        self.grants = grants

    def golds(self, quotes: Iterable[str]) -> tuple[Gold, ...]:
        """The place of each quote, in each document that it names, without repeats."""
        return tuple(dict.fromkeys(gold for quote in quotes for gold in self._golds(quote)))

    def item(self, key: str) -> Item:
        """A grant as an entry of a list."""
        grant = self.grants[key]
        return Item(
            name=grant["name"],
            aliases=tuple(grant.get("aliases", ())),
            amount=grant.get("amount"),
            gold=self.golds([*grant["gold"], *grant.get("member", ())]),
        )

    def _golds(self, quote: str) -> Iterator[Gold]:
        if quote.startswith("@"):
            yield from self.golds(self.grants[quote[1:]]["gold"])
            return
        if not (match := re.match(r"(\w+)( \| |: )", quote)) or match[1] not in self.names:
            raise UsageError(f"{quote!r} names no document; begin it with a name of sources.toml")
        words = quote[match.end() :]
        for source in self.names[match[1]]:
            document = self.documents[source]
            try:
                start, end = _row(document, words) if match[2] == " | " else _passage(document, words)
            except UsageError as error:
                raise UsageError(f"{source}: {error}") from error
            yield Gold(source=source, start=start, end=end, quote=document.text[start:end])


def _passage(document: Document, words: str) -> tuple[int, int]:
    """Where words stand inside one block, with any white space between them; "…" stands for as little as possible."""
    head, *rest = (_loose(part) for part in words.split("…"))
    first = re.search(head, document.text)
    start, _ = locate(document.text, first[0] if first else words)
    whole = re.compile(rf".{{1,{LONGEST}}}?".join((head, *rest)), re.DOTALL)
    for block in document.blocks:
        found = whole.match(document.text, start, block.end) if block.start <= start < block.end else None
        if found and block.kind != "leftover":
            return found.span()
    raise UsageError(f"no block that is indexed holds the whole of {words!r}; copy it from `pincite show`")


def _row(document: Document, words: str) -> tuple[int, int]:
    """The one table row or item that holds every part; in text without rows, the one line."""
    parts = [re.compile(_loose(part)) for part in words.split(" | ")]
    ranges = [(block.start, block.end) for block in document.blocks if block.kind in ("row", "item")]
    lines = [(match.start(), match.end()) for match in re.finditer(r"[^\n]+", document.text)]
    for places in (ranges, lines):
        found = [place for place in places if all(part.search(document.text[slice(*place)]) for part in parts)]
        if len(found) == 1:
            return found[0]
        if found:
            raise UsageError(f"{len(found)} rows hold {words!r}; add a part that only one of them has")
    raise UsageError(f"no row holds {words!r}; copy its parts from `pincite show`")


def _loose(words: str) -> str:
    return r"\s+".join(re.escape(word) for word in words.split())


def _case(entry: dict[str, Any], pins: Pins) -> Case:
    """One entry of a TOML file as a case; unknown keys are refused."""
    known = {"id", "q", "kind", "language", "history", "rewritten", "items", "facts", "context", "amounts", "dates"}
    if unknown := entry.keys() - known - {"forbidden", "tags", "note", "reason"}:
        raise UsageError(f"case {entry.get('id')}: unknown key {min(unknown)!r}; corpus/README.md lists the keys")
    return Case(
        id=entry["id"],
        question=entry["q"],
        kind=entry["kind"],
        answerable="reason" not in entry,
        reason=entry.get("reason"),
        language=entry.get("language", "en"),
        history=tuple(
            Turn(question=turn[0], answer=turn[1] if turn[1:] else None) for turn in entry.get("history", ())
        ),
        rewritten=entry.get("rewritten"),
        nuggets=tuple(
            Nugget(forms=tuple(fact["says"]), vital=fact.get("vital", True), gold=pins.golds(fact["gold"]))
            for fact in entry.get("facts", ())
        ),
        items=tuple(pins.item(key) for key in entry.get("items", ())),
        context=pins.golds(entry.get("context", ())),
        amounts=tuple(entry.get("amounts", ())),
        dates=tuple(entry.get("dates", ())),
        forbidden=tuple(entry.get("forbidden", ())),
        tags=tuple(entry.get("tags", ())),
        note=entry.get("note"),
    )


def build() -> list[Case]:
    """Every case, pinned.

    Raises:
        UsageError: a quote is absent or ambiguous, a key is unknown, or an id stands twice; the message says which.
    """
    folder = HERE / "documents"
    sources = {f"documents/{path.relative_to(folder).as_posix()}": path for path in folder.rglob("*.*")}
    names, grants = (_toml(name) for name in ("sources", "grants"))
    pins = Pins({source: load(path, source)[0] for source, path in sorted(sources.items())}, names, grants)
    cases: dict[str, Case] = {}
    for entry in (entry for name in FILES for entry in _toml(name)["case"]):
        try:
            case = _case(entry, pins)
        except (UsageError, ValueError) as error:
            raise UsageError(f"case {entry.get('id')}: {error}") from error
        if cases.setdefault(case.id, case) is not case:
            raise UsageError(f"the id {case.id!r} stands twice; rename one")
    return list(cases.values())


def _toml(name: str) -> dict[str, Any]:
    return tomllib.loads((HERE / "cases" / f"{name}.toml").read_text(encoding="utf-8"))


if __name__ == "__main__":
    write_cases(HERE / "cases.jsonl", build())
