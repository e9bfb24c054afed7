"""The VACE context as the network reads it: pictures and masks become 96 channels of latents.

VACE (Jiang et al., 2025; Apache-2.0), as diffusers' WanVACEPipeline encodes it for a whole video,
here chunk by chunk. Channels: 16 of what stays (the video where the mask is black), 16 of what is
made anew (where it is white), 64 of the mask, one for each pixel of a latent's 8 x 8.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from generator.lab.context import VaceContext
from generator.lab.models.vae import StreamingEncoder

__all__ = ["ContextReader", "fitted", "mask_channels"]

# Shapes: F frames of video, T latent frames, C channels, H and W sides (pixels), h and w (latents)


class ContextReader:
    """Reads a stream's context. What it keeps between chunks: the encoders' features of both halves
    of the video, and the references' latents."""

    def __init__(self, vae: Any) -> None:
        self._stays, self._anew = StreamingEncoder(vae), StreamingEncoder(vae)
        self._alone = StreamingEncoder(vae)
        self._references: torch.Tensor | None = None

    def wipe(self) -> None:
        self._stays.wipe()
        self._anew.wipe()
        self._references = None

    def read(
        self, context: VaceContext, width: int, height: int, first: int, frames: int
    ) -> torch.Tensor:
        """Of the chunk that holds `frames` frames from number `first` on: [96, T, h, w], the
        references in front, in the order in which they are given."""
        parts = []
        if context.references:
            if self._references is None:
                self._references = self._read_references(context, width, height)
            parts.append(self._references)
        if context.control is not None:
            parts.append(self._read_control(context, first, frames))
        return torch.cat(parts, dim=1)

    def _read_references(self, context: VaceContext, width: int, height: int) -> torch.Tensor:
        """Each alone, as a video of one frame; nothing is to be made anew, and there is no mask."""
        latents = []
        for picture in context.references:
            self._alone.wipe()
            latents.append(self._alone.encode(fitted(picture, width, height).unsqueeze(0)))
        known = torch.cat(latents, dim=1)
        return functional.pad(known, (0, 0, 0, 0, 0, 0, 0, 80))

    def _read_control(self, context: VaceContext, first: int, frames: int) -> torch.Tensor:
        assert context.control is not None
        end = first + frames
        start = end - self._stays.needs((frames + 3) // 4)
        video = _signed(_taken(context.control, start, end)).permute(0, 3, 1, 2)
        anew = (_mask(context, start, end) > 0.5).float().unsqueeze(1)
        return torch.cat(
            [
                self._stays.encode(video * (1 - anew)),
                self._anew.encode(video * anew),
                mask_channels(_mask(context, first, end)).to(self._stays.device, self._stays.dtype),
            ]
        )


def mask_channels(mask_FHW: torch.Tensor) -> torch.Tensor:
    """A chunk's mask, 0 to 1, as [64, T, h, w]: the pixels under a latent become its channels, row
    by row, and of the frames under a latent frame the middle one is taken."""
    frames, height, width = mask_FHW.shape
    latent_frames = (frames + 3) // 4
    middles = [(2 * i + 1) * frames // (2 * latent_frames) for i in range(latent_frames)]
    places = mask_FHW[middles].view(latent_frames, height // 8, 8, width // 8, 8)
    return places.permute(2, 4, 0, 1, 3).reshape(64, latent_frames, height // 8, width // 8)


def fitted(picture: NDArray[np.uint8], width: int, height: int) -> torch.Tensor:
    """A reference [3, H, W], -1 to 1: scaled to fit, in the middle of white."""
    known = _signed(picture).permute(2, 0, 1)
    scale = min(height / known.shape[1], width / known.shape[2])
    size = (max(1, int(known.shape[1] * scale)), max(1, int(known.shape[2] * scale)))
    scaled = functional.interpolate(
        known.unsqueeze(0), size=size, mode="bilinear", align_corners=False
    )[0]
    top, left = (height - size[0]) // 2, (width - size[1]) // 2
    canvas = torch.ones(3, height, width)
    canvas[:, top : top + size[0], left : left + size[1]] = scaled
    return canvas


def _mask(context: VaceContext, start: int, end: int) -> torch.Tensor:
    """[F, H, W], 0 to 1; all of it 1 where none is given."""
    assert context.control is not None
    if context.mask is None:
        return torch.ones(end - start, *context.control.shape[1:3])
    return torch.from_numpy(_taken(context.mask, start, end)).float() / 255


def _taken(pixels: NDArray[np.uint8], start: int, end: int) -> NDArray[np.uint8]:
    """Frames from a number to before another; the first and the last hold beyond the ends."""
    return pixels[np.clip(np.arange(start, end), 0, len(pixels) - 1)]


def _signed(pixels: NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(pixels.astype(np.float32)) / 127.5 - 1
