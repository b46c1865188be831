"""Web pages: the body that trafilatura finds, and what a page says about itself. Nothing is ever fetched."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from copy import deepcopy

from lxml import etree, html
from lxml.etree import _Element

from index.build import MERGED, Builder, Found, Parsed, normalise, one_line
from index.errors import DocumentError
from index.hidden import unveiled
from index.models import BlockKind
from index.plain import find_blocks, mark_footnotes
from index.tables import Grid, add_table
from index.web_hidden import veil

_DECLARATION = re.compile(r"\A\s*<\?xml[^>]*\?>")
_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_KINDS: dict[str, BlockKind] = {"head": "heading", "item": "item"}
_BLOCKS = {"head", "item", "p", "quote", "list", "code", "body", "div", "ab", "table"}
_MERGED_MARK = "\ue000"  # XML cannot hold the NUL that stands for a merged cell in a grid
_MOST_COLUMNS = 100

_CONTENT = ("p", "h1", "h2", "h3", "h4", "h5", "h6", "table", "ul", "ol")

_META_TITLE = ("og:title", "citation_title", "dc.title", "dcterms.title")
_META_PUBLISHER = ("og:site_name", "citation_publisher", "dc.publisher", "dcterms.publisher", "publisher")
_META_PUBLISHED = (
    "article:published_time", "og:published_time", "citation_publication_date", "dc.date.issued", "dcterms.issued",
    "dc.date", "dcterms.date", "date", "pubdate", "publish-date", "datepublished",
)  # fmt: skip


def parse_html(text: str) -> Parsed:
    """The main text of a web page, its tables by rows; menus, asides and footers are not part of the text."""
    import trafilatura
    from trafilatura.settings import use_config

    try:
        # lxml refuses a string that declares an encoding.
        tree = html.document_fromstring(_DECLARATION.sub("", text), parser=html.HTMLParser(no_network=True))
    except (etree.ParserError, etree.XMLSyntaxError) as error:
        raise DocumentError("the web page is empty or damaged; save it again") from error
    found = _found(tree)
    for table in tree.iter("table"):
        _expand_spans(table)
    _frame(tree)
    veil(tree)
    settings = use_config()
    # A short page is not flattened into one paragraph: its tables and headings matter more than its length.
    settings.set("DEFAULT", "MIN_EXTRACTED_SIZE", "1")
    page = trafilatura.bare_extraction(
        tree, include_comments=False, include_tables=True, include_formatting=True, config=settings
    )
    out = Builder()
    body = getattr(page, "body", None)
    if body is not None:
        _walk(body, out)
    if not out.blocks:
        plain, hidden = unveiled(normalise(trafilatura.html2txt(tree)))
        return Parsed(plain, find_blocks(plain), found, scraped=True, hidden=tuple(hidden))
    return out.parsed(mark_footnotes(out.text, out.blocks), found, scraped=True)


def _frame(tree: _Element) -> None:
    """Put the content of a page without any frame into an article: trafilatura would drop its headings."""
    body = tree.find("body")
    if (
        body is None
        or not any(child.tag in _CONTENT for child in body)
        or next(tree.iter("article", "main"), None) is not None
    ):
        return
    article = body.makeelement("article")
    article.text, body.text = body.text, None
    article.extend(list(body))
    body.append(article)


def _expand_spans(table: _Element) -> None:
    """Put a cell into each place that a spanning cell covers, since trafilatura drops the spans themselves."""
    rows = [row for row in table.iter("tr") if next(row.iterancestors("table"), None) is table]
    if not any(cell.get("colspan") or cell.get("rowspan") for row in rows for cell in row):
        return
    below: dict[int, tuple[int, _Element]] = {}
    for row in rows:
        cells = [cell for cell in row if cell.tag in ("td", "th")]
        placed: list[_Element] = []
        while cells or any(column >= len(placed) for column in below):
            column = len(placed)
            if column in below:
                left, cell = below.pop(column)
                placed.append(deepcopy(cell))
                if left > 1:
                    below[column] = (left - 1, cell)
            elif cells:
                cell = cells.pop(0)
                covered = [cell, *(_blank(cell) for _ in range(1, min(_span(cell, "colspan"), _MOST_COLUMNS)))]
                placed += covered
                if (high := min(_span(cell, "rowspan"), len(rows))) > 1:
                    below |= {column + n: (high - 1, part) for n, part in enumerate(covered)}
            else:
                placed.append(row.makeelement("td"))
        for cell in list(row):
            row.remove(cell)
        row.extend(placed)


def _span(cell: _Element, name: str) -> int:
    value = cell.attrib.pop(name, "1").strip()
    return max(int(value), 1) if value.isascii() and value.isdigit() and len(value) < 6 else 1


def _blank(cell: _Element) -> _Element:
    """A cell that is part of the one on its left."""
    blank = cell.makeelement(cell.tag)
    blank.text = _MERGED_MARK
    return blank


def _walk(element: _Element, out: Builder) -> None:
    """Add the blocks of an element of trafilatura's tree, in order; running text between them is a paragraph."""
    kind = _KINDS.get(element.tag, "paragraph")
    level = int(element.get("rend", "h2")[1:] or 2) if kind == "heading" else 0
    words = element.text or ""
    for child in element:
        if child.tag in _BLOCKS:
            out.add(kind, words, level=level)
            words = ""
            if child.tag == "table":
                _add_table(child, out)
            elif child.tag == "list" and child.get("rend") == "ol":
                _number(child)
                _walk(child, out)
            else:
                _walk(child, out)
        else:
            words += _inline(child)
        words += child.tail or ""
    out.add(kind, words, level=level)


def _number(numbered: _Element) -> None:
    """Put their numbers before the items of a numbered list."""
    for number, item in enumerate(numbered.iterchildren("item"), start=1):
        item.text = f"{number}. {(item.text or '').lstrip()}"


def _inline(element: _Element) -> str:
    """The words of running text; a raised number or letter is told from the digits before it."""
    if element.tag == "lb":
        return "\n"
    words = (element.text or "") + "".join(_inline(child) + (child.tail or "") for child in element)
    if element.get("rend") == "#sup":
        mark = words.strip()
        if mark.isascii() and mark.isdigit():
            return mark.translate(_SUPERSCRIPTS)
        if len(mark) == 1 and mark.isalpha():
            return f"[{mark}]"
    return words


def _add_table(table: _Element, out: Builder) -> None:
    grid: Grid = []
    heads: list[list[bool]] = []
    for row in table.iter("row"):
        cells = list(row.iterchildren("cell"))
        texts = [one_line(_inline(cell).replace("\n", " ")) for cell in cells]
        grid.append([MERGED if text == _MERGED_MARK else text.replace(_MERGED_MARK, "") for text in texts])
        heads.append(
            [cell.get("role") == "head" for cell, text in zip(cells, grid[-1], strict=True) if text.strip("\0")]
        )
    count = next((n for n, row in enumerate(heads) if not row or not all(row)), len(heads))
    marked = any(any(row) for row in heads)
    add_table(out, grid, headers=count if marked else None, row_headers=marked and not count)


def _found(tree: _Element) -> Found:
    """Title, publisher, publication date and language as a page's head states them."""
    metas: dict[str, str] = {}
    for meta in tree.iter("meta"):
        name = (meta.get("property") or meta.get("name") or meta.get("itemprop") or "").strip().lower()
        content = one_line(meta.get("content") or "")
        if name and content:
            metas.setdefault(name, content)
    linked = list(_linked_data(tree))
    found: Found = {}
    for field, names, key in (
        ("title", _META_TITLE, "headline"),
        ("publisher", _META_PUBLISHER, "publisher"),
        ("published", _META_PUBLISHED, "datePublished"),
    ):
        stated = [(metas[name], f"meta {name}") for name in names if name in metas]
        stated += [(value, f"JSON-LD {key}") for item in linked if (value := _value(item.get(key)))]
        if stated:
            found[field] = stated[0]
    if "title" not in found:
        for tag in ("h1", "title"):
            words = [one_line(" ".join(map(str, element.itertext()))) for element in tree.iter(tag)]
            if words and words[0]:
                found["title"] = (words[0], tag)
                break
    if "publisher" not in found and (site := _site(tree, found)):
        found["publisher"] = (site, "title of the page")
    if "published" not in found and (day := _marked_date(tree)):
        found["published"] = day
    if language := (tree.get("lang") or "").strip():
        found["html language"] = (language, "html lang")
    return found


def _site(tree: _Element, found: Found) -> str | None:
    """The name of the site, which page titles end in: "What we do | Delta Radio"."""
    title = next((one_line(" ".join(map(str, element.itertext()))) for element in tree.iter("title")), "")
    name = found["title"][0] if "title" in found else ""
    rest = re.fullmatch(r"\s+[|–—·•»-]+\s+(.{2,60})", title.removeprefix(name)) if name else None
    return rest[1] if rest and title != name else None


def _linked_data(tree: _Element) -> Iterator[dict[str, object]]:
    """The objects of a page's JSON-LD, outermost first."""
    for script in tree.iter("script"):
        if "ld+json" not in (script.get("type") or ""):
            continue
        try:
            waiting = [json.loads(script.text or "")]
        except (ValueError, RecursionError):
            continue  # a page's broken annotations are no reason to refuse its text
        while waiting:
            item = waiting.pop(0)
            if isinstance(item, list):
                waiting += item
            elif isinstance(item, dict):
                yield item
                waiting += item.get("@graph", []) if isinstance(item.get("@graph"), list) else []


def _value(item: object) -> str:
    """The text of a JSON-LD value: itself, or its name."""
    if isinstance(item, list) and item:
        item = item[0]
    if isinstance(item, dict):
        item = item.get("name")
    return one_line(item) if isinstance(item, str) else ""


def _marked_date(tree: _Element) -> tuple[str, str] | None:
    """A date that the page's markup calls its publication date, or that htmldate finds there without guessing."""
    for element in tree.iter():
        if isinstance(element.tag, str) and (
            element.get("itemprop") == "datePublished" or element.get("pubdate") is not None
        ):
            value = (
                element.get("datetime") or element.get("content") or one_line(" ".join(map(str, element.itertext())))
            )
            return (value, f"<{element.tag}>")
    from htmldate import find_date

    day = find_date(deepcopy(tree), extensive_search=False, original_date=True)
    return (day, "htmldate") if day else None
