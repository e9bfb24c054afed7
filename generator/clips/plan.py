"""What a clip's display copy has to be: decided from facts, before anything is made.

Packets stay as they are wherever they can; then only the index or the timestamps change. What
no browser plays, and the few files whose times cannot be changed without decoding, become H.264.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from generator.clips import retime
from generator.clips.codecs import is_playable
from generator.clips.flags import is_constant_rate
from generator.clips.packets import read_track
from generator.errors import MediaError
from generator.records import Facts

RECIPE = 3
"""Raise it when copies are made otherwise than before, so that cached ones are made anew."""

ORIGINAL, REMUXED, RETIMED, REENCODED = "original", "remuxed", "retimed", "re-encoded"

NEEDS_COPY = {"late-index", "no-index", "no-duration", "other-streams"}
"""Flags of files that play better from a copy with the same packets and times."""

NOT_ALL_SHOWN = {"hidden-frames", "trimmed"}
"""Flags of files with packets that no viewer sees."""

MAX_SPREAD_RATE_HZ = 1000
CRF = 20
PRESET = "medium"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a display copy is made, and what it must then be."""

    kind: str
    container: str
    """"webm" or "mp4"."""
    frame_count: int
    timestamps_s: tuple[Fraction, ...] | None = None
    """Times that its frames must have; None where they only stay in order."""
    duration_s: Fraction | None = None
    """How long it must last; None where that follows from the frames."""
    spread_over_s: Fraction | None = None
    why: str = ""
    """Why it had to be encoded anew."""
    filters: tuple[tuple[str, str], ...] = ()
    options: tuple[tuple[str, Any], ...] = ()
    """Output options of ffmpeg."""

    @property
    def file(self) -> str:
        return f"display.{self.container}"

    @property
    def recipe(self) -> dict[str, Any]:
        """What is done, for cache keys and for the manifest."""
        recipe: dict[str, Any] = {"step": "display", "version": RECIPE, "kind": self.kind}
        if self.spread_over_s is not None:
            recipe["spread_over_s"] = str(self.spread_over_s)
        if self.why:
            recipe["why"] = self.why
        if self.filters:
            recipe["filters"] = [list(pair) for pair in self.filters]
        if self.options:
            recipe["options"] = dict(self.options)
        return recipe


def plan_display(source: Path, facts: Facts, spread_over_s: Fraction | None) -> Plan:
    """Decide on the copy. Raises MediaError when `spread_over_s` cannot be had."""
    flags, container = {flag.id for flag in facts.flags}, _container(facts)
    if spread_over_s is not None and facts.frame_count > MAX_SPREAD_RATE_HZ * spread_over_s:
        raise MediaError(
            f"{source}: {facts.frame_count} frames cannot be spread over "
            f"{float(spread_over_s):g} s; mend spread_over_s of its series"
        )
    if not is_playable(facts.codec, facts.pixel_format):
        why = f"no browser is sure to play {facts.codec} with pixels as {facts.pixel_format}"
        return _reencoded(source, facts, spread_over_s, why)
    if spread_over_s is not None and not _is_spread(facts, spread_over_s, container):
        return _spread(source, facts, spread_over_s, container)
    if facts.container == container and not flags & NEEDS_COPY:
        return Plan(kind=ORIGINAL, container=container, frame_count=facts.frame_count)
    if "trimmed" in flags:
        return _reencoded(source, facts, spread_over_s, "its index hides some of its frames")
    return _remuxed(facts, container)


def _container(facts: Facts) -> str:
    """What browsers take the codec in; the file's own container where that will do."""
    if facts.codec == "h264":
        return "mp4"
    return "webm" if facts.codec == "vp8" or facts.container in ("webm", "matroska") else "mp4"


def _tick(container: str) -> Fraction | None:
    return retime.MATROSKA_TICK_S if container == "webm" else None


def _is_spread(facts: Facts, spread_s: Fraction, container: str) -> bool:
    """The file itself has its frames where they are asked for."""
    grid = retime.even_grid(facts.frame_count, spread_s, tick_s=_tick(container))
    return facts.timestamps_s == grid and facts.duration_s == spread_s


def _spread(source: Path, facts: Facts, spread_s: Fraction, container: str) -> Plan:
    flags = {flag.id for flag in facts.flags}
    if flags & NOT_ALL_SHOWN:
        why = "some of its packets are not to be shown, which new timestamps cannot say"
        return _reencoded(source, facts, spread_s, why)
    rate = facts.frame_count / spread_s
    if "reordered" in flags:
        track = read_track(source)
        if container != "mp4" or not is_constant_rate(track):
            why = "its frames are stored out of order and come unevenly"
            return _reencoded(source, facts, spread_s, why)
        stamps = [packet.pts for packet in track.packets]
        options = retime.reordered_mp4_options(rate, stamps, track.time_base)
    elif container == "mp4":
        options = retime.mp4_options(rate)
    else:
        options = retime.matroska_options(rate)
    return Plan(
        kind=RETIMED,
        container=container,
        frame_count=facts.frame_count,
        timestamps_s=retime.even_grid(facts.frame_count, spread_s, tick_s=_tick(container)),
        duration_s=retime.on_tick(spread_s, _tick(container)),
        spread_over_s=spread_s,
        options=(*_copying(container), *options.items()),
    )


def _remuxed(facts: Facts, container: str) -> Plan:
    """The same times, counted from the first frame."""
    times = facts.timestamps_s
    start = times[0]
    stamps = tuple(time - start for time in times)
    options = _copying(container)
    if start:
        shift = f"({start.numerator}/{start.denominator}/TB)"
        options += (("bsf:v", f"setts=pts=PTS-{shift}:dts=DTS-{shift}"),)
    if container == "mp4":
        options += (("video_track_timescale", _common_ticks(stamps)),)
    return Plan(
        kind=REMUXED,
        container=container,
        frame_count=facts.frame_count,
        timestamps_s=stamps,
        options=options,
    )


def _copying(container: str) -> tuple[tuple[str, Any], ...]:
    """Output options for the same packets, with the file's own times, and the index in front."""
    copy = (("c", "copy"), ("copyts", None))
    if container == "webm":
        return *copy, ("f", "webm"), ("cues_to_front", 1)
    return *copy, ("f", "mp4"), ("movflags", "+faststart")


def _reencoded(source: Path, facts: Facts, spread_s: Fraction | None, why: str) -> Plan:
    count = _shown(source, facts)
    rate = count / (spread_s or facts.duration_s)
    if spread_s is None:
        ticks = _common_ticks(facts.timestamps_s)
        clock = "if(eq(N,0),0,max(PTS-STARTPTS,PREV_OUTPTS+1))"
        exact: tuple[tuple[str, Any], ...] = ()
    else:
        ticks, frame = retime.ticks(rate)
        clock, exact = f"N*{frame}", (("bsf:v", f"setts=pts=PTS:dts=DTS:duration={frame}"),)
    return Plan(
        kind=REENCODED,
        container="mp4",
        frame_count=count,
        timestamps_s=None if spread_s is None else retime.even_grid(count, spread_s),
        duration_s=spread_s,
        spread_over_s=spread_s,
        why=why,
        filters=(
            ("pad", "ceil(iw/2)*2:ceil(ih/2)*2"),
            ("settb", f"1/{ticks}"),
            ("setpts", clock),
        ),
        options=(
            ("f", "mp4"),
            ("c:v", "libx264"),
            ("preset", PRESET),
            ("crf", CRF),
            ("pix_fmt", "yuv420p"),
            ("g", max(1, round(rate))),
            ("fps_mode", "passthrough"),
            ("enc_time_base", f"1:{ticks}"),
            ("video_track_timescale", ticks),
            ("movie_timescale", ticks),
            ("movflags", "+faststart"),
            *exact,
        ),
    )


def _shown(source: Path, facts: Facts) -> int:
    """Frames that come to be seen."""
    if not NOT_ALL_SHOWN & {flag.id for flag in facts.flags}:
        return facts.frame_count
    return len(read_track(source).visible)


def _common_ticks(stamps: tuple[Fraction, ...]) -> int:
    """Ticks a second of an MP4 that hit all these times, or come as near as MP4 can."""
    base = math.lcm(*{stamp.denominator for stamp in stamps})
    if base >= retime.MAX_TICKS_HZ:
        return retime.FINE_TICKS_HZ
    return base * -(-retime.MIN_TICKS_HZ // base)
