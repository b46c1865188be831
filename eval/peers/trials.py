"""What is measured: adding side by side, retrieval, warm search at two sizes, and a search from a cold process."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter

from eval.bench import documents_of
from eval.collection import Collection, scifact
from eval.peers.client import Reply, Variant, Worker, found
from eval.peers.environments import OURS
from eval.peers.inputs import Inputs, first_of, recombined, whole
from eval.peers.results import Cell, Results, Row, middle, percentile
from eval.retrieval import Run, per_query
from eval.stats import bootstrap
from index.encode import Encoder
from index.errors import UsageError

Tell = Callable[[str], None]

_DEPTH = 200  # passages, of which the first 100 documents are taken
_K = 10
_QUERIES = 100
_BATCH = 20  # queries that one system is asked before the next one's turn
_COLD = 7
_QUESTION = "Does vitamin D deficiency raise the risk of multiple sclerosis?"


class Bench:
    """One run: the systems, where everything is kept, and what was measured.

    Attributes:
        results: of this run and of those before it.
    """

    def __init__(self, variants: Sequence[Variant], work: Path, data: Path, results: Results, tell: Tell) -> None:
        self.results = results
        self._variants = list(variants)
        self._work = work
        self._data = data
        self._tell = tell

    def adding(self, documents: int, chunk: int) -> None:
        """Each system encodes and stores the same documents, a chunk in turn, so that all meet the same load."""
        inputs = first_of(self._collection(), self._work / "inputs" / "adding", most=documents, chunk=chunk)
        batches = self._batches(inputs)
        spent: dict[str, list[Reply]] = {}
        first: dict[str, dict[str, list[str]]] = {}
        with ExitStack() as stack:
            workers = self._started(stack, [v for v in self._variants if not v.hybrid], "adding", fresh=True)
            for number, files in enumerate(inputs.chunks, start=1):
                for worker in self._turns(workers, f"chunk {number} of {len(inputs.chunks)}"):
                    reply = worker.ask({"do": "add", **files.command(given=False)})
                    spent.setdefault(worker.variant.title, []).append(reply)
            for worker in self._turns(workers, "saving"):
                title = worker.variant.title
                spent[title].append(worker.ask({"do": "save"}))
                first[title] = self._search(worker, batches, _K)[1]
        titles = [worker.variant.title for worker in workers]
        ours = first.get(Variant(OURS, hybrid=False).title, {})
        rows = [
            Row(trial="adding", measure=f"adding: {measure}", unit=unit, better="less", cells=cells)
            for measure, unit, cells in (
                ("whole", "s", {t: Cell(value=sum(reply.seconds for reply in spent[t])) for t in titles}),
                ("on processors", "s", {t: Cell(value=sum(reply.cpu for reply in spent[t])) for t in titles}),
                ("most memory", "MB", {t: Cell(value=max(reply.peak_mb for reply in spent[t])) for t in titles}),
            )
        ]
        if ours:
            same = {t: Cell(value=_shared(first[t], ours), n=len(ours)) for t in titles}
            rows.append(
                Row(trial="adding", measure="adding: first ten as ours, own vectors", better="more", cells=same)
            )
        told = f"{len(inputs.documents):,} passages of {len(set(inputs.documents.values())):,} documents of SciFact"
        self._keep("adding", rows, [f"{told}, {chunk} documents in turn; each system encodes them itself"])

    def scifact(self) -> None:
        """Retrieval on the whole of SciFact, with vectors that are given, and warm search there."""
        collection = self._collection()
        inputs = whole(collection, self._work / "inputs" / "scifact")
        names = self._names(collection)
        cells: dict[str, dict[str, Cell]] = {"nDCG@10": {}, "R@100": {}}
        with ExitStack() as stack:
            workers = self._filled(stack, inputs, self._variants, "scifact")
            for worker in self._turns(workers, "retrieval"):
                _, ranked = self._search(worker, [inputs.queries], _DEPTH)
                run = _documents(ranked, inputs, names)
                for measure, values in per_query(collection.qrels, run).items():
                    if measure in cells:
                        numbers = list(values.values())
                        low, high = bootstrap(numbers, [1] * len(numbers)) or (None, None)
                        mean = sum(numbers) / len(numbers)
                        cells[measure][worker.variant.title] = Cell(value=mean, low=low, high=high, n=len(numbers))
            rows = [
                Row(trial="scifact", measure=f"SciFact: {measure}", better="more", cells=of)
                for measure, of in cells.items()
            ]
            rows += self._warm(workers, self._batches(inputs), "scifact", "SciFact")
        told = f"SciFact: {len(inputs.documents):,} passages of {len(set(inputs.documents.values())):,} documents"
        self._keep("scifact", rows, [f"{told}, vectors given; documents rank by their best passage of {_DEPTH}"])

    def large(self, count: int) -> None:
        """Warm search among many passages, with vectors that are given."""
        folder = self._work / "inputs" / "large"
        inputs = recombined(self._collection(), folder, count=count, queries=_QUERIES, encoder=Encoder())
        variants = [variant for variant in self._variants if not variant.hybrid or variant.system == OURS]
        with ExitStack() as stack:
            workers = self._filled(stack, inputs, variants, "large")
            rows = self._warm(workers, self._batches(inputs), "large", f"{count:,} passages")
        told = f"{count:,} passages of four sentences of SciFact each, put together at random, vectors given"
        self._keep("large", rows, [told])

    def cold(self) -> None:
        """One search in a process of its own, on the index of SciFact that the trial of that name left behind."""
        times: dict[str, list[float]] = {}
        variants = [v for v in self._variants if v.hybrid == (v.system == OURS)]
        asked = self._work / "inputs" / "cold.jsonl"
        asked.write_text(f'{{"id": "1", "text": "{_QUESTION}"}}\n', encoding="utf-8")
        for turn in range(_COLD + 1):
            for variant in variants:
                self._tell(f"cold: {variant.title}, {turn} of {_COLD}")
                folder = self._work / "indexes" / "scifact" / _folder(variant)
                start = perf_counter()
                try:
                    self._once(variant, folder, asked)
                except UsageError as error:
                    self._skip(variant, error)
                    variants = [v for v in variants if v != variant]
                    times.pop(variant.title, None)
                    continue
                if turn:  # the first brings the files into memory
                    times.setdefault(variant.title, []).append(perf_counter() - start)
        cells = {title: middle(seconds) for title, seconds in times.items()}
        row = Row(trial="cold", measure="SciFact: a search in a new process", unit="s", better="less", cells=cells)
        told = f"{_COLD} times in turn after one that does not count; this product by `pincite search --json`"
        self._keep("cold", [row], [f"A new process opens the index of SciFact and searches once: {told}"])

    def _once(self, variant: Variant, folder: Path, asked: Path) -> None:
        if variant.system != OURS:
            with Worker(variant, folder, self._work) as worker:
                worker.open()
                worker.ask({"do": "search", "queries": str(asked), "k": _K, "out": str(folder.parent / "cold.out")})
            return
        pincite = shutil.which("pincite", path=str(Path(sys.executable).parent)) or "pincite"
        command = [pincite, "search", _QUESTION, "--index", str(folder), "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  our own command
        if done.returncode:
            raise UsageError(f"`pincite search` failed: {done.stderr.strip()}")

    def _warm(self, workers: list[Worker], batches: Sequence[Path], trial: str, name: str) -> list[Row]:
        """Opening, time of a search and memory, of systems that are open."""
        times: dict[str, list[float]] = {}
        cpu: dict[str, list[float]] = {}
        memory = {}
        for worker in self._turns(workers, "first search"):
            self._search(worker, batches[:1], _K)
        for batch in batches:
            for worker in self._turns(workers, "warm search"):
                reply, _ = self._search(worker, [batch], _K)
                times.setdefault(worker.variant.title, []).extend(reply.times_ms)
                cpu.setdefault(worker.variant.title, []).extend(reply.cpu_ms)
                memory[worker.variant.title] = Cell(value=reply.now_mb)
        late = {title: Cell(value=percentile(values, 95), n=len(values)) for title, values in times.items()}
        return [
            Row(trial=trial, measure=f"{name}: {measure}", unit=unit, better="less", cells=of)
            for measure, unit, of in (
                ("warm search, p50", "ms", {title: middle(values) for title, values in times.items()}),
                ("warm search, p95", "ms", late),
                ("warm search on processors, p50", "ms", {title: middle(values) for title, values in cpu.items()}),
                ("memory, open and searched", "MB", memory),
            )
        ]

    def _filled(self, stack: ExitStack, inputs: Inputs, variants: Sequence[Variant], trial: str) -> list[Worker]:
        """Each system with an index of these inputs, which another process made before."""
        for variant in {_folder(variant): variant for variant in variants}.values():
            with ExitStack() as making:
                for worker in self._turns(self._started(making, [variant], trial, fresh=True), "adding what is given"):
                    for files in inputs.chunks:
                        worker.ask({"do": "add", **files.command(given=True)})
                    worker.ask({"do": "save"})
        return self._started(stack, variants, trial, fresh=False)

    def _started(self, stack: ExitStack, variants: Sequence[Variant], trial: str, *, fresh: bool) -> list[Worker]:
        """The systems that can be opened; why another cannot is told."""
        workers = []
        for variant in variants:
            folder = self._work / "indexes" / trial / _folder(variant)
            if fresh:
                shutil.rmtree(folder, ignore_errors=True)
            try:
                worker = stack.enter_context(Worker(variant, folder, self._work))
                reply = worker.open()
            except UsageError as error:
                self._skip(variant, error)
                continue
            self.results = self.results.with_system(variant.title, reply.settings, reply.versions)
            workers.append(worker)
        return workers

    def _turns(self, workers: list[Worker], what: str) -> Iterator[Worker]:
        """Each system in turn, told."""
        for worker in workers:
            self._tell(f"{worker.variant.title}: {what}")
            yield worker

    def _search(self, worker: Worker, queries: Sequence[Path], k: int) -> tuple[Reply, dict[str, list[str]]]:
        """Ask a system all queries of some files: the last reply, and what was found."""
        out = self._work / "found.jsonl"
        every: dict[str, list[str]] = {}
        for file in queries:
            reply = worker.ask({"do": "search", "queries": str(file), "k": k, "out": str(out)})
            every |= found(out)
        return reply, every

    def _batches(self, inputs: Inputs) -> list[Path]:
        """The first queries, in files of so many."""
        lines = inputs.queries.read_text(encoding="utf-8").splitlines(keepends=True)[:_QUERIES]
        files = []
        for at in range(0, len(lines), _BATCH):
            files.append(inputs.queries.with_name(f"queries-{at}.jsonl"))
            files[-1].write_text("".join(lines[at : at + _BATCH]), encoding="utf-8")
        return files

    def _collection(self) -> Collection:
        return scifact(self._data / "beir_scifact")

    def _names(self, collection: Collection) -> dict[str, list[str]]:
        documents, names = documents_of(collection)
        return {document.id: names[document.source] for document in documents}

    def _skip(self, variant: Variant, error: UsageError) -> None:
        self._tell(f"LEFT OUT: {variant.title}: {error}")
        self.results = self.results.with_skipped(variant.title, str(error))

    def _keep(self, trial: str, rows: Sequence[Row], settings: Sequence[str]) -> None:
        cores = len(os.sched_getaffinity(0))
        told = f"on {cores} core{'s' if cores > 1 else ''}, the systems taking turns"
        self.results = self.results.with_trial(trial, rows, [*settings, told])


def _folder(variant: Variant) -> str:
    """The folder of a system's index; this product has one for both kinds of search."""
    return variant.system + ("-hybrid" if variant.hybrid and variant.system != OURS else "")


def _shared(first: dict[str, list[str]], second: dict[str, list[str]]) -> float:
    """The share of what one search found that the other found too, over all queries."""
    both = sum(len(set(first[query]) & set(second[query])) for query in second)
    return both / max(sum(len(second[query]) for query in second), 1)


def _documents(ranked: dict[str, list[str]], inputs: Inputs, names: dict[str, list[str]]) -> Run:
    """Passages found, best first, as documents by their best passage."""
    run: Run = {}
    for query, passages in ranked.items():
        scores: dict[str, float] = {}
        for rank, passage in enumerate(passages, start=1):
            for name in names[inputs.documents[passage]]:
                scores.setdefault(name, 1 / rank)
        run[query] = dict(list(scores.items())[:100])
    return run
