"""What tests of engines share: documents of two sentences about one word, and a Milvus server to keep them in."""

from __future__ import annotations

import asyncio
import socket
import ssl
import subprocess
import sys
import threading
import time
from concurrent import futures
from contextlib import suppress
from pathlib import Path

import grpc
import numpy as np
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

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


class AgainstDictionary(RuleBasedStateMachine):
    """Random adds, removals and reopenings against a plain dictionary."""

    def make(self) -> Engine:
        """Open the engine; the same one again when called again."""
        raise NotImplementedError

    @initialize()
    def start(self):
        self.engine = self.make()
        self.model: dict[str, str] = {}

    @rule(word=st.sampled_from(WORDS))
    def put(self, word):
        if word not in self.model:
            made = entry(word)
            self.engine.upsert(made)
            self.model[word] = made.document.id

    @rule(word=st.sampled_from(WORDS))
    def drop(self, word):
        if word in self.model:
            self.engine.delete(self.model.pop(word))

    @rule()
    def reopen(self):
        self.engine.close()
        self.engine = self.make()

    @rule()
    def rebuild(self):
        self.engine.rebuild()

    @invariant()
    def finds_just_what_the_model_holds(self):
        if not hasattr(self, "engine"):
            return
        expected = {f"{word}.txt" for word in self.model}
        assert set(sources(self.engine, self.engine.dense(vector("amber"), 99, {}))) == expected
        assert set(sources(self.engine, self.engine.lexical(["stand"], 99, {}))) == expected
        assert self.engine.check() == []

    def teardown(self):
        if hasattr(self, "engine"):
            self.engine.close()


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


class Pretender:
    """A server that answers for Milvus with a version of its own, or refuses whoever calls."""

    def __init__(self, version: str, refuses: bool = False) -> None:
        from pymilvus.grpc_gen import common_pb2, milvus_pb2, milvus_pb2_grpc

        tokens: list[str] = []

        class Answers(milvus_pb2_grpc.MilvusServiceServicer):
            def Connect(self, request, context):
                tokens.extend(v for k, v in context.invocation_metadata() if k == "authorization")
                if refuses:
                    context.abort(grpc.StatusCode.UNAUTHENTICATED, "auth check failure, please check username")
                return milvus_pb2.ConnectResponse(status=common_pb2.Status())

            def GetVersion(self, request, context):
                return milvus_pb2.GetVersionResponse(status=common_pb2.Status(), version=version)

        self.tokens = tokens
        self._server = grpc.server(futures.ThreadPoolExecutor(2))
        milvus_pb2_grpc.add_MilvusServiceServicer_to_server(Answers(), self._server)

    def __enter__(self) -> int:
        port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()
        return port

    def __exit__(self, *exception: object) -> None:
        self._server.stop(0).wait()


class Forwarder:
    """A port on loopback that leads elsewhere, through TLS with a certificate of its own where a folder is given."""

    def __init__(self, to: int | Path, certificates: Path | None = None) -> None:
        """Lead to a port on loopback, or to a socket in the file system."""
        self._to = to
        self._context = None
        if certificates:
            self.certificate, key = certificates / "certificate.pem", certificates / "key.pem"
            options = "-newkey rsa:2048 -nodes -subj /CN=localhost -addext subjectAltName=DNS:localhost"
            making = ["openssl", "req", "-x509", *options.split(), "-keyout", key, "-out", self.certificate]
            subprocess.run(making, check=True, capture_output=True)
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(self.certificate, key)
            self._context.set_alpn_protocols(["h2"])

    def __enter__(self) -> Forwarder:
        self._loop = asyncio.new_event_loop()
        serving = asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._context)
        self._server = self._loop.run_until_complete(serving)
        self.port = self._server.sockets[0].getsockname()[1]
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        async def stop() -> None:
            self._server.close()
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()

        asyncio.run_coroutine_threadsafe(stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await joined(reader, writer, self._to)


async def joined(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, to: int | Path) -> None:
    """Copy between a connection and one to a port on loopback or a socket in the file system, until either ends."""
    opening = asyncio.open_unix_connection(to) if isinstance(to, Path) else asyncio.open_connection("127.0.0.1", to)
    back, there = await opening

    async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.CancelledError):
            while data := await source.read(65536):
                target.write(data)
                await target.drain()
        target.close()

    await asyncio.gather(copy(reader, there), copy(back, writer))
