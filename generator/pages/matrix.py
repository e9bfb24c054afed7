"""The Matrix Archive: every cell in its row and column.

One band per pipeline, because steps of different pipelines are not the same thing; in a band a
block per series of a run, because numbers compare within one; in a block a row per prompt and
size, a column per step count. Clips without steps (test cards) have no columns: they stand in a
plain sequence by rate.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from generator.pages.clips import CellView, ClipView
from generator.records import SIDES, Label, Pipeline


@dataclass(frozen=True, slots=True, kw_only=True)
class RowView:
    """Cells that differ in nothing but steps. `cells` has an entry per column of the band."""

    prompt_id: str
    prompt_title: str
    size: str
    size_id: str
    cells: tuple[tuple[CellView, ...], ...]

    @property
    def count(self) -> int:
        return sum(map(len, self.cells))

    @property
    def watchable(self) -> tuple[CellView, ...]:
        """Those with a clip that plays, in their order."""
        return tuple(cell for cells in self.cells for cell in cells if cell.playable)

    @property
    def in_step(self) -> tuple[CellView, ...]:
        """What the row's link plays: all that can be watched, or, of more than a comparison
        holds, as many from end to end; none where there are not two."""
        watchable, most = self.watchable, len(SIDES)
        if len(watchable) > most:
            last = len(watchable) - 1
            return tuple(watchable[round(place * last / (most - 1))] for place in range(most))
        return watchable if len(watchable) > 1 else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockView:
    """The rows of one series of one run: numbers that may be compared."""

    series_title: str
    fps_means: str
    label: Label
    interpolation: str
    run_title: str
    rows: tuple[RowView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BandView:
    """All rows of one pipeline."""

    pipeline_id: str
    title: str
    summary: str
    columns: tuple[CellView, ...]
    """A clip of each column, for its steps; empty where the pipeline has none."""
    blocks: tuple[BlockView, ...]
    several_runs: bool
    count: int


def matrix(clips: Iterable[ClipView]) -> tuple[BandView, ...]:
    """Bands in the order of their pipelines."""
    ordered = sorted(clips, key=lambda view: (view.pipeline.order, view.pipeline.id))
    return tuple(
        _band(members[0].pipeline, members)
        for _, group in groupby(ordered, key=lambda view: view.pipeline.id)
        for members in [list(group)]
    )


def shelves(bands: Sequence[BandView], most: int) -> tuple[tuple[BandView, ...], ...]:
    """The bands in portions of at most `most` cells, for a page each; rows stay whole."""
    made: list[tuple[BandView, ...]] = []
    shelf: list[tuple[BandView, BlockView, RowView]] = []
    room = most
    for band, block, row in _rows(bands):
        if shelf and row.count > room:
            made.append(_assembled(shelf))
            shelf, room = [], most
        shelf.append((band, block, row))
        room -= row.count
    return (*made, _assembled(shelf)) if shelf else tuple(made)


def _rows(bands: Sequence[BandView]) -> Iterator[tuple[BandView, BlockView, RowView]]:
    for band in bands:
        for block in band.blocks:
            for row in block.rows:
                yield band, block, row


def _assembled(shelf: Sequence[tuple[BandView, BlockView, RowView]]) -> tuple[BandView, ...]:
    """Bands and blocks again, with the rows of one shelf."""
    bands: dict[int, BandView] = {}
    blocks: dict[int, dict[int, BlockView]] = {}
    rows: dict[int, list[RowView]] = {}
    for band, block, row in shelf:
        bands[id(band)] = band
        blocks.setdefault(id(band), {})[id(block)] = block
        rows.setdefault(id(block), []).append(row)
    return tuple(
        replace(
            band,
            blocks=tuple(
                replace(block, rows=tuple(rows[block_id]))
                for block_id, block in blocks[band_id].items()
            ),
        )
        for band_id, band in bands.items()
    )


def _band(pipeline: Pipeline, clips: Sequence[ClipView]) -> BandView:
    columns: dict[tuple[int, ...], ClipView] = {}
    rows: dict[tuple[object, ...], list[ClipView]] = {}
    for view in clips:
        columns.setdefault(view.clip.steps, view)
        rows.setdefault(_row_key(view), []).append(view)
    steps = sorted(columns, key=lambda counts: (len(counts), sum(counts), counts))
    ordered = sorted(rows.values(), key=lambda members: _row_order(members[0]))
    return BandView(
        pipeline_id=pipeline.id,
        title=pipeline.title,
        summary=pipeline.summary,
        columns=tuple(columns[counts].cell for counts in steps) if steps != [()] else (),
        blocks=tuple(
            _block(list(members), steps)
            for _, members in groupby(ordered, key=lambda row: (row[0].run.id, row[0].series.id))
        ),
        several_runs=len({view.run.id for view in clips}) > 1,
        count=len(clips),
    )


def _block(rows: Sequence[Sequence[ClipView]], steps: Sequence[tuple[int, ...]]) -> BlockView:
    any_clip = rows[0][0]
    return BlockView(
        series_title=any_clip.series.title,
        fps_means=any_clip.series.fps_means,
        label=any_clip.series.label,
        interpolation=any_clip.series.interpolation,
        run_title=any_clip.run.title,
        rows=tuple(_row(row, steps) for row in rows),
    )


def _row(clips: Sequence[ClipView], steps: Sequence[tuple[int, ...]]) -> RowView:
    any_clip = clips[0]
    ordered = sorted(clips, key=_by_rate)
    cells: dict[tuple[int, ...], list[CellView]] = {}
    for view in ordered:
        cells.setdefault(view.clip.steps, []).append(view.cell)
    return RowView(
        prompt_id=any_clip.clip.prompt,
        prompt_title=any_clip.prompt.title if any_clip.prompt else "",
        size=any_clip.size,
        size_id=any_clip.clip.size,
        cells=tuple((view.cell,) for view in ordered)
        if steps == [()]
        else tuple(tuple(cells.get(counts, ())) for counts in steps),
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
