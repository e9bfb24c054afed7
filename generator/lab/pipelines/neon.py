"""Neon: a small causal video model that this project trains itself, on footage that it renders.

Not text to video: a prompt becomes a scene and attributes by tables (`generator.lab.prompts`), and
those are what the network is told. Chunks of three latent frames are denoised by Euler steps of a
rectified flow (no few-step sampler: the weights are not distilled), kept in the lab's KV cache with
a sink and a short window, and decoded by Neon's own causal VAE. Every chunk is twelve frames.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from generator.errors import UsageError
from generator.lab import prompts, schedulers
from generator.lab.models import attention, devices, neon_weights, weights
from generator.lab.models.cache import KVCache, TextCache
from generator.lab.models.dit import Modulation
from generator.lab.models.fast import FastPasses, Passes, check_mode
from generator.lab.models.neon import TINY_NEON_DIT, Neon, euler_chunk, shape_for
from generator.lab.models.neon_vae import TINY_NEON_VAE, NeonDecoder
from generator.lab.models.neon_weights import NeonConfig
from generator.lab.pipelines import Frames, Heard, Parts, Request
from generator.lab.pipelines.memflow import Noise
from generator.measure.roofline import NEON_DIT, NEON_VAE, tokens_per_frame

__all__ = ["NeonPipeline", "open_pipeline", "timesteps_for"]

MODES = {
    "none": "none (eager)",
    "fused": "fused (torch.compile between matrix products)",
    "graphs": "graphs (torch.compile between matrix products, CUDA graphs of whole passes)",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What a stream works from."""

    request: Request
    timesteps: tuple[float, ...]
    modulations: Mapping[float, Modulation]
    tokens: torch.Tensor
    """Of scene and attributes, [S, E]."""


class NeonPipeline:
    """The pipeline. It holds networks and memories; see `generator.lab.pipelines.Pipeline`.

    How far a stream has come is what its cache holds: there is no other count of chunks.
    """

    def __init__(
        self,
        neon: Neon,
        decoder: NeonDecoder,
        config: NeonConfig,
        *,
        device: torch.device,
        kernel: str,
        said: Mapping[str, str],
        fast: FastPasses | None = None,
    ) -> None:
        """`fast` is the fast twin of the network's passes."""
        self.neon, self.decoder, self.config = neon, decoder, config
        self.device, self.kernel, self.said = device, kernel, said
        self.fast = fast
        self.passes: Passes = fast or neon.dit
        self.dtype = neon.dit.patch_embedding.weight.dtype
        self.noise = Noise(device)
        self.text = TextCache()
        self.cache: KVCache | None = None
        self._prepared: Prepared | None = None

    @property
    def memories(self) -> tuple[str, ...]:
        return tuple(self._wipes())

    def _wipes(self) -> dict[str, Callable[[], None]]:
        return {
            "kv-cache": self._wipe_window,
            "cross-attention": self.text.wipe,
            "vae-features": self.decoder.wipe,
            "noise": self.noise.wipe,
        }

    @torch.inference_mode()
    def wipe(self, *, but: frozenset[str] = frozenset()) -> None:
        for name, empty in self._wipes().items():
            if name not in but:
                empty()

    def _wipe_window(self) -> None:
        if self.cache is not None:
            self.cache.wipe_window()

    def step_list(self, request: Request) -> tuple[float, ...]:
        return timesteps_for(request.steps[0], self.config.shift)

    def heard(self, prompt: str) -> Heard:
        reading = prompts.read(prompt, self.config.attributes, self.config.scenes)
        return Heard(told=reading.told(self.config.attributes), unread=reading.unread)

    @torch.inference_mode()
    def prepare(self, request: Request) -> None:
        if request.width % 16 or request.height % 16:
            near = "x".join(
                str(max(16, round(s / 16) * 16)) for s in (request.width, request.height)
            )
            raise UsageError(
                f"{request.width}x{request.height}: Neon's sides divide by 16; nearest is {near}"
            )
        if len(request.steps) != 1:
            raise UsageError(f"steps {request.steps}: Neon has one stage; write one number")
        if request.switches or request.context is not None:
            raise UsageError("Neon holds one prompt for a whole clip, and reads no context")
        reading = prompts.read(request.prompt, self.config.attributes, self.config.scenes)
        scene = torch.tensor([self.config.scenes.index(reading.scene)], device=self.device)
        values = [[reading.shares.get(one.name, torch.nan) for one in self.config.attributes]]
        tokens = self.neon.tokens(scene, torch.tensor(values, device=self.device))
        dit = self.neon.dit
        frame = tokens_per_frame(dit.shape, request.width, request.height)
        if self.cache is None or self.cache.frame_tokens != frame:
            self.cache = None  # give the old one's memory back first
            if self.fast is not None:
                self.fast.forget()
            self.cache = KVCache(dit.shape, frame, device=self.device, dtype=self.dtype)
        timesteps = self.step_list(request)
        self._prepared = Prepared(
            request=request,
            timesteps=timesteps,
            modulations={t: dit.modulation(t) for t in (*timesteps, 0.0)},
            tokens=tokens[0],
        )
        if self.fast is not None:
            with attention.using(self.kernel):
                self.fast.prepare(self.cache, request.height // 8, request.width // 8)

    def stream(self) -> Iterator[Frames]:
        """To the last position that is known: 340 s."""
        for latents in self.latents():
            yield self._pictures(latents)

    def latents(self) -> Iterator[torch.Tensor]:
        """Clean latents [chunk, C, H, W] in float32, chunk after chunk."""
        assert self.cache is not None, "prepare comes first"
        while self.cache.chunks < self.neon.dit.shape.most_chunks:
            yield self._next_latents(self.cache)

    @torch.inference_mode()
    def _next_latents(self, cache: KVCache) -> torch.Tensor:
        assert self._prepared is not None, "prepare comes first"
        done, dit = self._prepared, self.neon.dit
        shape, height, width = dit.shape, done.request.height // 8, done.request.width // 8
        with attention.using(self.kernel):
            if self.text.k is None:
                dit.read_text(done.tokens, self.text)
            rotation = dit.rotation(
                cache.chunks * shape.chunk, shape.chunk, height // 2, width // 2
            )

            def flow(x: torch.Tensor, t: float) -> torch.Tensor:
                return self.passes.forward(
                    x.to(self.dtype), done.modulations[t], rotation, cache, self.text
                )

            noise = self.noise.draw(
                (shape.chunk, shape.latent_channels, height, width), done.request.seed
            )
            x = euler_chunk(flow, noise, done.timesteps, self.decoder.vae.latents_spread)
            self.passes.remember(
                x.to(self.dtype), done.modulations[0.0], rotation, cache, self.text
            )
            cache.advance()
        return x

    @torch.inference_mode()
    def _pictures(self, latents: torch.Tensor) -> Frames:
        frames: Frames = self.decoder.levels(latents).cpu().numpy()
        return frames

    def synchronize(self) -> None:
        devices.synchronize(self.device)

    def peak_bytes(self, *, reset: bool = False) -> int | None:
        recorded = self.fast is not None and self.fast.graphs
        return devices.peak_bytes(self.device, recorded=recorded, reset=reset)


def timesteps_for(steps: int, shift: float) -> tuple[float, ...]:
    """Evenly from 1000 down, then shifted."""
    return schedulers.warped(schedulers.raw_steps(steps), shift)


def random_config(*, tiny: bool) -> NeonConfig:
    """Of random weights: scenes and attributes are those of the tables, and no value of one means
    anything."""
    known = prompts.of_tables()
    return NeonConfig(
        dit=shape_for(TINY_NEON_DIT if tiny else NEON_DIT, len(known)),
        vae=TINY_NEON_VAE if tiny else NEON_VAE,
        scenes=tuple(prompts.SCENES),
        attributes=known,
    )


def open_pipeline(parts: Parts) -> NeonPipeline:
    """Neon with its networks on their device. Raises MediaError where no weights stand."""
    device, dtype = devices.device_of(parts.device), devices.dtype_of(parts.dtype)
    _check(parts, device)
    kernel = attention.checked(parts.attention or attention.choose(device, dtype))
    if parts.weights == "random":
        config = random_config(tiny=parts.tiny)
        neon, vae = neon_weights.build(config, device=device, dtype=dtype)
        said = weights.fill_randomly(neon, parts.weights_seed)
        weights.fill_randomly(vae, parts.weights_seed + 1)
        of_vae = f"random, seed {parts.weights_seed + 1}"
    else:
        config, neon, vae, said = neon_weights.open_parts(
            Path(parts.weights), device=device, dtype=dtype
        )
        of_vae = "Neon's own, in the same files"
    described = {
        "weights": said.said,
        "VAE weights": of_vae,
        "condition": "a scene and attributes, read from the prompt by tables; no text encoder",
        "dtype": parts.dtype,
        "attention kernel": kernel,
        "compile mode": MODES[parts.compile],
        "sampler": f"Euler steps of a rectified flow, shift {config.shift:g}, no guidance",
        "architecture": "tiny, for tests" if parts.tiny else "Neon",
    }
    fast = parts.compile != "none"
    return NeonPipeline(
        neon,
        NeonDecoder(vae),
        config,
        device=device,
        kernel=kernel,
        said=described,
        fast=FastPasses(neon.dit, graphs=parts.compile == "graphs") if fast else None,
    )


def _check(parts: Parts, device: torch.device) -> None:
    check_mode(parts.compile, device)
    if parts.vace or parts.sparse_memory or parts.text:
        raise UsageError(
            "Neon reads no VACE context and no text embeddings, and has no sparse memory; leave "
            "those options out"
        )
    if parts.tiny and parts.weights != "random":
        raise UsageError(
            "--tiny: a toy has random weights; leave it out, or write --weights random"
        )
