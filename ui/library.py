"""The documents as a caller may see and change them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from index.errors import PinciteError, UsageError
from index.hidden import why_hidden
from index.models import Added, Document, Listed
from ui.drawing import page_png
from ui.models import Blocks, BlockText, Caller, CellText, Documents, Shown
from ui.problems import ForbiddenError, NotFoundError
from ui.visible import NOBODY, Sight

if TYPE_CHECKING:
    from index.library import Index
    from ui.accounts import Accounts
    from ui.audit import Audit
    from ui.pools import Pool
    from ui.visible import Sharing

PDF = "application/pdf"
GONE = "this document was removed, or is not shared with you"
MOST_LISTED = 500
_AROUND = 60_000  # characters on each side of a quote that are shown of a long document
LONG = 200_000  # characters of a document that are given at once
_LONGEST_NAME = 200


class Library:
    """Lists, shows, adds, removes and shares documents, each for a caller."""

    def __init__(self, desk: Pool, intake: Pool) -> None:
        self._desk = desk
        self._intake = intake

    def open(self, index: Index, sharing: Sharing, accounts: Accounts, audit: Audit) -> None:
        """Give it what it works on."""
        self._index = index
        self._sharing = sharing
        self._accounts = accounts
        self._audit = audit

    async def list(
        self, caller: Caller, where: Mapping[str, str] | None = None, text: str = "", limit: int = 50, offset: int = 0
    ) -> Documents:
        """The documents that pass a filter and hold some text in title, source or publisher, by source.

        Raises:
            UsageError: the filter is bad.
        """
        return await self._desk.run(self._list, caller, where, text, limit, offset)

    async def show(self, caller: Caller, document: str) -> Shown:
        """What is known of a document.

        Raises:
            NotFoundError: it is not there, or the caller may not see it.
        """
        return await self._desk.run(self.shown, caller, document)

    async def text(self, caller: Caller, document: str) -> str:
        """The text in which all offsets count."""
        return (await self._desk.run(self.read, caller, document)).text

    async def blocks(self, caller: Caller, document: str, start: int = 0, end: int | None = None) -> Blocks:
        """The blocks that lie, if only in part, within a range of a document's text, at most `LONG` characters."""
        held = await self._desk.run(self.read, caller, document)
        last = start + LONG if end is None else min(end, start + LONG)
        return blocks_of(held, start, last)

    async def page_image(self, caller: Caller, document: str, page: int, start: int = 0, end: int = 0) -> bytes:
        """A page (from 1) as PNG, with the words of the text's range start to end marked.

        Raises:
            NotFoundError: there is no such document or page, or its format has no pages.
        """
        return await self._desk.run(self._page_image, caller, document, page, start, end)

    async def add(self, caller: Caller, name: str, data: bytes, groups: Sequence[str] | None = None) -> Added:
        """Add one file, shared with these groups alone; with none of them, with everyone.

        Where ``groups`` is left out, a file that is there already stays shared as it is.

        Raises:
            ForbiddenError: the caller may not add documents, or not for these groups.
            LockedError: another process is writing.
        """
        self._may_edit(caller, groups or ())
        return await self._intake.run(self._add, caller, name, data, groups)

    async def remove(self, caller: Caller, document: str) -> Shown:
        """Remove a document; where it also came from a source that the caller cannot see, it stays for the others.

        Raises:
            ForbiddenError: the caller may not remove documents.
            NotFoundError: it is not there, or the caller may not see it.
        """
        self._may_edit(caller)
        return await self._intake.run(self._remove, caller, document)

    async def share(self, caller: Caller, document: str, groups: Sequence[str]) -> Shown:
        """Share a document with these groups alone; with none, share it with everyone.

        Raises:
            ForbiddenError: the caller may not change documents, or adds a group that it is not in.
            NotFoundError: it is not there, or the caller may not see it.
        """
        self._may_edit(caller)
        return await self._intake.run(self._share, caller, document, groups)

    async def may_share(self, caller: Caller) -> tuple[str, ...]:
        """The groups that a caller may share documents with: those it is in; an admin, all there are."""
        if not caller.may_edit:
            return ()
        if caller.role != "admin":
            return tuple(sorted(caller.groups))
        return tuple(await self._desk.run(self._accounts.groups))

    def held(self, caller: Caller, document: str) -> Document:
        """A document, under a name that the caller may see.

        Raises:
            NotFoundError: it is not there, or the caller may not see it.
            DamagedError: it does not match its digest.
        """
        sight = self._sharing.sight(caller)
        found = self._index.engine.document(document) if sight.sees(document) else None
        if found is None:
            raise NotFoundError(GONE)
        return found.model_copy(update={"source": sight.name(found.id, found.source)})

    def read(self, caller: Caller, document: str) -> Document:
        """A document whose words will be shown to the caller, which is noted; see `held`."""
        found = self.held(caller, document)
        self._audit.note(caller.name, "read", found.source, [found.id])
        return found

    def shown(self, caller: Caller, document: str) -> Shown:
        """What is known of a document; see `show`."""
        held = self.held(caller, document)
        fields = {name: getattr(held, name) for name in Listed.model_fields if name in Document.model_fields}
        sources, passages = self._sharing.about(document)
        extra = {"also": tuple(s for s in sources if s != held.source), "near": self._index.engine.store.near(document)}
        listed = Listed.model_validate({**fields, **extra, "characters": len(held.text), "passages": passages})
        pages = max((b.page or 0 for b in held.blocks), default=0) if held.media_type == PDF else 0
        return self._as_seen(listed, self._sharing.sight(caller), pages)

    def _as_seen(self, listed: Listed, sight: Sight, pages: int = 0) -> Shown:
        """A line of the list without what the caller may not know."""
        known = _known(listed, sight)
        near = tuple(
            n.model_copy(update={"source": sight.name(n.document, n.source)})
            for n in listed.near
            if sight.sees(n.document)
        )
        fields = dict(listed) | {"source": known[0], "also": tuple(known[1:]), "near": near}
        return Shown(**fields, groups=self._sharing.groups(known), pages=pages)

    def _list(self, caller: Caller, where: Mapping[str, str] | None, text: str, limit: int, offset: int) -> Documents:
        sight, wanted = self._sharing.sight(caller), text.casefold()
        found = [one for one in self._index.documents(where) if sight.sees(one.id) and _holds(one, sight, wanted)]
        page = found[offset : offset + min(limit, MOST_LISTED)]
        return Documents(total=len(found), items=tuple(self._as_seen(one, sight) for one in page))

    def _page_image(self, caller: Caller, document: str, page: int, start: int, end: int) -> bytes:
        held = self.read(caller, document)
        data = self._index.engine.store.original(document) if held.media_type == PDF else None
        if data is None:
            raise NotFoundError("this document has no pages that could be shown: open its text instead")
        return page_png(held, data, page, start, end)

    def _may_edit(self, caller: Caller, groups: Iterable[str] = ()) -> None:
        """Whether a caller may change documents, and give them to these groups."""
        if not caller.may_edit:
            raise ForbiddenError("your role is reader: ask an editor to change documents")
        if caller.role != "admin" and not caller.groups.issuperset(groups):
            raise ForbiddenError("you can only share documents with groups that you are in, or with everyone")

    def _known_groups(self, groups: Iterable[str]) -> None:
        unknown = sorted(set(groups) - set(self._accounts.groups()))
        if unknown:
            raise UsageError(f"nobody is in a group {unknown[0]!r}: see `pincite user list` for the groups there are")

    def _add(self, caller: Caller, name: str, data: bytes, groups: Sequence[str] | None) -> Added:
        self._known_groups(groups or ())
        source = self._free(caller, clean_name(name))
        before = self._sharing.of(source)
        if groups is None:
            held = self._index.engine.store.source(source) is not None and before != (NOBODY,)
            groups = before if held else ()
        # First, so that nobody sees the document before it is restricted.
        self._sharing.set(source, groups)
        try:
            added = self._index.add_bytes(data, source)
        except PinciteError:
            self._sharing.set(source, before)
            raise
        if added.outcome == "refused":
            self._sharing.set(source, before)
        else:
            shared = ", ".join(sorted(groups))
            noted = [added.document] if added.document else []
            self._audit.note(caller.name, "add", source, noted, outcome=added.outcome, groups=shared)
        sight = self._sharing.sight(caller)
        near = tuple(
            n.model_copy(update={"source": sight.name(n.document, n.source)})
            for n in added.near
            if sight.sees(n.document)
        )
        reason = added.reason
        if added.outcome == "duplicate":
            others = [s for s in self._sharing.about(added.document or "")[0] if s != source]
            known = next((s for s in others if self._sharing.allows(caller, s)), None)
            reason = f"its text is the same as that of {known}" if known else None
        # That somebody else holds the same text is not told to one who may not see it.
        outcome = "added" if added.outcome == "duplicate" and reason is None else added.outcome
        return added.model_copy(update={"near": near, "reason": reason, "outcome": outcome})

    def _free(self, caller: Caller, source: str) -> str:
        """A name for an upload that does not belong to a document which the caller may not see."""
        name, number = source, 1
        while (
            not self._sharing.allows(caller, name)
            and self._sharing.of(name) != (NOBODY,)
            and self._index.engine.store.source(name)
        ):
            name, number = f"{caller.name}{number if number > 1 else ''}/{source}", number + 1
        return name

    def _remove(self, caller: Caller, document: str) -> Shown:
        shown = self.shown(caller, document)
        sources, _ = self._sharing.about(document)
        mine = [source for source in sources if self._sharing.allows(caller, source)]
        if len(mine) == len(sources):
            self._index.remove(document)
        with self._sharing.together():
            for source in mine:
                self._sharing.set(source, () if len(mine) == len(sources) else (NOBODY,))
                self._audit.note(caller.name, "remove", source, [document])
        return shown

    def _share(self, caller: Caller, document: str, groups: Sequence[str]) -> Shown:
        shown = self.shown(caller, document)
        added = set(groups) - set(shown.groups)  # a group that has it already may keep it, whoever changes the others
        self._may_edit(caller, added)
        self._known_groups(added)
        with self._sharing.together():
            for source in self._sharing.about(document)[0]:
                if self._sharing.allows(caller, source):
                    self._sharing.set(source, groups)
                    self._audit.note(caller.name, "share", source, [document], groups=", ".join(sorted(set(groups))))
        return shown.model_copy(update={"groups": tuple(sorted(set(groups)))})


def blocks_of(document: Document, start: int, end: int) -> Blocks:
    """The blocks of a document that lie, if only in part, in a range of its text."""
    text = document.text
    blocks = [b for b in document.blocks if b.start < end and start < b.end]
    return Blocks(
        document=document.id,
        start=blocks[0].start if blocks else start,
        end=blocks[-1].end if blocks else start,
        characters=len(text),
        blocks=tuple(
            BlockText(
                kind=b.kind,
                level=b.level,
                page=b.page,
                start=b.start,
                end=b.end,
                text=text[b.start : b.end],
                cells=tuple(CellText(text=text[c.start : c.end], **dict(c)) for c in b.cells),
                why=b.why,
                hidden=why_hidden(document, b.start, b.end),
            )
            for b in blocks
        ),
    )


def around(document: Document, start: int, end: int) -> Blocks:
    """The blocks to show around a quote: all of them, unless the document is long."""
    if len(document.text) <= LONG:
        return blocks_of(document, 0, len(document.text))
    return blocks_of(document, start - _AROUND, end + _AROUND)


def clean_name(name: str) -> str:
    """The name of an uploaded file as a source: forward slashes, no way up, nothing that cannot be seen.

    >>> clean_name("../../etc/\x00plan.txt")
    'etc/plan.txt'

    Raises:
        UsageError: nothing is left of it.
    """
    parts = re.split(r"[/\\]", unicodedata.normalize("NFC", name))
    seen = ("".join(c for c in part if c.isprintable()).strip() for part in parts)
    source = "/".join(part for part in seen if part.strip("."))
    if not source:
        raise UsageError(f"{name!r} is no name for a file: rename it")
    return source[-_LONGEST_NAME:].lstrip("/ ")


def _known(listed: Listed, sight: Sight) -> list[str]:
    """The sources of a document that may be shown."""
    sources = [listed.source, *listed.also]
    return [source for source in sources if source in sight.names.get(listed.id, sources)]


def _holds(listed: Listed, sight: Sight, wanted: str) -> bool:
    """Whether title, publisher or a source that may be shown hold some text, in lower case."""
    words = [*_known(listed, sight), listed.title or "", listed.publisher or ""]
    return not wanted or wanted in "\n".join(words).casefold()
