"""MCP through its own client: over streamable HTTP, and over the standard streams of a process."""

import os
import sys
from contextlib import asynccontextmanager

import anyio
import httpx
import pytest
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client

from tests.serving import PASSWORD, accounts, client, copied, documents, served

BEES = "Who gave $12,500 to the Bramble Bee Society in 2021?"


@asynccontextmanager
async def over_http(url, key=None):
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with (
        httpx.AsyncClient(headers=headers, timeout=30) as http,
        streamable_http_client(f"{url}/mcp", http_client=http) as (read, write, _),
        ClientSession(read, write) as session,
    ):
        await session.initialize()
        yield session


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    with served(copied(tmp_path_factory.mktemp("mcp"))) as made:
        yield made


def test_the_tools_are_typed(url):
    async def look():
        async with over_http(url) as session:
            return (await session.list_tools()).tools

    tools = {tool.name: tool for tool in anyio.run(look)}
    assert set(tools) == {"ask", "search", "read"}
    for tool in tools.values():
        assert tool.description
        assert tool.annotations.readOnlyHint
        assert tool.inputSchema["additionalProperties"] is False
    assert "citations" in tools["ask"].outputSchema["$defs"]["Answer"]["properties"]
    assert "hits" in tools["search"].outputSchema["properties"]


async def use(session, read):
    """Ask, search, and read what is cited; `read` gives the text of a document."""
    asked = await session.call_tool("ask", {"question": BEES})
    assert not asked.isError
    given = asked.structuredContent
    assert given["answer"]["status"] == "answered"
    assert "[1]" in asked.content[0].text
    again = await session.call_tool("ask", {"question": "Who?", "conversation": given["conversation"]})
    assert again.structuredContent["conversation"] == given["conversation"]
    for cited in given["answer"]["citations"]:
        place = {"document": cited["document"], "start": cited["start"], "end": cited["end"]}
        words = await session.call_tool("read", place)
        assert words.structuredContent["text"] == words.content[0].text == cited["quote"]
        assert (await read(cited["document"]))[cited["start"] : cited["end"]] == cited["quote"]
    found = await session.call_tool("search", {"query": "night train", "k": 1, "mode": "lexical"})
    (hit,) = found.structuredContent["hits"]
    assert hit["source"] == "trains.txt"
    return given


def test_asking_searching_and_reading(url):
    async def go():
        async with over_http(url) as session, httpx.AsyncClient(base_url=url) as http:

            async def read(document):
                return (await http.get(f"/api/v1/documents/{document}/text")).text

            return await use(session, read)

    given = anyio.run(go)
    with client(url) as http:
        assert http.get(f"/api/v1/answers/{given['id']}").json()["answer"] == given["answer"]
    assert given["link"] == f"/?conv={given['conversation']}#answer-{given['id']}"


@pytest.mark.parametrize(
    ("tool", "arguments", "says"),
    [
        ("ask", {"question": ""}, "question"),
        ("ask", {}, "question"),
        ("ask", {"question": "x", "colour": "red"}, "colour"),
        ("ask", {"question": "x", "where": {"colour": "red"}}, "colour"),
        ("ask", {"question": "x", "conversation": "nope"}, "conversation"),
        ("search", {"query": "x", "k": 1000}, "k"),
        ("read", {"document": "0" * 16}, "not shared"),
        ("read", {"document": "../../etc/passwd"}, "not shared"),
        ("write", {}, "no tool"),
    ],
)
def test_what_is_wrong_is_told_to_the_model(url, tool, arguments, says):
    async def go():
        async with over_http(url) as session:
            return await session.call_tool(tool, arguments)

    result = anyio.run(go)
    assert result.isError
    assert says in result.content[0].text


def test_the_caller_of_a_tool_is_the_one_of_its_request(tmp_path):
    index = copied(tmp_path)
    with accounts(index) as made:
        made.add("ada", "admin", PASSWORD)
        made.add("rita", "reader", None)
        made.add("bob", "reader", None, ["board"])
        keys = {name: made.add_key(name) for name in ("ada", "rita", "bob")}
    with served(index) as url:
        with client(url, keys["ada"]) as http:
            document = documents(http)["secret.txt"]
            http.put(f"/api/v1/documents/{document}/groups", json={"groups": ["board"]})

        async def tries(name):
            async with over_http(url, keys[name]) as session:
                asked = await session.call_tool("ask", {"question": "What will the board of Quillmere Holdings close?"})
                found = await session.call_tool("search", {"query": "Zanthorpe mill", "k": 50})
                read = await session.call_tool("read", {"document": document})
                return str(asked), str(found), str(read)

        for name, sees in (("bob", True), ("rita", False)):
            for said in anyio.run(tries, name):
                assert ("Zanthorpe mill in" in said) is sees

        async def stranger():
            async with httpx.AsyncClient() as http:
                return (await http.post(f"{url}/mcp", json={})).status_code

        assert anyio.run(stranger) == 401


def test_over_standard_streams(tmp_path):
    index = copied(tmp_path)
    code = "import sys; from ui.commands import mcp; mcp(sys.argv[1:])"
    parameters = StdioServerParameters(
        command=sys.executable,
        args=["-c", code, "--index", str(index)],
        env={name: value for name, value in os.environ.items() if not name.startswith("PINCITE_")}
        | {"PINCITE_READER": "similarity"},
        cwd=str(tmp_path),
    )

    async def go():
        with anyio.fail_after(60), (tmp_path / "errors").open("w") as errors:
            async with (
                stdio_client(parameters, errlog=errors) as (read, write),
                ClientSession(read, write) as session,
            ):
                await session.initialize()

                async def text(document):
                    return (await session.call_tool("read", {"document": document})).structuredContent["text"]

                return await use(session, text)

    assert anyio.run(go)["answer"]["citations"]
