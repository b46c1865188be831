"""What an answer looks like in the chat, as text, as a table file and in an exported conversation."""

import csv
import io
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.models import Answer, Citation, Claim, Nearest, Note, Row
from ui.models import Feedback
from ui.render import (
    Turn,
    answer_html,
    conversation_html,
    conversation_markdown,
    csv_text,
    pending_html,
    plain_text,
    question_html,
    written_html,
)
from ui.texts import TEXTS, language

VOID = {"br", "img", "input", "hr", "meta"}
HOSTILE = (
    '<script>alert(1)</script> <img src="https://evil.example/a.png" onerror=alert(1)> ![x](https://evil.example/b)'
)


class Tree(HTMLParser):
    """Tags with their attributes, text by the tag around it; fails on tags that do not close in order."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.open, self.words = [], [], []
        self.feed(html)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append((self.open[-1] if self.open else "", data))

    def text(self, tag=None):
        return "".join(data for inside, data in self.words if tag in (None, inside))

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]

    def classed(self, name):
        return [attrs for _, attrs in self.tags if name in attrs.get("class", "").split()]


def citation(number, quote="Nine grants were made.", **known):
    base = {"document": "d" * 16, "source": "reports/2021.md", "title": "Annual report", "publisher": "The fund"}
    place = {"published": "2022-02-11", "sha256": "0" * 64, "start": 10, "end": 10 + len(quote), "page": None}
    return Citation.model_validate({"number": number, "quote": quote, **base, **place, **known})


def answered(*claims, citations=(), **known):
    return Answer(
        question="How many?", status="answered", reason=None, text="", claims=claims, citations=citations, **known
    )


def refused(**known):
    base = {"question": "Why?", "status": "refused", "reason": "no_evidence", "text": "The documents do not say."}
    return Answer.model_validate({**base, **known})


NEAR = Nearest(document="e" * 16, source="a.md", title="Rules", start=5, end=20, quote="A passage nearby.", score=0.1)


def test_every_number_is_a_button_that_names_its_source():
    answer = answered(
        Claim(text="Nine grants were made.", citations=(1, 2)), citations=(citation(1), citation(2, "Nine in all."))
    )
    tree = Tree(answer_html(answer, "ab12", {1: "Grants › Totals"}))
    chips = tree.classed("cite")
    assert [chip["class"] for chip in chips] == ["cite cite-ab12-1", "cite cite-ab12-2"]
    assert chips[0]["title"] == "Annual report — Grants › Totals: “Nine grants were made.”"
    assert chips[1]["title"] == "Annual report: “Nine in all.”"
    assert all(chip["type"] == "button" for chip in chips)
    assert "Source 1Source 2" in tree.text()
    assert not re.search(r"\[\d+\]", tree.text())


def test_numbers_in_brackets_that_a_document_has_itself_are_set_as_code():
    answer = answered(Claim(text="It grew [3] in 2021.", citations=(1,)), citations=(citation(1),))
    tree = Tree(answer_html(answer, "a", {}))
    assert tree.text("code") == "[3]"
    assert "It grew [3] in 2021." in tree.text()


def test_a_list_is_a_table_with_a_chip_in_each_row():
    rows = (
        Row(name="Wings of Freedom", amount="$40,000", period="2021", citations=(1,)),
        Row(name="Steppe Post", period="2021", citations=(2,)),
    )
    claims = (Claim(text="Wings of Freedom got $40,000.", citations=(1,)), Claim(text="Two in all.", citations=(3,)))
    tree = Tree(answer_html(answered(*claims, citations=tuple(map(citation, (1, 2, 3))), rows=rows), "a", {}))
    assert [h.get("scope") for h in tree.all("th")] == ["col"] * 3 + ["row"] * 2  # no column for purpose
    assert tree.text("span").count("not given") == 1
    assert [c["class"].split("-")[-1] for c in tree.classed("cite")] == ["1", "2", "3"]
    assert "Wings of Freedom got" not in tree.text()  # the table says it
    assert "Two in all." in tree.text()
    assert tree.classed("csv")


def test_a_long_list_comes_in_pages():
    rows = tuple(Row(name=f"Grantee {n}", citations=(1,)) for n in range(120))
    tree = Tree(answer_html(answered(citations=(citation(1),), rows=rows), "a", {}))
    assert [body.get("class") for body in tree.all("tbody")] == [None, "later", "later"]
    assert len(tree.all("tr")) == 121
    (button,) = tree.classed("unfold")
    assert "act-a" in button["class"].split()
    assert "Show more (70)" in tree.text()


def test_a_refusal_has_no_chips_and_says_what_is_near():
    note = Note(kind="other_period", text="Only for 2020:", citations=(citation(1, "Total\n\nIn 2020\nit was six."),))
    tree = Tree(answer_html(refused(nearest=(NEAR,), notes=(note,)), "a", {}))
    assert not tree.classed("cite")
    assert "The documents do not say." in tree.text()
    assert "nothing in the documents answers this" in tree.text()
    assert "None of them is an answer" in tree.text()
    assert [b["class"] for b in tree.classed("read")] == ["read cite-a-1", f"read near-{'e' * 16}-5-20"]
    assert tree.text("blockquote") == "TotalIn 2020 it was six.A passage nearby."
    assert len(tree.all("br")) == 1, "a heading is not run into its paragraph"


def test_notes_stand_beneath_an_answer_with_chips_of_their_own():
    note = Note(kind="disagreement", text="Two reports disagree:", citations=(citation(2),))
    answer = answered(Claim(text="Nine.", citations=(1,)), citations=(citation(1),), notes=(note,))
    html = answer_html(answer, "a", {})
    assert html.index("cite-a-1") < html.index("Two reports disagree") < html.index("cite-a-2")


def test_what_a_follow_up_was_taken_for_stands_under_it():
    tree = Tree(question_html("And in 2020?", "How much in 2020?", "a"))
    assert tree.text() == "And in 2020?Understood as: “How much in 2020?” Ask it as typed"
    assert [b["class"] for b in tree.classed("alone")] == ["other alone act-a"]
    assert not Tree(question_html("And in 2020?")).classed("alone")


def test_an_ambiguous_question_is_asked_back_with_buttons():
    answer = refused(reason="unclear_question", text="Which of these do you mean?", choices=("Where is A?", "And <B>?"))
    tree = Tree(answer_html(answer, "a", {}))
    assert [b["class"] for b in tree.classed("choice")] == [f"other choice choice-{n} act-a" for n in (0, 1)]
    assert "Where is A?And <B>?" in tree.text()
    assert "could not be understood" not in tree.text()
    assert plain_text(answer).splitlines() == ["Which of these do you mean?", "- Where is A?", "- And <B>?"]


def test_what_is_written_so_far_has_chips():
    written = answered(Claim(text="Nine.", citations=(1,)), citations=(citation(1), citation(2)))
    tree = Tree(written_html(written, "a", {}))
    assert [c["class"] for c in tree.classed("cite")] == ["cite cite-a-1"]
    assert "Nine." in tree.text()


def test_a_thumb_that_was_given_is_shown():
    answer = answered(Claim(text="Nine.", citations=(1,)), citations=(citation(1),))
    given_ = (Feedback(value="up"), Feedback(value="wrong_source", citation=1))
    tree = Tree(answer_html(answer, "a", {}, "en", given_))
    assert [a["class"] for a in tree.classed("on")] == ["act good on act-a"]


def test_an_id_is_letters_and_digits():
    with pytest.raises(ValueError, match="id of an answer"):
        answer_html(refused(), 'a" onclick="', {})


@pytest.mark.parametrize("tongue", TEXTS)
def test_nothing_of_a_document_or_question_becomes_markup(tongue):
    cited = citation(1, HOSTILE, title=HOSTILE, publisher=HOSTILE, source=f"{HOSTILE}.md")
    answer = answered(
        Claim(text=HOSTILE, citations=(1,)),
        citations=(cited,),
        rows=(Row(name=HOSTILE, amount=HOSTILE, citations=(1,)),),
        notes=(Note(kind=HOSTILE, text=HOSTILE, citations=(cited,)),),
    )
    near = NEAR.model_copy(update={"title": HOSTILE, "quote": HOSTILE})
    pages = [
        answer_html(answer, "a", {1: HOSTILE}, tongue),
        answer_html(refused(text=HOSTILE, nearest=(near,), notes=answer.notes), "a", {1: HOSTILE}, tongue),
        question_html(HOSTILE, HOSTILE, "a", tongue),
        written_html(answer, "a", {1: HOSTILE}, tongue),
        answer_html(refused(text=HOSTILE, choices=(HOSTILE, HOSTILE)), "a", {}, tongue),
        conversation_html(HOSTILE, [Turn(HOSTILE, answer)], tongue),
    ]
    for page in pages:
        tree = Tree(page)
        assert not tree.all("script")
        assert not tree.all("img")
        assert not any(name.startswith("on") for _, attrs in tree.tags for name in attrs)
        assert "<script>alert(1)</script>" in tree.text()


# What Gradio's Markdown would read outside of an HTML block, or inside of one after a blank line.
@given(st.text(alphabet=st.sampled_from("a1 \n\t\r<>&\"'`*_[]()!#~|$:\\-=+.\x00é"), max_size=60))
def test_a_question_and_a_claim_are_one_block_of_html_without_markdown(words):
    answer = answered(
        Claim(text=words, citations=(1,)), citations=(citation(1, words if words.split() else "x", title=words),)
    )
    pieces = (question_html(words, words, "a"), written_html(answer, "a", {1: words}))
    for html in (question_html(words), answer_html(answer, "a", {1: words}), pending_html(), *pieces):
        assert "\n" not in html
        assert "\r" not in html
        assert not re.search(r"[`*\[\]!~|$\\]", html)
        assert html.startswith("<div class=")
    shown = " ".join(words.replace("\x00", "\ufffd").split())
    assert Tree(question_html(words)).text() == shown
    assert Tree(answer_html(answer, "a", {})).classed("cite")[0]["title"].endswith(f": “{shown or 'x'}”")


def test_plain_text_has_marks_and_a_list_of_sources():
    note = Note(kind="version", text="An erratum corrects this:", citations=(citation(2, "It was eight."),))
    answer = answered(Claim(text="Nine\ngrants.", citations=(1,)), citations=(citation(1, page=4),), notes=(note,))
    assert plain_text(answer).splitlines() == [
        "Nine grants. [1]",
        "",
        "An erratum corrects this: [2]",
        "",
        "Sources:",
        "[1] Annual report, The fund, 2022-02-11, page 4: “Nine grants were made.” (reports/2021.md)",
        "[2] Annual report, The fund, 2022-02-11: “It was eight.” (reports/2021.md)",
    ]
    assert plain_text(refused()) == "The documents do not say.\n"


def test_a_table_file_is_safe_to_open():
    names = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "＝1", 'plain, with "quotes" and\nlines']
    answer = answered(
        citations=(citation(1, '=HYPERLINK("https://evil.example")', title="@x"),),
        rows=tuple(Row(name=name, amount="-5", citations=(1,)) for name in names),
    )
    lines = list(csv.reader(io.StringIO(csv_text(answer))))
    assert lines[0] == ["Name", "Amount", "Document", "Publisher", "Published", "Words"]
    assert [line[0] for line in lines[1:]] == [f"'{name}" for name in names[:-1]] + [names[-1]]
    assert all(line[1] == "'-5" and line[2] == "'@x" and line[5].startswith("'=") for line in lines[1:])


def test_an_export_holds_every_turn_and_loads_nothing():
    answer = answered(Claim(text="Nine # of *them*.", citations=(1,)), citations=(citation(1, "![a](http://b/c.png)"),))
    turns = [Turn("How many?", answer), Turn("1. And why?", refused())]
    words = conversation_markdown("Grants", turns)
    assert words.startswith("# Grants\n\n## How many?\n\n")
    assert "Nine \\# of \\*them\\*. \\[1\\]" in words
    assert "![a](" not in words
    assert "## 1\\. And why?" in words
    page = conversation_html("Grants", turns)
    assert "default-src 'none'" in page
    assert Tree(page.split("\n", 1)[1]).text("h2") == "How many?1. And why?"


def test_both_languages_say_everything():
    assert TEXTS["en"].keys() == TEXTS["ru"].keys()
    holes = {
        tongue: {key: set(re.findall(r"\{\w+\}", text)) for key, text in TEXTS[tongue].items()} for tongue in TEXTS
    }
    assert holes["en"] == holes["ru"]
    assert not [key for key, text in TEXTS["ru"].items() if text == TEXTS["en"][key] and key != "title"]


@pytest.mark.parametrize(
    ("accepted", "expected"),
    [(None, "en"), ("ru-RU,ru;q=0.9,en;q=0.8", "ru"), ("en-GB,ru;q=0.9", "en"), ("de", "en"), ("ru;q=0,en", "en")],
)
def test_the_language_is_what_the_browser_asks_for(accepted, expected):
    assert language(accepted) == expected
