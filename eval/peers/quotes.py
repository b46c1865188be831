"""Checkers of quotes: which changed claims each accepts, and which unchanged ones it rejects."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

from eval.cases import read_cases
from eval.mutations import CHANGES, GUISES, Pair, changes, guises
from eval.peers.environments import OURS, ROOT, python_of
from eval.peers.results import Cell, Results, Row
from index.errors import UsageError

_WANTED = 10_000
_FUZZY = 80  # of 100, the usual threshold, and verbatim-core's
_EXACT, _RATIO, _PARTIAL = "exact matching", "fuzzy matching, whole", "fuzzy matching, part"
_VERBATIM = ("verbatim-core exact", "verbatim-core fuzzy")

Judge = Callable[[str, str], bool]
"""Whether a claim is taken to stand in a quote."""


def measure(cases: Path, work: Path, results: Results) -> Results:
    """Put changed and unchanged quotes of a case file to every checker.

    Raises:
        UsageError: the file cannot be read.
    """
    quotes = list(dict.fromkeys(gold.quote for case in read_cases(cases) for gold in case.gold))
    pairs = [*changes(quotes, _WANTED), *guises(quotes)]
    accepted = {name: [judge(pair.claim, pair.quote) for pair in pairs] for name, judge in _judges().items()}
    told = {
        OURS: "rag.verify.missing",
        f"{OURS}, for a model's words": "rag.claims.Checker, which a language model's sentences must pass",
        _EXACT: "the claim is part of the quote, whatever the case and white space",
        _RATIO: f"rapidfuzz.fuzz.ratio of at least {_FUZZY}",
        _PARTIAL: f"rapidfuzz.fuzz.partial_ratio of at least {_FUZZY}",
    }
    for name, setting in told.items():
        packages = [package for package, mark in ((OURS, OURS), ("rapidfuzz", "fuzzy")) if name.startswith(mark)]
        results = results.with_system(name, setting, {package: version(package) for package in packages})
    try:
        theirs, versions = _verbatim(pairs, work)
    except UsageError as error:
        results = results.with_skipped("verbatim-core", str(error))
    else:
        for name, verdicts in zip(_VERBATIM, zip(*theirs, strict=True), strict=True):
            accepted[name] = list(verdicts)
            setting = (
                f'LLMSpanExtractor(span_match_mode="{name.split()[1]}"); what it takes it shows in the quote\'s words'
            )
            results = results.with_system(name, setting, versions)
    rows = [_row(pairs, accepted, kind, wrong=True) for kind in CHANGES]
    rows += [_row(pairs, accepted, kind, wrong=False) for kind in GUISES]
    told_of = f"{len(quotes)} gold quotes of the own cases: claims with one thing changed, which must be rejected"
    return results.with_trial("quotes", rows, [f"{told_of}, and in guises that change nothing, which must not"])


def _row(pairs: Sequence[Pair], accepted: dict[str, list[bool]], kind: str, *, wrong: bool) -> Row:
    """How often each checker errs on claims of a kind: accepting those that are ``wrong``, rejecting others."""
    at = [number for number, pair in enumerate(pairs) if pair.kind == kind]
    cells = {
        name: Cell(value=sum(verdicts[n] is wrong for n in at) / max(len(at), 1), n=len(at))
        for name, verdicts in accepted.items()
    }
    what = "accepted though changed" if wrong else "rejected though the same"
    return Row(trial="quotes", measure=f"{what}: {kind} ({len(at):,})", better="less", cells=cells)


def _judges() -> dict[str, Judge]:
    from rapidfuzz import fuzz

    from rag.claims import Checker
    from rag.verify import missing

    checker = Checker()
    return {
        OURS: lambda claim, quote: missing(claim, [quote]) is None,
        f"{OURS}, for a model's words": lambda claim, quote: checker.problem(claim, [quote]) is None,
        _EXACT: lambda claim, quote: _plain(claim) in _plain(quote),
        _RATIO: lambda claim, quote: fuzz.ratio(claim, quote) >= _FUZZY,
        _PARTIAL: lambda claim, quote: fuzz.partial_ratio(claim, quote) >= _FUZZY,
    }


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()


def _verbatim(pairs: Sequence[Pair], work: Path) -> tuple[list[tuple[bool, bool]], dict[str, str]]:
    """What verbatim-core makes of each pair, exactly and fuzzily, and its versions.

    Raises:
        UsageError: it is not installed, or fails.
    """
    python = python_of("verbatim", work)
    lines = "".join(json.dumps({"claim": pair.claim, "quote": pair.quote}) + "\n" for pair in pairs)
    command = [str(python), "-P", str(ROOT / "eval" / "peers" / "adapters" / "verbatim.py")]
    done = subprocess.run(command, input=lines, capture_output=True, text=True, check=False)  # noqa: S603  our own
    if done.returncode:
        raise UsageError(f"verbatim-core has failed: {done.stderr.strip().splitlines()[-1]}")
    versions, *verdicts = (json.loads(line) for line in done.stdout.splitlines())
    return [(each["exact"], each["fuzzy"]) for each in verdicts], versions
