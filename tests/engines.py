"""What tests of engines share: documents of two sentences about one word, and a Milvus server to keep them in."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from index.engine import Engine
from index.errors import StoreError
from index.milvus import MilvusEngine
from index.milvus_server import Address
from index.records import Entry
from index.split import split
from tests.conftest import document

DIM = 8
WORDS = "amber birch cedar delta ember fjord grove haven inlet jetty".split()


def vector(word: str) -> np.ndarray:
    """A readable vector: one axis a word."""
    row = np.full(DIM, 0.01, np.float32)
    row[WORDS.index(word) % DIM] = 1
    return row / np.linalg.norm(row)


def entry(word: str, source: str | None = None, **known: object) -> Entry:
    made = document(f"The {word} stands here. It says {word} twice.", source or f"{word}.txt", **known)
    passages = split(made)
    inner = [np.array([vector(word)] * len(p.sentences)) for p in passages]
    return Entry(made, passages, np.array([vector(word)] * len(passages)), inner, origin="here")


def sources(engine: Engine, found: list[tuple[int, float]]) -> list[str]:
    return [d.source for _, d in engine.get([key for key, _ in found])]


class Lite:
    """Milvus Lite's server on loopback, in a process of its own that can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "milvus_lite", "server", "--data-dir", self._folder, "--host", "127.0.0.1"]
        with (self._folder.parent / "lite.log").open("ab") as log:
            self._process = subprocess.Popen([*command, "--port", str(self.port)], stdout=log, stderr=log)
        wait_for(self.port, self._process)

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()

    def address(self, name: str) -> str:
        return f"milvus://127.0.0.1:{self.port}/{name}"

    def open(self, name: str) -> MilvusEngine:
        return MilvusEngine(Address.parse(self.address(name)), "fake", DIM)


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if process.poll() is not None:
                raise StoreError(f"the server ended with {process.returncode}") from None
            time.sleep(0.1)
    raise StoreError("the server did not come up in a minute")


def without(*names: str) -> dict[str, str]:
    """The environment less some variables."""
    return {name: value for name, value in os.environ.items() if name not in names}
