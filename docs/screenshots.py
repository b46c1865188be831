"""Make the pictures of the page in ``docs/images`` from the demo corpus: ``.venv/bin/python docs/screenshots.py``.

Needs Chromium, as the browser tests do: ``apt-get install chromium``, or the path of one in PINCITE_CHROMIUM.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]

SENTENCE = "Above which amount must two thirds of the board agree to a grant?"
WHY = "Why did the foundation move to Perth?"
LIST = "Which grants did the Merrowdale Foundation make in 2020?"
OTHER = "Who received NED grants in 2021?"
SILENT = "What did the foundation spend on cheese?"


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """A server over the demo corpus; gives its address."""
    from index.library import Index

    with Index(folder) as index:
        index.add(ROOT / "corpus" / "documents")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    code = "import sys; from ui.commands import serve; serve(sys.argv[1:])"
    command = [sys.executable, "-c", code, "--index", str(folder), "--port", str(port)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as server:  # noqa: S603
        try:
            if server.stderr is None or not server.stderr.readline().startswith("pincite on"):
                sys.exit("the server did not start: run `pincite serve` to see why")
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def visit(browser: Browser, url: str, **options: Any) -> Page:  # noqa: ANN401  what a context of playwright takes
    """The page in a fresh profile."""
    options = {"viewport": {"width": 1360, "height": 860}, "reduced_motion": "reduce", **options}
    page: Page = browser.new_context(**options).new_page()
    page.goto(url)
    page.locator("#pin-hello .example").first.wait_for()
    return page


def ask(page: Page, question: str) -> None:
    """Ask a question and wait for the answer."""
    answers = page.locator("#chat .pin-answer")
    before = answers.count()
    box = page.locator("#pin-question textarea")
    box.fill(question)
    box.press("Enter")
    answers.nth(before).wait_for()
    page.wait_for_url("**/?conv=*")
    page.locator("#pin-nav li.open").wait_for(state="attached")
    box.blur()


def cite(page: Page, number: int) -> None:
    """Open a citation of the last answer."""
    page.locator("#chat button.cite").nth(number - 1).click()
    page.locator("mark.cited").wait_for()


def fresh(page: Page) -> None:
    """Begin another conversation."""
    page.locator("#pin-nav .new").click()
    page.locator("#pin-hello h1").wait_for()


def shoot(page: Page, name: str) -> None:
    """Keep what the page shows now."""
    page.mouse.move(0, 0)
    page.wait_for_timeout(400)
    page.screenshot(path=IMAGES / f"{name}.png")


def main() -> None:
    """Make all the pictures."""
    from playwright.sync_api import sync_playwright

    chromium = os.environ.get("PINCITE_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if not chromium:
        sys.exit("no Chromium: apt-get install chromium, or put the path of one into PINCITE_CHROMIUM")
    IMAGES.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        served(Path(folder) / "demo.index") as url,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        page = visit(browser, url)
        ask(page, SILENT)
        shoot(page, "refusal")
        fresh(page)
        ask(page, LIST)
        shoot(page, "table")
        cite(page, 1)
        page.locator("#pin-panel .view-page").click()
        page.wait_for_function("document.querySelector('#pin-panel img').naturalWidth > 0")
        shoot(page, "pdf")
        fresh(page)
        ask(page, SENTENCE)
        cite(page, 1)
        shoot(page, "source")
        page.keyboard.press("Escape")
        ask(page, WHY)
        shoot(page, "chat")
        page.locator("#pin-nav .icon-documents").click()
        page.locator("#pin-library tbody .title").first.wait_for()
        shoot(page, "documents")
        page = visit(browser, url, color_scheme="dark")
        ask(page, OTHER)
        cite(page, 1)
        shoot(page, "dark")
        page = visit(browser, url, viewport={"width": 390, "height": 844}, device_scale_factor=2, has_touch=True)
        ask(page, OTHER)
        shoot(page, "mobile")
        cite(page, 2)
        shoot(page, "mobile-source")
        browser.close()


if __name__ == "__main__":
    main()
