"""The HTTP API as one user on one machine sees it: a real server, no accounts."""

import csv
import io
import json

import httpx
import pytest

from tests.serving import TEXTS, client, copied, documents, served

BEES = "Who gave $12,500 to the Bramble Bee Society in 2021?"
FERRY = "Who runs the ferry to Skerrow?"


@pytest.fixture(scope="module")
def http(tmp_path_factory):
    with served(copied(tmp_path_factory.mktemp("api"))) as url, client(url) as made:
        yield made


def asked(http, question=BEES, **more):
    response = http.post("/api/v1/ask", json={"question": question, **more})
    assert response.status_code == 200, response.text
    return response.json(), response.headers["x-answer-id"], response.headers["x-conversation-id"]


def problem(response, status):
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert body["status"] == status
    assert body["title"]
    assert body["detail"]
    return body["detail"]


def test_it_is_alive_and_ready(http):
    assert http.get("/healthz").json() == {"status": "ok"}
    assert http.get("/readyz").json() == {"status": "ready"}


def test_each_quote_is_the_text_at_its_offsets(http):
    answer, _, _ = asked(http)
    assert answer["status"] == "answered"
    for cited in answer["citations"]:
        text = http.get(f"/api/v1/documents/{cited['document']}/text")
        assert text.headers["content-type"] == "text/plain; charset=utf-8"
        assert text.text[cited["start"] : cited["end"]] == cited["quote"]
    assert "Hollow Oak Trust" in answer["citations"][0]["quote"]


def test_a_stream_ends_with_the_same_answer(http):
    whole, _, _ = asked(http)
    with http.stream(
        "POST", "/api/v1/ask", json={"question": BEES}, headers={"Accept": "text/event-stream"}
    ) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        events = [part.split("\n", 1) for part in "".join(response.iter_text()).strip().split("\n\n")]
    names = [name.removeprefix("event: ") for name, _ in events]
    data = [json.loads(line.removeprefix("data: ")) for _, line in events]
    assert names == ["claim"] * len(whole["claims"]) + ["answer"]
    assert data[:-1] == whole["claims"]
    assert data[-1]["citations"] == whole["citations"]
    kept = http.get(f"/api/v1/answers/{response.headers['x-answer-id']}").json()
    assert kept["answer"] == data[-1]
    assert kept["conversation"] == response.headers["x-conversation-id"]


def test_a_stream_tells_what_went_wrong(http):
    headers = {"Accept": "text/event-stream"}
    response = http.post("/api/v1/ask", json={"question": BEES, "where": {"colour": "red"}}, headers=headers)
    name, data = response.text.strip().split("\n")
    assert name == "event: problem"
    assert json.loads(data.removeprefix("data: "))["status"] == 422
    problem(http.get(f"/api/v1/conversations/{response.headers['x-conversation-id']}"), 404)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"question": ""}, 422),
        ({"question": "  \n "}, 422),
        ({"question": "x" * 100_001}, 422),
        ({"question": 7}, 422),
        ({"question": BEES, "colour": "red"}, 422),
        ({"question": BEES, "where": {"colour": "red"}}, 422),
        ({"question": BEES, "where": {"published": "soon"}}, 422),
        ({"question": BEES, "conversation": "../../etc"}, 422),
        ({"question": BEES, "conversation": "0" * 16}, 404),
    ],
)
def test_a_bad_question_is_a_problem(http, body, status):
    problem(http.post("/api/v1/ask", json=body), status)


def test_bodies_that_are_not_json(http):
    headers = {"Content-Type": "application/json"}
    for body in (b"{", b"\xff\xfe", b"[1]", b'{"question": "\\ud800"}', b'"x"', b"null", b""):
        problem(http.post("/api/v1/ask", content=body, headers=headers), 422)


@pytest.mark.parametrize("question", ["x" * 100_000, "🦊" * 1000, "\u202e\u0000?", "a' OR 1=1 --", "{{7*7}}"])
def test_strange_questions_are_answered_or_refused(http, question):
    answer, _, _ = asked(http, question)
    assert answer["status"] in ("answered", "refused")


def test_the_source_panel_gets_all_it_needs(http):
    answer, id_, conversation = asked(http, FERRY)
    (told,) = (c for c in answer["citations"] if "Ebba" in c["quote"])
    cited = http.get(f"/api/v1/answers/{id_}/citations/{told['number']}").json()
    assert cited["citation"] == told
    assert cited["numbers"] == [c["number"] for c in answer["citations"]]
    assert cited["document"]["source"] == "harbour.pdf"
    assert cited["document"]["pages"] == 2
    assert cited["link"] == f"/?conv={conversation}#cite-{id_}-{told['number']}"
    start, end = cited["citation"]["start"], cited["citation"]["end"]
    text = http.get(f"/api/v1/documents/{cited['document']['id']}/text").text
    blocks = cited["blocks"]["blocks"]
    assert all(text[b["start"] : b["end"]] == b["text"] for b in blocks)
    assert any(b["start"] <= start and end <= b["end"] for b in blocks)
    image = http.get(cited["page_image"])
    assert image.headers["content-type"] == "image/png"
    plain = http.get(cited["page_image"].split("?")[0])
    assert marked(image.content) > 500 > marked(plain.content) == 0
    first = cited["page_image"].replace("/pages/2.png", "/pages/1.png")
    assert marked(http.get(first).content) == 0
    problem(http.get(cited["page_image"].replace("/pages/2.png", "/pages/3.png")), 404)
    problem(http.get(f"/api/v1/answers/{id_}/citations/99"), 404)


def marked(png):
    """How many pixels are as yellow as the marker."""
    from PIL import Image

    image = Image.open(io.BytesIO(png)).convert("RGB")
    return sum(count for count, (r, g, b) in image.getcolors(1 << 24) if r > 240 and g > 200 and b < 130)


def test_the_section_is_the_headings_above(http):
    added = http.post(
        "/api/v1/documents",
        files={"file": ("guide.md", b"# Guide\n\n## Pay\n\nThe tollkeeper of Ashby earns nine crowns a week.\n")},
    ).json()[0]
    _, id_, _ = asked(http, "How much does the tollkeeper of Ashby earn?")
    cited = http.get(f"/api/v1/answers/{id_}/citations/1").json()
    assert cited["section"] == ["Guide", "Pay"]
    assert http.delete(f"/api/v1/documents/{added['document']}").status_code == 204
    problem(http.get(f"/api/v1/answers/{id_}/citations/1"), 404)
    assert "crowns" not in http.get(f"/api/v1/answers/{id_}").text


def test_uploading_many_files_tells_about_each(http):
    files = [
        ("file", ("notes.txt", b"The mill at Zanthorpe has two wheels, and both turn in winter.")),
        ("file", ("copy.txt", TEXTS["bees.txt"].encode())),
        ("file", ("bees.txt", TEXTS["bees.txt"].encode())),
        ("file", ("broken.pdf", b"%PDF-1.7 and nothing more")),
        ("file", ("../../etc/passwd.txt", b"The third wheel at Zanthorpe was sold to a museum long ago.")),
    ]
    added = http.post("/api/v1/documents", files=files).json()
    assert [a["outcome"] for a in added] == ["added", "duplicate", "unchanged", "refused", "added"]
    assert "bees.txt" in added[1]["reason"]
    assert added[3]["reason"]
    assert added[4]["source"] == "etc/passwd.txt"
    listed = http.get("/api/v1/documents", params={"text": "PASSWD"}).json()
    assert [item["source"] for item in listed["items"]] == ["etc/passwd.txt"]
    assert (
        "copy.txt"
        in next(i for i in http.get("/api/v1/documents").json()["items"] if i["source"] == "bees.txt")["also"]
    )
    for document in (added[0]["document"], added[4]["document"]):
        assert http.delete(f"/api/v1/documents/{document}").status_code == 204
    problem(http.get(f"/api/v1/documents/{added[0]['document']}"), 404)
    problem(http.post("/api/v1/documents", files={"file": ("..", b"x")}), 422)


def test_the_list_is_paged_and_filtered(http):
    whole = http.get("/api/v1/documents").json()
    first = http.get("/api/v1/documents", params={"limit": 2}).json()
    rest = http.get("/api/v1/documents", params={"limit": 100, "offset": 2}).json()
    assert first["total"] == rest["total"] == whole["total"] == len(whole["items"])
    assert first["items"] + rest["items"] == whole["items"]
    russian = http.get("/api/v1/documents", params={"where": "language=ru"}).json()
    assert [item["source"] for item in russian["items"]] == ["музей.txt"]
    problem(http.get("/api/v1/documents", params={"where": "colour=red"}), 422)


def test_blocks_of_a_part(http):
    document = documents(http)["bees.txt"]
    whole = http.get(f"/api/v1/documents/{document}/blocks").json()
    assert whole["characters"] == len(TEXTS["bees.txt"])
    last = whole["blocks"][-1]
    part = http.get(f"/api/v1/documents/{document}/blocks", params={"start": last["start"]}).json()
    assert part["blocks"] == [last]
    problem(http.get(f"/api/v1/documents/{document}/pages/1.png"), 404)


def test_searching(http):
    hits = http.post("/api/v1/search", json={"query": "night train", "k": 2}).json()["hits"]
    assert hits[0]["source"] == "trains.txt"
    assert len(hits) == 2
    assert http.post("/api/v1/search", json={"query": "night train", "where": {"source": "bees.txt"}}).json()["hits"]
    problem(http.post("/api/v1/search", json={"query": "x", "k": 0}), 422)
    problem(http.post("/api/v1/search", json={"query": "x", "k": 1000}), 422)


def test_a_conversation_is_kept_renamed_searched_and_deleted(http):
    made = http.post("/api/v1/conversations", json={"title": "  Trains\n of   Tayport "}).json()
    assert (made["title"], made["turns"]) == ("Trains of Tayport", 0)
    _, first, same = asked(http, "When does the night train leave?", conversation=made["id"])
    assert same == made["id"]
    asked(http, "Где МУЗЕЙ?", conversation=made["id"])
    talk = http.get(f"/api/v1/conversations/{made['id']}").json()
    assert [turn["question"] for turn in talk["answers"]] == ["When does the night train leave?", "Где МУЗЕЙ?"]

    def found(text):
        items = http.get("/api/v1/conversations", params={"text": text}).json()["items"]
        return made["id"] in [item["id"] for item in items]

    assert found("tayport")
    assert found("музей")
    assert not found("zebra%")
    assert http.patch(f"/api/v1/conversations/{made['id']}", json={"title": "Old"}).json()["title"] == "Old"
    assert http.delete(f"/api/v1/answers/{first}").status_code == 204
    assert len(http.get(f"/api/v1/conversations/{made['id']}").json()["answers"]) == 1
    assert http.delete(f"/api/v1/conversations/{made['id']}").status_code == 204
    problem(http.get(f"/api/v1/conversations/{made['id']}"), 404)
    problem(http.get(f"/api/v1/answers/{first}"), 404)


def test_a_conversation_is_called_after_its_first_question(http):
    made = http.post("/api/v1/conversations", json={"origin": "page"}).json()
    asked(http, BEES, conversation=made["id"])
    listed = http.get("/api/v1/conversations", params={"origin": "page"}).json()
    assert [item["title"] for item in listed["items"]] == [BEES]


def test_exports_hold_no_live_markup(http):
    _, id_, conversation = asked(http, "Who is the lighthouse keeper of Skerrow?<script>alert(1)</script>")
    page = http.get(f"/api/v1/conversations/{conversation}/export", params={"format": "html"})
    assert page.headers["content-disposition"].startswith("attachment")
    assert "<script>alert" not in page.text
    assert "<img" not in page.text
    markdown = http.get(f"/api/v1/conversations/{conversation}/export").text
    assert "![pixel](" not in markdown
    assert "<script>" not in markdown
    text = http.get(f"/api/v1/answers/{id_}/text")
    assert text.headers["content-type"] == "text/plain; charset=utf-8"
    assert "[1]" in text.text
    rows = list(csv.reader(io.StringIO(http.get(f"/api/v1/answers/{id_}/table.csv").content.decode("utf-8-sig"))))
    assert len(rows) >= 1


def test_feedback_is_kept_once_for_each_thing(http):
    _, id_, _ = asked(http)
    url = f"/api/v1/answers/{id_}/feedback"
    assert http.post(url, json={"value": "up"}).status_code == 201
    assert http.post(url, json={"value": "down", "comment": "too short"}).status_code == 201
    assert http.post(url, json={"value": "wrong_source", "citation": 1}).status_code == 201
    kept = http.get(f"/api/v1/answers/{id_}").json()["feedback"]
    assert [(f["value"], f["citation"], f["comment"]) for f in kept] == [
        ("down", None, "too short"),
        ("wrong_source", 1, None),
    ]
    problem(http.post(url, json={"value": "wrong_source", "citation": 42}), 404)
    problem(http.post(url, json={"value": "maybe"}), 422)


@pytest.mark.parametrize(
    "path", ["/nope", "/api/v1/nope", "/api/v1/answers/%00", "/api/v1/documents/..%2f..%2fetc/text"]
)
def test_what_is_not_there_is_a_problem(http, path):
    response = http.get(path)
    assert response.status_code in (404, 422)
    problem(response, response.status_code)
    problem(http.put("/healthz"), 405)


def test_every_operation_has_an_example_or_needs_none(http):
    api = http.get("/api/v1/openapi.json").json()
    schemas = api["components"]["schemas"]
    for path, methods in api["paths"].items():
        for method, operation in methods.items():
            assert operation.get("description"), f"{method} {path} says nothing"
            for parameter in operation.get("parameters", []):
                assert parameter["schema"], f"{method} {path} {parameter['name']}"
            body = operation.get("requestBody", {}).get("content", {}).get("application/json")
            if body:
                schema = schemas[body["schema"]["$ref"].split("/")[-1]]
                fields = schema.get("properties", {}).values()
                shown = "examples" in schema or any("examples" in f or "enum" in f or "default" in f for f in fields)
                assert shown, f"{method} {path} has no example"


def test_the_description_loads_nothing_from_outside(http):
    for path in ("/docs", "/docs.js", "/login", "/login.js", "/plain.css"):
        response = http.get(path)
        assert response.status_code == 200
        assert "//" not in response.text.replace("// ", ""), path
        assert "unsafe" not in response.headers["content-security-policy"]


def test_a_restart_keeps_conversations(tmp_path):
    index = copied(tmp_path)
    with served(index) as url, client(url) as http:
        answer, id_, conversation = asked(http, FERRY)
    with served(index) as url, client(url) as http:
        assert http.get(f"/api/v1/answers/{id_}").json()["answer"] == answer
        assert http.get(f"/api/v1/conversations/{conversation}").json()["turns"] == 1
        assert http.get(f"/api/v1/answers/{id_}/citations/1").json()["citation"] == answer["citations"][0]


def test_a_client_that_leaves_does_no_harm(http):
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{http.base_url}/api/v1/ask", json={"question": BEES}, timeout=httpx.Timeout(5, read=0.001))
    assert asked(http)[0]["status"] == "answered"
