"""What a run would cost, told before anything is loaded: tokens, work, bytes, time. No torch.

Projected, never measured: the bound of the machine's data sheet, and the time at the share of it
that was measured for this code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from generator.lab.record import Cell
from generator.measure import roofline
from generator.measure.roofline import NETWORKS, WAN_1_3B, Work
from generator.records import Machine

__all__ = ["EFFICIENCY", "PASS_AT_LEAST_S", "Forecast", "forecast"]

EFFICIENCY = {"dit": 0.362, "vae": 0.163}
"""Shares of the bound that a time is predicted with: what this code's pass (bf16, eager, cuDNN's
attention) and decoding with transfer reached on one H200 at 848x480, timed by themselves on
2026-11-22 (benchmarks/results/memflow-h200.json, "stages"). The run of that day, 14 cells of both
sizes, lies within 6 % of what they predict (tests/lab/test_forecast.py)."""
PASS_AT_LEAST_S = 0.0311
"""However small the picture, a pass launches as many kernels: what one took there at 512x288."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """Of one cell. Work is that of one chunk in the steady state."""

    cell: Cell
    tokens: int
    """Of a chunk."""
    attended: int
    """Tokens whose keys each of them sees."""
    chunks: int
    frames: int
    dit: Work
    vae: Work
    bound_s: float | None
    """Of the whole clip; None where the machine's figures are not known."""
    predicted_s: float | None

    @property
    def bound_fps(self) -> float | None:
        return self._steady_fps(self.bound_s)

    @property
    def predicted_fps(self) -> float | None:
        return self._steady_fps(self.predicted_s)

    def _steady_fps(self, clip_s: float | None) -> float | None:
        """Every chunk is taken for one of the steady state; the first has fewer frames."""
        if not clip_s:
            return None
        return roofline.chunk_frames(WAN_1_3B, chunk=1) * self.chunks / clip_s


def forecast(
    cells: Sequence[Cell],
    *,
    seconds: Fraction,
    content_rate_hz: Fraction,
    machine: Machine | None,
    sparse_memory: bool = False,
) -> list[Forecast]:
    """Of MemFlow's cells at full size. With `sparse_memory` less is attended to; what choosing it
    costs was never measured and is not in the time."""
    frames = int(seconds * content_rate_hz)
    network = NETWORKS["memflow-sparse" if sparse_memory else "memflow"]
    shape = network.dit
    chunks = 1
    while sum(roofline.chunk_frames(shape, chunk) for chunk in range(chunks)) < frames:
        chunks += 1
    found = []
    for cell in cells:
        per_frame = roofline.tokens_per_frame(shape, cell.width, cell.height)
        dit, vae = roofline.cell_work(network, cell.width, cell.height, sum(cell.steps))
        bounds = None
        if machine is not None:
            bounds = roofline.bound(dit, machine), roofline.bound(vae, machine)
        bound_s = predicted_s = None
        if bounds is not None and bounds[0] is not None and bounds[1] is not None:
            bound_s = chunks * (bounds[0].seconds + bounds[1].seconds)
            passes = sum(cell.steps) + 1
            predicted_s = chunks * (
                max(bounds[0].seconds / EFFICIENCY["dit"], passes * PASS_AT_LEAST_S)
                + bounds[1].seconds / EFFICIENCY["vae"]
            )
        found.append(
            Forecast(
                cell=cell,
                tokens=shape.chunk * per_frame,
                attended=per_frame
                * roofline.attended_frames(
                    shape, roofline.settled_chunk(shape), sparse=network.sparse
                ),
                chunks=chunks,
                frames=frames,
                dit=dit,
                vae=vae,
                bound_s=bound_s,
                predicted_s=predicted_s,
            )
        )
    return found
