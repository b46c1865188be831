"""Lists that running text tells in words of its own: the names are found, judged, and shown as rows."""

import json

import numpy as np
import pytest

from index.library import Index
from rag import cross, members
from rag.assistant import READERS, Assistant
from rag.models import Evidence
from rag.question import understand
from rag.read import vectors_of
from tests.conftest import document

REPORT = """# Yearly letter of the Larch Fund, 2021

The Larch Fund and all in this letter are invented.

It was a good year for small theatres. At the head of our list stands the Owl Playhouse, and close behind come the Heron
Puppet Wagon and Swift Street Stage. We were also glad to back the Otter Circus School in Dunmore.

In 2020 our list had been a short one: the Finch Opera Club.

Rain fell on the roof of our own office in May, and the buckets stood in the hall for a week.
"""
ROWS = ["Owl Playhouse", "Heron Puppet Wagon", "Swift Street Stage", "Otter Circus School"]


@pytest.fixture(scope="module")
def assistant(tmp_path_factory, encoder):
    folder = tmp_path_factory.mktemp("members")
    (folder / "letter.md").write_text(REPORT)
    with Index(folder / "x.index", encoder) as index:
        index.add(folder / "letter.md")
        yield Assistant(index, READERS["trained"]())


def test_names_that_no_rule_takes_for_receivers_become_rows(assistant):
    answer = assistant.ask("Which theatre groups did the Larch Fund support in 2021?")
    rows = [row.name for row in answer.rows]
    assert rows == [name for name in ROWS if name in rows]  # nothing else, and in the order of the text
    assert len(rows) >= 3  # it finds most, not all: see docs/reader.md
    for row in answer.rows:
        (cited,) = [c for c in answer.citations if c.number in row.citations]
        assert row.name in " ".join(cited.quote.split())
    assert "Finch Opera Club" not in answer.text


def test_every_name_has_its_signals(assistant):
    question = understand("Which theatre groups did the Larch Fund support in 2021?")
    (letter,) = [assistant.show(listed.id) for listed in assistant.documents()]
    vectors = vectors_of(question, assistant.index.encoder)
    told = [told.span for told in members.told_in(letter)[0]]
    (start,) = [span.start for span in told if "Otter" in letter.text[span.start : span.end]]
    evidence = [
        Evidence(document=letter.id, start=start, end=start + 9, probability=0.2, signals={"read": 1.5}),
        Evidence(document="b" * 16, start=0, end=9, probability=0.4, signals={"read": 2.0}),
        Evidence(document="c" * 16, start=0, end=9, probability=0.9),  # of a reader whose figures mean something else
    ]
    ((measured, places, rows),) = members.measured(question, [letter], assistant.index, vectors, evidence)
    assert measured.id == letter.id
    assert rows.shape == (len(places), len(members.SIGNALS))
    names = [place.name for place in places]
    assert set(ROWS) <= set(names)
    assert "Larch Fund" not in names, "the question names it"
    by_name = dict(zip(names, rows, strict=True))
    placed, period = members.SIGNALS.index("in or at"), members.SIGNALS.index("period")
    assert by_name["Dunmore"][placed] == 1
    assert by_name["Owl Playhouse"][placed] == 0
    assert by_name["Owl Playhouse"][period] > 0
    assert "Finch Opera Club" not in names, "it is told of another year"
    assert np.isfinite(rows[:, members.SIGNALS.index("cosine")]).all()
    logits = [members.SIGNALS.index(name) for name in cross.NAMES]
    assert by_name["Otter Circus School"][logits].tolist() == [1.5, -0.5, 2]
    assert np.array_equal(by_name["Owl Playhouse"][logits], [np.nan, np.nan, 2], equal_nan=True)
    likely = [members.SIGNALS.index(name) for name in ("likely", "below likeliest", "likeliest")]
    assert by_name["Otter Circus School"][likely].tolist() == pytest.approx(np.log([0.2, 0.5, 0.4]).tolist())
    assert np.array_equal(by_name["Owl Playhouse"][likely[:2]], [np.nan, np.nan], equal_nan=True)


def test_what_hangs_on_no_question_is_worked_out_once():
    made = document("# A heading\n\nThe Owl Playhouse met the Heron Choir at Dunmore.", id="0" * 16)
    assert members.told_in(made) is members.told_in(made)
    told, places = members.told_in(made)
    assert [place.name for place in places] == ["Owl Playhouse", "Heron Choir", "Dunmore"]
    assert told[0].over == {"head"}


def test_where_no_name_is_likely_nothing_is_swept_up(assistant):
    assert not assistant.ask("Which bakers opened a shop in Karsk?").rows


def test_the_limits_are_those_of_the_training():
    held = json.loads(members.WEIGHTS.with_suffix(".json").read_text())
    assert 0 < held["best"] < 1
    assert 0 < held["share"] < 1
    assert held["on documents not learned from"]["members found"] > 0.3
