"""One parser under atheris, in a process of its own: ``python -m tests.trust.fuzzed KIND RUNS SEED FOLDER``.

What breaks it, takes longer than ten seconds or two gigabytes is written to the folder.
"""

from __future__ import annotations

import sys
import zipfile
from functools import cache
from pathlib import Path

KINDS = ("txt", "md", "html", "csv", "pdf", "docx", "xlsx", "pptx")
TOO_LONG = 10  # seconds for one input of at most `LONGEST` bytes
LONGEST = 20_000


def file_of(kind: str, data: bytes) -> bytes:
    """The file that an input stands for: its main part, where the kind is a package, so that the zip is sound."""
    from tests.hostile_files import MAIN, package

    return package({**_parts(kind), MAIN[kind]: data}, zipfile.ZIP_STORED) if kind in MAIN else data


@cache
def _parts(kind: str) -> dict[str, bytes]:
    from tests.hostile_files import office

    return office(kind)


def example(kind: str) -> bytes:
    """An input to begin with."""
    from tests.hostile_files import MAIN, PAGE, SHOWN, WORDS, office, paper, stream

    if kind in MAIN:
        return office(kind)[MAIN[kind]]
    table = f'Name,Sum,Year\nAcme,5,2021\nBeta,"6",2022\n{WORDS},1,2\n'
    marked = (
        f"---\ntitle: x\n---\n# Head\n\n* one\n* two\n\n{WORDS}[^1]\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n[^1]: Note.\n"
    )
    lines = (
        f"Title\n\nPublished: 3 May 2021\n\n{WORDS}\n\n* one\n* two\n\nName   Sum\nAcme   5\nBeta   6\n\n1. a\n2. b\n"
    )
    return {
        "txt": lines.encode(),
        "md": marked.encode(),
        "html": PAGE.replace(
            b"<p>", b"<h1 style='color:#fff'>H</h1><table><tr><th>a<td colspan=2>b</table><p class=x>"
        ),
        "csv": table.encode(),
        "pdf": paper(stream(SHOWN)),
    }[kind]


def main(kind: str, runs: int, seed: int, folder: Path) -> None:
    """Feed a parser with so many inputs; ends the process, with 0 where none of them broke it."""
    import warnings

    import atheris

    with atheris.instrument_imports(include=["index", "trafilatura", "markdown_it", "docx", "openpyxl", "pptx"]):
        from index.errors import DocumentError
        from index.reading import read_document
    warnings.simplefilter("ignore")
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    (corpus / "example").write_bytes(example(kind))

    def read(data: bytes) -> None:
        try:
            made = read_document(file_of(kind, data), f"a.{kind}")
        except (DocumentError, RecursionError):
            return
        text = made.document.text
        for passage in made.passages:
            for start, end in passage.sentences:
                if not text[start:end].strip():
                    raise AssertionError(f"a sentence of nothing at {start}:{end}")

    bounds = [f"-runs={runs}", f"-seed={seed}", f"-timeout={TOO_LONG}", "-rss_limit_mb=2048", f"-max_len={LONGEST}"]
    atheris.Setup([sys.argv[0], *bounds, f"-artifact_prefix={folder}/", str(corpus)], read)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
