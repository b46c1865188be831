"""A database that is damaged, made again from what is whole in it.

The text of a document is its truth: whatever else of it is damaged (passages, vectors, minhash) is made from the text
again. A document whose text does not match its digest cannot be restored, and is named. The damaged file is put aside
first and stays there; until the mended one is in its place the index opens for nobody, so that mending may be cut off
anywhere and begun again.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
from collections.abc import Iterable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from index.database import create
from index.encode import Encoder, Vectors
from index.errors import DamagedError, LostError, StoreError
from index.files import Lock, fsync_folder
from index.ingest import UPLOAD, Versions
from index.models import Document
from index.prepare import Encoded, encode
from index.reading import minhash_of
from index.records import Entry, Source, Stored, stored
from index.schema import crc, digest
from index.split import split
from index.store import DATABASE, UNMENDED, Store

KEPT = "damaged.kept"
"""Where the damaged file stays when all is done, until the next time."""

_UNREADABLE = (sqlite3.DatabaseError, UnicodeDecodeError)  # the second where SQLite quotes what is damaged

OTHER_NAMES = "second names of documents, if there were any"


class Mended(NamedTuple):
    """What became of a damaged database.

    Attributes:
        encoded: the sources of documents whose passages were made from their text again.
        lost: what could not be restored, each by its source where that is known.
    """

    encoded: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()


class _Salvage(NamedTuple):
    """What is whole in a database: documents by id with their files, passages and sources."""

    documents: dict[str, tuple[Document, bytes | None, bool]]
    """With the file that is kept, and whether the document has a minhash."""
    passages: dict[str, list[Stored]]
    sources: dict[str, list[tuple[str, Source]]]
    lost: list[str]


def mend(folder: Path, encoder: Encoder) -> Mended:
    """Make the database of a folder whole again, as far as that can be; nothing where it is sound.

    Raises:
        LockedError: another process is writing.
        DamagedError: nothing can be read from it.
    """
    aside = folder / UNMENDED
    missing = "" if aside.exists() else _problem(folder, encoder)
    if missing is None:
        return Mended()
    with closing(Lock(folder)):
        try:
            if not aside.exists():
                _put_aside(folder, aside)
            found = _salvaged(aside / DATABASE)
            place = folder / "mended.tmp"
            shutil.rmtree(place, ignore_errors=True)
            encoded = _stored(found, Store(place, encoder.id, encoder.dim), encoder)
            for log in ("-wal", "-shm"):
                (folder / (DATABASE + log)).unlink(missing_ok=True)
            (place / DATABASE).replace(folder / DATABASE)
            fsync_folder(folder)
            shutil.rmtree(place)
            shutil.rmtree(folder / KEPT, ignore_errors=True)
            aside.rename(folder / KEPT)
            fsync_folder(folder)
        except OSError as error:
            raise StoreError(
                f"{folder} cannot be mended ({error.strerror}): check the disk, then run `pincite rebuild` again"
            ) from error
    return Mended(tuple(encoded), tuple(dict.fromkeys(([missing] if missing else []) + found.lost)))


def _problem(folder: Path, encoder: Encoder) -> str | None:
    """``None`` for a sound database, else the changes that are known to be missing, if any."""
    try:
        with closing(Store(folder, encoder.id, encoder.dim)) as store:
            store.verify()
        return None
    except LostError as error:
        return f"the last {error.changes} changes"
    except DamagedError:
        return ""


def _put_aside(folder: Path, aside: Path) -> None:
    """A copy of the database and its log, which mending reads from then on."""
    part = aside.with_suffix(".tmp")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    for name in (DATABASE, DATABASE + "-wal"):
        if (folder / name).exists():
            shutil.copyfile(folder / name, part / name)
            with (part / name).open("rb") as file:
                os.fsync(file.fileno())
    fsync_folder(part)
    part.rename(aside)
    fsync_folder(folder)


def _salvaged(path: Path) -> _Salvage:
    found = _read(path)
    if not found.documents:
        _give_first_page(path)
        found = _read(path)
    if not found.documents and not found.lost:
        raise DamagedError(f"nothing can be read from {path}: move {path.parent.parent} away, then add its files again")
    return found


def _give_first_page(path: Path) -> None:
    """Put the schema back, which lies on the first page and is the same in every database of this format."""
    fresh = path.with_name("fresh.sqlite")
    create(fresh, "", 0)
    page = bytearray(fresh.read_bytes()[:4096])
    fresh.unlink()
    page[28:32] = (path.stat().st_size // 4096).to_bytes(4, "big")  # how many pages there are
    with path.open("r+b") as file:
        file.write(page)


def _read(path: Path) -> _Salvage:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.text_factory = lambda data: data.decode("utf-8", "replace")
        rows = _rows(db, "sources", "source", "source, origin, sha256, document, crc")
        rows += _rows(db, "sources", "source", "source, origin, sha256, document, NULL") if not rows else []
        sources: dict[str, list[tuple[str, Source]]] = {}
        for source, origin, sha256, document, expected in rows:
            if expected in (None, crc((source, origin, sha256, document))):
                sources.setdefault(document, []).append((source, Source(origin, sha256, document)))
        passages: dict[str, list[Stored]] = {}
        for row in _rows(db, "passages", "key", "*"):
            with suppress(DamagedError, ValueError, TypeError):
                whole = stored(row)
                passages.setdefault(whole.passage.document, []).append(whole)
        logged = {document: operation for _, operation, document in _rows(db, "log", "number", "*")}
        there = dict.fromkeys(d for d, operation in logged.items() if operation != "remove")
        columns = "id, record, text, digest, original, minhash"
        kept = {row[0]: row for row in _rows(db, "documents", "id", columns)}
        for document in dict.fromkeys([*passages, *sources, *there]):
            if document not in kept:
                with suppress(*_UNREADABLE):
                    found = db.execute(f"SELECT {columns} FROM documents WHERE id = ?", (document,)).fetchone()  # noqa: S608
                    kept.update({document: found} if found else {})
    documents, lost = {}, []
    for id_ in dict.fromkeys([*passages, *sources, *there, *kept]):
        document = _document(kept.get(id_))
        if document is None:
            lost += [source for source, _ in sources.get(id_, [])] or [f"document {id_}"]
            continue
        original, hashes = kept[id_][4:]
        if original is not None and hashlib.sha256(original).hexdigest() != document.sha256:
            lost.append(f"the pages of {document.source}, not its text")
            original = None
        documents[id_] = (document, original, bool(hashes))
    sound = {source for some in sources.values() for source, _ in some}
    own = {document.source for document, _, _ in documents.values()}
    read = {row[0] for row in rows}
    if read - sound - own or own - read:  # a row that cannot be read may have been that of a second name
        lost.append(OTHER_NAMES)
    return _Salvage(documents, passages, sources, lost)


def _rows(db: sqlite3.Connection, table: str, key: str, columns: str) -> list[tuple[Any, ...]]:
    """The rows of a table that can be reached from its one end or from the other, in order."""
    ends: list[list[tuple[Any, ...]]] = []
    for order in ("ASC", "DESC"):
        rows: list[tuple[Any, ...]] = []
        ends.append(rows)
        try:
            for row in db.execute(f"SELECT {columns} FROM {table} ORDER BY {key} {order}"):  # noqa: S608
                rows.append(row)
            break
        except _UNREADABLE:
            continue
    last = ends[1][::-1] if len(ends) == 2 else []
    return list(dict.fromkeys(ends[0] + last))


def _document(row: tuple[Any, ...] | None) -> Document | None:
    if row is None:
        return None
    id_, record, text, expected = row[:4]
    if not (isinstance(record, str) and isinstance(text, str)) or digest(record, text) != expected:
        return None
    try:
        document = Document.model_validate({**json.loads(record), "text": text})
    except ValueError:
        return None
    return document if document.id == id_ else None


def _stored(found: _Salvage, store: Store, encoder: Encoder) -> list[str]:
    """Put what is whole into a new store, in the order in which it came into the old one; what was encoded again."""
    encoded: list[str] = []
    versions = Versions(store)
    with closing(store):
        for id_, (document, original, has_versions) in found.documents.items():
            held = sorted(found.passages.get(id_, []), key=lambda one: one.passage.ordinal)
            passages = split(document)
            if [one.passage for one in held] == passages:
                vectors = _vectors(held)
            else:
                vectors = encode(document, passages, encoder)
                encoded.append(document.source)
            hashes = minhash_of(document) if has_versions else b""
            near = versions.of(id_, hashes, None) if hashes else []
            names = dict(found.sources.get(id_, ()))
            origin = names[document.source].origin if document.source in names else UPLOAD
            store.put(Entry(document, passages, *vectors, hashes, near, origin, original))
            for source, known in names.items():
                if source != document.source or known.sha256 != document.sha256:
                    store.alias(source, known.origin, known.sha256, id_)
    return encoded


def _vectors(held: Iterable[Stored]) -> Encoded:
    """Vectors as they were; packing them again gives the same bytes, since each row's largest number is 127."""
    rows = [one.vector.astype(np.float32) for one in held]
    inner: list[Vectors] = [one.sentence_vectors.astype(np.float32) for one in held]
    return Encoded(np.array(rows), inner)
