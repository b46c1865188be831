"""Adding on several processes and on several machines: the same index, whatever happens meanwhile."""

import hashlib
import os
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from index import processes
from index.cluster import Cluster
from index.errors import UsageError
from index.library import Index
from index.prepare import Workers
from index.processes import Processes
from index.store import DATABASE

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Files of several kinds and lengths, one that is refused, a duplicate, and two versions of one text."""
    made = tmp_path_factory.mktemp("many") / "reports"
    made.mkdir()
    for n in range(45):
        body = " ".join(f"The keeper of lighthouse {n} saw {n * k} ships in year {1900 + k}." for k in range(3 + n % 9))
        (made / f"{n:02}.md").write_text(f"# Log {n}\n\nPublished: {1 + n % 28} May 2021\n\n{body}\n")
    (made / "copy.md").write_text((made / "07.md").read_text())
    (made / "broken.pdf").write_bytes(b"%PDF-1.4 nothing")
    return made


def digest(place: Path) -> str:
    """All that an index stores, keys and vectors included, but the name that it has by chance."""
    found = hashlib.sha256()
    with sqlite3.connect(place / DATABASE) as db:
        for table in ("documents", "sources", "near", "passages", "log"):
            for row in db.execute(f"SELECT * FROM {table} ORDER BY 1, 2"):  # noqa: S608
                found.update(repr(row).encode())
    db.close()
    return found.hexdigest()


def add(place: Path, folder: Path, encoder, workers: Workers | None) -> list[str]:
    with Index(place, encoder) as index:
        return [one.outcome for one in index.add_each(folder, workers=workers)]


@pytest.fixture(scope="module")
def alone(folder, encoder, tmp_path_factory):
    place = tmp_path_factory.mktemp("alone") / "x.index"
    outcomes = add(place, folder, encoder, None)
    assert sorted(set(outcomes)) == ["added", "duplicate", "refused"]
    return digest(place)


@pytest.fixture
def soon(monkeypatch):
    """The pool is started for a few files, too."""
    monkeypatch.setattr(processes, "_FEW", 8)


@pytest.mark.usefixtures("soon")
class TestProcesses:
    def test_they_give_the_same_index_digest_for_digest(self, folder, encoder, alone, tmp_path):
        assert "added" in add(tmp_path / "x.index", folder, encoder, Processes(2))
        assert digest(tmp_path / "x.index") == alone
        assert set(add(tmp_path / "x.index", folder, encoder, Processes(2))) == {"unchanged", "refused"}

    def test_an_add_that_was_cut_off_goes_on(self, folder, encoder, alone, tmp_path):
        place = tmp_path / "x.index"
        with Index(place, encoder) as index:
            results = index.add_each(folder, workers=Processes(2))
            first = [next(results) for _ in range(20)]
            results.close()
        assert len(first) == 20
        again = add(place, folder, encoder, None)
        assert again.count("unchanged") >= 19
        assert again.count("unchanged") + again.count("added") == 45
        with Index(place, encoder) as index:
            assert index.check() == []


# In a process of its own: Ray's threads, files and settings are not for the other tests to live with. The first node
# has no core to work with, and of the two others one on which documents are being encoded is killed. Later the add is
# cut off, and the same command given again.
KILLED = """
    import sys
    from pathlib import Path

    from index.cluster import Cluster, quietly
    from index.library import Index

    quietly()
    from ray._private.state import actors
    from ray.cluster_utils import Cluster as Nodes

    def encoding():
        # One that has done its work is dead by the time that its last rows are read.
        begun = [a for a in actors().values() if a["State"] in ("ALIVE", "DEAD") and "Map" in a["ActorClassName"]]
        return [a["Address"]["NodeID"] for a in begun]

    place, folder = map(Path, sys.argv[1:])
    size = {"num_cpus": 1, "object_store_memory": 80_000_000, "include_dashboard": False}
    nodes = Nodes(initialize_head=True, head_node_args={**size, "num_cpus": 0})
    others = [nodes.add_node(**size) for _ in range(2)]
    nodes.wait_for_nodes()
    killed = ""
    with Index(place) as index:
        results = index.add_each(folder, workers=Cluster(nodes.address))
        for number, added in enumerate(results):
            if not killed:
                killed = encoding()[0]
                nodes.remove_node(next(n for n in others if n.node_id == killed), allow_graceful=False)
            elsewhere = [n for n in encoding() if n != killed]
            print(added.outcome, added.source, len(elsewhere), flush=True)
            if number == 39:
                results.close()
    with Index(place) as index:
        for added in index.add_each(folder, workers=Cluster(nodes.address)):
            print("again", added.outcome, flush=True)
    nodes.shutdown()
"""


class TestCluster:
    def test_a_node_that_dies_half_way_and_an_add_that_is_cut_off_change_nothing(self, folder, alone, tmp_path):
        place = tmp_path / "x.index"
        command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(KILLED), place, folder]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment, timeout=400)
        assert done.returncode == 0, done.stderr[-3000:]
        told = done.stdout.splitlines()
        lines, again = told[:40], told[40:]
        assert len(again) == 47
        assert again.count("again unchanged") >= 39  # one may be stored that was not told yet
        assert 5 <= again.count("again added") <= 7
        assert any(not line.endswith(" 0") for line in lines), lines  # some were encoded on the node that was left
        assert digest(place) == alone

    def test_a_cluster_that_is_not_there_is_told_in_one_line(self, folder, tmp_path):
        command = [sys.executable, "-c", "import ui.cli; ui.cli.main()", "add", folder, "--ray", "127.0.0.1:9"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PINCITE_INDEX": str(tmp_path / "x.index")}
        done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
        assert done.returncode == 2
        assert done.stderr.splitlines()[-1].startswith("pincite: there is no Ray cluster at 127.0.0.1:9: start one")

    def test_without_ray_its_install_line_is_told(self, folder, encoder, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "ray", None)
        with pytest.raises(UsageError, match=r"pip install 'pincite\[ray\]'"):
            add(tmp_path / "x.index", folder, encoder, Cluster("auto"))
