"""The Wan VAE's decoder near the limit of the chip: the fast twin of `vae.StreamingDecoder`, from
the same parameters, with the same arithmetic up to rounding.

Everything between two convolutions is one compiled function: bias, sum with what went past the
block, norm, SiLU. Pictures lie with their channels last throughout, as the fast convolutions want
them; causal padding is not copied to a place of its own, but is the two frames in front of what
the function before writes anyway; zeros at the sides are the convolution's own. In the steady
state a whole chunk is one CUDA graph.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

__all__ = ["CONVOLUTIONS", "Coming", "FastDecoder", "SecondStream"]

# Shapes: T frames (of latents, or of pictures further on), H and W sides, C channels, R = T H W
# rows. Tensors between convolutions are [T, H, W, C] and contiguous.

PAST = 2
"""Frames that a causal convolution of three frames remembers."""
CONVOLUTIONS = ("3d", "2d")
"""How a convolution over three frames is computed: as one of three dimensions, or as one of two
over the channels of three frames side by side, which takes a copy."""


def _norm(x: torch.Tensor, gamma: torch.Tensor) -> torch.Tensor:
    """x over its length along the channels, times sqrt(C) gamma, in float32."""
    wide = x.float()
    length = wide.square().sum(dim=-1, keepdim=True).sqrt().clamp_min(1e-12)
    return wide / length * (gamma.shape[0] ** 0.5) * gamma.float()


def _activated(y: torch.Tensor, bias: torch.Tensor, gamma: torch.Tensor, out: torch.Tensor) -> None:
    """SiLU of the norm of y + bias [R, C] into `out`."""
    x = (y.float() + bias.float()).to(y.dtype)
    out.copy_(functional.silu(_norm(x, gamma)))


def _begun(
    y: torch.Tensor, bias: torch.Tensor, gamma: torch.Tensor, out: torch.Tensor
) -> torch.Tensor:
    """y + bias [R, C]; SiLU of its norm goes into `out`."""
    x = (y.float() + bias.float()).to(y.dtype)
    out.copy_(functional.silu(_norm(x, gamma)))
    return x


def _joined(
    y: torch.Tensor, bias: torch.Tensor, past: torch.Tensor, gamma: torch.Tensor, out: torch.Tensor
) -> torch.Tensor:
    """y + bias + past [R, C]; SiLU of its norm goes into `out`."""
    x = (y.float() + bias.float() + past.float()).to(y.dtype)
    out.copy_(functional.silu(_norm(x, gamma)))
    return x


def _summed(y: torch.Tensor, bias: torch.Tensor, past: torch.Tensor) -> torch.Tensor:
    return (y.float() + bias.float() + past.float()).to(y.dtype)


def _normed(x: torch.Tensor, gamma: torch.Tensor) -> torch.Tensor:
    return _norm(x, gamma).to(x.dtype)


def _levels(y: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """Pictures [R, 3], -1 to 1, as 8-bit levels."""
    x = (y.float() + bias.float()).to(y.dtype).clamp(-1, 1)
    return ((x.float() + 1) * 127.5).round().to(torch.uint8)


@functools.cache
def _fused(compile_them: bool) -> SimpleNamespace:
    """The functions between the convolutions. Compiled, they hold for any number of rows; a row's
    length is fixed."""

    def made(function: Callable[..., Any]) -> Callable[..., Any]:
        if not compile_them:
            return function
        import torch._dynamo as dynamo

        dynamo.config.recompile_limit = max(dynamo.config.recompile_limit, 64)
        dynamo.config.fail_on_recompile_limit_hit = True
        found = torch.compile(function, fullgraph=True)

        def called(*arguments: torch.Tensor) -> Any:
            for one in arguments:
                if one.dim() == 2:
                    dynamo.mark_dynamic(one, 0)
                dynamo.mark_static(one, one.dim() - 1)
            return found(*arguments)

        return called

    functions = (_activated, _begun, _joined, _summed, _normed, _levels)
    return SimpleNamespace(**{one.__name__.lstrip("_"): made(one) for one in functions})


class Convolution:
    """A causal convolution without its bias, and the frames that it remembers."""

    def __init__(self, layer: Any, how: str) -> None:
        weight = layer.weight.detach()
        self.bias = layer.bias.detach()
        self.how = how if weight.shape[3] > 1 else "2d"
        self.sides = (weight.shape[3] // 2, weight.shape[4] // 2)
        if self.how == "3d":
            self.weight = weight.contiguous(memory_format=torch.channels_last_3d)
        else:
            flat = weight.transpose(1, 2).flatten(1, 2)
            self.weight = flat.contiguous(memory_format=torch.channels_last)
        self._past: torch.Tensor | None = None

    def wipe(self) -> None:
        if self._past is not None:
            self._past.zero_()

    def forget(self) -> None:
        """Give the memory back: the next pictures are of another size."""
        self._past = None

    def room(self, size: tuple[int, ...], like: torch.Tensor) -> torch.Tensor:
        """[2 + T, H, W, C] for T frames, with the remembered ones in front."""
        frames, *rest = size
        if self._past is None:
            self._past = like.new_zeros(PAST, *rest)
        room = like.new_empty(PAST + frames, *rest)
        room[:PAST].copy_(self._past)
        return room

    def __call__(self, room: torch.Tensor) -> torch.Tensor:
        """[T, H, W, C'] of a room that is filled; its last frames are remembered."""
        assert self._past is not None, "room comes first"
        self._past.copy_(room[-PAST:])
        if self.how == "3d":
            volume = room.unsqueeze(0).permute(0, 4, 1, 2, 3)
            found = functional.conv3d(volume, self.weight, padding=(0, *self.sides))
            return found.permute(0, 2, 3, 4, 1).squeeze(0).contiguous()
        frames = len(room) - PAST
        side_by_side = torch.cat([room[i : i + frames] for i in range(PAST + 1)], dim=3)
        if self.weight.shape[2:] == (1, 1):
            return functional.linear(side_by_side, self.weight[:, :, 0, 0])
        return convolved(side_by_side, self.weight, self.sides)


def convolved(x: torch.Tensor, weight: torch.Tensor, sides: tuple[int, int]) -> torch.Tensor:
    """Pictures [T, H, W, C] through a convolution of two dimensions, without its bias."""
    found = functional.conv2d(x.permute(0, 3, 1, 2), weight, padding=sides)
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

    def __call__(self, x: torch.Tensor, normed: torch.Tensor) -> torch.Tensor:
        made = functional.linear(normed.flatten(1, 2), *self.qkv).unsqueeze(1)
        q, k, v = made.chunk(3, dim=3)
        seen = functional.scaled_dot_product_attention(q, k, v).squeeze(1)
        return x + functional.linear(seen, *self.out).view(x.shape)


class FastDecoder:
    """The decoder of a diffusers Wan VAE (2.1), with the features that it keeps between chunks."""

    def __init__(
        self, vae: Any, *, compiled: bool = True, graphs: bool = False, convolution: str = "3d"
    ) -> None:
        decoder, config = vae.decoder, vae.config
        if getattr(config, "is_residual", False) or getattr(config, "patch_size", None):
            raise ValueError("only the VAE of Wan 2.1 is known here")
        self.graphs = graphs
        enter = vae.post_quant_conv
        self.device, self.dtype = enter.weight.device, enter.weight.dtype
        self._mean = torch.tensor(config.latents_mean, device=self.device)
        self._std = torch.tensor(config.latents_std, device=self.device)
        self._fused = _fused(compiled)
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
        self._none = self._first.bias.new_zeros(self._attention.gamma.shape)
        self._size: tuple[int, int] | None = None
        self._fresh = True
        self._recorded: tuple[Any, torch.Tensor, torch.Tensor] | None = None

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
        current, side = torch.cuda.current_stream(), torch.cuda.Stream()
        side.wait_stream(current)
        with torch.cuda.stream(side):
            found = self._pictures(told, first=False)
        current.wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            out = self._pictures(told, first=False)
        self._recorded = graph, told, out
        found.record_stream(current)
        return found

    def _pictures(self, latents: torch.Tensor, *, first: bool) -> torch.Tensor:
        """The whole network; `first` for the one latent frame that a stream begins with."""
        x = (latents.permute(0, 2, 3, 1).float() * self._std + self._mean).to(self.dtype)
        room = self._first.room(tuple(x.shape), x)
        room[PAST:].copy_(functional.linear(x, *self._enter))
        # what is passed on is a convolution without its bias, the bias, and what went past the
        # block: they are summed where the next norm is computed
        y, bias, past = self._residual(self._middle, self._first(room), self._first.bias, None)
        assert past is not None
        x = self._rows(self._fused.summed, y, bias, past)
        y = self._attention(x, self._rows(self._fused.normed, x, self._attention.gamma))
        bias, past = self._none, None
        for stage in self._stages:
            if isinstance(stage, Residual):
                y, bias, past = self._residual(stage, y, bias, past)
                continue
            assert past is not None, "an upsampling stands behind a residual block"
            x = self._rows(self._fused.summed, y, bias, past)
            y = convolved(self._enlarged(stage, x, first), stage.weight, (1, 1))
            bias, past = stage.bias, None
        room = self._last.room(tuple(y.shape), y)
        self._join(y, bias, past, self._last_gamma, room[PAST:])
        levels: torch.Tensor = self._rows(self._fused.levels, self._last(room), self._last.bias)
        return levels

    def _residual(
        self, block: Residual, y: torch.Tensor, bias: torch.Tensor, past: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        one, two = block.convolutions
        room = one.room(tuple(y.shape), y)
        x = self._join(y, bias, past, block.gammas[0], room[PAST:])
        y = one(room)
        room = two.room(tuple(y.shape), y)
        self._rows(self._fused.activated, y, one.bias, block.gammas[1], room[PAST:])
        if block.shortcut is not None:
            x = functional.linear(x, *block.shortcut)
        return two(room), two.bias, x

    def _join(
        self,
        y: torch.Tensor,
        bias: torch.Tensor,
        past: torch.Tensor | None,
        gamma: torch.Tensor,
        out: torch.Tensor,
    ) -> torch.Tensor:
        x: torch.Tensor = (
            self._rows(self._fused.begun, y, bias, gamma, out)
            if past is None
            else self._rows(self._fused.joined, y, bias, past, gamma, out)
        )
        return x

    def _enlarged(self, stage: Upsampling, x: torch.Tensor, first: bool) -> torch.Tensor:
        """Every place four times and, but for the first frame, two frames for each."""
        frames, height, width, channels = x.shape
        turns = 1
        if stage.time is not None and not first:
            room = stage.time.room(tuple(x.shape), x)
            room[PAST:].copy_(x)
            x, turns = stage.time(room) + stage.time.bias, 2
        apart = x.view(frames, height, 1, width, 1, turns, channels).permute(0, 5, 1, 2, 3, 4, 6)
        wide = apart.expand(-1, -1, -1, 2, -1, 2, -1)
        return wide.reshape(frames * turns, 2 * height, 2 * width, channels)

    def _rows(self, function: Callable[..., Any], y: torch.Tensor, *others: torch.Tensor) -> Any:
        """A function of rows, given tensors [T, H, W, C] and vectors [C]."""
        told = [one.view(-1, one.shape[-1]) if one.dim() == 4 else one for one in (y, *others)]
        found = function(*told)
        return None if found is None else found.view(*y.shape[:3], found.shape[-1])


class SecondStream:
    """Decodes and brings pictures to the host on a stream of its own, so that the next chunk's
    passes need not wait for either, nor the host for them."""

    def __init__(self, device: torch.device) -> None:
        self.stream = torch.cuda.Stream(device)
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
