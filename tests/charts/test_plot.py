"""Axes with round ticks, and labels that keep out of each other's way."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.charts.plot import axis, spread


@given(st.lists(st.floats(0.1, 1e5), min_size=1, max_size=20))
def test_an_axis_holds_its_values_with_few_round_ticks(values):
    made = axis("ms", values, most_ticks=8)

    assert made.end >= max(values)
    assert made.end <= max(1, max(values)) * 1.2 or made.end <= made.tick
    assert len(made.ticks) <= 9
    assert str(made.tick).strip("0") in ("1", "2", "5")


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
