"""Frames of scenes, and how still things move between them.

A frame is a pure function of scene and time. On a CPU frames are made one at a time, so that a
frame is the same bit for bit whichever frames it is asked for with; elsewhere several, of any
scenes of a family, are made at once for speed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from generator.lab.train.scenes import alley, camera, film, metropolis
from generator.lab.train.scenes.attributes import Scene
from generator.lab.train.scenes.fused import Compiler, fused
from generator.lab.train.scenes.shots import Shots, rows_of, shots

__all__ = ["SURFACES", "Footage", "Motion", "render"]

SURFACES = ("sky", "solid", "street", "moving")
"""What a pixel of `Motion.surface` shows: the number is the place here."""
_FAMILY = {"alley": alley, "metropolis": metropolis}
_SAMPLES_AT_ONCE = 2**24
_COMPILED_AT_ONCE = 32
_PREPARED_AT_ONCE = 128
"""Frames whose cameras, lamps and walkers are computed together: small tensors, many kernels."""


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


def render(
    scenes: Sequence[Scene],
    times_s: Sequence[float] | Sequence[Sequence[float]],
    *,
    height: int,
    width: int,
    device: torch.device,
    dtype: torch.dtype = torch.float32,
    samples: int = 2,
    motion_s: float | None = None,
    at_once: int | None = None,
    compiler: Compiler | None = None,
) -> Footage:
    """Each scene at each time: C scenes, F times (the same for all, or F for each scene), any frame
    rate, families mixed as you like.

    `samples` x `samples` samples are averaged for a pixel. `dtype` is that of the frames;
    arithmetic is float32, which the size of a world needs. `motion_s` seconds ahead also gives the
    motion. `at_once` frames are worked on together (default: 1 on a CPU, else what fits some ten
    GB). `compiler` sends heavy functions through torch.compile, once for each size, samples and
    `at_once`; the last batch is then filled up, so that all have one shape.
    Raises ValueError for sizes under 16, samples under 1, or times for another count of scenes.
    """
    if height < 16 or width < 16 or samples < 1:
        raise ValueError(f"{width}x{height} with {samples} samples: 16x16 and 1 are the least")
    moments = _times_of_each(times_s, len(scenes))
    most = _SAMPLES_AT_ONCE // (height * width * samples**2)
    if compiler:  # one of few shapes, and little to fill up
        most = min(_COMPILED_AT_ONCE, 1 << max(0, most.bit_length() - 1))
    count = at_once or (1 if device.type == "cpu" else max(1, most))
    prepared = max(1, _PREPARED_AT_ONCE // count) * count if count > 1 else 1
    shape = (len(scenes), len(moments[0]) if moments else 0)
    # as outside inference and autocast: the same graphs wherever it is called, and full precision
    plain = torch.inference_mode(False), torch.no_grad(), torch.autocast(device.type, enabled=False)
    with plain[0], plain[1], plain[2]:
        frames = torch.empty((*shape, 3, height, width), dtype=dtype, device=device)
        flow = torch.empty((*shape, 2, height, width), device=device) if motion_s else None
        depth = torch.empty((*shape, height, width), device=device)
        surface = torch.empty((*shape, height, width), dtype=torch.uint8, device=device)
        for family in _FAMILY:
            cells = [
                (c, f) for c, s in enumerate(scenes) if s.family == family for f in range(shape[1])
            ]
            if not cells:
                continue
            kernels = compiler.at(family, height, width, samples, count) if compiler else None
            for first in range(0, len(cells), prepared):
                some = cells[first : first + prepared]
                filled = some + some[-1:] * (-len(some) % count if compiler else 0)
                pairs = [(scenes[c], moments[c][f]) for c, f in filled]
                batch = shots(pairs, device, kernels)
                stage = _FAMILY[family].stage(batch)
                where = torch.tensor(some).T.to(device, non_blocking=True)
                for begin in range(0, len(some), count):
                    span = slice(begin, begin + count)
                    part, on = batch.rows(span), rows_of(stage, span)
                    c, f = where[:, span]
                    made = _frames(family, part, on, height, width, samples)
                    frames[c, f] = made[: len(c)].to(dtype)
                    if motion_s and flow is not None:
                        moved = _motion(family, part, on, height, width, motion_s)
                        for into, value in zip((flow, depth, surface), moved, strict=True):
                            into[c, f] = value[: len(c)]
    if flow is None:
        return Footage(frames=frames)
    return Footage(frames=frames, motion=Motion(flow=flow, depth=depth, surface=surface))


def _times_of_each(
    times_s: Sequence[float] | Sequence[Sequence[float]], scenes: int
) -> list[list[float]]:
    rows = [list(row) for row in times_s if isinstance(row, Sequence)]
    if not rows:
        return [[t for t in times_s if not isinstance(t, Sequence)]] * scenes
    if len(rows) != scenes or len({len(row) for row in rows}) > 1:
        raise ValueError(f"times for {len(rows)} scenes: {scenes} were given, with as many each")
    return rows


def _frames(family: str, batch: Shots, on: Any, height: int, width: int, samples: int) -> Tensor:
    module = _FAMILY[family]
    light = module.light(batch, on, height, width, samples).light
    exposure, bloom = (light.new_full((), value) for value in (module.EXPOSURE, module.BLOOM))
    return fused(batch.kernels, film.developed)(light, batch.colours.shadow, exposure, bloom)


def _motion(
    family: str, batch: Shots, on: Any, height: int, width: int, later_s: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Flow, depth and surface at the pixels' middles, whatever `samples` is."""
    module = _FAMILY[family]
    batch = replace(batch, kernels=None)  # its shapes are others
    picture = module.light(batch, on, height, width, 1)
    sky = picture.surface == 0
    depth = torch.where(sky, 1e6, picture.depth)
    now, later = module.camera(batch), module.camera(batch.at(batch.time + later_s))
    moved = camera.flow(now, later, depth)
    return moved, torch.where(sky, torch.inf, picture.depth), picture.surface
