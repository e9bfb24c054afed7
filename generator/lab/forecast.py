"""What a run would cost, told before anything is loaded: tokens, work, bytes, time. No torch.

Projected, never measured: the bound of the machine's data sheet, and the time at the share of it
that was measured for this code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from generator.errors import UsageError
from generator.lab.record import Cell
from generator.measure import roofline
from generator.measure.roofline import NETWORKS, PyramidNetwork, Work
from generator.records import Machine

__all__ = ["EFFICIENCY", "PASS_AT_LEAST_S", "Forecast", "forecast"]

EFFICIENCY = {"dit": 0.362, "vae": 0.163, "helios-dit": 0.582, "helios-vae": 0.322}
"""Shares of the bound that a time is predicted with: what this code's pass (bf16, eager, cuDNN's
attention) and decoding with transfer reached on one H200 at 848x480, timed by themselves on
2026-11-22 (benchmarks/results/memflow-h200.json, "stages"). The run of that day, 14 cells of both
sizes, lies within 6 % of what they predict (tests/lab/test_forecast.py). Helios' are of
640x384 by its fused path on that day and machine (benchmarks/results/helios-h200.json).
"""
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
    chunk_frames: int
    """Of a chunk in the steady state."""
    dit: Work
    vae: Work
    bound_s: float | None
    """Of the whole clip; None where the machine's figures are not known."""
    predicted_s: float | None
    """None as well where nothing was measured of the pipeline's code."""

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
        return self.chunk_frames * self.chunks / clip_s


def forecast(
    cells: Sequence[Cell],
    *,
    seconds: Fraction,
    content_rate_hz: Fraction,
    machine: Machine | None,
    sparse_memory: bool = False,
) -> list[Forecast]:
    """Of cells of one pipeline at full size. With `sparse_memory` less is attended to; what
    choosing it costs was never measured and is not in the time."""
    frames = int(seconds * content_rate_hz)
    found = []
    for cell in cells:
        name = f"{cell.pipeline}-sparse" if sparse_memory else cell.pipeline
        if cell.pipeline not in NETWORKS:
            raise UsageError(
                f"--dry-run: {cell.pipeline} has no network whose work could be counted"
            )
        if name not in NETWORKS:
            raise UsageError(f"--sparse-memory: {cell.pipeline} has none")
        network = NETWORKS[name]
        dit, vae = roofline.cell_work(network, cell.width, cell.height, cell.steps)
        shares: tuple[float, float] | None
        steady, chunks = roofline.steady_frames(network), roofline.chunks_for(network, frames)
        if isinstance(network, PyramidNetwork):
            shape = network.dit
            tokens, old = roofline.helios_tokens(
                shape, cell.width, cell.height, stage=shape.stages - 1
            )
            attended = tokens + old
            shares, least_s = (EFFICIENCY["helios-dit"], EFFICIENCY["helios-vae"]), 0.0
        else:
            per_frame = roofline.tokens_per_frame(network.dit, cell.width, cell.height)
            tokens = network.dit.chunk * per_frame
            attended = per_frame * roofline.attended_frames(
                network.dit, roofline.settled_chunk(network.dit), sparse=network.sparse
            )
            shares = EFFICIENCY["dit"], EFFICIENCY["vae"]
            if cell.pipeline == "neon":  # of which nothing was measured
                shares = None
            least_s = (sum(cell.steps) + 1) * PASS_AT_LEAST_S
        bounds = None
        if machine is not None:
            bounds = roofline.bound(dit, machine), roofline.bound(vae, machine)
        bound_s = predicted_s = None
        if bounds is not None and bounds[0] is not None and bounds[1] is not None:
            bound_s = chunks * (bounds[0].seconds + bounds[1].seconds)
            if shares is not None:
                predicted_s = chunks * (
                    max(bounds[0].seconds / shares[0], least_s) + bounds[1].seconds / shares[1]
                )
        found.append(
            Forecast(
                cell=cell,
                tokens=tokens,
                attended=attended,
                chunks=chunks,
                frames=frames,
                chunk_frames=steady,
                dit=dit,
                vae=vae,
                bound_s=bound_s,
                predicted_s=predicted_s,
            )
        )
    return found
