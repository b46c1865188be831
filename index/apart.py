"""Reads files in a process apart, so that a bad one costs a bounded amount and never the process that asks.

One process reads many files in turn. It is started for the first, and made anew when it has died or has passed a limit.
What comes back is JSON, checked like anything else from outside.
"""

from __future__ import annotations

import atexit
import hashlib
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import IO, NamedTuple

from pydantic import ValidationError

from index.child import ANSWER, BROKEN, MEMORY, QUESTION, READ, READY, REFUSED, launched
from index.errors import DocumentError, StoreError
from index.reading import Read

_MIB = 1024 * 1024
_START = 120  # seconds that a process may take to start


class Limits(NamedTuple):
    """What one file may cost: seconds on the clock, bytes of memory, and bytes of what is made of it."""

    seconds: float = 120
    memory: int = 2048 * _MIB
    answer: int = 256 * _MIB


class _StoppedError(Exception):
    """The process ended without an answer; ``args`` tell what becomes of the file."""


class Apart:
    """A process that handles files; it may be used by several threads, which then wait for each other."""

    def __init__(self, limits: Limits | None = None, module: str = "index.reading") -> None:
        """Nothing is started yet; ``module`` is what handles the files there (see `index.child.main`)."""
        self._limits = limits or Limits()
        self._module = module
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._owner = 0
        atexit.register(self.close)

    def read(self, data: bytes, source: str) -> Read:
        """The document in a file's bytes, with its passages and its minhash.

        Raises:
            DocumentError: the file cannot become a document, takes more than it may, or breaks what reads it.
            StoreError: no process can be started.
        """
        return _checked(self.ask(data, source, source), data, source)

    def ask(self, data: bytes, question: str, source: str) -> bytes:
        """What the process makes of a file and some words beside it; errors name the file's source.

        Raises:
            DocumentError, StoreError: as `read` does.
        """
        with self._lock:
            if self._owner != os.getpid():
                self._child = None  # a fork has no part in its parent's conversation
            used = self._child is not None
            try:
                return self._asked(data, question)
            except _StoppedError as error:
                if not (used and error.args[1]):
                    raise _refusal(source, error) from error
            # It may have been worn out by others, or ended by somebody else: a new one gives the file a fair try.
            try:
                return self._asked(data, question)
            except _StoppedError as error:
                raise _refusal(source, error) from error

    def close(self) -> None:
        """End the process, if there is one; the next file starts another."""
        child, self._child = self._child, None
        if child is None or self._owner != os.getpid():
            return
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            if pipe:
                try:
                    pipe.close()
                except BrokenPipeError:
                    continue  # what was still to be written has nobody to go to

    def _started(self) -> subprocess.Popen[bytes]:
        """A process that waits for files; what every file needs is loaded before the clock of the first one runs."""
        limits = self._limits
        asked = (self._module, str(limits.seconds), str(limits.memory))
        self._child, self._owner = child, _ = launched("index.child", *asked, stdin=subprocess.PIPE), os.getpid()
        with _timed(child, _START):
            ready = child.stdout.read(ANSWER.size) if child.stdout else b""
        if ready != ANSWER.pack(READY, 0):
            self.close()
            raise StoreError("no process can be started to read the files: close other programs, then add again")
        return child

    def _asked(self, data: bytes, question: str) -> bytes:
        """What the process answers. Raises _StoppedError with a reason, and whether another try may go better."""
        child = self._child or self._started()
        answered = False
        with _timed(child, self._limits.seconds) as late:
            try:
                kind, words = _exchange(child, data, question, self._limits)
                answered = True
            except EOFError as error:
                raise _ended(child, self._limits, late=late.is_set()) from error
            finally:
                if not answered or late.is_set():
                    self.close()
        if kind == READ:
            return words
        if kind == REFUSED:
            raise DocumentError(words.decode())
        self.close()
        if kind == MEMORY:
            raise _StoppedError(_too_much(self._limits), True)
        raise _StoppedError(f"it breaks what reads it ({words.decode()}); save it in another format", False)


def _refusal(source: str, error: _StoppedError) -> DocumentError:
    return DocumentError(f"{PurePosixPath(source).name}: {error.args[0]}")


@contextmanager
def _timed(child: subprocess.Popen[bytes], seconds: float) -> Iterator[threading.Event]:
    """End a process once its time is over, by whatever it is held up; the event says that it was."""
    late = threading.Event()

    def stop() -> None:
        late.set()
        child.kill()

    clock = threading.Timer(seconds, stop)
    clock.daemon = True
    clock.start()
    try:
        yield late
    finally:
        clock.cancel()


def _exchange(child: subprocess.Popen[bytes], data: bytes, question: str, limits: Limits) -> tuple[bytes, bytes]:
    """A question and its answer. Raises EOFError where the process ended meanwhile."""
    if child.stdin is None or child.stdout is None:
        raise EOFError
    name = question.encode(errors="replace")
    try:
        for part in (QUESTION.pack(len(name), len(data)), name, data):
            child.stdin.write(part)
        child.stdin.flush()
    except OSError as error:
        raise EOFError from error
    kind, length = ANSWER.unpack(_taken(child.stdout, ANSWER.size))
    if kind not in (READ, REFUSED, MEMORY, BROKEN) or length > limits.answer:
        raise _StoppedError(
            f"what is made of it passes {limits.answer // _MIB} MiB; split it into smaller files", False
        )
    return kind, _taken(child.stdout, length)


def _taken(pipe: IO[bytes], length: int) -> bytes:
    taken = pipe.read(length)
    if len(taken) < length:
        raise EOFError
    return taken


def _checked(words: bytes, data: bytes, source: str) -> Read:
    """What was read, where it is of this file: a process that a file has taken over may say anything."""
    try:
        read = Read.model_validate_json(words)
    except ValidationError as error:
        raise DocumentError(f"{source}: what is made of it is no document; save it in another format") from error
    document = read.document
    text = document.text
    inside = all(0 <= p.start < p.end <= len(text) and p.document == document.id for p in read.passages)
    if (
        document.sha256 != hashlib.sha256(data).hexdigest()
        or document.id != hashlib.sha256(text.encode()).hexdigest()[:16]
        or document.source != source
        or not inside
    ):
        raise DocumentError(f"{source}: what is made of it is not of this file; save it in another format")
    return read


def _ended(child: subprocess.Popen[bytes], limits: Limits, *, late: bool) -> _StoppedError:
    """Why a process ended in the middle, as far as its exit tells."""
    code = child.wait()
    if late or code == -getattr(signal, "SIGXCPU", 0):
        return _StoppedError(
            f"it took longer than {limits.seconds:g} s to read; split it into smaller files, or save it anew", False
        )
    return _StoppedError(
        f"it breaks what reads it, perhaps by passing {limits.memory // _MIB} MiB of memory; "
        "split it into smaller files, or save it in another format",
        True,
    )


def _too_much(limits: Limits) -> str:
    return f"it took more than {limits.memory // _MIB} MiB of memory to read; split it into smaller files"


_shared = Apart()


def read_apart(data: bytes, source: str) -> Read:
    """The document in a file's bytes, read by the one process that this one keeps for it; see `Apart.read`."""
    return _shared.read(data, source)
