"""What Neon is trained on, as a pipeline of its own: scenes rendered from a prompt, no network.

Beside a generated clip it shows what the same words mean to the renderer, and how far the model is
from its data. Prompts are read as for Neon; no clip of it was generated.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count

import torch

from generator.errors import UsageError
from generator.lab import prompts
from generator.lab.models import devices
from generator.lab.pipelines import Frames, Heard, Parts, Request
from generator.lab.train import rendered
from generator.lab.train.data import Condition, Footage, as_read, times_of

__all__ = ["RenderedPipeline", "open_pipeline"]

CHUNK = 12
"""Frames that are rendered at a time: a second."""
SAMPLES = 2
"""A pixel's side."""
COMPILE_S = 600.0
MODES = {
    "none": "none (eager)",
    "fused": "fused (torch.compile of the renderer's functions)",
}


class RenderedPipeline:
    """The pipeline. Nothing outlives a chunk: a frame is what seed, attributes and time say."""

    memories: tuple[str, ...] = ()

    def __init__(self, footage: Footage, *, device: torch.device, said: Mapping[str, str]) -> None:
        self.footage, self.device, self.said = footage, device, said
        self._prepared: tuple[Condition, Request] | None = None

    def wipe(self, *, but: frozenset[str] = frozenset()) -> None:
        """There is nothing to empty."""

    def heard(self, prompt: str) -> Heard:
        reading = prompts.read(prompt, self.footage.attributes, self.footage.scenes)
        return Heard(told=reading.told(self.footage.attributes), unread=reading.unread)

    def prepare(self, request: Request) -> None:
        if request.steps:
            raise UsageError(f"steps {request.steps}: rendering has none; leave them out")
        if request.switches or request.context is not None:
            raise UsageError("rendering holds one prompt for a whole clip, and reads no context")
        reading = prompts.read(request.prompt, self.footage.attributes, self.footage.scenes)
        seeds = torch.tensor([request.seed], device=self.device)
        condition = as_read([reading], self.footage.attributes, self.footage.scenes, seeds)
        self._prepared = condition, request

    def step_list(self, request: Request) -> tuple[float, ...]:
        return ()

    def stream(self) -> Iterator[Frames]:
        """Without end."""
        assert self._prepared is not None, "prepare comes first"
        condition, request = self._prepared
        for chunk in count():
            yield self._pictures(condition, request, chunk)

    @torch.inference_mode()
    def _pictures(self, condition: Condition, request: Request, chunk: int) -> Frames:
        times = times_of(condition, chunk * CHUNK, CHUNK)
        shown = self.footage.render(condition, times, request.width, request.height)[0]
        levels = (shown * 255).round().to(torch.uint8).permute(0, 2, 3, 1)
        frames: Frames = levels.contiguous().cpu().numpy()
        return frames

    def synchronize(self) -> None:
        devices.synchronize(self.device)

    def peak_bytes(self, *, reset: bool = False) -> int | None:
        return devices.peak_bytes(self.device, recorded=False, reset=reset)


def open_pipeline(parts: Parts) -> RenderedPipeline:
    """The renderer on its device. Raises UsageError for what only networks have."""
    device = devices.device_of(parts.device)
    if parts.weights == "random" or parts.tiny:
        raise UsageError("rendering has no weights, and no toy; leave --weights and --tiny out")
    if parts.vace or parts.sparse_memory or parts.text or parts.attention:
        raise UsageError("rendering has no network; leave the options of networks out")
    if parts.compile not in MODES:
        raise UsageError(f'compile mode "{parts.compile}": known are {", ".join(MODES)}')
    return RenderedPipeline(
        rendered.footage(SAMPLES, compile_s=COMPILE_S if parts.compile == "fused" else 0.0),
        device=device,
        said={
            "weights": "none: rendered, not generated",
            "condition": "a scene and attributes, read from the prompt by tables, as Neon does",
            "dtype": "float32",
            "compile mode": MODES[parts.compile],
            "samples": f"{SAMPLES} x {SAMPLES} a pixel",
        },
    )
