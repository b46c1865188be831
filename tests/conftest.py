"""What many tests share: the real encoder, opened once, and documents made from plain words."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from pathlib import Path

import hypothesis
import pytest

from index.encode import Encoder, built_in
from index.library import Index
from index.models import Block, Document

# The files that take longest, longest first: begun last, one of them would keep one process busy, the others idle.
LONG = (
    "workers browser browser_page milvus_library eval_commands hostile browser_accounts browser_attacks "
    "browser_writing cli engine routes durability damage stopping docs mutations report bounds server_load "
    "load_trials watch milvus fuzz"
).split()
hypothesis.settings.register_profile("patient", deadline=None)  # no test depends on a clock
hypothesis.settings.load_profile("patient")
ROOT = Path(__file__).parents[1]
SEEDS = ROOT.parent / "shared" / "seeds"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    names = [f"test_{name}" for name in LONG]
    items.sort(key=lambda item: names.index(item.path.stem) if item.path.stem in names else len(names))


@pytest.fixture(scope="session")
def encoder() -> Encoder:
    return built_in()


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory, encoder: Encoder) -> Path:
    """The demo's documents in an index, made once for all processes that run tests: to be copied, never changed."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    place = shared / "demo.index"
    with (shared / "demo.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.exists():
            with Index(shared / "half.index", encoder) as index:
                index.add(ROOT / "corpus" / "documents")
            (shared / "half.index").rename(place)
    return place


@pytest.fixture
def demo_copy(demo: Path, tmp_path: Path) -> Path:
    """A copy of it for one test."""
    return Path(shutil.copytree(demo, tmp_path / "demo.index"))


@pytest.fixture(scope="module")
def chromium():
    """A real browser, ended after each file: while it is there, no other event loop can run in its thread."""
    from tests.browsing import browser

    with browser() as launched:
        yield launched


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, encoder: Encoder, demo: Path):
    """The demo served with answers of a known form; each file of tests leaves it changed."""
    from tests.browsing import served

    with served(tmp_path_factory.mktemp("browser"), encoder, demo) as site:
        yield site


@pytest.fixture
def visit(chromium, site):
    """Opens a page of the site in a profile of its own."""
    from tests.browsing import visits

    with visits(chromium, site) as open_page:
        yield open_page


@pytest.fixture(scope="module")
def lite(tmp_path_factory: pytest.TempPathFactory):
    """Milvus Lite's server on loopback, one for a file of tests."""
    from tests.engines import Lite

    server = Lite(tmp_path_factory.mktemp("lite") / "data")
    server.start()
    yield server
    server.kill()


@pytest.fixture
def seeds() -> Path:
    """The five scraped articles; they lie beside the project and are not part of it."""
    if not SEEDS.is_dir():
        pytest.skip(f"the folder {SEEDS} is missing")
    return SEEDS


def document(text: str, source: str = "a.txt", **known: object) -> Document:
    """A document whose blocks are its paragraphs; a line that begins with # is a heading."""
    blocks, at = [], 0
    for part in text.split("\n\n"):
        start = text.index(part, at)
        at = start + len(part)
        if part.startswith("#"):
            level = len(part) - len(part.lstrip("#"))
            blocks.append(Block(kind="heading", start=start + level + 1, end=at, level=level))
        elif part.strip():
            blocks.append(Block(kind="paragraph", start=start, end=at))
    digest = hashlib.sha256(text.encode()).hexdigest()
    base = {"id": digest[:16], "source": source, "sha256": digest, "media_type": "text/plain", "text": text}
    return Document.model_validate({**base, "blocks": blocks, **known})
