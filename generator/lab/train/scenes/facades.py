"""The alley's two walls: what protrudes where, which signs hang there, and the lamps among them.

A wall is a height field of few levels (0.2 m apart) over (z, y). Bays are 3.5 m long, two make a
building. Side 0 is left (x < 0), side 1 right. Everything follows from the scene's seed and whole
numbers, so the alley has no end. Lengths in metres.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from generator.lab.train.scenes.noise import key, part, smooth, unit
from generator.lab.train.scenes.shots import Palette, Shots, flicker

__all__ = [
    "BAY",
    "HALF",
    "LEVELS",
    "Lamps",
    "Material",
    "Signs",
    "lamps",
    "neon",
    "relief",
    "signs",
]

BAY = 3.5
HALF = 2.7
LEVELS = (0.6, 0.4, 0.2, 0.0, -0.2, -0.4, -0.6, -0.8, -1.0)
STOREY = 3.0
GROUND_FLOOR = 3.6


class Material:
    """What a piece of wall is."""

    WALL, WINDOW, DOOR, SHOP, SHUTTER, METAL, TUBE, POST, RAIL = range(9)


class Bay(NamedTuple):
    kind: Tensor
    """int: 0 door, 1 shop, 2 shutter, 3 bare with a container"""
    awning: Tensor
    tube: Tensor
    key: Tensor
    house: Tensor
    setback: Tensor
    roof: Tensor
    post: Tensor
    """bool: a tube stands upright at the building's edge"""
    rail: Tensor
    """bool: a tube runs along the cornice"""


def bay_at(shots: Shots, side: Tensor | int, bay: Tensor) -> Bay:
    """What the hash says about bays (int32)."""
    own = key(shots.seed, bay * 2 + side, 21)
    house = key(shots.seed, (bay >> 1) * 2 + side, 22)
    kind = own & 3
    awning = (kind != 3) & (((own >> 2) & 3) != 0)
    step = (house & 3).float()
    return Bay(
        kind=kind,
        awning=awning,
        tube=awning & (part(own, 1) < 0.85 * shots["neon"]),
        key=own,
        house=house,
        setback=torch.where(step < 2, 0.0, (step - 1) * 0.4),
        roof=7.5 + 7 * part(house, 1),
        post=part(house, 2) < 0.6 * shots["neon"],
        rail=part(house, 3) < 0.5 * shots["neon"],
    )


def relief(shots: Shots, side: Tensor, z: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """How far the wall reaches inwards from HALF at (z, y), and its Material (int). Above the
    roof it reaches -9."""
    whole = (z * (1 / BAY)).floor()
    b = bay_at(shots, side, whole.int())
    u = z - whole * BAY
    edge = z - (z * (0.5 / BAY)).floor() * (2 * BAY)
    up = y - GROUND_FLOOR
    storey = (up * (1 / STOREY)).floor()
    v = up - storey * STOREY
    h = key(b.key, storey.int())
    second = u >= 1.75
    w = torch.where(second, u - 1.75, u)
    upper = up > 0

    def among(x: Tensor, low: float, high: float) -> Tensor:
        return (x > low) & (x < high)

    out = torch.zeros_like(z)
    what = torch.zeros_like(z, dtype=torch.int32)

    def put(where: Tensor, offset: float, material: int) -> None:
        nonlocal out, what
        out = torch.where(where, offset, out)
        what = torch.where(where, material, what)

    put(upper & among(w, 0.42, 1.38) & among(v, 0.9, 2.35), -0.2, Material.WINDOW)
    cooler = ((h >> torch.where(second, 4, 2)) & 3) == 0
    put(upper & cooler & among(w, 0.5, 1.3) & among(v, 0.3, 0.82), 0.4, Material.METAL)
    balcony = upper & (((h >> 6) & 3) == 0) & among(u, 0.3, 3.2)
    rail = among(v, 0.95, 1.05) | ((u * 5 - (u * 5).floor()) < 0.22)
    put(balcony & (among(v, 0.0, 0.14) | (rail & (v < 1.05))), 0.6, Material.METAL)
    low = ~upper
    put(low & (b.kind == 0) & among(u, 1.1, 2.2) & (y < 2.2), -0.2, Material.DOOR)
    put(low & (b.kind == 1) & among(u, 0.4, 3.1) & among(y, 0.6, 2.45), -0.2, Material.SHOP)
    put(low & (b.kind == 2) & among(u, 0.35, 3.15) & (y < 2.5), -0.2, Material.SHUTTER)
    box = low & (b.kind == 3) & (((b.key >> 2) & 1) == 0)
    put(box & among(u, 0.7, 2.3) & (y < 1.15), 0.6, Material.METAL)
    put(box & among(u, 2.35, 2.9) & (y < 0.7), 0.4, Material.METAL)
    put(among(y, 3.4, 3.6), 0.2, Material.WALL)
    put(among(u, 0.42, 0.56) & (((b.key >> 3) & 1) == 0), 0.2, Material.METAL)
    put(b.rail & among(y, 3.46, 3.53), 0.2, Material.RAIL)
    put((edge < 0.3) | (edge > 2 * BAY - 0.3), 0.2, Material.WALL)
    put(b.post & among(edge, 0.1, 0.17) & among(y, 0.6, 3.3), 0.2, Material.POST)
    front = low & b.awning & among(u, 0.25, 3.25)
    put(front & among(y, 2.6, 2.84), 0.6, Material.METAL)
    put(front & b.tube & among(y, 2.64, 2.71), 0.6, Material.TUBE)
    out = torch.where(y < b.roof, out - b.setback, -9.0)
    return out, what


def neon(colours: Palette, chance: Tensor) -> Tensor:
    """A neon colour [N, 3, ...] for numbers in [0, 1): two lead, two are accents."""
    a, b, c, d = colours.neon
    u = chance[:, None]
    tail = (1,) * (u.dim() - 4)
    a, b, c, d = (x.reshape(*x.shape, *tail) for x in (a, b, c, d))
    return torch.where(u < 0.4, a, torch.where(u < 0.78, b, torch.where(u < 0.9, c, d)))


class Signs(NamedTuple):
    """Signs that stick out from the walls across the alley, [N, 2, K] each."""

    exists: Tensor
    z: Tensor
    outer: Tensor
    """distance from the alley's middle to the sign's outer edge"""
    width: Tensor
    bottom: Tensor
    height: Tensor
    key: Tensor
    power: Tensor


def signs(shots: Shots, first: Tensor, count: int) -> Signs:
    """The signs of `count` bays from bay `first` [N, 1, 1] (int32)."""
    bay = first + torch.arange(count, device=first.device, dtype=torch.int32)
    side = torch.arange(2, device=first.device, dtype=torch.int32)[:, None]
    b = bay_at(shots, side, bay)
    own = key(b.key, 31)
    broad = part(own, 0) < 0.28
    return Signs(
        exists=part(own, 1) < 0.92 * shots["neon"],
        z=bay.float() * BAY + 0.35 + 2.6 * part(own, 2),
        outer=HALF + b.setback - 0.22,
        width=torch.where(broad, 1.25, 0.62 + 0.2 * part(own, 3)),
        bottom=2.95 + 1.1 * part(key(own, 1), 0),
        height=torch.where(broad, 0.75, 1.5 + 1.7 * part(key(own, 1), 1)),
        key=own,
        power=flicker(shots, own),
    )


class Lamps(NamedTuple):
    """Points of light: x, y, z [N, L], light [N, 3, L]."""

    x: Tensor
    y: Tensor
    z: Tensor
    light: Tensor


def lamps(shots: Shots, colours: Palette, first: Tensor, count: int) -> Lamps:
    """All lamps of `count` bays from bay `first`: signs, awnings' tubes, posts, shop windows."""
    s = signs(shots, first, count)
    bay = first + torch.arange(count, device=first.device, dtype=torch.int32)
    side = torch.arange(2, device=first.device, dtype=torch.int32)[:, None]
    b = bay_at(shots, side, bay)
    sign = torch.where(side == 0, -1.0, 1.0)
    z = bay.float() * BAY
    inner = HALF + b.setback
    spots = [
        (s.outer - s.width / 2, s.bottom + s.height / 2, s.z, s.key, s.exists * s.power * 2.6),
        (inner - 0.7, torch.full_like(inner, 2.6), z + 1.0, key(b.key, 41), b.tube * 1.5),
        (inner - 0.7, torch.full_like(inner, 2.6), z + 2.5, key(b.key, 41), b.tube * 1.5),
        (
            inner - 0.4,
            torch.full_like(inner, 1.9),
            z + 0.2,
            key(b.house, 42),
            (b.post & (bay % 2 == 0)) * 2.2,
        ),
    ]
    shop = (b.kind == 1) & shop_lit(shots, b.key)
    lists: list[list[Tensor]] = [[], [], [], []]
    for u, y, at, which, power in spots:
        light = neon(colours, unit(key(which, 8))[:, None])[:, :, 0] * power[:, None]
        for store, value in zip(
            lists, (sign * u, y.expand_as(u), at.expand_as(u), light), strict=True
        ):
            store.append(value.flatten(-2))
    warm = (colours.warm * (shop * 1.3)[:, None]).flatten(-2)
    shop_at = (sign * (inner - 0.1), torch.full_like(inner, 1.5), (z + 1.75).expand_as(inner))
    for store, value in zip(lists, (*(v.flatten(-2) for v in shop_at), warm), strict=True):
        store.append(value)
    x, y, at, light = (torch.cat(store, -1) for store in lists)
    ahead = (at - first[:, 0].float() * BAY) * (1 / (BAY * count))
    fade = smooth(1.0, 0.9, ahead) * smooth(0.0, 0.03, ahead)
    return Lamps(x=x, y=y, z=at, light=light * fade[:, None])


def shop_lit(shots: Shots, bay: Tensor) -> Tensor:
    return part(key(bay, 43), 0) < 0.25 + 0.75 * shots["windows"]
