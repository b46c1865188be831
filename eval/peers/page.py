"""The page of results: every figure, the best of each row in bold, with versions and settings."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from eval.peers.results import Cell, Results, Row

_HEAD = """# Beside other systems

Made by `python -m eval.peers run`, which fills `docs/peers.json`; nothing here is written by hand. Every system runs
in an environment of its own (`python -m eval.peers setup`), with the same passages, the same ids and the same weights,
all-MiniLM-L6-v2. The best of each row is bold, whoever it is. Brackets are 95% intervals of means, or quartiles of
medians.
"""


def write(results: Results, path: Path) -> None:
    """Write the page."""
    path.write_text(page(results), encoding="utf-8")


def page(results: Results) -> str:
    """The page as Markdown."""
    parts = [_HEAD]
    for trial, told in results.settings.items():
        rows = [row for row in results.rows if row.trial == trial]
        parts.append(f"## {_TITLES.get(trial, trial)}\n\n{_sentences(told)}\n\n{table(rows)}\n")
    parts.append("## Versions and settings\n")
    lines = ["| system | versions | settings |", "|---|---|---|"]
    for title, setting in results.systems.items():
        versions = ", ".join(f"{name} {version}" for name, version in results.versions.get(title, {}).items())
        lines.append(f"| {title} | {versions} | {setting} |")
    parts.append("\n".join(lines) + "\n")
    if results.skipped:
        parts.append("## Left out\n")
        parts.append("\n".join(f"- {title}: {why}" for title, why in results.skipped.items()) + "\n")
    if waiting := [title for trial, title in _TITLES.items() if trial not in results.settings]:
        parts.append("## Not measured yet\n")
        parts.append("\n".join(f"- {title}" for title in waiting) + "\n")
    return "\n".join(parts)


_TITLES = {
    "quotes": "Changed quotes",
    "adding": "Adding",
    "scifact": "Retrieval and warm search on SciFact",
    "large": "Warm search in a large library",
    "cold": "A search from a cold shell",
}


def table(rows: Iterable[Row]) -> str:
    """Rows as Markdown, one column for each system."""
    rows = list(rows)
    titles = list(dict.fromkeys(title for row in rows for title in row.cells))
    lines = [f"| | {' | '.join(titles)} |", "|---|" + "---|" * len(titles)]
    for row in rows:
        best = row.best()
        cells = [_cell(row.cells.get(title), bold=title in best) for title in titles]
        lines.append(f"| {row.measure}{f', {row.unit}' if row.unit else ''} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(cell: Cell | None, *, bold: bool) -> str:
    if cell is None:
        return ""
    value = f"**{shown(cell.value)}**" if bold else shown(cell.value)
    return value if cell.low is None or cell.high is None else f"{value} [{shown(cell.low)}, {shown(cell.high)}]"


def shown(value: float) -> str:
    """Three figures, or all of a large number; one of a very small one.

    >>> [shown(0.12345), shown(12.345), shown(12345.6), shown(0.00021), shown(0.0)]
    ['0.123', '12.3', '12,346', '0.0002', '0']
    """
    if abs(value) >= 100:
        return f"{value:,.0f}"
    if abs(value) >= 1:
        return f"{value:.3g}"
    return f"{value:.3f}" if abs(value) >= 0.001 else f"{value:.1g}"


def _sentences(told: Iterable[str]) -> str:
    return " ".join(f"{text[0].upper()}{text[1:]}." for text in told)
