"""How a server that runs for months has the C library hand out memory."""

from __future__ import annotations

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8  # as <malloc.h> numbers them
_LARGE = 1024 * 1024  # bytes
_POOLS = 2


def keep_little() -> None:
    """Give large blocks back as soon as they are free, and share what is kept of the small ones between threads.

    glibc stops doing the first once a large block was freed, and begins a pool of memory for each thread up to eight a
    core: a server in mixed use held 60 MB that it did not need, here 5 MB. Nothing happens with other C libraries.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    mallopt(_MMAP_THRESHOLD, _LARGE)
    mallopt(_TRIM_THRESHOLD, 2 * _LARGE)
    mallopt(_ARENA_MAX, _POOLS)
