"""A plot as inline SVG, for readers without JavaScript and for the moment before Plotly arrives.

The SVG has no viewBox: everything stands at a percentage of the element, text and marks keep
their size, so one picture serves a phone and a cinema. The stylesheet puts the margins around
it; what lies in them overflows. All styling is in presentation attributes and classes, since the
site's content policy refuses style attributes.
"""

from __future__ import annotations

from html import escape
from itertools import pairwise

from generator.charts.look import BAND, Look, radius_px
from generator.charts.plot import LABEL_LINE_PX, Mark, Plot, Stroke, label_shifts_px

PLOT_PX = 360
"""Height the axes have under the stock stylesheet; only the spacing of labels depends on it."""


def draw_poster(plot: Plot) -> str:
    """The whole plot; its marks link to their clips and carry a tooltip."""
    parts = [
        *_frame(plot),
        *_bands(plot),
        *(part for stroke in plot.strokes for part in _line(plot, stroke)),
        *(_mark(plot, stroke.look, mark) for stroke in plot.strokes for mark in stroke.marks),
    ]
    return (
        '<svg class="chart-poster" width="100%" height="100%" overflow="visible" '
        f'aria-hidden="true" focusable="false">{"".join(parts)}</svg>'
    )


def draw_swatch(look: Look, *, lined: bool = True) -> str:
    """A mark for the legend, on a short piece of its line where the chart draws one."""
    line = f'<line x1="0" y1="7" x2="40" y2="7" {_stroke(look)}/>' if lined else ""
    mark = f'<g transform="translate(20 7)">{_shape(look, radius_px(look, 0))}</g>'
    return (
        '<svg class="chart-swatch" width="40" height="14" aria-hidden="true" focusable="false">'
        f"{line}{mark}</svg>"
    )


def _frame(plot: Plot) -> list[str]:
    """Grid, ticks, reference lines and titles."""
    parts = []
    for y, label in zip(plot.y.ticks, plot.y.labels, strict=True):
        at = _y(plot, y)
        kind = "chart-grid" if y > plot.y.start else "chart-zero"
        parts.append(f'<line class="{kind}" x1="0" y1="{at}" x2="100%" y2="{at}"/>')
        parts.append(_text("chart-tick", "0", at, label, dx=-8, dy=4, anchor="end"))
    for x, label in zip(plot.x.ticks, plot.x.labels, strict=True):
        parts.append(_text("chart-tick", _x(plot, x), "100%", label, dy=22, anchor="middle"))
    shifts = label_shifts_px(plot, PLOT_PX)
    for reference, shift in zip(plot.references, shifts, strict=True):
        at = _y(plot, reference.y)
        parts.append(f'<line class="chart-reference" x1="0" y1="{at}" x2="100%" y2="{at}"/>')
        top = shift - LABEL_LINE_PX * (len(reference.label) - 1) / 2 + 4
        for number, line in enumerate(reference.label):
            dy = round(top + number * LABEL_LINE_PX, 2)
            parts.append(_text("chart-reference-label", "100%", at, line, dx=8, dy=dy))
    parts.append(_text("chart-axis", "0", "0", plot.y.title, dy=-16))
    parts.append(_text("chart-axis", "100%", "100%", plot.x.title, dy=44, anchor="end"))
    return parts


def _bands(plot: Plot) -> list[str]:
    """What lies between stacked lines, and around others, in a picture of its own that is stretched
    over the axes."""
    outlines: list[tuple[Look, tuple[tuple[float, float], ...]]] = []
    below: tuple[tuple[float, float], ...] = ()
    for stroke in plot.strokes:
        if plot.stacked and stroke.through:
            below = below or tuple((x, 0.0) for x, _ in stroke.through)
            outlines.append((stroke.look, (*stroke.through, *reversed(below))))
            below = stroke.through
        elif stroke.between:
            highs = tuple((x, high) for x, _, high in stroke.between)
            lows = tuple((x, low) for x, low, _ in stroke.between)
            outlines.append((stroke.look, (*highs, *reversed(lows))))
    if not outlines:
        return []
    parts = []
    for look, outline in outlines:
        corners = " ".join(
            f"{1000 * plot.x.share(x):.2f},{1000 - 1000 * plot.y.share(y):.2f}" for x, y in outline
        )
        parts.append(f'<polygon points="{corners}" fill="{look.colour}" fill-opacity="{BAND:g}"/>')
    picture = '<svg width="100%" height="100%" viewBox="0 0 1000 1000" preserveAspectRatio="none">'
    return [picture, *parts, "</svg>"]


def _line(plot: Plot, stroke: Stroke) -> list[str]:
    return [
        f'<line x1="{_x(plot, x1)}" y1="{_y(plot, y1)}" x2="{_x(plot, x2)}" y2="{_y(plot, y2)}" '
        f"{_stroke(stroke.look)}/>"
        for (x1, y1), (x2, y2) in pairwise(stroke.through)
    ]


def _mark(plot: Plot, look: Look, mark: Mark) -> str:
    title = escape("\n".join(mark.hover))
    text = (
        f'<text class="chart-mark-label" fill="{look.colour}" dy="22" text-anchor="middle">'
        f"{escape(mark.text)}</text>"
        if mark.text
        else ""
    )
    return (
        f'<svg x="{_x(plot, mark.x)}" y="{_y(plot, mark.y)}" overflow="visible">'
        f'<a href="{escape(mark.href)}" tabindex="-1"><title>{title}</title>'
        f"{_shape(look, radius_px(look, mark.rank))}{text}</a></svg>"
    )


def _shape(look: Look, radius: float) -> str:
    centre = f'<circle r="1.2" fill="{look.colour}"/>' if look.symbol.endswith("-dot") else ""
    return (
        f'<path d="{look.shape}" transform="scale({radius:g})" fill="{look.fill}" '
        f'stroke="{look.colour}" stroke-width="1.6" vector-effect="non-scaling-stroke"/>{centre}'
    )


def _stroke(look: Look) -> str:
    dash = f' stroke-dasharray="{look.dash}"' if look.dash else ""
    return f'stroke="{look.colour}" stroke-width="{look.width_px:g}"{dash}'


def _text(
    kind: str, x: str, y: str, text: str, *, dx: float = 0, dy: float = 0, anchor: str = "start"
) -> str:
    return (
        f'<text class="{kind}" x="{x}" y="{y}" dx="{dx:g}" dy="{dy:g}" text-anchor="{anchor}">'
        f"{escape(text)}</text>"
    )


def _x(plot: Plot, value: float) -> str:
    return _percent(plot.x.share(value))


def _y(plot: Plot, value: float) -> str:
    return _percent(1 - plot.y.share(value))


def _percent(share: float) -> str:
    return f"{100 * share:.3f}".rstrip("0").rstrip(".") + "%"
