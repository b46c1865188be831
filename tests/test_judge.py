"""A judge behind a real HTTP endpoint that speaks OpenAI's protocol; what it says is written by hand."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from eval.judge import LLM, agreement, judge_run
from eval.run import run
from eval.summary import score_run
from eval.support import PlainVerifier
from index.errors import PinciteError, UsageError
from tests.handmade import CASES, DELTA_2021, HandMade, answer, gold_answer
from tests.test_run import settings


class Endpoint(ThreadingHTTPServer):
    """Answers every prompt with what `reply` makes of it, and keeps the prompts."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.prompts: list[str] = []
        self.reply = lambda prompt: "FULL" if "How far" in prompt else "RIGHT"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


class Handler(BaseHTTPRequestHandler):
    server: Endpoint

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        prompt = asked["messages"][0]["content"]
        self.server.prompts.append(prompt)
        message = {"role": "assistant", "content": self.server.reply(prompt)}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        body = {"id": "1", "object": "chat.completion", "created": 0, "model": asked["model"], "choices": [choice]}
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    pytest.importorskip("openai", reason="the package openai is not installed")
    server = Endpoint()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_support_is_judged_by_the_words_of_the_reply(endpoint: Endpoint) -> None:
    replies = iter(["FULL", "I think: partial.", "none", "perhaps"])
    endpoint.reply = lambda prompt: next(replies)
    judge = LLM(endpoint.url, "tiny", workers=1)
    verdicts = judge.judge([("a {evidence} claim", "words"), ("b", "c"), ("d", "e"), ("f", "g")])
    assert [verdict.level for verdict in verdicts] == ["full", "partial", "none", "none"]
    assert judge.unreadable == 1
    assert judge.name == "llm:tiny"
    assert "Statement:\na {evidence} claim\n" in endpoint.prompts[0]
    assert "Evidence:\nwords\n" in endpoint.prompts[0]


def test_a_run_is_judged_and_compared_with_gold(endpoint: Endpoint, tmp_path: Path) -> None:
    def careless(case):
        return answer(case, [DELTA_2021]) if case.id == "date" else gold_answer(case)

    loaded = run(tmp_path / "r", settings(), CASES, HandMade("hand", careless))
    scores = score_run(loaded, PlainVerifier())
    judgement = judge_run(loaded, scores, LLM(endpoint.url, "tiny"))
    # Four answers, one of them wrong by gold, all right by the judge.
    assert judgement.right == 1.0
    assert (judgement.right_agreement.cases, judgement.right_agreement.agreement) == (4, 0.75)
    assert judgement.right_agreement.kappa == 0.0
    # 1 + 3 + 1 + 2 statements; the one of "date" cites what is not gold.
    assert (judgement.supported_agreement.cases, judgement.supported) == (7, 1.0)
    assert judgement.supported_agreement.agreement == pytest.approx(6 / 7)
    assert judgement.unreadable == 0
    right = [prompt for prompt in endpoint.prompts if "RIGHT" in prompt]
    assert any("- $40,000" in prompt and "- $55,000" in prompt for prompt in right)


def test_kappa() -> None:
    assert agreement([], []) is None
    assert agreement([True, True], [True, True]).kappa == 1.0
    assert agreement([True, False], [False, True]).kappa == -1.0


def test_an_endpoint_that_is_not_there() -> None:
    pytest.importorskip("openai", reason="the package openai is not installed")
    judge = LLM("http://127.0.0.1:9/v1", "tiny")
    judge._client = judge._client.with_options(max_retries=0)
    with pytest.raises(PinciteError, match=r"did not answer .*check --base-url"):
        judge.judge([("a", "b")])
    with pytest.raises(UsageError, match="no model is named"):
        LLM("http://127.0.0.1:9/v1", "")
