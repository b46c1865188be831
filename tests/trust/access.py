"""Access and content: what another's things tell, names that climb, guessed passwords, forged texts."""

from __future__ import annotations

import asyncio
import hashlib
import random
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import httpx

from index.library import Index
from index.store import Store
from rag.models import Answer
from tests.serving import accounts, copied
from tests.trust.trial import Finding, Trial
from ui.server import create_app
from ui.settings import Settings
from ui.state import State

if TYPE_CHECKING:
    from fastapi import FastAPI

NOBODY = "0" * 16
CONVERSATIONS = (
    ("GET", "/api/v1/conversations/{}", None),
    ("PATCH", "/api/v1/conversations/{}", {"title": "mine"}),
    ("DELETE", "/api/v1/conversations/{}", None),
    ("GET", "/api/v1/conversations/{}/export", None),
    ("GET", "/api/v1/conversations/{}/export?format=html", None),
    ("POST", "/api/v1/ask", {"question": "Who?", "conversation": "{}"}),
)
ANSWERS = (
    ("GET", "/api/v1/answers/{}", None),
    ("DELETE", "/api/v1/answers/{}", None),
    ("GET", "/api/v1/answers/{}/text", None),
    ("GET", "/api/v1/answers/{}/table.csv", None),
    ("GET", "/api/v1/answers/{}/citations/1", None),
    ("GET", "/api/v1/answers/{}/citations/999", None),
    ("POST", "/api/v1/answers/{}/feedback", {"value": "up"}),
)
DOCUMENTS: tuple[tuple[str, str, dict[str, Any] | None], ...] = (
    ("GET", "/api/v1/documents/{}", None),
    ("DELETE", "/api/v1/documents/{}", None),
    ("PUT", "/api/v1/documents/{}/groups", {"groups": []}),
    ("GET", "/api/v1/documents/{}/text", None),
    ("GET", "/api/v1/documents/{}/blocks", None),
    ("GET", "/api/v1/documents/{}/pages/1.png", None),
    ("GET", "/api/v1/documents/{}/pages/999.png", None),
)
CLIMBING = (
    "../../etc/passwd", "..\\..\\windows\\win.ini", "/etc/passwd", "C:\\boot.ini", "....//....//etc/passwd",
    "..%2f..%2fetc%2fpasswd", "%2e%2e/%2e%2e/etc/passwd", "~root/.ssh/id_rsa", "a/../../b.txt", "./../c.txt",
    "\x00../d.txt", "e.txt\x00.png", "file:///etc/passwd", "//evil.example/f.txt", "..", "../", "con.txt", ".bashrc",
    "x" * 5000 + ".txt", "\u202etxt.exe", "\uff0e\uff0e/g.txt", "state.sqlite", "../state.sqlite", "-rf", "$(id).txt",
)  # fmt: skip


class Told(NamedTuple):
    """All that a refusal tells: its bytes, and how often it looked into the two databases."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    looks: int


@asynccontextmanager
async def running(folder: Path, **settings: object) -> AsyncIterator[FastAPI]:
    """The application over a small index, without a network."""
    base = {"index": folder, "page": False, "reader": "similarity", "rate": 10**9, "ask_rate": 10**9}
    app = create_app(Settings.model_validate(base | settings))
    async with app.router.lifespan_context(app):
        yield app


def caller(app: FastAPI, key: str | None = None) -> httpx.AsyncClient:
    """A client of an application in this process."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    transport = httpx.ASGITransport(app)
    return httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=headers, timeout=60)


@contextmanager
def counted() -> Iterator[Counter[str]]:
    """Counts every look into the server's database and the index while the block runs."""
    looks: Counter[str] = Counter()

    def counting(kind: type, name: str) -> Callable[..., Any]:
        real: Callable[..., Any] = getattr(kind, name)

        def look(self: object, *given: object) -> Any:
            looks[f"{kind.__name__}.{name}"] += 1
            return real(self, *given)

        setattr(kind, name, look)
        return real

    kept = [(kind, name, counting(kind, name)) for kind, name in ((State, "row"), (State, "rows"), (Store, "_rows"))]
    try:
        yield looks
    finally:
        for kind, name, real in kept:
            setattr(kind, name, real)


async def told_apart(folder: Path) -> tuple[int, list[str]]:
    """Ask for another's things, and for ones that are nowhere; how many pairs, and those that differ in anything."""
    index = copied(folder)
    with accounts(index) as made:
        made.add("ada", "admin", None)
        made.add("ed", "editor", None, ["board"])
        made.add("ella", "editor", None, ["press"])
        keys = {name: made.add_key(name) for name in ("ada", "ed", "ella")}
    async with running(index) as app, caller(app, keys["ed"]) as ed, caller(app, keys["ella"]) as ella:
        held = {one["source"]: one["id"] for one in (await ed.get("/api/v1/documents")).json()["items"]}
        for source in ("secret.txt", "harbour.pdf"):
            await ed.put(f"/api/v1/documents/{held[source]}/groups", json={"groups": ["board"]})
        asked = await ed.post("/api/v1/ask", json={"question": "When does the night train leave Tayport?"})
        theirs = (
            *((route, asked.headers["x-conversation-id"]) for route in CONVERSATIONS),
            *((route, asked.headers["x-answer-id"]) for route in ANSWERS),
            *((route, held[source]) for route in DOCUMENTS for source in ("secret.txt", "harbour.pdf")),
        )
        differ = []
        await ella.get("/api/v1/documents")  # what it may see is reckoned once
        for (method, path, body), there in theirs:
            pair = [await _told(ella, method, path, body, one) for one in (there, NOBODY)]
            if pair[0] != pair[1] or pair[0].status != 404:
                differ.append(f"{method} {path}: {pair}")
    return len(theirs), differ


async def _told(http: httpx.AsyncClient, method: str, path: str, body: dict[str, Any] | None, id_: str) -> Told:
    sent = body and {name: value.format(id_) if value == "{}" else value for name, value in body.items()}
    with counted() as looks:
        response = await http.request(method, path.format(id_), json=sent)
    return Told(response.status_code, tuple(sorted(response.headers.items())), response.content, looks.total())


async def climbed(folder: Path, names: tuple[str, ...] = CLIMBING) -> tuple[int, list[str]]:
    """Upload files under names that climb, and ask for such paths; how many tries, and what came of them."""
    index = copied(folder)
    (folder / "beside.txt").write_text("what lies beside the index, in an invented place")
    before, wrong = _state_of(folder, index), []
    async with running(index, page=False) as app, caller(app) as http:
        for name in names:
            text = f"A text of its own, number {names.index(name)}, on the weather of Ostwick, an invented place."
            reply = await http.post("/api/v1/documents", files={"file": (name, text.encode(), "text/plain")})
            if reply.status_code == 201:
                source = reply.json()[0]["source"]
                parts = source.split("/")
                if source.startswith("/") or ".." in parts or not source.isprintable() or len(source) > 200:
                    wrong.append(f"{name!r} is called {source!r}")
            elif reply.status_code not in (400, 422):
                wrong.append(f"{name!r}: {reply.status_code}")
        paths = [f"{begin}{name}" for begin in ("/", "/api/v1/documents/", "/assets/", "/static/") for name in names]
        for path in paths:
            reply = await http.get(httpx.URL("http://localhost", raw_path=_sent(path)))
            if reply.status_code == 200 and (b"root:" in reply.content or b"beside the index" in reply.content):
                wrong.append(f"{path}: {reply.content[:80]!r}")
    wrong += [f"{name} changed" for name in before ^ _state_of(folder, index)]
    return len(names) + len(paths), wrong


def _sent(path: str) -> bytes:
    """A path as it goes over the wire: only what cannot is encoded, so that dots and slashes arrive."""
    return "".join(c if c.isascii() and c.isprintable() and c not in " #?" else "%00" for c in path).encode()[:4000]


def _state_of(folder: Path, index: Path) -> set[str]:
    """The files beside an index, each with its digest."""
    files = (path for path in folder.rglob("*") if path.is_file() and index not in path.parents)
    return {f"{path.relative_to(folder)} {hashlib.sha256(path.read_bytes()).hexdigest()}" for path in files}


def guessed(folder: Path, tries: int) -> tuple[int, int]:
    """Guess one user's password many times at once; how many tries were refused unread, and how many were looked at."""
    from concurrent.futures import ThreadPoolExecutor

    from argon2 import PasswordHasher

    from ui.problems import SignInError, TooManyError

    looked: list[str] = []
    real = PasswordHasher.verify

    def verify(self: PasswordHasher, hashed: str | bytes, password: str | bytes) -> Literal[True]:
        looked.append(str(password))
        return real(self, hashed, password)

    with accounts(folder) as made:
        made.add("ada", "admin", "the right password of 2207")

        def guess(number: int) -> int:
            try:
                made.sign_in("ada", f"password {number}")
            except TooManyError:
                return 1
            except SignInError:
                return 0
            raise AssertionError("a wrong password opened a session")

        PasswordHasher.verify = verify  # type: ignore[assignment, method-assign]
        try:
            with ThreadPoolExecutor(16) as pool:
                locked = sum(pool.map(guess, range(tries)))
        finally:
            PasswordHasher.verify = real  # type: ignore[method-assign]
    return locked, len(looked)


# All places and organisations here are invented.
DISPUTED = (
    ("When does the Ostwick ferry leave?", "The Ostwick ferry leaves at {} from the north pier.", "nine|seven|eleven"),
    ("How much did the Heron Choir receive in 2021?", "The Heron Choir received {} in 2021.", "$15,000|$90,000|$1"),
    ("Who is the director of the Larch Fund?", "The director of the Larch Fund is {}.", "Ida Storm|Max Vale|Kit Roe"),
    ("Where is the head office of Quillmere?", "The head office of Quillmere is in {}.", "Merrow|Dunmore|Holme"),
)


def disputed(folder: Path, forgeries: int, tell: Callable[[str], Answer] | None = None) -> list[str]:
    """Ask what one true text says and several forged ones deny; each question whose answer hides either side."""
    from index.encode import Encoder
    from rag.assistant import Assistant
    from rag.learned import Trained

    encoder, hidden = Encoder(), []
    for number, (question, sentence, values) in enumerate(DISPUTED):
        true, *forged = values.split("|")
        with Index(folder / f"{number}.index", encoder) as index:
            index.add_bytes(f"Notice\n\n{sentence.format(true)} It was signed in March.".encode(), "true.txt")
            for at in range(forgeries):
                lie = sentence.format(forged[at % len(forged)])
                index.add_bytes(f"Bulletin {at}\n\n{lie} This is paper {at} of the series.".encode(), f"lie-{at}.txt")
            answer = (tell or Assistant(index, Trained()).ask)(question)
        cited = [*answer.citations, *(citation for note in answer.notes for citation in note.citations)]
        sources = sorted({citation.source for citation in cited})
        is_told = any(citation.source == "true.txt" and true in citation.quote for citation in cited)
        if not is_told or not any(source.startswith("lie-") for source in sources):
            hidden.append(f"{question} shows {sources} ({answer.status})")
    return hidden


def apart(folder: Path) -> Finding:
    """What is not yours and what is not there cannot be told apart."""
    count, differ = asyncio.run(told_apart(folder))
    words = (
        f"{count} requests for another's things and as many for none; {len(differ)} pairs differ in a byte or a look"
    )
    return Finding("; ".join([words, *differ[:3]]), not differ)


def climbing(folder: Path) -> Finding:
    """No name leads out of the index."""
    chance = random.Random(8)
    pieces = (
        "..",
        ".",
        "/",
        "\\",
        "%2e",
        "%2f",
        "%5c",
        "\x00",
        "a",
        "etc",
        "passwd",
        "\u202e",
        "\uff0f",
        ":",
        "~",
        " ",
    )
    made = tuple("".join(chance.choices(pieces, k=chance.randint(2, 9))) for _ in range(1000))
    count, wrong = asyncio.run(climbed(folder, (*CLIMBING, *dict.fromkeys(made))))
    return Finding("; ".join([f"{count:,} names and paths, {len(wrong)} led anywhere", *wrong[:3]]), not wrong)


def guessing(folder: Path) -> Finding:
    """Many guesses at once are worth five."""
    locked, looked = guessed(folder, 1000)
    return Finding(f"1,000 guesses, 16 at once: {looked} looked at, {locked} refused unread", looked <= 5)


def forgery(folder: Path) -> Finding:
    """Forged texts don't hide the true one, however many."""
    hidden = []
    for forgeries in (1, 3, 6):
        place = folder / str(forgeries)
        hidden += [f"{forgeries} forgeries: {one}" for one in disputed(place, forgeries)]
        shutil.rmtree(place)
    tried = 3 * len(DISPUTED)
    words = (
        f"{tried} questions, a true text against 1, 3 and 6 forged: {tried - len(hidden)} show both with their sources"
    )
    return Finding("; ".join([words, *hidden[:3]]), not hidden)


TRIALS = [
    Trial(
        "apart",
        "Access and content",
        "what is another's and what is not there are refused alike, with the same work",
        "every route with an id: the same bytes, the same number of looks into the databases",
        "tests/test_access.py::test_what_is_not_yours_and_what_is_not_there_are_told_alike",
        apart,
    ),
    Trial(
        "climbing",
        "Access and content",
        "no name of a file or path leads out of the index",
        "1,000 names, uploaded and asked for: 0",
        "tests/test_access.py::test_no_name_leads_out_of_the_index",
        climbing,
    ),
    Trial(
        "guessing",
        "Access and content",
        "guessing at once gains nothing",
        "1,000 guesses: 5 looked at",
        "tests/test_access.py::test_guesses_at_once_are_counted_before_they_are_looked_at",
        guessing,
    ),
    Trial(
        "forgery",
        "Access and content",
        "forged texts don't hide a true one: both are shown, with their sources",
        "12 of 12",
        "tests/test_access.py::test_forged_texts_do_not_hide_the_true_one",
        forgery,
    ),
]
