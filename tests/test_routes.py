"""Everybody against every route that the application has, gradio's among them.

The routes are taken from the application as it is served: one of ours that is not named here fails, and so does one of
gradio's that is open without being named.
"""

import json
import re

import pytest

from tests.serving import PASSWORD, Site, accounts, client, copied, documents, pdf, served

# Ed edits for the board and owns what was asked; Rita reads, and Ella edits for the press: neither is of the board,
# whose document the routes are tried on. Rob reads for the board, and Ada is the admin.
WHO = ("stranger", "rita", "ella", "rob", "ed", "ada")
STATUS = {"+": (200, 201, 204), "-": (401,), "x": (403,), "0": (404,), "/": (405,)}
OURS = """
++++++ GET /healthz
++++++ GET /readyz
++++++ GET /login
++++++ GET /login.js
++++++ GET /plain.css
-+++++ GET /docs
-+++++ GET /docs.js
-+++++ GET /api/v1/openapi.json
++++++ GET /api/v1/session
++++++ POST /api/v1/session
++++++ DELETE /api/v1/session
-+++++ POST /api/v1/search
-+++++ POST /api/v1/why
-000+0 POST /api/v1/ask
-+++++ GET /api/v1/conversations
-+++++ POST /api/v1/conversations
-000+0 GET /api/v1/conversations/{conversation}
-000+0 PATCH /api/v1/conversations/{conversation}
-000+0 DELETE /api/v1/conversations/{conversation}
-000+0 GET /api/v1/conversations/{conversation}/export
-000+0 GET /api/v1/answers/{answer}
-000+0 DELETE /api/v1/answers/{answer}
-000+0 GET /api/v1/answers/{answer}/text
-000+0 GET /api/v1/answers/{answer}/table.csv
-000+0 GET /api/v1/answers/{answer}/citations/{number}
-000+0 POST /api/v1/answers/{answer}/feedback
-+++++ GET /api/v1/documents
-x+x++ POST /api/v1/documents
-00+++ GET /api/v1/documents/{document}
-x0x++ DELETE /api/v1/documents/{document}
-x0x++ PUT /api/v1/documents/{document}/groups
-00+++ GET /api/v1/documents/{document}/text
-00+++ GET /api/v1/documents/{document}/blocks
-00+++ GET /api/v1/documents/{document}/pages/{page}.png
-+++++ GET /v1/models
-+++++ GET /v1/models/{name}
-+++++ POST /v1/chat/completions
-xxxx+ GET /metrics
-xxxx+ GET /api/v1/audit
-+++++ GET /mcp
-+++++ POST /mcp
-///// DELETE /mcp
"""
GRADIO = """
-+++++ GET /
++++++ GET /favicon.ico
-+++++ GET /config
-+++++ GET /theme.css
-+++++ GET /assets/{path:path}
-+++++ GET /static/{path:path}
-+++++ GET /gradio_api/info
-+++++ GET /gradio_api/app_id
-+++++ POST /gradio_api/queue/join
-+++++ GET /gradio_api/queue/data
-+++++ POST /gradio_api/cancel
-+++++ GET /gradio_api/heartbeat/{session_hash}
-+++++ POST /gradio_api/call/{api_name}
-+++++ GET /gradio_api/call/{api_name}/{event_id}
"""
BODIES = {
    "POST /api/v1/session": {"name": "rob", "password": PASSWORD},
    "POST /api/v1/search": {"query": "train"},
    "POST /api/v1/why": {"question": "Who?", "quote": "Hollow Oak Trust"},
    "POST /api/v1/ask": {"question": "Who?", "conversation": "{conversation}"},
    "POST /api/v1/conversations": {"title": "x"},
    "PATCH /api/v1/conversations/{conversation}": {"title": "mine"},
    "POST /api/v1/answers/{answer}/feedback": {"value": "up"},
    "PUT /api/v1/documents/{document}/groups": {"groups": ["board"]},
    "POST /v1/chat/completions": {"messages": [{"role": "user", "content": "Who?"}]},
    "POST /mcp": {"jsonrpc": "2.0", "id": 1, "method": "tools/list"},
    "POST /gradio_api/queue/join": {"data": [], "fn_index": 2, "session_hash": "x"},
    "POST /gradio_api/cancel": {"session_hash": "x", "fn_index": 2, "event_id": "x"},
    "POST /gradio_api/call/{api_name}": {"data": ["Who?"]},
}
TELLING = """
import json, sys
from ui import server

def every(routes, before="", whose="ours"):
    for route in routes:
        inside = getattr(route, "original_router", route)
        if hasattr(inside, "routes"):
            mounted = inside is route
            yield from every(inside.routes, before + (route.path if mounted else ""), "gradio" if mounted else whose)
        else:
            for method in sorted(set(route.methods) - {"HEAD"}):
                yield whose, f"{method} {before}{route.path}"

create = server.create_app

def create_app(settings):
    made = create(settings)
    with open(settings.index / "routes.json", "w") as file:
        json.dump(sorted(set(every(made.router.routes))), file)
    return made

server.create_app = create_app
from ui.commands import serve
serve(sys.argv[1:])
"""
SAID = "When does the night train leave Tayport, said the heron of 7731?"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    site = Site(copied(tmp_path_factory.mktemp("routes")))
    with accounts(site.folder) as made:
        made.add("ada", "admin", None)
        made.add("ed", "editor", None, ["board"])
        made.add("ella", "editor", None, ["press"])
        made.add("rob", "reader", PASSWORD, ["board"])
        made.add("rita", "reader", None)
        keys = {name: made.add_key(name) for name in WHO[1:]}
    limits = {"ask_rate": "100000", "rate": "100000", "body_limit": "20000", "upload_limit": "30000"}
    site.start(TELLING, reader="similarity", **limits)
    site.as_ = {"stranger": client(site.url)} | {name: client(site.url, key) for name, key in keys.items()}
    site.routes = [tuple(one) for one in json.loads((site.folder / "routes.json").read_text())]
    site.asset = re.search(r"\./assets/([\w.-]+)", site.as_["ada"].get("/").text)[1]
    yield site
    for one in site.as_.values():
        one.close()
    site.stop()


def table(text):
    return {line.split(" ", 1)[1]: line.split(" ", 1)[0] for line in text.strip().splitlines()}


def things(place):
    """Ids of what is ed's, and of a document of the board, made anew where they are gone."""
    ed, ada = place.as_["ed"], place.as_["ada"]
    asked = ed.post("/api/v1/ask", json={"question": SAID})
    assert asked.json()["citations"], asked.text
    if "harbour.pdf" not in documents(ada):
        ed.post("/api/v1/documents", files={"file": ("harbour.pdf", pdf())}, data={"group": ["board"]})
    document = documents(ada)["harbour.pdf"]
    assert ada.put(f"/api/v1/documents/{document}/groups", json={"groups": ["board"]}).status_code == 200
    return {
        "answer": asked.headers["x-answer-id"],
        "conversation": asked.headers["x-conversation-id"],
        "document": document,
        "number": str(asked.json()["citations"][0]["number"]),
        "page": "1",
        "name": "pincite",
        "api_name": "ask",
        "path_or_url": str(place.folder / "state.sqlite"),
        "url_path": "http://127.0.0.1:1/",
    }


def status(place, http, route, ids, **more):
    """The status of a call, without reading what may be a stream without an end."""
    method, path = route.split(" ")
    body = BODIES.get(route)
    if route == "POST /api/v1/documents":
        more["files"] = {"file": ("new.txt", b"A new file, with a sentence in it.")}
    elif body is not None:
        more["json"] = {k: v.format(**ids) if isinstance(v, str) else v for k, v in body.items()}
    own = {"path": {"/assets/": place.asset, "/static/": "img/logo.svg"}.get(path[:8], "x")}
    url = re.sub(r"{(\w+)(?::\w+)?}", lambda found: (ids | own).get(found[1], "x"), path)
    url += "?session_hash=x" if path.endswith("/queue/data") else ""
    accept = "application/json, text/event-stream" if path == "/mcp" else "application/json"
    headers = {"Accept": accept} | more.pop("headers", {})
    with http.stream(method, url, headers=headers, **more) as response:
        return response.status_code


def test_every_route_has_its_line(place):
    assert table(OURS).keys() == {route for whose, route in place.routes if whose == "ours"}
    assert table(GRADIO).keys() <= {route for whose, route in place.routes if whose == "gradio"}
    assert len(place.routes) > 100


@pytest.mark.parametrize("name", WHO)
def test_who_gets_what(place, name):
    http, wrong = place.as_[name], []
    ids = things(place)
    for whose, route in place.routes:
        if route.startswith("DELETE"):
            ids = things(place)
        line = (table(OURS) if whose == "ours" else table(GRADIO)).get(route)
        got = status(place, http, route, ids)
        # A route of gradio's that is not named is closed. Where one of ours has its path, another method is no way in;
        # a path that ends with a slash leads to the one without, which is tried as well.
        closed = (401, 405) if name == "stranger" else (404, 405, *([307] if route.endswith("/") else []))
        if got not in (STATUS[line[WHO.index(name)]] if line else closed):
            wrong.append(f"{route}: {got}")
        http.cookies.clear()
    assert wrong == []


def test_no_route_takes_too_much_or_comes_from_elsewhere(place):
    """Before anything else is looked at: names, origins and sizes, on each route alike."""
    ids, ada = things(place), place.as_["ada"]
    for _, route in place.routes:
        assert status(place, ada, route, ids, headers={"Host": "evil.example"}) == 421, route
        if not route.startswith("GET"):
            assert status(place, ada, route, ids, headers={"Origin": "http://evil.example"}) == 403, route
        crossed = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
        assert status(place, ada, route, ids, headers=crossed) == 403, route
    for _, route in place.routes:
        method, path = route.split(" ")
        response = ada.request(method, re.sub(r"{.*?}", "x", path), content=b"x" * 40_000)
        assert response.status_code == 413, route


def test_every_route_counts(tmp_path, place):
    with served(copied(tmp_path), rate=1) as url, client(url) as http:
        assert http.get("/healthz").status_code == 200
        for _, route in place.routes:
            method, path = route.split(" ")
            assert http.request(method, re.sub(r"{.*?}", "x", path)).status_code == 429, route


def told(http, fn, data, event):
    """What an event of the page tells, called as a script would call it."""
    session = f"s{fn}{http.headers['Authorization'][-4:]}"
    body = {"data": data, "fn_index": fn, "session_hash": session, "event_data": event}
    joined = http.post("/gradio_api/queue/join", json=body)
    assert joined.status_code == 200, joined.text
    return http.get("/gradio_api/queue/data", params={"session_hash": session}).text


def test_no_event_of_the_page_shows_what_is_anothers(place):
    """They are hidden from the description, which is no lock: each looks at who calls it."""
    ids = things(place)
    event = {"conversation": ids["conversation"], "answer": ids["answer"], "question": "Who?"}
    config = place.as_["ada"].get("/config").json()
    functions = [one for one in config["dependencies"] if one["targets"] and one["outputs"] and one["api_name"]]
    assert len(functions) >= 7
    seen = set()
    for one in functions:
        data = [ids["conversation"]] * len(one["inputs"])
        for name in ("rita", "ella", "rob", "ada"):
            said = told(place.as_[name], one["id"], data, event)
            assert "process_completed" in said
            assert "heron of 7731" not in said, f"{name}: {one['api_name']}"
        if "heron of 7731" in told(place.as_["ed"], one["id"], data, event):
            seen.add(one["api_name"])
    assert {"open", "pick", "again", "submit", "stop"} <= seen, "ed himself sees it, so the calls are right"
