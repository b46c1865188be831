"""Settings from flags, environment and file, and the commands that a server is run with."""

import json
import os
import signal
import socket
import subprocess
import sys

import pytest
from click.testing import CliRunner

from index.errors import DamagedError, UsageError
from tests.serving import PASSWORD, accounts, client, copied
from tests.stub_model import serving
from ui.commands import key, models, serve, user
from ui.settings import Settings, load


@pytest.fixture(autouse=True)
def _alone(tmp_path, monkeypatch):
    """No settings but those of the test."""
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith("PINCITE_"):
            monkeypatch.delenv(name)


def test_flags_come_before_the_environment_and_that_before_the_file(tmp_path, monkeypatch):
    (tmp_path / "pincite.toml").write_text('port = 1001\nhost = "localhost"\nworkers = 3\nallowed_hosts = ["a", "b"]\n')
    monkeypatch.setenv("PINCITE_PORT", "1002")
    monkeypatch.setenv("PINCITE_WORKERS", "4")
    settings = load(port=1003, host=None)
    assert (settings.port, settings.workers, settings.host) == (1003, 4, "localhost")
    assert settings.allowed_hosts == ("a", "b")
    monkeypatch.setenv("PINCITE_ALLOWED_HOSTS", "pin.example, other.example")
    assert load().allowed_hosts == ("pin.example", "other.example")


@pytest.mark.parametrize(
    ("file", "says"),
    [
        ("colour = 1", "colour"),
        ("port = 70000", "port"),
        ('workers = "many"', "workers"),
        ("port = ", "pincite.toml"),
    ],
)
def test_a_wrong_file_is_refused_in_one_line(tmp_path, file, says):
    (tmp_path / "pincite.toml").write_text(file)
    with pytest.raises(UsageError, match=says) as raised:
        load()
    assert "\n" not in str(raised.value)


def test_an_unknown_variable_is_refused(monkeypatch):
    monkeypatch.setenv("PINCITE_PROT", "80")
    with pytest.raises(UsageError, match="PINCITE_PROT"):
        load()


def test_a_language_model_by_flag_environment_and_file(tmp_path, monkeypatch):
    (tmp_path / "pincite.toml").write_text('port = 1001\n[llm]\nmodel = "file"\nseconds = 5\nwindow = 2048\n')
    monkeypatch.setenv("PINCITE_LLM_MODEL", "environment")
    monkeypatch.setenv("PINCITE_LLM_BASE_URL", "http://127.0.0.1:1/v1")
    llm = load(llm={"base_url": "http://127.0.0.1:2/v1", "model": None}).llm
    assert (llm.base_url, llm.model, llm.seconds, llm.window) == ("http://127.0.0.1:2/v1", "environment", 5, 2048)
    assert load(llm={"base_url": ""}).llm.base_url is None
    assert load().port == 1001


@pytest.mark.parametrize(
    ("file", "says"),
    [
        ('[llm]\ncolour = "red"', "llm.colour"),
        ("[llm]\nseconds = -1", "llm.seconds"),
        ('[llm]\nbase_url = "http://me:sk-very-secret@x/v1"', "llm.base_url"),  # planted
        ('llm_model = "x"', "llm_model"),
    ],
)
def test_a_wrong_language_model_is_refused_in_one_line(tmp_path, file, says):
    (tmp_path / "pincite.toml").write_text(file)
    with pytest.raises(UsageError, match=says) as raised:
        load()
    assert "\n" not in str(raised.value)
    assert "secret" not in str(raised.value)


def test_a_key_of_a_language_model_is_never_shown(tmp_path, monkeypatch):
    (tmp_path / "pincite.toml").write_text('[llm]\napi_key = "sk-from-the-file"')
    assert load().llm.api_key.get_secret_value() == "sk-from-the-file"
    monkeypatch.setenv("PINCITE_LLM_API_KEY", "sk-very-secret")
    settings = load()
    assert "sk-very-secret" not in repr(settings)
    assert "sk-very-secret" not in settings.model_dump_json()
    assert settings.llm.api_key.get_secret_value() == "sk-very-secret"
    monkeypatch.setenv("PINCITE_LLM_SECONDS", "sk-very-secret")
    with pytest.raises(UsageError) as raised:
        load()
    assert "sk-very-secret" not in str(raised.value)


def test_models_says_what_can_be_reached(monkeypatch):
    asked = CliRunner().invoke
    assert "PINCITE_LLM_BASE_URL" in str(asked(models).exception)
    with serving() as stub:
        address = ["--llm-base-url", stub.url]
        open_ = asked(models, address)
        assert (open_.exit_code, open_.stdout) == (0, "stub\n")
        assert "PINCITE_LLM_MODEL" in open_.stderr
        monkeypatch.setenv("PINCITE_LLM_API_KEY", "sk-very-secret")
        chosen = asked(models, [*address, "--llm-model", "stub", "--json"])
        assert json.loads(chosen.stdout) == {
            "base_url": stub.url, "models": ["stub"], "model": "stub", "ready": True,
        }  # fmt: skip
        assert "words the answers" in asked(models, [*address, "--llm-model", "stub"]).stdout
        other = asked(models, [*address, "--llm-model", "other"])
        assert "has no model 'other'" in str(other.exception)
    with serving(mode="401") as stub:
        refused = asked(models, ["--llm-base-url", stub.url])
    assert "PINCITE_LLM_API_KEY" in str(refused.exception)
    assert "secret" not in f"{refused.output} {refused.exception}"
    assert "start it" in str(asked(models, ["--llm-base-url", "http://127.0.0.1:1/v1"]).exception)


@pytest.mark.parametrize(
    ("host", "names", "local"),
    [
        ("127.0.0.1", (), True),
        ("localhost", (), True),
        ("::1", (), True),
        ("0.0.0.0", (), False),  # noqa: S104
        ("::", (), False),
        ("192.168.1.5", (), False),
        ("127.0.0.1", ("pin.example",), False),
        ("127.0.0.1", ("localhost",), True),
    ],
)
def test_what_is_local(host, names, local):
    assert Settings(host=host, allowed_hosts=names).is_local is local


def run(command, *arguments, **more):
    return CliRunner().invoke(command, [*arguments, "--index", "x.index"], **more)


def test_users_by_the_command_line(tmp_path):
    made = run(user, "add", "ada", "--json", input=f"{PASSWORD}\n{PASSWORD}\n")
    assert made.exit_code == 0, made.output
    assert json.loads(made.stdout.splitlines()[-1])["role"] == "admin"
    assert PASSWORD not in made.output
    assert run(user, "add", "bo", "--group", "board", "--password-stdin", input=f"{PASSWORD}\n").exit_code == 0
    assert run(user, "set", "bo", "--role", "editor", "--group", "press").exit_code == 0
    listed = [json.loads(line) for line in run(user, "list", "--json").stdout.splitlines()]
    assert [(u["name"], u["role"], u["groups"]) for u in listed] == [("ada", "admin", []), ("bo", "editor", ["press"])]
    with accounts(tmp_path / "x.index") as kept:
        assert kept.sign_in("bo", PASSWORD)
    assert run(user, "remove", "bo").exit_code == 0
    wrong = run(user, "remove", "bo")
    assert isinstance(wrong.exception, UsageError)


def test_keys_by_the_command_line(tmp_path):
    run(user, "add", "ada", "--no-password")
    made = json.loads(run(key, "add", "ada", "--label", "nightly", "--json").stdout)
    with accounts(tmp_path / "x.index") as kept:
        assert kept.by_key(made["key"]).name == "ada"
    (listed,) = [json.loads(line) for line in run(key, "list", "--json").stdout.splitlines()]
    assert listed["label"] == "nightly"
    assert made["key"].split("_")[-1] not in json.dumps(listed)
    assert run(key, "remove", listed["id"]).exit_code == 0
    assert run(key, "list").stdout == ""


def test_serving_elsewhere_without_accounts_is_refused():
    result = run(serve, "--host", "0.0.0.0", "--no-page")  # noqa: S104
    assert isinstance(result.exception, UsageError)
    assert "pincite user add NAME --role admin --index x.index" in str(result.exception)


def test_a_taken_port_is_told():
    with socket.create_server(("127.0.0.1", 0)) as other:
        result = run(serve, "--port", str(other.getsockname()[1]), "--no-page")
    assert "choose another with --port" in str(result.exception)


def test_an_index_that_cannot_be_used_is_told(tmp_path):
    (tmp_path / "x.index").mkdir()
    (tmp_path / "x.index" / "pincite.sqlite").write_bytes(b"not a database, but long enough to be looked at" * 100)
    result = run(serve, "--port", "0", "--no-page")
    assert isinstance(result.exception, DamagedError)


def test_a_stopped_server_finishes_what_it_began(tmp_path):
    copied(tmp_path)
    code = "from ui.commands import serve; serve()"
    env = {name: value for name, value in os.environ.items() if not name.startswith("PINCITE_")}
    env |= {"PINCITE_INDEX": "x.index", "PINCITE_PORT": "0", "PINCITE_PAGE": "false", "PINCITE_READER": "similarity"}
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, env=env, stderr=subprocess.PIPE, text=True
    ) as server:
        url = server.stderr.readline().split()[-1]
        with client(url) as http:
            assert http.get("/healthz").status_code == 200
            body = {"question": "x " * 2_000 + "When does the night train leave?"}
            with http.stream("POST", "/api/v1/ask", json=body, headers={"Accept": "text/event-stream"}) as answer:
                server.send_signal(signal.SIGTERM)
                assert "event: answer" in answer.read().decode()
        assert server.wait(40) in (0, -signal.SIGTERM)
        assert "Traceback" not in server.stderr.read()
