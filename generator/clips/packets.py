"""The packets of a file's video track, exactly as its container lists them.

The bytes are looked at first (`container`), then one named demuxer lists every packet in a
process of its own (`demux`), with limits and a deadline. Nothing is decoded. Whoever reads many
files does so with `readers_at_hand`.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import json
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

from generator.clips import container, ffmpeg
from generator.clips.process import Kept, Limits, can_keep, run_alone
from generator.errors import MediaError, UsageError

READER = Path(__file__).with_name("demux.py")
MAX_PACKETS = 200_000
"""Two hours and a quarter at 24 FPS; their facts take this process some 200 MB."""
LIMITS = Limits(wall_s=60, cpu_s=60, memory_bytes=1 << 30, answer_bytes=32 << 20)
"""For the reading of one file."""
CODECS = ("h264", "hevc", "vp8", "vp9", "av1", "mpeg4", "prores", "ffv1")
"""What is opened at all; `ffmpeg.DECODERS` names the decoders."""
VP8_SHOW_FRAME = 0x10
"""Bit of a VP8 frame's first byte."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    """One packet. `pts` is a time in ticks of the track's time base."""

    pts: int
    duration: int
    size: int
    keyframe: bool
    discarded: bool
    """An edit list says that it is not to be shown."""
    hidden: bool
    """It holds a picture for reference only (VP8 says so in its first byte)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """The first video track of a file; packets in the file's order."""

    layout: container.Layout
    codec: str
    profile: str
    pixel_format: str
    width: int
    height: int
    pixel_aspect: Fraction
    extradata: bytes
    """The first 64 bytes of the decoder's configuration."""
    stream_rate_hz: Fraction | None
    """What the coded stream itself states."""
    time_base: Fraction
    duration_s: Fraction | None
    """What the container states; None where it states nothing."""
    indexed_frames: int
    """What an MP4 index counts; 0 elsewhere."""
    other_streams: tuple[str, ...]
    packets: tuple[Packet, ...]

    @property
    def shown(self) -> list[Packet]:
        """Packets in order of presentation."""
        return sorted(self.packets, key=lambda packet: packet.pts)

    @property
    def visible(self) -> list[Packet]:
        """Those packets, in order of presentation, whose frames come to be seen."""
        return [packet for packet in self.shown if not (packet.hidden or packet.discarded)]

    @property
    def reordered(self) -> bool:
        """Packets stand in another order than their frames are shown in."""
        return any(a.pts > b.pts for a, b in pairwise(self.packets))


def read_track(path: Path) -> Track:
    """Read the first video track of `path`.

    Raises MediaError, which names the file, the reason and the remedy, for anything but a whole
    WebM, Matroska, MP4 or MOV file with a video track in one of CODECS.
    """
    layout = container.examine(path)
    said = _ask(path, layout)
    if said.get("error") == "no video":
        only = f" (only {', '.join(said['others'])})" if said["others"] else ""
        raise MediaError(f"{path}: has no video track{only}; {container.REENCODE}")
    if "error" in said:
        raise MediaError(f"{path}: cannot be read ({said['error']}); {container.AGAIN}")
    if said["codec"] not in CODECS:
        raise MediaError(f"{path}: is coded in {said['codec']!r}; {container.REENCODE}")
    if not 0 < said["width"] * said["height"] <= ffmpeg.MAX_PIXELS:
        size = f"{said['width']}x{said['height']}"
        raise MediaError(f"{path}: states a picture of {size}; {container.REENCODE}")
    if not said["packets"]:
        raise MediaError(f"{path}: its video track holds no frames; {container.AGAIN}")
    untimed = sum(row[0] is None for row in said["packets"])
    if untimed:
        raise MediaError(f"{path}: {untimed} frames carry no timestamp; {container.REENCODE}")
    track = _track(layout, said)
    if not track.visible:
        raise MediaError(f"{path}: none of its frames is to be shown; {container.REENCODE}")
    return track


def _track(layout: container.Layout, said: dict[str, Any]) -> Track:
    base = Fraction(*said["time_base"])
    duration = layout.duration_s
    if duration is None and said["stream_duration"]:
        duration = said["stream_duration"] * base
    return Track(
        layout=layout,
        codec=said["codec"],
        profile=said["profile"],
        pixel_format=said["pixel_format"],
        width=said["width"],
        height=said["height"],
        pixel_aspect=Fraction(*(said["aspect"] or (1, 1))),
        extradata=bytes.fromhex(said["extradata"]),
        stream_rate_hz=Fraction(*said["stream_rate"]) if said["stream_rate"] else None,
        time_base=base,
        duration_s=duration,
        indexed_frames=said["indexed_frames"],
        other_streams=tuple(said["others"]),
        packets=tuple(
            Packet(
                pts=pts,
                duration=duration,
                size=size,
                keyframe=keyframe,
                discarded=discarded,
                hidden=said["codec"] == "vp8" and not first & VP8_SHOW_FRAME,
            )
            for pts, duration, size, keyframe, discarded, first in said["packets"]
        ),
    )


@functools.cache
def _libraries() -> str:
    """The folder that PyAV was installed into."""
    found = importlib.util.find_spec("av")
    if found is None or found.origin is None:
        raise UsageError("PyAV is not installed: install this package anew, with all it needs")
    return str(Path(found.origin).parent.parent)


def _reader() -> list[str]:
    # Without site: what it looks for at every start takes longer than many a clip.
    return [sys.executable, "-I", "-S", str(READER), _libraries()]


_at_hand: list[Kept] = []
"""Readers that wait for a question."""
_wanted = 0
_guard = threading.Lock()


@contextlib.contextmanager
def readers_at_hand() -> Iterator[None]:
    """While this lasts, readers stay for the next file: starting one takes longer than reading
    most. What they cannot read is read again by one started for it alone, whose word counts."""
    global _wanted
    with _guard:
        _wanted += 1
    try:
        yield
    finally:
        with _guard:
            _wanted -= 1
            done = [] if _wanted else _at_hand.copy()
            if done:
                _at_hand.clear()
        for reader in done:
            reader.close()


def _ask_at_hand(question: bytes) -> dict[str, Any] | None:
    """The answer of a reader at hand; None where there is none, or one that tells of no error."""
    if not _wanted or not can_keep():
        return None
    with _guard:
        reader = _at_hand.pop() if _at_hand else None
    reader = reader or Kept(_reader(), LIMITS)
    answer = reader.ask(question)
    with _guard:
        kept = answer is not None and _wanted > 0
        if kept:
            _at_hand.append(reader)
    if not kept:
        reader.close()
    said = json.loads(answer) if answer else None
    return said if isinstance(said, dict) and "error" not in said else None


def _ask(path: Path, layout: container.Layout) -> dict[str, Any]:
    """Let `demux` read the file in its own process."""
    limits = {
        "format_whitelist": ffmpeg.FORMATS,
        "protocol_whitelist": ffmpeg.PROTOCOLS,
        "codec_whitelist": ffmpeg.DECODERS,
        "max_streams": ffmpeg.MAX_STREAMS,
        "probesize": ffmpeg.MAX_PROBE_BYTES,
        "max_packets": MAX_PACKETS,
    }
    address = ffmpeg.argument(ffmpeg.file_url(path))
    answer = _ask_at_hand(json.dumps([address, layout.demuxer, limits]).encode())
    if answer is not None:
        return answer
    finished = run_alone(
        [*_reader(), address, layout.demuxer, json.dumps(limits)], about=str(path), limits=LIMITS
    )
    if finished.status != 0:
        lines = finished.said.strip().splitlines() or [f"status {finished.status}"]
        raise MediaError(f"{path}: the demuxer broke off on it ({lines[-1]}); {container.REENCODE}")
    said = json.loads(finished.output)
    assert isinstance(said, dict)
    return said
