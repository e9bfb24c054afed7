"""Flags: what a player or a reader will feel of the way a file is made, in figures."""

from __future__ import annotations

import statistics
from fractions import Fraction
from itertools import pairwise

from generator.clips.packets import Track
from generator.records import Flag

LONG_KEYFRAME_INTERVAL_S = 2
RATE_TOLERANCE = Fraction(1, 100)
"""Stated and true rate may differ by this part before it is worth a flag."""


def flags_of(track: Track, *, duration_s: Fraction, stated_hz: Fraction | None) -> tuple[Flag, ...]:
    """Everything worth saying about the file of `track`, in a fixed order."""
    found = (
        _duplicates(track),
        _variable(track),
        _stated_rate(track, duration_s, stated_hz),
        _keyframes(track, duration_s),
        _index(track),
        _reordered(track),
        _duration(track),
        _late_start(track),
        _hidden(track),
        _trimmed(track),
        _miscounted(track),
        _others(track),
        _odd_size(track),
        _pixels(track),
        _turned(track),
    )
    return tuple(Flag(id=flag[0], text=flag[1]) for flag in found if flag is not None)


def is_constant_rate(track: Track) -> bool:
    """Frames stand on an even grid, but for the rounding of the container's ticks."""
    stamps = [packet.pts for packet in track.visible]
    if len(stamps) < 3:
        return True
    first, span, steps = stamps[0], stamps[-1] - stamps[0], len(stamps) - 1
    # |first + n * span / steps - stamp| <= 1, in whole numbers: fractions would take seconds
    return all(abs((first - stamp) * steps + n * span) <= steps for n, stamp in enumerate(stamps))


Found = tuple[str, str] | None


def _duplicates(track: Track) -> Found:
    count = len(track.visible)
    repeated = count - len({packet.pts for packet in track.visible})
    if not repeated:
        return None
    return (
        "duplicate-timestamps",
        f"{repeated} of {count} frames repeat the timestamp of the frame before, "
        f"so a plain player can show {count - repeated} frames at most",
    )


def _variable(track: Track) -> Found:
    if is_constant_rate(track):
        return None
    gaps = [(b.pts - a.pts) * track.time_base for a, b in pairwise(track.visible)]
    low, high, middle = min(gaps), max(gaps), Fraction(statistics.median(gaps))
    return (
        "variable-rate",
        f"frames come {_ms(low)} to {_ms(high)} ms apart, {_ms(middle)} ms at the median",
    )


def _stated_rate(track: Track, duration_s: Fraction, stated_hz: Fraction | None) -> Found:
    true_hz = len(track.visible) / duration_s
    if stated_hz is None or abs(stated_hz / true_hz - 1) <= RATE_TOLERANCE:
        return None
    return (
        "stated-rate",
        f"the file states {float(stated_hz):.4g} frames a second; "
        f"it holds {float(true_hz):.4g} for each second of its duration",
    )


def _keyframes(track: Track, duration_s: Fraction) -> Found:
    shown = track.shown
    start, end = shown[0].pts * track.time_base, duration_s
    keys = [packet.pts * track.time_base for packet in shown if packet.keyframe]
    if not keys:
        return "long-keyframe-interval", "no frame can be decoded on its own"
    widest = max(b - a for a, b in pairwise([start, *keys, max(end, keys[-1])]))
    if widest <= LONG_KEYFRAME_INTERVAL_S:
        return None
    return (
        "long-keyframe-interval",
        f"up to {float(widest):.1f} s pass between keyframes, which makes seeking slow",
    )


def _index(track: Track) -> Found:
    if not track.layout.has_index:
        return "no-index", "the file has no index, so a player cannot seek without reading it all"
    if track.layout.index_first:
        return None
    return "late-index", "the index stands behind the media data, which delays the first picture"


def _reordered(track: Track) -> Found:
    if not track.reordered:
        return None
    return "reordered", "frames are stored in another order than they are shown in (B-frames)"


def _duration(track: Track) -> Found:
    if track.duration_s is not None:
        return None
    return "no-duration", "the container states no duration; the last frame's end is taken for it"


def _late_start(track: Track) -> Found:
    start = track.shown[0].pts * track.time_base
    if start == 0:
        return None
    return "late-start", f"the first frame is stamped {_ms(start)} ms, not 0"


def _hidden(track: Track) -> Found:
    hidden = sum(packet.hidden for packet in track.packets)
    if not hidden:
        return None
    return "hidden-frames", f"{hidden} of {len(track.packets)} packets hold no frame to be shown"


def _trimmed(track: Track) -> Found:
    cut = sum(packet.discarded for packet in track.packets)
    if not cut:
        return None
    return "trimmed", f"an edit list hides {cut} of {len(track.packets)} frames"


def _miscounted(track: Track) -> Found:
    if track.indexed_frames in (0, len(track.packets)):
        return None
    return (
        "index-mismatch",
        f"the index counts {track.indexed_frames} frames, the file yields {len(track.packets)}",
    )


def _others(track: Track) -> Found:
    if not track.other_streams:
        return None
    return "other-streams", f"besides the video there is {', '.join(track.other_streams)}"


def _odd_size(track: Track) -> Found:
    if track.width % 2 == 0 and track.height % 2 == 0:
        return None
    return "odd-size", f"{track.width}x{track.height} has an odd side"


def _pixels(track: Track) -> Found:
    if track.pixel_aspect == 1:
        return None
    return "non-square-pixels", f"pixels are {track.pixel_aspect} times as wide as high"


def _turned(track: Track) -> Found:
    turn = track.layout.turn
    if turn is None:
        return None
    done = f"turn the picture by {turn.degrees} degrees" if turn.degrees else "mirror the picture"
    if turn.degrees and turn.mirrored:
        done += " and mirror it"
    return "turned", f"the index has players {done}; sizes and stills here show it as it is stored"


def _ms(seconds: Fraction) -> str:
    return f"{float(seconds * 1000):.1f}".removesuffix(".0")
