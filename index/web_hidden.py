"""What a web page holds and does not show, as far as its own markup tells: style sheets elsewhere are never fetched."""

from __future__ import annotations

import re
from typing import NamedTuple

from lxml.etree import _Element

from index.hidden import NOT_DISPLAYED, OUTSIDE, SAME_COLOUR, TINY, veiled

_SIMPLE = re.compile(r"[.#]?[A-Za-z][\w-]*")
_NUMBER = re.compile(r"(-?\d{0,6}\.?\d{0,6})\s*(px|pt|em|rem|%)?")
_WHITE = {"white": "#ffffff", "black": "#000000", "snow": "#fffafa", "ivory": "#fffff0"}
_TINY = 2.0  # pixels
_FAR = -900.0  # pixels
_NO_WORDS = ("script", "style", "title", "template", "noscript")
_LONGEST_STYLE = 4000
_MOST_RULES = 5000

Rules = dict[str, dict[str, str]]


class _Look(NamedTuple):
    """What an element hands down: why it is hidden, its colour, and what lies behind it ("" where nobody can tell)."""

    why: str | None
    colour: str
    behind: str


def veil(tree: _Element) -> None:
    """Put the words of a page that are not seen between marks (see `index.hidden`), in place."""
    rules = _rules(tree)
    # Without its style sheets nobody can tell what lies behind white words.
    elsewhere = any("stylesheet" in (link.get("rel") or "").lower() for link in tree.iter("link"))
    looks: dict[_Element, _Look] = {}
    start = _Look(None, "#000000", "" if elsewhere else "#ffffff")
    for element in tree.iter():
        above = element.getparent()
        inherited = start if above is None else looks.get(above, start)
        if isinstance(element.tag, str):
            looks[element] = look = _looked(element, inherited, rules)
            if look.why and element.text and element.tag not in _NO_WORDS:
                element.text = veiled(element.text, look.why)
        if inherited.why and element.tail:
            element.tail = veiled(element.tail, inherited.why)


def _looked(element: _Element, above: _Look, rules: Rules) -> _Look:
    """The look of an element whose parent has another."""
    style: dict[str, str] = {}
    names = [str(element.tag), *(f".{name}" for name in (element.get("class") or "")[:_LONGEST_STYLE].split())]
    for name in (*names, f"#{element.get('id')}"):
        style |= rules.get(name, {})
    if own := element.get("style"):
        style |= _declarations(own)
    colour = _colour(style.get("color") or element.get("color") or "") or above.colour
    stated = style.get("background-color") or style.get("background") or element.get("bgcolor")
    behind = above.behind if stated is None or stated == "transparent" else _colour(stated)
    if above.why:
        return _Look(above.why, colour, behind)
    why = NOT_DISPLAYED if element.get("hidden") is not None else _why(style)
    return _Look(why or (SAME_COLOUR if colour == behind else None), colour, behind)


def _why(style: dict[str, str]) -> str | None:
    if style.get("display") == "none" or style.get("visibility") in ("hidden", "collapse"):
        return NOT_DISPLAYED
    if _pixels(style.get("opacity"), 1.0) == 0:
        return NOT_DISPLAYED
    if _pixels(style.get("font-size"), 16.0) <= _TINY:
        return TINY
    moved = ("text-indent", "margin-left", "left", "top") if "position" in style else ("text-indent", "margin-left")
    return OUTSIDE if any(_pixels(style.get(name), 0.0) <= _FAR for name in moved) else None


def _pixels(value: str | None, otherwise: float) -> float:
    """A length in pixels, roughly; ``otherwise`` where there is none or it cannot be told."""
    found = _NUMBER.fullmatch(value.strip()) if value else None
    if found is None or not found[1].strip("-."):
        return otherwise
    return float(found[1]) * {"pt": 4 / 3, "em": 16.0, "rem": 16.0, "%": 0.16}.get(found[2] or "px", 1.0)


def _colour(value: str) -> str:
    """A colour as # and six digits, or "" for what is none or is another kind (a picture, a gradient, a variable)."""
    word = value.strip().lower()
    word = _WHITE.get(word, word)
    if re.fullmatch(r"#[0-9a-f]{3}", word):
        word = "#" + "".join(digit * 2 for digit in word[1:])
    if rgb := re.fullmatch(r"rgba?\(\s*(\d{1,3})[,\s]+(\d{1,3})[,\s]+(\d{1,3})\s*(?:[,/]\s*[\d.]{1,6}\s*)?\)", word):
        word = "#" + "".join(f"{min(int(part), 255):02x}" for part in rgb.groups())
    if not re.fullmatch(r"#[0-9a-f]{6}", word):
        return ""
    return "#ffffff" if all(int(word[n : n + 2], 16) >= 0xF5 for n in (1, 3, 5)) else word


def _declarations(style: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in style[:_LONGEST_STYLE].split(";"):
        name, _, value = part.partition(":")
        found[name.strip().lower()] = value.lower().replace("!important", "").strip()
    return found


def _rules(tree: _Element) -> Rules:
    """The declarations of the page's own style sheets by simple selectors: a name, a class or an id alone."""
    rules: Rules = {}
    for sheet in tree.iter("style"):
        for block in (sheet.text or "").split("}")[:_MOST_RULES]:
            selectors, _, body = block.rpartition("{")
            if "{" in selectors or not body:
                continue  # inside of @media and the like, which may not hold here
            for selector in selectors.split(","):
                if _SIMPLE.fullmatch(selector.strip()):
                    rules.setdefault(selector.strip(), {}).update(_declarations(body))
    return rules
