"""Runs of the official MemFlow code, whose tensors golden/ keeps, and what makes them with this
project's pipeline: the same weights, noise, prompts and switches."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open

from generator.lab.models import text
from generator.lab.models.dit import CausalDiT
from generator.lab.models.fast import FastPasses
from generator.lab.pipelines import Request
from generator.lab.pipelines.memflow import MemFlow, Noise

GOLDEN = Path(__file__).parent / "golden"
TOLERANCE = 1e-4
"""Largest difference over largest value of the reference; about 8e-7 is reached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Official:
    """One run: its tensors, and what its file says of it (golden/README.md)."""

    tensors: Mapping[str, torch.Tensor]
    config: Mapping[str, Any]
    weights: Mapping[str, tuple[float, float]]
    """Parameter -> its sum, and the sum of its absolute values."""
    embeds: Mapping[str, tuple[float, float]]
    """Prompt -> the same of its embeddings, where they are drawn."""

    @property
    def request(self) -> Request:
        """Prompts are numbers. A switch within a chunk takes effect at the next one."""
        frames = self.config.get("switch_frames") or []
        return Request(
            prompt="0",
            width=self.config["width"],
            height=self.config["height"],
            steps=(self.config["steps"],),
            seed=0,
            switches=tuple((-(-frame // 3), str(i)) for i, frame in enumerate(frames, 1)),
        )

    def embed(self, prompt: str) -> torch.Tensor:
        seed = self.config.get("prompt_seed", 1000 + int(prompt))
        generator = torch.Generator().manual_seed(seed)
        tokens = self.config["prompt_tokens"][int(prompt)]
        embeds = torch.randn(tokens, 4096, generator=generator)
        embeds *= self.config.get("prompt_scale", 1.0)
        assert embeds.abs().sum().item() == pytest.approx(self.embeds[prompt][1], rel=1e-6)
        return embeds

    def pipeline(self, dit: CausalDiT, device: Any, fast: FastPasses | None = None) -> MemFlow:
        """Ours, which is to make the same latents of `request`."""
        first = self.tensors["noise"][0].split(3)
        return MemFlow(
            dit,
            None,
            text.TextSource(said="golden", embed=self.embed),
            device=device,
            kernel="torch",
            said={},
            noise=Replayed(first, self.config["seed"] + 1, self.config["steps"]),
            sparse_memory=self.config.get("sparse", False),
            fast=fast,
        )


class Replayed(Noise):
    """The official run's noise: whole-video noise by the slice, then a generator of its own."""

    def __init__(self, first: Any, seed: int, steps: int) -> None:
        self.first, self.steps, self.draws = list(first), steps, 0
        self.generator = torch.Generator().manual_seed(seed)

    def draw(self, shape: tuple[int, ...], seed: int) -> Any:
        turn = self.draws % self.steps
        self.draws += 1
        return self.first.pop(0) if turn == 0 else torch.randn(shape, generator=self.generator)


def official(name: str) -> Official:
    with safe_open(GOLDEN / f"{name}.safetensors", "pt") as file:
        said = file.metadata()
        return Official(
            tensors={key: file.get_tensor(key) for key in file.keys()},  # noqa: SIM118
            config=json.loads(said["config"]),
            weights=json.loads(said["weight_checksums"]),
            embeds=json.loads(said.get("embeds_checksums", "{}")),
        )


def weights_are_those_of(run: Official, dit: CausalDiT, near: float | None = None) -> None:
    """By their checksums. Sums may be off by `near` as well: most of what is summed cancels."""
    state = dit.state_dict()
    for parameter, (total, size) in run.weights.items():
        assert state[parameter].sum().item() == pytest.approx(total, rel=1e-5, abs=near)
        assert state[parameter].abs().sum().item() == pytest.approx(size, rel=1e-6)


def every_chunk_equals(run: Official, pipeline: MemFlow) -> None:
    pipeline.prepare(run.request)
    stream = pipeline.latents()
    for chunk, wanted in enumerate(run.tensors["latents"][0].split(3)):
        off = (next(stream) - wanted).abs().max() / wanted.abs().max()
        assert off <= TOLERANCE, f"chunk {chunk} is off by {off:.1e}"
