"""The entries of a list: every table row and every recipient in the documents in scope, merged where they are one."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Sequence, Set
from typing import NamedTuple

from index.models import Block, Cell, Document, Span
from index.split import sentences
from index.terms import content_terms, term, terms
from rag.cues import LEANS, MONEY
from rag.kept import per_document
from rag.merge import Aliases, one, together
from rag.names import mentions, recipients, renamings, same
from rag.periods import Periods, agree, periods
from rag.question import Question
from rag.scope import Scoped, scope
from rag.subject import headings, held, lead
from rag.verify import CURRENCY, currencies

_NAME = re.compile(
    r"grantee|recipient|organi[sz]ation|name|partner|beneficiary|awardee|applicant|company|получател|организаци|назван|партн[её]р",
    re.IGNORECASE,
)
_AMOUNT = re.compile(
    r"amount|sum\b|grant\b|award|value|paid|budget|usd|eur|gbp|kzt|\bcosts?\b|price|сумма|размер|грант|стоимост|цена",
    re.IGNORECASE,
)
_PURPOSE = re.compile(r"purpose|project|^for$|aim|use|description|назначени|цель|проект|^на что$", re.IGNORECASE)
_PERIOD = re.compile(r"^(?:year|period|decided|awarded|approved|start|from|год|период|решени)", re.IGNORECASE)
_CURRENCY = re.compile(r"currency|валюта", re.IGNORECASE)
_PART = re.compile(r"instalment|visited|impression|paid on|платеж", re.IGNORECASE)
_SUMMED = re.compile(r"^\W*(?:grand |sub)?(?:total|sum|all|итого|всего)\b", re.IGNORECASE)
_NUMBERED = re.compile(r"number|\bno\b|\bid\b|номер|№", re.IGNORECASE)
_NOT_MADE = re.compile(
    r"\b(?:withdrawn|refused|rejected|cancelled|declined|отозван\w*|отклон[её]н\w*)\b", re.IGNORECASE
)

# Words that ask for a grant or its receiver; they say nothing of which one.
GENERIC = frozenset(
    terms(
        "receive received recipient recipients get got given give grant grants granted grantee grantees award "
        "awarded awards fund funded funds funding money list lists name names organisation organization "
        "organisations organizations group groups project projects support supported sponsor amount amounts sum "
        "sums total paid pay year report reports all which who every much many made make how large big worth "
        "largest biggest smallest count number went go goes pounds каждый все получить получил получили "
        "получено грант гранты грантов деньги организация организации сумма сколько выделил выделили выделено "
        "список год году назовите перечислите кто какие кому самый большой крупный"
    )
)  # fmt: skip
_CURRENCY_WORDS = {
    term(word): code
    for code, words in {
        "KZT": "tenge тенге", "EUR": "euro евро", "USD": "dollar доллар", "GBP": "pound sterling фунт стерлингов",
        "RUB": "rouble ruble рубль", "CHF": "franc франк",
    }.items()
    for word in words.split()
}  # fmt: skip
ABOUT_RECEIPT = re.compile(
    r"\b(?:receiv\w*|recipients?|grant\w*|award\w*|fund(?:ed|ing|s)?|gets?|got|given?|gave|beneficiar\w*|money|support\w*|"
    r"получ\w*|грант\w*|выдел\w*|достал\w*|профинансир\w*|деньг\w*)\b",
    re.IGNORECASE,
)


class Entry(NamedTuple):
    """One entry, as one place tells it; the amount as written there."""

    name: str
    amount: str | None
    period: str | None
    purpose: str | None
    document: Document
    spans: tuple[Span, ...]
    row: bool


def entries(
    question: Question, documents: Sequence[Document], aliases: Aliases = ()
) -> tuple[list[Entry], list[Entry]]:
    """All entries of the documents for a question, and those that are of another period than the one asked for.

    A name in the question is what a document is about (who gives), or an entry's own: then only that entry counts. Any
    other one must be told beside an entry or in a heading over it.

    Args:
        question: what is asked.
        documents: where to look, all of each.
        aliases: pairs of names that belong to one thing.
    """
    inside: list[Entry] = []
    outside: list[Entry] = []
    for document in documents:
        about = lead(document)
        wanted = _residual(question, about)
        if not wanted[0] <= held(document):  # then no place in it holds them
            continue
        found = [*_from_tables(question, document, wanted)]
        if ABOUT_RECEIPT.search(question.text):
            found += _from_prose(question, document, wanted)
        own = [name for name in question.names if any(one(name, entry.name, aliases) for entry, _ in found)]
        # Who gives may be said to have been given something, too. It is not whom the question is about where another
        # name is, or where all who were given something are asked for.
        givers = [name for name in own if _is_about(name, about)]
        others = [f for f in found if not any(one(name, f[0].name, aliases) for name in givers)]
        if len(givers) < len(own) or (question.kind != "amount" and len(others) > 1):
            found, own = others, [name for name in own if name not in givers]
        # Any other name narrows the list down, as a country or a programme does, so it must be told with the entry.
        narrowing = [name for name in question.names if name not in own and not _is_about(name, about)]
        narrow = {t for name in narrowing for t in terms(name)}
        for entry, fits in found:
            is_asked = not own or any(one(name, entry.name, aliases) for name in own)
            if is_asked and (not narrow or narrow <= _around(entry)):
                (inside if fits else outside).append(entry)
    return inside, outside


def _around(entry: Entry) -> frozenset[str]:
    """The terms of the places that tell an entry, and of the headings over them."""
    held: set[str] = set()
    for span in entry.spans:
        held.update(terms(entry.document.text[span.start : span.end]))
        block = next((b for b in entry.document.blocks if b.start <= span.start < b.end), None)
        for heading in headings(entry.document, block.start) if block else ():
            held.update(terms(heading))
    return frozenset(held)


def _is_about(name: str, about: str) -> bool:
    """Whether a document's lead speaks of a name, in full or by its initials."""
    held = set(terms(about))
    return set(terms(name)) <= held or any(same(name, mention.text) for mention in mentions(about))


def merged(found: Sequence[Entry], aliases: Aliases = ()) -> list[list[Entry]]:
    """Entries that name one thing, together, in the order in which they first appear; rows and amounts come first."""
    groups = ([found[at] for at in places] for places in together([entry.name for entry in found], aliases))
    return [sorted(group, key=lambda e: (e.amount is None, not e.row)) for group in groups]


def _residual(question: Question, about: str) -> tuple[set[str], set[str]]:
    """Terms that an entry must hold beside what its document says of itself, and the currencies it must be in."""
    told = set(terms(about)) | {t for name in question.names for t in terms(name)}
    paid_in = {_CURRENCY_WORDS[t] for t in question.terms if t in _CURRENCY_WORDS}
    # What is said after the question itself explains it, but does not narrow it.
    asked = set(terms(question.text.split("?")[0])) if "?" in question.text else set(question.terms)
    left = {t for t in question.terms if t in asked and t not in GENERIC | told and t not in _CURRENCY_WORDS}
    return left, paid_in


@per_document
def known_as(document: Document) -> list[tuple[str, str]]:
    """Pairs of names that a document says belong to one thing."""
    return renamings(
        " ".join(document.text[b.start : b.end].split()) for b in document.blocks if b.kind in ("paragraph", "item")
    )


def _from_tables(
    question: Question, document: Document, wanted: tuple[set[str], set[str]]
) -> Iterable[tuple[Entry, bool]]:
    rows = [block for block in document.blocks if block.kind == "row" and block.cells]
    for block in rows:
        cells = {cell.header: document.text[cell.start : cell.end] for cell in block.cells}
        name = _name_of(question, cells)
        if name is None or any(_PART.search(header) for header in cells):
            continue
        text = document.text[block.start : block.end]
        if _NOT_MADE.search(text) or _SUMMED.search(name) or len(name) > 90:
            continue
        amount = _amount_of(cells)
        scoped = scope(document).of(block.start, block.end)
        told = next((periods(cells[h]) for h in cells if _PERIOD.search(h) and periods(cells[h])), ())
        # What the table is about weighs more than a date in a cell, which may be that of a payment or an end.
        known = scoped.heading or scoped.title or told or scoped.lead
        fits = not question.periods or agree(question.periods, known)
        held = set(content_terms(text)) | {t for h in headings(document, block.start) for t in content_terms(h)}
        if not _holds(wanted, held, amount or text):
            continue
        purpose = next((cells[h] for h in cells if _PURPOSE.search(h) and cells[h] != name), None)
        yield (
            Entry(name, amount, _shown(known, question), purpose, document, (Span(block.start, block.end),), True),
            fits,
        )


def _name_of(question: Question, cells: dict[str, str]) -> str | None:
    """What a row is of: its cell under a header for names, else its first where that column is what is asked for."""
    named = next((cells[h] for h in cells if _NAME.search(h) and not _AMOUNT.search(h)), None)
    first = next(iter(cells))
    if named is None and not set(terms(first)).isdisjoint(question.terms) and re.search(r"[^\W\d]", cells[first]):
        return cells[first]
    return named


def named_in(row: Block) -> Cell:
    """The cell that says what a table row tells of: the one under a header for names, else the first."""
    return next((c for c in row.cells if _NAME.search(c.header) and not _AMOUNT.search(c.header)), row.cells[0])


def of_years(row: Block, document: Document, asked: Periods) -> str:
    """The words of a table row without the columns of other years than those asked for.

    All of its words where none of its columns is of a year that is asked for.
    """
    headed = [(cell, periods(cell.header)) for cell in row.cells]
    exact = any(set(years) & set(asked) for _, years in headed)  # "2019/20" shares a year with "2018/19", too
    fits = [bool(set(years) & set(asked)) if exact else agree(asked, years) for _, years in headed]
    kept = [cell for (cell, years), fit in zip(headed, fits, strict=True) if fit or not years]
    if not any(fits) or len(kept) == len(row.cells):
        return document.text[row.start : row.end]
    told = [(cell.header, document.text[cell.start : cell.end]) for cell in kept]
    return "; ".join(f"{header}: {value}" if header else value for header, value in told).rstrip(".") + "."


def _amount_of(cells: dict[str, str]) -> str | None:
    for header, value in cells.items():
        if (
            _AMOUNT.search(header)
            and not _NAME.search(header)
            and not _NUMBERED.search(header)
            and re.search(r"\d", value)
        ):
            currency = next((cells[h] for h in cells if _CURRENCY.search(h)), None)
            if currency and not MONEY.search(value):
                return f"{currency} {value}"
            return value
    return None


class _Told(NamedTuple):
    """What a sentence tells of who received what, whatever is asked.

    Attributes:
        subject: who a next sentence that leans on it would speak of; a receiver, or else the first organisation.
        held: its terms and those of the headings over it.
        leans: whether it may speak of the sentence before it.
    """

    span: Span
    receivers: tuple[str, ...]
    subject: str | None
    money: tuple[str, ...]
    held: frozenset[str]
    leans: bool
    got: bool

    def scoped(self, document: Document) -> Scoped:
        """The years that hold for the sentence; not kept, since few sentences are asked for theirs."""
        return scope(document).of(*self.span)


@per_document
def _told(document: Document) -> list[_Told]:
    """The sentences of a document that name a receiver, an organisation or a sum of money."""
    found = []
    for block in document.blocks:
        if block.kind not in ("paragraph", "item", "footnote"):
            continue
        over = {t for heading in headings(document, block.start) for t in content_terms(heading)}
        for span in sentences(document.text, block.start, block.end, document.language):
            raw = document.text[span.start : span.end]
            text = " ".join(raw.split())
            money = tuple(sums_in(text))
            listed = _LISTED.match(text) if block.kind == "item" and money else None
            receivers = () if _NOT_MADE.search(text) else tuple(m.text for m in recipients(text))
            if listed:
                receivers = (listed[1],)
            named = [m.text for m in mentions(text) if m.organisation]
            if receivers or named or money:
                subject = (*receivers[-1:], *named[:1], None)[0]
                held = frozenset(over.union(content_terms(text)))
                leans, got = bool(LEANS.search(text)), bool(_GOT.search(text))
                found.append(_Told(span, receivers, subject, money, held, leans, got))
    return found


def sums_of_other_years(question: Question, documents: Iterable[Document]) -> list[tuple[Document, Span]]:
    """Sums that documents tell for other years, after naming whom the question names: easily taken for the answer."""
    named = [set(content_terms(name)) for name in question.names]
    found: list[tuple[Document, Span]] = []
    for document in documents:
        if not any(name <= held(document) for name in named):
            continue
        near: deque[_Told] = deque()
        for told in _told(document):
            near.append(told)
            while near[0].span.end <= told.span.start - _NEAR:
                near.popleft()
            if told.money and told.scoped(document).agreement(question.periods) == "contradicted":
                spoken_of = frozenset().union(*(each.held for each in near))
                if any(name <= spoken_of for name in named):
                    found.append((document, told.span))
    return found


_NEAR = 1800  # characters after which a name is not spoken of any more


def _from_prose(
    question: Question, document: Document, wanted: tuple[set[str], set[str]]
) -> Iterable[tuple[Entry, bool]]:
    """Receivers named in sentences; an amount in a following sentence that leans on them is theirs."""
    before: _Told | None = None

    def entry(name: str, amount: str | None, told: _Told, *places: Span) -> tuple[Entry, bool]:
        years = told.scoped(document)
        period, fits = _shown(years.holding, question), years.agreement(question.periods) != "contradicted"
        return Entry(name, amount, period, None, document, places, False), fits

    for told in _told(document):
        receivers = told.receivers
        if not receivers:
            speaks = before and before.subject and not (before.receivers and before.money)
            sums = told.money if before and speaks and told.leans and (before.receivers or told.got) else ()
            if before and sums and _holds(wanted, before.held | told.held, sums[0]):
                yield entry(str(before.subject), sums[0], told, before.span, told.span)
        elif _holds((wanted[0], set()), told.held, ""):
            paired = len(told.money) in (1, len(receivers)) and (len(receivers) == 1 or len(told.money) > 1)
            for number, name in enumerate(receivers):
                amount = told.money[min(number, len(told.money) - 1)] if paired and told.money else None
                if not wanted[1] or (amount and wanted[1] & currencies(amount)):
                    yield entry(name, amount, told, told.span)
        before = told


_GOT = re.compile(r"\b(?:grant|received|got|given|awarded|granted|paid|получ\w+|грант\w*)\b(?!s)", re.IGNORECASE)
_LISTED = re.compile(r"^\W*([^\W\d_][^,:;]{2,80}?)(?:,[^:;]{0,80})?\s*[:–—-]\s")


def sums_in(text: str) -> list[str]:
    """The sums of money in a text, as written."""
    return [" ".join(m[0].split()).rstrip(" .,;") for m in _SUM.finditer(text)]


_UNITS = "|".join(sorted((re.escape(u) for u in CURRENCY if len(u) > 1), key=len, reverse=True))
_SUM = re.compile(
    rf"(?:US)?[$€£₸₽¥]\s?\d[\d,.\u00a0]*\d?(?:\s?(?:thousand|million|billion|тыс\w*|млн|млрд)\b\.?)?|"
    rf"\b(?:USD|EUR|GBP|KZT|RUB|CHF)\s?\d[\d,.\u00a0 ]*\d|"
    rf"\d[\d,.\u00a0]*(?: \d{{3}})*(?:\s?(?:thousand|million|billion|тыс\w*|млн|млрд)\.?)?\s(?:{_UNITS})\b",
    re.IGNORECASE,
)


def _holds(wanted: tuple[set[str], set[str]], held: Set[str], paid: str) -> bool:
    left, paid_in = wanted
    if paid_in and not paid_in & currencies(paid):
        return False
    return left <= held


def _shown(known: Periods, question: Question) -> str | None:
    """The period as shown: of several, those that are asked for."""
    asked = [k for k in known if agree((k,), question.periods)]
    return ", ".join(map(str, asked or known)) or None
