"""Trials of a disk without room, and of one that may not be written."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.trust.light import NAMES, State, made, wrong
from tests.trust.nursery import Arms, Nursery, Step, nursery, possible, told
from tests.trust.trial import Finding, Trial

_STEPS: tuple[Step, ...] = (
    *(("put", name, number) for number, name in enumerate(NAMES[:8])),
    ("drop", NAMES[1]),
    ("rebuild",),
    ("put", NAMES[2], 9),
)
NO_MOUNT = "nothing can be mounted here, so that no folder is read-only for everyone"
_LEAST = 80_000  # bytes: an empty library takes about as many


def full(folder: Path, count: int) -> Finding:
    """Disks of so many sizes, from one for an empty library to one that has room for all."""
    problems: list[str] = []
    tried: Counter[str] = Counter()
    errors = refused = 0
    place = folder / "disk"
    place.mkdir()
    with nursery(with_layer=True) as nest:
        most = _needed(nest, folder, place)
        for number in range(count):
            size = _LEAST + (most - _LEAST) * number // max(count - 1, 1)
            with _disk(place, size) as kind:
                tried[kind] += 1
                lines, problem = _filled(nest, folder, place / "x.index", None if kind == "a small tmpfs" else size)
                errors += sum(line.startswith("error") for line in lines)
                is_full = any(line.startswith("error") for line in lines)
                refused += is_full
                problem = problem or ("not even this has room for all" if is_full and size == most else None)
                problems += [f"{size} bytes: {problem}"] if problem else []
    kinds = ", ".join(f"{n} as {kind}" for kind, n in tried.items())
    figure = (
        f"{count} sizes from {_LEAST:,} to {most:,} bytes ({kinds}): {refused} without room, {errors:,} clear errors, "
        f"{len(problems)} libraries that could not be read on or were not all or nothing"
    )
    return Finding("; ".join([figure, *problems[:3]]), kept=not problems)


def _needed(nest: Nursery, folder: Path, place: Path) -> int:
    """A size with room for all: what SQLite's log and a second generation of terms take meanwhile is told by trying."""
    nest.run_whole(folder / "all.index", folder / "report", _STEPS)
    size = 8 * sum(path.stat().st_size for path in (folder / "all.index").rglob("*") if path.is_file())
    while True:
        with _disk(place, size) as kind:
            lines, _ = _filled(nest, folder, place / "x.index", None if kind == "a small tmpfs" else size)
        if not any(line.startswith("error") for line in lines):
            return size
        size += size // 8


@contextmanager
def _disk(place: Path, size: int) -> Iterator[str]:
    """A disk of so many bytes on a folder where one can be mounted, else a budget of bytes in the file layer."""
    mounting = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)]
    if subprocess.run(mounting, check=False, capture_output=True).returncode:
        shutil.rmtree(place)
        place.mkdir()
        yield "a budget of bytes"
        return
    try:
        yield "a small tmpfs"
    finally:
        unmount(place)


def unmount(place: Path) -> None:
    """Take a disk away; a thread of tantivy's may still hold one that has just been closed."""
    for _ in range(100):
        if not subprocess.run(["umount", str(place)], check=False, capture_output=True).returncode:
            return
        time.sleep(0.1)
    subprocess.run(["umount", str(place)], check=True)


def _filled(nest: Nursery, folder: Path, index: Path, budget: int | None) -> tuple[list[str], str | None]:
    report = folder / "report"
    report.unlink(missing_ok=True)
    arms = None if budget is None else Arms(index.parent, None, "budget", budget)
    status = nest.run("write", index, report, _STEPS, arms)
    lines = told(report)
    if status or any(line.startswith("broken") for line in lines):
        return lines, f"the process ended with {status}: {lines[-1:]}"
    states = possible(_STEPS, lines, {frozenset()})
    if not (index / "pincite.sqlite").exists():
        return lines, None if states == {frozenset()} or not any(x.startswith("done") for x in lines) else "gone"
    return lines, wrong(index, states)


def readonly(folder: Path) -> str | None:
    """What is wrong with reading a library that lies on a disk which may not be written; ``None`` for nothing."""
    index = folder / "x.index"
    states: set[State] = {made(index, {NAMES[n]: n for n in range(4)})}
    mounted = folder / "mounted"
    mounted.mkdir()
    for what in (["--bind", str(folder)], ["-o", "remount,ro,bind"]):
        command = ["mount", *what, str(mounted)]
        if subprocess.run(command, check=False, capture_output=True).returncode:
            return NO_MOUNT
    try:
        return wrong(mounted / "x.index", states)
    finally:
        unmount(mounted)


TRIALS = [
    Trial(
        "full",
        "Durability",
        "A full disk gives a clear error, nothing acknowledged is lost, and reading goes on",
        "100 sizes",
        "tests/test_durability.py::test_a_full_disk_is_told_and_reading_goes_on",
        lambda folder: full(folder, 100),
    )
]
