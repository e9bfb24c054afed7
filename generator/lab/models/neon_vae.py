"""Neon's VAE: a small causal autoencoder that encodes and decodes video while it arrives.

f8t4: pixel-unshuffle 2 and two convolutions of stride 2 in space, two poolings by 2 in time, 32
channels. Ideas of the blocks: TAEHV (Bohan, 2025), whose blocks see the frame before beside the
present one, pool frames by stacking them and grow them by channels. Nothing else crosses frames,
so what a stream has to remember is the last frame that each block saw.

Convention of time: every latent frame is 4 frames of video, the first one as well. N latent frames
are exactly 4 N frames, and 20.0 s at 12 frames a second are 60 latent frames. (Wan's VAE makes one
frame of the first.) Before the first frame a block sees zeros.

Beside each network runs a linear path: the code of a block of 4 frames x 8 x 8 pixels by its
principal components, which training begins with and the networks improve on.

The encoder gives one latent, not a distribution; training adds noise to it (`train/loops.py`).
Latents that leave and enter are scaled by `latents_mean` and `latents_std`, channel by channel, to
mean 0 and a spread (`latents_spread`) between 1 for all and what each channel moves in the picture,
so that what is seen most counts most in the transformer's loss.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn
from torch.nn import functional

from generator.measure.roofline import NeonVAEShape

__all__ = ["TINY_NEON_VAE", "Memory", "NeonDecoder", "NeonVAE", "blocks_of", "frames_of"]

# Shapes: B clips, F frames of video, T latent frames (F = 4 T), C channels, H and W sides

TINY_NEON_VAE = NeonVAEShape(encoder=(4, 6, 8), decoder=(8, 6, 4), latent_channels=16, blocks=1)
MOST = 5.0
"""Latents are bent softly into -5 to 5 before the decoder's network sees them, so that one that is
far out upsets nothing."""
BLOCK = 4 * 3 * 8 * 8
"""Numbers of the pixels that a latent place stands for."""
LEAST_SPREAD = 1e-8
"""Of a component's variance, below which it is not scaled up further."""

Memory = list[torch.Tensor | None]
"""The last frame [B, C, H, W] that each block with a memory saw; None before the first."""


class MemoryBlock(nn.Module):
    """A residual block that sees each frame beside the one before it. It begins as nothing but the
    way around it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mix = nn.Conv2d(2 * channels, channels, 3, padding=1)
        self.out = _from_zero(nn.Conv2d(channels, channels, 3, padding=1))

    def forward(self, x_BFCHW: torch.Tensor, last_BCHW: torch.Tensor | None) -> torch.Tensor:
        if last_BCHW is None:
            last_BCHW = torch.zeros_like(x_BFCHW[:, 0])
        before = torch.cat([last_BCHW.unsqueeze(1), x_BFCHW[:, :-1]], dim=1)
        y = functional.silu(_framewise(self.mix, torch.cat([x_BFCHW, before], dim=2)))
        return x_BFCHW + _framewise(self.out, y)


class Pool(nn.Module):
    """Two frames become one."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mix = nn.Conv2d(2 * channels, channels, 1)

    def forward(self, x_BFCHW: torch.Tensor) -> torch.Tensor:
        return _framewise(self.mix, x_BFCHW.unflatten(1, (-1, 2)).flatten(2, 3))


class Grow(nn.Module):
    """One frame becomes two of twice the sides."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.split = nn.Conv2d(channels, 2 * channels, 1)
        self.conv = nn.Conv2d(channels, out, 3, padding=1)

    def forward(self, x_BFCHW: torch.Tensor) -> torch.Tensor:
        two = _framewise(self.split, x_BFCHW).unflatten(2, (2, -1)).flatten(1, 2)
        larger = functional.interpolate(two.flatten(0, 1), scale_factor=2, mode="nearest")
        return self.conv(larger).unflatten(0, two.shape[:2])


class Frames(nn.Module):
    """A layer that takes each frame by itself."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x_BFCHW: torch.Tensor) -> torch.Tensor:
        return _framewise(self.layer, x_BFCHW)


class Causal(nn.Module):
    """Layers one after the other, over the next frames of a stream."""

    def __init__(self, layers: Iterable[nn.Module]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    @property
    def memories(self) -> int:
        return sum(isinstance(layer, MemoryBlock) for layer in self.layers)

    def forward(self, x_BFCHW: torch.Tensor, memory: Memory | None = None) -> torch.Tensor:
        """`memory` is read, and left as the frames that were seen last; without one, the frames are
        a whole video."""
        kept: Memory = [None] * self.memories if memory is None else memory
        slot = 0
        for layer in self.layers:
            if isinstance(layer, MemoryBlock):
                seen = x_BFCHW[:, -1]
                x_BFCHW = layer(x_BFCHW, kept[slot])
                kept[slot] = seen
                slot += 1
            else:
                x_BFCHW = layer(x_BFCHW)
        return x_BFCHW


class Encoder(nn.Module):
    """Raw latents: a linear code of each block of 4 frames x 8 x 8 pixels, and what the network
    adds.

    The network's last layer begins at zero, so that an encoder and a decoder whose linear paths are
    filled by principal components (`set_linear`) begin as those do.
    """

    def __init__(self, shape: NeonVAEShape) -> None:
        super().__init__()
        a, b, c = shape.encoder
        self.linear = nn.Conv2d(BLOCK, shape.latent_channels, 1)
        self.network = Causal(
            [
                Frames(nn.PixelUnshuffle(2)),
                Frames(nn.Conv2d(12, a, 3, padding=1)),
                *(MemoryBlock(a) for _ in range(shape.blocks)),
                Pool(a),
                Frames(nn.Conv2d(a, b, 3, stride=2, padding=1)),
                *(MemoryBlock(b) for _ in range(shape.blocks)),
                Pool(b),
                Frames(nn.Conv2d(b, c, 3, stride=2, padding=1)),
                *(MemoryBlock(c) for _ in range(shape.blocks)),
                Frames(_from_zero(nn.Conv2d(c, shape.latent_channels, 3, padding=1))),
            ]
        )

    @property
    def memories(self) -> int:
        return self.network.memories

    def forward(self, video_BFCHW: torch.Tensor, memory: Memory | None = None) -> torch.Tensor:
        """Of frames -1 to 1."""
        linear = _framewise(self.linear, blocks_of(video_BFCHW))
        return linear + self.network(video_BFCHW, memory)


class Decoder(nn.Module):
    """Frames, -1 to 1, of raw latents: the linear code read back, and what the network adds, which
    sees the latents bent softly into a span."""

    def __init__(self, shape: NeonVAEShape) -> None:
        super().__init__()
        a, b, c = shape.decoder
        self.linear = nn.Conv2d(shape.latent_channels, BLOCK, 1)
        self.network = Causal(
            [
                Frames(nn.Conv2d(shape.latent_channels, a, 3, padding=1)),
                *(MemoryBlock(a) for _ in range(shape.blocks)),
                Grow(a, b),
                *(MemoryBlock(b) for _ in range(shape.blocks)),
                Grow(b, c),
                *(MemoryBlock(c) for _ in range(shape.blocks)),
                Frames(_from_zero(nn.Conv2d(c, 12, 3, padding=1))),
                Frames(nn.PixelShuffle(2)),
            ]
        )

    @property
    def memories(self) -> int:
        return self.network.memories

    def forward(self, raw_BTCHW: torch.Tensor, memory: Memory | None = None) -> torch.Tensor:
        linear = frames_of(_framewise(self.linear, raw_BTCHW))
        return linear + self.network(MOST * torch.tanh(raw_BTCHW / MOST), memory)


class NeonVAE(nn.Module):
    """Encoder and decoder. Pictures are RGB, 0 to 1; sides divide by 8, frames by 4."""

    def __init__(self, shape: NeonVAEShape) -> None:
        super().__init__()
        self.shape = shape
        self.encoder, self.decoder = Encoder(shape), Decoder(shape)
        self.latents_mean: torch.Tensor
        self.latents_std: torch.Tensor
        self.latents_spread: torch.Tensor
        self.register_buffer("latents_mean", torch.zeros(shape.latent_channels))
        self.register_buffer("latents_std", torch.ones(shape.latent_channels))
        self.register_buffer("latents_spread", torch.ones(shape.latent_channels))

    def encode(self, video_BFCHW: torch.Tensor, memory: Memory | None = None) -> torch.Tensor:
        """Scaled latents [B, F / 4, C, H / 8, W / 8] of the next frames, 0 to 1."""
        raw = self.encoder(2 * video_BFCHW - 1, memory)
        return (raw - _by_channel(self.latents_mean)) / _by_channel(self.latents_std)

    def decode(self, latents_BTCHW: torch.Tensor, memory: Memory | None = None) -> torch.Tensor:
        """Frames [B, 4 T, 3, 8 H, 8 W] of the next scaled latents: about 0 to 1, not clamped."""
        raw = latents_BTCHW * _by_channel(self.latents_std) + _by_channel(self.latents_mean)
        return (self.decoder(raw, memory) + 1) / 2

    @torch.no_grad()
    def set_linear(self, mean: torch.Tensor, covariance: torch.Tensor) -> None:
        """Fill both linear paths by principal components of blocks (`blocks_of`) of pictures -1 to
        1, whose mean [768] and covariance [768, 768] are given: what is left between a picture and
        its linear reading is the least that so many numbers a block allow (Eckart & Young, 1936).
        Every latent channel has spread 1, the largest component first."""
        spread, components = torch.linalg.eigh(covariance.double())
        count = self.shape.latent_channels
        basis = components[:, -count:].flip(1).T  # [C, 768]
        root = spread[-count:].flip(0).clamp_min(LEAST_SPREAD).sqrt().unsqueeze(1)
        inwards, outwards = basis / root, (basis * root).T
        self.encoder.linear.weight.copy_(inwards[:, :, None, None])
        self.encoder.linear.bias.copy_(-(inwards @ mean.double()))
        self.decoder.linear.weight.copy_(outwards[:, :, None, None])
        self.decoder.linear.bias.copy_(mean)

    def fresh_memory(self) -> Memory:
        """Of a decoder at the beginning of a stream."""
        return [None] * self.decoder.memories


class NeonDecoder:
    """The decoder of one stream, with what it remembers from chunk to chunk."""

    def __init__(self, vae: NeonVAE) -> None:
        self.vae = vae
        self._memory = vae.fresh_memory()

    def wipe(self) -> None:
        """Forget: the next latent frame is a first one."""
        self._memory = self.vae.fresh_memory()

    def decode(self, latents_TCHW: torch.Tensor) -> torch.Tensor:
        """Pictures [4 T, 3, 8 H, 8 W], 0 to 1, of the next scaled latents."""
        dtype = self.vae.decoder.linear.weight.dtype
        pictures = self.vae.decode(latents_TCHW.unsqueeze(0).to(dtype), self._memory)
        return pictures[0].clamp(0, 1)

    def levels(self, latents_TCHW: torch.Tensor) -> torch.Tensor:
        """The same pictures as 8-bit levels, [4 T, 8 H, 8 W, 3]."""
        levels = (self.decode(latents_TCHW).float() * 255).round().to(torch.uint8)
        return levels.permute(0, 2, 3, 1).contiguous()


def _framewise(layer: nn.Module, x_BFCHW: torch.Tensor) -> torch.Tensor:
    return layer(x_BFCHW.flatten(0, 1)).unflatten(0, x_BFCHW.shape[:2])


def blocks_of(video_BFCHW: torch.Tensor) -> torch.Tensor:
    """[B, F / 4, 768, H / 8, W / 8]: a column for each block of 4 frames x 8 x 8 pixels."""
    by_frame = functional.pixel_unshuffle(video_BFCHW, 8)
    return by_frame.unflatten(1, (-1, 4)).flatten(2, 3)


def frames_of(blocks_BTCHW: torch.Tensor) -> torch.Tensor:
    """The frames [B, 4 T, 3, 8 H, 8 W] that `blocks_of` made blocks of."""
    return functional.pixel_shuffle(blocks_BTCHW.unflatten(2, (4, -1)).flatten(1, 2), 8)


def _from_zero(layer: nn.Conv2d) -> nn.Conv2d:
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def _by_channel(values_C: torch.Tensor) -> torch.Tensor:
    return values_C.view(1, 1, -1, 1, 1)
