"""A language model as judge, through any OpenAI-compatible endpoint: an option, never the default.

Its prompts are the files in ``prompts/``. Its verdicts are shown beside their agreement with gold and never replace
it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from eval.cases import Case
from eval.measures import COVERED, coverage, merged
from eval.run import Loaded
from eval.score import all_statements, shown
from eval.summary import Scores
from eval.support import WEIGHTS, Level, Verdict, judge, needs_citation
from index.errors import PinciteError, UsageError
from index.models import Model

if TYPE_CHECKING:
    from openai import OpenAI

_PROMPTS = Path(__file__).parent / "prompts"
_LEVELS: dict[str, Level] = {"FULL": "full", "PARTIAL": "partial", "NONE": "none"}


class Agreement(Model):
    """How often a judge and gold say the same; ``kappa`` corrects for chance (Cohen, 1960), 0 is chance."""

    cases: int
    agreement: float
    kappa: float


class Judgement(Model):
    """What a judge found in a run.

    Attributes:
        right: the share of answered cases that it finds right, and its agreement with gold on these.
        supported: the share of cited statements that it finds fully supported, and its agreement with gold spans.
        unreadable: replies that were none of the words asked for; they count as "wrong" and "none".
    """

    model: str
    right: float | None
    right_agreement: Agreement | None
    supported: float | None
    supported_agreement: Agreement | None
    unreadable: int


class LLM:
    """A judge that is a `Verifier` too."""

    def __init__(self, base_url: str, model: str, api_key: str | None = None, workers: int = 4) -> None:
        """Name an endpoint; nothing is sent yet.

        Raises:
            UsageError: the package `openai` is not installed, or no model is named.
        """
        try:
            from openai import OpenAI
        except ImportError as error:
            raise UsageError("an LLM judge needs the package openai; install pincite[llm]") from error
        if not model:
            raise UsageError("no model is named for the judge; set PINCITE_LLM_MODEL or give --model")
        self.name = f"llm:{model}"
        self.unreadable = 0
        self._model = model
        self._workers = workers
        self._client: OpenAI = OpenAI(base_url=base_url, api_key=api_key or "none", timeout=120, max_retries=2)

    def judge(self, pairs: Sequence[tuple[str, str]]) -> list[Verdict]:
        """One verdict for each (statement, evidence), in order; see `Verifier.judge`."""
        prompts = [_filled("support", statement=said, evidence=there) for said, there in pairs]
        words = self._ask(prompts, tuple(_LEVELS))
        levels = [_LEVELS[word] if word else "none" for word in words]
        return [Verdict(level, WEIGHTS[level]) for level in levels]

    def right(self, asked: Sequence[tuple[Case, str]]) -> list[bool]:
        """For each case and answer, whether the answer is right."""
        prompts = [
            _filled(
                "right",
                question=case.question,
                expected="\n".join(f"- {line}" for line in _expected(case)) or "- that it is not known",
                forbidden="\n".join(f"- {value}" for value in case.forbidden) or "- nothing in particular",
                answer=answer,
            )
            for case, answer in asked
        ]
        return [word == "RIGHT" for word in self._ask(prompts, ("RIGHT", "WRONG"))]

    def _ask(self, prompts: Sequence[str], words: Sequence[str]) -> list[str | None]:
        """The first of some words in each reply; ``None`` where none stands there."""
        with ThreadPoolExecutor(self._workers) as pool:
            replies = list(pool.map(self._reply, prompts))
        pattern = re.compile(rf"\b({'|'.join(words)})\b", re.IGNORECASE)
        found = [match[1].upper() if (match := pattern.search(reply)) else None for reply in replies]
        self.unreadable += found.count(None)
        return found

    def _reply(self, prompt: str) -> str:
        from openai import OpenAIError

        try:
            reply = self._client.chat.completions.create(
                model=self._model, messages=[{"role": "user", "content": prompt}], temperature=0, max_tokens=16, seed=0
            )
        except OpenAIError as error:
            why = " ".join(str(error).split())
            raise PinciteError(
                f"the judge at {self._client.base_url} did not answer ({why}); check --base-url"
            ) from error
        return (reply.choices[0].message.content if reply.choices else None) or ""


def judge_run(loaded: Loaded, scores: Scores, llm: LLM, progress: Callable[[str], None] | None = None) -> Judgement:
    """Judge the answered cases of a run, and compare with gold."""
    tell = progress or (lambda _: None)
    answered = [
        (case, record.answer)
        for case in loaded.cases
        if (record := loaded.records.get((case.id, "asked"))) and record.answer and record.answer.status == "answered"
    ]
    tell(f"judging {len(answered)} answers")
    right = llm.right([(case, shown(answer)) for case, answer in answered])
    gold_right = [scores[case.id, "asked"].outcome.right for case, _ in answered]
    cited = []
    for case, answer in answered:
        gold = merged(case.gold)
        good = {each.number for each in answer.citations if coverage(each, gold) >= COVERED}
        numbers = [claim.citations for claim in answer.claims] or [row.citations for row in answer.rows]
        said = zip(all_statements(answer), numbers, strict=True)
        cited += [(one, bool(good & set(each))) for one, each in said if needs_citation(one.text)]
    tell(f"judging {len(cited)} statements")
    supported = [each.together == "full" for each in judge([statement for statement, _ in cited], llm)]
    return Judgement(
        model=llm.name,
        right=_share(right),
        right_agreement=agreement(right, gold_right),
        supported=_share(supported),
        supported_agreement=agreement(supported, [good for _, good in cited]),
        unreadable=llm.unreadable,
    )


def agreement(one: Sequence[bool], other: Sequence[bool]) -> Agreement | None:
    """How often two say the same, and Cohen's kappa; ``None`` for nothing.

    >>> agreement([True, True, False, False], [True, False, False, False])
    Agreement(cases=4, agreement=0.75, kappa=0.5)
    """
    if not one:
        return None
    same = sum(a == b for a, b in zip(one, other, strict=True)) / len(one)
    yes, other_yes = sum(one) / len(one), sum(other) / len(other)
    chance = yes * other_yes + (1 - yes) * (1 - other_yes)
    kappa = (same - chance) / (1 - chance) if chance < 1 else 1.0
    return Agreement(cases=len(one), agreement=same, kappa=kappa)


def _expected(case: Case) -> list[str]:
    lines = [" or ".join(nugget.forms) or nugget.gold[0].quote for nugget in case.nuggets if nugget.vital]
    lines += [item.name + (f": {item.amount}" if item.amount else "") for item in case.items]
    return [*lines, *case.amounts, *case.dates]


def _share(values: Sequence[bool]) -> float | None:
    return sum(values) / len(values) if values else None


def _filled(name: str, **values: str) -> str:
    """A prompt with its fields filled; braces in the values stay as they are."""
    text = (_PROMPTS / f"{name}.txt").read_text(encoding="utf-8")
    return re.sub(r"\{(\w+)\}", lambda match: values[match[1]], text)
