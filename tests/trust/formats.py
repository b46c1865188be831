"""A small library of each format that there has been: ``python -m tests.trust.formats`` packs one of today's.

A library of an earlier format is packed with that version's code; what it holds is the same each time.
"""

from __future__ import annotations

import sys
import tarfile
import tempfile
from pathlib import Path

from index.schema import FORMAT
from tests.trust.light import NAMES, State, made

PACKED = Path(__file__).with_name("formats")
CONTENTS = {**{NAMES[n]: n for n in range(4)}, NAMES[4]: 1}
"""Four texts, one of them under two names."""


def unpacked(made_in: int, folder: Path) -> State:
    """The library of a format, in a folder that is not there yet; what it holds."""
    with tarfile.open(PACKED / f"{made_in}.tar.gz") as packed:
        packed.extractall(folder, filter="data")
    return frozenset(CONTENTS.items())


def main() -> None:
    """Pack a library of today's format, unless that was done before."""
    path = PACKED / f"{FORMAT}.tar.gz"
    if path.exists():
        sys.exit(f"{path} is there already: libraries of a format that was released stay as they are")
    PACKED.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as place, tarfile.open(path, "w:gz") as packed:
        made(Path(place) / "x.index", CONTENTS)
        packed.add(Path(place) / "x.index", ".", filter=_anonymous)


def _anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = entry.mtime = 0
    entry.uname = entry.gname = ""
    return entry


if __name__ == "__main__":
    main()
