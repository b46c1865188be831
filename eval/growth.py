"""How search, answers, memory and opening grow with a library: the same questions at each size.

Each size is measured in a process of its own, so that its memory is the library's; a large library is searched a second
time by looking at every vector, which tells what short codes miss.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from time import perf_counter
from typing import NamedTuple, TypeVar

from eval.recombine import Pool, grow
from eval.speed import Timing, cold, spent
from index.encode import Encoder
from index.engine import LocalEngine
from index.library import Index
from index.terms import content_terms
from index.vectors import LARGE

T = TypeVar("T")
TOP = 10
_EVERY = 1 << 62  # no library has so many passages: each vector is looked at


class Probe(NamedTuple):
    """What one process saw of a library.

    Attributes:
        opening: of the first search in it: everything checked, vectors and terms ready.
        megabytes: memory when all was done, and the most that it ever was.
        nearest: for each question the keys of the nearest vectors.
        answers: for each question that was asked, the answer's text.
        stages: of each question that was asked, the milliseconds by stage.
    """

    opening: Timing
    megabytes: tuple[float, float]
    dense: Timing
    lexical: Timing
    search: Timing
    ask: Timing
    nearest: tuple[tuple[int, ...], ...]
    answers: tuple[str, ...]
    stages: tuple[dict[str, float], ...]


class Size(NamedTuple):
    """A library of so many passages.

    Attributes:
        seen: what was seen of it, when nothing of it lay in memory.
        exact: what the same gives with every vector looked at, opened after that; ``None`` where it is the same.
        cold: of each command, in a process of its own.
        disk: how many bytes its files have, and how many seconds it took to read them once, with nothing in memory.
    """

    passages: int
    seen: Probe
    exact: Probe | None
    cold: list[Timing]
    disk: tuple[int, float]

    @property
    def recall(self) -> float:
        """The share of the ten nearest vectors that are found."""
        if self.exact is None:
            return 1.0
        pairs = zip(self.seen.nearest, self.exact.nearest, strict=True)
        return sum(len(set(got) & set(there)) for got, there in pairs) / (TOP * len(self.seen.nearest))

    @property
    def same_answers(self) -> float:
        """The share of questions whose answer is the same word for word."""
        if self.exact is None:
            return 1.0
        pairs = list(zip(self.seen.answers, self.exact.answers, strict=True))
        return sum(one == other for one, other in pairs) / len(pairs)


def measure(
    folder: Path,
    encoder: Encoder,
    made_of: Pool,
    sizes: Sequence[int],
    questions: Sequence[str],
    tell: Callable[[str], None] = lambda _: None,
    repeats: int = 3,
) -> list[Size]:
    """Make a library of each size, and ask it all questions; then each command so often, cold.

    Args:
        folder: where libraries are kept; one that is there already is taken, and a half-made one made whole.
        encoder, made_of: what they are made by and from.
        sizes: in passages.
        questions: what is asked.
        tell: is told what is being done.
        repeats: how often each command is called.
    """
    found: list[Size] = []
    before: Path | None = None
    for size in sorted(sizes):
        place = folder / f"library-{size}.index"
        if before and not place.exists():
            shutil.copytree(before, place)
        engine = LocalEngine(place, encoder.id, encoder.dim)
        _, held = engine.store.counts()
        if held < size:
            tell(f"making {size:,} passages")
            grow(engine, made_of, held, size)
        engine.close()
        tell(f"measuring {size:,} passages")
        disk = _from_disk(place)
        _forget(place)
        seen = apart(place, questions, LARGE)
        exact = apart(place, questions, _EVERY) if size > LARGE else None
        found.append(Size(size, seen, exact, cold(place, repeats), disk))
        before = place
    return found


def _forget(place: Path) -> None:
    """Have the system forget what it holds in memory of all files in a folder."""
    for path in _files(place):
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _from_disk(place: Path) -> tuple[int, float]:
    """See `Size.disk`."""
    _forget(place)
    start, held = perf_counter(), 0
    for path in _files(place):
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                held += len(block)
    return held, perf_counter() - start


def _files(place: Path) -> list[Path]:
    return [path for path in sorted(place.rglob("*")) if path.is_file()]


def apart(place: Path, questions: Sequence[str], large: int) -> Probe:
    """`probe` in a process of its own."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(probe, place, questions, large).result()


def probe(place: Path, questions: Sequence[str], large: int) -> Probe:
    """Open a library and ask it each question: the nearest vectors, a search for terms, a search, an answer."""
    from rag.assistant import READERS, Assistant
    from rag.learned import Trained

    encoder = Encoder()
    index = Index(place, encoder)
    index.engine.close()
    engine = LocalEngine(place, encoder.id, encoder.dim, large)
    index.engine = engine
    rows = encoder.encode(questions)
    laps = _Laps()
    laps("opening", lambda: engine.dense(rows[0], TOP, {}))
    engine.settle()
    assistant = Assistant(index, READERS[Trained.name]())
    assistant.ask(questions[0])
    nearest, answers, stages = [], [], []
    for question, row in zip(questions, rows, strict=True):
        near = laps("dense", lambda row=row: engine.dense(row, 100, {}))  # type: ignore[misc]
        nearest.append(tuple(key for key, _ in near[:TOP]))
        laps("lexical", lambda q=question: engine.lexical(content_terms(q), 100, {}))  # type: ignore[misc]
        laps("search", lambda q=question: index.search(q))  # type: ignore[misc]
        answer = laps("ask", lambda q=question: assistant.ask(q))  # type: ignore[misc]
        answers.append(answer.text)
        stages.append(dict(answer.timing_ms))
    memory = (_memory("VmRSS"), _memory("VmHWM"))
    index.close()
    return Probe(
        laps.of("opening"),
        memory,
        laps.of("dense"),
        laps.of("lexical"),
        laps.of("search"),
        laps.of("ask"),
        tuple(nearest),
        tuple(answers),
        tuple(stages),
    )


class _Laps:
    """Times of things of several kinds, done in turn."""

    def __init__(self) -> None:
        self._times: dict[str, list[tuple[float, float]]] = {}

    def __call__(self, name: str, work: Callable[[], T]) -> T:
        start, before = perf_counter(), spent()
        done = work()
        self._times.setdefault(name, []).append(((perf_counter() - start) * 1000, (spent() - before) * 1000))
        return done

    def of(self, name: str) -> Timing:
        wall, cpu = zip(*self._times[name], strict=True)
        return Timing(name, wall, cpu)


def _memory(of: str) -> float:
    """Megabytes of this process's memory, as Linux tells it: what is held, or the most that was."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(of))


def exponent(sizes: Sequence[int], values: Sequence[float]) -> float:
    """The slope of a line through the logarithms, by least squares: 1 is in step with the size, 0 is not at all.

    >>> round(exponent([10, 100, 1000], [2, 20, 200]), 6)
    1.0
    """
    xs, ys = [math.log(size) for size in sizes], [math.log(value) for value in values]
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    along = sum((x - mean_x) ** 2 for x in xs)
    return sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True)) / along
