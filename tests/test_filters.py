"""Filters on metadata: as typed, and as SQL."""

import pytest

from index.errors import UsageError
from index.filters import parse_where, sql_where


def test_conditions_as_typed():
    assert parse_where(["published>=2021-01-01", "published<2022", "publisher = RT"]) == {
        "published": ">=2021-01-01,<2022",
        "publisher": "=RT",
    }


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ({"author": "x"}, "there is no field 'author'"),
        ({"published": ">=yesterday"}, "is not a date: write it as 2021-03-31"),
        ({"publisher": ">=RT"}, "publisher has no order"),
    ],
)
def test_bad_filters_say_what_to_write(where, message):
    with pytest.raises(UsageError, match=message):
        sql_where(where)


def test_a_filter_that_cannot_be_read():
    with pytest.raises(UsageError, match="write FIELD=VALUE"):
        parse_where(["2021"])


def test_values_never_become_sql():
    condition, values = sql_where({"publisher": "x' OR 1=1 --"})
    assert "OR 1=1" not in condition
    assert values == ["x' OR 1=1 --"]
