"""The real Milvus server, of 2.3.5, which listens on every address: it is started where there are none but loopback.

``python -m tests.standalone FOLDER`` runs inside a network namespace of its own, brings loopback up, starts the server
and leads a socket in the folder to it.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

from tests.engines import Forwarder, joined

ROOT = Path(__file__).parents[1]
_SET_FLAGS, _UP = 0x8914, 0x41  # SIOCSIFFLAGS; IFF_UP and IFF_RUNNING


class Standalone:
    """The server in a process of its own, reached by a port on loopback here."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._socket = folder / "s"

    def start(self) -> str:
        """Start it; returns why it could not be, or nothing."""
        command = [*"unshare --net --".split(), sys.executable, "-m", "tests.standalone", self._folder]
        if os.geteuid() != 0:
            command.insert(1, "--map-root-user")
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        with (self._folder / "log").open("wb") as log:
            try:
                self._process = subprocess.Popen(
                    command, stdout=log, stderr=log, env=environment, start_new_session=True
                )
            except OSError as error:
                return str(error)
        until = time.monotonic() + 120
        while not self._socket.exists():
            if self._process.poll() is not None or time.monotonic() > until:
                self.stop()
                return " ".join((self._folder / "log").read_text(errors="replace").split())[-300:] or "no answer"
            time.sleep(0.2)
        self._forwarder = Forwarder(self._socket).__enter__()
        self.port = self._forwarder.port
        return ""

    def stop(self) -> None:
        """End all that was started."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        if hasattr(self, "_forwarder"):
            self._forwarder.__exit__()


async def serve(path: Path, port: int) -> None:
    server = await asyncio.start_unix_server(lambda reader, writer: joined(reader, writer, port), path)
    await server.serve_forever()


if __name__ == "__main__":
    from milvus import MilvusServer, MilvusServerConfig

    folder = Path(sys.argv[1])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sh", b"lo", _UP))
    milvus = MilvusServer(MilvusServerConfig(data_dir=str(folder / "data")))
    milvus.start()
    asyncio.run(serve(folder / "s", milvus.listen_port))
