"""The list of a generation's files with their checksums: what makes files that are derived fit to be believed."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from isal.isal_zlib import crc32

from index.files import fsync_folder

_BLOCK = 1 << 20


class Manifest(NamedTuple):
    """What a generation is.

    Attributes:
        store: the name of the store that it was derived from.
        version: of its format.
        number: the last entry of the store's log that it holds.
        generation: the name of its folder.
        files: the CRC-32 of each of its files.
    """

    store: str
    version: int
    number: int
    generation: str
    files: Mapping[str, int]

    @classmethod
    def read(cls, path: Path) -> Manifest | None:
        """The manifest in a file; ``None`` where there is none, or it does not match its own checksum."""
        try:
            crc, _, body = path.read_bytes().partition(b"\n")
            if int(crc, 16) != crc32(body):
                return None
            return cls(*json.loads(body))
        except (OSError, ValueError, TypeError):
            return None

    def write(self, path: Path) -> None:
        """Put the manifest in the place of the one before, durably.

        Raises:
            OSError: it cannot be written; the one before is still there.
        """
        body = json.dumps(self).encode()
        temporary = path.with_suffix(".tmp")
        with temporary.open("wb") as file:
            file.write(b"%08x\n" % crc32(body) + body)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        fsync_folder(path.parent)

    def matches(self, folder: Path) -> bool:
        """Whether each file in a folder is as it was when it was listed.

        Raises:
            OSError: one cannot be read.
        """
        return all(checksum(folder / name) == crc for name, crc in self.files.items())


def checksum(path: Path) -> int:
    """The CRC-32 of a file."""
    found = 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            found = crc32(block, found)
    return found
