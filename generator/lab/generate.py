"""A run: cell after cell, each wiped, warmed up, measured, encoded and recorded before the next.

What is there already is not made again. Nothing of a cell is recorded before all of it is there.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

from generator.errors import UsageError
from generator.lab import clock, record
from generator.lab.context import VaceContext
from generator.lab.pipelines import (
    About,
    Frames,
    Heard,
    Parts,
    Pipeline,
    ReadsWords,
    Request,
    about,
    open_pipeline,
)
from generator.lab.record import Cell, RunAbout, seconds_text

__all__ = ["Encode", "Outcome", "Plan", "conditions_of", "measure_cell", "protocol", "run"]

LIGHT = "Files are H.264; one that would weigh more than {:,} bytes was made again in two passes."
NOISE = "random weights: the pictures are noise, and only their timing was kept"
SPEED_ONLY = "speed only: this run kept no clips"


class Encode(Protocol):
    """Writes pictures as a clip."""

    def __call__(
        self,
        parts: Iterable[Frames],
        path: Path,
        *,
        rate_hz: Fraction,
        most_bytes: int | None = None,
    ) -> None: ...


class Progress(Protocol):
    def __call__(self, stage: str, done: int, total: int) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run is to hold. All cells are of one pipeline."""

    pipeline: str
    cells: tuple[Cell, ...]
    parts: Parts
    seconds: Fraction
    repeats: int = 1
    context: VaceContext | None = None
    """What VACE heeds, in all cells; the parts must have its branch."""
    keep_clips: bool = True
    """Whether pictures are encoded, or measured only."""
    keep_noise: bool = False
    """Encode clips of random weights, too."""
    most_clip_bytes: int | None = None
    """What a clip's file may weigh; such as would be larger are made again in two passes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a run came to."""

    made: tuple[str, ...]
    there: tuple[str, ...]
    """Cells that were finished before."""
    failed: Mapping[str, str]
    """Cell -> why it has no number."""
    unread: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Prompt -> words that said nothing to a pipeline that knows some only."""


def run(
    plan: Plan,
    folder: Path,
    run_about: RunAbout,
    *,
    encode: Encode | None,
    progress: Progress = lambda stage, done, total: None,
    opened: Callable[[str, Parts], Pipeline] = open_pipeline,
) -> Outcome:
    """Make all cells that `folder` does not hold yet. Failed ones are tried again.

    A cell for which the device has too little memory is recorded as failed, with the reason, and
    the next one begins; an interrupt leaves what was finished.
    """
    known = about(plan.pipeline)
    frames = clock.frames_of(plan.seconds, known.content_rate_hz)
    there = record.finished(folder)
    done = [cell.id for cell in plan.cells if cell.id in there and not there[cell.id]["failed"]]
    waiting = [cell for cell in plan.cells if cell.id not in done]
    if not waiting:
        return Outcome(made=(), there=tuple(done), failed={})
    pipeline = opened(plan.pipeline, plan.parts)
    heard = heard_of(pipeline, waiting)
    conditions = conditions_of(plan, pipeline)
    record.start(folder, conditions)
    sentences = protocol(
        plan.pipeline, pipeline.memories, plan.seconds, conditions["clock_includes"]
    )
    if plan.most_clip_bytes is not None and plan.keep_clips:
        sentences = (*sentences, LIGHT.format(plan.most_clip_bytes))
    run_about = replace(run_about, protocol=sentences)
    folder.parent.mkdir(parents=True, exist_ok=True)
    made: list[str] = []
    failed: dict[str, str] = {}
    warm: set[tuple[int, int]] = set()
    for cell in waiting:
        progress("cells", len(done) + len(made) + len(failed), len(plan.cells))
        with tempfile.TemporaryDirectory(prefix=".generate-", dir=folder.parent) as scratch:
            try:
                takes = measure_cell(
                    pipeline,
                    cell,
                    known,
                    frames=frames,
                    repeats=plan.repeats,
                    context=plan.context,
                    warm=warm,
                    progress=progress,
                )
            except MemoryError as error:
                failed[cell.id] = f"out of memory: {error}"
                entry = _entry(cell, [], frames, pipeline, conditions, None, "", failed[cell.id])
                _tell_heard(entry, heard)
                record.keep(folder, run_about, entry)
                continue
            clip, why = None, ""
            path = Path(scratch) / f"{cell.id}.mp4"
            noise = plan.parts.weights == "random" and not plan.keep_noise
            if encode is not None and plan.keep_clips and not noise:
                encode(
                    takes[0].frames,
                    path,
                    rate_hz=known.content_rate_hz,
                    most_bytes=plan.most_clip_bytes,
                )
                clip = path
            else:
                why = NOISE if plan.parts.weights == "random" else SPEED_ONLY
            entry = _entry(cell, takes, frames, pipeline, conditions, clip, why, "")
            _tell_heard(entry, heard)
            record.keep(folder, run_about, entry, media=clip)
        made.append(cell.id)
    progress("cells", len(plan.cells), len(plan.cells))
    unread = {prompt: one.unread for prompt, one in heard.items() if one.unread}
    return Outcome(made=tuple(made), there=tuple(done), failed=failed, unread=unread)


def heard_of(pipeline: Pipeline, cells: Iterable[Cell]) -> dict[str, Heard]:
    """What a pipeline that knows some words only makes of each prompt, by its id; before any cell
    is made, so that one that it can make nothing of stops the run there. Raises UsageError that
    tells all of those."""
    if not isinstance(pipeline, ReadsWords):
        return {}
    heard, wrong = dict[str, Heard](), []
    for cell in {cell.prompt: cell for cell in cells}.values():
        try:
            heard[cell.prompt] = pipeline.heard(cell.text)
        except UsageError as error:
            wrong.append(f"{cell.prompt}: {error}")
    if wrong:
        raise UsageError("\n".join(wrong))
    return heard


def _tell_heard(entry: dict[str, Any], heard: Mapping[str, Heard]) -> None:
    if one := heard.get(entry["prompt"]):
        entry["further"] = {"attributes": one.told, "words-not-read": ", ".join(one.unread)}


def measure_cell(
    pipeline: Pipeline,
    cell: Cell,
    known: About,
    *,
    frames: int,
    repeats: int,
    warm: set[tuple[int, int]],
    context: VaceContext | None = None,
    progress: Progress = lambda stage, done, total: None,
) -> list[clock.Take]:
    """All repeats of a cell; only the first keeps its pictures. `warm` holds sizes that were warmed
    up before, and gets this one.

    Raises MemoryError where the device has too little memory.
    """
    request = request_of(cell, context)
    size = (cell.width, cell.height)
    chunks = 2 if size in warm else known.settled_chunk + 2
    takes: list[clock.Take] = []
    with _told_of_memory():
        clock.warm_up(pipeline, request, chunks=chunks)
        warm.add(size)
        for repeat in range(repeats):
            take = clock.measure(
                pipeline,
                request,
                known,
                frames=frames,
                on_chunk=lambda done, of, repeat=repeat: progress(  # type: ignore[misc]
                    "frames", repeat * of + done, repeats * of
                ),
            )
            takes.append(take if repeat == 0 else replace(take, frames=()))
    return takes


@contextmanager
def _told_of_memory() -> Iterator[None]:
    """Turns torch's own error of memory into MemoryError, and gives back what was held."""
    import torch

    try:
        yield
    except torch.OutOfMemoryError as error:
        torch.cuda.empty_cache()
        raise MemoryError(str(error).split(". ")[0]) from error


def request_of(cell: Cell, context: VaceContext | None = None) -> Request:
    return Request(
        prompt=cell.text,
        width=cell.width,
        height=cell.height,
        steps=cell.steps,
        seed=cell.seed,
        switches=tuple((one.chunk, one.text) for one in cell.switches),
        context=context,
    )


def conditions_of(plan: Plan, pipeline: Pipeline) -> dict[str, Any]:
    """Under which all cells of a run are measured."""
    included = list(about(plan.pipeline).clock_includes)
    said = dict(pipeline.said)
    if plan.cells[0].switches:
        included.append("making keys anew where prompts are switched")
        said[record.SWITCHES] = ", ".join(
            f"{one.prompt} from {seconds_text(one.at_s)} s" for one in plan.cells[0].switches
        )
    if plan.context is not None:
        included.append("encoding of the VACE context")
        said[record.CONTEXT] = plan.context.said
    return {
        "pipeline": plan.pipeline,
        "machine": dict(clock.machine(plan.parts.device)),
        "software": dict(clock.software()),
        "said": said,
        "seconds": seconds_text(plan.seconds),
        "content_rate_hz": str(about(plan.pipeline).content_rate_hz),
        "repeats": plan.repeats,
        "clock_includes": included,
        "day": date.today().isoformat(),
    }


def protocol(
    pipeline: str, memories: Sequence[str], seconds: Fraction, included: Sequence[str]
) -> tuple[str, ...]:
    """The method in sentences, with this pipeline's words and numbers."""
    known = about(pipeline)
    words = {
        "memories": ", ".join(memories) or "it has none",
        "included": ", ".join(included),
        "settled": known.settled_chunk + 1,
        "seconds": seconds_text(seconds),
        "rate": seconds_text(known.content_rate_hz),
        "frames": clock.frames_of(seconds, known.content_rate_hz),
    }
    return tuple(sentence.format(**words) for sentence in clock.PROTOCOL)


def _entry(
    cell: Cell,
    takes: Sequence[clock.Take],
    frames: int,
    pipeline: Pipeline,
    conditions: Mapping[str, Any],
    clip: Path | None,
    no_clip: str,
    failed: str,
) -> dict[str, Any]:
    peaks = [take.peak_bytes for take in takes if take.peak_bytes is not None]
    return record.measured(
        cell,
        timings=[take.timing for take in takes],
        peak_bytes=max(peaks, default=None),
        frames=frames,
        frames_sha256=[take.frames_sha256 for take in takes],
        step_list=pipeline.step_list(request_of(cell)),
        conditions=conditions,
        clip={"file": clip.name, "sha256": _sha256_of(clip)} if clip is not None else None,
        no_clip=no_clip,
        failed=failed,
    )


def _sha256_of(path: Path) -> str:
    from generator.clips.hashes import sha256_of

    return sha256_of(path)
