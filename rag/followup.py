"""What the rules for follow-ups share: the cues that they look for, and how they put a question together."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from index.terms import content_terms, terms
from rag.focus import WHEN, Focus, put_year, those, without_years
from rag.models import Resolved
from rag.names import same

_MOST_CHOICES = 5

LEAD = re.compile(
    r"^\W*(?:(?:(?:what|how) about|what of|same (?:question )?(?:for|in)|as for|а как насч[её]т|"
    r"а что (?:насч[её]т|про|с)|"
    r"что насч[её]т|как насч[её]т|no|yes|ok|okay|right|thanks|thank you|and|but|so|also|well|now|or|а|и|ну|но|"
    r"нет|да)\b[\s,.:;—-]*)+",
    re.IGNORECASE,
)

GIVES = re.compile(
    r"\b(?:give|gave|given|award\w*|grant(?:ed)?|pa(?:y|id)|fund(?:ed)?|allocat\w+|support(?:ed)?|выдел\w+|"
    r"дал\w*|перечисл\w+)\b",
    re.IGNORECASE,
)

RECEIVES = re.compile(r"\b(?:get|got|receive\w*|spend|spent|win|won|use[ds]?|получ\w+|потрат\w+)\b", re.IGNORECASE)

RECEIPT = re.compile(
    r"\b(?:grant\w*|receiv\w*|g[eo]t|gave|given?|award\w*|fund\w*|paid|money|how much|получ\w*|грант\w*|выдел\w*|"
    r"сколько)\b",
    re.IGNORECASE,
)

_NOW = re.compile(
    r"\b(?:is|are|does|do|today|now|nowadays|currently|still|called|when|сейчас|сегодня|когда|"
    r"теперь)\b",
    re.IGNORECASE,
)

VERB = re.compile(
    r"\b(?:is|are|was|were|do|does|did|has|have|had|can|could|will|would|why|how|when|where|who|what|which|get|"
    r"got|received?|"
    r"почему|как|когда|где|кто|сколько|зачем|что)\b",
    re.IGNORECASE,
)

ROLE = re.compile(
    r"^(?P<who>who|what|where|when)(?:'s|\s+(?P<be>is|was|were|are))\s+(?P<role>(?:the|its|a)\s+[^?]+?)[\s?]*$",
    re.IGNORECASE,
)

MONEY_IT = re.compile(
    r"^(?P<before>how (?:much|large|big) (?:was|is) |what (?:was|is) |(?:when|why|how|by whom) was |was |"
    r"what did )(?P<it>it|that|this)"
    r"(?P<after>\s*\??$| (?:for|worth|spent|used|meant|paid|given|awarded|approved|granted|decided|intended)\b.*$)",
    re.IGNORECASE,
)

PRONOUN = re.compile(
    r"\b(?P<thing>it|its|itself)\b|\b(?P<many>they|them|their|theirs)\b|\b(?P<person>he|him|his|she|her|hers)\b|"
    r"\b(?P<russian>он|она|оно|ему|ей|ним|ней|н[её]м|него|не[её]|его|е[её])\b|\b(?P<russians>они|их|им|ими|ними|"
    r"них)\b",
    re.IGNORECASE,
)

NOUNED = re.compile(
    r"\b(?P<whole>(?:that|this|those|these|the same|the said|эт(?:от|а|о|и|ого|ой|ому|им|их)|т(?:от|а|ого|"
    r"ой) же)\s+(?P<noun>[\w-]+))\b",
    re.IGNORECASE,
)

POINTS = (PRONOUN, NOUNED)


def tidy(text: str) -> str:
    text = re.sub(r"\s+([?,.!])", r"\1", " ".join(text.split())).rstrip(",; ")
    text = text[:1].upper() + text[1:]
    return text if text.endswith(("?", ".", "!")) else f"{text}?"


def choose(candidates: Sequence[str], make: Callable[[str], str], carried: Sequence[str] = ()) -> Resolved:
    """One question, or the choices between several."""
    made = [tidy(make(candidate)) for candidate in candidates[:_MOST_CHOICES]]
    if len(made) == 1:
        return Resolved(question=made[0], carried=(candidates[0], *carried))
    return Resolved(question=made[0], choices=tuple(dict.fromkeys(made)))


def receivers(text: str, names: Sequence[str]) -> list[str]:
    """The names that stand after a word for giving: who something went to."""
    if RECEIVES.search(text):
        givers = [name for name in names if re.search(r"\b(?:from|of|by|от)\s+(?:the\s+)?$", text[: text.find(name)])]
        return [name for name in names if name not in givers] if givers and len(names) - len(givers) == 1 else []
    gives = GIVES.search(text)
    if not gives:
        return []
    after = [name for name in names if text.find(name) > gives.start()]
    before = [name for name in names if text.find(name) < gives.start()]
    if before and re.search(r"\b(?:was|were|is|been)\s[^?]*$", text[: gives.start()]):
        return before[:1]
    return after if len(after) == 1 and before else []


def entry(name: str, focus: Focus) -> Resolved:
    """What the documents say of one entry of a list."""
    others = [other for other in focus.names if not same(other, name)]
    carried = [name, *others, *([str(p) for p in focus.asked.periods])]
    joined = " and ".join([name, *others])
    year = WHEN.search(focus.asked.text)
    return Resolved(question=f"What about {joined} {year[0].strip() if year else ''}?", carried=tuple(carried))


def continued(question: str, carried: Sequence[str], focus: Focus) -> Resolved:
    """A question with its subject put in, and the year of the last one where it goes on about the same event."""
    when = WHEN.search(focus.asked.text)
    if when and not WHEN.search(question) and not _NOW.search(question):
        names = {t for name in (*focus.known, *carried) for t in terms(name)}
        shared = set(content_terms(question)) & set(focus.asked.terms) - names
        if shared or (RECEIPT.search(question) and RECEIPT.search(focus.asked.text)):
            return Resolved(question=put_year(question, when[0].strip()), carried=(*carried, when[0].strip()))
    return Resolved(question=question, carried=tuple(carried))


def with_topic(text: str, focus: Focus) -> Resolved | None:
    """A question followed by what it is about; without its year, where it asks of another or of now."""
    topic = (those(focus.asked.text, years=True) if focus.asked.kind == "list" else None) or focus.topic
    if WHEN.search(text) or re.search(r"\b(?:is|are|today|now|сейчас)\b", text, re.IGNORECASE):
        topic = without_years(topic)
    carried = ([topic] if topic else []) + [name for name in focus.names if name not in topic]
    return (
        Resolved(question=f"{text.rstrip(' ?!.')} ({', '.join(carried)})?", carried=tuple(carried)) if carried else None
    )
