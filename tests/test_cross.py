"""What the network reads, and what it makes of it."""

import numpy as np
import pytest

from eval.cross import HALVES, half_of
from index.models import Document, Span
from rag import cross
from rag.learned import _MEASURED
from rag.trees import session

SENTENCES = (
    "The Brackwater Fund is invented.",
    "It was founded in 1987 by the surveyor Tamsin Orrell.",
    "Rain fell on the harbour all that week.",
    "Its reading room opens on Mondays.",
)


def document(sentences=SENTENCES):
    text = " ".join(sentences)
    return Document(id="a" * 16, source="x", sha256="a" * 64, media_type="text/plain", text=text, title="The fund")


def spans(sentences=SENTENCES):
    made, at = [], 0
    for sentence in sentences:
        made.append(Span(at, at + len(sentence)))
        at += len(sentence) + 1
    return tuple(made)


def test_a_window_holds_its_place_and_as_many_neighbours_as_fit():
    assert cross.window(document(), spans(), 2).sentences == spans()
    long = [f"The {word} of the Brackwater Fund was repaired in spring by the same four carpenters of the town, who "
            "brought oak, slate and lime by boat and stayed until the first storms of autumn."
            for word in ("roof", "door", "quay", "mill", "wall")]  # fmt: skip
    held = cross.window(document(long), spans(long), 3).sentences
    assert spans(long)[3] in held
    assert len(held) < len(long)
    assert list(held) == [s for s in spans(long) if held[0].start <= s.start <= held[-1].start]


def test_each_piece_belongs_to_the_question_or_to_its_sentence():
    ids, parts = cross.encoded("Who founded it?", cross.window(document(), spans(), 1))
    told = [[i for i, p in zip(ids, parts, strict=True) if p == number] for number in range(5)]
    assert told == cross.pieces(["Who founded it?", *SENTENCES])
    made = cross.rows([(ids, parts), (ids[:6], parts[:6])])
    assert made.pool[0].sum(-1) == pytest.approx([1] * 5)
    assert made.pool[1].sum(-1) == pytest.approx([1, 0, 0, 0, 0])
    assert made.mask.sum(-1).tolist() == [len(ids), 6]
    assert made.types[0].tolist() == [0] * 6 + [1] * (len(ids) - 6)


def test_places_that_a_window_before_holds_are_not_read_again():
    held = [(document(), spans(), spans()[at].start) for at in (1, 2, 0)]
    assert len(cross.likeliest(held)) == 1
    apart = [(document((f"{word} rivers rise.",)), spans((f"{word} rivers rise.",)), 0) for word in "ABCDEFG"]
    other = [(d.model_copy(update={"id": f"{n:016}"}), s, a) for n, (d, s, a) in enumerate(apart)]
    assert len(cross.likeliest(other)) == cross.WINDOWS


def test_the_shipped_network_finds_the_sentence_that_answers():
    network = session(cross.WEIGHTS, _MEASURED)
    for question, right in (
        ("Who founded the Brackwater Fund?", 1),
        ("When was the fund founded?", 1),
        ("On which day is the reading room open?", 3),
    ):
        told = cross.read(question, [cross.window(document(), spans(), 0)], network)
        logits = [told["a" * 16, span.start] for span in spans()]
        assert int(np.argmax(logits)) == right, question
    short = cross.window(document(SENTENCES[:1]), spans(SENTENCES[:1]), 0)
    alone = cross.read("Who founded it?", [short], network)["a" * 16, 0]
    longer = document().model_copy(update={"id": "b" * 16})
    beside = cross.read("Who founded it?", [short, cross.window(longer, spans(), 0)], network)["a" * 16, 0]
    assert alone == beside


def test_what_was_not_read_has_no_logit():
    got = cross.columns(np.array([1, np.nan, 3], np.float32))
    assert np.array_equal(got, np.array([[1, -2, 3], [np.nan, np.nan, 3], [3, 0, 3]]), equal_nan=True)
    assert np.isnan(cross.columns(np.array([np.nan], np.float32))).all()


def test_a_document_is_in_one_half():
    halves = [half_of(f"{n:016x}") for n in range(1000)]
    assert set(halves) == set(range(HALVES))
    assert 400 < sum(halves) < 600
