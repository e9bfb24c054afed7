"""The detective: hat, long coat, boots, as a distance field over the gait's joints.

Rays are followed through the field (Hart, "Sphere tracing", 1996) in one column of the picture,
the same for the street's mirror image since the field sees |y|. Edges are antialiased by how near
a ray passes. Shapes: N shots, H rows, C columns of the crop.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from generator.lab.train.scenes.camera import Rays
from generator.lab.train.scenes.facades import Lamps
from generator.lab.train.scenes.fused import fused
from generator.lab.train.scenes.gait import Body, body, stride
from generator.lab.train.scenes.noise import noise, smooth
from generator.lab.train.scenes.shots import Shots, constants

__all__ = ["Figure", "Walker", "figure", "walk", "walker"]

_STEPS, _STEPS_AT_ONCE = 22, 2
_COAT, _DARK, _HAT, _SKIN = 0, 1, 2, 3


class Figure(NamedTuple):
    """The walker in a crop of the picture: light [N, 3, H, C]; cover, depth [N, H, C] (cover 0 to
    1); mirrored [N, H, C]: bool, seen in the street; left [N]: the crop's first column."""

    light: Tensor
    cover: Tensor
    depth: Tensor
    mirrored: Tensor


def walk(shots: Shots) -> tuple[Tensor, Body]:
    """Where the walker is (z [N], x stays near 0) and the joints there."""
    speed = shots["speed"].flatten()
    start = shots.chance(51).flatten()
    cycle = start + speed * shots.time.flatten() / stride(speed)
    return speed * shots.time.flatten(), body(cycle, speed)


class _Bones(NamedTuple):
    """B capsules [N, B, 1, 1]: starts and extents for x, y, z; one over squared length; radii at
    the start and what the end has more."""

    start: tuple[Tensor, ...]
    extent: tuple[Tensor, ...]
    inverse: Tensor
    radius: Tensor
    growth: Tensor


def _bones(ends: list[tuple[Tensor, Tensor, float, float]]) -> _Bones:
    """Capsules from pairs of joints [N, 3] with a radius at each."""
    a, b = (torch.stack([e[i] for e in ends], 1)[..., None, None] for i in (0, 1))
    radii = constants(a, *(r for e in ends for r in e[2:])).view(-1, 2)[:, :, None, None]
    extent = (b - a).unbind(2)
    inverse = 1 / (extent[0] ** 2 + extent[1] ** 2 + extent[2] ** 2)
    start, growth = (v.expand(len(a), -1, -1, -1) for v in (radii[:, 0], radii[:, 1] - radii[:, 0]))
    return _Bones(a.unbind(2), extent, inverse, start, growth)


def _capsules(p: tuple[Tensor, Tensor, Tensor], bones: _Bones) -> Tensor:
    """Distances [N, B, H, C] to bones whose radius grows along them."""
    x, y, z = (a[:, None] - b for a, b in zip(p, bones.start, strict=True))
    ex, ey, ez = bones.extent
    h = ((x * ex + y * ey + z * ez) * bones.inverse).clamp(0, 1)
    x, y, z = x - ex * h, y - ey * h, z - ez * h
    return (x * x + y * y + z * z).sqrt() - (bones.radius + bones.growth * h)


def _ellipsoid(
    x: Tensor, y: Tensor, z: Tensor, rx: Tensor | float, ry: float, rz: Tensor | float
) -> Tensor:
    """A bound of the distance to an ellipsoid round the origin, exact on its surface."""
    kx, ky, kz = x / rx, y / ry, z / rz
    k0 = (kx * kx + ky * ky + kz * kz).sqrt()
    k1 = ((kx / rx) ** 2 + (ky / ry) ** 2 + (kz / rz) ** 2).sqrt()
    return k0 * (k0 - 1) / k1.clamp_min(1e-6)


def _blend(a: Tensor, b: Tensor, k: float) -> Tensor:
    """The smaller of two distances, rounded within k (Quilez' polynomial smooth minimum)."""
    h = (k - (a - b).abs()).clamp_min(0) * (1 / k)
    return torch.minimum(a, b) - h * h * (k / 4)


class _Pose(NamedTuple):
    neck: Tensor
    pelvis: Tensor
    bones: _Bones
    hem_front: Tensor
    hem_back: Tensor
    hem_x: Tensor


def _limbs(j: Body) -> list[tuple[Tensor, Tensor, float, float]]:
    """Yoke, two bones for each arm, collar, then shin and boot of each leg."""
    up = constants(j.neck, 0.0, 1.0, 0.0)
    out = [(*j.shoulder, 0.078, 0.078)]
    for shoulder, elbow, hand in zip(j.shoulder, j.elbow, j.hand, strict=True):
        out += [(shoulder, elbow, 0.084, 0.070), (elbow, hand, 0.070, 0.058)]
    out += [(j.neck - 0.01 * up, j.neck + 0.085 * up, 0.098, 0.092)]
    for knee, ankle, heel, toe in zip(j.knee, j.ankle, j.heel, j.toe, strict=True):
        sole = 0.045 * up
        out += [(knee, ankle, 0.078, 0.070), (heel + sole, toe + sole, 0.056, 0.046)]
    return out


def _pose(joints: Body) -> _Pose:
    """Joints and where the coat's hem hangs, which the legs push and the air drags, [N, 1, 1]."""
    front = torch.maximum(joints.knee[0][:, 2], joints.knee[1][:, 2]) * 0.8 + 0.15
    back = torch.minimum(joints.ankle[0][:, 2], joints.ankle[1][:, 2]) * 0.42 - 0.20
    side = (joints.pelvis[:, 0] + joints.knee[0][:, 0] * 0.2 + joints.knee[1][:, 0] * 0.2) * 1.6
    hem = (v[:, None, None] for v in (front, back, side))
    return _Pose(joints.neck, joints.pelvis, _bones(_limbs(joints)), *hem)


class Walker(NamedTuple):
    """Where the walker is (z [N]), the joints there, and what is drawn of them."""

    z: Tensor
    joints: Body
    pose: _Pose


def walker(shots: Shots) -> Walker:
    z, joints = walk(shots)
    return Walker(z, joints, _pose(joints))


HEM = 0.31


def _coat_shape(pose: _Pose, y: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Centre x, z and half widths x, z of the coat at heights y."""
    neck, pelvis = pose.neck, pose.pelvis
    top = neck[:, 1][:, None, None]
    waist = top - 0.46
    down = ((waist - y) / (waist - HEM)).clamp(0, 1.05)
    up = ((y - waist) / (top - waist)).clamp(0, 1)
    shoulder = smooth(1.0, 0.72, up)
    rx = 0.166 + 0.105 * down**1.25 + (0.062 * smooth(0.0, 0.75, up) - 0.12 * (1 - shoulder))
    cx = (
        torch.lerp(pelvis[:, 0][:, None, None], pose.hem_x, down)
        + (neck[:, 0] - pelvis[:, 0])[:, None, None] * up
    )
    hang = down * down
    cz = torch.lerp(0.035 * up - 0.005, (pose.hem_front + pose.hem_back) / 2, hang)
    rz = torch.lerp(
        0.125 + 0.015 * up - 0.06 * (1 - shoulder), (pose.hem_front - pose.hem_back) / 2, hang
    )
    return cx, cz, rx, rz


def _field(pose: _Pose, p: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Distances to the coat (with arms), to legs and boots, to the hat, to the head."""
    x, y, z = p
    cx, cz, rx, rz = _coat_shape(pose, y)
    ux, uz = (x - cx) / rx, (z - cz) / rz
    k = (ux * ux + uz * uz).sqrt()
    round_ = (k - 1) * torch.minimum(rx, rz) * 0.8
    hx, hy, hz = pose.neck[:, :, None, None].unbind(1)
    top = hy
    coat = torch.maximum(round_, torch.maximum(HEM - y, y - top - 0.01))
    yoke, *arms, collar, shin, boot, other_shin, other_boot = _capsules(p, pose.bones).unbind(1)
    coat = _blend(coat, yoke, 0.10)
    for upper, lower in (arms[:2], arms[2:]):
        coat = _blend(coat, torch.minimum(upper, lower), 0.03)
    coat = _blend(coat, collar, 0.05)
    legs = torch.minimum(torch.minimum(shin, boot), torch.minimum(other_shin, other_boot))
    head = _ellipsoid(x - hx, y - hy - 0.195, z - hz - 0.03, 0.083, 0.125, 0.10)
    tilt = y - hy - 0.265 + 0.10 * (z - hz)
    sweep = tilt - 0.9 * (x - hx) ** 2
    brim = _ellipsoid(x - hx, sweep, z - hz - 0.03, 0.205, 0.025, 0.215)
    dent = 0.30 * torch.exp(-(((x - hx) * 18) ** 2)) * 0.08
    crown = _ellipsoid(
        x - hx, (tilt - 0.075 + dent).clamp_min(-0.05), z - hz - 0.02, 0.108, 0.125, 0.12
    )
    hat = torch.minimum(brim, _blend(crown, brim, 0.02))
    return coat, legs, hat, head


def _least(fields: tuple[Tensor, Tensor, Tensor, Tensor]) -> Tensor:
    coat, legs, hat, head = fields
    return torch.minimum(torch.minimum(coat, legs), torch.minimum(hat, head))


def _cube(lamps: Lamps, x: Tensor, z: Tensor, height: float) -> Tensor:
    """Irradiance [N, 3, 6] from -x, +x, -y, +y, -z, +z at a point (Valve's ambient cube, 2004)."""
    d = torch.stack([lamps.x - x[:, None], lamps.y - height, lamps.z - z[:, None]], 1)
    square = (d * d).sum(1, keepdim=True) + 0.35
    facing = d * square.rsqrt()
    weight = torch.stack([-facing, facing], 2).clamp_min(0).flatten(1, 2) / square
    return torch.einsum("nkl,ncl->nck", weight, lamps.light)


def _from(cube: Tensor, n: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    """Light [N, 3, H, C] that a cube of light gives a surface with unit normals n."""
    out: Tensor | float = 0.0
    for i, axis in enumerate(n):
        square = (axis * axis)[:, None]
        low, high = cube[:, :, 2 * i, None, None], cube[:, :, 2 * i + 1, None, None]
        out = out + square * torch.where(axis[:, None] < 0, low, high)
    assert isinstance(out, Tensor)
    return out


class _Way(NamedTuple):
    """How far rays have come, the least miss so far as a share of a pixel, and where that was,
    [N, H, C]."""

    t: Tensor
    miss: Tensor
    at: Tensor


def figure(shots: Shots, lamps: Lamps, who: Walker, ray: Rays) -> Figure:
    """The walker along the rays of a crop."""
    t = shots["distance"] - 0.55 + torch.zeros_like(ray.dx)
    way = _Way(t, torch.full_like(t, 1e9), t.clone())
    for _ in range(_STEPS // _STEPS_AT_ONCE):
        way = fused(shots.kernels, _followed)(shots["distance"], ray, who.z, who.pose, way)
    return fused(shots.kernels, _drawn)(shots, lamps, who, ray, way)


def _followed(distance: Tensor, ray: Rays, z: Tensor, pose: _Pose, way: _Way) -> _Way:
    """Rays some steps further on."""
    t, best, at = way
    there = z[:, None, None]
    length = (ray.dx * ray.dx + ray.dy * ray.dy + ray.dz * ray.dz).sqrt()
    for _ in range(_STEPS_AT_ONCE):
        p = (ray.ox + t * ray.dx, (ray.oy + t * ray.dy).abs(), ray.oz + t * ray.dz - there)
        d = _least(_field(pose, p))
        miss = d / (t * ray.spread)
        closer = miss < best
        best, at = torch.where(closer, miss, best), torch.where(closer, t, at)
        t = torch.minimum(t + 0.95 * d.clamp_min(0.001) / length, distance - 0.55 + 1.3)
    return _Way(t, best, at)


def _drawn(shots: Shots, lamps: Lamps, who: Walker, ray: Rays, way: _Way) -> Figure:
    """Light and edges of the walker where rays came nearest."""
    colours, pose, z0, at = shots.colours, who.pose, who.z, way.at
    there = z0[:, None, None]
    length = (ray.dx * ray.dx + ray.dy * ray.dy + ray.dz * ray.dz).sqrt()
    cover = (0.5 - 1.8 * way.miss).clamp(0, 1)

    world_y = ray.oy + at * ray.dy
    p = (ray.ox + at * ray.dx, world_y.abs(), ray.oz + at * ray.dz - there)
    e = 0.004
    # the point itself and its three neighbours side by side: one field instead of four
    around_p = [torch.cat([p[i] + e * (j == i) for j in (3, 0, 1, 2)], -1) for i in range(3)]
    fields = _field(pose, (around_p[0], around_p[1], around_p[2]))
    columns = at.shape[-1]
    parts = [field[..., :columns] for field in fields]
    nearest, *beside = _least(fields).split(columns, -1)
    n = [d - nearest for d in beside]
    x, y, z = p
    cx, _, rx, _ = _coat_shape(pose, y)
    coat = parts[0] <= nearest + 1e-4
    lower = smooth(1.15, 0.45, y)
    around = (x - cx) / rx
    folds = torch.cos(around * 11 + 3 * y + shots.chance(52) * 9) * (0.10 + 0.42 * lower)
    creases = (noise(shots.seed, x * 16 + 40, y * 9 - z * 6) - 0.5) * 0.5
    n[0] = n[0] / e + torch.where(coat, folds + creases, 0.0)
    n[1] = n[1] / e + torch.where(coat, creases * 0.6, 0.0)
    n[2] = n[2] / e
    size = (n[0] * n[0] + n[1] * n[1] + n[2] * n[2]).sqrt().clamp_min(1e-5)
    nx, ny, nz = (v / size for v in n)
    vx, vy, vz = ray.dx / length, ray.dy / length, ray.dz / length
    vy = torch.where(world_y < 0, -vy, vy)
    facing = -(nx * vx + ny * vy + nz * vz)
    rim = (1 - facing.clamp(0, 1)) ** 3

    hue = shots["coat"][:, None] + constants(x, 0.0, 2 / 3, 1 / 3)[:, None, None]
    pure = ((hue - hue.floor()) * 6 - 3).abs() - 1
    cloth = 0.028 + 0.10 * pure.clamp(0, 1)
    dark = colours.shadow * 0 + 0.035
    skin = dark * 0 + constants(x, 0.30, 0.19, 0.13)[:, None, None]
    legs_nearer = (parts[1] < parts[0]) & (parts[1] < parts[2])
    hat_nearer = parts[2] <= nearest + 1e-4
    albedo = torch.where(legs_nearer[:, None], dark, cloth)
    albedo = torch.where((parts[3] <= nearest + 1e-4)[:, None], skin, albedo)
    albedo = torch.where(hat_nearer[:, None], cloth * 0.45, albedo)
    neck = pose.neck[:, 1][:, None, None]
    belt = coat & ((y - (neck - 0.44)).abs() < 0.022) & (around.abs() < 1.02)
    vent = coat & (y < 0.86) & ((x - cx).abs() < 0.006 + 0.03 * smooth(0.86, HEM, y))
    band = hat_nearer & ((y - neck - 0.292 + 0.1 * z).abs() < 0.017)
    albedo = albedo * torch.where(belt | vent | band, 0.3, 1.0)[:, None]

    low, high = (_cube(lamps, torch.zeros_like(z0), z0, height) for height in (0.4, 1.6))
    cube = torch.lerp(low, high, 0.65)
    dusk = smooth(23.0, 19.0, shots["hour"])[:, None]
    air = colours.fog * 0.5 + colours.sky * (0.1 + 0.6 * dusk)  # of the fog behind
    glow = air.flatten(1)[:, :, None]
    ahead = constants(x, 0.45, 0.45, 0.10, 0.30, 0.10, 1.6)
    cube = cube * constants(x, 0.95, 0.95, 0.5, 0.8, 0.45, 1.0) + glow * ahead
    bx, by, bz = nx + vx * 0.9, ny + vy * 0.9, nz + vz * 0.9
    back = (bx * bx + by * by + bz * bz).sqrt().clamp_min(1e-4)
    light = albedo * _from(cube, (nx, ny, nz)) * (0.55 + 0.45 * smooth(0.0, 1.2, y))[:, None]
    edge = _from(cube, (bx / back, by / back, bz / back))
    strength = (
        rim
        * (0.075 + 0.03 * ny + 0.16 * ny.clamp_min(0) ** 2)
        * torch.where(legs_nearer, 0.35, 1.0)
    )
    light = light + edge * strength[:, None]
    rx_, ry_, rz_ = vx + 2 * facing * nx, vy + 2 * facing * ny, vz + 2 * facing * nz
    gloss = _from(cube, (rx_, ry_, rz_))
    light = light + gloss * (0.05 + 0.10 * torch.where(legs_nearer, 1.0, 0.3))[:, None] * 0.35
    return Figure(light=light, cover=cover, depth=at, mirrored=world_y < 0)
