"""What was measured, as ``docs/peers.json`` keeps it; each trial replaces its own rows and leaves the others."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from index.errors import UsageError
from index.models import Model


class Cell(Model):
    """A figure, with the quartiles of what it is the median of where it is one."""

    value: float
    low: float | None = None
    high: float | None = None
    n: int = 1


class Row(Model):
    """One measure for each system that it could be taken of.

    Attributes:
        trial: which step measured it.
        better: whether more is better, or less.
    """

    trial: str
    measure: str
    unit: str = ""
    better: Literal["more", "less"]
    cells: dict[str, Cell]

    def best(self) -> set[str]:
        """The systems with the best value, as it is shown."""
        shown = {name: float(f"{cell.value:.3g}") for name, cell in self.cells.items()}
        best = (max if self.better == "more" else min)(shown.values())
        return {name for name, value in shown.items() if value == best}


class Results(Model):
    """Everything measured so far.

    Attributes:
        settings: how each trial was made, a sentence each.
        systems: how each system was set up.
        versions: of the packages of each system.
        skipped: what could not be measured, and why.
    """

    rows: tuple[Row, ...] = ()
    settings: dict[str, tuple[str, ...]] = {}
    systems: dict[str, str] = {}
    versions: dict[str, dict[str, str]] = {}
    skipped: dict[str, str] = {}

    def with_trial(self, trial: str, rows: Sequence[Row], settings: Sequence[str]) -> Results:
        """With these rows in place of those that the trial gave before."""
        kept = tuple(row for row in self.rows if row.trial != trial)
        return self.model_copy(
            update={"rows": kept + tuple(rows), "settings": self.settings | {trial: tuple(settings)}}
        )

    def with_system(self, title: str, settings: str, versions: Mapping[str, str]) -> Results:
        """With how a system was set up."""
        return self.model_copy(
            update={
                "systems": self.systems | {title: settings},
                "versions": self.versions | {title: dict(versions)},
                "skipped": {name: why for name, why in self.skipped.items() if name != title},
            }
        )

    def with_skipped(self, title: str, why: str) -> Results:
        """With why a system is not among those measured."""
        return self.model_copy(update={"skipped": self.skipped | {title: why}})


def middle(values: Sequence[float]) -> Cell:
    """The median with its quartiles.

    >>> middle([3.0, 1.0, 2.0])
    Cell(value=2.0, low=1.0, high=3.0, n=3)
    """
    if len(values) < 2:
        return Cell(value=values[0])
    low, _, high = statistics.quantiles(values, n=4)
    return Cell(value=statistics.median(values), low=low, high=high, n=len(values))


def percentile(values: Sequence[float], share: int) -> float:
    """What so many of a hundred stay at or under.

    >>> percentile([1.0, 2.0, 3.0, 4.0], 50)
    2.0
    """
    return sorted(values)[max(0, math.ceil(len(values) * share / 100) - 1)]


def read(path: Path) -> Results:
    """What was measured before; nothing where there is no such file.

    Raises:
        UsageError: the file holds something else.
    """
    if not path.exists():
        return Results()
    try:
        return Results.model_validate_json(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UsageError(f"{path} holds no results of this version: move it away, and measure again") from error


def write(results: Results, path: Path) -> None:
    """Keep what was measured."""
    path.write_text(results.model_dump_json(indent=1, exclude_defaults=True) + "\n", encoding="utf-8")
