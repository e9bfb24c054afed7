"""Several GPUs of one machine that train the same part, a process each: what they agree on.

Every process has the same parameters and clips of its own; gradients are averaged after each pass,
so that a step of n processes is a step with n times the clips.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import nn

__all__ = ["Peers"]

MOST_WAIT = timedelta(seconds=200)
"""For a process that compiles, or that has failed."""


@dataclass(slots=True)
class Peers:
    """This process's place among `count`; one by itself needs nothing of the others."""

    rank: int = 0
    count: int = 1
    _words: Any = field(default=None, repr=False)

    @classmethod
    def meet(cls, rank: int, count: int, file: Path, device: torch.device) -> Peers:
        """Wait for all others at a file that none of them has used yet.

        Raises RuntimeError where they do not come in time.
        """
        backend = "nccl" if device.type == "cuda" else "gloo"
        if device.type == "cuda":
            torch.cuda.set_device(device)
        dist.init_process_group(
            backend, init_method=f"file://{file}", rank=rank, world_size=count, timeout=MOST_WAIT
        )
        return cls(rank, count, dist.new_group(backend="gloo", timeout=MOST_WAIT))

    def agreed(self, *values: float) -> tuple[float, ...]:
        """What the first process says."""
        if self.count == 1:
            return values
        told = torch.tensor(values, dtype=torch.float64)
        dist.broadcast(told, 0, group=self._words)
        return tuple(told.tolist())

    @torch.no_grad()
    def average(self, part: nn.Module) -> None:
        """Every gradient, over all processes."""
        if self.count == 1:
            return
        found = [p.grad for p in part.parameters() if p.grad is not None]
        flat = torch.cat([one.flatten() for one in found])
        dist.all_reduce(flat)
        flat /= self.count
        sizes = [one.numel() for one in found]
        for one, mean in zip(found, flat.split(sizes), strict=True):
            one.copy_(mean.view_as(one))

    def part(self) -> None:
        """Nothing more will be agreed on."""
        if self.count > 1:
            dist.destroy_process_group()
