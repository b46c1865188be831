"""Damage is said before anything is answered, and mended from the truth: short forms of the trials in `tests/trust`."""

import json
import os
import shutil
from contextlib import closing

import pytest

from index.errors import DamagedError
from index.library import Index, rebuild
from index.mend import KEPT, OTHER_NAMES
from index.store import DATABASE, UNMENDED
from tests.trust import damage
from tests.trust.light import NAMES, Light, made, text, wrong
from ui.state import State


@pytest.fixture
def folder(tmp_path):
    made(tmp_path / "x.index", {NAMES[n]: n for n in range(4)})
    return tmp_path / "x.index"


STATE = {(NAMES[n], n) for n in range(4)}


def test_damage_is_said_before_any_answer(tmp_path):
    found = damage.damages(tmp_path, 60)
    assert found.kept, found.figure


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE passages SET vector = zeroblob(length(vector)) WHERE key = 1",
        "UPDATE passages SET sentences = zeroblob(length(sentences)) WHERE key = 1",
        "DELETE FROM passages WHERE key = 1",
        "UPDATE passages SET key = 99 WHERE key = 1",
        "UPDATE documents SET minhash = zeroblob(length(minhash)) WHERE source LIKE '%00.txt'",
        "UPDATE documents SET publisher = 'nobody' WHERE source LIKE '%00.txt'",
        "UPDATE near SET similarity = 0.01",
        "UPDATE meta SET value = 'other' WHERE key = 'encoder'",
        "UPDATE sources SET origin = 'elsewhere' WHERE source LIKE '%00.txt'",
        "UPDATE log SET operation = 'remove' WHERE number = 1",
    ],
)
def test_what_the_text_holds_is_made_again_from_it(folder, statement):
    damage.spoil(folder, statement)
    with pytest.raises(DamagedError, match="run `pincite rebuild`"):
        answered(folder)
    assert rebuild(folder, Light()).lost == ()
    assert wrong(folder, {frozenset(STATE)}) is None


def answered(folder):
    with Index(folder, Light()) as index:
        return index.search("amber")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE documents SET text = replace(text, 'amber', 'ember') WHERE source LIKE '%00.txt'",
        "DELETE FROM documents WHERE source LIKE '%00.txt'",
    ],
)
def test_a_text_that_is_damaged_is_named_and_can_be_added_again(folder, statement):
    damage.spoil(folder, statement)
    assert rebuild(folder, Light()).lost == (NAMES[0],)
    assert wrong(folder, {frozenset(STATE - {(NAMES[0], 0)})}) is None
    with Index(folder, Light()) as index:
        assert index.add_bytes(text(0), NAMES[0]).outcome == "added"
    assert wrong(folder, {frozenset(STATE)}) is None


def test_second_names_that_are_lost_are_told(folder):
    with Index(folder, Light()) as index:
        assert index.add_bytes(text(1), NAMES[7]).outcome == "duplicate"
    damage.spoil(folder, "UPDATE sources SET origin = 'elsewhere' WHERE source LIKE '%07.txt'")
    assert rebuild(folder, Light()).lost == (OTHER_NAMES,)
    damage.spoil(folder, "DELETE FROM sources")
    assert rebuild(folder, Light()).lost == (OTHER_NAMES,)
    assert wrong(folder, {frozenset(STATE)}) is None


def test_what_was_damaged_is_kept(folder):
    damage.spoil_a_passage(folder)
    before = (folder / DATABASE).read_bytes()
    rebuild(folder, Light())
    assert (folder / KEPT / DATABASE).read_bytes() == before


def test_mending_a_sound_library_leaves_it_as_it_is(folder):
    before = (folder / DATABASE).read_bytes()
    rebuild(folder, Light())
    assert (folder / DATABASE).read_bytes() == before
    assert not (folder / KEPT).exists()


def test_mending_that_was_cut_off_is_told_and_goes_on(folder):
    (folder / UNMENDED).mkdir()
    shutil.copy(folder / DATABASE, folder / UNMENDED / DATABASE)
    with pytest.raises(DamagedError, match=r"mending .* was cut off: run `pincite rebuild`"):
        Index(folder, Light())
    rebuild(folder, Light())
    assert wrong(folder, {frozenset(STATE)}) is None


def test_the_first_page_is_made_again(folder):
    data = bytearray((folder / DATABASE).read_bytes())
    data[:4096] = bytes(4096)
    (folder / DATABASE).write_bytes(data)
    with pytest.raises(DamagedError):
        Index(folder, Light())
    assert rebuild(folder, Light()).lost == ()
    assert wrong(folder, {frozenset(STATE)}) is None


def test_commits_that_are_lost_are_noticed(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "before")
    with Index(folder, Light()) as index:
        index.add_bytes(text(7), NAMES[7])
    shutil.copy(tmp_path / "before" / DATABASE, folder / DATABASE)
    with pytest.raises(DamagedError, match=r"the last 1 changes of .* are lost"):
        Index(folder, Light())
    assert rebuild(folder, Light()).lost == ("the last 1 changes",)
    assert wrong(folder, {frozenset(STATE)}) is None


def test_commits_of_the_server_that_are_lost_are_noticed(tmp_path):
    with closing(State(tmp_path / "x")) as state:
        state.do("INSERT INTO shares VALUES ('plans.txt', 'board')")
        shutil.copytree(tmp_path / "x", tmp_path / "copy")
    log = tmp_path / "copy" / "state.sqlite-wal"
    for left, told in ((log.stat().st_size - 1, "the last changes of .* are lost"), (0, "all of .* is lost")):
        os.truncate(log, left)  # SQLite takes this for a log that ends earlier
        with pytest.raises(DamagedError, match=told):
            State(shutil.copytree(tmp_path / "copy", tmp_path / str(left)))
    with closing(State(tmp_path / "x")) as state:
        assert state.value("SELECT name FROM shares") == "board"


def test_the_command_says_what_is_lost(tmp_path, monkeypatch, capsys):
    from click.testing import CliRunner

    from ui.cli import cli

    folder = tmp_path / "x.index"
    with Index(folder) as index:  # with the real encoder, which encodes a damaged passage again
        index.add_bytes(text(0), NAMES[0])
        index.add_bytes(text(1), NAMES[1])
        before = index.search("amber lighthouse")
    damage.spoil(folder, "UPDATE passages SET vector = zeroblob(length(vector))")
    asked = CliRunner().invoke(cli, ["search", "amber", "--index", str(folder)])
    assert asked.exit_code != 0
    assert "run `pincite rebuild`" in str(asked.exception)
    told = CliRunner().invoke(cli, ["rebuild", "--json", "--index", str(folder)])
    assert json.loads(told.stdout) == {"documents": 2, "encoded": [NAMES[0], NAMES[1]], "lost": []}
    with Index(folder) as index:
        assert index.search("amber lighthouse") == before
    damage.spoil(folder, "UPDATE documents SET text = 'x' || text WHERE source LIKE '%00.txt'")
    told = CliRunner().invoke(cli, ["rebuild", "--index", str(folder)])
    assert told.exit_code != 0
    assert f"lost: {NAMES[0]}" in told.stdout
    assert "add those files again" in str(told.exception)
