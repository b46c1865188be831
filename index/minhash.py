"""datasketch's minhashes, without the half second that scipy.integrate takes to load.

With it datasketch reckons how many bands of how many rows find versions best. Here they are given (`BANDS`).
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

BANDS = (32, 4)
"""How many bands of how many rows; as datasketch reckons them for `index.ingest.NEAR`."""


def _quad(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401
    from scipy.integrate import quad

    return quad(*arguments, **named)


_LATER = ModuleType("scipy.integrate")
_LATER.quad = _quad  # type: ignore[attr-defined]
_absent = sys.modules.setdefault("scipy.integrate", _LATER) is _LATER
try:
    from datasketch import MinHash, MinHashLSH
finally:
    if _absent:
        del sys.modules["scipy.integrate"]

__all__ = ["BANDS", "MinHash", "MinHashLSH"]
