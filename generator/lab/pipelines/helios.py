"""Helios, distilled: a 14B video transformer that makes 33 frames at a time, in three sizes each.

The arithmetic is that of diffusers' HeliosPyramidPipeline, called once for each chunk: its own
arguments carry the clip's first frame and the last latents over, and its generator the noise, so
that chunks come to exactly what one call for the whole clip makes of them
(tests/lab/test_helios.py). Each chunk is decoded alone, as Helios does it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from generator.errors import MediaError, UsageError
from generator.lab.models import attention, devices, text, vae, weights
from generator.lab.models.helios import FastHelios, build_helios, load_helios
from generator.lab.models.vae_alone import AloneDecoder, decode_eagerly
from generator.lab.pipelines import Frames, Parts, Request
from generator.lab.pipelines.memflow import TINY_VAE
from generator.measure.roofline import HELIOS_14B, WAN_VAE, HeliosShape

__all__ = ["CHUNK_FRAMES", "Helios", "open_pipeline"]

TINY_HELIOS = HeliosShape(
    layers=2, dim=24, heads=2, ffn=32, text_dim=16, text_tokens=12, time_dim=16
)
CHUNK_FRAMES = 33
"""Of video; nine latent frames, decoded alone."""
REGULAR_GAMMA = 0.3333
"""In place of 1/3, with which the covariance of the noise between stages is singular: those of GPUs
solve that, with those of CPUs it hangs on rounding."""

Decode = Callable[[torch.Tensor], torch.Tensor]
"""A VAE's own latents [1, C, T, H, W] -> pictures [1, 3, frames, H, W], -1 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What a stream works from."""

    request: Request
    embeds: torch.Tensor
    """[1, S, D], filled up with zeros: Helios attends to them."""


class Helios:
    """The pipeline. It holds networks and memories; see `generator.lab.pipelines.Pipeline`."""

    def __init__(
        self,
        pipe: Any,
        source: text.TextSource,
        *,
        device: torch.device,
        kernel: str,
        said: Mapping[str, str],
        text_tokens: int,
        fast: FastHelios | None,
        decode: Decode,
    ) -> None:
        """`pipe` is diffusers' pipeline. Without `fast` its network passes as diffusers has it:
        the slow twin."""
        self.pipe, self.source = pipe, source
        self.device, self.kernel, self.said = device, kernel, said
        self.text_tokens, self.fast, self.decode = text_tokens, fast, decode
        if fast is not None:
            fast.put_in()
        self._decoding = _Held()
        pipe.vae.decode = self._decoding
        self._history: torch.Tensor | None = None
        """The last latents, [1, C, 19, H, W]."""
        self._first: torch.Tensor | None = None
        """The clip's first latent frame."""
        self._noise: torch.Generator | None = None
        self._prepared: Prepared | None = None

    @property
    def memories(self) -> tuple[str, ...]:
        return tuple(self._wipes())

    def _wipes(self) -> dict[str, Callable[[], None]]:
        return {
            "history-latents": self._wipe_history,
            "first-frame": self._wipe_first,
            **({"cross-attention": self.fast.forget_text} if self.fast else {}),
            "noise": self._wipe_noise,
        }

    def wipe(self, *, but: frozenset[str] = frozenset()) -> None:
        for name, empty in self._wipes().items():
            if name not in but:
                empty()

    def _wipe_history(self) -> None:
        self._history = None

    def _wipe_first(self) -> None:
        self._first = None

    def _wipe_noise(self) -> None:
        self._noise = None

    def step_list(self, request: Request) -> tuple[float, ...]:
        """Of all stages, one after the other, whole as the network is told them."""
        from diffusers.pipelines.helios.pipeline_helios_pyramid import calculate_shift

        scheduler, told = self.pipe.scheduler, []
        patch = math.prod(self.pipe.transformer.config.patch_size)
        for stage, steps in enumerate(request.steps):
            fewer = 8 * 2 ** (len(request.steps) - 1 - stage)
            places = 9 * (request.height // fewer) * (request.width // fewer)
            stated = scheduler.config
            mu = calculate_shift(
                places // patch,
                stated.get("base_image_seq_len", 256),
                stated.get("max_image_seq_len", 4096),
                stated.get("base_shift", 0.5),
                stated.get("max_shift", 1.15),
            )
            scheduler.set_timesteps(steps, stage, device="cpu", mu=mu)
            told += [float(int(t)) for t in scheduler.timesteps]
        return tuple(told)

    @torch.inference_mode()
    def prepare(self, request: Request) -> None:
        multiple = HELIOS_14B.multiple
        if request.width % multiple or request.height % multiple:
            near = "x".join(
                str(max(multiple, round(side / multiple) * multiple))
                for side in (request.width, request.height)
            )
            raise UsageError(
                f"{request.width}x{request.height}: Helios' sides divide by {multiple}, for three "
                f"sizes of whole patches; nearest is {near}"
            )
        if len(request.steps) != HELIOS_14B.stages:
            raise UsageError(
                f"steps {'/'.join(map(str, request.steps))}: Helios has three stages; write three "
                "numbers, such as 2/2/2"
            )
        if request.switches or request.context is not None:
            raise UsageError("Helios holds one prompt for a whole clip here, and reads no context")
        embeds = self.source.embed(request.prompt)[: self.text_tokens]
        filled = embeds.new_zeros(1, self.text_tokens, embeds.shape[1])
        filled[0, : len(embeds)] = embeds
        dtype = self.pipe.transformer.dtype
        self._prepared = Prepared(request=request, embeds=filled.to(self.device, dtype))

    def stream(self) -> Iterator[Frames]:
        """Without end: a chunk never costs more than the one before."""
        while True:
            yield pictures(self._decoded(self._next_latents()))

    @torch.inference_mode()
    def _next_latents(self) -> torch.Tensor:
        """The next chunk's latents as the VAE takes them, after which it is part of the past."""
        assert self._prepared is not None, "prepare comes first"
        request = self._prepared.request
        if self._noise is None:
            self._noise = torch.Generator(self.device).manual_seed(request.seed)
        if self.fast is not None:
            self.fast.new_chunk()
        with attention.using(self.kernel):
            (past,) = self.pipe(
                prompt_embeds=self._prepared.embeds,
                width=request.width,
                height=request.height,
                num_frames=CHUNK_FRAMES,
                guidance_scale=1.0,
                generator=self._noise,
                pyramid_num_inference_steps_list=list(request.steps),
                image_latents=self._first,
                video_latents=self._history,
                add_noise_to_image_latents=False,
                add_noise_to_video_latents=False,
                output_type="latent",
                return_dict=False,
            )
        new = past[:, :, -HELIOS_14B.chunk :]
        if self._history is None:
            none = new.new_zeros(*new.shape[:2], sum(HELIOS_14B.history), *new.shape[3:])
            self._history = none
        if self._first is None:
            self._first = new[:, :, :1].clone()
        self._history = torch.cat([self._history, new], dim=2)[:, :, -sum(HELIOS_14B.history) :]
        return self._decoding.taken()

    @torch.inference_mode()
    def _decoded(self, latents: torch.Tensor) -> torch.Tensor:
        with attention.using("torch"):  # the VAE's heads are too wide for cuDNN's kernel
            return self.decode(latents)

    def synchronize(self) -> None:
        devices.synchronize(self.device)

    def peak_bytes(self, *, reset: bool = False) -> int | None:
        return devices.peak_bytes(self.device, recorded=False, reset=reset)


class _Held:
    """In place of a VAE's `decode`: keeps what was to be decoded, to be done when its turn is."""

    def __init__(self) -> None:
        self._latents: torch.Tensor | None = None

    def __call__(self, latents: torch.Tensor, return_dict: bool = True) -> tuple[torch.Tensor]:
        self._latents = latents
        return (latents,)

    def taken(self) -> torch.Tensor:
        assert self._latents is not None
        latents, self._latents = self._latents, None
        return latents


def pictures(decoded: torch.Tensor) -> Frames:
    """[1, 3, frames, H, W], -1 to 1, as 8-bit RGB on the host, in the levels that diffusers' own
    output becomes."""
    levels = ((decoded[0].float() * 0.5 + 0.5).clamp(0, 1) * 255).round().to(torch.uint8)
    frames: Frames = levels.permute(1, 2, 3, 0).contiguous().cpu().numpy()
    return frames


MODES = {
    "none": "none (eager), diffusers' own code throughout",
    "fused": "fused (this project's passes, torch.compile by the block, the decoder whole)",
}
"""Compile modes, and what a record says of them."""


def open_pipeline(parts: Parts) -> Helios:
    """Helios with its networks on their device. Compile mode "fused" is this project's path; on a
    CPU it is taken as it stands, uncompiled, which its record says."""
    if parts.compile not in MODES:
        raise UsageError(
            f'--compile "{parts.compile}": Helios has {" and ".join(MODES)}; write fused'
        )
    fast = parts.compile == "fused"
    return assembled(parts, fast=fast, compiled=fast and parts.device.startswith("cuda"))


def assembled(
    parts: Parts, *, fast: bool, compiled: bool, vae_dtype: str = "", gamma: float | None = None
) -> Helios:
    """`fast=False` is diffusers' own code throughout. `gamma` is chosen by the device when None."""
    if parts.vace or parts.sparse_memory:
        raise UsageError("Helios reads no VACE context and has no sparse memory")
    device, dtype = devices.device_of(parts.device), devices.dtype_of(parts.dtype)
    usual = attention.choose(device, dtype) if fast else "torch"
    kernel = attention.checked(parts.attention or usual)
    vae_said = devices.dtype_of(vae_dtype or parts.dtype)
    shape = TINY_HELIOS if parts.tiny else HELIOS_14B
    stated: Mapping[str, Any] = {}
    if parts.weights == "random":
        net = build_helios(shape, device=device, dtype=dtype)
        said = weights.fill_randomly(net, parts.weights_seed)
        autoencoder = vae.build_vae(
            TINY_VAE if parts.tiny else WAN_VAE, device=device, dtype=vae_said
        )
        weights.fill_randomly(autoencoder, parts.weights_seed + 1)
        of_vae = f"random, seed {parts.weights_seed + 1}"
    else:
        folder = Path(parts.weights)
        stated = _distilled(folder)
        net, said = load_helios(folder / "transformer", device=device, dtype=dtype)
        autoencoder = vae.load_vae(folder / "vae", device=device, dtype=vae_said)
        of_vae = "AutoencoderKLWan"
    scheduler, noise_said = _scheduler(stated, device, gamma)
    source = text.source_of(
        parts.text,
        parts.weights,
        width=net.config.text_dim,
        most_tokens=shape.text_tokens,
        device=device,
        dtype=dtype,
    )
    described = {
        "weights": said.said,
        "VAE weights": of_vae,
        "text embeddings": source.said,
        "dtype": parts.dtype,
        "VAE dtype": vae_dtype or parts.dtype,
        "attention kernel": kernel,
        "compile mode": MODES["fused" if fast else "none"]
        + (", not compiled on a CPU" if fast and not compiled else ""),
        "guidance": "1.0, one pass a step",
        "noise between stages": noise_said,
        "architecture": "tiny, for tests" if parts.tiny else "Helios 14B, distilled",
    }
    return Helios(
        _pipe(net, autoencoder, scheduler),
        source,
        device=device,
        kernel=kernel,
        said=described,
        text_tokens=shape.text_tokens,
        fast=FastHelios(net, compiled=compiled) if fast else None,
        decode=AloneDecoder(autoencoder, last=compiled, compiled=compiled)
        if fast
        else partial(decode_eagerly, autoencoder),
    )


def _pipe(net: Any, autoencoder: Any, scheduler: Any) -> Any:
    try:
        from diffusers import HeliosPyramidPipeline
    except ImportError as error:
        raise UsageError(
            "Helios comes from diffusers, which is not installed here; install the extra `lab`"
        ) from error
    pipe = HeliosPyramidPipeline(
        tokenizer=None,
        text_encoder=None,
        vae=autoencoder,
        scheduler=scheduler,
        transformer=net,
        is_distilled=True,
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe


def _scheduler(
    stated: Mapping[str, Any], device: torch.device, gamma: float | None
) -> tuple[Any, str]:
    """With a gamma that the device's solver can work with, and what to say of it."""
    from diffusers import HeliosDMDScheduler

    scheduler = HeliosDMDScheduler.from_config(dict(stated)) if stated else HeliosDMDScheduler()
    singular = abs(scheduler.config.gamma - 1 / 3) < 1e-6
    if gamma is None and singular and device.type != "cuda":
        gamma = REGULAR_GAMMA
    if gamma is None:
        return scheduler, f"gamma {scheduler.config.gamma:.6g}"
    said = f"gamma {gamma:g} in place of {scheduler.config.gamma:.6g}"
    if singular:
        said += ", with which its covariance is singular"
    return HeliosDMDScheduler.from_config(scheduler.config, gamma=gamma), said


def _distilled(folder: Path) -> Mapping[str, Any]:
    """The scheduler's configuration, of a folder that holds a distilled Helios."""
    index = folder / "model_index.json"
    if not index.is_file():
        raise MediaError(
            f"{index}: no such file; name the folder of a whole pipeline as diffusers writes it, "
            "such as a copy of BestWishYsh/Helios-Distilled"
        )
    whole = weights.read_json(index)
    if whole.get("is_distilled") is not True:
        raise MediaError(
            f"{index}: is_distilled is {whole.get('is_distilled')!r}; only distilled Helios runs "
            "here, without guidance: name a copy of BestWishYsh/Helios-Distilled"
        )
    config = folder / "scheduler" / "scheduler_config.json"
    stated = weights.read_json(config)
    if stated.get("_class_name") != "HeliosDMDScheduler":
        raise MediaError(
            f"{config}: _class_name is {stated.get('_class_name')!r}; distilled weights go with "
            "HeliosDMDScheduler"
        )
    if stated.get("stages", 3) != HELIOS_14B.stages:
        raise MediaError(f"{config}: stages is {stated['stages']!r}; Helios here has three")
    return stated
