"""Sets of cases made ready to run: their documents in an index, an answerer on top, and the settings of the run."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from eval import adapters
from eval.adapters import Benchmark
from eval.cases import read_cases
from eval.collection import Collection, cranfield, read_beir, scifact
from eval.retrieval import Run, existing
from eval.retrievers import Retriever, retrievers
from eval.run import Choices, Loaded, Progress, Settings, code_digest, forget_other, run, settings_for
from eval.systems import FromFile, Product, corpus_digest, put
from index.build import Builder, tidy
from index.errors import DocumentError, UsageError
from index.load import load_bytes, read
from index.models import Document

if TYPE_CHECKING:
    from index.library import Index
    from rag.llm import LlmSettings

SETS = {"clapnq": adapters.clapnq, "multispanqa": adapters.multispanqa, "tatqa": adapters.tatqa}
"""The public sets of cases, by the name that `pincite eval run --set` takes."""

COLLECTIONS: dict[str, Callable[[Path], Collection]] = {"beir": read_beir, "scifact": scifact, "cranfield": cranfield}
"""The retrieval collections, by the name that `pincite eval retrieval --set` takes."""


def read_set(cases: Path, name: str | None, corpus: Path | None) -> Benchmark:
    """The cases of a file with the documents beside it, or those of a public set.

    Args:
        cases: a case file; with ``name`` the folder of that public set.
        corpus: the folder of documents; ``documents/`` beside the case file where not given.

    Raises:
        UsageError: a path is missing, there is no set of that name, or the cases name a document that is not there.
    """
    if name is not None:
        if name not in SETS:
            raise UsageError(f"there is no set {name!r}; take one of {', '.join(SETS)}")
        return SETS[name](cases)
    found = Benchmark(cases.stem, read_cases(cases))
    found.documents.update(read_documents(corpus or cases.parent / "documents"))
    for case in found.cases:
        if missing := sorted({gold.source for gold in case.gold} - found.documents.keys()):
            raise UsageError(f"case {case.id} quotes {missing[0]}, which is not in the corpus; check --corpus")
    return found


def read_documents(folder: Path) -> dict[str, Document]:
    """The documents of a folder by source, as `pincite add` would read and name them; what it refuses is left out."""
    from index.ingest import sources

    documents = {}
    for source, path in sources([existing(folder)]):
        try:
            documents[source] = load_bytes(read(path), source)
        except DocumentError:
            continue
    return documents


def run_product(
    benchmark: Benchmark,
    cases: Path,
    out: Path,
    *,
    reader: str | None = None,
    llm: LlmSettings | None = None,
    corpus: Path | None = None,
    index: Path | None = None,
    workers: int = 1,
    progress: Progress | None = None,
    renew: bool = False,
) -> Loaded:
    """Run this product on a set; its index is made in the run's folder, or in ``index`` where that is given.

    Without ``llm`` no language model words the answers, whatever the environment says.
    With ``corpus`` the index is made from the files of that folder, as a user would add them. With ``renew`` a run that
    lies there under other settings is made again instead of refused.
    """
    from rag.assistant import open as open_assistant
    from rag.llm import read_settings

    folder = index or out / "index"
    prepare_index(folder, benchmark.documents.values(), corpus)
    with closing(open_assistant(folder, reader, llm or read_settings(base_url=""))) as assistant:
        system = Product(assistant)
        settings = _settings(benchmark, cases, system.name, system.used, workers, index_digest(assistant.index))
        return _run(benchmark, out, settings, system, progress, renew=renew)


def run_file(
    benchmark: Benchmark, cases: Path, out: Path, *, answers: Path, name: str | None, progress: Progress | None = None
) -> Loaded:
    """Score another system's answers as a run.

    Raises:
        UsageError: the file cannot be read, or answers a case that is not in the set.
    """
    texts = {source: document.text for source, document in benchmark.documents.items()}
    system = FromFile(answers, texts, name)
    if unknown := system.unknown(case.id for case in benchmark.cases):
        raise UsageError(
            f"{answers} answers {unknown[0]!r}, which is no case of {cases}; check that they belong together"
        )
    digest = hashlib.sha256(answers.read_bytes()).hexdigest()[:16]
    settings = _settings(benchmark, cases, system.name, system.used, 1, f"answers:{digest}")
    return _run(benchmark, out, settings, system, progress)


def prepare_index(folder: Path, documents: Iterable[Document], files: Path | None = None) -> None:
    """Make an index of these documents, or of the files they were read from, unless the folder holds it already.

    Raises:
        UsageError: the folder holds something else.
    """
    import index as package
    from index.library import Index

    # Documents of one text are one document: the first source keeps it.
    unique = list({document.id: document for document in reversed(list(documents))}.values())[::-1]
    digest = corpus_digest((document.source, document.id) for document in unique) + code_digest(package)
    marker = folder / "corpus.digest"
    if marker.exists() and marker.read_text(encoding="utf-8") == digest:
        return
    if folder.exists() and any(folder.iterdir()):
        if not (folder / "making").exists() and not marker.exists():
            raise UsageError(f"{folder} holds something else than an index of this set; choose another folder")
        shutil.rmtree(folder)  # our own, of other documents or half made
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "making").touch()
    with closing(Index(folder)) as index:
        if files:
            index.add(files)
        else:
            put(index, unique)
    marker.write_text(digest, encoding="utf-8")
    (folder / "making").unlink()


def index_digest(index: Index) -> str:
    """The encoder of an index, and the digest of its passages as 16 hex digits: another cut makes another digest."""
    found = hashlib.sha256()
    store = index.engine.store
    for document in sorted(store.documents()):
        for stored in store.passages_of(document):
            found.update(f"{stored.passage.id} {stored.passage.start} {stored.passage.end}\n".encode())
    return f"{index.encoder.id} {found.hexdigest()[:16]}"


def read_collection(folder: Path, name: str) -> Collection:
    """A retrieval collection of a folder.

    Raises:
        UsageError: there is no kind of collection of that name, or the folder holds none.
    """
    if name not in COLLECTIONS:
        raise UsageError(f"there is no collection {name!r}; take one of {', '.join(COLLECTIONS)}")
    return COLLECTIONS[name](folder)


def rank_collection(collection: Collection, folder: Path, mode: str) -> Run:
    """Index a collection in a folder, and rank its documents for each of its queries.

    Raises:
        UsageError: there is no search of that name.
    """
    from index.library import Index

    names = index_collection(collection, folder)
    with closing(Index(folder)) as index:
        known = retrievers(index)
        if mode not in known:
            raise UsageError(f"there is no search {mode!r}; take one of {', '.join(known)}")
        return search_collection(collection, names, known[mode])


def index_collection(collection: Collection, folder: Path) -> dict[str, list[str]]:
    """Make an index of a retrieval collection; returns the names of the documents that each source stands for."""
    documents, names = documents_of(collection)
    prepare_index(folder, documents)
    return names


def documents_of(collection: Collection) -> tuple[list[Document], dict[str, list[str]]]:
    """A retrieval collection as documents, each text once; and the names that each source stands for."""
    documents: dict[str, Document] = {}
    names: dict[str, list[str]] = {}
    for name, (title, text) in collection.documents.items():
        builder = Builder()
        builder.add("paragraph", tidy(text) or tidy(title) or "(empty)")
        digest = hashlib.sha256(f"{title}\n{builder.text}".encode()).hexdigest()
        document = documents.setdefault(
            digest,
            Document(
                id=digest[:16],
                source=f"{collection.name}/{name}",
                sha256=digest,
                media_type="text/plain",
                text=builder.text,
                title=tidy(title) or None,
                language="en",
                blocks=tuple(builder.blocks),
            ),
        )
        names.setdefault(document.source, []).append(name)
    return list(documents.values()), names


def search_collection(collection: Collection, names: dict[str, list[str]], search: Retriever, k: int = 100) -> Run:
    """The best documents for each query, each by its best passage."""
    found: Run = {}
    for query, text in collection.queries.items():
        scores: dict[str, float] = {}
        for rank, hit in enumerate(search(text, 2 * k), start=1):
            for name in names[hit.source]:
                scores.setdefault(name, 1 / rank)
        found[query] = dict(list(scores.items())[:k])
    return found


def _settings(benchmark: Benchmark, cases: Path, system: str, used: int, workers: int, index: str) -> Settings:
    public = benchmark.name if benchmark.given else None
    return settings_for(
        benchmark.cases,
        cases=cases.name,
        system=system,
        used=used,
        corpus=f"{len(benchmark.documents)} documents",
        corpus_digest=corpus_digest((source, document.sha256) for source, document in benchmark.documents.items()),
        index=index,
        set=public,
        workers=workers,
    )


def _run(
    benchmark: Benchmark,
    out: Path,
    settings: Settings,
    system: Product | FromFile,
    progress: Progress | None,
    *,
    renew: bool = False,
) -> Loaded:
    if renew:
        forget_other(out, settings)
    choices = Choices(sentences=benchmark.sentences, references=benchmark.references)
    return run(out, settings, benchmark.cases, system, choices=choices, given=benchmark.given, progress=progress)
