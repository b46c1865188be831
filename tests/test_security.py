"""What stands before every route: names, origins, sizes, rates and queues, and the headers of each response."""

import http.client
import re
import socket
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import anyio
import pytest

from index.errors import UsageError
from tests.serving import PASSWORD, accounts, client, copied, served
from ui import security
from ui.limits import Rates
from ui.pools import Pool
from ui.problems import BusyError, TooManyError
from ui.server import check_reach
from ui.settings import Settings


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    return copied(tmp_path_factory.mktemp("security"))


@pytest.fixture(scope="module")
def http_(index):
    with served(index, allowed_hosts=("localhost", "pin.localhost.")) as url, client(url) as made:
        yield made


@pytest.fixture(scope="module")
def local(index):
    with served(index, body_limit=20_000, upload_limit=100_000) as url, client(url) as made:
        yield made


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/docs",
        "/login",
        "/healthz",
        "/api/v1/documents",
        "/api/v1/nope",
        "/v1/models",
        "/nope",
        "/api/v1/openapi.json",
    ],
)
def test_every_response_has_the_headers(local, path):
    response = local.get(path)
    policy = response.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy
    assert "connect-src 'self'" in policy
    assert "http" not in policy
    assert "*" not in policy
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["x-frame-options"] == "DENY"
    assert response.headers["referrer-policy"] == "same-origin"
    assert response.headers["cross-origin-resource-policy"] == "same-origin"
    assert "server" not in response.headers
    if path.startswith(("/api", "/v1")):
        assert response.headers["cache-control"] == "no-store"
    if path in ("/", "/nope"):
        assert "img-src 'self' data: blob:" in policy
    else:
        assert "unsafe" not in policy


@pytest.mark.parametrize(
    ("host", "good"),
    [
        ("127.0.0.1", True),
        ("127.0.0.1:80", True),
        ("localhost:7860", True),
        ("LOCALHOST", True),
        ("[::1]:9", True),
        ("evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("evil.example:7860", False),
        ("192.168.0.7", False),
        ("localhost@evil.example", False),
        ("", False),
    ],
)
def test_only_names_of_this_machine_are_served(local, host, good):
    for path in ("/healthz", "/api/v1/documents"):
        response = local.get(path, headers={"Host": host})
        assert response.status_code == (200 if good else 421), response.text


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "{own}"}, 200),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 403),
    ],
)
def test_another_sites_page_changes_nothing(local, headers, status):
    own = str(local.base_url).rstrip("/")
    sent = {name: value.format(own=own) for name, value in headers.items()}
    response = local.post("/api/v1/search", json={"query": "train"}, headers=sent)
    assert response.status_code == status, response.text


def test_another_sites_page_embeds_nothing_but_may_link_here(local):
    for mode, status in (("no-cors", 403), ("cors", 403), ("navigate", 200)):
        headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": mode}
        assert local.get("/api/v1/documents", headers=headers).status_code == status


def test_bodies_have_limits(local):
    big = b'{"query": "' + b"x" * 30_000 + b'"}'
    headers = {"Content-Type": "application/json"}

    def parts():
        for at in range(0, len(big), 1000):
            yield big[at : at + 1000]

    for content in (big, parts()):
        response = local.post("/api/v1/search", content=content, headers=headers)
        assert response.status_code == 413, response.text
        assert response.json()["status"] == 413
    assert local.post("/mcp", content=big, headers=headers).status_code == 413
    file = {"file": ("a.txt", b"Some words. " + b" " * 60_000)}
    assert local.post("/api/v1/documents", files=file).json()[0]["outcome"] == "added"
    assert local.post("/api/v1/documents", files={"file": ("a.txt", b" " * 120_000)}).status_code == 413
    assert local.post("/api/v1/search", json={"query": "x"}).status_code == 200


def test_a_lying_length_is_no_way_in(local):
    url = urlsplit(str(local.base_url))
    for length in ("-1", "abc", "1e9", "5, 6"):
        with socket.create_connection((url.hostname, url.port), timeout=5) as raw:
            raw.sendall(
                f"POST /api/v1/search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                f"Content-Length: {length}\r\n\r\n".encode()
            )
            assert raw.recv(100).startswith(b"HTTP/1.1 400")
    assert local.get("/healthz").status_code == 200


def test_headers_have_limits(local):
    url = urlsplit(str(local.base_url))
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=10)
    connection.request("GET", "/healthz", headers={"X-Long": "x" * 200_000})
    assert connection.getresponse().status in (400, 431)
    connection.close()


def test_a_websocket_is_refused(local):
    url = urlsplit(str(local.base_url))
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=10)
    connection.request(
        "GET",
        "/api/v1/documents",
        headers={
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "eA==",
        },
    )
    assert connection.getresponse().status != 101
    connection.close()


def test_a_slow_body_is_given_up(monkeypatch):
    monkeypatch.setattr(security, "_PATIENCE", 0.05)
    sent = []

    async def never():
        await anyio.sleep(30)

    async def send(message):
        sent.append(message)

    async def read():
        body = security._Body(never, send, 10)
        assert (await body.receive())["type"] == "http.disconnect"
        assert (await body.receive())["type"] == "http.disconnect"
        await body.send({"type": "http.response.start", "status": 400, "headers": []})
        await body.send({"type": "http.response.body", "body": b"from the application"})

    anyio.run(read)
    assert sent[0]["status"] == 408
    assert len(sent) == 2
    assert b"from the application" not in sent[1]["body"]


def test_too_many_requests_are_told_when_to_come_again(tmp_path):
    with served(copied(tmp_path), ask_rate=3, rate=8) as url, client(url) as one:
        statuses = [one.post("/api/v1/search", json={"query": "x"}).status_code for _ in range(4)]
        assert statuses == [200, 200, 200, 429]
        assert one.get("/api/v1/documents").status_code == 200, "only questions are used up"
        responses = [one.get("/healthz") for _ in range(6)]
        assert [r.status_code for r in responses].count(429) >= 2
        last = responses[-1]
        assert last.json()["status"] == 429
        assert 1 <= int(last.headers["retry-after"]) <= 60


def test_a_bucket_fills_with_time():
    now = [0.0]
    rates = Rates(60, lambda: now[0])
    for _ in range(60):
        rates.take("a")
    with pytest.raises(TooManyError) as refused:
        rates.take("a")
    assert refused.value.retry_after == 1
    rates.take("b")
    now[0] = 2.5
    rates.take("a")
    rates.take("a")
    with pytest.raises(TooManyError):
        rates.take("a")


def test_a_full_queue_refuses_at_once_and_recovers():
    begun, go_on = threading.Event(), threading.Event()

    def work():
        begun.set()
        go_on.wait(10)
        return 7

    async def fill():
        pool = Pool("test", workers=1, waiting=1)
        results = []

        async def one():
            results.append(await pool.run(work))

        async with anyio.create_task_group() as group:
            group.start_soon(one)
            group.start_soon(one)
            await anyio.sleep(0.05)
            assert pool.is_full
            with pytest.raises(BusyError) as refused:
                await pool.run(work)
            assert refused.value.retry_after
            go_on.set()
        assert results == [7, 7]
        assert await pool.run(work) == 7
        pool.close()
        with pytest.raises(BusyError):
            await pool.run(work)

    anyio.run(fill)
    assert begun.is_set()


def test_what_waits_is_dropped_when_its_client_leaves():
    ran, go_on = [], threading.Event()

    async def leave():
        pool = Pool("test", workers=1, waiting=5)
        async with anyio.create_task_group() as group:
            group.start_soon(pool.run, go_on.wait, 10)
            await anyio.sleep(0.05)
            with anyio.move_on_after(0.05):
                await pool.run(ran.append, 1)
            go_on.set()
        assert await pool.run(len, "ab") == 2
        pool.close()

    anyio.run(leave)
    assert ran == []


def test_a_flood_of_questions_gets_answers_or_503(tmp_path):
    with served(copied(tmp_path), workers=1, waiting=1) as url:

        def ask(n):
            with client(url) as one:
                return one.post("/api/v1/ask", json={"question": f"When does the night train number {n} leave?"})

        with ThreadPoolExecutor(12) as pool:
            responses = list(pool.map(ask, range(24)))
        statuses = Counter(r.status_code for r in responses)
        assert set(statuses) <= {200, 503}
        assert statuses[200] >= 2
        assert statuses[503] >= 1
        assert all(int(r.headers["retry-after"]) > 0 for r in responses if r.status_code == 503)
        with client(url) as one:
            deadline = time.monotonic() + 10
            while one.get("/readyz").status_code != 200:
                assert time.monotonic() < deadline
            assert ask(1).status_code == 200


def test_reaching_further_than_this_machine_needs_accounts(tmp_path):
    for settings in ({"host": "0.0.0.0"}, {"host": "::"}, {"allowed_hosts": ("pin.example",)}):  # noqa: S104
        with pytest.raises(UsageError, match="pincite user add"):
            check_reach(Settings(index=tmp_path, **settings))
    for host in ("127.0.0.1", "127.9.9.9", "::1", "localhost"):
        check_reach(Settings(index=tmp_path, host=host))
    with accounts(tmp_path) as made:
        made.add("ada", "admin", PASSWORD)
    check_reach(Settings(index=tmp_path, host="0.0.0.0"))  # noqa: S104


def test_removing_the_last_user_of_a_reachable_server_opens_nothing(tmp_path):
    index = copied(tmp_path)
    with accounts(index) as made:
        made.add("ada", "admin", PASSWORD)
        key = made.add_key("ada")
    with served(index, allowed_hosts=("pin.example",)) as url, client(url, key) as one:
        assert one.get("/api/v1/documents", headers={"Host": "pin.example"}).status_code == 200
        assert one.get("/api/v1/documents", headers={"Host": "other.example"}).status_code == 421
        with accounts(index) as made:
            made.remove("ada")
        assert one.get("/api/v1/documents").status_code == 401


def test_an_error_inside_is_not_shown(index, monkeypatch):
    from ui.service import Service

    async def broken(self, caller, query, *more):
        raise KeyError("a secret of the server")

    monkeypatch.setattr(Service, "search", broken)
    with served(index) as url, client(url) as one:
        response = one.post("/api/v1/search", json={"query": "x"})
        assert response.status_code == 500
        assert response.json()["status"] == 500
        assert "secret" not in response.text


def test_no_script_of_ours_makes_markup_of_words():
    scripts = list(Path(security.__file__).parent.glob("*.js"))
    assert len(scripts) >= 7
    for script in scripts:
        words = script.read_text(encoding="utf-8")
        found = re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|Function\(|srcdoc", words)
        assert not found, f"{script.name}: {found}"
