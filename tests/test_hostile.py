"""Files that mean harm: each costs a bounded amount, and the next file is read as ever."""

import os
import socket
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import pytest

from index.apart import Apart, Limits
from index.errors import DocumentError
from index.library import Index
from index.reading import read_document
from tests.hostile_files import (
    ATTACKS,
    MAIN,
    PAGE,
    READ,
    REFUSED,
    SHOWN,
    WORDS,
    changed,
    office,
    package,
    paper,
    stream,
)
from tests.trust.fuzzed import file_of
from tests.trust.hostile import attacked, fuzzed

ROOT = Path(__file__).parents[1]
FOUND = Path(__file__).parent / "fuzz"

SMALL = Limits(seconds=6, memory=1024**3, answer=32 * 1024**2)
MOST = 2 * SMALL.seconds + 15  # seconds: two tries and two new processes, on a machine that is busy


@pytest.fixture(scope="module")
def reader():
    made = Apart(SMALL)
    yield made
    made.close()


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_a_hostile_file_costs_a_bounded_amount(reader, attack):
    became, seconds = attacked(reader, attack, 1)
    assert became in (READ, REFUSED)
    assert seconds < MOST
    assert reader.read(WORDS.encode(), "good.txt").document.text == WORDS


def test_a_file_that_takes_too_long_is_refused_and_the_next_one_is_read():
    reader = Apart(Limits(seconds=0.5))
    slow = next(attack for attack in ATTACKS if attack.name == "merged areas without end").make(1)
    try:
        with pytest.raises(DocumentError, match=r"^a\.xlsx: it took longer than 0\.5 s to read; split it"):
            reader.read(slow, "reports/a.xlsx")
        assert reader._child is None
        assert reader.read(WORDS.encode(), "b.txt").document.text == WORDS
    finally:
        reader.close()


def test_a_file_that_takes_too_much_memory_is_refused():
    reader = Apart(Limits(memory=512 * 1024**2))
    try:
        with pytest.raises(DocumentError, match=r"^a\.csv: it .* 512 MiB of memory"):
            reader.read(b"Name,Sum,Year\n" + b"Acme,5,2021\n" * 200_000, "a.csv")
    finally:
        reader.close()


def test_a_file_that_becomes_too_much_is_refused(reader):
    small = Apart(Limits(answer=1024**2))
    try:
        with pytest.raises(DocumentError, match=r"what is made of it passes 1 MiB; split it"):
            small.read(f"{WORDS}\n\n".encode() * 15_000, "a.txt")
    finally:
        small.close()


def test_whoever_ends_the_process_loses_no_file(reader):
    first = reader.read(WORDS.encode(), "a.txt")
    reader._child.kill()
    reader._child.wait()
    assert reader.read(WORDS.encode(), "a.txt") == first == read_document(WORDS.encode(), "a.txt")


def test_threads_take_turns(reader):
    def read(n: int) -> str:
        return reader.read(f"{WORDS} It was number {n}.".encode(), f"{n}.txt").document.text

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(read, range(24))) == [f"{WORDS} It was number {n}." for n in range(24)]


def test_an_answer_about_another_file_is_not_taken(reader, monkeypatch):
    told = read_document(b"Words of another file stand here.", "a.txt").model_dump_json().encode()
    monkeypatch.setattr("index.apart._exchange", lambda *_: (b"D", told))
    with pytest.raises(DocumentError, match="not of this file"):
        reader.read(WORDS.encode(), "a.txt")


def test_no_parser_runs_in_the_process_that_adds(tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "a.html").write_bytes(PAGE)
    (folder / "b.pdf").write_bytes(paper(stream(SHOWN.replace(b"2021", b"2022"))))
    (folder / "c.docx").write_bytes(package(office("docx")))
    (folder / "d.pdf").write_bytes(next(a for a in ATTACKS if a.name == "a page tree that is a ring").make(1))
    script = """
        import sys
        from index.library import Index
        with Index(sys.argv[1]) as index:
            print(*(one.outcome for one in index.add(sys.argv[2])))
        print(*({"trafilatura", "pypdfium2", "docx", "lxml.html"} & set(sys.modules)))
    """
    command = [sys.executable, "-c", textwrap.dedent(script), tmp_path / "x.index", folder]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["added added duplicate refused", ""], done.stdout


def test_what_is_read_can_start_nothing_and_reach_nobody():
    script = """
        import socket, subprocess, sys
        from index.child import _forbid
        sys.addaudithook(_forbid)
        for call in (
            lambda: socket.create_connection(("127.0.0.1", 9)),
            lambda: socket.getaddrinfo("example.invalid", 80),
            lambda: subprocess.run(["true"]),
            lambda: open("here", "w"),
        ):
            try:
                call()
            except PermissionError:
                print("forbidden")
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert done.stdout.split() == ["forbidden"] * 4, done.stderr


class Listener:
    """Counts who comes to a port on loopback."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        self.count = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                self.socket.accept()[0].close()
            except OSError:
                return
            self.count += 1


def calling(url: str) -> dict[str, bytes]:
    """Files that call a listener by every way that their formats have, and want to read a file of this machine."""
    entities = (
        f'<!DOCTYPE x SYSTEM "{url}/a.dtd" [<!ENTITY e SYSTEM "{url}/e"><!ENTITY f SYSTEM "file:///etc/passwd">]>'
    )
    page = f"""<!DOCTYPE html SYSTEM "{url}/x.dtd"><html><head><base href="{url}/"><link rel="stylesheet" href="s.css">
        <meta http-equiv="refresh" content="0; url={url}"><script src="x.js"></script></head><body><p>{WORDS}</p>
        <img src="p.png"><iframe src="{url}"></iframe><object data="{url}"></object><video src="{url}/v"></video>
        <xi:include href="{url}/i" xmlns:xi="http://www.w3.org/2001/XInclude"/>&e;</body></html>"""
    link = f"<< /S /URI /URI ({url}/u) >>".encode()
    outside = f"<< /Length 0 /F << /FS /URL /F ({url}/f) >> >>\nstream\n\nendstream".encode()
    files = {
        "a.html": page.encode(),
        "b.html": f'<?xml version="1.0"?>{entities}<html><body><p>{WORDS} &e; &f;</p></body></html>'.encode(),
        "c.md": f"{WORDS}\n\n![p]({url}/p.png) <img src='{url}/q.png'>\n".encode(),
        "d.pdf": paper(stream(SHOWN), outside, catalogue=b"/OpenAction " + link, page=b"/AA << /O %s >>" % link),
        "e.pdf": paper(outside, catalogue=f"/OpenAction << /S /JavaScript /JS (app.launchURL\\({url}\\)) >>".encode()),
    }
    for kind in MAIN:
        files[f"f.{kind}"] = changed(kind, lambda part: entities.encode() + part.split(b"?>", 1)[-1])
        parts = office(kind)
        kinds = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
        folder, _, name = MAIN[kind].rpartition("/")
        relations = f"{folder}/_rels/{name}.rels"
        known = parts.get(
            relations, b'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        )
        known = known.replace(b"</Relationships>", b"")
        more = "".join(
            f'<Relationship Id="rId9{n}" Type="{kinds}/{one}" Target="{url}/{one}" TargetMode="External"/>'
            for n, one in enumerate(
                ("attachedTemplate", "image", "oleObject", "externalLink", "subDocument", "footnotes")
            )
        )
        parts[relations] = known + more.encode() + b"</Relationships>"
        files[f"g.{kind}"] = package(parts)
    return files


def test_nothing_remote_is_ever_fetched():
    listener = Listener()
    read = 0
    for name, data in calling(listener.url).items():
        try:
            text = read_document(data, name).document.text  # here, where no audit hook stands in the way
        except DocumentError:
            continue
        assert "root:" not in text
        read += "Bramble Bee Society" in text
    assert read >= 5
    assert listener.count == 0
    socket.create_connection(listener.socket.getsockname()).close()
    for _ in range(100):
        if listener.count:
            break
        time.sleep(0.02)
    assert listener.count == 1  # it would have counted
    listener.socket.close()


@pytest.mark.parametrize("path", sorted(FOUND.glob("*/*")), ids=lambda path: f"{path.parent.name}-{path.name[:8]}")
def test_inputs_that_fuzzing_found_are_read_or_refused(reader, path):
    kind, told = path.parent.name, ""
    try:
        reader.read(file_of(kind, path.read_bytes()), f"a.{kind}")
    except DocumentError as error:
        told = str(error)
    assert "breaks what reads it" not in told
    assert "longer than" not in told


@pytest.mark.skipif(find_spec("atheris") is None, reason="atheris is for Linux alone")
def test_a_parser_under_atheris(tmp_path):
    finding = fuzzed(tmp_path, {"md": 200}, 1)
    assert finding.kept, finding.figure
    assert any((tmp_path / "md" / "corpus").iterdir())


def test_a_folder_with_a_hostile_file_is_added_but_for_it(tmp_path, encoder):
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "a.docx").write_bytes(next(a for a in ATTACKS if a.name == "a docx bomb").make(1))
    (folder / "b.txt").write_text(WORDS)
    with Index(tmp_path / "x.index", encoder) as index:
        assert [one.outcome for one in index.add(folder)] == ["refused", "added"]


def test_a_text_of_capitals_does_not_hold_up_questions():
    """It once took minutes, for each question that came upon it; a minute is a hundred times what it takes."""
    script = "from rag.names import renamings; print(renamings(['A ' * 2000, 'Acme, formerly Beta Trust, gave.']))"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment, timeout=60)
    assert done.stdout.strip() == "[('Acme', 'Beta Trust')]"
