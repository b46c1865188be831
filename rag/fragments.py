"""Follow-ups that are less than a sentence: corrections, another year or name, a bare "why", a place in a list."""

from __future__ import annotations

import re

from index.terms import STOP, content_terms, terms, words
from rag.focus import WHEN, Focus, is_russian, named, put_year, without_years
from rag.followup import (
    LEAD,
    MONEY_IT,
    POINTS,
    PRONOUN,
    RECEIPT,
    ROLE,
    VERB,
    choose,
    continued,
    entry,
    receivers,
    with_topic,
)
from rag.models import Resolved
from rag.names import same
from rag.question import understand

_MEANT = re.compile(
    r"^\W*(?:(?:no|nope|sorry|not that|нет|извините)\b[\s,.:;—-]*)*"
    r"(?:i\s+(?:meant|mean|was asking about)|rather|actually|я\s+(?:имел\w*\s+в\s+виду|про|о|об)|"
    r"имел\w*\s+в\s+виду)\s*[:,]?\s+(?P<what>.+?)\W*$|"
    r"^\W*(?:no|sorry|нет)\b\s*[,:—-]\s*(?P<other>(?!\w+\s+(?:is|was|did)\b).{1,80}?)\W*$",
    re.IGNORECASE,
)

_NOT = re.compile(r",?\s*\b(?:not|instead of|rather than|а не|не)\s+.+$", re.IGNORECASE)

_ONES = re.compile(
    r"^(?:(?:which|what)(?: (?:ones?|of them|others?))?|who(?: else)?|the same|какие|кто|кому|то же)\b\W*$",
    re.IGNORECASE,
)

_SMALL = STOP | {"year", "ones", "one", "else", "год", "году", "года", "same", "instead"}


def corrected(text: str, focus: Focus) -> Resolved | None:
    meant = _MEANT.match(text)
    if not meant:
        return None
    what = _NOT.sub("", meant["what"] or meant["other"]).strip(" ?!.,\"'“”")
    if len(words(what)) > 8 or re.match(r"(?:what|who|when|where|how|why)\b", what, re.IGNORECASE) or not what:
        return None
    return _swapped(what, focus) or Resolved(
        question=f"{focus.asked.text.rstrip(' ?!.')} ({what})?", carried=(focus.asked.text,)
    )


def fragment(text: str, focus: Focus) -> Resolved | None:
    lead = LEAD.match(text)
    rest = (text[lead.end() :] if lead else text).strip(" ?!.")
    if not rest or len(words(rest)) > 10:
        return None
    found = _swapped(rest, focus)
    if (
        found
        or not lead
        or len(words(rest)) > 5
        or VERB.search(rest)
        or any(p.search(rest) for p in POINTS)
        or _ORDINAL.search(rest)
    ):
        return found
    role = ROLE.match(focus.asked.text)
    office = re.match(r"the\s+[\w-]+(?:\s+[\w-]+)?(?=\s+(?:of|at|in)\b)", role["role"]) if role else None
    if role and office and re.match(r"the\s", rest):
        carried = role["role"][office.end() :].strip()
        return Resolved(question=focus.asked.text.replace(office[0], rest), carried=(carried,))
    if (
        not focus.names
        and focus.topic
        and focus.topic in focus.asked.text
        and not re.match(r"the\b", rest, re.IGNORECASE)
    ):
        return Resolved(
            question=focus.asked.text.replace(focus.topic, rest), carried=(without_years(focus.asked.text),)
        )
    return with_topic(rest, focus)


def _swapped(rest: str, focus: Focus) -> Resolved | None:
    """The last question with another year or name in it, where that is all that ``rest`` holds."""
    base = focus.asked.text
    when = WHEN.search(rest)
    left = (f"{rest[: when.start()]} {rest[when.end() :]}" if when else rest).strip(" ?!.,")
    # A word before the name keeps it from being taken for the first word of a sentence.
    own = named(understand(f"about {left}")) if left else ()
    held = {t for name in own for t in terms(name)}
    plain = [w for w in (left[a:b] for a, b in words(left)) if w.casefold() not in _SMALL]
    if (not plain and not PRONOUN.search(left)) or _ONES.match(left):
        if not when or (VERB.search(left) and not _ONES.match(left) and understand(left).kind != focus.asked.kind):
            return None
        return Resolved(question=put_year(base, when[0].strip()), carried=(without_years(base),))
    if not own:
        own = tuple(name for name in focus.known if set(content_terms(left)) <= set(terms(name)))[:1]
        held = {t for name in own for t in terms(name)}
    if len(own) != 1 or any(t not in held for w in plain for t in terms(w)) or VERB.search(left):
        return None
    if when:
        base = put_year(base, when[0].strip())
    article = re.search(r"\bthe\s+$", left[: max(left.find(own[0]), 0)])
    return _renamed(own[0], base, focus, "the " if article else "")


def _renamed(new: str, base: str, focus: Focus, article: str) -> Resolved:
    """A question with a name in place of the one that it is like, that it is for, or that it has."""
    carried = (without_years(base),)
    alike = [name for name in focus.names if same(name, new)]
    listed = next((name for name in (*focus.listed, *focus.found) if same(name, new)), None)
    if (
        listed
        or not focus.names
        or (alike and put_year(base, "0000") == put_year(focus.asked.text, "0000") and alike[0] == new)
    ):
        new = listed or new
        if focus.names or not focus.topic or focus.topic not in base or new in focus.known:
            return entry(new, focus)
        return Resolved(question=base.replace(focus.topic, new), carried=carried)
    old = alike or receivers(base, focus.names) or list(focus.names)

    def put(name: str) -> str:
        at = base.find(name)
        before = re.sub(r"\b[Tt]he\s+$", "", base[:at])
        return f"{before}{article}{new}{base[at + len(name) :]}"

    if len(old) == 1:
        return Resolved(question=put(old[0]), carried=carried)
    return choose(old, put)


_BARE = re.compile(
    r"^\W*(?:(?:and|but|so|а|и|но)\b[\s,]*)?(?P<wh>why|when|where|who|whom|how much|how many|how|by whom|"
    r"what for|for what|"
    r"почему|зачем|когда|где|кто|кому|сколько|как|на что)"
    r"(?:\s+(?:was|is)\s+(?:it|that|this)(?=\s+(?:less|more|so|lower|higher|smaller|larger)\b))?"
    r"(?:\s+(?P<than>(?:so\s+)?(?:less|more|fewer|lower|higher|smaller|larger|little|much|low|high|меньше|больше|"
    r"мало|много)))?"
    r"(?:\s+than\s+(?:in\s+)?(?P<year>(?:19|20)\d{2}))?(?:\s+(?:then|exactly|that|это|именно))?\W*$",
    re.IGNORECASE,
)

_ASKS = re.compile(
    r"^(?:(?:how (?:much|many|large|big|long)(?: (?!did|was|were|is|are|has|have)\w+){0,3}|what(?: (?!did|was|"
    r"were|is|are|has|have)\w+){0,2}|"
    r"(?:in )?which (?!did|was|were)\w+|whom?|when|where|why|how)\s+)?(?P<aux>did|does|do|was|were|is|are|has|"
    r"have|had)\s+(?P<rest>.+)$",
    re.IGNORECASE,
)

_ASKS_RUSSIAN = re.compile(
    r"^(?:сколько|кто|что|когда|где|какую сумму|какие|почему|зачем|кому|на что)\s+(?P<rest>.+)$", re.IGNORECASE
)


def bare(text: str, focus: Focus) -> Resolved | None:
    bare = _BARE.match(text)
    if not bare:
        return None
    base = focus.asked.text.rstrip(" ?!.")
    wh = "why" if bare["wh"].lower() in ("what for", "for what") else bare["wh"].lower()
    than, years = bare["than"] or "", ""
    if than:
        base = without_years(base)
        other = bare["year"] or focus.before
        if focus.year:
            years = f" in {focus.year} than in {other}" if other else f" in {focus.year}"
            if is_russian(than):
                years = f" в {focus.year}, чем в {other} году" if other else f" в {focus.year} году"
        than = f" {than}"
    carried = (focus.asked.text,)
    asks = _ASKS.match(base)
    if asks and not (wh == "who" and asks["aux"].lower() in ("did", "does", "do")):
        return Resolved(question=f"{wh} {asks['aux'].lower()} {asks['rest']}{than}{years}", carried=carried)
    russian = _ASKS_RUSSIAN.match(base)
    if russian:
        return Resolved(question=f"{wh}{than} {russian['rest']}{years}", carried=carried)
    if len(focus.identified) == 1 and wh in ("how much", "сколько"):
        return Resolved(
            question=f"{wh}{than}{years} ({focus.identified[0]}: {base})", carried=(*focus.identified, base)
        )
    return Resolved(question=f"{wh}{than}{years} ({base})", carried=carried)


_PLACES = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")

_PLACES_RUSSIAN = ("перв", "втор", "трет", "четв", "пят", "шест", "седьм", "восьм", "девят", "десят")

_ENTRY_NOUN = (
    r"(?:ones?|entry|item|organi[sz]ation|group|grantee|recipient|company|name|newsroom|school|winner|partner)"
)

_ORDINAL = re.compile(
    rf"\b(?:the\s+)?(?P<place>{'|'.join(_PLACES)}|last|\d{{1,2}}(?:st|nd|rd|th))\s+(?:{_ENTRY_NOUN}\b(?:\s+(?:of|"
    rf"in|on)\s+(?:them|these|those|the list))?|"
    r"(?:of (?:them|these|those)|(?:on|in) the list)\b)|"
    rf"\bthe\s+(?P<bare>{'|'.join(_PLACES)}|last)(?=\s*(?:[?.!,]|$)|\s+(?:did|do|does|was|were|is|get|got|"
    rf"receive\w*)\b)|"
    r"(?:\bnumber\s+|\bno\.\s*|#|\bномер\s+|№\s*)(?P<number>\d{1,2})\b|"
    rf"\b(?P<russian>(?:{'|'.join(_PLACES_RUSSIAN)}|последн)\w{{1,4}})(?:\s+из (?:них|списка))?(?=\s*(?:[?.!,]|"
    rf"$)|\s+(?:получ\w+|организаци\w+))",
    re.IGNORECASE,
)


def placed(text: str, focus: Focus) -> Resolved | None:
    place = _ORDINAL.search(text)
    if not place:
        return None
    said = (place["place"] or place["bare"] or place["number"] or place["russian"]).lower()
    if said == "last" or said.startswith("последн"):
        at = len(focus.listed) - 1
    elif said[0].isdigit():
        at = int(re.sub(r"\D", "", said)) - 1
    else:
        stems = _PLACES_RUSSIAN if place["russian"] else _PLACES
        at = next(n for n, stem in enumerate(stems) if said.startswith(stem))

    def put(name: str) -> str:
        return f"{text[: place.start()]}{name}{text[place.end() :]}"

    lead = LEAD.match(text)
    alone = not (text[lead.end() if lead else 0 : place.start()] + text[place.end() :]).strip(" ?!.,")
    if not focus.listed:
        return Resolved(question=text) if alone else None
    if not 0 <= at < len(focus.listed):
        return choose(focus.listed, (lambda name: entry(name, focus).question) if alone else put)
    name = focus.listed[at]
    if alone:
        # "And the second one?": what was asked of another entry before it, else whatever is known of it.
        earlier = [other for other in focus.names if other in focus.listed]
        if earlier:
            return Resolved(
                question=focus.asked.text.replace(earlier[0], name), carried=(name, without_years(focus.asked.text))
            )
        return entry(name, focus)
    givers = [other for other in focus.names if other not in focus.listed]
    if MONEY_IT.match(f"{text[: place.start()]}it{text[place.end() :]}") and RECEIPT.search(focus.asked.text):
        name = f"the grant{f' of {givers[0]}' if givers else ''} to {name}"
    return continued(put(name), [name], focus)
