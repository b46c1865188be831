"""Sentences and passages: always slices, whole sentences, small enough for the encoder."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.encode import WINDOW, Encoder
from index.models import Block, Document
from index.split import PASSAGE_TOKENS, context, count_tokens, sentences, split
from tests.conftest import document

TEXTS = {
    "en": "The U.S. gave $1.3 million ($1,338,860 million). It went to Vlast, LLP. “He left,” she said. And then?",
    "ru": "Фонд выделил 5 млн руб. организации им. Абая в г. Алматы. Проект длился до 2021 г. и завершён. Ёлка!",
    "kk": "Қор грант берді. Ол Алматы қаласында жұмсалды. Жаңа жоба басталды.",
    "ar": "هذا هو السطر الأول. هل هذا سؤال؟ نعم، هذا جواب.",
    "zh": "基金会发放了赠款。谁收到了？他说：“你好。”然后走了。",
    "emoji": "We won 🎉🎉. The 👩‍👩‍👧 family came. Ok 😀!",
}


def said(text: str, language: str | None = None) -> list[str]:
    return [text[start:end] for start, end in sentences(text, 0, len(text), language)]


@pytest.mark.parametrize("language", TEXTS)
def test_sentences_are_slices_in_order_and_lose_no_word(language):
    text = TEXTS[language]
    spans = sentences(text, 0, len(text), language)
    assert "".join("".join(text[a:b] for a, b in spans).split()) == "".join(text.split())
    assert all(a < b <= c for (a, b), (c, _) in pairwise(spans))
    assert len(spans) >= 2


def test_abbreviations_amounts_and_wrapped_lines_do_not_end_a_sentence():
    assert said(TEXTS["en"])[0] == "The U.S. gave $1.3 million ($1,338,860 million)."
    assert said(TEXTS["ru"], "ru")[0] == "Фонд выделил 5 млн руб. организации им. Абая в г. Алматы."
    assert said("It cost 3.5 mln. tenge in all. Then it ended.") == ["It cost 3.5 mln. tenge in all.", "Then it ended."]
    assert said("A line\nthat goes on.\nAnother one.") == ["A line\nthat goes on.", "Another one."]


@settings(max_examples=60)
@given(st.text(st.characters(codec="utf-8"), max_size=600), st.sampled_from(["en", "ru", "zh", "xx", None]))
def test_any_text_gives_slices(text, language):
    for start, end in sentences(text, 0, len(text), language):
        assert 0 <= start < end <= len(text)
        assert text[start:end] == text[start:end].strip()


@settings(max_examples=40)
@given(st.lists(st.sampled_from([*TEXTS.values(), "# Heading", "word " * 400, "x" * 3000]), min_size=1, max_size=8))
def test_passages_are_slices_that_hold_every_sentence(parts):
    made = document("\n\n".join(parts))
    passages = split(made)
    covered = set()
    for number, passage in enumerate(passages):
        assert passage.ordinal == number
        assert (passage.start, passage.end) == (passage.sentences[0].start, passage.sentences[-1].end)
        assert sum(count_tokens(made.text[a:b]) for a, b in passage.sentences) <= PASSAGE_TOKENS
        for start, end in passage.sentences:
            covered.update(range(start, end))
    for block in made.blocks:
        for at in range(block.start, block.end):
            assert at in covered or made.text[at].isspace()


@pytest.mark.parametrize("language", ["en", "ru", "kk", "emoji"])
def test_the_encoder_sees_a_whole_passage_in_one_window(language, encoder: Encoder):
    made = document(" ".join([TEXTS[language]] * 40), title="A title of some words, as reports have them")
    for passage in split(made):
        text = context(made, passage) + made.text[passage.start : passage.end]
        pieces = len(encoder._tokenizer.encode(text, add_special_tokens=False).ids)
        assert pieces <= WINDOW, language


def test_passages_overlap_by_sentences_and_headings_begin_them():
    made = document(
        "# Report\n\n## Grants\n\n" + " ".join(f"Sentence number {n} says a little more." for n in range(60))
    )
    passages = split(made)
    assert len(passages) > 2
    assert made.text[slice(*passages[0].sentences[0])] == "Report"
    assert passages[1].headings == ("Report", "Grants")
    assert passages[0].sentences[-1] in passages[1].sentences


def test_a_row_is_one_sentence_and_a_leftover_is_in_no_passage():
    text = "Name: A. Sum: 5.\nName: B. Sum: 6.\nShare this"
    rows = [Block(kind="row", start=0, end=16), Block(kind="row", start=17, end=33)]
    leftover = Block(kind="leftover", start=34, end=44, why="share links")
    made = Document(id="0" * 16, source="a", sha256="0", media_type="text/csv", text=text, blocks=(*rows, leftover))
    (passage,) = split(made)
    assert [text[a:b] for a, b in passage.sentences] == ["Name: A. Sum: 5.", "Name: B. Sum: 6."]


def test_text_without_stops_is_cut_in_time_that_grows_with_its_length():
    made = document("word " * 40_000)
    assert all(count_tokens(made.text[p.start : p.end]) <= PASSAGE_TOKENS for p in split(made))


def test_a_heading_as_long_as_a_book_is_not_counted_for_each_passage(monkeypatch):
    made = document("The trust gave a grant.")
    last = split(made)[-1].model_copy(update={"headings": ("word " * 40_000,)})
    counted = []
    monkeypatch.setattr("index.split.count_tokens", lambda text: counted.append(len(text)) or count_tokens(text))
    assert context(made, last).startswith("word word")
    assert max(counted) <= 4096
