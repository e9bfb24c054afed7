"""The decoder's Triton kernels against their slow twins: on a GPU, or read line by line by Triton's
interpreter where there is none."""

from __future__ import annotations

import os
import sys
from itertools import product
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the extra `lab` is not installed: no torch")
if not torch.cuda.is_available():
    if "triton" in sys.modules and "TRITON_INTERPRET" not in os.environ:
        pytest.skip(
            "Triton is loaded without its interpreter; run this file alone", allow_module_level=True
        )
    os.environ["TRITON_INTERPRET"] = "1"  # read when Triton is loaded
pytest.importorskip("triton", reason="no Triton here: torch without CUDA comes without it")

from generator.lab.models import fast_vae, kernels  # noqa: E402

SIDES = (3, 5)
CHANNELS = 6
"""No power of two, as 96 is none."""


@pytest.fixture
def draw() -> Any:
    generator = torch.Generator().manual_seed(8)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return lambda *size: torch.randn(*size, generator=generator).to(device)


@pytest.mark.parametrize("frames", [1, 2, 3, 4])
@pytest.mark.parametrize("beside", [True, False])
def test_norms_land_where_the_slow_twin_puts_them(frames: int, beside: bool, draw: Any) -> None:
    """Room, memory and sum, with all that can be left out left out."""
    size = (frames, *SIDES, CHANNELS)
    for has_past, keeps in product((True, False), repeat=2):
        y, past, memory = draw(*size), draw(*size), draw(2, *SIDES, CHANNELS)
        bias, gamma = draw(CHANNELS), draw(CHANNELS)
        made = []
        for ways in (fast_vae, kernels):
            held = memory.clone()
            room = y.new_zeros(
                (frames, *SIDES, 3 * CHANNELS) if beside else (frames + 2, *SIDES, CHANNELS)
            )
            ways.fill(held, room, frames, beside=beside)
            told = (y, bias, past if has_past else None, gamma, room, held)
            x = ways.joined(*told, beside=beside, keeps=keeps)
            assert (x is not None) == keeps
            made.append((room, held) if x is None else (room, held, x))
        for found, wanted in zip(*made, strict=True):
            torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize(("turns", "has_past"), [(1, True), (1, False), (2, False)])
def test_sides_are_doubled_as_the_slow_twin_does(turns: int, has_past: bool, draw: Any) -> None:
    y, bias = draw(3, *SIDES, turns * CHANNELS), draw(turns * CHANNELS)
    past = draw(3, *SIDES, CHANNELS) if has_past else None
    torch.testing.assert_close(
        kernels.enlarged(y, bias, past, turns), fast_vae.enlarged(y, bias, past, turns)
    )
