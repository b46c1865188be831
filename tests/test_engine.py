"""The contract of an engine, run on each one there is, and what is special to the embedded one."""

import hashlib
import multiprocessing
import sqlite3
import tempfile
import threading
import time
import uuid
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from index.encode import unit
from index.engine import LocalEngine
from index.errors import DamagedError, LockedError, NewerFormatError, StoreError, UsageError, WrongEncoderError
from index.manifest import Manifest
from index.milvus import MilvusEngine
from index.milvus_server import Address
from index.records import Entry, Source
from index.split import split
from index.store import DATABASE
from index.terms import terms
from index.vectors import LARGE
from tests.conftest import document
from tests.engines import DIM, WORDS, AgainstDictionary, entry, sources, vector
from tests.standalone import Standalone

FILTERED = [
    ({"publisher": "rt"}, ["amber.txt"]),
    ({"publisher": "!=RT"}, ["birch.txt", "folder/cedar.txt"]),
    ({"published": ">=2022"}, ["birch.txt"]),
    ({"published": ">=2021-01-01,<2022-01-01"}, ["amber.txt"]),
    ({"published": "!=2022-05-01"}, ["amber.txt", "folder/cedar.txt"]),
    ({"published": "<2022-05-01"}, ["amber.txt"]),
    ({"language": "ru"}, ["birch.txt"]),
    ({"language": "RU", "publisher": "vlast"}, ["birch.txt"]),
    ({"source": "folder"}, ["folder/cedar.txt"]),
    ({"source": "!=folder/"}, ["amber.txt", "birch.txt"]),
    ({"source": "amber.txt"}, ["amber.txt"]),
    ({"source": "amber"}, []),
    ({"language": "fr"}, []),
]


def add_for_filters(engine):
    engine.upsert(entry("amber", publisher="RT", published="2021-05-01", language="en"))
    engine.upsert(entry("birch", publisher="Vlast", published="2022-05-01", language="ru"))
    engine.upsert(entry("cedar", "folder/cedar.txt"))


@pytest.fixture(scope="module")
def standalone(tmp_path_factory):
    """The real server; its port, or why there is none."""
    pytest.importorskip("milvus", reason="the real Milvus server is not installed: pip install milvus==2.3.5")
    server = Standalone(tmp_path_factory.mktemp("real"))
    why = server.start()
    yield why or server.port
    server.stop()


def opened(request, tmp_path, kind):
    name = f"x{uuid.uuid4().hex}"
    if kind.startswith("local"):
        return LocalEngine(tmp_path / "x.index", "fake", DIM, large=LARGE if kind == "local" else 1)
    if kind == "milvus-lite":
        return request.getfixturevalue("lite").open(name)
    port = request.getfixturevalue("standalone")
    if isinstance(port, str):
        pytest.skip(f"the real Milvus server cannot start here: {port}")
    return MilvusEngine(Address("127.0.0.1", port, name, secure=False), "fake", DIM)


@pytest.fixture(params=["local", "local, large", "milvus-lite", "milvus"])
def any_engine(request, tmp_path):
    made = opened(request, tmp_path, request.param)
    yield made
    made.close()


@pytest.fixture(params=["local", "local, large", "milvus-lite"])
def engine(request, tmp_path):
    """An engine that can search for terms."""
    made = opened(request, tmp_path, request.param)
    yield made
    made.close()


class TestDense:
    """What holds for every engine, also one that cannot search for terms: the real Milvus of 2.3.5 is one."""

    def test_what_is_stored_is_found_best_first_until_it_is_deleted(self, any_engine):
        engine = any_engine
        for word in WORDS[:4]:
            engine.upsert(entry(word))
        found = engine.dense(vector("cedar"), 3, {})
        scores = [score for _, score in found]
        assert len(found) == 3
        assert scores == sorted(scores, reverse=True)
        assert scores[0] == pytest.approx(1, abs=1e-3)
        assert sources(engine, found)[0] == "cedar.txt"
        before = engine.snapshot()
        engine.delete(entry("cedar").document.id)
        assert engine.snapshot() != before
        assert "cedar.txt" not in sources(engine, found) + sources(engine, engine.dense(vector("cedar"), 9, {}))

    def test_filters_are_exact(self, any_engine):
        engine = any_engine
        add_for_filters(engine)
        for where, expected in FILTERED:
            assert sorted(sources(engine, engine.dense(vector("amber"), 9, where))) == expected, where
            assert sorted(one.source for one in engine.store.listing(where)) == expected, where

    def test_a_new_version_takes_the_place_of_the_old_and_other_names_stay(self, any_engine):
        engine = any_engine
        old = entry("amber", "a 'b' \\ \"c\".txt")
        engine.upsert(old)
        engine.store.alias("z.txt", "there", "f00", old.document.id)
        engine.upsert(entry("birch", old.document.source), replaces=old.document.id)
        assert engine.store.find(old.document.source) == entry("birch").document.id
        assert sorted(sources(engine, engine.dense(vector("amber"), 9, {}))) == [old.document.source, "z.txt"]
        assert sources(engine, engine.dense(vector("amber"), 9, {"source": "z.txt"})) == ["z.txt"]
        assert engine.document(old.document.id).text == old.document.text


def test_a_server_that_is_too_old_for_terms_says_so(standalone, request, tmp_path):
    engine = opened(request, tmp_path, "milvus")
    with pytest.raises(StoreError, match=r"Milvus 2.3 at .* cannot search for terms: upgrade it to 2.5 or newer"):
        engine.lexical(["amber"], 3, {})
    with pytest.raises(StoreError, match="or search with --mode dense"):
        engine.rarity(["amber"])


class TestContract:
    def test_what_is_stored_is_found_by_vector_and_by_terms(self, engine):
        for word in WORDS[:4]:
            engine.upsert(entry(word))
        assert sources(engine, engine.dense(vector("cedar"), 1, {})) == ["cedar.txt"]
        assert sources(engine, engine.lexical(["cedar"], 5, {})) == ["cedar.txt"]
        assert engine.dense(vector("cedar"), 1, {})[0][1] == pytest.approx(1, abs=1e-3)

    def test_results_are_sorted_best_first_and_at_most_k(self, engine):
        for word in WORDS[:5]:
            engine.upsert(entry(word))
        scores = [score for _, score in engine.dense(vector("birch"), 3, {})]
        assert len(scores) == 3
        assert scores == sorted(scores, reverse=True)

    def test_what_is_deleted_is_gone_at_once_and_for_good(self, engine):
        engine.upsert(entry("amber"))
        engine.upsert(entry("birch"))
        found = engine.dense(vector("amber"), 5, {})
        engine.delete(entry("amber").document.id)
        assert sources(engine, found) == ["birch.txt"]
        assert sources(engine, engine.dense(vector("amber"), 5, {})) == ["birch.txt"]
        assert engine.lexical(["amber"], 5, {}) == []

    def test_a_new_version_takes_the_place_of_the_old(self, engine):
        engine.upsert(entry("amber", "a.txt"))
        engine.upsert(entry("birch", "a.txt"), replaces=entry("amber").document.id)
        assert engine.lexical(["amber"], 5, {}) == []
        assert sources(engine, engine.lexical(["birch"], 5, {})) == ["a.txt"]

    def test_filters_are_exact(self, engine):
        add_for_filters(engine)
        for where, expected in FILTERED:
            assert sorted(sources(engine, engine.lexical(["stand"], 9, where))) == expected, where

    def test_every_change_has_a_name_of_its_own(self, engine):
        names = [engine.snapshot()]
        engine.upsert(entry("amber"))
        names.append(engine.snapshot())
        engine.delete(entry("amber").document.id)
        names.append(engine.snapshot())
        assert len(set(names)) == 3

    def test_an_empty_engine_finds_nothing(self, engine):
        assert engine.dense(vector("amber"), 3, {}) == []
        assert engine.lexical(["amber"], 3, {}) == []
        assert engine.get([1, 2]) == []

    def test_passages_come_back_as_they_went_in(self, engine):
        made = entry("amber")
        engine.upsert(made)
        ((stored, found),) = engine.get([key for key, _ in engine.lexical(["amber"], 1, {})])
        assert stored.passage == made.passages[0]
        assert found == made.document
        rows = stored.sentence_vectors.astype(np.float32)
        assert np.allclose(rows / np.linalg.norm(rows, axis=1, keepdims=True), made.sentence_vectors[0], atol=0.01)

    def test_only_documents_that_are_named_are_searched(self, engine):
        for word in WORDS[:3]:
            engine.upsert(entry(word))
        some = frozenset([entry("birch").document.id])
        assert sources(engine, engine.dense(vector("amber"), 9, {}, some)) == ["birch.txt"]
        assert sources(engine, engine.lexical(["stand"], 9, {}, some)) == ["birch.txt"]
        assert engine.dense(vector("amber"), 9, {}, frozenset()) == engine.lexical(["stand"], 9, {}, frozenset()) == []

    def test_names_with_signs_of_other_languages_are_only_names(self, engine):
        names = ['a "b"/c', "it's", "back\\slash", "100%_x", "новости/день.txt", "tab\tnew\nline", "x' or 1 == 1 or 'x"]
        for word, name in zip(WORDS, names, strict=False):
            engine.upsert(entry(word, name, publisher=name))
        for word, name in zip(WORDS, names, strict=False):
            assert sources(engine, engine.dense(vector("amber"), 99, {"source": name})) == [name], name
            assert sources(engine, engine.lexical([word], 99, {"publisher": f"={name}"})) == [name], name
            assert engine.store.find(name) == entry(word).document.id

    def test_equal_scores_are_in_the_order_of_adding(self, engine):
        for number in (3, 1, 2):
            made = document("The amber stands here.\n\n" + "It is so. " * number, f"{number}.txt", id=f"{number:016}")
            passages = split(made)[:1]
            inner = [np.array([vector("amber")] * len(p.sentences)) for p in passages]
            engine.upsert(Entry(made, passages, np.array([vector("amber")]), inner))
        assert sources(engine, engine.dense(vector("amber"), 9, {})) == ["3.txt", "1.txt", "2.txt"]

    def test_rare_terms_weigh_more(self, engine):
        for word in WORDS[:4]:
            engine.upsert(entry(word))
        common, rare, unknown = engine.rarity(["stand", "cedar", "zebra"])
        assert 0 <= common < rare < unknown

    def test_terms_of_every_kind_are_found(self, engine):
        made = document("Выборы 2021 года стоили 3.5 млн. 東京都庁 xylophone naïve.", "a.txt")
        inner = [np.array([vector("amber")] * len(p.sentences)) for p in split(made)]
        engine.upsert(Entry(made, split(made), np.array([vector("amber")] * len(split(made))), inner))
        engine.upsert(entry("birch"))
        for word in ("выбор", "2021", "3.5", "東京", "都庁", "xylophone", "naïve"):
            assert sources(engine, engine.lexical(terms(word), 9, {})) == ["a.txt"], word
        assert engine.lexical(["3"], 9, {}) == []

    def test_a_long_document_comes_back_whole(self, engine):
        text = "\n\n".join(f"Абзац {n} of a long report says what happened on day {n}. 🦊" for n in range(900))
        file = bytes(range(256)) * 300
        made = document(text, "long.txt", title="A long report", sha256=hashlib.sha256(file).hexdigest())
        passages = split(made)
        chance = np.random.default_rng(7)
        vectors = unit(chance.normal(size=(len(passages), DIM)).astype(np.float32))
        inner = [unit(chance.normal(size=(len(p.sentences), DIM)).astype(np.float32)) for p in passages]
        engine.upsert(Entry(made, passages, vectors, inner, bytes(1024), [], "here", file))
        assert engine.document(made.id) == engine.store.document(made.id) == made
        assert engine.store.original(made.id) == file
        assert list(engine.store.minhashes()) == [(made.id, bytes(1024))]
        found = engine.passages_of(made.id)
        assert [p.passage for p in found] == passages
        assert np.array_equal(np.array([p.vector for p in found]), vectors.astype(np.float16))
        ((best, _),) = engine.get([key for key, _ in engine.dense(vectors[200], 1, {})])
        assert best.passage == passages[200]


class TestNames:
    """Sources and the documents that they hold."""

    def test_a_second_source_of_a_text_is_another_name_of_it(self, engine):
        made = entry("amber", "reports/a.txt", publisher="RT")
        engine.upsert(made)
        before = engine.snapshot()
        engine.store.alias("copies/b.txt", "there", "f00", made.document.id)
        assert engine.snapshot() != before
        assert engine.store.source("copies/b.txt") == Source("there", "f00", made.document.id)
        assert engine.store.about(made.document.id) == (["copies/b.txt", "reports/a.txt"], 1)
        assert list(engine.store.named()) == [("copies/b.txt", made.document.id), ("reports/a.txt", made.document.id)]
        (one,) = engine.store.listing({})
        assert (one.source, one.also, one.characters, one.passages) == (
            "reports/a.txt",
            ("copies/b.txt",),
            len(made.document.text),
            1,
        )
        engine.upsert(entry("birch"))
        for where, expected in [("copies", 1), ("reports/a.txt", 1), ("other", 0), ("!=copies/", 0)]:
            found = sources(engine, engine.dense(vector("amber"), 9, {"source": where}))
            assert found.count("reports/a.txt") == expected, where
            assert len([x for x in engine.store.listing({"source": where}) if x.also]) == expected, where

    def test_a_document_stays_under_the_source_that_is_left_to_it(self, engine):
        made = entry("amber", "a.txt")
        engine.upsert(made)
        engine.store.alias("z.txt", "there", "f00", made.document.id)
        assert sources(engine, engine.dense(vector("amber"), 1, {})) == ["a.txt"]
        engine.upsert(entry("birch", "a.txt"), replaces=made.document.id)
        engine.follow()
        assert engine.store.find("a.txt") == entry("birch").document.id
        assert engine.store.find("z.txt") == made.document.id
        assert sources(engine, engine.dense(vector("amber"), 1, {})) == ["z.txt"]
        assert sources(engine, engine.dense(vector("amber"), 9, {"source": "a.txt"})) == ["a.txt"]
        assert sources(engine, engine.lexical(["amber"], 9, {"source": "z.txt"})) == ["z.txt"]
        assert engine.document(made.document.id).source == engine.store.listing({})[1].source == "z.txt"
        engine.store.alias("z.txt", "there", "f00", entry("birch").document.id, replaces=made.document.id)
        assert not engine.store.has(made.document.id)
        assert sources(engine, engine.dense(vector("amber"), 9, {})) == ["a.txt"]
        assert engine.check() == []

    def test_versions_are_known_from_both_sides_while_both_are_there(self, engine):
        old, new = entry("amber", "old.txt"), entry("birch", "new.txt")
        engine.upsert(old)
        engine.upsert(new._replace(near=[(old.document.id, 0.75)]))
        (near,) = engine.store.near(new.document.id)
        assert (near.document, near.source, near.similarity) == (old.document.id, "old.txt", 0.75)
        assert [n.source for n in engine.store.near(old.document.id)] == ["new.txt"]
        assert [len(one.near) for one in engine.store.listing({})] == [1, 1]
        engine.delete(old.document.id)
        assert engine.store.near(new.document.id) == ()
        assert [len(one.near) for one in engine.store.listing({})] == [0]

    def test_names_find_documents_or_say_why_not(self, engine):
        made = entry("amber")
        engine.upsert(made)
        assert engine.store.find("amber.txt") == engine.store.find(made.document.id[:8]) == made.document.id
        for unknown in ("nothing.txt", made.document.id[:5], "0" * 16):
            with pytest.raises(UsageError, match="see `pincite list`"):
                engine.store.find(unknown)
        assert engine.store.source("nothing.txt") is None
        assert engine.store.document("0" * 16) is None
        assert engine.store.original(made.document.id) is None


class OnFolder(AgainstDictionary):
    """Random adds, removals and reopenings against a plain dictionary."""

    def make(self):
        self.folder = getattr(self, "folder", None) or Path(tempfile.mkdtemp())
        return LocalEngine(self.folder, "fake", DIM, self.large)

    large = LARGE


class OnLargeFolder(OnFolder):
    """The same where two documents are many, so that short codes come and go in the background."""

    large = 1


TestRandom, TestRandomLarge = OnFolder.TestCase, OnLargeFolder.TestCase
TestRandom.settings = settings(max_examples=15, stateful_step_count=15)
TestRandomLarge.settings = settings(max_examples=5, stateful_step_count=15)


def test_reading_goes_on_beside_writing(tmp_path):
    engine = LocalEngine(tmp_path, "fake", DIM)
    engine.upsert(entry("amber"))
    problems: list[BaseException] = []
    stop = threading.Event()

    def ask():
        try:
            while not stop.is_set():
                assert "amber.txt" in sources(engine, engine.dense(vector("amber"), 50, {}))
                assert sources(engine, engine.lexical(["amber"], 5, {})) == ["amber.txt"]
        except BaseException as error:  # noqa: BLE001  told to the test
            problems.append(error)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for turn in range(3):
        for word in WORDS[1:]:
            made = entry(word)
            engine.upsert(made)
            if turn < 2:
                engine.delete(made.document.id)
    stop.set()
    for thread in threads:
        thread.join()
    assert not problems
    assert engine.check() == []


def test_a_reader_does_not_wait_for_a_thread_that_adds_and_never_deadlocks(tmp_path):
    engine = LocalEngine(tmp_path, "fake", DIM)
    with engine.store.writing():
        engine.upsert(entry("amber"))
        found: list[list[str]] = []
        reader = threading.Thread(target=lambda: found.append(sources(engine, engine.dense(vector("amber"), 1, {}))))
        reader.start()
        reader.join(30)
        assert found == [["amber.txt"]]
        engine.follow()
    assert sources(engine, engine.lexical(["amber"], 1, {})) == ["amber.txt"]


def _hold(folder, ready):
    engine = LocalEngine(folder, "fake", DIM)
    with engine.store.writing():
        ready.set()
        time.sleep(60)


def test_a_second_writer_is_refused_with_the_pid_of_the_first_and_reads_on(tmp_path):
    engine = LocalEngine(tmp_path, "fake", DIM)
    engine.upsert(entry("amber"))
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    holder = context.Process(target=_hold, args=(tmp_path, ready))
    holder.start()
    try:
        assert ready.wait(60)
        with pytest.raises(LockedError, match=f"process {holder.pid} is writing"):
            engine.upsert(entry("birch"))
        assert sources(engine, engine.dense(vector("amber"), 1, {})) == ["amber.txt"]
    finally:
        holder.kill()
        holder.join()
    engine.upsert(entry("birch"))


def test_another_process_sees_what_was_written(tmp_path):
    one, two = LocalEngine(tmp_path, "fake", DIM), LocalEngine(tmp_path, "fake", DIM)
    assert two.dense(vector("amber"), 1, {}) == []
    one.upsert(entry("amber"))
    one.follow()
    assert sources(two, two.dense(vector("amber"), 1, {})) == ["amber.txt"]
    assert sources(two, two.lexical(["amber"], 1, {})) == ["amber.txt"]


def test_an_index_of_another_encoder_is_refused(tmp_path):
    LocalEngine(tmp_path, "fake", DIM).close()
    with pytest.raises(WrongEncoderError, match="was made with the encoder fake, not other"):
        LocalEngine(tmp_path, "other", DIM)


def test_an_index_of_a_newer_version_is_refused(tmp_path):
    LocalEngine(tmp_path, "fake", DIM).close()
    damage(tmp_path, "UPDATE meta SET value = '99' WHERE key = 'format'")
    with pytest.raises(NewerFormatError, match="upgrade pincite"):
        LocalEngine(tmp_path, "fake", DIM)


def damage(folder, statement: str) -> None:
    """Change a database behind its back: the seal stays as it was."""
    db = sqlite3.connect(folder / DATABASE)
    db.create_function("sealed", -1, lambda seal, *row: seal)
    db.execute(statement)
    db.commit()
    db.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE documents SET text = replace(text, 'stands', 'Stands')",
        "UPDATE documents SET record = replace(record, 'amber.txt', 'ambre.txt')",
        "UPDATE passages SET start = start + 1",
        "UPDATE passages SET sentence_vectors = zeroblob(length(sentence_vectors))",
    ],
)
def test_damage_is_reported_and_never_answered_from(tmp_path, statement):
    engine = LocalEngine(tmp_path, "fake", DIM)
    engine.upsert(entry("amber"))
    engine.close()
    damage(tmp_path, statement)
    engine = LocalEngine(tmp_path, "fake", DIM)
    with pytest.raises(DamagedError, match="run `pincite rebuild`"):
        engine.dense(vector("amber"), 1, {})
    with pytest.raises(DamagedError, match="run `pincite rebuild`"):
        engine.get([1])
    assert engine.check()


def test_a_file_that_is_no_database_is_reported(tmp_path):
    (tmp_path / DATABASE).write_bytes(b"not a database at all" * 100)
    with pytest.raises(DamagedError, match="run `pincite rebuild`, or restore it from a copy"):
        LocalEngine(tmp_path, "fake", DIM)


def test_terms_that_are_lost_or_damaged_are_made_again(tmp_path):
    engine = LocalEngine(tmp_path, "fake", DIM)
    engine.upsert(entry("amber"))
    engine.follow()
    engine.close()
    for file in (tmp_path / "lexical").iterdir():
        if file.name == "manifest.json":
            file.write_text("{")
    engine = LocalEngine(tmp_path, "fake", DIM)
    assert sources(engine, engine.lexical(["amber"], 1, {})) == ["amber.txt"]
    assert engine.check() == []


def test_terms_of_another_index_are_not_believed(tmp_path):
    engine = LocalEngine(tmp_path, "fake", DIM)
    engine.upsert(entry("amber"))
    engine.follow()
    path = tmp_path / "lexical" / "manifest.json"
    Manifest.read(path)._replace(store="another").write(path)
    assert sources(engine, LocalEngine(tmp_path, "fake", DIM).lexical(["amber"], 1, {})) == ["amber.txt"]


def test_a_write_that_fails_leaves_the_earlier_state(tmp_path):
    engine = LocalEngine(tmp_path, "fake", DIM)
    engine.upsert(entry("amber"))
    before = engine.snapshot()
    with pytest.raises(StoreError):
        engine.upsert(entry("amber"))  # the same id again, which the caller should have noticed
    assert engine.snapshot() == before
    assert engine.check() == []
