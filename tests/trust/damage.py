"""Trials of damage: bits that flip, files that are cut off or zeroed in part, in each kind of file that there is."""

from __future__ import annotations

import itertools
import os
import random
import shutil
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from index.errors import DamagedError, PinciteError
from index.library import Index, rebuild
from index.mend import OTHER_NAMES
from index.models import Document
from index.store import DATABASE
from tests.serving import pdf
from tests.trust.light import NAMES, WORDS, Light, made, text
from tests.trust.nursery import nursery
from tests.trust.trial import Finding, Trial
from ui.state import State

_ASKED = (*WORDS[:4], "harbour", "ferry", "nobody")
Answers = tuple[tuple[str, ...], ...]


class _Whole(NamedTuple):
    """A library before anything happens to it: its folder, what it answers, its documents by source, what was said."""

    folder: Path
    answers: Answers
    documents: dict[str, Document]
    said: Answers


def damages(folder: Path, count: int, seed: int = 11) -> Finding:
    """So many damages, each to a copy: what is answered must be as before, or nothing is answered, and it is said.

    What changes no byte, such as zeroes where there were zeroes, does not count.
    """
    chance = random.Random(seed)
    wholes = (_closed(folder / "closed"), _cut_off(folder / "cut-off"))
    kinds: dict[str, list[tuple[_Whole, Path]]] = {}
    for whole in wholes:
        for path in sorted(whole.folder.rglob("*")):
            if path.is_file() and path.stat().st_size:
                inside = path.relative_to(whole.folder)
                kind = (path.suffix or path.name) if "lexical" in inside.parts else path.name
                kinds.setdefault(kind, []).append((whole, inside))
    tried: Counter[str] = Counter()
    results: Counter[str] = Counter()
    problems: list[str] = []
    for turn in itertools.count():
        if sum(tried.values()) == count:
            break
        kind = sorted(kinds)[turn % len(kinds)]
        whole, inside = chance.choice(kinds[kind])
        how = chance.choice((_flipped, _cut, _zeroed))
        copy = folder / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(whole.folder, copy)
        if not how(copy / inside, chance):
            continue
        tried[kind] += 1
        try:
            result, problem = _judged(copy, whole)
        except Exception as error:  # noqa: BLE001  an error that is not ours is what is looked for
            result, problem = "answered", f"{type(error).__name__}: {error}"
        results[result] += 1
        problems += [f"{how.__name__[1:]} {inside}, turn {turn}: {problem}"] if problem else []
    said = sum(results.values()) - results["same"] - results["answered"]
    figure = (
        f"{sum(tried.values()):,} damages to {len(tried)} kinds of file: {results['same']:,} changed no answer (terms "
        f"made again, pages that hold nothing), {said:,} were said before any answer; of these `pincite rebuild` "
        f"restored {results['restored']:,} in full, named what was lost in {results['named']:,} and said that nothing "
        f"can be read in {results['nothing']:,}, and {results['said']:,} were to the server's own database; "
        f"{len(problems)} answered from or not mended"
    )
    return Finding("; ".join([figure, *problems[:3]]), kept=not problems)


def _closed(folder: Path) -> _Whole:
    """A library of texts and a PDF, with what a server keeps beside it, closed as it should be."""
    made(folder, {NAMES[n]: n for n in range(6)} | {NAMES[6]: 1})
    with Index(folder, Light()) as index:
        assert index.add_bytes(pdf(), "harbour.pdf").outcome == "added"
    with closing(State(folder)) as state:
        state.do("INSERT INTO users VALUES ('ann', 'admin', 'x', '2021')")
        for name in NAMES[:4]:
            state.do("INSERT INTO shares VALUES (?, 'board')", name)
        state.do("INSERT INTO conversations VALUES (1, 'c', 'ann', 'Ships', 'api', '2021', '2021')")
        for number in range(9):
            said = (f"t{number}", "c", "Who?", text(number).decode(), "2021")
            state.do("INSERT INTO turns (id, conversation, question, answer, created) VALUES (?, ?, ?, ?, ?)", *said)
    return _known(folder)


def _cut_off(folder: Path) -> _Whole:
    """The same, with commits that lie only in SQLite's log, as after a kill."""
    whole = _closed(folder)
    steps = [("put", NAMES[7], 7), ("put", NAMES[8], 8), ("put", NAMES[0], 9)]
    report = folder.with_suffix(".report")
    with nursery() as nest:
        child = nest.begin("held", whole.folder, report, steps)
        while not (report.exists() and "held" in report.read_text()):
            time.sleep(0.01)
        os.kill(child, signal.SIGKILL)
        nest.end()
    cut, known = folder.with_suffix(".cut"), folder.with_suffix(".known")
    with closing(State(folder)) as state:
        state.do("INSERT INTO shares VALUES (?, 'board')", NAMES[5])
        shutil.copytree(folder, cut)  # while the server's own log holds that, too
    shutil.copytree(cut, known)
    return _known(known)._replace(folder=cut)


def _known(folder: Path) -> _Whole:
    with Index(folder, Light()) as index:
        documents = {source: index.show(document) for source, document in index.engine.store.named()}
    return _Whole(folder, _answers(folder), documents, _said(folder))


def _answers(folder: Path) -> Answers:
    """All that a library answers to some questions.

    Not how well a term fits: where a document was removed, BM25 counts it until its terms are made again.
    """
    with Index(folder, Light()) as index:
        found = [
            (word, hit.source, hit.passage.id, hit.text, f"{hit.lexical_rank is None} {hit.vector_score or 0:.5f}")
            for word in _ASKED
            for hit in index.search(word, k=20)
        ]
        listed = [(one.source, *one.also, str(one.title), str(one.passages)) for one in index.documents()]
        files = [(one.id, str(hash(index.engine.store.original(one.id)))) for one in index.documents()]
    return (*sorted(found), *listed, *files)


def _said(folder: Path) -> Answers:
    """All that a server remembers."""
    with closing(State(folder)) as state:
        return tuple(
            tuple(map(str, row))
            for table in ("users", "shares", "conversations", "turns")
            for row in state.rows(f"SELECT * FROM {table} ORDER BY 1, 2")  # noqa: S608
        )


def _judged(copy: Path, whole: _Whole) -> tuple[str, str | None]:
    """Whether damage was said or did nothing; and what is wrong where it was neither, or was not mended."""
    try:
        if _said(copy) != whole.said:
            return "answered", "accounts or conversations have changed without a word"
    except DamagedError:
        return "said", None  # the server's own database has no other truth to be made from
    except PinciteError as error:
        return "answered", f"not said to be damage: {error}"
    try:
        if _answers(copy) == whole.answers:
            return "same", None
        return "answered", "another answer than before"
    except PinciteError:
        return _rebuilt(copy, whole)


def _rebuilt(copy: Path, whole: _Whole) -> tuple[str, str | None]:
    try:
        lost = rebuild(copy, Light()).lost
    except DamagedError as error:
        return "nothing", None if "nothing can be read" in str(error) else f"not mended: {error}"
    except PinciteError as error:
        return "answered", f"not mended: {error}"
    with Index(copy, Light()) as index:
        problems = index.check()
        held = {source: index.show(document) for source, document in index.engine.store.named()}
    # Where the last changes are lost, a source holds the text of before again, which was added, too.
    texts = {text(0).decode()} if any(one.startswith("the last ") for one in lost) else set()
    changed = [s for s, document in held.items() if whole.documents.get(s) != document and document.text not in texts]
    missing = [source for source in whole.documents if source not in held and not _named(source, lost, whole)]
    if problems or changed or missing:
        return "answered", f"after mending: {problems} changed {changed}, missing {missing}, told {lost}"
    return ("named" if lost else "restored"), None


def _named(source: str, lost: tuple[str, ...], whole: _Whole) -> bool:
    """Whether a document is among those that are said to be lost, by its source, its id or as one of the last."""
    id_ = whole.documents[source].id
    is_second = source != whole.documents[source].source
    told = (source, f"document {id_}", *([OTHER_NAMES] if is_second else []))
    return any(one in told or one.startswith("the last ") for one in lost)


def _flipped(path: Path, chance: random.Random) -> bool:
    data = bytearray(path.read_bytes())
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    path.write_bytes(data)
    return True


def _cut(path: Path, chance: random.Random) -> bool:
    os.truncate(path, chance.randrange(path.stat().st_size))
    return True


def _zeroed(path: Path, chance: random.Random) -> bool:
    data = bytearray(path.read_bytes())
    start = chance.randrange(len(data))
    end = min(len(data), start + chance.choice((1, 16, 512, 4096)))
    changed = any(data[start:end])
    data[start:end] = bytes(end - start)
    path.write_bytes(data)
    return changed


def spoil_a_passage(folder: Path) -> None:
    """Change a stored vector behind the database's back, its seal left as it was."""
    spoil(folder, "UPDATE passages SET vector = zeroblob(length(vector)) WHERE key = 2")


def spoil(folder: Path, statement: str) -> None:
    """Change rows behind the database's back, its seal left as it was."""
    with closing(sqlite3.connect(folder / DATABASE, isolation_level=None)) as db:
        db.create_function("sealed", -1, _unchanged)
        db.execute(statement)


_unchanged: Callable[..., int] = lambda seal, *_: seal  # noqa: E731

TRIALS = [
    Trial(
        "damages",
        "Damage",
        "Flipped bits, cut and zeroed files, in each kind of file, are said before any answer or change none; "
        "`pincite rebuild` restores what can be and names the rest",
        "10,000 damages, 0 answered from",
        "tests/test_damage.py::test_damage_is_said_before_any_answer",
        lambda folder: damages(folder, 10_000),
    )
]
