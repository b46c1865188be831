"""An answer of a language model on its way to the reader: over HTTP, and through the service that every face calls."""

import asyncio
import json
import time

import pytest

from rag.models import Piece
from tests.serving import client, copied, served
from tests.stub_model import serving
from ui.accounts import LOCAL
from ui.models import Turn
from ui.problems import NotFoundError
from ui.service import Service
from ui.settings import Settings
from ui.talks import new_id

BEES = "How much did the Hollow Oak Trust give to the Bramble Bee Society in 2021?"
SAID = "The money paid for forty hives [2]. The moon got $9 [1]. The Trust gave $12,500 in 2021 [1]."
GOOD = "The Hollow Oak Trust gave $12,500 to the Bramble Bee Society in 2021 [1]."


def model(stub, **more):
    return {"llm": {"base_url": stub.url, "model": "stub", **more}}


def events(response):
    parts = [part.split("\n", 1) for part in "".join(response.iter_text()).strip().split("\n\n")]
    return [
        (name.removeprefix("event: "), json.loads(data.removeprefix("data: ")))
        for name, data in (part for part in parts if len(part) == 2)
    ]


def test_sentences_go_out_while_they_are_written(tmp_path):
    with (
        serving(f"{GOOD} The moon got $9 [1].") as stub,
        served(copied(tmp_path), **model(stub)) as url,
        client(url) as http,
    ):
        headers = {"Accept": "text/event-stream"}
        response = http.post("/api/v1/ask", json={"question": BEES}, headers=headers)
        told = events(response)
        kept = http.get(f"/api/v1/answers/{response.headers['x-answer-id']}").json()
    assert told[-1] == ("answer", kept["answer"])
    assert kept["answer"]["answerer"].startswith("llm:stub")
    assert ("rejected", {"at": 1}) in told
    (claim,) = [data for name, data in told if name == "claim"]
    assert claim == {"at": 0, **kept["answer"]["claims"][0]}
    assert {name for name, _ in told} <= {"writing", "claim", "rejected", "answer"}


def test_a_model_that_is_down_still_leaves_an_answer(tmp_path):
    with serving() as stub:
        gone = model(stub, seconds=1)
    with served(copied(tmp_path), **gone) as url, client(url) as http:
        answer = http.post("/api/v1/ask", json={"question": BEES}).json()
    assert answer["status"] == "answered"
    assert "$12,500" in answer["citations"][0]["quote"]
    assert [note["kind"] for note in answer["notes"]] == ["writer"]
    assert "cannot be reached" in answer["notes"][0]["text"]


def test_a_question_can_be_taken_as_it_is_typed(tmp_path):
    with served(copied(tmp_path)) as url, client(url) as http:
        first = http.post("/api/v1/ask", json={"question": BEES})
        talk = {"conversation": first.headers["x-conversation-id"], "question": "And in 2020?"}
        assert "Bramble Bee Society in 2020" in http.post("/api/v1/ask", json=talk).json()["understood"]
        assert http.post("/api/v1/ask", json={**talk, "alone": True}).json()["understood"] is None


@pytest.fixture
def service(tmp_path):
    """A function that opens a service whose model is a stub."""
    opened = []

    index = copied(tmp_path)

    def open_(stub, **more):
        made = Service(Settings.model_validate({"index": index, "workers": 1, **model(stub, **more)}))
        made.open()
        opened.append(made)
        return made

    yield open_
    for made in opened:
        made.close()


def test_a_citation_can_be_read_while_the_answer_is_written(service):
    async def ask(made, ids):
        seen = []
        async for said in made.stream(LOCAL, BEES, ids=ids):
            if isinstance(said, Piece) and said.state == "verified":
                cited = await made.citation(LOCAL, ids[0], said.citations[0].number)
                seen.append((cited.citation, cited.conversation))
                other = LOCAL.model_copy(update={"name": "eve"})
                with pytest.raises(NotFoundError):
                    await made.citation(other, ids[0], said.citations[0].number)
                with pytest.raises(NotFoundError):
                    await made.citation(LOCAL, ids[0], 99)
        return seen, said

    with serving(SAID, mode="slow") as stub:
        made, ids = service(stub), (new_id(), new_id())
        seen, turn = asyncio.run(ask(made, ids))
        assert isinstance(turn, Turn)
        assert (turn.id, turn.conversation) == ids
        assert len(seen) == 2
        for citation, conversation in seen:
            assert citation in turn.answer.citations
            assert conversation == turn.conversation
            assert asyncio.run(made.citation(LOCAL, turn.id, citation.number)).citation == citation


def test_pieces_come_together(service):
    async def ask(made):
        return [said async for said in made.stream(LOCAL, BEES)]

    words = " ".join(["the"] * 300)
    with serving(f"{GOOD} And {words} end [1].") as stub:
        said = asyncio.run(ask(service(stub)))
    assert len(said) < 60  # of more than 300 words
    assert isinstance(said[-1], Turn)


def test_leaving_takes_the_question_back_and_ends_the_models_work(service):
    async def leave(made):
        stream = made.stream(LOCAL, BEES)
        await anext(stream)
        await stream.aclose()
        stub.mode, stub.reply = "whole", GOOD
        return await made.ask(LOCAL, BEES)  # by the only thread that there is for it

    with serving("word " * 400, mode="slow") as stub:
        made, began = service(stub, seconds=60), time.monotonic()
        turn = asyncio.run(leave(made))
        assert time.monotonic() - began < 30
        assert stub.left.wait(10)
    assert turn.answer.answerer.startswith("llm:stub")
    assert asyncio.run(made.conversations(LOCAL)).total == 1


def test_a_cancelled_request_ends_the_models_work(service):
    async def cancel(made):
        asking = asyncio.ensure_future(made.ask(LOCAL, BEES))
        while not stub.asked:
            await asyncio.sleep(0.05)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking

    with serving(mode="trickle") as stub:
        asyncio.run(cancel(service(stub, seconds=60)))
        assert stub.left.wait(10)
