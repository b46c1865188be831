"""How long things take: ``pincite eval speed``. Medians with spread, all in one run, so that ratios hold."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

from eval.cases import read_cases
from index.lexical import LexicalIndex
from index.library import Index
from index.terms import STOP, content_terms, terms

SEED = 1


class Timing(NamedTuple):
    """Milliseconds of many repeats of one thing."""

    name: str
    times: tuple[float, ...]

    @property
    def p50(self) -> float:
        """The median."""
        return statistics.median(self.times)

    @property
    def p95(self) -> float:
        """What 19 of 20 stay under."""
        return sorted(self.times)[max(0, round(0.95 * len(self.times)) - 1)]


def timed(name: str, work: Callable[[], object], repeats: int) -> Timing:
    """Do something many times."""
    times = []
    for _ in range(repeats):
        start = perf_counter()
        work()
        times.append((perf_counter() - start) * 1000)
    return Timing(name, tuple(times))


def warm(documents: Sequence[Path], cases: Path, readers: Iterable[str]) -> list[Timing]:
    """Every question of a case file, asked of an index of some documents that is open already; by reader and stage."""
    from rag.assistant import READERS, Assistant

    questions = [case.question for case in read_cases(cases) if not case.history]
    found = []
    with tempfile.TemporaryDirectory() as folder, Index(Path(folder) / "speed.index") as index:
        index.add(documents)
        for reader in readers:
            assistant = Assistant(index, READERS[reader]())
            assistant.ask(questions[0])
            laps = [assistant.ask(question).timing_ms for question in questions]
            for stage in laps[-1]:
                found.append(Timing(f"ask, warm, {reader}: {stage}", tuple(lap.get(stage, 0.0) for lap in laps)))
        found.append(timed("search, warm", lambda: index.search(random.choice(questions)), 50))
    return found


def cold(documents: Sequence[Path], repeats: int) -> list[Timing]:
    """A command from a cold shell, in a process of its own."""
    pincite = shutil.which("pincite", path=str(Path(sys.executable).parent)) or "pincite"
    with tempfile.TemporaryDirectory() as folder:
        place = str(Path(folder) / "speed.index")
        with Index(Path(place)) as index:
            index.add(documents)
        question = "Who received grants in 2021?"
        return [
            timed(
                f"{command}, cold process",
                lambda command=command: subprocess.run(  # type: ignore[misc]  # noqa: S603  our own command
                    [pincite, command, question, "--index", place, "--json"],
                    check=True,
                    capture_output=True,
                    env=dict(os.environ),
                ),
                repeats,
            )
            for command in ("ask", "search")
        ]


def lexical_engines(documents: Path, count: int) -> list[Timing]:
    """tantivy and SQLite FTS5 on the same passages, made by shuffling the sentences of some documents."""
    chance = random.Random(SEED)
    with tempfile.TemporaryDirectory() as folder:
        with Index(Path(folder) / "speed.index") as index:
            index.add(documents)
            sentences = [
                document.text[start:end]
                for listed in index.documents()
                if (document := index.show(listed.id))
                for stored in index.engine.passages_of(document.id)
                for start, end in stored.passage.sentences
            ]
        vocabulary = sorted({t for s in sentences for t in content_terms(s)})
        # A word of its own in each passage gives the vocabulary the long tail that a real library has.
        passages = [" ".join(chance.choices(sentences, k=5)) + f" w{chance.randrange(count)}" for _ in range(count)]
        queries = [chance.sample([t for t in vocabulary if t not in STOP], 10) for _ in range(40)]
        tantivy = LexicalIndex(Path(folder) / "lexical", "speed")
        rows = list(enumerate(passages, 1))
        built = timed(f"tantivy: index {count:,} passages", lambda: tantivy.apply([("d", rows)], 1), 1)
        asked = iter(queries)
        found = timed(f"tantivy: ten terms, {count:,} passages", lambda: tantivy.search(next(asked), 100, None), 40)
        with sqlite3.connect(Path(folder) / "fts.sqlite") as db:
            db.execute("CREATE VIRTUAL TABLE f USING fts5(terms, tokenize='unicode61')")
            stemmed = [(n, " ".join(terms(text))) for n, text in rows]
            fts_built = timed(
                f"SQLite FTS5: index {count:,} passages, stemmed beforehand",
                lambda: db.executemany("INSERT INTO f (rowid, terms) VALUES (?, ?)", stemmed),
                1,
            )
            again = iter(queries)
            fts = timed(
                f"SQLite FTS5: ten terms, {count:,} passages",
                lambda: db.execute(
                    "SELECT rowid FROM f WHERE f MATCH ? ORDER BY bm25(f) LIMIT 100",
                    (" OR ".join(f'"{t}"' for t in next(again)),),
                ).fetchall(),
                40,
            )
        db.close()
    return [built, found, fts_built, fts]


def table(timings: Iterable[Timing]) -> str:
    """The timings as a Markdown table."""
    lines = ["| what | p50, ms | p95, ms | n |", "|---|---|---|---|"]
    lines += [f"| {t.name} | {t.p50:,.1f} | {t.p95:,.1f} | {len(t.times)} |" for t in timings]
    return "\n".join(lines)
