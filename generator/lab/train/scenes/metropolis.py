"""The second family: a drone flies over and between the towers of a neon metropolis at night.

Shapes: N shots, H and W pixels.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from generator.lab.train.scenes import traffic, weather
from generator.lab.train.scenes.camera import Camera, Rays, banded, rays, turned
from generator.lab.train.scenes.fused import fused
from generator.lab.train.scenes.noise import key, noise, part, smooth
from generator.lab.train.scenes.shots import Palette, Picture, Shots
from generator.lab.train.scenes.towers import (
    BLOCK,
    FAR,
    Blocks,
    Walk,
    avenue_row,
    billboard,
    blocks,
    face,
    find,
    hit_of,
)

__all__ = ["BLOOM", "EXPOSURE", "Stage", "camera", "light", "stage"]

FIELD = 58.0
EXPOSURE = 1.1
BLOOM = 0.035
_TURN = 0.5
"""rad/s of the drone's weaving."""
_HOLOGRAMS = 12


def camera(shots: Shots) -> Camera:
    """Along the main avenue, weaving: it rolls into its turns, greatest where it turns hardest."""
    t = shots.time.flatten()
    start = 6.2832 * shots.chance(11).flatten()
    bank = torch.deg2rad(shots["bank"].flatten())
    speed = shots["speed"].flatten()
    wide = 9.81 * torch.tan(bank) / _TURN**2  # a level turn's bank balances its acceleration
    swing = _TURN * t + start
    x = wide * torch.sin(swing)
    drift = wide * _TURN * torch.cos(swing)
    y = shots["camera_height"].flatten() + 2.5 * torch.sin(0.31 * t + start)
    position = torch.stack([x, y, speed * t + 20 * BLOCK * shots.chance(12).flatten()], -1)
    yaw = torch.atan2(drift, speed) * 0.5 + 0.10 * torch.sin(0.23 * t + 2 * start)
    pitch = -torch.deg2rad(shots["pitch"].flatten()) + 0.012 * torch.sin(0.43 * t)
    roll = -bank * torch.sin(swing) + 0.004 * torch.sin(2.9 * t)
    return Camera(position=position, axes=turned(yaw, pitch, roll), field=FIELD)


class Stage(NamedTuple):
    """What of a shot does not depend on pixels: the camera, and the towers about it."""

    camera: Camera
    blocks: Blocks


def stage(shots: Shots) -> Stage:
    cam = camera(shots)
    return Stage(cam, blocks(shots, cam.position[:, 2, None, None]))


def light(shots: Shots, on: Stage, height: int, width: int, samples: int) -> Picture:
    """Linear light of the metropolis for each shot."""
    fine = rays(on.camera, height * samples, width * samples)
    out, depth, surface = banded(lambda ray: _still(shots, on, ray), fine)
    first_depth, surface = depth[:, ::samples, ::samples], surface[:, ::samples, ::samples]
    ray = fine
    if samples > 1:
        out, depth = F.avg_pool2d(out, samples), F.avg_pool2d(depth[:, None], samples)[:, 0]
        ray = rays(on.camera, height, width)
    seen = traffic.in_the_air(shots, ray, depth)
    nearest = _nearest_hologram(shots, ray, depth)
    image, surface = fused(shots.kernels, _before)(shots, ray, out, depth, surface, seen, nearest)
    return Picture(image, first_depth, surface)


def _before(
    shots: Shots,
    ray: Rays,
    out: Tensor,
    depth: Tensor,
    surface: Tensor,
    seen: traffic.Glow,
    nearest: _Hologram,
) -> tuple[Tensor, Tensor]:
    """The picture, and what it shows, with vehicles, holograms and rain laid over."""
    colours = shots.colours
    length = (ray.dx * ray.dx + ray.dy * ray.dy + ray.dz * ray.dz).sqrt()
    through = torch.exp(-shots["fog"] * 0.0012 * depth.clamp_max(1500) * length)
    cars = seen.light(colours) * through.clamp_min(0.12)[:, None]
    out = out * (1 - seen.cover[:, None]) + cars
    out, panels = _holograms(shots, colours, ray, out, nearest)
    streaks = weather.rain(shots, ray, depth, (1.2, 2.4, 4.5, 8.0))[:, None]
    out = out + streaks * (_sky(shots, colours, ray.dx, ray.dy, ray.dz) * 0.5 + 0.02 + 0.3 * out)
    moving = (seen.cover > 0.02) | (panels > 0.02)
    return out, torch.where(moving, 3, surface).to(torch.uint8)


def _sky(shots: Shots, colours: Palette, dx: Tensor, dy: Tensor, dz: Tensor) -> Tensor:
    """The air's own light [N, 3, H, W] in a direction: the city's glow low, night above."""
    length = (dx * dx + dz * dz).sqrt().clamp_min(1e-3)
    lift = (dy / length).clamp(-0.6, 3)
    ahead = (dz / length).clamp(0, 1) ** 4
    dusk = smooth(23.0, 19.0, shots["hour"])
    low = torch.exp(-(lift.clamp_min(0) * 4.5)) * torch.where(lift < 0, torch.exp(lift * 1.2), 1.0)
    band = torch.exp(-(((lift - 0.06) * 7) ** 2))
    glow = colours.fog * (low * (0.36 + 0.44 * ahead))[:, None]
    rose = colours.neon[0] * 0.6 + colours.warm * 0.4
    glow = glow + rose * (band * (0.09 + 0.30 * dusk) * (0.35 + 0.65 * ahead))[:, None]
    high = colours.sky * (0.10 + 0.42 * dusk * torch.exp(-lift.clamp_min(0) * 1.6))[:, None]
    return glow + high


def _still(shots: Shots, on: Stage, ray: Rays) -> tuple[Tensor, Tensor, Tensor]:
    """Sky, ground and towers with haze; depth; and surface (0 sky, 1 tower, 2 ground). In three
    parts, for a compiler takes far longer over a function that is twice as long."""
    walk = find(shots, ray, on.blocks)
    out = fused(shots.kernels, _towers)(shots, on.blocks, ray, walk)
    out, depth, surface = fused(shots.kernels, _with_ground)(shots, ray, out, walk.best)
    return fused(shots.kernels, _with_heaven)(shots, ray, out, depth), depth, surface


def _towers(shots: Shots, around: Blocks, ray: Rays, walk: Walk) -> Tensor:
    hit = hit_of(ray, around, walk)
    sideways = hit.face == 0
    mirrored = _sky(
        shots,
        shots.colours,
        torch.where(sideways, -ray.dx, ray.dx),
        ray.dy.abs(),
        torch.where(sideways, ray.dz, ray.dz.abs()),
    )
    return face(shots, shots.colours, ray, hit, mirrored)


def _with_ground(
    shots: Shots, ray: Rays, out: Tensor, towers: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """The ground before towers at their depth, and both in haze."""
    colours = shots.colours
    down = ray.dy < -1e-4
    ground_t = torch.where(down, ray.oy / (-ray.dy).clamp_min(1e-4), FAR)
    ground = (ground_t < towers) & (ground_t < FAR)
    x, z = ray.ox + ground_t * ray.dx, ray.oz + ground_t * ray.dz
    length = (ray.dx * ray.dx + ray.dy * ray.dy + ray.dz * ray.dz).sqrt()
    steep = (-ray.dy / length).clamp_min(0.05)
    floor = traffic.on_the_ground(shots, colours, x, z, ground_t * ray.spread / steep.sqrt())
    out = torch.where(ground[:, None], floor, out)
    depth = torch.minimum(towers, ground_t)
    y = ray.oy + depth * ray.dy
    far = depth * length
    density = shots["fog"] * 0.001
    middle = ((ray.oy + y) * 0.5).clamp_min(0)
    through = torch.exp(-density * far * (0.35 + 1.1 * torch.exp(-middle * (1 / 110))))
    through = through * smooth(2100, 1250, far)  # towers end; the air ends before they do
    low = torch.exp(-y.clamp_min(0) * (1 / 60))
    air = _sky(shots, colours, ray.dx, ray.dy.clamp_min(-0.25), ray.dz)
    lower = torch.lerp(0.70 + 0.75 * low, torch.ones_like(low), smooth(700, 1900, far))
    air = air * lower[:, None]
    out = out * through[:, None] + air * (1 - through)[:, None]
    surface = torch.where(depth >= FAR, 0, torch.where(ground, 2, 1))
    return out, depth, surface.to(torch.uint8)


def _with_heaven(shots: Shots, ray: Rays, out: Tensor, depth: Tensor) -> Tensor:
    sky = _sky(shots, shots.colours, ray.dx, ray.dy, ray.dz)
    heaven = _heaven(shots, shots.colours, ray, sky)
    return torch.where((depth >= FAR)[:, None], heaven, out)


def _heaven(shots: Shots, colours: Palette, ray: Rays, sky: Tensor) -> Tensor:
    """Sky with clouds that the city lights, a moon, stars, and the skyline that no ray reaches."""
    level = (ray.dx * ray.dx + ray.dz * ray.dz).sqrt().clamp_min(1e-3)
    lift, turn = ray.dy / level, ray.dx / ray.dz.clamp_min(0.1)
    over = 1 / (lift.clamp_min(0.015) + 0.10)
    cu, cv = turn * over * 1.1, over * 1.5
    drift = shots.time * 0.02
    cloud = (
        noise(key(shots.seed, 141), cu + drift, cv) * 0.6
        + noise(key(shots.seed, 142), cu * 2.3 + drift, cv * 2.1) * 0.4
    )
    cloud = smooth(0.42, 0.85, cloud) * smooth(0.02, 0.18, lift)
    dusk = smooth(23.0, 19.0, shots["hour"])
    lit = colours.fog * 0.20 + colours.neon[0] * (0.03 + 0.12 * dusk)[:, None]
    out = sky + lit * (cloud * torch.exp(-lift.clamp_min(0) * 2.2))[:, None]
    mx, my = turn - 0.9 * (shots.chance(143) - 0.5), lift - 0.20 - 0.16 * shots.chance(144)
    r = (mx * mx + my * my).sqrt()
    pixel = ray.spread
    disc = ((0.085 - r) / pixel + 0.5).clamp(0, 1)
    mark = 0.75 + 0.35 * noise(key(shots.seed, 145), mx * 28, my * 28)
    moon = (colours.cool * 0.4 + colours.warm * 0.3) * (disc * mark * (1 - 0.6 * cloud) * 0.75)[
        :, None
    ]
    out = out + moon + colours.cool * (0.05 * torch.exp(-r * 7))[:, None]
    for i, (scale, tall, dim) in enumerate(((26.0, 0.10, 0.75), (15.0, 0.07, 0.55))):
        column = (turn * scale).floor()
        own = key(shots.seed, column.int(), 146 + i)
        top = tall * (0.25 + 0.75 * part(own, 0)) * (0.6 + 0.6 * part(own, 1))
        inside = (lift < top) & (ray.dz > 0.1)
        cell = key(own, (turn * scale * 7).floor().int(), (lift * scale * 12).floor().int())
        lamp = torch.where(part(cell, 0) < 0.30 * shots["windows"], 0.12, 0.0)
        fade = smooth(0.0, 0.05, lift)  # out of the same haze as what stands before them
        tower = sky * (1 - (1 - dim) * fade)[:, None] + colours.warm * (lamp * fade)[:, None]
        out = torch.where(inside[:, None], tower, out)
    return out


class _Hologram(NamedTuple):
    """The nearest hologram of each ray, [N, H, W]: depth, hash (0 for none), place in its plane,
    half sizes."""

    depth: Tensor
    found: Tensor
    x: Tensor
    y: Tensor
    half_x: Tensor
    half_y: Tensor


def _nearest_hologram(shots: Shots, ray: Rays, depth: Tensor) -> _Hologram:
    """Huge advertisements that hang in the air beside the avenue; each ray sees the nearest."""
    base = (ray.oz * (1 / BLOCK)).floor().int()
    found = torch.zeros_like(depth, dtype=torch.int32)
    place = (torch.zeros_like(depth) for _ in range(2))
    half = (torch.ones_like(depth) for _ in range(2))
    nearest = _Hologram(depth.clone(), found, *place, *half)
    for k in range(_HOLOGRAMS):
        nearest = fused(shots.kernels, _or_nearer)(shots, ray, base + k + 1, nearest)
    return nearest


def _or_nearer(shots: Shots, ray: Rays, row: Tensor, nearest: _Hologram) -> _Hologram:
    """The two holograms of a row [N, 1, 1] of blocks, where they are nearer."""
    best, found, x_at, y_at, half_x, half_y = nearest
    for side in (0, 1):
        own = key(shots.seed, row, side, 151)
        exists = (part(own, 0) < shots["billboards"] * 0.85) & ~avenue_row(row)
        tall = part(own, 1) < 0.5
        hx = torch.where(tall, 7 + 4 * part(own, 2), 11 + 5 * part(own, 2))
        hy = torch.where(tall, 18 + 14 * part(own, 3), 7 + 4 * part(own, 3))
        mx = (41 - hx) * (1 if side else -1)
        my = 30 + hy + 75 * part(key(own, 1), 0)
        z = (row.float() + 0.12) * BLOCK
        t = (z - ray.oz) / ray.dz.clamp_min(0.05)
        x, y = ray.ox + t * ray.dx - mx, ray.oy + t * ray.dy - my
        inside = exists & (x.abs() < hx) & (y.abs() < hy) & (t > 12) & (t < best)
        best = torch.where(inside, t, best)
        found = torch.where(inside, own, found)
        x_at, y_at = torch.where(inside, x, x_at), torch.where(inside, y, y_at)
        half_x, half_y = torch.where(inside, hx, half_x), torch.where(inside, hy, half_y)
    return _Hologram(best, found, x_at, y_at, half_x, half_y)


def _holograms(
    shots: Shots, colours: Palette, ray: Rays, out: Tensor, nearest: _Hologram
) -> tuple[Tensor, Tensor]:
    """The picture with holograms, and how much they cover."""
    best, found, x_at, y_at, half_x, half_y = nearest
    shown, cover = billboard(shots, colours, found, x_at, y_at, half_x, half_y, best * ray.spread)
    cover = torch.where(found != 0, cover, 0.0) * smooth(12, 40, best)
    through = torch.exp(-shots["fog"] * 0.001 * best)
    under = 1 - 0.55 * cover[:, None]
    return out * under + shown * (cover * through * 0.9)[:, None], cover
