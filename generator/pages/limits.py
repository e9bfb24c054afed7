"""How far a measured number is from what the machine's data sheet allows, and what another machine
might reach: a projection, shown apart from every measurement and never drawn with one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from generator.measure import roofline
from generator.pages import words
from generator.pages.clips import ClipView
from generator.records import Machine

BY = {"compute": "arithmetic", "memory": "memory bandwidth"}


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitView:
    """One machine's limit of a cell, in words. `share` is that of the limit which was measured."""

    machine: Machine
    fps: str
    share: str
    work: str
    traffic: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectionView:
    """The same share of another machine's limit. Nothing has run there."""

    machine: Machine
    fps: str
    limit: str
    """What its data sheet allows, in FPS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitRow:
    """A cell with its limit, for lists of cells and for its own page."""

    page: str
    title: str
    """Size and steps; more where a list has several cells of these."""
    measured: str
    limit: LimitView
    projections: tuple[ProjectionView, ...]
    """In the order of the machines that numbers are projected to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """A figure that nobody measured, beside a cell that somebody did: what a machine's data sheet
    allows ("limit"), or the share of it that was reached, taken over to another ("projection")."""

    kind: str
    machine: Machine
    fps: float
    share: float
    """Of the limit on the cell's own machine that was measured."""
    work: roofline.Limit
    """What this machine's data sheet allows."""


def bounds(view: ClipView, machine: Machine | None, others: Sequence[Machine]) -> tuple[Bound, ...]:
    """The limit on the cell's machine first, then projections in the order of `others`; none where
    the work, the number or the machine's peaks are not known."""
    clip = view.clip
    network = roofline.NETWORKS.get(view.series.work)
    if network is None or machine is None or clip.fps is None:
        return ()
    cell = (network, clip.width, clip.height, clip.steps)
    if not roofline.can_be(*cell):
        return ()
    here = roofline.limit(*cell, machine)
    if here is None:
        return ()
    share = float(clip.fps) / here.fps
    found = [Bound(kind="limit", machine=machine, fps=here.fps, share=share, work=here)]
    for other in others:
        there = roofline.limit(*cell, other) if other.id != machine.id else None
        if there is not None:
            found.append(
                Bound(
                    kind="projection", machine=other, fps=there.fps * share, share=share, work=there
                )
            )
    return tuple(found)


def limit_rows(
    views: Iterable[ClipView], machine: Machine | None, others: Sequence[Machine]
) -> tuple[LimitRow, ...]:
    """Those of the cells whose work is known, on a machine whose peaks are stated."""
    rows = [(view, limit_row(view, machine, others)) for view in views]
    known = [(view, row) for view, row in rows if row is not None]
    alike = Counter(row.title for _, row in known)
    return tuple(
        row if alike[row.title] == 1 else replace(row, title=view.title) for view, row in known
    )


def limit_row(
    view: ClipView, machine: Machine | None, others: Sequence[Machine]
) -> LimitRow | None:
    """None where the work, the number or the machine's peaks are not known."""
    known = bounds(view, machine, others)
    if not known or view.clip.fps is None:
        return None
    here, projections = known[0], known[1:]
    return LimitRow(
        page=view.page,
        title=f"{view.size}, {view.steps}",
        measured=words.rate(view.clip.fps),
        limit=LimitView(
            machine=here.machine,
            fps=_figure(here.fps),
            share=f"{_figure(here.share * 100)}\u00a0%",
            work=f"{_figure(here.work.flop_per_frame / 1e12)}\u00a0TFLOP",
            traffic=f"{_figure(here.work.bytes_per_frame / 1e9)}\u00a0GB",
            by=BY[here.work.by],
        ),
        projections=tuple(
            ProjectionView(machine=one.machine, fps=_figure(one.fps), limit=_figure(one.work.fps))
            for one in projections
        ),
    )


def _figure(value: float) -> str:
    """Three digits at most after rounding, as many as a data sheet's round peaks can carry."""
    decimals = 0 if value >= 100 else 1 if value >= 10 else 2
    return words.decimal(Fraction(value), least=decimals, most=decimals)
