"""What is said of an answer that rests on words which a document holds but does not show."""

from __future__ import annotations

from collections.abc import Iterable

from index.hidden import SCANNED
from rag.models import Answer, Note


def told(answer: Answer) -> Answer:
    """The answer, with a note for its citations of words that are not seen where their document is opened."""
    cited = [*answer.citations, *(c for note in answer.notes for c in note.citations)]
    hidden: dict[str, list[int]] = {}
    for citation in cited:
        if citation.hidden:
            hidden.setdefault(citation.hidden, []).append(citation.number)
    notes = tuple(_note(why, numbers) for why, numbers in hidden.items())
    return answer.model_copy(update={"notes": (*answer.notes, *notes)}) if notes else answer


def _note(why: str, numbers: Iterable[int]) -> Note:
    which = ", ".join(map(str, numbers))
    if why == SCANNED:
        text = f"Words recognised in a scanned page (citation {which}): its picture may read otherwise."
        return Note(kind="scanned", text=text)
    return Note(kind="hidden", text=f"Words that the document hides from its readers (citation {which}): {why}.")
