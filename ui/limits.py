"""How often a caller may come: a bucket for each that fills steadily and holds a minute's worth."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from math import ceil
from time import monotonic

from ui.problems import TooManyError

_REMEMBERED = 10_000


class Rates:
    """So many calls a minute for each name; the names that came last are remembered."""

    def __init__(self, a_minute: int, clock: Callable[[], float] = monotonic) -> None:
        self._most = float(a_minute)
        self._clock = clock
        self._lock = threading.Lock()
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, name: str) -> None:
        """Count a call.

        Raises:
            TooManyError: none is left; it tells when there is one again.
        """
        with self._lock:
            now = self._clock()
            left, before = self._left.pop(name, (self._most, now))
            left = min(self._most, left + (now - before) * self._most / 60)
            enough = left >= 1
            self._left[name] = (left - 1 if enough else left, now)
            while len(self._left) > _REMEMBERED:
                self._left.popitem(last=False)
        if not enough:
            wait = ceil((1 - left) * 60 / self._most)
            raise TooManyError(f"more than {self._most:.0f} requests a minute: try again in {wait} s", wait)
