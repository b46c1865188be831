"""Files that must survive a crash: the writer's lock and a durable rename."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import IO

from index.errors import LockedError, StoreError


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
