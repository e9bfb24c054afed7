"""The Matrix Archive: every cell in its row and column.

One band per pipeline, because steps of different pipelines are not the same thing; in a band a
block per series of a run, because numbers compare within one; in a block a row per prompt and
size, a column per step count. Clips without steps (test cards) have no columns: they stand in a
plain sequence by rate.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from generator.pages.clips import ClipView
from generator.records import Pipeline


@dataclass(frozen=True, slots=True, kw_only=True)
class RowView:
    """Cells that differ in nothing but steps. `cells` has an entry per column of the band."""

    clip: ClipView
    """Any of its clips: for what all of them share."""
    cells: tuple[tuple[ClipView, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockView:
    """The rows of one series of one run: numbers that may be compared."""

    clip: ClipView
    """Any of its clips."""
    rows: tuple[RowView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BandView:
    """All rows of one pipeline."""

    pipeline: Pipeline
    columns: tuple[ClipView, ...]
    """A clip of each column, for its steps; empty where the pipeline has none."""
    blocks: tuple[BlockView, ...]
    several_runs: bool
    count: int


def matrix(clips: Iterable[ClipView]) -> tuple[BandView, ...]:
    """Bands in the order of their pipelines."""
    ordered = sorted(clips, key=lambda view: (view.pipeline.order, view.pipeline.id))
    return tuple(
        _band(list(members)) for _, members in groupby(ordered, key=lambda view: view.pipeline.id)
    )


def _band(clips: Sequence[ClipView]) -> BandView:
    columns: dict[tuple[int, ...], ClipView] = {}
    rows: dict[tuple[object, ...], list[ClipView]] = {}
    for view in clips:
        columns.setdefault(view.clip.steps, view)
        rows.setdefault(_row_key(view), []).append(view)
    steps = sorted(columns, key=lambda counts: (len(counts), sum(counts), counts))
    keys = sorted(rows, key=lambda key: _row_order(rows[key][0]))
    made = [RowView(clip=rows[key][0], cells=_cells(rows[key], steps)) for key in keys]
    return BandView(
        pipeline=clips[0].pipeline,
        columns=tuple(columns[counts] for counts in steps) if steps != [()] else (),
        blocks=tuple(
            _block(list(members))
            for _, members in groupby(made, key=lambda row: (row.clip.run.id, row.clip.series.id))
        ),
        several_runs=len({view.run.id for view in clips}) > 1,
        count=len(clips),
    )


def _block(rows: Sequence[RowView]) -> BlockView:
    return BlockView(clip=rows[0].clip, rows=tuple(rows))


def _cells(
    clips: Sequence[ClipView], steps: Sequence[tuple[int, ...]]
) -> tuple[tuple[ClipView, ...], ...]:
    if steps == [()]:
        return tuple((view,) for view in sorted(clips, key=_by_rate))
    return tuple(
        tuple(sorted((view for view in clips if view.clip.steps == counts), key=_by_rate))
        for counts in steps
    )


def _row_key(view: ClipView) -> tuple[object, ...]:
    return (view.clip.prompt, view.clip.width, view.clip.height, view.run.id, view.series.id)


def _row_order(view: ClipView) -> tuple[object, ...]:
    """Series first, so that the main one reads as a block; then prompt and picture area."""
    series = [series.id for series in view.run.series].index(view.series.id)
    return (
        view.run.published,
        view.run.id,
        series,
        view.prompt.order if view.prompt else -1,
        view.clip.prompt,
        view.clip.width * view.clip.height,
        view.clip.width,
    )


def _by_rate(view: ClipView) -> tuple[bool, object, str]:
    return (view.clip.fps is None, view.clip.fps or 0, view.id)
