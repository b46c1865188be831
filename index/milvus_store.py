"""Documents in Milvus, so that several servers share one library: their text, passages, sources, and what changed.

Each document that is added is a generation: rows that nobody changes afterwards, under a number that no other writer
has. It is there once the row of a source names it: that row is the one commit point, and a reader hides whatever no
source names. So any number of servers write at once without a lock; the last to name a source wins.
"""

from __future__ import annotations

import json
import secrets
import threading
import uuid
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from time import time
from typing import Any

from index import milvus_rows as rows
from index.errors import DamagedError, NewerFormatError, StoreError, UsageError, WrongEncoderError
from index.filters import Where, conditions
from index.milvus_rows import Held, held_by, is_current
from index.milvus_server import Row, Server, among, parted, quoted, under, written
from index.models import Document, Listed, Near
from index.records import Entry, Source, Stored
from index.schema import digest

FORMAT = 1
_NAMED = 'kind in ["source", "also"]'  # a document's own source, and others that hold the same text
_EPOCH = 1_577_836_800  # 2020-01-01: blocks of numbers are counted in seconds from here
_BLOCK = 32  # bits of a number within its block


class MilvusStore:
    """The documents of one library. Safe from any thread, and beside any number of other writers."""

    def __init__(self, server: Server, encoder: str, dim: int) -> None:
        """Open the library, making its two collections where they are missing.

        Raises:
            NewerFormatError, WrongEncoderError, StoreError
        """
        self._server = server
        self._numbering = threading.Lock()
        self._next = self._end = 0
        address = server.address
        if not server.call("has_collection", server.records) and server.call("has_collection", server.passages):
            raise StoreError(f"{address} is a collection that pincite did not make: choose another name")
        rows.make_collections(server, dim)
        for collection in (server.records, server.passages):
            server.call("load_collection", collection)
        if not self._meta():
            made = {"format": FORMAT, "encoder": encoder, "dim": dim, "name": uuid.uuid4().hex[:8]}
            server.upsert(server.records, [rows.record("meta", "", data=json.dumps(made))])
        meta = self._meta()
        if meta["format"] > FORMAT:
            raise NewerFormatError(f"{address} was made by a newer pincite (format {meta['format']}): upgrade pincite")
        if meta["encoder"] != encoder:
            raise WrongEncoderError(
                f"{address} was made with the encoder {meta['encoder']}, not {encoder}: "
                "open it with that one, or make a new library under another name"
            )
        self.name = str(meta["name"])

    def _meta(self) -> dict[str, Any]:
        found = self._records(among("id", [rows.record_id("meta", "")]), "data")
        return dict(json.loads(found[0]["data"])) if found else {}

    def _records(self, condition: str, *columns: str) -> list[Row]:
        """Rows that may change, as they are now."""
        return self._server.query(self._server.records, condition, columns, latest=True)

    def _written(self, condition: str, *columns: str) -> list[Row]:
        """Rows of generations that are named, which were there before their name was and do not change."""
        return self._server.query(self._server.records, condition, columns)

    # writing

    def writing(self) -> AbstractContextManager[None]:
        """Any number may write at once."""
        return nullcontext()

    def put(self, entry: Entry, replaces: str | None = None) -> None:
        """Store a document as a generation of its own, then name it; see `DocumentStore.put`."""
        document = entry.document
        known = rows.facts(document, self._numbers(max(len(entry.passages), 1)))
        passages, details = rows.passage_rows(entry, known, self._server.has_terms)
        records = rows.description(document, len(passages), known)
        records += rows.pieces("text", document.text, known)
        records += rows.pieces("passages", rows.as_text(details), known)
        records += rows.pieces("minhash", rows.as_text(entry.minhash), known)
        records += rows.pieces("original", rows.as_text(entry.original or b""), known)
        records += rows.near_rows(document.id, entry.near, known["generation"])
        self._server.upsert(self._server.records, records)
        self._server.upsert(self._server.passages, passages)
        data = json.dumps({"origin": entry.origin, "sha256": document.sha256})
        self._name("source", document.source, data, known, replaces)

    def alias(self, source: str, origin: str, sha256: str, document: str, replaces: str | None = None) -> None:
        """See `DocumentStore.alias`."""
        held = self.held([document]).get(document)
        if held is None:
            raise StoreError(f"document {document} has just been removed: add {source} again")
        own = self._heads([held.generation])[held.generation]["listed"]["source"] == source
        known = {"document": document, "generation": held.generation}
        data = json.dumps({"origin": origin, "sha256": sha256})
        self._name("source" if own else "also", source, data, known, replaces)

    def _name(self, kind: str, source: str, data: str, known: Row, replaces: str | None) -> None:
        """The commit: from here on the source names this generation, and the change has a number."""
        before = self.held([replaces]).get(replaces) if replaces and replaces != known["document"] else None
        left = tuple(other for other in before.sources if other != source) if before else ()
        if before and left:
            self._rename(before.generation, left)
        row = {**rows.record("source", source, known, name=source, data=data), "kind": kind}
        self._server.upsert(self._server.records, [row, self._change()])
        if replaces and before and not left:
            self._drop(replaces, before.generation)

    def _rename(self, generation: int, sources: Sequence[str]) -> None:
        """Show a document under the first of the sources that are left to it."""
        held = self.generations([generation]).get(generation)
        if held is None or held.source in sources:
            return
        renamed = held.model_copy(update={"source": sources[0]})
        columns = rows.plain_columns(self._server)
        passages = list(self._server.scan(self._server.passages, f"generation == {generation}", columns))
        moved = [{**{c: row[c] for c in columns}, "source": sources[0]} for row in passages]
        self._server.upsert(self._server.passages, moved)
        known = rows.facts(renamed, generation)
        self._server.upsert(self._server.records, rows.description(renamed, len(passages), known))

    def remove(self, document: str) -> None:
        """Remove a document with all its sources."""
        held = self.held([document]).get(document)
        if held is None:
            return
        gone = [{**rows.record("source", source), "kind": "gone"} for source in held.sources]
        self._server.upsert(self._server.records, [*gone, self._change()])
        self._server.delete(self._server.records, 'kind == "gone"')
        self._drop(document, held.generation)

    def _drop(self, document: str, generation: int) -> None:
        """Delete the rows of a generation that nothing names any longer."""
        own = quoted(document)
        near = f'(kind == "near" and (document == {own} or name == {own}))'
        self._server.delete(self._server.passages, f"generation == {generation}")
        self._server.delete(self._server.records, f"{near} or generation == {generation}")

    def _change(self) -> Row:
        return rows.record("change", str(self._numbers(1)))

    def _numbers(self, count: int) -> int:
        """The first of so many whole numbers in a row that no other writer has, larger than those before.

        They come from blocks. To claim one is to write its row and then to see no other's: of two that try at once, at
        least one sees the other and takes another block.
        """
        with self._numbering:
            if self._end - self._next < count:
                block = int(time()) - _EPOCH
                while True:
                    self._server.upsert(
                        self._server.records, [rows.record("block", f"{block}:{uuid.uuid4().hex}", name=str(block))]
                    )
                    if len(self._records(f'kind == "block" and name == "{block}"', "id")) == 1:
                        break
                    block += 1 + secrets.randbelow(8)
                self._next, self._end = block << _BLOCK, (block + 1) << _BLOCK
            first = self._next
            self._next += count
            return first

    # reading

    def last_change(self) -> int:
        """How many changes there have been, by any server."""
        return self._server.count(self._server.records, 'kind == "change"', latest=True)

    def source(self, source: str) -> Source | None:
        """See `DocumentStore.source`."""
        found = self._records(among("id", [rows.record_id("source", source)]), "kind", "document", "data")
        if not found or found[0]["kind"] == "gone":
            return None
        known = json.loads(found[0]["data"])
        return Source(known["origin"], known["sha256"], found[0]["document"])

    def held(self, documents: Collection[str]) -> dict[str, Held]:
        """Of some documents those that are there, each with its generation and sources."""
        found = [
            row
            for some in parted(sorted(documents))
            for row in self._records(f"{_NAMED} and {among('document', some)}", *rows.NAMING)
        ]
        return held_by(found)

    def all_held(self) -> dict[str, Held]:
        """Every document that is there."""
        return held_by(self._server.scan(self._server.records, _NAMED, rows.NAMING, latest=True))

    def has(self, document: str) -> bool:
        """See `DocumentStore.has`."""
        return bool(self.held([document]))

    def find(self, name: str) -> str:
        """See `DocumentStore.find`."""
        if known := self.source(name):
            return known.document
        condition = f"{_NAMED} and document >= {quoted(name)} and document < {quoted(name + '~')}"
        found = {row["document"] for row in self._records(condition, "document")} if len(name) >= 6 else set()
        if len(found) != 1:
            many = "more than one document begins with" if found else "no document is called"
            raise UsageError(f"{many} {name!r}: see `pincite list` for ids and sources")
        return str(found.pop())

    def document(self, document: str) -> Document | None:
        """See `DocumentStore.document`."""
        held = self.held([document]).get(document)
        return self.generations([held.generation]).get(held.generation) if held else None

    def generations(self, wanted: Collection[int]) -> dict[int, Document]:
        """The documents of some generations, checked against their digests; those that were dropped are left out.

        Raises:
            DamagedError: a digest does not match.
        """
        if not wanted:
            return {}
        condition = f"{among('generation', sorted(wanted))} and {among('kind', ['head', 'record', 'text'])}"
        parts: dict[tuple[int, str], list[Row]] = {}
        for row in self._written(condition, "id", "generation", "kind", "data"):
            parts.setdefault((row["generation"], row["kind"]), []).append(row)
        found: dict[int, Document] = {}
        for generation in wanted:
            if (generation, "head") not in parts:
                continue
            head = json.loads(parts[generation, "head"][0]["data"])
            record, text = (rows.joined(parts.get((generation, k), ()), head[k]) for k in ("record", "text"))
            if digest(record, text).hex() != head["digest"]:
                name = head["listed"]["id"]
                raise DamagedError(f"document {name} is damaged: run `pincite check`, then add its file again")
            found[generation] = Document.model_validate({**json.loads(record), "text": text})
        return found

    def original(self, document: str) -> bytes | None:
        """See `DocumentStore.original`."""
        held = self.held([document]).get(document)
        return (self._blob(held.generation, "original") if held else None) or None

    def _blob(self, generation: int, kind: str) -> bytes:
        condition = f"generation == {generation} and kind == {quoted(kind)}"
        return rows.as_bytes(rows.joined(self._server.scan(self._server.records, condition, ["id", "data"])))

    def documents(self) -> list[str]:
        """See `DocumentStore.documents`."""
        return [one.id for one in self.listing({})]

    def passages(self, keys: Sequence[int]) -> list[tuple[Stored, Held]]:
        """The passages with these keys that are still there, in the order asked for, with what holds them.

        Raises:
            DamagedError: a checksum does not match.
        """
        if not keys:
            return []
        found = self._server.query(self._server.passages, among("key", [int(key) for key in keys]), rows.PASSAGE)
        by_key = {row["key"]: row for row in found}
        held = self.held({row["document"] for row in found})
        kept = [by_key[k] for k in keys if k in by_key and is_current(by_key[k], held)]
        names = sorted({name for row in kept for name in rows.piece_names(row)})
        parts = {}
        for some in parted(names):
            for row in self._written(among("id", some), "id", "data"):
                parts[row["id"]] = rows.as_bytes(row["data"])
        return [(rows.unpacked(row, parts), held[row["document"]]) for row in kept]

    def passages_of(self, document: str) -> list[Stored]:
        """See `DocumentStore.passages_of`."""
        held = self.held([document]).get(document)
        if held is None:
            return []
        found = list(self._server.scan(self._server.passages, f"generation == {held.generation}", rows.PASSAGE))
        blob = self._blob(held.generation, "passages")
        parts = {
            rows.record_id("passages", rows.piece_key(held.generation, n)): blob[at : at + rows.RAW]
            for n, at in enumerate(range(0, len(blob), rows.RAW))
        }
        return [rows.unpacked(row, parts) for row in sorted(found, key=lambda row: int(row["key"]))]

    def minhashes(self) -> Iterator[tuple[str, bytes]]:
        """See `DocumentStore.minhashes`."""
        held = self.all_held()
        columns = ("document", "generation", "data")
        for row in self._server.scan(self._server.records, 'kind == "minhash"', columns):
            if is_current(row, held):
                yield row["document"], rows.as_bytes(row["data"])

    def near(self, document: str) -> tuple[Near, ...]:
        """See `DocumentStore.near`."""
        found = self._records(f'kind == "near" and document == {quoted(document)}', "document", "name", "data")
        return self._near(found).get(document, ())

    def _near(self, found: Sequence[Row]) -> dict[str, tuple[Near, ...]]:
        """By document, those that are nearly the same and still there, nearest first."""
        held = self.held({row["name"] for row in found})
        heads = self._heads([one.generation for one in held.values()])
        near: dict[str, list[Near]] = {}
        for row in found:
            if row["name"] in held and (head := heads.get(held[row["name"]].generation)):
                one = Near(document=row["name"], source=head["listed"]["source"], similarity=float(row["data"]))
                near.setdefault(row["document"], []).append(one)
        return {one: tuple(sorted(some, key=lambda n: (-n.similarity, n.source))) for one, some in near.items()}

    def _heads(self, generations: Sequence[int]) -> dict[int, dict[str, Any]]:
        return {
            row["generation"]: json.loads(row["data"])
            for some in parted(sorted(generations))
            for row in self._written(f'kind == "head" and {among("generation", some)}', "generation", "data")
        }

    def filter(self, where: Where, within: Collection[str] | None = None) -> str:
        """The condition for rows, in either collection, of documents that pass a filter and are among some ids."""
        parts = [] if within is None else [among("document", sorted(within))]
        for condition in conditions(where):
            others: list[str] = []
            if condition.field == "source":
                found = self._records(f'kind == "also" and {under("name", condition.value)}', "document")
                others = sorted({row["document"] for row in found})
            parts.append(written(condition, others))
        return " and ".join(parts)

    def listing(self, where: Where) -> list[Listed]:
        """See `DocumentStore.listing`."""
        held = self.all_held()
        condition = " and ".join(part for part in ('kind == "head"', self.filter(where)) if part)
        columns = ("document", "generation", "data")
        heads = [row for row in self._server.scan(self._server.records, condition, columns) if is_current(row, held)]
        near = self._near(list(self._server.scan(self._server.records, 'kind == "near"', ("document", "name", "data"))))
        listed = []
        for row in heads:
            head = json.loads(row["data"])
            known = head["listed"]
            also = tuple(s for s in held[row["document"]].sources if s != known["source"])
            extra = {"also": also, "characters": head["characters"], "passages": head["passages"]}
            listed.append(Listed.model_validate({**known, **extra, "near": near.get(row["document"], ())}))
        return sorted(listed, key=lambda one: (one.source, one.id))

    def named(self) -> list[tuple[str, str]]:
        """See `DocumentStore.named`."""
        return sorted((source, document) for document, held in self.all_held().items() for source in held.sources)

    def about(self, document: str) -> tuple[list[str], int]:
        """See `DocumentStore.about`."""
        held = self.held([document]).get(document)
        if held is None:
            return [], 0
        head = self._heads([held.generation]).get(held.generation)
        return list(held.sources), int(head["passages"]) if head else 0

    # upkeep

    def leftovers(self) -> set[int]:
        """The generations that nothing names: of an add that was cut off, or of one that is under way."""
        current = {held.generation for held in self.all_held().values()}
        found: set[int] = set()
        for collection in (self._server.records, self._server.passages):
            rows_left = self._server.scan(collection, "generation > 0", ["generation"], latest=True)
            found |= {row["generation"] for row in rows_left}
        return found - current

    def drop(self, generations: Collection[int]) -> None:
        """Delete generations that nothing names."""
        for generation in generations:
            for collection in (self._server.records, self._server.passages):
                self._server.delete(collection, f"generation == {generation}")

    def check(self) -> list[str]:
        """What is wrong, a line each; nothing where the library is sound."""
        problems: list[str] = []
        for document, held in self.all_held().items():
            try:
                whole = self.generations([held.generation]).get(held.generation)
                head = self._heads([held.generation]).get(held.generation)
                if whole is None or head is None:
                    raise DamagedError(f"document {document} cannot be read: add its file again")
                found = self.passages_of(document)
                if len(found) != head["passages"]:
                    problems.append(f"document {document}: {len(found)} passages of {head['passages']} are there")
                if any(not 0 <= p.passage.start < p.passage.end <= len(whole.text) for p in found):
                    problems.append(f"document {document}: a passage leaves its text")
            except (DamagedError, ValueError) as error:
                problems.append(f"document {document}: {error}")
        left = len(self.leftovers())
        if left:
            problems.append(f"{left} adds were cut off, or go on now: run `pincite rebuild` when nobody adds")
        return problems
