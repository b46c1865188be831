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
    return Parsed(out.text, out.blocks, {}, scraped=False)


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
    """Markdown as it reads when rendered: no marks, tables by rows, front matter as metadata, ``[^1]`` notes as footnotes."""
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
    _markdown_blocks(MarkdownIt("commonmark").enable("table").parse(text), out)
    return Parsed(out.text, mark_footnotes(out.text, out.blocks), found, scraped=False)


def _markdown_blocks(tokens: list[Token], out: Builder) -> None:
    lists: list[int | None] = []  # the next number of each open list, None for bullets
    level = 0
    marker = ""
    grid: Grid = []
    heads = 0
    cell = False
    for token in tokens:
        if token.type == "heading_open":
            level = int(token.tag[1:])
        elif token.type == "heading_close":
            level = 0
        elif token.type == "bullet_list_open":
            lists.append(None)
        elif token.type == "ordered_list_open":
            lists.append(int(token.attrGet("start") or 1))
        elif token.type in ("bullet_list_close", "ordered_list_close"):
            lists.pop()
        elif token.type == "list_item_open":
            number = lists[-1]
            marker = "" if number is None else f"{number}. "
            lists[-1] = None if number is None else number + 1
        elif token.type == "table_open":
            grid, heads = [], 0
        elif token.type == "thead_close":
            heads = len(grid)
        elif token.type == "tr_open":
            grid.append([])
        elif token.type in ("th_open", "td_open"):
            cell = True
        elif token.type == "table_close":
            add_table(out, grid, headers=heads if any(name.strip() for row in grid[:heads] for name in row) else 0)
        elif token.type == "inline":
            words = _inline(token.children or [])
            if cell:
                grid[-1].append(words)
                cell = False
            elif level:
                out.add("heading", words, level=level)
            else:
                out.add("item" if lists else "paragraph", marker + words)
                marker = ""
        elif token.type in ("fence", "code_block"):
            out.add("paragraph", token.content)
        elif token.type == "html_block":
            out.add("paragraph", _TAG.sub("", token.content))


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
