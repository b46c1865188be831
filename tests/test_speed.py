"""What `pincite eval speed` measures, on the smallest scale, and the page that it writes."""

from pathlib import Path

import numpy as np
import pytest

from eval.growth import Probe, Size, exponent, measure
from eval.recombine import Pool, grow
from eval.speed import Adding, Encoding, Timing, adding, timed
from eval.speed_page import BEGIN, END, write
from eval.speed_run import Measured
from eval.table import blocks
from index.encode import unit
from index.engine import LocalEngine
from index.errors import UsageError
from index.library import Index

QUESTIONS = ["Who received grants in 2021?", "What does the ferry cost?"]


@pytest.fixture(scope="module")
def made_of():
    words = "amber birch cedar delta ember fjord grove haven inlet jetty".split()
    sentences = [f"The {one} of the {other} was sold in {2000 + n}." for n, one in enumerate(words) for other in words]
    vectors = unit(np.random.default_rng(1).normal(size=(len(sentences), 384)).astype(np.float32))
    return Pool(sentences, vectors)


def test_a_library_is_the_same_each_time_and_sound(made_of, encoder, tmp_path):
    texts = []
    for name, steps in (("one", [(0, 20), (20, 40)]), ("two", [(0, 40)])):
        engine = LocalEngine(tmp_path / name, encoder.id, encoder.dim)
        for before, after in steps:
            grow(engine, made_of, before, after)
        assert engine.check() == []
        assert engine.store.counts() == (4, 40)
        texts.append([engine.document(one).text for one in engine.store.documents()])
        engine.close()
    assert texts[0] == texts[1]
    with Index(tmp_path / "one", encoder) as index:
        hit = index.search("entry chq")[0]
        assert (hit.source, hit.passage.ordinal) == ("recombined/000002.txt", 7)
        assert all(sentence in " ".join(made_of.sentences) for sentence in hit.text.split(". ")[1:2])


def test_one_size_is_measured_in_a_process_of_its_own(made_of, encoder, tmp_path):
    (size,) = measure(tmp_path, encoder, made_of, [20], QUESTIONS, repeats=0)
    assert size.passages == 20
    assert size.recall == size.same_answers == 1
    assert len(size.seen.ask.wall) == len(size.seen.stages) == len(QUESTIONS)
    assert size.disk[0] > 20 * 2 * encoder.dim  # its vectors alone
    assert size.disk[1] > 0
    assert 50 < size.seen.megabytes[0] <= size.seen.megabytes[1] + 1
    assert {"encode", "search", "total"} <= size.seen.stages[0].keys()


def test_adding_again_is_measured_where_one_in_a_hundred_has_changed(made_of, encoder):
    found = adding(encoder, made_of, 3, 2)
    assert found.files == 3
    assert len(found.again) == 2
    assert found.share == pytest.approx(sum(found.again) / 2 / found.full)


def test_recall_and_answers_are_those_of_the_exact_index():
    seen = probe([(1, 2, 3), (4, 5, 6)], ["a", "b"])
    size = Size(10, seen, probe([(1, 2, 9), (4, 5, 6)], ["a", "c"]), [], (1, 1.0))
    assert size.recall == pytest.approx(5 / 20)  # of ten a question
    assert size.same_answers == 0.5


def probe(nearest, answers):
    one = Timing("x", (2.0, 4.0, 3.0), (1.0, 3.0, 2.0))
    stages = ({"encode": 1.0, "total": 3.0}, {"encode": 2.0, "read": 1.0, "total": 5.0})
    return Probe(one, (300.0, 400.0), one, one, one, one, tuple(nearest), tuple(answers), stages)


def test_times_and_exponents():
    found = timed("x", [lambda: sum(range(10_000))] * 5)
    assert len(found.wall) == len(found.cpu) == 5
    assert 0 < found.p50 <= found.p95
    assert exponent([10, 100, 1000], [5, 5, 5]) == pytest.approx(0)


def test_the_section_and_the_plot_are_written_and_kept_by_others(tmp_path: Path):
    docs, plot = tmp_path / "docs" / "page.md", tmp_path / "docs" / "images" / "growth.svg"
    docs.parent.mkdir()
    cold = [Timing("search", (900.0,), (700.0,)), Timing("ask", (1500.0,), (1000.0,))]
    sizes = [Size(n, probe([(1,)], ["a"]), None, cold, (n * 4600, 0.5)) for n in (1_000, 100_000)]
    encoding = Encoding((40.0, 41.0, 39.0), (20.0, 20.0, 20.0), 25.0, 20.0, 2.5e9, 75.0)
    measured = Measured(encoding, Adding(200, 10.0, (0.2, 0.2)), sizes, [], (1.0, 2.0))
    docs.write_text("no markers")
    with pytest.raises(UsageError, match="has no line <!-- speed:begin -->"):
        write(measured, docs, plot)
    assert not plot.exists()
    docs.write_text(f"before\n{BEGIN}\nstale\n{END}\nafter\n")
    assert write(measured, docs, plot) == [docs, plot]
    text = docs.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "stale" not in text
    for told in (
        "| encoding against `SentenceTransformer.encode` | 2.00× (40.0 [39.0–41.0] against 20.0 [20.0–20.0]",
        "2.0% (0.2 [0.2–0.2] s of 10.0 s)",
        "| `pincite search`, cold process, 1,000 passages | 0.90 s | 0.70 s | ≤ 0.8 s |",
        "| a warm answer, 100,000 passages, p50 / p95 | 3 / 4 ms | 2 / 3 ms | ≤ 120 / 300 ms |",
        "![Growth with the number of passages](images/growth.svg)",
        "30 passages a second and core at most. Ours reaches 25.0 (83%), sentence-transformers 20.0 (67%)",
        "To read its 0.46 GB from this disk took 0.5 s in the same run (920 MB/s)",
        "As a power of the number of passages: vectors: the 100 nearest 0.00",
    ):
        assert told in text, told
    assert plot.read_text().count("<circle") == 8
    assert blocks(text) == [text.removeprefix("before\n").removesuffix("after\n")]
