"""A run: every case asked once, each answer on disk before the next, so that a crash costs one question.

A run's folder holds::

    settings.json     what was run: cases, system, corpus, versions, seed
    cases.jsonl       the cases, as they were
    choices.json      sentences to choose from and people's choices, where the set has them
    answers.jsonl     one line for each case (and for each follow-up in its rewritten form), appended and flushed
    documents.jsonl   the texts of the documents that gold or citations name
    cost.json         time and memory, added up over all sessions of the run

Scores are not kept: they are made from these files, so that a corrected measure needs no new run.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import resource
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType
from typing import Literal, NamedTuple, TypeVar

from pydantic import ValidationError

from eval.cases import Case, digest, read_cases, write_cases
from eval.measures import Place
from eval.stats import SEED
from eval.systems import Asked, System
from index.errors import PinciteError, UsageError
from index.models import Model
from rag.models import Answer

Variant = Literal["asked", "rewritten"]
Progress = Callable[[int, int], None]
"""Told the number of questions that are done, and how many there are."""
T = TypeVar("T", bound=Model)

_PACKAGES = ("pincite", "numpy", "faiss-cpu", "tantivy", "onnxruntime", "sentence-transformers", "ir-measures")


class Settings(Model):
    """What was run. A run goes on only under the same settings, apart from ``versions`` and ``workers``.

    Attributes:
        index: the encoder of the index and the digest of its passages; for another system, that of its answers.
        code: the digest of the product's own code and data, so that no run mixes two versions.
        set: the name of a public set; ``None`` for a case file.
    """

    cases: str
    cases_digest: str
    system: str
    used: int
    corpus: str
    corpus_digest: str
    index: str
    code: str
    set: str | None = None
    seed: int = SEED
    workers: int = 1
    versions: dict[str, str] = {}


class Record(Model):
    """One line of a run: a case, asked as it is or rewritten to stand alone, and what came of it.

    ``seen`` holds the passages retrieved, best first; ``seconds`` is the time of the answer alone.
    """

    case: str
    variant: Variant = "asked"
    answer: Answer | None
    error: str | None = None
    seen: tuple[Place, ...] = ()
    seconds: float


class Choices(Model):
    """For some cases, the sentences of the passage and those that each person chose."""

    sentences: dict[str, tuple[Place, ...]] = {}
    references: dict[str, tuple[tuple[Place, ...], ...]] = {}


class Cost(Model):
    """Wall time in seconds and the highest resident memory in MiB."""

    seconds: float = 0.0
    peak_mib: float = 0.0


class Loaded(NamedTuple):
    """A run as it lies on disk; ``records`` by case and variant, without those that were not asked yet."""

    folder: Path
    settings: Settings
    cases: list[Case]
    choices: Choices
    records: dict[tuple[str, Variant], Record]
    texts: dict[str, str]
    cost: Cost

    @property
    def missing(self) -> list[str]:
        """The cases that have not been asked yet."""
        return [case.id for case in self.cases if (case.id, "asked") not in self.records]


def versions() -> dict[str, str]:
    """The versions of Python and of the packages that figures may depend on."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def run(
    out: Path,
    settings: Settings,
    cases: Sequence[Case],
    system: System,
    *,
    choices: Choices | None = None,
    given: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> Loaded:
    """Ask every case that has no answer yet, and return the whole run.

    A question that ends in an error of ours is recorded without an answer, which scores zero; any other exception stops
    the run, which can be started again.

    Args:
        out: the run's folder; made where it is missing.
        given: for cases that are asked on one document alone, its source.

    Raises:
        UsageError: the folder holds a run with other settings.
    """
    started = time.perf_counter()
    _begin(out, settings, cases, choices or Choices())
    done = _records(out / "answers.jsonl", mend=True)
    wanted = [
        (Asked(case.id, question, case.history if variant == "asked" else (), (given or {}).get(case.id)), variant)
        for case in cases
        for variant, question in _variants(case)
    ]
    todo = [(asked, variant) for asked, variant in wanted if (asked.id, variant) not in done]
    finished = len(wanted) - len(todo)
    if progress:
        progress(finished, len(wanted))
    with (
        (out / "answers.jsonl").open("a", encoding="utf-8") as file,
        ThreadPoolExecutor(settings.workers) as pool,
    ):
        ahead = settings.workers * 4  # never far ahead of what is on disk
        for at in range(0, len(todo), ahead):
            for record in pool.map(lambda pair: _ask(system, *pair), todo[at : at + ahead]):
                file.write(record.model_dump_json() + "\n")
                file.flush()
                os.fsync(file.fileno())
                done[record.case, record.variant] = record
                finished += 1
                if progress:
                    progress(finished, len(wanted))
    _write_texts(out, cases, done, system)
    before = _cost(out)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 * 1024 if sys.platform == "darwin" else 1024)
    cost = Cost(seconds=before.seconds + time.perf_counter() - started, peak_mib=max(before.peak_mib, peak))
    _write(out / "cost.json", cost.model_dump_json())
    return load(out)


def load(folder: str | Path) -> Loaded:
    """Read a run from its folder.

    Raises:
        UsageError: there is no run, or a file of it is damaged.
    """
    folder = Path(folder)
    if not (folder / "settings.json").is_file():
        raise UsageError(f"{folder} holds no run; make one with `pincite eval run CASES --out {folder}`")
    return Loaded(
        folder=folder,
        settings=_model(folder / "settings.json", Settings),
        cases=read_cases(folder / "cases.jsonl"),
        choices=_model(folder / "choices.json", Choices) if (folder / "choices.json").exists() else Choices(),
        records=_records(folder / "answers.jsonl"),
        texts=_texts(folder / "documents.jsonl"),
        cost=_cost(folder),
    )


def _variants(case: Case) -> list[tuple[Variant, str]]:
    asked: list[tuple[Variant, str]] = [("asked", case.question)]
    return [*asked, ("rewritten", case.rewritten)] if case.rewritten else asked


def _begin(out: Path, settings: Settings, cases: Sequence[Case], choices: Choices) -> None:
    path = out / "settings.json"
    if path.exists():
        for field, old, new in _differences(_model(path, Settings), settings):
            raise UsageError(f"{out} holds a run with {field} {old!r}, not {new!r}; choose another --out")
        return
    out.mkdir(parents=True, exist_ok=True)
    write_cases(out / "cases.jsonl", cases)
    if choices.references:
        _write(out / "choices.json", choices.model_dump_json())
    _write(path, settings.model_dump_json(indent=1))  # last: where it stands, the rest does


def forget_other(out: Path, settings: Settings) -> None:
    """Remove the run of a folder where it was made under other settings."""
    path = out / "settings.json"
    if path.exists() and _differences(_model(path, Settings), settings):
        for name in ("settings.json", "answers.jsonl", "cases.jsonl", "choices.json", "documents.jsonl", "cost.json"):
            (out / name).unlink(missing_ok=True)


def _differences(before: Settings, after: Settings) -> list[tuple[str, object, object]]:
    fields = [field for field in Settings.model_fields if field not in {"versions", "workers"}]
    pairs = [(field, getattr(before, field), getattr(after, field)) for field in fields]
    return [pair for pair in pairs if pair[1] != pair[2]]


def _ask(system: System, asked: Asked, variant: Variant) -> Record:
    started = time.perf_counter()
    answer, error, seen = None, None, []
    try:
        answer = system.answer(asked)
        seconds = time.perf_counter() - started
        seen = system.seen(asked)
    except PinciteError as problem:
        seconds = time.perf_counter() - started
        error = str(problem)
    return Record(case=asked.id, variant=variant, answer=answer, error=error, seen=tuple(seen), seconds=seconds)


def _records(path: Path, *, mend: bool = False) -> dict[tuple[str, Variant], Record]:
    """The records of a file; a last line that was cut off by a crash is passed over, and with ``mend`` cut away."""
    records: dict[tuple[str, Variant], Record] = {}
    data = path.read_bytes() if path.exists() else b""
    whole = data[: data.rfind(b"\n") + 1]
    if mend and len(whole) < len(data):
        with path.open("r+b") as file:
            file.truncate(len(whole))
    for number, line in enumerate(whole.decode("utf-8", "replace").split("\n"), start=1):
        if not line:
            continue
        try:
            record = Record.model_validate_json(line)
        except ValidationError as error:
            raise UsageError(f"{path}, line {number} is damaged; delete that line and run again") from error
        records[record.case, record.variant] = record
    return records


def _write_texts(
    out: Path, cases: Sequence[Case], records: Mapping[tuple[str, Variant], Record], system: System
) -> None:
    answers = [record.answer for record in records.values() if record.answer]
    sources = {gold.source for case in cases for gold in case.gold}
    sources |= {citation.source for answer in answers for citation in answer.citations}
    texts = ((source, system.text(source)) for source in sorted(sources))
    lines = [json.dumps({"source": name, "text": text}, ensure_ascii=False) for name, text in texts if text is not None]
    _write(out / "documents.jsonl", "\n".join(lines) + "\n")


def _texts(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
    return {line["source"]: line["text"] for line in lines}


def _cost(folder: Path) -> Cost:
    return _model(folder / "cost.json", Cost) if (folder / "cost.json").exists() else Cost()


def _model(path: Path, model: type[T]) -> T:
    try:
        return model.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise UsageError(f"{path} is damaged; make the run again in another folder") from error


def _write(path: Path, text: str) -> None:
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def settings_for(asked: Sequence[Case], **values: str | int | None) -> Settings:
    """Settings with what is known without asking: the cases' digest, the product's code and the versions."""
    import index
    import rag

    known = {"cases_digest": digest(asked), "code": code_digest(index, rag), "versions": versions()}
    return Settings.model_validate({**known, **values})


def code_digest(*packages: ModuleType) -> str:
    """The digest of every file of some packages, as 16 hex digits."""
    found = hashlib.sha256()
    for package in packages:
        folder = Path(package.__path__[0])
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.suffix != ".pyc":
                found.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return found.hexdigest()[:16]
