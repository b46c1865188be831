"""What is acknowledged is on disk, whatever happens: short forms of the trials in `tests/trust`."""

import sqlite3
from contextlib import closing

import pytest

from index.errors import StoreError
from index.library import Index
from index.schema import FORMAT
from index.store import DATABASE
from tests.trust import faults, kills, model, room, stopping
from tests.trust.formats import PACKED, unpacked
from tests.trust.light import NAMES, Light, made, text, wrong
from tests.trust.nursery import layer

needs_layer = pytest.mark.skipif(layer() is None, reason="NO FAULTS INJECTED: it takes gcc or cc, Linux and x86-64")


def test_what_is_acknowledged_survives_being_killed(tmp_path):
    found = kills.kills(tmp_path, 8)
    assert found.kept, found.figure


@needs_layer
def test_a_crash_at_any_call_leaves_all_or_nothing(tmp_path):
    found = faults.crashes(tmp_path, 12)
    assert found.kept, found.figure


@needs_layer
def test_a_crash_while_recovering_harms_nothing(tmp_path):
    found = faults.recoveries(tmp_path, 9)
    assert found.kept, found.figure


@needs_layer
def test_a_call_that_fails_is_told_and_harms_nothing(tmp_path):
    found = faults.failures(tmp_path, 3)
    assert found.kept, found.figure


@needs_layer
def test_a_full_disk_is_told_and_reading_goes_on(tmp_path):
    found = room.full(tmp_path, 5)
    assert found.kept, found.figure


def test_a_library_that_may_not_be_written_is_read(tmp_path):
    problem = room.readonly(tmp_path)
    if problem == room.NO_MOUNT:
        pytest.skip(problem)
    assert problem is None


def test_a_library_agrees_with_a_dictionary():
    found = model.agreements(12, 20)
    assert found.kept, found.figure


def test_a_second_writer_is_refused_at_once(tmp_path):
    found = stopping.second_writers(tmp_path, 3)
    assert found.kept, found.figure


@pytest.mark.parametrize("made_in", range(1, FORMAT + 1))
def test_a_library_of_each_format_opens(made_in, tmp_path):
    state = unpacked(made_in, tmp_path / "x.index")
    assert wrong(tmp_path / "x.index", {state}) is None
    with closing(sqlite3.connect(tmp_path / "x.index" / DATABASE)) as db:
        assert db.execute("SELECT value FROM meta WHERE key = 'format'").fetchone() == (str(FORMAT),)
    with Index(tmp_path / "x.index", Light()) as index:
        assert index.add_bytes(text(9), NAMES[9]).outcome == "added"
    assert wrong(tmp_path / "x.index", {state | {(NAMES[9], 9)}}) is None


def test_each_format_has_a_library_that_was_kept():
    assert sorted(path.name for path in PACKED.iterdir()) == [f"{n}.tar.gz" for n in range(1, FORMAT + 1)]


def test_nobody_writes_to_a_database_that_was_put_aside(tmp_path):
    folder = tmp_path / "x.index"
    made(folder, {NAMES[0]: 0})
    with Index(folder, Light()) as index:
        copy = tmp_path / "copy"
        copy.write_bytes((folder / DATABASE).read_bytes())
        copy.replace(folder / DATABASE)
        with pytest.raises(StoreError, match="was replaced by another process: open the index again"):
            index.add_bytes(text(1), NAMES[1])
