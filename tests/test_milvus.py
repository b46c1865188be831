"""A library in Milvus: shared by servers, cut off, killed, damaged, away, too old, behind TLS and tokens."""

import json
import os
import subprocess
import sys
import uuid
from concurrent import futures
from math import log
from pathlib import Path

import pytest
from hypothesis import settings

import rag
from index import milvus_server, milvus_store
from index.errors import DamagedError, NewerFormatError, StoreError, UsageError, WrongEncoderError
from index.milvus import MilvusEngine
from index.milvus_server import TOKEN, Address, Server, among, is_address
from tests.engines import DIM, WORDS, AgainstDictionary, Forwarder, Lite, Pretender, entry, sources, vector

ROOT = Path(__file__).parents[1]


@pytest.fixture
def name():
    return f"x{uuid.uuid4().hex}"


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(milvus_server, "PATIENCE", 0.5)


class OnLite(AgainstDictionary):
    """Random adds, removals and reopenings against a plain dictionary."""

    lite: Lite

    def make(self):
        self.name = getattr(self, "name", f"x{uuid.uuid4().hex}")
        return self.lite.open(self.name)


def test_random_changes_leave_what_a_dictionary_holds(lite):
    OnLite.lite = lite
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(OnLite, settings=settings(max_examples=5, stateful_step_count=10))


class TestAddress:
    def test_it_is_read_and_shown_without_anything_secret(self):
        assert Address.parse("milvus://db.example:19531/handbook") == Address("db.example", 19531, "handbook", False)
        assert str(Address.parse("milvuss://db.example/handbook")) == "milvuss://db.example:19530/handbook"
        assert Address.parse(str(Path("milvus://127.0.0.1:1/x"))) == Address("127.0.0.1", 1, "x", False)
        assert is_address(Path("milvus://127.0.0.1:1/x"))
        assert not is_address("milvus.index")
        assert not is_address("reports/milvus:/x")

    @pytest.mark.parametrize("text", ["milvus://", "milvus://host", "milvus://host/", "milvus://host:port/x",
                                      "milvus://host/two words", "milvus://host/x?token=1", "milvus:///x"])  # fmt: skip
    def test_what_is_no_address_is_refused(self, text):
        with pytest.raises(UsageError, match="write milvus://HOST:19530/NAME"):
            Address.parse(text)

    def test_a_token_in_an_address_is_refused_and_not_repeated(self):
        with pytest.raises(UsageError, match=TOKEN) as error:
            Address.parse("milvus://root:hunter2@host:19530/x")  # planted
        assert "hunter2" not in str(error.value)


class TestSharing:
    def test_what_one_server_writes_the_other_sees(self, lite, name):
        one, two = lite.open(name), lite.open(name)
        one.upsert(entry("amber"))
        assert sources(two, two.dense(vector("amber"), 9, {})) == ["amber.txt"]
        found = one.dense(vector("amber"), 9, {})
        assert sources(one, found) == ["amber.txt"]
        two.delete(entry("amber").document.id)
        assert sources(one, found) == []
        assert one.snapshot() == two.snapshot()

    def test_many_may_write_at_once(self, lite, name):
        engines = [lite.open(name) for _ in range(3)]
        some = [entry(w, f"{n}-{w}.txt") for n, w in enumerate(WORDS)]

        def write(engine: MilvusEngine) -> None:
            for one in some:
                engine.upsert(one)

        with futures.ThreadPoolExecutor() as pool:
            list(pool.map(write, engines))
        found = engines[0].dense(vector("amber"), 99, {})
        assert sorted(sources(engines[0], found)) == sorted(one.document.source for one in some)
        assert len({key for key, _ in found}) == 30  # each has written its own; two thirds are hidden
        engines[0].rebuild()
        assert engines[1].check() == []
        assert len(engines[2].dense(vector("amber"), 99, {})) == 10

    def test_two_never_use_the_same_number(self, lite, name, monkeypatch):
        monkeypatch.setattr(milvus_store, "time", lambda: 1_800_000_000.0)
        stores = [lite.open(name).store for _ in range(4)]
        with futures.ThreadPoolExecutor() as pool:
            given = list(pool.map(lambda s: [s._numbers(3) for _ in range(20)], stores))
        assert len({n for some in given for n in some}) == 80
        assert all(some == sorted(some) and some[1] - some[0] == 3 for some in given)

    def test_an_add_that_was_cut_off_is_not_there_and_is_cleared_away(self, lite, name, monkeypatch):
        engine = lite.open(name)
        engine.upsert(entry("amber", "a.txt"))
        before = engine.snapshot()

        def cut_off(*_: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(engine.store, "_name", cut_off)
            with pytest.raises(KeyboardInterrupt):
                engine.upsert(entry("birch", "a.txt"), replaces=entry("amber").document.id)
        assert engine.snapshot() == before
        assert sources(engine, engine.dense(vector("birch"), 9, {})) == ["a.txt"]
        assert engine.store.find("a.txt") == entry("amber").document.id
        assert engine.check() == ["1 adds were cut off, or go on now: run `pincite rebuild` when nobody adds"]
        engine.rebuild()
        assert engine.check() == []
        assert len(engine.dense(vector("birch"), 9, {})) == 1

    def test_a_removal_that_was_cut_off_has_happened(self, lite, name, monkeypatch):
        engine = lite.open(name)
        engine.upsert(entry("amber"))
        monkeypatch.setattr(engine.store, "_drop", lambda *_: None)
        engine.delete(entry("amber").document.id)
        assert sources(engine, engine.dense(vector("amber"), 9, {})) == []
        assert engine.store.documents() == []
        assert len(engine.check()) == 1
        engine.rebuild()
        assert engine.check() == []

    def test_another_kind_of_index_may_be_put_in_place_of_the_exact_one(self, lite, name):
        engine = lite.open(name)
        for word in WORDS[:5]:
            engine.upsert(entry(word))
        exact = engine.dense(vector("cedar"), 5, {})
        server = Server(Address.parse(lite.address(name)))
        for kind, parameters in (("HNSW", {"M": 16, "efConstruction": 200}), ("IVF_SQ8", {"nlist": 2})):
            wanted = server._client.prepare_index_params()
            wanted.add_index("vector", index_type=kind, metric_type="IP", params=parameters)
            server.call("release_collection", server.passages)
            server.call("drop_index", server.passages, "vector")
            server.call("create_index", server.passages, wanted)
            server.call("load_collection", server.passages)
            found = engine.dense(vector("cedar"), 5, {})
            assert found[0] == pytest.approx(exact[0], abs=0.01)
            assert {key for key, _ in found} == {key for key, _ in exact}

    def test_scores_of_terms_are_those_of_bm25(self, lite, name):
        engine = lite.open(name)
        for word in WORDS[:4]:
            engine.upsert(entry(word))
        ((_, score),) = engine.lexical(["cedar"], 9, {})
        # Of four passages of one length one holds the term, twice.
        assert score == pytest.approx(log(1 + 3.5 / 1.5) * 2 * 2.2 / (2 + 1.2), rel=1e-5)

    def test_many_rows_are_read_in_parts(self, lite, name, monkeypatch):
        monkeypatch.setattr(milvus_server, "_FEW", 3)
        monkeypatch.setattr(milvus_server, "_ROWS", 4)
        engine = lite.open(name)
        for word in WORDS:
            engine.upsert(entry(word))
        assert [one.source for one in engine.store.listing({})] == [f"{word}.txt" for word in sorted(WORDS)]
        assert len(engine.store.documents()) == len(list(engine.store.named())) == 10
        assert engine.check() == []

    @pytest.mark.parametrize("kind", ["text", "record", "passages"])
    def test_damage_is_reported_and_never_answered_from(self, lite, name, kind):
        engine = lite.open(name)
        engine.upsert(entry("amber"))
        server = Server(Address.parse(lite.address(name)))
        (row,) = server.query(server.records, f'kind == "{kind}"', ["*"])
        data = row["data"]
        server.upsert(server.records, [{**row, "data": data[:-9] + data[-9:].swapcase()}])
        with pytest.raises(DamagedError, match="add its file again"):
            engine.get([key for key, _ in engine.dense(vector("amber"), 1, {})])
        assert "is damaged" in engine.check()[0]

    def test_a_passage_that_is_lost_is_reported(self, lite, name):
        engine = lite.open(name)
        engine.upsert(entry("amber"))
        server = Server(Address.parse(lite.address(name)))
        server.delete(server.passages, "key > 0")
        assert engine.check() == [f"document {entry('amber').document.id}: 0 passages of 1 are there"]


class TestOpening:
    def test_a_library_of_another_encoder_is_refused(self, lite, name):
        lite.open(name).close()
        with pytest.raises(WrongEncoderError, match="was made with the encoder fake, not other"):
            MilvusEngine(Address.parse(lite.address(name)), "other", DIM)

    def test_a_library_of_a_newer_version_is_refused(self, lite, name):
        lite.open(name).close()
        server = Server(Address.parse(lite.address(name)))
        (row,) = server.query(server.records, among("id", ["meta:"]), ["*"])
        server.upsert(server.records, [{**row, "data": json.dumps({**json.loads(row["data"]), "format": 99})}])
        with pytest.raises(NewerFormatError, match="upgrade pincite"):
            lite.open(name)

    def test_a_collection_of_somebody_else_is_left_alone(self, lite, name):
        server = Server(Address.parse(lite.address(name)))
        server._client.create_collection(name, dimension=4)
        with pytest.raises(StoreError, match="did not make: choose another name"):
            lite.open(name)

    def test_a_library_that_was_half_made_is_finished(self, lite, name):
        lite.open(name).close()
        server = Server(Address.parse(lite.address(name)))
        server.call("drop_collection", server.passages)
        server.delete(server.records, 'kind == "meta"')
        engine = lite.open(name)
        engine.upsert(entry("amber"))
        assert sources(engine, engine.lexical(["amber"], 1, {})) == ["amber.txt"]

    def test_a_server_that_is_away_is_told_in_one_line(self, impatient):
        with pytest.raises(StoreError, match=r"milvus://127.0.0.1:9/x does not answer: start it") as error:
            Server(Address.parse("milvus://127.0.0.1:9/x"))
        assert "\n" not in str(error.value)

    def test_without_pymilvus_its_install_line_is_told(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "pymilvus", None)
        with pytest.raises(UsageError, match=r"pip install 'pincite\[milvus\]'"):
            rag.open("milvus://127.0.0.1:9/x")

    @pytest.mark.parametrize(
        ("version", "message"),
        [("v2.2.16", "is v2.2.16, which is too old: upgrade it to 2.5"), ("what", "is what, which is too old")],
    )
    def test_an_old_server_is_refused(self, version, message):
        with Pretender(version) as port, pytest.raises(StoreError, match=message):
            Server(Address.parse(f"milvus://127.0.0.1:{port}/x"))

    def test_the_token_is_sent_and_its_refusal_told_without_it(self, monkeypatch, impatient, capfd):
        monkeypatch.setenv(TOKEN, "root:hunter2")
        pretender = Pretender("v2.6.0", refuses=True)
        with pretender as port, pytest.raises(StoreError, match=f"refuses the token: set {TOKEN}") as error:
            Server(Address.parse(f"milvus://127.0.0.1:{port}/x"))
        assert pretender.tokens
        assert "hunter2" not in str(error.value) + "".join(capfd.readouterr())

    def test_tls(self, lite, name, tmp_path, monkeypatch, impatient):
        with Forwarder(lite.port, tmp_path) as proxy:
            script = "import rag, sys; print(rag.open(sys.argv[1]).index.engine.snapshot())"
            command = [sys.executable, "-c", script, f"milvuss://localhost:{proxy.port}/{name}"]
            trusting = {**os.environ, "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": str(proxy.certificate)}
            done = subprocess.run(command, check=False, env=trusting, capture_output=True, text=True, cwd=ROOT)
            assert done.returncode == 0, done.stderr
            assert done.stdout.endswith("-0\n")
            with pytest.raises(StoreError, match="does not answer"):  # nobody vouches for it here
                Server(Address.parse(f"milvuss://localhost:{proxy.port}/{name}"))
