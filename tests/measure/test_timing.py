"""Rates and latencies against streams whose times are chosen, so that the answer is known."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.measure.timing import Timing, summarised


def a_stream(seconds_a_chunk: float, chunks: int = 12, slow_start_s: float = 5.0) -> Timing:
    """9 frames late, then 12 a chunk at an even pace."""
    return Timing(
        arrivals_s=tuple(slow_start_s + seconds_a_chunk * i for i in range(chunks)),
        frames=(9, *[12] * (chunks - 1)),
        settled_chunk=3,
    )


@given(st.floats(0.01, 10), st.floats(0.001, 100), st.integers(4, 40))
def test_a_slow_start_does_not_touch_the_steady_rate(
    chunk_s: float, slow_start_s: float, chunks: int
) -> None:
    timing = a_stream(chunk_s, chunks, slow_start_s)
    assert timing.fps == pytest.approx(12 / chunk_s)
    assert timing.first_frame_s == slow_start_s
    assert timing.latency_s(50) == pytest.approx(chunk_s)
    assert len(timing.latencies_s) == chunks - 3


def test_the_whole_clip_counts_from_the_start_of_the_clock() -> None:
    assert a_stream(1, chunks=6, slow_start_s=5).overall_fps == pytest.approx((9 + 60) / 10)


def test_percentiles_are_of_the_steady_chunks_only() -> None:
    """Latencies 1, 2, 3, 4, 5 s after a start that took 100."""
    timing = Timing(
        arrivals_s=(100, 101, 103, 106, 110, 115), frames=(9, 12, 12, 12, 12, 12), settled_chunk=1
    )
    assert timing.latencies_s == (1, 2, 3, 4, 5)
    assert timing.latency_s(50) == 3
    assert timing.latency_s(95) == pytest.approx(4.8)


def test_a_stream_that_is_settled_from_its_start_counts_from_zero() -> None:
    timing = Timing(arrivals_s=(2, 4), frames=(10, 10), settled_chunk=0)
    assert timing.latencies_s == (2, 2)
    assert timing.fps == 5


def test_too_few_chunks_have_no_steady_state() -> None:
    with pytest.raises(ValueError, match="begins with chunk 8"):
        Timing(arrivals_s=(1,) * 7, frames=(12,) * 7, settled_chunk=7)


def test_repeats_give_a_median_and_a_spread() -> None:
    summary = summarised([a_stream(s) for s in (1.0, 0.5, 2.0)], Fraction(16))
    assert (summary.fps, summary.fps_low, summary.fps_high) == pytest.approx((12, 6, 24))
    assert summary.real_time_factor == pytest.approx(12 / 16)
    assert summary.repeats == 3
