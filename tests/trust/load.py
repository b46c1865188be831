"""Load: many clients at once over a large library, while documents are added, and in a sudden rush.

The clients are a few lines over asyncio's streams, in one process on the machine of the server: what they take is taken
from it. Each asks, waits for the answer, and asks again at once.
"""

from __future__ import annotations

import asyncio
import atexit
import functools
import json
import os
import random
import shutil
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import NamedTuple

from index.errors import StoreError
from index.library import Index
from tests.serving import Site, client
from tests.trust.trial import Finding, Trial

PASSAGES, CLIENTS, RUSH, SECONDS = 10_000, 200, 500, 300.0
_SECTIONS = 20  # of a document, a passage each
_QUIET = 10.0  # seconds within which the server is to be itself again
_PATIENCE = 120.0  # seconds that a client waits for one answer
_TOWNS = "Tayport Merrow Skerrow Ostwick Quenby Larkhill Dunmore Ashby Penrith Holme".split()
_THINGS = "mill ferry school library orchard bridge choir museum harbour clinic".split()
_VERBS = "repaired opened painted leased insured measured surveyed heated".split()


class Reply(NamedTuple):
    """What a client got: the status (0 where the connection broke), after how many seconds, and when."""

    status: int
    seconds: float
    at: float


@functools.cache
def library(passages: int) -> Path:
    """An index of so many passages on invented places, made once for all trials of a process."""
    place = Path(tempfile.mkdtemp(prefix="pincite-load-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    files, chance = place / "files", random.Random(5)
    files.mkdir()
    for number in range(passages // _SECTIONS):
        sections = (_section(number, part, chance) for part in range(_SECTIONS))
        (files / f"{number}.md").write_text(f"# The year {number} of an invented county\n\n" + "\n\n".join(sections))
    with Index(place / "x.index") as index:
        index.add([files])
        held = sum(one.passages for one in index.documents())
    if held < passages:
        raise StoreError(f"the library has {held} passages of {passages}: write longer sections")
    return place / "x.index"


def _section(number: int, part: int, chance: random.Random) -> str:
    town, thing, verb = chance.choice(_TOWNS), chance.choice(_THINGS), chance.choice(_VERBS)
    spent, people = chance.randrange(1_000, 99_000), chance.randrange(2, 90)
    return (
        f"## The {thing} of {town}, part {part}\n\n"
        f"In the year {number} the {thing} of {town} was {verb} by {people} people. The work cost ${spent:,}."
    )


def question(chance: random.Random) -> str:
    """One of many questions that the library answers, or nearly."""
    verb, thing, town = chance.choice(_VERBS), chance.choice(_THINGS), chance.choice(_TOWNS)
    return f"How many people {verb} the {thing} of {town} in the year {chance.randrange(400)}?"


async def ask_for(port: int, clients: int, seconds: float, seed: int = 1, leave: bool = False) -> list[Reply]:
    """What so many clients get that ask for so many seconds.

    Args:
        leave: whoever still waits at the end goes away, as a reader does; else its answer is waited for.
    """
    end, replies = monotonic() + seconds, list[Reply]()

    async def one(number: int) -> None:
        chance = random.Random(seed * 10_000 + number)
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        while monotonic() < end:
            began, status, wait = monotonic(), 0, 0.0
            try:
                async with asyncio.timeout(end - began if leave else _PATIENCE):
                    streams = streams or await asyncio.open_connection("127.0.0.1", port)
                    status, wait = await _asked(*streams, question(chance))
            except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
                if leave and isinstance(error, TimeoutError):
                    break
                streams, wait = None, 0.5
            replies.append(Reply(status, monotonic() - began, monotonic()))
            await asyncio.sleep(min(wait, max(end - monotonic(), 0)))
        if streams:
            streams[1].close()

    async with asyncio.TaskGroup() as group:
        for number in range(clients):
            group.create_task(one(number))
    return replies


async def _asked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, words: str) -> tuple[int, float]:
    """The status of an answer over a connection that is kept, and how long to wait before the next question."""
    body = json.dumps({"question": words}).encode()
    head = (
        f"POST /api/v1/ask HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    )
    writer.write(head.encode() + b"\r\n\r\n" + body)
    await writer.drain()
    lines = (await reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
    told = dict(line.split(": ", 1) for line in lines[1:] if line)
    status = int(lines[0].split()[1])
    answer = json.loads(await reader.readexactly(int(told["content-length"])))
    if status == 200 and answer["status"] not in ("answered", "refused"):
        status = 0
    return status, float(told.get("retry-after", 0))


class Adding:
    """Documents that are added, one after another, while the block runs."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.outcomes: Counter[str] = Counter()

    def __enter__(self) -> Adding:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        chance = random.Random(9)
        with client(self._url) as http:
            http.timeout = _PATIENCE
            number = 0
            while not self._stop.wait(0.2):
                number += 1
                text = f"# New year {number}\n\n{_section(number, 1, chance)}"
                reply = http.post("/api/v1/documents", files={"file": (f"new-{number}.md", text.encode())})
                added = reply.status_code == 201
                self.outcomes[reply.json()[0]["outcome"] if added else str(reply.status_code)] += 1


@contextmanager
def at_work(folder: Path, passages: int) -> Iterator[Site]:
    """A server over a copy of the library, as `pincite serve` starts it, with no limit on what one address may ask."""
    shutil.copytree(library(passages), folder / "x.index")
    site = Site(folder / "x.index", "--no-page")
    site.start(ask_rate="10000000", rate="10000000")
    try:
        yield site
    finally:
        site.stop()


def told(replies: list[Reply], seconds: float) -> str:
    """How many were answered, how fast, and what else there was."""
    good = sorted(one.seconds for one in replies if one.status == 200)
    others = Counter(one.status for one in replies if one.status != 200)
    if not good:
        return f"0 answers; others {dict(others)}"
    p50, p95 = good[len(good) // 2], good[int(len(good) * 0.95)]
    rest = ", ".join(f"{count:,} × {status}" for status, count in sorted(others.items())) or "0 errors"
    return f"{len(good):,} answers, {len(good) / seconds:.0f} a second, p50 {p50:.2f} s, p95 {p95:.2f} s; {rest}"


def steady(site: Site, clients: int, seconds: float) -> Finding:
    """Many clients, all the time."""
    asyncio.run(ask_for(site.port, 2, 1))
    began = monotonic()
    replies = asyncio.run(ask_for(site.port, clients, seconds))
    took = monotonic() - began
    kept = all(one.status == 200 for one in replies)
    return Finding(f"{clients} clients for {took:.0f} s: {told(replies, took)}", kept)


def while_adding(site: Site, clients: int, seconds: float) -> Finding:
    """The same while documents are added."""
    with Adding(site.url) as adding:
        found = steady(site, clients, seconds)
    added = adding.outcomes["added"]
    with client(site.url) as http:
        held = http.get("/api/v1/documents", params={"text": "new-"}).json()["total"]
    kept = found.kept and held == added > 0 and set(adding.outcomes) == {"added"}
    return Finding(f"{found.figure}; {added} documents added meanwhile, {added - held} of them missing after it", kept)


def rush(site: Site, clients: int, seconds: float) -> Finding:
    """A sudden rush, which then goes away: answers or a plain word to come again, and soon all is as before."""
    before = asyncio.run(ask_for(site.port, 2, 3))
    began = monotonic()
    replies = asyncio.run(ask_for(site.port, clients, seconds, leave=True))
    ended = monotonic()
    with client(site.url) as http:
        while http.get("/readyz").status_code != 200 and monotonic() - ended < _PATIENCE:
            sleep(0.1)
    after = asyncio.run(ask_for(site.port, 2, 3, seed=2))
    usual = 2 * max(one.seconds for one in before)
    again = next((one.at - ended for one in after if one.status == 200 and one.seconds <= usual), _PATIENCE)
    broken = sum(one.status not in (200, 429, 503) for one in replies)
    words = told(replies, ended - began)
    kept = broken == 0 and again < _QUIET and any(one.status == 200 for one in replies)
    return Finding(f"{clients} clients at once for {ended - began:.0f} s: {words}; as before after {again:.1f} s", kept)


def _whole(trial: Callable[[Site, int, float], Finding], clients: int, seconds: float) -> Callable[[Path], Finding]:
    """The long form of a trial, over the large library."""

    def run(folder: Path) -> Finding:
        with at_work(folder, PASSAGES) as site:
            found = trial(site, clients, seconds)
        return found._replace(figure=f"{PASSAGES:,} passages, {os.cpu_count()} cores; {found.figure}")

    return run


TRIALS = [
    Trial(
        "load",
        "Load",
        "200 clients that ask without a pause get nothing but answers",
        "200 clients, 10,000 passages, 5 minutes: 0 errors",
        "tests/test_load_trials.py::test_a_crowd_gets_answers",
        _whole(steady, CLIENTS, SECONDS),
    ),
    Trial(
        "load-adding",
        "Load",
        "so they do while documents are added, and each of these is there afterwards",
        "200 clients, 5 minutes: 0 errors, 0 documents missing",
        "tests/test_load_trials.py::test_a_crowd_gets_answers_while_documents_are_added",
        _whole(while_adding, CLIENTS, SECONDS),
    ),
    Trial(
        "load-rush",
        "Load",
        "a sudden rush gets answers, 429 or 503 with Retry-After, and leaves nothing behind",
        "500 clients: nothing else; as before in under 10 s",
        "tests/test_load_trials.py::test_a_rush_is_over_soon",
        _whole(rush, RUSH, 30.0),
    ),
]
