"""The first family: a low camera follows a detective down a neon-lit alley in the rain.

The picture is made from an unfolded world: rays go through the street as if it were not there and
see its mirror image below, so one pass gives the direct view and the reflection. Then the street is
laid over the mirrored part, rough and rippled, then walker, air and rain.
Shapes: N shots, H and W pixels; `fine` pictures have `samples` times as many of each.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from generator.lab.train.scenes import weather
from generator.lab.train.scenes.camera import Camera, Rays, banded, rays, turned
from generator.lab.train.scenes.facades import BAY, HALF, Lamps, Signs, lamps, neon, signs
from generator.lab.train.scenes.fused import fused
from generator.lab.train.scenes.neon import sign_tubes
from generator.lab.train.scenes.noise import key, noise, part, smooth, unit
from generator.lab.train.scenes.shots import Palette, Picture, Shots
from generator.lab.train.scenes.walker import Figure, Walker, figure, walk, walker
from generator.lab.train.scenes.walls import FAR, Lightmap, Wall, lightmap, lit, on_street, trace

__all__ = ["BLOOM", "EXPOSURE", "Stage", "camera", "light", "stage"]

FIELD = 47.0
EXPOSURE = 1.25
BLOOM = 0.030
_BAYS = 15
_EVERY = 2 * BAY
"""Metres from one cable across the alley to the next."""


def camera(shots: Shots) -> Camera:
    """Behind the walker, low, looking a little up; it breathes as a hand does."""
    return _behind(shots, walk(shots)[0])


def _behind(shots: Shots, z: Tensor) -> Camera:
    t = shots.time.flatten()
    start = 6.2832 * shots.chance(11).flatten()
    hand_x = 0.020 * torch.sin(1.7 * t + start) + 0.012 * torch.sin(4.1 * t + 2 * start)
    hand_y = 0.014 * torch.sin(2.3 * t + 3 * start) + 0.004 * torch.sin(6.3 * t)
    distance, height = shots["distance"].flatten(), shots["camera_height"].flatten()
    side = shots["side"].flatten()
    position = torch.stack([side + hand_x, height + hand_y, z - distance], -1)
    yaw = torch.atan2(-0.55 * side, distance) + 0.004 * torch.sin(1.3 * t + start)
    aim = 1.10 + 0.10 * (distance - 2.8) / 3
    pitch = torch.atan2(aim - height, distance) + 0.003 * torch.sin(1.9 * t)
    roll = 0.006 * torch.sin(0.9 * t + start)
    return Camera(position=position, axes=turned(yaw, pitch, roll), field=FIELD)


class Stage(NamedTuple):
    """What of a shot does not depend on pixels: camera, walker, all lamps, what they give to walls
    and street, and the signs before the camera; `places` [N, bays, 6, 2] is what is asked of each
    of them first."""

    camera: Camera
    walker: Walker
    lamps: Lamps
    chart: Lightmap
    signs: Signs
    places: Tensor


def stage(shots: Shots) -> Stage:
    who = walker(shots)
    cam = _behind(shots, who.z)
    oz = cam.position[:, 2, None, None]
    first = ((oz - 3.0) * (1 / BAY)).floor().int()
    all_lamps = lamps(shots, shots.colours, first, _BAYS + 4)
    s = signs(shots, ((oz + 0.6) * (1 / BAY)).floor().int(), _BAYS)
    s = Signs(*(v.expand_as(s.outer) for v in s))
    places = torch.stack([s.z, s.outer, s.width, s.bottom, s.height, s.exists.float()], 1)
    return Stage(
        cam, who, all_lamps, lightmap(oz, all_lamps), s, places.permute(0, 3, 1, 2).contiguous()
    )


def light(shots: Shots, on: Stage, height: int, width: int, samples: int) -> Picture:
    """Linear light of the alley for each shot."""
    fine = rays(on.camera, height * samples, width * samples)
    world, depth = banded(lambda ray: _unfolded(shots, on, ray), fine)
    world, coarse_depth = _pooled(world, samples), _pooled(depth[:, None], samples)[:, 0]

    ray = rays(on.camera, height, width) if samples > 1 else fine
    first_depth = depth[:, ::samples, ::samples]
    person, box = _walker(shots, on, ray)
    mirror = _laid(world, person.light, person.cover, box)
    image, ground = fused(shots.kernels, _street)(
        shots, on.chart, on.walker, ray, world, mirror, coarse_depth
    )
    direct = person.cover * ~person.mirrored
    image = _laid(image, person.light, direct, box)
    still = torch.minimum(ground, first_depth)
    covered = _laid(
        torch.zeros_like(still)[:, None], torch.ones_like(direct)[:, None], direct, box
    )[:, 0]
    seen = torch.where(covered > 0.5, shots["distance"], torch.minimum(ground, coarse_depth))
    image = fused(shots.kernels, _air)(shots, on.lamps, ray, image, seen, _steam(shots, ray, seen))
    surface = torch.where(ground < first_depth, 2, torch.where(first_depth < FAR, 1, 0))
    surface = torch.where(covered > 0.02, 3, surface)
    return Picture(image, still, surface.to(torch.uint8))


def _pooled(image: Tensor, samples: int) -> Tensor:
    return F.avg_pool2d(image, samples) if samples > 1 else image


def _fog_glow(shots: Shots, colours: Palette, ray: Rays) -> Tensor:
    """What endless fog would look like along each ray: brightest low and where the alley ends."""
    lift = ray.dy.abs() / ray.dz.clamp_min(0.2)
    turn = ray.dx / ray.dz.clamp_min(0.2)
    low = torch.exp(-((lift * 1.5) ** 2))
    end = torch.exp(-((turn * 2.2) ** 2) - (lift * 1.9) ** 2)
    dusk = smooth(23.0, 19.0, shots["hour"])
    flow_ = noise(shots.seed, turn * 3 + shots.time * 0.05, lift * 4 - shots.time * 0.03)
    strength = 0.02 + 0.10 * low + (0.85 + 0.4 * (flow_ - 0.5)) * end
    return colours.fog * strength[:, None] + colours.sky * (0.03 + 0.6 * dusk)[:, None]


def _unfolded(shots: Shots, on: Stage, ray: Rays) -> tuple[Tensor, Tensor]:
    """The walls with signs and people, and the alley's end, mirrored below the street."""
    wall = trace(shots, ray)
    out = fused(shots.kernels, lit)(shots, on.chart, ray, wall)
    out, glow = fused(shots.kernels, _fogged)(shots, ray, out, wall)
    crowd = _nearest_people(shots, ray, wall.depth)
    out, depth = fused(shots.kernels, _people)(shots, ray, out, wall.depth, glow, crowd)
    nearest = _nearest_signs(shots, on, ray, depth)
    out, depth = fused(shots.kernels, _signs)(shots, on.signs, ray, out, depth, glow, nearest)
    return _strings(shots, ray, out, depth)


def _fogged(shots: Shots, ray: Rays, out: Tensor, wall: Wall) -> tuple[Tensor, Tensor]:
    """The walls and the alley's end in their fog, and what endless fog would look like."""
    glow = _fog_glow(shots, shots.colours, ray)
    beyond = ~wall.hit
    out = torch.where(beyond[:, None], _beyond(shots, shots.colours, ray, glow), out)
    thickness = shots["fog"] * 0.001
    through = torch.exp(-thickness * wall.depth)
    fogged = out * through[:, None] + glow * (1 - through)[:, None]
    return torch.where(beyond[:, None], out, fogged), glow


def _beyond(shots: Shots, colours: Palette, ray: Rays, glow: Tensor) -> Tensor:
    """Sky and far towers over the alley's end."""
    turn, lift = ray.dx / ray.dz.clamp_min(0.2), ray.dy.abs() / ray.dz.clamp_min(0.2)
    out = glow * 0.85
    for i, (scale, tall, shade) in enumerate(((15.0, 0.75, 0.55), (9.0, 0.55, 0.30))):
        column = (turn * scale + 40 * i).floor()
        own = key(shots.seed, column.int(), 12 + i)
        top = tall * (0.35 + 0.65 * part(own, 0))
        inside = lift < top
        u, v = turn * scale + 40 * i - column, lift * scale * 6
        cu, cv = (u * 6).floor(), v.floor()
        lamp = part(key(own, cu.int(), cv.int()), 1) < 0.35 * shots["windows"]
        pane = ((u * 6 - cu - 0.5).abs() < 0.32) & ((v - cv - 0.5).abs() < 0.25)
        window = torch.where(lamp & pane, 0.30 * shade, 0.0)
        tower = glow * (1 - shade) + (colours.warm * window[:, None])
        out = torch.where(inside[:, None], tower, out)
    return out


class _Crowd(NamedTuple):
    """The nearest person of each ray, [N, H, W]: depth, cover, distance to the outline (below 0
    within), and how far inside the umbrella's dome."""

    near: Tensor
    cover: Tensor
    inside: Tensor
    shell: Tensor


def _nearest_people(shots: Shots, ray: Rays, depth: Tensor) -> _Crowd:
    base = (ray.oz * (1 / BAY)).floor().int() + 1
    crowd = _Crowd(depth.clone(), *(torch.zeros_like(depth) for _ in range(3)))
    for i in range(10, -1, -1):
        crowd = fused(shots.kernels, _or_person)(shots, ray, depth, crowd, base + i)
    return crowd


def _or_person(shots: Shots, ray: Rays, depth: Tensor, crowd: _Crowd, place: Tensor) -> _Crowd:
    """The people of bay number `place` [N, 1, 1] before those behind them."""
    likely = shots["crowd"] * (BAY / 200)
    right = ray.dx > 0
    own = key(shots.seed, place, 14)
    z = ((place).float() + 0.8 * part(own, 0)) * BAY
    t = (z - ray.oz) / ray.dz.clamp_min(0.05)
    sides = [key(own, side) for side in (0, 1)]
    feet = [HALF - 0.75 - 0.45 * part(one, 1) for one in sides]
    sizes = [1 / (0.92 + 0.14 * part(one, 2)) for one in sides]
    exists = [unit(one) < likely for one in sides]
    foot, tall = (torch.where(right, v[1], v[0]) for v in (feet, sizes))
    u = ((ray.ox + t * ray.dx).abs() - foot).abs()
    v = (ray.oy + t * ray.dy).abs() * tall
    wide = 0.20 + 0.05 * smooth(1.0, 0.45, v) - 0.15 * smooth(1.22, 1.47, v) ** 2
    coat = torch.maximum(u - wide, (v - 0.95).abs() - 0.52)
    legs = torch.maximum((u - 0.085).abs() - 0.06, (v - 0.25).abs() - 0.25)
    head = ((u * 1.15) ** 2 + (v - 1.57) ** 2).sqrt() - 0.118
    dome = torch.maximum((u * u + ((v - 1.62) * 1.25) ** 2).sqrt() - 0.58, 1.80 - v)
    d = torch.minimum(torch.minimum(coat, legs), torch.minimum(head, dome))
    there = torch.where(right, exists[1], exists[0]) & (t > 0.4) & (t < depth)
    here = torch.where(there, (0.5 - d / (t * ray.spread)).clamp(0, 1), 0.0)
    seen = here > 0
    return _Crowd(
        near=torch.where(seen, t, crowd.near),
        cover=torch.where(seen, here, crowd.cover),
        inside=torch.where(seen, d, crowd.inside),
        shell=torch.where(seen, dome - d, crowd.shell),
    )


def _people(
    shots: Shots, ray: Rays, out: Tensor, depth: Tensor, glow: Tensor, crowd: _Crowd
) -> tuple[Tensor, Tensor]:
    """Silhouettes under umbrellas near the walls."""
    near, cover, inside, shell = crowd
    edge = torch.exp(inside.clamp(-0.2, 0) * 60)
    cloth = shots.colours.shadow * 0.2 + glow * (0.012 + 0.14 * edge)[:, None]
    cloth = cloth + shots.colours.neon[1] * torch.where(shell < 1e-6, 0.02, 0.0)[:, None]
    through = torch.exp(-shots["fog"] * 0.001 * near)[:, None]
    person = cloth * through + glow * (1 - through)
    out = out + (person - out) * cover[:, None]
    return out, torch.where(cover > 0.5, near, depth)


def _nearest_signs(shots: Shots, on: Stage, ray: Rays, depth: Tensor) -> tuple[Tensor, Tensor]:
    """Of the nearest sign of each ray: depth, and number from 1 on (0 where there is none)."""
    nearest = depth.clone(), torch.zeros_like(depth, dtype=torch.int32)
    for k in range(_BAYS):
        number = nearest[1].new_full((), k + 1)
        nearest = fused(shots.kernels, _or_sign)(ray, on.places[:, k], number, nearest)
    return nearest


def _or_sign(
    ray: Rays, places: Tensor, number: Tensor, nearest: tuple[Tensor, Tensor]
) -> tuple[Tensor, Tensor]:
    margin = 0.16
    near, found = nearest
    right = ray.dx > 0
    z, outer, width, bottom, height, exists = (
        torch.where(right, v[:, 1, None, None], v[:, 0, None, None]) for v in places.unbind(1)
    )
    t = (z - ray.oz) / ray.dz.clamp_min(0.05)
    u = outer - (ray.ox + t * ray.dx).abs()
    v = (ray.oy + t * ray.dy).abs() - bottom
    inside = (u > -margin) & (u < width + margin) & (v > -margin) & (v < height + margin)
    inside = inside & (exists > 0) & (t > 0.5) & (t < near)
    return torch.where(inside, t, near), torch.where(inside, number, found)


def _signs(
    shots: Shots,
    s: Signs,
    ray: Rays,
    out: Tensor,
    depth: Tensor,
    glow: Tensor,
    nearest: tuple[Tensor, Tensor],
) -> tuple[Tensor, Tensor]:
    """Signs that hang across the alley, each where it is nearest."""
    colours = shots.colours
    near, found = nearest
    right = ray.dx > 0
    index = ((found - 1).clamp_min(0) + right * _BAYS).flatten(1).long()
    outer, width, bottom, height, power, which = (
        v.flatten(1).gather(1, index).view_as(depth)
        for v in (s.outer, s.width, s.bottom, s.height, s.power, s.key)
    )
    x = (ray.ox + near * ray.dx).abs() - (outer - width / 2)
    x = torch.where(right, x, -x)
    y = (ray.oy + near * ray.dy).abs() - bottom - height / 2
    pixel = near * ray.spread
    core, halo, rim, rim_halo = sign_tubes(x, y, width / 2, height / 2, which, shots.time, pixel)
    hue = part(key(which, 2), 0)
    main, second = neon(colours, hue), neon(colours, part(key(which, 2), 1))
    box = torch.maximum(x.abs() - width / 2, y.abs() - height / 2)
    panel = (0.5 - box / pixel).clamp(0, 1)
    lightbox = part(key(which, 1), 2) < 0.30
    back = torch.where(lightbox, 0.9, 0.03)
    face = (
        main * back[:, None] * 0.9
        + (main + 0.18) * (core * 5.0)[:, None]
        + main * (halo * 0.35)[:, None]
    )
    dark_letters = main * (1.5 * (1 - core) + 0.02)[:, None]
    face = torch.where(lightbox[:, None], dark_letters, face)
    face = face + (second + 0.16) * (rim * 4.0)[:, None]
    around = (main * halo[:, None] * 0.5 + second * rim_halo[:, None]) * 0.35
    through = torch.exp(-shots["fog"] * 0.001 * near)
    there = torch.where(found > 0, 1.0, 0.0)
    cover = (panel * there)[:, None]
    light_ = face * (power * through)[:, None] + glow * (1 - through)[:, None]
    out = out * (1 - cover) + light_ * cover
    out = out + around * (there * (1 - panel) * power * through)[:, None]
    return out, torch.where(panel * there > 0.5, near, depth)


def _strings(shots: Shots, ray: Rays, out: Tensor, depth: Tensor) -> tuple[Tensor, Tensor]:
    """Cables across the alley, some with paper lanterns."""
    base = (ray.oz * (1 / _EVERY)).floor().int()
    for i in range(5, -1, -1):
        out, depth = fused(shots.kernels, _with_string)(shots, ray, out, depth, base + i)
    return out, depth


def _with_string(
    shots: Shots, ray: Rays, out: Tensor, depth: Tensor, place: Tensor
) -> tuple[Tensor, Tensor]:
    """The cable number `place` [N, 1, 1] before what is behind it."""
    colours = shots.colours
    own = key(shots.seed, place, 19)
    more = key(own, 1)
    z = ((place).float() + 0.15 + 0.7 * part(own, 0)) * _EVERY
    t = (z - ray.oz) / ray.dz.clamp_min(0.05)
    x, y = ray.ox + t * ray.dx, (ray.oy + t * ray.dy).abs()
    pixel = t * ray.spread
    hang = 4.1 + 0.9 * part(own, 1) + (0.5 * part(own, 2) - 0.25) * x + 0.06 * x * x
    thick = torch.maximum(pixel * 0.5, torch.zeros_like(pixel) + 0.012)
    cable = (1 - (y - hang).abs() / thick).clamp(0, 1) * (0.012 / thick)
    there = (t > 0.6) & (t < depth) & (x.abs() < HALF + 0.6)
    lit_ = there & (part(own, 3) < 0.75 * shots["neon"])
    gap = 0.62 + 0.3 * part(more, 0)
    slot = (x / gap).floor()
    u = x - (slot + 0.5) * gap
    v = y - hang + 0.20
    ball = ((u / 0.125) ** 2 + (v / 0.155) ** 2).sqrt()
    cover = ((1 - ball) * 0.12 / pixel + 0.5).clamp(0, 1)
    cover = torch.where(lit_ & (slot.abs() < 2.6), cover, 0.0)
    paper = torch.lerp(
        colours.warm,
        neon(colours, part(more, 1)),
        torch.where(part(more, 2) < 0.6, 0.0, 0.8)[:, None],
    )
    ribs = 0.75 + 0.25 * torch.cos(v * 130) * smooth(0.03, 0.008, pixel)
    shade = (1.0 - 0.45 * ball.clamp(0, 1) ** 2) * ribs
    through = torch.exp(-shots["fog"] * 0.001 * t)
    out = out * (1 - 0.8 * torch.where(there, cable, 0.0))[:, None]
    out = torch.lerp(out, paper * (2.1 * shade * through)[:, None], cover[:, None])
    halo = torch.where(lit_, torch.exp(-(ball - 1).clamp_min(0) * 1.4), 0.0) * (1 - cover) * 0.10
    out = out + paper * (halo * through)[:, None]
    return out, torch.where(cover > 0.5, t, depth)


def _walker(shots: Shots, on: Stage, ray: Rays) -> tuple[Figure, Tensor]:
    """The walker in a crop of columns, and the crop's column numbers [N, 1, C]."""
    n, height, width = ray.dx.shape
    columns = min(width, math.ceil(height * 0.42))
    cam, z = on.camera, on.walker.z
    point = torch.stack([0 * z, 0 * z + 1.0, z], -1) - cam.position
    a, _, c = torch.einsum("nij,nj->ni", cam.axes, point).unbind(1)
    middle = a / c / ray.spread + width / 2
    left = (middle - columns / 2).round().clamp(0, width - columns).long()
    box = (left[:, None] + torch.arange(columns, device=left.device))[:, None, :]

    def crop(v: Tensor) -> Tensor:
        return v.expand(n, height, width).gather(2, box.expand(n, height, columns))

    small = ray._replace(dx=crop(ray.dx), dy=crop(ray.dy), dz=crop(ray.dz))
    return figure(shots, on.lamps, on.walker, small), box


def _laid(image: Tensor, over: Tensor, cover: Tensor, box: Tensor) -> Tensor:
    """A crop laid over an image [N, C, H, W] where it covers."""
    n, channels, height, _ = image.shape
    index = box[:, None].expand(n, channels, height, box.shape[-1])
    under = image.gather(3, index)
    return image.scatter(3, index, under + (over - under) * cover[:, None])


def _street(
    shots: Shots,
    chart: Lightmap,
    who: Walker,
    ray: Rays,
    world: Tensor,
    mirror: Tensor,
    depth: Tensor,
) -> tuple[Tensor, Tensor]:
    """The picture with the street laid over what is mirrored, and the street's depth (or FAR)."""
    colours = shots.colours
    down = ray.dy < -1e-4
    t = torch.where(down, ray.oy / (-ray.dy).clamp_min(1e-4), 2 * FAR)
    pixel = t * ray.spread
    x, z = ray.ox + t * ray.dx, ray.oz + t * ray.dz
    cover = smooth(-0.5, 0.5, ((depth - t) / (pixel * 2 + 0.01)).clamp(-1, 1))
    cover = torch.where(down, cover, 0.0)
    wet = shots["wetness"]
    ground = (
        noise(key(shots.seed, 15), x * 0.8, z * 0.55) * 0.65
        + noise(key(shots.seed, 16), x * 2.6, z * 1.9) * 0.35
    )
    puddle = smooth(0.62, 0.50, ground + 0.42 * (1 - wet) - 0.12)
    grain = noise(key(shots.seed, 17), x * 14, z * 14)
    row = (z * (1 / 0.6)).floor()
    shift = x + 0.45 * (row - 2 * (row * 0.5).floor())
    joint_z = (1 - ((z * (1 / 0.6) - row - 0.5).abs() - 0.46).abs() * 22).clamp(0, 1) * smooth(
        0.12, 0.02, pixel
    )
    fx = shift * (1 / 0.9)
    joint_x = (1 - ((fx - fx.floor() - 0.5).abs() - 0.47).abs() * 30).clamp(0, 1) * smooth(
        0.10, 0.015, pixel
    )
    joint = torch.maximum(joint_x, joint_z) * (1 - puddle)
    slope_x, slope_z = weather.rings(shots, x, z, pixel)
    tile = unit(key(shots.seed, row.int(), fx.floor().int(), 18)) - 0.5

    rough = (
        (0.35 + 0.5 * (grain - 0.5) + 0.25 * tile).clamp(0, 1) * (1 - puddle) * (1.2 - 0.5 * wet)
    )
    wave = 0.05 * puddle * 0.5 + 0.02
    below = (t.clamp_max(60).reciprocal()) * ray.oy
    off_x = (slope_x * wave + 0.018 * (grain - 0.5) * (1 - puddle)) * (0.25 + 2 * below)
    off_y = (slope_z * wave * 1.5 + 0.05 * tile * (1 - puddle)) * (0.3 + 2 * below)
    reflected = _rough_mirror(mirror, off_x, off_y, rough * (0.02 + 0.33 * below) + 0.004)

    length = (ray.dx * ray.dx + ray.dy * ray.dy + ray.dz * ray.dz).sqrt()
    cosine = (-ray.dy / length).clamp(0, 1)
    bounce = 0.03 + 0.97 * (1 - cosine) ** 4
    mirrors = bounce * torch.lerp(
        0.10 + 0.75 * wet, torch.ones_like(puddle) * (0.25 + 0.75 * wet), puddle
    )
    mirrors = mirrors * (1 - 0.65 * joint) * (0.75 + 0.25 * puddle)
    albedo = (
        (0.10 + 0.10 * grain + 0.06 * tile)
        * (1 - 0.6 * wet)
        * (1 - 0.7 * puddle)
        * (1 - 0.5 * joint)
    )
    irradiance = on_street(chart, x, z)
    body_ = (irradiance + colours.fog * 0.25 + colours.sky * 0.2) * albedo[:, None]
    shade = torch.ones_like(x)
    for foot in who.joints.ball:
        fx_, fz_ = foot[:, 0][:, None, None], (foot[:, 2] + who.z)[:, None, None] - 0.04
        away = ((x - fx_) * 1.5) ** 2 + (z - fz_) ** 2
        close = torch.exp(-foot[:, 1].clamp_min(0)[:, None, None] * 9)
        shade = shade * (1 - 0.75 * close * torch.exp(-away * 22))
    drops = weather.splashes(shots, x, z, pixel)
    floor = (body_ * shade[:, None]) + reflected * (mirrors * (0.35 + 0.65 * shade))[:, None]
    floor = floor + (irradiance * 0.25 + colours.fog * 0.9) * (drops * 0.8)[:, None]
    through = torch.exp(-shots["fog"] * 0.001 * t)[:, None]
    floor = floor * (0.25 + 0.75 * through) + _fog_glow(shots, colours, ray) * (1 - through) * 0.6
    image = world + (floor - world) * cover[:, None]
    return image, torch.where(cover > 0.5, t, 2 * FAR)


def _rough_mirror(mirror: Tensor, off_x: Tensor, off_y: Tensor, spread: Tensor) -> Tensor:
    """The mirror image read with offsets and a vertical smear (shares of the picture's height)."""
    _, height, width = off_x.shape
    device = off_x.device
    column = ((torch.arange(width, device=device) + 0.5) * (2 / width) - 1)[None, None, :]
    row = ((torch.arange(height, device=device) + 0.5) * (2 / height) - 1)[None, :, None]
    column = column + off_x * (2 * height / width)
    taps = (
        (-2.6, 0.06),
        (-1.7, 0.12),
        (-0.85, 0.19),
        (0.0, 0.26),
        (0.85, 0.19),
        (1.7, 0.12),
        (2.6, 0.06),
    )
    grids = []
    for i, (place, _) in enumerate(taps):
        lean = (0.10 if i % 2 else -0.10) * spread
        grids.append(
            torch.stack(
                [column + lean * (height / width), row + 2 * (off_y + place * spread * 0.5)], -1
            )
        )
    # one reading of seven times the height instead of seven readings
    read = F.grid_sample(
        mirror, torch.cat(grids, 1), padding_mode="border", align_corners=False
    ).split(height, 2)
    out = taps[0][1] * read[0]
    for (_, weight), tap in zip(taps[1:], read[1:], strict=True):
        out = out + weight * tap
    return out


def _steam(shots: Shots, ray: Rays, depth: Tensor) -> Tensor:
    """Plumes at half the size, which for something so soft is enough."""
    size = depth.shape[-2:]
    small = ((size[0] + 1) // 2, (size[1] + 1) // 2)

    def halved(v: Tensor) -> Tensor:
        return F.interpolate(v[:, None], small, mode="area")[:, 0]

    half = ray._replace(dx=halved(ray.dx), dy=halved(ray.dy), dz=halved(ray.dz))
    cover = weather.steam(shots, half, halved(depth), HALF)
    return F.interpolate(cover[:, None], size, mode="bilinear", align_corners=False)[:, 0]


def _air(
    shots: Shots, lamps_: Lamps, ray: Rays, image: Tensor, depth: Tensor, plume: Tensor
) -> Tensor:
    """Neon that the fog scatters towards the camera, steam, and rain lit by both."""
    colours = shots.colours
    height, width = depth.shape[-2:]
    cell = 4
    coarse = F.interpolate(depth[:, None], (height // cell + 1, width // cell + 1), mode="area")[
        :, 0
    ]
    small = [
        F.interpolate(v[:, None], coarse.shape[-2:], mode="area")[:, 0]
        for v in (ray.dx, ray.dy, ray.dz)
    ]
    length = (small[0] ** 2 + small[1] ** 2 + small[2] ** 2).sqrt()
    dx, dy, dz = (v / length for v in small)
    far = coarse.clamp_max(60) * length
    px, py, pz = (
        v[:, :, None, None] - o[:, None]
        for v, o in zip((lamps_.x, lamps_.y, lamps_.z), (ray.ox, ray.oy, ray.oz), strict=True)
    )
    b = px * dx[:, None] + py * dy[:, None] + pz * dz[:, None]
    h = (px * px + py * py + pz * pz - b * b).clamp_min(0.06).rsqrt()
    scatter = (torch.atan((far[:, None] - b) * h) + torch.atan(b * h)) * h
    glow = torch.einsum("nlhw,ncl->nchw", scatter, lamps_.light)
    glow = F.interpolate(glow, (height, width), mode="bilinear", align_corners=False)
    thickness = (shots["fog"] * 0.001)[:, None]
    image = image + glow * thickness * 0.09
    image = image + (glow * 0.018 + colours.fog * 0.10 - image * 0.35) * plume[:, None]
    streaks = weather.rain(shots, ray, depth, (0.9, 1.7, 2.9, 4.6, 7.5, 12.0))[:, None]
    veil = _fog_glow(shots, colours, ray)
    return image + streaks * (glow * 0.05 + veil * 0.5 + 0.012 + image * 0.4)
