"""Speed against denoising steps: which numbers stand in which line, and what is said of each.

A line holds one run, series, pipeline, prompt and size, so labels and series never mix. Test
cards and series that ask for no chart are left out. A cell without a stated number makes no
mark; the table says "not stated".
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol, TypeVar

from generator.charts.chart import Cell, Chart, LegendEntry, LegendGroup, Table
from generator.charts.figure import traces_per_stroke, write_figure
from generator.charts.look import Look, look
from generator.charts.plot import Axis, Mark, Plot, Reference, Stroke, axis
from generator.charts.poster import draw_poster, draw_swatch
from generator.charts.wording import (
    decimal,
    label_words,
    named_clip,
    named_prompt,
    named_size,
    sentence_list,
)
from generator.records import Clip, Evidence, Label, Pipeline, Prompt

HEIGHT_PX = 460
FILM_RATES_HZ = (Fraction(24), Fraction(30))
NOT_STATED = "not stated"
STEPS_TITLE = "denoising steps, all stages"

ClipUrl = Callable[[Clip], str]
Key = TypeVar("Key", bound=Hashable)


class FittedLine(Protocol):
    """What a fit must tell; `generator.measure.fit.Fit` does."""

    @property
    def a_ms(self) -> float: ...
    @property
    def b_ms_per_step(self) -> float: ...
    @property
    def r2(self) -> float | None: ...
    @property
    def spread_ms(self) -> float: ...
    @property
    def n(self) -> int: ...
    def at(self, steps: float) -> float: ...


FitLine = Callable[[Sequence[tuple[float, float]]], FittedLine]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """The cells of one run, series, pipeline, prompt and size, by steps."""

    name: str
    pipeline: Pipeline
    prompt: str
    look: Look
    cells: tuple[Evidence, ...]

    @property
    def series(self) -> tuple[str, str]:
        """The run and series all its numbers come from."""
        return self.cells[0].run.id, self.cells[0].series.id

    @property
    def stated(self) -> tuple[Evidence, ...]:
        """Cells that can be placed: with a number and a step count."""
        return tuple(cell for cell in self.cells if cell.clip.fps is not None and cell.clip.steps)


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
    lines = _lines(evidence, pipelines, prompts)
    if not any(line.stated for line in lines):
        return None
    references = _references(lines, lambda rate: float(rate), "FPS")
    drawn = [line for line in lines if line.stated]
    marks = _marks(
        drawn,
        clip_url,
        y=lambda fps: float(fps),
        says=lambda cell, fps: (f"{decimal(fps)} FPS, {label_words(cell.series.label)}",),
    )
    strokes = tuple(
        Stroke(
            name=line.name,
            group=_group_title(line),
            look=line.look,
            marks=own,
            through=tuple((mark.x, mark.y) for mark in own),
        )
        for line, own in zip(drawn, marks, strict=True)
    )
    plot = _plot(strokes, references, "output FPS, as stated")
    columns = ("Clip", "Prompt", "Size", "Steps", "Output FPS", "Origin", "Measured by", "Media")
    return Chart(
        id=chart_id,
        title="Output FPS against denoising steps",
        summary=_fps_summary(drawn),
        figure=write_figure(plot),
        poster=draw_poster(plot),
        legend=_legend(drawn, strokes, notes=[""] * len(drawn)),
        table=Table(
            caption="Output FPS as stated by each run",
            columns=columns,
            rows=tuple(
                _row(line, cell, clip_url, (_fps_cell(cell),))
                for line in lines
                for cell in line.cells
            ),
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
    fit_line: FitLine,
    chart_id: str = "ms-per-frame-against-steps",
) -> Chart | None:
    """1000 / stated FPS against steps, with the line a + b * steps of each series.

    `fit_line` takes (steps, ms) pairs of one line; where it raises ValueError nothing is drawn
    and its reason is shown. None when no cell states a number.
    """
    lines = _lines(evidence, pipelines, prompts)
    if not any(line.stated for line in lines):
        return None
    drawn = [line for line in lines if line.stated]
    fits = [_fit(line, fit_line) for line in drawn]
    references = _references(lines, _ms, "ms")
    findings = {id(line): _finding(fit) for line, fit in zip(drawn, fits, strict=True)}
    marks = _marks(
        drawn,
        clip_url,
        y=_ms,
        says=lambda cell, fps: (
            f"{_ms(fps):.1f} ms per frame",
            f"{decimal(fps)} FPS, {label_words(cell.series.label)}",
        ),
        closing=lambda line: findings[id(line)],
    )
    strokes = tuple(
        Stroke(
            name=line.name,
            group=_group_title(line),
            look=line.look,
            marks=own,
            through=() if isinstance(fit, str) else _ends(own, fit),
        )
        for line, own, fit in zip(drawn, marks, fits, strict=True)
    )
    plot = _plot(strokes, references, "ms per output frame")
    columns = (
        *("Clip", "Prompt", "Size", "Steps", "ms per frame", "Output FPS"),
        *("Origin", "Measured by", "Media"),
    )
    return Chart(
        id=chart_id,
        title="Milliseconds per frame against denoising steps",
        summary=(
            "Each line is a least-squares fit a + b · steps within one series: "
            "a is what a frame costs apart from its steps, b what every step adds."
        ),
        figure=write_figure(plot),
        poster=draw_poster(plot),
        legend=_legend(drawn, strokes, notes=[findings[id(line)] for line in drawn]),
        table=Table(
            caption="Milliseconds per output frame, 1000 / stated FPS",
            columns=columns,
            rows=tuple(
                _row(line, cell, clip_url, (_ms_cell(cell), _fps_cell(cell)))
                for line in lines
                for cell in line.cells
            ),
        ),
        fits=_fit_table(drawn, fits),
        height_px=plot.height_px,
        notes=(
            "Fitted within one run, series, pipeline, prompt and size, and drawn no further "
            "than its points reach.",
            *_notes(lines),
        ),
    )


# Which numbers stand in which line


def _lines(
    evidence: Sequence[Evidence], pipelines: Sequence[Pipeline], prompts: Sequence[Prompt]
) -> list[_Line]:
    """All charted cells, cell by cell in exactly one line, in the order they were handed in."""
    charted = [
        cell
        for cell in evidence
        if cell.series.chart and cell.series.label is not Label.DECLARED
    ]
    cells_of: dict[tuple[str, ...], list[Evidence]] = defaultdict(list)
    for cell in charted:
        clip = cell.clip
        cells_of[clip.run, clip.series, clip.pipeline, clip.size, clip.prompt].append(cell)
    stated = [key for key, cells in cells_of.items() if any(cell.clip.fps for cell in cells)]
    silent = [key for key in cells_of if key not in stated]
    sources = _numbered(key[:4] for key in (*stated, *silent))
    asked = _numbered(key[4] for key in (*stated, *silent))
    pipeline_by_id = {pipeline.id: pipeline for pipeline in pipelines}
    prompt_by_id = {prompt.id: prompt for prompt in prompts}
    lines = []
    for key, cells in cells_of.items():
        first = cells[0]
        pipeline = pipeline_by_id[first.clip.pipeline]
        prompt = named_prompt(first.clip, prompt_by_id)
        lines.append(
            _Line(
                name=" · ".join(filter(None, (pipeline.title, named_size(first.clip), prompt))),
                pipeline=pipeline,
                prompt=prompt,
                look=look(first.series.label, sources[key[:4]], asked[key[4]]),
                cells=tuple(sorted(cells, key=lambda cell: cell.clip.steps_total)),
            )
        )
    return lines


def _numbered(keys: Iterable[Key]) -> dict[Key, int]:
    """Distinct keys in order of appearance, counted from 0."""
    return {key: number for number, key in enumerate(dict.fromkeys(keys))}


# Marks and lines


def _marks(
    lines: Sequence[_Line],
    clip_url: ClipUrl,
    *,
    y: Callable[[Fraction], float],
    says: Callable[[Evidence, Fraction], tuple[str, ...]],
    closing: Callable[[_Line], str] = lambda line: "",
) -> list[tuple[Mark, ...]]:
    """The marks of every line; whoever shares a place with others is told so."""
    placed = [
        (line, cell, fps, (float(cell.clip.steps_total), y(fps)))
        for line in lines
        for cell in line.stated
        if (fps := cell.clip.fps) is not None
    ]
    waiting = Counter(place for *_, place in placed)
    named: set[tuple[float, float]] = set()
    marks: dict[int, list[Mark]] = defaultdict(list)
    for line, cell, fps, place in placed:
        waiting[place] -= 1
        others = [
            f"same figure: {other.prompt or other.name}"
            for other, twin, _, at in placed
            if at == place and twin is not cell
        ]
        staged = len(cell.clip.steps) > 1 and place not in named
        named.add(place)
        marks[id(line)].append(
            Mark(
                x=place[0],
                y=place[1],
                href=clip_url(cell.clip),
                hover=(
                    named_clip(line.pipeline, cell.clip),
                    *filter(None, (line.prompt,)),
                    named_size(cell.clip),
                    *says(cell, fps),
                    f"measured by {cell.run.measured_by}",
                    *filter(None, (closing(line),)),
                    *others,
                ),
                text=cell.clip.steps_label if staged else "",
                rank=waiting[place],
            )
        )
    return [tuple(marks[id(line)]) for line in lines]


def _ends(marks: Sequence[Mark], fit: FittedLine) -> tuple[tuple[float, float], ...]:
    """The fitted line from the first to the last step count, and no further."""
    return tuple((x, fit.at(x)) for x in (marks[0].x, marks[-1].x))


def _references(
    lines: Sequence[_Line], place: Callable[[Fraction], float], unit: str
) -> tuple[Reference, ...]:
    """24 and 30 FPS and the content rates of the pipelines, each rate once."""
    content = {line.pipeline.content_rate_hz for line in lines} - {None}
    rates = sorted({*FILM_RATES_HZ, *(rate for rate in content if rate is not None)})
    return tuple(
        Reference(
            y=place(rate),
            label=(
                f"{decimal(rate, shortest=True)} FPS",
                *(("content",) if rate in content else ()),
            ),
        )
        for rate in rates
    )


def _plot(strokes: tuple[Stroke, ...], references: tuple[Reference, ...], title: str) -> Plot:
    return Plot(
        x=axis(STEPS_TITLE, (mark.x for s in strokes for mark in s.marks), most_ticks=8),
        y=_y_axis(title, strokes, references),
        strokes=strokes,
        references=references,
        height_px=HEIGHT_PX,
    )


def _y_axis(title: str, strokes: Sequence[Stroke], references: Sequence[Reference]) -> Axis:
    heights = [mark.y for stroke in strokes for mark in stroke.marks]
    return axis(title, [*heights, *(reference.y for reference in references)], most_ticks=8)


def _ms(fps: Fraction) -> float:
    return float(1000 / fps)


# Fits


def _fit(line: _Line, fit_line: FitLine) -> FittedLine | str:
    """The fitted line, or the reason why there is none."""
    points = [
        (float(cell.clip.steps_total), _ms(cell.clip.fps))
        for cell in line.stated
        if cell.clip.fps is not None
    ]
    try:
        return fit_line(points)
    except ValueError as reason:
        return str(reason)


def _finding(fit: FittedLine | str) -> str:
    if isinstance(fit, str):
        return fit
    sign = "+" if fit.b_ms_per_step >= 0 else "−"
    equation = f"{_signed(fit.a_ms, 1)} ms {sign} {abs(fit.b_ms_per_step):.2f} ms/step"
    return f"{equation}, r² {_r2(fit)}"


def _r2(fit: FittedLine) -> str:
    """Cut, not rounded: 0.99996 is not 1."""
    if fit.r2 is None:
        return "undefined"
    return f"{int(fit.r2 * 10_000) / 10_000:.4f}"


def _signed(value: float, decimals: int) -> str:
    """With a minus sign instead of a hyphen, and none before zero."""
    return f"{round(value, decimals) + 0.0:.{decimals}f}".replace("-", "−")


def _fit_table(lines: Sequence[_Line], fits: Sequence[FittedLine | str]) -> Table:
    rows = []
    for line, fit in zip(lines, fits, strict=True):
        head = (Cell(text=line.name), Cell(text=_group_title(line)))
        if isinstance(fit, str):
            rows.append((*head, *[Cell(text="—", number=True)] * 4, Cell(text=fit)))
            continue
        figures = (
            _signed(fit.a_ms, 2),
            _signed(fit.b_ms_per_step, 3),
            _r2(fit),
            f"{fit.spread_ms:.2f}",
        )
        cells = (Cell(text=figure, number=True) for figure in figures)
        rows.append((*head, *cells, Cell(text=f"{fit.n} points")))
    return Table(
        caption="Fitted lines, ms per frame = a + b · steps",
        columns=("Line", "Origin", "a, ms", "b, ms per step", "r²", "Residual spread, ms", "From"),
        rows=tuple(rows),
    )


# Words around the drawing


def _group_title(line: _Line) -> str:
    first = line.cells[0]
    return f"{label_words(first.series.label).capitalize()} · {first.series.title}"


def _legend(
    lines: Sequence[_Line], strokes: Sequence[Stroke], notes: Sequence[str]
) -> tuple[LegendGroup, ...]:
    entries: dict[tuple[str, str], list[LegendEntry]] = defaultdict(list)
    heads: dict[tuple[str, str], Evidence] = {}
    indices = traces_per_stroke(strokes)
    for line, stroke, note, traces in zip(lines, strokes, notes, indices, strict=True):
        heads.setdefault(line.series, line.cells[0])
        entries[line.series].append(
            LegendEntry(name=line.name, note=note, swatch=draw_swatch(stroke.look), traces=traces)
        )
    return tuple(
        LegendGroup(
            label=label_words(heads[key].series.label).capitalize(),
            title=heads[key].series.title,
            entries=tuple(own),
        )
        for key, own in entries.items()
    )


def _fps_summary(lines: Sequence[_Line]) -> str:
    """The range of every label on its own: labels are never compared unasked."""
    stated: dict[Label, list[Fraction]] = defaultdict(list)
    for line in lines:
        for cell in line.stated:
            if cell.clip.fps is not None:
                stated[cell.series.label].append(cell.clip.fps)
    ranges = []
    for label, figures in stated.items():
        ends = dict.fromkeys(decimal(fps) for fps in (min(figures), max(figures)))
        ranges.append(f"{label_words(label).capitalize()}: {' to '.join(ends)} FPS.")
    return " ".join(ranges)


def _notes(lines: Sequence[_Line]) -> tuple[str, ...]:
    """What a reader must know to read the numbers right."""
    means = {
        line.series: f"{_group_title(line)}: {line.cells[0].series.fps_means}"
        for line in lines
        if line.cells[0].series.fps_means
    }
    content: dict[Fraction, list[str]] = defaultdict(list)
    for pipeline in {line.pipeline.id: line.pipeline for line in lines}.values():
        if pipeline.content_rate_hz is not None:
            content[pipeline.content_rate_hz].append(pipeline.title)
    rates = sentence_list(
        [
            f"{decimal(rate, shortest=True)} FPS for {sentence_list(titles)}"
            for rate, titles in sorted(content.items())
        ]
    )
    of_content = f"“content” marks the frame rate a pipeline makes its frames for: {rates}."
    staged = any(len(cell.clip.steps) > 1 for line in lines for cell in line.cells)
    silent = sum(cell.clip.fps is None for line in lines for cell in line.cells)
    return (
        *means.values(),
        *((of_content,) if rates else ()),
        *(("A staged sampler stands at the sum of its stages.",) if staged else ()),
        *((f"Without a stated number, and so without a mark: {silent}.",) if silent else ()),
    )


def _row(
    line: _Line, cell: Evidence, clip_url: ClipUrl, figures: tuple[Cell, ...]
) -> tuple[Cell, ...]:
    clip = cell.clip
    return (
        Cell(text=named_clip(line.pipeline, clip), href=clip_url(clip)),
        Cell(text=line.prompt or "—"),
        Cell(text=named_size(clip), number=True),
        Cell(text=clip.steps_label, number=True),
        *figures,
        Cell(text=_group_title(line)),
        Cell(text=cell.run.measured_by),
        Cell(text="no clip" if cell.missing else "clip"),
    )


def _fps_cell(cell: Evidence) -> Cell:
    fps = cell.clip.fps
    return Cell(text=NOT_STATED if fps is None else decimal(fps), number=True)


def _ms_cell(cell: Evidence) -> Cell:
    fps = cell.clip.fps
    return Cell(text=NOT_STATED if fps is None else f"{_ms(fps):.1f}", number=True)
