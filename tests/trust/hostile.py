"""Trials of what is promised about hostile documents."""

from __future__ import annotations

import random
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from unittest import mock

from index.apart import Apart, Limits, read_apart
from index.encode import Encoder
from index.errors import DocumentError
from index.library import Index
from index.load import read
from index.reading import read_document
from tests.hostile_files import ATTACKS, READ, REFUSED, WORDS, Attack
from tests.trust.fuzzed import KINDS
from tests.trust.trial import Finding, Trial

_ROOT = Path(__file__).parents[2]
_SECTION = "Hostile documents"
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
    broken: list[str] = []
    for kind, count in runs.items():
        found = folder / kind
        found.mkdir()
        command = [sys.executable, "-m", "tests.trust.fuzzed", kind, str(count), str(seed), str(found)]
        done = subprocess.run(command, check=False, capture_output=True, cwd=_ROOT)
        kept = [f"{kind}/{path.name}" for path in found.iterdir() if path.is_file()]
        broken += kept or ([f"{kind} ended with {done.returncode}"] if done.returncode else [])
    total = sum(runs.values())
    figure = f"{len(runs)} parsers, {total:,} inputs under atheris: {len(broken)} broke one or took 10 s"
    return Finding(figure + (f" ({', '.join(broken[:5])})" if broken else ""), kept=not broken)


def cost(folder: Path, copies: int, rounds: int) -> Finding:
    """Adding a folder with the process apart, and without it in turn: the ratio of the shortest times."""
    files = folder / "files"
    chance = random.Random(8)  # noqa: S311
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
    times: dict[str, list[float]] = {"apart": [], "here": []}
    encoder = Encoder()
    count = 0
    for number in range(rounds):
        for name, reading in (("apart", read_apart), ("here", read_document)):
            with mock.patch("index.prepare.read_apart", reading), Index(folder / f"{name}{number}", encoder) as index:
                started = time.monotonic()
                count = len(index.add(files))
                times[name].append(time.monotonic() - started)
    ratio = min(times["apart"]) / min(times["here"])
    figure = f"{count} files: {min(times['apart']):.1f} s apart, {min(times['here']):.1f} s without: {ratio:.3f} times"
    return Finding(figure, kept=ratio < _DEAREST)


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
