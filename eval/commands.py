"""The commands of ``pincite eval``; `ui.cli` loads them only when one of them is called."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from index.errors import UsageError

if TYPE_CHECKING:
    from eval.run import Loaded, Progress
    from eval.summary import Scores, Summary

Command = Callable[..., Any]

_PATH = click.Path(path_type=Path)
_run = click.argument("run", type=_PATH)


def _model(command: Command) -> Command:
    """Which model; its key, window and time limit come from ``PINCITE_LLM_…`` variables."""
    address = click.option("--llm-base-url", required=True, metavar="URL", help="An OpenAI-compatible API.")
    return address(click.option("--llm-model", required=True, metavar="NAME", help="The model to ask there.")(command))


@click.group(name="eval", context_settings={"help_option_names": ["-h", "--help"]})
def eval_group() -> None:
    """Measure answers and citations: cases, runs, reports, and a gate."""


@eval_group.command()
@click.argument("documents", type=_PATH)
@click.option("--out", type=_PATH, required=True, help="The case file to write; must not exist.")
@click.option("--per-document", default=3, show_default=True, type=click.IntRange(1, 50), help="Cases a document.")
def new(documents: Path, out: Path, per_document: int) -> None:
    """Make a case file to fill in from a folder of DOCUMENTS."""
    from eval.authoring import draft
    from eval.bench import read_documents
    from eval.cases import write_cases

    if out.exists():
        raise UsageError(f"{out} is there already; give --out a new name")
    cases = draft(list(read_documents(documents).values()), per_document)
    if not cases:
        raise UsageError(f"{documents} holds no document that can be read; give a folder of documents")
    write_cases(out, cases)
    click.echo(f"wrote {len(cases)} cases to {out}; fill in their questions, then run `pincite eval lint {out}`")


@eval_group.command()
@click.argument("cases", type=_PATH)
@click.option("--corpus", type=_PATH, help="The folder of documents; `documents` beside the case file by default.")
def lint(cases: Path, corpus: Path | None) -> None:
    """Find gold quotes of CASES that no longer stand in their documents."""
    from eval.authoring import lint as find
    from eval.bench import read_documents
    from eval.cases import read_cases

    read = read_cases(cases)
    problems = find(read, read_documents(corpus or cases.parent / "documents"))
    for problem in problems:
        click.echo(f"{problem.case}: {problem.what}")
    click.echo(f"{len(read)} cases, {len(problems)} problems")
    sys.exit(1 if problems else 0)


@eval_group.command()
@click.argument("cases", type=_PATH)
@click.option("--out", type=_PATH, required=True, help="The run's folder; an unfinished run there goes on.")
@click.option("--set", "name", help="CASES is the folder of this public set: clapnq, multispanqa or tatqa.")
@click.option("--corpus", type=_PATH, help="The folder of documents; `documents` beside the case file by default.")
@click.option("--index", type=_PATH, help="Where to keep the index; in the run's folder by default.")
@click.option("--reader", help="Which reader answers; the product's own default where not given.")
@click.option("--llm-base-url", metavar="URL", help="Have the model of this OpenAI-compatible API word the answers.")
@click.option("--llm-model", metavar="NAME", help="The name of that model.")
@click.option("--answers", type=_PATH, help="Score the answers of another system in this JSON Lines file instead.")
@click.option("--name", "system", help="What to call that system.")
@click.option("--workers", default=min(os.cpu_count() or 1, 4), show_default=True, type=click.IntRange(1, 64))
def run(
    cases: Path,
    out: Path,
    name: str | None,
    corpus: Path | None,
    index: Path | None,
    reader: str | None,
    llm_base_url: str | None,
    llm_model: str | None,
    answers: Path | None,
    system: str | None,
    workers: int,
) -> None:
    """Ask every case of CASES and keep the answers.

    No language model words them but one that is named here, so that a run does not depend on what is set elsewhere.
    """
    from eval.bench import read_set, run_file, run_product
    from rag.llm import read_settings

    benchmark = read_set(cases, name, corpus)
    for why, count in benchmark.left_out.items():
        click.echo(f"{count} questions of {benchmark.name} left out: {why}")
    with _bar("Asking") as progress:
        if answers:
            loaded = run_file(benchmark, cases, out, answers=answers, name=system, progress=progress)
        else:
            files = None if name else corpus or cases.parent / "documents"
            llm = read_settings(base_url=llm_base_url, model=llm_model) if llm_base_url else None
            loaded = run_product(
                benchmark,
                cases,
                out,
                reader=reader,
                llm=llm,
                corpus=files,
                index=index,
                workers=workers,
                progress=progress,
            )
    _print(_scored(loaded)[1])
    click.echo(f"kept in {out}; `pincite eval report {out}` makes a page of it")


@eval_group.command()
@_run
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON instead of writing files.")
def report(run: Path, as_json: bool) -> None:
    """Write report.html, report.md and report.json into the folder of a RUN."""
    from eval.report import as_json as to_json
    from eval.report import write
    from eval.run import load

    loaded = load(run)
    scores, summary = _scored(loaded)
    if as_json:
        click.echo(to_json(loaded, scores, summary), nl=False)
        return
    for path in write(loaded, scores, summary):
        click.echo(f"wrote {path}")


@eval_group.command()
@_run
@click.option("--sample", default=20, show_default=True, type=click.IntRange(1), help="How many of them.")
def wrong(run: Path, sample: int) -> None:
    """Draw some wrong answers of a RUN, the same each time, with the stage that lost each."""
    from eval.run import load
    from eval.wrong import described, drawn

    loaded = load(run)
    scores = _scored(loaded)[0]
    click.echo(described(loaded, scores, drawn(loaded, scores, sample)))


@eval_group.command()
@click.argument("first", type=_PATH)
@click.argument("second", type=_PATH)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def compare(first: Path, second: Path, as_json: bool) -> None:
    """Compare two runs of the same cases, case by case."""
    from eval.run import load
    from eval.summary import compare as paired

    loaded = [load(path) for path in (first, second)]
    scored = [_scored(each)[0] for each in loaded]
    differences, changed = paired(loaded[0], scored[0], loaded[1], scored[1])
    if as_json:
        figures = [
            {
                "measure": each.measure.name,
                "first": each.before,
                "second": each.after,
                "difference": each.comparison.difference,
                "interval": list(each.comparison.interval),
                "p": each.comparison.p,
            }
            for each in differences
        ]
        cases = [
            {"id": each.case.id, "question": each.case.question, "first": each.before, "second": each.after}
            | {"citation_f1": [each.f1_before, each.f1_after]}
            for each in changed
        ]
        click.echo(json.dumps({"figures": figures, "changed": cases}, ensure_ascii=False, indent=1))
        return
    for each in differences:
        low, high = each.comparison.interval
        click.echo(
            f"{each.measure.title:36} {each.before:7.3f} -> {each.after:7.3f}  "
            f"{each.comparison.difference:+.3f} [{low:+.3f}, {high:+.3f}]  p={each.comparison.p:.3f}"
        )
    click.echo(f"{len(changed)} of {len(loaded[0].cases)} questions changed")
    for one in changed:
        f1s = " -> ".join("–" if value is None else f"{value:.2f}" for value in (one.f1_before, one.f1_after))
        click.echo(f"  {one.case.id}: {one.before} -> {one.after}, citation F1 {f1s}: {one.case.question}")


@eval_group.command()
@_run
@click.option("--pin", "pinning", is_flag=True, help="Pin this run's figures as the floors.")
@click.option("--lower-floors", is_flag=True, help="With --pin: allow a floor to fall.")
@click.option("--floors", "path", type=_PATH, help="The file of floors; the one beside the code by default.")
def gate(run: Path, pinning: bool, lower_floors: bool, path: Path | None) -> None:
    """Exit with 1 where a RUN is worse than the pinned floors, naming the questions that broke it."""
    from eval.gate import FLOORS, check, key, pin, read_floors, write_floors
    from eval.run import load

    loaded = load(run)
    scores, summary = _scored(loaded)
    path = path or FLOORS
    floors = read_floors(path)
    if pinning:
        write_floors(pin(loaded, scores, summary, floors, lower=lower_floors), path)
        click.echo(f"pinned the floors of {key(loaded)} in {path}")
        return
    questions = {case.id: case.question for case in loaded.cases}
    broken = check(loaded, scores, summary, floors)
    for each in broken:
        click.echo(f"{each.name}: {each.value:.4f}, floor {each.floor:.4f} (noise {floors.noise})")
        for case, then, now in each.cases:
            click.echo(f"  {case}: {then:.2f} -> {now:.2f}: {questions[case]}")
    click.echo(f"{key(loaded)}: {'worse than its floors' if broken else 'passes'}")
    sys.exit(1 if broken else 0)


@eval_group.command()
@_run
@click.option("--base-url", envvar="PINCITE_LLM_BASE_URL", required=True, help="An OpenAI-compatible endpoint.")
@click.option("--model", envvar="PINCITE_LLM_MODEL", required=True, help="The model to ask.")
@click.option("--api-key", envvar="PINCITE_LLM_API_KEY", help="Its key, where it wants one.")
def judge(run: Path, base_url: str, model: str, api_key: str | None) -> None:
    """Have a language model judge a RUN, and print how far it agrees with gold."""
    from eval.judge import LLM, judge_run
    from eval.run import load

    loaded = load(run)
    judgement = judge_run(
        loaded, _scored(loaded)[0], LLM(base_url, model, api_key), lambda text: click.echo(text, err=True)
    )
    (run / "judge.json").write_text(judgement.model_dump_json(indent=1) + "\n", encoding="utf-8")
    for what, share, against in (
        ("right answers", judgement.right, judgement.right_agreement),
        ("supported statements", judgement.supported, judgement.supported_agreement),
    ):
        if share is None or against is None:
            click.echo(f"{what}: nothing to judge")
        else:
            click.echo(
                f"{what}: {share:.3f} by {judgement.model}; agrees with gold on {against.agreement:.3f} of "
                f"{against.cases} (kappa {against.kappa:.2f})"
            )
    if judgement.unreadable:
        click.echo(f"{judgement.unreadable} replies could not be read")


@eval_group.command()
@click.argument("folder", type=_PATH)
@click.option("--set", "name", default="beir", show_default=True, help="What FOLDER holds: beir, scifact or cranfield.")
@click.option("--mode", default="fused", show_default=True, help="What ranks: fused, lexical, dense or reranked.")
@click.option("--run", "other", type=_PATH, help="Judge this TREC run instead.")
@click.option("--out", type=_PATH, required=True, help="Where run.trec, qrels.trec and the index are written.")
def retrieval(folder: Path, name: str, mode: str, other: Path | None, out: Path) -> None:
    """Rank the documents of a retrieval collection, and judge the ranking."""
    from eval.bench import rank_collection, read_collection
    from eval.retrieval import per_query, read_run, write_qrels, write_run
    from eval.stats import bootstrap

    collection = read_collection(folder, name)
    run = read_run(other) if other else rank_collection(collection, out / "index", mode)
    out.mkdir(parents=True, exist_ok=True)
    write_run(out / "run.trec", run)
    write_qrels(out / "qrels.trec", collection.qrels)
    for measure, values in per_query(collection.qrels, run).items():
        interval = bootstrap(list(values.values()), [1] * len(values))
        if interval:
            low, high = interval
            click.echo(
                f"{measure:8} {sum(values.values()) / len(values):.4f}  [{low:.3f}, {high:.3f}]  n={len(values)}"
            )


@eval_group.command()
@click.option("--data", type=_PATH, required=True, help="The folder that holds the public sets, one folder each.")
@click.option("--cases", type=_PATH, default=Path("corpus/cases.jsonl"), show_default=True, help="Our own cases.")
@click.option(
    "--out", type=_PATH, default=Path("runs/table"), show_default=True, help="Where runs and indexes are kept."
)
@click.option("--docs", type=_PATH, default=Path("docs/benchmarks.md"), show_default=True, help="The page to write.")
@click.option("--readme", type=_PATH, default=Path("README.md"), show_default=True, help="The file with the block.")
@click.option("--reader", "readers", multiple=True, help="Only this answerer; may be given more than once.")
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 64), help="Questions side by side.")
def table(data: Path, cases: Path, out: Path, docs: Path, readme: Path, readers: tuple[str, ...], workers: int) -> None:
    """Measure everything on every set, and write the table of benchmarks."""
    from eval.table import measure, write

    result = measure(data, cases, out, readers=readers, workers=workers, tell=lambda text: click.echo(text, err=True))
    for path in write(result, docs, readme):
        click.echo(f"wrote {path}")


@eval_group.command()
@click.option("--cases", type=_PATH, default=Path("corpus/cases.jsonl"), show_default=True, help="The cases to ask.")
@click.option("--out", type=_PATH, default=Path("runs/renamed"), show_default=True, help="Where the runs are kept.")
@click.option("--docs", type=_PATH, default=Path("docs/benchmarks.md"), show_default=True, help="The page to write in.")
@click.option("--reader", "readers", multiple=True, help="Only this answerer; may be given more than once.")
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 64), help="Questions side by side.")
def renamed(cases: Path, out: Path, docs: Path, readers: tuple[str, ...], workers: int) -> None:
    """Ask the cases with other names, years and amounts, and write what that changes into the docs."""
    from eval.renamed import BEGIN, END, measure, section
    from eval.table import put_between
    from rag.assistant import READERS

    changes = measure(
        cases, out, readers or list(READERS), workers=workers, tell=lambda text: click.echo(text, err=True)
    )
    found = section(changes)
    put_between(docs, BEGIN, END, found)
    click.echo(found)
    click.echo(f"wrote {docs}")


@eval_group.command()
@click.option("--cases", type=_PATH, default=Path("corpus/cases.jsonl"), show_default=True, help="The cases to ask.")
@click.option("--sample", type=click.IntRange(1), help="Only so many of them, the same each time.")
@click.option("--out", type=_PATH, default=Path("runs/writer"), show_default=True, help="Where the runs are kept.")
@click.option("--docs", type=_PATH, default=Path("docs/models.md"), show_default=True, help="The page with the block.")
@_model
def writer(cases: Path, sample: int | None, out: Path, docs: Path, llm_base_url: str, llm_model: str) -> None:
    """Measure answers without a language model and with it, and write the table into the docs."""
    from eval.writing import measure, write
    from rag.llm import read_settings

    llm = read_settings(base_url=llm_base_url, model=llm_model)
    write(measure(cases, out, llm, sample=sample, tell=lambda text: click.echo(text, err=True)), docs)
    click.echo(f"wrote {docs}")


@eval_group.command()
@click.option(
    "--documents",
    type=_PATH,
    multiple=True,
    default=(Path("corpus/documents"), Path("corpus/practice/documents")),
    show_default=True,
    help="What passages are made of; may be given more than once.",
)
@click.option("--cases", type=_PATH, default=Path("corpus/cases.jsonl"), show_default=True, help="The questions.")
@click.option("--passages", default=1_000_000, show_default=True, help="How far the library grows, tenfold at a time.")
@click.option("--questions", default=40, show_default=True, type=click.IntRange(2), help="How many are asked.")
@click.option("--lexical", default=0, show_default=True, help="Compare lexical engines on this many passages, too.")
@click.option("--out", type=_PATH, default=Path("runs/speed"), show_default=True, help="Where the library is kept.")
@click.option("--docs", type=_PATH, default=Path("docs/benchmarks.md"), show_default=True, help="The page to write.")
@click.option(
    "--plot", type=_PATH, default=Path("docs/images/growth.svg"), show_default=True, help="The plot to write."
)
def speed(
    documents: tuple[Path, ...],
    cases: Path,
    passages: int,
    questions: int,
    lexical: int,
    out: Path,
    docs: Path,
    plot: Path,
) -> None:
    """Time encoding, adding, cold and warm questions, and how they grow; write the section of the benchmarks."""
    from eval.speed_page import write
    from eval.speed_run import measure

    measured = measure(
        documents,
        cases,
        out,
        passages=passages,
        questions=questions,
        lexical=lexical,
        tell=lambda text: click.echo(text, err=True),
    )
    for path in write(measured, docs, plot):
        click.echo(f"wrote {path}")


def _scored(loaded: Loaded) -> tuple[Scores, Summary]:
    from eval.pairs import read_skills
    from eval.summary import score_run, summarise
    from eval.support import PlainVerifier

    verifier = PlainVerifier()
    scores = score_run(loaded, verifier)
    return scores, summarise(loaded, scores, verifier, read_skills())


def _print(summary: Summary) -> None:
    from eval.report import grouped, interval, judged_by, number, sentences

    for line in sentences(summary):
        click.echo(line)
    for group, figures in grouped(summary.figures):
        click.echo(group)
        for figure in figures:
            click.echo(f"  {figure.title:40} {number(figure.value)}  {interval(figure)}  n={figure.cases}")
        if group == "Support":
            click.echo(f"  {judged_by(summary)}")


@contextmanager
def _bar(what: str) -> Iterator[Progress]:
    """A progress bar on standard error, where that is a terminal."""
    from rich.console import Console
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    with Bar(console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
