"""The main job on real input: questions over the five scraped articles, which lie beside the project."""

import pytest

import rag
from index.errors import UsageError
from index.library import Index
from rag.assistant import READERS, Assistant
from tests.conftest import SEEDS
from tests.stub_model import serving

GRANTEES = {
    "International Republican Institute": "received the largest grant in the amount of $250,000",
    "Wings of Freedom": "was supposed to use this money",
    "Ar Rukh Haq": "was required to provide legal support",
    "Kazakhstan International Bureau for Human Rights": "whose role was to promote freedom of peaceful assembly",
    "CA Analysis & Research Center": "Among the grantees were also",
    "Adil Soz": "Among the grantees were also",
    "North Kazakhstan Legal Media Center": "Among the grantees were also",
    "Youth Information Service of Kazakhstan": "was entrusted to",
    "Vlast Media Group": "received $236,000",
}


@pytest.fixture(scope="module")
def index(tmp_path_factory, encoder):
    if not SEEDS.is_dir():
        pytest.skip(f"the folder {SEEDS} is missing")
    with Index(tmp_path_factory.mktemp("seeds") / "x.index", encoder) as made:
        made.add(SEEDS)
        yield made


@pytest.fixture(scope="module", params=sorted(READERS))
def assistant(request, index):
    return Assistant(index, READERS[request.param]())


@pytest.mark.parametrize("question", ["who received NED grants in 2021", "Which organisations got NED grants in 2021?"])
def test_a_list_question_gets_every_row_cited_to_its_own_sentence(assistant, question):
    answer = assistant.ask(question)
    quotes = {citation.number: citation for citation in answer.citations}
    assert answer.status == "answered"
    assert len(answer.rows) == len(GRANTEES)
    for name, words in GRANTEES.items():
        (row,) = [row for row in answer.rows if name in row.name]
        assert any(words in quotes[n].quote for n in row.citations), name
        assert all(quotes[n].source.startswith("seeds/002") for n in row.citations)
    amounts = {row.name.split()[0]: row.amount for row in answer.rows if row.amount}
    assert amounts == {"International": "$250,000", "Vlast": "$236,000"}


def test_another_year_never_leaks_in(assistant):
    answer = assistant.ask("who received NED grants in 2021")
    assert "48,267" not in answer.text
    assert not any("48,267" in citation.quote or "2020" in citation.quote for citation in answer.citations)
    noted = [citation.quote for note in answer.notes if note.kind == "other_period" for citation in note.citations]
    assert any("2020" in quote for quote in noted)
    assert any("$48,267" in quote for quote in noted)  # the sum of 2020, in an article on other things


@pytest.mark.parametrize(
    "question",
    [
        "who received NED grants in 2021",
        "How much did OSF spend since 1995?",
        "What is the Dialogue Platform?",
        "Who is Nobody?",
    ],
)
def test_every_citation_is_a_slice(assistant, question):
    answer = assistant.ask(question)
    cited = [*answer.citations, *(c for note in answer.notes for c in note.citations), *answer.nearest]
    assert cited
    for citation in cited:
        assert assistant.show(citation.document).text[citation.start : citation.end] == citation.quote
    numbers = [c.number for c in answer.citations] + [c.number for note in answer.notes for c in note.citations]
    assert numbers == list(range(1, len(numbers) + 1))
    assert {n for claim in answer.claims for n in claim.citations} == {c.number for c in answer.citations}


def test_what_is_not_there_is_refused_with_a_reason(assistant):
    answer = assistant.ask("Who won the chess championship of Peru in 1987?")
    assert (answer.status, answer.reason) == ("refused", "no_evidence")
    assert not answer.claims
    assert not answer.citations
    assert answer.nearest


def test_an_unclear_question_and_an_empty_index(index, tmp_path, encoder):
    with Assistant(Index(tmp_path / "empty.index", encoder), READERS["similarity"]()) as empty:
        assert empty.ask("who is it?").reason == "unclear_question"
        assert empty.ask("Who received grants?").reason == "no_documents"


def test_filters_and_chosen_documents_bound_the_answer(assistant):
    question = "who received NED grants in 2021"
    assert assistant.ask(question, where={"published": "2022-03-21"}).status == "refused"
    other = assistant.show("seeds/003_098ed331a15d7467.txt").id
    answer = assistant.ask(question, within=frozenset([other]))
    assert {n.document for n in answer.nearest} | {c.document for c in answer.citations} <= {other}
    assert assistant.ask(question, within=frozenset()).reason == "no_documents"


def test_two_versions_of_an_article_are_reported(index):
    near = {d.source: [n.source for n in d.near] for d in index.documents()}
    assert near["seeds/001_647883a376b59395.txt"] == ["seeds/004_e5ccdcf6b0418cf8.txt"]
    assert near["seeds/002_c776471af724357d.txt"] == []


def test_an_unknown_reader_is_refused(tmp_path):
    with pytest.raises(UsageError, match="use one of"):
        rag.open(tmp_path / "x.index", reader="oracle")


def test_a_language_model_that_the_environment_names_words_the_answer(tmp_path, monkeypatch):
    (tmp_path / "a.txt").write_text("The Larch Fund was founded by Ida Berg in 1998. It keeps four reading rooms.")
    with serving("The Larch Fund was founded by Ida Berg [1]. It was Ida Berg's third fund [1].") as server:
        monkeypatch.setenv("PINCITE_LLM_BASE_URL", server.url)
        monkeypatch.setenv("PINCITE_LLM_MODEL", "stub")
        with rag.open(tmp_path / "x.index", reader="similarity") as made:
            made.add(tmp_path / "a.txt")
            answer = made.ask("Who founded the Larch Fund?")
    assert server.asked
    assert answer.answerer.startswith("llm:stub")
    assert "The Larch Fund was founded by Ida Berg." in [claim.text for claim in answer.claims]
    assert "third fund" not in answer.text
    assert any("third fund" in rejected.text for rejected in answer.rejected)
    with rag.open(tmp_path / "x.index", reader="similarity") as made:
        down = made.ask("Who founded the Larch Fund?")
    assert down.claims
    assert down.citations[0].quote == "The Larch Fund was founded by Ida Berg in 1998."


def test_a_follow_up_is_read_in_the_light_of_the_answer_before_it(assistant):
    first = assistant.ask("How much did Vlast Media Group receive in 2021?")
    answer = assistant.ask("And in 2020?", history=[first])
    assert answer.understood == "How much did Vlast Media Group receive in 2020?"
    assert "$236,000" not in answer.text
    assert assistant.ask("Who is Konstantin Blokhin?", history=[first]).understood is None


def test_what_is_said_under_a_heading_that_a_question_names(tmp_path, encoder):
    (tmp_path / "delta.md").write_text(
        "# Delta Radio\n\nDelta Radio is invented. It went on air in 1999.\n\n## Grants\n\n"
        "In 2021 Delta Radio received $250,000 from the Kestrel Fund.\n"
    )
    with rag.Assistant(Index(tmp_path / "index", encoder), READERS["trained"]()) as assistant:
        assistant.add(tmp_path / "delta.md")
        answer = assistant.ask("What does “Delta Radio” say about “Grants”?")
        assert [c.quote for c in answer.citations] == ["In 2021 Delta Radio received $250,000 from the Kestrel Fund."]
        assert assistant.ask("What does “Delta Radio” say about “Bridges”?").status == "refused"
