"""The index of vectors: what a large one finds against looking at every vector, while it changes, too."""

import threading

import numpy as np
import pytest

from index.encode import unit
from index.vectors import VectorIndex

DIM = 384
NONE = np.zeros(0, np.int64)


def cloud(count, seed=1):
    """Unit vectors that lie as those of passages do: sums of a few shared directions, and a little of their own."""
    directions = np.random.default_rng(1).normal(size=(2_000, DIM)).astype(np.float32)
    chance = np.random.default_rng(seed)
    rows = sum(directions[chance.integers(2_000, size=count)] for _ in range(4))
    return unit(rows + 0.3 * chance.normal(size=(count, DIM)).astype(np.float32))


@pytest.fixture(scope="module")
def vectors():
    return cloud(8_000).astype(np.float16)


@pytest.fixture
def pair(vectors):
    """A large index and an exact one, of the same vectors under the keys 1, 2, …"""
    keys = np.arange(1, len(vectors) + 1)
    both = VectorIndex(DIM, large=4_000), VectorIndex(DIM)
    for index in both:
        index.change(NONE, [(keys, vectors)])
        index.settle()
    yield both
    for index in both:
        index.close()


def keys_of(found):
    return [key for key, _ in found]


def recall(large, exact, k=10, queries=100):
    shared = [
        len(set(keys_of(large.search(query, k, None))) & set(keys_of(exact.search(query, k, None))))
        for query in cloud(queries, seed=2)
    ]
    return sum(shared) / (k * queries)


def test_a_large_index_finds_what_the_exact_one_finds_with_the_same_scores(pair):
    large, exact = pair
    assert large.is_coded
    assert not exact.is_coded
    assert recall(large, exact) >= 0.99
    for query in cloud(5, seed=3):
        scores = dict(exact.search(query, len(exact), None))
        for key, score in large.search(query, 10, None):
            assert score == scores[key]


def test_filters_are_exact_at_any_size(pair):
    large, exact = pair
    for query, share in zip(cloud(9, seed=4), (1, 7, 200) * 3, strict=True):
        allowed = np.arange(1, 8_001, share)
        assert large.search(query, 10, allowed) == exact.search(query, 10, allowed)
    assert large.search(cloud(1)[0], 10, NONE) == []
    assert large.search(cloud(1)[0], 10, np.array([999_999])) == []


def test_what_is_removed_is_gone_and_what_is_added_is_found_at_once(pair, vectors):
    large, _ = pair
    for key in (1, 500, 8_000):
        query = vectors[key - 1]
        assert keys_of(large.search(query, 1, None)) == [key]
        large.change(np.array([key]), [])
        assert key not in keys_of(large.search(query, 100, None))
        assert key not in keys_of(large.search(query, 10, np.array([key, 7])))
    assert large.is_coded
    assert len(large) == 7_997
    large.change(NONE, [(np.array([9_001]), vectors[:1])])
    assert keys_of(large.search(vectors[0], 1, None)) == [9_001]
    large.change(np.array([9_001]), [(np.array([9_001]), vectors[500:501])])  # the same key with another vector
    assert keys_of(large.search(vectors[500], 2, None)) == [501, 9_001]
    assert large.search(vectors[0], 1, np.array([9_001]))[0][1] < 0.99


def test_places_are_given_back_and_codes_made_anew_when_much_is_removed(pair, vectors):
    large, exact = pair
    for index in pair:
        index.change(np.arange(1, 3_001), [])
        index.change(NONE, [(np.arange(50_001, 50_101), vectors[:100])])
    large.settle()
    assert large.is_coded
    assert len(large) == len(exact) == 5_100
    assert recall(large, exact) >= 0.99
    large.change(np.arange(3_001, 8_001), [])
    large.settle()
    assert not large.is_coded
    assert sorted(keys_of(large.search(vectors[0], 200, None))) == list(range(50_001, 50_101))


def test_it_is_searched_rightly_while_it_changes_and_codes_are_made(vectors):
    large = VectorIndex(DIM, large=1_000)
    large.change(NONE, [(np.arange(1, 3_001), vectors[:3_000])])
    wrong: list[object] = []
    stop = threading.Event()

    def ask():
        while not stop.is_set():
            found = large.search(vectors[0], 10, None)
            if not found or found[0][0] != 1 or len(found) != 10:
                wrong.append(found)

    askers = [threading.Thread(target=ask) for _ in range(2)]
    for thread in askers:
        thread.start()
    for at in range(3_000, 8_000, 500):
        large.change(np.arange(at - 999, at - 499), [(np.arange(at + 1, at + 501), vectors[at : at + 500])])
    stop.set()
    for thread in askers:
        thread.join()
    large.settle()
    assert not wrong
    assert large.is_coded
    large.close()
