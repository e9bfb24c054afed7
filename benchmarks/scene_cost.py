"""What a rendered frame costs in eager torch: `python benchmarks/scene_cost.py [WIDTHxHEIGHT]`.

Counts the operations that are started for a batch and the bytes that they read and write for a
frame, by function, on the CPU, and says what of an H200 that is at least: a start takes some 5 us
of the host, memory gives some 3.5 TB/s. These bounds are projected, not measured. Views count for
nothing; a value that is broadcast counts once.
"""

from __future__ import annotations

import math
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from generator.lab.train.scenes import camera  # noqa: E402
from generator.lab.train.scenes.attributes import FAMILIES, usual  # noqa: E402
from generator.lab.train.scenes.render import render  # noqa: E402

START_S, BYTES_A_SECOND = 5e-6, 3.5e12
SHOWN = 16


class Cost(TorchDispatchMode):
    """Operations and bytes by function of the renderer, callers included."""

    def __init__(self) -> None:
        super().__init__()
        self.starts: dict[str, int] = defaultdict(int)
        self.bytes: dict[str, int] = defaultdict(int)

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        out = function(*args, **(kwargs or {}))
        if function.is_view:
            return out
        moved = sum(map(stored, tree_leaves(out))) + sum(map(stored, tree_leaves((args, kwargs))))
        names, frame = {"render"}, sys._getframe(1)
        while frame := frame.f_back:  # type: ignore[assignment]
            if "scenes" in Path(frame.f_code.co_filename).parts:
                names.add(frame.f_code.co_name)
        for name in names:
            self.starts[name] += 1
            self.bytes[name] += moved
        return out


def stored(value: Any) -> int:
    """Bytes of a tensor's own values, without those that are repeated."""
    if not isinstance(value, torch.Tensor):
        return 0
    sides = zip(value.shape, value.stride(), strict=True)
    return value.element_size() * math.prod(side for side, stride in sides if stride)


def main(size: str = "512x288") -> None:
    width, height = map(int, size.split("x"))
    camera._BAND = 2**40  # in one piece, as on a GPU
    for family in FAMILIES:
        with Cost() as cost:
            render(
                [usual(family, 4)], [1.0], height=height, width=width, device=torch.device("cpu")
            )
        starts, moved = cost.starts["render"], cost.bytes["render"]
        print(
            f"{family} {size}, 2 x 2 samples: {starts} starts a batch, {moved / 1e9:.1f} GB a frame"
        )
        for frames in (1, 16, 28):
            bounds = 1e3 * starts * START_S / frames, 1e3 * moved / BYTES_A_SECOND
            print(f"  {frames} frames at once: {bounds[0]:.1f} ms and {bounds[1]:.1f} ms a frame")
        for name in sorted(cost.bytes, key=cost.bytes.__getitem__, reverse=True)[:SHOWN]:
            share = 100 * cost.bytes[name] / moved
            print(f"  {name:20} {cost.starts[name]:6} starts {share:5.1f} % of bytes")


if __name__ == "__main__":
    main(*sys.argv[1:])
