"""Amounts, dates and words as they are compared."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.values import Amount, Period, amounts_in, periods_in, states, states_amount, states_date, tokens


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("$250,000", 250_000, "USD"),
        ("US$250,000", 250_000, "USD"),
        ("250 000 долларов", 250_000, "USD"),
        ("2,5 млн тенге", 2_500_000, "KZT"),
        ("€1.2 million", 1_200_000, "EUR"),
        ("1.250.000,50 EUR", Decimal("1250000.50"), "EUR"),
        ("GBP 12.5 thousand", 12_500, "GBP"),
        ("€5m", 5_000_000, "EUR"),
        ("5 m", 5, None),
        ("12%", 12, "%"),
        ("12 per cent", 12, "%"),
        ("($12.6)", Decimal("-12.6"), "USD"),
        ("-3.5%", Decimal("-3.5"), "%"),
        ("CHF 1,000", 1000, "CHF"),
        ("1,452.4", Decimal("1452.4"), None),
    ],
)
def test_one_amount(text: str, value: int | Decimal, unit: str | None) -> None:
    (found,) = amounts_in(text)
    assert found.value == value
    assert found.unit == unit


def test_what_is_no_amount() -> None:
    assert amounts_in("version 1.2.3 of 14.04.2021") == []
    assert [each.value for each in amounts_in("2019-2020")] == [2019, 2020]


def test_a_unit_that_is_not_written_agrees_with_any() -> None:
    assert Amount(Decimal(5), None).same(Amount(Decimal(5), "EUR"))
    assert states_amount("55,000", "$55,000")
    assert not states_amount("€55,000", "$55,000")
    assert states_amount("about twelve", "twelve")


@pytest.mark.parametrize(
    ("text", "period"),
    [
        ("2021-04-14", Period(2021, 4, 14)),
        ("14.04.2021 08:58", Period(2021, 4, 14)),
        ("On May 13, 2025", Period(2025, 5, 13)),
        ("the 3rd of March 2020", Period(2020, 3, 3)),
        ("14 апреля 2021 года", Period(2021, 4, 14)),
        ("Sept. 2020", Period(2020, 9)),
        ("в мае 2020", Period(2020, 5)),
        ("in 1999", Period(1999)),
    ],
)
def test_one_date(text: str, period: Period) -> None:
    assert periods_in(text) == [period]


def test_what_is_no_date() -> None:
    assert periods_in("99999 and 12") == []
    assert periods_in("32.04.2021") == [Period(2021)]  # no such day, but the year stands there
    assert not states_date("May came", "2021-05")
    assert states_date("14 April 2021", "2021")
    assert not states_date("2021", "2021-04-14")


def test_forms() -> None:
    assert states("the Vlast Media Group’s grant", "Vlast media group")
    assert not states("Delta Radios", "Delta Radio")
    assert not states("anything", " . ")
    assert states("on 3 March 2020", "2020-03-03")
    assert not states("in 2020", "2020-03-03")
    assert tokens("48,267.50 of 1,2") == ["48267.50", "of", "1,2"]


@given(st.integers(1, 10**9))
def test_an_amount_is_found_in_each_way_to_write_it(value: int) -> None:
    ways = [f"${value:,}", f"{value} USD", f"{value:,}".replace(",", " ") + " dollars", f"US${value}"]
    for way in ways:
        assert states(f"It gave {way}.", f"${value:,}"), way
