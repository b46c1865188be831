"""What is stored and found: files become documents, passages, vectors and terms, and questions become hits."""

from importlib import import_module
from typing import TYPE_CHECKING

from index.errors import PinciteError

if TYPE_CHECKING:
    from index.engine import Engine
    from index.library import Index, open
    from index.models import Added, Document, Hit, Listed, Passage

__all__ = ["Added", "Document", "Engine", "Hit", "Index", "Listed", "Passage", "PinciteError", "open"]

_ELSEWHERE = {"Engine": "index.engine", "Index": "index.library", "open": "index.library"}


def __getattr__(name: str) -> object:
    """What is exported, loaded when it is first asked for: processes that only read files need none of it (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_ELSEWHERE.get(name, "index.models")), name)
