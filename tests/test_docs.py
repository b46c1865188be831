"""What the README says is true: its commands are run, its snippet too, and what they print is what it shows."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("readme")
    (folder / "corpus").symlink_to(ROOT / "corpus")
    return folder


def run(words: list[str], place: Path) -> str:
    env = {name: value for name, value in os.environ.items() if not name.startswith("PINCITE_")}
    env["PINCITE_INDEX"] = "handbook.index"  # that of the snippet, which is then made once
    done = subprocess.run(words, cwd=place, capture_output=True, text=True, timeout=300, check=False, env=env)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_prompt_prints_what_is_shown(place):
    shown = next(block for block in blocks("console") if "pincite ask" in block)
    commands = re.findall(r"^\$ (pincite .*)$", shown, re.MULTILINE)
    printed = ""
    for command in commands:
        printed = run(["bash", "-c", f"PATH={Path(sys.executable).parent}:$PATH; {command}"], place)
    expected = shown[shown.index(commands[-1]) + len(commands[-1]) :].strip().splitlines()
    assert printed.splitlines()[: len(expected)] == expected


def test_the_snippet_runs(place):
    (snippet,) = blocks("python")
    assert "$236,000" in run([sys.executable, "-c", snippet], place)


def test_the_first_screen_names_the_two_commands():
    top = "\n".join(README.splitlines()[:15])
    for target in ("serve", "test"):
        assert f"make {target} " in top
        assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_every_command_is_named():
    from ui.cli import cli

    for name in "add remove list show ask search serve models audit eval check rebuild".split():
        assert f"`{name}`" in README
        assert name in cli.list_commands(None)


def test_every_link_and_picture_is_there():
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_picture_of_the_page_is_made_by_the_script_and_shown():
    script = (ROOT / "docs" / "screenshots.py").read_text(encoding="utf-8")
    made = set(re.findall(r'shoot\(page, "([\w-]+)"\)', script))
    shown = set(re.findall(r"docs/images/([\w-]+)\.png", README)) - {"architecture"}
    kept = {path.stem for path in (ROOT / "docs" / "images").glob("*.png")} - {"architecture"}
    assert made == kept == shown
    assert {"chat", "source", "table", "pdf", "refusal", "dark", "mobile"} <= shown


def test_the_ci_runs_what_the_readme_says():
    assert "make test" in (ROOT / ".ci" / "run").read_text()
