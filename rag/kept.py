"""What is worked out once for each document and kept for the next question."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TypeVar

from index.models import Document

T = TypeVar("T")

_MOST = 512  # documents; the one that was used longest ago makes room


def per_document(work: Callable[[Document], T]) -> Callable[[Document], T]:
    """Keep the results of a function of a document, by its id and source; neither ever gets another text."""
    kept: dict[tuple[str, str], T] = {}

    @wraps(work)
    def remembered(document: Document) -> T:
        key = (document.id, document.source)
        found = kept.pop(key, None)  # another thread may have taken it: then it is worked out again
        if found is None:
            found = work(document)
        kept[key] = found
        if len(kept) > _MOST:
            kept.pop(next(iter(kept)), None)
        return found

    return remembered
