"""verbatim-core's check of spans: lines with ``claim`` and ``quote`` in; ``exact`` and ``fuzzy`` verdicts out.

The language model that would choose the span is a stand-in that answers with the claim, so that only the check counts.
"""

from __future__ import annotations

import json
import logging
import sys
from importlib.metadata import version
from typing import NamedTuple

from verbatim_core.extractors import LLMSpanExtractor


class Result(NamedTuple):
    """A document as the extractor takes it."""

    text: str


class Chosen:
    """Answers with one span, whatever is asked."""

    def __init__(self) -> None:
        self.span = ""

    def extract_spans(self, question: str, documents: dict[str, str]) -> dict[str, list[str]]:
        """The span for each document."""
        return {name: [self.span] for name in documents}


def main() -> None:
    """Judge line by line; the first line out tells the versions."""
    logging.disable(logging.CRITICAL)
    chosen = Chosen()
    extractors = {mode: LLMSpanExtractor(llm_client=chosen, span_match_mode=mode) for mode in ("exact", "fuzzy")}
    sys.stdout.write(json.dumps({name: version(name) for name in ("verbatim-core", "rapidfuzz")}) + "\n")
    for line in sys.stdin:
        pair = json.loads(line)
        chosen.span = pair["claim"]
        verdicts = {
            mode: bool(extractor.extract_spans("", [Result(pair["quote"])])[pair["quote"]])
            for mode, extractor in extractors.items()
        }
        sys.stdout.write(json.dumps(verdicts) + "\n")


if __name__ == "__main__":
    main()
