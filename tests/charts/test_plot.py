"""Axes with round ticks, and labels that keep out of each other's way."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.charts.plot import axis, spread, wide_axis


@given(st.lists(st.floats(0.1, 1e5), min_size=1, max_size=20))
def test_an_axis_holds_its_values_with_few_round_ticks(values):
    made = axis("ms", values, most_ticks=8)

    assert made.end >= max(values)
    assert made.end <= max(1, max(values)) * 1.2 or made.end <= made.tick
    assert len(made.ticks) <= 9
    assert f"{made.tick:.3e}"[0] in "125"


def test_shares_get_ticks_between_0_and_1() -> None:
    assert axis("share", [0.18, 0.262], most_ticks=8).ticks == (0, 0.05, 0.1, 0.15, 0.2, 0.25)


def test_rates_of_one_size_keep_an_axis_from_0() -> None:
    assert wide_axis("FPS", [8.2, 137.7], most_ticks=8) == axis("FPS", [8.2, 137.7], most_ticks=8)


def test_rates_far_apart_are_drawn_by_their_logarithm() -> None:
    """Equal ratios are equal lengths, and the axis says what it is."""
    made = wide_axis("FPS", [8.2, 24, 2135], most_ticks=8)
    assert made.title == "FPS, logarithmic"
    assert made.ticks == (5, 10, 20, 50, 100, 200, 500, 1000, 2000)
    assert made.share(made.start) == 0
    assert made.share(made.end) == pytest.approx(1)
    assert made.labels[-2:] == ("1k", "2k")
    assert made.share(20) - made.share(10) == pytest.approx(made.share(400) - made.share(200))


@given(st.lists(st.floats(1e-12, 1e12), min_size=2, max_size=20))
def test_a_wide_axis_holds_whatever_is_possible(values):
    made = wide_axis("FPS", values, most_ticks=8)
    assert all(-1e-9 <= made.share(value) <= 1 for value in values)
    assert len(made.ticks) == len(made.labels) <= 10


@given(st.lists(st.floats(0, 400), min_size=1, max_size=6), st.floats(1, 40))
def test_spread_labels_keep_their_order_and_distance(positions, gap):
    positions = sorted(positions)
    shifts = spread(positions, [gap] * (len(positions) - 1))
    moved = [at + shift for at, shift in zip(positions, shifts, strict=True)]

    assert all(b - a >= gap - 1e-6 for a, b in pairwise(moved))


def test_labels_with_room_stay():
    assert spread([10, 40, 90], [15, 15]) == pytest.approx((0, 0, 0))


def test_two_labels_share_the_way():
    assert spread([10, 12], [14]) == pytest.approx((-6, 6))
