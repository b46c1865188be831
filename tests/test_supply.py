"""Short forms of the trials of the supply chain, see `tests.trust.supply`."""

import json
import pickle
import re
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from index import encode
from index.encode import Encoder
from index.errors import EncoderError, PinciteError
from locks.make import ANYWHERE, name
from rag import learned
from tests.trust.supply import (
    EXCEPTIONS,
    ROOT,
    Exemption,
    alone,
    indexes_of_pickle,
    leaked,
    models_of_pickle,
    planted,
    secrets_in,
    sorted_out,
)

LOCKS = sorted((ROOT / "locks").glob("*.txt"))


def pinned(path: Path) -> dict[str, str]:
    """The versions of a lock or of the constraints, by name."""
    lines = (line.split(" ")[0].split("==") for line in path.read_text().splitlines() if "==" in line)
    return {key.lower().replace("_", "-"): version for key, version in lines}


def test_a_planted_pickle_would_go_off(tmp_path):
    """So that the tests below see something."""
    pickle.loads(planted(tmp_path / "mark")["bare"])  # noqa: S301
    assert (tmp_path / "mark").is_dir()


def test_no_model_is_unpickled(tmp_path):
    assert models_of_pickle(tmp_path) == []


def test_no_file_of_an_index_is_unpickled(tmp_path, encoder):
    tried, wrong = indexes_of_pickle(tmp_path, encoder)
    assert tried >= 10
    assert wrong == []


def test_another_model_than_the_tested_one_is_refused(tmp_path, monkeypatch):
    place = tmp_path / "model"
    place.mkdir()
    (place / "model.safetensors").write_bytes(b"other weights")
    (place / "tokenizer.json").write_text("{}")
    (place / "config.json").write_text("{}")
    monkeypatch.setattr(encode, "default_model", lambda: place)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(EncoderError, match="not the model that was tested"):
        Encoder()


def test_a_compiled_model_that_was_changed_is_made_again(tmp_path, monkeypatch):
    made = []

    def compiled(folder, path):
        made.append(path)
        path.write_bytes(b"as it was made")

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(encode, "_compile", compiled)
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    digest = encode._sha256(tmp_path / "model.safetensors")
    path = encode._compiled(tmp_path, digest)
    assert encode._compiled(tmp_path, digest) == path
    assert len(made) == 1
    path.write_bytes(b"as it was changed")
    again = encode._compiled(tmp_path, digest)
    assert again.read_bytes() == b"as it was made"
    assert len(made) == 2


def test_another_reader_than_the_measured_one_is_refused(tmp_path, monkeypatch):
    for file in Path(learned.__file__).parent.joinpath("weights").iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    with (tmp_path / "reader.onnx").open("ab") as trees:
        trees.write(b"\0")
    monkeypatch.setattr(learned, "_WEIGHTS", tmp_path)
    with pytest.raises(PinciteError, match="not the file that was measured"):
        _ = learned.Trained()._models


def test_it_starts_with_the_network_cut(tmp_path):
    found = alone(tmp_path, first=False)
    assert found.worked, f"{found.how}: {found.told}"


def test_the_locks_hold_what_is_tested_together_each_with_its_digest():
    constraints = pinned(ROOT / "constraints.txt")
    assert LOCKS
    for lock in LOCKS:
        lines = [line for line in lock.read_text().splitlines() if not line.startswith("#")]
        assert all(re.fullmatch(r"[\w.-]+==[\w.!+-]+ --hash=sha256:[0-9a-f]{64}", line) for line in lines)
        held = pinned(lock)
        differ = {key for key, version in held.items() if constraints.get(key, version) != version}
        assert not differ, "run python locks/make.py"
        assert not set(ANYWHERE) & held.keys()


def test_everything_that_is_asked_for_is_in_the_locks():
    from importlib.metadata import requires

    asked = {re.match(r"[\w.-]+", one)[0].lower().replace("_", "-") for one in requires("pincite") or ()}
    assert "prometheus-client" in asked
    for lock in LOCKS:
        assert asked - pinned(lock).keys() <= set(ANYWHERE), "run python locks/make.py"


def test_this_platform_is_named_as_the_makefile_looks_for_it():
    assert subprocess.check_output([sys.executable, "locks/make.py", "--name"], cwd=ROOT, text=True).strip() == name()
    assert name() in [str(lock.relative_to(ROOT)) for lock in LOCKS] or sys.platform != "linux"


def test_a_vulnerability_is_found_unless_it_is_exempted():
    report = {
        "dependencies": [
            {"name": "a", "version": "1", "vulns": []},
            {"name": "b", "version": "2", "vulns": [{"id": "PYSEC-1"}, {"id": "PYSEC-2"}]},
            {"name": "c", "skip_reason": "Dependency not found"},
        ]
    }
    found = sorted_out(report, [("b", "PYSEC-2"), ("a", "PYSEC-1")])
    assert (found.checked, found.skipped, found.found) == (2, ("c",), ("b 2: PYSEC-1",))


def test_every_exemption_has_a_day_and_a_reason():
    for one in map(Exemption.model_validate, json.loads(EXCEPTIONS.read_text())):
        assert one.until >= date(2026, 1, 1)
        assert len(one.why) > 20


def test_no_secret_is_in_the_files():
    count, found = leaked()
    assert count > 200
    assert found == []


@pytest.mark.parametrize(
    "parts",
    [
        ("-----BEGIN RSA PRIVATE", " KEY-----"),
        ("AKIA", "IOSFODNN7EXAMPLE"),
        ("ghp_", "16C7e42F292c6912E7710c838347Ae178B4a"),
        ("sk-proj-", "aB3dE5fG7hJ9kL1mN3pQ5rS7"),
        ("pincite_", "0a1b2c3d_" + "x" * 43),
        ("https://ada:", "correct-horse@db.example/x"),
        ('password = "', 'q8Zt!mW2#vB6xLp0"'),
        ("eyJhbGciOiJIUzI1NiJ9.", "eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N"),
    ],
)
def test_a_secret_would_be_seen(parts):
    """In two parts, so that this file has none."""
    assert list(secrets_in(f"first line\n{''.join(parts)}\n")) != []


def test_plain_words_are_no_secret():
    assert not list(secrets_in('password = "correct horse battery"\ntoken = "a-name-in-a-test"\nhttp://x:1/y@z'))
