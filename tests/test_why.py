"""Why a sentence is shown for a question, or at which step it was stopped."""

from collections.abc import Iterator

import pytest

import rag
from index.errors import UsageError

REPORT = """# Delta Radio

Delta Radio is invented. It went on air in 1999.

## Grants

In 2021 Delta Radio received $250,000 from the Kestrel Fund.

In 2020 Delta Radio received $48,000 from the Kestrel Fund.

Rain fell on the town in May, and the bakery closed for a week.
"""


@pytest.fixture(scope="module", params=["similarity", "trained"])
def assistant(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[rag.Assistant]:
    folder = tmp_path_factory.mktemp("why")
    (folder / "delta.md").write_text(REPORT)
    with rag.open(folder / "index", reader=request.param) as opened:
        opened.add(folder / "delta.md")
        yield opened


QUESTION = "How much did Delta Radio receive from the Kestrel Fund in 2021?"


def steps(why: rag.Why) -> dict[str, bool]:
    return {step.name: step.passed for step in why.steps}


def test_what_is_shown_passed_every_step(assistant: rag.Assistant) -> None:
    found = assistant.why(QUESTION, "Delta Radio  received $250,000")
    assert found.shown
    assert all(steps(found).values())
    assert found.quote == "In 2021 Delta Radio received $250,000 from the Kestrel Fund."
    assert list(steps(found)) == ["lexical", "vector", "fused", "evidence", "locks", "threshold", "shown"]
    assert found.contributions
    assert max(found.contributions.values()) > 0


def test_another_year_is_stopped_by_a_lock(assistant: rag.Assistant) -> None:
    found = assistant.why(QUESTION, "$48,000")
    assert not found.shown
    assert not steps(found)["locks"]
    assert "it speaks of 2020, not of 2021" in [step.told for step in found.steps]


def test_a_heading_and_a_sentence_of_another_kind_are_stopped(assistant: rag.Assistant) -> None:
    told = [step.told for step in assistant.why(QUESTION, "Grants").steps]
    assert "it is a heading, which names a subject but states nothing" in told
    told = [step.told for step in assistant.why(QUESTION, "the bakery closed").steps]
    assert "it holds nothing of the kind asked for (amount)" in told


def test_words_that_stand_nowhere(assistant: rag.Assistant) -> None:
    with pytest.raises(UsageError, match="no sentence holds 'the moon'"):
        assistant.why(QUESTION, "the moon")
    with pytest.raises(UsageError, match="the quote is empty"):
        assistant.why(QUESTION, " ")
