"""Frames of scenes, and how still things move between them.

A frame is a pure function of scene and time. On a CPU frames are made one at a time, so that a
frame is the same bit for bit whichever frames it is asked for with; elsewhere several are made at
once for speed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from generator.lab.train.scenes import alley, camera, film, metropolis
from generator.lab.train.scenes.attributes import Scene
from generator.lab.train.scenes.shots import Shots, palette, shots

__all__ = ["SURFACES", "Footage", "Motion", "render"]

SURFACES = ("sky", "solid", "street", "moving")
"""What a pixel of `Motion.surface` shows: the number is the place here."""
_FAMILY = {"alley": alley, "metropolis": metropolis}
_SAMPLES_AT_ONCE = 2**24


@dataclass(frozen=True, slots=True, kw_only=True)
class Motion:
    """True motion of what stands still, from each frame to a moment later.

    flow [C, F, 2, H, W]: pixels, x right and y down: what is seen at (row, column) is later at
    (row + flow[1], column + flow[0]). depth [C, F, H, W]: metres along the camera's axis, inf in
    the sky. surface [C, F, H, W]: uint8, see SURFACES.

    Exact for pixels of `solid` and `sky` (the sky as infinitely far), and for the ground itself on
    `street`; what a wet street mirrors moves otherwise. On `moving` (walker, vehicles, holograms)
    flow and depth are those of what stands behind. Rain, steam, clouds and changing light move
    over everything and are in neither. People at the walls count as solid; they sway by
    a centimetre.
    """

    flow: Tensor
    depth: Tensor
    surface: Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Footage:
    """frames [C, F, 3, H, W]: RGB in [0, 1] (display values); motion where it was asked for."""

    frames: Tensor
    motion: Motion | None = None


@torch.no_grad()
def render(
    scenes: Sequence[Scene],
    times_s: Sequence[float],
    *,
    height: int,
    width: int,
    device: torch.device,
    dtype: torch.dtype = torch.float32,
    samples: int = 2,
    motion_s: float | None = None,
    at_once: int | None = None,
) -> Footage:
    """Each scene at each time: C scenes, F times, any frame rate, families mixed as you like.

    `samples` x `samples` samples are averaged for a pixel. `dtype` is that of the frames;
    arithmetic is float32, which the size of a world needs. `motion_s` seconds ahead also gives the
    motion. `at_once` frames are worked on together (default: 1 on a CPU, else what fits some ten
    GB). Raises ValueError for sizes under 16 or samples under 1.
    """
    if height < 16 or width < 16 or samples < 1:
        raise ValueError(f"{width}x{height} with {samples} samples: 16x16 and 1 are the least")
    count = at_once or (
        1 if device.type == "cpu" else max(1, _SAMPLES_AT_ONCE // (height * width * samples**2))
    )
    shape = (len(scenes), len(times_s))
    frames = torch.empty((*shape, 3, height, width), dtype=dtype, device=device)
    flow = torch.empty((*shape, 2, height, width), device=device) if motion_s else None
    depth = torch.empty((*shape, height, width), device=device)
    surface = torch.empty((*shape, height, width), dtype=torch.uint8, device=device)
    for family in _FAMILY:
        cells = [
            (c, f) for c, s in enumerate(scenes) if s.family == family for f in range(len(times_s))
        ]
        for first in range(0, len(cells), count):
            some = cells[first : first + count]
            batch = shots([(scenes[c], times_s[f]) for c, f in some], device)
            place = tuple(torch.tensor(v, device=device) for v in zip(*some, strict=True))
            frames[place] = _frames(family, batch, height, width, samples).to(dtype)
            if motion_s and flow is not None:
                flow[place], depth[place], surface[place] = _motion(
                    family, batch, height, width, motion_s
                )
    if flow is None:
        return Footage(frames=frames)
    return Footage(frames=frames, motion=Motion(flow=flow, depth=depth, surface=surface))


def _frames(family: str, batch: Shots, height: int, width: int, samples: int) -> Tensor:
    module = _FAMILY[family]
    light = module.light(batch, height, width, samples).light
    return film.developed(light, palette(batch).shadow, module.EXPOSURE, module.BLOOM)


def _motion(
    family: str, batch: Shots, height: int, width: int, later_s: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Flow, depth and surface at the pixels' middles, whatever `samples` is."""
    module = _FAMILY[family]
    picture = module.light(batch, height, width, 1)
    sky = picture.surface == 0
    depth = torch.where(sky, 1e6, picture.depth)
    now, later = module.camera(batch), module.camera(batch.at(batch.time + later_s))
    moved = camera.flow(now, later, depth)
    return moved, torch.where(sky, torch.inf, picture.depth), picture.surface
