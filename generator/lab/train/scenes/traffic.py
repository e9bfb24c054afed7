"""Vehicles in lanes, in the air and on the ground: endless rows as functions of place and time.

A lane is a straight line. A ray's nearest point to it gives the place along the lane, and a hash of
that place says whether a vehicle is there, so a lane costs the same however many it carries.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from generator.lab.train.scenes.camera import Rays
from generator.lab.train.scenes.fused import fused
from generator.lab.train.scenes.noise import key, part, smooth, unit
from generator.lab.train.scenes.shots import Palette, Shots, constants
from generator.lab.train.scenes.towers import BLOCK

__all__ = ["Glow", "in_the_air", "on_the_ground"]

_SLOT = 25.0
"""Metres of a lane that one vehicle may have to itself."""


class Glow(NamedTuple):
    """Light of vehicles as weights [N, H, W] of five colours, which costs less than colours do:
    head lamps, tail lamps, two neons, fog; and how much of what lies behind is hidden."""

    head: Tensor
    tail: Tensor
    first: Tensor
    second: Tensor
    fog: Tensor
    cover: Tensor

    def behind(self, nearer: Glow) -> Glow:
        left = 1 - nearer.cover
        head, tail, first, second, fog = (
            a * left + b for a, b in zip(self[:5], nearer[:5], strict=True)
        )
        return Glow(head, tail, first, second, fog, torch.maximum(self.cover, nearer.cover))

    def light(self, colours: Palette) -> Tensor:
        red = constants(self.head, 0.5, 0.02, 0.05)[:, None, None]
        basis = (
            colours.cool * 0.9 + 0.25,
            colours.neon[0] * 0.6 + red,
            colours.neon[1],
            colours.neon[2],
            colours.fog,
        )
        out = sum(c * w[:, None] for c, w in zip(basis, self[:5], strict=True))
        assert isinstance(out, Tensor)
        return out


class _Lane(NamedTuple):
    """Numbers [] of a lane: its own number, how far its vehicles are shifted against those of
    others, and which way they go (+1 or -1)."""

    number: Tensor
    shift: Tensor
    onward: Tensor


def _lane_of(like: Tensor, number: int, onward: float) -> _Lane:
    return _Lane(
        number=like.new_full((), number, dtype=torch.int32),
        shift=like.new_full((), 0.37 * number),
        onward=like.new_full((), onward),
    )


def _with_lane(
    shots: Shots,
    seen: Glow,
    depth: Tensor,
    spread: float,
    lane: _Lane,
    pair: tuple[Tensor, Tensor, Tensor, Tensor],
    along: tuple[Tensor, Tensor],
) -> Glow:
    """What is seen, with a lane before it. `pair`: the lane's place less the ray's origin and the
    ray's direction in the two axes across the lane; `along`: origin and direction along it."""
    number, shift, onward = lane
    qa, qb, da, db = pair
    square = (da * da + db * db).clamp_min(1e-7)
    t = (qa * da + qb * db) / square
    off_a, off_b = qa - t * da, qb - t * db
    pixel = t.clamp_min(1) * spread
    speed = onward * (22 + 16 * unit(key(shots.seed, number, 121)))
    s = (along[0] - speed * shots.time) * (1 / _SLOT) + shift + t * (along[1] / _SLOT)
    cell = s.floor()
    own = key(shots.seed, cell.int(), number, 122)
    there = (unit(own) < shots["traffic"] * (_SLOT / 1000)) & (t > 4) & (t < depth)
    # ahead > 0 is before the vehicle's middle, in its own direction
    ahead = (s - cell - 0.40 - 0.2 * part(own, 3)) * (onward * _SLOT)
    towards = along[1] * onward < 0
    side, square_b = off_a.abs(), off_b * off_b
    body = torch.maximum(side * 0.8 - 0.92, off_b.abs() * 1.2 - 0.74)
    body = torch.maximum(body, ahead.abs() - 2.5)
    thin = (pixel * 0.8).clamp_min(0.30)
    sharp = 1 / (thin * thin)
    keep = torch.where(there, (0.30 / thin) ** 0.75, 0.0)
    place = (ahead.abs() - 2.4) / (1 + thin)
    lamp = torch.exp(-((side - 0.75) ** 2 + square_b) * sharp - place * place)
    lamp = torch.where((ahead > 0) == towards, lamp, 0.0)
    round_ = (off_a * off_a + square_b) * sharp
    glow = torch.exp(-round_ * (1 / 16) - ahead * ahead * 0.04)
    trail = torch.exp(-round_ * 1.23 + (ahead + 1.5).clamp_max(0) * (1 / 6))
    trail = trail * smooth(1.0, -2.0, ahead) * keep
    cover = torch.where(there, (0.5 - body / pixel).clamp(0, 1), 0.0)
    lamps = (lamp * 8 + glow * 0.16) * keep + 0.6 * trail
    under = torch.exp(-(((off_b + 0.45) / 0.16) ** 2))
    tint = 0.4 * trail + cover * (0.03 + 1.6 * under)
    first = torch.where(part(own, 1) < 0.5, tint, 0.0)
    return seen.behind(
        Glow(
            head=torch.where(towards, lamps, 0.0),
            tail=torch.where(towards, 0.0, lamps),
            first=first,
            second=tint - first,
            fog=cover * (0.05 + 0.25 * smooth(-0.1, 0.6, off_b)),
            cover=cover,
        )
    )


_RIGHT = ((16, 0.32), (24, 0.52), (13, 0.70), (22, 0.86))
_LEFT = ((-16, 0.40), (-25, 0.60), (-13, 0.78), (-23, 0.97))
_CROSSING = ((24, 0.35, 1.0), (40, 0.58, -1.0), (28, 0.80, 1.0))
"""Lanes: metres across, share of the camera's height, and which way the crossing ones go."""
_NEAR_CARS = 8


def in_the_air(shots: Shots, ray: Rays, depth: Tensor) -> Glow:
    """Flying cars: lanes over the avenue, lanes that cross it, and some near ones with a shape."""
    seen = Glow(*(torch.zeros_like(ray.dx) for _ in range(6)))
    high = shots["camera_height"]
    for i, (x, y) in enumerate((*_RIGHT, *_LEFT)):
        wander = 4 * (shots.chance(123, i) - 0.5)
        pair = (x + wander - ray.ox, y * high + 2 * wander - ray.oy, ray.dx, ray.dy)
        lane = _lane_of(depth, i, 1.0 if x > 0 else -1.0)
        seen = fused(shots.kernels, _with_lane)(
            shots, seen, depth, ray.spread, lane, pair, (ray.oz, ray.dz)
        )
    base = (ray.oz * (1 / (7 * BLOCK))).floor() * 7 * BLOCK
    for ahead in (1, 2):
        for i, (z, y, onward) in enumerate(_CROSSING):
            place = base + ahead * 7 * BLOCK + z
            pair = (place - ray.oz, y * high - ray.oy, ray.dz, ray.dy)
            lane = _lane_of(depth, 40 + i, onward)
            seen = fused(shots.kernels, _with_lane)(
                shots, seen, depth, ray.spread, lane, pair, (ray.ox, ray.dx)
            )
    for i in range(_NEAR_CARS):
        number = depth.new_full((), i, dtype=torch.int32)
        seen = fused(shots.kernels, _with_near_car)(shots, seen, ray, depth, number)
    return seen


def _with_near_car(shots: Shots, seen: Glow, ray: Rays, depth: Tensor, i: Tensor) -> Glow:
    """What is seen, with a flying car before it, close enough to have a shape: three ellipsoids,
    lamps, and a glow beneath. Even ones keep the drone company, odd ones come towards it; each
    returns, far ahead, when past. i []: int32."""
    own = key(shots.seed, i, 125)
    towards = (i & 1) == 1
    heading = torch.where(towards, -1.0, 1.0)
    reach = torch.where(towards, 300.0, 95.0)
    pace = torch.where(towards, -(shots["speed"] + 26), 5 * part(own, 0) - 9)
    ahead = unit(key(own, 1)) * reach + pace * shots.time
    turn = (ahead * torch.where(towards, 1 / 300.0, 1 / 95.0)).floor()
    again = key(own, turn.int(), 2)
    likely = unit(again) < 0.20 + shots["traffic"] * 0.020
    distance = ahead - turn * reach + 6
    cz = ray.oz + distance
    cx = (5 + 20 * part(again, 1)) * heading
    cy = shots["camera_height"] * (0.80 + 0.17 * part(again, 2)) - 3
    cy = cy + 0.5 * torch.sin(shots.time * 1.3 + i)
    size = 2.0
    bodies = (
        (0.0, 0.0, 1.05, 0.40, 2.5),
        (0.34, -0.25, 0.74, 0.36, 1.35),
        (-0.22, -1.5, 1.35, 0.16, 0.8),
    )
    t_mid = distance / ray.dz.clamp_min(0.05)
    there = torch.where(likely & (t_mid > 5) & (t_mid < depth), smooth(5, 14, distance), 0.0)
    pixel = t_mid.clamp_min(1) * ray.spread
    cover, fog, tint = (torch.zeros_like(depth) for _ in range(3))
    for k, (up, back, *radii) in enumerate(bodies):
        rx, ry, rz = (r * size for r in radii)
        ax, ay = (ray.ox - cx) / rx, (ray.oy - cy - up * size) / ry
        az = (ray.oz - cz - back * size * heading) / rz
        bx, by, bz = ray.dx * (1 / rx), ray.dy * (1 / ry), ray.dz * (1 / rz)
        square = bx * bx + by * by + bz * bz
        t = -(ax * bx + ay * by + az * bz) / square
        x, y, z = ax + t * bx, ay + t * by, az + t * bz
        near = x * x + y * y + z * z
        mask = ((1 - near.sqrt()) * (ry * 1.6) / pixel + 0.5).clamp(0, 1)
        y = y - ((1 - near).clamp_min(0) / square).sqrt() * by
        top = y.clamp(-1, 1)
        dim = 0.5 if k == 1 else 1.0
        fog = torch.lerp(fog, (0.10 + 0.45 * top.clamp_min(0)) * dim, mask)
        tint = torch.lerp(tint, (0.03 + 0.55 * (-top).clamp_min(0)) * dim, mask)
        cover = torch.maximum(cover, mask)
    x = (ray.ox + t_mid * ray.dx - cx) * (1 / size)
    y = (ray.oy + t_mid * ray.dy - cy) * (1 / size)
    soft = (pixel * (0.8 / size)).clamp_min(0.10)
    lamp = torch.exp(-(((x.abs() - 0.80) / (soft * 2.2)) ** 2) - ((y + 0.02) / soft) ** 2)
    lamp = lamp * (0.10 / soft) ** 0.6
    jets = torch.exp(-((x / 1.3) ** 2) - ((y + 0.62) / 0.22) ** 2)
    halo = torch.exp(-((x / 2.4) ** 2) - (y / 1.4) ** 2)
    lamps = (lamp * 7 + halo * 0.07) * there
    cover = cover * there
    neon = tint * cover + jets * 0.9 * there
    first = torch.where(part(own, 3) < 0.5, neon, 0.0)
    return seen.behind(
        Glow(
            head=torch.where(towards, lamps, 0.0),
            tail=torch.where(towards, 0.0, lamps),
            first=first,
            second=neon - first,
            fog=fog * cover,
            cover=cover,
        )
    )


def on_the_ground(shots: Shots, colours: Palette, x: Tensor, z: Tensor, pixel: Tensor) -> Tensor:
    """Light [N, 3, H, W] of the ground: traffic, lamps, shop fronts, at points x, z."""
    out = colours.fog * 0.02 + colours.warm * 0.004 + torch.zeros_like(x)[:, None]
    share = shots["traffic"] * (1 / 40)
    column = ((x + BLOCK / 2) * (1 / BLOCK)).floor()
    row = (z * (1 / BLOCK)).floor()
    cross_z = z - (z * (1 / BLOCK) + 0.5).floor() * BLOCK
    cross_x = x - column * BLOCK
    avenue = (column.int() % 5) == 0
    side_x = BLOCK / 2 - cross_x.abs()
    for number, (across, along, inside, cells) in enumerate(
        (
            (cross_x, z, avenue & (cross_x.abs() < 17.5), column),
            (side_x * cross_x.sign(), z, ~avenue & (side_x < 7), column),
            (cross_z, x, cross_z.abs() < 7, row),
        )
    ):
        lane = (across * (1 / 3.5)).floor()
        onward = torch.where(across > 0, 1.0, -1.0)
        line = key(shots.seed, lane.int(), cells.int(), 131 + number)
        s = (along - onward * (14 + 8 * part(line, 0)) * shots.time) * (1 / 12.0) + 9 * part(
            line, 1
        )
        own = key(line, s.floor().int())
        local = (s - s.floor() - 0.5) * 12
        blur = torch.maximum(pixel, torch.zeros_like(pixel) + 0.5)
        off = (across * (1 / 3.5) - lane - 0.5) * 3.5
        lamp = torch.exp(-((off / (0.55 + blur * 0.5)) ** 2) - (local / (3.2 + blur)) ** 2) * (
            0.7 / (0.7 + 0.5 * blur)
        )
        lamp = torch.where(unit(own) < 0.05 + 0.42 * share, lamp, 0.0)
        mean = (0.05 + 0.42 * share) * 0.22
        lamp = torch.lerp(lamp, torch.zeros_like(lamp) + mean, smooth(3, 9, pixel))
        colour = torch.where(
            (onward > 0)[:, None],
            constants(x, 1.0, 0.10, 0.05)[:, None, None],
            colours.warm * 0.6 + 0.4,
        )
        asphalt = colours.warm * 0.015 + colours.fog * 0.05
        road = asphalt + colour * (lamp * 2.6)[:, None]
        paint = (
            torch.exp(-(((off.abs() - 1.75) / 0.14).clamp(-9, 9) ** 2))
            * smooth(1.2, 0.3, pixel)
            * 0.05
        )
        road = road + paint[:, None]
        out = torch.where(inside[:, None], road, out)
    lamp_z = z - ((z * (1 / 32)).floor() + 0.5) * 32
    pool = torch.exp(-((cross_x.abs() - 24) ** 2 + lamp_z**2) * (1 / 40))
    out = out + colours.warm * torch.where(avenue, pool * 0.35, 0.0)[:, None]
    walk = avenue & (cross_x.abs() > 17.5) | (~avenue & (side_x >= 7) & (cross_z.abs() >= 7))
    plaza = key(shots.seed, (x * 0.25).floor().int(), (z * 0.25).floor().int(), 134)
    neon_ = torch.where((part(plaza, 0) < 0.5)[:, None], colours.neon[0], colours.neon[1])
    spot = torch.where(walk & (part(plaza, 1) < 0.16), 0.16, 0.0)
    return out + neon_ * spot[:, None] + colours.warm * torch.where(walk, 0.035, 0.0)[:, None]
