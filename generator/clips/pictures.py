"""Pixels out of files that others made: a still image, or the frames of a clip, as RGB."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import ffmpeg as builder
import numpy as np
from numpy.typing import NDArray

from generator.clips import ffmpeg
from generator.clips.container import examine
from generator.errors import MediaError
from generator.records import Facts

__all__ = ["IMAGES", "LARGEST_SIDE", "frames_of_clip", "is_image", "picture_of"]

IMAGES = {b"\x89PNG\r\n\x1a\n": ("png_pipe", "png"), b"\xff\xd8\xff": ("jpeg_pipe", "mjpeg")}
"""First bytes -> ffmpeg's one demuxer and one decoder for them."""
LARGEST_SIDE = 8192
MAX_FILE_BYTES = 64 << 20
"""Of a still image."""


def is_image(path: Path) -> bool:
    """Whether the file begins as a PNG or a JPEG. Raises MediaError where it cannot be read."""
    return _readers(path) is not None


def _readers(path: Path) -> tuple[str, str] | None:
    try:
        with path.open("rb") as file:
            start = file.read(8)
    except OSError as error:
        raise MediaError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    return next((of for sign, of in IMAGES.items() if start.startswith(sign)), None)


def picture_of(path: Path) -> NDArray[np.uint8]:
    """A PNG or JPEG as [height, width, 3]. Raises MediaError where it is none, or is damaged."""
    readers = _readers(path)
    if readers is None:
        raise MediaError(f"{path}: neither a PNG nor a JPEG; export the picture as one of them")
    if path.stat().st_size > MAX_FILE_BYTES:
        raise MediaError(f"{path}: more than {MAX_FILE_BYTES >> 20} MiB; export a smaller picture")
    demuxer, decoder = readers
    source = builder.input(
        ffmpeg.file_url(path),
        f=demuxer,
        format_whitelist=demuxer,
        protocol_whitelist=ffmpeg.PROTOCOLS,
        codec_whitelist=decoder,
        max_pixels=LARGEST_SIDE**2,
        threads=1,
    )
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "picture.ppm"
        _run(source, target, about=path, f="image2", update=1, **{"c:v": "ppm"})
        data = target.read_bytes()
    magic, sides, depth, pixels = data.split(b"\n", 3)
    if (magic, depth) != (b"P6", b"255"):
        raise MediaError(f"{path}: cannot be decoded as 8-bit RGB; export it as such")
    width, height = map(int, sides.split())
    return np.frombuffer(pixels, np.uint8).reshape(height, width, 3)


def frames_of_clip(path: Path, facts: Facts, most: int) -> NDArray[np.uint8]:
    """The first frames of a clip, `most` at the most: [frames, height, width, 3].

    Raises MediaError where they cannot be decoded.
    """
    source = ffmpeg.source(path, examine(path).demuxer)["V:0"]
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "frames.rgb"
        options: dict[str, Any] = {"frames:v": min(most, facts.frame_count)}
        _run(source, target, about=path, f="rawvideo", fps_mode="passthrough", **options)
        raw = np.fromfile(target, np.uint8)
    one = facts.height * facts.width * 3
    if not len(raw) or len(raw) % one:
        raise MediaError(f"{path}: its frames cannot be decoded; export the clip anew")
    return raw.reshape(-1, facts.height, facts.width, 3)


def _run(source: Any, target: Path, *, about: Path, **options: Any) -> None:
    node = builder.output(
        source,
        ffmpeg.file_url(target),
        pix_fmt="rgb24",
        **{"frames:v": 1, **options},
        **ffmpeg.REPRODUCIBLE,
    )
    ffmpeg.run(node, about=str(about))
    if not target.is_file() or not target.stat().st_size:
        raise MediaError(f"{about}: holds no picture that can be decoded; export it anew")
