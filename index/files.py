"""Files that must survive a crash: the writer's lock, a durable rename, and what SQLite says when it fails."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from index.errors import DamagedError, LockedError, StoreError

# What SQLite, or Python on its way from there, says of a file that is not as it was written.
_DAMAGE = ("malformed", "not a database", "no such", "unsupported file format", "decode", "has no column", 'near "')


def fsync_folder(folder: Path) -> None:
    """Make a rename inside a folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def lock(folder: Path) -> IO[str]:
    """An exclusive lock on the folder's lock file, which holds the process id of its holder."""
    try:
        file = (folder / "writer.lock").open("a+")
    except OSError as error:
        raise StoreError(f"cannot write to {folder}: {error.strerror}; check its permissions and the disk") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.seek(0)
        holder = file.read().strip() or "unknown"
        file.close()
        raise LockedError(f"process {holder} is writing to {folder}: wait for it to finish, or stop it") from error
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file


@contextmanager
def sqlite_errors(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into ours, with what to do."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        message = str(error)
        if "full" in message:
            raise StoreError(f"the disk of {path.parent} is full: make room, then add the rest again") from error
        if "readonly" in message or "unable to open" in message:
            raise StoreError(f"cannot open {path}: check the permissions of its folder") from error
        if any(sign in message for sign in _DAMAGE):
            raise DamagedError(
                f"{path} is damaged ({message}): run `pincite rebuild`, or restore it from a copy"
            ) from error
        if "locked" in message:
            raise LockedError(f"{path} is locked by another program: close that and try again") from error
        raise StoreError(f"{path}: {message}") from error
