"""Names in a sentence: where they stand, which are of organisations, and which of them receive something."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from index.terms import STOP, terms

_CAPITAL = "A-ZÀ-ÖØ-ÞĀĂĄĆČĎĐĒĖĘĚĢĪĮĶĹĻĽŁŃŅŇŌŐŒŘŚŠŞȘŤȚŪŮŰŹŻŽА-ЯЁӘҒҚҢӨҰҮҺІ"
_WORD = rf"(?:[{_CAPITAL}][\w’'.-]*[\w’']|[{_CAPITAL}]\b)"
_JOIN = r"(?:\s+(?:of|for|de|von|van|по|при)(?:\s+the)?\s+|\s*&\s*|\s+)"
_RUN = rf"{_WORD}(?:{_JOIN}{_WORD})*"
# "… for Human Rights and Rule of Law": after "for" or "of", an "and" before a capital goes on with the name.
_COMPLEMENT = rf"(?:(?<=\w)\s+(?:and|и)\s+{_RUN})?"
_QUOTED = r"[\"“«„]([^\"”»“„]{2,90})[\"”»“]"
_MENTION = re.compile(rf"(?:({_RUN})(?:\s+{_QUOTED})?|{_QUOTED})")

_OPENING = '"“«('
_KINDS = (
    "academy agency alliance archive association bureau centre center club coalition college commons company "
    "cooperative corporation council committee desk endowment federation foundation fund group guild house "
    "institute institution league library media ministry movement museum network newspaper office organisation "
    "organization party post press project publication radio school service society studio station team theatre "
    "theater trust union university wardens workshop llp ltd llc inc gmbh ngo агентство академия архив ассоциация "
    "библиотека бюро газета гильдия дом институт клуб кооператив музей общество организация партия почта проект "
    "радио редакция сеть служба союз студия фонд центр школа мастерская"
).split()
_KIND = re.compile(rf"\b(?:{'|'.join(_KINDS)})s?\b", re.IGNORECASE)
_KIND_BEFORE = re.compile(rf"\b(?:{'|'.join(_KINDS)})\s+[\"“«]?$", re.IGNORECASE)
_KIND_AFTER = re.compile(rf"[\"”»]?\s+(?:{'|'.join(_KINDS)})\b", re.IGNORECASE)

_GIVEN = (
    r"(?:received|got|obtained|won|secured|drew|used|spent|"
    r"(?:was|were|is|are|has been|had been|being)\s+(?:also\s+|each\s+)?"
    r"(?:given|granted|awarded|allocated|paid|funded|supported|entrusted|tasked|supposed|required|expected|asked|to\b)|"
    r"had\s+to\b|whose\s+(?:role|task|job|grant)|получил\w*|получат|выиграл\w*)"
)
_RECEIVES = re.compile(
    # After the name: footnote marks, a bracket, what kind of thing it is, where it is, an aside; then the verb.
    rf"^[\"”»*\d\[\]]*\s*(?:\([^)]{{0,80}}\)[*\s]*)*(?:(?:public\s+)?(?:{'|'.join(_KINDS)})\s+)*"
    rf"(?:(?:in|of|from)\s+(?:the\s+)?{_RUN}\s*)?(?:,[^,;]{{0,80}},)?,?\s*(?:which\s+|who\s+|has\s+)?"
    rf"(?:{_GIVEN}|(?:\w+\s+){{1,6}}(?:with|from|for)\s+its\s+(?:grant|[$€£₸₽\d]))",
    re.IGNORECASE,
)
_TO = re.compile(
    r"(?:\b(?:award\w*|grant\w*|gave|give[ns]?|allocat\w+|paid|went|made|money|sums?|funds?|entrusted|donat\w+|transferr\w+|"
    r"сент|выдел\w+|получил\w*|достал\w*|перечисл\w+|грант\w*)\b[^.;]{0,80}?\b(?:to|for|by|у|для)\s+|"
    r"\b(?:entrusted to|in the hands of|(?:was|were|is) the (?:task|job|role) of|planted by|carried out by)\s+|"
    r"\b(?:grantees?|recipients?|beneficiar\w+|winners?|получател\w+)\b[^.;]{0,40}?\b(?:were|was|are|included?|also|:)\s+|"
    r"\b(?:report|document) (?:also )?(?:mentions|names|lists)\s+|\b(?:выделил\w*|получил\w*|достал\w+)\s+)"
    r"(?:also\s+)?(?:the|a|an|«|“|\")?\s*(?:[a-zа-яё-]+\s+){0,4}[\"“«]?$",
    re.IGNORECASE,
)
_AND = re.compile(
    r"^[\"”»*]*\s*(?:\([^)]{0,60}\)[*\s]*)?(?:,|,?\s*(?:and|и|as well as|&))\s*(?:,?\s*too,?\s*)?"
    r"(?:to\s+|for\s+)?(?:the\s+|a\s+)?(?:[a-zа-яё-]+\s+){0,3}[\"“«]?$",
    re.IGNORECASE,
)


_AND_MORE = re.compile(rf"\s+(?:and|и)\s+(?!the\b)({_RUN})")
_LOOK = 160  # characters before a name in which what makes it a receiver, or a place, may stand
_PLACED = re.compile(r"\b(?:in|at|near|based in|around|from an?|an?|в|во)\s+(?:the\s+)?$", re.IGNORECASE)
_ITS = re.compile(
    r"\b(?:it|they|which)\s+(?:was|were|has been)\s+(?:given|granted|awarded|paid|allocated)\b|"
    r"\b(?:it|they)\s+(?:received|got)\b|\bits\s+(?:grant\b|[$€£₸₽]|[A-Z]{3}\s\d)"
)


class Mention(NamedTuple):
    """A name in a text, with its range; ``organisation`` where a word in or beside it says so."""

    text: str
    start: int
    end: int
    organisation: bool


@lru_cache(maxsize=8192)  # a sentence is looked at for its names from several sides
def mentions(text: str) -> tuple[Mention, ...]:
    """The names in a text, in order; a lone first word of a sentence is no name."""
    found = []
    for match in _MENTION.finditer(text):
        start, end = match.span()
        if match[1] is None:
            start, end = match.span(3)
            if not text[start].isupper():
                continue
        complement = _AND_MORE.match(text, end)
        if complement and re.search(r"\b(?:of|for)\b", text[start:end]) and not _KIND.search(complement[1]):
            end = complement.end()
        name = text[start:end]
        first = name.split()[0]
        begins = _begins(text[:start])
        if first.casefold() in STOP:
            rest = name[len(first) :].lstrip()
            if not rest:
                continue
            if first.casefold() != "the" or begins:
                start, name = end - len(rest), rest
        elif begins and len(name.split()) == 1 and first[1:].islower():
            continue
        if all(_KIND.fullmatch(word) for word in name.split()):
            continue
        beside = text[max(0, start - 40) : start].rsplit(".", 1)[-1]
        after = text[end : end + 16]
        named = bool(
            _KIND.search(name)
            or (match[1] is None and len(name.split()) < 8)
            or _KIND_BEFORE.search(beside)
            or _KIND_AFTER.match(after)
        )
        found.append(Mention(name, start, end, named))
    return tuple(found)


def _begins(before: str) -> bool:
    """Whether a sentence begins after some text: there is none, or it ends in a stop, or in an opening quote after one.

    By hand: a pattern that must end where the text does is tried at each of its letters.
    """
    if not before.strip(f" {_OPENING}"):
        return True
    return before.removesuffix(before[-1] if before[-1] in _OPENING else "").rstrip().endswith((".", "!", "?", ":"))


def is_kind(word: str) -> bool:
    """Whether a word says what kind of organisation a name is of: "Trust", "фонд"."""
    return bool(_KIND.fullmatch(word))


def recipients(text: str) -> list[Mention]:
    """The names in a sentence that something is given to, or that are to do something with it."""
    found: list[Mention] = []
    last: Mention | None = None
    every = mentions(text)
    for mention in every:
        before, after = text[max(0, mention.start - _LOOK) : mention.start], text[mention.end :]
        joined = last is not None and bool(_AND.match(text[last.end : mention.start]))
        likely = mention.organisation or len(mention.text.split()) > 1 or joined
        if _PLACED.search(before) and not (mention.organisation and len(mention.text.split()) > 1):
            continue
        if likely and (joined or _RECEIVES.match(after) or _TO.search(before)):
            found.append(mention)
            last = mention
    named = [mention for mention in every if mention.organisation]
    return found or (named if len(named) == 1 and _ITS.search(text) else [])


def acronym(name: str) -> str:
    """The initials of a name's capitalised words.

    >>> acronym("International Republican Institute")
    'IRI'
    """
    return "".join(word[0] for word in re.findall(r"\w+", name) if word[0].isupper())


def same(one: str, other: str) -> bool:
    """Whether two names may stand for one thing: equal words, one inside the other, or the initials of the other.

    >>> same("Vlast Media Group LLP", "Vlast Media Group"), same("IRI", "International Republican Institute")
    (True, True)
    """
    a, b = key(one), key(other)
    if not a or not b:
        return False
    small, large = sorted((a, b), key=len)
    if small <= large and (len(small) > 1 or small == large):
        return True
    return any(len(x) > 1 and x.isupper() and acronym(y).endswith(x) for x, y in ((one, other), (other, one)))


def key(name: str) -> frozenset[str]:
    """The terms by which a name is told from others."""
    return frozenset(t for t in terms(name) if t not in STOP and t not in _LEGAL)


_LEGAL = frozenset(("llp", "llc", "ltd", "inc", "gmbh", "corpor", "public", "the"))

# A name of a few words: two runs of any length in one pattern would take time by the cube of a text of capitals.
_SHORT = rf"{_WORD}(?:{_JOIN}{_WORD}){{0,9}}"
_RENAMED = (
    re.compile(rf"({_SHORT})\s+(?:is|was)\s+(?:now\s+)?the new name of (?:the )?({_SHORT})"),
    re.compile(
        rf"({_SHORT}),?\s+(?:formerly|previously|until [^,]{{0,30}}|once)\s+(?:known as |called |named )?"
        rf"(?:the )?({_SHORT})"
    ),
    re.compile(
        rf"({_SHORT})[^.]{{0,60}}?(?:\.\s+It\s+)?\b(?:renamed(?: itself)?|changed its name|now (?:called|known as)|"
        rf"took the name|"
        rf"calls itself|has been called|goes by the name|under (?:its|the) (?:new )?name|is now(?: called)?|"
        rf"became one body|(?:has |had )?become)\s*(?:to |as |of )?(?:the )?[\"“]?({_SHORT})"
    ),
)  # fmt: skip


# What stands between two such names. Each pattern is tried around these words only: most texts hold none of them.
_RENAMES = re.compile(
    r"new name of|formerly|previously|until|once|renamed|changed its name|now|took the name|calls itself|"
    r"has been called|goes by the name|under (?:its|the)|became one body|become"
)
_AROUND_IT = 500  # characters before and after, more than ten words of a name and what may stand beside it


def renamings(texts: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of names that texts say belong to one thing, such as an old and a new one."""
    return [
        (match[1], match[2])
        for text in texts
        for start, end in _near(_RENAMES, text)
        for pattern in _RENAMED
        for match in pattern.finditer(text, start, end)
    ]


def _near(cue: re.Pattern[str], text: str) -> Iterator[tuple[int, int]]:
    """The ranges around some cue in a text, those that meet as one."""
    start = end = -1
    for match in cue.finditer(text):
        if start >= 0 and match.start() - _AROUND_IT > end:
            yield start, end
            start = -1
        if start < 0:
            start = max(0, match.start() - _AROUND_IT)
        end = match.end() + _AROUND_IT
    if start >= 0:
        yield start, end
