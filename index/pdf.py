"""PDF: pages to one text, and blocks from the type of lines, the gaps between them and what returns on every page.

PDFium is not safe in threads: whatever reads a PDF, here or elsewhere, holds `LOCK`.
"""

from __future__ import annotations

import re
import threading
from collections import Counter
from typing import TYPE_CHECKING

from index.build import Found, Parsed, normalise
from index.errors import DocumentError
from index.models import Block
from index.pdf_page import PAGE_BREAK, Page, Placed, move_block, read_page
from index.plain import find_blocks, is_title_like, mark_footnotes

if TYPE_CHECKING:
    from pypdfium2 import PdfPage

LOCK = threading.RLock()

_PAGE_NUMBER = re.compile(
    r"\W*(?:(?:page|стр|с|бет|p|s)\W{0,2}\s*)?\d{1,4}(?:\s*(?:of|из|von|sur|de|/)\s*\d{1,4})?\W*", re.I
)
_NUMBERS = re.compile(r"\d+")
_EDGE = 2  # running headers and footers are among this many outermost lines of a page
_BIG = 1.12  # a heading's size, as a multiple of the body's
_HEADING_LENGTH = 200


def page_text(page: PdfPage) -> tuple[str, list[int]]:
    """The text of one page as it goes into a document, and for each of its characters the index in PDFium's text page.

    The index is -1 for a character that was put in (line breaks, a table's headers before their values). The same page
    always gives the same text. The text of page n (from 0) begins in the document after those before it and n times
    `PAGE_BREAK`. Hold `LOCK` while calling.
    """
    read = read_page(page)
    return read.text, read.chars


def parse(data: bytes) -> Parsed:
    """A PDF file's text, page by page. Raises DocumentError where it is locked, broken, or holds no text."""
    import pypdfium2
    import pypdfium2.raw as pdfium

    with LOCK:
        try:
            pdf = pypdfium2.PdfDocument(data)
        except pypdfium2.PdfiumError as error:
            if error.err_code == pdfium.FPDF_ERR_PASSWORD:
                raise DocumentError("the PDF is encrypted; save a copy without a password and add that") from error
            raise DocumentError("the PDF is damaged or incomplete; fetch or export it again") from error
        try:
            pages = [read_page(pdf[number]) for number in range(len(pdf))]
            stated = pdf.get_metadata_dict(skip_empty=True)
        except pypdfium2.PdfiumError as error:
            raise DocumentError("a page of the PDF cannot be read; export the PDF again") from error
        finally:
            pdf.close()
    if not pages:
        raise DocumentError("the PDF has no pages; export it again")
    if not any(page.text.strip() for page in pages):
        raise DocumentError("the PDF holds pictures but no text; run OCR over it first, for instance with ocrmypdf")
    found: Found = {}
    for field, key in (("title", "Title"), ("author", "Author")):
        if value := normalise(stated.get(key, "")).strip():
            found[field] = (value, f"PDF {field}")
    text = PAGE_BREAK.join(page.text for page in pages)
    hidden, at = [], 0
    for page in pages:
        hidden += [one.model_copy(update={"start": one.start + at, "end": one.end + at}) for one in page.hidden]
        at += len(page.text) + len(PAGE_BREAK)
    return Parsed(text, mark_footnotes(text, _blocks(pages, text)), found, scraped=False, hidden=tuple(hidden))


def _blocks(pages: list[Page], text: str) -> list[Block]:
    """The blocks of all pages: running lines, table rows, and the rest as in plain text."""
    blocks: list[Block] = []
    lines: list[Placed] = []
    at = 0
    for number, (page, running) in enumerate(zip(pages, _running(pages), strict=True), start=1):
        first = len(blocks)
        start = 0
        for fixed in [*sorted([*page.rows, *running], key=lambda block: block.start), None]:
            end = fixed.start if fixed else len(page.text)
            blocks += [_placed(block, at + start, number) for block in find_blocks(page.text[start:end], soft=True)]
            if fixed:
                blocks.append(_placed(fixed, at, number))
                start = fixed.end
        _join_pages(blocks, first, text)
        lines += [line._replace(start=line.start + at, end=line.end + at) for line in page.lines]
        at += len(page.text) + len(PAGE_BREAK)
    return _headed(blocks, lines, text)


def _placed(block: Block, by: int, page: int) -> Block:
    """A block of a part of a page, moved to its place in the document."""
    return move_block(block, range(by, by + block.end + 1)).model_copy(update={"page": page})


def _join_pages(blocks: list[Block], first: int, text: str) -> None:
    """Join a paragraph that goes on in lower case at the top of the next page, where nothing stands between."""
    if 0 < first < len(blocks):
        a, b = blocks[first - 1], blocks[first]
        if a.kind == b.kind == "paragraph" and text[b.start].islower() and text[a.end - 1] not in ".!?":
            blocks[first - 1 : first + 1] = [a.model_copy(update={"end": b.end})]


def _running(pages: list[Page]) -> list[list[Block]]:
    """For each page its running headers, footers and page numbers: outermost lines that return at one height."""
    edges = []
    for page in pages:
        order = sorted(page.lines, key=lambda line: -line.y)
        edges.append(list(dict.fromkeys([*order[:_EDGE], *order[-_EDGE:]])))
    keys = [
        {line: (_NUMBERS.sub("0", page.text[line.start : line.end]), round(line.y / 4)) for line in edge}
        for page, edge in zip(pages, edges, strict=True)
    ]
    counts = Counter(key for page in keys for key in set(page.values()))
    found: list[list[Block]] = []
    for page, key in zip(pages, keys, strict=True):
        found.append([])
        for line in key:
            why = None
            if _PAGE_NUMBER.fullmatch(page.text, line.start, line.end) and len(page.lines) > 1:
                why = "page number"
            elif counts[key[line]] >= max(2, min(3, len(pages) / 2)):
                why = "running header or footer"
            if why:
                found[-1].append(Block(kind="leftover", start=line.start, end=line.end, why=why))
    return found


def _headed(blocks: list[Block], lines: list[Placed], text: str) -> list[Block]:
    """The blocks with headings by size and weight; where no line is set apart so, those of plain text stay."""
    sizes: Counter[float] = Counter()
    for line in lines:
        sizes[line.size] += line.end - line.start
    if not sizes:
        return blocks
    body = sizes.most_common(1)[0][0]
    mostly_bold = sum((line.end - line.start) * (1 if line.bold else -1) for line in lines) > 0
    types: dict[int, tuple[float, bool]] = {}
    at = 0
    for number, block in enumerate(blocks):
        while at < len(lines) and lines[at].end <= block.start:
            at += 1
        inside = [line for line in lines[at : at + 4] if line.start < block.end]
        words = text[block.start : block.end]
        if block.kind not in ("paragraph", "heading", "item") or len(inside) > 3 or len(words) > _HEADING_LENGTH:
            continue
        size, bold = min(line.size for line in inside), all(line.bold for line in inside)
        strong = bold and not mostly_bold and size >= body and is_title_like(words.replace("\n", " "))
        if size >= _BIG * body or strong:
            types[number] = (size, bold)
    if not types:
        return blocks
    ranks = {kind: min(rank, 6) for rank, kind in enumerate(sorted(set(types.values()), reverse=True), start=1)}
    result = []
    for number, block in enumerate(blocks):
        if number in types:
            result.append(block.model_copy(update={"kind": "heading", "level": ranks[types[number]]}))
        elif block.kind == "heading":
            result.append(block.model_copy(update={"kind": "paragraph", "level": 0}))
        else:
            result.append(block)
    return result
