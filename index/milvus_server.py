"""One Milvus server: its address, the two collections of a library, and its errors in our words.

pymilvus gives up as soon as a server is gone, so calls are tried again here; every write is an upsert by primary key
or a delete, and doing one twice changes nothing.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from time import monotonic, sleep
from typing import Any, NamedTuple, TypeVar

from index.errors import StoreError, UsageError
from index.filters import Condition

TOKEN = "PINCITE_MILVUS_TOKEN"  # noqa: S105  the name of a variable
PATIENCE = 20.0  # seconds for which a server that is away is tried again
LONGEST = 65_535  # bytes, of a VARCHAR
_TIMEOUT = 30.0  # seconds for one call
_ROWS, _BYTES = 1000, 4_000_000  # of one request
_FEW = 400  # rows that one call may ask for without being sure of their size
_ADDRESS = re.compile(r"milvus(s?):/{1,2}([^/?#]*)/([A-Za-z_][A-Za-z0-9_]{0,200})/?")  # a Path has lost a slash
_PLACE = re.compile(r"(\[[0-9A-Fa-f:]+\]|[^:@\[\]]+)(?::(\d{1,5}))?")
_AWAY = "UNAVAILABLE|Fail connecting|Socket closed|Connection re|channel|not ready"
_REFUSED = "UNAUTHENTICATED|auth check failure|PERMISSION_DENIED|permission deny"
_RELEASED = 101  # the code of a collection that is not loaded

Row = dict[str, Any]
T = TypeVar("T")


class Address(NamedTuple):
    """Where a library is: ``milvus://HOST:PORT/NAME``, or ``milvuss://`` for TLS."""

    host: str
    port: int
    name: str
    secure: bool

    @classmethod
    def parse(cls, text: str) -> Address:
        """The address that a text says.

        Raises:
            UsageError: it says none, or holds a token, which belongs into the environment.
        """
        match = _ADDRESS.fullmatch(text)
        if match and "@" in match[2]:
            raise UsageError(f"the address of a Milvus server shows its token: put the token into {TOKEN} instead")
        place = _PLACE.fullmatch(match[2]) if match else None
        if not match or not place:
            raise UsageError("cannot read the address of the Milvus server: write milvus://HOST:19530/NAME")
        return cls(place[1], int(place[2] or 19530), match[3], bool(match[1]))

    def __str__(self) -> str:
        return f"milvus{'s' if self.secure else ''}://{self.host}:{self.port}/{self.name}"


def is_address(place: str | Path) -> bool:
    """Whether a place is an address in Milvus rather than a folder.

    >>> is_address("milvus://127.0.0.1/handbook"), is_address("handbook.index")
    (True, False)
    """
    return re.match(r"milvuss?:/", str(place)) is not None


class Server:
    """A connection to one server, and the two collections of one library in it.

    Attributes:
        passages, records: the names of the two collections.
        version: major and minor number of the server.
        has_terms: whether it can search for terms (Milvus 2.5 and newer).
    """

    def __init__(self, address: Address) -> None:
        """Connect.

        Raises:
            UsageError: pymilvus is not installed.
            StoreError: the server does not answer, refuses the token or is too old.
        """
        try:
            from pymilvus import MilvusClient
            from pymilvus.exceptions import MilvusException
        except ImportError as error:
            raise UsageError(f"{address} needs pymilvus: pip install 'pincite[milvus]'") from error
        import grpc

        # It writes to standard error, with traces, what is raised all the same.
        for name in ("pymilvus", "pymilvus.milvus_client"):
            logging.getLogger(name).handlers, logging.getLogger(name).propagate = [logging.NullHandler()], False
        self.address = address
        self.passages, self.records = address.name, f"{address.name}_records"
        self._failures = (MilvusException, grpc.RpcError)
        self._seen: set[str] = set()
        uri = f"http{'s' if address.secure else ''}://{address.host}:{address.port}"
        token = os.environ.get(TOKEN, "")
        self._client: Any = self._try(lambda: MilvusClient(uri, token=token, timeout=_TIMEOUT, dedicated=True))
        said = str(self.call("get_server_version"))
        number = re.search(r"(\d+)\.(\d+)", said)
        self.version = (int(number[1]), int(number[2])) if number else (0, 0)
        if self.version < (2, 3):
            raise StoreError(f"the Milvus server at {address} is {said}, which is too old: upgrade it to 2.5 or newer")
        self.has_terms = self.version >= (2, 5)

    def close(self) -> None:
        """Disconnect."""
        self._client.close()

    def call(self, method: str, *values: object, **named: object) -> Any:  # noqa: ANN401  what pymilvus gives
        """Call a method of pymilvus's client, again and again while the server is away.

        Raises:
            StoreError: it stayed away, or it refused.
        """
        return self._try(lambda: getattr(self._client, method)(*values, timeout=_TIMEOUT, **named))

    def make(self, name: str, fields: Sequence[tuple[str, Any]], indexes: Sequence[Row], function: Any = None) -> None:  # noqa: ANN401
        """Make a collection where there is none: fields by name with pymilvus's arguments, and their indexes."""
        if not self.call("has_collection", name):
            schema = self._client.create_schema(auto_id=False, enable_dynamic_field=False)
            for field, options in fields:
                schema.add_field(field, **options)
            if function:
                schema.add_function(function)
            self.call("create_collection", name, schema=schema, consistency_level="Session")
        if not self.call("list_indexes", name):
            wanted = self._client.prepare_index_params()
            for index in indexes:
                wanted.add_index(**index)
            self.call("create_index", name, wanted, sync=False)  # a collection that is new has nothing to wait for

    def upsert(self, collection: str, rows: Sequence[Row]) -> None:
        """Write rows, in requests that are not too large; durable when this returns."""
        start = size = 0
        for at, row in enumerate(rows):
            weight = sum(len(value) if isinstance(value, str | list) else 8 for value in row.values())
            if at > start and (at - start >= _ROWS or size + weight > _BYTES):
                self.call("upsert", collection, list(rows[start:at]))
                start, size = at, 0
            size += weight
        if rows:
            self.call("upsert", collection, list(rows[start:]))

    def delete(self, collection: str, condition: str) -> None:
        """Delete the rows that fit a condition."""
        self.call("delete", collection, filter=condition)

    def query(
        self, collection: str, condition: str, fields: Sequence[str], latest: bool = False, most: int | None = None
    ) -> list[Row]:
        """The rows that fit a condition, in any order; with all that any server has written, if `latest`."""
        level = self._level(collection, latest)
        named: Row = {"filter": condition, "output_fields": list(fields), "consistency_level": level}
        return list(self.call("query", collection, **named, **({"limit": most} if most else {})))

    def count(self, collection: str, condition: str = "", latest: bool = False) -> int:
        """How many rows fit a condition."""
        return int(self.query(collection, condition, ["count(*)"], latest)[0]["count(*)"])

    def scan(self, collection: str, condition: str, fields: Sequence[str], latest: bool = False) -> Iterator[Row]:
        """All rows that fit a condition, however many, in any order."""
        few = self.query(collection, condition, fields, latest, _FEW)  # one call, where an iterator makes several
        if len(few) < _FEW:
            yield from few
            return
        level = self._level(collection, latest)
        iterator = self.call(
            "query_iterator",
            collection,
            batch_size=_ROWS,
            filter=condition,
            output_fields=list(fields),
            consistency_level=level,
        )
        try:
            while rows := self._try(iterator.next):
                yield from rows
        finally:
            iterator.close()

    def search(
        self, collection: str, field: str, query: object, metric: str, k: int, condition: str
    ) -> list[tuple[int, float]]:
        """The k nearest rows: key and distance as the server gives it.

        An exact index ignores how far to look; one of the kinds IVF and HNSW, which may be put in its place, does not.
        """
        (hits,) = self.call(
            "search",
            collection,
            data=[query],
            anns_field=field,
            limit=k,
            filter=condition,
            search_params={"metric_type": metric, "params": {"nprobe": 64, "ef": max(4 * k, 400)}},
            output_fields=[],
            consistency_level=self._level(collection, latest=False),
        )
        return [(int(hit["key"] if "key" in hit else hit["id"]), float(hit["distance"])) for hit in hits]

    def _level(self, collection: str, latest: bool) -> str:
        """The first look sees what other processes have written until then, later ones at least what this one has."""
        if latest or collection not in self._seen:
            self._seen.add(collection)
            return "Strong"
        return "Session"

    def _try(self, action: Callable[[], Any]) -> Any:  # noqa: ANN401
        until, pause = monotonic() + PATIENCE, 0.1
        while True:
            try:
                return action()
            except self._failures as error:
                if getattr(error, "code", 0) == _RELEASED:  # it was started again
                    for collection in (self.records, self.passages):
                        self._client.load_collection(collection)
                elif monotonic() > until or not _is_away(error):
                    raise self._error(error) from error
            sleep(pause)
            pause = min(2 * pause, 2.0)

    def _error(self, error: Exception) -> StoreError:
        said = " ".join(str(getattr(error, "message", "") or error).split())
        if re.search(_REFUSED, _said(error), re.IGNORECASE):
            return StoreError(f"the Milvus server at {self.address} refuses the token: set {TOKEN} to USER:PASSWORD")
        if _is_away(error):
            return StoreError(
                f"the Milvus server at {self.address} does not answer: start it or check the address; "
                "what was acknowledged is kept"
            )
        return StoreError(f"the Milvus server at {self.address} failed ({said[:300]}): look at its log, then try again")


def _is_away(error: Exception) -> bool:
    """Whether the server could not be reached, so that trying again may help."""
    said = _said(error)
    return bool(re.search(_AWAY, said)) and not re.search(_REFUSED, said, re.IGNORECASE)


def _said(error: BaseException | None) -> str:
    """All that an error and those behind it say: pymilvus hides why it could not connect behind that it could not."""
    said: list[str] = []
    while error and len(said) < 10:
        said.append(f"{getattr(error, 'code', '')} {error}")
        error = error.__cause__ or error.__context__
    return " ".join(said)


def quoted(text: str) -> str:
    """A text as it is written in a condition."""
    for plain, written in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t")):
        text = text.replace(plain, written)
    return f'"{text}"'


def among(field: str, values: Sequence[str] | Sequence[int]) -> str:
    """The condition that a field holds one of some values."""
    return f"{field} in [{', '.join(quoted(v) if isinstance(v, str) else str(v) for v in values)}]"


def parted(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """Values in parts that are short enough for one condition."""
    for at in range(0, len(values), 500):
        yield values[at : at + 500]


def under(field: str, name: str) -> str:
    """The condition that a field holds a source, or a source in the folder of that name."""
    folder = name.rstrip("/")
    return f"({field} == {quoted(name)} or ({field} >= {quoted(folder + '/')} and {field} < {quoted(folder + '0')}))"


def folded(text: str | None) -> str:
    """A text without capitals, ASCII ones only, as SQLite's NOCASE has it."""
    return "".join(c.lower() if c.isascii() else c for c in text or "")


def as_number(day: str | None) -> int:
    """A day such as 2021-03-31 as 20210331; 0 for none."""
    return int(day.replace("-", "")) if day else 0


def written(condition: Condition, others: Sequence[str]) -> str:
    """One condition of a filter, on fields that both collections have.

    Args:
        condition: what must hold.
        others: for one on "source", the documents that have another source, beside their own, that fits.
    """
    field, sign, value = condition
    sign = "==" if sign == "=" else sign
    if field == "source":
        fits = f"({under(field, value)} or {among('document', others)})" if others else under(field, value)
        return fits if sign == "==" else f"not {fits}"
    if field == "published":
        number = as_number(value)
        return f"{field} {sign} {number}" if sign == "!=" else f"({field} > 0 and {field} {sign} {number})"
    known = f'{field} != "" and ' if sign == "==" else ""
    return f"({known}{field} {sign} {quoted(folded(value))})"
