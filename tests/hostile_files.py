"""Files made to harm whoever reads them, each with what has to become of it. Nothing in them is real."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

WORDS = "The Hollow Oak Trust (invented) gave $12,500 to the Bramble Bee Society in 2021."
"""What can be read in those of them that are read."""

READ, REFUSED, BOUNDED = "read", "refused", "bounded"


class Attack(NamedTuple):
    """A file and what has to become of it.

    Attributes:
        make: its bytes; the argument says how large the harm is, 1 in the short form.
        outcome: it is read with `WORDS` in it, refused with `says` in the reason, or either of both in bounded time.
    """

    name: str
    source: str
    make: Callable[[int], bytes]
    outcome: str
    says: str = ""


# PDF


def pdf(objects: Sequence[bytes], trailer: bytes = b"") -> bytes:
    """A file of some objects, the first of which is the catalogue."""
    out, places = bytearray(b"%PDF-1.7\n"), []
    for number, body in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer\n<< /Size %d /Root 1 0 R %s >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, trailer, start)
    return bytes(out)


def stream(data: bytes, extra: bytes = b"") -> bytes:
    """A stream object."""
    return b"<< /Length %d %s >>\nstream\n%s\nendstream" % (len(data), extra, data)


FONT = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
SHOWN = b"BT /F 12 Tf 40 700 Td (%s) Tj ET\n" % WORDS.replace("(", r"\(").replace(")", r"\)").encode()


def paper(content: bytes, *more: bytes, catalogue: bytes = b"", page: bytes = b"", resources: bytes = b"") -> bytes:
    """One page with a content stream; further objects are numbered from 6."""
    return pdf(
        [
            b"<< /Type /Catalog /Pages 2 0 R %s >>" % catalogue,
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 4 0 R "
            b"/Resources << /Font << /F 5 0 R >> %s >> %s >>" % (resources, page),
            content,
            FONT,
            *more,
        ]
    )


def page_tree_cycle(_: int) -> bytes:
    """A page tree whose only branch is itself."""
    return pdf([b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [2 0 R 2 0 R] /Count 1000000 >>"])


def page_count_lie(_: int) -> bytes:
    """One page that claims to be two thousand million."""
    made = paper(stream(SHOWN))
    return made.replace(b"/Count 1 ", b"/Count 2000000000 ")


def length_loop(_: int) -> bytes:
    """A stream whose length is to be looked up in itself."""
    return paper(b"<< /Length 4 0 R >>\nstream\n" + SHOWN + b"\nendstream")


def xref_loop(_: int) -> bytes:
    """A table of objects that says that the one before it is itself."""
    made = paper(stream(SHOWN))
    start = made.rindex(b"xref\n0")
    return made.replace(b"/Root 1 0 R", b"/Root 1 0 R /Prev %d" % start)


def form_loop(_: int) -> bytes:
    """A form that draws itself twice."""
    known = b"/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /X 6 0 R >> >>"
    form = stream(b"/X Do /X Do", known)
    return paper(stream(SHOWN + b"/X Do"), form, resources=b"/XObject << /X 6 0 R >>")


def deflate_bomb(size: int) -> bytes:
    """A content stream that unpacks a thousand times over, twice."""
    packer = zlib.compressobj(9)
    once = b"".join(packer.compress(b" " * 1_000_000) for _ in range(size * 20)) + packer.flush()
    packed = zlib.compress(once, 9)
    return paper(stream(packed, b"/Filter [/FlateDecode /FlateDecode]"))


def letters_bomb(size: int) -> bytes:
    """A few kilobytes that draw words without end."""
    drawn = b"BT /F 9 Tf 10 10 Td " + b"(all these words say nothing at all ) Tj " * (2_000 * size) + b"ET"
    return paper(stream(zlib.compress(drawn, 9), b"/Filter /FlateDecode"))


def nested_arrays(size: int) -> bytes:
    """An object of nothing but brackets."""
    deep = 200_000 * size
    return paper(stream(SHOWN), b"[" * deep + b"]" * deep, catalogue=b"/X 6 0 R")


def object_stream_lie(_: int) -> bytes:
    """An object stream that claims to hold two thousand million objects."""
    return paper(stream(SHOWN), stream(b"1 0 2 0", b"/Type /ObjStm /N 2000000000 /First 8"))


def image_lie(_: int) -> bytes:
    """A picture that claims to be as large as a town."""
    picture = stream(b"x", b"/Type /XObject /Subtype /Image /Width 2000000 /Height 2000000 /BitsPerComponent 8")
    white = b"1 1 1 rg " + SHOWN  # so that somebody has to look at what is drawn
    return paper(stream(b"/I Do " + white), picture, resources=b"/XObject << /I 6 0 R >>")


def huge_page(_: int) -> bytes:
    """White words on a page that is as large as a town."""
    return paper(stream(b"1 1 1 rg " + SHOWN)).replace(b"[0 0 600 800]", b"[0 0 9999999 9999999]")


# Packages


def package(parts: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip file."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as made:
        for name, data in parts.items():
            made.writestr(name, data)
    return out.getvalue()


def office(kind: str) -> dict[str, bytes]:
    """The parts of a sound file of a kind, with `WORDS` in it."""
    out = io.BytesIO()
    if kind == "docx":
        import docx

        word = docx.Document()
        word.add_paragraph(WORDS)
        word.save(out)
    elif kind == "xlsx":
        import openpyxl

        book = openpyxl.Workbook()
        book.active.append([WORDS])
        book.save(out)
    else:
        import pptx

        deck = pptx.Presentation()
        deck.slides.add_slide(deck.slide_layouts[5]).shapes.title.text = WORDS
        deck.save(out)
    with zipfile.ZipFile(out) as made:
        return {name: made.read(name) for name in made.namelist()}


MAIN = {"docx": "word/document.xml", "xlsx": "xl/worksheets/sheet1.xml", "pptx": "ppt/slides/slide1.xml"}


def changed(kind: str, change: Callable[[bytes], bytes]) -> bytes:
    """A file of a kind whose main part was changed."""
    parts = office(kind)
    parts[MAIN[kind]] = change(parts[MAIN[kind]])
    return package(parts)


def zip_bomb(kind: str) -> Callable[[int], bytes]:
    """A thousand to one: blanks."""
    return lambda size: changed(kind, lambda part: part + b" " * (101_000_000 * size))


def crowd(size: int) -> bytes:
    """A hundred thousand entries; a quarter of them in the short form."""
    more = {f"word/x{n}": b"" for n in range(25_000 if size == 1 else 100_000)}
    return package({**office("docx"), **more}, zipfile.ZIP_STORED)


def lying_size(_: int) -> bytes:
    """The directory says that the main part has ten bytes."""
    made = bytearray(package(office("docx")))
    at = made.index(b"PK\x01\x02")
    while not made[at + 46 :].startswith(MAIN["docx"].encode()):
        at = made.index(b"PK\x01\x02", at + 4)
    made[at + 24 : at + 28] = struct.pack("<I", 10)
    return bytes(made)


def overlap(size: int) -> bytes:
    """Many entries of the directory that all point at the same megabyte (Fifield, "A better zip bomb", 2019)."""
    made = package({**office("docx"), "word/kernel.xml": b" " * 1_000_000})
    start = made.index(b"PK\x01\x02")
    end = made.rindex(b"PK\x05\x06")
    directory = made[start:end]
    entry = directory[directory.rindex(b"PK\x01\x02") :]
    count = 2000 * size
    named = b"".join(entry.replace(b"kernel", b"%06d" % n) for n in range(count))
    total = (directory.count(b"PK\x01\x02") + count) & 0xFFFF
    tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, total, total, len(directory + named), start, 0)
    return made[:start] + directory + named + tail


LAUGHS = (
    "<!DOCTYPE lolz [<!ENTITY a 'lol'>"
    + "".join(f"<!ENTITY {b} '{('&' + a + ';') * 10}'>" for a, b in zip("abcdefghi", "bcdefghij", strict=True))
    + "]>"
)


def laughs(kind: str, encoding: str = "utf-8", before: int = 0) -> Callable[[int], bytes]:
    """A thousand million laughs, perhaps in another encoding or behind a long comment."""

    def change(part: bytes) -> bytes:
        text = part.decode().split("?>", 1)[-1]
        head = f"<?xml version='1.0' encoding='{encoding}'?><!--{'x' * before}-->{LAUGHS}"
        return (head + text.replace(WORDS, "&j;")).encode(encoding)

    return lambda _: changed(kind, change)


def nested_xml(kind: str) -> Callable[[int], bytes]:
    """A part that goes down and down."""

    def make(size: int) -> bytes:
        deep = 100_000 * size
        return changed(kind, lambda part: part.replace(b"</", b"<x>" * deep + b"</x>" * deep + b"</", 1))

    return make


def nested_tables(size: int) -> bytes:
    """A table in a table in a table."""
    deep = 60 * size
    inside = b"<w:tbl><w:tr><w:tc>" * deep + b"<w:p/>" + b"</w:tc></w:tr></w:tbl>" * deep
    return changed("docx", lambda part: part.replace(b"<w:sectPr", inside + b"<w:sectPr", 1))


def style_ring(_: int) -> bytes:
    """Two styles that build on each other."""
    parts = office("docx")
    ring = b"".join(
        b'<w:style w:type="paragraph" w:styleId="%s"><w:name w:val="%s"/><w:basedOn w:val="%s"/></w:style>' % (a, a, b)
        for a, b in ((b"Ring1", b"Ring2"), (b"Ring2", b"Ring1"))
    )
    parts["word/styles.xml"] = parts["word/styles.xml"].replace(b"</w:styles>", ring + b"</w:styles>")
    styled = b'<w:p><w:pPr><w:pStyle w:val="Ring1"/></w:pPr>'
    parts[MAIN["docx"]] = parts[MAIN["docx"]].replace(b"<w:p>", styled, 1)
    return package(parts)


def merged_cells(size: int) -> bytes:
    """Merged areas as large as the sheet, over and over."""
    areas = b"</sheetData><mergeCells>%s</mergeCells>" % (b'<mergeCell ref="A1:XFD1048576"/>' * (20 * size))
    return changed("xlsx", lambda part: part.replace(b"</sheetData>", areas))


def far_cell(_: int) -> bytes:
    """A cell in the last row of the last column, and a sheet that claims to be that large."""
    row = b'<row r="1048576"><c r="XFD1048576" t="inlineStr"><is><t>far</t></is></c></row></sheetData>'
    return changed("xlsx", lambda part: part.replace(b"</sheetData>", row).replace(b'ref="A1"', b'ref="A1:XFD1048576"'))


def paths(_: int) -> bytes:
    """Parts that want to be written elsewhere, and one that is a link."""
    out = io.BytesIO(package(office("docx")))
    link = zipfile.ZipInfo("word/link")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(out, "a") as made:
        for name in ("../../pincite-was-here", "/tmp/pincite-was-here", "C:\\pincite-was-here"):  # noqa: S108
            made.writestr(name, b"x")
        made.writestr(link, "/etc/passwd")
    return out.getvalue()


# Texts and pages


def deep_page(size: int) -> bytes:
    """Elements in elements, a million deep in the long form."""
    return f"<html><body><p>{WORDS}</p>{'<div>' * (100_000 * size)}</body></html>".encode()


def wide_page(size: int) -> bytes:
    """A table of cells that each claim to span a hundred thousand others."""
    row = '<tr><td colspan="99999" rowspan="99999">x</td></tr>' * (15 * size)
    return f"<html><body><p>{WORDS}</p><table>{row}</table></body></html>".encode()


def linked_data(_: int) -> bytes:
    """Annotations that are nothing but brackets."""
    script = f'<script type="application/ld+json">{"[" * 200_000}</script>'
    return f"<html><head>{script}</head><body><p>{WORDS}</p></body></html>".encode()


def long_line(size: int) -> bytes:
    """One line without a blank: of 1.5 million letters, of sixteen million in the long form."""
    return b"a" * min(300_000 * size, 16_000_000)


def too_long(_: int) -> bytes:
    """More bytes than any file may have."""
    return b"a " * (33 * 1024 * 1024)


def repeated(unit: str, count: int) -> Callable[[int], bytes]:
    """The same signs again and again, below words that can be read."""
    return lambda size: f"{WORDS}\n\n{unit * (count * size)}".encode()


def nearly_alike(size: int) -> bytes:
    """Long paragraphs in ever other words, but with the same name in them: each is compared with others."""
    parts = [" ".join(f"w{(n * k) % 997:03}"[n % 2 :].lower() for k in range(900)) for n in range(1, 12 * size)]
    return (WORDS + "\n\n" + "\n\n".join(f"{part} end." for part in parts)).encode()


def same(data: bytes) -> Callable[[int], bytes]:
    """The same bytes in either form."""
    return lambda _: data


PAGE = f"<html><head><title>A page</title></head><body><p>{WORDS}</p></body></html>".encode()
PROGRAM = b"MZ\x90\x00\x03\x00\x00\x00" + bytes(range(256)) * 20

ATTACKS = (
    Attack("a page tree that is a ring", "a.pdf", page_tree_cycle, REFUSED, "PDF"),
    Attack("a page count that lies", "a.pdf", page_count_lie, BOUNDED),
    Attack("a length that is looked up in itself", "a.pdf", length_loop, BOUNDED),
    Attack("a table of objects before itself", "a.pdf", xref_loop, BOUNDED),
    Attack("a form that draws itself", "a.pdf", form_loop, REFUSED, "breaks what reads it|longer than"),
    Attack("a deflate bomb in a deflate bomb", "a.pdf", deflate_bomb, REFUSED),
    Attack("words without end", "a.pdf", letters_bomb, BOUNDED),
    Attack("nested arrays", "a.pdf", nested_arrays, BOUNDED),
    Attack("an object stream that lies", "a.pdf", object_stream_lie, READ),
    Attack("a picture as large as a town", "a.pdf", image_lie, BOUNDED),
    Attack("a page as large as a town", "a.pdf", huge_page, BOUNDED),
    *(Attack(f"a {kind} bomb", f"a.{kind}", zip_bomb(kind), REFUSED, "unpacks to too much") for kind in MAIN),
    Attack("a hundred thousand parts", "a.docx", crowd, REFUSED, "unpacks to too much"),
    Attack("a part whose size lies", "a.docx", lying_size, REFUSED, "damaged"),
    Attack("parts that overlap", "a.docx", overlap, REFUSED, "unpacks to too much|damaged"),
    *(Attack(f"laughs in a {kind}", f"a.{kind}", laughs(kind), REFUSED, "XML entities") for kind in MAIN),
    *(
        Attack(f"laughs in UTF-16 in a {kind}", f"a.{kind}", laughs(kind, "utf-16"), REFUSED, "XML entities")
        for kind in MAIN
    ),
    *(
        Attack(f"laughs late in a {kind}", f"a.{kind}", laughs(kind, before=1_500_000), REFUSED, "XML entities")
        for kind in MAIN
    ),
    *(Attack(f"nested parts of a {kind}", f"a.{kind}", nested_xml(kind), BOUNDED) for kind in MAIN),
    Attack("tables in tables", "a.docx", nested_tables, BOUNDED),
    Attack("styles in a ring", "a.docx", style_ring, BOUNDED),
    Attack("merged areas without end", "a.xlsx", merged_cells, REFUSED, "longer than|of memory"),
    Attack("a cell far away", "a.xlsx", far_cell, READ),
    Attack("parts that want to lie elsewhere", "a.docx", paths, READ),
    Attack("a page nested without end", "a.html", deep_page, BOUNDED),
    Attack("a table that spans everything", "a.html", wide_page, BOUNDED),
    Attack("annotations of brackets", "a.html", linked_data, READ),
    Attack("laughs in a page", "a.html", same(LAUGHS.encode() + PAGE), BOUNDED),
    Attack("a line without a blank", "a.txt", long_line, BOUNDED),
    Attack("a file that is too long", "a.txt", too_long, REFUSED, "larger than 64 MiB"),
    Attack("paragraphs that are nearly alike", "a.txt", nearly_alike, BOUNDED),
    Attack("nothing but opening quotes", "a.txt", repeated("«", 8_000), BOUNDED),
    Attack("nothing but numbers", "a.txt", repeated("1 ", 10_000), BOUNDED),
    Attack("nothing but short lines", "a.txt", repeated("x\n", 5_000), BOUNDED),
    Attack("nothing but opening comments", "a.html", repeated("<!--", 8_000), BOUNDED),
    Attack("nothing but quotations", "a.md", repeated(">", 20_000), BOUNDED),
    Attack("nothing but links", "a.md", repeated("[a](", 1_500), BOUNDED),
    Attack("nothing but emphasis", "a.md", repeated("*a_", 1_500), BOUNDED),
    Attack("nothing but bars", "a.md", lambda n: b"|a" * 600 * n + b"\n" + b"|-" * 600 * n + b"\n|1|\n", BOUNDED),
    Attack("a cell without an end", "a.csv", lambda n: b'a,b\n"' + b"x," * 20_000 * n, BOUNDED),
    Attack("columns without end", "a.csv", lambda n: b"a," * 20_000 * n + b"\n" + b"1," * 20_000 * n, BOUNDED),
    Attack("a page that says it is a PDF", "a.pdf", same(PAGE), READ),
    Attack("a program that says it is a text", "a.txt", same(PROGRAM), REFUSED, "binary"),
    Attack("a zip that says it is a DOCX", "a.docx", same(package({"a.txt": b"x"})), REFUSED, "zip archive"),
    Attack("a DOCX that says it is a text", "a.txt", lambda _: package(office("docx")), READ),
    Attack("a PDF in front of a zip", "a.docx", lambda _: paper(stream(SHOWN)) + package({"a": b"x"}), READ),
)
