"""What every system speaks: a line of JSON for each command on standard input, and one for each reply.

Run inside the environment of a peer, so only the standard library is imported here.

| command | with | reply |
|---|---|---|
| ``open`` | ``folder``, ``model``, ``hybrid`` | ``settings`` |
| ``add`` | ``passages``, ``documents``, perhaps ``vectors``: files | |
| ``save`` | | |
| ``search`` | ``queries``: a file, ``k``, ``out``: a file | ``times_ms`` and ``cpu_ms`` of each query |

Each reply also holds ``seconds``, ``cpu`` (its seconds on processors, children included), ``peak_mb`` and ``now_mb``. A
line of ``passages`` has ``id`` and ``text``; of ``queries`` ``id`` and ``text``; of ``out`` ``id`` and
``found``, the ids of passages, best first. What lies in a file is read before the clock starts.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, NamedTuple, Protocol


class Opened(NamedTuple):
    """Where a system keeps its index, the folder of the weights, and whether it searches by words too."""

    folder: Path
    model: str
    hybrid: bool


class Texts(NamedTuple):
    """Passages to be added.

    Attributes:
        ids: of the passages.
        passages: their texts, each under its title and headings.
        vectors: float32 of shape (passages, dim), where they are given; else the system makes its own.
        files: the files that all this was read from, by name.
    """

    ids: list[str]
    passages: list[str]
    vectors: Any
    files: dict[str, str]


class System(Protocol):
    """One system as it is measured."""

    @property
    def packages(self) -> tuple[str, ...]:
        """The distributions whose versions are told."""

    @property
    def settings(self) -> str:
        """How it was set up."""

    def add(self, texts: Texts) -> None:
        """Make passages searchable."""

    def save(self) -> None:
        """Keep what was added in the folder, so that another process finds it there."""

    def search(self, query: str, k: int) -> list[str]:
        """The ids of the k best passages, best first."""


def serve(make: Callable[[Opened], System]) -> None:
    """Answer commands until standard input ends; what the system prints goes to standard error."""
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    system: System | None = None
    for line in sys.stdin:
        command = json.loads(line)
        if command["do"] == "open":
            opened = Opened(Path(command["folder"]), command["model"], command["hybrid"])
            start, before = perf_counter(), _cpu()
            system = make(opened)
            told = {name: version(name) for name in system.packages}
            reply: dict[str, Any] = {"settings": system.settings, "versions": told}
        elif system is None:
            raise SystemExit("say `open` first")
        elif command["do"] == "search":
            queries = _lines(command["queries"])
            start, before = perf_counter(), _cpu()
            reply = _search(system, queries, command["k"], Path(command["out"]))
        else:
            work = _work(system, command)
            start, before = perf_counter(), _cpu()
            work()
            reply = {}
        reply |= {"seconds": perf_counter() - start, "cpu": _cpu() - before}
        reply |= {"peak_mb": _peak(), "now_mb": _now()}
        print(json.dumps(reply), file=replies, flush=True)


def _work(system: System, command: dict[str, Any]) -> Callable[[], None]:
    if command["do"] == "save":
        return system.save
    if command["do"] != "add":
        raise SystemExit(f"there is no command {command['do']!r}")
    lines = _lines(command["passages"])
    vectors = None
    if "vectors" in command:
        import numpy as np  # every system has it

        vectors = np.load(command["vectors"])
    texts = Texts([line["id"] for line in lines], [line["text"] for line in lines], vectors, command)
    return lambda: system.add(texts)


def _search(system: System, queries: list[dict[str, Any]], k: int, out: Path) -> dict[str, Any]:
    times, cpu, found = [], [], []
    for query in queries:
        start, before = perf_counter(), process_time()
        ids = system.search(query["text"], k)
        times.append((perf_counter() - start) * 1000)
        cpu.append((process_time() - before) * 1000)
        found.append(json.dumps({"id": query["id"], "found": ids}) + "\n")
    out.write_text("".join(found), encoding="utf-8")
    return {"times_ms": times, "cpu_ms": cpu}


def _lines(path: str) -> list[dict[str, Any]]:
    with Path(path).open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def _cpu() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return process_time() + children.ru_utime + children.ru_stime


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _now() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 2**20
