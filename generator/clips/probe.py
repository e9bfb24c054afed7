"""What a media file really holds: `probe(path) -> Facts`, from its packets alone."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from generator.clips.codecs import codecs_parameter
from generator.clips.flags import flags_of
from generator.clips.hashes import sha256_of
from generator.clips.packets import Track, read_track
from generator.errors import MediaError
from generator.records import Facts, in_ticks

MAX_SECONDS = 1_000_000
"""Eleven days: no time in a file may lie further from its start."""
MAX_RATE_HZ = 100_000


def probe(path: Path, *, sha256: str | None = None) -> Facts:
    """What the file at `path` holds. `sha256` spares hashing where the caller has done so.

    Raises MediaError, which names the file, the reason and the remedy, when it is no whole clip.
    """
    track = read_track(path)
    shown, base = track.shown, track.time_base
    duration = _duration(path, track)
    _refuse_absurd(path, track, duration)
    stated = track.layout.stated_rate_hz or track.stream_rate_hz
    ticks, ticks_per_second = in_ticks(packet.pts * base for packet in shown)
    return Facts(
        sha256=sha256 or sha256_of(path),
        bytes=track.layout.bytes,
        container=track.layout.container,
        codec=track.codec,
        profile=track.profile,
        pixel_format=track.pixel_format,
        width=track.width,
        height=track.height,
        frame_count=len(shown),
        ticks=ticks,
        ticks_per_second=ticks_per_second,
        packet_bytes=tuple(packet.size for packet in shown),
        keyframes=tuple(n for n, packet in enumerate(shown) if packet.keyframe),
        duration_s=duration,
        stated_rate_hz=stated,
        index_first=track.layout.index_first,
        flags=flags_of(track, duration_s=duration, stated_hz=stated),
        codecs=codecs_parameter(
            track.codec,
            track.extradata,
            pixel_format=track.pixel_format,
            luma_samples=track.width * track.height,
            rate_hz=len(shown) / duration,
        ),
    )


def _refuse_absurd(path: Path, track: Track, duration_s: Fraction) -> None:
    """Raise MediaError for times that no clip has; figures on the site stay within floats."""
    first, last = (track.shown[n].pts * track.time_base for n in (0, -1))
    longest = max(duration_s, abs(first), abs(last))
    if longest > MAX_SECONDS:
        raise MediaError(f"{path}: states times of more than {MAX_SECONDS} s; export the clip anew")
    if len(track.packets) > MAX_RATE_HZ * duration_s:
        raise MediaError(
            f"{path}: holds more than {MAX_RATE_HZ} frames for each second that it states to last; "
            "export the clip anew"
        )


def _duration(path: Path, track: Track) -> Fraction:
    """As stated; else from time 0 to the end of the last frame."""
    if track.duration_s is not None and track.duration_s > 0:
        return track.duration_s
    end = max(packet.pts + packet.duration for packet in track.packets) * track.time_base
    if end <= 0:
        raise MediaError(f"{path}: lasts no time at all; export the clip anew as WebM or MP4")
    return end
