"""Counted work against figures derived elsewhere; bounds against hand-worked ones."""

from __future__ import annotations

from dataclasses import replace

import pytest

from generator.measure import roofline
from generator.measure.roofline import WAN_1_3B, WAN_VAE, Work
from generator.records import Machine

H200 = Machine(
    id="h200",
    title="H200",
    memory_gb=141,
    bandwidth_tb_s=4.8,
    bf16_tflops=989,
    fp8_tflops=None,
    fp4_tflops=None,
    source="data sheet",
    notes="",
)


@pytest.mark.parametrize(
    ("size", "gigaflop", "vae_gigaflop"),
    [
        ((512, 288), 7_236, 14_970),
        ((832, 480), 32_331, 40_650),
        ((848, 480), 33_346, 41_440),
    ],
)
def test_work_at_the_archives_sizes(
    size: tuple[int, int], gigaflop: float, vae_gigaflop: float
) -> None:
    """Worked out by hand for linear layers and attention; patches and head add 0.01 %."""
    assert roofline.dit_pass(WAN_1_3B, *size).flop / 1e9 == pytest.approx(gigaflop, rel=2e-4)
    assert roofline.vae_chunk(WAN_VAE, *size).flop / 1e9 == pytest.approx(vae_gigaflop, rel=3e-4)


def test_attended_frames_grow_as_the_official_code_has_them() -> None:
    frames = [roofline.attended_frames(WAN_1_3B, chunk) for chunk in range(12)]
    assert frames == [3, 7, 10, 13, 14, 14, 14, 15, 15, 15, 15, 15]
    assert roofline.settled_chunk(WAN_1_3B) == frames.index(15)


def test_frames_of_chunks_add_up() -> None:
    """4 N - 3 frames from N latent frames."""
    frames = sum(roofline.chunk_frames(WAN_1_3B, chunk) for chunk in range(27))
    assert frames == 4 * 3 * 27 - 3


def test_the_bound_is_the_slower_of_two() -> None:
    compute = roofline.bound(Work(flop=989 * 10**12, bytes=1), H200)
    memory = roofline.bound(Work(flop=1, bytes=48 * 10**11), H200)
    assert (compute.seconds, compute.by) == (1, "compute")  # type: ignore[union-attr]
    assert (memory.seconds, memory.by) == (1, "memory")  # type: ignore[union-attr]


def test_a_machine_without_figures_bounds_nothing() -> None:
    assert roofline.bound(Work(flop=1, bytes=1), replace(H200, bf16_tflops=None)) is None
