"""A plain BM25, to have a known figure beside the product's own retrievers.

Robertson and Zaragoza, 2009, with Lucene's idf and the parameters that Anserini uses for its baselines (k1 0.9, b 0.4),
English stems and Lucene's short list of stop words.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from functools import cache

import numpy as np
from numpy.typing import NDArray

_STOP = frozenset(
    """a an and are as at be but by for if in into is it no not of on or such that the their then there these they
    this to was will with""".split()
)


class BM25:
    """An index of texts in memory, searched by words."""

    def __init__(self, texts: Mapping[str, str], k1: float = 0.9, b: float = 0.4) -> None:
        self._names = list(texts)
        terms = [Counter(words(text)) for text in texts.values()]
        lengths = np.array([sum(counts.values()) for counts in terms], dtype=np.float64)
        norm = k1 * (1 - b + b * lengths / max(float(lengths.mean()) if len(lengths) else 0.0, 1.0))
        postings: dict[str, tuple[list[int], list[int]]] = {}
        for number, counts in enumerate(terms):
            for word, times in counts.items():
                rows, found = postings.setdefault(word, ([], []))
                rows.append(number)
                found.append(times)
        self._weights: dict[str, tuple[NDArray[np.intp], NDArray[np.float64]]] = {}
        for word, (rows, found) in postings.items():
            idf = math.log(1 + (len(self._names) - len(rows) + 0.5) / (len(rows) + 0.5))
            at, times_ = np.array(rows, dtype=np.intp), np.array(found, dtype=np.float64)
            self._weights[word] = (at, idf * times_ / (times_ + norm[at]))

    def search(self, query: str, k: int = 100) -> dict[str, float]:
        """The names and scores of the best texts that share a word with the query.

        >>> BM25({"x": "grants of 2021", "y": "the museum"}).search("which grants?").keys()
        dict_keys(['x'])
        """
        scores = np.zeros(len(self._names))
        for word in words(query):
            if word in self._weights:
                at, weights = self._weights[word]
                scores[at] += weights
        best = np.argsort(-scores, kind="stable")[:k]
        return {self._names[number]: float(scores[number]) for number in best if scores[number] > 0}


def words(text: str) -> list[str]:
    """Lower-case stems without stop words.

    >>> words("The Grants of 2021")
    ['grant', '2021']
    """
    return [_stem(word) for word in re.findall(r"\w+", text.lower()) if word not in _STOP]


@cache
def _stem(word: str) -> str:
    import Stemmer

    return str(Stemmer.Stemmer("porter").stemWord(word))
