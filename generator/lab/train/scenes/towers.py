"""The metropolis' blocks: where towers stand, how rays find them, what their faces show.

Towers are boxes of one or two tiers on a square lattice with streets between; some columns and rows
of the lattice stay free as avenues. Rays walk the lattice cell by cell (Amanatides and Woo, 1987)
and meet the boxes exactly. Metres.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from generator.lab.train.scenes.camera import Rays
from generator.lab.train.scenes.facades import neon
from generator.lab.train.scenes.fused import fused
from generator.lab.train.scenes.neon import sign_tubes
from generator.lab.train.scenes.noise import key, part, smooth, unit
from generator.lab.train.scenes.shots import Palette, Shots, flicker

__all__ = [
    "BLOCK",
    "FAR",
    "Blocks",
    "Hit",
    "Walk",
    "avenue_row",
    "billboard",
    "blocks",
    "face",
    "find",
    "hit_of",
]

BLOCK = 64.0
FAR = 4000.0
_COLUMNS, _AHEAD, _STEPS = 20, 40, 34
_STEPS_AT_ONCE = 2
_FLOOR = 3.6


def avenue_row(row: Tensor) -> Tensor:
    """Whether no towers stand in a row (int32) of the lattice."""
    return row % 7 == 0


class _Plan(NamedTuple):
    """Towers at lattice cells: half width and height of the lower and the upper tier."""

    low_wide: Tensor
    low_high: Tensor
    top_wide: Tensor
    top_high: Tensor
    key: Tensor


def _plan(shots: Shots, column: Tensor, row: Tensor) -> _Plan:
    own = key(shots.seed, column, row, 101)
    more = key(own, 1)
    district = part(key(shots.seed, column >> 1, row >> 1, 102), 0)
    u = part(own, 0)
    high = shots["skyline"] * (0.30 + 0.75 * u + 0.55 * district * u)
    giant = (part(own, 1) < 0.085) & (column.abs() < 9)
    high = torch.where(giant, high * 0.5 + shots["skyline"] * 1.9, high)
    low_wide = 17 + 9 * part(own, 2)
    tiered = part(own, 3)
    top_wide = torch.where(tiered < 0.45, low_wide * (0.5 + 0.3 * part(more, 0)), low_wide * 0.16)
    top_wide = torch.where(tiered > 0.85, 0.7, top_wide)
    growth = torch.where(tiered < 0.45, 1.18 + 0.4 * part(more, 1), 1.06)
    growth = torch.where(tiered > 0.85, 1.35, growth)
    free = (column % 5 == 0) | avenue_row(row) | (part(more, 2) < 0.04)
    low_high = torch.where(free, -1.0, high)
    return _Plan(low_wide, low_high, top_wide, low_high * growth, own)


class Hit(NamedTuple):
    """What rays meet first, [N, H, W]: depth (FAR if nothing), centre of the cell, tier's size,
    its key, and which face: 0 looks along x, 1 along z, 2 a roof."""

    depth: Tensor
    cx: Tensor
    cz: Tensor
    wide: Tensor
    high: Tensor
    base: Tensor
    key: Tensor
    face: Tensor


class Walk(NamedTuple):
    """Rays on their way over the lattice, [N, H, W]: the cell that each is in, what was met so far
    (depth, the cell's place in the table, whether its upper tier)."""

    column: Tensor
    row: Tensor
    best: Tensor
    index: Tensor
    upper: Tensor


class Blocks(NamedTuple):
    """The lattice about the camera [N, cells], row by row from `first` [N, 1, 1] on."""

    plan: _Plan
    first: Tensor


def blocks(shots: Shots, oz: Tensor) -> Blocks:
    """`oz` [N, 1, 1] is where the camera is along the avenue."""
    first = (oz * (1 / BLOCK)).floor().int() - 1
    columns = torch.arange(-_COLUMNS, _COLUMNS + 1, device=oz.device, dtype=torch.int32)
    rows = first + torch.arange(_AHEAD, device=oz.device, dtype=torch.int32)[:, None]
    plan = _plan(shots, columns[None, None], rows)
    return Blocks(_Plan(*(v.expand(-1, _AHEAD, 2 * _COLUMNS + 1).flatten(1) for v in plan)), first)


def find(shots: Shots, ray: Rays, around: Blocks) -> Walk:
    """Walk the rays to the first tower that they meet; `hit_of` says what it is."""
    walk = Walk(
        column=((ray.ox + BLOCK / 2) * (1 / BLOCK)).floor() + torch.zeros_like(ray.dx),
        row=(ray.oz * (1 / BLOCK)).floor() + torch.zeros_like(ray.dx),
        best=torch.full_like(ray.dx, FAR),
        index=torch.zeros_like(ray.dx, dtype=torch.int32),
        upper=torch.zeros_like(ray.dx, dtype=torch.bool),
    )
    inverse = fused(shots.kernels, _inverse)(ray)
    for _ in range(_STEPS // _STEPS_AT_ONCE):
        walk = fused(shots.kernels, _walked)(ray.ox, ray.oy, ray.oz, inverse, around, walk)
    return walk


def _inverse(ray: Rays) -> tuple[Tensor, ...]:
    """One over the rays' directions, which are kept from 0."""
    return tuple(
        torch.where(d.abs() < 1e-5, torch.where(d < 0, -1e-5, 1e-5), d).reciprocal()
        for d in (ray.dx, ray.dy, ray.dz)
    )


def _walked(
    ox: Tensor,
    oy: Tensor,
    oz: Tensor,
    inverse: tuple[Tensor, ...],
    around: Blocks,
    walk: Walk,
) -> Walk:
    """Some cells further."""
    column, row, best, index, upper = walk
    ix, iy, iz = inverse
    ax, ay, az = ix.abs(), iy.abs(), iz.abs()
    step_x, step_z = torch.where(ix < 0, -1.0, 1.0), torch.where(iz < 0, -1.0, 1.0)
    first_row = around.first.float()
    for _ in range(_STEPS_AT_ONCE):
        place = (row - first_row) * (2 * _COLUMNS + 1) + column + _COLUMNS
        known = (column.abs() <= _COLUMNS) & (row >= first_row) & (row < first_row + _AHEAD)
        cell = torch.where(known, place, 0.0).int()
        flat = cell.flatten(1).long()
        low_wide, low_high, top_wide, top_high = (
            v.gather(1, flat).view(column.shape) for v in around.plan[:4]
        )
        mid_x, mid_z = (column * BLOCK - ox) * ix, ((row + 0.5) * BLOCK - oz) * iz
        known = known & (low_high > 0)
        for wide, high, top in ((low_wide, low_high, False), (top_wide, top_high, True)):
            half = high * 0.5
            mid_y, reach_y = (half - oy) * iy, half * ay
            near = torch.maximum(
                torch.maximum(mid_x - wide * ax, mid_z - wide * az), mid_y - reach_y
            )
            far = torch.minimum(
                torch.minimum(mid_x + wide * ax, mid_z + wide * az), mid_y + reach_y
            )
            hit = known & (near < far) & (near > 0.5) & (near < best)
            best = torch.where(hit, near, best)
            index = torch.where(hit, cell, index)
            upper = (upper & ~hit) | hit if top else upper & ~hit
        out_x, out_z = mid_x + BLOCK / 2 * ax, mid_z + BLOCK / 2 * az
        across = out_x < out_z
        column = torch.where(across, column + step_x, column)
        row = torch.where(across, row, row + step_z)
    return Walk(column, row, best, index, upper)


def hit_of(ray: Rays, around: Blocks, walk: Walk) -> Hit:
    """What a walk's rays have met."""
    shape, upper = ray.dx.shape, walk.upper
    ix, iy, iz = _inverse(ray)
    ax, ay, az = ix.abs(), iy.abs(), iz.abs()
    flat = walk.index.flatten(1).long()
    low_wide, low_high, top_wide, top_high, own = (
        v.gather(1, flat).view(shape) for v in around.plan
    )
    wide, high = torch.where(upper, top_wide, low_wide), torch.where(upper, top_high, low_high)
    own_row = torch.div(walk.index, 2 * _COLUMNS + 1, rounding_mode="floor")
    cx = (walk.index - own_row * (2 * _COLUMNS + 1) - _COLUMNS).float() * BLOCK
    cz = (own_row.float() + around.first.float() + 0.5) * BLOCK
    near_x, near_z = (cx - ray.ox) * ix - wide * ax, (cz - ray.oz) * iz - wide * az
    near_y = (high / 2 - ray.oy) * iy - high / 2 * ay
    which = torch.where(
        near_y > torch.maximum(near_x, near_z), 2, torch.where(near_x > near_z, 0, 1)
    )
    base = torch.where(upper, low_high, 0.0)
    return Hit(walk.best, cx, cz, wide, high, base, own, which)


def _band(d: Tensor, half: float, pixel: Tensor) -> Tensor:
    """Cover of a line of half width `half` at distance d, keeping its light when it is thin."""
    wide = torch.maximum(pixel * 0.7, torch.zeros_like(pixel) + half)
    return ((wide - d) / pixel.clamp_min(0.02) + 0.5).clamp(0, 1) * (half / wide)


def _panes(u: Tensor, pitch: Tensor, share: Tensor, pixel: Tensor) -> Tensor:
    """Cover of panes that take `share` of every `pitch`, blurred by the sample's size."""
    d = (u - u.floor() - 0.5).abs() * pitch
    sharp = ((share * pitch / 2 - d) / pixel + 0.5).clamp(0, 1)
    return torch.lerp(sharp, share, smooth(0.35, 0.9, pixel / pitch))


def face(shots: Shots, colours: Palette, ray: Rays, hit: Hit, reflected: Tensor) -> Tensor:
    """Light [N, 3, H, W] from towers. `reflected` is the sky that glass mirrors there."""
    x, y, z = (o + hit.depth * d for o, d in ((ray.ox, ray.dx), (ray.oy, ray.dy), (ray.oz, ray.dz)))
    length = (ray.dx * ray.dx + ray.dy * ray.dy + ray.dz * ray.dz).sqrt()
    roof, sideways = hit.face == 2, hit.face == 0
    cosine = (
        torch.where(sideways, ray.dx.abs(), torch.where(roof, ray.dy.abs(), ray.dz.abs())) / length
    )
    u = torch.where(sideways, z - hit.cz, x - hit.cx)
    pixel_y = hit.depth * ray.spread * 1.1
    pixel = pixel_y / cosine.clamp_min(0.06)
    own = hit.key
    style = part(own, 0)
    more = key(own, 2)

    pitch = 2.4 + 2.2 * part(more, 0)
    ribbon, strips = style < 0.28, (style >= 0.28) & (style < 0.5)
    share_u = torch.where(ribbon, 0.96, torch.where(strips, 0.5, 0.62))
    share_v = torch.where(strips, 0.92, torch.where(ribbon, 0.5, 0.58))
    floors = torch.full_like(pitch, _FLOOR)
    gu, gv = u / pitch + 40, y * (1 / _FLOOR)
    iu, iv = gu.floor().int(), gv.floor().int()
    iu = torch.where(ribbon, torch.div(iu, 3, rounding_mode="floor"), iu)
    side = hit.face + 1
    window = key(own, iu, iv, side)
    block = key(own, iu >> 2, iv >> 2, side + 8)
    storey = part(key(own, iv, 9), 0)
    busy = (shots["windows"] * (0.12 + 1.25 * part(more, 1))).clamp(0, 0.97)
    local = (busy * (0.25 + 1.35 * part(block, 0))).clamp(0, 1)
    on = torch.where(
        (unit(window) < local) | (storey < busy * 0.15), 0.14 + 1.1 * part(window, 3) ** 2, 0.012
    )
    blurred = smooth(0.4, 1.3, pixel / pitch)
    on = torch.lerp(on, local * 0.50, blurred)
    panes = _panes(gu, pitch, share_u, pixel) * _panes(gv, floors, share_v, pixel_y)
    cool = part(more, 2) < 0.42
    tint = torch.where(cool[:, None], colours.cool, colours.warm)
    tint = torch.where(
        (part(window, 2) < 0.05)[:, None] & (blurred < 0.5)[:, None],
        neon(colours, part(window, 1)),
        tint,
    )
    glass = tint * (on * panes * 1.5)[:, None]

    mirror = 0.05 + 0.75 * (1 - cosine) ** 3
    haze_low = torch.exp(-y.clamp_min(0) * (1 / 22))
    street = torch.lerp(colours.warm.expand_as(glass), neon(colours, part(own, 3)), 0.45)
    wall = reflected * (mirror * (0.25 + 0.75 * panes))[:, None]
    wall = wall + (colours.sky * 0.10 + colours.fog * 0.05) * (0.6 - 0.3 * panes)[:, None]
    wall = wall + street * (haze_low * 0.45)[:, None]
    out = wall + glass

    edge_lit = part(key(own, 3), 0) < shots["neon"] * 0.55
    bands_lit = part(key(own, 3), 1) < shots["neon"] * 0.35
    corner = _band((u.abs() - hit.wide + 0.5).abs(), 0.28, pixel)
    rim = _band((hit.high - y - 0.6).abs(), 0.35, pixel_y)
    every = y * (1 / 28.8)
    bands = _band((every - every.floor() - 0.5).abs() * 28.8, 0.3, pixel_y)
    lines = torch.where(edge_lit, torch.maximum(corner, rim), 0.0) + torch.where(
        bands_lit, bands, 0.0
    )
    colour = neon(colours, part(key(own, 3), 2))
    out = out + (colour + 0.08) * (lines * 3.2)[:, None]
    halo = (
        torch.exp(-(hit.wide - u.abs()).clamp_min(0) * 0.45) * 0.10
        + torch.exp(-(hit.high - y).clamp_min(0) * 0.3) * 0.12
    )
    out = out + colour * torch.where(edge_lit, halo, 0.0)[:, None]
    crown = (part(key(own, 3), 3) < 0.3) & (hit.base > 0) & (hit.wide > 4)
    lantern = smooth(8, 2, hit.high - y) * (0.4 + 0.6 * panes)
    out = out + colour * torch.where(crown, lantern * 1.1, 0.0)[:, None]

    top = reflected * 0.10 + colours.sky * 0.06
    inset = torch.maximum((x - hit.cx).abs(), (z - hit.cz).abs())
    ring = _band((inset - hit.wide + 1.0).abs(), 0.35, pixel)
    plant = key(own, ((x - hit.cx) * 0.16).floor().int(), ((z - hit.cz) * 0.16).floor().int())
    top = top * (0.35 + 0.9 * part(plant, 0))[:, None]
    top = top + colour * torch.where(edge_lit, ring * 2.0, ring * 0.05)[:, None]
    pad = (((x - hit.cx) ** 2 + (z - hit.cz) ** 2).sqrt() - 7).abs()
    top = (
        top
        + colours.warm * torch.where(part(own, 2) < 0.3, _band(pad, 0.3, pixel) * 1.2, 0.0)[:, None]
    )
    out = torch.where(roof[:, None], top, out)
    panel, cover = _panel(shots, colours, hit, u, y, pixel_y)
    cover = torch.where(roof, 0.0, cover)[:, None]
    return out * (1 - cover) + panel * cover


def billboard(
    shots: Shots,
    colours: Palette,
    which: Tensor,
    x: Tensor,
    y: Tensor,
    half_x: Tensor,
    half_y: Tensor,
    pixel: Tensor,
) -> tuple[Tensor, Tensor]:
    """A hologram's light [N, 3, H, W] and cover at (x, y) round its middle; sizes in metres."""
    scale = 1 / 11.0
    px = pixel * scale
    sx, sy, hx, hy = x * scale, y * scale, half_x * scale, half_y * scale
    core, halo, rim, rim_halo = sign_tubes(
        sx, sy, hx * 0.94, hy * 0.94, which, shots.time * 0.6, px
    )
    main = neon(colours, part(key(which, 2), 0))
    second = neon(colours, part(key(which, 2), 1))
    wash = 0.5 + 0.5 * torch.sin(y * 0.10 + x * 0.06 + shots.time * 1.3 + 6 * part(which, 0))
    lines = 0.80 + 0.20 * torch.sin(y * 5.2 - shots.time * 6) * smooth(0.8, 0.25, pixel)
    sweep = (y / half_y * 0.5 + 0.5) - (shots.time * 0.35 + part(which, 1))
    sweep = torch.exp(-(((sweep - sweep.floor()) - 0.5) ** 2) * 160)
    ground = main * (0.16 + 0.20 * wash)[:, None] + second * (0.22 * (1 - wash))[:, None]
    letters = torch.where(
        (part(which, 2) < 0.5)[:, None], second + 0.25, torch.ones_like(second) * 0.9
    )
    light = ground + letters * (core * 2.2)[:, None] + second * (halo * 0.35)[:, None]
    light = light + (main + 0.12) * (rim * 2.6 + rim_halo * 0.30 + sweep * 0.25)[:, None]
    box = torch.maximum(x.abs() - half_x, y.abs() - half_y)
    cover = (0.5 - box / pixel).clamp(0, 1)
    return light * (lines * flicker(shots, which))[:, None] * 1.15, cover


def _panel(
    shots: Shots, colours: Palette, hit: Hit, u: Tensor, y: Tensor, pixel: Tensor
) -> tuple[Tensor, Tensor]:
    """Billboards on towers' own faces."""
    own = key(hit.key, hit.face, 111)
    exists = (part(own, 0) < shots["billboards"] * 0.75) & (hit.wide > 6)
    tall = part(own, 1) < 0.5
    room = hit.high - hit.base
    half_x = hit.wide * torch.where(tall, 0.46, 0.84)
    half_y = torch.minimum(
        torch.where(tall, 24 + 14 * part(own, 2), 8 + 6 * part(own, 2)), room * 0.34
    )
    middle = hit.base + room * torch.where(tall, 0.60, 0.74)
    light, cover = billboard(shots, colours, own, u, y - middle, half_x, half_y, pixel)
    return light, torch.where(exists, cover, 0.0)
