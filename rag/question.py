"""What a question asks for: its kind, its years, its names, and whether one fact or all of them are wanted."""

from __future__ import annotations

import re

from index.errors import UsageError
from index.models import Model
from index.terms import STOP, content_terms, words
from rag.kinds import Kind, by_rule, kind_of
from rag.names import is_kind
from rag.periods import Period, periods

LONGEST = 100_000  # characters; a question of more is a document
_MOST_TERMS = 300  # the last ones: after a long preamble the question comes last

_CAPITAL = "[A-ZА-ЯЁӘҒҚҢӨҰҮҺІ]"
_WORD = rf"{_CAPITAL}[\w&.’'-]*"
_NAME = re.compile(
    rf"[\"“«„]([^\"”»“]{{2,80}})[\"”»“]|(?<!\w)({_WORD}(?:\s+(?:(?:of|for|the|and|&|и|по|de)\s+)*{_WORD})*)"
)


_YEARS = re.compile(r"\b(?:1[5-9]|20)\d\d(?:/\d\d)?\b")
_LETTERS = re.compile(r"[^\W\d_]{2,}")


class Question(Model):
    """A question as it is understood.

    Attributes:
        terms: its content words as search terms, without those of its years.
        periods: the years asked for; empty where none are.
        names: proper names and quoted names, as written.
        plain: whether its words alone tell the kind; else it is only likely, and rules nothing out.
    """

    text: str
    kind: Kind
    terms: tuple[str, ...]
    periods: tuple[Period, ...] = ()
    names: tuple[str, ...] = ()
    plain: bool = True

    @property
    def bare(self) -> str:
        """The question without its names and years: what is asked of them; as it is where nothing else is left."""
        text = self.text
        for name in self.names:
            text = text.replace(name, " ")
        text = " ".join(_YEARS.sub(" ", text).split())
        return text if any(word not in STOP for word in map(str.casefold, _LETTERS.findall(text))) else self.text

    @property
    def wants_all(self) -> bool:
        """Whether every fitting fact is asked for, not one."""
        return self.kind in ("list", "count", "total", "largest", "comparison")


def understand(text: str) -> Question:
    """Read a question.

    Raises:
        UsageError: it is empty, or longer than `LONGEST`.
    """
    text = " ".join(text.split())
    if not text:
        raise UsageError('the question is empty: type a question, such as "Who received grants in 2021?"')
    if len(text) > LONGEST:
        raise UsageError(
            f"the question has {len(text):,} characters: ask in at most {LONGEST:,}, or add it as a document"
        )
    asked = periods(text)
    years = {str(year) for period in asked for year in period if year < 9999}
    asking = masked(text[-400:])
    kind = kind_of(asking)
    return Question(
        text=text,
        kind=kind,
        plain=kind == by_rule(asking),
        terms=tuple(t for t in content_terms(text) if t not in years)[-_MOST_TERMS:],
        periods=asked,
        names=_names(text),
    )


def masked(text: str) -> str:
    """A question with every name that does not begin it in one and the same word: what a name says is not asked."""
    return _NAME.sub(lambda name: "Name" if text[: name.start()].strip() else name[0], text)


def _names(text: str) -> tuple[str, ...]:
    """Capitalised runs and quoted words, without the words that a question begins with.

    Where Every Word Has a Capital, or ALL LETTERS ARE, capitals tell nothing and only what is quoted is a name.
    """
    found: list[str] = []
    headline = _is_headline(text)
    for match in _NAME.finditer(text):
        if headline and not match[1]:
            continue
        parts = (match[1] or match[2]).strip(" .,?!'’").split()
        begins = not text[: match.start()].strip(' "“«¿')
        if begins and len(parts) > 2 and parts[1] in _OF and not is_kind(parts[0]):  # "Members of the …"
            parts, begins = parts[2:], False
        while parts and (_plain(parts[0]) or (begins and len(parts) == 1 and parts[0].istitle())):
            parts = parts[1:]
            begins = False
        name = re.sub(r"['’]s?$", "", " ".join(parts))
        if any(c.isalpha() for c in name):
            found.append(name)
    return tuple(dict.fromkeys(found))


def _is_headline(text: str) -> bool:
    """Whether small words have capitals, too, and none is without."""
    inner = [text[start:end] for start, end in words(text)][1:]
    return not any(word[0].islower() for word in inner) and any(
        word[0].isupper() and word != "I" and word.casefold() in STOP for word in inner
    )


def _plain(word: str) -> bool:
    """Whether a capitalised word is no name: a question word, a pronoun, a month."""
    word = re.sub(r"['’]\w+$", "", word).casefold()
    return word in STOP or word in _CALENDAR or not word


_OF = ("of", "for")
_CALENDAR = frozenset(
    "january february march april may june july august september october november december monday tuesday wednesday "
    "thursday friday saturday sunday name list compare give tell show is".split()
)


def is_clear(question: Question) -> bool:
    """Whether there is something to look for: a content word or a name."""
    return bool(question.names) or any(
        text.casefold() not in STOP and any(c.isalpha() for c in text)
        for text in (question.text[a:b] for a, b in words(question.text))
    )
