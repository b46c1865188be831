"""What the server tells of itself: its log, its figures and who did what; and that no secret is in any of it."""

import json
import logging
import re
import sqlite3
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from prometheus_client.parser import text_string_to_metric_families

from index.errors import StoreError
from tests.prompt import here as pincite
from tests.serving import PASSWORD, TEXTS, Site, accounts, client, copied, served
from tests.stub_model import serving
from ui.audit import Audit
from ui.cli import cli
from ui.models import Caller
from ui.state import FORMATS, State
from ui.watch import Lines

QUESTION = "When does the night train leave Tayport?"
MODEL_KEY, MILVUS_TOKEN = "sk-kestrel-5521", "root:wagtail-8830"
WRONG = "a wrong password of 4417"


@pytest.fixture(scope="module")
def stub():
    with serving(mode="echo") as stub:
        yield stub


@pytest.fixture(scope="module")
def site(tmp_path_factory, stub):
    """A server with accounts and a language model, which logs all that it may."""
    site = Site(copied(tmp_path_factory.mktemp("watch")), "--no-page")
    with accounts(site.folder) as made:
        made.add("ada", "admin", PASSWORD)
        made.add("ed", "editor", None, ["board"])
        made.add("rita", "reader", None)
        site.keys = {name: made.add_key(name) for name in ("ada", "ed", "rita")}
    site.start(
        reader="similarity", log_content="true", llm_base_url=stub.url, llm_model="stub", llm_api_key=MODEL_KEY,
        milvus_token=MILVUS_TOKEN,
    )  # fmt: skip
    site.as_ = {name: client(site.url, key) for name, key in site.keys.items()}
    yield site
    for one in site.as_.values():
        one.close()
    site.stop()


def read_lines(log):
    """The lines of JSON among what a server told."""
    return [json.loads(line) for line in "".join(log).splitlines() if line.startswith("{")]


def line_of(site, answer):
    """The line of JSON about an answer, which a server may write a moment after it was sent."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        for one in read_lines(list(site.logged)):
            if one.get("id") == answer:
                return one
        time.sleep(0.01)
    pytest.fail(f"there is no line about the answer {answer}")


def ask(http, question=QUESTION, **more):
    return http.post("/api/v1/ask", json={"question": question, **more})


def noted(http, **query):
    return http.get("/api/v1/audit", params=query).json()["items"]


def figures(http):
    """The figures of a server by name and labels."""
    families = text_string_to_metric_families(http.get("/metrics").text)
    return {(s.name, *sorted(s.labels.values())): s.value for family in families for s in family.samples}


def test_a_question_is_one_line_without_its_words(tmp_path, caplog):
    caplog.set_level(logging.INFO, "pincite.questions")
    with served(copied(tmp_path), ask_rate=2) as url, client(url) as http:
        good = ask(http)
        silent = ask(http, "What is the capital of the moon?")
        busy = ask(http)
        assert [one.status_code for one in (good, silent, busy)] == [200, 200, 429]
    log = "\n".join(Lines().format(one) for one in caplog.records)
    first, second, third = map(json.loads, log.splitlines())
    assert first["event"] == "question"
    assert first["id"] == good.headers["x-answer-id"]
    assert first["conversation"] == good.headers["x-conversation-id"]
    assert (first["user"], first["origin"], first["status"]) == ("local", "api", "answered")
    assert first["documents"] == [good.json()["citations"][0]["document"]]
    assert {"wait", "encode", "search", "read", "compose", "all"} == first["ms"].keys()
    told = good.json()["timing_ms"]
    assert first["ms"]["search"] == pytest.approx(told["search"], abs=0.06)
    assert first["ms"]["all"] >= told["total"]
    assert (second["status"], second["reason"], second["documents"]) == ("refused", silent.json()["reason"], [])
    assert (third["status"], third["error"], list(third["ms"])) == ("failed", "TooManyError", ["all"])
    for word in ("Tayport", "moon", "nine in the evening", "trains.txt"):
        assert word not in log


def test_the_words_are_logged_where_the_setting_says_so(site):
    answered = ask(site.as_["rita"], "Who is the lighthouse keeper of Skerrow?")
    line = line_of(site, answered.headers["x-answer-id"])
    assert line["question"] == "Who is the lighthouse keeper of Skerrow?"
    assert "Orla Finch" in line["text"]
    assert line["ms"]["write"] > 0


def test_an_error_is_logged_without_its_words(tmp_path):
    try:
        raise KeyError("what somebody asked")
    except KeyError as error:
        args = (logging.ERROR, "x", 1, "in %s", ("a question",), (KeyError, error, error.__traceback__))
        record = logging.LogRecord("uvicorn.error", *args)
    line = json.loads(Lines().format(record))
    assert (line["error"], line["level"], line["logger"]) == ("KeyError", "error", "uvicorn.error")
    assert re.fullmatch(r"tests/test_watch.py:\d+", line["trace"][-1])
    assert "what somebody asked" not in str(line)
    assert "a question" not in str(line)
    assert json.loads(Lines(content=True).format(record))["words"] == "'what somebody asked'"


def test_figures_are_for_an_admin_and_count(site):
    ada, rita = site.as_["ada"], site.as_["rita"]
    before = figures(ada)
    assert ask(rita).status_code == 200
    assert ask(rita, conversation="0" * 16).status_code == 404
    assert rita.get("/nowhere/at/all").status_code == 404
    assert rita.get("/metrics").status_code == 403
    after = figures(ada)

    def more(*name):
        return after.get(name, 0) - before.get(name, 0)

    assert more("pincite_questions_total", "answered", "api") == 1
    assert more("pincite_requests_total", "/api/v1/ask", "200", "POST") == 1
    assert more("pincite_requests_total", "/api/v1/ask", "404", "POST") == 1
    assert more("pincite_questions_total", "api", "failed") == 1
    assert more("pincite_requests_total", "404", "any", "none") == 1
    assert more("pincite_requests_total", "/metrics", "403", "GET") == 1
    assert more("pincite_response_seconds_count", "/api/v1/ask") == 2
    assert more("pincite_question_seconds_count", "search") == 1
    assert after["pincite_queue_taken", "ask"] == 0
    assert after["pincite_queue_places", "ask"] > 2
    assert after["process_resident_memory_bytes",] > 1_000_000
    with client(site.url) as stranger:
        assert stranger.get("/metrics").status_code == 401
    assert not any("nowhere" in str(name) for name in after), "what somebody typed is no label"


def test_without_accounts_whoever_is_on_this_machine_reads_the_figures(tmp_path):
    with served(copied(tmp_path)) as url, client(url) as http:
        assert ask(http).status_code == 200
        assert figures(http)["pincite_questions_total", "answered", "api"] == 1
        assert noted(http)[0]["action"] == "answer"


def test_what_everybody_does_is_noted(site):
    ed, rita, ada = site.as_["ed"], site.as_["rita"], site.as_["ada"]
    file = {"file": ("tide.txt", b"The tide table of Ostwick, an invented place, is kept by Nils Aho.")}
    (added,) = ed.post("/api/v1/documents", files=file, data={"group": ["board"]}).json()
    id_ = added["document"]
    hidden = rita.get(f"/api/v1/documents/{id_}/text")
    assert hidden.status_code == 404
    ed.put(f"/api/v1/documents/{id_}/groups", json={"groups": []})
    asked = ask(rita, "Who keeps the tide table of Ostwick?")
    answer = asked.headers["x-answer-id"]
    rita.get(f"/api/v1/answers/{answer}/citations/1")
    rita.get(f"/api/v1/documents/{id_}/blocks")
    rita.post("/api/v1/search", json={"query": "tide table"})
    rita.post("/api/v1/why", json={"question": "Who keeps the tide table?", "quote": "kept by Nils Aho"})
    ed.delete(f"/api/v1/documents/{id_}")
    rows = list(reversed(noted(ada, document=id_)))
    assert [(row["user"], row["action"]) for row in rows] == [
        ("ed", "add"), ("ed", "share"), ("rita", "answer"), ("rita", "read"), ("rita", "read"), ("rita", "search"),
        ("rita", "read"), ("ed", "remove"),
    ]  # fmt: skip
    assert rows[0]["detail"] == {"outcome": "added", "groups": "board"}
    assert (rows[1]["subject"], rows[1]["detail"]) == ("tide.txt", {"groups": ""})
    assert rows[2]["subject"] == answer
    assert noted(ada, user="rita", action="read")[0]["subject"] == "tide.txt"
    words = json.dumps(noted(ada, limit=500))
    assert "Nils" not in words
    assert "tide table" not in words
    for name in ("ed", "rita"):
        assert site.as_[name].get("/api/v1/audit").status_code == 403


def test_who_comes_in_is_noted_and_a_password_in_the_wrong_field_is_not(site):
    with client(site.url) as http:
        for name, password, status in (("ada", WRONG, 401), (WRONG, PASSWORD, 401), ("ada", PASSWORD, 204)):
            given = {"name": name, "password": password}
            assert http.post("/api/v1/session", json=given).status_code == status
        http.delete("/api/v1/session")
    last = noted(site.as_["ada"])[:4]
    assert [(row["user"], row["action"], row["subject"]) for row in reversed(last)] == [
        ("", "sign in refused", "ada"), ("", "sign in refused", ""), ("ada", "sign in", "ada"),
        ("ada", "sign out", "ada"),
    ]  # fmt: skip


def test_the_command_line_notes_and_tells(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PINCITE_INDEX", str(copied(tmp_path)))
    Path("new.txt").write_text("A new file, on the herons of Ostwick, an invented place.")

    def run(*words):
        done = CliRunner().invoke(cli, words)
        assert done.exit_code == 0, done.output
        return done.output.splitlines()

    run("add", "new.txt")
    assert not Path("x.index", "state.sqlite").exists(), "nobody is served yet, so nothing is noted"
    run("user", "add", "ada", "--role", "admin", "--no-password")
    run("key", "add", "ada")
    run("remove", "new.txt")
    run("add", "new.txt")
    run("add", "new.txt")
    told = [json.loads(line) for line in run("audit", "--json")]
    assert [one["action"] for one in told] == ["user add", "key add", "remove", "add"]
    assert all(one["user"].startswith("shell:") for one in told)
    assert (told[2]["subject"], told[2]["documents"]) == ("new.txt", told[3]["documents"])
    (shown,) = run("audit", "--action", "add", "--since", "2026-01-01")
    assert "new.txt" in shown
    assert run("audit", "--user", "nobody") == ["nothing is noted that fits"]


def test_what_is_noted_stays(tmp_path):
    state = State(tmp_path)
    Audit(state).note("ada", "add", "a.txt", ["0" * 16])
    for change in ("DELETE FROM audit", "UPDATE audit SET user = 'eve'"):
        with pytest.raises(StoreError, match="only grows"):
            state.do(change)
    state.close()
    again = State(tmp_path)
    assert [one.user for one in Audit(again).entries().items] == ["ada"]
    again.close()


def test_what_fails_is_not_noted_as_done(tmp_path):
    """An answer and its note are one commit."""
    from ui.talks import Talks, new_id

    state = State(tmp_path)
    talks, caller = Talks(state), Caller(name="ada", role="admin")

    def fail():
        with state.transaction():
            talks.begin(caller, "x", "api", new_id())
            Audit(state).note("ada", "answer")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert Audit(state).entries().total == 0
    state.close()


def test_a_database_of_the_first_format_is_brought_up(tmp_path):
    old = sqlite3.connect(tmp_path / "state.sqlite")
    old.executescript(FORMATS[0])
    old.executescript("PRAGMA user_version=1; INSERT INTO users VALUES ('ada', 'admin', NULL, 'x');")
    old.close()
    for _ in range(2):
        state = State(tmp_path)
        assert state.value("PRAGMA user_version") == 2
        assert state.value("SELECT name FROM users") == "ada"
        Audit(state).note("ada", "sign in")
        state.close()


def test_no_secret_is_in_anything_that_comes_out(site, stub):
    """Passwords, keys, sessions: looked for in the log, the figures, files, prompts, answers, errors and exports."""
    ada, said = site.as_["ada"], []
    with client(site.url) as http:
        response = http.post("/api/v1/session", json={"name": "ada", "password": PASSWORD})
        session = http.cookies["pincite_session"]
        said += [response.text, http.get("/api/v1/session").text]
        secrets = [PASSWORD, WRONG, MODEL_KEY, MILVUS_TOKEN, session]
        secrets += [key.split("_", 2)[2] for key in site.keys.values()]
        said.append(http.post("/api/v1/session", json={"name": "ada", "password": {"x": PASSWORD}}).text)
        said.append(http.post("/api/v1/session", content=b'{"password": "' + PASSWORD.encode()).text)
        said.append(http.post("/api/v1/session", json={"name": "ada", "password": WRONG}).text)
    with client(site.url, site.keys["ada"][:-1] + "x") as http:
        said.append(http.get("/api/v1/documents").text)
    for mode in ("401", "500", "html", "echo"):
        stub.mode = mode
        asked = ask(ada, "Who gave $12,500 to the Bramble Bee Society in 2021?")
        said.append(asked.text)
    answer, talk = asked.headers["x-answer-id"], asked.headers["x-conversation-id"]
    paths = [f"/api/v1/answers/{answer}{end}" for end in ("", "/text", "/table.csv", "/citations/1", "/citations/99")]
    paths += [f"/api/v1/conversations/{talk}/export?format={form}" for form in ("markdown", "html")]
    paths += ["/metrics", "/api/v1/audit?limit=500", "/api/v1/nowhere", "/api/v1/documents?limit=0", "/readyz"]
    said += [ada.get(path).text for path in paths]
    said.append(ada.get("/api/v1/conversations", params={"text": "", "key": site.keys["ada"]}).text)
    said.append(pincite(site.folder.parent, "user", "list", "--json").stdout)
    said.append(pincite(site.folder.parent, "key", "list", "--json").stdout)
    said.append(pincite(site.folder.parent, "audit", "--json").stdout)
    assert stub.keys[-1] == f"Bearer {MODEL_KEY}", "the model gets its key, and in its header alone"
    said += [json.dumps(body) for body in stub.asked]
    said += [str(stub.paths), "".join(site.logged)]
    assert len(stub.asked) >= 4
    assert "Bramble Bee" in said[-1], "the log is read"
    stored = b"".join(path.read_bytes() for path in Path(site.folder).rglob("*") if path.is_file())
    assert TEXTS["bees.txt"][:20].encode() in stored, "the files are read"
    for secret in secrets:
        assert len(secret) > 10
        assert not [one[:300] for one in said if secret in one]
        assert secret.encode() not in stored
