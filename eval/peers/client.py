"""The other end of `eval.peers.protocol`: a system in a process of its own environment."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from eval.peers.environments import OURS, PEERS, ROOT, python_of
from index.encode import default_model
from index.errors import UsageError
from index.models import Model

_QUIET = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HAYSTACK_TELEMETRY_ENABLED": "False",
    "ANONYMIZED_TELEMETRY": "False",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "TOKENIZERS_PARALLELISM": "false",
    "PYTHONDONTWRITEBYTECODE": "",  # a system that is installed has been compiled
}


class Variant(NamedTuple):
    """A system as it is measured: by vectors alone, or by words too."""

    system: str
    hybrid: bool

    @property
    def title(self) -> str:
        """How the table calls it; this product searches by both unless it is told otherwise."""
        if self.system == OURS:
            return OURS if self.hybrid else f"{OURS}, vectors only"
        return PEERS[self.system].title + (" hybrid" if self.hybrid else "")


class Reply(Model):
    """What a command took: wall-clock seconds, seconds on processors, and memory in MB; and what it gave."""

    seconds: float
    cpu: float
    peak_mb: float
    now_mb: float
    times_ms: tuple[float, ...] = ()
    cpu_ms: tuple[float, ...] = ()
    settings: str = ""
    versions: dict[str, str] = {}


class Worker:
    """A running system. Close it, or use it in a ``with`` block."""

    def __init__(self, variant: Variant, folder: Path, work: Path) -> None:
        """Start it, with its index in a folder.

        Raises:
            UsageError: its environment has not been made.
        """
        self.variant = variant
        self._folder = folder
        self._log = folder.parent / f"{folder.name}.log"
        folder.parent.mkdir(parents=True, exist_ok=True)
        command = [str(python_of(variant.system, work)), "-P", "-m", f"eval.peers.adapters.{variant.system}"]
        with self._log.open("a", encoding="utf-8") as log:
            self._process = subprocess.Popen(  # noqa: S603  our own command
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=folder.parent,
                env=os.environ | _QUIET | {"PYTHONPATH": str(ROOT)},
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End it: it ends by itself when there are no more commands."""
        if self._process.stdin and self._process.stdout:
            self._process.stdin.close()
            self._process.wait()
            self._process.stdout.close()

    def open(self) -> Reply:
        """Open its index."""
        model = str(default_model())
        return self.ask({"do": "open", "folder": str(self._folder), "model": model, "hybrid": self.variant.hybrid})

    def ask(self, command: dict[str, object]) -> Reply:
        """Have it carry out one command.

        Raises:
            UsageError: it has ended instead; the message names the log.
        """
        if self._process.stdin and self._process.stdout:
            try:
                self._process.stdin.write(json.dumps(command) + "\n")
                self._process.stdin.flush()
                line = self._process.stdout.readline()
            except BrokenPipeError:
                line = ""
            if line:
                return Reply.model_validate_json(line)
        raise UsageError(f"{self.variant.title} has ended at `{command['do']}`: see the end of {self._log}")


def found(path: Path) -> dict[str, list[str]]:
    """The ids that a search wrote, by query, best first."""
    with path.open(encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    return {line["id"]: line["found"] for line in lines}
