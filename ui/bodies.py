"""What the HTTP API takes, and an example of what it gives."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from index.filters import FIELDS
from index.library import Mode
from index.models import Model
from rag.question import LONGEST
from ui.models import Origin, Role
from ui.service import MOST_HITS

ID = r"^[0-9a-f]{16}$"

EXAMPLE = {  # the organisations are invented
    "question": "Who received grants in 2021?",
    "status": "answered",
    "reason": None,
    "text": "The Hollow Oak Trust gave $12,500 to the Bramble Bee Society in 2021. [1]",
    "claims": [
        {"text": "The Hollow Oak Trust gave $12,500 to the Bramble Bee Society in 2021.", "citations": [1]},
    ],
    "citations": [
        {
            "number": 1,
            "document": "3f2a9c0d1b5e7a68",
            "source": "reports/trust.txt",
            "title": "The Hollow Oak Trust",
            "publisher": None,
            "published": "2022-02-11",
            "sha256": "9d3c…",
            "start": 32,
            "end": 101,
            "quote": "The Hollow Oak Trust gave $12,500 to the Bramble Bee Society in 2021.",
            "page": None,
        }
    ],
    "confidence": 0.93,
}

Where = Annotated[
    dict[str, str] | None,
    Field(
        description=f"Only documents that fit, by {', '.join(FIELDS)}.", examples=[{"published": ">=2021-01-01,<2022"}]
    ),
]


class Question(Model):
    """A question, and the conversation that it goes on."""

    question: Annotated[str, Field(min_length=1, max_length=LONGEST, examples=["Who received grants in 2021?"])]
    conversation: Annotated[str | None, Field(pattern=ID)] = None
    where: Where = None
    origin: Origin = "api"
    alone: Annotated[bool, Field(description="Take it as it is typed, and not in the light of those before it.")] = (
        False
    )


class Search(Model):
    """Find the passages that fit some words best."""

    query: Annotated[str, Field(min_length=1, max_length=LONGEST, examples=["grants to media in 2021"])]
    k: Annotated[int, Field(ge=1, le=MOST_HITS)] = 10
    where: Where = None
    mode: Mode = "fused"


class Trace(Model):
    """A question, and some words of the sentence whose way to the answer is to be told."""

    question: Annotated[str, Field(min_length=1, max_length=LONGEST, examples=["Who received grants in 2021?"])]
    quote: Annotated[str, Field(min_length=1, max_length=LONGEST, examples=["had to work for the freedom to assemble"])]


class Title(Model):
    """The title of a conversation."""

    title: Annotated[str, Field(max_length=1000, examples=["Grants of 2021"])] = ""
    origin: Origin = "api"


class SignIn(Model):
    """A name and its password."""

    name: Annotated[str, Field(max_length=200, examples=["ada"])]
    password: Annotated[str, Field(max_length=2000)]


class Session(Model):
    """Who is signed in.

    Attributes:
        may_share: the groups that documents may be shared with by this user.
        accounts: whether there is anything to sign in to.
    """

    user: str | None
    role: Role | None
    groups: tuple[str, ...] = ()
    may_share: tuple[str, ...] = ()
    accounts: bool


class Groups(Model):
    """Whom a document is shared with; nobody named is everyone."""

    groups: Annotated[tuple[str, ...], Field(max_length=100, examples=[["finance"]])] = ()
