"""Commands at the prompt, for tests: in a process of their own, as a shell runs them, or here, which costs a tenth."""

import io
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from ui.cli import main


def apart(place: Path, *words: str, code: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run ``pincite`` with some words in a folder, with no settings but those given; it must end with the code."""
    alone = {name: value for name, value in os.environ.items() if not name.startswith("PINCITE_")}
    command = [str(Path(sys.executable).parent / "pincite"), *words]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        cwd=place,
        env={**alone, "PINCITE_INDEX": str(place / "x.index"), **environment},
        timeout=120,
        check=False,
    )
    assert done.returncode == code, done.stderr + done.stdout
    return done


def here(place: Path, *words: str, code: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
    """The same in this process."""
    out, err, ended = io.StringIO(), io.StringIO(), 0
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        for name in [name for name in os.environ if name.startswith("PINCITE_")]:
            patch.delenv(name)
        for name, value in {"PINCITE_INDEX": str(place / "x.index"), **environment}.items():
            patch.setenv(name, value)
        patch.chdir(place)
        patch.setattr(sys, "argv", ["pincite", *words])
        try:
            main()
        except SystemExit as end:
            ended = int(end.code or 0)
    assert ended == code, err.getvalue() + out.getvalue()
    return subprocess.CompletedProcess(words, ended, out.getvalue(), err.getvalue())
