"""Pictures to a clip: H.264 as every browser plays it, the same bytes from the same pictures."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import ffmpeg as builder
import numpy as np
from numpy.typing import NDArray

from generator.clips import ffmpeg
from generator.errors import MediaError

__all__ = ["encode"]

CRF = 20
PRESET = "medium"
FALL = 0.06
"""Of the bits that would fill a file: what each further try leaves to the container, and to a rate
that was not held."""
LEAST_BITS = 2000
"""A second; less the encoder does not take."""
TICKS = 1000
"""Of the file's clock for each frame's worth of the rate's numerator."""


def encode(
    parts: Iterable[NDArray[np.uint8]],
    path: Path,
    *,
    rate_hz: Fraction,
    most_bytes: int | None = None,
) -> None:
    """Write pictures [frames, height, width, 3], RGB, as an MP4 of one frame each, evenly spaced.

    At least a keyframe a second, the index in front. Sides must be even. A file larger than
    `most_bytes` is made again in two passes, with as many bits a second as fit. Raises MediaError
    where ffmpeg fails, or where no file is that small.
    """
    size, frames = "", 0
    with (
        tempfile.NamedTemporaryFile(dir=path.parent, suffix=".rgb") as raw,
        tempfile.TemporaryDirectory(dir=path.parent) as scratch,
    ):
        for part in parts:
            count, height, width, _ = part.shape
            size, frames = f"{width}x{height}", frames + count
            raw.write(np.ascontiguousarray(part).data)
        raw.flush()
        if not size:
            raise MediaError(f"{path}: no pictures to make a clip of")
        source = builder.input(
            ffmpeg.file_url(Path(raw.name)),
            f="rawvideo",
            pixel_format="rgb24",
            s=size,
            framerate=str(rate_hz),
            protocol_whitelist=ffmpeg.PROTOCOLS,
        )
        _written(source, path, rate_hz, {"crf": CRF})
        share = 1.0
        while most_bytes is not None and path.stat().st_size > most_bytes:
            share -= FALL
            bits = int(share * 8 * most_bytes * rate_hz / frames)
            if bits < LEAST_BITS:
                raise MediaError(
                    f"{path}: {frames} frames of {size} do not fit into {most_bytes} bytes"
                )
            told = {"b:v": bits, "passlogfile": str(Path(scratch) / "passes")}
            _written(source, path, rate_hz, {**told, "pass": 1})
            _written(source, path, rate_hz, {**told, "pass": 2})


def _written(source: Any, path: Path, rate_hz: Fraction, chosen: dict[str, Any]) -> None:
    node = builder.output(
        source,
        ffmpeg.file_url(path),
        **{
            "f": "mp4",
            "fps_mode": "passthrough",
            "c:v": "libx264",
            "preset": PRESET,
            **chosen,
            "g": max(1, round(rate_hz)),
            "pix_fmt": "yuv420p",
            "video_track_timescale": rate_hz.numerator * TICKS,
            "movie_timescale": rate_hz.numerator * TICKS,
            "movflags": "+faststart",
            **ffmpeg.REPRODUCIBLE,
        },
    )
    ffmpeg.run(node, about=str(path))
