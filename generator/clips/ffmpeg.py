"""The one door to the ffmpeg program.

ffmpeg-python writes the command lines, this module guards and runs them: untrusted inputs are
opened by one named demuxer, under an absolute `file:` name, with every limit that ffmpeg knows.
It knows nothing of clips, caches or recipes.
"""

from __future__ import annotations

import errno
import functools
import hashlib
import os
import re
import shutil
from pathlib import Path
from typing import Any

import ffmpeg as builder
import imageio_ffmpeg

from generator.clips.process import Limits, run_alone
from generator.errors import MediaError, UsageError

FORMATS = "matroska,webm,mov,mp4,m4a,3gp,3g2,mj2"
PROTOCOLS = "file"
DECODERS = (
    "h264,hevc,vp8,vp9,libdav1d,libaom-av1,av1,mpeg4,prores,ffv1,"
    "aac,opus,vorbis,mp3,mp3float,flac,pcm_s16le"
)
MAX_STREAMS = 8
MAX_PIXELS = 8192 * 4320
MAX_ALLOC_BYTES = 1 << 29
MAX_PROBE_BYTES = 5_000_000
MAX_FILE_BYTES = 4 << 30
MAX_WALL_S = 900
MAX_CPU_S = 600
MEMORY_BYTES = 3 << 29
"""Address space for pictures of no size: ffmpeg 9 takes 0.6 to 0.8 GiB, most of it for stacks."""
MEMORY_BYTES_A_PIXEL = 192
"""On top for each pixel of a frame: encoding H.264 holds some fifty frames, 170 bytes a pixel."""

REPRODUCIBLE: dict[str, Any] = {
    "threads": 1,
    "fflags": "+bitexact",
    "flags:v": "+bitexact",
    "map_metadata": -1,
    "map_chapters": -1,
}
"""Output options without which two runs on one machine may differ."""

_ADDRESS = re.compile(r" @ 0x[0-9a-f]+")


def executable() -> str:
    """The ffmpeg to run: the one MATRIX_FFMPEG names, else the one pip installed."""
    named = os.environ.get("MATRIX_FFMPEG", "")
    if not named:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    found = shutil.which(named)
    if found is None:
        raise UsageError(f"MATRIX_FFMPEG names {named!r}, which is no program; unset or mend it")
    return str(Path(found).absolute())


def version() -> str:
    """Which ffmpeg this is, down to its build: part of every cache key."""
    return _version(executable())


@functools.cache
def _version(program: str) -> str:
    told = _ask(program, "-version")
    words = told.split()
    if words[:2] != ["ffmpeg", "version"] or len(words) < 3:
        raise _no_ffmpeg(program)
    return f"{words[2]}+{hashlib.sha256(told.encode()).hexdigest()[:8]}"


def has_encoder(name: str) -> bool:
    return name in _encoders(executable())


@functools.cache
def _encoders(program: str) -> frozenset[str]:
    rows = (line.split() for line in _ask(program, "-hide_banner", "-encoders").splitlines())
    return frozenset(row[1] for row in rows if len(row) > 1)


def _ask(program: str, *arguments: str) -> str:
    try:
        limits = Limits(wall_s=60, cpu_s=60, memory_bytes=MEMORY_BYTES)
        answer = run_alone([program, *arguments], about=program, limits=limits)
    except OSError as error:
        raise UsageError(f"{program} cannot be run ({error.strerror})") from error
    if answer.status != 0:
        raise _no_ffmpeg(program)
    return answer.output.decode("utf-8", errors="replace")


def _no_ffmpeg(program: str) -> UsageError:
    return UsageError(
        f"{program}: does not answer as ffmpeg does; name an ffmpeg in MATRIX_FFMPEG, or unset it"
    )


def source(path: Path, demuxer: str, **options: Any) -> Any:
    """A guarded input for untrusted files, read by `demuxer` ("matroska" or "mov") and no other."""
    return builder.input(
        file_url(path),
        f=demuxer,
        format_whitelist=FORMATS,
        protocol_whitelist=PROTOCOLS,
        codec_whitelist=DECODERS,
        max_streams=MAX_STREAMS,
        max_pixels=MAX_PIXELS,
        probesize=MAX_PROBE_BYTES,
        threads=1,
        noautorotate=None,
        **options,
    )


def drawn(description: str) -> Any:
    """An input that a filter of ffmpeg's draws by itself, such as "color=c=black:s=64x64"."""
    return builder.input(description, f="lavfi", protocol_whitelist=PROTOCOLS)


def file_url(path: Path) -> str:
    """The name under which ffmpeg may read or write `path`: no option, no other protocol."""
    return f"file:{utf8(path.absolute())}"


def utf8(path: Path) -> str:
    """A path among text for ffmpeg: its bytes read as UTF-8, whatever the locale says they are.

    Raises MediaError where they are no UTF-8.
    """
    try:
        return os.fsencode(path).decode()
    except UnicodeDecodeError:
        raise MediaError(
            f"{path}: its whole path, {os.fsencode(path)!r}, is not UTF-8, and ffmpeg cannot be "
            "told of it; rename the file or the folder"
        ) from None


def argument(text: str) -> str:
    """What the system passes on as these characters in UTF-8, under any locale."""
    return os.fsdecode(text.encode())


def run(
    node: Any,
    *,
    about: str,
    pixels: int = MAX_PIXELS,
    file_bytes: int = MAX_FILE_BYTES,
    cpu_s: int = MAX_CPU_S,
    wall_s: float = MAX_WALL_S,
) -> None:
    """Run the command that ends in `node` (one output, or several merged).

    `about` names the work in the message. The memory that is granted goes by the `pixels` of a
    frame. Raises MediaError with what ffmpeg said when it fails, or the limit that it overstepped:
    `cpu_s` of processor, `wall_s` of real time, `file_bytes` written into one file. A full disk is
    an OSError as it is to Python's own writing: whoever chose the folder can name it.
    """
    start = [executable(), "-nostdin", "-hide_banner", "-nostats", "-loglevel", "warning"]
    guards = ["-max_alloc", str(MAX_ALLOC_BYTES), "-filter_threads", "1"]
    command = builder.compile(node, cmd=[*start, *guards], overwrite_output=True)
    limits = Limits(
        wall_s=wall_s,
        cpu_s=cpu_s,
        memory_bytes=MEMORY_BYTES + MEMORY_BYTES_A_PIXEL * pixels,
        file_bytes=file_bytes,
    )
    program, *arguments = command
    told = [program, *map(argument, arguments)]
    finished = run_alone(told, about=about, limits=limits)
    if finished.status != 0:
        full = os.strerror(errno.ENOSPC)
        if f": {full}" in finished.said:
            raise OSError(errno.ENOSPC, full)
        raise MediaError(f"{about}: ffmpeg failed ({_telling(finished.said, finished.status)})")


def _telling(said: str, status: int) -> str:
    lines = [_ADDRESS.sub("", line).strip() for line in said.splitlines()]
    kept = list(dict.fromkeys(line for line in lines if line))[-4:]
    return "; ".join(kept) if kept else f"exit status {status}"
