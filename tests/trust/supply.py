"""Supply chain: what is installed, what is loaded, and what the product reaches for when the network is cut."""

from __future__ import annotations

import json
import math
import os
import pickle
import re
import shutil
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import NamedTuple

from index.encode import Encoder, default_model
from index.errors import PinciteError, StoreError
from index.library import Index
from index.models import Model
from tests.trust.trial import Finding, Trial

ROOT = Path(__file__).parents[2]
EXCEPTIONS = ROOT / "locks" / "exceptions.json"
TEXT = b"The lamp of Skerrow, an invented place, is kept by Orla Finch. She lights it at six in the evening."
QUESTION = "Who keeps the lamp of Skerrow?"


# ---- pickles


class Bomb:
    """Leaves a mark where it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return os.mkdir, (str(self.mark),)


def planted(mark: Path) -> dict[str, bytes]:
    """A pickle that does harm, by how it is dressed up: bare, and within the zip file that torch makes of it."""
    bare = pickle.dumps(Bomb(mark))
    place = mark.with_suffix(".zip")
    with zipfile.ZipFile(place, "w") as archive:
        archive.writestr("archive/data.pkl", bare)
        archive.writestr("archive/version", "3\n")
    dressed = place.read_bytes()
    place.unlink()
    return {"bare": bare, "in a zip file": dressed}


def models_of_pickle(folder: Path) -> list[str]:
    """Open models whose files are pickles; what was unpickled, or was opened without a word."""
    mark, wrong = folder / "mark", list[str]()
    for how, harm in planted(mark).items():
        for name in ("model.safetensors", "pytorch_model.bin", "model.pkl"):
            place = folder / "model"
            place.mkdir()
            for file in default_model().iterdir():
                if file.name != "model.safetensors":
                    (place / file.name).symlink_to(file)
            (place / name).write_bytes(harm)
            try:
                Encoder(place)
                wrong.append(f"{name}, {how}: it was opened")
            except PinciteError:
                pass
            shutil.rmtree(place)
            wrong += _exploded(mark, f"{name}, {how}")
    return wrong


def indexes_of_pickle(folder: Path, encoder: Encoder) -> tuple[int, list[str]]:
    """Put a pickle in the place of each file of an index, and into an added one; how many, and what went wrong."""
    from rag.assistant import READERS, Assistant

    mark, wrong, tried = folder / "mark", list[str](), 0
    made = folder / "made.index"
    with Index(made, encoder) as index:
        index.add_bytes(TEXT, "lamp.txt")
        index.search(QUESTION)
    files = [path.relative_to(made) for path in sorted(made.rglob("*")) if path.is_file()]
    for how, harm in planted(mark).items():
        for name in files:
            tried += 1
            place = folder / "x.index"
            shutil.copytree(made, place)
            (place / name).write_bytes(harm)
            try:
                with Index(place, encoder) as index:
                    answer = Assistant(index, READERS["similarity"]()).ask(QUESTION)
                    if answer.status == "answered" and "Orla Finch" not in answer.text:
                        wrong.append(f"{name}, {how}: it answered {answer.text!r}")
                    added = index.add_bytes(harm, "harm.txt")
                    if added.outcome == "added":
                        index.show(added.document or "")
            except PinciteError:
                pass
            shutil.rmtree(place)
            wrong += _exploded(mark, f"{name}, {how}")
    return tried, wrong


def _exploded(mark: Path, what: str) -> list[str]:
    if not mark.exists():
        return []
    mark.rmdir()
    return [f"{what}: it was unpickled"]


def pickles(folder: Path) -> Finding:
    """No pickle is ever read, wherever one is put."""
    wrong = models_of_pickle(folder)
    tried, more = indexes_of_pickle(folder, Encoder())
    wrong += more
    words = f"{6 + tried} pickles planted as models and index files; {len(wrong)} unpickled or answered from"
    return Finding("; ".join([words, *wrong[:3]]), not wrong)


# ---- the network cut

_OFFLINE = """
import json, sys, threading
sys.argv = ["pincite"]
from pathlib import Path
place = Path({place!r})
import rag
with rag.open(place / "x.index") as assistant:
    assistant.add(place / "lamp.txt")
    assert "Orla Finch" in assistant.ask({question!r}).text
from tests.serving import client, served
with served(place / "x.index", page=True) as url, client(url) as http:
    assert "Orla Finch" in http.post("/api/v1/ask", json={{"question": {question!r}}}).text
    assert http.get("/").status_code == 200
print("pincite works alone")
"""
_REFUSING = """
import socket
_connect, _find = socket.socket.connect, socket.getaddrinfo
def _local(address):
    return not isinstance(address, tuple) or str(address[0]) in ("127.0.0.1", "::1", "localhost")
def connect(self, address):
    if not _local(address):
        raise OSError(f"the network is cut: {address}")
    return _connect(self, address)
def find(host, *more, **other):
    if not _local((host,)):
        raise OSError(f"the network is cut: {host}")
    return _find(host, *more, **other)
socket.socket.connect, socket.getaddrinfo = connect, find
"""


class Alone(NamedTuple):
    """How the network was cut, and whether the product worked."""

    how: str
    worked: bool
    told: str


def alone(folder: Path, first: bool) -> Alone:
    """Add, ask, serve and ask again without any network but loopback; ``first`` with an empty cache of models."""
    (folder / "lamp.txt").write_bytes(TEXT)
    code = _OFFLINE.format(place=str(folder), question=QUESTION)
    ran = [sys.executable, "-c", code]
    cut = ["unshare", "--map-root-user", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
    how = "a network namespace with nothing in it but loopback"
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    kept |= {"HF_HUB_OFFLINE": "0", "PYTHONPATH": str(ROOT)} | ({"XDG_CACHE_HOME": str(folder)} if first else {})
    if not shutil.which("unshare") or subprocess.run([*cut, "true"], capture_output=True, check=False).returncode:
        how = "sockets that refuse every address but this machine's"
        (folder / "site").mkdir()
        (folder / "site" / "sitecustomize.py").write_text(_REFUSING)
        kept["PYTHONPATH"] = f"{folder / 'site'}{os.pathsep}{ROOT}"
        cut = []
    done = subprocess.run([*cut, *ran], capture_output=True, text=True, check=False, cwd=folder, env=kept)
    return Alone(how, "pincite works alone" in done.stdout, (done.stdout + done.stderr)[-2000:])


def offline(folder: Path) -> Finding:
    """The product works with the network cut."""
    found = alone(folder, first=True)
    did = "added, asked, compiled its encoder, served the page and answered" if found.worked else found.told
    return Finding(f"in {found.how}: {did}", found.worked)


# ---- known vulnerabilities


class Exemption(Model):
    """A vulnerability that is known and borne until a day, and why."""

    id: str
    package: str
    until: date
    why: str


class Audited(NamedTuple):
    """How many packages were looked up; which could not be; what was found that is not exempted."""

    checked: int
    skipped: tuple[str, ...]
    found: tuple[str, ...]


def audited(lock: Path, exceptions: Path = EXCEPTIONS, today: date | None = None) -> Audited:
    """Look up every package of a lock in the database of known vulnerabilities.

    Raises:
        StoreError: pip-audit itself failed.
    """
    exempt = {
        (one.package, one.id)
        for one in map(Exemption.model_validate, json.loads(exceptions.read_text()))
        if one.until >= (today or date.today())
    }
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(lock), "--disable-pip", "--no-deps"]
    done = subprocess.run(
        [*command, "--format", "json", "--progress-spinner", "off"], capture_output=True, text=True, check=False
    )
    if not done.stdout.startswith("{"):
        raise StoreError(f"pip-audit gave no report ({done.stderr.strip().splitlines()[-1:]}): run it by hand")
    return sorted_out(json.loads(done.stdout), exempt)


def sorted_out(report: dict[str, list[dict[str, object]]], exempt: Iterable[tuple[str, str]]) -> Audited:
    """A report of pip-audit's. It calls a package that its database does not answer for skipped, and is content."""
    known = set(exempt)
    skipped = tuple(str(one["name"]) for one in report["dependencies"] if "skip_reason" in one)
    found = tuple(
        f"{one['name']} {one['version']}: {vulnerability['id']}"
        for one in report["dependencies"]
        for vulnerability in one.get("vulns", ())  # type: ignore[attr-defined]
        if (one["name"], vulnerability["id"]) not in known
    )
    return Audited(len(report["dependencies"]) - len(skipped), skipped, found)


class Looked(NamedTuple):
    """What a look at all locks gave, in words; whether any package is vulnerable, and whether all were looked up."""

    figure: str
    vulnerable: bool
    whole: bool


def vulnerabilities() -> Looked:
    """Look every package of every lock up."""
    results = [audited(lock) for lock in sorted((ROOT / "locks").glob("*.txt"))]
    checked, skipped = sum(one.checked for one in results), sum(len(one.skipped) for one in results)
    found = [line for one in results for line in one.found]
    words = f"{checked} packages looked up, {len(found)} with a vulnerability"
    if skipped:
        words = f"SKIPPED {skipped} of {checked + skipped} packages, for which no database could be reached; {words}"
    return Looked("; ".join([words, *found]), bool(found), not skipped)


def no_vulnerability(folder: Path) -> Finding:
    """No package of the locks has a vulnerability that is known."""
    found = vulnerabilities()
    return Finding(found.figure, found.whole and not found.vulnerable)


# ---- secrets

_SECRETS = {
    "a private key": re.compile(r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----"),
    "a key of AWS": re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    "a token of GitHub": re.compile(r"\b(?:gh[pousr]_[0-9A-Za-z]{36}|github_pat_\w{60,})\b"),
    "a token of PyPI": re.compile(r"\bpypi-[\w-]{50,}"),
    "a token of Slack": re.compile(r"\bxox[abprs]-[\w-]{10,}"),
    "a key of an API": re.compile(r"\b(?:sk|rk|pk)[-_](?:live|proj|ant|test)?[-_]?[0-9A-Za-z]{24,}\b"),
    "a key of pincite": re.compile(r"\bpincite_[0-9a-f]{8}_[\w-]{43}"),
    "a token": re.compile(r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}"),
    "an address with a password": re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s/:@'\"{}<>$]+:[^\s/@'\"{}<>$]{6,}@[\w.-]+"),
}
_NAMED = re.compile(r"(?:passw(?:or)?d|secret|token|api_?key)[\"']?\s*[:=]\s*[\"']([^\"'\s]{16,})[\"']", re.IGNORECASE)
_PLANTED = "# planted"  # ends a line of a test whose secret is none
_RANDOM = 3.5  # bits a character, from which on a string that is named as a secret is taken for one


def secrets_in(text: str) -> Iterator[tuple[int, str]]:
    """The line and kind of each secret in a text."""
    for number, line in enumerate(text.splitlines(), 1):
        if line.endswith(_PLANTED):
            continue
        for kind, pattern in _SECRETS.items():
            if pattern.search(line):
                yield number, kind
        for found in _NAMED.finditer(line):
            if _entropy(found[1]) > _RANDOM and not found[1].isupper():
                yield number, "something random that is called a secret"


def _entropy(text: str) -> float:
    """Bits a character (Shannon)."""
    shares = [count / len(text) for count in Counter(text).values()]
    return -sum(share * math.log2(share) for share in shares)


def kept_files() -> list[Path]:
    """Every file of the project that git keeps."""
    told = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True).stdout
    return [ROOT / name for name in told.decode().split("\0") if name and (ROOT / name).is_file()]


def leaked() -> tuple[int, list[str]]:
    """How many files were read, and the place of each secret in them."""
    files, found = kept_files(), []
    for path in files:
        text = path.read_bytes().decode("utf-8", "replace")
        found += [f"{path.relative_to(ROOT)}:{number}: {kind}" for number, kind in secrets_in(text)]
    return len(files), found


def secret_scan(folder: Path) -> Finding:
    """No secret is among the files, nor was in any version of them."""
    count, found = leaked()
    log = subprocess.run(["git", "log", "-p", "--no-color", "--text"], cwd=ROOT, check=True, capture_output=True).stdout
    lines = {line[1:] for line in log.decode("utf-8", "replace").splitlines() if line.startswith("+")}
    harmless = {line.removesuffix(_PLANTED).rstrip() for line in lines if line.endswith(_PLANTED)}
    before = [kind for line in lines - harmless for _, kind in secrets_in(line)]
    words = (
        f"{count} files and {log.count(chr(10).encode()):,} lines of history read, {len(found) + len(before)} secrets"
    )
    return Finding("; ".join([words, *found[:5], *sorted(set(before))]), not found and not before)


TRIALS = [
    Trial(
        "pickles",
        "Supply chain",
        "models are safetensors or ONNX, known by their SHA-256, and nothing is ever unpickled",
        "a pickle in the place of every file of a model and an index: 0 unpickled",
        "tests/test_supply.py::test_no_file_of_an_index_is_unpickled",
        pickles,
    ),
    Trial(
        "offline",
        "Supply chain",
        "with the network cut it adds, answers and serves, from the first start on",
        "a start without any network",
        "tests/test_supply.py::test_it_starts_with_the_network_cut",
        offline,
    ),
    Trial(
        "vulnerabilities",
        "Supply chain",
        "no locked package has a known vulnerability that is not named, with a date, in locks/exceptions.json",
        "every package looked up by pip-audit, 0 found",
        "tests/test_supply.py::test_a_vulnerability_is_found_unless_it_is_exempted",
        no_vulnerability,
    ),
    Trial(
        "secrets",
        "Supply chain",
        "no key, password or token is in the files of the project, nor in their history",
        "every file and every line ever added: 0",
        "tests/test_supply.py::test_no_secret_is_in_the_files",
        secret_scan,
    ),
]
