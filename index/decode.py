"""The bytes of a text file to characters: by its mark, as UTF-8, as it declares, or as its bytes suggest."""

from __future__ import annotations

import codecs
import re

from index.errors import DocumentError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CHARSET = re.compile(
    rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w-]{2,40})|<\?xml[^>]{0,100}?encoding\s*=\s*[\"']([\w-]{2,40})", re.I
)
# Python's codecs for character sets of pages; "unicode_escape" and the like are none.
_CHARSETS = (
    "cp",
    "iso8859",
    "koi8",
    "mac",
    "gb",
    "big5",
    "euc",
    "shift_jis",
    "kz1048",
    "ptcp154",
    "tis",
    "utf-8",
    "utf-16",
)
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f-\x84\x86-\x9f\ufffd]")
# Latin text with a few letters and signs beyond ASCII fits dozens of tables; the two most common ones go first where
# they give nothing but the letters, quotation marks and signs of Western languages, or of Turkish.
_SIGNS = "€£¥§©®°±µ“”„‘’‚«»‹›–—…•·¿¡ªº†‡™´¨¶ \xad\xa0"
_LETTERS = "àáâãäåæçèéêëìíîïñòóôõöøùúûüÿœßÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜŸŒ"
_WESTERN = (
    ("cp1252", re.compile(rf"[^\x00-\x7f{_SIGNS}{_LETTERS}¹²³¼½¾]|\w[¹²³¿]\w|[{_LETTERS}]{{3}}")),
    ("cp1254", re.compile(rf"[^\x00-\x7f{_SIGNS}{_LETTERS}ğışĞİŞ]|\w¿\w|[{_LETTERS}ğışĞİŞ]{{6}}")),
)
_CYRILLIC = ("cp1251", "koi8-r", "cp866")
_NOT_CYRILLIC = re.compile(rf"[^\x00-\x7f{_SIGNS}а-яА-ЯёЁіїєґІЇЄҐ№─]")
_COMMON = frozenset("оеаинтсрвл")  # more than half of the letters of a Russian or Ukrainian text
_KATAKANA = re.compile("[\uff61-\uff9f]")
_SPARSE = 0.35
_SAMPLE = 256 * 1024
_MOST_CHAOS = 0.1
_MOST_CONTROLS = 0.002


def decode(data: bytes) -> str:
    """The characters of a text file.

    Raises:
        DocumentError: the bytes are binary, damaged UTF-8, or in no encoding that can be told.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            try:
                return data[len(mark) :].decode(encoding)
            except UnicodeDecodeError as error:
                raise DocumentError(f"the text is damaged at byte {error.start}; save it again as UTF-8") from error
    if b"\0" in data:
        raise DocumentError("the file is binary, not a text; save it as one of the supported formats")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        text = _decode_other(data, error.start)
    if len(_CONTROLS.findall(text[:_SAMPLE])) > _MOST_CONTROLS * min(len(text), _SAMPLE):
        raise DocumentError("the file is binary, not a text; save it as one of the supported formats")
    return text


def _decode_other(data: bytes, damage: int) -> str:
    """Text that is not UTF-8: in the encoding that it declares, or the one that its bytes fit best."""
    sample = data[:_SAMPLE].decode("utf-8", "replace")
    # Letters beyond ASCII come out whole by chance only rarely: this is UTF-8 with a broken place in it.
    if sum(c > "\x7f" and c != "\ufffd" for c in sample) > sample.count("\ufffd"):
        raise DocumentError(f"the text is damaged at byte {damage}; save it again as UTF-8")
    declared = _CHARSET.search(data[:2048])
    name = (declared[1] or declared[2]).decode("ascii") if declared else ""
    if name and _is_known(name):
        try:
            return data.decode(name)
        except UnicodeDecodeError as error:
            raise DocumentError(f"the text is not in {name}, as it says; save it again as UTF-8") from error
    return _decode_table(data) or _decode_fitting(data)


def _is_known(encoding: str) -> bool:
    try:
        return codecs.lookup(encoding).name.startswith(_CHARSETS)
    except LookupError:
        return False


def _decode_table(data: bytes) -> str | None:
    """Text in one of the common one-byte tables, where what it gives looks like nothing but that."""
    for encoding, foreign in _WESTERN:
        text = _try(data, encoding)
        if text and not foreign.search(text) and sum(c > "\x7f" for c in text) < _SPARSE * len(text):
            return text
    for encoding in _CYRILLIC:
        text = _try(data, encoding)
        if text and not _NOT_CYRILLIC.search(text):
            beyond = [c for c in text[:_SAMPLE] if c > "\x7f"]
            if sum(c in _COMMON for c in beyond) > 0.4 * len(beyond):
                return text
    return None


def _try(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return None


def _decode_fitting(data: bytes) -> str:
    """Text in the encoding that charset-normalizer finds the most likely one, where it is likely enough."""
    from charset_normalizer import from_bytes

    best = from_bytes(data[:_SAMPLE]).best()
    text = _try(data, best.encoding) if best and best.chaos <= _MOST_CHAOS else None
    # Half-width katakana is what other alphabets look like when they are taken for Japanese.
    if not text or len(_KATAKANA.findall(text)) > 0.1 * len(text):
        raise DocumentError("the text's encoding cannot be told; save it again as UTF-8")
    return text
