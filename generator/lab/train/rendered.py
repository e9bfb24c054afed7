"""The renderer of scenes as training takes it: the one place where the two meet."""

from __future__ import annotations

import math
from importlib import import_module
from typing import Any

import torch

from generator.errors import UsageError
from generator.lab.prompts import Known
from generator.lab.train.data import RATE_HZ, Condition, Footage, half_size

__all__ = ["COMPILE_S", "footage"]

SCENES = "generator.lab.train.scenes"
COMPILE_S = 40.0
"""What a run of some minutes can spare for each of the two scenes."""


def footage(samples: int = 2, *, compile_s: float = 0.0, halve: bool = False) -> Footage:
    """Both families of scenes, attributes as shares of their spans; `samples` a pixel's side are
    averaged. `compile_s`: seconds that may go into torch.compile for each scene and size, of which
    frames change by rounding alone; 0 for none. `halve` renders twice the sides and gives means of
    2 x 2, so that what is compiled for a size serves its half as well; flow stays that of the size
    asked for.

    Raises UsageError where the renderer is not part of this version.
    """
    try:
        told: Any = import_module(f"{SCENES}.attributes")
        made: Any = import_module(f"{SCENES}.render")
    except ModuleNotFoundError as error:
        raise UsageError(
            f"train neon: {error.name} is not part of this version; without the renderer of scenes "
            "there is nothing to train on"
        ) from error
    compiler = made.Compiler(compile_s) if compile_s else None
    names = [one.name for one in told.ATTRIBUTES]
    known = tuple(
        Known(
            name=one.name,
            unit=one.unit,
            spans={
                family: (span.low, span.high, span.usual)
                for family in told.FAMILIES
                if (span := one.span(family))
            },
        )
        for one in told.ATTRIBUTES
    )

    def draw(seeds: torch.Tensor) -> Condition:
        scenes = [told.draw(seed) for seed in seeds.tolist()]
        values = [
            [
                one.share(scene.family, scene.attributes[one.name])
                if scene.family in one.spans
                else math.nan
                for one in known
            ]
            for scene in scenes
        ]
        families = [told.FAMILIES.index(scene.family) for scene in scenes]
        return Condition(
            seeds=seeds,
            scene=torch.tensor(families, device=seeds.device),
            values=torch.tensor(values, device=seeds.device),
        )

    def shots(condition: Condition) -> list[Any]:
        """Scenes again, of a condition: what it states, and nothing else but the seed."""
        found = []
        rows = zip(condition.seeds.tolist(), condition.scene.tolist(), strict=True)
        for (seed, family_id), values in zip(rows, condition.values.tolist(), strict=True):
            family = told.FAMILIES[family_id]
            attributes = {}
            for name, one, share in zip(names, known, values, strict=True):
                if family in one.spans:
                    low, high, _ = one.spans[family]
                    attributes[name] = min(high, max(low, one.value(family, share)))
            found.append(told.Scene(family=family, seed=seed, attributes=attributes))
        return found

    def render(condition: Condition, times: torch.Tensor, width: int, height: int) -> torch.Tensor:
        factor = 2 if halve else 1
        frames: torch.Tensor = made.render(
            shots(condition),
            times.tolist(),
            width=factor * width,
            height=factor * height,
            device=times.device,
            samples=samples,
            compiler=compiler,
        ).frames
        if halve:
            frames = half_size(frames)
        return frames

    def flow(condition: Condition, times: torch.Tensor, width: int, height: int) -> torch.Tensor:
        moved: torch.Tensor = made.render(
            shots(condition),
            times[:, :-1].tolist(),
            width=width,
            height=height,
            device=times.device,
            samples=1,
            motion_s=1 / RATE_HZ,
        ).motion.flow
        return moved

    return Footage(
        scenes=tuple(told.FAMILIES),
        attributes=known,
        draw=draw,
        render=render,
        flow=flow,
        report=compiler.report if compiler else list,
    )
