"""Question answering over your own documents, every claim pinned to an exact sentence.

>>> import rag
>>> assistant = rag.open("handbook.index")               # doctest: +SKIP
>>> assistant.add("docs/")                               # doctest: +SKIP
>>> assistant.ask("Who received grants in 2021?").text   # doctest: +SKIP
"""

from importlib import import_module
from typing import TYPE_CHECKING

from index.errors import PinciteError

if TYPE_CHECKING:
    from rag.assistant import Assistant, open
    from rag.models import Answer, Citation, Claim, Evidence, Nearest, Note, Piece, Rejected, Row
    from rag.read import Reader
    from rag.why import Why

__all__ = [
    "Answer",
    "Assistant",
    "Citation",
    "Claim",
    "Evidence",
    "Nearest",
    "Note",
    "Piece",
    "PinciteError",
    "Reader",
    "Rejected",
    "Row",
    "Why",
    "open",
]

_ELSEWHERE = {"Assistant": "rag.assistant", "open": "rag.assistant", "Reader": "rag.read", "Why": "rag.why"}


def __getattr__(name: str) -> object:
    """What is exported, loaded when it is first asked for: commands that answer nothing need none of it (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_ELSEWHERE.get(name, "rag.models")), name)
