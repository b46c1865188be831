"""The report's plots: plotly figures as pieces of HTML, each with the numbers it shows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from eval.summary import Summary

_INK, _GRID = "#1b1f24", "#d0d7de"
_COLOURS = ("#0b5cad", "#b34700", "#1a7f37")  # each at least 4.5:1 on white


class Plot(NamedTuple):
    """A plot: what a reader who does not see it is told, the HTML, and its numbers as a table."""

    id: str
    title: str
    says: str
    html: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def plots(summary: Summary) -> list[Plot]:
    """Risk against coverage, the kinds with their intervals, calibration, time: those with anything to show."""
    found = [_risk(summary), _kinds(summary), _calibration(summary), _time(summary)]
    return [plot for plot in found if plot is not None]


def library() -> str:
    """plotly.js itself, to stand in the page."""
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs())


def _risk(summary: Summary) -> Plot | None:
    if not summary.coverage:
        return None
    percent = [100 * share for share in summary.coverage]
    risk = [100 * share for share in summary.risk]
    trace = _trace("Scatter", x=percent, y=risk, mode="lines", line={"color": _COLOURS[0], "width": 2, "shape": "hv"})
    tenths = [
        next(n for n, share in enumerate(summary.coverage) if share >= tenth / 10 - 1e-9) for tenth in range(1, 11)
    ]
    return _plot(
        "risk",
        "Risk against coverage",
        f"Of the questions it is surest of, how many go wrong: from {risk[0]:.0f}% for the surest to {risk[-1]:.0f}% "
        f"when all are answered.",
        [trace],
        ("Share of questions, surest first (%)", "Errors among them (%)"),
        ("Questions answered", "Errors"),
        [(f"{percent[n]:.0f}%", f"{risk[n]:.1f}%") for n in tenths],
    )


def _kinds(summary: Summary) -> Plot | None:
    shown = ("citation_precision", "citation_recall", "right")
    traces, rows = [], []
    for colour, name in zip(_COLOURS, shown, strict=True):
        figures = [(kind, each) for kind, group in summary.kinds.items() for each in group if each.name == name]
        if figures:
            traces.append(
                _trace(
                    "Bar",
                    name=figures[0][1].title,
                    x=[f"{kind} ({each.cases})" for kind, each in figures],
                    y=[100 * each.value for _, each in figures],
                    error_y={
                        "type": "data",
                        "array": [100 * (each.high - each.value) for _, each in figures],
                        "arrayminus": [100 * (each.value - each.low) for _, each in figures],
                        "color": _INK,
                        "thickness": 1,
                    },
                    marker={"color": colour},
                )
            )
            rows += [
                (kind, each.title, f"{100 * each.value:.0f}%", _range(each.low, each.high)) for kind, each in figures
            ]
    if not traces:
        return None
    says = "Citation precision, citation recall and right answers for each kind of question, with 95% intervals."
    axes = ("Kind of question (cases)", "%")
    return _plot("kinds", "By kind of question", says, traces, axes, ("Kind", "Measure", "Value", "95% interval"), rows)


def _calibration(summary: Summary) -> Plot | None:
    if not summary.calibration:
        return None
    bins = summary.calibration
    line = _trace(
        "Scatter", x=[0, 100], y=[0, 100], mode="lines", name="perfect", line={"color": _INK, "dash": "dot", "width": 1}
    )
    trace = _trace(
        "Scatter",
        x=[100 * each.confidence for each in bins],
        y=[100 * each.right for each in bins],
        mode="lines+markers",
        name="this run",
        marker={"color": _COLOURS[0], "size": [8 + min(each.size, 60) / 4 for each in bins]},
        text=[f"{each.size} answers" for each in bins],
    )
    return _plot(
        "calibration",
        "Confidence against truth",
        "For answers of a given confidence, the share that is right; on the dotted line confidence tells the truth.",
        [line, trace],
        ("Confidence (%)", "Right (%)"),
        ("Confidence", "Answers", "Mean confidence", "Right"),
        [
            (_range(each.low, each.high), str(each.size), f"{100 * each.confidence:.0f}%", f"{100 * each.right:.0f}%")
            for each in bins
        ],
    )


def _time(summary: Summary) -> Plot | None:
    if not summary.times:
        return None
    stages = [each.stage for each in summary.times]
    traces = [
        _trace("Bar", name="p50", x=stages, y=[each.p50 for each in summary.times], marker={"color": _COLOURS[0]}),
        _trace("Bar", name="p95", x=stages, y=[each.p95 for each in summary.times], marker={"color": _COLOURS[1]}),
    ]
    rows = [(each.stage, f"{each.p50:.1f} ms", f"{each.p95:.1f} ms", str(each.cases)) for each in summary.times]
    says = "Milliseconds for each stage of an answer: the median, and what 95% of answers stay under."
    return _plot("time", "Time", says, traces, ("Stage", "ms"), ("Stage", "p50", "p95", "Answers"), rows)


def _trace(kind: str, **values: Any) -> Any:  # noqa: ANN401 - a library without types
    import plotly.graph_objects

    return getattr(plotly.graph_objects, kind)(**values)


def _plot(
    name: str,
    title: str,
    says: str,
    traces: list[Any],
    axes: tuple[str, str],
    head: tuple[str, ...],
    rows: Sequence[tuple[str, ...]],
) -> Plot:
    import plotly.graph_objects

    axis = {"gridcolor": _GRID, "linecolor": _INK, "zerolinecolor": _GRID, "fixedrange": True}
    figure = plotly.graph_objects.Figure(
        traces,
        {
            "template": "none",
            "font": {"color": _INK, "size": 13, "family": "system-ui, sans-serif"},
            "margin": {"l": 56, "r": 16, "t": 16, "b": 72},
            "height": 340,
            "xaxis": {**axis, "title": {"text": axes[0]}, "automargin": True},
            "yaxis": {**axis, "title": {"text": axes[1]}, "rangemode": "tozero"},
            "barmode": "group",
            "legend": {"orientation": "h", "y": 1.12},
            "showlegend": len(traces) > 1,
        },
    )
    data = json.dumps(json.loads(figure.to_json()), ensure_ascii=True).replace("<", "\\u003c")
    options = '{"displayModeBar": false, "responsive": true, "plotlyServerURL": ""}'
    html = (
        f'<div id="plot-{name}" role="img" aria-label="{title}: {says}"></div>\n'
        f"<script>{{const f = {data}; Plotly.newPlot('plot-{name}', f.data, f.layout, {options});}}</script>"
    )
    return Plot(name, title, says, html, head, tuple(rows))


def _range(low: float, high: float) -> str:
    return f"{100 * low:.0f}–{100 * high:.0f}%"
