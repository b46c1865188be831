"""What is marked as a leftover, and what must never be."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.load import load_bytes

BODY = (
    "The Kestrel Fund is invented for these tests. It gave twelve grants in 2021, and the largest of them, $250,000, "
    "went to the Harbour Light Institute, which trains teachers in six regions of the country and writes about it."
)
MORE = (
    "In the autumn the board visited three of the schools. It found the stoves repaired, the maps on the walls and the "
    "children asleep, since the train had been late and the visitors had come at nine in the evening."
)


def loaded(text: str, name: str = "a.txt") -> tuple[list[str], dict[str, str]]:
    """The texts of blocks that are kept, and what each leftover is."""
    document = load_bytes(text.encode(), name)
    kept = [document.text[b.start : b.end] for b in document.blocks if b.kind != "leftover"]
    left = {document.text[b.start : b.end]: b.why or "" for b in document.blocks if b.kind == "leftover"}
    return kept, left


def test_a_scraped_page_from_top_to_bottom():
    above = "A title for the story\n\nAnna Example.\n14.04.2021 08:58\n  (Moscow time), Moscow\nViews: 3945\n\n"
    above += "Column, Zen, Policy, Story of the day\n\n"
    middle = f"{BODY}\n\nSubscribe to our news at Telegram and Viber.\n\n{MORE}\n\nGo to gallery page\n\n"
    below = "If you find an error, please select a piece of text and press Ctrl + Enter.\n\nTags: ,\n\n"
    below += (
        "Dear readers, the rules for publishing comments are being tightened.\n\nPlacing links here is prohibited!\n\n"
    )
    below += "  • April 2024\n    Mon Tues Wed Thurs Fri Sat Total\n    « March\n    1234567\n    891011121314\n"
    below += "  • Thank you!\n\n    Now the editors are aware."
    kept, left = loaded(above + middle + below)
    assert kept == ["A title for the story", "Anna Example.", BODY, MORE]
    assert left == {
        "14.04.2021 08:58": "date line",
        "(Moscow time), Moscow": "date line",
        "Views: 3945": "view counter",
        "Column, Zen, Policy, Story of the day": "tags",
        "Subscribe to our news at Telegram and Viber.": "subscription",
        "Go to gallery page": "gallery link",
        "If you find an error, please select a piece of text and press Ctrl + Enter.": "error report",
        "Tags: ,": "tags",
        "Dear readers, the rules for publishing comments are being tightened.": "comment rules",
        "Placing links here is prohibited!": "comment rules",
        "• April 2024": "calendar",
        "Mon Tues Wed Thurs Fri Sat Total": "calendar",
        "« March": "calendar",
        "1234567": "calendar",
        "891011121314": "calendar",
        "• Thank you!": "page footer",
        "Now the editors are aware.": "page footer",
    }


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("Share this article: Facebook, X, e-mail", "share links"),
        ("Facebook Twitter Telegram VK", "share links"),
        ("Поделиться", "share links"),
        ("Подписывайтесь на наш канал", "subscription"),
        ("Просмотров: 12 345", "view counter"),
        ("1,204 views", "view counter"),
        ("5 min read", "reading time"),
        ("Photo: Anna Example", "photo credit"),
        ("© AP Photo/Sergei Example", "photo credit"),
        ("Фото: пресс-служба", "photo credit"),
        ("All rights reserved by the fund", "copyright"),
        ("Leave a comment", "comment form"),
        ("Нашли ошибку? Выделите её и нажмите Ctrl+Enter", "error report"),
        ("We use cookies to see which pages are read.", "cookie notice"),
        ("Home | About us | Contact", "menu"),
        ("Log in", "menu"),
        ("News", "section label"),
        ("Source: example.kz", "source line"),
        ("Читайте также: другая новость", "related links"),
        ("----------", "rule"),
    ],
)
def test_furniture_between_paragraphs(line, why):
    assert loaded(f"{BODY}\n\n{line}\n\n{MORE}") == ([BODY, MORE], {line: why})


@pytest.mark.parametrize(
    "line",
    [
        "The fund shares its offices with a school.",
        "Subscribers to the letter rose to 4,000.",
        "Comments on the draft were sent by nine schools.",
        "Views differ: some teachers want 40 lessons.",
        "Tagged birds came back in April.",
        "Source: the fund's own books for 2021",
        "The news of the grant came late.",
        "Photographs were taken of each school in 2021.",
        "Published: 17 March 2022",
        "Total: $274,000",
        "Grantees: Acme, Beta, Gamma, Delta",
        "Signed in Perth on 4 May 2021 by both sides.",
        "Monday, Tuesday and Friday are school days.",
        "(c) the grantee reports to the board each year;",
        "Copyright law was changed in 2021.",
        "Share by programme",
    ],
)
def test_sentences_about_such_things_are_kept(line):
    kept, left = loaded(f"{BODY}\n\n{line}\n\n{MORE}")
    assert (kept, left) == ([BODY, line, MORE], {})


def test_what_is_furniture_on_a_page_may_be_content_in_a_report():
    lines = ["4,000 shares", "See also: Annual Report 2020", "Date 2021-05-04 Kestrel Fund"]
    assert loaded("\n\n".join([f"# Report\n\n{BODY}", *lines, MORE]), "a.md")[1] == {}


def test_a_name_below_a_date_is_kept():
    kept, left = loaded(f"A title\n\n14.04.2021\nAnna Example\n\n{BODY}\n\n{MORE}")
    assert (kept, left) == (["A title", "Anna Example", BODY, MORE], {"14.04.2021": "date line"})


def test_a_caption_goes_with_its_credit():
    text = f"{BODY}\n\n  • Media representative\n\n  • © AP Photo/Anna Example\n\n{MORE}"
    assert set(loaded(text)[1].values()) == {"photo caption", "photo credit"}


def test_headings_of_reports_are_no_furniture():
    text = f"# Report\n\n## News\n\n{BODY}\n\n## Contact\n\nWrite to us.\n\n## Home\n\n{MORE}\n"
    kept, left = loaded(text, "a.md")
    assert (kept[1], left) == ("News", {})


def test_the_date_before_a_paragraph_is_left_out_of_its_first_sentence():
    kept, left = loaded(f" date 2022-03-21 {BODY}\n\n{MORE}")
    assert (kept, left) == ([BODY, MORE], {"date 2022-03-21": "date line"})


def test_footnotes_below_the_furniture_are_kept():
    note = "** The institute is a banned organisation."
    text = f"The Institute (IRI)** got it. {BODY}\n\nTags: a\n\nViews: 3\n\nThank you!\n\n{note}"
    kept, left = loaded(text)
    assert kept[-1] == note
    assert left["Thank you!"] == "page footer"


# Repeats


def test_an_article_that_stands_twice_is_indexed_once():
    parts = ["Its only heading", BODY, "There were two issues:", "The first one.", "The second one.", MORE]
    once = "\n\n".join(parts)
    document = load_bytes(f"A title that stands once.\n\n{once}\n\n{once}".encode(), "a.txt")
    kinds = [block.kind for block in document.blocks]
    assert kinds[-len(parts) :] == ["leftover"] * len(parts)
    assert "leftover" not in kinds[: -len(parts)]
    assert {block.why for block in document.blocks[-len(parts) :]} == {"repeats an earlier paragraph"}


@pytest.mark.parametrize("gap", [" ", "\n", "\n\n"])
def test_one_sentence_two_hundred_times_is_indexed_once(gap):
    sentence = "The fund gave the institute $250,000."
    kept, left = loaded(gap.join([sentence] * 200))
    assert kept == [sentence]
    assert all(why.startswith("repeats an earlier") for why in left.values())


def test_other_case_and_line_breaks_are_still_a_repeat():
    kept, _ = loaded(f"{BODY}\n\n{MORE}\n\n{BODY.upper()}")
    assert kept == [BODY, MORE]


def test_a_paragraph_in_nearly_the_same_words_is_a_repeat():
    again = BODY.replace("which trains teachers", "that trains teachers").replace(
        "and writes about it", "and reports on it"
    )
    kept, left = loaded(f"{BODY} {MORE}\n\nBetween them stands this.\n\n{again} {MORE}")
    assert len(kept) == 2
    assert list(left.values()) == ["repeats an earlier paragraph"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("2021", "2022"),
        ("$250,000", "$25,000"),
        ("Harbour Light", "Wings of Dawn"),
        ("It gave", "It never gave"),
        ("which trains", "which didn't train"),
    ],
)
def test_a_template_with_another_year_sum_name_or_negation_is_no_repeat(old, new):
    kept, left = loaded(f"{BODY} {MORE}\n\n{BODY.replace(old, new)} {MORE}")
    assert (len(kept), left) == (2, {})


def test_short_sentences_under_different_headings_are_kept():
    text = "# Report\n\n## Acme\n\nThe sum was not told to us by anybody at all, then or later.\n\n"
    text += "## Beta\n\nThe sum was not told to us by anybody at all, then or later.\n"
    assert loaded(text, "a.md")[1] == {}


def test_table_rows_may_be_the_same():
    assert loaded("Grantee,Amount\nAcme,5\nAcme,5\nAcme,5\n", "a.csv")[1] == {}


@settings(max_examples=100)
@given(
    st.lists(
        st.sampled_from([BODY, MORE, "News", "Views: 3", "Tags: a", "- item", "One. One. One. Two.", "Short"]),
        min_size=1,
    )
)
def test_marking_moves_no_word(parts):
    text = "\n\n".join(parts)
    document = load_bytes(text.encode(), "a.txt")
    covered = "".join(document.text[b.start : b.end] for b in document.blocks)
    assert document.text == text
    assert "".join(covered.split()) == "".join(text.split())
    kept = [document.text[b.start : b.end] for b in document.blocks if b.kind == "paragraph"]
    assert kept.count(BODY) <= 1


def test_the_scraped_articles_keep_their_sentences_and_lose_their_furniture(seeds):
    kept, left = {}, {}
    for path in sorted(seeds.glob("*.txt")):
        kept[path.name[:3]], left[path.name[:3]] = loaded(path.read_text())
    assert {"calendar", "comment rules", "subscription", "tags", "error report", "view counter"} <= set(
        left["000"].values()
    )
    assert sum(why.startswith("repeats") for why in left["001"].values()) == 23
    assert list(left["002"].values()) == ["photo caption", "photo credit", "gallery link"]
    assert left["003"] == {"date 2022-03-21": "date line"}
    assert set(left["004"].values()) == {"section label", "repeats an earlier paragraph"}
    assert len(kept["000"]) == 26
