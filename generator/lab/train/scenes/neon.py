"""What signs and holograms show: made-up letters and shapes drawn as glowing tubes.

Everything is a distance in the sign's own plane, so it is sharp at every size. Shapes: [N, H, W].
"""

from __future__ import annotations

import torch
from torch import Tensor

from generator.lab.train.scenes.noise import key, part, unit

__all__ = ["letter", "sign_tubes", "tube"]

_FAR = 9.0


def letter(x: Tensor, y: Tensor, which: Tensor) -> Tensor:
    """Distance to the strokes of a made-up letter in the square [-1/2, 1/2] (y up)."""

    def bar(on: Tensor, d: Tensor) -> Tensor:
        return torch.where(on, d, _FAR)

    def bit(i: int) -> Tensor:
        return ((which >> i) & 1) == 1

    ax, ay = x.abs(), y.abs()
    across, along = ax - 0.34, ay - 0.38
    short = (x + 0.34 * (part(which, 3) - 0.5).sign()).abs() - 0.17
    d = bar(bit(0), torch.maximum(across, (y - 0.36).abs()))
    d = torch.minimum(d, bar(bit(1), torch.maximum(across, (y - 0.08).abs())))
    d = torch.minimum(d, bar(bit(2) | ~bit(0), torch.maximum(across, (y + 0.36).abs())))
    d = torch.minimum(d, bar(bit(3), torch.maximum(along, ax)))
    d = torch.minimum(d, bar(bit(4), torch.maximum(along, (x + 0.33).abs())))
    d = torch.minimum(d, bar(bit(5) | ~bit(3), torch.maximum(along, (x - 0.33).abs())))
    d = torch.minimum(d, bar(bit(6), torch.maximum(ay - 0.34, (x - y).abs() * 0.71)))
    d = torch.minimum(d, bar(bit(7) & ~bit(6), torch.maximum(ay - 0.34, (x + y).abs() * 0.71)))
    return torch.minimum(d, bar(bit(9), torch.maximum(short, (y + 0.16).abs())))


def tube(
    d: Tensor, radius: float | Tensor, pixel: Tensor, halo: float | Tensor
) -> tuple[Tensor, Tensor]:
    """(core, halo) of a glowing tube at distance d. `pixel` is what one sample covers, in the unit
    of d; a tube thinner than that dims and keeps its light."""
    wide = torch.maximum(pixel, torch.zeros_like(pixel) + radius)
    core = ((wide - d) / pixel + 0.5).clamp(0, 1) * (radius / wide)
    return core, torch.exp(-(d - radius).clamp_min(0) / halo)


def sign_tubes(
    x: Tensor, y: Tensor, half_x: Tensor, half_y: Tensor, which: Tensor, time: Tensor, pixel: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """A sign of half size half_x by half_y around (0, 0), in metres.

    Returns the core and halo of the letters or shapes, and core and halo of the frame around them.
    """
    frame = torch.maximum(x.abs() - half_x, y.abs() - half_y)
    style = part(key(which, 1), 0)
    cell = 2 * torch.minimum(half_x, half_y) * 0.86
    tall = half_y >= half_x
    along = torch.where(tall, y, x)
    count = (2 * torch.maximum(half_x, half_y) * 0.95 / cell).floor().clamp_min(1)
    place = along / cell + count / 2
    index = place.floor()
    inside = (index >= 0) & (index < count)
    local = place - index - 0.5
    gx = torch.where(tall, x / cell, local)
    gy = torch.where(tall, local, y / cell)
    code = key(which, index.int(), 3)
    d = letter(gx / 0.92, gy / 0.92, code)
    radius = (gx * gx + gy * gy).sqrt()
    ring = (radius - 0.36).abs()
    dot = torch.maximum(radius - 0.16, -radius)
    arrow = torch.minimum((gy.abs() + gx - 0.22).abs() * 0.71, (gy.abs() + gx + 0.06).abs() * 0.71)
    arrow = torch.maximum(arrow, gy.abs() - 0.38)
    d = torch.where(style < 0.14, torch.minimum(ring, dot), d)
    d = torch.where((style >= 0.14) & (style < 0.24), arrow, d)
    first = (style >= 0.24) & (style < 0.5) & (index.int() == 0)
    d = torch.where(first, torch.minimum(ring, torch.maximum(d, radius - 0.3)), d)
    d = torch.where(inside, d, _FAR) * cell
    chase = unit(key(which, 9)) < 0.3
    lit = torch.where(chase & (((time * 3).int() + index.int()) % 4 == 0), 0.35, 1.0)
    core, halo = tube(d, 0.035 * cell / 0.8, pixel, 0.09 * cell)
    rim_core, rim_halo = tube((frame + 0.04).abs(), 0.018, pixel, 0.05)
    rim = torch.where(part(key(which, 1), 1) < 0.7, 1.0, 0.0)
    return core * lit, halo * lit, rim_core * rim, rim_halo * rim
