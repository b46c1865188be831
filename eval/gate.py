"""The gate: a run may not be worse than the floors that were pinned for the same cases.

``floors.json`` holds, for each set of cases, their digest, the floor of each measure, and the cases that were below a
full score when it was pinned, so that a broken gate can name the questions that broke it. `NOISE` is what a figure may
fall below its floor: a run repeats exactly on one machine, but float kernels differ between machines, and a few
near-ties flip with them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from eval.run import Loaded
from eval.score import BY_NAME
from eval.summary import Scores, Summary
from index.errors import UsageError
from index.models import Model

FLOORS = Path(__file__).parent / "floors.json"
NOISE = 0.01
GATED = (
    "citation_precision",
    "citation_recall",
    "citation_f1",
    "exactness",
    "right",
    "nugget_vital",
    "item_recall",
    "item_precision",
    "amounts",
    "forbidden",
    "refusal_precision",
    "refusal_recall",
    "crag",
)


class Floor(Model):
    """The least that a measure may be (the most, where less is better), and the cases below a full score then."""

    value: float
    below: dict[str, float] = {}


class Pinned(Model):
    """The floors of one set of cases, for one answerer."""

    digest: str
    floors: dict[str, Floor]


class Floors(Model):
    """All floors, by "<cases>/<system>"; ``noise`` is the constant they were pinned with."""

    noise: float = NOISE
    sets: dict[str, Pinned] = {}


class Broken(NamedTuple):
    """A measure under its floor, with the cases that scored less than when it was pinned: (id, then, now)."""

    name: str
    floor: float
    value: float
    cases: list[tuple[str, float, float]]


def key(loaded: Loaded) -> str:
    """The name that a run's floors stand under."""
    return f"{loaded.settings.set or Path(loaded.settings.cases).stem}/{loaded.settings.system}"


def read_floors(path: Path = FLOORS) -> Floors:
    """Read the floors; none where the file is missing.

    Raises:
        UsageError: the file is not of this form.
    """
    if not path.exists():
        return Floors()
    try:
        return Floors.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise UsageError(f"{path} cannot be read as floors; restore it, or delete it and pin again") from error


def check(loaded: Loaded, scores: Scores, summary: Summary, floors: Floors) -> list[Broken]:
    """What a run breaks; nothing where it passes.

    Raises:
        UsageError: the run is not whole, or no floors are pinned for its cases as they are.
    """
    pinned = _pinned(loaded, floors)
    broken = []
    for name, floor in pinned.floors.items():
        figure, better = summary.figure(name), BY_NAME[name].higher_is_better
        value = figure.value if figure else 0.0 if better else floor.value
        short = floor.value - value if better else value - floor.value
        if short > floors.noise + 1e-9:
            broken.append(Broken(name, floor.value, value, _worse(name, floor, scores)))
    return broken


def pin(loaded: Loaded, scores: Scores, summary: Summary, floors: Floors, *, lower: bool) -> Floors:
    """The floors with this run's figures in them.

    Raises:
        UsageError: the run is not whole, or a floor would fall and ``lower`` is not set.
    """
    _whole(loaded)
    new = {}
    for name in GATED:
        figure = summary.figure(name)
        if figure is not None:
            new[name] = Floor(value=round(figure.value, 4), below=_below(name, scores))
    old = floors.sets.get(key(loaded))
    fallen = [] if old is None else [name for name, floor in old.floors.items() if _falls(name, floor, new.get(name))]
    if fallen and not lower:
        raise UsageError(f"this would lower the floors of {', '.join(fallen)}; if that is meant, add --lower-floors")
    pinned = Pinned(digest=loaded.settings.cases_digest, floors=new)
    return Floors(noise=NOISE, sets={**floors.sets, key(loaded): pinned})


def write_floors(floors: Floors, path: Path = FLOORS) -> None:
    """Write the floors, laid out to be read in a diff."""
    text = json.dumps(floors.model_dump(), ensure_ascii=False, indent=1, sort_keys=True)
    path.write_text(text + "\n", encoding="utf-8")


def _pinned(loaded: Loaded, floors: Floors) -> Pinned:
    _whole(loaded)
    pinned = floors.sets.get(key(loaded))
    if pinned is None:
        raise UsageError(f"no floors are pinned for {key(loaded)}; pin them with `pincite eval gate RUN --pin`")
    if pinned.digest != loaded.settings.cases_digest:
        raise UsageError(
            f"the cases of {key(loaded)} are not those the floors were pinned on; look at the figures, then pin again "
            "with `pincite eval gate RUN --pin`"
        )
    return pinned


def _whole(loaded: Loaded) -> None:
    if loaded.missing:
        raise UsageError(f"{len(loaded.missing)} cases of {loaded.folder} were not asked yet; finish the run first")


def _falls(name: str, old: Floor, new: Floor | None) -> bool:
    if new is None:
        return True
    return new.value < old.value if BY_NAME[name].higher_is_better else new.value > old.value


def _values(name: str, scores: Scores) -> dict[str, float]:
    """Each case's own score, turned so that 1 is best; a wrong refusal counts against refusals."""
    found = {}
    for (case, variant), scored in scores.items():
        ratio = scored.values.get(name)
        if variant == "asked" and ratio is not None and (ratio.out_of or ratio.of):
            value = ratio.of / (ratio.out_of or 1)
            found[case] = round(value if BY_NAME[name].higher_is_better else 1 - value, 4)
    return found


def _below(name: str, scores: Scores) -> dict[str, float]:
    return {case: value for case, value in sorted(_values(name, scores).items()) if value < 1}


def _worse(name: str, floor: Floor, scores: Scores) -> list[tuple[str, float, float]]:
    now: Mapping[str, float] = _values(name, scores)
    then = {case: floor.below.get(case, 1.0) for case in now}
    return [(case, then[case], now[case]) for case in sorted(now) if now[case] < then[case] - 1e-9]
