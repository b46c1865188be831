"""An environment for each peer, made by pip, apart from this project's own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from index.errors import UsageError

ROOT = Path(__file__).parents[2]
_STAMP = "installed.txt"


class Peer(NamedTuple):
    """What a peer is installed from.

    Attributes:
        title: its name in the table.
        packages: with their versions.
    """

    title: str
    packages: tuple[str, ...]


OURS = "pincite"
PEERS = {
    "txtai": Peer("txtai", ("txtai==9.14.0",)),
    "haystack": Peer(
        "Haystack", ("haystack-ai==3.4.0", "faiss-haystack==3.0.0", "sentence-transformers-haystack==2.0.0")
    ),
    "llamaindex": Peer(
        "LlamaIndex",
        (
            "llama-index-core==0.14.25",
            "llama-index-embeddings-huggingface==0.8.0",
            "llama-index-vector-stores-faiss==0.7.0",
            "faiss-cpu==1.15.1",
        ),
    ),
    "paperqa": Peer("PaperQA's retriever", ("paper-qa==2026.8.12", "sentence-transformers==6.2.0")),
    "verbatim": Peer("verbatim-core", ("verbatim-core==0.2.8",)),
}
LEFT_OUT = {
    "haiku.rag": "it needs Python 3.12, and for the same weights there a torch that brings CUDA: several GB",
}
"""Peers that are not measured, and why."""


def python_of(name: str, work: Path) -> Path:
    """The Python of a system's environment.

    Raises:
        UsageError: the environment has not been made.
    """
    if name == OURS:
        return Path(sys.executable)
    if not (work / name / _STAMP).exists():
        raise UsageError(f"{PEERS[name].title} is not installed: run `python -m eval.peers setup {name} --work {work}`")
    return work / name / "bin" / "python"


def setup(name: str, work: Path) -> None:
    """Make the environment of a peer, with torch as `constraints.txt` has it; one that is there is left as it is.

    Raises:
        UsageError: there is no peer of that name, or pip cannot install it.
    """
    if name not in PEERS:
        raise UsageError(f"there is no peer {name!r}; take one of {', '.join(PEERS)}")
    peer, folder = PEERS[name], work / name
    wanted = "\n".join(peer.packages) + "\n"
    stamp = folder / _STAMP
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return
    folder.mkdir(parents=True, exist_ok=True)
    constraints = work / "constraints.txt"
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    constraints.write_text("".join(f"{line}\n" for line in lines if line.startswith("torch==")), encoding="utf-8")
    for command in (
        [sys.executable, "-m", "venv", str(folder)],
        [str(folder / "bin" / "pip"), "install", "--quiet", "--constraint", str(constraints), *peer.packages],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  our own commands
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise UsageError(f"{peer.title} cannot be installed ({last}): leave it out, or see to that first")
    stamp.write_text(wanted, encoding="utf-8")
