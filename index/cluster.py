"""Files prepared on a Ray cluster: loaded and split as tasks, encoded by a pool of actors, stored here in order.

A task that is done again, because its node died, gives the same rows; what was stored before is not sent at all. So an
add that was cut off is resumed by giving the same command again.
"""

from __future__ import annotations

import json
import logging
import os
import socket
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from index.encode import Encoder
from index.errors import PinciteError, StoreError, UsageError
from index.models import Document, Passage
from index.prepare import Encoded, Given, Prepared, encode, prepare, unchanged

_BLOCK = 8  # files of one task: what a node that dies must have done again
_CHUNK = 20_000  # files that are known to the cluster at a time

Row = dict[str, Any]


class Cluster:
    """See `index.prepare.Workers`. Every node must have this pincite, and see the files under the same path."""

    def __init__(self, address: str) -> None:
        """Take the cluster at an address, such as "10.0.0.7:6379", or "auto" for one that runs on this machine."""
        self._address = address

    def prepared(self, files: Iterator[Given], encoder: Encoder) -> Iterator[Prepared]:
        """See `Workers.prepared`.

        Raises:
            UsageError: ray is not installed, or there is no cluster.
            StoreError: a node has another version or another encoder, or does not see the files.
        """
        quietly()
        try:
            import ray
            import ray.data
        except ImportError as error:
            raise UsageError("--ray needs ray: pip install 'pincite[ray]'") from error
        ours = not ray.is_initialized()
        try:
            if ours:
                self._reach()
                ray.init(
                    address=self._address, log_to_driver=False, logging_level=logging.ERROR, configure_logging=True
                )
        except (OSError, ValueError, RuntimeError) as error:
            raise UsageError(
                f"there is no Ray cluster at {self._address}: start one with `ray start --head`, or leave --ray out"
            ) from error
        logging.getLogger("ray.data").setLevel(logging.CRITICAL)
        try:
            yield from self._prepared(files, encoder)
        except ray.exceptions.RayError as error:
            failed = StoreError(f"the Ray cluster at {self._address} failed: add again to go on")
            raise _ours(error) or failed from error
        finally:
            if ours:
                ray.shutdown()

    def _reach(self) -> None:
        """Find out at once whether somebody listens, which Ray itself takes minutes for."""
        host, _, port = self._address.rpartition(":")
        if host and port.isdigit():
            socket.create_connection((host.strip("[]"), int(port)), 5).close()

    def _prepared(self, files: Iterator[Given], encoder: Encoder) -> Iterator[Prepared]:
        held: list[Prepared | Given] = []
        for given in files:
            held.append(unchanged(given) or given)
            if len(held) == _CHUNK:
                yield from self._chunk(held, encoder)
                held = []
        yield from self._chunk(held, encoder)

    def _chunk(self, held: list[Prepared | Given], encoder: Encoder) -> Iterator[Prepared]:
        new = [_asked(one) for one in held if isinstance(one, Given)]
        rows = self._rows(new, encoder) if new else iter(())
        for one in held:
            yield one if isinstance(one, Prepared) else _answered(next(rows))

    def _rows(self, new: list[Row], encoder: Encoder) -> Iterator[Row]:
        import ray
        from ray.data import ActorPoolStrategy, DataContext

        context = DataContext.get_current()
        context.execution_options.preserve_order = True
        context.enable_progress_bars = False
        cores = max(int(ray.cluster_resources().get("CPU", 1)), 1)
        given = ray.data.from_items(new, override_num_blocks=-(-len(new) // _BLOCK))
        model = str(encoder.model) if encoder.model else None
        pool = ActorPoolStrategy(min_size=1, max_size=cores)
        # A core has room for both; had they equal shares, Ray would make one stage of them.
        loaded = given.map(_load, num_cpus=0.25)
        encoded = loaded.map(_Encoding, fn_constructor_args=(model, _signature(encoder)), compute=pool, num_cpus=0.75)
        yield from encoded.iter_rows()


def quietly() -> None:
    """Have Ray, which reads this when it is imported, print nothing and report nothing to its makers."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # what fails is raised
    os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".")  # that a node died would be told on standard output


class _Encoding:
    """An actor: one encoder, on one core."""

    def __init__(self, model: str | None, signature: str) -> None:
        self._encoder = Encoder(Path(model) if model else None, threads=1)
        if _signature(self._encoder) != signature:
            raise StoreError(
                f"a node of the cluster has {_signature(self._encoder)} and this one {signature}: "
                "install the same version and model on all"
            )

    def __call__(self, row: Row) -> Row:
        if not row["document"]:
            return row
        document = Document.model_validate_json(row["document"])
        passages = [Passage.model_validate(one) for one in json.loads(row["passages"])]
        vectors, inner = encode(document, passages, self._encoder)
        return {**row, "vectors": vectors.tobytes(), "inner": np.concatenate(inner).tobytes()}


def _signature(encoder: Encoder) -> str:
    return f"pincite {version('pincite')} with {encoder.id}"


def _asked(given: Given) -> Row:
    """A file as a row; one that lies in memory has no path."""
    if isinstance(given.file, bytes):
        return {"source": given.source, "path": "", "data": given.file}
    return {"source": given.source, "path": str(given.file.resolve()), "data": b""}


def _load(row: Row) -> Row:
    """The first stage: a file's document and passages as JSON. Every row has every column, so that blocks are alike."""
    path = Path(row["path"])
    if row["path"] and not path.exists():
        raise StoreError(f"a node of the cluster does not see {path}: put the folder on storage that all nodes share")
    made = prepare(Given(row["source"], path if row["path"] else row["data"]))
    return {
        "source": made.source,
        "sha256": made.sha256,
        "reason": made.reason or "",
        "document": made.document.model_dump_json() if made.document else "",
        "passages": json.dumps([passage.model_dump() for passage in made.passages]),
        "minhash": made.minhash,
        "original": made.original or b"",
        "vectors": b"",
        "inner": b"",
    }


def _answered(row: Row) -> Prepared:
    """What a row from the cluster says."""
    if not row["document"]:
        return Prepared(row["source"], row["sha256"], row["reason"])
    passages = [Passage.model_validate(one) for one in json.loads(row["passages"])]
    vectors = np.frombuffer(row["vectors"], np.float32).reshape(len(passages), -1)
    inner = np.frombuffer(row["inner"], np.float32).reshape(-1, vectors.shape[1])
    ends = np.cumsum([len(passage.sentences) for passage in passages])
    return Prepared(
        row["source"],
        row["sha256"],
        None,
        Document.model_validate_json(row["document"]),
        passages,
        row["minhash"],
        row["original"] or None,
        Encoded(vectors, np.split(inner, ends[:-1])),
    )


def _ours(error: BaseException | None) -> PinciteError | None:
    """The error of ours that lies behind one of Ray's."""
    while error is not None:
        if isinstance(error, PinciteError):
            return type(error)(str(error).splitlines()[-1])
        error = getattr(error, "cause", None) or error.__cause__
    return None
