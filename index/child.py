"""The process that handles files for `index.apart`: one after the other, from standard input to standard output.

A question is two lengths (8 bytes each, big-endian), some words and a file; an answer is a letter, a length and bytes.
Nothing that is read here can start a program, write a file or reach another machine.
"""

from __future__ import annotations

import importlib
import os
import signal
import struct
import subprocess
import sys
import tempfile
import traceback
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from index.errors import DocumentError

QUESTION = struct.Struct(">QQ")
ANSWER = struct.Struct(">cQ")
READY, READ, REFUSED, MEMORY, BROKEN = b"0", b"D", b"R", b"M", b"B"

_FORBIDDEN = (
    "socket.connect",
    "socket.bind",
    "socket.sendto",
    "socket.getaddrinfo",
    "socket.gethostbyname",
    "subprocess.Popen",
    "os.system",
    "os.exec",
    "os.fork",
    "os.posix_spawn",
    "os.remove",
    "os.rename",
)
_ONE_CORE = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS", "MKL_NUM_THREADS"), "1")
_TIRED = 4  # a process that goes on holding a quarter of its memory makes room for a new one


def launched(module: str, *arguments: str, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    """A process that runs a module, sees the same modules as this one, and nothing in the folder that it is started in.

    Raises:
        OSError: it cannot be started.
    """
    modules = os.pathsep.join([str(Path(__file__).parents[1]), *filter(None, sys.path)])
    return subprocess.Popen(  # noqa: S603  nothing in it comes from outside
        [sys.executable, "-P", "-m", module, *arguments],
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **_ONE_CORE, "PYTHONPATH": modules},
    )


def main(module: str, seconds: float, memory: int) -> None:
    """Answer questions until there are no more.

    Args:
        module: has a function ``begin`` that loads what every question needs, and ``answer`` for one of them.
        seconds: the processor time that one file may take.
        memory: the bytes of address space that all of it may take.
    """
    # Whoever prints, a library in C among them, must not print into an answer.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    for stop in (signal.SIGINT, signal.SIGTERM):  # meant for the parent; without it, there are no more questions
        signal.signal(stop, signal.SIG_IGN)
    tempfile.gettempdir()  # some libraries ask for it; it is found by writing there, which is forbidden from here on
    limits = _Limits(memory)
    sys.addaudithook(_forbid)

    def broken(kind: type[BaseException], _: BaseException, at: TracebackType | None) -> None:
        """Tell where reading broke, and with what: never what was read."""
        place = traceback.extract_tb(at)[-1]
        name = os.path.basename(place.filename)  # noqa: PTH119
        _tell(answers, BROKEN, f"{kind.__name__} in {name}, line {place.lineno}".encode())

    sys.excepthook = broken
    questions = sys.stdin.buffer
    answering = importlib.import_module(module)
    answering.begin()
    _tell(answers, READY, b"")
    while len(lengths := questions.read(QUESTION.size)) == QUESTION.size:
        of_source, of_data = QUESTION.unpack(lengths)
        source = questions.read(of_source).decode()
        data = questions.read(of_data)
        limits.give(seconds)
        try:
            answer = READ, answering.answer(source, data)
        except DocumentError as error:
            answer = REFUSED, str(error).encode()
        except MemoryError:
            _tell(answers, MEMORY, b"")
            return
        except RecursionError:
            answer = REFUSED, f"{source}: its parts are nested too deeply; save it in another format".encode()
        _tell(answers, *answer)
        if limits.taken() > memory / _TIRED:
            return


def _tell(answers: BinaryIO, kind: bytes, words: bytes) -> None:
    answers.write(ANSWER.pack(kind, len(words)))
    answers.write(words)
    answers.flush()


def _forbid(event: str, arguments: tuple[object, ...]) -> None:
    """An audit hook: whatever a parser may have been talked into, it ends here."""
    if event in _FORBIDDEN:
        raise PermissionError(f"{event} is forbidden to whoever reads documents")
    if event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        raise PermissionError("writing is forbidden to whoever reads documents")


class _Limits:
    """The system's limits on this process; those that a system lacks are left to the parent's clock."""

    def __init__(self, memory: int) -> None:
        try:
            import resource
        except ImportError:
            self._resource = None
            return
        self._resource = resource
        self._set(resource.RLIMIT_AS, memory)
        self._set(resource.RLIMIT_FSIZE, 0)
        self._set(resource.RLIMIT_CORE, 0)

    def _set(self, which: int, most: int) -> None:
        if self._resource is not None:
            hard = self._resource.getrlimit(which)[1]
            lower = most if hard == self._resource.RLIM_INFINITY else min(most, hard)
            with suppress(OSError, ValueError):  # macOS refuses some
                self._resource.setrlimit(which, (lower, hard))

    def give(self, seconds: float) -> None:
        """So many seconds of the processor from now on; the one after them ends the process."""
        if self._resource is not None:
            used = self._resource.getrusage(self._resource.RUSAGE_SELF)
            self._set(self._resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime + seconds) + 1)

    def taken(self) -> int:
        """The bytes of memory that this process holds now; 0 where the system does not tell.

        What `getrusage` gives is of no use: it counts the most that the parent held before this process began.
        """
        try:
            pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
        except OSError:
            return 0
        return int(pages) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]))
