"""A trial of one promise, what the last one found, and the page that tells it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from eval.table import put_between
from index.models import Model

SECTIONS = ("Durability", "Damage", "Hostile documents", "Access and content", "Supply chain", "Load")
BEGIN, END = "<!-- trust:begin -->", "<!-- trust:end -->"


class Finding(NamedTuple):
    """What a trial found: the figure in words a reader understands alone, and whether the promise was kept."""

    figure: str
    kept: bool


class Trial(NamedTuple):
    """One promise and how it is tried.

    ``run(folder)`` does the long form in an empty folder; ``test`` names the short form in the tests.
    """

    name: str
    section: str
    promise: str
    target: str
    test: str
    run: Callable[[Path], Finding]


class Kept(Model):
    """The last finding of a trial, as it is kept beside the page."""

    figure: str
    kept: bool
    on: str
    """The day it was found, as YYYY-MM-DD."""
    seconds: float


def read(path: Path) -> dict[str, Kept]:
    """The last finding of each trial by its name; none where there is no file."""
    if not path.exists():
        return {}
    return {name: Kept.model_validate(each) for name, each in json.loads(path.read_text(encoding="utf-8")).items()}


def write(trials: Iterable[Trial], found: Mapping[str, Kept], findings: Path, page: Path) -> None:
    """Keep the findings of the trials there are, and put the table of them between the markers of the page.

    Raises:
        UsageError: the page has no markers.
    """
    known = list(trials)
    kept = {trial.name: found[trial.name].model_dump() for trial in known if trial.name in found}
    findings.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    put_between(page, BEGIN, END, table(known, found))


def table(trials: Iterable[Trial], found: Mapping[str, Kept]) -> str:
    """A table for each section: the promise, the test that tries it, what is to be reached, and the last figure."""
    known = list(trials)
    lines: list[str] = []
    for section in SECTIONS:
        rows = [trial for trial in known if trial.section == section]
        if not rows:
            continue
        lines += [f"## {section}", "", "| promise | short form | to reach | last figure |", "|---|---|---|---|"]
        for trial in rows:
            last = found.get(trial.name)
            mark = "not run yet" if last is None else f"{'kept' if last.kept else '**not kept**'}: {last.figure}"
            when = "" if last is None else f" ({last.on}, {last.seconds:.0f} s)"
            lines.append(f"| {trial.promise} | `{trial.test}` | {trial.target} | {mark}{when} |")
        lines.append("")
    return "\n".join(lines).strip()
