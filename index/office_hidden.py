"""What Word, PowerPoint and Excel files hold and do not show: by its properties, or in the colour of the paper."""

from __future__ import annotations

from typing import Any, NamedTuple

from index.hidden import NOT_DISPLAYED, SAME_COLOUR, TINY

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_P = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
_FILLS = tuple(f"{_A}{name}Fill" for name in ("solid", "grad", "blip", "patt"))
_TINY = 1.5  # points
_OFF = ("0", "false", "off", "none")
LONGEST_CHAIN = 12  # styles that build on each other; a file may have made a ring of them
_LAST_COLUMN = 16_384


class _Look(NamedTuple):
    """What a style or a run says; ``None`` where it says nothing."""

    hidden: bool | None = None
    colour: str | None = None
    points: float | None = None
    shaded: bool = False

    def over(self, below: _Look) -> _Look:
        """What is seen where this stands upon another look."""
        return _Look(
            below.hidden if self.hidden is None else self.hidden,
            self.colour or below.colour,
            below.points if self.points is None else self.points,
            self.shaded or below.shaded,
        )

    def why(self, *, on_paper: bool) -> str | None:
        """Why words of this look are not seen, or ``None``."""
        if self.hidden:
            return NOT_DISPLAYED
        if self.points is not None and self.points <= _TINY:
            return TINY
        return SAME_COLOUR if on_paper and not self.shaded and is_white(self.colour) else None


def is_white(colour: str | None) -> bool:
    """Whether a colour in hexadecimal digits, with or without its opacity before them, is as good as white.

    >>> is_white("FFFFFF"), is_white("00FEFEFE"), is_white("FFFF00"), is_white("auto")
    (True, True, False, False)
    """
    digits = (colour or "")[-6:]
    try:
        return len(digits) == 6 and all(int(digits[n : n + 2], 16) >= 0xF5 for n in (0, 2, 4))
    except ValueError:
        return False


class WordVeil:
    """Tells which words of a Word document are not seen: by their own properties or those of their styles."""

    def __init__(self, document: Any) -> None:  # noqa: ANN401 - lxml elements of python-docx's own classes
        root = document.styles.element
        self._styles = {style.get(f"{_W}styleId"): style for style in root.iter(f"{_W}style")}
        self._known: dict[str, _Look] = {}
        self._coloured = document.element.find(f"{_W}background") is not None

    def why(self, text: Any) -> str | None:  # noqa: ANN401
        """Why the words of a ``w:t`` element are not seen, or ``None``."""
        run = text.getparent()
        if run is None or run.tag != f"{_W}r":
            return None
        properties = run.find(f"{_W}rPr")
        look = _stated(properties).over(self._style(properties, "rStyle"))
        paragraph = next(run.iterancestors(f"{_W}p"), None)
        if paragraph is not None:
            own = paragraph.find(f"{_W}pPr")
            look = look.over(_Look(shaded=_is_shaded(own))).over(self._style(own, "pStyle"))
        return look.why(on_paper=is_white(look.colour) and not self._coloured and _on_paper(run))

    def _style(self, properties: Any, name: str) -> _Look:  # noqa: ANN401
        """The look of the style that properties name, with what it builds on."""
        named = None if properties is None else properties.find(f"{_W}{name}")
        key = "" if named is None else named.get(f"{_W}val", "")
        if key not in self._known:
            look, chain, at = _Look(), 0, key
            while (style := self._styles.get(at)) is not None and chain < LONGEST_CHAIN:
                shaded = _is_shaded(style.find(f"{_W}pPr"))
                look = look.over(_stated(style.find(f"{_W}rPr"))).over(_Look(shaded=shaded))
                based = style.find(f"{_W}basedOn")
                at, chain = ("" if based is None else based.get(f"{_W}val", "")), chain + 1
            self._known[key] = look
        return self._known[key]


def _stated(properties: Any) -> _Look:  # noqa: ANN401
    """What run properties say themselves."""
    if properties is None:
        return _Look()
    vanish = properties.find(f"{_W}vanish")
    colour, size = properties.find(f"{_W}color"), properties.find(f"{_W}sz")
    half_points = "" if size is None else size.get(f"{_W}val", "")
    return _Look(
        None if vanish is None else vanish.get(f"{_W}val", "1") not in _OFF,
        None if colour is None else colour.get(f"{_W}val"),
        int(half_points) / 2 if half_points.isascii() and half_points.isdigit() and len(half_points) < 9 else None,
        _is_shaded(properties) or properties.find(f"{_W}highlight") is not None,
    )


def _is_shaded(properties: Any) -> bool:  # noqa: ANN401
    """Whether properties of a run, a paragraph or a cell lay a colour other than white behind it."""
    shading = None if properties is None else properties.find(f"{_W}shd")
    fill = "auto" if shading is None else shading.get(f"{_W}fill", "auto")
    return fill != "auto" and not is_white(fill)


def _on_paper(run: Any) -> bool:  # noqa: ANN401
    """Whether nothing but paper lies behind a run: no box, no coloured cell, no table whose style may colour it."""
    for above in run.iterancestors():
        if above.tag == f"{_W}txbxContent" or (above.tag == f"{_W}tc" and _is_shaded(above.find(f"{_W}tcPr"))):
            return False
        if above.tag == f"{_W}tbl" and above.find(f"{_W}tblPr/{_W}tblStyle") is not None:
            return False
    return True


def slide_veil(slide: Any) -> str | None:  # noqa: ANN401
    """Why nothing of a slide is seen, or ``None``."""
    return NOT_DISPLAYED if slide._element.get("show") in _OFF else None


def shape_veil(shape: Any) -> str | None:  # noqa: ANN401
    """Why nothing of a shape is seen, or ``None``."""
    return NOT_DISPLAYED if any(word not in _OFF for word in shape._element.xpath("./*/p:cNvPr/@hidden")) else None


def run_veil(paragraph: Any, shape: Any, slide: Any) -> str | None:  # noqa: ANN401
    """Why some of a slide's paragraph is not seen, or ``None``: for the size of its letters, or for white on white."""
    fonts = [run.font for run in paragraph.runs if run.text.strip()]
    if any(font.size is not None and font.size.pt <= _TINY for font in fonts):
        return TINY
    white = any(_is_white_fill(font._element.find(f"{_A}solidFill")) for font in fonts)
    return SAME_COLOUR if white and _on_white(shape, slide) else None


def _is_white_fill(fill: Any) -> bool:  # noqa: ANN401
    """Whether an ``a:solidFill`` is white, by its digits or as the ground of the usual theme."""
    if fill is None:
        return False
    return any(
        (colour.tag == f"{_A}srgbClr" and is_white(colour.get("val")))
        or (colour.tag == f"{_A}schemeClr" and colour.get("val") in ("bg1", "lt1") and not len(colour))
        for colour in fill
    )


def _on_white(shape: Any, slide: Any) -> bool:  # noqa: ANN401
    """Whether nothing but white lies behind a shape: no ground of a slide, no fill, no shape or picture beneath it."""
    layers = (slide, slide.slide_layout, slide.slide_layout.slide_master)
    ground = next((found for layer in layers if (found := layer._element.find(f"{_P}cSld/{_P}bg")) is not None), None)
    fills = [] if ground is None else [each for each in ground.iter() if each.tag in _FILLS]
    if any(not _is_white_fill(fill) for fill in fills):
        return False
    if ground is not None and not fills and not _is_white_fill(ground.find(f"{_P}bgRef")):
        return False
    return not any(_is_laid(other) for layer in layers for other in layer.shapes)


def _is_laid(shape: Any) -> bool:  # noqa: ANN401
    """Whether a shape lays a colour over what is beneath it; what it lies over is not looked at."""
    if shape._element.tag in (f"{_P}pic", f"{_P}grpSp", f"{_P}graphicFrame"):
        return True
    properties = shape._element.find(f"{_P}spPr")
    fills = [] if properties is None else [fill for fill in properties if fill.tag in _FILLS]
    styled = shape._element.find(f"{_P}style") is not None
    return any(not _is_white_fill(fill) for fill in fills) or (styled and not fills)


class SheetVeil:
    """Tells which cells of a sheet are not seen."""

    def __init__(self, sheet: Any) -> None:  # noqa: ANN401
        self._rows = {row for row, known in sheet.row_dimensions.items() if known.hidden}
        self._columns: set[int] = set()
        for known in sheet.column_dimensions.values():
            if known.hidden and known.min and known.max:
                self._columns.update(range(known.min, min(known.max, _LAST_COLUMN) + 1))
        self._styled = bool(sheet.tables)  # a table's style may colour its cells
        self._known: dict[int, str | None] = {}

    def why(self, cell: Any) -> str | None:  # noqa: ANN401
        """Why a cell is not seen, or ``None``."""
        if cell.row in self._rows or cell.column in self._columns:
            return NOT_DISPLAYED
        if not cell.has_style:
            return None
        if cell.style_id not in self._known:
            self._known[cell.style_id] = self._look(cell)
        return self._known[cell.style_id]

    def _look(self, cell: Any) -> str | None:  # noqa: ANN401
        font = cell.font
        colour = font.color
        white = colour is not None and (
            (colour.type == "rgb" and is_white(str(colour.rgb))) or (colour.type == "theme" and colour.theme == 0)
        )
        look = _Look(
            cell.number_format.replace(" ", "") == ";;;",
            "FFFFFF" if white else None,
            font.sz,
            bool(cell.fill.fill_type),
        )
        return look.why(on_paper=not self._styled)
