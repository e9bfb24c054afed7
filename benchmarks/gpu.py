"""What benchmarks of single parts of a network share: their time, their error, CUDA graphs of them.
On a CPU all of it works, too."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any


def synchronize() -> None:
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()


def milliseconds(work: Callable[[], Any], times: int = 7) -> dict[str, float]:
    """Median, least and most of single runs, the device waited for after each."""
    for _ in range(2):
        work()
    synchronize()
    found = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        synchronize()
        found.append((time.perf_counter() - start) * 1e3)
    return {
        "median_ms": round(statistics.median(found), 3),
        "least_ms": round(min(found), 3),
        "most_ms": round(max(found), 3),
    }


def off(found: Any, wanted: Any) -> dict[str, float]:
    """Largest difference over largest value, and root of the mean square over that of the value."""
    found, wanted = found.float(), wanted.float()
    gap = found - wanted
    return {
        "largest": float(gap.abs().max() / wanted.abs().max()),
        "rms": float(gap.square().mean().sqrt() / wanted.square().mean().sqrt()),
    }


def graphed(work: Callable[[], Any]) -> tuple[Callable[[], Any], Any]:
    """The same kernels, recorded once and started at once; and the tensor they write to. Without
    CUDA the work itself, and what it gave."""
    import torch

    if not torch.cuda.is_available():
        return work, work()
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            work()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        out = work()
    return graph.replay, out
