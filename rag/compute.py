"""What can be worked out from the rows of a list: how many, the largest, the sum, the difference. Never a quote."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal

from rag.models import Claim, Row
from rag.question import Question
from rag.verify import amounts

_SCALES = {"": 1, "thousand": 10**3, "million": 10**6, "billion": 10**9}
_SIGNS = {"USD": "$", "EUR": "€", "GBP": "£", "KZT": "₸", "RUB": "₽", "JPY": "¥"}
_SMALLEST = re.compile(r"\b(?:smallest|lowest|least|minimum|наименьш\w+|маленьк\w+)\b", re.IGNORECASE)


def computed(question: Question, rows: Sequence[Row]) -> list[Claim]:
    """Claims that are worked out from rows, each saying how and citing its rows; none where rows lack amounts.

    Sums of different currencies are never added up or compared.
    """
    if question.kind == "count":
        return [Claim(text=f"Counted: {len(rows)}, listed below.", citations=_cited(rows))] if len(rows) > 1 else []
    valued = _by_currency(rows)
    if question.kind == "largest":
        pick, word = (min, "Smallest") if _SMALLEST.search(question.text) else (max, "Largest")
        best = [(currency, *pick(some, key=lambda v: v[1])) for currency, some in valued.items()]
        return [
            Claim(
                text=f"{word} of {len(valued[currency])} in {currency or 'one unit'}: {row.name} — {row.amount}.",
                citations=row.citations,
            )
            for currency, row, _ in best
        ]
    if question.kind == "total":
        return [_sum(some, currency) for currency, some in valued.items() if len(some) > 1]
    if question.kind == "comparison":
        return [_difference(some, currency) for currency, some in valued.items() if len(some) == 2]
    return []


def _sum(some: Sequence[tuple[Row, Decimal]], currency: str) -> Claim:
    parts = " + ".join(str(row.amount) for row, _ in some)
    total = _money(sum(value for _, value in some), currency)
    return Claim(text=f"Added up: {parts} = {total}.", citations=_cited([row for row, _ in some]))


def _difference(two: Sequence[tuple[Row, Decimal]], currency: str) -> Claim:
    (more, high), (less, low) = sorted(two, key=lambda v: -v[1])
    text = (
        f"Compared: {_called(more)} {more.amount} − {_called(less)} {less.amount} = {_money(high - low, currency)}."
        if high != low
        else f"Compared: {_called(more)} and {_called(less)} are equal, {more.amount}."
    )
    return Claim(text=text, citations=_cited([more, less]))


def _called(row: Row) -> str:
    return f"{row.name}{f' ({row.period})' if row.period else ''}"


def _by_currency(rows: Sequence[Row]) -> Mapping[str, list[tuple[Row, Decimal]]]:
    found: dict[str, list[tuple[Row, Decimal]]] = defaultdict(list)
    for row in rows:
        told = amounts(row.amount or "")
        if len(told) == 1:
            digits, scale, currency = next(iter(told))
            if scale in _SCALES:
                found[currency].append((row, Decimal(digits) * _SCALES[scale]))
    return found


def _money(value: Decimal | int, currency: str) -> str:
    number = f"{value:,.2f}".rstrip("0").rstrip(".") if value % 1 else f"{int(value):,}"
    return f"{_SIGNS[currency]}{number}" if currency in _SIGNS else f"{number} {currency}".strip()


def _cited(rows: Sequence[Row]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(n for row in rows for n in row.citations))
