"""What a conversation is about after each turn: names, years, entries of lists, and the words for a topic."""

from __future__ import annotations

import re
from typing import NamedTuple

from index.models import Model
from index.terms import STOP, content_terms
from rag.models import Answer
from rag.names import mentions, same
from rag.periods import periods
from rag.question import Question, understand

_READ = 1200  # characters of an answer in which names are looked for
_MONTHS = (
    "January|February|March|April|May|June|July|August|September|October|November|December|"
    "январ[ея]|феврал[ея]|марта?|апрел[ея]|ма[ея]|июн[ея]|июл[ея]|августа?|сентябр[ея]|октябр[ея]|ноябр[ея]|декабр[ея]"
)
WHEN = re.compile(
    r"(?:\b(?:between|in|for|during|since|from|before|until|within|в|во|за|с|до)\s+)?(?:the\s+years?\s+)?"
    rf"(?:\b(?:\d{{1,2}}\s+)?(?:{_MONTHS})\s+)?(?<![\d.,$€£₸₽])\b(?:19|20)\d{{2}}"
    r"(?:\s*(?:[-–—]|to\b|and\b|until\b|through\b|по\b|и\b|до\b)\s*(?:in\s+)?(?:19|"
    r"20)\d{2})?(?![\d,%])(?:\s+(?:год\w*|гг?\b\.?))?",
    re.IGNORECASE,
)
_AUX = "did|does|do|was|were|is|are|has|have|had|will|would|can|could|should"
_INTRO = re.compile(
    r"^(?:please\s+)?(?:(?:tell me|talk|write|what (?:do|can) you (?:know|tell me|say))(?: more| something)?\s+about|"
    r"(?:can|could) you (?:tell me about|explain|describe)|describe|explain|define|give me|show me|"
    r"расскажи(?:те)? (?:мне )?(?:о|об|про)|"
    r"что такое|(?:what|who|how|where)(?:['’]s|\s+(?:is|are|was|were)))\s+",
    re.IGNORECASE,
)
_KINDS_OF = re.compile(
    r"^(?:(?:the|some|different|main|various|most|common|important)\s+)*"
    r"(?:types?|kinds?|sorts?|examples?|forms?|causes?|symptoms?|effects?|history|origins?|meaning|purpose|"
    r"benefits?|advantages?|"
    r"definition|features?|characteristics|parts?|stages?|viды)\s+(?:of|for)\s+",
    re.IGNORECASE,
)
_ASKS_WHICH = re.compile(
    r"^(?:who|which|what (?!(?:is|was|are|were|did|does|do)\b)\w+)\b|\b(?:called|named?|кто|как(?:ой|ая|ие|ую))\b",
    re.IGNORECASE,
)


_ON = re.compile(r"^\s+(?:on|against)\s+(?:the\s+)?$")
_WHERE = re.compile(r"\b(?:in|at|near|along|around|across|из|в|во|на)\s+(?:the\s+)?$")
_GROUP = re.compile(r"\b(?:of|for|on)\b")
_PERSON = re.compile(r"(?:[^\W\d_][^\W\d_A-Z]+[\s-]){1,3}[^\W\d_][^\W\d_A-Z]+")


_WHICH = re.compile(
    rf"^(?:which|what)\s+(?!(?:{_AUX})\b)(?P<noun>(?:[\w'’-]+\s+){{0,4}}?(?!(?:{_AUX})\b)\w+s|\w+ people|"
    rf"media)\s+(?:did\s+)?(?P<rest>.+)$",
    re.IGNORECASE,
)


class Turn(Model):
    """An earlier question, as it was asked or as it was understood, with its answer where there is one.

    ``followed`` where it was understood in the light of the turn before it, and is given so.
    """

    question: str
    answer: Answer | str | None = None
    followed: bool = False


class Focus(NamedTuple):
    """What the conversation is about after a turn.

    Attributes:
        asked: the turn's question, standing alone.
        names: in the question, but for those that only say where.
        topic: what the question is about, in its words.
        found: names that its answer gave and the question did not hold.
        listed: the entries of the last list that was given, in order.
        year: the single year spoken of last; ``before``: the one spoken of before it, in the same thread.
        title: of the document that was cited first.
        said: the words in which all this was said, to see how a name is used.
    """

    asked: Question
    names: tuple[str, ...]
    topic: str
    found: tuple[str, ...]
    listed: tuple[str, ...]
    year: int | None
    before: int | None
    title: str | None
    said: str

    @property
    def known(self) -> tuple[str, ...]:
        """Every name that the turn brought up."""
        return tuple(dict.fromkeys((*self.names, *self.found, *self.listed)))

    def with_article(self, name: str) -> str:
        """A name with "the", where it was used so."""
        return f"the {name}" if re.search(r"\b[Tt]he\s+$", self.said[: max(self.said.find(name), 0)]) else name

    @property
    def people(self) -> tuple[str, ...]:
        """The names that look like those of people."""
        return tuple(
            name
            for name in dict.fromkeys((*self.identified, *self.names, *self.found))
            if _PERSON.fullmatch(name) and name.istitle() and not any(m.organisation for m in mentions(f"by {name}"))
        )

    @property
    def identified(self) -> tuple[str, ...]:
        """The names that answered a question for who or which."""
        return self.found if _ASKS_WHICH.search(self.asked.text) else ()


def focused(question: str, answer: Answer | str | None, last: Focus | None, goes_on: bool) -> Focus:
    """The focus after a turn.

    Args:
        question: standing alone.
        last: the focus before it.
        goes_on: whether the question took something over from the turns before it.
    """
    asked = understand(question)
    names = named(asked)
    reply, listed, title = _told(answer)
    found = tuple(
        dict.fromkeys(
            m.text
            for m in mentions(reply)
            if not any(same(m.text, name) for name in (*names, *asked.names)) and not periods(m.text)
        )
    )
    if not listed and asked.kind in ("list", "largest", "count") and len(found) > 1:
        listed = found
    before = last if last and (goes_on or set(names) & set(last.known)) else None
    years = [p.first for p in asked.periods if p.first == p.last]
    if not years and before is None:
        years = [p.first for p in periods(reply) if p.first == p.last]
    year = years[-1] if years else before.year if before else None
    earlier = before.year if before and before.year != year else before.before if before else None
    topic = about(asked)
    if before and goes_on and set(content_terms(without_years(before.topic))) <= set(asked.terms):
        when = WHEN.search(asked.text)
        topic = f"{without_years(before.topic)} {when[0].strip() if when else ''}".strip()
    listed = listed or (before.listed if before else ())
    return Focus(asked, names, topic, found, listed, year, earlier, title, f"{asked.text} {reply}")


def _told(answer: Answer | str | None) -> tuple[str, tuple[str, ...], str | None]:
    """An answer's words, the entries that it listed, and the title of what it cited first; a refusal tells nothing."""
    if isinstance(answer, str):
        return answer[:_READ], (), None
    if answer is None or answer.status == "refused":
        return "", (), None
    title = next((c.title for c in answer.citations if c.title), None)
    return " · ".join(claim.text for claim in answer.claims)[:_READ], tuple(row.name for row in answer.rows), title


def named(asked: Question) -> tuple[str, ...]:
    """The names of a question, without possessives, and without those that only say where something is."""
    kept: list[str] = []
    parts: list[str] = []
    for name in asked.names:
        gap = asked.text[asked.text.find(parts[-1]) + len(parts[-1]) : asked.text.find(name)] if parts else ""
        if _ON.match(gap):
            parts[-1] = f"{parts[-1]}{gap}{name}"
        else:
            parts.append(name)
    for name in parts:
        bare = re.sub(r"['’]s?$", "", name)
        first, _, rest = bare.partition(" ")
        if rest and first.casefold() in STOP and first != "The":
            bare = rest
        at = asked.text.find(bare)
        if (
            len(bare) > 1
            and bare.casefold() not in STOP
            and not (_WHERE.search(asked.text[:at]) and not _GROUP.search(bare))
        ):
            pair = re.split(r"\s+(?:and|и)\s+", bare)
            kept += pair if len(pair) == 2 and all(_PERSON.fullmatch(each) for each in pair) else [bare]
    return tuple(dict.fromkeys(kept))


def without_years(text: str) -> str:
    """A question without its years and its mark."""
    return re.sub(r"\s+([,;])", r"\1", " ".join(WHEN.sub(" ", text).split())).rstrip(" ?!.,;")


def about(asked: Question) -> str:
    """What a question is about, as a phrase cut from it."""
    plain = asked.text.rstrip(" ?!.,;")
    intro, noun = _INTRO.match(plain), None
    if intro:
        rest = plain[intro.end() :]
    else:
        noun = re.search(r"\b(?:the|an?)\s+\w", plain, re.IGNORECASE)
        verb = re.match(rf"^(?:[\w'’-]+\s+){{1,3}}?(?:{_AUX})\s+", plain, re.IGNORECASE)
        rest = plain[noun.start() :] if noun else plain[verb.end() :] if verb else plain
    kind = _KINDS_OF.match(rest)
    rest = rest[kind.end() :] if kind else rest
    names = named(asked)
    several = those(plain, years=True) if asked.kind == "list" and not names else None
    if several and not intro:
        return several
    if names and not intro and not noun:
        when = WHEN.search(plain)
        return f"{', '.join(names)} {when[0].strip() if when else ''}".strip()
    return rest if content_terms(rest) and len(rest) <= 160 else " ".join(rest.split()[:12])


def those(question: str, years: bool) -> str | None:
    """What a question for several things asked for, as a phrase: "those who received NED grants in 2021"."""
    text = question.rstrip(" ?!.") if years else without_years(question)
    who = re.match(
        r"^(?:who|name (?:all|everyone)(?: who)?|list (?:all|everyone) who)\s+(?:all\s+)?(?P<rest>.+)$",
        text,
        re.IGNORECASE,
    )
    if who:
        return f"those who {who['rest']}"
    which = re.match(
        r"^(?:which|what)\s+(?P<noun>(?:[\w'’-]+\s+){0,4}?\w+s|\w+ people|media)\s+(?:did\s+)?(?P<rest>.+)$",
        text,
        re.IGNORECASE,
    )
    if which:
        return f"the {which['noun']} that {which['rest']}"
    listed = re.match(r"^(?:list|name|show)\s+(?:me\s+)?(?:all\s+)?(?P<rest>.+)$", text, re.IGNORECASE)
    if listed:
        return listed["rest"]
    russian = re.match(r"^(?:кто|кому)\s+(?P<rest>.+)$", text, re.IGNORECASE)
    return f"те, кто {russian['rest']}" if russian else None


def put_year(text: str, year: str) -> str:
    """A question with another year in place of its own; ``year`` as it was asked for, such as "in 2020"."""
    places = list(WHEN.finditer(text))
    bare = re.sub(r"\D", "", year)
    if not places:
        if len(bare) == 4:
            year = f"в {bare} году" if is_russian(text) else year if re.match(r"[a-z]", year) else f"in {bare}"
        mark = re.search(r"[\s?!.]*$", text)
        return f"{text[: mark.start()] if mark else text} {year}?"
    first = places[0]
    if len(bare) == 4 and len(re.sub(r"\D", "", first[0])) == 4:
        new = re.sub(r"(?:19|20)\d{2}", bare, first[0])
    elif re.match(r"\d", first[0]) and not re.match(r"\d", year):
        new = re.sub(r"^\D+", "", year)
    else:
        new = year
    made, at = text[: first.start()] + new, first.end()
    for place in places[1:]:
        made += re.sub(r"(?:,|\s+(?:and|or|than|to|и|или|чем))?\s*$", "", text[at : place.start()])
        at = place.end()
    return made + text[at:]


def is_russian(text: str) -> bool:
    """Whether a text begins in Cyrillic letters; the names in it may be in others."""
    return re.match(r"[\W\d_]*[а-яё]", text, re.IGNORECASE) is not None
