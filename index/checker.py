"""The passages of a large database are checked in a process beside the one that takes their vectors.

All of them are gone over whenever an index is opened, and Python uses one core: two processes share the work. Both read
the same state, which the age of its seal tells.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from threading import Thread
from types import TracebackType

from index import seal
from index.child import launched
from index.database import connect
from index.sound import Looked, one_state, passages

_MAPPED = 2**40  # bytes of the file that are read in place, without copying; SQLite has a limit of its own
Age = tuple[str, int]
"""See `index.seal.age`."""


class Checker:
    """Checks passages while its block lasts."""

    def __init__(self, path: Path, readonly: bool, age: Age) -> None:
        """Begin to check the state of a database that has this age."""
        self._child: subprocess.Popen[bytes] | None = None
        name, changes = age
        try:
            self._child = launched("index.checker", str(path.absolute()), str(int(readonly)), name, str(changes))
        except OSError:
            return  # `looked` says that nobody has

    def __enter__(self) -> Checker:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._child:
            self._child.kill()
            self._child.__exit__(kind, error, at)  # closes what it prints to, and waits for its end

    def looked(self) -> Looked | None:
        """What was found, once it is; ``None`` where the process could not tell."""
        told = self._child.communicate()[0] if self._child else b""
        if self._child is None or self._child.returncode:
            return None
        return Looked(*json.loads(told))


def main(path: Path, readonly: bool, age: Age) -> None:
    """Print what is found of the passages of a database of this age, as JSON; exit with 1 where it has another."""

    def connection() -> sqlite3.Connection:
        db = connect(path, readonly)
        # A disk that fails ends a process that reads so; this one may die, and the other one looks for itself.
        db.execute(f"PRAGMA mmap_size={_MAPPED}")
        return db

    Thread(target=_fetch, args=(path,), daemon=True).start()
    db = connection()
    with one_state(db, path):
        if seal.age(db) != age:
            sys.exit(1)
        found = passages(db, connection, path)
    sys.stdout.write(json.dumps(found))


def _fetch(path: Path) -> None:
    """Have the system read a whole file ahead, where it can: page by page, a disk takes three times as long."""
    if hasattr(os, "posix_fadvise"):
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_WILLNEED)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] == "1", (sys.argv[3], int(sys.argv[4])))
