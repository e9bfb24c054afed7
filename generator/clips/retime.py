"""Frames spread evenly over a stated time: where each belongs, and how a copy puts it there.

The copy keeps every packet and gives it a new timestamp, by ffmpeg's setts bitstream filter.
Matroska counts whole milliseconds, so there frame N of n stands at the millisecond nearest to
N * spread / n; MP4 gets ticks that hit it exactly. The last frame ends at the spread.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

MATROSKA_TICK_S = Fraction(1, 1000)
MIN_TICKS_HZ = 10_000
MAX_TICKS_HZ = 2**31 - 1
FINE_TICKS_HZ = 90_000


def even_grid(
    count: int, spread_s: Fraction, *, tick_s: Fraction | None = None
) -> tuple[Fraction, ...]:
    """Times of `count` frames spread over `spread_s` seconds, on whole ticks if there are any."""
    return tuple(on_tick(n * spread_s / count, tick_s) for n in range(count))


def on_tick(time_s: Fraction, tick_s: Fraction | None) -> Fraction:
    """The nearest whole tick, a half going up; the time itself where there are no ticks."""
    return time_s if tick_s is None else math.floor(time_s / tick_s + Fraction(1, 2)) * tick_s


def ticks(rate_hz: Fraction) -> tuple[int, int]:
    """(ticks a second, ticks a frame) that hit every frame of an MP4 exactly."""
    factor = -(-MIN_TICKS_HZ // rate_hz.numerator)
    return rate_hz.numerator * factor, rate_hz.denominator * factor


def matroska_options(rate_hz: Fraction) -> dict[str, Any]:
    """Output options that put packet N at the tick nearest to N / rate; the rate that the file
    states follows."""
    step = 1 / (rate_hz * MATROSKA_TICK_S)
    start, end = (f"floor({n}*{step.numerator}/{step.denominator}+0.5)" for n in ("N", "(N+1)"))
    return {
        "r": f"{rate_hz.numerator}/{rate_hz.denominator}",
        "bsf:v": _setts(MATROSKA_TICK_S, pts=start, dts=start, duration=f"{end}-{start}"),
    }


def mp4_options(rate_hz: Fraction) -> dict[str, Any]:
    """Output options that put packet N at N / rate."""
    base, frame = ticks(rate_hz)
    bsf = _setts(Fraction(1, base), pts=f"N*{frame}", dts=f"N*{frame}", duration=frame)
    return {"bsf:v": bsf, "video_track_timescale": base, "movie_timescale": base}


def reordered_mp4_options(
    rate_hz: Fraction, stamps: Sequence[int], time_base: Fraction
) -> dict[str, Any]:
    """Output options that put frame N at N / rate where packets are stored out of order.

    `stamps` are the packets' times in the file's order, in ticks of `time_base`. They must stand
    on an even grid: the place of a frame among all is then told by its old time.
    """
    base, frame = ticks(rate_hz)
    first, step = min(stamps), Fraction(max(stamps) - min(stamps), len(stamps) - 1)
    place = {stamp: n for n, stamp in enumerate(sorted(stamps))}
    delay = max(n - place[stamp] for n, stamp in enumerate(stamps))
    scale = time_base * base
    old_first, old_step = float(first * scale), float(step * scale)
    bsf = _setts(
        Fraction(1, base),
        pts=f"floor((PTS-{old_first!r})/{old_step!r}+0.5)*{frame}",
        dts=f"(N-{delay})*{frame}",
        duration=frame,
    )
    return {"bsf:v": bsf, "video_track_timescale": base, "movie_timescale": base}


def _setts(time_base: Fraction, *, pts: str, dts: str, duration: int | str) -> str:
    base = f"{time_base.numerator}/{time_base.denominator}"
    return f"setts=time_base={base}:prescale=1:pts={pts}:dts={dts}:duration={duration}"
