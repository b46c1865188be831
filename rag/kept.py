"""What is worked out once for each document and kept for the next question."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from threading import Lock
from typing import TypeVar

from index.models import Document

T = TypeVar("T")

_MOST = 512  # documents; the one that was used longest ago makes room


def per_document(work: Callable[[Document], T]) -> Callable[[Document], T]:
    """Keep the results of a function of a document, by its id and source; neither ever gets another text."""
    kept: dict[tuple[str, str], T] = {}
    lock = Lock()  # questions are answered side by side; the work itself is done outside of it, twice at worst

    @wraps(work)
    def remembered(document: Document) -> T:
        key = (document.id, document.source)
        with lock:
            found = kept.pop(key, None)
        if found is None:
            found = work(document)
        with lock:
            kept[key] = found
            while len(kept) > _MOST:
                del kept[next(iter(kept))]
        return found

    return remembered
