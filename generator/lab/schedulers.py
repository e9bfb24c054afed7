"""Step lists and the sampler's arithmetic, as functions.

Flow matching: x_t = (1 - sigma) x_0 + sigma noise, velocity v = noise - x_0. The sampler is the
few-step one of distilled causal models (CausVid, Self-Forcing, MemFlow): each step predicts the
clean latents and mixes them with fresh noise for the next; it is no step of an ODE solver.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

import torch

__all__ = ["SHIFT", "STEP_COUNTS", "clean", "noised", "raw_steps", "warped"]

SHIFT = 5.0
TRAINED = (1000, 750, 500, 250)
"""The one list that MemFlow's weights were trained for."""
STEP_COUNTS = (2, 3, 4, 6, 8, 10, 12)
"""Counts that the archive's matrix holds; any from 1 to 1000 can be had."""


def raw_steps(count: int) -> tuple[int, ...]:
    """`count` whole timesteps, evenly from 1000 down: 1000 (n - i) / n, rounded.

    For 4 this is the trained list. MemFlow defines no other; this is its plain continuation.
    """
    if not 1 <= count <= 1000:
        raise ValueError(f"{count} is no number of denoising steps; write 1 to 1000")
    return tuple(round(1000 * (count - i) / count) for i in range(count))


def warped(steps: Sequence[int], shift: float = SHIFT) -> tuple[float, ...]:
    """Timesteps with a shift: 1000 shift s / (1 + (shift - 1) s) for s = step / 1000.

    As exact as float32 holds them, since that is what the network was trained to be told.
    """
    exact = (1000 * shift * (s / 1000) / (1 + (shift - 1) * (s / 1000)) for s in steps)
    return tuple(_as_float32(t) for t in exact)


def clean(x: torch.Tensor, velocity: torch.Tensor, timestep: float) -> torch.Tensor:
    """The clean latents that a velocity points to: x - sigma v, in float64 as the official code
    has it (float32 where a device has no float64)."""
    wide = torch.float32 if x.device.type == "mps" else torch.float64
    return (x.to(wide) - timestep / 1000 * velocity.to(wide)).to(x.dtype)


def noised(x_0: torch.Tensor, noise: torch.Tensor, timestep: float) -> torch.Tensor:
    """Clean latents mixed with noise for a timestep."""
    sigma = timestep / 1000
    return (1 - sigma) * x_0 + sigma * noise


def _as_float32(value: float) -> float:
    return float(struct.unpack("f", struct.pack("f", value))[0])
