"""Question answering over your own documents, every claim pinned to an exact sentence.

>>> import rag
>>> assistant = rag.open("handbook.index")               # doctest: +SKIP
>>> assistant.add("docs/")                               # doctest: +SKIP
>>> assistant.ask("Who received grants in 2021?").text   # doctest: +SKIP
"""

from index.errors import PinciteError
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
