"""What is kept for each document, while many threads ask for more documents than are kept."""

from concurrent.futures import ThreadPoolExecutor

from rag import kept
from tests.conftest import document


def test_many_threads_share_what_is_kept(monkeypatch):
    monkeypatch.setattr(kept, "_MOST", 8)
    worked = []

    @kept.per_document
    def length(one):
        worked.append(one.id)
        return len(one.text)

    documents = [document("x" * n, f"{n}.txt") for n in range(1, 60)]
    with ThreadPoolExecutor(8) as pool:
        for found in pool.map(lambda n: length(documents[n % 59]), range(20_000)):
            assert 1 <= found <= 59
    worked.clear()
    assert [length(documents[0]), length(documents[0])] == [1, 1]
    assert len(worked) <= 1
