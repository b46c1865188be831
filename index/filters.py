"""Filters on a document's metadata: ``{"published": ">=2021-01-01", "publisher": "RT"}``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import NamedTuple

from index.errors import UsageError

Where = Mapping[str, str]

FIELDS = ("publisher", "published", "language", "source")
_CONDITION = re.compile(r"^\s*(>=|<=|!=|>|<|=)?\s*(.*?)\s*$", re.DOTALL)


def parse_where(typed: list[str] | tuple[str, ...]) -> dict[str, str]:
    """Conditions such as "published>=2021-01-01" and "publisher=RT", as typed after ``--where``."""
    where: dict[str, str] = {}
    for condition in typed:
        match = re.match(r"^\s*(\w+)\s*(>=|<=|!=|>|<|=)\s*(.+)$", condition)
        if not match:
            raise UsageError(f"cannot read the filter {condition!r}: write FIELD=VALUE, such as published>=2021-01-01")
        name, sign, value = match.groups()
        where[name] = f"{where[name]},{sign}{value}" if name in where else f"{sign}{value}"
    conditions(where)
    return where


class Condition(NamedTuple):
    """One condition of a filter: the sign is one of ``= != > >= < <=``; a date is written in full."""

    field: str
    sign: str
    value: str


def conditions(where: Where) -> list[Condition]:
    """The conditions of a filter, all of which must hold.

    Several conditions on one field are separated by commas (">=2021-01-01,<2022-01-01") where the field is
    "published". "source" matches a whole source or a folder of sources ("reports/").

    Raises:
        UsageError: an unknown field, a bad date, or an order where there is none.
    """
    found: list[Condition] = []
    for field, text in where.items():
        if field not in FIELDS:
            raise UsageError(f"there is no field {field!r} to filter on: use one of {', '.join(FIELDS)}")
        for part in text.split(",") if field == "published" else [text]:
            match = _CONDITION.match(part)
            sign, value = match.groups() if match else (None, part)
            sign = sign or "="
            if field == "published":
                value = _date(value)
            elif sign not in ("=", "!="):
                raise UsageError(f"{field} has no order: write {field}={value} or {field}!={value}")
            found.append(Condition(field, sign, value))
    return found


def sql_where(where: Where) -> tuple[str, list[str | int]]:
    """A filter as an SQL condition over the table of documents, with its values.

    Raises:
        UsageError: see `conditions`.
    """
    parts: list[str] = ["1"]
    values: list[str | int] = []
    for field, sign, value in conditions(where):
        if field == "source":
            inside = (
                "EXISTS (SELECT 1 FROM sources s WHERE s.document = documents.id"
                " AND (s.source = ? OR substr(s.source, 1, ?) = ?))"
            )
            folder = value.rstrip("/") + "/"
            parts.append(inside if sign == "=" else f"NOT {inside}")
            values += [value, len(folder), folder]
        elif sign == "!=":
            parts.append(f"coalesce({field}, '') <> ? COLLATE NOCASE")
            values.append(value)
        else:
            parts.append(f"{field} {sign} ? COLLATE NOCASE")
            values.append(value)
    return " AND ".join(parts), values


def _date(text: str) -> str:
    """A whole date from a date, a month or a year."""
    try:
        if re.fullmatch(r"\d{4}", text):
            text += "-01-01"
        elif re.fullmatch(r"\d{4}-\d{2}", text):
            text += "-01"
        return date.fromisoformat(text).isoformat()
    except ValueError as error:
        raise UsageError(f"{text!r} is not a date: write it as 2021-03-31, 2021-03 or 2021") from error
