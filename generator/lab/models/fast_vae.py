"""The Wan VAE's decoder near the limit of the chip: the fast twin of `vae.StreamingDecoder`, from
the same parameters, with the same arithmetic up to rounding.

Everything between two convolutions is one kernel: bias, sum with what went past the block, norm,
SiLU. Pictures lie with their channels last throughout, as the fast convolutions want them; a kernel
writes where the next convolution reads, remembered frames in front or side by side, so that no
padding is copied; zeros at the sides are the convolution's own. In the steady state a whole chunk
is one CUDA graph.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from generator.lab.models.vae import as_levels

__all__ = ["CONVOLUTIONS", "Coming", "FastDecoder", "SecondStream"]

# Shapes: T frames (of latents, or of pictures further on), H and W sides, C channels, R = T H W
# rows. Tensors between convolutions are [T, H, W, C] and contiguous.

PAST = 2
"""Frames that a causal convolution of three frames remembers."""
CONVOLUTIONS = ("fastest", "3d", "2d")
"""How a convolution over three frames is computed: as one of three dimensions, or as one of two
over the channels of three frames side by side, where cuDNN has faster kernels at most widths."""
SLOW_SIDE_BY_SIDE = 192
"""The width at which three dimensions are faster on an H200 (587 against 540 TFLOP/s; at 384
channels 601 against 767, at 96 276 against 508)."""


def joined(
    y: torch.Tensor,
    bias: torch.Tensor,
    past: torch.Tensor | None,
    gamma: torch.Tensor,
    room: torch.Tensor,
    memory: torch.Tensor,
    *,
    beside: bool,
    keeps: bool,
) -> torch.Tensor | None:
    """x = y + bias + past, all [T, H, W, C], and SiLU of its norm into a room that `fill` was given
    before; its last frames into the memory. Gives x where it `keeps` it."""
    x = y.float() + bias.float()
    if past is not None:
        x = x + past.float()
    x = x.to(y.dtype)
    active = functional.silu(norm(x, gamma)).to(y.dtype)
    frames = len(y)
    if beside:
        apart = room.unflatten(3, (PAST + 1, -1))
        for j in range(PAST + 1):
            begin = PAST - j
            apart[begin:, :, :, j].copy_(active[: max(0, frames - begin)])
    else:
        room[PAST:].copy_(active)
    last = active[-PAST:]
    memory[PAST - len(last) :].copy_(last)
    return x if keeps else None


def fill(memory: torch.Tensor, room: torch.Tensor, frames: int, *, beside: bool) -> None:
    """What is remembered, [2, H, W, C], to where a convolution over so many frames looks for it.
    Where one frame comes, the older of the two is forgotten."""
    if beside:
        apart = room.unflatten(3, (PAST + 1, -1))
        apart[0, :, :, :PAST].copy_(memory.permute(1, 2, 0, 3))
        apart[1:2, :, :, 0].copy_(memory[1:])
    else:
        room[:PAST].copy_(memory)
    if frames == 1:
        memory[0].copy_(memory[1])


def enlarged(
    y: torch.Tensor, bias: torch.Tensor, past: torch.Tensor | None, turns: int
) -> torch.Tensor:
    """y + bias + past with every place four times, [T, H, W, turns C] to [turns T, 2 H, 2 W, C]:
    channels of several frames become frames."""
    x = y.float() + bias.float()
    if past is not None:
        x = x + past.float()
    frames, height, width, wide = y.shape
    channels = wide // turns
    apart = x.to(y.dtype).view(frames, height, 1, width, 1, turns, channels)
    apart = apart.permute(0, 5, 1, 2, 3, 4, 6).expand(-1, -1, -1, 2, -1, 2, -1)
    return apart.reshape(frames * turns, 2 * height, 2 * width, channels)


def norm(x: torch.Tensor, gamma: torch.Tensor) -> torch.Tensor:
    """x over its length along the channels, times sqrt(C) gamma, in float32."""
    wide = x.float()
    length = wide.square().sum(dim=-1, keepdim=True).sqrt().clamp_min(1e-12)
    return wide / length * (gamma.shape[0] ** 0.5) * gamma.float()


@functools.cache
def between(device: str) -> Any:
    """The three functions between convolutions for a kind of device."""
    if device == "cuda":
        from generator.lab.models import kernels

        return kernels
    return SimpleNamespace(joined=joined, fill=fill, enlarged=enlarged)


class Convolution:
    """A causal convolution without its bias, and the two frames that it remembers."""

    def __init__(self, layer: Any, how: str) -> None:
        weight = layer.weight.detach()
        self.bias = layer.bias.detach()
        if how == "fastest":
            how = "3d" if weight.shape[1] == SLOW_SIDE_BY_SIDE else "2d"
        self.sides = (weight.shape[3] // 2, weight.shape[4] // 2)
        self.beside = how == "2d" or self.sides == (0, 0)
        if self.beside:
            flat = weight.transpose(1, 2).flatten(1, 2)
            self.weight = flat.contiguous(memory_format=torch.channels_last)
        else:
            self.weight = weight.contiguous(memory_format=torch.channels_last_3d)
        self._memory: torch.Tensor | None = None

    def wipe(self) -> None:
        if self._memory is not None:
            self._memory.zero_()

    def forget(self) -> None:
        """Give the memory back: the next pictures are of another size."""
        self._memory = None

    def memory(self, size: tuple[int, ...], like: torch.Tensor) -> torch.Tensor:
        """Of frames [H, W, C]."""
        if self._memory is None:
            self._memory = like.new_zeros(PAST, *size)
        return self._memory

    def room(self, frames: int, like: torch.Tensor) -> torch.Tensor:
        """Where what it convolves is to be written: frames of the size of those in `like`."""
        height, width, channels = like.shape[1:]
        if self.beside:
            return like.new_empty(frames, height, width, (PAST + 1) * channels)
        return like.new_empty(PAST + frames, height, width, channels)

    def of(self, x: torch.Tensor) -> torch.Tensor:
        """[T, H, W, C'] of [T, H, W, C] that stands for itself, not behind a norm."""
        memory = self.memory(tuple(x.shape[1:]), x)
        padded = torch.cat([memory, x])
        memory.copy_(padded[-PAST:])
        if self.beside:
            parts = [padded[i : i + len(x)] for i in range(PAST + 1)]
            return self(torch.cat(parts, dim=3))
        return self(padded)

    def __call__(self, room: torch.Tensor) -> torch.Tensor:
        """[T, H, W, C'] of a room that was filled."""
        if not self.beside:
            volume = room.unsqueeze(0).permute(0, 4, 1, 2, 3)
            found = functional.conv3d(volume, self.weight, padding=(0, *self.sides))
            return found.permute(0, 2, 3, 4, 1).squeeze(0).contiguous()
        if self.sides == (0, 0):
            return functional.linear(room, self.weight[:, :, 0, 0])
        return convolved(room, self.weight)


def convolved(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Pictures [T, H, W, C] through a 3x3 convolution of each, without its bias."""
    found = functional.conv2d(x.permute(0, 3, 1, 2), weight, padding=1)
    return found.permute(0, 2, 3, 1).contiguous()


@dataclass(frozen=True, slots=True)
class Residual:
    """A residual block. `shortcut` is a product where the channels change, else None."""

    gammas: tuple[torch.Tensor, torch.Tensor]
    convolutions: tuple[Convolution, Convolution]
    shortcut: tuple[torch.Tensor, torch.Tensor] | None


@dataclass(frozen=True, slots=True)
class Upsampling:
    """Twice the sides, and before that twice the frames where there is a convolution in `time`."""

    time: Convolution | None
    weight: torch.Tensor
    bias: torch.Tensor


class Attention:
    """Every picture's attention to itself, one head as wide as the channels."""

    def __init__(self, block: Any) -> None:
        self.gamma = block.norm.gamma.detach().flatten()
        self.qkv = block.to_qkv.weight.detach().flatten(1), block.to_qkv.bias.detach()
        self.out = block.proj.weight.detach().flatten(1), block.proj.bias.detach()

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        normed = norm(x, self.gamma).to(x.dtype)
        made = functional.linear(normed.flatten(1, 2), *self.qkv).unsqueeze(1)
        q, k, v = made.chunk(3, dim=3)
        seen = functional.scaled_dot_product_attention(q, k, v).squeeze(1)
        return x + functional.linear(seen, *self.out).view(x.shape)


class FastDecoder:
    """The decoder of a diffusers Wan VAE (2.1), with the features that it keeps between chunks."""

    def __init__(
        self,
        vae: Any,
        *,
        graphs: bool = False,
        convolution: str = "fastest",
        slow_between: bool = False,
    ) -> None:
        """`slow_between` leaves the Triton kernels out: their slow twin."""
        decoder, config = vae.decoder, vae.config
        if getattr(config, "is_residual", False) or getattr(config, "patch_size", None):
            raise ValueError("only the VAE of Wan 2.1 is known here")
        self.graphs = graphs
        enter = vae.post_quant_conv
        self.device, self.dtype = enter.weight.device, enter.weight.dtype
        self._mean = torch.tensor(config.latents_mean, device=self.device)
        self._std = torch.tensor(config.latents_std, device=self.device)
        self._between = between("cpu" if slow_between else self.device.type)
        self._shown = as_levels
        self._convolutions: list[Convolution] = []

        def causal(layer: Any) -> Convolution:
            made = Convolution(layer, convolution)
            self._convolutions.append(made)
            return made

        def residual(block: Any) -> Residual:
            cut = block.conv_shortcut
            return Residual(
                gammas=(block.norm1.gamma.detach().flatten(), block.norm2.gamma.detach().flatten()),
                convolutions=(causal(block.conv1), causal(block.conv2)),
                shortcut=(cut.weight.detach().flatten(1), cut.bias.detach())
                if block.in_dim != block.out_dim
                else None,
            )

        def upsampling(layer: Any) -> Upsampling:
            space = layer.resample[1]
            return Upsampling(
                time=causal(layer.time_conv) if layer.mode == "upsample3d" else None,
                weight=space.weight.detach().contiguous(memory_format=torch.channels_last),
                bias=space.bias.detach(),
            )

        self._enter = enter.weight.detach().flatten(1), enter.bias.detach()
        self._first = causal(decoder.conv_in)
        middle = decoder.mid_block
        self._middle = residual(middle.resnets[0])
        self._attention = Attention(middle.attentions[0])
        self._stages: list[Residual | Upsampling] = [residual(middle.resnets[1])]
        for up in decoder.up_blocks:
            self._stages += [residual(block) for block in up.resnets]
            if up.upsamplers is not None:
                self._stages.append(upsampling(up.upsamplers[0]))
        self._last_gamma = decoder.norm_out.gamma.detach().flatten()
        self._last = causal(decoder.conv_out)
        self._no_bias = torch.zeros_like(self._first.bias)
        self._size: tuple[int, int] | None = None
        self._fresh = True
        self._recorded: tuple[Any, torch.Tensor, torch.Tensor] | None = None
        self.stream = torch.cuda.Stream(self.device) if graphs else None
        """What it is recorded on, and best run on: see `FastPasses`."""

    def wipe(self) -> None:
        """Forget the features: the next latent frame is a first one."""
        self._fresh = True
        for convolution in self._convolutions:
            convolution.wipe()

    @property
    def is_fresh(self) -> bool:
        return self._fresh

    def prepare(self, frames: int, height: int, width: int) -> None:
        """Compile and record what a stream takes, in chunks of so many latent frames; latent sides.
        The features are lost where the sides are other ones than before."""
        if self._size == (height, width):
            return
        self._resize(height, width)
        if not self.graphs:
            return
        latents = torch.zeros(frames, len(self._mean), height, width, device=self.device)
        for _ in range(2):
            self.levels(latents)
        self.wipe()

    def _resize(self, height: int, width: int) -> None:
        self._recorded, self._size, self._fresh = None, (height, width), True
        for convolution in self._convolutions:
            convolution.forget()

    def levels(self, latents_TCHW: torch.Tensor) -> torch.Tensor:
        """Pictures [frames, 8 H, 8 W, 3] as 8-bit levels of the next latent frames of the stream:
        4 frames for each, but 1 for the very first. Overwritten by the next call."""
        height, width = latents_TCHW.shape[2:]
        if self._size != (height, width):
            self._resize(height, width)
        if self._fresh:
            self._fresh = False
            made = [self._pictures(latents_TCHW[:1], first=True)]
            if len(latents_TCHW) > 1:
                made.append(self._pictures(latents_TCHW[1:], first=False))
            return torch.cat(made)
        if not self.graphs:
            return self._pictures(latents_TCHW, first=False)
        if self._recorded is None or self._recorded[1].shape != latents_TCHW.shape:
            return self._record(latents_TCHW)
        graph, told, out = self._recorded
        told.copy_(latents_TCHW)
        graph.replay()
        return out

    def _record(self, latents: torch.Tensor) -> torch.Tensor:
        """Decode once, which compiles what it needs and gives the result, then record it. What is
        being recorded is not run, so the features stay as the run left them."""
        told = latents.clone()
        current, side = torch.cuda.current_stream(), self.stream
        assert side is not None
        side.wait_stream(current)
        with torch.cuda.stream(side):
            found = self._pictures(told, first=False)
        current.wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=side):
            out = self._pictures(told, first=False)
        self._recorded = graph, told, out
        found.record_stream(current)
        return found

    def _pictures(self, latents: torch.Tensor, *, first: bool) -> torch.Tensor:
        """The whole network; `first` for the one latent frame that a stream begins with."""
        x = (latents.permute(0, 2, 3, 1).float() * self._std + self._mean).to(self.dtype)
        y = self._first.of(functional.linear(x, *self._enter))
        # what is passed on is a convolution without its bias, the bias, and what went past the
        # block: they are summed where the next norm is computed
        y, bias, past = self._residual(self._middle, y, self._first.bias, None)
        y, bias, past = self._attention(summed(y, bias, past)), self._no_bias, None
        for stage in self._stages:
            if isinstance(stage, Residual):
                y, bias, past = self._residual(stage, y, bias, past)
                continue
            turns = 1
            if stage.time is not None and not first:
                y, bias, past = stage.time.of(summed(y, bias, past)), stage.time.bias, None
                turns = 2
            y = convolved(self._between.enlarged(y, bias, past, turns), stage.weight)
            bias, past = stage.bias, None
        y, _ = self._through(self._last, self._last_gamma, y, bias, past, keeps=False)
        return self._shown(y.float() + self._last.bias.float())

    def _residual(
        self, block: Residual, y: torch.Tensor, bias: torch.Tensor, past: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        one, two = block.convolutions
        y, x = self._through(one, block.gammas[0], y, bias, past, keeps=True)
        y, _ = self._through(two, block.gammas[1], y, one.bias, None, keeps=False)
        if block.shortcut is not None:
            assert x is not None
            x = functional.linear(x, *block.shortcut)
        return y, two.bias, x

    def _through(
        self,
        convolution: Convolution,
        gamma: torch.Tensor,
        y: torch.Tensor,
        bias: torch.Tensor,
        past: torch.Tensor | None,
        *,
        keeps: bool,
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """What a sum is behind norm, SiLU and a convolution; and the sum."""
        frames, beside = len(y), convolution.beside
        room = convolution.room(frames, y)
        memory = convolution.memory(tuple(y.shape[1:]), y)
        self._between.fill(memory, room, frames, beside=beside)
        x = self._between.joined(y, bias, past, gamma, room, memory, beside=beside, keeps=keeps)
        return convolution(room), x


def summed(y: torch.Tensor, bias: torch.Tensor, past: torch.Tensor | None) -> torch.Tensor:
    x = y.float() + bias.float()
    return (x if past is None else x + past.float()).to(y.dtype)


class SecondStream:
    """Decodes and brings pictures to the host on a stream of its own, so that the next chunk's
    passes need not wait for either, nor the host for them."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self._pinned: list[torch.Tensor] = []

    def start(self, decoder: FastDecoder, latents: torch.Tensor) -> Coming:
        """Tell the device to decode latents; at most one chunk may be coming already."""
        self.stream.wait_stream(torch.cuda.current_stream())
        latents.record_stream(self.stream)
        with torch.cuda.stream(self.stream):
            levels = decoder.levels(latents)
            if len(self._pinned) == 2:
                place = self._pinned.pop(0)
                if place.shape != levels.shape:
                    place = torch.empty_like(levels, device="cpu", pin_memory=True)
            else:
                place = torch.empty_like(levels, device="cpu", pin_memory=True)
            self._pinned.append(place)
            place.copy_(levels, non_blocking=True)
            there = torch.cuda.Event()
            there.record(self.stream)
        return Coming(place, there)

    def finish(self) -> None:
        """The current stream waits for all that was started."""
        torch.cuda.current_stream().wait_stream(self.stream)


class Coming:
    """Pictures on their way to the host."""

    def __init__(self, place: torch.Tensor, there: Any) -> None:
        self._place, self._there = place, there

    def pictures(self) -> NDArray[np.uint8]:
        """[frames, H, W, 3], when they are there."""
        self._there.synchronize()
        return np.array(self._place.numpy())
