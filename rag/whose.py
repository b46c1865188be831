"""Whose sentence it is: of the thing that a question names, or of another one that stands in its place."""

from __future__ import annotations

import re
from collections.abc import Sequence

from index.models import Block, Document, Span
from index.split import sentences
from index.terms import terms
from rag.kept import per_document
from rag.names import Mention, acronym, is_kind, key, mentions
from rag.question import Question
from rag.rows import known_as, named_in
from rag.subject import beginning, headings, proper

_BACK = 4  # sentences of one paragraph over which a subject goes on to hold
_OPENS = re.compile(
    r"^\W*(?:(?:in|on|since|at|after|before|during|unlike|в|с|на|по)\b[^,.;]{0,30},?\s+)?"
    r"(?:the|an?)?\s*(?:\w+\s+[\"“«„]|[\"“«„(])?$",
    re.IGNORECASE,
)
_FIRST = re.compile(r"([^\W\d_]+)(?=['’]s?\s|\s+[^\W\d_A-ZА-ЯЁ]|,)")
_SPEECH = re.compile(r"\W{0,2}[\"“«„][^\"”»“]*[,.!?…][\"”»“]")
_BESIDE = 1  # words that a heading may have beside the name of what is told below it
_ANSWERS = ("list", "largest", "comparison", "total")  # a name that a sentence begins with may be what is asked for

_NO_NAME = frozenset(
    """mr mrs ms dr january february march april may june july august september october november december monday tuesday
    wednesday thursday friday saturday sunday last next jan feb mar apr jun jul aug sep sept oct nov dec""".split()
)


def another(question: Question, document: Document, place: Span) -> str | None:
    """The name of which a sentence speaks in place of what a question names; ``None`` where it may be of that.

    A document that speaks of several things by turns speaks of one at a time: of the name that a sentence begins with,
    or else one before it in its paragraph, or else a heading over it. Where what the question names has a turn of its
    own, a sentence in the turn of another is not of it. What the title or a heading over the sentence names holds for
    all that stands below. A sum is of whoever is spoken of, turn or not, where its paragraph does not name the other
    one.
    """
    wanted = [name for name in question.names if _core(name)]
    if question.kind in _ANSWERS or not wanted:
        return None
    text = document.text[place.start : place.end]
    over = _above(document).union(*map(terms, headings(document, place.start)))
    below = [name for name in wanted if not _core(name) <= over]
    if (row := _row_of_another(question, below, document, place)) is not None:
        return row
    if len(below) < len(wanted) or any(told(name, text, document) for name in wanted):
        return None
    by_turns = any(_has_turn(name, document) for name in wanted)
    if not by_turns and question.kind != "amount":
        return None
    holder = _holder(wanted, document, place)
    if holder is None:
        return None
    if not by_turns:
        block = _block(document, place)
        near = document.text[block.start : block.end] if block else ""
        return None if any(told(name, near, document) for name in wanted) else holder.text
    own = holder.text in text  # then it may be the answer to who, or someone who speaks for what is asked about
    if own and not holder.organisation and (question.kind == "person" or any(map(_is_group, wanted))):
        return None
    return holder.text


def _row_of_another(question: Question, wanted: Sequence[str], document: Document, place: Span) -> str | None:
    """What a row tells of, where other rows of its table tell of what is wanted and this one does not name it."""
    block = _block(document, place)
    if block is None or not block.cells or (question.kind == "person" and not any(map(_is_group, wanted))):
        return None  # who came after someone stands in a row without them
    text = document.text[block.start : block.end]
    others = _rows(document)[named_in(block).header]
    theirs = [name for name in wanted if any(_tells(name, held, of, document) for of, held in others.items())]
    if not theirs or any(told(name, text, document) for name in theirs):
        return None
    cell = named_in(block)
    return document.text[cell.start : cell.end]


@per_document
def _rows(document: Document) -> dict[str, dict[str, frozenset[str]]]:
    """For the header of each column of names what its rows tell of, with the terms of that."""
    tables: dict[str, dict[str, frozenset[str]]] = {}
    for block in document.blocks:
        if block.cells:
            cell = named_in(block)
            of = document.text[cell.start : cell.end]
            tables.setdefault(cell.header, {})[of] = frozenset(terms(of))
    return tables


def _is_group(name: str) -> bool:
    return any(map(is_kind, name.split()))


def _holder(wanted: Sequence[str], document: Document, place: Span) -> Mention | None:
    """Of whom a sentence speaks, where that is none of those that are wanted."""
    for span in [place, *reversed(_before(document, place)[-_BACK:])]:
        text = document.text[span.start : span.end]
        if any(told(name, text, document) for name in wanted):
            return None
        if (subject := _subject(text, document)) is not None:
            return subject
    over = headings(document, place.start)[-1:]
    return _turn(over[0], document) if over else None


def _has_turn(name: str, document: Document) -> bool:
    """Whether some sentence or heading of a document begins with a name, or with half of its words."""
    core = _core(name)
    return any(2 * len(core & turn) >= min(len(core), len(turn)) for turn in _turns(document))


@per_document
def _turns(document: Document) -> frozenset[frozenset[str]]:
    """The own terms of the names that sentences and headings begin with."""
    found: list[Mention | None] = []
    for block in document.blocks:
        text = document.text[block.start : block.end]
        if block.kind == "heading":
            found.append(_turn(text, document))
        elif block.kind not in ("leftover", "row"):
            spans = sentences(document.text, block.start, block.end, document.language)
            found += [_subject(document.text[start:end], document) for start, end in spans]
    return frozenset(_core(each.text) for each in found if each is not None)


def _turn(heading: str, document: Document) -> Mention | None:
    """The one name of a short heading; ``None`` where it has none or several."""
    named = [
        each
        for each in mentions(f"· {heading}")
        if _core(each.text) and (len(each.text.split()) > 1 or _core(each.text) <= proper(document))
    ]
    whole = len(named) == 1 and not heading.isupper() and len(_core(heading) - _core(named[0].text)) <= _BESIDE
    return named[0] if whole else None


def _subject(text: str, document: Document) -> Mention | None:
    """The name that a sentence begins with, after an opening such as "In 2021 the"."""
    word = _FIRST.match(text)
    if _SPEECH.match(text):  # what is said is of whoever says it
        return None
    if word and _core(word[1]) and _core(word[1]) <= proper(document):  # alone in front a word is rarely a name
        return Mention(word[1], *word.span(1), False)
    first = next((each for each in mentions(text) if _core(each.text)), None)
    return first if first and _OPENS.search(text[: first.start]) else None


def told(name: str, text: str, document: Document) -> bool:
    """Whether a text tells a name, half of its own words at least, its initials, or another name of the same thing."""
    return _tells(name, frozenset(terms(text)), text, document)


def _tells(name: str, held: frozenset[str], text: str, document: Document) -> bool:
    """See `told`; ``held`` are the terms of the text."""
    short = acronym(name)
    return (len(short) > 1 and short in text) or any(
        2 * len(_core(each) & held) >= len(_core(each)) for each in _names(name, document) if _core(each)
    )


def _names(name: str, document: Document) -> list[str]:
    """A name, and what a document says that it is called, too."""
    known = known_as(document)
    return [name, *(b if key(name) == key(a) else a for a, b in known if key(name) in (key(a), key(b)))]


def _core(name: str) -> frozenset[str]:
    """The terms of a name without the words that tell what kind of thing it is."""
    words = [word.strip(".,") for word in name.split()]
    own = [word for word in words if not is_kind(word) and word.casefold() not in _NO_NAME]
    return key(" ".join(own)) if any(word[:1].isupper() for word in own) else frozenset()


def _block(document: Document, place: Span) -> Block | None:
    """The block that a sentence stands in."""
    return next((b for b in document.blocks if b.start <= place.start < b.end), None)


def _before(document: Document, place: Span) -> Sequence[Span]:
    """The sentences before one in its paragraph."""
    block = _block(document, place)
    if block is None or block.kind == "row":
        return ()
    return sentences(document.text, block.start, place.start, document.language)


@per_document
def _above(document: Document) -> frozenset[str]:
    """The terms in which a document is named."""
    return frozenset(terms(beginning(document)))
