"""Trials of two at once: a second writer, and a server that is told to stop while it has much to do."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from index.errors import LockedError
from index.library import Index
from tests.serving import Site, copied
from tests.trust.light import NAMES, WORDS, Light, made, text, wrong
from tests.trust.nursery import nursery
from tests.trust.trial import Finding, Trial

_ASKED = (
    "Who gave $12,500 to the Bramble Bee Society in 2021?",
    "When does the night train leave Tayport?",
    "Who is the lighthouse keeper of Skerrow?",
    "What is the capital of the moon?",
)
_UPLOADED = "long.txt"
_UPLOADS = 'pincite_requests_total{method="POST",route="/api/v1/documents"'
_PATIENCE = 300  # seconds; a machine that is busy otherwise is no fault


def second_writers(folder: Path, count: int) -> Finding:
    """So many times: a second writer while another process writes, and after that was killed."""
    index = folder / "x.index"
    made(index, {NAMES[0]: 0})
    slowest, problems = 0.0, list[str]()
    with nursery() as nest:
        for turn in range(count):
            report = folder / f"report{turn}"
            child = nest.begin("writing", index, report)
            while not (report.exists() and "held" in report.read_text()):
                time.sleep(0.005)
            with Index(index, Light()) as second:
                began = time.perf_counter()
                try:
                    second.add_bytes(text(1), NAMES[1])
                    problems.append(f"turn {turn}: two wrote at once")
                except LockedError as error:
                    if f"process {child} is writing" not in str(error):
                        problems.append(f"turn {turn}: {error}")
                slowest = max(slowest, time.perf_counter() - began)
                if not second.search(WORDS[0]):
                    problems.append(f"turn {turn}: nothing was found meanwhile")
                os.kill(child, signal.SIGKILL)
                nest.end()
                second.add_bytes(text(2 + turn % 2), NAMES[2])
    problem = wrong(index, {frozenset({(NAMES[0], 0), (NAMES[2], 2 + (count - 1) % 2)})})
    problems += [problem] if problem else []
    figure = (
        f"{count} second writers: {count - len(problems)} refused with the process id of the first, in {slowest:.2f} s "
        f"at most, and let in once that was killed; {len(problems)} problems"
    )
    return Finding("; ".join([figure, *problems[:3]]), kept=not problems and slowest < 1)


def stops(folder: Path, count: int, questions: int = 50) -> Finding:
    """So many servers that get SIGTERM while questions are answered and a file is being added."""
    problems: list[str] = []
    replies: Counter[str] = Counter()
    slowest, unanswered = 0.0, 0
    for turn in range(count):
        place = folder / str(turn)
        place.mkdir()
        site = Site(copied(place), "--no-page")
        site.start(reader="similarity", ask_rate="1000000", rate="1000000", waiting="200")
        try:
            told, waiting, seconds, status = _stopped(site, questions)
        finally:
            site.stop()
        replies.update(told)
        unanswered += waiting
        slowest = max(slowest, seconds)
        with Index(site.folder) as index:
            there = index.engine.store.source(_UPLOADED) is not None
            problems += [f"turn {turn}: {problem}" for problem in index.check()]
        bad = {name: n for name, n in told.items() if name not in ("answered", "added", "not added")}
        if bad or status not in (0, -signal.SIGTERM) or told["answered"] != questions:
            problems.append(f"turn {turn}: {dict(told)}, the server ended with {status}")
        if told["added"] and not there:
            problems.append(f"turn {turn}: a file that was acknowledged is lost")
    figure = (
        f"{count} servers stopped with {questions} questions and an upload under way: {replies['answered']:,} of "
        f"{count * questions:,} questions answered ({unanswered:,} were not yet when it was told), "
        f"{replies['added']} uploads acknowledged and there, {replies['not added']} refused; "
        f"the slowest took {slowest:.1f} s to end, {len(problems)} problems"
    )
    return Finding("; ".join([figure, *problems[:3]]), kept=not problems)


def _stopped(site: Site, questions: int) -> tuple[Counter[str], int, float, int]:
    """What became of what was under way, how many questions were, how long the server took to end, and how it ended."""
    with ThreadPoolExecutor(questions + 1) as pool, _client(site.url) as http:
        assert http.get("/readyz").status_code == 200
        uploading = pool.submit(_upload, site.url)
        asking = [pool.submit(_ask, site.url, _ASKED[n % len(_ASKED)]) for n in range(questions)]
        waiting = _waiting(http, questions)
        began = time.perf_counter()
        site.process.send_signal(signal.SIGTERM)
        told = Counter([uploading.result(), *(one.result() for one in asking)])
        status = site.process.wait(_PATIENCE)
    return told, waiting, time.perf_counter() - began, status


def _waiting(http: httpx.Client, questions: int) -> int:
    """Wait until the server has taken so many questions and a file; how many it has not answered yet."""
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        counted = {
            name: float(value)
            for name, _, value in (line.rpartition(" ") for line in http.get("/metrics").text.splitlines())
            if name.startswith("pincite_")
        }
        waiting = counted['pincite_queue_taken{pool="ask"}']
        answered = sum(value for name, value in counted.items() if name.startswith("pincite_questions_total"))
        taken = sum(value for name, value in counted.items() if name.startswith(_UPLOADS))
        if waiting + answered >= questions and counted['pincite_queue_taken{pool="add"}'] + taken:
            return int(waiting)
        time.sleep(0.02)
    raise TimeoutError(f"{questions} questions did not reach the server within {_PATIENCE} s")


def _client(url: str) -> httpx.Client:
    """A client that is made quickly: no certificates are read, since there is nothing to verify."""
    return httpx.Client(base_url=url, timeout=_PATIENCE, verify=False)  # noqa: S501


def _ask(url: str, question: str) -> str:
    with _client(url) as http:
        try:
            reply = http.post("/api/v1/ask", json={"question": question})
        except httpx.HTTPError as error:
            return type(error).__name__
    return "answered" if reply.status_code == 200 and reply.json()["status"] else f"status {reply.status_code}"


def _upload(url: str) -> str:
    """Add a file that takes some seconds."""
    body = "\n\n".join(f"The keeper of lighthouse {n} (invented) counted {n} ships in the week." for n in range(400))
    with _client(url) as http:
        try:
            reply = http.post("/api/v1/documents", files={"file": (_UPLOADED, body.encode())})
        except httpx.HTTPError:
            return "not added"
    return "added" if reply.is_success else "not added"


TRIALS = [
    Trial(
        "second-writers",
        "Durability",
        "A second writer is refused with the process id of the first; the lock does not outlive a killed process",
        "refused in under a second",
        "tests/test_durability.py::test_a_second_writer_is_refused_at_once",
        lambda folder: second_writers(folder, 100),
    ),
    Trial(
        "stops",
        "Durability",
        "A server that gets SIGTERM finishes the questions that it has, and stops an upload cleanly or finishes it",
        "50 questions and an upload, each time",
        "tests/test_stopping.py::test_a_server_that_is_told_to_stop_finishes_its_questions",
        lambda folder: stops(folder, 20),
    ),
]
