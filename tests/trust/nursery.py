"""Children for trials: a process that has everything imported forks one for each, to be killed or led astray.

A child works on a library (see `tests.trust.light`), and tells in a file what it begins and what it has done; the file
layer of `faults.c` can be laid under it first.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import index.prepare as prepare_module
from index.errors import PinciteError
from index.library import Index, rebuild
from index.prepare import Given, prepare
from index.reading import read_document
from tests.trust.light import Light, State, after, text

ROOT = Path(__file__).parents[2]
Step = Sequence[Any]
Mode = Literal["never", "crash", "once", "always", "budget"]
_MODES = ("never", "crash", "once", "always", "budget")


@functools.cache
def layer() -> Path | None:
    """The compiled file layer; ``None`` where there is no compiler, or this is not Linux on x86-64."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None or sys.platform != "linux" or os.uname().machine != "x86_64":
        return None
    place = Path(tempfile.mkdtemp(prefix="pincite-layer-")) / "faults.so"
    source = Path(__file__).with_name("faults.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", place, source, "-lpthread"], check=True)
    return place


class Arms:
    """The file layer, about to be laid under a child."""

    def __init__(self, folder: Path, log: Path | None = None, mode: Mode = "never", number: int = 0) -> None:
        """Watch a folder.

        Args:
            log: where the calls are written.
            mode: whether the call of this number is the last one, fails, or is the first to fail; or how many bytes
                there is room for.
        """
        self.folder, self.log, self.mode, self.number = folder, log, mode, number
        self.error, self.syncs = errno.ENOSPC if mode == "budget" else errno.EIO, False

    def only_syncs(self) -> Arms:
        """The same for calls of fsync alone."""
        self.syncs = True
        return self

    def told(self) -> list[Any]:
        """As `pincite_arm` takes it."""
        log = str(self.log) if self.log else None
        return [str(self.folder), log, _MODES.index(self.mode), self.number, self.error, int(self.syncs)]


class Nursery:
    """Forks children, one at a time."""

    def __init__(self, layer: Path | None = None) -> None:
        command = [sys.executable, "-m", "tests.trust.nursery", *([str(layer)] if layer else [])]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def close(self) -> None:
        """End the nursery."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()

    def begin(self, act: str, folder: Path, report: Path, steps: Sequence[Step] = (), arms: Arms | None = None) -> int:
        """Start a child at one of the acts below; its process id."""
        order = {"act": act, "folder": str(folder), "report": str(report), "steps": steps}
        return int(self._say({**order, "arms": arms.told() if arms else None}))

    def end(self) -> int:
        """Wait for the child; its exit status, negative for a signal."""
        return os.waitstatus_to_exitcode(int(self._say({})))

    def run(self, act: str, folder: Path, report: Path, steps: Sequence[Step] = (), arms: Arms | None = None) -> int:
        """Start a child and wait for it."""
        self.begin(act, folder, report, steps, arms)
        return self.end()

    def run_whole(self, folder: Path, report: Path, steps: Sequence[Step], arms: Arms | None = None) -> None:
        """Write without any fault; a trial of faults means nothing unless each step is done where there are none."""
        status = self.run("write", folder, report, steps, arms)
        assert [line for line in told(report) if line.startswith("done")] == [f"done {n}" for n in range(len(steps))]
        assert status == 0

    def _say(self, order: dict[str, Any]) -> str:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline()


@contextmanager
def nursery(with_layer: bool = False) -> Iterator[Nursery]:
    """A nursery for the length of a block."""
    made = Nursery(layer() if with_layer else None)
    try:
        yield made
    finally:
        made.close()


def possible(steps: Sequence[Step], told: Sequence[str], states: set[State]) -> set[State]:
    """The states that a library may be in after what a child has told.

    A step that was done is done; one that was begun, or ended in an error, is done or not.
    """
    for line in told:
        what, _, number = line.partition(" ")
        if what in ("begin", "done"):
            later = {after(state, steps[int(number)]) for state in states}
            states = later if what == "done" else states | later
    return states


def told(report: Path) -> list[str]:
    """What a child has told."""
    return report.read_text(encoding="utf-8").splitlines() if report.exists() else []


def write(folder: Path, steps: Sequence[Step], tell: Callable[[str], None]) -> None:
    """Put, drop and rebuild, going on after an error that is one of ours."""
    index: Index | None = None
    for number, step in enumerate(steps):
        tell("opening" if index is None else f"begin {number}")
        try:
            if index is None:
                index = Index(folder, Light())
                tell(f"begin {number}")
            if step[0] == "put":
                refused = index.add_bytes(text(step[2]), step[1]).reason if step[2] >= 0 else None
                assert refused is None or "the same as" in refused, refused
            elif step[0] == "drop":
                index.remove(step[1])
            else:
                index.rebuild()
        except PinciteError as error:
            tell(f"error {number} {type(error).__name__}: {error}")
        else:
            tell(f"done {number}")
    if index:
        index.close()


def mended(folder: Path, steps: Sequence[Step], tell: Callable[[str], None]) -> None:
    """Rebuild as the command does."""
    try:
        rebuild(folder, Light())
    except PinciteError as error:
        tell(f"error 0 {type(error).__name__}: {error}")


def opened(folder: Path, steps: Sequence[Step], tell: Callable[[str], None]) -> None:
    """Open and ask, which recovers and migrates."""
    try:
        with Index(folder, Light()) as index:
            index.search("lighthouse")
    except PinciteError as error:
        tell(f"error 0 {type(error).__name__}: {error}")


def held(folder: Path, steps: Sequence[Step], tell: Callable[[str], None]) -> None:
    """Put, and stay as it is until the end."""
    with Index(folder, Light()) as index:
        for step in steps:
            index.add_bytes(text(step[2]), step[1])
        tell("held")
        signal.pause()


def writing(folder: Path, steps: Sequence[Step], tell: Callable[[str], None]) -> None:
    """Hold the writer's lock until the end."""
    with Index(folder, Light()) as index, index.engine.store.writing():
        tell("held")
        signal.pause()


_ACTS = {"held": held, "writing": writing, "write": write, "mended": mended, "opened": opened}


def _child(order: dict[str, Any], library: ctypes.CDLL | None) -> None:
    report = os.open(order["report"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def tell(line: str) -> None:
        if library and order["arms"]:
            library.pincite_note(line.encode())
        os.write(report, f"{line}\n".encode())

    if order["arms"]:
        assert library
        folder, log, mode, number, error, syncs = order["arms"]
        arming = library.pincite_arm(folder.encode(), log and log.encode(), mode, ctypes.c_long(number), error, syncs)
        assert arming == 0, os.strerror(arming)
    try:
        _ACTS[order["act"]](Path(order["folder"]), order["steps"], tell)
    except BaseException as error:  # noqa: BLE001  told to the trial
        tell(f"broken {type(error).__name__}: {error}")
        os._exit(3)
    os._exit(0)


def main() -> None:
    """Fork a child for each line, and wait for it on the next."""
    library = ctypes.CDLL(sys.argv[1]) if len(sys.argv) > 1 else None
    import faiss  # noqa: F401

    # Files are read here and now: it is storing that is tried, and a process apart could not start under the layer.
    prepare_module.read_apart = read_document
    # What each child would load anew is loaded once. Nothing here may start threads: a fork would lose them.
    prepare(Given("warm.txt", text(0)))
    for line in sys.stdin:
        order = json.loads(line)
        if order:
            child = os.fork()
            if not child:
                _child(order, library)
            print(child, flush=True)  # noqa: T201
        else:
            print(os.waitpid(child, 0)[1], flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
