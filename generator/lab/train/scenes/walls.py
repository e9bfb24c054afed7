"""Light and surface of the alley's walls: tracing them, lighting them, what they look like."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from generator.lab.train.scenes.camera import Rays
from generator.lab.train.scenes.facades import (
    BAY,
    GROUND_FLOOR,
    HALF,
    LEVELS,
    STOREY,
    Lamps,
    Material,
    bay_at,
    neon,
    relief,
    shop_lit,
)
from generator.lab.train.scenes.fused import fused
from generator.lab.train.scenes.noise import key, noise, part, smooth, unit
from generator.lab.train.scenes.shots import Shots

__all__ = ["FAR", "Lightmap", "Wall", "lightmap", "lit", "trace"]

FAR = 90.0
_CELL_Z, _CELL_Y, _CELLS_Z, _CELLS_Y, _CELLS_X = 0.5, 0.5, 120, 20, 12


class Wall(NamedTuple):
    """Where rays meet a wall, [N, H, W] each."""

    depth: Tensor
    hit: Tensor
    riser: Tensor
    """bool: a face that looks along the alley or up, not across"""
    level: Tensor


def trace(shots: Shots, ray: Rays) -> Wall:
    """Follow rays to the first level of the height field that is solid where they cross it.

    Rays go straight through the street: what lies below is its mirror image.
    """
    hit, riser = (torch.zeros_like(ray.dx, dtype=torch.bool) for _ in range(2))
    wall = Wall(torch.full_like(ray.dx, FAR), hit, riser, torch.zeros_like(ray.dx))
    for level in LEVELS:
        # this side's numbers are made here, in double precision, and rounded once
        place, away = (ray.dx.new_full((), v) for v in (level, HALF - level))
        wall = fused(shots.kernels, _to_level)(shots, ray, wall, place, away)
    return wall


def _to_level(shots: Shots, ray: Rays, wall: Wall, level: Tensor, away: Tensor) -> Wall:
    """Rays taken on to a level [], `away` [] from the alley's middle."""
    depth, hit, riser, at = wall
    sign = torch.where(ray.dx > 0, 1.0, -1.0)
    steep = sign * ray.dx.abs().clamp_min(1e-4)
    t = (sign * away - ray.ox) / steep
    z, y = ray.oz + t * ray.dz, (ray.oy + t * ray.dy).abs()
    front, _ = relief(shots, side_of(ray), z, y)
    new = (front > level - 0.01) & ~hit & (t < FAR)
    return Wall(
        depth=torch.where(new, t, depth),
        hit=hit | new,
        riser=torch.where(new, front > level + 0.01, riser),
        level=torch.where(new, level, at),
    )


def side_of(ray: Rays) -> Tensor:
    """The wall that each ray goes to [N, H, W]: int32, 0 left, 1 right."""
    return (ray.dx > 0).int()


class Lightmap(NamedTuple):
    """Irradiance on the walls [N, 3, 2 sides x Y, Z] and on the street [N, 3, X, Z]; `start`
    [N, 1, 1] is the first cell's z. Cells stay in place while the camera moves."""

    walls: Tensor
    street: Tensor
    start: Tensor


def _irradiance(
    lamps: Lamps, x: Tensor, y: Tensor, z: Tensor, normal: tuple[Tensor, Tensor]
) -> Tensor:
    """Light [N, 3, P] on points [N, P] whose normal is (nx, ny, 0), half-wrapped round edges."""
    dx, dy, dz = (a[:, None] - b[:, :, None] for a, b in ((lamps.x, x), (lamps.y, y), (lamps.z, z)))
    square = dx * dx + dy * dy + dz * dz + 0.12
    facing = (dx * normal[0][:, :, None] + dy * normal[1][:, :, None]) * square.rsqrt()
    weight = (0.3 + 0.7 * facing).clamp_min(0) / (square * (1 + square * (1 / 14)))
    return torch.einsum("npl,ncl->ncp", weight, lamps.light)


def lightmap(oz: Tensor, lamps: Lamps) -> Lightmap:
    """`oz` [N, 1, 1] is where the camera stands."""
    device = oz.device
    start = ((oz - 1.6) * (1 / _CELL_Z)).floor() * _CELL_Z
    n = start.shape[0]
    z = start + (torch.arange(_CELLS_Z, device=device) + 0.5) * _CELL_Z
    y = ((torch.arange(_CELLS_Y, device=device) + 0.5) * _CELL_Y)[:, None]
    x = ((torch.arange(_CELLS_X, device=device) + 0.5) / _CELLS_X * 2 - 1)[:, None] * (HALF + 0.8)

    def flat(v: Tensor, rows: int) -> Tensor:
        return v.expand(n, rows, _CELLS_Z).flatten(1)

    walls = []
    for sign in (-1.0, 1.0):
        across = flat(torch.full_like(start, sign * HALF), _CELLS_Y)
        normal = (torch.full_like(across, -sign), torch.zeros_like(across))
        walls.append(_irradiance(lamps, across, flat(y, _CELLS_Y), flat(z, _CELLS_Y), normal))
    zero = torch.zeros_like(flat(z, _CELLS_X))
    street = _irradiance(lamps, flat(x, _CELLS_X), zero, flat(z, _CELLS_X), (zero, zero + 1))
    return Lightmap(
        walls=torch.cat([w.unflatten(-1, (_CELLS_Y, _CELLS_Z)) for w in walls], 2),
        street=street.unflatten(-1, (_CELLS_X, _CELLS_Z)),
        start=start,
    )


def on_street(light: Lightmap, x: Tensor, z: Tensor) -> Tensor:
    """Irradiance [N, 3, H, W] on the street at points [N, H, W]."""
    column = ((z - light.start) / _CELL_Z - 0.5) * (2 / (_CELLS_Z - 1)) - 1
    row = x / (HALF + 0.8) * (_CELLS_X / (_CELLS_X - 1))
    return _looked_up(light.street, column, row)


def on_walls(light: Lightmap, side: Tensor, z: Tensor, y: Tensor) -> Tensor:
    """Irradiance [N, 3, H, W] on the walls at points [N, H, W]."""
    column = ((z - light.start) / _CELL_Z - 0.5) * (2 / (_CELLS_Z - 1)) - 1
    row = (y / _CELL_Y - 0.5).clamp(0, _CELLS_Y - 1) + side.float() * _CELLS_Y
    return _looked_up(light.walls, column, row * (2 / (2 * _CELLS_Y - 1)) - 1)


def _looked_up(chart: Tensor, column: Tensor, row: Tensor) -> Tensor:
    grid = torch.stack([column, row], -1)
    return F.grid_sample(chart, grid, mode="bilinear", padding_mode="border", align_corners=True)


def _joint(x: Tensor, period: float, width: float, pixel: Tensor) -> Tensor:
    """How much of a sample lies on joints `width` wide that repeat every `period`."""
    away = ((x * (1 / period)) - (x * (1 / period)).floor() - 0.5).abs() * period
    sharp = ((away - (period - width) / 2) / pixel + 0.5).clamp(0, 1)
    return torch.lerp(sharp, torch.full_like(x, width / period), smooth(0.3, 0.9, pixel / period))


def lit(shots: Shots, light: Lightmap, ray: Rays, wall: Wall) -> Tensor:
    """Light [N, 3, H, W] that leaves the walls where rays meet them."""
    colours = shots.colours
    y = (ray.oy + wall.depth * ray.dy).abs()
    inside = 0.012
    side = side_of(ray)
    z = ray.oz + wall.depth * ray.dz + torch.where(wall.riser, inside, 0.0)
    _, what = relief(shots, side, z, y)
    across = ray.dx.abs().clamp_min(0.02)
    pixel_z = wall.depth * ray.spread * (1 + 1 / across).clamp_max(40) * 0.6
    pixel_y = wall.depth * ray.spread
    whole = (z * (1 / BAY)).floor()
    b = bay_at(shots, side, whole.int())
    u = z - whole * BAY
    house = b.house

    rough = noise(key(house, 1), z * 1.1, y * 0.8)
    fine = noise(key(house, 2), z * 6.0, y * 6.0)
    streaks = noise(key(house, 3), z * 9.0, y * 0.35)
    brick = ((house >> 2) & 1) == 0
    row = (y * (1 / 0.16)).floor()
    mortar = torch.maximum(
        _joint(y, 0.16, 0.02, pixel_y), _joint(z + row * 0.19, 0.38, 0.02, pixel_z)
    )
    panel = torch.maximum(_joint(y, 1.2, 0.03, pixel_y), _joint(z, 1.75, 0.03, pixel_z))
    joint = torch.where(brick, mortar * 0.55, panel * 0.8)
    grain = 0.55 + 0.5 * rough + 0.35 * (fine - 0.5) - 0.35 * streaks * smooth(3.0, 0.0, y)
    albedo = (0.22 * grain * (1 - joint)).clamp_min(0.03)
    metal = (what == Material.METAL) | (what == Material.DOOR) | (what == Material.SHUTTER)
    ridges = 0.55 + 0.45 * torch.sin(y * 52) * smooth(0.08, 0.02, pixel_y)
    albedo = torch.where(metal, 0.13 * (0.6 + 0.5 * rough), albedo)
    albedo = torch.where(what == Material.SHUTTER, albedo * ridges, albedo)
    albedo = torch.where(wall.riser, albedo * 0.75, albedo)
    recess = torch.where(wall.level < -0.1, 0.7, 1.0)
    shade = albedo * recess * (0.45 + 0.55 * smooth(0.0, 0.5, y))

    irradiance = on_walls(light, side, z, y)
    ambient = colours.sky * (0.5 + 2.0 * smooth(23.5, 19, shots["hour"]))[:, None]
    out = (irradiance * 1.15 + ambient * 0.15 + colours.fog * 0.03) * shade[:, None]

    storey = ((y - GROUND_FLOOR) * (1 / STOREY)).floor()
    h = key(b.key, storey.int(), (u >= 1.75).int())
    on = part(h, 0) < shots["windows"] * 0.8
    v = y - GROUND_FLOOR - storey * STOREY
    w = torch.where(u >= 1.75, u - 1.75, u)
    frames = torch.maximum(
        _joint(w - 0.42 + 0.24, 0.48, 0.06, pixel_z), _joint(v + 0.1, 0.725, 0.05, pixel_y)
    )
    curtain = 0.35 + 0.65 * smooth(0.2, 0.9, (w - 0.9).abs() * 2 + 0.5 * (part(h, 2) - 0.5))
    blind = 0.6 + 0.4 * torch.sin(v * 70) * smooth(0.05, 0.012, pixel_y)
    inner = torch.where(part(h, 1) < 0.5, curtain, blind) * (0.35 + 0.65 * part(h, 3))
    glass = torch.where(on, inner, 0.02) * (1 - 0.9 * frames)
    shop_on = shop_lit(shots, b.key)
    goods = noise(key(b.key, 5), u * 5, y * 7) * smooth(1.7, 1.2, y)
    shop_glow = (0.75 - 0.55 * goods) * (0.4 + 0.6 * smooth(0.6, 2.3, y))
    shop_frame = _joint(u - 0.4, 0.9, 0.07, pixel_z)
    shop = torch.where(shop_on, shop_glow, 0.03) * (1 - 0.85 * shop_frame)
    tint = torch.where((part(h, 2) < 0.62)[:, None], colours.warm, colours.cool)
    shop_tint = torch.where(
        (part(key(b.key, 6), 0) < 0.55)[:, None], colours.warm, neon(colours, part(b.key, 3))
    )
    out = torch.where(
        (what == Material.WINDOW)[:, None], out * 0.2 + tint * (glass * 0.85)[:, None], out
    )
    out = torch.where(
        (what == Material.SHOP)[:, None], out * 0.2 + shop_tint * (shop * 1.5)[:, None], out
    )
    pane = (what == Material.DOOR) & ((u - 1.65).abs() < 0.25) & ((y - 1.65).abs() < 0.2)
    out = out + torch.where(pane, 0.7, 0.0)[:, None] * colours.warm

    tube = (what == Material.TUBE) & ~wall.riser
    post = what == Material.POST
    rail = what == Material.RAIL
    which = torch.where(tube, key(b.key, 41), key(house, torch.where(post, 42, 44)))
    colour = neon(colours, unit(key(which, 8)))
    burning = torch.where(tube | post | rail, 4.6, 0.0)
    near = torch.exp(-(y - 3.5).abs() * 1.7) * torch.where(b.rail & ~rail, 0.42, 0.0)
    along = neon(colours, unit(key(key(house, 44), 8))) * (near * shade * 3.0)[:, None]
    return out + along + (colour + 0.12) * burning[:, None]
