"""A small archive for the charts' tests: real figures of the original page, and three others that
nobody measured, each under the label that says so."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from generator.records import Clip, Evidence, Label, Pipeline, Prompt, Run, Series

PROMPTS = tuple(
    Prompt(id=id, title=title, text=title, html="", order=order)
    for order, (id, title) in enumerate(
        [("detective", "Cyberpunk detective"), ("metropolis", "Drone over a metropolis")]
    )
)


def pipeline(id: str, title: str, content_rate_hz: Fraction | None = None) -> Pipeline:
    return Pipeline(
        id=id, title=title, summary="", html="", order=0, content_rate_hz=content_rate_hz,
        parameters="", licence="", renderer="", links=(),
    )  # fmt: skip


PIPELINES = (
    pipeline("memflow", "MemFlow", Fraction(16)),
    pipeline("helios", "Helios", Fraction(24)),
    pipeline("test-card", "Test card"),
)


def series(id: str, label: Label, *, chart: bool = True, fps_means: str = "") -> Series:
    return Series(
        id=id, title=id.replace("-", " "), label=label, fps_means=fps_means,
        spread_over_s=None, interpolation="", chart=chart,
    )  # fmt: skip


RIFE = series(
    "with-RIFE",
    Label.PUBLISHED_ELSEWHERE,
    fps_means="output frames per second with RIFE on, as stated by the author",
)
NO_RIFE = series("without-RIFE", Label.PUBLISHED_ELSEWHERE)
STAGED = series("three-stages", Label.PUBLISHED_ELSEWHERE)
OURS = series("our-bench", Label.MEASURED_HERE)
PLANNED = series("roofline", Label.PROJECTED)
CARDS = series("cards", Label.DECLARED)
HIDDEN = series("hidden", Label.MEASURED_HERE, chart=False)


def run(id: str, measured_by: str) -> Run:
    return Run(
        id=id, title=id, summary="", html="", measured_by=measured_by, published="2026-03-01",
        source=None, machine="", machine_stated="", software=(), weights="", protocol=(),
        rights="", publish_media=False, publish_stills=False, series=(), claims=(),
        folder=Path(id),
    )  # fmt: skip


PAGE = run("page", "the page's author")
BENCH = run("bench", "this project")


def cell(
    of: Run,
    within: Series,
    pipeline: str,
    prompt: str,
    size: tuple[int, int],
    steps: tuple[int, ...],
    fps: str | None,
    *,
    missing: str = "",
) -> Evidence:
    """One cell of the matrix; `fps` as one would write it in clips.csv."""
    name = f"{pipeline}-{prompt or 'none'}-{size[1]}-{'_'.join(map(str, steps))}-{within.id}"
    clip = Clip(
        id=f"{of.id}--{name}", row_id=name, run=of.id, series=within.id, pipeline=pipeline,
        prompt=prompt, width=size[0], height=size[1], steps=steps,
        fps=None if fps is None else Fraction(fps), stated_frames=None, stated_seconds=None,
        seed=None, sha256=None, url=None, file=None, no_clip=missing, line=2,
    )  # fmt: skip
    return Evidence(
        clip=clip, run=of, series=within, media=None, missing=missing, verdicts=(),
        publish_media=False, publish_stills=False,
    )  # fmt: skip


STEPS = (2, 3, 4, 6, 8, 10, 12)
MEMFLOW_FPS = {
    ("detective", (512, 288)): ("49.3", "38.9", "36.7", "27.5", "22.1", "18.8", "16.3"),
    ("metropolis", (512, 288)): ("47.2", "40.5", "34.8", "27.1", "23.0", "19.3", "16.7"),
    ("detective", (848, 480)): ("28.3", "24.3", "20.6", "16.5", "13.3", "11.3", "9.3"),
    ("metropolis", (848, 480)): ("28.7", "23.9", "20.5", "16.4", "13.3", "11.1", "9.4"),
}

PUBLISHED = (
    *(
        cell(PAGE, RIFE, "memflow", prompt, size, (steps,), fps)
        for (prompt, size), figures in MEMFLOW_FPS.items()
        for steps, fps in zip(STEPS, figures, strict=True)
    ),
    *(
        cell(PAGE, STAGED, "helios", prompt.id, (640, 384), (stage,) * 3, fps)
        for prompt in PROMPTS
        for stage, fps in ((1, "12.8"), (2, "11.0"))
    ),
    cell(PAGE, NO_RIFE, "memflow", "detective", (512, 288), (4,), None, missing="Never published."),
)
"""What the original page publishes, and one cell without a number."""

OTHERS = (
    *(cell(BENCH, OURS, "memflow", "detective", (512, 288), (n,), f"{60 / n}") for n in (2, 4, 8)),
    *(cell(BENCH, PLANNED, "memflow", "detective", (512, 288), (n,), f"{75 / n}") for n in (2, 4)),
    cell(BENCH, CARDS, "test-card", "", (512, 288), (), "24"),
    cell(BENCH, HIDDEN, "memflow", "detective", (512, 288), (6,), "77"),
)
"""Invented figures under every other label, a test card, and a series that wants no chart."""


def clip_url(clip: Clip) -> str:
    return f"../clips/{clip.id}/"
