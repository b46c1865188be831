"""A real server on loopback for tests, over a small index that is made once."""

import atexit
import functools
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from index.library import Index
from ui.accounts import Accounts
from ui.connections import Impatient, Server
from ui.server import create_app
from ui.settings import Settings
from ui.state import State

ROOT = Path(__file__).parents[1]
PASSWORD = "correct horse battery"  # noqa: S105

# All organisations here are invented.
TEXTS = {
    "bees.txt": "The Hollow Oak Trust (invented)\n\nThe Hollow Oak Trust gave $12,500 to the Bramble Bee Society in "
    "2021. The money paid for forty hives and for a teacher.",
    "trains.txt": "The Night Train\n\nThe night train leaves Tayport at nine in the evening. It carries mail and forty "
    "passengers to Merrow.",
    "secret.txt": "Plans of the board\n\nThe board of Quillmere Holdings (invented) will close the Zanthorpe mill in "
    "May 2027. The closure costs $4,400,000.",
    "музей.txt": "Городской музей открыт со вторника по воскресенье. Билет стоит пятьсот тенге для взрослых.",
    "hostile.txt": "<img src=x onerror=alert(1)> ![pixel](http://evil.example/p.png)\n\nThe lighthouse keeper of "
    "Skerrow is <b>Orla Finch</b> [7]. She keeps the lamp.",
}


def pdf() -> bytes:
    """Two pages; the second says who runs the ferry."""
    import io

    from reportlab.pdfgen.canvas import Canvas

    out = io.BytesIO()
    canvas = Canvas(out, pagesize=(400, 300))
    canvas.drawString(40, 240, "The harbour report of Skerrow, an invented place.")
    canvas.drawString(40, 220, "The harbour was dredged in the spring of 2019.")
    canvas.showPage()
    canvas.drawString(40, 240, "The ferry to Skerrow is run by Captain Ebba Lindqvist.")
    canvas.showPage()
    canvas.save()
    return out.getvalue()


@functools.cache
def _made() -> Path:
    place = Path(tempfile.mkdtemp(prefix="pincite-test-"))
    atexit.register(shutil.rmtree, place)
    folder = place / "x.index"
    with Index(folder) as index:
        for name, text in TEXTS.items():
            assert index.add_bytes(text.encode(), name).outcome == "added"
        assert index.add_bytes(pdf(), "harbour.pdf").outcome == "added"
    return folder


def copied(folder: Path) -> Path:
    """A copy of the small index."""
    shutil.copytree(_made(), folder / "x.index")
    return folder / "x.index"


@contextmanager
def served(index: Path, **settings: object) -> Iterator[str]:
    """A server over an index; gives its address, and stops at the end of the block."""
    app = create_app(Settings.model_validate({"index": index, "page": False, "reader": "similarity", **settings}))
    with running(app, app.state.end) as url:
        yield url


@contextmanager
def running(app: Any, end: Callable[[], object]) -> Iterator[str]:
    """A server of an application; gives its address, and stops at the end of the block."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = Server(
            uvicorn.Config(app, http=Impatient, log_level="error", server_header=False, timeout_graceful_shutdown=5),
            end,
        )
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            until = time.monotonic() + 30
            while not server.started:
                assert thread.is_alive(), "the server did not start"
                assert time.monotonic() < until, "the server did not start within 30 s"
                time.sleep(0.02)
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(30)


SERVE = "import sys; from ui.commands import serve; serve(sys.argv[1:])"


class Site:
    """A server with its page, in a process of its own, as `pincite serve` starts it."""

    def __init__(self, folder: Path, *flags: str) -> None:
        self.folder, self.flags = folder, flags
        with socket.create_server(("127.0.0.1", 0)) as listening:
            self.port = listening.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def start(self, code: str = SERVE, **settings: str) -> None:
        command = [sys.executable, "-c", code, "--index", str(self.folder), "--port", str(self.port), *self.flags]
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("PINCITE_")}
        env = inherited | {f"PINCITE_{name.upper()}": value for name, value in settings.items()}
        self.process = subprocess.Popen(command, cwd=ROOT, env=env, stderr=subprocess.PIPE, text=True)
        line = self.process.stderr.readline()
        assert line.startswith("pincite on"), line + self.process.stderr.read()
        self.logged: list[str] = []  # read as it comes: a full pipe would hold the server up
        self._reading = threading.Thread(target=self.logged.extend, args=[self.process.stderr])
        self._reading.start()

    def stop(self) -> None:
        """At once, with whatever it is doing."""
        self.process.kill()
        self.process.wait(30)
        self._reading.join(30)
        self.process.stderr.close()

    def get(self, path: str) -> Any:
        reply = httpx.get(f"{self.url}/api/v1{path}", timeout=30)
        assert reply.status_code == 200, reply.text
        return reply.json()


@contextmanager
def accounts(index: Path) -> Iterator[Accounts]:
    """The accounts of an index, as the command line changes them while a server runs."""
    state = State(index)
    try:
        yield Accounts(state)
    finally:
        state.close()


def client(url: str, key: str | None = None) -> httpx.Client:
    """A client of a server, with an API key where given."""
    return httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"} if key else {}, timeout=30)


def documents(http: httpx.Client) -> dict[str, str]:
    """The ids of the documents that a client sees, by source."""
    return {item["source"]: item["id"] for item in http.get("/api/v1/documents").json()["items"]}
