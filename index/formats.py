"""Plain text, CSV and Markdown: from the text of a file to its blocks."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING

from index.build import Builder, Found, Parsed
from index.errors import DocumentError
from index.plain import find_blocks, mark_footnotes
from index.tables import Grid, add_sheet, add_table

if TYPE_CHECKING:
    from markdown_it.token import Token

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.S)
_PAIR = re.compile(r"([A-Za-z_-]+)[ \t]*:[ \t]*(.+)")
_FIELDS = {"title": "title", "publisher": "publisher", "published": "published", "date": "published"}
_FIELDS |= {"language": "language", "lang": "language"}
_NOTE = re.compile(r"^\[\^([^\]\s]+)\]:", re.M)
_TAG = re.compile(r"<[^>]*>")
_DELIMITERS = ",;\t|"
_SAMPLE = 64 * 1024


def parse_text(text: str) -> Parsed:
    """A plain text: its own words, with blocks found by layout."""
    return Parsed(text, find_blocks(text), {}, scraped=True)


def parse_csv(text: str) -> Parsed:
    """Rows of comma, semicolon, tab or bar separated values, each readable alone with its header cells."""
    try:
        grid = list(csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text)))
    except csv.Error as error:
        raise DocumentError(f"the table cannot be read ({error}); check its quotation marks") from error
    out = Builder()
    add_sheet(out, grid)
    return out.parsed(out.blocks, {}, scraped=False)


def _delimiter(text: str) -> str:
    """The delimiter that parts most of a text's first rows into the same number of cells."""
    sample = text[:_SAMPLE]
    if len(text) > _SAMPLE:
        sample = sample[: sample.rfind("\n")]
    best, best_score = ",", 0.0
    for delimiter in _DELIMITERS:
        try:
            widths = [len(row) for row in csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter) if row]
        except csv.Error:
            continue
        usual = max(set(widths), key=widths.count, default=1)
        score = widths.count(usual) / len(widths) * (1 + usual / 1000) if usual > 1 else 0.0
        if score > best_score:
            best, best_score = delimiter, score
    return best


def parse_markdown(text: str) -> Parsed:
    """Markdown as it reads when rendered; front matter is metadata, ``[^1]: …`` a footnote."""
    from markdown_it import MarkdownIt

    found: Found = {}
    if front := _FRONT_MATTER.match(text):
        text = text[front.end() :]
        for line in front[1].split("\n"):
            if (pair := _PAIR.match(line)) and pair[1].lower() in _FIELDS and (value := pair[2].strip().strip("\"'")):
                found.setdefault(_FIELDS[pair[1].lower()], (value, "front matter"))
    # A note would otherwise be read as a link's target, or run into the note above it.
    text = _NOTE.sub(r"\n\\[^\1]:", text)
    out = Builder()
    _Markdown(out).add(MarkdownIt("commonmark").enable("table").parse(text))
    return out.parsed(mark_footnotes(out.text, out.blocks), found, scraped=False)


class _Markdown:
    """Turns markdown-it's tokens into blocks: a method for each kind of token that matters."""

    def __init__(self, out: Builder) -> None:
        self._out = out
        self._lists: list[int | None] = []  # the next number of each open list, None for bullets
        self._level = 0
        self._marker = ""
        self._grid: Grid = []
        self._heads = 0
        self._in_cell = False

    def add(self, tokens: list[Token]) -> None:
        """Add the blocks of a document's tokens."""
        for token in tokens:
            if method := getattr(self, f"_{token.type}", None):
                method(token)

    def _heading_open(self, token: Token) -> None:
        self._level = int(token.tag[1:])

    def _heading_close(self, _: Token) -> None:
        self._level = 0

    def _bullet_list_open(self, _: Token) -> None:
        self._lists.append(None)

    def _ordered_list_open(self, token: Token) -> None:
        start = token.attrGet("start")
        self._lists.append(1 if start is None else int(start))

    def _bullet_list_close(self, _: Token) -> None:
        self._lists.pop()

    _ordered_list_close = _bullet_list_close

    def _list_item_open(self, _: Token) -> None:
        number = self._lists[-1]
        self._marker = "" if number is None else f"{number}. "
        self._lists[-1] = None if number is None else number + 1

    def _table_open(self, _: Token) -> None:
        self._grid, self._heads = [], 0

    def _thead_close(self, _: Token) -> None:
        self._heads = len(self._grid) if any(name.strip() for row in self._grid for name in row) else 0

    def _tr_open(self, _: Token) -> None:
        self._grid.append([])

    def _td_open(self, _: Token) -> None:
        self._in_cell = True

    _th_open = _td_open

    def _table_close(self, _: Token) -> None:
        add_table(self._out, self._grid, headers=self._heads)

    def _inline(self, token: Token) -> None:
        words = _inline(token.children or [])
        if self._in_cell:
            self._grid[-1].append(words)
            self._in_cell = False
        elif self._level:
            self._out.add("heading", words, level=self._level)
        else:
            self._out.add("item" if self._lists else "paragraph", self._marker + words)
            self._marker = ""

    def _fence(self, token: Token) -> None:
        self._out.add("paragraph", token.content)

    _code_block = _fence

    def _html_block(self, token: Token) -> None:
        self._out.add("paragraph", _TAG.sub("", token.content))


def _inline(tokens: list[Token]) -> str:
    """The words of running text; a wrapped line is one line."""
    parts = []
    for token in tokens:
        if token.type in ("text", "code_inline"):
            parts.append(token.content)
        elif token.type == "softbreak":
            parts.append(" ")
        elif token.type == "hardbreak" or (token.type == "html_inline" and token.content.lower().startswith("<br")):
            parts.append("\n")
    return "".join(parts)
