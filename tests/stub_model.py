"""An OpenAI-compatible server on loopback that answers as a test tells it to, well or badly."""

from __future__ import annotations

import json
import re
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Stub(ThreadingHTTPServer):
    """Answers each request for a chat in the way that ``mode`` names; ``asked`` keeps the bodies of the requests.

    Words alone in braces in the reply (not JSON) stand for the number of the sentence of the evidence that holds them.
    In the mode "held" each ¶ of the reply waits until ``go`` is released once; in the mode "echo" the reply is the
    first sentence of the evidence.
    """

    daemon_threads = True

    def __init__(self, reply="", mode="whole", times=99):
        super().__init__(("127.0.0.1", 0), Handler)
        self.reply, self.mode, self.times = reply, mode, times
        self.asked, self.paths, self.keys = [], [], []
        self.go = threading.Semaphore(0)
        self.left = threading.Event()  # set when whoever asked goes away in the middle

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/v1"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.server.paths.append(self.path)
        if not self._trouble(self.server.mode):
            model = {"id": "stub", "object": "model", "created": 0, "owned_by": "x"}
            self._json(200, {"object": "list", "data": [model]})

    def do_POST(self):
        stub = self.server
        stub.paths.append(self.path)
        stub.keys.append(self.headers.get("Authorization"))
        stub.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        mode = stub.mode if len(stub.asked) <= stub.times else "whole"
        if not self._trouble(mode):
            self._stream(self._echo() if mode == "echo" else self._numbered(stub.reply), mode)

    def _echo(self):
        return next(line.removeprefix("[1] ") for line in self._shown() if line.startswith("[1] ")) + " [1]"

    def _numbered(self, reply):
        return re.sub(
            r"\{([\w ]+)\}", lambda words: next(re.findall(r"\d+", s)[0] for s in self._shown() if words[1] in s), reply
        )

    def _shown(self):
        """The lines of the prompt, among them each sentence of the evidence after its number."""
        return self.server.asked[-1]["messages"][-1]["content"].splitlines()

    def _trouble(self, mode):
        """Answer in a way that is none, if the mode is such."""
        if mode.isdigit():
            self._json(int(mode), {"error": {"message": "secret-in-the-error", "type": "x", "code": mode}})
        elif mode == "html":
            self._bytes(200, b"<html><body>Welcome</body></html>", "text/html")
        elif mode == "hang":
            time.sleep(3)
        elif mode == "drop":  # as a server does that was killed for its memory
            self.close_connection = True
        else:
            return False
        return True

    def _stream(self, reply, mode):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        try:
            if mode == "garbage":
                self.wfile.write(b"data: {not json\n\n")
                return
            words = reply.split(" ")
            for n, word in enumerate(words):
                if mode == "held" and word.startswith("¶"):
                    while not self.server.go.acquire(timeout=0.05):
                        self.wfile.write(b": still here\n\n")
                said = word.removeprefix("¶")
                self._chunk({"content": said if n == 0 else f" {said}"}, None)
                if mode == "slow":
                    time.sleep(0.25)
                if mode == "trickle":
                    while True:
                        self.wfile.write(b": still here\n\n")
                        time.sleep(0.05)
                if mode == "cut" and n == len(words) // 2:
                    return
            self._chunk({}, "length" if mode == "length" else "stop")
            self.wfile.write(b"data: [DONE]\n\n")
        except OSError:
            self.server.left.set()

    def _chunk(self, delta, reason):
        body = {
            "id": "1", "object": "chat.completion.chunk", "created": 0, "model": "stub",
            "choices": [{"index": 0, "delta": delta, "finish_reason": reason}],
        }  # fmt: skip
        self.wfile.write(f"data: {json.dumps(body)}\n\n".encode())
        self.wfile.flush()

    def _json(self, status, body):
        self._bytes(status, json.dumps(body).encode(), "application/json")

    def _bytes(self, status, data, kind):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@contextmanager
def serving(reply="", mode="whole", times=99):
    """A stub that runs while the block does."""
    stub = Stub(reply, mode, times)
    thread = threading.Thread(target=stub.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield stub
    finally:
        stub.shutdown()
        stub.server_close()
        thread.join()
