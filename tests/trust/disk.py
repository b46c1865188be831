"""The state of a disk after a crash, made from the log of `faults.c`.

A disk keeps what an fsync has asked it to keep: the bytes of a file after an fsync of the file, the names in a folder
after an fsync of the folder. Of what came later it may keep all, nothing, or any part. This is stricter than
journaling file systems are, and what POSIX allows.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

_HEAD = struct.Struct("<cQQII")
Crash = Literal["killed", "lost", "torn"]
"""Only the process ends; or the machine, and what was not synced is lost; or it is there in part."""


class Call(NamedTuple):
    """One call that changed something, or a note of the caller's (``kind`` n)."""

    kind: str
    inode: int
    offset: int
    data: bytes
    second: str


class _File:
    def __init__(self) -> None:
        self.kept = bytearray()
        self.later: list[tuple[int, bytes | None]] = []
        """Writes at an offset, or the length that the file was cut or grown to."""

    def content(self, crash: Crash, chance: random.Random) -> bytes:
        found = bytearray(self.kept)
        for offset, data in [] if crash == "lost" else self.later:
            part = data
            if crash == "torn" and data is not None:
                part = data[: chance.choice((0, len(data) // 2, len(data)))]
            _change(found, offset, part)
        return bytes(found)

    def sync(self) -> None:
        for offset, data in self.later:
            _change(self.kept, offset, data)
        self.later.clear()


def _change(content: bytearray, offset: int, data: bytes | None) -> None:
    if data is None:
        del content[offset:]
    end = offset if data is None else offset + len(data)
    if data != b"" and len(content) < end:
        content.extend(bytes(end - len(content)))
    if data:
        content[offset:end] = data


class _Folder:
    def __init__(self) -> None:
        self.now: dict[str, _File | _Folder] = {}
        self.kept: dict[str, _File | _Folder] = {}


class Disk:
    """A folder as it was before a log, and what the log made of it."""

    def __init__(self, folder: Path) -> None:
        """All that lies in the folder has been synced."""
        self._root = folder
        self._inodes: dict[int, _File] = {}
        self._top = self._loaded(folder)

    def _loaded(self, folder: Path) -> _Folder:
        made = _Folder()
        for path in folder.iterdir():
            if path.is_dir():
                made.now[path.name] = self._loaded(path)
                continue
            file = self._inodes.setdefault(path.stat().st_ino, _File())
            file.kept = bytearray(path.read_bytes())
            made.now[path.name] = file
        made.kept = dict(made.now)
        return made

    def apply(self, call: Call) -> None:
        """What a call does."""
        path = Path(call.data.decode()) if call.kind in "cslruum" else self._root
        if call.kind == "w":
            self._inodes[call.inode].later.append((call.offset, call.data))
        elif call.kind == "t":
            self._inodes[call.inode].later.append((call.offset, None))
        elif call.kind == "c":
            self._inodes[call.inode] = self._folder(path.parent).now[path.name] = _File()
        elif call.kind == "m":
            self._folder(path.parent).now[path.name] = _Folder()
        elif call.kind == "u":
            del self._folder(path.parent).now[path.name]
        elif call.kind == "s" and call.inode in self._inodes and self._is_file(path, call.inode):
            self._inodes[call.inode].sync()
        elif call.kind == "s":
            folder = self._folder(path)
            folder.kept = dict(folder.now)
        elif call.kind in "rl":
            to = Path(call.second)
            there = self._folder(path.parent).now
            self._folder(to.parent).now[to.name] = there[path.name]
            if call.kind == "r":
                del there[path.name]

    def _is_file(self, path: Path, inode: int) -> bool:
        try:
            at = self._folder(path.parent).now.get(path.name) if path != self._root else self._top
        except KeyError:
            at = None  # deleted, and still open
        return at is self._inodes[inode] or not isinstance(at, _Folder)

    def _folder(self, path: Path) -> _Folder:
        at = self._top
        for part in path.relative_to(self._root).parts:
            inner = at.now[part]
            assert isinstance(inner, _Folder), path
            at = inner
        return at

    def write(self, to: Path, crash: Crash, chance: random.Random) -> None:
        """Make the state after a crash in an empty folder."""
        self._write(self._top, to, crash, chance)

    def _write(self, folder: _Folder, to: Path, crash: Crash, chance: random.Random) -> None:
        to.mkdir(exist_ok=True)
        for name, inner in (folder.kept if crash == "lost" else folder.now).items():
            if isinstance(inner, _Folder):
                self._write(inner, to / name, crash, chance)
            else:
                (to / name).write_bytes(inner.content(crash, chance))


def calls(log: Path) -> Iterator[Call]:
    """The calls of a log, in order."""
    data, at = log.read_bytes(), 0
    while at < len(data):
        kind, inode, offset, size, second = _HEAD.unpack_from(data, at)
        at += _HEAD.size
        body, at = data[at : at + size], at + size
        yield Call(kind.decode(), inode, offset, body, data[at : at + second].decode())
        at += second
