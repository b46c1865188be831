"""Choose what of a reader's evidence is shown: ``python -m eval.train_limits --work DIR``; it takes some minutes.

It comes last, with the work folder of `eval.train_reader` and `eval.train_members`. Questions of practice are answered
as a whole, by models that have not learned from their documents, each from a library of a few. Limits are as good as
the mean of facts told, citation precision and refusal F1 under them. Of those that these questions do not tell from the
best, being worse by no more than the standard error of the difference, the most careful are taken: the highest
threshold, and the share that does best with it (after Breiman et al., "Classification and Regression Trees", 1984,
section 3.4.3). They are written to ``rag/weights/limits.json``, of each reader its own. Lists have limits of their own
(`eval.train_members`), so they are not asked for.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from eval.bench import read_documents
from eval.cases import Case, read_cases
from eval.cross import HALVES, half_of, half_readers
from eval.score import score
from eval.training import PRACTICE, SEED, complete
from index.library import Index
from rag.assistant import PASSAGES, composed
from rag.compose import Composed, written
from rag.learned import Trained
from rag.locks import lock
from rag.models import Answer
from rag.question import is_clear, understand
from rag.read import Limits, Reader, Similarity, rarities, vectors_of

MEASURES = ("nugget_all", "citation_precision", "refusal_f1")
_GRID = tuple(
    Limits(threshold, share)
    for threshold, share in product((0.06, 0.08, 0.1, 0.12, 0.15, 0.2, 0.25, 0.3, 0.35), (0.2, 0.3, 0.4, 0.5))
)
_WEIGHTS = Path(__file__).parents[1] / "rag" / "weights" / "limits.json"
_LIBRARY = 24  # documents
_THREADS = 2
_SAMPLES = 1000

Values = NDArray[np.float64]


@click.command()
@click.option("--work", type=click.Path(path_type=Path), required=True, help="Where checkpoints are kept.")
@click.option("--questions", type=int, default=2400, show_default=True, help="Ask so many.")
def main(work: Path, questions: int) -> None:
    """Choose the limits of both readers on practice."""
    cases = [case for case in read_cases(PRACTICE / "cases.jsonl") if case.kind != "list"]
    random.Random(SEED).shuffle(cases)
    readers: dict[str, Mapping[int, Reader]] = {
        Trained.name: half_readers(work),
        Similarity.name: dict.fromkeys(range(HALVES), Similarity()),
    }
    chosen = {}
    with Index(work / "practice.index") as index:
        for name, by_half in readers.items():
            values = asked(index, by_half, cases[:questions])
            figures = figures_of(values)
            best = careful(figures)
            chosen[name] = {
                **best._asdict(),
                "questions": len(values),
                "by limits": [{**limits._asdict(), **figures[limits]} for limits in _GRID],
            }
            click.echo(f"{name}: {best}, {figures[best]}")
    _WEIGHTS.write_text(json.dumps(chosen, indent=1) + "\n", encoding="utf-8")


def figures_of(values: Values) -> dict[Limits, dict[str, float]]:
    """What `asked` gave as figures under each limits of the grid.

    Returns:
        the `MEASURES`; "below", how far their mean is below the best one; and "error", the standard error of that, by
        bootstrap over the questions.
    """
    shares = _shares(values.sum(axis=0))
    best = shares.mean(axis=-1).argmax()
    drawn = np.random.default_rng(SEED).multinomial(len(values), np.full(len(values), 1 / len(values)), size=_SAMPLES)
    means = _shares(np.tensordot(drawn, values, axes=1)).mean(axis=-1)
    below = shares.mean(axis=-1)[best] - shares.mean(axis=-1)
    error = (means[:, [best]] - means).std(axis=0)
    table = np.column_stack([shares, below, error]).round(4).tolist()
    names = (*MEASURES, "below", "error")
    return {limits: dict(zip(names, row, strict=True)) for limits, row in zip(_GRID, table, strict=True)}


def careful(figures: Mapping[Limits, Mapping[str, float]]) -> Limits:
    """The most careful limits of those that are not told from the best."""
    good = [limits for limits, of in figures.items() if of["below"] <= of["error"]]
    return max(good, key=lambda limits: (limits.threshold, -figures[limits]["below"]))


def _shares(sums: Values) -> Values:
    return sums[..., 0] / np.maximum(sums[..., 1], 1e-9)


def asked(index: Index, readers: Mapping[int, Reader], cases: Sequence[Case]) -> Values:
    """What questions add to the sums of the `MEASURES` of whole answers: of shape (questions, limits, measures, 2).

    Args:
        index: where the documents of practice are kept; those that it lacks are added.
        readers: by the half of practice that each has not learned from.
    """
    held = read_documents(PRACTICE / "documents")
    complete(index, held.values())
    documents = {source: document.id for source, document in held.items()}
    library = dict(_libraries(documents))

    def one(case: Case) -> list[list[tuple[float, float]]]:
        source = f"documents/{case.tags[0]}"
        reader = readers[half_of(documents[source])]
        values = [score(case, answer, {}).values for answer in _answers(index, reader, case.question, library[source])]
        return [[value.get(name, (0.0, 0.0)) for name in MEASURES] for value in values]

    with ThreadPoolExecutor(_THREADS) as pool:
        return np.array(list(pool.map(one, cases)))


def _libraries(documents: Mapping[str, str]) -> Iterator[tuple[str, frozenset[str]]]:
    """For the source of each document the ids of those that it lies among, all of one half."""
    for half in range(HALVES):
        sources = sorted(source for source, id_ in documents.items() if half_of(id_) == half)
        random.Random(SEED).shuffle(sources)
        for at in range(0, len(sources), _LIBRARY):
            some = sources[at : at + _LIBRARY]
            within = frozenset(documents[source] for source in some)
            yield from ((source, within) for source in some)


def _answers(index: Index, reader: Reader, text: str, within: frozenset[str]) -> Iterator[Answer]:
    """The answer to a question under each limits of the grid; what they have no say in is done once."""
    question = understand(text)
    if not is_clear(question):
        yield from (_answer(text, Composed([], [], [], [], [])) for _ in _GRID)
        return
    vectors = vectors_of(question, index.encoder)
    retrieved = index.retrieve(question.text, PASSAGES, within=within, vector=vectors)
    documents = {r.document.id: r.document for r in retrieved}
    evidence = reader.read(question, retrieved, rarities(question, index.engine))
    locked = lock(question, evidence, documents)
    for limits in _GRID:
        yield _answer(text, composed(question, evidence, locked, documents, index, vectors, limits))


def _answer(question: str, made: Composed) -> Answer:
    """As much of an answer as the measures look at."""
    return Answer(
        question=question,
        status="answered" if made.claims else "refused",
        reason=None if made.claims else "no_evidence",
        text=written(made) or "-",
        claims=tuple(made.claims),
        citations=tuple(made.citations),
        rows=tuple(made.rows),
        notes=tuple(made.notes),
    )


if __name__ == "__main__":
    main()
