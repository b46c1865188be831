"""What is stored and found: files become documents, passages, vectors and terms, and questions become hits."""

from index.engine import Engine
from index.errors import PinciteError
from index.library import Index, open
from index.models import Added, Document, Hit, Listed, Passage

__all__ = ["Added", "Document", "Engine", "Hit", "Index", "Listed", "Passage", "PinciteError", "open"]
