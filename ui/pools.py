"""Threads that do the work of the server: few, kept for good, and with short queues, so that load is refused early.

A thread of its own would open files and memory anew for each request; these are opened once.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from ui.problems import BusyError

P = ParamSpec("P")
T = TypeVar("T")


class Pool:
    """Some threads, and a queue before them that takes so many and no more.

    Attributes:
        places: how many calls may run or wait at once; ``taken``: how many do now.
    """

    def __init__(self, name: str, workers: int, waiting: int) -> None:
        self.name = name
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix=f"pincite-{name}")
        self.places = workers + waiting
        self.taken = 0
        self._lock = threading.Lock()

    @property
    def is_full(self) -> bool:
        """Whether the next call would be refused."""
        return self.taken >= self.places

    async def run(self, call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of a call in one of the threads; cancelled while it waits, it is never begun.

        Raises:
            BusyError: the queue is full.
        """
        with self._lock:
            if self.taken >= self.places:
                raise BusyError("too many questions at once: try again in a few seconds", 2)
            self.taken += 1
        try:
            future = self._threads.submit(call, *args, **kwargs)
        except RuntimeError as error:  # shut down meanwhile
            self._leave()
            raise BusyError("the server is stopping: try again in a minute", 30) from error
        future.add_done_callback(self._leave)
        return await asyncio.wrap_future(future)

    def _leave(self, _: Future[T] | None = None) -> None:
        with self._lock:
            self.taken -= 1

    def close(self) -> None:
        """Wait for what has begun, and drop what waits."""
        self._threads.shutdown(wait=True, cancel_futures=True)
