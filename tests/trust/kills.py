"""A trial of kill -9: writers are killed at random moments, one after the other, on one library."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.trust.light import NAMES, WORDS, State, after, made, opened_in, wrong
from tests.trust.nursery import Nursery, Step, nursery, possible, told
from tests.trust.trial import Finding, Trial

_LONGEST = 1.0  # seconds until a kill; a writer does about ten things in them
_MOST_SECONDS = 10.0


def kills(folder: Path, count: int, seed: int = 7) -> Finding:
    """So many kills of processes that add, replace, remove and rebuild; the library is looked through after each."""
    chance = random.Random(seed)
    index = folder / "x.index"
    states: set[State] = {made(index, {NAMES[n]: n for n in range(6)})}
    doing: Counter[str] = Counter()
    acknowledged, slowest, problems = 0, 0.0, list[str]()
    with nursery() as nest:
        for turn in range(count):
            steps = _steps(next(iter(states)), chance)
            report = folder / f"report{turn}"
            _killed(nest, index, report, steps, chance.uniform(0, _LONGEST))
            lines = told(report)
            report.unlink(missing_ok=True)
            problems += [f"kill {turn}: {line}" for line in lines if line.startswith(("error", "broken"))]
            doing[_doing(lines, steps)] += 1
            acknowledged += sum(line.startswith("done") for line in lines)
            expected = possible(steps, lines, states)
            slowest = max(slowest, opened_in(index))
            problem = wrong(index, expected)
            if problem:
                problems.append(f"kill {turn}: {problem}")
                break
            states = {_settled(index, expected)}
    figure = (
        f"{sum(doing.values()):,} kills, {doing['put']:,} while adding, {doing['drop']:,} while removing, "
        f"{doing['rebuild']:,} while rebuilding, {doing['']:,} while opening or between; {acknowledged:,} changes "
        f"acknowledged, {len(problems)} libraries with anything lost, extra or twice; slowest opening {slowest:.1f} s"
    )
    return Finding("; ".join([figure, *problems[:3]]), kept=not problems and slowest < _MOST_SECONDS)


def _steps(state: State, chance: random.Random) -> list[Step]:
    """More changes to a library than there is time for; only what is there is removed."""
    steps: list[Step] = []
    for _ in range(60):
        step: Step = ("put", chance.choice(NAMES), chance.randrange(len(WORDS)))
        kind = chance.random()
        if kind < 0.4 and state:
            step = ("drop", chance.choice(sorted(state))[0])
        elif kind < 0.55:
            step = ("rebuild",)
        steps.append(step)
        state = after(state, step)
    return steps


def _killed(nest: Nursery, index: Path, report: Path, steps: list[Step], seconds: float) -> None:
    child = nest.begin("write", index, report, steps)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    nest.end()


def _doing(lines: list[str], steps: list[Step]) -> str:
    """What a child was at when it was killed; empty for nothing that it had told."""
    what, _, number = lines[-1].partition(" ") if lines else ("", "", "")
    return str(steps[int(number)][0]) if what == "begin" else ""


def _settled(index: Path, states: set[State]) -> State:
    """Which of the states that were possible it is."""
    return next(_matching(index, states))


def _matching(index: Path, states: set[State]) -> Iterator[State]:
    yield from (state for state in states if len(states) == 1 or wrong(index, {state}) is None)


TRIALS = [
    Trial(
        "kills",
        "Durability",
        "What is acknowledged survives kill -9 at any moment of adding, removing and rebuilding; nothing else appears",
        "1,000 kills: 0 lost, 0 phantoms, 0 duplicates, opens in under 10 s",
        "tests/test_durability.py::test_what_is_acknowledged_survives_being_killed",
        lambda folder: kills(folder, 1000),
    )
]
