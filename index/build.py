"""Text in its one normal form, and a builder that keeps the offsets of blocks while a text is put together."""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from index.hidden import unveiled
from index.models import Block, BlockKind, Cell, Hidden

Found = dict[str, tuple[str, str]]
"""Metadata that a format states about itself: field -> (value, where it came from)."""

MERGED = "\x00"
"""Stands in a table's grid for a cell that is part of the cell on its left; no normalised text holds it."""

_NEWLINES = re.compile("\r\n|[\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
# Controls, byte order marks, soft hyphens, zero-width spaces, lone surrogates and noncharacters: nothing of them is
# ever seen, and each would keep a word from being found.
_DROPPED = re.compile("[\x00-\x08\x0e-\x1b\x1f\x7f-\x84\x86-\x9f\u00ad\u200b\ufeff\ufffe\uffff\ud800-\udfff]")
_SPACES = re.compile(r"[ \t]+")
_AROUND_NEWLINE = re.compile(r" ?\n ?")


class Parsed(NamedTuple):
    """What one format gives: the text, its blocks and what the file says about itself.

    ``scraped`` tells whether the text may carry the furniture of a web page (menus, share links, comment rules).
    """

    text: str
    blocks: list[Block]
    found: Found
    scraped: bool
    hidden: tuple[Hidden, ...] = ()


def normalise(text: str) -> str:
    """Text in Unicode NFC with newlines as "\\n" and no invisible characters; doing it twice changes nothing.

    >>> normalise("\\ufeffe\\u0301\\r\\n\\x00") == "\\u00e9\\n"
    True
    """
    return unicodedata.normalize("NFC", _DROPPED.sub("", _NEWLINES.sub("\n", text)))


def tidy(text: str) -> str:
    """Normalised, with runs of blanks as one blank and none at either end of a line."""
    return _AROUND_NEWLINE.sub("\n", _SPACES.sub(" ", normalise(text))).strip()


def one_line(text: str) -> str:
    """Tidied, on one line."""
    if text.isascii() and text.isprintable():
        return " ".join(text.split())  # most cells of most tables
    return " ".join(tidy(text).split("\n"))


def trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """The range without white space at its ends; empty (start == end) where nothing else is there."""
    piece = text[start:end]
    kept = piece.strip()
    start += len(piece) - len(piece.lstrip())
    return start, start + len(kept)


class Builder:
    """Puts a text together from blocks, so that each block's offsets are known and never searched for."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.hidden: list[Hidden] = []
        self._parts: list[str] = []
        self._at = 0

    @property
    def text(self) -> str:
        """Everything added so far."""
        return "".join(self._parts)

    def parsed(self, blocks: list[Block], found: Found, *, scraped: bool) -> Parsed:
        """What was put together, with these blocks in place of its own."""
        return Parsed(self.text, blocks, found, scraped=scraped, hidden=tuple(self.hidden))

    def _append(self, text: str, kind: BlockKind) -> int:
        """Add text after the break that suits it; returns where it starts."""
        if self.blocks:
            together = kind in ("row", "item") and self.blocks[-1].kind == kind
            gap = "\n" if together else "\n\n"
            self._parts.append(gap)
            self._at += len(gap)
        start = self._at
        self._parts.append(text)
        self._at += len(text)
        return start

    def add(self, kind: BlockKind, text: str, *, level: int = 0, page: int | None = None) -> None:
        """Add one block; text that is blank adds nothing."""
        text, hidden = _seen(one_line(text) if kind == "heading" else tidy(text))
        if text:
            start = self._append(text, kind)
            self.hidden += _moved(hidden, start)
            self.blocks.append(Block(kind=kind, start=start, end=self._at, level=level, page=page))

    def row(self, cells: list[tuple[str, str]], *, page: int | None = None) -> None:
        """Add one table row, ``Header: value; Header: value.``, from words on one line; blank values are left out."""
        text = ""
        ranges: list[tuple[str, int, int]] = []
        hidden: list[Hidden] = []
        for header, value in cells:
            if value:
                text += "; " if text else ""
                name, of_name = _seen(header.rstrip(" :"))
                hidden += _moved(of_name, len(text))
                text += f"{name}: " if name else ""
                words, of_words = _seen(value)
                hidden += _moved(of_words, len(text))
                ranges.append((name, len(text), len(text) + len(words)))
                text += words
        if text:
            text += "" if text[-1] in ".!?…。" else "."
            start = self._append(text, "row")
            self.hidden += _moved(hidden, start)
            placed = tuple(Cell(header=h, start=start + a, end=start + b) for h, a, b in ranges)
            self.blocks.append(Block(kind="row", start=start, end=self._at, page=page, cells=placed))


def _seen(text: str) -> tuple[str, list[Hidden]]:
    """A tidy text without the marks around what is hidden, still tidy, and the ranges that they stood around."""
    text, hidden = unveiled(text)
    if hidden and (clean := tidy(text)) != text:  # a mark stood between two blanks, or a letter and its accent
        return clean, [one.model_copy(update={"start": 0, "end": len(clean)}) for one in hidden] if clean else []
    return text, hidden


def _moved(hidden: list[Hidden], by: int) -> list[Hidden]:
    return [one.model_copy(update={"start": one.start + by, "end": one.end + by}) for one in hidden]
