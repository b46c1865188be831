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
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f-\x84\x86-\x9f\ufffd]")
# Latin text with a few letters and signs beyond ASCII fits dozens of tables; the two most common ones go first where
# they give nothing but the letters, quotation marks and signs of Western languages, or of Turkish.
_SIGNS = "€£¥§©®°±µ“”„‘’‚«»‹›–—…•·¿¡ªº†‡™´¨¶ \xad\xa0"
_LETTERS = "àáâãäåæçèéêëìíîïñòóôõöøùúûüÿœßÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜŸŒ"
_WESTERN = (
    ("cp1252", re.compile(rf"[^\x00-\x7f{_SIGNS}{_LETTERS}¹²³¼½¾]|\w[¹²³¿]\w|[{_LETTERS}]{{3}}")),
    ("cp1254", re.compile(rf"[^\x00-\x7f{_SIGNS}{_LETTERS}ğışĞİŞ]|\w¿\w|[{_LETTERS}ğışĞİŞ]{{6}}")),
)
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
    unsure = DocumentError("the text's encoding cannot be told; save it again as UTF-8")
    sample = data[:_SAMPLE].decode("utf-8", "replace")
    wrong = sample.count("\ufffd")
    # Letters beyond ASCII come out whole by chance only rarely: this is UTF-8 with a broken place in it.
    if sum(c > "\x7f" and c != "\ufffd" for c in sample) > wrong:
        raise DocumentError(f"the text is damaged at byte {damage}; save it again as UTF-8")
    if declared := _CHARSET.search(data[:2048]):
        name = (declared[1] or declared[2]).decode("ascii")
        try:
            return data.decode(name)
        except LookupError:
            pass  # an encoding that Python does not know: the bytes may still tell
        except UnicodeDecodeError as error:
            raise DocumentError(f"the text is not in {name}, as it says; save it again as UTF-8") from error
    for encoding, foreign in _WESTERN:
        try:
            western = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if not foreign.search(western) and sum(c > "\x7f" for c in western) < _SPARSE * len(western):
            return western
    from charset_normalizer import from_bytes

    best = from_bytes(data[:_SAMPLE]).best()
    if best is None or best.chaos > _MOST_CHAOS:
        raise unsure
    try:
        return data.decode(best.encoding)
    except UnicodeDecodeError as error:
        raise unsure from error
