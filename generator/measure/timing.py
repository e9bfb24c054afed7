"""What the arrival times of chunks say: steady rate, first frame, latencies, and their spread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from statistics import median

import numpy as np

__all__ = ["Summary", "Timing", "summarised"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """One stream: when each chunk was on the host, in seconds since the clock started."""

    arrivals_s: tuple[float, ...]
    frames: tuple[int, ...]
    """Of each chunk."""
    settled_chunk: int
    """The first chunk, from 0, from which every further one costs the same. The steady state is it
    and all after it; the clock of the steady state starts when the chunk before it arrives."""

    def __post_init__(self) -> None:
        if len(self.arrivals_s) != len(self.frames):
            raise ValueError("a chunk has one arrival and one count of frames")
        if len(self.frames) <= self.settled_chunk:
            raise ValueError(
                f"{len(self.frames)} chunks do not reach the steady state, which begins with "
                f"chunk {self.settled_chunk + 1}"
            )

    @property
    def first_frame_s(self) -> float:
        """Time to first frame: nothing is seen before the first chunk is whole."""
        return self.arrivals_s[0]

    @property
    def latencies_s(self) -> tuple[float, ...]:
        """Of the steady state's chunks: from the arrival before to their own."""
        before = (0.0, *self.arrivals_s)[self.settled_chunk : -1]
        after = self.arrivals_s[self.settled_chunk :]
        return tuple(b - a for a, b in zip(before, after, strict=True))

    @property
    def fps(self) -> float:
        """Frames per wall second of the steady state."""
        return sum(self.frames[self.settled_chunk :]) / sum(self.latencies_s)

    @property
    def overall_fps(self) -> float:
        """Frames per wall second from the start of the clock, growing caches and all."""
        return sum(self.frames) / self.arrivals_s[-1]

    def latency_s(self, percent: float) -> float:
        """Chunk latency that `percent` of the steady state's chunks do not exceed (linear)."""
        return float(np.percentile(self.latencies_s, percent))


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Repeats of one cell: medians, and the slowest and fastest rate among them."""

    repeats: int
    fps: float
    fps_low: float
    fps_high: float
    first_frame_s: float
    p50_s: float
    p95_s: float
    real_time_factor: float
    """Steady rate over the rate that the content is meant to be shown at; 1 keeps up with it."""


def summarised(timings: Sequence[Timing], content_rate_hz: Fraction) -> Summary:
    """Of at least one repeat."""
    rates = [timing.fps for timing in timings]
    return Summary(
        repeats=len(timings),
        fps=median(rates),
        fps_low=min(rates),
        fps_high=max(rates),
        first_frame_s=median(timing.first_frame_s for timing in timings),
        p50_s=median(timing.latency_s(50) for timing in timings),
        p95_s=median(timing.latency_s(95) for timing in timings),
        real_time_factor=median(rates) / float(content_rate_hz),
    )
