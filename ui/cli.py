"""The command line: ``pincite``. Exit code 0 for done, 1 for a failure, 2 for a call that was wrong."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from index.errors import PinciteError, UsageError
from ui.audit import from_the_shell
from ui.commands import audit, key, mcp, models, serve, user
from ui.options import Command, chosen, index_option, json_option, model_options, no_model_option, reader_option

if TYPE_CHECKING:
    from index.library import Index, Mode
    from index.models import Added
    from rag.assistant import Assistant
    from rag.models import Answer, Citation
    from ui.settings import Settings


class _Lazy(click.Group):
    """A group that loads the evaluation commands only when one of them is called."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name == "eval":
            from eval.commands import eval_group

            return eval_group
        return super().get_command(ctx, cmd_name)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), "eval"])


def _where_option(command: Command) -> Command:
    return click.option(
        "--where",
        multiple=True,
        metavar="FIELD=VALUE",
        help="Only documents that fit: publisher, published, language or source. Such as published>=2021-01-01.",
    )(command)


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="pincite")
def cli() -> None:
    """Answers from your own documents, every claim pinned to an exact sentence."""


@cli.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@index_option
@click.option("--ray", metavar="ADDRESS", help="Load, split and encode on this Ray cluster: HOST:6379, or auto.")
@json_option
def add(paths: tuple[Path, ...], folder: Path | None, ray: str | None, as_json: bool) -> None:
    """Add files and folders, on all cores. Unchanged files cost nothing; what was cut off goes on where it stopped."""
    from collections import Counter

    from index.cluster import Cluster
    from index.processes import Processes

    workers = Cluster(ray) if ray else Processes()
    outcomes: Counter[str] = Counter()
    opened, bar = _opened(folder, make=True), _progress("Adding", quiet=as_json)
    with opened as index, from_the_shell(_kept(folder)) as note, bar as (started, advance):
        for added in index.add_each(paths, started, workers):
            outcomes[added.outcome] += 1
            if added.outcome in ("added", "updated", "duplicate"):
                note("add", added.source, added.document)
            advance()
            click.echo(added.model_dump_json() if as_json else _added_line(added))
    if not as_json:
        click.echo(", ".join(f"{count} {outcome}" for outcome, count in outcomes.items()) or "no files found")
    if outcomes and set(outcomes) == {"refused"}:
        sys.exit(1)


@cli.command()
@click.argument("document")
@index_option
@json_option
def remove(document: str, folder: Path | None, as_json: bool) -> None:
    """Remove a document, named by its id or source."""
    with _opened(folder) as index, from_the_shell(_kept(folder)) as note:
        removed = index.remove(document)
        note("remove", removed.source, removed.id)
    click.echo(
        json.dumps({"removed": removed.id, "source": removed.source}) if as_json else f"removed {removed.source}"
    )


@cli.command(name="list")
@index_option
@_where_option
@json_option
def list_(folder: Path | None, where: tuple[str, ...], as_json: bool) -> None:
    """List the documents."""
    from index.filters import parse_where

    with _opened(folder) as index:
        documents = index.documents(parse_where(where))
    for document in documents:
        if as_json:
            click.echo(document.model_dump_json())
            continue
        about = (document.publisher, document.published and document.published.isoformat(), document.language)
        click.echo(f"{document.id}  {document.source}  {document.title or ''}  ({', '.join(a or '?' for a in about)})")
        for source in document.also:
            click.echo(f"{'':18}also {source}")
        for near in document.near:
            click.echo(f"{'':18}a version of {near.source} (similarity {near.similarity:.2f})")
    if not documents and not as_json:
        click.echo("no documents: add some with `pincite add PATH`")


@cli.command()
@click.argument("document")
@index_option
@json_option
def show(document: str, folder: Path | None, as_json: bool) -> None:
    """Print a document's text, in which all offsets count; with --json all that is known of it."""
    with _opened(folder) as index:
        found = index.show(document)
    click.echo(found.model_dump_json() if as_json else found.text, nl=as_json)


@cli.command()
@click.argument("question")
@index_option
@_where_option
@reader_option
@model_options
@no_model_option
@json_option
def ask(
    question: str,
    folder: Path | None,
    where: tuple[str, ...],
    reader: str | None,
    as_json: bool,
    **llm: Any,  # noqa: ANN401  see `model_options`
) -> None:
    """Answer a question, with citations, or say why not."""
    from index.filters import parse_where
    from ui.settings import load

    with _assistant(load(index=folder, reader=reader, llm=chosen(**llm))) as assistant:
        answer = assistant.ask(question, where=parse_where(where))
    click.echo(answer.model_dump_json() if as_json else _answer_text(answer))


@cli.command()
@click.argument("question")
@click.argument("quote")
@index_option
@reader_option
@json_option
def why(question: str, quote: str, folder: Path | None, reader: str | None, as_json: bool) -> None:
    """Tell why the sentence that holds the words QUOTE is shown for a QUESTION, or what stopped it."""
    from ui.settings import load

    with _assistant(load(index=folder, reader=reader)) as assistant:
        found = assistant.why(question, quote)
    if as_json:
        click.echo(found.model_dump_json())
        return
    click.echo(f"{found.source}:{found.start}-{found.end}\n  {_short(found.quote)}\n")
    for step in found.steps:
        click.echo(f"{'+' if step.passed else '-'} {step.name}: {step.told}")
    for name, share in found.contributions.items():
        click.echo(f"    {name}: {share:+.3f}")


@cli.command()
@click.argument("query")
@index_option
@_where_option
@click.option("-k", default=10, show_default=True, type=click.IntRange(min=1), help="How many passages.")
@click.option("--mode", default="fused", show_default=True, type=click.Choice(["fused", "lexical", "dense"]))
@json_option
def search(query: str, folder: Path | None, where: tuple[str, ...], k: int, mode: Mode, as_json: bool) -> None:
    """Print the best passages for a query."""
    from index.filters import parse_where

    with _opened(folder) as index:
        hits = index.search(query, k=k, where=parse_where(where), mode=mode)
    for rank, hit in enumerate(hits, 1):
        if as_json:
            click.echo(hit.model_dump_json())
        else:
            hidden = f"  (hidden in the document: {hit.hidden})" if hit.hidden else ""
            click.echo(f"{rank}. {hit.source}:{hit.passage.start}-{hit.passage.end}  {hit.title or ''}{hidden}")
            click.echo(f"   {' '.join(hit.text.split())}\n")
    if not hits and not as_json:
        click.echo("nothing found")


@cli.command()
@index_option
@json_option
def check(folder: Path | None, as_json: bool) -> None:
    """Check every digest and count; exit code 0 where the index is sound."""
    with _opened(folder) as index:
        problems = index.check()
    if as_json:
        click.echo(json.dumps({"sound": not problems, "problems": problems}))
    else:
        click.echo("\n".join(problems) or "the index is sound")
    if problems:
        sys.exit(1)


@cli.command()
@index_option
@json_option
def rebuild(folder: Path | None, as_json: bool) -> None:
    """Make vectors and terms again from the stored documents, and what is damaged from their texts.

    Exit code 1 where something could not be restored: add those files again.
    """
    from index.library import rebuild as rebuilt
    from ui.settings import load

    place = load(index=folder).index
    _need(place)
    mended = rebuilt(place)
    with _opened(folder) as index:
        documents = len(index.documents())
    if as_json:
        click.echo(json.dumps({"documents": documents, **mended._asdict()}))
    else:
        click.echo(f"rebuilt from {documents} documents")
        for source in mended.encoded:
            click.echo(f"mended: {source}")
        for source in mended.lost:
            click.echo(f"lost: {source}")
    if mended.lost:
        raise PinciteError("what is lost cannot be restored from the index: add those files again")


for command in (serve, user, key, mcp, models, audit):
    cli.add_command(command)


@contextmanager
def _opened(folder: Path | None, make: bool = False) -> Iterator[Index]:
    """The index in a folder; one that is not there is made only by `add`."""
    from index.library import Index

    place = _place(folder)
    if not make:
        _need(place)
    with Index(place) as index:
        yield index


def _place(folder: Path | None) -> Path:
    from ui.settings import load

    return load(index=folder).index


def _kept(folder: Path | None) -> Path:
    """The folder where a server over the same index would keep its state."""
    from ui.settings import load

    settings = load(index=folder)
    return settings.state or settings.index


@contextmanager
def _assistant(settings: Settings) -> Iterator[Assistant]:
    import rag

    _need(settings.index)
    with rag.open(settings.index, settings.reader, settings.llm) as assistant:
        yield assistant


def _need(folder: Path) -> None:
    from index.engine import exists
    from index.milvus_server import Address, is_address

    if not exists(folder):
        place = Address.parse(str(folder)) if is_address(folder) else folder
        raise UsageError(f"there is no index {place}: make one with `pincite add PATH --index {place}`")


@contextmanager
def _progress(what: str, quiet: bool) -> Iterator[tuple[Callable[[int], None], Callable[[], None]]]:
    """A progress bar on standard error, where that is a terminal and someone watches it."""
    if quiet or not sys.stderr.isatty():
        yield (lambda total: None), (lambda: None)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = ("[progress.description]{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield (lambda total: bar.update(task, total=total)), (lambda: bar.advance(task))


def _added_line(added: Added) -> str:
    line = f"{added.outcome:9} {added.source}"
    if added.reason:
        line += f": {added.reason}"
    return line + "".join(f"\n{'':10}a version of {n.source} (similarity {n.similarity:.2f})" for n in added.near)


def _answer_text(answer: Answer) -> str:
    """An answer for people: the claims, the sources with their words, then what else should be known."""
    lines = [answer.text, ""]
    lines += [_source_line(citation) for citation in answer.citations]
    for note in answer.notes:
        lines += ["", f"Note: {note.text}", *(_source_line(citation) for citation in note.citations)]
    if answer.nearest:
        lines += ["Nearest passages, none of them an answer:"]
        lines += [f"- {near.source}:{near.start}-{near.end} “{_short(near.quote)}”" for near in answer.nearest]
    return "\n".join(lines).strip()


def _source_line(citation: Citation) -> str:
    about = [citation.publisher, citation.published and citation.published.isoformat()]
    page = f", page {citation.page}" if citation.page else ""
    known = f" ({', '.join(a for a in about if a)})" if any(about) else ""
    place = f"{citation.source}:{citation.start}-{citation.end}{page}{known}"
    hidden = f" (hidden in the document: {citation.hidden})" if citation.hidden else ""
    return f"[{citation.number}] {place} “{_short(citation.quote)}”{hidden}"


def _short(text: str, most: int = 160) -> str:
    text = " ".join(text.split())
    return text if len(text) <= most else text[: most - 1] + "…"


def main() -> None:
    """Run the command line; every error of ours is one line on standard error."""
    try:
        cli()
    except UsageError as error:
        click.echo(f"pincite: {error}", err=True)
        sys.exit(2)
    except PinciteError as error:
        click.echo(f"pincite: {error}", err=True)
        sys.exit(1)
