"""Trials of what is promised about hostile documents."""

from __future__ import annotations

import os
import random
import re
import resource
import shutil
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from index.apart import Apart, Limits
from index.errors import DocumentError
from index.load import read
from tests.hostile_files import ATTACKS, READ, REFUSED, WORDS, Attack
from tests.trust.fuzzed import KINDS
from tests.trust.trial import Finding, Trial

_ROOT = Path(__file__).parents[2]
_SECTION = "Hostile documents"
_ADDING = """
import sys
import index.apart, index.prepare, index.reading
from index.library import Index
index.prepare.read_apart = {**vars(index.apart), **vars(index.reading)}[sys.argv[1]]
with Index(sys.argv[2]) as made:
    print(len(made.add(sys.argv[3])))
"""
_DEAREST = 1.10  # times what adding takes without a process apart


def attacked(reader: Apart, attack: Attack, size: int) -> tuple[str, float]:
    """What became of an attack: "read", "refused", or what went wrong; and the seconds that it took."""
    data = attack.make(size)
    started = time.monotonic()
    try:
        text = reader.read(data, attack.source).document.text
        became = READ if attack.outcome != REFUSED else "read, though it had to be refused"
        if attack.outcome == READ and "Bramble Bee Society" not in text:
            became = "read, but not what stands there"
    except DocumentError as error:
        told = str(error)
        right = attack.outcome != READ and re.search(attack.says, told) and "\n" not in told
        became = REFUSED if right else f"refused otherwise than it should be: {told}"
    return became, time.monotonic() - started


def attacks(folder: Path, size: int, limits: Limits) -> Finding:
    """Each attack once, and after each a file that means no harm."""
    reader = Apart(limits)
    became: Counter[str] = Counter()
    slowest, of, lost = 0.0, "", 0
    for attack in ATTACKS:
        outcome, seconds = attacked(reader, attack, size)
        became[outcome if outcome in (READ, REFUSED) else "wrong"] += 1
        if seconds > slowest:
            slowest, of = seconds, attack.name
        lost += reader.read(WORDS.encode(), "good.txt").document.text != WORDS
    reader.close()
    endless = folder / "line.txt"
    with endless.open("wb") as file:
        file.truncate(1024**3)  # one line of a gigabyte, which takes no room on the disk
    try:
        read(endless)
        became["wrong"] += 1
    except DocumentError:
        became[REFUSED] += 1
    figure = (
        f"{became.total()} attacks: {became[READ]} read as far as they can be, {became[REFUSED]} refused, "
        f"{became['wrong']} otherwise; 0 ended this process, {lost} files after them lost; "
        f"slowest {slowest:.0f} s ({of}; the limit is {limits.seconds:g} s)"
    )
    bounded = slowest < 2 * limits.seconds + 30  # a process that was worn out by others gives a file a second try
    return Finding(figure, kept=not became["wrong"] and not lost and bounded)


def fuzzed(folder: Path, runs: dict[str, int], seed: int) -> Finding:
    """Each parser under atheris for so many inputs."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = pool.map(lambda kind: _broken(folder / kind, kind, runs[kind], seed), runs)
        broken = [what for some in found for what in some]
    total = sum(runs.values())
    figure = f"{len(runs)} parsers, {total:,} inputs under atheris: {len(broken)} broke one or took 10 s"
    return Finding(figure + (f" ({', '.join(broken[:5])})" if broken else ""), kept=not broken)


def _broken(folder: Path, kind: str, count: int, seed: int) -> list[str]:
    """What broke one parser; it is kept as a test."""
    folder.mkdir()
    command = [sys.executable, "-m", "tests.trust.fuzzed", kind, str(count), str(seed), str(folder)]
    done = subprocess.run(command, check=False, capture_output=True, cwd=_ROOT)
    found = [path for path in folder.iterdir() if path.is_file()]
    for path in found:
        shutil.copy(path, _ROOT / "tests" / "fuzz" / kind / path.name)
    return [f"{kind}/{path.name}" for path in found] or (
        [f"{kind} ended with {done.returncode}"] * bool(done.returncode)
    )


def cost(folder: Path, copies: int, rounds: int) -> Finding:
    """Adding a folder with the process apart and without it, in turn, each in a new process: the ratio of the least.

    Seconds of the processor are compared, starting and ending included: those on the clock depend on who else is busy.
    """
    files = folder / "files"
    chance = random.Random(8)
    for copy in range(copies):
        for path in sorted((_ROOT / "corpus" / "documents").rglob("*")):
            if path.suffix in (".md", ".txt", ".html", ".csv"):
                to = files / f"{copy:03}" / path.name
                to.parent.mkdir(parents=True, exist_ok=True)
                words = path.read_text(encoding="utf-8").split(" ")
                chance.shuffle(words)
                to.write_text(" ".join(words) if copy else path.read_text(encoding="utf-8"), encoding="utf-8")
            elif path.is_file() and not copy:
                shutil.copy(path, files / "000" / path.name)
    used: dict[str, list[float]] = {"read_apart": [], "read_document": []}
    for number in range(rounds):
        for reading, seconds in used.items():
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            command = [sys.executable, "-c", _ADDING, reading, str(folder / f"{reading}{number}"), str(files)]
            done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=_ROOT)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    least, without = min(used["read_apart"]), min(used["read_document"])
    figure = (
        f"{done.stdout.strip()} files: {least:.1f} s of the processor in two processes, {without:.1f} s in one: "
        f"{least / without:.3f} times"
    )
    return Finding(figure, kept=least / without < _DEAREST)


TRIALS = [
    Trial(
        name="hostile-files",
        section=_SECTION,
        promise="A bad file costs a bounded amount of time and memory, and never the process that adds it.",
        target="every attack read or refused as it has to be, within the limits; the next file read",
        test="tests/test_hostile.py",
        run=lambda folder: attacks(folder, 10, Limits()),
    ),
    Trial(
        name="hostile-fuzz",
        section=_SECTION,
        promise="No input breaks a parser.",
        target="0 of 200,000 inputs",
        test="tests/test_hostile.py",
        run=lambda folder: fuzzed(folder, {k: 5_000 if k in ("docx", "pptx", "xlsx") else 37_000 for k in KINDS}, 8),
    ),
    Trial(
        name="hostile-cost",
        section=_SECTION,
        promise="Reading files in a process apart costs less than a tenth of adding them.",
        target=f"under {_DEAREST} times",
        test="tests/test_hostile.py",
        run=lambda folder: cost(folder, 20, 3),
    ),
]
