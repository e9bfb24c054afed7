"""Rain, its rings and splashes, and steam: particles that are functions of place and time.

Each drop lives in a cell of a lattice that falls with the rain; a hash of the cell says whether
there is one and where. Layers lie at fixed depths before the camera. Shapes [N, H, W].
"""

from __future__ import annotations

import torch
from torch import Tensor

from generator.lab.train.scenes.camera import Rays
from generator.lab.train.scenes.fused import fused
from generator.lab.train.scenes.noise import key, noise, part, smooth, unit
from generator.lab.train.scenes.shots import Shots

__all__ = ["rain", "rings", "splashes", "steam"]

FALL = 8.5
"""m/s, the speed of large drops (Gunn and Kinzer, 1949)."""
SHUTTER = 1 / 40
_SPACING, _PLUMES = 4.0, 6
"""Metres between vents, and how many of them are seen."""


def rain(shots: Shots, ray: Rays, depth: Tensor, layers: tuple[float, ...]) -> Tensor:
    """How much of each sample is covered by streaks nearer than `depth`."""
    out = torch.zeros_like(depth)
    wind = 0.05 + 0.10 * (shots.chance(61) - 0.5)
    share = shots["rain"] * (1 / 50)
    for i, away in enumerate(layers):
        x = ray.sx * away + ray.ox + wind * ray.sy * away
        y = ray.sy * away + ray.oy + FALL * shots.time
        pixel = away * ray.spread
        wide, high = 0.035 + 0.028 * away, 0.9 + 0.30 * away
        cx = (x * (1 / wide)).floor()
        column = key(shots.seed, cx.int(), 62 + i)
        y = y * (1 / high) + unit(column) * 7
        cy = y.floor()
        drop = key(column, cy.int())
        fx = (x * (1 / wide) - cx - 0.15 - 0.7 * part(drop, 0)).abs() * wide
        length = FALL * SHUTTER * (0.7 + 0.9 * part(drop, 3))
        fy = (y - cy - 0.2 - 0.6 * part(drop, 1)).abs() * high
        radius = 0.0013 * (0.7 + away * 0.18)
        thick = max(radius, 0.55 * pixel)
        across = (1.2 - fx / thick).clamp(0, 1) * (radius / thick) ** 0.5
        along = smooth(0.5, 0.25, fy / length)
        there = part(drop, 2) < share * 0.9
        streak = across * along * torch.where(there, 0.5, 0.0)
        out = out + torch.where(depth > away, streak, 0.0)
    return out.clamp(0, 1)


def rings(shots: Shots, x: Tensor, z: Tensor, pixel: Tensor) -> tuple[Tensor, Tensor]:
    """Slopes (along x, along z) of the street's water: rings that widen round drops, and swell."""
    out_x, out_z = torch.zeros_like(x), torch.zeros_like(x)
    share = shots["rain"] * (1 / 50)
    for i, cell in enumerate((0.34, 0.23)):
        u, w = x * (1 / cell) + 0.37 * i, z * (1 / cell) + 0.61 * i
        fu, fw = u.floor(), w.floor()
        own = key(shots.seed, fu.int(), fw.int(), 71 + i)
        beat = shots.time * (1.5 + part(own, 3)) + part(own, 0)
        turn = beat.floor()
        age = beat - turn
        drop = key(own, turn.int())
        du = (u - fu - 0.3 - 0.4 * part(drop, 0)) * cell
        dw = (w - fw - 0.3 - 0.4 * part(drop, 1)) * cell
        r = (du * du + dw * dw).sqrt().clamp_min(1e-4)
        front = r - age * cell * 0.5
        wave = torch.sin(front * (6.2832 / 0.035)) * torch.exp(-((front / 0.02) ** 2))
        edge = smooth(0.5, 0.36, r / cell)
        live = torch.where(part(drop, 2) < 0.15 + 0.85 * share, 1.0, 0.0) * (share > 0.002)
        slope = wave * edge * (1 - age) * live * smooth(0.06, 0.012, pixel)
        out_x, out_z = out_x + slope * du / r, out_z + slope * dw / r
    t = shots.time
    out_x = out_x + 0.10 * torch.sin(9 * x + 4 * z + 3 * t) * smooth(0.2, 0.03, pixel)
    out_z = out_z + 0.10 * torch.sin(11 * z - 5 * x - 4 * t) * smooth(0.2, 0.03, pixel)
    return out_x, out_z


def splashes(shots: Shots, x: Tensor, z: Tensor, pixel: Tensor) -> Tensor:
    """Small bright crowns where drops strike the street, as cover of samples."""
    share = shots["rain"] * (1 / 50)
    cell = 0.16
    fu, fw = (x * (1 / cell)).floor(), (z * (1 / cell)).floor()
    own = key(shots.seed, fu.int(), fw.int(), 81)
    beat = shots.time * (3 + 3 * part(own, 3)) + part(own, 0)
    turn = beat.floor()
    age = beat - turn
    drop = key(own, turn.int())
    du = (x * (1 / cell) - fu - 0.25 - 0.5 * part(drop, 0)) * cell
    dw = (z * (1 / cell) - fw - 0.25 - 0.5 * part(drop, 1)) * cell * 0.55
    r = (du * du + dw * dw).sqrt()
    size = 0.008 + 0.026 * age
    thick = torch.maximum(pixel * 0.5, torch.zeros_like(pixel) + 0.005)
    ring = (1.3 - (r - size).abs() / thick).clamp(0, 1)
    live = part(drop, 2) < share * 0.5
    return torch.where(live, ring * (1 - age) ** 2, 0.0) * (0.005 / thick)


def steam(shots: Shots, ray: Rays, depth: Tensor, half: float) -> Tensor:
    """Cover [N, H, W] of plumes that rise from vents along both sides of a street, `half` wide."""
    out = torch.zeros_like(depth)
    base = (ray.oz * (1 / _SPACING)).floor().int() + 1
    for i in range(_PLUMES):
        out = fused(shots.kernels, _with_plume)(shots, ray, depth, out, base + i, half)
    return out


def _with_plume(
    shots: Shots, ray: Rays, depth: Tensor, out: Tensor, place: Tensor, half: float
) -> Tensor:
    """The cover with one more plume, that of vent number `place` [N, 1, 1]."""
    likely = shots["steam"] * (_SPACING / 100)
    own = key(shots.seed, place, 91)
    z = (place.float() + 0.6 * part(own, 0)) * _SPACING
    t = (z - ray.oz) / ray.dz.clamp_min(0.05)
    x, y = ray.ox + t * ray.dx, ray.oy + t * ray.dy
    foot = (half - 0.5) * torch.where(part(own, 1) < 0.5, -1.0, 1.0) * (0.5 + 0.5 * part(own, 2))
    rise = y * 1.0
    broad = 0.22 + 0.30 * y.clamp_min(0)
    u = (x - foot - 0.18 * y * (part(own, 3) - 0.5)) / broad
    drift = shots.time * 0.85
    billow = noise(own, u * 1.7 + 9, rise * 1.3 - drift) * 0.6
    billow = billow + noise(own, u * 3.9 - 5, rise * 2.9 - drift * 2.1) * 0.4
    cover = smooth(0.32, 0.80, billow * (1.1 - 0.35 * u.abs())) * torch.exp(-u * u * 0.9)
    cover = (
        cover
        * smooth(-0.02, 0.25, y)
        * smooth(4.5, 0.8, y)
        * torch.where(unit(key(own, 4)) < likely, 0.5, 0.0)
    )
    there = (t > 0.3) & (t < depth) & (y > -0.05)
    cover = cover * smooth(0.3, 1.6, t)
    return out + (1 - out) * torch.where(there, cover, 0.0)
