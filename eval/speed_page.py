"""What ``pincite eval speed`` writes: a part of the page of benchmarks, and the plot of growth in it."""

from __future__ import annotations

import math
import os
import platform
import re
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from eval.growth import Size, exponent
from eval.run import versions
from eval.speed import at_95, weights
from eval.speed_run import Measured
from eval.table import put_between

BEGIN, END = "<!-- speed:begin -->", "<!-- speed:end -->"
WARM = 100_000  # passages of the library whose warm answers the aim is for
_COLOURS = ("#0b5cad", "#b34700", "#1a7f37", "#8250df")
_TOLD = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8")


class _Line(NamedTuple):
    name: str
    unit: str
    of: Callable[[Size], float]


_LINES = (
    _Line("vectors: the 100 nearest", "ms", lambda size: size.seen.dense.worked),
    _Line("terms: the 100 best", "ms", lambda size: size.seen.lexical.worked),
    _Line("an answer", "ms", lambda size: size.seen.ask.worked),
    _Line("opening", "ms", lambda size: size.seen.opening.worked),
)


def write(measured: Measured, docs: Path, plot: Path) -> list[Path]:
    """Write the plot, and the section between its markers of the page.

    Raises:
        UsageError: the page has no markers.
    """
    plot.parent.mkdir(parents=True, exist_ok=True)
    put_between(docs, BEGIN, END, section(measured, Path(os.path.relpath(plot, docs.parent)).as_posix()))
    plot.write_text(svg(measured.sizes), encoding="utf-8")
    return [docs, plot]


def section(measured: Measured, plot: str) -> str:
    """The section of the page."""
    sizes = measured.sizes
    lines = ["## Speed", "", _about(measured), ""]
    lines += ["| figure | measured | processor time | aim |", "|---|---|---|---|", *_figures(measured), ""]
    lines += [_METHOD, "", "### Growth", "", f"![Growth with the number of passages]({plot})", ""]
    lines += [*_growth(sizes), "", "### An answer by stage", "", *_stages(sizes), ""]
    if measured.lexical:
        tantivy, fts = measured.lexical
        lines += [
            f"A search for ten terms takes tantivy {_ms(tantivy.worked)} and SQLite's FTS5 {_ms(fts.worked)} (p50,"
            " processor time).",
            "",
        ]
    return "\n".join([*lines, "### Where the limits are", "", *_limits(measured)])


def _about(measured: Measured) -> str:
    known = ", ".join(f"{name} {version}" for name, version in versions().items())
    before, after = measured.load
    return (
        f"Made by `pincite eval speed` in one run on {os.cpu_count()} cores ({_processor()}), with other work beside"
        f" it: a load of {before:.0f} to {after:.0f}. *Processor time* is what the work itself took, and on an"
        f" idle machine, where it takes less, the clock shows no more where one thread works. With {known}."
    )


_METHOD = (
    "Passages are sentences of the demo and practice documents, recombined by seeded chance: four and a word of its own"
    " to a passage, ten passages to a document. To encode a million takes hours here, so a recombined passage's vector"
    " is the mean of its sentences' own (real) vectors, with noise of 0.3 of its length; SQLite, FAISS and tantivy are"
    " the real thing. The questions are those of our own cases. Recall is against looking at every vector; the same"
    " questions are answered from both. *Open* is the first search in a new process: every row checked, vectors and"
    " terms ready; *once more* in the next one, when the files lie in memory. Memory is the process's own,"
    " files that it maps included: at the end, and the most that it was."
)


def _figures(measured: Measured) -> list[str]:
    encoding, adding = measured.encoding, measured.adding
    rows = [
        f"| encoding against `SentenceTransformer.encode` | {encoding.ratio:.2f}× ({_range(encoding.ours)} against"
        f" {_range(encoding.theirs)} passages a second) |"
        f" {encoding.ours_worked / encoding.theirs_worked:.2f}× | ≥ 3× |",
        f"| adding {adding.files} files again, 1% of them changed, against the first time | {adding.share:.1%}"
        f" ({_range(adding.again)} s of {adding.full:.1f} s) | | ≤ 3% |",
    ]
    if measured.sizes:
        smallest = measured.sizes[0]
        for timing, aim in zip(smallest.cold, ("0.8", "1.2"), strict=True):
            rows.append(
                f"| `pincite {timing.name}`, cold process, {smallest.passages:,} passages | {timing.p50 / 1000:.2f} s |"
                f" {timing.worked / 1000:.2f} s | ≤ {aim} s |"
            )
    warm = next((size for size in measured.sizes if size.passages == WARM), None)
    if warm:
        ask = warm.seen.ask
        rows.append(
            f"| a warm answer, {WARM:,} passages, p50 / p95 | {ask.p50:.0f} / {ask.p95:.0f} ms |"
            f" {ask.worked:.0f} / {at_95(ask.cpu):.0f} ms | ≤ 120 / 300 ms |"
        )
    for size in measured.sizes[-1:]:
        seen = size.seen
        held, most = (megabytes / 1000 for megabytes in seen.megabytes)
        title = f"{size.passages:,} passages"
        rows += [
            f"| {title}: search by vector, p50 | {_ms(seen.dense.p50)} | {_ms(seen.dense.worked)} | ≤ 25 ms |",
            f"| {title}: recall@10 | {_recall(size)} | | ≥ 0.99 |",
            f"| {title}: answers that are the same | {_same(size)} | | |",
            f"| {title}: memory, at the end and at most | {held:.2f} / {most:.2f} GB | | ≤ 2.5 GB |",
            f"| {title}: open, none of it in memory | {seen.opening.p50 / 1000:.1f} s |"
            f" {seen.opening.worked / 1000:.1f} s | ≤ 10 s |",
        ]
        if size.exact:
            again = size.exact.opening
            rows.append(
                f"| {title}: open, once more | {again.p50 / 1000:.1f} s | {again.worked / 1000:.1f} s | ≤ 10 s |"
            )
    return rows


def _recall(size: Size) -> str:
    """Up to the size from which short codes are used there is nothing to compare."""
    return f"{size.recall:.4f}" if size.exact else "every vector is looked at"


def _same(size: Size) -> str:
    return f"{size.same_answers:.1%}" if size.exact else "all, by that"


def _growth(sizes: Sequence[Size]) -> list[str]:
    head = "| passages | vectors | terms | search | an answer, p50 / p95 | open | memory | recall@10 | same answers |"
    lines = [
        "Processor time of one question (p50), and opening by the same:",
        "",
        head,
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for size in sizes:
        seen = size.seen
        lines.append(
            f"| {size.passages:,} | {_ms(seen.dense.worked)} | {_ms(seen.lexical.worked)} | {_ms(seen.search.worked)} |"
            f" {seen.ask.worked:.0f} / {at_95(seen.ask.cpu):.0f} ms | {seen.opening.worked / 1000:.1f} s |"
            f" {seen.megabytes[0]:,.0f} MB | {_recall(size)} | {_same(size)} |"
        )
    if len(sizes) > 1:
        counts = [size.passages for size in sizes]
        slopes = [f"{line.name} {exponent(counts, [line.of(size) for size in sizes]):.2f}" for line in _LINES]
        slopes.append(f"memory {exponent(counts, [size.seen.megabytes[0] for size in sizes]):.2f}")
        lines += ["", f"As a power of the number of passages: {', '.join(slopes)}."]
    return lines


def _stages(sizes: Sequence[Size]) -> list[str]:
    lines = ["| passages | stage | p50 | p95 |", "|---|---|---|---|"]
    for size in sizes[-2:]:
        names = dict.fromkeys(stage for answer in size.seen.stages for stage in answer)
        for stage in names:
            times = [answer.get(stage, 0.0) for answer in size.seen.stages]
            lines.append(f"| {size.passages:,} | {stage} | {_ms(statistics.median(times))} | {_ms(at_95(times))} |")
    return [*lines, "", "By the clock, other work included."]


def _limits(measured: Measured) -> list[str]:
    encoding = measured.encoding
    most = encoding.peak * 1e9 / encoding.flops
    lines = [
        f"- **Encoding**: a passage takes {encoding.flops / 1e9:.2f} GFLOP. A product of large matrices, the best that"
        f" a core can do in float32, came to {encoding.peak:.0f} GFLOP/s of processor time in the same run: {most:.0f}"
        f" passages a second and core at most. Ours reaches {encoding.ours_worked:.1f}"
        f" ({encoding.ours_worked / most:.0%}), sentence-transformers {encoding.theirs_worked:.1f}"
        f" ({encoding.theirs_worked / most:.0%}): in float32 nothing can be more than"
        f" {most / encoding.theirs_worked:.1f}× as fast as it.",
    ]
    if measured.sizes:
        size = measured.sizes[-1]
        every = size.exact or size.seen
        lines.append(
            f"- **Vectors**: looking at each of {size.passages:,} reads {size.passages * 768 / 1e6:,.0f} MB in"
            f" {_ms(every.dense.worked)}; short codes are {size.passages * 48 / 1e6:,.0f} MB."
        )
        vectors, terms, search = (timing.worked for timing in (size.seen.dense, size.seen.lexical, size.seen.search))
        least = measured.sizes[0].seen.search.worked
        lines.append(
            f"- **A search** of {size.passages:,} takes {_ms(search)}: {_ms(vectors)} for vectors, {_ms(terms)} for"
            f" terms. Of a thousand passages it takes {_ms(least)}, most of them for the question's own vector, for"
            f" which {weights() * 4 / 1e6:.0f} MB of weights are read. Every system with these weights pays for that,"
            " so that none is three times as fast as one that does little else ([peers](peers.md))."
        )
        each = every.opening.worked * 1000 / size.passages
        held, took = size.disk
        lines.append(
            f"- **Opening** reads and checks every row of SQLite, {each:.1f} µs of a core for each passage, on two"
            " cores past 50,000 passages: that nothing is lost or changed is known before anything is answered."
            f" To read its {held / 1e9:.2f} GB from this disk took {took:.1f} s in the same run"
            f" ({held / took / 1e6:,.0f} MB/s): where none of it lies in memory, opening takes that at least."
        )
    return lines


def svg(sizes: Sequence[Size]) -> str:
    """The processor time of each part against the number of passages, both as logarithms."""
    counts = [size.passages for size in sizes]
    values = [[max(line.of(size), 0.01) for size in sizes] for line in _LINES]
    left = math.floor(math.log10(min(counts)))
    right = max(math.ceil(math.log10(max(counts))), left + 1)
    low = math.floor(math.log10(min(min(row) for row in values)))
    high = math.ceil(math.log10(max(max(row) for row in values)))

    def place(count: float, value: float) -> tuple[float, float]:
        across = (math.log10(count) - left) / (right - left)
        up = (math.log10(value) - low) / max(high - low, 1)
        return 80 + 480 * across, 340 - 310 * up

    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 800 400" width="800" height="400"'
        ' font-family="system-ui, sans-serif" font-size="13" role="img">',
        "<title>Processor time of each part against the number of passages</title>",
        '<rect width="800" height="400" fill="#fff"/>',
    ]
    for power in range(left, right + 1):
        x, _ = place(10**power, 10**low)
        parts.append(f'<path d="M{x:.0f} 30V340" stroke="#d0d7de"/>')
        parts.append(f'<text x="{x:.0f}" y="360" text-anchor="middle">{10**power:,}</text>')
    for power in range(low, high + 1):
        _, y = place(10**left, 10**power)
        parts.append(f'<path d="M80 {y:.0f}H560" stroke="#d0d7de"/>')
        parts.append(f'<text x="72" y="{y + 4:.0f}" text-anchor="end">{_power(power)}</text>')
    parts.append('<text x="320" y="386" text-anchor="middle">passages</text>')
    ends = _apart([place(counts[-1], row[-1])[1] for row in values])
    for colour, line, row, end in zip(_COLOURS, _LINES, values, ends, strict=True):
        points = [place(count, value) for count, value in zip(counts, row, strict=True)]
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        parts.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>' for x, y in points]
        parts.append(f'<text x="{points[-1][0] + 10:.0f}" y="{end + 4:.0f}" fill="{colour}">{line.name}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _power(power: int) -> str:
    """Ten to some power of milliseconds, in words.

    >>> _power(-1), _power(2), _power(4)
    ('0.1 ms', '100 ms', '10 s')
    """
    return f"{10.0**power:g} ms" if power < 3 else f"{10 ** (power - 3):,} s"


def _apart(heights: Sequence[float], least: float = 17) -> list[float]:
    """The same heights, moved down where they are too near for a line of text each."""
    moved: dict[int, float] = {}
    at = -math.inf
    for number in sorted(range(len(heights)), key=heights.__getitem__):
        at = max(heights[number], at + least)
        moved[number] = at
    return [moved[number] for number in range(len(heights))]


def _processor() -> str:
    """What the processor calls itself, and what it can do with vectors."""
    info = Path("/proc/cpuinfo")
    text = info.read_text(encoding="utf-8") if info.exists() else ""
    name = re.search(r"model name\s*: (.+)", text)
    flags = set(text.partition("flags")[2].partition("\n")[0].split())
    has = [flag for flag in _TOLD if flag in flags]
    return ", ".join([name[1].strip() if name else platform.machine(), *has])


def _range(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.1f} [{min(values):.1f}–{max(values):.1f}]"


def _ms(value: float) -> str:
    return f"{value:.1f} ms" if value < 100 else f"{value:,.0f} ms"
