"""Sentences that tell the same thing with another value."""

import pytest

from rag.rivals import alike, rivals

PAIRS = [
    ("The Ostwick ferry leaves at nine.", "The Ostwick ferry leaves at seven.", True),
    ("The director of the Larch Fund is Ida Storm.", "The director of the Larch Fund is Max Vale.", True),
    ("The choir received $15,000 in 2021.", "The choir received $90,000 in 2021.", True),
    ("The mill of Merrow will close.", "The mill of Merrow will not close.", True),
    ("Директор фонда — Ида Шторм.", "Директор фонда — Макс Вейл.", True),
    ("The Ostwick ferry leaves at nine.", "The Ostwick ferry leaves at nine in the evening.", False),
    ("The fund was founded in 1998.", "The fund was set up in 1998.", False),
    ("The choir received $15,000 in 2021.", "The choir of Merrow received $15,000 in 2021.", False),
    ("The choir sang in Merrow.", "The school of Dunmore bought nine hives.", False),
    ("It leaves at nine.", "It leaves at nine.", False),
]


@pytest.mark.parametrize(("one", "other", "expected"), PAIRS)
def test_who_differs_with_whom(one, other, expected):
    assert rivals(one, other) == rivals(other, one) == expected


def test_what_says_the_same_is_alike():
    assert alike("The ferry leaves at nine.", "The ferry leaves at nine in the evening.")
    assert not alike("The ferry leaves at nine.", "The school bought hives.")
