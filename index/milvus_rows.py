"""How a library lies in Milvus: the fields of its two collections, and documents as rows of them.

``NAME`` holds a row a passage: its vector, its terms, and what can be filtered on. ``NAME_records`` holds all else,
told apart by ``kind``: pieces of each document's record, text, passages, minhash and original file, its head, which
sources it has, what it is nearly the same as, and a row a change.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from index.milvus_server import LONGEST, Row, Server, as_number, folded
from index.models import Document, Listed
from index.records import Entry, Stored, passage_row, stored
from index.schema import digest
from index.split import context
from index.terms import terms

NAMING = ("document", "generation", "name")  # columns of a row that names a document's source
PASSAGE = ("key", "document", "generation", "place", "size")
PIECE = 15_000  # characters of one row's data: at most 60,000 bytes
RAW = PIECE // 4 * 3  # bytes that so many characters of base64 hold

_ABOUT = ("document", "generation", "source", "publisher", "published", "language")


class Held(NamedTuple):
    """The generation of a document that counts, and the sources that name it, in order."""

    generation: int
    sources: tuple[str, ...]


def make_collections(server: Server, dim: int) -> None:
    """Make the two collections of a library where they are missing."""
    from pymilvus import DataType, Function, FunctionType

    text = {"datatype": DataType.VARCHAR, "max_length": LONGEST}
    number = {"datatype": DataType.INT64}
    about = [(name, number if name in ("generation", "published") else text) for name in _ABOUT]
    records = [("id", {**text, "is_primary": True}), ("kind", text), ("name", text), ("data", text)]
    # A collection must have a vector; this one is never searched.
    records.append(("nothing", {"datatype": DataType.FLOAT_VECTOR, "dim": 2}))
    nothing = {"field_name": "nothing", "index_type": "FLAT", "metric_type": "L2"}
    server.make(server.records, [*records, *about], [nothing, *_scalar(server, [*_ABOUT, "kind", "name"])])
    passages = [("key", {**number, "is_primary": True}), ("place", number), ("size", number)]
    passages.append(("vector", {"datatype": DataType.FLOAT_VECTOR, "dim": dim}))
    indexes: list[Row] = [{"field_name": "vector", "index_type": "FLAT", "metric_type": "IP"}]
    indexes += _scalar(server, _ABOUT)
    function = None
    if server.has_terms:
        analyzer = {"enable_analyzer": True, "enable_match": True, "analyzer_params": {"tokenizer": "standard"}}
        passages += [("terms", {**text, **analyzer}), ("weights", {"datatype": DataType.SPARSE_FLOAT_VECTOR})]
        function = Function("bm25", FunctionType.BM25, ["terms"], ["weights"])
        weights = {"field_name": "weights", "index_type": "SPARSE_INVERTED_INDEX", "metric_type": "BM25"}
        # tantivy's. Nested, since pymilvus undoes one level, which Milvus Lite then does not see.
        indexes.append({**weights, "params": {"params": {"bm25_k1": 1.2, "bm25_b": 0.75}}})
    server.make(server.passages, [*passages, *about], indexes, function)


def _scalar(server: Server, fields: Iterable[str]) -> list[Row]:
    """Indexes on plain fields; servers before 2.5 scan instead."""
    return [{"field_name": field, "index_type": "INVERTED"} for field in fields] if server.has_terms else []


def plain_columns(server: Server) -> list[str]:
    """The columns of a passage that the server does not work out itself."""
    return list(dict.fromkeys([*PASSAGE, *_ABOUT, "vector", *(["terms"] if server.has_terms else [])]))


def record(kind: str, key: str, known: Row | None = None, name: str = "", data: str = "") -> Row:
    """A row of the collection of records; no two rows have the same kind and key."""
    empty: Row = {"document": "", "generation": 0, "source": "", "publisher": "", "published": 0, "language": ""}
    row = {"id": record_id(kind, key), "kind": kind, "name": name, "data": data, "nothing": [0.0, 0.0]}
    return {**empty, **(known or {}), **row}


def record_id(kind: str, key: str) -> str:
    """The id of a row; a source's name may be too long for one, so its digest stands for it."""
    if kind == "source":
        key = hashlib.sha256(key.encode()).hexdigest()[:40]
    return f"{kind}:{key}"


def facts(document: Document, generation: int) -> Row:
    """What every row of a document's generation says of it: the fields to filter on."""
    published = document.published.isoformat() if document.published else None
    return {
        "document": document.id,
        "generation": generation,
        "source": document.source,
        "publisher": folded(document.publisher),
        "published": as_number(published),
        "language": folded(document.language),
    }


def description(document: Document, passages: int, known: Row) -> list[Row]:
    """A document's record in pieces, and its head: what `pincite list` shows, and what vouches for the rest."""
    whole = document.model_dump_json(exclude={"text"})
    fields = {name for name in Listed.model_fields if name in Document.model_fields}
    head = {
        "listed": document.model_dump(mode="json", include=fields),
        "digest": digest(whole, document.text).hex(),
        "characters": len(document.text),
        "passages": passages,
        "record": len(whole) // PIECE + 1,
        "text": len(document.text) // PIECE + 1,
    }
    return [*pieces("record", whole, known), record("head", str(known["generation"]), known, data=json.dumps(head))]


def pieces(kind: str, data: str, known: Row) -> list[Row]:
    """Some data in rows, in the order of their ids."""
    parts = [data[at : at + PIECE] for at in range(0, len(data), PIECE)]
    return [record(kind, piece_key(known["generation"], n), known, data=part) for n, part in enumerate(parts)]


def piece_key(generation: int, number: int) -> str:
    """The key of one of a generation's pieces."""
    return f"{generation}:{number:08}"


def piece_names(row: Row) -> list[str]:
    """The ids of the pieces that a passage's details lie in."""
    first, last = row["place"] // RAW, (row["place"] + row["size"] - 1) // RAW
    return [record_id("passages", piece_key(row["generation"], number)) for number in range(first, last + 1)]


def joined(rows: Iterable[Row], most: int | None = None) -> str:
    """What was cut into pieces; of a record that has become shorter, `most` tells how many pieces count."""
    return "".join(row["data"] for row in sorted(rows, key=lambda row: str(row["id"]))[:most])


def near_rows(document: str, near: Sequence[tuple[str, float]], generation: int) -> list[Row]:
    """The documents that are nearly the same as this one, from both sides."""
    sides = [side for other, s in near for side in ((document, other, s), (other, document, s))]
    return [
        record("near", f"{a}:{b}", {"document": a, "generation": generation}, name=b, data=repr(similarity))
        for a, b, similarity in sides
    ]


def passage_rows(entry: Entry, known: Row, has_terms: bool) -> tuple[list[Row], bytes]:
    """A document's passages as rows with keys from its generation on, and their details, one after the other."""
    blob, rows = b"", []
    columns = zip(entry.passages, entry.vectors, entry.sentence_vectors, strict=True)
    for key, (passage, vector, inner) in enumerate(columns, known["generation"]):
        packed = _packed(passage_row(passage, vector, inner))
        rounded = vector.astype(np.float16).astype(np.float32)  # so that every engine ranks the same vectors
        row = {**known, "key": key, "place": len(blob), "size": len(packed), "vector": rounded.tolist()}
        if has_terms:
            text = context(entry.document, passage) + entry.document.text[passage.start : passage.end]
            row["terms"] = tokens(terms(text))
        rows.append(row)
        blob += packed
    return rows, blob


def tokens(found: Iterable[str]) -> str:
    """Terms as words of plain letters and digits, which no analyser splits, drops or changes.

    >>> tokens(["grant", "3.5", "выбор"])
    'grant x332e35 xd0b2d18bd0b1d0bed180'
    """
    return " ".join(t if t.isascii() and t.isalnum() and t[0] != "x" else f"x{t.encode().hex()}" for t in found)


def _packed(row: tuple[str | int | bytes | None, ...]) -> bytes:
    """The columns of a passage in a row: a line of JSON, then what is binary."""
    binary = [value for value in row if isinstance(value, bytes)]
    plain = [len(value) if isinstance(value, bytes) else value for value in row]
    return json.dumps(plain, ensure_ascii=False).encode() + b"\n" + b"".join(binary)


def unpacked(row: Row, parts: Mapping[str, bytes]) -> Stored:
    """A passage from its row and the pieces that its details lie in.

    Raises:
        DamagedError: the checksum does not match.
    """
    start = row["place"] % RAW
    packed = b"".join(parts.get(name, b"") for name in piece_names(row))[start : start + row["size"]]
    line, _, binary = packed.partition(b"\n")
    try:
        values: list[Any] = json.loads(line)
        for at in (6, 7, 8):  # the columns that are binary
            size = int(values[at])
            values[at], binary = binary[:size], binary[size:]
    except (ValueError, TypeError, IndexError):
        values = [row["document"], *[b""] * 9]  # which no checksum fits
    return stored((row["key"], *values), "run `pincite check`, then add its file again")


def as_text(data: bytes) -> str:
    """Bytes as text, in pieces of which each stands alone."""
    return base64.b64encode(data).decode()


def as_bytes(text: str) -> bytes:
    """What `as_text` wrote; where that is damaged, something else, which no checksum fits."""
    try:
        return base64.b64decode(text)
    except ValueError:
        return b""


def held_by(naming: Iterable[Row]) -> dict[str, Held]:
    """Documents by the rows that name their sources; of two generations the later counts."""
    by_document: dict[str, list[Row]] = {}
    for row in naming:
        by_document.setdefault(row["document"], []).append(row)
    return {
        document: Held(max(row["generation"] for row in some), tuple(sorted(row["name"] for row in some)))
        for document, some in by_document.items()
    }


def is_current(row: Row, held: Mapping[str, Held]) -> bool:
    """Whether a row belongs to the generation of its document that counts."""
    return row["document"] in held and held[row["document"]].generation == row["generation"]
