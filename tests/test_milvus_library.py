"""A whole library in Milvus: added to, killed meanwhile, driven from the prompt, and answering as a folder does."""

import threading
import time

import pytest

from index import milvus_server
from index.errors import StoreError, UsageError
from index.library import Index
from index.milvus_server import TOKEN
from tests.agreement import compare, questions
from tests.engines import Lite
from tests.prompt import apart, here
from tests.serving import TEXTS, client, served


@pytest.fixture
def lite(tmp_path):
    server = Lite(tmp_path / "data")
    server.start()
    yield server
    server.kill()


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "reports"
    made.mkdir()
    for n in range(40):
        text = f"# Report {n}\n\nThe mayor of town {n} opened bridge {n * 7}. It cost {n * 1000 + 500} crowns.\n"
        (made / f"{n:02}.md").write_text(text)
    return made


def test_a_server_that_is_killed_and_started_again_during_an_add_is_waited_for(lite, folder, encoder, request):
    again = threading.Timer(1.5, lite.start)
    request.addfinalizer(lambda: again.join() if again.ident else None)
    with Index(lite.address("reports"), encoder) as index:
        added = []
        for one in index.add_each(folder):
            added.append(one)
            if len(added) == 1:
                lite.kill()
                again.start()
        assert [one.outcome for one in added] == ["added"] * 40
        assert len(index.documents()) == 40
        assert index.check() == []
        assert index.search("bridge 49")[0].source == "reports/07.md"


def test_what_was_acknowledged_before_a_server_died_is_there_and_the_rest_is_reported(
    lite, folder, encoder, monkeypatch
):
    monkeypatch.setattr(milvus_server, "PATIENCE", 1.0)
    acknowledged: list[str] = []

    def add() -> None:
        with Index(lite.address("reports"), encoder) as index:
            for one in index.add_each(folder):
                acknowledged.append(one.source)
                if len(acknowledged) == 3:
                    threading.Thread(target=lite.kill).start()
                    time.sleep(0.02)  # so that it dies at no special moment

    with pytest.raises(StoreError, match="does not answer: start it or check the address; what was acknowledged is"):
        add()
    assert 3 <= len(acknowledged) < 40
    lite.start()
    with Index(lite.address("reports"), encoder) as index:
        stored = {one.source for one in index.documents()}
        assert stored >= set(acknowledged)
        assert len(stored) - len(acknowledged) <= 1  # one may be durable whose acknowledgement was lost
        again = index.add(folder)
        everything = {f"reports/{n:02}.md" for n in range(40)}
        assert {one.source for one in again if one.outcome == "unchanged"} == stored
        assert {one.source for one in again if one.outcome == "added"} == everything - stored
        index.rebuild()
        assert index.check() == []


def test_every_command_takes_an_address(lite, folder):
    def pincite(*words: object, code: int = 0, run=here) -> str:
        set_ = {"PINCITE_INDEX": lite.address("reports"), TOKEN: "a:hunter2"}
        done = run(folder.parent, *map(str, words), code=code, **set_)
        assert done.stderr == "" or code
        assert "hunter2" not in done.stdout + done.stderr
        return done.stdout or done.stderr

    assert "40 added" in pincite("add", folder, run=apart)
    assert "reports/11.md" in pincite("ask", "How much did bridge 77 cost?")
    assert "removed reports/11.md" in pincite("remove", "reports/11.md")
    assert "reports/11.md  " not in pincite("list")
    assert pincite("check") == "the index is sound\n"
    assert "no document is called" in pincite("show", "reports/11.md", code=2)
    nowhere = lite.address("nothing")
    assert f"there is no index {nowhere}: make one" in pincite("list", "--index", nowhere, code=2)


def test_a_library_in_milvus_answers_as_a_folder_does(lite, encoder, demo_copy):
    with Index(demo_copy, encoder) as one, Index(lite.address("corpus"), encoder) as two:
        found = compare(one, two, questions()[::48])
    assert found.dense == found.questions
    assert found.answers >= found.questions - 1, found
    assert found.shared > 0.95, found


def test_a_server_over_a_library_in_milvus_keeps_its_state_in_a_folder(lite, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    address = lite.address("served")
    with pytest.raises(UsageError, match=r"milvus://127.+ has no place for accounts .+ PINCITE_STATE"), served(address):
        pass
    with served(address, state=tmp_path / "state") as url, client(url) as http:
        added = http.post("/api/v1/documents", files={"file": ("bees.txt", TEXTS["bees.txt"].encode())}).json()
        assert [one["outcome"] for one in added] == ["added"]
        turn = http.post("/api/v1/ask", json={"question": "How much did the Hollow Oak Trust give?"}).json()
        cited = turn["citations"][0]
        text = http.get(f"/api/v1/documents/{cited['document']}/text").text
        assert text[cited["start"] : cited["end"]] == cited["quote"]
        assert http.get("/api/v1/conversations").json()["total"] == 1
        assert http.delete(f"/api/v1/documents/{added[0]['document']}").status_code == 204
        assert http.get("/api/v1/documents").json()["items"] == []
    assert (tmp_path / "state" / "state.sqlite").exists()
    assert not list(tmp_path.glob("milvus*"))
