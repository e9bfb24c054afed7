"""Shots: a batch of (scene, moment) pairs as tensors, and the colours that they are lit with.

All of a batch goes to the device in two copies, for which the host does not wait.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from generator.lab.train.scenes.attributes import Scene
from generator.lab.train.scenes.fused import Kernels
from generator.lab.train.scenes.noise import chosen, key, unit

__all__ = ["Palette", "Picture", "Shots", "constants", "flicker", "rows_of", "shots"]


class Palette(NamedTuple):
    """Linear light colours [N, 3, 1, 1]. `neon` holds four, the first two leading."""

    neon: tuple[Tensor, Tensor, Tensor, Tensor]
    fog: Tensor
    sky: Tensor
    shadow: Tensor
    warm: Tensor
    cool: Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Shots:
    """N frames to render. Tensors are [N, 1, 1]: seed int32, time in s, one per attribute.
    With `kernels` heavy functions go through torch.compile."""

    seed: Tensor
    time: Tensor
    attributes: dict[str, Tensor]
    colours: Palette
    kernels: Kernels | None = None

    def __getitem__(self, name: str) -> Tensor:
        return self.attributes[name]

    def at(self, time: Tensor) -> Shots:
        return replace(self, time=time)

    def rows(self, rows: slice) -> Shots:
        return replace(
            self,
            seed=self.seed[rows],
            time=self.time[rows],
            attributes={name: value[rows] for name, value in self.attributes.items()},
            colours=rows_of(self.colours, rows),
        )

    def chance(self, *place: int) -> Tensor:
        """A number in [0, 1) [N, 1, 1] that belongs to the scene and a place in it."""
        return unit(key(self.seed, *place))


class Picture(NamedTuple):
    """Linear light [N, 3, H, W]; depth [N, H, W] of still things, in metres along the camera's
    axis at each pixel's middle (of one of its samples, where it has several); surface [N, H, W]
    uint8 as in render.SURFACES."""

    light: Tensor
    depth: Tensor
    surface: Tensor


_NEON = (
    ((1.0, 0.05, 0.42), (1.0, 0.36, 0.04), (0.52, 0.10, 1.0), (1.0, 0.04, 0.07)),
    ((0.02, 0.82, 1.0), (0.03, 0.78, 0.72), (0.32, 1.0, 0.10), (0.06, 0.26, 1.0)),
    ((0.45, 0.12, 1.0), (1.0, 0.10, 0.10), (0.05, 0.45, 1.0), (1.0, 0.42, 0.08)),
    ((1.0, 0.50, 0.12), (1.0, 0.75, 0.35), (1.0, 0.15, 0.60), (0.70, 0.85, 1.0)),
)
_FOG = ((0.04, 0.30, 0.38), (0.035, 0.24, 0.27), (0.13, 0.09, 0.36), (0.05, 0.11, 0.34))
_SKY = ((0.10, 0.07, 0.22), (0.20, 0.10, 0.07), (0.06, 0.09, 0.24), (0.16, 0.04, 0.12))
_SHADOW = (
    (0.006, 0.016, 0.026),
    (0.006, 0.016, 0.018),
    (0.010, 0.008, 0.026),
    (0.008, 0.009, 0.024),
)
_WARM = ((1.0, 0.55, 0.20), (1.0, 0.50, 0.16), (1.0, 0.62, 0.30), (1.0, 0.58, 0.24))
_COOL = ((0.45, 0.80, 1.0), (0.40, 0.85, 0.95), (0.62, 0.55, 1.0), (0.55, 0.70, 1.0))


def _mixed(colours: tuple[tuple[float, ...], ...], which: Tensor) -> Tensor:
    return chosen(which, *(torch.tensor(colour)[None] for colour in colours))


def shots(
    pairs: Sequence[tuple[Scene, float]], device: torch.device, kernels: Kernels | None = None
) -> Shots:
    """Scenes of one family, each with a time in seconds."""
    names = list(pairs[0][0].attributes)
    rows = [[t, *(s.attributes[name] for name in names)] for s, t in pairs]
    numbers = torch.tensor(rows, dtype=torch.float32)
    which = numbers[:, 1 + names.index("palette"), None]
    mixes = (*_NEON, _FOG, _SKY, _SHADOW, _WARM, _COOL)
    table = torch.cat([numbers, *(_mixed(colours, which) for colours in mixes)], 1)
    seeds = torch.tensor([(s.seed ^ (s.seed >> 31)) & 0x7FFFFFFF for s, _ in pairs])
    table = table.to(device, non_blocking=True)
    columns = [v[:, None, None] for v in table[:, : numbers.shape[1]].unbind(1)]
    a, b, c, d, *rest = table[:, numbers.shape[1] :, None, None].split(3, 1)
    return Shots(
        seed=seeds.int().to(device, non_blocking=True)[:, None, None],
        time=columns[0],
        attributes=dict(zip(names, columns[1:], strict=True)),
        colours=Palette((a, b, c, d), *rest),
        kernels=kernels,
    )


T = TypeVar("T")


def rows_of(batch: T, rows: slice) -> T:
    """Rows of all tensors in (nested) tuples, whose first axis is N."""
    return tree_map(lambda v: v[rows] if isinstance(v, Tensor) else v, batch)


def constants(like: Tensor, *values: float) -> Tensor:
    """A vector on the device of `like`, made there: a copy from the host would wait for all that
    the device still has to do."""
    return torch.cat([like.new_full((1,), value) for value in values])


def flicker(shots: Shots, sign: Tensor) -> Tensor:
    """Brightness 0.12 to 1 of signs with hashes `sign`: a share of them stutters, the rest hold."""
    slow = unit(key(sign, (shots.time * 2.3).floor().int(), 5))
    fast = unit(key(sign, (shots.time * 17).floor().int(), 6))
    unsteady = unit(key(sign, 7)) < shots["flicker"]
    dim = unsteady & (slow < 0.55) & (fast < 0.6)
    return torch.where(dim, 0.12 + 0.3 * fast, torch.ones_like(fast))
