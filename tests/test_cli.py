"""The command line as a person or a script meets it, on real files: each command once in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from index.load import MAX_BYTES
from tests.prompt import apart, here
from tests.stub_model import serving
from tests.trust.room import unmount

COMMANDS = ["add", "ask", "audit", "check", "eval", "list", "models", "rebuild", "remove", "search", "serve", "show"]


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("cli")
    docs = folder / "docs"
    docs.mkdir()
    (docs / "report.txt").write_text(
        "Report of the Larch Fund (invented)\n\nPublished: 4 May 2022\n\n"
        "The Larch Fund made two grants in 2021. The Owl Museum received $40,000 for a new roof. "
        "The Heron Choir was given $15,000 for a tour of five villages.\n\n"
        "In 2020 the fund paid $9,000 to the Swift Library.\n"
    )
    (docs / "broken.pdf").write_bytes(b"%PDF-1.4 nothing")
    return folder


def lines(done: subprocess.CompletedProcess[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def added(place) -> list[dict[str, object]]:
    return lines(apart(place, "add", "docs", "--json"))


def test_help_lists_every_command(place):
    listed = apart(place, "--help").stdout
    assert all(f"\n  {command} " in listed for command in COMMANDS)


def test_add_prints_a_line_for_each_file(place, added):
    assert [(a["source"], a["outcome"]) for a in added] == [
        ("docs/broken.pdf", "refused"),
        ("docs/report.txt", "added"),
    ]
    assert added[0]["reason"]
    assert "1 unchanged" in here(place, "add", "docs").stdout


def test_ask_prints_an_answer_whose_citations_are_slices(place, added):
    (answer,) = lines(apart(place, "ask", "How much did the Owl Museum receive in 2021?", "--json"))
    assert answer["status"] == "answered"
    text = apart(place, "show", "docs/report.txt").stdout
    for citation in answer["citations"]:
        assert text[citation["start"] : citation["end"]] == citation["quote"]
    assert any("$40,000" in citation["quote"] for citation in answer["citations"])
    assert "$9,000" not in answer["text"]


def test_an_answer_for_people_names_its_sources(place, added):
    shown = here(place, "ask", "What did the Heron Choir get?").stdout
    assert "$15,000" in shown
    assert "[1] docs/report.txt:" in shown


def test_a_refusal_says_why_and_shows_what_is_near(place, added):
    (answer,) = lines(here(place, "ask", "Who won the chess championship of Peru?", "--json"))
    assert (answer["status"], answer["reason"], answer["claims"]) == ("refused", "no_evidence", [])
    assert answer["nearest"]


def test_search_list_show_and_check(place, added):
    (hit,) = lines(apart(place, "search", "new roof", "-k", "1", "--json"))
    assert "Owl Museum" in str(hit["text"])
    (listed,) = lines(here(place, "list", "--json"))
    assert (listed["source"], listed["published"]) == ("docs/report.txt", "2022-05-04")
    assert lines(here(place, "show", str(listed["id"])[:8], "--json"))[0]["id"] == listed["id"]
    assert lines(here(place, "list", "--where", "published<2022", "--json")) == []
    assert lines(apart(place, "check", "--json")) == [{"sound": True, "problems": []}]
    assert lines(apart(place, "rebuild", "--json")) == [{"documents": 1, "encoded": [], "lost": []}]


def test_a_language_model_words_the_answer(place, added):
    question = "What did the Heron Choir get?"
    with serving("The Heron Choir was given $15,000 [1]. It has ninety singers [1].") as stub:
        model = {"PINCITE_LLM_BASE_URL": stub.url, "PINCITE_LLM_MODEL": "stub"}
        (answer,) = lines(here(place, "ask", question, "--json", **model))
        assert answer["answerer"].startswith("llm:stub")
        assert "The Heron Choir was given $15,000. [1]" in str(answer["text"])
        assert "ninety" not in str(answer["text"])
        asked = len(stub.asked)
        here(place, "ask", question, "--no-llm", **model)
        assert len(stub.asked) == asked
    shown = here(place, "ask", question, **model).stdout
    assert "$15,000 for a tour of five villages" in shown
    assert "Note: Shown in the documents' own words: the language model cannot be reached." in shown


def test_the_file_of_settings_names_the_index(place, added, tmp_path):
    (tmp_path / "pincite.toml").write_text(f'index = "{place / "x.index"}"\n')
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PINCITE_")}
    command = [Path(sys.executable).parent / "pincite", "list"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=True)
    assert "docs/report.txt" in done.stdout


def test_remove(place, added, tmp_path):
    (tmp_path / "a.txt").write_text("A note about larks that will not stay for long.")
    index = {"PINCITE_INDEX": str(tmp_path / "r.index")}
    here(tmp_path, "add", "a.txt", **index)
    assert apart(tmp_path, "remove", "a.txt", **index).stdout == "removed a.txt\n"
    assert "no documents" in here(tmp_path, "list", **index).stdout
    assert lines(here(tmp_path, "ask", "Where are the larks?", "--json", **index))[0]["reason"] == "no_documents"


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["add", "nowhere"], 2, "check the path"),
        (["ask", ""], 2, "type a question"),
        (["ask", "grants?", "--where", "year=1"], 2, "there is no field 'year'"),
        (["ask", "grants?", "--reader", "oracle"], 2, "there is no reader 'oracle'"),
        (["show", "nothing.txt"], 2, "see `pincite list`"),
        (["search", "x", "--index", "elsewhere.index"], 2, "make one with `pincite add PATH"),
        (["add", "docs/broken.pdf"], 1, ""),
    ],
)
def test_a_bad_call_ends_in_one_line_that_says_what_to_do(place, added, words, code, message):
    done = here(place, *words, code=code)
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) <= 1


def test_a_question_of_a_megabyte_is_refused(place, added):
    import rag
    from index.errors import UsageError

    with rag.open(place / "x.index") as assistant, pytest.raises(UsageError, match="add it as a document"):
        assistant.ask("why " * 260_000)


def test_a_huge_text_is_refused_without_being_read(tmp_path):
    with (tmp_path / "huge.txt").open("wb") as file:
        file.truncate(max(MAX_BYTES + 1, 200_000_000))
    done = here(tmp_path, "add", "huge.txt", "--json", code=1, PINCITE_INDEX=str(tmp_path / "x.index"))
    assert lines(done)[0]["outcome"] == "refused"


def test_damage_ends_in_one_line_and_exit_code_1(tmp_path):
    (tmp_path / "a.txt").write_text("A note about larks that will be damaged soon enough.")
    index = {"PINCITE_INDEX": str(tmp_path / "d.index")}
    here(tmp_path, "add", "a.txt", **index)
    (tmp_path / "d.index" / "pincite.sqlite").write_bytes(b"\0" * 5000)
    done = apart(tmp_path, "ask", "larks?", code=1, **index)
    assert "damaged" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="needs root on Linux to mount a small disk")
def test_a_full_disk_leaves_what_was_there(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", disk]
    mounted = subprocess.run(command, check=False, capture_output=True)
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    try:
        index = {"PINCITE_INDEX": str(disk / "f.index")}
        (tmp_path / "small.txt").write_text("A note about larks that fits on any disk.")
        parts = (f"Sentence {n} of a long text, with number {n * 7}." for n in range(200))
        (tmp_path / "large.txt").write_text("\n\n".join(parts))
        here(tmp_path, "add", "small.txt", **index)
        left = os.statvfs(disk)
        (disk / "ballast").write_bytes(bytes(max(left.f_bavail * left.f_frsize - 40_000, 0)))
        done = here(tmp_path, "add", "large.txt", code=1, **index)
        assert "full" in done.stderr
        assert len(done.stderr.splitlines()) == 1
        assert "larks" in here(tmp_path, "show", "small.txt", **index).stdout
        assert here(tmp_path, "list", "--json", **index).stdout.count("\n") == 1
    finally:
        unmount(disk)
