"""Trials of what a failing disk does: a crash at each call in turn, calls that fail, and no room left.

The file layer is `faults.c`: a seccomp filter that makes system calls trap into their own process. It was chosen over
LD_PRELOAD, which tantivy goes past (it renames without libc), over ptrace, which many containers forbid and which costs
two switches of process a call, and over a VFS of SQLite's, which sees SQLite's files alone.
"""

from __future__ import annotations

import random
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import get_args

from tests.trust.disk import Call, Crash, Disk, calls
from tests.trust.light import NAMES, State, made, wrong
from tests.trust.nursery import Arms, Nursery, Step, nursery, possible, told
from tests.trust.trial import Finding, Trial

CRASHES: tuple[Crash, ...] = get_args(Crash)
_STEPS: tuple[Step, ...] = (
    ("put", NAMES[0], 0),
    ("put", NAMES[1], 1),
    ("put", NAMES[0], 2),  # takes the place of the first
    ("put", NAMES[2], 1),  # another name of the second
    ("drop", NAMES[1]),
    ("rebuild",),
    ("put", NAMES[3], 3),
)


def crashes(folder: Path, most: int | None = None, seed: int = 8) -> Finding:
    """A crash at each call that changes the disk, from the first document of a new library on.

    Args:
        most: at so many calls alone, chosen by chance; at each if left out.
    """
    watched, log, report = folder / "disk", folder / "log", folder / "report"
    watched.mkdir()
    disk = Disk(watched)
    with nursery(with_layer=True) as nest:
        nest.run_whole(watched / "x.index", report, _STEPS, Arms(watched, log))
    done = list(calls(log))
    chance = random.Random(seed)
    numbered = [number for number, call in enumerate(done) if call.kind != "n"]
    chosen = set(numbered if most is None or most > len(numbered) else chance.sample(numbered, most))
    problems, tried = [], 0
    for number, (call, notes) in enumerate(_with_notes(done)):
        if number in chosen:
            states = possible(_STEPS, notes, {frozenset()})
            for crash in CRASHES:
                tried += 1
                problem = _after_crash(disk, folder / "after", crash, chance, states)
                problems += [f"call {number} ({call.kind}), {crash}: {problem}"] if problem else []
        if call.kind != "n":
            disk.apply(call)
    counted = ", ".join(f"{n:,} {name}" for name, n in _kinds(done[number] for number in chosen).items())
    figure = (
        f"{len(chosen):,} of {len(numbered):,} calls ({counted}), each with all, nothing and a part of what was not "
        f"synced: {tried:,} disks, {len(problems)} not all or nothing"
    )
    return Finding("; ".join([figure, *problems[:3]]), kept=not problems)


def _with_notes(done: Sequence[Call]) -> Iterator[tuple[Call, list[str]]]:
    """Each call, with what the child had told before it."""
    notes: list[str] = []
    for call in done:
        yield call, notes
        if call.kind == "n":
            notes.append(call.data.decode())


def _kinds(some: Iterator[Call]) -> Counter[str]:
    names = {"w": "writes", "s": "fsyncs", "r": "renames"}
    return Counter(names.get(call.kind, "others") for call in some)


def _after_crash(disk: Disk, place: Path, crash: Crash, chance: random.Random, states: set[State]) -> str | None:
    shutil.rmtree(place, ignore_errors=True)
    disk.write(place, crash, chance)
    return wrong(place / "x.index", states)


def recoveries(folder: Path, count: int, seed: int = 9) -> Finding:
    """A second crash, while what the first has left is being opened, migrated or mended."""
    chance = random.Random(seed)
    problems: list[str] = []
    tried: Counter[str] = Counter()
    with nursery(with_layer=True) as nest:
        sources = (_cut_off, _earlier_format, _damaged)
        for at, source in enumerate(sources):
            share = count // len(sources) + (at < count % len(sources))
            while tried[source.__name__] < share:
                place = folder / f"{source.__name__}{tried[source.__name__]}"
                place.mkdir()
                act, states = source(nest, place, chance)
                some = min(12, share - tried[source.__name__])
                problems += [f"{act}: {p}" for p in _crashed_twice(nest, place, act, states, some, chance)]
                tried[source.__name__] += some
                shutil.rmtree(place)
    figure = (
        f"{sum(tried.values())} crashes: {tried['_cut_off']} while recovering from another, "
        f"{tried['_earlier_format']} while migrating, {tried['_damaged']} while mending; "
        f"{len(problems)} not all or nothing"
    )
    return Finding("; ".join([figure, *problems[:3]]), kept=not problems)


def _cut_off(nest: Nursery, place: Path, chance: random.Random) -> tuple[str, set[State]]:
    """A library whose writer was cut off by a crash of the machine."""
    watched, log, report = place / "first", place / "log1", place / "report1"
    watched.mkdir()
    disk = Disk(watched)
    nest.run_whole(watched / "x.index", report, _STEPS, Arms(watched, log))
    done = list(calls(log))
    last = chance.randrange(len(done) // 3, len(done))
    notes = [call.data.decode() for call in done[:last] if call.kind == "n"]
    for call in done[:last]:
        if call.kind != "n":
            disk.apply(call)
    disk.write(place / "disk", chance.choice(("lost", "torn")), chance)
    return "opened", possible(_STEPS, notes, {frozenset()})


def _earlier_format(_: Nursery, place: Path, chance: random.Random) -> tuple[str, set[State]]:
    """A library of the first format."""
    from tests.trust.formats import unpacked

    (place / "disk").mkdir()
    return "opened", {unpacked(1, place / "disk" / "x.index")}


def _damaged(_: Nursery, place: Path, chance: random.Random) -> tuple[str, set[State]]:
    """A library of which a passage is damaged, which mending makes whole."""
    from tests.trust.damage import spoil_a_passage

    state = made(place / "disk" / "x.index", {NAMES[n]: n for n in range(4)})
    spoil_a_passage(place / "disk" / "x.index")
    return "mended", {state}


def _crashed_twice(
    nest: Nursery, place: Path, act: str, states: set[State], count: int, chance: random.Random
) -> Iterator[str]:
    watched, log = place / "disk", place / "log"
    disk = Disk(watched)
    assert nest.run(act, watched / "x.index", place / "report", (), Arms(watched, log)) == 0, told(place / "report")
    done = [call for call in calls(log) if call.kind != "n"]
    chosen = set(chance.sample(range(len(done) + 1), min(count, len(done) + 1)))
    for number, call in enumerate([*done, None]):
        if number in chosen:
            after = place / "after"
            shutil.rmtree(after, ignore_errors=True)
            disk.write(after, chance.choice(CRASHES), chance)
            if act == "mended":
                nest.run("mended", after / "x.index", place / "again")
            problem = wrong(after / "x.index", states)
            if problem:
                yield f"call {number} of {len(done)}: {problem}"
        if call:
            disk.apply(call)


def failures(folder: Path, most: int | None = None, seed: int = 10) -> Finding:
    """An I/O error at each call in turn, once and from then on; and an fsync that fails.

    Args:
        most: so many of each kind alone.
    """
    chance = random.Random(seed)
    problems: list[str] = []
    tried: Counter[str] = Counter()
    errors = 0
    with nursery(with_layer=True) as nest:
        for kind in ("once", "from then on", "fsync"):
            for number in _numbers(nest, folder, kind == "fsync", most, chance):
                tried[kind] += 1
                arms = Arms(folder / "disk", folder / "log", "always" if kind == "from then on" else "once", number)
                lines, problem = _with_error(nest, folder, arms.only_syncs() if kind == "fsync" else arms)
                errors += sum(line.startswith("error") for line in lines)
                problems += [f"{kind} at {number}: {problem}"] if problem else []
    figure = (
        f"an I/O error at {tried['once']:,} calls once, at {tried['from then on']:,} from then on, at {tried['fsync']} "
        f"fsyncs: {errors:,} clear errors, {len(problems)} indexes not intact, unclear errors or documents "
        "acknowledged by the database whose fsync had failed"
    )
    return Finding("; ".join([figure, *problems[:3]]), kept=not problems)


def _numbers(nest: Nursery, folder: Path, syncs: bool, most: int | None, chance: random.Random) -> list[int]:
    """The calls to fail, of those that a run without errors makes."""
    _cleared(folder)
    nest.run_whole(folder / "disk" / "x.index", folder / "report", _STEPS, Arms(folder / "disk", folder / "log"))
    kinds = [call.kind for call in calls(folder / "log") if call.kind != "n"]
    count = kinds.count("s") if syncs else len(kinds)
    numbers = range(1, count + 1)
    return sorted(chance.sample(numbers, min(most or count, count)))


def _with_error(nest: Nursery, folder: Path, arms: Arms) -> tuple[list[str], str | None]:
    _cleared(folder)
    report = folder / "report"
    status = nest.run("write", folder / "disk" / "x.index", report, _STEPS, arms)
    lines = told(report)
    if status or any(line.startswith("broken") for line in lines):
        return lines, f"the process ended with {status}: {lines[-1:]}"
    unclear = [line for line in lines if line.startswith("error") and (":" not in line[8:] or "\n" in line)]
    if unclear:
        return lines, unclear[0]
    retried = _acknowledged_after_failure(folder / "log")
    return lines, retried or wrong(folder / "disk" / "x.index", possible(_STEPS, lines, {frozenset()}))


def _acknowledged_after_failure(log: Path) -> str | None:
    """Whether a document was acknowledged after the database's fsync had failed: by a retry, that is."""
    failed = False
    for call in calls(log):
        failed = failed or (call.kind == "f" and b"pincite.sqlite" in call.data)
        note = call.data.decode() if call.kind == "n" else ""
        if failed and note.startswith("done") and _STEPS[int(note[5:])][0] in ("put", "drop"):
            return f"{note} after {call.kind}"
    return None


def _cleared(folder: Path) -> None:
    shutil.rmtree(folder / "disk", ignore_errors=True)
    (folder / "disk").mkdir()
    for name in ("log", "report"):
        (folder / name).unlink(missing_ok=True)


TRIALS = [
    Trial(
        "crashes",
        "Durability",
        "A crash at each write, fsync and rename, with what was not synced lost or torn, leaves all of a step or none",
        "every call",
        "tests/test_durability.py::test_a_crash_at_any_call_leaves_all_or_nothing",
        crashes,
    ),
    Trial(
        "recoveries",
        "Durability",
        "A crash while recovering, migrating or mending harms nothing",
        "200 crashes",
        "tests/test_durability.py::test_a_crash_while_recovering_harms_nothing",
        lambda folder: recoveries(folder, 200),
    ),
    Trial(
        "failures",
        "Durability",
        "After an I/O error the index is intact and the error is clear; nothing rests on an fsync that failed",
        "every call",
        "tests/test_durability.py::test_a_call_that_fails_is_told_and_harms_nothing",
        failures,
    ),
]
