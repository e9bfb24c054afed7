"""Counted work against figures derived elsewhere; bounds against hand-worked ones."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest

from generator.catalogue.forms import SeriesForm
from generator.measure import roofline
from generator.measure.roofline import HELIOS_14B, WAN_1_3B, WAN_VAE, Work
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


def test_sparse_memory_attends_to_as_many_frames_as_the_design_says() -> None:
    """3, 6, 9, then 12; a pass at the archive's sizes as worked out by hand for 12 frames."""
    frames = [roofline.attended_frames(WAN_1_3B, chunk, sparse=True) for chunk in range(9)]
    assert frames == [3, 6, 9, 12, 12, 12, 12, 12, 12]
    for size, gigaflop in (((512, 288), 6_686), ((832, 480), 28_293), ((848, 480), 29_151)):
        work = roofline.dit_pass(WAN_1_3B, *size, sparse=True)
        assert work.flop / 1e9 == pytest.approx(gigaflop, rel=2e-4)


def test_a_limit_is_the_frames_of_a_chunk_over_both_parts_times() -> None:
    """512x288 at 4 steps by hand: 5 passes of 7,236 GFLOP and 14,970 of decoding make 12 frames."""
    found = roofline.limit(roofline.NETWORKS["memflow"], 512, 288, (4,), H200)
    assert found is not None
    assert found.flop_per_frame / 1e9 == pytest.approx((5 * 7_236 + 14_970) / 12, rel=3e-4)
    assert found.fps == pytest.approx(989e3 / ((5 * 7_236 + 14_970) / 12), rel=3e-4)
    assert found.by == "compute"


def test_a_slow_memory_bounds_instead() -> None:
    """With a hundredth of the bandwidth the weights' and keys' way takes longer."""
    network = roofline.NETWORKS["memflow"]
    slow = replace(H200, bandwidth_tb_s=0.048)
    found = roofline.limit(network, 512, 288, (4,), slow)
    passes, decoding = roofline.cell_work(network, 512, 288, (4,))
    assert found is not None
    assert found.by == "memory"
    decoded = max(decoding.flop / 989e12, decoding.bytes / 0.048e12)
    assert found.fps == pytest.approx(12 / (passes.bytes / 0.048e12 + decoded))
    assert roofline.limit(network, 512, 288, (4,), replace(H200, bandwidth_tb_s=None)) is None


def test_a_pass_of_helios_counts_as_torch_counted_diffusers_network() -> None:
    """On meta tensors of the full size, 512 tokens of text: TFLOP of its three stages."""
    wanted = {
        (320, 192): (17.8, 28.2, 72.8),
        (512, 320): (45.7, 76.3, 218),
        (640, 384): (69.7, 119.1, 359.6),
        (832, 448): (110, 193, 622),
        (1280, 704): (319, 597, 2289),
    }
    for size, tera in wanted.items():
        found = [
            roofline.helios_pass(HELIOS_14B, *size, stage, kept=False).flop / 1e12
            for stage in range(3)
        ]
        assert found == pytest.approx(tera, rel=3e-3), size
    tokens = [roofline.helios_tokens(HELIOS_14B, 640, 384, stage) for stage in range(3)]
    assert tokens == [(540, 2400), (2160, 2400), (8640, 2400)]


def test_a_limit_of_stages_counts_every_stage() -> None:
    """640x384 by hand: 67.5, 116.9 and 357.4 TFLOP a pass where text and history are kept, 69.3 of
    decoding, 33 frames; doubled steps double the passes only."""
    network = roofline.NETWORKS["helios"]
    one = roofline.limit(network, 640, 384, (1, 1, 1), H200)
    two = roofline.limit(network, 640, 384, (2, 2, 2), H200)
    assert one is not None
    assert two is not None
    assert one.fps == pytest.approx(33 * 989 / (67.5 + 116.9 + 357.4 + 69.3), rel=2e-3)
    assert two.fps == pytest.approx(33 * 989 / (2 * 541.8 + 69.3), rel=2e-3)


@pytest.mark.parametrize(
    ("work", "width", "height", "steps", "possible"),
    [
        ("helios", 640, 384, (1, 1, 1), True),
        ("helios", 640, 384, (3,), False),
        ("helios", 832, 480, (1, 1, 1), False),
        ("memflow", 832, 480, (4,), True),
        ("memflow", 832, 480, (1, 1, 1), False),
        ("memflow", 832, 488, (4,), False),
    ],
)
def test_only_what_a_network_can_make_is_counted(
    work: str, width: int, height: int, steps: tuple[int, ...], possible: bool
) -> None:
    assert roofline.can_be(roofline.NETWORKS[work], width, height, steps) is possible


def test_every_work_that_content_may_state_is_counted() -> None:
    allowed = get_args(SeriesForm.model_fields["work"].annotation)
    assert set(allowed) == {"", *roofline.NETWORKS}
