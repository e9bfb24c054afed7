"""Footage to train on: rendered when it is needed, by seed, and kept on the device.

The renderer is handed in (`Footage`), as a pure function of seed, attributes and time. Seeds of
training count up from 0; those that measure (`HELD_OUT` and above) are never trained on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch.nn import functional

from generator.lab.models.neon_vae import NeonVAE
from generator.lab.pipelines import PIPELINES
from generator.lab.prompts import Known, Reading

__all__ = [
    "ENOUGH",
    "HELD_OUT",
    "RATE_HZ",
    "Bank",
    "Clips",
    "Condition",
    "Footage",
    "Harvest",
    "Latents",
    "Segments",
    "Shelf",
    "as_read",
    "half_size",
    "times_of",
]

# Shapes: B clips, F frames, T latent frames, n chunks, A attributes, H and W sides

RATE_HZ = int(PIPELINES["neon"].content_rate_hz)
"""Frames per second that Neon is trained at."""
HELD_OUT = 2**40
WARM_FRAMES = 4
"""Frames before a segment that the encoder sees first, so that it does not begin with nothing."""
HALF_LENS_PX = 0.67
"""What a lens of 0.85 pixels (`scenes.film.LENS_PX`) lacks after halving, where it is 0.425, and
means of 2 x 2 have blurred as well."""
ENOUGH = "enough"
"""The file by which a shelf says that it is full."""
LATEST_S = 100.0
"""Clips begin at moments of a scene up to this one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What clips show: seeds and scenes [B], attribute values [B, A] as shares 0 to 1 of the
    renderer's range, NaN where a scene does not have the attribute."""

    seeds: torch.Tensor
    scene: torch.Tensor
    values: torch.Tensor

    def __getitem__(self, index: torch.Tensor | slice) -> Condition:
        return Condition(
            seeds=self.seeds[index], scene=self.scene[index], values=self.values[index]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Footage:
    """A renderer, as training takes it."""

    scenes: tuple[str, ...]
    attributes: tuple[Known, ...]
    draw: Callable[[torch.Tensor], Condition]
    """Seeds [B] -> what they show, on the seeds' device."""
    render: Callable[[Condition, torch.Tensor, int, int], torch.Tensor]
    """(condition, times [B, F] in s, width, height) -> RGB [B, F, 3, H, W], 0 to 1."""
    flow: Callable[[Condition, torch.Tensor, int, int], torch.Tensor] | None = None
    """The same arguments -> true flow [B, F - 1, 2, H, W] in pixels, x right and y down: where each
    pixel of a frame lies in the next one."""
    report: Callable[[], list[dict[str, Any]]] = list
    """What was compiled of the renderer so far, and what was not and why."""


def as_read(
    readings: Sequence[Reading],
    known: Sequence[Known],
    scenes: Sequence[str],
    seeds: torch.Tensor,
) -> Condition:
    """What prompts say, one for each of `seeds` [B], on the seeds' device."""
    device = seeds.device
    values = [[one.shares.get(each.name, torch.nan) for each in known] for one in readings]
    return Condition(
        seeds=seeds,
        scene=torch.tensor([scenes.index(one.scene) for one in readings], device=device),
        values=torch.tensor(values, device=device),
    )


def times_of(condition: Condition, first_frame: torch.Tensor | int, frames: int) -> torch.Tensor:
    """Times [B, F] of frames of the clips, which begin at a moment of their own."""
    begins = (condition.seeds * 7919 % 10_007).double() / 10_007 * LATEST_S
    first = torch.as_tensor(first_frame, device=begins.device).expand(begins.shape)
    numbers = first.unsqueeze(1) + torch.arange(frames, device=begins.device)
    return (begins.unsqueeze(1) + numbers / RATE_HZ).float()


def half_size(frames: torch.Tensor) -> torch.Tensor:
    """Frames [..., 3, H, W] at half their sides, as if they had been rendered there: means of 2 x 2
    behind what is missing of the lens then."""
    small = functional.avg_pool2d(frames.flatten(0, -4), 2)
    at = torch.arange(-2, 3, device=small.device, dtype=small.dtype)
    weights = torch.exp(-(at**2) / (2 * HALF_LENS_PX**2))
    weights = (weights / weights.sum()).expand(3, 1, 1, 5)
    small = functional.pad(small, (2, 2, 2, 2), mode="replicate")
    small = functional.conv2d(small, weights, groups=3)
    small = functional.conv2d(small, weights.transpose(2, 3), groups=3)
    return small.unflatten(0, frames.shape[:-3])


class Clips:
    """A pool of rendered clips [N, F, 3, H, W] in 8 bits, the oldest of which give way. Empty until
    it is filled."""

    def __init__(
        self,
        footage: Footage,
        *,
        count: int,
        frames: int,
        width: int,
        height: int,
        device: torch.device,
        first_seed: int = 0,
        at_once: int = 16,
    ) -> None:
        self.footage, self.frames = footage, frames
        self.width, self.height, self.at_once = width, height, at_once
        self.device, self.next_seed, self.oldest, self.filled = device, first_seed, 0, 0
        self.pixels = torch.zeros(
            (count, frames, 3, height, width), dtype=torch.uint8, device=device
        )
        self.scene = torch.zeros(count, dtype=torch.long, device=device)
        self.values = torch.zeros((count, len(footage.attributes)), device=device)

    @torch.no_grad()
    def refresh(self, clips: int) -> int:
        """Render so many new clips in place of the oldest; how many they are."""
        seeds = torch.arange(self.next_seed, self.next_seed + clips, device=self.device)
        self.next_seed += clips
        condition = self.footage.draw(seeds)
        times = times_of(condition, 0, self.frames)
        pixels = self.footage.render(condition, times, self.width, self.height)
        self._put((pixels * 255).round().to(torch.uint8), condition.scene, condition.values)
        return clips

    def _put(self, pixels: torch.Tensor, scene: torch.Tensor, values: torch.Tensor) -> None:
        count, new = len(self.pixels), len(pixels)
        where = (self.oldest + torch.arange(new, device=self.device)) % count
        self.pixels[where], self.scene[where] = pixels, scene
        self.values[where] = values.float()
        self.oldest = (self.oldest + new) % count
        self.filled = min(count, self.filled + new)

    def fill(self) -> Iterator[int]:
        """Fill the pool, telling after each step how many clips are in it."""
        while self.filled < len(self.pixels):
            self.refresh(min(self.at_once, len(self.pixels) - self.filled))
            yield self.filled

    def batch(
        self, generator: torch.Generator, size: int, *, crop: int | None = None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """(pixels [B, F, 3, h, w] 0 to 1, scene [B], values [B, A]) of clips drawn with return,
        whole or square crops at places that divide by 8."""
        chosen = self._drawn(self.filled, size, generator)
        if crop is None:
            pixels = self.pixels[chosen]
        else:
            top = 8 * self._drawn((self.height - crop) // 8 + 1, size, generator)
            left = 8 * self._drawn((self.width - crop) // 8 + 1, size, generator)
            # by index, for slices would have the host wait for where they begin
            side = torch.arange(crop, device=self.device)
            rows, columns = (begin.unsqueeze(1) + side for begin in (top, left))
            pixels = self.pixels.permute(0, 3, 4, 1, 2)[
                chosen[:, None, None], rows[:, :, None], columns[:, None, :]
            ].permute(0, 3, 4, 1, 2)
            pixels = pixels.contiguous()
        return pixels.float() / 255, self.scene[chosen], self.values[chosen]

    def _drawn(self, below: int, size: int, generator: torch.Generator) -> torch.Tensor:
        return torch.randint(below, (size,), generator=generator, device=self.device)


class Shelf(Clips):
    """Clips that other processes render, and leave as files in a folder; nothing is rendered here.
    When the pool is full, it says so by a file, and they need leave no more."""

    def __init__(self, folder: Path, footage: Footage, **options: Any) -> None:
        """`options` as for `Clips`."""
        super().__init__(footage, **options)
        self.folder = folder

    @torch.no_grad()
    def refresh(self, clips: int) -> int:
        """Take up to so many clips that are new, a file at least where there is one."""
        came = 0
        for path in sorted(self.folder.glob("clips-*.safetensors"), key=_written):
            if came >= clips or self.filled == len(self.pixels):
                break
            found = load_file(path, device=str(self.device))
            room = len(self.pixels) - self.filled
            new = [found[name][:room] for name in ("pixels", "scene", "values")]
            self._put(*new)
            path.unlink()
            came += len(new[0])
        self.next_seed += came
        if self.filled == len(self.pixels):
            (self.folder / ENOUGH).touch()
        return came

    def fill(self) -> Iterator[int]:
        """Take what comes, telling every time how many clips there are."""
        while self.filled < len(self.pixels):
            if not self.refresh(self.at_once):
                time.sleep(0.2)
            yield self.filled


def _written(path: Path) -> int:
    return path.stat().st_mtime_ns


@dataclass(frozen=True, slots=True, kw_only=True)
class Segments:
    """How clips are cut for the transformer: their first chunk, then chunks in a row from a later
    one on, so that distances as in a long stream are met in a short sequence."""

    chunk_frames: int = 12
    chunk_latents: int = 3
    chunks: int = 3
    """In all, the first one among them."""
    latest: int = 25
    """The last chunk from which the row may begin."""
    next_share: float = 0.4
    """Of clips whose row begins with the second chunk."""

    def begins(self, condition: Condition) -> torch.Tensor:
        """Numbers [B] of the chunk from which the row begins, by seed."""
        turn = condition.seeds * 104_729 % 1009
        far = 2 + condition.seeds * 7907 % (self.latest - 1)
        return torch.where(turn < self.next_share * 1009, 1, far)

    def starts(self, begins: torch.Tensor) -> torch.Tensor:
        """First latent frame [B, n] of each chunk."""
        row = begins.unsqueeze(1) + torch.arange(self.chunks - 1, device=begins.device)
        return self.chunk_latents * torch.cat([torch.zeros_like(begins).unsqueeze(1), row], dim=1)

    def times(self, condition: Condition, begins: torch.Tensor) -> torch.Tensor:
        """Times [B, F] of the frames that make a clip: of its first chunk, of a few before the row,
        from where the encoder comes to it, and of the row."""
        frames = WARM_FRAMES + (self.chunks - 1) * self.chunk_frames
        row = times_of(condition, begins * self.chunk_frames - WARM_FRAMES, frames)
        return torch.cat([times_of(condition, 0, self.chunk_frames), row], dim=1)

    def encoded(self, vae: NeonVAE, video: torch.Tensor) -> torch.Tensor:
        """Latents in float32 of frames [B, F, 3, H, W] at these times."""
        first, row = video[:, : self.chunk_frames], video[:, self.chunk_frames :]
        latents = [vae.encode(first).float(), vae.encode(row).float()[:, WARM_FRAMES // 4 :]]
        return torch.cat(latents, dim=1)


class Bank:
    """Encoded clips [N, T, C, H / 8, W / 8], of which so many are `filled`."""

    def __init__(
        self, x: torch.Tensor, starts: torch.Tensor, scene: torch.Tensor, values: torch.Tensor
    ) -> None:
        """`starts` [N, n] first latent frame of each chunk, `scene` [N], `values` [N, A]."""
        self.x, self.starts, self.scene, self.values = x, starts, scene, values
        self.filled = len(x)

    def batch(
        self, generator: torch.Generator, size: int
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """(latents [B, T, C, H, W] in float32, starts [B, n], scene [B], values [B, A])"""
        device = self.x.device
        chosen = torch.randint(self.filled, (size,), generator=generator, device=device)
        return self.x[chosen].float(), self.starts[chosen], self.scene[chosen], self.values[chosen]


class Harvest(Bank):
    """Clips of a size that other processes have encoded into a folder (`bank-*.safetensors`), and
    those that they will."""

    def __init__(self, folder: Path, width: int, height: int, device: torch.device) -> None:
        none = torch.zeros(0, device=device)
        super().__init__(none, none, none, none)
        self.folder, self.taken = folder, set[str]()
        self.names = (f"x-{width}x{height}", "starts", "scene", "values")
        self.refresh()

    def refresh(self) -> int:
        """Take what is new; how many clips it is."""
        parts = [[one] if self.filled else [] for one in self._all()]
        before = self.filled
        for path in sorted(self.folder.glob("bank-*.safetensors")):
            if path.name not in self.taken:
                self.taken.add(path.name)
                with safe_open(path, framework="pt", device=str(self.x.device)) as file:
                    for part, name in zip(parts, self.names, strict=True):
                        part.append(file.get_tensor(name))
        if all(parts):
            self.x, self.starts, self.scene, self.values = map(torch.cat, parts)
            self.filled = len(self.x)
        return self.filled - before

    def wait(self, clips: int) -> Iterator[int]:
        """Until there are so many, telling how many there are."""
        while self.filled < clips:
            yield self.filled
            if not self.refresh():
                time.sleep(0.5)

    def _all(self) -> tuple[torch.Tensor, ...]:
        return self.x, self.starts, self.scene, self.values


class Latents(Bank):
    """Clips that are rendered and encoded when they are needed, the oldest of which give way."""

    def __init__(
        self,
        footage: Footage,
        vae: NeonVAE,
        segments: Segments,
        *,
        count: int,
        width: int,
        height: int,
        device: torch.device,
        dtype: torch.dtype,
        first_seed: int = 0,
        at_once: int = 8,
        half: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        """`half` is what the encoder runs in, such as autocast."""
        self.footage, self.vae, self.segments, self.half = footage, vae, segments, half
        self.width, self.height, self.device, self.at_once = width, height, device, at_once
        self.next_seed, self.oldest = first_seed, 0
        frames = segments.chunks * segments.chunk_latents
        channels = vae.shape.latent_channels
        size = (count, frames, channels, height // 8, width // 8)
        super().__init__(
            torch.zeros(size, dtype=dtype, device=device),
            torch.zeros((count, segments.chunks), dtype=torch.long, device=device),
            torch.zeros(count, dtype=torch.long, device=device),
            torch.zeros((count, len(footage.attributes)), device=device),
        )
        self.filled = 0

    @torch.no_grad()
    def refresh(self, clips: int) -> int:
        """Render and encode so many new clips in place of the oldest."""
        seeds = torch.arange(self.next_seed, self.next_seed + clips, device=self.device)
        self.next_seed += clips
        condition = self.footage.draw(seeds)
        begins = self.segments.begins(condition)
        where = (self.oldest + torch.arange(clips, device=self.device)) % len(self.x)
        self.x[where] = self.encoded(condition, begins).to(self.x.dtype)
        self.starts[where] = self.segments.starts(begins)
        self.scene[where], self.values[where] = condition.scene, condition.values.float()
        self.oldest = (self.oldest + clips) % len(self.x)
        self.filled = min(len(self.x), self.filled + clips)
        return clips

    def encoded(self, condition: Condition, begins: torch.Tensor) -> torch.Tensor:
        """Latents of a clip's first chunk and of the row from `begins` on."""
        times = self.segments.times(condition, begins)
        video = self.footage.render(condition, times, self.width, self.height)
        with self.half():
            return self.segments.encoded(self.vae, video)

    def fill(self) -> Iterator[int]:
        """Fill the bank, telling after each step how many clips are in it."""
        while self.filled < len(self.x):
            self.refresh(min(self.at_once, len(self.x) - self.filled))
            yield self.filled
