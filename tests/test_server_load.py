"""Twenty clients that ask at once, by the API and by the page: no errors, and how long they waited is printed.

``LOAD_QUESTIONS=5000`` asks more, and then also holds memory to what it was after the first tenth.
"""

import json
import os
import statistics
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.serving import Site, client, copied

QUESTIONS = int(os.environ.get("LOAD_QUESTIONS", "160"))
CLIENTS = 20
ASKED = (
    "Who gave $12,500 to the Bramble Bee Society in 2021?",
    "When does the night train leave Tayport?",
    "What will the board of Quillmere Holdings close?",
    "Сколько стоит билет в музей?",
    "Who is the lighthouse keeper of Skerrow?",
    "Who runs the ferry to Skerrow?",
    "What is the capital of the moon?",
)


def memory(pid: int) -> float:
    """Megabytes that a process holds."""
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    return int(fields["VmRSS"].split()[0]) / 1024


@pytest.fixture
def site(tmp_path):
    site = Site(copied(tmp_path))
    site.start(reader="similarity", ask_rate="1000000", rate="1000000")
    yield site
    site.stop()


def by_api(http, question):
    response = http.post("/api/v1/ask", json={"question": question})
    assert response.status_code == 200, response.text
    return response.json()


def by_page(http, question):
    """As the page and `gradio_client` ask: through the queue."""
    begun = http.post("/gradio_api/call/ask", json={"data": [question]})
    assert begun.status_code == 200, begun.text
    told = http.get(f"/gradio_api/call/ask/{begun.json()['event_id']}")
    last = told.text.strip().split("\n\n")[-1].split("\n")
    assert last[0] == "event: complete", told.text
    return json.loads(last[1].removeprefix("data: "))[0]


def test_twenty_clients(site, capsys):
    held: list[float] = []

    def one(n):
        ask, times, statuses = (by_api, by_page)[n % 2], [], Counter()
        with client(site.url) as http:
            for at in range(n, QUESTIONS, CLIENTS):
                began = time.perf_counter()
                answer = ask(http, ASKED[at % len(ASKED)])
                times.append(time.perf_counter() - began)
                statuses[answer["status"]] += 1
                assert all(c["number"] for c in answer["citations"])
                if n == 0:
                    held.append(memory(site.process.pid))
        return ask, times, statuses

    began = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        done = list(pool.map(one, range(CLIENTS)))
    seconds = time.perf_counter() - began
    statuses = sum((some for _, _, some in done), Counter())
    early, late = statistics.mean(held[len(held) // 10 : len(held) // 5]), statistics.mean(held[-len(held) // 10 :])
    with capsys.disabled():
        print(f"\n{QUESTIONS} questions of {CLIENTS} clients: {QUESTIONS / seconds:.0f}/s")  # noqa: T201
        for way in (by_api, by_page):
            times = sorted(t for by, some, _ in done if by is way for t in some)
            p50, p95 = times[len(times) // 2], times[int(len(times) * 0.95)]
            print(f"{way.__name__}: p50 {p50 * 1000:.0f} ms, p95 {p95 * 1000:.0f} ms")  # noqa: T201
        print(f"memory {early:.0f} -> {late:.0f} MB")  # noqa: T201  the figures are what the test is for
    assert statuses.total() == QUESTIONS
    assert statuses["answered"] > QUESTIONS / 2
    if QUESTIONS >= 2000:
        assert late < early * 1.1
