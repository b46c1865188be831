"""Draw docs/images/architecture.png: ``python docs/architecture.py``. Needs a Chromium, which renders the drawing."""

from __future__ import annotations

import shutil
from html import escape
from pathlib import Path

from playwright.sync_api import sync_playwright

WIDTH, HEIGHT = 1200, 560
BOXES = {  # name: (x, y, width, title, words)
    "file": (30, 60, 120, "file", "txt md html pdf docx pptx xlsx csv"),
    "document": (190, 60, 160, "Document", "text, blocks, metadata and where it came from"),
    "passage": (390, 60, 160, "Passage", "whole sentences, exact offsets"),
    "store": (620, 40, 220, "SQLite", "the truth: text, passages, vectors, a log; one commit"),
    "faiss": (900, 4, 130, "FAISS", "vectors"),
    "tantivy": (900, 118, 130, "tantivy", "stemmed terms"),
    "question": (30, 330, 120, "question", "kind, years, names"),
    "hit": (190, 330, 160, "Hit", "both ranks, fused"),
    "evidence": (390, 330, 160, "Evidence", "sentences with a probability; whole documents swept for lists"),
    "locks": (590, 330, 150, "locks", "years, names and kind must agree"),
    "verify": (780, 330, 170, "verify", "the only maker of citations: slice, numbers, dates, names"),
    "answer": (990, 330, 180, "Answer", "claims, citations, rows, notes; or a refusal with its reason"),
}
ARROWS = (
    ("file", "document"), ("document", "passage"), ("passage", "store"), ("store", "faiss"), ("store", "tantivy"),
    ("question", "hit"), ("hit", "evidence"), ("evidence", "locks"), ("locks", "verify"), ("verify", "answer"),
)  # fmt: skip
TALL = 112


def svg() -> str:
    """The drawing."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
        ' font-family="system-ui, sans-serif">',
        '<defs><marker id="a" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
        '<path d="M0 0L8 4L0 8z" fill="#475569"/></marker></defs>',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        _band(0, 240, "index/", "#f0f9ff"),
        _band(290, 200, "rag/", "#f0fdf4"),
    ]
    for one, other in ARROWS:
        x, y, width, *_ = BOXES[one]
        to_x, to_y, *_ = BOXES[other]
        parts.append(_line(x + width, y + TALL / 2, to_x, to_y + TALL / 2))
    parts.append(_line(965, 230, 270, 328, "search: reciprocal rank fusion"))
    for x, y, width, title, words in BOXES.values():
        parts.append(f'<rect x="{x}" y="{y}" width="{width}" height="{TALL}" rx="8" fill="#fff" stroke="#334155"/>')
        parts.append(f'<text x="{x + 10}" y="{y + 24}" font-size="17" font-weight="600">{escape(title)}</text>')
        for n, line in enumerate(_wrapped(words, (width - 20) // 7)):
            parts.append(
                f'<text x="{x + 10}" y="{y + 44 + 16 * n}" font-size="13" fill="#334155">{escape(line)}</text>'
            )
    outside = "ui/: browser page, HTTP, MCP, command line        eval/: cases, runs, scores, report, gate"
    parts.append(f'<text x="30" y="530" font-size="15" fill="#334155">{outside}</text></svg>')
    return "\n".join(parts)


def _band(y: int, height: int, name: str, colour: str) -> str:
    label = (
        f'<text x="{WIDTH - 80}" y="{y + height - 12}" font-size="16" font-weight="600" fill="#64748b">{name}</text>'
    )
    return f'<rect x="0" y="{y}" width="{WIDTH}" height="{height}" fill="{colour}"/>{label}'


def _line(x: float, y: float, to_x: float, to_y: float, words: str = "") -> str:
    label = (
        f'<text x="{(x + to_x) / 2}" y="{(y + to_y) / 2 - 8}" font-size="13" fill="#475569">{words}</text>'
        if words
        else ""
    )
    return f'<line x1="{x}" y1="{y}" x2="{to_x - 3}" y2="{to_y}" stroke="#475569" marker-end="url(#a)"/>{label}'


def _wrapped(words: str, width: int) -> list[str]:
    lines = [""]
    for word in words.split():
        if len(lines[-1]) + len(word) > width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def main() -> None:
    """Write the picture."""
    out = Path(__file__).parent / "images" / "architecture.png"
    out.parent.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        page.set_content(f'<body style="margin:0">{svg()}</body>')
        page.screenshot(path=out)
        browser.close()


if __name__ == "__main__":
    main()
