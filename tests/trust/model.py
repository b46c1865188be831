"""A trial of chance: a library, and a dictionary that it must agree with, whoever looks and whatever was done."""

from __future__ import annotations

import shutil
import tempfile
import unittest
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from unittest.mock import patch

from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

import index.prepare as prepare_module
from index.library import Index
from index.reading import read_document
from tests.trust.light import NAMES, WORDS, Light, State, after, held, text
from tests.trust.trial import Finding, Trial

_NAMES = st.sampled_from(NAMES[:6])
_TEXTS = st.integers(0, 7)


class Agreement(RuleBasedStateMachine):
    """One writer, which is opened again at times, and two readers that stay open."""

    runs = 0

    @initialize()
    def start(self) -> None:
        """An empty library, open three times."""
        self.folder = Path(tempfile.mkdtemp(prefix="pincite-model-"))
        self.writer = self._open()
        self.readers = [self._open(), self._open()]
        self.state: State = frozenset()

    def _open(self) -> Index:
        return Index(self.folder / "x.index", Light())

    @rule(name=_NAMES, number=_TEXTS)
    def put(self, name: str, number: int) -> None:
        """A text under a name, new or not."""
        known = dict(self.state)
        added = self.writer.add_bytes(text(number), name)
        expected = "updated" if name in known else "added"
        if known.get(name) == number:
            expected = "unchanged"
        elif number in known.values():
            expected = "duplicate"
        assert added.outcome == expected, (added, known)
        self.state = after(self.state, ("put", name, number))

    @rule(name=_NAMES)
    def drop(self, name: str) -> None:
        """Remove the document of a name with all its names."""
        if name in dict(self.state):
            self.writer.remove(name)
            self.state = after(self.state, ("drop", name))

    @rule()
    def rebuild(self) -> None:
        """Derive all anew."""
        self.writer.rebuild()

    @rule()
    def reopen(self) -> None:
        """Close the writer, and open it again."""
        self.writer.close()
        self.writer = self._open()

    @rule(number=_TEXTS)
    def ask(self, number: int) -> None:
        """All three find what is there, by its word and by its vector."""
        for index in (self.writer, *self.readers):
            assert held(index) == self.state
            expected = {text(number).decode()} if number in dict(self.state).values() else set()
            found = index.search(WORDS[number], k=50, mode="lexical")
            assert {index.show(hit.passage.document).text for hit in found} == expected
            everything = index.search("lighthouse", k=99, mode="dense")
            assert {hit.passage.document for hit in everything} == {d for _, d in index.engine.store.named()}
            assert len({hit.passage.id for hit in everything}) == len(everything)

    def teardown(self) -> None:
        """It is sound at the end."""
        type(self).runs += 1
        try:
            self.ask(0)
            assert self.writer.check() == []
        finally:
            for index in (self.writer, *self.readers):
                index.close()
            shutil.rmtree(self.folder)


def agreements(runs: int, steps: int, processes: int = 1) -> Finding:
    """So many runs of so many steps, the same each time; a difference is told with the steps that lead to it."""
    if processes == 1:
        done = [_agreed(0, runs, steps)]
    else:  # each waits for the disk and for its own threads most of the time
        with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
            done = list(pool.map(partial(_agreed, runs=runs // processes, steps=steps), range(processes)))
    differences = [difference for _, difference in done if difference]
    if differences:
        return Finding("; ".join(["a difference", *differences]), kept=False)
    ended = sum(count for count, _ in done)
    return Finding(f"{ended:,} runs of up to {steps} steps, one writer and two readers: 0 differences", ended >= runs)


def _agreed(begin: int, runs: int, steps: int) -> tuple[int, str | None]:
    """How many runs have ended, and a difference that was found; ``begin`` is the seed."""
    Agreement.runs = 0
    wanted = settings(
        max_examples=runs,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    try:
        with patch.object(prepare_module, "read_apart", read_document):  # it is storing that is tried
            run_state_machine_as_test(seed(begin)(Agreement), settings=wanted)
    except (AssertionError, unittest.SkipTest) as error:
        return Agreement.runs, " ".join(
            [str(error), *getattr(error, "__notes__", ())]
        )  # where hypothesis puts the steps
    return Agreement.runs, None


TRIALS = [
    Trial(
        "agreements",
        "Durability",
        "Whatever is added, replaced, removed, rebuilt and opened again, writer and readers see just what is there",
        "2,000 runs of 50 steps, 0 differences",
        "tests/test_durability.py::test_a_library_agrees_with_a_dictionary",
        lambda _: agreements(2000, 50, processes=4),
    )
]
