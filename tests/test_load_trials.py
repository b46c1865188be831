"""Short forms of the trials of load, see `tests.trust.load`."""

import asyncio
from time import sleep

import pytest

from tests.serving import client
from tests.trust.load import ask_for, at_work, steady, while_adding


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with at_work(tmp_path_factory.mktemp("load"), 40) as site:
        yield site


def test_a_crowd_gets_answers(site):
    found = steady(site, 30, 1)
    assert found.kept, found.figure


def test_a_crowd_gets_answers_while_documents_are_added(site):
    found = while_adding(site, 10, 2)
    assert found.kept, found.figure


def test_a_rush_is_over_soon(site):
    replies = asyncio.run(ask_for(site.port, 400, 2, leave=True))
    assert {one.status for one in replies} <= {200, 429, 503}
    with client(site.url) as http:
        while http.get("/readyz").status_code != 200:
            sleep(0.1)
    assert {one.status for one in asyncio.run(ask_for(site.port, 2, 1))} == {200}
