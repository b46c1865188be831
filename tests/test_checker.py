"""Passages that are checked in a process beside the one that takes their vectors: the same verdict, whoever looks."""

import sqlite3
from contextlib import closing

import pytest

from index import checker, seal, store
from index.checker import Checker
from index.errors import DamagedError
from index.library import Index
from index.store import DATABASE
from tests.trust import damage
from tests.trust.light import NAMES, Light, made


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "_MANY", 0)
    made(tmp_path / "x.index", {NAMES[n]: n for n in range(4)})
    return tmp_path / "x.index"


@pytest.fixture
def verdicts(monkeypatch):
    """What each process that looked beside has said."""
    said = []

    class Heard(Checker):
        def looked(self):
            said.append(super().looked())
            return said[-1]

    monkeypatch.setattr(checker, "Checker", Heard)
    return said


def found(folder):
    with Index(folder, Light()) as index:
        return [(hit.passage.document, hit.passage.start) for hit in index.search("amber")]


def age(folder):
    with closing(sqlite3.connect(folder / DATABASE)) as db:
        return seal.age(db)


def test_a_sound_library_answers_as_it_does_without(folder, verdicts, monkeypatch):
    beside = found(folder)
    assert [(looked.problems, looked.sealed > 0) for looked in verdicts] == [([], True)]
    monkeypatch.setattr(store, "_MANY", 10_000)
    assert beside == found(folder) != []
    assert len(verdicts) == 1


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("UPDATE passages SET sentences = zeroblob(length(sentences)) WHERE key = 1", "a passage is damaged"),
        ("UPDATE passages SET vector = zeroblob(length(vector)) WHERE key = 1", "a passage is damaged"),
        ("UPDATE passages SET vector = zeroblob(2) WHERE key = 1", "a stored vector is damaged"),
        ("UPDATE passages SET vector = 7 WHERE key = 1", "a stored vector is damaged"),
        ("DELETE FROM passages WHERE key = 1", "do not match their seal"),
        ("DELETE FROM passages", "do not match their seal"),
        ("DELETE FROM documents WHERE source LIKE '%00.txt'", "belongs to no document"),
        ("UPDATE documents SET text = 'x' || text WHERE source LIKE '%00.txt'", "is damaged"),
        ("UPDATE near SET similarity = 0.01", "do not match their seal"),
        ("UPDATE seal SET value = value + 1", "do not match their seal"),
        ("UPDATE seal SET changes = 'many'", "malformed seal"),
        ("DELETE FROM seal", "malformed seal"),
    ],
)
def test_damage_is_said_before_any_answer(folder, statement, problem):
    damage.spoil(folder, statement)
    with pytest.raises(DamagedError, match=problem):
        found(folder)


def test_where_the_other_process_ends_early_this_one_looks(folder, verdicts, monkeypatch):
    whole = found(folder)
    begin = Checker.__enter__

    def ended(self):
        self._child.kill()
        return begin(self)

    monkeypatch.setattr(Checker, "__enter__", ended)
    assert found(folder) == whole
    assert verdicts[1:] == [None]
    damage.spoil(folder, "UPDATE passages SET page = 7 WHERE key = 1")
    with pytest.raises(DamagedError, match="a passage is damaged"):
        found(folder)


def test_another_state_is_not_judged(folder):
    name, changes = age(folder)
    for other in ((name, changes - 1), ("other", changes)):
        with Checker(folder / DATABASE, False, other) as looking:
            assert looking.looked() is None
    with Checker(folder / DATABASE, True, (name, changes)) as looking:
        assert looking.looked().problems == []


def test_a_process_that_is_no_longer_needed_is_ended(folder):
    with Checker(folder / DATABASE, False, age(folder)) as looking:
        child = looking._child
    assert child.returncode is not None
    assert child.stdout.closed
