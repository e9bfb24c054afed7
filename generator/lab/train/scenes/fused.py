"""The one switch between plain functions and the same functions as single kernels of a GPU."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import ParamSpec, TypeVar

import torch

from generator.lab.train.scenes.shots import Shots

__all__ = ["fused"]

_MOST_GRAPHS = 32
"""Of one function: families, sizes and batches that a program may render. Past that it fails rather
than run slowly unseen."""
P = ParamSpec("P")
R = TypeVar("R")


def fused(shots: Shots, function: Callable[P, R]) -> Callable[P, R]:
    """`function`, or where `shots.compiled` says so the same through torch.compile, as one graph.

    For functions of tensors without side effects that do not call `fused` themselves. What changes
    from call to call must come in tensors: every other number is built into the graph. So is which
    tensors are the same one; a loop begins with tensors apart where it goes on with such.
    """
    return _compiled(function) if shots.compiled else function


@cache
def _compiled(function: Callable[P, R]) -> Callable[P, R]:
    import torch._dynamo as dynamo

    dynamo.config.recompile_limit = max(dynamo.config.recompile_limit, _MOST_GRAPHS)
    made: Callable[P, R] = torch.compile(function, fullgraph=True, dynamic=False)
    return made
