"""Which numbers stand in which line, where each one stands, and what it tells.

A line holds one run, series, pipeline, prompt and size, so labels and series never mix. Test
cards and series that ask for no chart are left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

from generator.charts.look import Look, look
from generator.charts.plot import Mark
from generator.charts.wording import (
    dimensions,
    named_act,
    named_clip,
    named_prompt,
)
from generator.records import Clip, Evidence, Label, Pipeline, Prompt

ClipUrl = Callable[[Clip], str]
Key = TypeVar("Key", bound=Hashable)

NEAR = 0.012
"""Share of the highest mark: marks closer than this lie on each other on the screen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """The cells of one run, series, pipeline, prompt and size, by steps."""

    name: str
    pipeline: Pipeline
    prompt: str
    """The prompt's title; "" where the cells have none."""
    look: Look
    cells: tuple[Evidence, ...]
    abroad: bool = False
    """Whether numbers of this pipeline with this label come from other machines as well."""

    @property
    def series(self) -> tuple[str, str]:
        """The run and series all its numbers come from."""
        return self.cells[0].run.id, self.cells[0].series.id

    @property
    def origin(self) -> str:
        """Label and series, as people read them."""
        return f"{self.cells[0].series.label.words.capitalize()} · {self.series_title}"

    @property
    def series_title(self) -> str:
        """With the run's own title where that tells machines apart."""
        cell = self.cells[0]
        return f"{cell.series.title} · {cell.run.title}" if self.abroad else cell.series.title

    @property
    def stated(self) -> tuple[tuple[Evidence, Fraction], ...]:
        """Cells that can be placed, with their FPS: they have a number and a step count."""
        return tuple(
            (cell, cell.clip.fps)
            for cell in self.cells
            if cell.clip.fps is not None and cell.clip.steps
        )


def group(
    evidence: Sequence[Evidence], pipelines: Sequence[Pipeline], prompts: Sequence[Prompt]
) -> list[Line]:
    """Every charted cell in exactly one line; lines in the order their first cells came in."""
    pipeline_by_id = {pipeline.id: pipeline for pipeline in pipelines}
    prompt_by_id = {prompt.id: prompt for prompt in prompts}
    cells_of: dict[tuple[str, ...], list[Evidence]] = defaultdict(list)
    for cell in evidence:
        if cell.series.chart and cell.series.label is not Label.DECLARED:
            clip = cell.clip
            cells_of[clip.run, clip.series, clip.pipeline, clip.size, clip.prompt].append(cell)
    # Lines that draw nothing come last, so that they take no look from those that do.
    by_need = sorted(cells_of, key=lambda key: all(cell.clip.fps is None for cell in cells_of[key]))
    sources = _numbered(key[:4] for key in by_need)
    asked = _numbered(key[4] for key in by_need)
    machines: dict[tuple[str, Label], set[str]] = defaultdict(set)
    for cells in cells_of.values():
        machines[cells[0].clip.pipeline, cells[0].series.label].add(cells[0].run.machine)
    lines = []
    for key, cells in cells_of.items():
        clip = cells[0].clip
        pipeline = pipeline_by_id[clip.pipeline]
        prompt = named_prompt(clip, prompt_by_id)
        lines.append(
            Line(
                name=" · ".join(
                    filter(None, (pipeline.title, dimensions(clip.width, clip.height), prompt))
                ),
                pipeline=pipeline,
                prompt=prompt,
                look=look(cells[0].series.label, sources[key[:4]], asked[key[4]]),
                cells=tuple(sorted(cells, key=lambda cell: cell.clip.steps_total)),
                abroad=len(machines[clip.pipeline, cells[0].series.label]) > 1,
            )
        )
    return lines


def marks(
    lines: Sequence[Line],
    clip_url: ClipUrl,
    *,
    place: Callable[[Fraction], float],
    says: Callable[[Line, Evidence, Fraction], tuple[str, ...]],
) -> list[tuple[Mark, ...]]:
    """The marks of every line. `place` turns FPS into a height, `says` adds what it means.

    Marks at the very same place are ranked, and each mark tells of those it may hide.
    """
    at_steps: dict[int, list[tuple[float, Line, Evidence]]] = defaultdict(list)
    for line in lines:
        for cell, fps in line.stated:
            at_steps[cell.clip.steps_total].append((place(fps), line, cell))
    reach = NEAR * max(y for column in at_steps.values() for y, *_ in column)
    made = []
    for line in lines:
        own = []
        for cell, fps in line.stated:
            clip, y = cell.clip, place(fps)
            column = at_steps[clip.steps_total]
            here = [other for at, _, other in column if at == y]
            number = next(i for i, other in enumerate(here) if other is cell)
            neighbours = (
                f"{'same figure' if at == y else 'close by'}: {_told_apart(line, neighbour)}"
                for at, neighbour, other in column
                if abs(at - y) <= reach and other is not cell
            )
            own.append(
                Mark(
                    x=float(clip.steps_total),
                    y=y,
                    href=clip_url(clip),
                    hover=(
                        named_clip(line.pipeline, clip),
                        *filter(None, (line.prompt,)),
                        dimensions(clip.width, clip.height),
                        *says(line, cell, fps),
                        f"{named_act(cell.series.label)} by {cell.run.measured_by}",
                        *neighbours,
                    ),
                    text=clip.steps_label if len(clip.steps) > 1 and number == 0 else "",
                    rank=len(here) - 1 - number,
                )
            )
        made.append(tuple(own))
    return made


def _told_apart(line: Line, other: Line) -> str:
    """`other` in as few words as tell it from `line`."""
    if other is line:
        return "another cell of this line"
    if other.series != line.series:
        return f"{other.name}, {other.origin}"
    same_kind = other.cells[0].clip.size == line.cells[0].clip.size
    if other.pipeline == line.pipeline and same_kind and other.prompt:
        return other.prompt
    return other.name


def _numbered(keys: Iterable[Key]) -> dict[Key, int]:
    """Distinct keys in order of appearance, counted from 0."""
    return {key: number for number, key in enumerate(dict.fromkeys(keys))}
