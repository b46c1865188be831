"""Names in sentences, who receives, and which names are one."""

import pytest

from rag.names import acronym, mentions, recipients, renamings, same


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The Owl Museum received $5,000.", ["Owl Museum"]),
        ("The Owl Museum in Perth was awarded $5,000.", ["Owl Museum"]),
        ("Among the grantees were the Owl Museum, the Heron Choir and the “Swift Library”.",
         ["Owl Museum", "Heron Choir", "Swift Library"]),
        ("Grants were made to the Owl Museum and to the Heron Choir.", ["Owl Museum", "Heron Choir"]),
        ("The Wings of Hope public foundation was supposed to train teachers.", ["Wings of Hope"]),
        ("It was entrusted to the Larch Bureau for Rights and Law.", ["Larch Bureau for Rights and Law"]),
        ("The Owl Museum (OM)** got the largest sum.", ["Owl Museum"]),
        ("The Owl Museum mended its roof; it was given £7,000.", ["Owl Museum"]),
        ("Фонд «Адиль Соз» получил грант.", ["Фонд «Адиль Соз»"]),
        ("Marek Holub, the officer, recommended two grants.", []),
        ("It rained in Perth for three days.", []),
        ("An American foundation published a report.", []),
    ],
)  # fmt: skip
def test_recipients(text, expected):
    assert [m.text for m in recipients(text)] == expected


def test_mentions_carry_their_place():
    text = "The Owl Museum and the Heron Choir met Anna Petrova in Perth."
    for mention in mentions(text):
        assert text[mention.start : mention.end] == mention.text
    assert [m.text for m in mentions(text) if m.organisation] == ["Owl Museum"]


def test_one_thing_by_two_names():
    assert acronym("International Larch Bureau") == "ILB"
    assert same("ILB", "International Larch Bureau")
    assert same("Owl Museum Ltd", "the Owl Museum")
    assert not same("Owl Museum", "Owl Choir")
    assert not same("Museum", "Owl Museum")


def test_renamings_are_read():
    texts = ["Reed Commons is the new name of the Marsh Society; its members voted.", "Nothing here."]
    assert renamings(texts) == [("Reed Commons", "Marsh Society")]


def test_renamings_are_read_wherever_they_stand_in_a_long_text():
    filler = "Nothing of note was told that day. " * 40
    told = ["Reed Commons, formerly Marsh Society, sang.", "Owl House has been called Swift Library since May."]
    found = renamings([filler + told[0] + filler + told[1] + filler + told[0]])
    reed, owl = ("Reed Commons", "Marsh Society"), ("Owl House", "Swift Library")
    assert found == [reed, owl, reed]


@pytest.mark.parametrize(
    ("before", "begins"),
    [("", True), ("“", True), ("He came. ", True), ("He came: “", True), ("He met ", False), ("He met the “", False)],
)
def test_a_lone_first_word_is_no_name(before, begins):
    assert [m.text for m in mentions(f"{before}Holub” sang.")] == ([] if begins else ["Holub"])
