"""Clips of declared cells for a build: `build --generate` renders with the lab through this door.

No torch before the first cell that has to be made.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from generator.errors import MediaError, UsageError
from generator.lab import clock
from generator.lab.pipelines import Frames, Parts, Pipeline, Request, about, open_pipeline
from generator.lab.record import weights_of
from generator.records import Catalogue, Clip

__all__ = ["LabRenderer", "renderers"]

FILE = "clip.mp4"
RECIPE = 1
DEFAULT_SECONDS = Fraction(20)


class LabRenderer:
    """Renders one clip after the other; a pipeline is opened once and wiped before each."""

    def __init__(
        self,
        parts: Parts,
        catalogue: Callable[[], Catalogue],
        opened: Callable[[str, Parts], Pipeline] = open_pipeline,
    ) -> None:
        self._parts, self._catalogue, self._opened = parts, catalogue, opened
        self._one_at_a_time = threading.Lock()
        self._pipelines: dict[str, Pipeline] = {}
        self._known: Catalogue | None = None

    def __call__(self, clip: Clip, *, cache: Path) -> Path:
        """The clip of a declared cell, made now or taken from `cache`.

        Raises MediaError where the cell cannot be made, and where its run states other weights
        than these: a clip is never shown under weights that did not make it. Raises UsageError
        without the extra `lab`.
        """
        from generator.clips.cache import derived
        from generator.clips.encode import encode

        with self._one_at_a_time:
            if self._known is None:
                self._known = self._catalogue()
            known = about(clip.pipeline)
            request = self._request(clip, self._known)
            seconds = clip.stated_seconds or DEFAULT_SECONDS
            try:
                frames = clock.frames_of(seconds, known.content_rate_hz)
            except UsageError as error:
                raise MediaError(f"{clip.id}: {error}") from error
            pipeline = self._pipeline(clip.pipeline)
            self._check_weights(clip, pipeline)

            def make(folder: Path) -> None:
                pipeline.wipe()
                try:
                    pipeline.prepare(request)
                except UsageError as error:
                    raise MediaError(f"{clip.id}: {error}") from error
                encode(
                    _first(pipeline.stream(), frames),
                    folder / FILE,
                    rate_hz=known.content_rate_hz,
                )

            recipe = {
                "kind": "lab",
                "version": RECIPE,
                "pipeline": clip.pipeline,
                "prompt": request.prompt,
                "size": clip.size,
                "steps": list(request.steps),
                "seed": request.seed,
                "frames": frames,
                "said": dict(pipeline.said),
                "device": dict(clock.machine(self._parts.device)),
                "software": dict(clock.software()),
            }
            return derived(cache, source_sha256="", recipe=recipe, make=make) / FILE

    def _pipeline(self, name: str) -> Pipeline:
        if name not in self._pipelines:
            self._pipelines[name] = self._opened(name, self._parts)
        return self._pipelines[name]

    def _request(self, clip: Clip, known: Catalogue) -> Request:
        text = next((one.text for one in known.prompts if one.id == clip.prompt), None)
        if text is None or not clip.steps:
            lacking = "prompt" if text is None else "number of steps"
            raise MediaError(f"{clip.id}: states no {lacking} to make it of; add it to clips.csv")
        return Request(
            prompt=text,
            width=clip.width,
            height=clip.height,
            steps=clip.steps,
            seed=clip.seed or 0,
        )

    def _check_weights(self, clip: Clip, pipeline: Pipeline) -> None:
        assert self._known is not None
        stated = next(run.weights for run in self._known.runs if run.id == clip.run)
        used = weights_of(pipeline.said)
        if stated != used:
            raise MediaError(
                f'content/runs/{clip.run}/run.toml $.weights: states "{stated}" where this build '
                f'renders with "{used}"; write that there, or name the stated ones with --weights'
            )


def _first(parts: Iterator[Frames], frames: int) -> Iterator[Frames]:
    """So many frames of a stream."""
    for part in parts:
        yield part[:frames]
        frames -= len(part)
        if frames <= 0:
            return


def renderers(parts: Parts, catalogue: Callable[[], Catalogue]) -> Mapping[str, Any]:
    """By the name that a pipeline's `renderer` has."""
    return {"lab": LabRenderer(parts, catalogue)}
