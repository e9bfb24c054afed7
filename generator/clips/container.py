"""The first look at a file, by its own bytes, before any library opens it.

Only two families pass: Matroska/WebM and MP4/MOV. Their outermost elements are walked to see
whether the file is whole and where its index stands. What is inside the tracks is `probe`'s.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

from generator.errors import MediaError

MAX_PLACES = 500_000
"""Places of a file that are looked at, which is some seconds' work at most."""
MAX_TRACKS_BYTES = 1 << 20

REENCODE = "export the clip anew as WebM or MP4"
AGAIN = "fetch or copy the file again"

EBML_HEADER, SEGMENT = 0x1A45DFA3, 0x18538067
INFO, TRACKS, CLUSTER, CUES = 0x1549A966, 0x1654AE6B, 0x1F43B675, 0x1C53BB6B
TIMESTAMP_SCALE, DURATION = 0x2AD7B1, 0x4489
DOC_TYPE, TRACK_ENTRY, TRACK_TYPE, DEFAULT_DURATION = 0x4282, 0xAE, 0x83, 0x23E383

FOREIGN = (
    (b"#EXTM3U", "an HLS playlist"),
    (b"ffconcat", "an ffconcat list"),
    (b"<?xml", "an XML text"),
    (b"<MPD", "a DASH manifest"),
    (b"<svg", "an SVG picture"),
    (b"<!DOCTYPE", "a web page"),
    (b"<!doctype", "a web page"),
    (b"<html", "a web page"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF animation"),
    (b"OggS", "an Ogg file"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"RIFF", "an AVI, WAV or WebP file"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The outermost shape of a media file."""

    container: str
    """"webm", "matroska", "mp4" or "mov"."""
    demuxer: str
    """The one ffmpeg demuxer that may read it: "matroska" or "mov"."""
    bytes: int
    has_index: bool
    index_first: bool
    """The index (Cues, moov) stands before the first media data."""
    stated_rate_hz: Fraction | None
    """What the container itself states (Matroska's DefaultDuration); MP4 has no such field."""
    duration_s: Fraction | None
    """What a Matroska container states; None for MP4, whose tracks state their own."""
    turn: Turn | None = None
    """What an MP4 has players do to the picture, if anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """The matrix of an MP4's video track, as far as it turns or mirrors."""

    degrees: int
    """Clockwise."""
    mirrored: bool


@dataclass(slots=True)
class _Walked:
    """A file that is read here and there, but not without end."""

    path: Path
    file: BinaryIO
    places: int = 0

    def at(self, start: int, length: int) -> bytes:
        self.places += 1
        if self.places > MAX_PLACES:
            raise MediaError(
                f"{self.path}: consists of more than {MAX_PLACES} elements; {REENCODE}"
            )
        self.file.seek(start)
        return self.file.read(length)


def examine(path: Path) -> Layout:
    """Find out what `path` is and whether it is whole.

    Raises MediaError for anything but a whole WebM, Matroska, MP4 or MOV file that is a regular
    file in its folder. Reads headers only, and nothing but this file.
    """
    try:
        _refuse_irregular(path)
        size = path.stat().st_size
        if size == 0:
            raise MediaError(f"{path}: the file is empty; {AGAIN}")
        with path.open("rb") as file:
            head = file.read(512)
            if head.startswith(b"\x1a\x45\xdf\xa3"):
                return _matroska(path, _Walked(path, file), size)
            if head[4:8] == b"ftyp":
                return _mp4(path, _Walked(path, file), size, head)
    except OSError as error:
        raise MediaError(f"{path}: cannot be read ({error.strerror}); {AGAIN}") from error
    raise MediaError(f"{path}: {_foreign(head)}")


def _refuse_irregular(path: Path) -> None:
    if not path.exists():
        if path.is_symlink():
            raise MediaError(f"{path}: the link leads nowhere; put the file itself there")
        raise MediaError(f"{path}: there is no such file; put the clip there or fetch it")
    if not path.resolve().is_relative_to(path.parent.resolve()):
        raise MediaError(f"{path}: the link leaves its folder; put the file itself there")
    if path.is_dir():
        raise MediaError(f"{path}: is a folder; name a file in it")
    if not path.is_file():
        raise MediaError(f"{path}: is no regular file; put the clip's file there")


def _foreign(head: bytes) -> str:
    if head.startswith(b"version https://git-lfs"):
        return (
            "is a Git LFS pointer and not the clip itself; run `git lfs pull` "
            "(where Netlify builds, set GIT_LFS_ENABLED=true)"
        )
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    for mark, name in FOREIGN:
        if start.startswith(mark):
            return f"is {name} and no WebM or MP4 file, and was not opened; {REENCODE}"
    return f"is no WebM or MP4 file, and was not opened; {REENCODE}"


def _cut(path: Path, what: str) -> MediaError:
    return MediaError(f"{path}: the file is cut off ({what}); {AGAIN}")


# MP4: boxes of four bytes size, four bytes name


def _mp4(path: Path, file: _Walked, size: int, head: bytes) -> Layout:
    index = media = None
    turn: Turn | None = None
    for name, start, end in _boxes(file, 0, size):
        if end > size:
            raise _cut(path, f"its {name} box should end at byte {end}, the file at {size}")
        if name == "moov" and index is None:
            index = start
            turn = _turn(file, start + 8, end)
        elif name in ("mdat", "moof") and media is None:
            media = start
    if index is None:
        raise MediaError(f"{path}: has no index (moov box), so it was cut off; {AGAIN}")
    if media is None:
        raise MediaError(f"{path}: holds an index and no media data; {AGAIN}")
    return Layout(
        container="mov" if head[8:12] == b"qt  " else "mp4",
        demuxer="mov",
        bytes=size,
        has_index=True,
        index_first=index < media,
        stated_rate_hz=None,
        duration_s=None,
        turn=turn,
    )


def _boxes(file: _Walked, start: int, size: int) -> Iterator[tuple[str, int, int]]:
    """(name, start, stated end) of each box that stands side by side between two places."""
    while start + 8 <= size:
        header = file.at(start, 16)
        length, name = int.from_bytes(header[:4], "big"), header[4:8].decode("latin-1")
        if length == 1:
            length = int.from_bytes(header[8:16], "big")
        elif length == 0:
            length = size - start
        if length < 8:
            return
        yield name, start, start + length
        start += length


def _turn(file: _Walked, start: int, end: int) -> Turn | None:
    """What the matrix of the first video track does, in a moov box with this content."""
    for name, track, track_end in _boxes(file, start, end):
        if name != "trak":
            continue
        header, handler = b"", b""
        for inner, at, inner_end in _boxes(file, track + 8, min(track_end, end)):
            if inner == "tkhd":
                header = file.at(at + 8, min(inner_end - at, 96))
            elif inner == "mdia":
                for part, place, _ in _boxes(file, at + 8, min(inner_end, end)):
                    if part == "hdlr":
                        handler = file.at(place + 16, 4)
        if handler == b"vide":
            return _turn_of(header)
    return None


def _turn_of(header: bytes) -> Turn | None:
    """From a tkhd box's content: times take 12 bytes more in its version 1."""
    at = 52 if header[:1] == b"\1" else 40
    if len(header) < at + 20:
        return None
    a, b, _, c, d = struct.unpack_from(">5i", header, at)
    degrees = round(math.degrees(math.atan2(b, a))) % 360
    mirrored = a * d - b * c < 0
    return Turn(degrees=degrees, mirrored=mirrored) if degrees or mirrored else None


# Matroska: elements of a variable-length name, a variable-length size, and content


def _matroska(path: Path, file: _Walked, size: int) -> Layout:
    kind, start = _doc_type(path, file, size)
    cues = cluster = None
    rate: Fraction | None = None
    duration: Fraction | None = None
    for name, content, end in _level_one(path, file, start, size):
        if name == CUES and cues is None:
            cues = content
        elif name == CLUSTER and cluster is None:
            cluster = content
        elif name == TRACKS and rate is None:
            rate = _default_rate(file, content, min(end, content + MAX_TRACKS_BYTES))
        elif name == INFO and duration is None:
            duration = _stated_duration(file, content, min(end, content + MAX_TRACKS_BYTES))
    if cluster is None:
        raise MediaError(f"{path}: holds no media data; {AGAIN}")
    return Layout(
        container=kind,
        demuxer="matroska",
        bytes=size,
        has_index=cues is not None,
        index_first=cues is not None and cues < cluster,
        stated_rate_hz=rate,
        duration_s=duration,
    )


def _doc_type(path: Path, file: _Walked, size: int) -> tuple[str, int]:
    """("webm" or "matroska", where the segment starts)."""
    _, content, end = _element(file, 0, size) or (0, 0, None)
    if end is None or end > size:
        raise _cut(path, "within its first header")
    kind = "matroska"
    for name, inner, inner_end in _children(file, content, end):
        if name == DOC_TYPE:
            kind = file.at(inner, min(inner_end - inner, 16)).rstrip(b"\0").decode("latin-1")
    if kind not in ("webm", "matroska"):
        raise MediaError(f"{path}: is EBML of type {kind!r} and no WebM file; {REENCODE}")
    return kind, end


def _level_one(path: Path, file: _Walked, start: int, size: int) -> Iterator[tuple[int, int, int]]:
    """(name, start of content, end) of what the segment holds.

    Elements of unknown size (live recordings) are entered, so that theirs follow in the walk.
    """
    at = start
    while at < size:
        found = _element(file, at, size)
        if found is None:
            raise _cut(path, f"in the header of an element at byte {at}")
        name, content, end = found
        if end is not None and end > size:
            raise _cut(path, f"it states {end} bytes, {size} are there")
        if name == SEGMENT or end is None:
            if name == CLUSTER:
                yield name, content, size
            at = content
            continue
        yield name, content, end
        at = end


def _children(file: _Walked, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    at = start
    while at < end:
        found = _element(file, at, end)
        if found is None or found[2] is None or found[2] > end:
            return
        yield found[0], found[1], found[2]
        at = found[2]


def _element(file: _Walked, at: int, limit: int) -> tuple[int, int, int | None] | None:
    """(name, start of content, end or None where unknown) of the element at `at`."""
    header = file.at(at, min(12, limit - at))
    name_length = _length(header, 4)
    size_length = _length(header[name_length:], 8) if name_length else 0
    if not name_length or not size_length:
        return None
    name = int.from_bytes(header[:name_length], "big")
    bits = 7 * size_length
    stated = int.from_bytes(header[name_length : name_length + size_length], "big") % (1 << bits)
    content = at + name_length + size_length
    return name, content, None if stated == (1 << bits) - 1 else content + stated


def _length(header: bytes, most: int) -> int:
    """Bytes of the variable-length number that `header` starts with; 0 where there is none."""
    if not header:
        return 0
    length = 9 - header[0].bit_length()
    return length if length <= min(most, len(header)) else 0


def _stated_duration(file: _Walked, start: int, end: int) -> Fraction | None:
    """Duration, a floating-point number of ticks; a tick is 1 ms where nothing else is said."""
    fields = {}
    for field, inner, inner_end in _children(file, start, end):
        if field in (TIMESTAMP_SCALE, DURATION):
            fields[field] = file.at(inner, min(8, inner_end - inner))
    stated = fields.get(DURATION, b"")
    if len(stated) not in (4, 8):
        return None
    (ticks,) = struct.unpack(">f" if len(stated) == 4 else ">d", stated)
    if not (math.isfinite(ticks) and ticks > 0):
        return None
    scale = int.from_bytes(fields.get(TIMESTAMP_SCALE, b""), "big") or 1_000_000
    return Fraction(ticks) * scale / 1_000_000_000


def _default_rate(file: _Walked, start: int, end: int) -> Fraction | None:
    """The rate that the first video track states."""
    for name, content, entry_end in _children(file, start, end):
        if name != TRACK_ENTRY:
            continue
        fields = {}
        for field, inner, inner_end in _children(file, content, entry_end):
            if field in (TRACK_TYPE, DEFAULT_DURATION):
                value = file.at(inner, min(8, inner_end - inner))
                fields[field] = int.from_bytes(value, "big")
        if fields.get(TRACK_TYPE) == 1:
            nanoseconds = fields.get(DEFAULT_DURATION, 0)
            return _rate_of(nanoseconds) if nanoseconds else None
    return None


def _rate_of(nanoseconds: int) -> Fraction:
    """1e9 / nanoseconds, as the simple rate that such a whole number of nanoseconds stands for."""
    exact = Fraction(1_000_000_000, nanoseconds)
    for denominator in (1, 1001):
        simple = Fraction(round(exact * denominator), denominator)
        if simple and round(1_000_000_000 / simple) == nanoseconds:
            return simple
    return exact.limit_denominator(1_000_000)
