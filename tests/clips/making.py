"""Small clips made for tests by ffmpeg itself, not by the code under test."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import imageio_ffmpeg

SOURCE = "testsrc2=s=160x96:r=25"


def ffmpeg(*arguments: str | Path) -> None:
    """Run ffmpeg with these arguments, as a test's author would at a prompt."""
    subprocess.run(
        [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-v", "error", "-y", *map(str, arguments)],
        check=True,
        timeout=120,
    )


def clip(path: Path, *options: str, frames: int = 50, source: str = SOURCE) -> Path:
    """A clip of drawn pictures, encoded with `options`."""
    ffmpeg("-f", "lavfi", "-i", source, "-frames:v", str(frames), *options, path)
    return path


def vp8(path: Path, *options: str, frames: int = 50, source: str = SOURCE) -> Path:
    quick = ("-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-g", "25")
    return clip(path, *quick, *options, frames=frames, source=source)


def h264(path: Path, *options: str, frames: int = 50, source: str = SOURCE) -> Path:
    quick = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "25")
    return clip(path, *quick, *options, frames=frames, source=source)


def packets(path: Path) -> list[bytes]:
    """Payload of every video packet, in the file's order."""
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.size]


def times(path: Path) -> list[Fraction]:
    """Timestamp of every video packet in order of presentation."""
    with av.open(str(path)) as container:
        found = [p.pts * p.time_base for p in container.demux(video=0) if p.size]
    return sorted(found)


def pictures(path: Path) -> Iterator[bytes]:
    """Every decoded frame, all planes, as raw bytes."""
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            yield b"".join(bytes(plane) for plane in frame.planes)
