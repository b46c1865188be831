"""What the server tells of itself: a line of JSON for each question, and figures in Prometheus' format.

Lines go to standard error through `logging`. They hold nothing that was asked, answered or found, unless the setting
``log_content`` says so; the figures never do.
"""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from operator import attrgetter
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

if TYPE_CHECKING:
    from starlette.types import Scope

    from rag.models import Answer
    from ui.models import Turn
    from ui.pools import Pool

MEDIA_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_FIELDS = "pincite_fields"
_HERE = Path(__file__).parents[1]

_log = logging.getLogger("pincite.questions")


class Lines(logging.Formatter):
    """A line of JSON for each record. Of an error it tells the kind and the places, but not its words."""

    def __init__(self, content: bool = False) -> None:
        super().__init__()
        self._content = content

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
        }
        fields = getattr(record, _FIELDS, None)
        line |= fields if fields is not None else {"event": "log", "logger": record.name}
        if fields is None and (record.exc_info is None or self._content):
            line["message"] = record.getMessage()
        if record.exc_info and record.exc_info[1]:
            line |= _trouble(record.exc_info[1], self._content)
        return json.dumps(line, ensure_ascii=False)


def _trouble(error: BaseException, content: bool) -> dict[str, Any]:
    """An error as fields; its words may hold what a user sent."""
    places = traceback.extract_tb(error.__traceback__)
    told: dict[str, Any] = {
        "error": type(error).__name__,
        "trace": [f"{_short(p.filename)}:{p.lineno}" for p in places],
    }
    return told | ({"words": str(error)} if content else {})


def _short(path: str) -> str:
    place = Path(path)
    return str(place.relative_to(_HERE)) if place.is_relative_to(_HERE) else place.name


def to_standard_error(content: bool = False) -> None:
    """Send what is logged by this process to standard error, as lines of JSON."""
    handler = logging.StreamHandler()
    handler.setFormatter(Lines(content))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    _log.setLevel(logging.INFO)


class Watch:
    """Counts what the server does, and logs its questions."""

    def __init__(self, pools: Iterable[Pool], content: bool = False) -> None:
        self._content = content
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "pincite_requests", "Requests, by the route that served them.", ["route", "method", "status"],
            registry=self._registry,
        )  # fmt: skip
        self._begun = Histogram(
            "pincite_response_seconds", "Until a response began.", ["route"], buckets=_SECONDS, registry=self._registry
        )
        self._questions = Counter(
            "pincite_questions", "Questions, by what became of them.", ["origin", "outcome"], registry=self._registry
        )
        self._stages = Histogram(
            "pincite_question_seconds", "Of a question, by stage; wait is for a free thread, all is the whole.",
            ["stage"], buckets=_SECONDS, registry=self._registry,
        )  # fmt: skip
        taken = Gauge("pincite_queue_taken", "Calls that run or wait.", ["pool"], registry=self._registry)
        places = Gauge("pincite_queue_places", "Calls that may run or wait.", ["pool"], registry=self._registry)
        for pool in pools:
            taken.labels(pool.name).set_function(partial(attrgetter("taken"), pool))
            places.labels(pool.name).set(pool.places)
        ProcessCollector(registry=self._registry)  # memory, time and open files, where the system tells them

    def metrics(self) -> bytes:
        """All figures, as Prometheus reads them."""
        return generate_latest(self._registry)

    def request(self, scope: Scope, status: int, seconds: float) -> None:
        """Count a request; ``seconds`` until its response began."""
        route = getattr(scope.get("route"), "path", "none")
        self._requests.labels(route, scope["method"] if route != "none" else "any", str(status)).inc()
        self._begun.labels(route).observe(seconds)

    @contextmanager
    def asking(self, asked: Turn, user: str, origin: str) -> Iterator[Callable[[Answer], None]]:
        """A block in which a question is answered; what it gives is called with the answer, as soon as it is there."""
        began = perf_counter()
        fields = {"event": "question", "id": asked.id, "conversation": asked.conversation, "user": user}
        told = False

        def answered(answer: Answer) -> None:
            nonlocal told
            told = True
            whole = perf_counter() - began
            stages = {name: milliseconds / 1000 for name, milliseconds in answer.timing_ms.items()}
            waited = {"wait": max(whole - stages.pop("total", whole), 0.0)}
            self._tell(fields | _of(answer), origin, {**waited, **stages, "all": whole}, asked.question, answer.text)

        try:
            yield answered
        except BaseException as error:
            if not told:
                status = "failed" if isinstance(error, Exception) else "left"
                ended = {"status": status, "error": type(error).__name__}
                self._tell(fields | ended, origin, {"all": perf_counter() - began}, asked.question, str(error))
            raise

    def _tell(self, fields: dict[str, Any], origin: str, stages: Mapping[str, float], question: str, text: str) -> None:
        self._questions.labels(origin, fields["status"]).inc()
        for name, seconds in stages.items():
            self._stages.labels(name).observe(seconds)
        fields |= {"origin": origin, "ms": {name: round(seconds * 1000, 1) for name, seconds in stages.items()}}
        words = {"question": question, "text": text} if self._content else {}
        _log.info("question", extra={_FIELDS: fields | words})


def _of(answer: Answer) -> dict[str, Any]:
    """What may be known of an answer without its words."""
    return {
        "status": answer.status,
        "reason": answer.reason,
        "citations": len(answer.citations),
        "documents": list(dict.fromkeys(citation.document for citation in answer.citations)),
        "rejected": len(answer.rejected),
        "answerer": answer.answerer,
        "generation": answer.generation,
    }
