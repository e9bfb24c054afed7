"""Vehicles in lanes, in the air and on the ground: endless rows as functions of place and time.

A lane is a straight line. A ray's nearest point to it gives the place along the lane, and a hash of
that place says whether a vehicle is there, so a lane costs the same however many it carries.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from generator.lab.train.scenes.camera import Rays
from generator.lab.train.scenes.noise import key, part, smooth, unit
from generator.lab.train.scenes.shots import Palette, Shots
from generator.lab.train.scenes.towers import BLOCK

__all__ = ["in_the_air", "near_the_drone", "on_the_ground"]

_SLOT = 25.0
"""Metres of a lane that one vehicle may have to itself."""


class _Seen(NamedTuple):
    light: Tensor
    cover: Tensor


def _lane(
    shots: Shots,
    colours: Palette,
    ray: Rays,
    depth: Tensor,
    number: int,
    pair: tuple[Tensor, Tensor, Tensor, Tensor],
    along: tuple[Tensor, Tensor],
    onward: float,
) -> _Seen:
    """One lane. `pair`: the lane's place less the ray's origin and the ray's direction in the two
    axes across the lane; `along`: origin and direction along it; onward +1 or -1 is the traffic's
    direction."""
    qa, qb, da, db = pair
    square = (da * da + db * db).clamp_min(1e-7)
    t = (qa * da + qb * db) / square
    off_a, off_b = qa - t * da, qb - t * db
    place = along[0] + t * along[1]
    pixel = t.clamp_min(1) * ray.spread
    speed = onward * (22 + 16 * unit(key(shots.seed, number, 121)))
    s = (place - speed * shots.time) * (1 / _SLOT) + 0.37 * number
    cell = s.floor()
    own = key(shots.seed, cell.int(), number, 122)
    there = (unit(own) < shots["traffic"] * (_SLOT / 1000)) & (t > 4) & (t < depth)
    # ahead > 0 is before the vehicle's middle, in its own direction
    ahead = (s - cell - 0.40 - 0.2 * part(own, 3)) * _SLOT * onward
    towards = along[1] * onward < 0
    wide = 1.15
    body = torch.maximum((off_a.abs() - wide) * 0.8, (off_b.abs() - 0.62) * 1.2)
    body = torch.maximum(body, ahead.abs() - 2.5)
    cover = torch.where(there, (0.5 - body / pixel).clamp(0, 1), 0.0)
    r = (off_a * off_a + off_b * off_b).sqrt()
    thin = torch.maximum(pixel * 0.8, torch.zeros_like(pixel) + 0.30)
    keep = (0.30 / thin) ** 0.75
    lamp = torch.exp(-(((off_a.abs() - 0.75) / thin) ** 2) - (off_b / thin) ** 2)
    lamp = lamp * torch.exp(-(((ahead - torch.where(towards, 2.4, -2.4)) / (1.0 + thin)) ** 2))
    glow = torch.exp(-((r / (thin * 4)) ** 2)) * torch.exp(-((ahead / 5.0) ** 2)) * 0.10
    behind = (-ahead - 1.5).clamp_min(0)
    trail = (
        torch.exp(-((r / (thin * 0.9)) ** 2))
        * torch.exp(-behind * (1 / 6.0))
        * smooth(1.0, -2.0, ahead)
    )
    head = colours.cool * 0.9 + 0.25
    tail = colours.neon[0] * 0.8 + torch.tensor([0.5, 0.02, 0.05], device=r.device)[:, None, None]
    colour = torch.where(towards[:, None], head, tail)
    tint = torch.where((part(own, 1) < 0.5)[:, None], colours.neon[1], colours.neon[2])
    shell = tint * 0.03 + 0.010 + colours.fog * (0.05 + 0.25 * smooth(-0.1, 0.6, off_b))[:, None]
    shell = shell + tint * torch.exp(-(((off_b + 0.45) / 0.16) ** 2))[:, None] * 1.6
    light = (
        colour * ((lamp * 8 + glow * 1.6) * keep)[:, None]
        + (colour * 0.6 + tint * 0.4) * (trail * keep * 1.1)[:, None]
    )
    live = torch.where(there, 1.0, 0.0)
    return _Seen(light * live[:, None] + shell * cover[:, None], cover)


def in_the_air(
    shots: Shots, colours: Palette, ray: Rays, depth: Tensor, through: Tensor
) -> tuple[Tensor, Tensor]:
    """Light and cover of flying cars: lanes over the avenue, and lanes that cross it. `through`
    [N, H, W] maps depth to the share of light that the haze lets pass."""
    light, cover = torch.zeros_like(ray.dx)[:, None] * colours.fog, torch.zeros_like(ray.dx)
    lanes: list[_Seen] = []
    for i, (x, y, onward) in enumerate(
        (
            (16, 0.32, 1),
            (24, 0.52, 1),
            (13, 0.70, 1),
            (22, 0.86, 1),
            (-16, 0.40, -1),
            (-25, 0.60, -1),
            (-13, 0.78, -1),
            (-23, 0.97, -1),
        )
    ):
        wander = 4 * (shots.chance(123, i) - 0.5)
        high = y * shots["camera_height"] + 2 * wander
        pair = (x + wander - ray.ox, high - ray.oy, ray.dx, ray.dy)
        lanes.append(_lane(shots, colours, ray, depth, i, pair, (ray.oz, ray.dz), float(onward)))
    base = (ray.oz * (1 / (7 * BLOCK))).floor() * 7 * BLOCK
    for i, (y, z, onward) in enumerate(
        ((0.35, 24, 1), (0.58, 40, -1), (0.80, 28, 1), (0.35, 24, 1), (0.58, 40, -1), (0.80, 28, 1))
    ):
        z_lane = base + (1 + i // 3) * 7 * BLOCK + z
        pair = (z_lane - ray.oz, y * shots["camera_height"] - ray.oy, ray.dz, ray.dy)
        lanes.append(
            _lane(shots, colours, ray, depth, 40 + i % 3, pair, (ray.ox, ray.dx), float(onward))
        )
    for one in lanes:
        light = light * (1 - one.cover[:, None]) + one.light
        cover = torch.maximum(cover, one.cover)
    return light * through[:, None], cover


_NEAR_CARS = 10


def near_the_drone(
    shots: Shots,
    colours: Palette,
    ray: Rays,
    light: Tensor,
    cover: Tensor,
    depth: Tensor,
    through: Tensor,
) -> tuple[Tensor, Tensor]:
    """Flying cars close enough to have a shape: two ellipsoids, lamps, and a glow beneath. Half of
    them keep the drone company, half come towards it; each comes back, far ahead, when it is past."""
    light = light / through[:, None]
    for i in range(_NEAR_CARS):
        own = key(shots.seed, i, 125)
        towards = i % 2 == 1
        reach = 300.0 if towards else 95.0
        pace = -(shots["speed"] + 26) if towards else 5 * part(own, 0) - 9
        ahead = unit(key(own, 1)) * reach + pace * shots.time
        turn = (ahead * (1 / reach)).floor()
        again = key(own, turn.int(), 2)
        likely = unit(again) < 0.20 + shots["traffic"] * 0.020
        cz = ray.oz + ahead - turn * reach + 6
        cx = (5 + 20 * part(again, 1)) * (-1 if towards else 1)
        cy = (
            shots["camera_height"] * (0.80 + 0.17 * part(again, 2))
            - 3
            + 0.5 * torch.sin(shots.time * 1.3 + i)
        )
        heading = -1.0 if towards else 1.0
        size = 2.0
        bodies = (
            (0.0, 0.0, 1.05, 0.40, 2.5),
            (0.34, -0.25 * heading, 0.74, 0.36, 1.35),
            (-0.22, -1.5 * heading, 1.35, 0.16, 0.8),
        )
        shade, whole = torch.zeros_like(light), torch.zeros_like(cover)
        tint = torch.where(part(own, 3)[:, None] < 0.5, colours.neon[1], colours.neon[0])
        t_mid = (cz - ray.oz) / ray.dz.clamp_min(0.05)
        there = torch.where(likely & (t_mid > 5) & (t_mid < depth), 1.0, 0.0) * smooth(
            5, 14, cz - ray.oz
        )
        pixel = t_mid.clamp_min(1) * ray.spread
        for k, (up, back, rx, ry, rz) in enumerate(bodies):
            rx, ry, rz = rx * size, ry * size, rz * size
            ax, ay, az = (
                (ray.ox - cx) / rx,
                (ray.oy - cy - up * size) / ry,
                (ray.oz - cz - back * size) / rz,
            )
            bx, by, bz = ray.dx / rx, ray.dy / ry, ray.dz / rz
            square = bx * bx + by * by + bz * bz
            t = -(ax * bx + ay * by + az * bz) / square
            near = ((ax + t * bx) ** 2 + (ay + t * by) ** 2 + (az + t * bz) ** 2).sqrt()
            mask = ((1 - near) * ry * 1.6 / pixel + 0.5).clamp(0, 1)
            t = t - ((1 - near * near).clamp_min(0) / square).sqrt()
            ny = (ay + t * by) / ry
            nx, nz = (ax + t * bx) / rx, (az + t * bz) / rz
            n = (nx * nx + ny * ny + nz * nz).sqrt().clamp_min(1e-4)
            top = (ny / n).clamp(-1, 1)
            paint = (
                colours.fog * (0.10 + 0.35 * top.clamp_min(0))[:, None]
                + tint * (0.03 + 0.55 * (-top).clamp_min(0))[:, None]
            )
            paint = paint + colours.sky * (0.25 * smooth(0.55, 0.95, top))[:, None]
            paint = paint * (0.5 if k == 1 else 1.0) + (
                colours.cool * (0.07 * smooth(0.2, 0.7, top))[:, None] if k == 1 else 0.0
            )
            shade = torch.lerp(shade, paint, mask[:, None])
            whole = torch.maximum(whole, mask)
        x = (ray.ox + t_mid * ray.dx - cx) / size
        y = (ray.oy + t_mid * ray.dy - cy) / size
        soft = torch.maximum(pixel / size * 0.8, torch.zeros_like(pixel) + 0.10)
        lamp = (
            torch.exp(-(((x.abs() - 0.80) / (soft * 2.2)) ** 2) - ((y + 0.02) / soft) ** 2)
            * (0.10 / soft) ** 0.6
        )
        colour = (
            colours.cool * 0.7 + 0.4
            if towards
            else colours.neon[0] * 0.3
            + torch.tensor([0.9, 0.03, 0.06], device=x.device)[:, None, None]
        )
        jets = torch.exp(-((x / 1.3) ** 2) - ((y + 0.62) / 0.22) ** 2)
        halo = torch.exp(-((x / 2.4) ** 2) - (y / 1.4) ** 2)
        keep = (whole * there)[:, None]
        light = light * (1 - keep) + shade * keep
        extra = (
            colour * (lamp * 7)[:, None]
            + tint * (jets * 0.9)[:, None]
            + colour * (halo * 0.07)[:, None]
        )
        light = light + extra * there[:, None]
        cover = torch.maximum(cover, whole * there)
    return light * through[:, None], cover


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
            torch.tensor([1.0, 0.10, 0.05], device=x.device)[:, None, None],
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
