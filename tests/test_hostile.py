"""Files that mean harm: each costs a bounded amount, and the next file is read as ever."""

import re
import time

import pytest

from index.apart import Apart, Limits
from index.errors import DocumentError
from tests.hostile_files import ATTACKS, READ, REFUSED, WORDS

SMALL = Limits(seconds=8, memory=1024**3, answer=32 * 1024**2)
MOST = (
    2 * SMALL.seconds + 15
)  # seconds for two tries and two new processes, on a machine that does other things besides


@pytest.fixture(scope="module")
def reader():
    made = Apart(SMALL)
    yield made
    made.close()


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_a_hostile_file_costs_a_bounded_amount(reader, attack):
    data = attack.make(1)
    started = time.monotonic()
    try:
        text = reader.read(data, attack.source).document.text
    except DocumentError as error:
        told = str(error)
        assert attack.outcome != READ, told
        assert re.search(attack.says, told), told
        assert told.startswith(attack.source)
        assert "\n" not in told
    else:
        assert attack.outcome != REFUSED, text[:200]
        if attack.outcome == READ:
            assert "Bramble Bee Society" in text
    assert time.monotonic() - started < MOST
    assert WORDS in reader.read(WORDS.encode(), "good.txt").document.text
