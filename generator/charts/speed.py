"""Speed against denoising steps: output FPS as stated, and milliseconds per frame with fits.

A cell without a stated number makes no mark; the table says "not stated".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from fractions import Fraction

from generator.charts.chart import Cell, Chart, LegendEntry, LegendGroup, Table
from generator.charts.figure import traces_per_stroke, write_figure
from generator.charts.lines import ClipUrl, Line, group, marks
from generator.charts.plot import Plot, Reference, Stroke, axis, wide_axis
from generator.charts.poster import draw_poster, draw_swatch
from generator.charts.wording import (
    decimal,
    dimensions,
    named_clip,
    sentence_list,
    signed,
)
from generator.measure.fit import Fit, fit_line
from generator.records import Evidence, Label, Pipeline, Prompt

HEIGHT_PX = 460
FILM_RATES_HZ = (Fraction(24), Fraction(30))
NOT_STATED = "not stated"

FitLine = Callable[[Sequence[tuple[float, float]]], Fit]


def fps_against_steps(
    evidence: Sequence[Evidence],
    *,
    pipelines: Sequence[Pipeline],
    prompts: Sequence[Prompt],
    clip_url: ClipUrl,
    chart_id: str = "fps-against-steps",
) -> Chart | None:
    """Output FPS as stated against denoising steps; None when no cell states a number.

    `clip_url` gives the address of a clip's page relative to the page that shows the chart.
    """
    lines = group(evidence, pipelines, prompts)
    drawn = [line for line in lines if line.stated]
    if not drawn:
        return None
    placed = marks(
        drawn,
        clip_url,
        place=float,
        says=lambda line, cell, fps: (f"{decimal(fps)} FPS, {cell.series.label.words}",),
    )
    strokes = tuple(
        Stroke(
            name=line.name,
            group=line.origin,
            look=line.look,
            marks=own,
            through=tuple((mark.x, mark.y) for mark in own),
        )
        for line, own in zip(drawn, placed, strict=True)
    )
    plot = _plot("output FPS, as stated", strokes, _references(lines, float), wide=True)
    return Chart(
        id=chart_id,
        title="Output FPS against denoising steps",
        summary=_ranges(drawn),
        figure=write_figure(plot),
        poster=draw_poster(plot),
        legend=_legend(drawn, strokes, notes=[""] * len(drawn)),
        table=_table(
            "Output FPS as stated by each run", lines, clip_url, {"Output FPS": _stated_fps}
        ),
        fits=None,
        height_px=plot.height_px,
        notes=_notes(lines),
    )


def ms_per_frame_against_steps(
    evidence: Sequence[Evidence],
    *,
    pipelines: Sequence[Pipeline],
    prompts: Sequence[Prompt],
    clip_url: ClipUrl,
    fit_line: FitLine = fit_line,
    chart_id: str = "ms-per-frame-against-steps",
) -> Chart | None:
    """1000 / stated FPS against steps, with the fitted line a + b * steps of each series.

    Each line of the chart is fitted on its own; where `fit_line` raises ValueError nothing is
    drawn and its reason is shown. None when no cell states a number.
    """
    lines = group(evidence, pipelines, prompts)
    drawn = [line for line in lines if line.stated]
    if not drawn:
        return None
    fits = [_fit(line, fit_line) for line in drawn]
    findings = {line.cells[0].clip.id: _finding(fit) for line, fit in zip(drawn, fits, strict=True)}
    placed = marks(
        drawn,
        clip_url,
        place=_ms,
        says=lambda line, cell, fps: (
            f"{_ms(fps):.1f} ms per frame",
            f"{decimal(fps)} FPS, {cell.series.label.words}",
            findings[line.cells[0].clip.id],
        ),
    )
    strokes = tuple(
        Stroke(
            name=line.name,
            group=line.origin,
            look=line.look,
            marks=own,
            through=()
            if isinstance(fit, str)
            else tuple((end.x, fit.at(end.x)) for end in (own[0], own[-1])),
        )
        for line, own, fit in zip(drawn, placed, fits, strict=True)
    )
    plot = _plot("ms per output frame", strokes, _references(lines, _ms))
    return Chart(
        id=chart_id,
        title="Milliseconds per frame against denoising steps",
        summary=(
            "Each line is a least-squares fit a + b · steps within one series: "
            "a is what an output frame costs apart from its steps, b what every step adds to it."
            f"{_interpolated(drawn)}"
        ),
        figure=write_figure(plot),
        poster=draw_poster(plot),
        legend=_legend(drawn, strokes, notes=list(findings.values())),
        table=_table(
            "Milliseconds per output frame, 1000 / stated FPS",
            lines,
            clip_url,
            {"ms per frame": _stated_ms, "Output FPS": _stated_fps},
        ),
        fits=_fit_table(drawn, fits),
        height_px=plot.height_px,
        notes=(
            "Fitted within one run, series, pipeline, prompt and size, and drawn no further "
            "than its points reach.",
            *_notes(lines),
        ),
    )


def _interpolated(lines: Sequence[Line]) -> str:
    """What an output frame is, where some come from an interpolator."""
    names = {line.cells[0].series.interpolation for line in lines} - {"", "none"}
    if not names:
        return ""
    return f" Frames from {sentence_list(sorted(names))} count as output frames."


def _ms(fps: Fraction) -> float:
    return float(1000 / fps)


def _plot(
    title: str,
    strokes: tuple[Stroke, ...],
    references: tuple[Reference, ...],
    *,
    wide: bool = False,
) -> Plot:
    placed = [mark for stroke in strokes for mark in stroke.marks]
    heights = [*(mark.y for mark in placed), *(reference.y for reference in references)]
    return Plot(
        x=axis("denoising steps, all stages", (mark.x for mark in placed), most_ticks=8),
        y=(wide_axis if wide else axis)(title, heights, most_ticks=8),
        strokes=strokes,
        references=references,
        height_px=HEIGHT_PX,
    )


def _references(lines: Sequence[Line], place: Callable[[Fraction], float]) -> tuple[Reference, ...]:
    """24 and 30 FPS and the content rates of the pipelines, each rate once."""
    content = _content_rates(lines)
    return tuple(
        Reference(
            y=place(rate),
            label=(
                f"{decimal(rate, shortest=True)} FPS",
                *(("content",) if rate in content else ()),
            ),
        )
        for rate in sorted({*FILM_RATES_HZ, *content})
    )


def _content_rates(lines: Sequence[Line]) -> dict[Fraction, list[str]]:
    """Content rate (Hz) -> titles of the pipelines that have it."""
    rates: dict[Fraction, list[str]] = defaultdict(list)
    for pipeline in {line.pipeline.id: line.pipeline for line in lines}.values():
        if pipeline.content_rate_hz is not None:
            rates[pipeline.content_rate_hz].append(pipeline.title)
    return rates


def _fit(line: Line, fit_line: FitLine) -> Fit | str:
    """The fitted line, or the reason why there is none."""
    try:
        return fit_line([(float(cell.clip.steps_total), _ms(fps)) for cell, fps in line.stated])
    except ValueError as reason:
        return str(reason)


def _finding(fit: Fit | str) -> str:
    if isinstance(fit, str):
        return fit[:1].upper() + fit[1:]
    sign = "+" if fit.b_ms_per_step >= 0 else "−"
    slope = f"{abs(fit.b_ms_per_step):.2f} ms/step"
    return f"{signed(fit.a_ms, 1)} ms {sign} {slope}, r² {_r2(fit)}"


def _r2(fit: Fit) -> str:
    """To the nearest of four decimals; only a perfect fit is called 1."""
    if fit.r2 is None:
        return "undefined"
    rounded = f"{fit.r2:.4f}"
    return "0.9999" if rounded == "1.0000" and fit.r2 != 1 else rounded


def _fit_table(lines: Sequence[Line], fits: Sequence[Fit | str]) -> Table:
    rows = []
    for line, fit in zip(lines, fits, strict=True):
        if isinstance(fit, str):
            figures, origin = ["—"] * 4, fit
        else:
            figures = [
                signed(fit.a_ms, 2),
                signed(fit.b_ms_per_step, 3),
                _r2(fit),
                f"{fit.spread_ms:.2f}",
            ]
            origin = f"{fit.n} points"
        numbers = (Cell(text=figure, number=True) for figure in figures)
        rows.append((Cell(text=line.name), Cell(text=line.origin), *numbers, Cell(text=origin)))
    return Table(
        caption="Fitted lines, ms per frame = a + b · steps",
        columns=("Line", "Origin", "a, ms", "b, ms per step", "r²", "Residual spread, ms", "From"),
        rows=tuple(rows),
    )


def _table(
    caption: str,
    lines: Sequence[Line],
    clip_url: ClipUrl,
    figures: dict[str, Callable[[Evidence], str]],
) -> Table:
    """A row per charted cell, with or without a number; `figures` are the columns that differ."""
    return Table(
        caption=caption,
        columns=("Clip", "Prompt", "Size", "Steps", *figures, "Origin", "By", "Media"),
        rows=tuple(
            (
                Cell(text=named_clip(line.pipeline, cell.clip), href=clip_url(cell.clip)),
                Cell(text=line.prompt or "—"),
                Cell(text=dimensions(cell.clip.width, cell.clip.height), number=True),
                Cell(text=cell.clip.steps_label, number=True),
                *(Cell(text=figure(cell), number=True) for figure in figures.values()),
                Cell(text=line.origin),
                Cell(text=cell.run.measured_by),
                Cell(text="no clip" if cell.missing else "clip"),
            )
            for line in lines
            for cell in line.cells
        ),
    )


def _stated_fps(cell: Evidence) -> str:
    return NOT_STATED if cell.clip.fps is None else decimal(cell.clip.fps)


def _stated_ms(cell: Evidence) -> str:
    return NOT_STATED if cell.clip.fps is None else f"{_ms(cell.clip.fps):.1f}"


def _legend(
    lines: Sequence[Line], strokes: Sequence[Stroke], notes: Sequence[str]
) -> tuple[LegendGroup, ...]:
    """One group per run and series, under its label."""
    entries: dict[tuple[str, str], list[LegendEntry]] = defaultdict(list)
    indices = traces_per_stroke(strokes)
    for line, stroke, note, traces in zip(lines, strokes, notes, indices, strict=True):
        entries[line.series].append(
            LegendEntry(
                name=line.name,
                note=note,
                swatch=draw_swatch(line.look, lined=len(stroke.through) > 1),
                traces=traces,
            )
        )
    first = {line.series: line for line in reversed(lines)}
    return tuple(
        LegendGroup(
            label=first[key].cells[0].series.label.words.capitalize(),
            title=first[key].series_title,
            entries=tuple(own),
        )
        for key, own in entries.items()
    )


def _ranges(lines: Sequence[Line]) -> str:
    """The range of every label on its own: what was measured is not held against promises."""
    stated: dict[Label, list[Fraction]] = defaultdict(list)
    for line in lines:
        stated[line.cells[0].series.label].extend(fps for _, fps in line.stated)
    sentences = []
    for label, figures in stated.items():
        ends = dict.fromkeys(decimal(fps) for fps in (min(figures), max(figures)))
        sentences.append(f"{label.words.capitalize()}: {' to '.join(ends)} FPS.")
    return " ".join(sentences)


def _notes(lines: Sequence[Line]) -> tuple[str, ...]:
    """What a reader must know to read the numbers right."""
    series = {line.series: line for line in lines if line.cells[0].series.fps_means}
    means = [f"{line.origin}: {line.cells[0].series.fps_means}" for line in series.values()]
    rates = [
        f"{decimal(rate, shortest=True)} FPS for {sentence_list(titles)}"
        for rate, titles in sorted(_content_rates(lines).items())
    ]
    cells = [cell for line in lines for cell in line.cells]
    silent = sum(cell.clip.fps is None for cell in cells)
    notes = [*means]
    if rates:
        notes.append(
            "“content” marks the frame rate a pipeline makes its frames for: "
            f"{sentence_list(rates)}."
        )
    if any(len(cell.clip.steps) > 1 for cell in cells):
        notes.append("A staged sampler stands at the sum of its stages.")
    if silent:
        notes.append(f"Without a stated number, and so without a mark: {silent}.")
    return tuple(notes)
