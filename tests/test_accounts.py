"""Who may do what: accounts on their own, then readers, editors, admins and strangers against every route."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.errors import UsageError
from rag.models import Answer, Citation, Claim, Note, Rejected, Row
from tests.serving import PASSWORD, TEXTS, accounts, client, copied, documents, pdf, served
from ui.accounts import Accounts
from ui.problems import SignInError, TooManyError
from ui.state import State
from ui.visible import redacted

HIDDEN = "Zanthorpe"
CLOSURE = "What will the board of Quillmere Holdings close in May 2027?"


class Clock:
    def __init__(self):
        self.now = datetime(2026, 3, 1, tzinfo=UTC)

    def __call__(self):
        return self.now

    def wait(self, **how_long):
        self.now += timedelta(**how_long)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def people(tmp_path, clock):
    state = State(tmp_path, clock)
    made = Accounts(state, session_days=2)
    made.add("ada", "admin", PASSWORD)
    yield made
    state.close()


def test_a_password_opens_a_session_and_a_wrong_one_does_not(people):
    token = people.sign_in("ada", PASSWORD)
    assert people.by_session(token).name == "ada"
    assert people.by_session(token + "x") is None
    for name, password in (("ada", "correct horse batterY"), ("eve", PASSWORD), ("ada", ""), ("", "")):
        with pytest.raises(SignInError):
            people.sign_in(name, password)
    people.sign_out(token)
    assert people.by_session(token) is None


def test_nothing_secret_is_stored(people, tmp_path):
    key, token = people.add_key("ada", "script"), people.sign_in("ada", PASSWORD)
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"$argon2id$" in stored
    for secret in (PASSWORD, token, key.split("_", 2)[2]):
        assert secret.encode() not in stored
    assert (tmp_path / "state.sqlite").stat().st_mode & 0o077 == 0


def test_five_wrong_passwords_lock_a_name_for_a_while(people, clock):
    for _ in range(5):
        with pytest.raises(SignInError):
            people.sign_in("ada", "wrong password")
    with pytest.raises(TooManyError) as refused:
        people.sign_in("ada", PASSWORD)
    assert 0 < refused.value.retry_after <= 61
    clock.wait(seconds=61)
    with pytest.raises(SignInError):
        people.sign_in("ada", "wrong password")
    with pytest.raises(TooManyError) as refused:
        people.sign_in("ada", PASSWORD)
    assert refused.value.retry_after > 61
    clock.wait(hours=1)
    assert people.sign_in("ada", PASSWORD)
    with pytest.raises(SignInError):
        people.sign_in("ada", "wrong password")
    assert people.sign_in("ada", PASSWORD), "a right password clears the count"


def test_a_name_that_is_not_there_is_locked_alike(people):
    for _ in range(5):
        with pytest.raises(SignInError, match="name or the password"):
            people.sign_in("nobody", "wrong password")
    with pytest.raises(TooManyError):
        people.sign_in("nobody", "wrong password")


def test_a_session_ends_when_it_is_not_used(people, clock):
    token = people.sign_in("ada", PASSWORD)
    for _ in range(3):
        clock.wait(days=1.5)
        assert people.by_session(token)
    clock.wait(days=2, seconds=61)
    assert people.by_session(token) is None


def test_a_new_password_role_or_removal_ends_sessions(people):
    people.add("bo", "reader", PASSWORD)
    for change in ({"password": "another password"}, {"role": "editor"}):
        token = people.sign_in("bo", PASSWORD)
        people.change("bo", **change)
        assert people.by_session(token) is None
        people.change("bo", password=PASSWORD)
    token, key = people.sign_in("bo", PASSWORD), people.add_key("bo")
    people.remove("bo")
    assert people.by_session(token) is None
    with pytest.raises(SignInError):
        people.by_key(key)


def test_keys(people):
    key = people.add_key("ada", "script")
    assert people.by_key(key).role == "admin"
    (listed,) = people.list_keys()
    assert (listed.user, listed.label) == ("ada", "script")
    for wrong in ("", "pincite", key[:-1], key + "x", key.replace("pincite", "other"), f"pincite_{listed.id}_", "é"):
        with pytest.raises(SignInError):
            people.by_key(wrong)
    people.remove_key(listed.id)
    with pytest.raises(SignInError):
        people.by_key(key)
    with pytest.raises(UsageError):
        people.remove_key(listed.id)


def test_what_is_refused(people):
    for name, role, password in (
        ("ada", "reader", PASSWORD),
        ("", "reader", PASSWORD),
        ("a b", "reader", PASSWORD),
        ("x" * 65, "reader", PASSWORD),
        ("bo", "boss", PASSWORD),
        ("bo", "reader", "short"),
        ("bo", "reader", "x" * 1001),
    ):
        with pytest.raises(UsageError):
            people.add(name, role, password)
    with pytest.raises(UsageError, match="last admin"):
        people.change("ada", role="reader")
    people.add("bo", "reader", None)
    with pytest.raises(UsageError, match="last admin"):
        people.remove("ada")
    with pytest.raises(SignInError):
        people.sign_in("bo", "")
    people.add("cy", "admin", None)
    assert people.remove("ada").name == "ada"


def test_the_first_user_must_be_an_admin(tmp_path):
    state = State(tmp_path)
    with pytest.raises(UsageError, match="admin"):
        Accounts(state).add("ada", "reader", PASSWORD)
    state.close()


WORDS = {"a": "alder", "b": "birch", "c": "cedar", "d": "dogwood"}


def cited(number, document):
    return Citation(
        number=number, document=document, source=f"{document}.txt", title=None, publisher=None, published=None,
        sha256="0", start=0, end=5, quote=f"the {WORDS[document]} grows",
    )  # fmt: skip


@given(
    st.lists(st.sets(st.sampled_from("abcd"), min_size=1), min_size=1, max_size=5),
    st.sets(st.sampled_from("abcd")),
    st.booleans(),
)
def test_what_is_left_of_an_answer_says_nothing_of_what_is_hidden(claims, hidden, in_rows):
    numbers = {document: number for number, document in enumerate("abc", 1)}
    drafts = [(" and ".join(WORDS[d] for d in sorted(c)), tuple(numbers[d] for d in sorted(c - {"d"}))) for c in claims]
    drafts = [(text, cites) for text, cites in drafts if cites and "dogwood" not in text]
    answer = Answer(
        question="What grows?",
        status="answered" if drafts else "refused",
        reason=None if drafts else "no_evidence",
        text=" ".join(text for text, _ in drafts),
        claims=tuple(Claim(text=text, citations=cites) for text, cites in drafts),
        citations=tuple(cited(number, document) for document, number in numbers.items()) if drafts else (),
        rows=tuple(Row(name=text, citations=cites) for text, cites in drafts) if in_rows else (),
        rejected=(Rejected(text="alder birch cedar dogwood", reason="no"),),
        notes=(
            Note(kind="total", text="alder birch cedar"),
            Note(kind="other_period", text="", citations=(cited(4, "d"),)),
        ),
    )
    left = redacted(answer, frozenset(hidden))
    if not hidden:
        assert left == answer
        return
    said = left.model_dump_json()
    assert not any(WORDS[document] in said for document in hidden)
    kept = {citation.number for citation in left.citations}
    assert all(kept.issuperset(claim.citations) for claim in left.claims)
    assert {int(n) for n in re.findall(r"\[(\d+)\]", left.text)} <= kept
    whole = [c for c in answer.claims if not any(numbers.get(d) in c.citations for d in hidden)]
    assert list(left.claims) == whole
    assert left.status == ("answered" if whole else "refused")


# ---- against a server


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A server with people of every kind; a document of group board, uploaded by an editor of that group."""
    index = copied(tmp_path_factory.mktemp("accounts"))
    with accounts(index) as made:
        made.add("ada", "admin", PASSWORD)
        made.add("ed", "editor", PASSWORD, ["board"])
        made.add("ella", "editor", None, ["press"])
        made.add("rob", "reader", PASSWORD, ["board"])
        made.add("rita", "reader", PASSWORD)
        keys = {name: made.add_key(name) for name in ("ada", "ed", "ella", "rob", "rita")}
    with served(index) as url:
        clients = {name: client(url, key) for name, key in keys.items()} | {"stranger": client(url)}
        document = documents(clients["ada"])["secret.txt"]
        shared = clients["ed"].put(f"/api/v1/documents/{document}/groups", json={"groups": ["board"]})
        assert shared.json()["groups"] == ["board"]
        yield {"url": url, "index": index, "document": document, **clients}
        for one in clients.values():
            one.close()


def ask(http, question=CLOSURE, **more):
    return http.post("/api/v1/ask", json={"question": question, **more})


@pytest.mark.parametrize("name", ["ada", "ed", "rob"])
def test_who_is_in_the_group_sees_its_document(place, name):
    answer = ask(place[name])
    assert HIDDEN in answer.text
    assert place["document"] in documents(place[name]).values()


@pytest.mark.parametrize("name", ["rita", "ella"])
def test_who_is_not_sees_no_trace_of_it(place, name):
    http, document = place[name], place["document"]
    total = http.get("/api/v1/documents").json()["total"]
    assert total == place["ada"].get("/api/v1/documents").json()["total"] - 1
    for response in (
        ask(http),
        ask(http, HIDDEN),
        http.post("/api/v1/search", json={"query": f"{HIDDEN} mill", "k": 100}),
        http.get("/api/v1/documents", params={"limit": 500}),
        http.get("/api/v1/documents", params={"text": "secret"}),
        http.get("/api/v1/documents", params={"where": "source=secret.txt"}),
        http.post("/v1/chat/completions", json={"messages": [{"role": "user", "content": CLOSURE}]}),
    ):
        assert response.status_code == 200
        assert HIDDEN not in response.text.replace(f'"question":"{HIDDEN}"', "")
        assert "secret.txt" not in response.text
        assert document not in response.text
    for path in ("", "/text", "/blocks", "/pages/1.png"):
        response = http.get(f"/api/v1/documents/{document}{path}")
        assert response.status_code == 404
        other = http.get(f"/api/v1/documents/{'0' * 16}{path}")
        assert response.json() == other.json(), "a hidden document and a missing one sound the same"
    filtered = http.post("/api/v1/search", json={"query": "mill", "where": {"source": "secret.txt"}})
    assert filtered.json() == {"hits": []}


def test_an_answer_given_before_shows_nothing_that_is_hidden_now(place):
    rita, ada = place["rita"], place["ada"]
    document = documents(ada)["hostile.txt"]
    response = ask(rita, "Who is the lighthouse keeper of Skerrow?")
    id_, talk = response.headers["x-answer-id"], response.headers["x-conversation-id"]
    assert "Orla Finch" in response.text
    ada.put(f"/api/v1/documents/{document}/groups", json={"groups": ["board"]})
    try:
        for path in (
            f"/api/v1/answers/{id_}",
            f"/api/v1/answers/{id_}/text",
            f"/api/v1/answers/{id_}/table.csv",
            f"/api/v1/conversations/{talk}",
            f"/api/v1/conversations/{talk}/export",
            f"/api/v1/conversations/{talk}/export?format=html",
        ):
            seen = rita.get(path)
            assert seen.status_code == 200
            assert "Orla" not in seen.text
            assert document not in seen.text
        assert rita.get(f"/api/v1/answers/{id_}/citations/1").status_code == 404
        withheld = rita.get(f"/api/v1/answers/{id_}").json()["answer"]
        assert any(note["kind"] == "withheld" for note in withheld["notes"])
    finally:
        ada.put(f"/api/v1/documents/{document}/groups", json={"groups": []})
    assert "Orla Finch" in rita.get(f"/api/v1/answers/{id_}").text


def test_a_stranger_is_asked_to_sign_in(place):
    """What each route answers to whom is in `tests.test_routes`."""
    stranger = place["stranger"]
    assert stranger.get("/api/v1/documents").headers["www-authenticate"] == "Bearer"
    for wrong in ("Bearer", "Bearer pincite_00000000_x", "Basic YWRhOng=", "bearer x"):
        assert stranger.get("/api/v1/documents", headers={"Authorization": wrong}).status_code == 401
    page = stranger.get("/docs", headers={"Accept": "text/html"})
    assert (page.status_code, page.headers["location"]) == (303, "/login?next=%2Fdocs")
    assert stranger.get("/api/v1/session").json() == {
        "user": None, "role": None, "groups": [], "may_share": [], "accounts": True
    }  # fmt: skip


@pytest.mark.parametrize("name", ["rita", "rob", "ella", "ada"])
def test_no_one_finds_what_somebody_else_asked(place, name):
    """Not even the admin."""
    asked = ask(place["ed"], "When does the night train leave Tayport?").headers["x-conversation-id"]
    for query in ({"limit": 500}, {"text": "night train"}):
        listed = place[name].get("/api/v1/conversations", params=query).json()
        assert asked not in [item["id"] for item in listed["items"]]
        assert listed["total"] == len(listed["items"])


def upload(http, name, text, *groups):
    return http.post("/api/v1/documents", files={"file": (name, text.encode())}, data={"group": list(groups)})


def test_an_editor_keeps_to_what_it_may_see(place):
    ella, ada, document = place["ella"], place["ada"], place["document"]
    assert ella.delete(f"/api/v1/documents/{document}").status_code == 404
    assert ella.put(f"/api/v1/documents/{document}/groups", json={"groups": []}).status_code == 404
    assert upload(ella, "x.txt", "Some words of no weight.", "board").status_code == 403
    assert upload(ada, "x.txt", "Some words of no weight.", "nosuch").status_code == 422
    # A file of the same name takes nothing away from the one that it cannot see.
    (added,) = upload(ella, "secret.txt", "Ella's own secret is a recipe for quince jelly.").json()
    assert (added["outcome"], added["source"]) == ("added", "ella/secret.txt")
    assert HIDDEN in ada.get(f"/api/v1/documents/{document}/text").text
    assert ella.delete(f"/api/v1/documents/{added['document']}").status_code == 204


def test_sharing_is_changed_by_those_who_may(place):
    ada, ed, rob, ella = (place[name] for name in ("ada", "ed", "rob", "ella"))
    offered = {name: place[name].get("/api/v1/session").json()["may_share"] for name in ("ada", "ed", "ella", "rob")}
    assert offered == {"ada": ["board", "press"], "ed": ["board"], "ella": ["press"], "rob": []}
    document = documents(ada)["bees.txt"]

    def share(http, *groups):
        return http.put(f"/api/v1/documents/{document}/groups", json={"groups": groups})

    assert share(ed, "press").status_code == 403, "a group that he is not in"
    assert share(rob).status_code == 403
    assert share(ada, "press", "board").json()["groups"] == ["board", "press"]
    assert share(ed, "board", "press").status_code == 200, "the other group keeps it"
    assert share(ed, "press").json()["groups"] == ["press"]
    assert share(ed).status_code == 404, "he took it from his own group"
    assert share(ella, "board", "press").status_code == 403
    assert share(ella).json()["groups"] == []
    assert share(ada, "nosuch").status_code == 422
    assert "bees.txt" in documents(rob)


def test_the_same_text_from_two_sides(place):
    """Ella uploads what the board holds already: she learns nothing of theirs, and they lose nothing by her."""
    ella, ed, rita, document = place["ella"], place["ed"], place["rita"], place["document"]
    (added,) = upload(ella, "found.txt", TEXTS["secret.txt"], "press").json()
    assert (added["outcome"], added["document"], added["reason"]) == ("added", document, None)
    shown = ella.get(f"/api/v1/documents/{document}").json()
    assert (shown["source"], shown["also"], shown["groups"]) == ("found.txt", [], ["press"])
    answer = ask(ella)
    assert HIDDEN in answer.text
    assert "secret.txt" not in answer.text
    cited = ella.get(f"/api/v1/answers/{answer.headers['x-answer-id']}/citations/1").text
    assert "secret.txt" not in cited
    assert "found.txt" in cited
    hits = ella.post("/api/v1/search", json={"query": HIDDEN}).text
    assert "found.txt" in hits
    assert "secret.txt" not in hits
    why = ella.post("/api/v1/why", json={"question": "What is hidden?", "quote": HIDDEN}).json()
    assert (why["document"], why["source"]) == (document, "found.txt")
    assert rita.post("/api/v1/why", json={"question": "What is hidden?", "quote": HIDDEN}).status_code == 422
    assert HIDDEN not in ask(rita).text
    assert ella.delete(f"/api/v1/documents/{document}").status_code == 204
    assert ella.get(f"/api/v1/documents/{document}").status_code == 404
    assert documents(ed)["secret.txt"] == document
    assert "found.txt" not in ed.get("/api/v1/documents").text
    (again,) = upload(ella, "found.txt", "A text of her own, about a heron.", "press").json()
    assert again["source"] == "found.txt"
    assert ella.delete(f"/api/v1/documents/{again['document']}").status_code == 204


def test_a_restricted_file_that_changes_stays_restricted(place):
    ed, rita = place["ed"], place["rita"]
    (first,) = upload(ed, "budget.txt", "The budget of the regatta is ninety crowns.", "board").json()
    (second,) = upload(ed, "budget.txt", "The budget of the regatta is eighty crowns.").json()
    assert (second["outcome"], second["document"] != first["document"]) == ("updated", True)
    assert "eighty" in ask(ed, "What is the budget of the regatta?").text
    assert "eighty" not in ask(rita, "What is the budget of the regatta?").text
    assert rita.get(f"/api/v1/documents/{second['document']}").status_code == 404
    (near,) = upload(place["ella"], "copy.txt", "The budget of the regatta is eighty crowns!").json()
    assert "budget.txt" not in str(near), "that it resembles a hidden document is not told"
    for http, document in ((ed, second["document"]), (place["ella"], near["document"])):
        assert http.delete(f"/api/v1/documents/{document}").status_code == 204


def test_signing_in_by_cookie(place):
    with client(place["url"]) as http:
        wrong = http.post("/api/v1/session", json={"name": "rita", "password": "not the password"})
        assert wrong.status_code == 401
        assert "not the password" not in wrong.text
        response = http.post("/api/v1/session", json={"name": "rita", "password": PASSWORD})
        assert response.status_code == 204
        cookie = response.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=lax" in cookie
        assert "secure" not in cookie.replace("pincite_session", "")
        assert http.get("/api/v1/session").json()["user"] == "rita"
        assert http.get("/api/v1/documents").status_code == 200
        stolen = http.cookies["pincite_session"]
        crossed = http.post("/api/v1/ask", json={"question": "Who?"}, headers={"Origin": "http://evil.example"})
        assert crossed.status_code == 403
        assert http.delete("/api/v1/session").status_code == 204
    with client(place["url"]) as http:
        http.cookies.set("pincite_session", stolen)
        assert http.get("/api/v1/documents").status_code == 401, "signing out ends the session on the server"
    with client(place["url"]) as http:
        http.headers["Cookie"] = "pincite_session=chosen-by-another"
        response = http.post("/api/v1/session", json={"name": "rita", "password": PASSWORD})
        assert "chosen-by-another" not in response.headers["set-cookie"]
        assert http.get("/api/v1/documents").status_code == 401


def test_the_cookie_is_secure_behind_https(tmp_path):
    index = copied(tmp_path)
    with accounts(index) as made:
        made.add("ada", "admin", PASSWORD)
    import httpx

    from ui.server import create_app
    from ui.settings import Settings

    app = create_app(Settings(index=index, page=False, reader="similarity"))

    async def sign_in():
        async with app.router.lifespan_context(app):
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="https://localhost") as http:
                return await http.post("/api/v1/session", json={"name": "ada", "password": PASSWORD})

    import anyio

    response = anyio.run(sign_in)
    assert "secure" in response.headers["set-cookie"].lower().replace("pincite_session", "")
    assert "max-age" in response.headers["strict-transport-security"]


def test_a_removed_user_is_out_at_once_and_leaves_nothing(place):
    with accounts(place["index"]) as made:
        made.add("tim", "reader", None)
        key = made.add_key("tim")
    with client(place["url"], key) as tim:
        id_ = ask(tim, "When does the night train leave?").headers["x-answer-id"]
        with accounts(place["index"]) as made:
            made.remove("tim")
        assert tim.get("/api/v1/documents").status_code == 401
    with accounts(place["index"]) as made:
        made.add("tim", "reader", None)
        key = made.add_key("tim")
    with client(place["url"], key) as another:
        assert another.get("/api/v1/conversations").json()["total"] == 0
        assert another.get(f"/api/v1/answers/{id_}").status_code == 404
    with accounts(place["index"]) as made:
        made.remove("tim")


def test_a_pdf_of_a_group_shows_no_page_to_others(place):
    ed, rita = place["ed"], place["rita"]
    document = documents(ed)["harbour.pdf"]
    ed.put(f"/api/v1/documents/{document}/groups", json={"groups": ["board"]})
    try:
        assert ed.get(f"/api/v1/documents/{document}/pages/1.png").status_code == 200
        assert rita.get(f"/api/v1/documents/{document}/pages/1.png").status_code == 404
        added = place["ella"].post("/api/v1/documents", files={"file": ("mine.pdf", pdf())})
        assert added.status_code == 201
    finally:
        place["ada"].put(f"/api/v1/documents/{document}/groups", json={"groups": []})
