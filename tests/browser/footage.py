"""The clips the players are tested with: real ones where they are, test cards everywhere."""

from __future__ import annotations

import subprocess
from bisect import bisect_right
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import ffmpeg as builder

from generator.clips import ffmpeg
from generator.clips.card import render_card


@dataclass(frozen=True, slots=True, kw_only=True)
class Footage:
    """One clip on disk and what a page must know of it."""

    name: str
    path: Path
    width: int
    height: int
    timestamps_s: tuple[float, ...]
    """One per packet, in the order of presentation."""
    packet_bytes: tuple[int, ...]
    """In the same order."""
    duration_s: float

    @property
    def mean_kbit(self) -> float:
        return self.path.stat().st_size * 8 / 1000 / self.duration_s


def read_footage(path: Path) -> Footage:
    """Reads size, length and every timestamp of a clip."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        base = stream.time_base or Fraction(1)
        packets = sorted(
            (float(packet.pts * base), packet.size)
            for packet in container.demux(stream)
            if packet.pts is not None
        )
        duration_s = (container.duration or 0) / 1_000_000
        return Footage(
            name=path.name,
            path=path,
            width=stream.width,
            height=stream.height,
            timestamps_s=tuple(stamp for stamp, _ in packets),
            packet_bytes=tuple(size for _, size in packets),
            duration_s=duration_s,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reel:
    """The clips of one kind, by the part they play in the scenarios."""

    kind: str
    clips: dict[str, Footage]
    """Parts: default-a, default-b, small-a, small-b, large-a, large-b, other."""

    def pair(self, name: str) -> tuple[Footage, Footage]:
        return self.clips[f"{name}-a"], self.clips[f"{name}-b"]


REAL = {
    "default-a": "benchmark_hardware_2_2_2_A.mp4",
    "default-b": "clip_p0_res512x288_steps8.webm",
    "small-a": "clip_p0_res512x288_steps2.webm",
    "small-b": "clip_p0_res512x288_steps12.webm",
    "large-a": "clip_p0_res848x480_steps2.webm",
    "large-b": "clip_p0_res848x480_steps12.webm",
    "other": "clip_p0_res512x288_steps4.webm",
}


def real_reel(archive: Path) -> Reel:
    """The original page's clips; the archive must hold them."""
    return Reel(
        kind="real clips",
        clips={part: read_footage(archive / name) for part, name in REAL.items()},
    )


CARDS = {
    "default-a": (640, 384, Fraction(24), 22),
    "default-b": (512, 288, Fraction(443, 20), 15),
    "small-a": (512, 288, Fraction(987, 20), 17),
    "small-b": (512, 288, Fraction(327, 20), 13),
    "large-a": (848, 480, Fraction(567, 20), 16),
    "large-b": (848, 480, Fraction(187, 20), 11),
    "other": (512, 288, Fraction(734, 20), 16),
}
"""Width, height, frame rate in Hz and seconds: the real clips' sizes, lengths and content rates."""


def card_reel(folder: Path) -> Reel:
    """Test cards in place of the original page's clips, drawn into folder."""
    clips = {}
    for part, (width, height, rate, seconds) in CARDS.items():
        path = folder / f"card-{part}.mp4"
        render_card(path, width=width, height=height, rate=rate, seconds=Fraction(seconds))
        clips[part] = read_footage(path)
    return Reel(kind="test cards", clips=clips)


def frame_at(footage: Footage, time_s: float, slack_s: float = 0.00001) -> int:
    """Index of the last frame stamped at or before time_s, in files without equal stamps."""
    return max(0, bisect_right(footage.timestamps_s, time_s + slack_s) - 1)


CODECS: dict[str, tuple[str, dict[str, object]]] = {
    "h264": ("mp4", {"c:v": "libx264", "preset": "veryfast", "crf": 24, "g": 48, "bf": 3}),
    "vp8": ("webm", {"c:v": "libvpx", "crf": 12, "b:v": "4M", "g": 90, "deadline": "realtime"}),
    "vp9": (
        "webm",
        {"c:v": "libvpx-vp9", "crf": 34, "b:v": 0, "g": 90, "deadline": "realtime", "cpu-used": 8},
    ),
    "av1": ("mp4", {"c:v": "libsvtav1", "preset": 12, "crf": 27, "g": 60}),
}
"""Container and encoder options: frames out of order, keyframes far apart."""

FORMATS = {
    "h264-24": ("h264", 512, 288, Fraction(24), 9),
    "h264-49": ("h264", 640, 384, Fraction(987, 20), 6),
    "vp8-16": ("vp8", 512, 288, Fraction(327, 20), 7),
    "vp8-30": ("vp8", 848, 480, Fraction(30), 6),
    "vp9-30": ("vp9", 512, 288, Fraction(30), 8),
    "vp9-9": ("vp9", 848, 480, Fraction(187, 20), 7),
    "av1-25": ("av1", 512, 288, Fraction(25), 6),
    "av1-36": ("av1", 640, 360, Fraction(734, 20), 7),
}
"""Codec, width, height, frame rate in Hz and seconds."""


def format_reel(folder: Path, times: int = 1) -> Reel:
    """Test cards in every codec that browsers decode, of rates and lengths that never agree.

    `times` as long as FORMATS says.
    """
    clips = {}
    for part, (codec, width, height, rate, seconds) in FORMATS.items():
        plain = folder / f"plain-{part}.mp4"
        length = Fraction(seconds * times)
        render_card(plain, width=width, height=height, rate=rate, seconds=length)
        container, options = CODECS[codec]
        path = folder / f"{part}.{container}"
        encode(plain, path, options)
        clips[part] = read_footage(path)
    return Reel(kind="test cards in four codecs", clips=clips)


def encode(source: Path, target: Path, options: dict[str, object]) -> None:
    """Encodes a card anew, frame for frame, the index in front as in the copies that sites hold."""
    front = {"movflags": "+faststart"} if target.suffix == ".mp4" else {"cues_to_front": 1}
    shape = {"fps_mode": "passthrough", "pix_fmt": "yuv420p", "loglevel": "error"}
    node = builder.input(str(source)).output(str(target), **options, **front, **shape)
    subprocess.run(
        [ffmpeg.executable(), *node.get_args()], check=True, capture_output=True, timeout=300
    )
