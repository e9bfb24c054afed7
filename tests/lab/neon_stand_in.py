"""A thin stand-in for the renderer of scenes, for tests alone: moving coloured shapes whose
attributes are known. It depicts nothing of what Neon is trained on."""

from __future__ import annotations

from typing import Any

import torch

from generator.lab.prompts import Known
from generator.lab.train.data import Condition, Footage

ATTRIBUTES = ("speed", "neon", "rain", "traffic")
SPANS = {"alley": (0.0, 1.0, 0.5), "metropolis": (0.0, 1.0, 0.5)}
KNOWN = tuple(
    Known(
        name=name,
        unit="share",
        spans={k: v for k, v in SPANS.items() if (name, k) != ("traffic", "alley")},
    )
    for name in ATTRIBUTES
)


def shapes() -> Footage:
    return Footage(scenes=tuple(SPANS), attributes=KNOWN, draw=draw, render=render, flow=flow)


def draw(seeds: Any) -> Condition:
    """Scenes by turns; values even in 0 to 1, and no traffic in an alley."""
    scene = seeds % 2
    values = torch.stack(
        [
            torch.rand(4, generator=torch.Generator().manual_seed(int(seed)), device="cpu")
            for seed in seeds
        ]
    ).to(seeds.device)
    values[scene == 0, 3] = torch.nan
    return Condition(seeds=seeds, scene=scene, values=values)


def places(condition: Condition, times: Any) -> tuple[Any, Any]:
    """Of a disc's middle, in shares of the sides: it goes right at up to a half of a side a
    second."""
    speed = condition.values[:, :1]
    x = (condition.seeds.unsqueeze(1) % 7 / 7 + 0.5 * speed * times) % 1
    y = 0.3 + 0.4 * condition.scene.unsqueeze(1).float() + 0 * times
    return x, y


def render(condition: Condition, times: Any, width: int, height: int) -> Any:
    """A disc as bright as `neon` on a ground as blue as `rain`; bars as many as `traffic`."""
    x, y = (each[:, :, None, None] for each in places(condition, times))
    rows = (torch.arange(height, device=times.device) + 0.5).view(1, 1, -1, 1) / height
    columns = (torch.arange(width, device=times.device) + 0.5).view(1, 1, 1, -1) / width
    disc = torch.sigmoid(40 * (0.2 - ((columns - x) ** 2 + (rows - y) ** 2).sqrt()))
    neon, rain, traffic = (condition.values[:, i].view(-1, 1, 1, 1) for i in (1, 2, 3))
    red = disc * (0.3 + 0.7 * neon)
    green = 0.5 * disc * condition.scene.view(-1, 1, 1, 1) + 0.2 * columns.expand_as(disc)
    bars = 0.3 * (rows > 0.8) * torch.nan_to_num(traffic, 0.0)
    blue = (0.8 * rain * (1 - disc) + bars).expand_as(disc)
    return torch.stack([red, green, blue], dim=2).clamp(0, 1)


def flow(condition: Condition, times: Any, width: int, height: int) -> Any:
    """True flow [clip, frame - 1, 2, height, width] in pixels: the disc's, and 0 elsewhere."""
    x, _ = places(condition, times)
    moved = (x[:, 1:] - x[:, :-1])[:, :, None, None] * width
    disc = render(condition, times, width, height)[:, :-1, 0] > 0.2
    across = moved * disc
    return torch.stack([across, torch.zeros_like(across)], dim=2)
