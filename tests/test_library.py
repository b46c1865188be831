"""Adding files and searching them, with the real encoder."""

import os
import shutil
from pathlib import Path

import pytest

from index.errors import UsageError, WrongEncoderError
from index.ingest import NEAR
from index.library import Index, fuse
from index.minhash import BANDS, MinHashLSH
from index.reading import PERMUTATIONS
from index.store import DATABASE

PLAIN = {
    "bees.txt": "Honey bees live in hives. A queen lays up to two thousand eggs on a summer day.",
    "trains.txt": "The night train leaves Astana at nine. It carries mail and forty passengers to Almaty.",
    "музей.txt": "Городской музей открыт со вторника по воскресенье. Билет стоит пятьсот тенге для взрослых.",
}


@pytest.fixture
def folder(tmp_path) -> Path:
    docs = tmp_path / "docs"
    docs.mkdir()
    for name, text in PLAIN.items():
        (docs / name).write_text(text, encoding="utf-8")
    return docs


@pytest.fixture
def index(tmp_path, encoder):
    with Index(tmp_path / "x.index", encoder) as made:
        yield made


def outcomes(added):
    return {a.source: a.outcome for a in added}


def test_a_folder_is_added_once(index, folder):
    assert outcomes(index.add(folder)) == {f"docs/{name}": "added" for name in PLAIN}
    before = index.engine.snapshot()
    assert set(outcomes(index.add(folder)).values()) == {"unchanged"}
    assert index.engine.snapshot() == before


def test_a_changed_file_takes_the_place_of_the_old_one(index, folder):
    index.add(folder)
    (folder / "bees.txt").write_text("Bumble bees nest in the ground and live for one summer only.")
    assert outcomes(index.add(folder))["docs/bees.txt"] == "updated"
    assert [hit.text for hit in index.search("honey hives queen eggs", k=1, mode="lexical")] == []
    assert "ground" in index.search("where do bumble bees nest", k=1)[0].text


def test_the_same_text_under_another_name_is_a_duplicate_that_outlives_the_first(index, folder):
    shutil.copy(folder / "bees.txt", folder / "copy.txt")
    added = index.add(folder)
    assert outcomes(added)["docs/copy.txt"] == "duplicate"
    assert "docs/bees.txt" in str(next(a for a in added if a.outcome == "duplicate").reason)
    assert [d.also for d in index.documents({"source": "docs/bees.txt"})] == [("docs/copy.txt",)]
    (folder / "bees.txt").write_text("Something else entirely is written here now, about rivers.")
    index.add(folder)
    assert "hives" in index.show("docs/copy.txt").text
    assert index.show("docs/copy.txt").source == "docs/copy.txt"


def test_folders_of_one_name_do_not_overwrite_each_other(index, tmp_path):
    for top in ("one", "two"):
        (tmp_path / top / "docs").mkdir(parents=True)
        (tmp_path / top / "docs" / "a.txt").write_text(f"This text belongs to folder {top} and no other.")
    index.add([tmp_path / "one" / "docs", tmp_path / "two" / "docs"])
    assert {d.source for d in index.documents()} == {"docs/a.txt", "two/docs/a.txt"}
    assert set(outcomes(index.add([tmp_path / "one" / "docs", tmp_path / "two" / "docs"])).values()) == {"unchanged"}


def test_versions_of_a_text_are_reported(index, folder):
    text = " ".join(f"The committee of town {n} met and decided about the road to village {n + 1}." for n in range(40))
    (folder / "v1.txt").write_text(text)
    (folder / "v2.txt").write_text(text.replace("decided", "voted"))
    added = {a.source: a for a in index.add(folder)}
    assert [n.source for n in added["docs/v2.txt"].near] == ["docs/v1.txt"]
    listed = {d.source: [n.source for n in d.near] for d in index.documents()}
    assert listed["docs/v1.txt"] == ["docs/v2.txt"]
    assert listed["docs/bees.txt"] == []


def test_a_bad_file_does_not_keep_the_others_out(index, folder):
    (folder / "bad.pdf").write_bytes(b"%PDF-1.7 but nothing more")
    (folder / "empty.txt").write_bytes(b"")
    added = {a.source: a for a in index.add(folder)}
    assert added["docs/bad.pdf"].outcome == added["docs/empty.txt"].outcome == "refused"
    assert added["docs/bad.pdf"].reason
    assert "\n" not in str(added["docs/bad.pdf"].reason)
    assert len(index.documents()) == len(PLAIN)
    assert index.check() == []


def test_a_path_that_is_not_there(index):
    with pytest.raises(UsageError, match="check the path"):
        index.add("nowhere")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read anything")
def test_a_file_without_rights_is_refused(index, folder):
    (folder / "bees.txt").chmod(0)
    assert outcomes(index.add(folder))["docs/bees.txt"] == "refused"


def test_removing(index, folder):
    index.add(folder)
    assert index.remove("docs/bees.txt").source == "docs/bees.txt"
    assert len(index.documents()) == 2
    assert all("bees" not in hit.text for hit in index.search("honey bees", k=9))
    with pytest.raises(UsageError, match="no document is called"):
        index.remove("docs/bees.txt")


@pytest.mark.parametrize("mode", ["fused", "lexical", "dense"])
def test_each_search_finds_the_right_passage(index, folder, mode):
    index.add(folder)
    hit = index.search("when does the night train leave Astana", k=1, mode=mode)[0]
    assert hit.source == "docs/trains.txt"
    assert (hit.lexical_rank is None) == (mode == "dense")
    assert (hit.vector_rank is None) == (mode == "lexical")
    document = index.show(hit.passage.document)
    assert document.text[hit.passage.start : hit.passage.end] == hit.text


def test_russian_is_stemmed(index, folder):
    index.add(folder)
    assert index.search("сколько стоят билеты в музее", k=1, mode="lexical")[0].source == "docs/музей.txt"


def test_search_says_what_is_wrong_with_a_call(index):
    for call in ({"query": "  "}, {"query": "x", "k": 0}, {"query": "x", "where": {"year": "2021"}}):
        with pytest.raises(UsageError):
            index.search(**call)
    assert index.search("anything at all") == []


def test_filters_reach_both_searches(index, folder):
    index.add(folder)
    assert {hit.source for hit in index.search("tenge tickets train bees", k=9, where={"language": "ru"})} == {
        "docs/музей.txt"
    }


def test_an_index_of_another_encoder_is_refused(index, encoder, tmp_path, monkeypatch):
    monkeypatch.setattr(encoder, "id", "another:0")
    with pytest.raises(WrongEncoderError, match="make a new index"):
        Index(tmp_path / "x.index", encoder)


def test_rebuilding_changes_nothing_that_is_found(index, folder, tmp_path):
    index.add(folder)
    before = index.search("train to Almaty")
    index.rebuild()
    assert index.search("train to Almaty") == before
    shutil.rmtree(tmp_path / "x.index" / "lexical")
    with Index(tmp_path / "x.index", index.encoder) as again:
        assert again.search("train to Almaty") == before


def test_memory_uploads_are_documents_too(index):
    assert index.add_bytes(b"A short note about glaciers and their slow retreat.", "note.txt").outcome == "added"
    assert index.add_bytes(b"A short note about glaciers and their fast retreat.", "note.txt").outcome == "updated"
    assert len(index.documents()) == 1


def test_the_database_is_the_only_truth(index, folder, tmp_path):
    index.add(folder)
    index.close()
    moved = tmp_path / "moved.index"
    moved.mkdir()
    shutil.copy(tmp_path / "x.index" / DATABASE, moved / DATABASE)
    with Index(moved, index.encoder) as again:
        assert again.search("night train", k=1)[0].source == "docs/trains.txt"


def test_fusion_by_hand():
    assert fuse([1, 2], [2, 3]) == [(2, 1 / 62 + 1 / 61), (1, 1 / 61), (3, 1 / 62)]
    assert fuse([5], [4]) == [(4, 1 / 61), (5, 1 / 61)]
    assert fuse() == []


def test_the_bands_are_those_that_datasketch_reckons():
    reckoned = MinHashLSH(threshold=NEAR, num_perm=PERMUTATIONS)
    assert (reckoned.b, reckoned.r) == BANDS
