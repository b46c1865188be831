"""What is measured: adding side by side, retrieval, warm search at two sizes, and a search from a cold process."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import perf_counter

from eval.bench import documents_of
from eval.collection import Collection
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
_COLD = 5
_QUESTION = "Does vitamin D deficiency raise the risk of multiple sclerosis?"


class Bench:
    """One run: the systems, where everything is kept, and what was measured.

    Attributes:
        results: of this run and of those before it.
    """

    def __init__(
        self, variants: Sequence[Variant], work: Path, collection: Collection, results: Results, tell: Tell
    ) -> None:
        self.results = results
        self._variants = list(variants)
        self._work = work
        self._collection = collection
        self._tell = tell

    def adding(self, documents: int, chunk: int) -> None:
        """Each system encodes and stores the same documents, a chunk in turn, so that all meet the same load."""
        inputs = first_of(self._collection, self._work / "inputs" / "adding", most=documents, chunk=chunk)
        batches = self._batches(inputs)
        spent: dict[str, list[Reply]] = {}
        first: dict[str, dict[str, list[str]]] = {}
        with ExitStack() as stack:
            workers = self._started(stack, [v for v in self._variants if not v.hybrid], "adding", fresh=True)

            for number, files in enumerate(inputs.chunks, start=1):
                for worker in list(workers):
                    with self._turn(workers, worker, f"chunk {number} of {len(inputs.chunks)}"):
                        reply = worker.ask({"do": "add", **files.command(given=False)})
                        spent.setdefault(worker.variant.title, []).append(reply)
            for worker in list(workers):
                with self._turn(workers, worker, "saving"):
                    spent[worker.variant.title].append(worker.ask({"do": "save"}))
                    first[worker.variant.title] = self._search(worker, batches, _K)[1]
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
            rows.append(Row(trial="adding", measure="adding: share of our first ten found", better="more", cells=same))
        told = f"{len(inputs.documents):,} passages of {len(set(inputs.documents.values())):,} documents of SciFact"
        self._keep("adding", rows, [f"{told}, {chunk} documents in turn; each system encodes them itself"])

    def scifact(self) -> None:
        """Retrieval on the whole of SciFact, with vectors that are given, and warm search there."""
        inputs = whole(self._collection, self._work / "inputs" / "scifact")
        names = self._names()
        cells: dict[str, dict[str, Cell]] = {"nDCG@10": {}, "R@100": {}}
        with ExitStack() as stack:
            workers = self._filled(stack, inputs, self._variants, "scifact")
            for worker in list(workers):
                with self._turn(workers, worker, "retrieval"):
                    _, ranked = self._search(worker, [inputs.queries], _DEPTH)
                    values = per_query(self._collection.qrels, _documents(ranked, inputs, names))
                    for measure, of in cells.items():
                        of[worker.variant.title] = _mean(list(values[measure].values()))
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
        inputs = recombined(self._collection, folder, count=count, queries=_QUERIES, encoder=Encoder())
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
        for number, batch in enumerate([batches[0], *batches]):
            for worker in list(workers):
                with self._turn(workers, worker, f"warm search, {number} of {len(batches)}"):
                    reply, _ = self._search(worker, [batch], _K)
                    if number:  # the first round warms up
                        times.setdefault(worker.variant.title, []).extend(reply.times_ms)
                        cpu.setdefault(worker.variant.title, []).extend(reply.cpu_ms)
                        memory[worker.variant.title] = Cell(value=reply.now_mb)
        titles = [worker.variant.title for worker in workers]
        late = {title: Cell(value=percentile(times[title], 95), n=len(times[title])) for title in titles}
        return [
            Row(trial=trial, measure=f"{name}: {measure}", unit=unit, better="less", cells=of)
            for measure, unit, of in (
                ("warm search, p50", "ms", {title: middle(times[title]) for title in titles}),
                ("warm search, p95", "ms", late),
                ("warm search on processors, p50", "ms", {title: middle(cpu[title]) for title in titles}),
                ("memory, open and searched", "MB", {title: memory[title] for title in titles}),
            )
        ]

    def _filled(self, stack: ExitStack, inputs: Inputs, variants: Sequence[Variant], trial: str) -> list[Worker]:
        """Each system with an index of these inputs, which another process made before."""
        made = set()
        for variant in {_folder(variant): variant for variant in variants}.values():
            with ExitStack() as making:
                started = self._started(making, [variant], trial, fresh=True)
                for worker in list(started):
                    with self._turn(started, worker, "adding what is given"):
                        for files in inputs.chunks:
                            worker.ask({"do": "add", **files.command(given=True)})
                        worker.ask({"do": "save"})
                        made.add(_folder(variant))
        return self._started(stack, [v for v in variants if _folder(v) in made], trial, fresh=False)

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

    @contextmanager
    def _turn(self, workers: list[Worker], worker: Worker, what: str) -> Iterator[None]:
        """A system's turn; one that fails in it takes no further part, and why is told."""
        self._tell(f"{worker.variant.title}: {what}")
        try:
            yield
        except UsageError as error:
            self._skip(worker.variant, error)
            workers.remove(worker)

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

    def _names(self) -> dict[str, list[str]]:
        """The names in the collection that each document's id stands for."""
        documents, names = documents_of(self._collection)
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


def _mean(values: Sequence[float]) -> Cell:
    """The mean with its 95% interval."""
    low, high = bootstrap(values, [1] * len(values)) or (None, None)
    return Cell(value=sum(values) / len(values), low=low, high=high, n=len(values))


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
