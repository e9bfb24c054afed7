"""Charts of a page's own: the columns of a table as lines, side by side or one upon the other."""

from __future__ import annotations

from itertools import accumulate

from generator.charts.chart import Cell, Chart, LegendEntry, LegendGroup, Table
from generator.charts.figure import traces_per_stroke, write_figure
from generator.charts.look import look
from generator.charts.plot import Mark, Plot, Stroke, axis
from generator.charts.poster import draw_poster, draw_swatch
from generator.records import PageChart

HEIGHT_PX = 420


def curves(told: PageChart, *, href: str) -> Chart:
    """`href` is what marks lead to: the page of the run that the numbers are of.

    Where they are stacked, a line runs at the sum of its own numbers and of all before it.
    """
    origin = f"{told.label.words.capitalize()} · {told.run_title}"
    heights = [_heights(values, told.stacked) for _, values in told.rows]
    strokes = []
    for number, name in enumerate(told.names):
        spans = () if told.stacked else told.intervals.get(name, ())
        spans = spans or (None,) * len(told.rows)
        marks = tuple(
            Mark(
                x=x,
                y=height,
                href=href,
                hover=(
                    name,
                    f"{told.x}: {x:g}",
                    f"{values[number]:g} {told.unit}",
                    *((f"{height:g} {told.unit} with all below",) if told.stacked else ()),
                    *((f"interval {span[0]:g} to {span[1]:g} {told.unit}",) if span else ()),
                ),
                text="",
                rank=0,
            )
            for (x, values), reached, span in zip(told.rows, heights, spans, strict=True)
            if (height := reached[number]) is not None
        )
        strokes.append(
            Stroke(
                name=name,
                group=origin,
                look=look(told.label, number, 0),
                marks=marks,
                through=tuple((mark.x, mark.y) for mark in marks),
                between=tuple(
                    (x, *span) for (x, _), span in zip(told.rows, spans, strict=True) if span
                ),
            )
        )
    drawn = [stroke for stroke in strokes if stroke.marks]
    plot = Plot(
        x=axis(told.x, (x for x, _ in told.rows), most_ticks=14),
        y=axis(
            f"{told.y}, {told.unit}" + (", stacked" if told.stacked else ""),
            (
                y
                for stroke in drawn
                for y in (
                    *(mark.y for mark in stroke.marks),
                    *(high for *_, high in stroke.between),
                )
            ),
            most_ticks=8,
        ),
        strokes=tuple(drawn),
        references=(),
        height_px=HEIGHT_PX,
        stacked=told.stacked,
    )
    entries = tuple(
        LegendEntry(
            name=stroke.name,
            note="",
            swatch=draw_swatch(stroke.look, lined=len(stroke.through) > 1),
            traces=traces,
        )
        for stroke, traces in zip(drawn, traces_per_stroke(drawn), strict=True)
    )
    return Chart(
        id=told.id,
        title=told.title,
        summary=told.summary,
        figure=write_figure(plot),
        poster=draw_poster(plot),
        legend=(
            LegendGroup(label=told.label.words.capitalize(), title=told.run_title, entries=entries),
        ),
        table=Table(
            caption=f"{told.title}: {told.y}, {told.unit}",
            columns=(told.x, *told.names),
            rows=tuple(
                (
                    Cell(text=f"{x:g}"),
                    *(
                        Cell(
                            text=_written(value, told.intervals.get(name, ())[i : i + 1]),
                            number=True,
                        )
                        for name, value in zip(told.names, values, strict=True)
                    ),
                )
                for i, (x, values) in enumerate(told.rows)
            ),
        ),
        fits=None,
        height_px=plot.height_px,
        notes=(),
    )


def _written(value: float | None, span: tuple[tuple[float, float] | None, ...]) -> str:
    if value is None:
        return "—"
    low_high = span[0] if span else None
    return f"{value:g} ({low_high[0]:g}–{low_high[1]:g})" if low_high else f"{value:g}"


def _heights(values: tuple[float | None, ...], stacked: bool) -> tuple[float | None, ...]:
    """Where the lines run; a number that is missing takes no room, and has no mark."""
    if not stacked:
        return values
    sums = accumulate(0.0 if value is None else value for value in values)
    return tuple(
        None if value is None else round(total, 6)
        for value, total in zip(values, sums, strict=True)
    )
