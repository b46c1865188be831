"""Files prepared by a pool of processes on this machine, one for each core."""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from index.encode import Encoder
from index.errors import StoreError
from index.prepare import Given, Prepared, encode, prepare, unchanged

_FEW = 256  # files: fewer are done sooner here, where the encoder has a thread for each core, than processes start
_AHEAD = 16  # files for each process that are under way or wait to be stored

_encoder: Encoder | None = None  # of a process of the pool


class Processes:
    """See `index.prepare.Workers`. Started once there are many files that are new or have changed.

    The processes import the main module anew, as `multiprocessing` does: call this from a module, or a script whose
    statements stand under ``if __name__ == "__main__"``.
    """

    def __init__(self, count: int | None = None) -> None:
        """So many processes, or as many as there are cores."""
        self._count = count or os.cpu_count() or 1

    def prepared(self, files: Iterator[Given], encoder: Encoder) -> Iterator[Prepared]:
        """See `Workers.prepared`; a few files are left to the caller to encode.

        Raises:
            StoreError: a process died.
        """
        held: list[Prepared | Given] = []
        for given in files:
            held.append(unchanged(given) or given)
            if sum(isinstance(one, Given) for one in held) >= _FEW:
                break
            if isinstance(first := held[0], Prepared):
                held.pop(0)
                yield first
        if sum(isinstance(one, Given) for one in held) < _FEW:
            yield from (prepare(one) if isinstance(one, Given) else one for one in held)
            return
        # Not forked: a fork copies the locks of threads that it does not copy.
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(self._count, context, _open, (encoder.model,)) as pool:
            under_way: deque[Prepared | Future[Prepared]] = deque()
            try:
                for one in _chain(held, files):
                    under_way.append(one if isinstance(one, Prepared) else pool.submit(_prepared, one))
                    while under_way and (isinstance(under_way[0], Prepared) or len(under_way) > _AHEAD * self._count):
                        yield _result(under_way.popleft())
                while under_way:
                    yield _result(under_way.popleft())
            except BrokenProcessPool as error:
                raise StoreError("a process that prepares files died, perhaps for want of memory: add again") from error
            finally:
                pool.shutdown(cancel_futures=True)


def _chain(held: list[Prepared | Given], files: Iterator[Given]) -> Iterator[Prepared | Given]:
    yield from held
    for given in files:
        yield unchanged(given) or given


def _result(one: Prepared | Future[Prepared]) -> Prepared:
    return one if isinstance(one, Prepared) else one.result()


def _open(model: Path | None) -> None:
    """Begin a process of the pool: its encoder takes one core, since the other processes have the others."""
    global _encoder  # noqa: PLW0603  a process has nowhere else to keep it
    _encoder = Encoder(model, threads=1)


def _prepared(given: Given) -> Prepared:
    made = prepare(given)
    if made.document is None or _encoder is None:
        return made
    return made._replace(encoded=encode(made.document, made.passages, _encoder))
