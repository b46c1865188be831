"""A trial of time: a server in mixed use, whose memory must not grow and which must not fail once."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

import httpx

from tests.serving import Site, copied
from tests.trust.light import NAMES, WORDS, text
from tests.trust.trial import Finding, Trial

_CLIENTS = 4
_MOST_GROWTH = 5.0  # per cent
_ASKED = (
    "Who gave $12,500 to the Bramble Bee Society in 2021?",
    "When does the night train leave Tayport?",
    "How many ships did the keeper of the amber lighthouse count?",
    "What is the capital of the moon?",
)


def soak(folder: Path, is_over: Callable[[int, float], bool], most_growth: float = _MOST_GROWTH) -> Finding:
    """Mixed use until it is over, which is asked with the number of things done and the seconds.

    Memory is compared between the twentieth of the time after the first fifth, when all is loaded and caches have begun
    to fill, and the last one: the medians of each, since what a single request takes comes and goes.
    """
    site = Site(copied(folder), "--no-page")
    site.start(reader="similarity", ask_rate="1000000", rate="1000000", waiting="200")
    try:
        with ThreadPoolExecutor(_CLIENTS) as pool:
            began = time.monotonic()
            done = list(pool.map(lambda n: _used(site, n, began, is_over), range(_CLIENTS)))
        seconds = time.monotonic() - began
    finally:
        site.stop()
    kinds: Counter[str] = sum((kinds for kinds, _, _ in done), Counter())
    problems: Counter[str] = sum((errors for _, errors, _ in done), Counter())
    held = sorted(sample for _, _, samples in done for sample in samples)
    warm = _usual(held, seconds / 5, seconds / 4)
    last = _usual(held, seconds * 0.95, seconds)
    growth = (last / warm - 1) * 100
    counted = ", ".join(f"{n:,} {name}" for name, n in sorted(kinds.items()))
    most = max(memory for _, memory in held)
    figure = (
        f"{seconds / 60:.0f} minutes, {sum(kinds.values()):,} requests ({counted}): {sum(problems.values())} errors, "
        f"memory {growth:+.1f}% after the first fifth ({warm:.0f} to {last:.0f} MB, {most:.0f} at most)"
    )
    told = [f"{n} × {name}" for name, n in problems.most_common(3)]
    return Finding("; ".join([figure, *told]), kept=not problems and growth < most_growth)


def _usual(held: list[tuple[float, float]], start: float, end: float) -> float:
    """The median of what was held from one second to another, or what was held nearest to the first."""
    samples = [memory for at, memory in held if start <= at <= end]
    return median(samples or [min(held, key=lambda sample: abs(sample[0] - start))[1]])


def _used(
    site: Site, number: int, began: float, is_over: Callable[[int, float], bool]
) -> tuple[Counter[str], Counter[str], list[tuple[float, float]]]:
    """What one client does: how often what, what went wrong, and (seconds, MB that the server held) now and then."""
    chance, kinds, errors = random.Random(number), Counter[str](), Counter[str]()
    held: list[tuple[float, float]] = []
    acts = [_ask, _ask, _ask, _search, _search, _list, _add, _remove]
    with httpx.Client(base_url=f"{site.url}/api/v1", timeout=60) as http:
        while not is_over(sum(kinds.values()) * _CLIENTS, time.monotonic() - began):
            act = chance.choice(acts)
            kinds[act.__name__[1:]] += 1
            try:
                reply = act(http, chance, number)
                if reply.is_error:
                    errors[f"{act.__name__[1:]}: status {reply.status_code}, {reply.text[:200]}"] += 1
            except httpx.HTTPError as error:
                errors[type(error).__name__] += 1
            if number == 0:
                held.append((time.monotonic() - began, _memory(site.process.pid)))
    return kinds, errors, held


def _ask(http: httpx.Client, chance: random.Random, _: int) -> httpx.Response:
    return http.post("/ask", json={"question": chance.choice(_ASKED)})


def _search(http: httpx.Client, chance: random.Random, _: int) -> httpx.Response:
    return http.post("/search", json={"query": f"{chance.choice(WORDS)} lighthouse"})


def _list(http: httpx.Client, _chance: random.Random, _: int) -> httpx.Response:
    return http.get("/documents")


def _add(http: httpx.Client, chance: random.Random, number: int) -> httpx.Response:
    """A file under a name of the client's own, so that clients do not remove what others have."""
    body = text(chance.randrange(len(WORDS))) + f"\n\nThis is the copy of client {number}.".encode()
    return http.post("/documents", files={"file": (f"{number}-{chance.choice(NAMES).split('/')[1]}", body)})


def _remove(http: httpx.Client, chance: random.Random, number: int) -> httpx.Response:
    listed = http.get("/documents", params={"text": f"{number}-", "limit": 100})
    items = [] if listed.is_error else listed.json()["items"]
    mine = [one["id"] for one in items if one["source"].startswith(f"{number}-")]
    return http.delete(f"/documents/{chance.choice(mine)}") if mine else listed


def _memory(pid: int) -> float:
    """Megabytes that a process holds."""
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    return int(fields["VmRSS"].split()[0]) / 1024


TRIALS = [
    Trial(
        "soak",
        "Durability",
        "A server in mixed use neither fails nor grows",
        "1 hour: 0 errors, memory growth under 5%",
        "tests/test_stopping.py::test_mixed_use_without_an_error",
        lambda folder: soak(folder, lambda _, seconds: seconds > 3600),
    )
]
