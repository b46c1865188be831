"""A lock for what may be read by many threads, or changed by one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class ReadersWriter:
    """Many readers or one writer; a waiting writer goes before new readers."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._readers = 0
        self._writers = 0
        self._busy = False

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Keep writers out until the end of the block."""
        with self._condition:
            self._condition.wait_for(lambda: not self._writers)
            self._readers += 1
        try:
            yield
        finally:
            with self._condition:
                self._readers -= 1
                self._condition.notify_all()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Keep everyone else out until the end of the block."""
        with self._condition:
            self._writers += 1
            self._condition.wait_for(lambda: not self._readers and not self._busy)
            self._busy = True
        try:
            yield
        finally:
            with self._condition:
                self._writers -= 1
                self._busy = False
                self._condition.notify_all()
