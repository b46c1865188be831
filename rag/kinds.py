"""What kind of thing a question asks for: rules first, then a small model that has seen how people really ask."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Literal, NamedTuple, cast

Kind = Literal[
    "person", "list", "amount", "date", "place", "definition", "reason", "yes_no", "comparison", "largest", "count",
    "total", "fact",
]  # fmt: skip

WEIGHTS = Path(__file__).parent / "weights" / "kind.json"

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
_COMPILED = {name: re.compile("|".join(rules), re.IGNORECASE) for name, rules in _RULES.items()}
_CYRILLIC = re.compile("[а-яё]", re.IGNORECASE)
_TOKEN = re.compile(r"[\w']+|\?")


def by_rule(text: str) -> Kind:
    """The kind that the first fitting rule gives; "fact" where none fits."""
    rule = _rule(text)
    # "several" is a list too, but only where nothing more telling than a plural was said.
    return cast("Kind", "list" if rule == "several" else rule)


def _rule(text: str) -> str:
    return next((name for name, pattern in _COMPILED.items() if pattern.search(text)), "fact")


def marks(text: str) -> Iterator[str]:
    """What the model sees of a question whose names are masked: its words, its runs of two and three, how it begins,
    and what the rules say."""
    tokens = [re.sub(r"\d+", "0", token) for token in _TOKEN.findall(text.casefold())]
    yield from dict.fromkeys(tokens)
    yield from dict.fromkeys(map(" ".join, pairwise(tokens)))
    yield from dict.fromkeys(map(" ".join, zip(tokens, tokens[1:], tokens[2:], strict=False)))
    yield from (f"^{number} {token}" for number, token in enumerate(tokens[:2]))
    yield f"rule {_rule(text)}"


def is_russian(text: str) -> bool:
    """Whether a question is in Cyrillic script."""
    return bool(_CYRILLIC.search(text))


def kind_of(text: str) -> Kind:
    """The likeliest kind of a question whose names are masked: multinomial logistic regression over its `marks`.

    Of Russian questions there is too little to learn from; there the rules decide, and of totals, which are worked out
    where nobody tells them.
    """
    if is_russian(text) or by_rule(text) == "total":
        return by_rule(text)
    model = _model()
    scores = list(model.bias)
    for mark in marks(text):
        for n, weight in enumerate(model.weights.get(mark, ())):
            scores[n] += weight
    return model.kinds[scores.index(max(scores))]


class _Model(NamedTuple):
    kinds: tuple[Kind, ...]
    bias: tuple[float, ...]
    weights: dict[str, list[float]]


@cache
def _model() -> _Model:
    held = json.loads(WEIGHTS.read_text(encoding="utf-8"))
    return _Model(cast("tuple[Kind, ...]", tuple(held["kinds"])), tuple(held["bias"]), held["weights"])
