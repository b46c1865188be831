"""What a question asks for: its kind, its years, its names, and whether one fact or all of them are wanted."""

from __future__ import annotations

import re
from typing import Literal, cast

from index.errors import UsageError
from index.models import Model
from index.terms import STOP, content_terms, words
from rag.periods import Period, periods

Kind = Literal[
    "person", "list", "amount", "date", "place", "definition", "reason", "yes_no", "comparison", "largest", "count",
    "total", "fact",
]  # fmt: skip

LONGEST = 100_000  # characters; a question of more is a document

# Rules in order; the first that matches the question gives the kind.
_RULES: dict[str, tuple[str, ...]] = {
    "total": (
        r"\bin total\b|\btotal (?:amount|sum|value|budget|spending)|\baltogether\b|\bsum of\b|\boverall amount\b",
        r"\bcombined\b|\bвсего\b|общ(?:ая|ую) сумм|\bв сумме\b|\bв общей сложности\b",
    ),
    "comparison": (
        r"\b(?:more|less|fewer|larger|smaller|higher|lower|bigger|greater|compared?|difference|versus|vs|than)\b",
        r"\bchanged? (?:from|between)\b|\b(?:increase|decrease)\b|\b(?:больше|меньше|сравн\w+|разниц\w+|чем)\b",
    ),
    "largest": (
        r"\b(?:largest|biggest|highest|most|smallest|lowest|least|top|greatest|maximum|minimum)\b",
        r"\b(?:наибольш\w+|крупнейш\w+|наименьш\w+|сам(?:ый|ая|ое|ую) (?:больш|крупн|мал)\w+)\b",
    ),
    "count": (
        r"\bhow many\b|\bnumber of\b|\bчисло\b|\bколичество\b",
        r"\bсколько\b(?!.*\b(?:денег|долларов|тенге|рублей|евро|получ\w+|выдел\w+|стоил\w*|составил\w*))",
    ),
    "list": (
        r"^\W*(?:please\s+)?(?:list|name|enumerate)\b|\b(?:list|name) (?:all|the|every|each)\b",
        r"\b(?:every|each|all(?: the| of the)?) (?:\w+ )?"
        r"(?:grantees?|recipients?|organi[sz]ations?|groups?|partners?)\b",
        r"\bwho (?:all )?(?:received|got|obtained)\b|\bwho (?:was|were|has been|have been|is|are) (?:also )?"
        r"(?:given|granted|paid|funded|supported|awarded|the (?:grantees|recipients))\b",
        r"\b(?:which|what) (?:\w+ ){0,2}?(?:organi[sz]ations|groups|grantees|recipients|ngos|projects|partners)\b",
        r"\bкто получил\w*\b|\bкому\b|\bперечисл\w+|\bсписок\b|\bназови\w*\b|\bкакие (?:организации|группы)\b",
    ),
    "amount": (
        r"\bhow (?:much|large|big)\b|\bamounts?\b|\bsize of\b|\bwhat did .* cost\b|\bwhat sum\b",
        r"\bwhat (?:did|has|was) .*\b(?:get|receive|granted|awarded|given|paid)\b(?! .*\bfor\b)",
        r"\b(?:what|which) (?:was|is|were|are)?\s*(?:the )?(?:\w+ )?(?:sum|cost|budget|price|value|funding)\b",
        r"\bwhat (?:is|was|were) .*\b(?:grant|sum|cost|price|budget|salary|funding)\b(?!.*\bfor\W*$)",
        r"\bсколько\b|\bсумм\w+\b|\bкаков.*\b(?:размер|бюджет|стоимость)",
    ),
    "date": (
        r"\bwhen\b|\b(?:what|which) (?:date|day|month|year|time)\b|\bhow long\b",
        r"\bкогда\b|\bв каком (?:году|месяце)\b|\bкакого числа\b",
    ),
    "place": (
        r"\bwhere\b|\b(?:what|which) (?:place|city|country|region|town|venue|location)\b",
        r"\bгде\b|\bкуда\b|\bв как(?:ом|их) (?:город\w*|стран\w*|регион\w*)",
    ),
    "reason": (
        r"\bwhy\b|\bfor what (?:purpose|reason)\b|\bwhat (?:is|was|were|are) .*\bfor\b\s*\??$",
        r"\bwhat (?:reason|cause)s?\b|\bпочему\b|\bзачем\b|\bдля чего\b|\bс какой целью\b",
    ),
    "definition": (
        r"^\s*what (?:is|are|was|were) (?:an? |the )?[\w\s\-'\"“”«»()]{1,60}\?*\s*$",
        r"\bwhat does .* (?:mean|stand for)\b|\bdefine\b|\bчто такое\b",
    ),
    "several": (
        r"\b(?:which|what) (?:(?:of|other|new) )?(?:[\w-]+ ){0,2}?(?!(?:does|was|has|is|this|status|his|its)\b)"
        r"(?:people|media|[a-z]{3,}s)\b|\blist\b|\bname (?:all|the|every)\b",
        r"\ball (?:the )?\w+s\b|\bwho (?:all )?(?:received|got|were|are|was awarded|obtained)\b",
        r"\bкакие\b|\bперечисл\w+|\bсписок\b|\bназови\w*\b|\bкто (?:получил|получили|были)\b|\bкому\b",
    ),
    "person": (r"\bwho(?:m|se)?\b|\bкто\b|\bкого\b|\bкем\b|\bчей\b",),
    "yes_no": (r"^\s*(?:is|are|was|were|do|does|did|has|have|had|can|could|will|would|should)\b|\bли\b",),
}
_COMPILED: tuple[tuple[Kind, re.Pattern[str]], ...] = tuple(
    # "several" is a list too, but only where nothing more telling than a plural was said.
    (cast("Kind", "list" if kind == "several" else kind), re.compile("|".join(rules), re.IGNORECASE))
    for kind, rules in _RULES.items()
)

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
    """

    text: str
    kind: Kind
    terms: tuple[str, ...]
    periods: tuple[Period, ...] = ()
    names: tuple[str, ...] = ()

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
    head = text[-400:]  # after a long preamble the question comes last
    kind: Kind = next((kind for kind, pattern in _COMPILED if pattern.search(head)), "fact")
    asked = periods(text)
    years = {str(year) for period in asked for year in period if year < 9999}
    return Question(
        text=text,
        kind=kind,
        terms=tuple(t for t in content_terms(text) if t not in years),
        periods=asked,
        names=_names(text),
    )


def _names(text: str) -> tuple[str, ...]:
    """Capitalised runs and quoted words, without the words that a question begins with."""
    found: list[str] = []
    for match in _NAME.finditer(text):
        parts = (match[1] or match[2]).strip(" .,?!'’").split()
        begins = not text[: match.start()].strip(' "“«¿')
        while parts and (_plain(parts[0]) or (begins and len(parts) == 1 and parts[0].istitle())):
            parts = parts[1:]
            begins = False
        name = re.sub(r"['’]s?$", "", " ".join(parts))
        if any(c.isalpha() for c in name):
            found.append(name)
    return tuple(dict.fromkeys(found))


def _plain(word: str) -> bool:
    """Whether a capitalised word is no name: a question word, a pronoun, a month."""
    word = re.sub(r"['’]\w+$", "", word).casefold()
    return word in STOP or word in _CALENDAR or not word


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
