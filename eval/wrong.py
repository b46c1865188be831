"""A draw from the wrong answers of a run, with what was shown, what was right, and the stage that lost it."""

from __future__ import annotations

import random
from collections.abc import Sequence

from eval.cases import Case
from eval.run import Loaded
from eval.score import claimed
from eval.stats import SEED
from eval.summary import Scores
from rag.models import Answer

_LONGEST = 300


def drawn(loaded: Loaded, scores: Scores, sample: int, seed: int = SEED) -> list[Case]:
    """So many of the cases that were not answered right or not refused, in the order of the run."""
    wrong = [case for case in loaded.cases if not _fine(scores, case)]
    chosen = {case.id for case in random.Random(seed).sample(wrong, min(sample, len(wrong)))}
    return [case for case in wrong if case.id in chosen]


def described(loaded: Loaded, scores: Scores, cases: Sequence[Case]) -> str:
    """Each case as a paragraph of Markdown: question, what was shown, what was right, the stage that lost it."""
    parts = []
    for number, case in enumerate(cases, start=1):
        record = loaded.records.get((case.id, "asked"))
        question = (
            f"{case.question} (after: {' '.join(t.question for t in case.history)})" if case.history else case.question
        )
        stage = scores[case.id, "asked"].failure or "wrong value"
        parts.append(
            f"{number}. **{question}** (`{case.id}`)\n"
            f"   - Shown: {_shown(record.answer if record else None)}\n"
            f"   - Right: {_right(case)}\n"
            f"   - Stage: {stage}"
        )
    return "\n".join(parts)


def _fine(scores: Scores, case: Case) -> bool:
    outcome = scores[case.id, "asked"].outcome
    return outcome.right if case.answerable else outcome.refused


def _shown(answer: Answer | None) -> str:
    if answer is None:
        return "nothing"
    if answer.status == "refused":
        return f"a refusal ({answer.reason})"
    return _cut(claimed(answer))


def _right(case: Case) -> str:
    if not case.answerable:
        return f"a refusal ({case.reason})"
    names = [f"{item.name} {item.amount or ''}".strip() for item in case.items]
    facts = [nugget.forms[0] if nugget.forms else nugget.gold[0].quote for nugget in case.nuggets]
    quote = case.gold[0].quote
    return _cut("; ".join(dict.fromkeys([*facts, *names]))) + f" (“{_cut(quote)}”)"


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"
