"""From linear light to a picture: lens, bloom, exposure, tone curve, grade, vignette."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from generator.lab.train.scenes.shots import constants

__all__ = ["LENS_PX", "developed", "halved", "spread_light", "through_lens"]

LENS_PX = 0.85
"""Sigma of the lens's blur in pixels of the picture, whatever its size: a camera resolves no edge
within one pixel, and film that does looks drawn."""
_NEAR, _FAR = math.exp(-0.5 / LENS_PX**2), math.exp(-2 / LENS_PX**2)
_LENS = [share / (1 + 2 * _NEAR + 2 * _FAR) for share in (1.0, _NEAR, _FAR)]
_BINOMIAL = [6 / 16, 4 / 16, 1 / 16]


def halved(light: Tensor) -> Tensor:
    """Half the size, means of 2 x 2 (odd rows and columns are repeated first)."""
    h, w = light.shape[-2:]
    if h % 2 or w % 2:
        light = F.pad(light, (0, w % 2, 0, h % 2), mode="replicate")
    return F.avg_pool2d(light, 2)


def _blurred(light: Tensor, taps: Sequence[float]) -> Tensor:
    """Five taps both ways, told from the middle outwards."""
    middle, near, far = taps
    for axis in (-1, -2):
        size = light.shape[axis]
        pad = (2, 2, 0, 0) if axis == -1 else (0, 0, 2, 2)
        p = F.pad(light, pad, mode="replicate")
        a, b, c, d, e = (p.narrow(axis, i, size) for i in range(5))
        light = (a + e) * far + (b + d) * near + c * middle
    return light


def spread_light(light: Tensor, levels: int) -> list[Tensor]:
    """A pyramid of ever wider blurs of light [N, 3, H, W], each half the size of the last."""
    out = []
    for _ in range(levels):
        light = _blurred(halved(light), _BINOMIAL)
        out.append(light)
    return out


def through_lens(light: Tensor) -> Tensor:
    """Light [N, 3, H, W] behind a Gaussian of `LENS_PX`."""
    return _blurred(light, _LENS)


def _enlarged(light: Tensor, height: int, width: int) -> Tensor:
    return F.interpolate(light, (height, width), mode="bilinear", align_corners=False)


def developed(light: Tensor, shadow: Tensor, exposure: Tensor, bloom: Tensor) -> Tensor:
    """Linear light [N, 3, H, W] as RGB in [0, 1]. Exposure and bloom are numbers [].

    The lens comes first, for it blurs light and not the picture. Bloom adds ever wider blurs (as in
    Jimenez, "Next generation post processing in Call of Duty: Advanced Warfare", 2014). The tone
    curve is Narkowicz' fit of ACES (2015), which lets the core of a tube burn white and keeps its
    halo coloured. `shadow` [N, 3, 1, 1] tints the darks.
    """
    height, width = light.shape[-2:]
    levels = max(2, min(6, height.bit_length() - 3))
    light = through_lens(light)
    pyramid = spread_light(light.clamp(0, 24), levels)
    glow = pyramid[-1]
    for finer in reversed(pyramid[:-1]):
        glow = finer + 0.85 * _enlarged(glow, *finer.shape[-2:])
    light = light + bloom * _enlarged(glow, height, width)
    light = light * exposure + shadow
    y = torch.linspace(-1, 1, height, device=light.device)[:, None]
    x = torch.linspace(-1, 1, width, device=light.device)[None, :]
    light = light * (1 - 0.34 * (0.75 * x * x + 0.6 * y * y))
    light = light * ((2.51 * light + 0.03) / (light * (2.43 * light + 0.59) + 0.14))
    light = light.clamp(0, 1) ** (1 / 2.2)
    light = torch.lerp(light, light * light * (3 - 2 * light), 0.45)
    grey = (light * constants(light, 0.30, 0.59, 0.11)[:, None, None]).sum(1, keepdim=True)
    light = grey + 1.18 * (light - grey)
    return light.clamp(0, 1)
