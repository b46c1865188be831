"""Everything that pincite raises on purpose.

::

    PinciteError                 the base: catch this to catch them all
    ├── UsageError               the call was wrong; nothing was tried        (exit code 2)
    ├── DocumentError            one file could not become a document         (the others go on)
    ├── EncoderError             a model could not be loaded or run
    ├── rag.llm.ModelError       a language model did not answer; the extractive answer is given instead
    └── StoreError               the index as a whole cannot be used
        ├── LockedError          another process is writing
        ├── WrongEncoderError    the index was made by another encoder
        ├── NewerFormatError     the index was made by a newer pincite
        └── DamagedError         a digest or a count does not match
            └── LostError        commits are missing that were there

Each message is one line and ends with what to do next.
"""

from __future__ import annotations


class PinciteError(Exception):
    """The base of every error that pincite raises on purpose."""


class UsageError(PinciteError):
    """The call was wrong: a bad filter, an empty question, a path that does not exist."""


class DocumentError(PinciteError):
    """One file could not become a document; the message says why and what to do."""


class EncoderError(PinciteError):
    """A model could not be found, compiled or run."""


class StoreError(PinciteError):
    """The index as a whole cannot be used."""


class LockedError(StoreError):
    """Another process is writing to the index; the message names its process id."""


class WrongEncoderError(StoreError):
    """The index holds vectors of another encoder than the one in use."""


class NewerFormatError(StoreError):
    """The index was made by a newer version of pincite."""


class DamagedError(StoreError):
    """Something stored does not match its digest; nothing is answered from it."""


class LostError(DamagedError):
    """Commits that were acknowledged are missing from the end of the database.

    Attributes:
        changes: how many.
    """

    def __init__(self, message: str, changes: int) -> None:
        super().__init__(message)
        self.changes = changes
