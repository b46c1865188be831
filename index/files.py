"""Files that must survive a crash: the writer's lock, a durable rename, and what SQLite says when it fails."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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


def make_folder(folder: Path) -> None:
    """Make a folder, with those above it that are missing, so that it is still there after a crash.

    Raises:
        OSError: it cannot be made.
    """
    missing = [folder] if not folder.exists() else []
    while missing and not missing[-1].parent.exists():
        missing.append(missing[-1].parent)
    for each in reversed(missing):
        each.mkdir(exist_ok=True)
        fsync_folder(each.parent)


class Lock:
    """The one writer's lock on a folder, held until it is closed or the process ends, however it ends.

    Its file holds the process id of its holder.
    """

    def __init__(self, folder: Path) -> None:
        """Take the lock.

        Raises:
            LockedError: another process holds it.
            StoreError: the folder cannot be written.
        """
        self._handle = -1
        try:
            self._handle = os.open(folder / "writer.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(self._handle, 0)
            os.pwrite(self._handle, str(os.getpid()).encode(), 0)
        except BlockingIOError as error:
            holder = os.pread(self._handle, 20, 0).decode(errors="replace").strip() or "unknown"
            self.close()
            raise LockedError(f"process {holder} is writing to {folder}: wait for it to finish, or stop it") from error
        except OSError as error:
            self.close()
            raise StoreError(
                f"cannot write to {folder}: {error.strerror}; check its permissions and the disk"
            ) from error

    def close(self) -> None:
        """Let others write."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


def is_damage(error: sqlite3.DatabaseError | UnicodeDecodeError) -> bool:
    """Whether SQLite says that a file is not as it was written, be it in words that are damaged, too."""
    return isinstance(error, UnicodeDecodeError) or any(sign in str(error) for sign in _DAMAGE)


@contextmanager
def sqlite_errors(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into ours, with what to do."""
    try:
        yield
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        message = str(error)
        if "full" in message:
            raise StoreError(f"the disk of {path.parent} is full: make room, then add the rest again") from error
        if "readonly" in message or "unable to open" in message:
            raise StoreError(
                f"cannot open {path}: check the permissions of its folder, and the room on its disk"
            ) from error
        if is_damage(error):
            raise DamagedError(
                f"{path} is damaged ({message}): run `pincite rebuild`, or restore it from a copy"
            ) from error
        if "locked" in message:
            raise LockedError(f"{path} is locked by another program: close that and try again") from error
        if "I/O error" in message:
            raise StoreError(f"{path}: {message}: check the disk and the room on it, then try again") from error
        raise StoreError(f"{path}: {message}") from error
