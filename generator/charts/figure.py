"""A plot as a Plotly figure: JSON that a page hands to Plotly.newPlot.

Plotly checks every property here, at build time. The template is left out (it would be most of
the JSON), so whatever matters is said outright. Margins, height and font are for the figure on
its own; on a page the element's stylesheet replaces them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from math import log10
from textwrap import wrap
from typing import Any

import plotly.graph_objects as go

from generator.charts.look import BAND, FONT, FONT_PX, GRID, INK, QUIET, REFERENCE, radius_px
from generator.charts.plot import Axis, Mark, Plot, Stroke, label_shifts_px

MARGIN_PX = {"l": 40, "r": 64, "t": 40, "b": 60}
HOVER_COLUMNS = 34


def write_figure(plot: Plot) -> str:
    """The figure as JSON with sorted keys; nothing in it depends on when or where it is made."""
    lines = [_line(stroke) for stroke in plot.strokes if stroke.through]
    if plot.stacked:
        for number, line in enumerate(lines):
            line["fill"] = "tonexty" if number else "tozeroy"
            line["fillcolor"] = _faint(line["line"]["color"])
    marks = [_marks(stroke) for stroke in plot.strokes]
    bands = [_band(stroke) for stroke in plot.strokes if stroke.between]
    figure = go.Figure(data=[*lines, *marks, *bands], layout=_layout(plot)).to_plotly_json()
    figure["layout"].pop("template")
    return json.dumps(figure, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def traces_per_stroke(strokes: Sequence[Stroke]) -> tuple[tuple[int, ...], ...]:
    """Indices of every stroke's traces in the figure: lines first, then marks, then bands."""
    lined = [index for index, stroke in enumerate(strokes) if stroke.through]
    banded = [index for index, stroke in enumerate(strokes) if stroke.between]
    traces: list[list[int]] = [[] for _ in strokes]
    for trace, index in enumerate((*lined, *range(len(strokes)), *banded)):
        traces[index].append(trace)
    return tuple(map(tuple, traces))


def _line(stroke: Stroke) -> dict[str, Any]:
    look = stroke.look
    return {
        **_named(stroke),
        "mode": "lines",
        "x": [x for x, _ in stroke.through],
        "y": [y for _, y in stroke.through],
        "line": {"color": look.colour, "width": look.width_px, "dash": _dash(look.dash)},
        "hoverinfo": "skip",
    }


def _band(stroke: Stroke) -> dict[str, Any]:
    xs, lows, highs = map(list, zip(*stroke.between, strict=True))
    return {
        **_named(stroke),
        "mode": "none",
        "x": [*xs, *reversed(xs)],
        "y": [*highs, *reversed(lows)],
        "fill": "toself",
        "fillcolor": _faint(stroke.look.colour),
        "hoverinfo": "skip",
    }


def _marks(stroke: Stroke) -> dict[str, Any]:
    look, marks = stroke.look, stroke.marks
    return {
        **_named(stroke),
        "mode": "markers+text" if any(mark.text for mark in marks) else "markers",
        "x": [mark.x for mark in marks],
        "y": [mark.y for mark in marks],
        "text": [mark.text for mark in marks],
        "textposition": "bottom center",
        "textfont": {"color": look.colour},
        "marker": {
            "symbol": look.symbol,
            "size": [2 * radius_px(look, mark.rank) for mark in marks],
            "color": look.fill,
            "opacity": 1,
            "line": {"color": look.colour, "width": 1.6},
        },
        "customdata": [mark.href for mark in marks],
        "hovertext": [_hover(mark) for mark in marks],
        "hovertemplate": "%{hovertext}<extra></extra>",
        "hoverlabel": {"bordercolor": look.colour},
        "cliponaxis": False,
    }


def _named(stroke: Stroke) -> dict[str, Any]:
    return {
        "type": "scatter",
        "name": escape(stroke.name, quote=False),
        "legendgroup": stroke.group,
        "legendgrouptitle": {"text": escape(stroke.group, quote=False)},
    }


def _hover(mark: Mark) -> str:
    """No markup but line breaks: Plotly turns others into style attributes, which the site's
    content policy refuses."""
    parts = (part for line in mark.hover for part in wrap(line, HOVER_COLUMNS))
    return "<br>".join(escape(part, quote=False) for part in parts)


def _faint(colour: str) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{BAND:g})"


def _dash(dash: str) -> str:
    return ",".join(f"{length}px" for length in dash.split()) or "solid"


def _layout(plot: Plot) -> dict[str, Any]:
    return {
        "height": plot.height_px,
        "margin": {**MARGIN_PX, "pad": 0},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": FONT, "size": FONT_PX, "color": QUIET},
        "showlegend": False,
        "hovermode": "closest",
        "hoverdistance": 24,
        "hoverlabel": {
            "bgcolor": "#11110f",
            "align": "left",
            "namelength": -1,
            "font": {"family": FONT, "size": FONT_PX, "color": INK},
        },
        "dragmode": False,
        "xaxis": _axis(plot.x) | {"showgrid": False, "zeroline": False},
        "yaxis": _axis(plot.y) | {"showgrid": True, "zeroline": True},
        "shapes": [
            {
                "type": "line",
                "layer": "below",
                "xref": "paper",
                "x0": 0,
                "x1": 1,
                "y0": reference.y,
                "y1": reference.y,
                "line": {"color": REFERENCE, "width": 1},
            }
            for reference in plot.references
        ],
        "annotations": [*_titles(plot), *_reference_labels(plot)],
    }


def _axis(axis: Axis) -> dict[str, Any]:
    scale: dict[str, Any] = {"range": [0, axis.end]}
    if axis.start:
        scale = {"type": "log", "range": [log10(axis.start), log10(axis.end)]}
    return {
        **scale,
        "tickvals": list(axis.ticks),
        "ticktext": list(axis.labels),
        "ticks": "",
        "showline": False,
        "gridcolor": GRID,
        "gridwidth": 1,
        "zerolinecolor": REFERENCE,
        "zerolinewidth": 1,
        "automargin": False,
        "ticklabelstandoff": 6,
        "tickfont": {"color": QUIET},
        "title": {"text": ""},
    }


def _titles(plot: Plot) -> list[dict[str, Any]]:
    """Both axis titles lie flat: above the plot on the left, below it on the right."""
    flat = {"xref": "paper", "yref": "paper", "showarrow": False, "font": {"color": INK}}
    return [
        flat
        | {"text": plot.y.title, "x": 0, "y": 1, "xanchor": "left", "yanchor": "bottom"}
        | {"yshift": 12, "xshift": 0},
        flat
        | {"text": plot.x.title, "x": 1, "y": 0, "xanchor": "right", "yanchor": "top"}
        | {"yshift": -32, "xshift": 0},
    ]


def _reference_labels(plot: Plot) -> list[dict[str, Any]]:
    shifts = label_shifts_px(plot, plot.height_px - MARGIN_PX["t"] - MARGIN_PX["b"])
    return [
        {
            "text": "<br>".join(escape(line, quote=False) for line in reference.label),
            "xref": "paper",
            "x": 1,
            "xanchor": "left",
            "xshift": 6,
            "y": log10(reference.y) if plot.y.start else reference.y,
            "yanchor": "middle",
            "yshift": -shift,
            "align": "left",
            "showarrow": False,
            "font": {"color": INK},
        }
        for reference, shift in zip(plot.references, shifts, strict=True)
    ]
