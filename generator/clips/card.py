"""Test cards: clips that no model made, drawn by ffmpeg without footage.

A card lets people feel the rate it runs at: a large frame number, a clock, a playhead that
crosses the picture every two seconds and a dot that circles once a second, each followed by
ghosts of the frames before. A band at the foot carries the frame number for machines
(`framecode`). A card never names a model.
"""

from __future__ import annotations

import hashlib
from fractions import Fraction
from pathlib import Path
from typing import Any

import ffmpeg as builder

from generator.clips import card_picture, ffmpeg
from generator.clips.cache import derived
from generator.clips.card_picture import Frame
from generator.clips.probe import probe
from generator.errors import MediaError, UsageError
from generator.records import CARD, Clip

RECIPE = 1
"""Raise it when the drawing changes, so that cached cards are drawn anew."""

FILE = "card.mp4"
DEFAULT_SECONDS = Fraction(20)

MIN_TICKS = 10_000
"""Ticks a second that an MP4 has at least, whatever the rate."""


def render_card(path: Path, *, width: int, height: int, rate: Fraction, seconds: Fraction) -> None:
    """Write a test card of round(rate * seconds) frames to `path` as H.264 in MP4.

    Frame N stands exactly at N / rate seconds. `width` and `height` are even and at least
    160 x 96. Raises UsageError for figures that no card can have.
    """
    _render(path, _frame(width=width, height=height, rate=rate, seconds=seconds))


def card_recipe(*, width: int, height: int, rate: Fraction, seconds: Fraction) -> dict[str, Any]:
    """All that decides the bytes of a card, but for the ffmpeg that draws it."""
    return _recipe(_frame(width=width, height=height, rate=rate, seconds=seconds))


def rendered(clip: Clip, *, cache: Path) -> Path:
    """The card of a declared cell, drawn now or taken from `cache`; what a build renders with.

    Raises MediaError when the cell states no rate, or figures that no card can have.
    """
    if clip.fps is None:
        raise MediaError(f"{clip.id}: a test card needs a rate; write it in the column fps")
    try:
        frame = _frame(
            width=clip.width,
            height=clip.height,
            rate=clip.fps,
            seconds=clip.stated_seconds or DEFAULT_SECONDS,
        )
    except UsageError as error:
        raise MediaError(f"{clip.id}: {error}") from error

    def make(folder: Path) -> None:
        _render(folder / FILE, frame)
        facts = probe(folder / FILE)
        if facts.timestamps_s != tuple(n / frame.rate for n in range(frame.count)):
            raise MediaError(f"{clip.id}: ffmpeg drew other frames than {frame.count} in order")

    return derived(cache, source_sha256="", recipe=_recipe(frame), make=make) / FILE


def _frame(*, width: int, height: int, rate: Fraction, seconds: Fraction) -> Frame:
    if (
        not (
            CARD.min_width <= width <= CARD.max_side and CARD.min_height <= height <= CARD.max_side
        )
        or width % 2
        or height % 2
    ):
        raise UsageError(
            f"a test card cannot be {width}x{height}; both sides must be even, from "
            f"{CARD.min_width}x{CARD.min_height} to {CARD.max_side}x{CARD.max_side}"
        )
    if rate <= 0 or max(rate.numerator, rate.denominator) > CARD.max_rate_term:
        raise UsageError(f"a test card cannot run at {rate} FPS; write a rate such as 49.3 or 24")
    count = round(rate * seconds)
    if not 1 <= count <= CARD.max_frames:
        raise UsageError(
            f"a test card of {card_picture.plain(seconds)} s at {card_picture.plain(rate)} FPS "
            f"would have {count} frames; it holds 1 to {CARD.max_frames}"
        )
    return Frame(width=width, height=height, rate=rate, count=count)


def _recipe(frame: Frame) -> dict[str, Any]:
    fonts = b"".join(font.read_bytes() for font in card_picture.fonts())
    return {
        "kind": "test-card",
        "version": RECIPE,
        "width": frame.width,
        "height": frame.height,
        "rate": str(frame.rate),
        "frames": frame.count,
        "fonts": hashlib.sha256(fonts).hexdigest(),
    }


def _render(path: Path, frame: Frame) -> None:
    node = builder.output(
        card_picture.picture(frame),
        ffmpeg.file_url(path),
        **_encoding(frame),
        **ffmpeg.REPRODUCIBLE,
    )
    size, rate = f"{frame.width}x{frame.height}", card_picture.plain(frame.rate)
    ffmpeg.run(node, about=f"test card {size} at {rate} FPS")


def _encoding(frame: Frame) -> dict[str, Any]:
    """H.264 with a keyframe a second and no reordering; ticks that hit every frame exactly."""
    group = max(1, round(frame.rate))
    ticks = frame.rate.numerator * -(-MIN_TICKS // frame.rate.numerator)
    return {
        "f": "mp4",
        "frames:v": frame.count,
        "fps_mode": "passthrough",
        "c:v": "libx264",
        "preset": "veryfast",
        "tune": "stillimage",
        "crf": 21,
        "bf": 0,
        "g": group,
        "keyint_min": group,
        "sc_threshold": 0,
        "pix_fmt": "yuv420p",
        "video_track_timescale": ticks,
        "movie_timescale": ticks,
        "movflags": "+faststart",
    }
