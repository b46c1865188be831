"""Runs the long trials: ``python -m tests.trust [NAME ...]``; without a name all of them, one after the other."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from index.errors import PinciteError
from tests.trust import access, damage, faults, fuzz, hostile, kills, load, model, room, soak, stopping, supply
from tests.trust.trial import Finding, Kept, Trial, read, write

_ROOT = Path(__file__).parents[2]
FINDINGS, PAGE = _ROOT / "docs" / "trust.json", _ROOT / "docs" / "trust.md"


def trials() -> list[Trial]:
    """Every trial there is, in the order of the page."""
    durability = [*kills.TRIALS, *faults.TRIALS, *room.TRIALS, *model.TRIALS, *stopping.TRIALS, *soak.TRIALS]
    documents = [*damage.TRIALS, *hostile.TRIALS]
    return [*durability, *documents, *access.TRIALS, *fuzz.TRIALS, *supply.TRIALS, *load.TRIALS]


def main() -> int:
    """Run the trials asked for, and write what each found as soon as it is found.

    Returns:
        0 when every promise tried was kept, else 1.
    """
    known = {trial.name: trial for trial in trials()}
    parser = argparse.ArgumentParser(prog="python -m tests.trust", description="Long trials of what is promised.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which trials: {', '.join(known)}")
    chosen = parser.parse_args().names or list(known)
    unknown = [name for name in chosen if name not in known]
    if unknown:
        parser.error(f"there is no trial {', '.join(unknown)}")
    broken = 0
    for name in chosen:
        kept = _tried(known[name])
        broken += not kept.kept
        print(f"{'kept' if kept.kept else 'NOT KEPT'}  {name}: {kept.figure} ({kept.seconds:.0f} s)", flush=True)  # noqa: T201
        write(known.values(), {**read(FINDINGS), name: kept}, FINDINGS, PAGE)
    return 1 if broken else 0


def _tried(trial: Trial) -> Kept:
    folder = Path(tempfile.mkdtemp(prefix=f"pincite-{trial.name}-"))
    started = time.monotonic()
    try:
        found = trial.run(folder)
    except PinciteError as error:  # an error where none belongs is a promise that was not kept
        found = Finding(f"stopped: {error}", kept=False)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return Kept(
        figure=found.figure,
        kept=found.kept,
        on=datetime.now(UTC).date().isoformat(),
        seconds=round(time.monotonic() - started, 1),
    )


if __name__ == "__main__":
    sys.exit(main())
