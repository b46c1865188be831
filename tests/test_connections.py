"""Connections that are made to hold the server up, and requests that two readers would read in two ways."""

import asyncio
import json
import socket
import threading
from contextlib import ExitStack, contextmanager
from time import sleep
from urllib.parse import urlsplit

import pytest

from tests.serving import client, copied, running, served
from ui import connections, security
from ui.service import Service

ASK = json.dumps({"question": "When does the night train leave Tayport?"}).encode()
HEAD = b"POST /api/v1/ask HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    with served(copied(tmp_path_factory.mktemp("connections"))) as url:
        yield url


@contextmanager
def connected(url):
    place = urlsplit(url)
    with socket.create_connection((place.hostname, place.port), timeout=20) as raw:
        yield raw


def until_closed(raw):
    """All that comes until the server closes the connection; fails where it stays open."""
    said = b""
    while part := raw.recv(65536):
        said += part
    return said


@pytest.mark.parametrize("begun", [b"", b"GET /healthz HT", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: "])
def test_headers_that_do_not_come_are_not_waited_for(url, monkeypatch, begun):
    monkeypatch.setattr(connections, "HEADERS", 0.2)
    with connected(url) as raw:
        raw.sendall(begun)
        assert until_closed(raw) == b""


def test_headers_that_trickle_gain_no_time(url, monkeypatch):
    """Each byte within the time, all of them not; and after a request that was served, alike."""
    monkeypatch.setattr(connections, "HEADERS", 0.3)
    with connected(url) as raw:
        raw.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /healthz HTTP/1.1\r\n")
        assert _cut(raw, b"X: y\r\n"), "it takes headers for ever"


def _cut(raw, part):
    """Whether the server closes the connection while parts are sent, one after another."""
    for _ in range(200):
        try:
            raw.sendall(part)
        except OSError:
            return True
        sleep(0.05)
    return False


def test_a_body_that_trickles_gains_no_time(url, monkeypatch):
    monkeypatch.setattr(security, "_PATIENCE", 0.3)
    with connected(url) as raw:
        raw.sendall(HEAD + b"Content-Length: 5000\r\n\r\n{")
        stop = threading.Event()

        def trickle():
            while not stop.wait(0.05):
                try:
                    raw.sendall(b" ")
                except OSError:
                    return

        thread = threading.Thread(target=trickle)
        thread.start()
        try:
            assert raw.recv(1000).startswith(b"HTTP/1.1 408")
        finally:
            stop.set()
            thread.join()


def test_a_body_that_comes_slowly_but_surely_is_taken(url, monkeypatch):
    monkeypatch.setattr(security, "_PATIENCE", 0.5)
    monkeypatch.setattr(security, "SLOWEST", 1.0)
    with connected(url) as raw:
        raw.sendall(HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(ASK))
        for at in range(0, len(ASK), 10):
            raw.sendall(ASK[at : at + 10])
            sleep(0.15)
        assert until_closed(raw).startswith(b"HTTP/1.1 200")


def test_an_answer_that_nobody_reads_is_given_up(monkeypatch):
    """The connection is cut where the client took less than it had to; else it goes on."""
    done = []

    class Wire:
        left = 100_000

        def get_write_buffer_size(self):
            return self.left

        def abort(self):
            done.append("cut")

    class Loop:
        def call_later(self, seconds, call, *given):
            self.next = (call, given)

    connection = connections.Impatient.__new__(connections.Impatient)
    connection.transport, connection.loop = Wire(), Loop()
    connection._look(0)
    for left in (60_000, 30_000):
        connection.transport.left = left
        call, given = connection.loop.next
        call(*given)
        assert done == []
    call, given = connection.loop.next
    connection.transport.left = 25_000
    call(*given)
    assert done == ["cut"]


def test_many_that_hold_on_leave_room_for_others(url, monkeypatch):
    monkeypatch.setattr(connections, "HEADERS", 0.3)
    held = [socket.create_connection((urlsplit(url).hostname, urlsplit(url).port), timeout=20) for _ in range(200)]
    try:
        for one in held:
            one.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
        with client(url) as http:
            assert http.get("/healthz").status_code == 200
        assert [until_closed(one) for one in held] == [b""] * len(held)
    finally:
        for one in held:
            one.close()


@pytest.mark.parametrize(
    "headers",
    [
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        b"Content-Length: 5\r\nContent-Length: 6\r\n",
        b"Content-Length: +5\r\n",
        b"Content-Length: 0x5\r\n",
        b"Transfer-Encoding: gzip, chunked\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        b"Transfer-Encoding : chunked\r\n",
        b"Transfer-Encoding:\x0bchunked\r\n",
        b"Content-Length: 5\r\n X: folded\r\n",
        b"Host: evil.example\r\n",
    ],
)
def test_a_request_with_two_readings_is_never_read_as_two(url, headers):
    """What follows the smuggler's headers is a second request; it is not served."""
    inner = b"GET /api/v1/openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with connected(url) as raw:
        raw.sendall(b"POST /api/v1/search HTTP/1.1\r\nHost: localhost\r\n" + headers + b"\r\n0\r\n\r\n" + inner)
        raw.shutdown(socket.SHUT_WR)
        said = until_closed(raw)
    assert b'"openapi"' not in said
    assert b" 200 OK" not in said


def test_after_a_request_with_two_readings_the_connection_ends(url):
    """Whatever comes next, and however late: a proxy may take it for a part of the first."""
    with connected(url) as raw:
        raw.sendall(
            b"POST /api/v1/search HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        )
        assert b"connection: close" in until_closed(raw).lower()


def test_who_leaves_takes_the_question_back(tmp_path, monkeypatch):
    begun, go_on = threading.Event(), threading.Event()
    answer = Service._ask

    def held(self, *given):
        begun.set()
        go_on.wait(20)
        return answer(self, *given)

    monkeypatch.setattr(Service, "_ask", held)
    with served(copied(tmp_path)) as url, client(url) as http:
        with connected(url) as raw:
            raw.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(ASK) + ASK)
            assert begun.wait(20)
        left = 'pincite_questions_total{origin="api",outcome="left"} 1.0'
        while left not in http.get("/metrics").text:
            sleep(0.05)
        go_on.set()
        assert http.get("/api/v1/conversations").json()["total"] == 0


def test_what_never_ends_does_not_hold_up_a_server_that_is_told_to_stop(caplog):
    over = asyncio.Event()

    async def endless(scope, receive, send):
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"on and on", "more_body": True})
            await over.wait()
            await send({"type": "http.response.body", "body": b"over"})

    with ExitStack() as reading:
        with running(endless, over.set) as url:
            raw = reading.enter_context(connected(url))
            raw.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            said = raw.recv(65536)
        assert b"over" in said + until_closed(raw)
    assert "timeout graceful shutdown exceeded" not in caplog.text
