"""What a page gets: a chart with its picture, legend, numbers and notes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One cell of a table; `href` makes it a link, `number` aligns it right."""

    text: str
    href: str = ""
    number: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The numbers behind a chart; the first cell of a row names the row."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LegendEntry:
    """One line of the chart: its look, its name, what the fit found (or "")."""

    name: str
    note: str
    swatch: str
    """Inline SVG, safe to print as it is."""
    traces: tuple[int, ...]
    """Indices of its traces in the figure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LegendGroup:
    """Lines whose numbers have one origin: a label and a series of a run."""

    label: str
    title: str
    entries: tuple[LegendEntry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A chart as a page shows it, with and without JavaScript.

    `id` is unique on its page and serves as the name of the figure's JSON file.
    """

    id: str
    title: str
    summary: str
    """What to read from it, in one or two sentences of plain text."""
    figure: str
    """Plotly figure as JSON: equal numbers give equal bytes."""
    poster: str
    """The same picture as inline SVG, safe to print as it is."""
    legend: tuple[LegendGroup, ...]
    table: Table
    fits: Table | None
    """The fitted lines; None where the chart fits none."""
    height_px: int
    notes: tuple[str, ...]
