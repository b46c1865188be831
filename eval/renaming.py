"""Documents and cases with other names, years and amounts: the same questions, for which no name can help.

Names are replaced word by word by invented ones, the same everywhere; words that share a beginning go on sharing one
("Kazakh", "Kazakhstan"), endings stay, and initials follow their words. Years move by one number, and amounts are
multiplied by one, so that what adds up goes on adding up. Everything is drawn from a seed.
"""

from __future__ import annotations

import hashlib
import random
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import NamedTuple, TypeVar

from eval.adapters import Benchmark
from eval.cases import Case, Gold
from index.models import Block, Cell, Document, Hidden
from index.terms import STOP
from rag.names import is_kind

Placed = TypeVar("Placed", Block, Cell, Hidden)

_SHIFTS = (-9, -8, -7, -6, -5, -4)  # years; no document comes to be of a year that has not come
_FACTORS = (2, 3, 4, 6, 7)
_ROOT = 5  # letters that words of one name share
_WORD = re.compile(r"[^\W\d_]+")
_CAPITALS = re.compile(r"[^\W\d_]{2,6}")
_LINK = re.compile(r"\S*(?:\w\.[a-z]{2,4}\b|/|@)\S*")
_BEGINS = re.compile(r"(?:^|[.!?:;|\n–—*#•>-])[\s\"“«„(\[]*$")
_CONTENTS = re.compile(
    r"(?:[:;|]|(?<=\w)-)[\s\"“«„(\[]*$"
)  # after these a name may stand first, as in a cell or a double name

_SPACE = "[ \u00a0\u202f\u2009]"
_NUMBER = r"\d{1,3}(?:(?P<mark>[,\u00a0\u202f\u2009 ])\d{3})(?:(?P=mark)\d{3})*(?:\.\d+)?(?!\d)|\d+(?:[.,]\d+)?"
_CURRENCY = r"(?:US\$|[$€£¥₽₸₴]|\b(?:USD|EUR|GBP|KZT|RUB|CHF|UAH)\b)"
_UNIT = (
    r"(?:thousand|million|billion|m|bn|k|тыс(?:яч\w*|\.)?|млн|млрд|миллион\w*|миллиард\w*|dollars?|euros?|pounds?|tenge|"
    r"roubles?|rubles?|francs?|долл\w*|евро|тенге|руб\w*|фунт\w*)\b"
)
_VALUE = re.compile(
    rf"(?P<before>{_CURRENCY}{_SPACE}?)?(?<![\w.,])(?P<number>{_NUMBER})(?!\d|{_SPACE}?(?:%|per ?cent|процент))"
    rf"(?P<after>{_SPACE}?(?:{_UNIT}|{_CURRENCY}))?",
    re.IGNORECASE,
)
_YEAR = re.compile(r"(?<!\d)(?:1[89]|20)\d\d(?!\d)")
_MONEY_HEADER = re.compile(
    r"\b(?:amounts?|sums?|grants?|paid|instalments?|total|value|сумма|выплачено)\b", re.IGNORECASE
)
_KEPT = frozenset(
    """dr mr mrs ms llp llc ltd inc gmbh ngo pdf ceo ii iii iv pound euro dollar tenge usd eur gbp kzt rub chf uah
    january february march april may june july august september october november december
    jan feb mar apr jun jul aug sep sept oct nov dec
    monday tuesday wednesday thursday friday saturday sunday
    понедельник вторник среда четверг пятница суббота воскресенье""".split()
)
_SOUNDS = {False: ("bdfgklmnprstvz", "aeiou"), True: ("бвгдклмнпрстфз", "аеиоу")}


class Edit(NamedTuple):
    """A range of a text, and what stands there instead."""

    start: int
    end: int
    new: str


class Renaming:
    """What is put for each name, year and amount of some documents and cases.

    Args:
        documents: whose names are replaced.
        cases: about them; the names that they ask for and answer with are replaced, too.
        common: other texts, to know by them which words are no names.
        seed: another seed, other names.
    """

    def __init__(
        self, documents: Sequence[Document], cases: Sequence[Case], common: Iterable[str] = (), seed: int = 1
    ) -> None:
        self._seed = seed
        draw = random.Random(seed)
        self.shift = draw.choice(_SHIFTS)
        self.factor = draw.choice(_FACTORS)
        texts = [document.text for document in documents] + [
            f"{document.title or ''}\n{document.publisher or ''}" for document in documents
        ]
        asked = [text for case in cases for text in _asked(case)]
        self._plain = _lower([*texts, *asked, *common])
        headers = {
            m[0].casefold() for d in documents for b in d.blocks for c in b.cells for m in _WORD.finditer(c.header)
        }
        names = _names([*texts, *asked], self._plain | headers)
        self._taken = {word[:4] for word in self._plain | names}
        self._roots = self._invented(names)
        self._initials: dict[str, str] = {}
        self._phrases = self._of_common_words(cases)
        self._initials = self._acronyms("\n".join(texts), names)
        self._numerals = {
            document.text[edit.start : edit.end] for document in documents for edit in self._money_cells(document)
        }

    def edits(self, document: Document) -> list[Edit]:
        """What is replaced in a document's text, in order."""
        return _without_overlaps([*self._money_cells(document), *self._edits(document.text)])

    def text(self, text: str) -> str:
        """A text with everything replaced."""
        if text.strip(" .") in self._numerals:
            return self._scaled(text)
        return _put(text, self._edits(text))

    def source(self, source: str) -> str:
        """A file's name with everything replaced; its folders stay."""
        folder, slash, name = source.rpartition("/")
        return f"{folder}{slash}{_put(name, self._edits(name))}"

    def _edits(self, text: str) -> list[Edit]:
        found = []
        for match in _VALUE.finditer(text):
            number = match["number"]
            large = bool(match["mark"]) or (number.isdigit() and len(number) > 4)
            if match["before"] or match["after"] or large:
                found.append(Edit(*match.span("number"), self._scaled(number)))
        found += [Edit(*match.span(), str(int(match[0]) + self.shift)) for match in _YEAR.finditer(text)]
        for phrase, edit in self._phrases:
            found += [Edit(m.start() + edit.start, m.start() + edit.end, edit.new) for m in phrase.finditer(text)]
        for match in _WORD.finditer(text):
            new = self.word(match[0])
            if new != match[0]:
                found.append(Edit(*match.span(), new))
        return _without_overlaps(found)

    def word(self, word: str) -> str:
        """What is put for a word; the word itself where it is no name."""
        if word in self._initials:
            return self._initials[word]
        low = word.casefold()
        if low in self._plain:
            return word
        for length in range(len(low), 1, -1):
            root = self._roots.get(low[:length])
            # A form that was never seen as a name is one only where it is long, such as a Russian adjective.
            if root and (length == len(low) or low[:length] in self._open):
                return _cased(root + low[length:], word)
        return word

    def _money_cells(self, document: Document) -> list[Edit]:
        """Amounts that stand alone in a cell; its column says what they are."""
        cells = [cell for block in document.blocks for cell in block.cells if _MONEY_HEADER.search(cell.header)]
        values = [(cell, document.text[cell.start : cell.end]) for cell in cells]
        return [Edit(c.start, c.end, self._scaled(v)) for c, v in values if re.fullmatch(_NUMBER, v) and len(v) > 2]

    def _scaled(self, number: str) -> str:
        """A number times the factor, written as it was."""
        mark = re.search(r"(?<=\d)[,\u00a0\u202f\u2009 ](?=\d{3}(?!\d))", number)
        comma = "," if mark is None and "," in number else "."
        plain = number.replace(mark[0], "") if mark else number.replace(",", ".")
        value = Decimal(plain) * self.factor
        shown = f"{value:,f}" if mark else f"{value:f}"
        return shown.replace(",", mark[0]) if mark else shown.replace(".", comma)

    def _invented(self, names: frozenset[str]) -> dict[str, str]:
        """For each name, whole, and each beginning that names share, what is put for it."""
        groups: dict[str, list[str]] = {}
        for name in sorted(names):
            groups.setdefault(name[: _ROOT if name[0] < "\u0400" else _ROOT - 1], []).append(name)
        made: dict[str, str] = {}
        self._open: set[str] = set()
        for root, together in sorted(groups.items()):
            shared = _shared(together)
            if len(root) < 4 or (len(together) == 1 and shared[0] < "\u0400"):
                for name in together:
                    made[name] = self._root(name)
                continue
            shared = shared[: max(len(root), len(shared) - 2)] if shared[0] >= "\u0400" else shared
            new = self._root(shared)
            made[shared] = new
            self._open.add(shared)
        return made

    def _root(self, old: str) -> str:
        """An invented word of about as many letters; the same for the same word and seed."""
        draw = random.Random(f"{self._seed} {old}")
        consonants, vowels = _SOUNDS[old[0] >= "\u0400"]
        length = max(4, min(len(old), 9))
        while True:
            letters = [draw.choice((consonants, vowels)[at % 2]) for at in range(length)]
            made = "".join(letters)
            if made[:4] not in self._taken:
                self._taken.add(made[:4])
                return made

    def _of_common_words(self, cases: Sequence[Case]) -> list[tuple[re.Pattern[str], Edit]]:
        """Names without a word that is one by itself, such as "Wings of Freedom": their first word is replaced."""
        found: list[tuple[re.Pattern[str], Edit]] = []
        invented: dict[str, str] = {}
        for name in sorted({name for case in cases for item in case.items for name in item.names}):
            words = [m for m in _WORD.finditer(name) if m[0][0].isupper() and m[0].casefold() not in STOP]
            if len(words) < 2 or any(self.word(m[0]) != m[0] for m in words):
                continue
            first = next((m for m in words if not is_kind(m[0])), words[0])
            if first[0] not in invented:
                invented[first[0]] = _cased(self._root(first[0].casefold()), first[0])
            found.append((re.compile(rf"(?<!\w){re.escape(name)}(?!\w)"), Edit(*first.span(), invented[first[0]])))
        return found

    def _acronyms(self, text: str, names: frozenset[str]) -> dict[str, str]:
        """What is put for initials: those of what they stand for, as it is called now; else others of that length."""
        made = {}
        words = {m[0] for m in _WORD.finditer(text)}
        for short in sorted(word for word in words if word.isupper() and _CAPITALS.fullmatch(word)):
            if short.casefold() not in names or short.capitalize() in words:  # that one is only shouted
                continue
            joined = r"(?:\s+(?:of|for|and|the|on)\b)*\s+"
            full = re.search(rf"(?<!\w){joined.join(rf'{letter}[a-z’-]+' for letter in short)}(?!\w)", text)
            now = _put(full[0], self._edits(full[0])) if full else ""
            initials = "".join(m[0][0] for m in _WORD.finditer(now) if m[0][0].isupper())
            made[short] = (
                initials if initials and initials != short else self._root(short.casefold())[: len(short)].upper()
            )
        return made


def renamed(benchmark: Benchmark, common: Iterable[str] = (), seed: int = 1) -> Benchmark:
    """A set of cases and its documents with other names, years and amounts.

    Args:
        common: other texts, to know by them which words are no names.
    """
    documents = list(benchmark.documents.values())
    made = Renaming(documents, benchmark.cases, common, seed)
    maps = {document.source: Moved(made.edits(document)) for document in documents}
    texts = {document.source: _put(document.text, maps[document.source].edits) for document in documents}

    def gold(old: Gold) -> Gold:
        start, end = maps[old.source].span(old.start, old.end)
        return Gold(source=made.source(old.source), start=start, end=end, quote=texts[old.source][start:end])

    new = {}
    for document in documents:
        text = texts[document.source]
        moved = _moved_document(document, text, made, maps[document.source])
        new[moved.source] = moved
    return replace(benchmark, cases=[_case(case, made, gold) for case in benchmark.cases], documents=new)


class Moved:
    """Where places of a text are after its edits."""

    def __init__(self, edits: Sequence[Edit]) -> None:
        self.edits = edits
        self._starts = [edit.start for edit in edits]
        self._ends = [edit.end for edit in edits]
        self._grown = [0]
        for edit in edits:
            self._grown.append(self._grown[-1] + len(edit.new) - (edit.end - edit.start))

    def span(self, start: int, end: int) -> tuple[int, int]:
        """A range; one that cuts a replaced word is widened to the whole of it."""
        return self._start(start), self._end(end)

    def _start(self, at: int) -> int:
        n = bisect_right(self._ends, at)
        inside = n < len(self.edits) and self._starts[n] < at
        return (self._starts[n] if inside else at) + self._grown[n]

    def _end(self, at: int) -> int:
        n = bisect_left(self._starts, at)
        return max(at, self._ends[n - 1] if n else at) + self._grown[n]


def _moved_document(document: Document, text: str, made: Renaming, moved: Moved) -> Document:
    def at(part: Placed) -> Placed:
        start, end = moved.span(part.start, part.end)
        return part.model_copy(update={"start": start, "end": end})

    def cells(block: Block) -> tuple[Cell, ...]:
        return tuple(at(cell.model_copy(update={"header": made.text(cell.header)})) for cell in block.cells)

    digest = hashlib.sha256(text.encode()).hexdigest()
    return document.model_copy(
        update={
            "id": digest[:16],
            "sha256": digest,
            "source": made.source(document.source),
            "text": text,
            "title": document.title and made.text(document.title),
            "publisher": document.publisher and made.text(document.publisher),
            "published": document.published and _day(document.published, made.shift),
            "blocks": tuple(at(block.model_copy(update={"cells": cells(block)})) for block in document.blocks),
            "hidden": tuple(at(hidden) for hidden in document.hidden),
        }
    )


def _case(case: Case, made: Renaming, gold: Callable[[Gold], Gold]) -> Case:
    def golds(old: Sequence[Gold]) -> tuple[Gold, ...]:
        return tuple(map(gold, old))

    def texts(old: Sequence[str]) -> tuple[str, ...]:
        return tuple(map(made.text, old))

    return case.model_copy(
        update={
            "question": made.text(case.question),
            "rewritten": case.rewritten and made.text(case.rewritten),
            "history": tuple(
                turn.model_copy(
                    update={"question": made.text(turn.question), "answer": turn.answer and made.text(turn.answer)}
                )
                for turn in case.history
            ),
            "nuggets": tuple(
                nugget.model_copy(update={"forms": texts(nugget.forms), "gold": golds(nugget.gold)})
                for nugget in case.nuggets
            ),
            "items": tuple(
                item.model_copy(
                    update={
                        "name": made.text(item.name),
                        "aliases": texts(item.aliases),
                        "amount": item.amount and made.text(item.amount),
                        "gold": golds(item.gold),
                    }
                )
                for item in case.items
            ),
            "context": golds(case.context),
            "amounts": texts(case.amounts),
            "dates": texts(case.dates),
            "forbidden": texts(case.forbidden),
        }
    )


def _asked(case: Case) -> list[str]:
    turns = [text for turn in case.history for text in (turn.question, turn.answer or "")]
    return [case.question, case.rewritten or "", *turns]


def _lower(texts: Iterable[str]) -> frozenset[str]:
    """The words that some text writes in lower case, addresses apart: no names."""
    return frozenset(m[0] for text in texts for m in _WORD.finditer(_LINK.sub(" ", text)) if m[0].islower())


def _names(texts: Iterable[str], plain: frozenset[str]) -> frozenset[str]:
    """The words that are only ever written with a capital, and not only where a sentence begins; case folded."""
    found = set()
    for text in texts:
        for match in _WORD.finditer(text):
            low = match[0].casefold()
            if not match[0][0].isupper() or len(low) < 2 or low in plain or low in STOP or low in _KEPT:
                continue
            before = text[max(0, match.start() - 6) : match.start()]
            if not is_kind(low) and (not _BEGINS.search(before) or _CONTENTS.search(before)):
                found.add(low)
    return frozenset(found)


def _shared(words: Sequence[str]) -> str:
    """The letters that all words begin with."""
    first, last = min(words), max(words)
    return next((first[:at] for at, letter in enumerate(first) if letter != last[at : at + 1]), first)


def _cased(new: str, old: str) -> str:
    """A word with the capitals of another."""
    return new.upper() if old.isupper() and len(old) > 1 else new.capitalize() if old[0].isupper() else new


def _without_overlaps(edits: Iterable[Edit]) -> list[Edit]:
    """The edits in order of place; of those that meet, the one named first."""
    kept: list[Edit] = []
    for edit in edits:
        at = bisect_left(kept, edit)
        before, after = kept[at - 1 : at] if at else [], kept[at : at + 1]
        if all(each.end <= edit.start for each in before) and all(edit.end <= each.start for each in after):
            kept.insert(at, edit)
    return kept


def _put(text: str, edits: Sequence[Edit]) -> str:
    parts, at = [], 0
    for start, end, new in edits:
        parts += [text[at:start], new]
        at = end
    return "".join([*parts, text[at:]])


def _day(day: date, years: int) -> date:
    """The day some years later; 28 February for a 29th, which it may not have."""
    last = 28 if (day.month, day.day) == (2, 29) else day.day
    return day.replace(year=day.year + years, day=last)
