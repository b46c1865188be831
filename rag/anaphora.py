"""Follow-ups that point back: "it", "their", "that programme", "of them", "there"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from index.terms import terms
from rag.focus import WHEN, Focus, is_russian, named, those, without_years
from rag.followup import (
    GIVES,
    LEAD,
    MONEY_IT,
    NOUNED,
    PRONOUN,
    RECEIPT,
    RECEIVES,
    ROLE,
    choose,
    continued,
    receivers,
    with_topic,
)
from rag.models import Resolved
from rag.names import same
from rag.question import understand

_EXPLETIVE = re.compile(
    r"\b(?:is|was|isn't|does|did|will|would) it (?:true|possible|clear|known|likely|correct|necessary|legal|safe|"
    r"better|take|cost to|"
    r"matter|mean)\b|\bit (?:is|was) (?:true|possible|known|clear|said)\b|\bdoes it take\b|\bit takes?\b|\b(?:is|"
    r"are|was|were) there\b|"
    r"\bthere (?:is|are|was|were)\b|\bfind it\b",
    re.IGNORECASE,
)


_POSSESSIVE = {"its", "their", "theirs", "his", "hers", "его", "её", "ее", "их"}

_MONEY = re.compile(r"\b(?:grant|award|sum|budget|donation|funding|money|грант|сумма)\b", re.IGNORECASE)

_ROLE_IT = re.compile(r"^(?P<who>who|what) (?P<be>is|was) it\b(?P<after>.*)$", re.IGNORECASE)

_DOCUMENT = re.compile(
    r"^(?:report|document|article|page|paper|file|brief|отч[её]т\w*|стать\w+|документ\w*)$", re.IGNORECASE
)

_NOUNS = re.compile(
    r"^(?:grants?|programme|program|project|organi[sz]ation|group|company|foundation|fund|school|person|man|"
    r"woman|place|city|country|"
    r"region|amount|sum|money|meeting|event|case|one|ones|people|грант\w*|програм\w+|проект\w*|организаци\w+|"
    r"фонд\w*|сумм\w+)$",
    re.IGNORECASE,
)

_BARE_THAT = re.compile(
    r"\b(?:did|does|do|was|is|were|will|would|has|about|after|before|by|like|than|with|why|до|после|"
    r"об?)\s+(?P<that>that|this|этого|это|этом)\b"
    r"(?!\s+(?:the|a|an|they|he|she|it|we|there)\b)|^(?P<first>that|this|это)\b|\bwhat else\b",
    re.IGNORECASE,
)

_THERE = re.compile(r"\b(?P<there>there|там)\b", re.IGNORECASE)


def anaphor(text: str, focus: Focus) -> Resolved | None:
    lead = LEAD.match(text)
    text = text[lead.end() :] if lead and lead.end() < len(text) else text
    for rule in (_money_it, _role_it, _of_them, _nouned, _pronoun, _there, _that):
        found = rule(text, focus)
        if found is not None:
            return found
    return None


def _money_it(text: str, focus: Focus) -> Resolved | None:
    """ "What was it for?" after a grant was spoken of."""
    said = MONEY_IT.match(text)
    base = focus.asked.text
    if not said or not RECEIPT.search(base) or (not _MONEY.search(base) and focus.asked.kind != "amount"):
        return None
    grant = _grant(focus, is_russian(text))
    if grant is None:
        return None
    when = WHEN.search(base)
    date = f" {when[0].strip()}" if when else ""
    carried = (grant, *([date.strip()] if date else []))
    after = said["after"].rstrip(" ?")
    if re.fullmatch(r"\s*for", after):
        return Resolved(question=f"{said['before']}{grant}{date} for?", carried=carried)
    return Resolved(question=f"{said['before']}{grant}{after}{date}", carried=carried)


def _grant(focus: Focus, russian: bool) -> str | None:
    """The money that the last question spoke of, as a phrase."""
    given = receivers(focus.asked.text, focus.names) or list(focus.names)
    givers = [name for name in focus.names if name not in given]
    if not given:
        return None
    to = focus.with_article(given[0])
    if russian:
        return f"грант {' '.join(given)}"
    return (
        f"the grant{f' of {givers[0]}' if givers else ''} to {to}"
        if len(given) == 1
        else f"the grant ({', '.join(given)})"
    )


def _role_it(text: str, focus: Focus) -> Resolved | None:
    """ "Who was it before him?" after a question for who holds an office."""
    said, role = _ROLE_IT.match(text), ROLE.match(focus.asked.text)
    if not said or not role or said["who"].lower() != role["who"].lower():
        return None
    who = focus.identified[0] if focus.identified else None
    after = re.sub(r"\b(?:him|her|them)\b", lambda m: who or m[0], said["after"])
    carried = (role["role"], *([who] if who and who in after else []))
    return Resolved(question=f"{said['who']} {said['be']} {role['role']}{after}", carried=carried)


def _of_them(text: str, focus: Focus) -> Resolved | None:
    place = re.search(r"\b(?:of|among|out of) (?:them|these|those)\b|\b(?:из|среди) них\b", text, re.IGNORECASE)
    if not place:
        return None
    several = those(focus.asked.text, years=not WHEN.search(text)) or " and ".join(focus.listed[:4] or focus.names)
    word = text[place.start() : place.end()].rsplit(" ", 1)[0]
    return (
        Resolved(question=f"{text[: place.start()]}{word} {several}{text[place.end() :]}", carried=(several,))
        if several
        else None
    )


def _nouned(text: str, focus: Focus) -> Resolved | None:
    """ "That programme", "this report": the last question's phrase with that noun, the document, or the one name."""
    place = NOUNED.search(text)
    if not place or not place["noun"][0].islower():
        return None
    noun, base = place["noun"], focus.asked.text
    own = re.search(
        rf"(?:\b(?:the|a|an|his|her|its|"
        rf"their)\s+)?(?:[\w'’&-]+\s+){{0,5}}?{re.escape(noun)}\b",
        base[1:],
        re.IGNORECASE,
    )
    holding = [name for name in focus.known if set(terms(noun)) <= set(terms(name))]
    meant: str | None = None
    grant = _grant(focus, is_russian(text)) if _MONEY.fullmatch(noun) and RECEIPT.search(base) else None
    if grant:
        meant = grant
    elif holding:
        return choose(holding, lambda name: f"{text[: place.start()]}{name}{text[place.end() :]}")
    elif _DOCUMENT.match(noun) and focus.title:
        meant = focus.title
    elif own:
        meant = _phrase(own[0], focus)
    elif _NOUNS.match(noun):
        subjects = _subjects(text, focus, "person" if re.match(r"(?:man|woman|person)$", noun) else "thing", ())
        if len(subjects) == 1:
            meant = focus.with_article(subjects[0])
        elif subjects:
            return choose(subjects, lambda name: f"{text[: place.start()]}{name}{text[place.end() :]}")
    if meant is None:
        return None
    return continued(f"{text[: place.start()]}{meant}{text[place.end() :]}", [meant], focus)


def _phrase(found: str, focus: Focus) -> str:
    """A noun with the words before it that belong to it: from an article or a name on."""
    article = [m.start() for m in re.finditer(r"\b(?:the|an?|his|her|its|their)\s", found, re.IGNORECASE)]
    if article:
        return found[article[-1] :]
    capital = re.search(r"\b[A-ZА-ЯЁ][\w'’-]*(?:\s.*)?$", found)
    return f"the {capital[0] if capital else found.rsplit(maxsplit=1)[-1]}" + (
        "" if capital else f" ({', '.join(focus.names) or focus.topic})"
    )


def _pronoun(text: str, focus: Focus) -> Resolved | None:
    masked = _EXPLETIVE.sub(lambda m: "·" * len(m[0]), text)
    own = named(understand(text))
    first = min((text.find(name) for name in own), default=len(text))
    for place in PRONOUN.finditer(masked):
        word = place[0].lower()
        mine = first < place.start()  # "Did Vlast publish its report?" speaks of Vlast
        if mine and not (
            word not in _POSSESSIVE
            and re.search(r"\b(?:to|for|from|with|by|of|give|fund|pay|support|help|gave)\s+$", text[: place.start()])
        ):
            continue
        kind = place.lastgroup or "thing"
        subjects = _subjects(text, focus, kind, own)
        if not subjects:
            continue

        def put(name: str, kind: str = kind) -> str:
            whole = focus.with_article(name)
            return PRONOUN.sub(lambda m: _inflected(m, whole, text) if m.lastgroup == kind else m[0], text)

        if len(subjects) == 1:
            return continued(put(subjects[0]), [subjects[0]], focus)
        return choose(subjects, put)
    return None


def _inflected(place: re.Match[str], name: str, text: str) -> str:
    """A name as it stands in for a pronoun; a possessive where one is meant."""
    word, after = place[0].lower(), text[place.end() :]
    possessive = word in _POSSESSIVE and place.lastgroup not in ("russian", "russians")
    if word == "her":
        possessive = bool(re.match(r"\s+(?!(?:in|at|to|for|from|with|by|on|before|after|and|or)\b)\w", after))
    if not possessive:
        return name
    return f"{name}'" if name.endswith("s") and not name.endswith("ss") else f"{name}'s"


def _subjects(text: str, focus: Focus, kind: str, own: Sequence[str]) -> list[str]:
    """What a pronoun can stand for, by what the last turn asked and what its answer named; nothing of ``own``."""
    if kind == "person":
        who = [name for name in focus.identified if name in focus.people]
        return who if len(who) == 1 else list(dict.fromkeys(focus.people)) or list(focus.names[:1])
    several = those(focus.asked.text, years=not WHEN.search(text))
    if kind in ("many", "russians"):
        if len(focus.listed) > 1:
            return [_and(focus.listed, text) if several is None or len(focus.listed) <= 4 else several]
        if focus.asked.kind in ("list", "person") and not focus.found and several:
            return [several]
        if len(focus.names) > 1 and _coordinated(focus):
            return [_and(focus.names, text)]
        pairs = [name for name in focus.names if re.search(r"\s(?:and|и)\s", name)]
        if len(pairs) == 1 and not RECEIVES.search(text):
            return pairs
    person = kind != "russian" and focus.asked.kind == "person"
    things = [name for name in focus.identified if not (person and name in focus.people)]
    if things and (len(things) == 1 or kind == "thing"):
        return things
    names = [name for name in focus.names if not any(same(name, other) for other in own)]
    if len(names) > 1:
        given = receivers(focus.asked.text, names)
        if given and RECEIVES.search(text):
            return given
        if given and GIVES.search(text):
            return [name for name in names if name not in given][:1]
        # Of several, the one that comes first is what a question is about, unless they stand side by side.
        return names if given or _coordinated(focus) else names[:1]
    topic = without_years(focus.topic)
    if not names or (_TOLD_ABOUT.match(focus.asked.text) and len(topic.split()) < 10 and not RECEIVES.search(text)):
        return [topic] if topic else names
    return names


_TOLD_ABOUT = re.compile(r"^\W*(?:tell|talk|describe|explain|what (?:do|can) you|расскажи\w*)\b", re.IGNORECASE)


def _coordinated(focus: Focus) -> bool:
    """Whether the names of the last question stand side by side, so that none comes first."""
    text = focus.asked.text
    gaps = [text[text.find(a) + len(a) : text.find(b)] for a, b in pairwise(focus.names)]
    return any(re.fullmatch(r",?\s*(?:(?:and|or|и|или)\s+)?(?:the\s+)?", gap) for gap in gaps)


def _and(names: Sequence[str], text: str) -> str:
    return f"{', '.join(names[:-1])} {'и' if is_russian(text) else 'and'} {names[-1]}"


def _there(text: str, focus: Focus) -> Resolved | None:
    place = _THERE.search(_EXPLETIVE.sub(lambda m: "·" * len(m[0]), text))
    if not place:
        return None
    where = re.search(
        r"\b(?:in|at|to|from|near|along|в|во|на)\s+(?:the\s+)?((?:[A-ZА-ЯЁ][\w-]*)(?:\s+[A-ZА-ЯЁ][\w-]*)*)",
        focus.asked.text,
    )
    name = where[1] if where else focus.found[-1] if focus.asked.kind == "place" and focus.found else None
    name = name or next(iter(focus.names), None)
    if name is None:
        return with_topic(text, focus)
    put = f"в {name}" if is_russian(text) else f"in {name}"
    return Resolved(question=f"{text[: place.start()]}{put}{text[place.end() :]}", carried=(name,))


def _that(text: str, focus: Focus) -> Resolved | None:
    return with_topic(text, focus) if _BARE_THAT.search(text) else None
