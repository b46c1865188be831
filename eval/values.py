"""Words, amounts and dates as they are compared: written differently, they may still say the same.

Nothing here knows a question or a document; it only decides when two strings state the same value.
"""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal
from typing import NamedTuple

_TOKEN = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+|[$€£¥₽₸₴%]")
_GROUPED = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")

_SYMBOLS = {"us$": "USD", "$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY", "₽": "RUB", "₸": "KZT", "₴": "UAH", "%": "%"}
_CODES = ("USD", "EUR", "GBP", "JPY", "RUB", "KZT", "UAH", "CHF", "CAD", "AUD", "SEK", "NOK", "DKK", "PLN", "CNY")
_WORDS = {
    r"(?:u\.?s\.? )?dollars?": "USD",
    r"euros?": "EUR",
    r"pounds?(?: sterling)?": "GBP",
    r"yen": "JPY",
    r"(?:rouble|ruble)s?": "RUB",
    r"tenge": "KZT",
    r"(?:swiss )?francs?": "CHF",
    r"долл(?:ар\w*|\.)?(?: сша)?": "USD",
    r"евро": "EUR",
    r"фунт\w*(?: стерлингов)?": "GBP",
    r"руб(?:л\w+|\.)?": "RUB",
    r"тенге": "KZT",
    r"(?:швейцарск\w+ )?франк\w*": "CHF",
    r"per ?cent": "%",
    r"процент\w*": "%",
}
_SCALES = {
    r"thousand|тыс(?:яч\w*|\.)?|(?<=\d)k": 1_000,
    r"million|mln\.?|млн\.?|миллион\w*|(?<=\d)m": 1_000_000,
    r"billion|bn|млрд\.?|миллиард\w*": 1_000_000_000,
}
_SPACE = "[ \u00a0\u202f\u2009]"
_NUMBER = rf"\d{{1,3}}(?:{_SPACE}\d{{3}})+(?:[.,]\d+)?(?!\d)|\d+(?:[.,]\d+)*"
_AMOUNT = re.compile(
    rf"(?P<minus>\((?=[$€£])|(?<!\w)[-−]{_SPACE}?)?"
    rf"(?:(?P<before>US\$|[$€£¥₽₸₴]|\b(?:{'|'.join(_CODES)})\b){_SPACE}*)?"
    rf"(?<![\w.,])(?P<number>{_NUMBER})"
    rf"(?:{_SPACE}?(?P<scale>{'|'.join(_SCALES)})(?!\w))?"
    rf"(?:{_SPACE}?(?P<after>[$€£¥₽₸₴%]|(?:{'|'.join(_CODES)})\b|(?:{'|'.join(_WORDS)})(?!\w)))?",
    re.IGNORECASE,
)

_MONTHS = (
    ("january", "jan", "январ"),
    ("february", "feb", "феврал"),
    ("march", "mar", "март"),
    ("april", "apr", "апрел"),
    ("may", "may", "ма[йяе]"),
    ("june", "jun", "июн"),
    ("july", "jul", "июл"),
    ("august", "aug", "август"),
    ("september", "sept?", "сентябр"),
    ("october", "oct", "октябр"),
    ("november", "nov", "ноябр"),
    ("december", "dec", "декабр"),
)
_MONTH = "|".join(f"(?P<m{n}>{long}|{short}\\.?|{russian}\\w*)" for n, (long, short, russian) in enumerate(_MONTHS, 1))
_DATES = (
    re.compile(r"\b(?P<y>\d{4})-(?P<m>\d{2})(?:-(?P<d>\d{2}))?\b"),
    re.compile(r"\b(?P<d>\d{1,2})[./](?P<m>\d{1,2})[./](?P<y>\d{4})\b"),
    re.compile(rf"\b(?P<d>\d{{1,2}})(?:st|nd|rd|th)?(?: of)? (?:{_MONTH}),? (?P<y>\d{{4}})\b", re.IGNORECASE),
    re.compile(rf"\b(?:{_MONTH}) (?P<d>\d{{1,2}})(?:st|nd|rd|th)?,? (?P<y>\d{{4}})\b", re.IGNORECASE),
    re.compile(rf"\b(?:{_MONTH}),? (?:of )?(?P<y>\d{{4}})\b", re.IGNORECASE),
    re.compile(r"\b(?P<y>(?:1[5-9]|20)\d{2})\b"),
)


class Amount(NamedTuple):
    """A number with the currency (or "%") that it is given in, where one is written beside it."""

    value: Decimal
    unit: str | None

    def same(self, other: Amount) -> bool:
        """Whether both state the same value; a unit that is not written agrees with any.

        >>> Amount(Decimal(5), "USD").same(Amount(Decimal(5), None))
        True
        >>> Amount(Decimal(5), "USD").same(Amount(Decimal(5), "EUR"))
        False
        """
        return self.value == other.value and (self.unit is None or other.unit is None or self.unit == other.unit)


class Period(NamedTuple):
    """A year, a month or a day; what is not told is ``None``."""

    year: int
    month: int | None = None
    day: int | None = None

    def within(self, other: Period) -> bool:
        """Whether this is the other period or lies in it.

        >>> Period(2021, 5, 3).within(Period(2021, 5)), Period(2021).within(Period(2021, 5))
        (True, False)
        """
        pairs = zip(self, other, strict=True)
        return all(theirs is None or ours == theirs for ours, theirs in pairs)


def tokens(text: str) -> list[str]:
    """Words, numbers and currency signs, case folded; a number keeps no thousands commas.

    >>> tokens("The Vlast’s grant: $48,267.50")
    ['the', 'vlast', 's', 'grant', '$', '48267.50']
    """
    found = _TOKEN.findall(unicodedata.normalize("NFKC", text).casefold())
    return [token.replace(",", "") if _GROUPED.fullmatch(token) else token for token in found]


def amounts_in(text: str) -> list[Amount]:
    """Every number in a text with its scale worked in and its currency, in order.

    >>> amounts_in("$1.5 million in 2021, or 250 000 евро (12%)")[0]
    Amount(value=Decimal('1500000.0'), unit='USD')
    >>> [str(amount.value) for amount in amounts_in("$1.5 million in 2021, or 250 000 евро (12%)")]
    ['1500000.0', '2021', '250000', '12']
    """
    found = []
    for match in _AMOUNT.finditer(text):
        value = _number(match["number"])
        if value is None:
            continue
        if match["scale"]:
            value *= _looked_up(match["scale"], _SCALES)
        unit = _unit(match["before"] or match["after"])
        if match["minus"] and (match["minus"] != "(" or text[match.end() :].startswith(")")):
            value = -value  # accounts write ($5) for a loss of five
        found.append(Amount(value, unit))
    return found


def periods_in(text: str) -> list[Period]:
    """Every date in a text, to the day, month or year that it tells; English and Russian month names.

    >>> periods_in("On May 13, 2025 and 14.04.2021; в мае 2020; since 1999")
    [Period(year=2025, month=5, day=13), Period(year=2021, month=4, day=14), Period(year=2020, month=5, day=None), \
Period(year=1999, month=None, day=None)]
    """
    found: list[tuple[int, Period]] = []
    taken: list[tuple[int, int]] = []
    for pattern in _DATES:
        for match in pattern.finditer(text):
            if any(start < match.end() and match.start() < end for start, end in taken):
                continue
            period = _period(match.groupdict())
            if period is not None:
                found.append((match.start(), period))
                taken.append(match.span())
    return [period for _, period in sorted(found, key=lambda pair: pair[0])]


def states(text: str, form: str) -> bool:
    """Whether a text states a form: its words stand there one after another, or the same amount or date does.

    Only a form that is one amount with its unit, or one whole date, may be written otherwise.

    >>> states("It paid 250 000 USD in all.", "$250,000"), states("It paid $48,267,000.", "$48,267")
    (True, False)
    >>> states("Held on May 13, 2025.", "2025-05-13"), states("The Vlast Media Group", "vlast media")
    (True, True)
    """
    wanted, there = tokens(form), tokens(text)
    if not wanted:
        return False
    size = len(wanted)
    if any(there[at : at + size] == wanted for at in range(len(there) - size + 1)):
        return True
    if (amount := _whole_amount(form)) and amount.unit:
        return any(other.unit == amount.unit and other.value == amount.value for other in amounts_in(text))
    periods = periods_in(form)
    if len(periods) == 1 and periods[0].month and len(wanted) <= 4:
        return any(other.within(periods[0]) for other in periods_in(text))
    return False


def states_amount(text: str, amount: str) -> bool:
    """Whether a text states an amount; where either side writes no currency, the number alone decides.

    >>> states_amount("250,000", "$250,000"), states_amount("€250,000", "$250,000")
    (True, False)
    """
    wanted = _whole_amount(amount)
    if wanted is None:
        return states(text, amount)
    return any(wanted.same(other) for other in amounts_in(text))


def states_date(text: str, date: str) -> bool:
    """Whether a text states an ISO 8601 day, month or year; a finer date states a coarser one, not the reverse.

    >>> states_date("on 14 April 2021", "2021-04"), states_date("in April 2021", "2021-04-14")
    (True, False)
    """
    wanted = periods_in(date)
    return bool(wanted) and any(period.within(wanted[0]) for period in periods_in(text))


def _whole_amount(form: str) -> Amount | None:
    found = amounts_in(form)
    match = _AMOUNT.search(form)
    whole = match is not None and not form.replace(match[0], "", 1).strip(" .()\u00a0")
    return found[0] if len(found) == 1 and whole else None


def _number(written: str) -> Decimal | None:
    plain = re.sub(_SPACE, "", written)
    if re.fullmatch(r"\d{1,3}(,\d{3})+(\.\d+)?", plain):
        return Decimal(plain.replace(",", ""))
    if re.fullmatch(r"\d{1,3}(\.\d{3}){2,}(,\d+)?|\d{1,3}(\.\d{3})+,\d+", plain):
        return Decimal(plain.replace(".", "").replace(",", "."))
    if re.fullmatch(r"\d+([.,]\d+)?", plain):
        return Decimal(plain.replace(",", "."))
    return None  # a date, a version or a section number


def _looked_up(written: str, table: dict[str, int]) -> int:
    patterns = ((pattern.replace(r"(?<=\d)", ""), value) for pattern, value in table.items())
    return next(value for pattern, value in patterns if re.fullmatch(pattern, written, re.IGNORECASE))


def _unit(written: str | None) -> str | None:
    if not written:
        return None
    if written.casefold() in _SYMBOLS:
        return _SYMBOLS[written.casefold()]
    if written.upper() in _CODES:
        return written.upper()
    return next(unit for pattern, unit in _WORDS.items() if re.fullmatch(pattern, written, re.IGNORECASE))


def _period(groups: dict[str, str | None]) -> Period | None:
    named = next((n for n in range(1, 13) if groups.get(f"m{n}")), None)
    month = named or int(groups.get("m") or 0) or None
    day = int(groups.get("d") or 0) or None
    if (month is not None and month > 12) or (day is not None and day > 31):
        return None
    return Period(int(groups["y"] or 0), month, day)
