"""The OpenAI-compatible route, through OpenAI's own client."""

import pytest

from tests.serving import PASSWORD, accounts, client, copied, served

BEES = "Who gave $12,500 to the Bramble Bee Society in 2021?"


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    with served(copied(tmp_path_factory.mktemp("openai"))) as made:
        yield made


@pytest.fixture(scope="module")
def openai():
    import openai  # a second that only these tests pay

    return openai


@pytest.fixture
def ai(openai, url):
    with openai.OpenAI(base_url=f"{url}/v1", api_key="any", max_retries=0) as made:
        yield made


def said(*contents):
    roles = ["user", "assistant"] * len(contents)
    return [{"role": role, "content": content} for role, content in zip(roles, contents, strict=False)]


def test_models(openai, ai):
    assert [model.id for model in ai.models.list()] == ["pincite"]
    assert ai.models.retrieve("pincite").owned_by == "pincite"
    with pytest.raises(openai.NotFoundError):
        ai.models.retrieve("gpt-4")


def test_citations_are_in_the_text_and_in_annotations(ai, url):
    done = ai.chat.completions.create(model="pincite", messages=said(BEES), temperature=0.2, user="x")
    (choice,) = done.choices
    text, annotations = choice.message.content, choice.message.annotations
    assert choice.finish_reason == "stop"
    assert "Hollow Oak Trust" in text
    assert "Sources:\n[1] " in text
    assert annotations
    for annotation in annotations:
        place, cited = annotation.url_citation, annotation.citation
        assert text[place.start_index : place.end_index] == f"[{cited['number']}]"
        assert (
            place.url == f"{url}/?conv={done.pincite['conversation']}#cite-{done.pincite['answer']}-{cited['number']}"
        )
        with client(url) as http:
            whole = http.get(f"/api/v1/documents/{cited['document']}/text").text
        assert whole[cited["start"] : cited["end"]] == cited["quote"]


def test_a_stream_says_the_same(ai):
    whole = ai.chat.completions.create(model="pincite", messages=said(BEES))
    chunks = list(
        ai.chat.completions.create(
            model="pincite", messages=said(BEES), stream=True, stream_options={"include_usage": True}
        )
    )
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    assert deltas[0].role == "assistant"
    assert "".join(delta.content or "" for delta in deltas) == whole.choices[0].message.content
    ends = [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices]
    assert ends == [None] * (len(ends) - 1) + ["stop"]
    assert len(deltas[-1].annotations) == len(whole.choices[0].message.annotations)
    assert chunks[-1].usage.total_tokens == 0


def test_brackets_in_a_document_are_no_markers(ai):
    done = ai.chat.completions.create(model="pincite", messages=said("Who is the lighthouse keeper of Skerrow?"))
    text, annotations = done.choices[0].message.content, done.choices[0].message.annotations
    assert "[7]" in text
    assert all(a.citation["number"] != 7 for a in annotations)


def test_parts_system_messages_and_history(ai):
    messages = [
        {"role": "system", "content": "Answer like a pirate."},
        *said("Who is the lighthouse keeper?", "Orla Finch [1]"),
        {
            "role": "user",
            "content": [{"type": "text", "text": "When does the night train"}, {"type": "text", "text": "leave?"}],
        },
    ]
    done = ai.chat.completions.create(model="pincite", messages=messages)
    assert "nine in the evening" in done.choices[0].message.content


def test_a_refusal_has_no_annotations(ai):
    done = ai.chat.completions.create(model="pincite", messages=said("?!"))
    assert done.pincite["status"] == "refused"
    assert not done.choices[0].message.annotations
    assert done.choices[0].message.content


@pytest.mark.parametrize(
    ("error", "given"),
    [
        ("NotFoundError", {"model": "gpt-4", "messages": said("x")}),
        ("UnprocessableEntityError", {"model": "pincite", "messages": []}),
        ("UnprocessableEntityError", {"model": "pincite", "messages": said("x", "y")}),
        ("UnprocessableEntityError", {"model": "pincite", "messages": said("")}),
        ("UnprocessableEntityError", {"model": "pincite", "messages": [{"role": "king", "content": "x"}]}),
    ],
)
def test_what_is_wrong_is_said_as_openai_says_it(openai, ai, error, given):
    with pytest.raises(getattr(openai, error)) as raised:
        ai.chat.completions.create(**given)
    assert raised.value.body["message"]


def test_a_key_is_needed_where_there_are_accounts(openai, tmp_path):
    index = copied(tmp_path)
    with accounts(index) as made:
        made.add("ada", "admin", PASSWORD)
        key = made.add_key("ada")
    with served(index, ask_rate=1) as url:
        with (
            openai.OpenAI(base_url=f"{url}/v1", api_key="wrong", max_retries=0) as ai,
            pytest.raises(openai.AuthenticationError),
        ):
            ai.models.list()
        with openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0) as ai:
            assert ai.chat.completions.create(model="pincite", messages=said(BEES)).choices
            with pytest.raises(openai.RateLimitError) as raised:
                ai.chat.completions.create(model="pincite", messages=said(BEES))
            assert int(raised.value.response.headers["retry-after"]) > 0
