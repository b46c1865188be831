"""Whether the words cited support what is said: a verifier, and the measures that rest on one.

A `Verifier` judges (statement, evidence) pairs. Its verdicts are estimates, so every figure made from them is shown
beside the verifier's own balanced accuracy on public pairs. `PlainVerifier` is the baseline: it knows words, numbers
and negation, and no meaning.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

from eval.silence import Ratio
from eval.values import tokens

Level = Literal["full", "partial", "none"]
WEIGHTS: dict[Level, float] = {"full": 1.0, "partial": 0.5, "none": 0.0}


class Verdict(NamedTuple):
    """How far the evidence supports the statement, and a score from 0 to 1 to rank verdicts by."""

    level: Level
    score: float


class Verifier(Protocol):
    """Judges whether evidence supports statements."""

    @property
    def name(self) -> str: ...

    def judge(self, pairs: Sequence[tuple[str, str]]) -> list[Verdict]:
        """One verdict for each (statement, evidence), in order."""
        ...


class Statement(NamedTuple):
    """Something an answer says, with the words of each of its citations, in order."""

    text: str
    evidence: tuple[str, ...]


class Judged(NamedTuple):
    """The verdicts that the measures need for one statement.

    Attributes:
        together: on all citations read as one text; "none" where there is none.
        alone: on each citation by itself.
        others: on all citations but this one; "none" where it is the only one.
    """

    together: Level
    alone: tuple[Level, ...] = ()
    others: tuple[Level, ...] = ()


def judge(statements: Sequence[Statement], verifier: Verifier) -> list[Judged]:
    """Judge statements as ALCE and TREC RAG need it, in one call to the verifier."""
    pairs: list[tuple[str, str]] = []
    for text, evidence in statements:
        if evidence:
            pairs.append((text, "\n".join(evidence)))
        if len(evidence) > 1:
            pairs.extend((text, words) for words in evidence)
            rest = ([*evidence[:at], *evidence[at + 1 :]] for at in range(len(evidence)))
            pairs.extend((text, "\n".join(words)) for words in rest)
    verdicts = iter([verdict.level for verdict in verifier.judge(pairs)])
    judged: list[Judged] = []
    for _, evidence in statements:
        if not evidence:
            judged.append(Judged("none"))
            continue
        together = next(verdicts)
        if len(evidence) == 1:
            judged.append(Judged(together, (together,), ("none",)))
        else:
            alone = tuple(next(verdicts) for _ in evidence)
            judged.append(Judged(together, alone, tuple(next(verdicts) for _ in evidence)))
    return judged


def alce_recall(judged: Sequence[Judged]) -> Ratio:
    """ALCE citation recall: the share of statements fully supported by all their citations together.

    A statement without a citation scores 0. Source: Gao et al., 2023, section 3, for any verifier and without their
    limit of three citations.

    >>> alce_recall([Judged("full", ("full",), ("none",)), Judged("none")]).value
    0.5
    """
    return Ratio(sum(each.together == "full" for each in judged), len(judged))


def alce_precision(judged: Sequence[Judged]) -> Ratio:
    """ALCE citation precision: the share of citations that are needed by a statement that is supported.

    A citation is irrelevant when it does not support the statement alone and the others do so without it; every
    citation of a statement that its citations together don't support counts as wrong. Source: Gao et al., 2023.

    >>> alce_precision([Judged("full", ("full", "none"), ("none", "full"))]).value
    0.5
    >>> alce_precision([Judged("full", ("partial", "partial"), ("partial", "partial"))]).value
    1.0
    """
    needed = sum(
        alone == "full" or others != "full"
        for each in judged
        if each.together == "full"
        for alone, others in zip(each.alone, each.others, strict=True)
    )
    return Ratio(needed, sum(len(each.alone) for each in judged))


def weighted_precision(judged: Sequence[Judged]) -> Ratio:
    """TREC RAG weighted precision: support of the first citation, over the statements that have one.

    Full support counts 1, partial 0.5, none 0. Source: Thakur et al., 2025, support evaluation of the TREC 2024 RAG
    track, where the first citation of each sentence was judged.

    >>> weighted_precision([Judged("full", ("partial",), ("none",)), Judged("none")]).value
    0.5
    """
    cited = [each for each in judged if each.alone]
    return Ratio(sum(WEIGHTS[each.alone[0]] for each in cited), len(cited))


def weighted_recall(judged: Sequence[Judged]) -> Ratio:
    """TREC RAG weighted recall: support of the first citation, over all statements (source: `weighted_precision`).

    >>> weighted_recall([Judged("full", ("partial",), ("none",)), Judged("none")]).value
    0.25
    """
    return Ratio(sum(WEIGHTS[each.alone[0]] for each in judged if each.alone), len(judged))


def unsupported(judged: Sequence[Judged]) -> Ratio:
    """The share of statements that all their citations together don't support even in part; lower is better.

    >>> unsupported([Judged("partial", ("partial",), ("none",)), Judged("none")]).value
    0.5
    """
    return Ratio(sum(each.together == "none" for each in judged), len(judged))


def needs_citation(text: str) -> bool:
    """Whether a statement says something that needs a citation.

    It does not when it asks a question, leads in to a list (ends with a colon), tells that something was not found, or
    holds fewer than two words of content and no number. Such statements are left out of the measures, and counted.

    >>> [needs_citation(text) for text in ("It opened in 2021.", "The grants were:", "Hope this helps!")]
    [True, False, False]
    """
    stripped = re.sub(r"[\s*_\"'»”)]+$", "", text)
    if not stripped or stripped.endswith((":", "?")) or _NOT_FOUND.search(text):
        return False
    words = tokens(text)
    return any(word[0].isdigit() for word in words) or len(set(words) - _STOP) >= 2


def balanced_accuracy(pairs: Sequence[tuple[str, str]]) -> float | None:
    """The mean, over the classes, of the share of each class that is named rightly; pairs are (gold, said).

    Source: Brodersen et al., 2010. Chance is one over the number of classes, however unequal they are.

    >>> balanced_accuracy([("yes", "yes"), ("yes", "yes"), ("yes", "no"), ("no", "no")])
    0.8333333333333333
    """
    classes = {gold for gold, _ in pairs}
    shares = []
    for label in classes:
        said = [other for gold, other in pairs if gold == label]
        shares.append(sum(other == label for other in said) / len(said))
    return sum(shares) / len(shares) if shares else None


class PlainVerifier:
    """The baseline: the share of the statement's content words that the evidence holds, with two rules.

    A number of the statement that the evidence does not hold lowers the verdict by one level; a statement that denies
    what the closest sentence of the evidence affirms, or the reverse, is not supported. The limits are round numbers
    set by hand, not fitted to any data.
    """

    name = "plain"
    full_from = 0.8
    partial_from = 0.5

    def judge(self, pairs: Sequence[tuple[str, str]]) -> list[Verdict]:
        """One verdict for each (statement, evidence), in order.

        >>> claim = "The grant of $5,000 went to Vlast."
        >>> [v.level for v in PlainVerifier().judge([(claim, claim), (claim, "The grant of $7,000 went to Vlast.")])]
        ['full', 'partial']
        """
        return [self._judge(statement, evidence) for statement, evidence in pairs]

    def _judge(self, statement: str, evidence: str) -> Verdict:
        said, there = tokens(statement), tokens(evidence)
        wanted = {_stem(word) for word in said if word not in _STOP and not word[0].isdigit()}
        numbers = {word for word in said if word[0].isdigit()}
        held = {_stem(word) for word in there} | set(there)
        parts = wanted | numbers
        if not parts:
            return Verdict("none", 0.0)
        coverage = len(parts & held) / len(parts)
        closest = max(re.split(r"(?<=[.!?])\s+|\n+", evidence), key=lambda s: len(wanted & set(map(_stem, tokens(s)))))
        if bool(_NEGATIONS & set(said)) != bool(_NEGATIONS & set(tokens(closest))):
            return Verdict("none", coverage / 4)
        missing = not numbers <= held
        if coverage >= self.full_from:
            return Verdict("partial", coverage / 2) if missing else Verdict("full", coverage)
        if coverage >= self.partial_from and not missing:
            return Verdict("partial", coverage)
        return Verdict("none", coverage / 2 if missing else coverage)


_NEGATIONS = frozenset(
    """no not t never none nobody neither nor without cannot
    не нет ни никогда без нельзя""".split()
)
_STOP = frozenset((Path(__file__).parent / "stopwords.txt").read_text(encoding="utf-8").split())
_NOT_FOUND = re.compile(
    r"(?:could|can|do|does|did|was|were|is|are)(?: not|n['’]t) (?:be )?"
    r"(?:find|found|answer|contain|mention|say|given|know)"
    r"|no (?:relevant )?(?:information|evidence|answer|mention)|не (?:найден|нашл|содерж|указан)",
    re.IGNORECASE,
)


@cache
def _stem(word: str) -> str:
    return str(_stemmer("russian" if word[:1] > "\u03ff" else "english").stemWord(word))


@cache
def _stemmer(language: str) -> Any:  # noqa: ANN401 - a library without types
    import Stemmer

    return Stemmer.Stemmer(language)
