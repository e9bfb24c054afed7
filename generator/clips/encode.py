"""Pictures to a clip: H.264 as every browser plays it, the same bytes from the same pictures."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import ffmpeg as builder
import numpy as np
from numpy.typing import NDArray

from generator.clips import ffmpeg
from generator.errors import MediaError

__all__ = ["encode"]

CRF = 20
PRESET = "medium"
TICKS = 1000
"""Of the file's clock for each frame's worth of the rate's numerator."""


def encode(parts: Iterable[NDArray[np.uint8]], path: Path, *, rate_hz: Fraction) -> None:
    """Write pictures [frames, height, width, 3], RGB, as an MP4 of one frame each, evenly spaced.

    At least a keyframe a second, the index in front. Sides must be even. Raises MediaError where
    ffmpeg fails.
    """
    size = ""
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".rgb") as raw:
        for part in parts:
            _, height, width, _ = part.shape
            size = f"{width}x{height}"
            raw.write(np.ascontiguousarray(part).data)
        raw.flush()
        if not size:
            raise MediaError(f"{path}: no pictures to make a clip of")
        group = max(1, round(rate_hz))
        source = builder.input(
            ffmpeg.file_url(Path(raw.name)),
            f="rawvideo",
            pixel_format="rgb24",
            s=size,
            framerate=str(rate_hz),
            protocol_whitelist=ffmpeg.PROTOCOLS,
        )
        node = builder.output(
            source,
            ffmpeg.file_url(path),
            **{
                "f": "mp4",
                "fps_mode": "passthrough",
                "c:v": "libx264",
                "preset": PRESET,
                "crf": CRF,
                "g": group,
                "pix_fmt": "yuv420p",
                "video_track_timescale": rate_hz.numerator * TICKS,
                "movie_timescale": rate_hz.numerator * TICKS,
                "movflags": "+faststart",
                **ffmpeg.REPRODUCIBLE,
            },
        )
        ffmpeg.run(node, about=str(path))
