"""How long things take: ``pincite eval speed``. All in one run, side by side, with medians and spread.

Each thing is timed twice over: by the clock, which other work on the machine slows down, and by the time that
processors spent on it, which is what the clock shows on an idle machine where one thread does the work.
"""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from eval.recombine import Pool
from index.encode import Encoder, default_model, tokenizer
from index.lexical import LexicalIndex
from index.library import Index
from index.terms import STOP, content_terms

COMMANDS = ("search", "ask")
_QUESTION = "Who received grants in 2021?"


class Timing(NamedTuple):
    """Milliseconds of many repeats of one thing, by the clock and by processor."""

    name: str
    wall: tuple[float, ...]
    cpu: tuple[float, ...]

    @property
    def p50(self) -> float:
        """The median by the clock."""
        return statistics.median(self.wall)

    @property
    def p95(self) -> float:
        """What 19 of 20 stay under, by the clock."""
        return at_95(self.wall)

    @property
    def worked(self) -> float:
        """The median of processor time."""
        return statistics.median(self.cpu)


def at_95(values: Sequence[float]) -> float:
    """What 19 of 20 stay under."""
    return sorted(values)[max(0, round(0.95 * len(values)) - 1)]


def spent() -> float:
    """Seconds of processor time of this process and of those that it waited for."""
    return sum(
        use.ru_utime + use.ru_stime for use in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def timed(name: str, work: Sequence[Callable[[], object]]) -> Timing:
    """Do some things of one kind, one after the other."""
    wall, cpu = [], []
    for one in work:
        start, before = perf_counter(), spent()
        one()
        wall.append((perf_counter() - start) * 1000)
        cpu.append((spent() - before) * 1000)
    return Timing(name, tuple(wall), tuple(cpu))


class Encoding(NamedTuple):
    """Passages a second, round for round: ours, and of the library that the model comes from.

    Attributes:
        ours_worked, theirs_worked: passages for each second of processor time, best of all rounds.
        flops: floating-point operations for a passage.
        peak: billions of operations for each second of processor time of a product of large matrices, the best.
    """

    ours: tuple[float, ...]
    theirs: tuple[float, ...]
    ours_worked: float
    theirs_worked: float
    flops: float
    peak: float

    @property
    def ratio(self) -> float:
        """How much faster ours is by the clock, by the medians."""
        return statistics.median(self.ours) / statistics.median(self.theirs)


def encoding(encoder: Encoder, texts: Sequence[str], rounds: int) -> Encoding:
    """Encode the same texts with ours and with sentence-transformers, in turn, all cores for each."""
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of packages that it loads
        from sentence_transformers import SentenceTransformer

        reference = SentenceTransformer(str(default_model()), device="cpu")
    large = torch.rand(1536, 1536)
    works: dict[str, Callable[[], object]] = {
        "ours": lambda: encoder.encode(texts),
        "theirs": lambda: reference.encode(list(texts), normalize_embeddings=True, show_progress_bar=False),
        "peak": lambda: torch.mm(large, large),
    }
    encoder.encode(texts[:8])
    reference.encode(list(texts[:8]), show_progress_bar=False)
    rows: dict[str, list[Timing]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            rows[name].append(timed(name, [work]))
    wall = {name: tuple(len(texts) / one.p50 * 1000 for one in timings) for name, timings in rows.items()}
    least = {name: min(one.worked for one in timings) / 1000 for name, timings in rows.items()}
    return Encoding(
        wall["ours"],
        wall["theirs"],
        len(texts) / least["ours"],
        len(texts) / least["theirs"],
        _flops(texts),
        2 * large.shape[0] ** 3 / least["peak"] / 1e9,
    )


def _seconds(work: Callable[[], object]) -> float:
    return timed("", [work]).p50 / 1000


def weights() -> int:
    """How many weights the encoder's layers hold: each word piece is multiplied with each of them."""
    config = _config()
    width, inner = config["hidden_size"], config["intermediate_size"]
    return int(config["num_hidden_layers"] * (4 * width * width + 2 * width * inner))


def _flops(texts: Sequence[str]) -> float:
    """Operations for a text: two for each weight and word piece, and four widths for each pair of pieces of a layer."""
    config = _config()
    encodings = tokenizer(default_model()).encode_batch(list(texts))
    pieces = np.array([sum(encoding.attention_mask) for encoding in encodings], np.float64)
    pairs = 4 * config["num_hidden_layers"] * config["hidden_size"]
    return float(np.mean(2 * weights() * pieces + pairs * pieces**2))


def _config() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((default_model() / "config.json").read_text(encoding="utf-8"))
    return found


class Adding(NamedTuple):
    """Seconds to add a folder, and to add it again when one file in a hundred has changed."""

    files: int
    full: float
    again: tuple[float, ...]

    @property
    def share(self) -> float:
        """The median of the second against the first."""
        return statistics.median(self.again) / self.full


def adding(encoder: Encoder, made_of: Pool, files: int, repeats: int) -> Adding:
    """Add a folder of texts made of a pool of sentences; then change one in a hundred, and add it again."""
    chance = random.Random(1)

    def write(number: int) -> None:
        paragraphs = (" ".join(chance.sample(made_of.sentences, 5)) for _ in range(3))
        (folder / f"{number:05}.txt").write_text("\n\n".join(paragraphs), encoding="utf-8")

    again = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "texts"
        folder.mkdir()
        for number in range(files):
            write(number)
        with Index(Path(place) / "speed.index", encoder) as index:
            full = _seconds(lambda: index.add(folder))
            for _ in range(repeats):
                for number in chance.sample(range(files), max(1, files // 100)):
                    write(number)
                again.append(_seconds(lambda: index.add(folder)))
    return Adding(files, full, tuple(again))


def cold(place: Path, repeats: int) -> list[Timing]:
    """Each command from a cold shell, in a process of its own; the processor time is that process's."""
    pincite = shutil.which("pincite", path=str(Path(sys.executable).parent)) or "pincite"

    def call(command: str) -> None:
        subprocess.run(  # noqa: S603  our own command
            [pincite, command, _QUESTION, "--index", str(place), "--json"],
            check=True,
            capture_output=True,
            env=os.environ | {"PYTHONDONTWRITEBYTECODE": ""},  # who has asked before has compiled it
        )

    return [timed(command, [lambda command=command: call(command)] * repeats) for command in COMMANDS]  # type: ignore[misc]


def lexical_engines(made_of: Pool, count: int) -> list[Timing]:
    """tantivy and SQLite FTS5 on the same passages: a search for ten terms."""
    import sqlite3

    from index.terms import terms

    chance = random.Random(1)
    vocabulary = sorted({term for sentence in made_of.sentences for term in content_terms(sentence)} - STOP)
    # A word of its own in each passage gives the vocabulary the long tail that a real library has.
    passages = [" ".join(chance.choices(made_of.sentences, k=5)) + f" w{chance.randrange(count)}" for _ in range(count)]
    queries = [chance.sample(vocabulary, 10) for _ in range(40)]
    with tempfile.TemporaryDirectory() as folder:
        tantivy = LexicalIndex(Path(folder) / "lexical", "speed")
        tantivy.apply([("d", enumerate(passages, 1))], 1)
        found = timed("tantivy", [lambda q=query: tantivy.search(q, 100, None) for query in queries])  # type: ignore[misc]
        tantivy.close()
        db = sqlite3.connect(Path(folder) / "fts.sqlite")
        db.execute("CREATE VIRTUAL TABLE f USING fts5(terms, tokenize='unicode61')")
        rows = ((n, " ".join(terms(text))) for n, text in enumerate(passages, 1))
        db.executemany("INSERT INTO f (rowid, terms) VALUES (?, ?)", rows)
        ask = "SELECT rowid FROM f WHERE f MATCH ? ORDER BY bm25(f) LIMIT 100"
        fts = timed(
            "SQLite FTS5",
            [
                lambda q=query: db.execute(ask, (" OR ".join(f'"{term}"' for term in q),)).fetchall()  # type: ignore[misc]
                for query in queries
            ],
        )
        db.close()
    return [found, fts]
