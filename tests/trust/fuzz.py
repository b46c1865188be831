"""The HTTP API against what its own description allows and forbids, made up by schemathesis."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.core.result import Ok

from tests.serving import client, copied, documents, served
from tests.trust.trial import Finding, Trial
from ui.server import create_app
from ui.settings import Settings

DESCRIPTION = "/api/v1/openapi.json"
_HOST = {"Host": "localhost"}
_FREE = 10**9  # requests a minute
_PROCESSES = 4
_PATIENCE = 150  # seconds for a response: a process that draws pages may take 120 to start


def fuzzed(folder: Path, cases: int, share: int = 0, shares: int = 1) -> tuple[Counter[int], list[str]]:
    """Send each operation of a share so many requests, half of which fit the description.

    Where a path holds an id, every other request has that of something which is there, unless it would delete it.

    Returns:
        how often each status came; and each request that got a 5xx, as a command of curl.
    """
    index = copied(folder)
    there = _there(index)
    values = {"index": index, "page": False, "reader": "similarity", "rate": _FREE, "ask_rate": _FREE}
    app = create_app(Settings.model_validate(values))
    app.state.service.open()
    try:
        schema = schemathesis.openapi.from_asgi(DESCRIPTION, app, headers=_HOST)
        statuses: Counter[int] = Counter()
        broken: list[str] = []
        operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
        for operation in operations[share::shares]:
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                _send(operation, mode, cases // 2, there, statuses, broken)
        return statuses, broken
    finally:
        app.state.service.close()


def _there(index: Path) -> dict[str, str]:
    """Ids of things that are there, by the name of the parameter of a path."""
    with served(index) as url, client(url) as http:
        asked = http.post("/api/v1/ask", json={"question": "When does the night train leave Tayport?"})
        ids = {"answer": asked.headers["x-answer-id"], "conversation": asked.headers["x-conversation-id"]}
        return {**ids, "document": documents(http)["harbour.pdf"], "name": "pincite"}


def _send(
    operation: APIOperation[Any, Any, Any, Any],
    mode: GenerationMode,
    cases: int,
    there: dict[str, str],
    statuses: Counter[int],
    broken: list[str],
) -> None:
    sent = 0

    @given(operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=cases,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    def run(case: Case[Any]) -> None:
        nonlocal sent
        sent += 1
        if sent % 2 and operation.method != "delete":
            for name in case.path_parameters:
                case.path_parameters[name] = there.get(name, case.path_parameters[name])
        response = case.call(base_url="http://localhost", headers=_HOST, timeout=_PATIENCE)
        statuses[response.status_code] += 1
        if response.status_code >= 500:
            broken.append(f"{response.status_code}: {case.as_curl_command()}")

    with suppress(Unsatisfiable):  # where there is nothing that the description forbids
        run()


def _shared(folder: Path, share: int) -> tuple[Counter[int], list[str]]:
    return fuzzed(folder, 1000, share, _PROCESSES)


def fuzz(folder: Path) -> Finding:
    """1,000 requests to each operation, from a few processes, since each waits more than it works."""
    statuses, broken = Counter[int](), list[str]()
    with ProcessPoolExecutor(_PROCESSES, get_context("spawn")) as pool:
        places = [folder / str(share) for share in range(_PROCESSES)]
        for place in places:
            place.mkdir()
        for counted, found in pool.map(_shared, places, range(_PROCESSES)):
            statuses += counted
            broken += found
    told = ", ".join(f"{count:,} × {status}" for status, count in sorted(statuses.items()))
    return Finding("; ".join([f"{statuses.total():,} requests: {told}", *broken[:3]]), not broken)


TRIALS = [
    Trial(
        "fuzz",
        "Access and content",
        "no request that the API's description allows or forbids breaks the server",
        "1,000 requests an operation, made up by schemathesis: no 5xx",
        "tests/test_fuzz.py::test_no_request_breaks_the_server",
        fuzz,
    ),
]
