"""Chance as a pure function of whole numbers, so that a world has no end and no memory.

Integers are hashed, not floats, because float arithmetic differs between devices in the last bit
and a hash would make another world of that. The mixer is Chris Wellons' lowbias32 with arithmetic
shifts (still a bijection). Shapes: N shots, then whatever broadcasts.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["chosen", "key", "noise", "part", "smooth", "unit"]

_A = 0x7FEB352D
_B = 0x846CA68B - 2**32
_GOLDEN = 0x9E3779B1 - 2**32


def _mixed(x: Tensor) -> Tensor:
    x = (x ^ (x >> 16)) * _A
    x = (x ^ (x >> 15)) * _B
    return x ^ (x >> 16)


def key(seed: Tensor, *cells: Tensor | int) -> Tensor:
    """A hash (int32) of a seed and cell numbers (int32 tensors or ints)."""
    for cell in cells:
        seed = _mixed(seed * _GOLDEN + cell)
    return seed


def unit(key_: Tensor) -> Tensor:
    """A hash as a number in [0, 1), 24 bits of it."""
    return (key_ & 0xFFFFFF).float() * 2.0**-24


def part(key_: Tensor, place: int) -> Tensor:
    """One of a hash's four bytes as a number in [0, 1): cheap where 256 values are enough."""
    return ((key_ >> (8 * place)) & 255).float() * (1 / 256)


def chosen(x: Tensor, *options: Tensor) -> Tensor:
    """Options mixed by x in [0, len(options) - 1]: whole numbers give one of them."""
    out = options[0]
    for i, option in enumerate(options[1:]):
        out = torch.lerp(out, option, (x - i).clamp(0, 1))
    return out


def smooth(low: float, high: float, x: Tensor) -> Tensor:
    """0 below `low`, 1 above `high`, a cubic between (either may be the greater)."""
    s = ((x - low) * (1 / (high - low))).clamp(0, 1)
    return s * s * (3 - 2 * s)


def noise(seed: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Value noise in [0, 1) over the plane, lattice spacing 1."""
    fx, fy = x.floor(), y.floor()
    ix, iy = fx.int(), fy.int()
    x, y = x - fx, y - fy
    x, y = x * x * (3 - 2 * x), y * y * (3 - 2 * y)
    row, above = key(seed, iy), key(seed, iy + 1)
    a, b = unit(_mixed(row + ix * _GOLDEN)), unit(_mixed(row + (ix + 1) * _GOLDEN))
    c, d = unit(_mixed(above + ix * _GOLDEN)), unit(_mixed(above + (ix + 1) * _GOLDEN))
    return torch.lerp(torch.lerp(a, b, x), torch.lerp(c, d, x), y)
