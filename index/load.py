"""A file to a `Document`: what kind it is, its text in one normal form, its blocks, and what is known about it."""

from __future__ import annotations

import hashlib
import re
import stat
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from index.build import Parsed, normalise
from index.decode import decode
from index.errors import DocumentError
from index.models import Document

MAX_BYTES = 64 * 1024 * 1024
"""The largest file that is read."""

MAX_CHARACTERS = 16 * 1024 * 1024
"""The longest text that a document may have."""

_OFFICE = "application/vnd.openxmlformats-officedocument."
_TYPES = {
    ".txt": "text/plain",
    ".text": "text/plain",
    ".md": "text/markdown",
    ".markdown": "text/markdown",
    ".html": "text/html",
    ".htm": "text/html",
    ".xhtml": "text/html",
    ".csv": "text/csv",
    ".tsv": "text/csv",
    ".pdf": "application/pdf",
    ".docx": f"{_OFFICE}wordprocessingml.document",
    ".pptx": f"{_OFFICE}presentationml.presentation",
    ".xlsx": f"{_OFFICE}spreadsheetml.sheet",
}

SUFFIXES = frozenset(_TYPES)
"""The endings of the file names that are read, in lower case."""

_HTML = re.compile(r"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html)\b", re.I | re.S)
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED_PACKAGE = "EncryptedPackage".encode("utf-16-le")
# Files that are surely no text, by their first bytes, so that a message can name them.
_OTHERS = {
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"GIF8": "a GIF picture",
    b"II*\0": "a TIFF picture",
    b"MM\0*": "a TIFF picture",
    b"RIFF": "a sound or video file",
    b"\x1f\x8b": "a gzip archive",
    b"7z\xbc\xaf": "a 7z archive",
    b"Rar!": "a RAR archive",
    b"\x7fELF": "a program",
    b"{\\rtf": "a rich text file",
    b"%!PS": "a PostScript file",
    b"SQLite format 3": "a database",
}
_READABLE = "txt, Markdown, HTML, PDF, DOCX, PPTX, XLSX or CSV"


def load(path: Path, source: str) -> tuple[Document, bytes]:
    """The document in a file, and the file's bytes.

    Raises:
        DocumentError: the file cannot be read, or what is in it cannot become a document.
    """
    data = read(path)
    return load_bytes(data, source), data


def read(path: Path) -> bytes:
    """The bytes of a file of at most `MAX_BYTES`; a larger one is refused before it is read.

    Raises:
        DocumentError: the file is gone, not a regular file, without rights, or too large.
    """
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise DocumentError(f"{path.name} is not a regular file; name a file or a folder of files")
        _check_size(found.st_size, path.name)
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise DocumentError(f"{path.name} is not there any more; check the path and add it again") from error
    except PermissionError as error:
        raise DocumentError(f"{path.name} may not be read by this user; change its rights (chmod u+r)") from error
    except OSError as error:
        raise DocumentError(f"{path.name} cannot be read ({error.strerror}); check the disk and try again") from error
    _check_size(len(data), path.name)
    return data


def load_bytes(data: bytes, source: str) -> Document:
    """The document in the bytes of a file; ``source`` is the name that it goes by, with forward slashes.

    The type is decided by the content first: a PDF that is called .txt is read as the PDF that it is.

    Raises:
        DocumentError: what is in the file cannot become a document; the message says why and what to do.
    """
    from index.hidden import merged, shapeless
    from index.leftovers import mark
    from index.metadata import describe

    name = PurePosixPath(source).name
    _check_size(len(data), name)
    if not data.strip():
        raise DocumentError(f"{name} is empty; leave it out")
    try:
        media_type, parse = _kind(data, PurePosixPath(source).suffix.lower())
        parsed = parse()
        _check_length(parsed.text)
    except DocumentError as error:
        raise DocumentError(f"{name}: {error}") from error
    if not any(c.isalnum() for c in parsed.text):
        raise DocumentError(f"{name} holds no text; leave it out")
    parsed = mark(parsed)
    known = describe(parsed)
    return Document(
        id=hashlib.sha256(parsed.text.encode()).hexdigest()[:16],
        source=source,
        sha256=hashlib.sha256(data).hexdigest(),
        media_type=media_type,
        text=parsed.text,
        title=known.title,
        publisher=known.publisher,
        published=known.published,
        language=known.language,
        origins=known.origins,
        blocks=tuple(parsed.blocks),
        hidden=merged([*parsed.hidden, *shapeless(parsed.text)]),
    )


def _check_length(text: str) -> None:
    if len(text) > MAX_CHARACTERS:
        raise DocumentError(f"its text has more than {MAX_CHARACTERS:,} characters; split it into smaller files")


def _check_size(size: int, name: str) -> None:
    if size > MAX_BYTES:
        limit = MAX_BYTES // (1024 * 1024)
        raise DocumentError(f"{name} is larger than {limit} MiB; split it into smaller files")


def _kind(data: bytes, suffix: str) -> tuple[str, Callable[[], Parsed]]:
    """The media type of a file, and what parses it. Raises DocumentError where no parser fits."""
    from index import formats, office, pdf, webpage

    if b"%PDF-" in data[:1024]:
        return _TYPES[".pdf"], lambda: pdf.parse(data)
    if data.startswith(b"PK\x03\x04") or data.startswith(b"PK\x05\x06"):
        package = office.kind_of_package(data)
        if package is None:
            raise DocumentError(f"it is a zip archive; unpack it and add the {_READABLE} files inside")
        return _TYPES[f".{package}"], lambda: office.parse(package, data)
    if data.startswith(_OLE):
        if _ENCRYPTED_PACKAGE in data:
            raise DocumentError("the file is encrypted; save a copy without a password and add that")
        raise DocumentError("it is in an old office format; save it as DOCX, XLSX or PPTX")
    for start, what in _OTHERS.items():
        if data.startswith(start):
            raise DocumentError(f"it is {what}; add {_READABLE} files")
    text = normalise(decode(data))
    _check_length(text)
    if _HTML.match(text[:4096]):
        return "text/html", lambda: webpage.parse_html(text)
    if suffix and suffix not in SUFFIXES:
        raise DocumentError(f"{suffix} files are not supported; add {_READABLE} files")
    if suffix in (".pdf", ".docx", ".pptx", ".xlsx"):
        raise DocumentError(f"it is no {suffix[1:].upper()} file; fetch it again, or rename it to .txt if it is a text")
    media_type = _TYPES.get(suffix, "text/plain")
    parsers = {
        "text/plain": formats.parse_text,
        "text/markdown": formats.parse_markdown,
        "text/html": webpage.parse_html,
        "text/csv": formats.parse_csv,
    }
    return media_type, lambda: parsers[media_type](text)
