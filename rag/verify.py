"""The only place that makes a `Citation`: nothing is shown as cited that has not passed here.

A citation is a slice of its document. A claim passes when it has a citation and every number, date, currency and name
in it stands in the words that it cites. What fails is kept with its reason. That quoted words *support* a claim is
another question, answered by `rag.support`.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from index.errors import DamagedError
from index.hidden import why_hidden
from index.models import Document
from index.terms import STOP, term, words
from rag.models import Citation, Claim, Rejected


class Draft(NamedTuple):
    """A claim before verification: its words, and the ranges of documents that it rests on."""

    text: str
    spans: tuple[tuple[Document, int, int], ...]


_NUMBER = re.compile(r"\d+(?:[.,\u00a0\u202f ]\d{3})*(?:[.,]\d+)?")
_SPACED = re.compile(r"(?<=\d)[\u00a0\u202f ,](?=\d{3}(?!\d))")
_SCALE = {
    "thousand": "thousand", "k": "thousand", "тыс": "thousand", "тысяч": "thousand", "тысячи": "thousand",
    "million": "million", "mln": "million", "m": "million", "млн": "million", "миллион": "million",
    "миллиона": "million", "миллионов": "million",
    "billion": "billion", "bn": "billion", "b": "billion", "млрд": "billion", "миллиард": "billion",
    "миллиарда": "billion", "миллиардов": "billion", "percent": "%", "процентов": "%", "процента": "%", "%": "%",
}  # fmt: skip
CURRENCY = {
    "$": "USD", "usd": "USD", "us$": "USD", "dollar": "USD", "dollars": "USD", "доллар": "USD", "долларов": "USD",
    "€": "EUR", "eur": "EUR", "euro": "EUR", "euros": "EUR", "евро": "EUR",
    "£": "GBP", "gbp": "GBP", "pound": "GBP", "pounds": "GBP", "фунтов": "GBP",
    "₸": "KZT", "kzt": "KZT", "tenge": "KZT", "тенге": "KZT",
    "₽": "RUB", "rub": "RUB", "rouble": "RUB", "roubles": "RUB", "ruble": "RUB", "rubles": "RUB", "рублей": "RUB",
    "руб": "RUB", "chf": "CHF", "francs": "CHF", "франков": "CHF", "¥": "JPY", "jpy": "JPY", "yen": "JPY",
}  # fmt: skip
_MONTH = (
    "january february march april may june july august september october november december "
    "январ феврал март апрел ма июн июл август сентябр октябр ноябр декабр"
).split()
_NEGATION = frozenset(
    "not no never none neither nor without cannot n't nothing nobody не нет ни никогда без ничего никто".split()
)
_PLAIN = re.compile(r"\d+(?:[.,\u00a0\u202f]\d+)*|\w+|[^\w\s]")
# Words that make another amount of the same number; a claim may not change one for another.
_MEASURES = frozenset(
    term(word)
    for word in (
        "second minute hour day week month year decade century metre meter kilometre kilometer mile hectare acre ton "
        "tonne litre kilogram gram percent per cent half quarter third double twice dozen hundred thousand million "
        "billion one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety "
        "секунда минута час день дней неделя месяц месяцев год лет век метр километр миля гектар тонна литр килограмм "
        "процент половина треть четверть дюжина сто тысяча тысяч миллион миллиард один два две три четыре пять шесть "
        "семь восемь девять десять одиннадцать двенадцать двадцать тридцать сорок пятьдесят"
    ).split()
)


def cite(document: Document, start: int, end: int, number: int) -> Citation:
    """The citation of a range of a document.

    Raises:
        DamagedError: the range is not inside the text; an index that says so is not to be trusted.
    """
    if not 0 <= start < end <= len(document.text):
        raise DamagedError(f"{start}:{end} is no range of document {document.id}: run `pincite check`")
    page = next((b.page for b in reversed(document.blocks) if b.start <= start), None)
    return Citation(
        number=number,
        document=document.id,
        source=document.source,
        title=document.title,
        publisher=document.publisher,
        published=document.published,
        sha256=document.sha256,
        start=start,
        end=end,
        quote=document.text[start:end],
        page=page,
        hidden=why_hidden(document, start, end),
    )


def verify(drafts: Sequence[Draft]) -> tuple[list[Claim], list[Citation], list[Rejected]]:
    """Check each draft; returns the claims that stand, their citations, and what was rejected and why."""
    claims: list[Claim] = []
    numbers: dict[tuple[str, int, int], Citation] = {}
    rejected: list[Rejected] = []
    for draft in drafts:
        quotes = [document.text[start:end] for document, start, end in draft.spans]
        problem = "it has no citation" if not quotes else missing(draft.text, quotes)
        if problem:
            rejected.append(Rejected(text=draft.text, reason=problem))
            continue
        cited: list[int] = []
        for document, start, end in draft.spans:
            key = (document.id, start, end)
            if key not in numbers:
                numbers[key] = cite(document, start, end, len(numbers) + 1)
            cited.append(numbers[key].number)
        claims.append(Claim(text=draft.text, citations=tuple(dict.fromkeys(cited))))
    return claims, list(numbers.values()), rejected


def missing(claim: str, quotes: Sequence[str]) -> str | None:
    """Why a claim does not stand in the words it cites, or ``None``.

    Each number, currency, month, name and measure must stand there as often as the claim says it, and as much must be
    negated. Words that are part of a quote stand, where they do not leave out a "not" just before them.

    >>> missing("It received $236,000 in 2021.", ["In 2021 Vlast received $236,000. It was glad."])
    >>> missing("It received $237,000.", ["Vlast received $236,000. It was glad."])
    'the number 237000 USD does not stand in its citation'
    """
    if any(_part(claim, quote) for quote in quotes):
        return None
    together = "\n".join(quotes)
    told, stated = _amounts(together), _amounts(claim)
    paid_in = currencies(together)
    for amount, times in stated.items():
        # A table may keep the currency in a column of its own: then it must be the only one that the row names.
        apart = (*amount[:2], "")
        bare = told[apart] if amount[2] and paid_in == {amount[2]} else 0
        if times > told[amount] + bare:
            return f"the number {' '.join(part for part in amount if part)} does not stand in its citation"
    for code, times in (_currencies(claim) - _currencies(together)).items():
        if times:
            return f"the currency {code} does not stand in its citation"
    claim_words, quote_words = _words(claim), _words(together)
    for month in claim_words:
        if _is_month(month) and not any(other[:3] == month[:3] for other in quote_words if _is_month(other)):
            return f"the month {month} does not stand in its citation"
    held = Counter(term(word) for word in quote_words.elements())
    names = Counter(term(name) for name in _names(claim))
    for name in _names(claim):
        if names[term(name)] > held[term(name)]:
            return f"the name {name} does not stand in its citation"
    measures = Counter(t for t in (term(word) for word in claim_words.elements()) if t in _MEASURES)
    for measure, times in measures.items():
        if times > held[measure]:
            return f"the measure {measure} does not stand in its citation"
    if _negations(claim_words) != _negations(quote_words):
        return "it says the opposite of its citation: one of them is negated"
    return None


def _part(claim: str, quote: str) -> bool:
    """Whether a claim's words and signs are a run of the quote's, and not one that a negation goes before."""
    wanted, held = _PLAIN.findall(_plain(claim)), _PLAIN.findall(_plain(quote))
    bare = wanted[:-1] if wanted and wanted[-1] in ".!?" else wanted
    for at in range(len(held) - len(bare) + 1):
        if bare and held[at : at + len(bare)] == bare:
            before = held[max(at - 4, 0) : at]
            return not (_NEGATION | {"t"}) & set(before) or bool(at and set(before[-1:]) & set(".;:!?—,"))
    return False


def _negations(found: Counter[str]) -> int:
    return sum(times for word, times in found.items() if word in _NEGATION)


def amounts(text: str) -> set[tuple[str, str, str]]:
    """The numbers of a text in one form: (digits, scale, currency), the last two empty where there are none.

    >>> sorted(amounts("about $1.3 million, or 1 338 860 tenge"))
    [('1.3', 'million', 'USD'), ('1338860', '', 'KZT')]
    """
    return set(_amounts(text))


def _amounts(text: str) -> Counter[tuple[str, str, str]]:
    """The numbers of a text, and how often each is said."""
    found: Counter[tuple[str, str, str]] = Counter()
    for match in _NUMBER.finditer(text):
        digits = _decimal(match[0])
        before = re.search(r"(US\$|[$€£₸₽¥]|[A-Z]{3})\s?$", text[max(0, match.start() - 5) : match.start()])
        after = re.findall(r"[^\W\d_]+|[%$€£₸₽¥]", text[match.end() : match.end() + 40])[:2]
        gap = text[match.end() : match.end() + 2]
        joined = bool(gap) and (gap[0] in "%$€£₸₽¥-\u00a0 " or gap[0].isalpha())
        scale = _SCALE.get(after[0].casefold(), "") if after and joined else ""
        unit = CURRENCY.get(before[1].casefold(), "") if before else ""
        if not unit and joined and after:
            follower = after[1:] if scale else after[:1]
            unit = CURRENCY.get(follower[0].casefold(), "") if follower else ""
        found[digits, scale, unit] += 1
    return found


def currencies(text: str) -> set[str]:
    """The currencies that a text names, as ISO 4217 codes.

    >>> currencies("Currency: GBP; Amount: 45,500")
    {'GBP'}
    """
    return set(_currencies(text))


def _currencies(text: str) -> Counter[str]:
    """The currencies of a text, and how often each is named."""
    found: Counter[str] = Counter()
    for pattern, code in _UNIT_PATTERNS:
        found[code] += len(pattern.findall(text))
    return +found


_UNIT_PATTERNS = [
    (re.compile(rf"(?<!\w){re.escape(unit)}(?![^\W\d])", re.IGNORECASE), code) for unit, code in CURRENCY.items()
]


def _decimal(number: str) -> str:
    """A number with its thousands joined and a point for its decimals."""
    number = _SPACED.sub("", number)
    if re.fullmatch(r"\d{1,3}(?:\.\d{3})+", number):
        number = number.replace(".", "")
    return number.replace(",", ".").rstrip(".")


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _words(text: str) -> Counter[str]:
    plain = text.casefold().replace("’", "'")
    found = Counter(plain[start:end] for start, end in words(plain))
    found["n't"] += len(re.findall(r"n't\b", plain))
    return +found


def _is_month(word: str) -> bool:
    return any(word.startswith(month) for month in _MONTH) and len(word) < 10 and word not in ("may", "march", "mar")


def _names(text: str) -> list[str]:
    """The capitalised words of a text; one that begins a sentence counts too, as it may be a name."""
    found = (text[start:end] for start, end in words(text))
    return [word for word in found if word[0].isupper() and word.casefold() not in STOP]
