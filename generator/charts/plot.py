"""The drawing, before anybody draws it: axes, lines, points and reference lines in data units."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, floor, log, log10

from generator.charts.look import Look

LABEL_LINE_PX = 17
"""Height of a line of a reference label."""
LEAST_TICK = 1e-5
WIDE, MOST_LOG_TICKS = 50, 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """From 0 to `end`, with a tick at every `tick`; where `start` is above 0, logarithmic from
    there on. `title` carries the unit."""

    title: str
    end: float
    tick: float
    start: float = 0.0

    @property
    def ticks(self) -> tuple[float, ...]:
        if self.start:
            return _log_ticks(self.start, self.end)
        steps = int(self.end / self.tick + 1e-9) + 1
        return tuple(round(self.tick * i, 6) for i in range(steps))

    @property
    def labels(self) -> tuple[str, ...]:
        """Of the ticks: 0.5, 20, 1k."""
        return tuple(f"{at / 1000:g}k" if 1000 <= at < 1e6 else f"{at:g}" for at in self.ticks)

    def share(self, value: float) -> float:
        """Where a value stands, from 0 at the axis' beginning to 1 at its end."""
        if self.start:
            return log(value / self.start) / log(self.end / self.start)
        return value / self.end


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A point and what it tells."""

    x: float
    y: float
    href: str
    hover: tuple[str, ...]
    """Plain lines of text; the first names the clip."""
    text: str
    """Printed beside the point; "" for most."""
    rank: int
    """0, or how many later marks stand at the very same place: such marks become rings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stroke:
    """One line of a chart. `through` are the corners of what is drawn between the marks."""

    name: str
    group: str
    look: Look
    marks: tuple[Mark, ...]
    through: tuple[tuple[float, float], ...]
    between: tuple[tuple[float, float, float], ...] = ()
    """(x, low, high) of a band around it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A horizontal line at `y` to hold the marks against."""

    y: float
    label: tuple[str, ...]
    """One or two short lines of text for the right margin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """Everything that is drawn."""

    x: Axis
    y: Axis
    strokes: tuple[Stroke, ...]
    references: tuple[Reference, ...]
    height_px: int
    stacked: bool = False
    """Lines run one upon the other, with what lies between them filled."""


def axis(title: str, values: Iterable[float], *, most_ticks: int) -> Axis:
    """An axis from 0 that holds all `values`, has round ticks and air at its end."""
    largest = max(values)
    end = largest * 1.07
    least = 1 if largest >= 1 else LEAST_TICK
    tick = next(t for t in _round_numbers(least) if end / t <= most_ticks)
    # A value close under the next tick would leave that tick just outside: let it in.
    if ceil(largest / tick) * tick <= end * 1.02:
        end = max(end, ceil(largest / tick) * tick)
    return Axis(title=title, end=max(round(end, 6), LEAST_TICK), tick=tick)


def wide_axis(title: str, values: Sequence[float], *, most_ticks: int) -> Axis:
    """The same, but logarithmic, and called so, where the largest is `WIDE` times the smallest:
    else all but the largest would lie on the ground."""
    least, largest = min(values), max(values)
    if least <= 0 or largest < WIDE * least:
        return axis(title, values, most_ticks=most_ticks)
    decade = 10.0 ** floor(log10(least))
    start = max(m * decade for m in (1, 2, 5) if m * decade <= least)
    return Axis(
        title=f"{title}, logarithmic", start=start, end=round(largest * 1.15, 6), tick=start
    )


def _log_ticks(start: float, end: float) -> tuple[float, ...]:
    """1, 2 and 5 of every power of ten, or its 1 alone, or those of every second power and so on:
    as many as there is room for."""
    powers = range(floor(log10(start)), floor(log10(end)) + 1)
    sets = (((1, 2, 5), 1), *(((1,), every) for every in range(1, len(powers) + 1)))
    for leads, every in sets:
        rounds = (lead * 10.0**power for power in powers[::every] for lead in leads)
        found = tuple(float(f"{at:.3g}") for at in rounds if start <= at * (1 + 1e-9) and at <= end)
        if len(found) <= MOST_LOG_TICKS:
            break
    return found


def _round_numbers(first: float = 1) -> Iterator[float]:
    """1, 2, 5, 10, 20, 50, ...; `first` is a power of ten."""
    power = first
    while True:
        yield from (power, round(2 * power, 6), round(5 * power, 6))
        power = round(10 * power, 6)


def spread(positions_px: Sequence[float], gaps_px: Sequence[float]) -> tuple[float, ...]:
    """Shifts (px) that keep labels apart: `gaps_px[i]` lies between label i and i + 1.

    `positions_px` ascend. Labels in each other's way share the shift, so that none strays far.
    """
    blocks: list[tuple[float, list[float]]] = []  # (start, offsets of its labels from the start)
    starts = [0.0]
    for gap in gaps_px:
        starts.append(starts[-1] + gap)
    for position, start in zip(positions_px, starts, strict=True):
        wanted = [position - start]
        while blocks and blocks[-1][0] > sum(wanted) / len(wanted):
            wanted = blocks.pop()[1] + wanted
        blocks.append((sum(wanted) / len(wanted), wanted))
    settled = [at for at, wanted in blocks for _ in wanted]
    return tuple(
        at + start - position
        for at, start, position in zip(settled, starts, positions_px, strict=True)
    )


def label_shifts_px(plot: Plot, height_px: float) -> tuple[float, ...]:
    """How far (px, downwards) each reference label must move to keep clear of the others, when
    the axes are `height_px` high. Labels stand centred on their lines otherwise."""
    if not plot.references:
        return ()
    order = sorted(range(len(plot.references)), key=lambda i: plot.references[i].y, reverse=True)
    positions = [(1 - plot.y.share(plot.references[i].y)) * height_px for i in order]
    heights = [LABEL_LINE_PX * len(plot.references[i].label) for i in order]
    gaps = [(above + below) / 2 for above, below in pairwise(heights)]
    shifts = dict(zip(order, spread(positions, gaps), strict=True))
    return tuple(round(shifts[i], 2) for i in range(len(plot.references)))
