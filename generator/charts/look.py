"""Every colour, dash and mark of the charts.

A line is told apart three ways at once: its colour and the shape of its marks go with where the
numbers come from (run, series, pipeline, size), its dash with the prompt. The label is another
dimension, never a colour: filled marks were measured here, hollow ones published elsewhere, and
whatever is projected is dotted.
"""

from __future__ import annotations

from dataclasses import dataclass

from generator.records import Label

GROUND = "#070707"
"""The page behind the chart; hollow marks are filled with it, so that lines end at them."""
INK = "#f2f2ea"
QUIET = "#9b9b93"
GRID = "#1f1f1c"
REFERENCE = "#6d6d66"
ACCENT = "#e4ff1a"
FONT = '"JetBrains Mono", "Geist Mono", ui-monospace, monospace'
"""For the figure on its own; on a page the element's own font replaces it."""
FONT_PX = 12

# Apart under protanopia, deuteranopia and tritanopia too (tests/charts/test_look.py).
PALETTE = (ACCENT, "#5b8cff", "#ff6fc8", "#d0d0d0", "#ff7a1a", "#12a085")

# Plotly's name; its shape as an SVG path of radius 1; how much to enlarge it to look as big.
SHAPES = (
    ("circle", "M-1 0a1 1 0 1 0 2 0a1 1 0 1 0-2 0z", 1.0),
    ("square", "M-1-1h2v2h-2z", 0.9),
    ("triangle-up", "M0-1L1.155 .5H-1.155z", 1.3),
    ("diamond", "M0-1.3L1.3 0L0 1.3L-1.3 0z", 0.95),
    ("triangle-down", "M0 1L1.155-.5H-1.155z", 1.3),
    ("cross", "M-.4-1.2h.8v.8h.8v.8h-.8v.8h-.8v-.8h-.8v-.8h.8z", 0.95),
)

# SVG dash arrays in px; "" is a solid line.
DASHES = ("", "7 4", "14 4", "10 3 2 3")
BAND = 0.3
"""How dense the filling between stacked lines is."""
DOTTED = ("1.5 4", "1.5 9", "1.5 3 1.5 9", "1.5 3 1.5 3 1.5 9")


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How one line is drawn."""

    colour: str
    symbol: str
    """Plotly's name of the mark."""
    shape: str
    """The mark as an SVG path of radius 1."""
    scale: float
    """What makes this mark look as big as the others."""
    fill: str
    dash: str
    """SVG dash array in px; "" is solid."""
    width_px: float


def look(label: Label, source: int, prompt: int) -> Look:
    """The look of the line from the `source`-th origin for the `prompt`-th prompt (from 0)."""
    symbol, shape, scale = SHAPES[(source + source // len(PALETTE)) % len(SHAPES)]
    colour = PALETTE[source % len(PALETTE)]
    projected = label is Label.PROJECTED
    return Look(
        colour=colour,
        symbol=f"{symbol}-dot" if projected else symbol,
        shape=shape,
        scale=scale,
        fill=colour if label is Label.MEASURED_HERE else GROUND,
        dash=(DOTTED if projected else DASHES)[prompt % len(DASHES)],
        width_px=2.4 if label is Label.MEASURED_HERE else 1.6,
    )


def radius_px(look: Look, rank: int) -> float:
    """Of a mark; marks under others at the same place stand out as rings around them."""
    return round(look.scale * (4.5 + 3 * rank), 2)
