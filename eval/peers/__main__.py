"""``python -m eval.peers``: make the environments, measure, write the page."""

from __future__ import annotations

import os
from pathlib import Path

import click

from eval.peers import page, results
from eval.peers.client import Variant
from eval.peers.environments import LEFT_OUT, OURS, PEERS, setup
from index.errors import PinciteError, UsageError

_PATH = click.Path(path_type=Path)
_work = click.option("--work", type=_PATH, required=True, help="Where environments, inputs and indexes are kept.")
_results = click.option(
    "--results", "path", type=_PATH, default=Path("docs/peers.json"), show_default=True, help="What was measured."
)
_HYBRID = ("txtai", "haystack")
_TRIALS = ("quotes", "adding", "scifact", "large", "cold")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Measure other systems beside this one."""


@main.command(name="setup")
@click.argument("names", nargs=-1)
@_work
@_results
def set_up(names: tuple[str, ...], work: Path, path: Path) -> None:
    """Make the environments of peers, of all where none is named; one that cannot be made is told and left out."""
    kept = results.read(path)
    for title, why in LEFT_OUT.items():
        click.echo(f"LEFT OUT: {title}: {why}", err=True)
        kept = kept.with_skipped(title, why)
    for name in names or PEERS:
        click.echo(f"installing {name}", err=True)
        try:
            setup(name, work)
        except UsageError as error:
            click.echo(f"LEFT OUT: {error}", err=True)
            if name in PEERS:
                kept = kept.with_skipped(PEERS[name].title, str(error))
    results.write(kept, path)


@main.command()
@click.argument("trials", nargs=-1, type=click.Choice(_TRIALS))
@_work
@_results
@click.option("--data", type=_PATH, required=True, help="The folder that holds the public sets.")
@click.option("--cases", type=_PATH, default=Path("corpus/cases.jsonl"), show_default=True, help="Quotes to change.")
@click.option("--only", multiple=True, help="Only this system; may be given more than once.")
@click.option("--cores", default=os.cpu_count(), show_default=True, type=click.IntRange(1), help="How many to run on.")
@click.option("--documents", default=1000, show_default=True, help="How many are added.")
@click.option("--passages", default=100_000, show_default=True, help="How many are searched in the large set.")
def run(
    trials: tuple[str, ...],
    work: Path,
    path: Path,
    data: Path,
    cases: Path,
    only: tuple[str, ...],
    cores: int,
    documents: int,
    passages: int,
) -> None:
    """Measure, all TRIALS where none is named, and write the results and the page."""
    from eval.collection import scifact
    from eval.peers.quotes import measure
    from eval.peers.trials import Bench

    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    names = only or (OURS, *(name for name in PEERS if name != "verbatim"))
    variants = [Variant(name, hybrid=False) for name in names]
    variants += [Variant(name, hybrid=True) for name in names if name == OURS or name in _HYBRID]
    collection = scifact(data / "beir_scifact")
    bench = Bench(variants, work, collection, results.read(path), lambda text: click.echo(text, err=True))
    for trial in trials or _TRIALS:
        match trial:
            case "quotes":
                bench.results = measure(cases, work, bench.results)
            case "adding":
                bench.adding(documents, chunk=max(documents // 10, 1))
            case "scifact":
                bench.scifact()
            case "large":
                bench.large(passages)
            case "cold":
                bench.cold()
        results.write(bench.results, path)
        page.write(bench.results, path.with_suffix(".md"))
    click.echo(f"wrote {path} and {path.with_suffix('.md')}")


@main.command(name="page")
@_results
def write_page(path: Path) -> None:
    """Write the page again from the results."""
    page.write(results.read(path), path.with_suffix(".md"))
    click.echo(f"wrote {path.with_suffix('.md')}")


if __name__ == "__main__":
    try:
        main()
    except PinciteError as error:
        raise SystemExit(str(error)) from error
