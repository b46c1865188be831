"""What is known about a document: title, publisher, publication date and language, and where each was found.

Nothing is guessed: a value stands only where the file states it, in its properties or in lines made for that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from index.build import Parsed, one_line
from index.models import Block

if TYPE_CHECKING:
    from lingua import LanguageDetector

LANGUAGES = tuple("en ru kk uk ar zh de fr es tr it pt pl nl ja ko fa".split())
"""ISO 639-1 codes of the languages that are told apart."""

_FIRST = 15  # blocks at either end of a text in which lines about the text stand
_TITLE_LENGTH = 150
_PUBLISHER_LENGTH = 80
_SAMPLE = 2000
_LEAST_LETTERS = 12
_YEARS = range(1800, 2101)

_WORD = r"[^\W\d_]{3,12}"
_DATES = tuple(
    re.compile(pattern, re.I)
    for pattern in (
        r"(?<![\d.])(?P<y>\d{4})[-/.](?P<m>\d{1,2})[-/.](?P<d>\d{1,2})(?!\d)",
        r"(?<![\d.])(?P<d>\d{1,2})\.(?P<m>\d{1,2})\.(?P<y>\d{4})(?!\d)",
        r"(?<![\d/])(?P<a>\d{1,2})/(?P<b>\d{1,2})/(?P<y>\d{4})(?![\d/])",
        rf"(?<!\d)(?P<d>\d{{1,2}})(?:st|nd|rd|th|\.)?\s+(?:(?:of|de)\s+)?(?P<w>{_WORD})\.?,?\s+(?:de\s+)?(?P<y>\d{{4}})(?!\d)",
        rf"(?<!\w)(?P<w>{_WORD})\.?\s+(?P<d>\d{{1,2}})(?:st|nd|rd|th)?,?\s+(?P<y>\d{{4}})(?!\d)",
        rf"(?P<y>\d{{4}})\s+(?:жылғы|жылы|ж\.)\s+(?P<d>\d{{1,2}})\s+(?P<w>{_WORD})",
        r"(?P<y>\d{4})\s*年\s*(?P<m>\d{1,2})\s*月\s*(?P<d>\d{1,2})\s*日",
    )
)
_DATE_LABEL = re.compile(
    r"""\s*(?:
    date|publication\ date|date\ of\ publication|(?:first\ )?published(?:\ on)?|posted(?:\ on)?|issued(?:\ on)?|
    released(?:\ on)?|дата(?:\ публикации)?|опубликован[оа]?|размещено|дата\ публікації|опубліковано|
    жарияланған(?:\ күні)?|datum|veröffentlicht(?:\ am)?|publié(?:\ le)?|fecha|publicado(?:\ el)?|tarih|
    发布时间|发布日期
    )\s*:?\s*""",
    re.I | re.X,
)
_DATE_REST = re.compile(
    r"\d{1,2}[:.]\d{2}(?:[:.]\d{2})?|\b\d+\s*(?:min(?:ute)?s?|минут\w*)(?:\s+(?:to\s+)?read(?:ing)?)?|[\W_]+|г\.?\b",
    re.I,
)
_SAYS_SO = re.compile(
    r"""\b(?P<which>this|our|the|an?)\s+(?:[\w’'-]+\s+){0,3}?
    (?:report|article|document|brief|statement|presentation|letter|paper|page|material|review|newsletter)\b
    (?:\s+(?:entitled|titled|called|named)\s+[“"«][^“”"«»]{1,200}[”"»])?
    \s+(?:was|is|were)\s+(?:first\s+)?(?:published|issued|released|posted)\b""",
    re.I | re.X,
)
_LEAD = re.compile(r"On\s+(.{6,30}),\s*")
_BEGINS_SO = re.compile(
    r"(?:\A|(?<=[.!?]\s))(?:(?:first )?(?:published|issued|released)(?: on)?|опубликован[оа]?)\s+", re.I
)
_PUBLISHER = re.compile(
    r"\s*(?P<label>publisher|published by|issued by|issuing (?:body|organi[sz]ation)|издатель|выпущено|баспагер|"
    r"видавець|herausgeber|éditeur|editor|source|источник|дереккөз)\s*(?P<colon>:?)\s+(?P<value>\S.*)",
    re.I,
)
_LOOSE_LABELS = ("source", "источник", "дереккөз")
_DOMAIN = re.compile(r"(?:https?://)?(?:www\.)?((?:[\w-]+\.)+[^\W\d_]{2,})/?", re.I)
_ORGANISATION = re.compile(
    r"""\b(?:foundation|fund|trust|institut\w*|ministry|agency|council|association|society|universit\w*|bank|bureau|office|
    department|commission|committee|centre|center|network|press|group|company|corporation|organi[sz]ation|union|school|
    ltd|llc|llp|inc|gmbh|plc|ngo|фонд\w*|институт\w*|министерств\w*|агентств\w*|университет\w*|центр\w*|банк\w*|
    организаци\w*|ассоциаци\w*|комитет\w*|қор\w*|ооо|тоо|оао)\b""",
    re.I | re.X,
)
_NO_TITLE = re.compile(
    r"(?:powerpoint presentation|word document|presentation|document|untitled.*|презентация.*|microsoft word - .*|"
    r"\(?(?:anonymous|unspecified)\)?|.*\.(?:docx?|pptx?|xlsx?|pdf|html?|txt|indd|qxd|tex))",
    re.I,
)


T = TypeVar("T")


class Known(NamedTuple):
    """What is known about a document; ``origins`` says where each known value came from."""

    title: str | None
    publisher: str | None
    published: date | None
    language: str | None
    origins: dict[str, str]


def describe(parsed: Parsed) -> Known:
    """Title, publisher, publication date and language of a parsed document whose leftovers are marked."""
    origins: dict[str, str] = {}

    def keep(field: str, value: tuple[T, str] | None) -> T | None:
        if value is None:
            return None
        origins[field] = value[1]
        return value[0]

    return Known(
        title=keep("title", _title(parsed)),
        publisher=keep("publisher", _publisher(parsed)),
        published=keep("published", _published(parsed)),
        language=keep("language", _language(parsed)),
        origins=origins,
    )


def find_date(text: str) -> tuple[date, int, int] | None:
    """The first full date in a short text and where it stands; None where there is none or it can be read in two ways.

    >>> find_date("14.04.2021 08:58")
    (datetime.date(2021, 4, 14), 0, 10)
    >>> find_date("03/04/2021") is None
    True
    """
    best: tuple[date, int, int] | None = None
    for pattern in _DATES:
        for found in pattern.finditer(text):
            if (best is None or found.start() < best[1]) and (day := _day(found.groupdict())):
                best = (day, *found.span())
                break
    return best


def _day(parts: dict[str, str | None]) -> date | None:
    year = int(parts["y"] or 0)
    if year not in _YEARS:
        return None
    if parts.get("a"):
        a, b = int(parts["a"] or 0), int(parts["b"] or 0)
        if a <= 12 and b <= 12 and a != b:
            return None  # day and month, or month and day: nobody can tell
        day, month = (a, b) if b <= 12 else (b, a)
    else:
        day = int(parts["d"] or 0)
        month = int(parts["m"] or 0) if parts.get("m") else _month((parts["w"] or "").lower())
    try:
        return date(year, month, day)
    except ValueError:
        return None


@cache
def _month(word: str) -> int:
    """The number of a month by its name or its short form in one of `LANGUAGES`; 0 for any other word."""
    import dateparser

    settings = {"STRICT_PARSING": True, "PARSERS": ["absolute-time"]}
    known = [code for code in LANGUAGES if code != "kk"]
    # A month's name is understood together with a day and a year; the 28th exists in each month.
    parsed = dateparser.parse(f"28 {word} 2001", languages=[*known, "kk"], settings=settings)
    return parsed.month if parsed and (parsed.year, parsed.day) == (2001, 28) else 0


def date_line(line: str) -> date | None:
    """The date of a line that is only a date: with a time, a place or a reading time beside it at most."""
    if len(line) > 80 or not (found := find_date(line)):
        return None
    day, start, end = found
    label = _DATE_LABEL.match(line, 0, start)
    rest = line[label.end() if label else 0 : start] + " " + line[end:]
    return day if len(_DATE_REST.sub(" ", rest).split()) <= 2 else None


def labelled_date(text: str) -> tuple[date, int] | None:
    """The date that a text begins with after a word such as "date" or "Published:", and where the date ends."""
    label = _DATE_LABEL.match(text)
    if not label or not label[0].strip():
        return None
    found = find_date(text[label.end() : label.end() + 40])
    return (found[0], label.end() + found[2]) if found and found[1] == 0 else None


def _lines(parsed: Parsed) -> Iterator[tuple[str, str, Block]]:
    """The lines of the first and then of the last blocks, each with where it stands and its block."""
    text, blocks = parsed.text, [b for b in parsed.blocks if not (b.why or "").startswith("repeats")]
    for block in [*blocks[:_FIRST], *blocks[_FIRST:][-_FIRST:]]:
        at = block.start
        for line in text[block.start : block.end].split("\n"):
            yield line, _place(parsed, block, at), block
            at += len(line) + 1


def _place(parsed: Parsed, block: Block, at: int) -> str:
    return f"page {block.page}" if block.page else f"line {parsed.text.count(chr(10), 0, at) + 1}"


def _published(parsed: Parsed) -> tuple[date, str] | None:
    stated = parsed.found.get("published")
    if stated and (found := find_date(stated[0][:60])):
        return found[0], stated[1]
    first = {id(block) for block in parsed.blocks[:_FIRST]}
    for line, place, block in _lines(parsed):
        if block.kind != "row" and (labelled := labelled_date(line)) and (id(block) in first or ":" in line[:30]):
            return labelled[0], place
    bodies = 0
    for block in parsed.blocks[:_FIRST]:
        words = one_line(parsed.text[block.start : block.end])
        for line in parsed.text[block.start : block.end].split("\n"):
            if block.kind in ("paragraph", "leftover", "heading") and (day := date_line(line)):
                return day, _place(parsed, block, block.start)
        if block.kind == "paragraph" and (said := _said(words)):
            return said, _place(parsed, block, block.start)
        bodies += block.kind == "paragraph" and len(words) > _TITLE_LENGTH
        if bodies == 3:
            break
    return None


def _said(words: str) -> date | None:
    """The date of a sentence about the text itself.

    "Published on 8 April 2021 …", "This report was published on 8 April 2021", "On May 13, 2025, an article … was
    published".
    """
    for begins in _BEGINS_SO.finditer(words[:1000]):
        found = find_date(words[begins.end() : begins.end() + 40])
        if found and found[1] == 0:
            return found[0]
    for says in _SAYS_SO.finditer(words[:1000]):
        after = find_date(words[says.end() : says.end() + 40])
        own = says["which"].lower() in ("this", "our")
        if own and after and re.fullmatch(r"\s*(?:on\s+)?", words[says.end() : says.end() + after[1]]):
            return after[0]
        lead = _LEAD.fullmatch(words, 0, says.start())
        if lead and (found := find_date(lead[1])) and found[1:] == (0, len(lead[1])):
            return found[0]
    return None


def _publisher(parsed: Parsed) -> tuple[str, str] | None:
    if stated := parsed.found.get("publisher"):
        return stated
    for line, place, block in _lines(parsed):
        named = _PUBLISHER.fullmatch(line) if block.kind != "row" and len(line) <= _PUBLISHER_LENGTH + 30 else None
        if named and (named["colon"] or named["label"].lower().endswith("by")):
            value = named["value"].strip().rstrip(".")
            site = _DOMAIN.fullmatch(value)
            loose = named["label"].lower() in _LOOSE_LABELS
            # "Source: World Bank, 2020" below a table names where its figures are from, not who publishes it.
            if len(value) <= _PUBLISHER_LENGTH and (site or not loose):
                return (site[1] if site else value), place
    author = parsed.found.get("author")
    return author if author and _ORGANISATION.search(author[0]) else None


def _title(parsed: Parsed) -> tuple[str, str] | None:
    stated = parsed.found.get("title")
    if stated and not _NO_TITLE.fullmatch(stated[0]):
        return stated
    body = [block for block in parsed.blocks if block.kind != "leftover"][:6]
    for number, block in enumerate(body):
        words = one_line(parsed.text[block.start : block.end])
        if block.kind == "heading" and (block.level == 1 or number < 2):
            return words, _place(parsed, block, block.start)
    if parsed.scraped and len(body) > 2 and body[0].kind == "paragraph":
        words = one_line(parsed.text[body[0].start : body[0].end])
        if len(words) <= _TITLE_LENGTH and not date_line(words) and not labelled_date(words):
            return words, _place(parsed, body[0], body[0].start)
    return None


def _language(parsed: Parsed) -> tuple[str, str] | None:
    if (stated := parsed.found.get("language")) and re.fullmatch(r"[A-Za-z]{2}(?:[-_].*)?", stated[0]):
        return stated[0][:2].lower(), stated[1]
    sample: list[str] = []
    length = 0
    for block in parsed.blocks:
        if block.kind != "leftover" and length < _SAMPLE:
            sample.append(parsed.text[block.start : min(block.end, block.start + _SAMPLE - length)])
            length += len(sample[-1])
    words = " ".join(sample)
    if sum(c.isalpha() for c in words) >= _LEAST_LETTERS and (language := _detector().detect_language_of(words)):
        return language.iso_code_639_1.name.lower(), "lingua"
    stated = parsed.found.get("html language")
    return (stated[0][:2].lower(), stated[1]) if stated and re.match(r"[A-Za-z]{2}(?![A-Za-z])", stated[0]) else None


@cache
def _detector() -> LanguageDetector:
    """One detector for the process; its trigram models take a tenth of the memory of the full ones."""
    from lingua import IsoCode639_1, LanguageDetectorBuilder

    codes = [getattr(IsoCode639_1, code.upper()) for code in LANGUAGES]
    return LanguageDetectorBuilder.from_iso_codes_639_1(*codes).with_low_accuracy_mode().build()
