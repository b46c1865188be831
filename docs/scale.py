"""Measures what `docs/scale.md` rests on and writes it there: ``python docs/scale.py [milvus://HOST:PORT/NAME]``.

Without an address the lines about a server stay as they are. The library of that name must not exist yet.
"""

from __future__ import annotations

import re
import statistics
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter, process_time
from typing import TypeVar

import numpy as np

from index.encode import Encoder
from index.ingest import sources
from index.milvus import MilvusEngine
from index.milvus_rows import as_text, description, facts, passage_rows, pieces
from index.milvus_server import Address, Row
from index.prepare import Given, Prepared, encode, prepare
from index.reading import PERMUTATIONS, SCHEME
from index.records import Entry
from index.split import context

ROOT = Path(__file__).parents[1]
T = TypeVar("T")
TURNS = 8  # times that the demo is written to a server, each time as other documents


def main(address: str | None) -> None:
    """Measure, and write each line in the place of the one that begins alike."""
    made = [prepare(Given(source, file)) for source, file in sources([ROOT / "corpus" / "documents"])]  # warm
    seconds, made = cpu(lambda: [prepare(Given(s, f)) for s, f in sources([ROOT / "corpus" / "documents"])])
    made = [one for one in made if one.document]
    count = sum(len(one.passages) for one in made)
    encoder = Encoder(threads=1)
    encoding, vectors = cpu(lambda: [encode(one.document, one.passages, encoder) for one in made])
    entries = [
        Entry(one.document, one.passages, *found, minhash=one.minhash) for one, found in zip(made, vectors, strict=True)
    ]
    packing, rows = cpu(lambda: [packed(entry) for entry in entries])
    lines = {
        "loading, splitting, minhash": f"{seconds / count * 1000:.1f} ms of one core a passage",
        "encoding, float32, each document by itself": f"{encoding / count * 1000:.0f} ms of one core a passage",
        "packing a passage into rows": f"{packing / count * 1000:.1f} ms of one core",
        "bytes a passage: its row; its share of the records": "; ".join(
            f"{sum(r) / count:,.0f}" for r in zip(*rows, strict=True)
        ),
        "entering one stored minhash": "; ".join(f"{versions(n):.2f} ms at {n:,}" for n in (1000, 4000, 16000)),
        "a passage": about(made, encoder),
    }
    if address:
        lines |= served(MilvusEngine(Address.parse(address), encoder.id, encoder.dim), entries, count)
    page = ROOT / "docs" / "scale.md"
    text = page.read_text(encoding="utf-8")
    for name, value in lines.items():
        text, found = re.subn(rf"^(\| {re.escape(name)} \| ).*?( \|)", rf"\g<1>{value}\2", text, flags=re.M)
        if not found:
            raise SystemExit(f"{page} has no line for {name!r}")
    page.write_text(text, encoding="utf-8")


def cpu(work: Callable[[], T]) -> tuple[float, T]:
    """Processor seconds of some work, and what it gave."""
    start = process_time()
    made = work()
    return process_time() - start, made


def packed(entry: Entry) -> tuple[int, int]:
    """Bytes of a document's rows of passages, and of its records."""
    known = facts(entry.document, 1)
    passages, details = passage_rows(entry, known, has_terms=True)
    records = description(entry.document, len(passages), known)
    records += pieces("text", entry.document.text, known) + pieces("passages", as_text(details), known)
    records += pieces("minhash", as_text(entry.minhash), known)
    return sum(map(size, passages)), sum(map(size, records))


def size(row: Row) -> int:
    """Bytes of a row: text, vectors in four bytes a number, and numbers."""
    plain = sum(len(v) if isinstance(v, str) else 8 for v in row.values() if not isinstance(v, list))
    return plain + sum(4 * len(v) for v in row.values() if isinstance(v, list))


def versions(count: int) -> float:
    """Milliseconds to enter one minhash among so many."""
    from datasketch import MinHash, MinHashLSH

    chance = np.random.default_rng(1)
    found = MinHashLSH(threshold=0.35, num_perm=PERMUTATIONS)
    values = [chance.integers(0, 2**32, PERMUTATIONS, dtype=np.uint64) for _ in range(count)]
    seconds, _ = cpu(
        lambda: [found.insert(n, MinHash(PERMUTATIONS, hashvalues=v, scheme=SCHEME)) for n, v in enumerate(values)]
    )
    return seconds / count * 1000


def about(made: Sequence[Prepared], encoder: Encoder) -> str:
    """What the demo's passages are like."""
    pairs = [(one.document, passage) for one in made for passage in one.passages if one.document]
    texts = [context(d, p) + d.text[p.start : p.end] for d, p in pairs]
    words = statistics.mean(len(e.ids) for e in encoder._tokenizer.encode_batch(texts, add_special_tokens=False))
    long = statistics.mean(p.end - p.start for _, p in pairs)
    inside = statistics.mean(len(p.sentences) for _, p in pairs)
    each = len(pairs) / len(made)
    return f"{long:.0f} characters, {words:.0f} word pieces, {inside:.1f} sentences; {each:.1f} a document"


def served(engine: MilvusEngine, entries: Sequence[Entry], count: int) -> dict[str, str]:
    """What a server takes to write and to read."""
    rates, costs = [], []
    for turn in range(TURNS):
        start, cost = perf_counter(), process_time()
        for entry in entries:
            own = f"{turn:02}{entry.document.id[2:]}"
            document = entry.document.model_copy(update={"id": own, "source": f"{turn}/{entry.document.source}"})
            passages = [passage.model_copy(update={"document": own}) for passage in entry.passages]
            engine.upsert(entry._replace(document=document, passages=passages))
        rates.append(count / (perf_counter() - start))
        costs.append((process_time() - cost) / count * 1000)
    times: dict[str, list[float]] = {"dense": [], "get": [], "snapshot": []}
    for entry in entries[1:]:
        found: list[tuple[int, float]] = []
        for name, work in (
            ("dense", lambda e=entry, f=found: f.extend(engine.dense(e.vectors[0], 100, {}))),
            ("get", lambda f=found: engine.get([key for key, _ in f[:20]])),
            ("snapshot", engine.snapshot),
        ):
            start = perf_counter()
            work()
            times[name].append((perf_counter() - start) * 1000)
    read = "; ".join(f"{statistics.median(some):.0f} ms" for some in times.values())
    return {
        "writing to a server: the client's own share": f"{statistics.median(costs):.1f} ms of one core a passage",
        "one writer, waiting for each answer": f"{min(rates):.0f}–{max(rates):.0f} passages a second",
        "a search of 100; 20 passages with their documents; a snapshot": read,
    }


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
