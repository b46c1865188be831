"""The table of benchmarks: every answerer and every retriever of this product on every set, made by one command."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import NamedTuple

from eval import followups, pairs, renamed, stats
from eval.adapters import Benchmark, cast, clapnq, multispanqa
from eval.bench import (
    SETS,
    index_collection,
    prepare_index,
    read_set,
    run_product,
    search_collection,
)
from eval.bm25 import BM25
from eval.cases import Case
from eval.collection import Collection, cranfield, scifact
from eval.measures import Place, citation_recall
from eval.retrieval import per_query
from eval.retrievers import Retriever, retrievers
from eval.run import Loaded, versions
from eval.score import Score, parts
from eval.summary import Figure, Summary, figures, score_run, summarise
from eval.support import PlainVerifier
from index.errors import UsageError

BEGIN, END = "<!-- benchmarks:begin -->", "<!-- benchmarks:end -->"
_BLOCK = re.compile(r"<!-- (\w+):begin -->.*?<!-- \1:end -->", re.DOTALL)
COLLECTIONS = {"beir_scifact": scifact, "cranfield": cranfield}
PAIRS = {"attributionbench": pairs.attributionbench, "wice": pairs.wice}
TITLES = {
    "own": "Own cases", "clapnq": "CLAPnq", "multispanqa": "MultiSpanQA", "tatqa": "TAT-QA", "beir_scifact": "SciFact",
    "cranfield": "Cranfield", "attributionbench": "AttributionBench", "wice": "WiCE", "trec_cast": "TREC CAsT",
}  # fmt: skip
Tell = Callable[[str], None]


class Cell(NamedTuple):
    """A figure with its interval, and the number of cases it is made of."""

    value: float
    low: float
    high: float
    cases: int


class Line(NamedTuple):
    """One row of the table: a measure on a set, and a cell for each system that it fits."""

    set: str
    measure: str
    cells: dict[str, Cell]


class Table(NamedTuple):
    """What was measured, what was missing, and remarks on single sets."""

    lines: list[Line]
    missing: dict[str, Path]
    remarks: list[str]
    skills: list[pairs.Skill]
    renamed: list[renamed.Change]


def measure(
    data: Path, cases: Path, out: Path, *, readers: Sequence[str] = (), workers: int = 1, tell: Tell = lambda _: None
) -> Table:
    """Measure everything there is data for; runs under ``out`` that are still valid are taken as they are.

    Raises:
        UsageError: the folder of data is missing.
    """
    from rag.assistant import READERS

    if not data.is_dir():
        raise UsageError(f"{data} is no folder; give --data the folder that holds the public sets")
    table = Table([], {}, [], [], [])
    for reader in readers or READERS:
        for name in ("own", *SETS):
            folder = cases if name == "own" else data / name
            if _there(table, name, folder):
                tell(f"{TITLES[name]}: {reader}")
                _answer(table, name, folder, out, reader, workers)
    if cases.exists():
        table.renamed.extend(
            renamed.measure(cases, out / "renamed", readers or list(READERS), workers=workers, tell=tell)
        )
        tell("Own cases: retrievers")
        _retrieve_own(table, cases, out)
    for name, read in COLLECTIONS.items():
        if _there(table, name, data / name):
            tell(f"{TITLES[name]}: retrievers")
            _retrieve(table, name, read(data / name), out)
    if _there(table, "trec_cast", data / "trec_cast"):
        tell("TREC CAsT: follow-ups")
        _follow(table, data, out)
    for name, read_pairs in PAIRS.items():
        if _there(table, name, data / name):
            tell(f"{TITLES[name]}: verifier")
            skill = pairs.skill(PlainVerifier(), name, read_pairs(data / name))
            table.skills.append(skill)
            _put(table, name, "balanced accuracy", f"verifier {skill.verifier}", _cell_of(skill))
    return table


def write(table: Table, docs: Path, readme: Path, skills: Path = pairs.SKILLS) -> list[Path]:
    """Write the page of benchmarks, the table between the markers of the README, and what verifiers can do.

    Raises:
        UsageError: the README has no markers.
    """
    put_between(readme, BEGIN, END, markdown(table))
    docs.parent.mkdir(parents=True, exist_ok=True)
    own = page(table)
    there = blocks(docs.read_text(encoding="utf-8")) if docs.exists() else []
    others = [block for block in there if block.partition("\n")[0] not in own]
    docs.write_text("\n".join([own, *others]), encoding="utf-8")
    if not table.skills:
        return [docs, readme]
    pairs.write_skills(table.skills, skills)
    return [docs, readme, skills]


def put_between(page: Path, begin: str, end: str, block: str) -> None:
    """Put a block between two markers of a page, in place of what stands there.

    Raises:
        UsageError: the page has no such markers.
    """
    text = page.read_text(encoding="utf-8") if page.exists() else ""
    if begin not in text or end not in text:
        raise UsageError(f"{page} has no line {begin} with {end} after it; put both where the table belongs")
    before, _, rest = text.partition(begin)
    page.write_text(f"{before}{begin}\n{block}\n{end}{rest.partition(end)[2]}", encoding="utf-8")


def blocks(text: str) -> list[str]:
    """What stands between markers on a page, with its markers: the work of other commands."""
    return [f"{found[0]}\n" for found in _BLOCK.finditer(text)]


def markdown(table: Table) -> str:
    """The table: a row for each measure on a set, a column for each system; sets without data are named below it."""
    systems = list(dict.fromkeys(system for line in table.lines for system in line.cells))
    rows = [f"| set | measure | n | {' | '.join(systems)} |", "|---|---|---|" + "---|" * len(systems)]
    for line in table.lines:
        cells = [_shown(line.cells.get(system)) for system in systems]
        count = max((cell.cases for cell in line.cells.values()), default=0)
        rows.append(f"| {TITLES[line.set]} | {line.measure} | {count} | {' | '.join(cells)} |")
    if table.missing:
        named = ", ".join(f"{TITLES[name]} (no {folder.name}/)" for name, folder in table.missing.items())
        rows += ["", f"Not measured, their folders being missing: {named}."]
    return "\n".join(rows)


def page(table: Table) -> str:
    """The page of benchmarks."""
    known = ", ".join(f"{name} {version}" for name, version in versions().items())
    return "\n".join(
        [
            "# Benchmarks",
            "",
            "Made by `pincite eval table --data FOLDER`; no figure is written by hand. In brackets: 95% bootstrap"
            " intervals over questions. A question without an answer scores zero. None of these sets was used for"
            " training or for choosing a setting: the thresholds of both readers come from practice documents.",
            "",
            markdown(table),
            "",
            "## What is measured",
            "",
            *(f"- **{name}**: {what}" for name, what in _MEANING.items()),
            "",
            "## With other names, years and amounts",
            "",
            renamed.BEGIN,
            renamed.section(table.renamed) if table.renamed else "Not measured: there are no cases of our own.",
            renamed.END,
            "",
            *(["## Remarks", "", *(f"- {remark}" for remark in table.remarks), ""] if table.remarks else []),
            f"Measured with {known}.",
            "",
        ]
    )


_MEANING = {
    "Own cases": "`corpus/cases.jsonl` on `corpus/documents/`. A citation is right when at least half of its characters"
    " are gold; a part of the answer is recalled when at least half of one of its gold quotes is cited. *Right* is the"
    " share of answerable questions whose answer holds what it should and shows nothing forbidden. *CRAG* is right less"
    " wrong answers for each answerable question. *Gold in the first 5* is the share of gold quotes inside the first"
    " five passages.",
    "CLAPnq": "each question on its own passage: F1 of the sentences cited against those people chose, refusals of"
    " answerable questions scoring zero; AUC of the confidence for whether there is an answer.",
    "MultiSpanQA": "each question on its own passage: answer spans inside what is shown, and citations that hold one.",
    "TAT-QA": "each question on its table and paragraphs: list items found, amounts that stand there, amounts that must"
    " be computed, and citation F1 against the rows and sentences that hold the answer.",
    "SciFact, Cranfield": "nDCG@10 with linear gain by ir-measures; a document is ranked by its best passage. *plain"
    " BM25* is a textbook BM25 over title and text, to have a known figure beside ours.",
    "TREC CAsT": "of the five passages (of CLAPnq and MultiSpanQA) that a turn's rewriting by a person finds, the share"
    " that the turn finds: as it is, with the questions before it, and as this product resolves it.",
    "AttributionBench, WiCE": "balanced accuracy of the support verifier for fully supported or not; chance is 0.5.",
}


def _answer(table: Table, name: str, folder: Path, out: Path, reader: str, workers: int) -> None:
    public = None if name == "own" else name
    benchmark = read_set(folder, public, None)
    files = folder.parent / "documents" if public is None else None
    run_folder, index = out / f"{name}-{reader}", out / "indexes" / name
    loaded = run_product(
        benchmark, folder, run_folder, reader=reader, corpus=files, index=index, workers=workers, renew=True
    )
    verifier = PlainVerifier()
    scores = score_run(loaded, verifier)
    summary = summarise(loaded, scores, verifier)
    asked = {case.id: scores[case.id, "asked"] for case in benchmark.cases}
    for title, figure in _figures_of(name, loaded, summary, asked):
        _put(table, name, title, reader, figure)
    for why, count in benchmark.left_out.items():
        remark = f"{TITLES[name]}: {count} questions left out ({why})."
        if remark not in table.remarks:
            table.remarks.append(remark)
    if name == "own":
        total = next((each for each in summary.times if each.stage == "total"), None)
        if total:
            table.remarks.append(
                f"`{reader}` answers our own cases in {total.p50:.0f} ms (p50), {total.p95:.0f} ms (p95)."
            )


def _figures_of(
    name: str, loaded: Loaded, summary: Summary, scores: Mapping[str, Score]
) -> Iterable[tuple[str, Figure | None]]:
    if name == "own":
        for title, measure_name in (
            ("right answers", "right"),
            ("citation precision", "citation_precision"),
            ("citation recall", "citation_recall"),
            ("vital facts", "nugget_vital"),
            ("list items found", "item_recall"),
            ("refusal F1", "refusal_f1"),
            ("CRAG", "crag"),
        ):
            yield title, summary.figure(measure_name)
    elif name == "clapnq":
        yield "sentence F1", summary.figure("sentence_f1")
        yield "answerability AUC", summary.figure("answerability_auc")
    elif name == "multispanqa":
        yield "items found", summary.figure("item_recall")
        yield "citation precision", summary.figure("citation_precision")
    else:
        kinds: dict[str, list[Score]] = {}
        for case in loaded.cases:
            kinds.setdefault(case.kind, []).append(scores[case.id])
        for title, kind, measure_name in (
            ("list items found", "list", "item_recall"),
            ("amounts read", "amount", "amounts"),
            ("amounts computed", "total", "amounts"),
        ):
            yield title, next(iter(figures(kinds.get(kind, []), [measure_name])), None)
        yield "citation F1", summary.figure("citation_f1")


def _retrieve_own(table: Table, cases: Path, out: Path) -> None:
    from index.library import Index

    benchmark = read_set(cases, None, None)
    folder = out / "indexes" / "own"
    prepare_index(folder, benchmark.documents.values(), cases.parent / "documents")
    answerable = [case for case in benchmark.cases if case.answerable]
    with closing(Index(folder)) as index:
        for name, search in retrievers(index).items():
            shares = [_gold_seen(search, case) for case in answerable]
            _put(table, "own", "gold in the first 5", name, _mean(shares))


def _gold_seen(search: Retriever, case: Case) -> float:
    hits = search(case.rewritten or case.question, followups.TOP)
    return citation_recall([Place(hit.source, hit.passage.start, hit.passage.end) for hit in hits], parts(case))


def _retrieve(table: Table, name: str, collection: Collection, out: Path) -> None:
    from index.library import Index

    folder = out / "indexes" / name
    names = index_collection(collection, folder)
    runs = {}
    with closing(Index(folder)) as index:
        for system, search in retrievers(index).items():
            runs[system] = search_collection(collection, names, search)
    plain = BM25({key: f"{title} {text}" for key, (title, text) in collection.documents.items()})
    runs["plain BM25"] = {query: plain.search(text) for query, text in collection.queries.items()}
    for system, run in runs.items():
        _put(table, name, "nDCG@10", system, _mean(list(per_query(collection.qrels, run)["nDCG@10"].values())))


def _follow(table: Table, data: Path, out: Path) -> None:
    from index.library import Index

    sets: dict[str, Callable[[Path], Benchmark]] = {"clapnq": clapnq, "multispanqa": multispanqa}
    found = [read(data / name) for name, read in sets.items() if (data / name).exists()]
    if not found:
        table.remarks.append(
            "TREC CAsT: not measured, there being no passages to search (no clapnq/, no multispanqa/)."
        )
        return
    folder = out / "indexes" / "passages"
    prepare_index(folder, [document for each in found for document in each.documents.values()])
    turns = cast(data / "trec_cast")
    with closing(Index(folder)) as index:
        for system, retrieve in retrievers(index).items():

            @cache
            def search(question: str, retrieve: Retriever = retrieve) -> tuple[str, ...]:
                return tuple(hit.passage.id for hit in retrieve(question, followups.TOP))

            for title, way in (
                ("as it is", followups.alone),
                ("with the questions before", followups.joined),
                ("resolved", followups.resolved),
            ):
                agreed = followups.agreement(turns, way, search)
                cell = Cell(agreed.kept, *agreed.interval, agreed.turns) if agreed else None
                _put(table, "trec_cast", f"passages kept, {title}", system, cell)


def _there(table: Table, name: str, folder: Path) -> bool:
    if not folder.exists():
        table.missing[name] = folder
    return folder.exists()


def _put(table: Table, name: str, title: str, system: str, figure: Figure | Cell | None) -> None:
    if figure is None:
        return
    cell = Cell(figure.value, figure.low, figure.high, figure.cases)
    for line in table.lines:
        if (line.set, line.measure) == (name, title):
            line.cells[system] = cell
            return
    table.lines.append(Line(name, title, {system: cell}))


def _mean(values: Sequence[float]) -> Cell | None:
    interval = stats.bootstrap(values, [1] * len(values))
    return None if interval is None else Cell(sum(values) / len(values), *interval, len(values))


def _cell_of(skill: pairs.Skill) -> Cell:
    return Cell(skill.value, skill.low, skill.high, skill.pairs)


def _shown(cell: Cell | None) -> str:
    return "" if cell is None else f"{cell.value:.3f} [{cell.low:.2f}, {cell.high:.2f}]"
