"""What a rendered frame costs a GPU at least: `python benchmarks/scene_cost.py [WIDTHxHEIGHT]`.

Counts, on the CPU, the operations that are started for a batch and the bytes that they read and
write for a frame, by function: in eager code, and with each heavy function as one kernel that reads
its arguments and writes its results once (a compiler may make several of one). A start takes some
5 us of the host, memory gives some 3.5 TB/s: the bounds that follow are projected, not measured.
Views count for nothing; a value that is broadcast counts once.
"""

from __future__ import annotations

import itertools
import math
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from generator.lab.train.scenes import camera, fused  # noqa: E402
from generator.lab.train.scenes.attributes import FAMILIES, usual  # noqa: E402
from generator.lab.train.scenes.render import render  # noqa: E402
from generator.lab.train.scenes.shots import Shots  # noqa: E402

START_S, BYTES_A_SECOND = 5e-6, 3.5e12
SHOWN = 16


class Cost(TorchDispatchMode):
    """Operations and bytes by function of the renderer, callers included."""

    def __init__(self) -> None:
        super().__init__()
        self.starts: dict[str, int] = defaultdict(int)
        self.bytes: dict[str, int] = defaultdict(int)
        self.within = False

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        out = function(*args, **(kwargs or {}))
        if not function.is_view and not self.within:
            self.add(sum(map(stored, tree_leaves((args, kwargs, out)))))
        return out

    def add(self, moved: int) -> None:
        names, frame = {"render"}, sys._getframe(1)
        while frame := frame.f_back:  # type: ignore[assignment]
            if "scenes" in Path(frame.f_code.co_filename).parts:
                names.add(frame.f_code.co_name)
        for name in names:
            self.starts[name] += 1
            self.bytes[name] += moved

    def whole(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function as one kernel, which reads of its arguments what it asks for (here: all
        tensors of the picture's size, and the small ones)."""

        def call(*args: Any) -> Any:
            self.within = True
            out = function(*args)
            self.within = False
            self.starts[function.__name__] += 1
            moved = sum(map(stored, leaves_of((args, out))))
            self.bytes[function.__name__] += moved
            self.starts["render"] += 1
            self.bytes["render"] += moved
            return out

        return call


def leaves_of(tree: Any) -> list[Any]:
    """Leaves of tuples, and of the shots among them."""
    found: list[Any] = []
    for leaf in tree_leaves(tree):
        found += tree_leaves([leaf.time, leaf.attributes]) if isinstance(leaf, Shots) else [leaf]
    return found


def stored(value: Any) -> int:
    """Bytes of a tensor's own values, without those that are repeated."""
    if not isinstance(value, torch.Tensor):
        return 0
    sides = zip(value.shape, value.stride(), strict=True)
    return value.element_size() * math.prod(side for side, stride in sides if stride)


def main(size: str = "512x288") -> None:
    width, height = map(int, size.split("x"))
    camera._BAND = 2**40  # in one piece, as on a GPU
    for family, whole in itertools.product(FAMILIES, (False, True)):
        cost = Cost()
        fused._compiled = cost.whole
        with cost:
            render(
                [usual(family, 4)],
                [1.0],
                height=height,
                width=width,
                device=torch.device("cpu"),
                compiler=fused.Compiler(math.inf) if whole else None,
            )
        starts, moved = cost.starts["render"], cost.bytes["render"]
        print(
            f"{family} {size}, 2 x 2 samples, {'one kernel a function' if whole else 'eager'}: "
            f"{starts} starts a batch, {moved / 1e9:.2f} GB a frame"
        )
        for frames in (1, 16, 28):
            bounds = 1e3 * starts * START_S / frames, 1e3 * moved / BYTES_A_SECOND
            print(f"  {frames} frames at once: {bounds[0]:.1f} ms and {bounds[1]:.1f} ms a frame")
        for name in sorted(cost.bytes, key=cost.bytes.__getitem__, reverse=True)[:SHOWN]:
            share = 100 * cost.bytes[name] / moved
            print(f"  {name:20} {cost.starts[name]:6} starts {share:5.1f} % of bytes")


if __name__ == "__main__":
    main(*sys.argv[1:])
