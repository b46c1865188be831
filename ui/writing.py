"""An answer while a language model writes it, put together from its pieces."""

from __future__ import annotations

from rag.models import Answer, Claim, Piece


class Writing:
    """What is there of an answer so far.

    Attributes:
        answer: its verified claims with their citations, in the order in which they were verified.
        words: the sentence that is just being written, not verified; empty between two sentences.
    """

    def __init__(self, question: str) -> None:
        self.answer = Answer(question=question, status="answered", reason=None, text="")
        self.words = ""

    def take(self, piece: Piece) -> bool:
        """Add a piece; whether it is one more claim."""
        self.words = piece.text if piece.state == "writing" else ""
        if piece.state != "verified":
            return False
        known = {c.number: c for c in (*self.answer.citations, *piece.citations)}
        claim = Claim(text=piece.text, citations=tuple(c.number for c in piece.citations))
        cited = tuple(known[number] for number in sorted(known))
        self.answer = self.answer.model_copy(update={"claims": (*self.answer.claims, claim), "citations": cited})
        return True
