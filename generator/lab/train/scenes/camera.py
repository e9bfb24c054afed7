"""Pinhole cameras: rays of pixels, points back to pixels, and the flow between two moments.

World axes: x right, y up, z forward, metres. Shapes: N shots, H and W samples.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["Camera", "Rays", "banded", "flow", "rays", "turned"]


_BAND = 2**16


class Camera(NamedTuple):
    """position [N, 3]; axes [N, 3, 3], rows right, up, forward; field: vertical angle, degrees."""

    position: Tensor
    axes: Tensor
    field: float

    @property
    def tangent(self) -> float:
        """Half the picture's height at distance 1."""
        return math.tan(math.radians(self.field) / 2)


class Rays(NamedTuple):
    """Origins [N, 1, 1] and directions [N, H, W]; one unit along a ray is one metre of depth
    (the direction's forward part is 1). `sx`, `sy` [H, W]: the same in the camera's axes;
    `spread`: metres that a sample covers at depth 1."""

    ox: Tensor
    oy: Tensor
    oz: Tensor
    dx: Tensor
    dy: Tensor
    dz: Tensor
    sx: Tensor
    sy: Tensor
    spread: float


def turned(yaw: Tensor, pitch: Tensor, roll: Tensor) -> Tensor:
    """Axes [N, 3, 3] of a camera looking along z, turned right, up and clockwise by radians [N]."""
    cy, sy, cp, sp = yaw.cos(), yaw.sin(), pitch.cos(), pitch.sin()
    zero = torch.zeros_like(yaw)
    right = torch.stack([cy, zero, -sy], -1)
    forward = torch.stack([sy * cp, sp, cy * cp], -1)
    up = torch.stack([-sy * sp, cp, -cy * sp], -1)
    cr, sr = roll.cos()[:, None], roll.sin()[:, None]
    return torch.stack([right * cr - up * sr, up * cr + right * sr, forward], 1)


def rays(camera: Camera, height: int, width: int) -> Rays:
    """One ray through the middle of each of height x width samples; row 0 is the top."""
    device, tangent = camera.position.device, camera.tangent
    column = (torch.arange(width, device=device) + 0.5) * (2 / height) - width / height
    row = 1 - (torch.arange(height, device=device) + 0.5) * (2 / height)
    sx = (column * tangent)[None, :].expand(height, width).contiguous()
    sy = (row * tangent)[:, None].expand(height, width).contiguous()
    right, up, forward = camera.axes[:, :, :, None, None].unbind(1)
    d = right * sx + up * sy + forward
    ox, oy, oz = camera.position[:, :, None, None].unbind(1)
    dx, dy, dz = d.unbind(1)
    return Rays(ox=ox, oy=oy, oz=oz, dx=dx, dy=dy, dz=dz, sx=sx, sy=sy, spread=2 * tangent / height)


def banded(shade: Callable[[Rays], tuple[Tensor, ...]], ray: Rays) -> tuple[Tensor, ...]:
    """What `shade` makes of rays, on a CPU band of rows by band, which its caches hold."""
    height, width = ray.dx.shape[-2:]
    rows = max(1, _BAND // width) if ray.dx.device.type == "cpu" else height
    if rows >= height:
        return shade(ray)
    bands = []
    for top in range(0, height, rows):
        part = slice(top, top + rows)
        d = {name: getattr(ray, name)[:, part] for name in ("dx", "dy", "dz")}
        s = {name: getattr(ray, name)[part] for name in ("sx", "sy")}
        bands.append(shade(ray._replace(**d, **s)))
    return tuple(torch.cat(parts, -2) for parts in zip(*bands, strict=True))


def flow(now: Camera, later: Camera, depth: Tensor) -> Tensor:
    """Where still things move, in pixels [N, 2, H, W] (x right, y down), from depths [N, H, W].

    A pixel at row i and column j now lies at (i + flow_y, j + flow_x) later. What comes to lie
    behind the later camera gets no meaning.
    """
    _, height, width = depth.shape
    ray = rays(now, height, width)
    x, y, z = ray.ox + depth * ray.dx, ray.oy + depth * ray.dy, ray.oz + depth * ray.dz
    p = torch.stack([x, y, z], 1) - later.position[:, :, None, None]
    a, b, c = torch.einsum("nij,njhw->nihw", later.axes, p).unbind(1)
    c = c.clamp_min(1e-3)
    return torch.stack([(a / c - ray.sx) / ray.spread, (ray.sy - b / c) / ray.spread], 1)
