"""Twenty clients that ask at once: no errors, and how long they waited is printed.

``LOAD_QUESTIONS=5000`` asks more, and then also holds memory to what it was after the first tenth.
"""

import os
import statistics
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.serving import client, copied

QUESTIONS = int(os.environ.get("LOAD_QUESTIONS", "300"))
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
def server(tmp_path):
    """A server in a process of its own, as `pincite serve` starts it."""
    code = "import sys; from ui.commands import serve; serve(sys.argv[1:])"
    command = [sys.executable, "-c", code, "--index", str(copied(tmp_path)), "--port", "0", "--no-page"]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PINCITE_")}
    env = inherited | {"PINCITE_READER": "similarity", "PINCITE_ASK_RATE": "1000000", "PINCITE_RATE": "1000000"}
    with subprocess.Popen(command, cwd=tmp_path, env=env, stderr=subprocess.PIPE, text=True) as process:
        try:
            line = process.stderr.readline()
            assert line.startswith("pincite on http://127.0.0.1:"), line
            url = line.split()[-1]
            with client(url) as http:  # it listens from before it says so
                assert http.get("/readyz").status_code == 200
            yield process, url
        finally:
            process.terminate()
            assert process.wait(30) in (0, -15)


def test_twenty_clients(server, capsys):
    process, url = server
    held: list[float] = []

    def one(n):
        times, statuses = [], Counter()
        with client(url) as http:
            for at in range(n, QUESTIONS, CLIENTS):
                began = time.perf_counter()
                response = http.post("/api/v1/ask", json={"question": ASKED[at % len(ASKED)]})
                times.append(time.perf_counter() - began)
                statuses[response.status_code] += 1
                if response.status_code == 200:
                    answer = response.json()
                    statuses[answer["status"]] += 1
                    assert all(c["number"] for c in answer["citations"])
                if n == 0:
                    held.append(memory(process.pid))
        return times, statuses

    began = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        done = list(pool.map(one, range(CLIENTS)))
    seconds = time.perf_counter() - began
    times = sorted(t for some, _ in done for t in some)
    statuses = sum((some for _, some in done), Counter())
    early, late = statistics.mean(held[len(held) // 10 : len(held) // 5]), statistics.mean(held[-len(held) // 10 :])
    with capsys.disabled():
        p50, p95 = times[len(times) // 2], times[int(len(times) * 0.95)]
        print(  # noqa: T201  the figure is what the test is for
            f"\n{QUESTIONS} questions of {CLIENTS} clients: {QUESTIONS / seconds:.0f}/s, p50 {p50 * 1000:.0f} ms, "
            f"p95 {p95 * 1000:.0f} ms, memory {early:.0f} -> {late:.0f} MB"
        )
    assert statuses[200] == QUESTIONS, statuses
    assert statuses["answered"] > QUESTIONS / 2
    if QUESTIONS >= 2000:
        assert late < early * 1.1
