"""Hostile media, made by script: what each is, and what is to be said of it.

A few honest clips are drawn by ffmpeg; every hostile input is then a function of their bytes, so
nothing is downloaded and nothing is committed. The same seed gives the same damage.
"""

from __future__ import annotations

import functools
import random
import struct
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import imageio_ffmpeg

SECRET = b"what stands beside the clip and is none of its business"
CUTS = 10
FLIPS = 8
MILLION = 1_000_000

VP8 = ("-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-g", "12")
H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "12")
FRONT = ("-movflags", "+faststart")

DRAWN = {
    "webm": ("testsrc2=s=320x256:r=25", "webm", (*VP8, "-cues_to_front", "1")),
    "mp4": ("testsrc2=s=320x256:r=25", "mp4", (*H264, *FRONT)),
    "mp4-late": ("testsrc2=s=320x256:r=25", "mp4", H264),
    "ffv1": ("testsrc2=s=64x64:r=25", "mkv", ("-c:v", "ffv1")),
    "1x1-webm": ("color=red:s=1x1:r=25", "webm", VP8),
    "1x1-ffv1": ("color=red:s=1x1:r=25", "mkv", ("-c:v", "ffv1", "-pix_fmt", "yuv444p")),
    "fast-webm": ("testsrc2=s=64x64:r=10000", "webm", (*VP8, "-r", "10000")),
    "fast-mp4": ("testsrc2=s=64x64:r=10000", "mp4", (*H264, *FRONT, "-r", "10000")),
    "tiny": ("color=gray:s=16x16:r=25", "webm", (*VP8, "-g", "1000")),
    "small": ("testsrc2=s=64x64:r=25", "webm", VP8),
    "large": ("testsrc2=s=1024x768:r=25", "webm", VP8),
}
"""Honest clips: what ffmpeg draws, the container, the encoding."""
FRAMES = 36


class Originals:
    """The bytes of honest clips, each drawn when it is first asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, bytes] = {}

    def __getitem__(self, name: str) -> bytes:
        if name not in self._known:
            source, suffix, encoding = DRAWN[name]
            drawing = ("-f", "lavfi", "-i", source, "-frames:v", str(FRAMES), "-an", *encoding)
            self._known[name] = self.by_ffmpeg(suffix, *drawing)
        return self._known[name]

    def by_ffmpeg(self, suffix: str, *arguments: str) -> bytes:
        target = self._folder / f"drawn.{suffix}"
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-v", "error", "-y"]
        subprocess.run([*command, "-threads", "1", *arguments, target], check=True, timeout=120)
        return target.read_bytes()

    def put(self, name: str) -> Path:
        """An honest clip as a file."""
        path = self._folder / f"{name}.{DRAWN[name][1]}"
        path.write_bytes(self[name])
        return path


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One hostile file."""

    name: str
    """With the suffix that it pretends to have."""
    make: Callable[[Originals], bytes]
    error: str | None = ""
    """Of the documented error, a regular expression; None where the file is harmless; "" where
    both will do, as with random damage."""


# Matroska, written by hand


def element(name: int, content: bytes) -> bytes:
    """An element with a size of eight bytes."""
    width = (name.bit_length() + 7) // 8
    return name.to_bytes(width, "big") + (1 << 56 | len(content)).to_bytes(8, "big") + content


def number(name: int, value: int) -> bytes:
    return element(name, value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big"))


EBML = element(0x1A45DFA3, element(0x4282, b"webm"))


def webm_of(
    frames: list[bytes], *, size: tuple[int, int] = (16, 16), duration: bytes = b"", scale: int = 0
) -> bytes:
    """VP8 frames one millisecond apart; only the first is a keyframe."""
    info = number(0x2AD7B1, scale or 1_000_000) + (element(0x4489, duration) if duration else b"")
    video = element(0xE0, number(0xB0, size[0]) + number(0xBA, size[1]))
    track = number(0xD7, 1) + number(0x73C5, 1) + number(0x83, 1) + element(0x86, b"V_VP8") + video
    parts = [element(0x1549A966, info), element(0x1654AE6B, element(0xAE, track))]
    for start in range(0, len(frames), 10_000):
        blocks = [number(0xE7, start)]
        for n, frame in enumerate(frames[start : start + 10_000]):
            head = b"\x81" + struct.pack(">hB", n, 0x80 if start + n == 0 else 0)
            blocks.append(b"\xa3" + (0x4000 | len(head + frame)).to_bytes(2, "big") + head + frame)
        parts.append(element(0x1F43B675, b"".join(blocks)))
    return EBML + element(0x18538067, b"".join(parts))


def vp8_frames(data: bytes) -> list[bytes]:
    """The frames of a WebM file, in order, by a library of its own."""
    import io

    import av

    with av.open(io.BytesIO(data)) as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.size]


def long_webm(originals: Originals, count: int) -> bytes:
    first, second, *_ = vp8_frames(originals["tiny"])
    return webm_of([first, *[second] * (count - 1)])


def lasting(originals: Originals, duration: bytes, scale: int = 0) -> bytes:
    frames = vp8_frames(originals["small"])[:12]
    return webm_of(frames, size=(64, 64), duration=duration, scale=scale)


def changing_size(originals: Originals) -> bytes:
    """A second part of another size, which the container does not speak of."""
    frames = vp8_frames(originals["small"])[:12] + vp8_frames(originals["large"])[:12]
    return webm_of(frames, size=(64, 64))


def many_tracks(originals: Originals) -> bytes:
    clip = originals.put("small")
    streams = [word for _ in range(30) for word in ("-map", "0:v")]
    return originals.by_ffmpeg("webm", "-i", str(clip), *streams, "-c", "copy")


def patched(data: bytes, old: bytes, new: bytes) -> bytes:
    assert len(old) == len(new)
    assert old in data
    return data.replace(old, new)


def huge_webm(originals: Originals) -> bytes:
    """The track and the first VP8 frame state 16,000 x 16,000."""
    data = originals["webm"]
    data = patched(data, b"\xb0\x82\x01\x40", b"\xb0\x82" + (16_000).to_bytes(2, "big"))
    data = patched(data, b"\xba\x82\x01\x00", b"\xba\x82" + (16_000).to_bytes(2, "big"))
    old = b"\x9d\x01\x2a" + struct.pack("<HH", 320, 256)
    return patched(data, old, b"\x9d\x01\x2a" + struct.pack("<HH", 16_000, 16_000))


def still_webm(originals: Originals) -> bytes:
    """A DefaultDuration of 0 ns, which is no rate."""
    data = originals["webm"]
    return patched(data, b"\x23\xe3\x83\x84\x02\x62\x5a\x00", b"\x23\xe3\x83\x84\0\0\0\0")


# MP4, its boxes rewritten


def box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", len(content) + 8, name) + content


def rewritten(data: bytes, path: str, change: Callable[[bytes], bytes]) -> bytes:
    """`data` with the content of the box at `path` ("moov/trak/tkhd") changed."""
    wanted, _, rest = path.partition("/")
    made, at, found = [], 0, False
    while at + 8 <= len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        content = data[at + 8 : at + length]
        if name == wanted.encode():
            content = rewritten(content, rest, change) if rest else change(content)
            found = True
        made.append(box(name, content))
        at += length
    assert found, path
    return b"".join(made)


MEDIA = "moov/trak/mdia"
TABLE = f"{MEDIA}/minf/stbl"


def crowded_mp4(originals: Originals, count: int, *, stated: int | None = None) -> bytes:
    """`count` samples of 4 bytes, the index saying so in a few words; `stated` may be a lie."""
    data = originals["mp4-late"]
    for name, content in (
        ("stsz", struct.pack(">III", 0, 4, stated or count)),
        ("stts", struct.pack(">IIII", 0, 1, stated or count, 512)),
        ("stsc", struct.pack(">IIIII", 0, 1, 1, stated or count, 1)),
        ("stco", struct.pack(">III", 0, 1, 48)),
    ):
        data = rewritten(data, f"{TABLE}/{name}", lambda _, content=content: content)
    media = data.index(b"mdat") - 4
    length = int.from_bytes(data[media : media + 4], "big")
    return data[:media] + box(b"mdat", bytes(4 * count)) + data[media + length :]


def huge_mp4(originals: Originals) -> bytes:
    """The H.264 parameter set and the sample entry state 16,000 x 16,000."""

    def enlarged(content: bytes) -> bytes:
        at = content.index(b"avcC") + 4
        length = int.from_bytes(content[at + 6 : at + 8], "big")
        larger = larger_sps(content[at + 8 : at + 8 + length], blocks=1000)
        inner = content[at : at + 6] + struct.pack(">H", len(larger)) + larger
        inner += content[at + 8 + length : at - 8 + int.from_bytes(content[at - 8 : at - 4], "big")]
        entry = content[16 : at - 8]
        entry = entry[:24] + struct.pack(">HH", 16_000, 16_000) + entry[28:]
        after = content[at - 8 + int.from_bytes(content[at - 8 : at - 4], "big") :]
        return content[:8] + box(b"avc1", entry + box(b"avcC", inner) + after)

    return rewritten(originals["mp4-late"], f"{TABLE}/stsd", enlarged)


def larger_sps(sps: bytes, *, blocks: int) -> bytes:
    """A Baseline parameter set with another number of macroblocks each way."""
    assert sps[1] == 66, "ultrafast is Baseline, without the fields of High"
    raw = sps[4:].replace(b"\0\0\x03", b"\0\0")
    bits = "".join(f"{byte:08b}" for byte in raw)
    at = 0

    def skip() -> int:
        nonlocal at
        zeros = bits.index("1", at) - at
        at += 2 * zeros + 1
        return int(bits[at - zeros - 1 : at], 2) - 1

    skip(), skip()
    if skip() == 0:  # how frames are ordered
        skip()
    skip()
    at += 1
    before = bits[:at]
    skip(), skip()
    size = f"{blocks:b}"
    stated = "0" * (len(size) - 1) + size
    after = bits[at:].rstrip("0")
    packed = before + stated + stated + after
    packed += "0" * (-len(packed) % 8)
    made = bytes(int(packed[n : n + 8], 2) for n in range(0, len(packed), 8))
    return sps[:4] + made.replace(b"\0\0\0", b"\0\0\x03\0").replace(b"\0\0\1", b"\0\0\x03\1")


def one_instant_mp4(originals: Originals) -> bytes:
    """Every frame lasts 0 ticks."""

    def frozen(content: bytes) -> bytes:
        return content[:8] + struct.pack(">II", FRAMES, 0)

    return rewritten(originals["mp4-late"], f"{TABLE}/stts", frozen)


def clockless_mp4(originals: Originals) -> bytes:
    """A time scale of 0 ticks a second."""
    return rewritten(originals["mp4-late"], f"{MEDIA}/mdhd", lambda c: c[:12] + bytes(4) + c[16:])


def hurried_mp4(originals: Originals) -> bytes:
    """A time scale of 2^31 - 1 ticks a second: 36 frames within 9 millionths of one."""
    return rewritten(
        originals["mp4-late"], f"{MEDIA}/mdhd", lambda c: c[:12] + b"\x7f\xff\xff\xff" + c[16:]
    )


def pointing_mp4(originals: Originals) -> bytes:
    """Its data are said to lie in another file, by name."""

    def outside(content: bytes) -> bytes:
        return content[:8] + box(b"url ", bytes(4) + b"file:secret.txt\0")

    return rewritten(originals["mp4-late"], f"{MEDIA}/minf/dinf/dref", outside)


def audio(originals: Originals, suffix: str, codec: str) -> bytes:
    sine = ("-f", "lavfi", "-i", "sine=d=1", "-c:a", codec, "-strict", "-2")
    return originals.by_ffmpeg(suffix, *sine)


# Damage


def cut(originals: Originals, name: str, part: int) -> bytes:
    data = originals[name]
    return data[: len(data) * part // CUTS] if part else data[:11]


def flipped(originals: Originals, name: str, seed: int) -> bytes:
    """1, 8 or 64 bits turned; every other seed hits the first 2 KiB, where the headers stand."""
    dice = random.Random(seed)
    spoilt = bytearray(originals[name])
    for _ in range((1, 8, 64)[seed % 3]):
        reach = min(len(spoilt), 2048) if seed % 2 else len(spoilt)
        spoilt[dice.randrange(reach)] ^= 1 << dice.randrange(8)
    return bytes(spoilt)


def text(content: str | bytes) -> Callable[[Originals], bytes]:
    data = content.encode() if isinstance(content, str) else content
    return lambda _: data


def inputs() -> list[Input]:
    """All of them."""
    part = functools.partial
    hls = "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nsecret.txt\n#EXT-X-ENDLIST\n"
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><image href="secret.txt"/></svg>'
    )
    shell = "#!/bin/sh\ntouch canary\n$(touch canary) `touch canary`\n"
    void = b"\xec\x80"
    known = (
        Input(name="empty.mp4", make=text(b""), error="the file is empty"),
        Input(name="one-byte.webm", make=text(b"\x1a"), error="is no WebM or MP4 file"),
        Input(name="text.mp4", make=text(shell), error="is no WebM or MP4 file"),
        Input(name="zeros.mp4", make=text(bytes(1 << 16)), error="is no WebM or MP4 file"),
        Input(name="hls.mp4", make=text(hls), error="is an HLS playlist"),
        Input(
            name="ffconcat.mp4",
            make=text("ffconcat version 1.0\nfile secret.txt\n"),
            error="is an ffconcat list",
        ),
        Input(name="svg.mp4", make=text(svg), error="is an SVG picture"),
        Input(name="xml.mp4", make=text(f'<?xml version="1.0"?>{svg}'), error="is an XML text"),
        Input(name="audio.mp4", make=part(audio, suffix="mp4", codec="aac"), error="no video"),
        Input(name="audio.webm", make=part(audio, suffix="webm", codec="opus"), error="no video"),
        Input(name="1x1.webm", make=lambda o: o["1x1-webm"], error=None),
        Input(name="1x1.mkv", make=lambda o: o["1x1-ffv1"], error=None),
        Input(name="huge.webm", make=huge_webm, error="states a picture of 16000x16000"),
        Input(name="huge.mp4", make=huge_mp4, error="states a picture of 16000x16000"),
        Input(name="0-fps.webm", make=still_webm, error=None),
        Input(
            name="0-fps.mp4",
            make=one_instant_mp4,
            error="frames stand at other times than planned",
        ),
        Input(name="no-clock.mp4", make=clockless_mp4, error=None),
        Input(name="hurried.mp4", make=hurried_mp4, error="more than 100000 frames for each"),
        Input(name="10000-fps.webm", make=lambda o: o["fast-webm"], error=None),
        Input(name="10000-fps.mp4", make=lambda o: o["fast-mp4"], error=None),
        Input(
            name="million.webm",
            make=part(long_webm, count=MILLION),
            error=r"cannot be read \(more than 200000 frames\)",
        ),
        Input(
            name="million.mp4",
            make=part(crowded_mp4, count=MILLION),
            error=r"cannot be read \(more than 200000 frames\)",
        ),
        Input(
            name="billions.mp4",
            make=part(crowded_mp4, count=9, stated=2**32 - 1),
            error="its video track holds no frames",
        ),
        Input(name="long.webm", make=part(long_webm, count=50_000), error=None),
        Input(
            name="endless.webm",
            make=part(lasting, duration=struct.pack(">d", 1e18)),
            error="states times of more than 1000000 s",
        ),
        Input(
            name="beyond-floats.webm",
            make=part(lasting, duration=struct.pack(">d", 1e308), scale=2**63),
            error="Invalid data found|states times of more than 1000000 s",
        ),
        Input(
            name="instant.webm",
            make=part(lasting, duration=struct.pack(">d", 5e-324)),
            error="more than 100000 frames for each second",
        ),
        Input(
            name="not-a-number.webm",
            make=part(lasting, duration=struct.pack(">d", float("nan"))),
            error=None,
        ),
        Input(name="changing.webm", make=changing_size),
        Input(name="tracks.webm", make=many_tracks),
        Input(name="pointing.mp4", make=pointing_mp4, error=None),
        Input(
            name="voids.webm",
            make=text(element(0x1A45DFA3, void * 2_000_000)),
            error="consists of more than 500000 elements",
        ),
        Input(
            name="many-tracks-elements.webm",
            make=text(EBML + element(0x18538067, element(0x1654AE6B, void * 200_000) * 4)),
            error="consists of more than 500000 elements",
        ),
        Input(
            name="boxes.mp4",
            make=text(box(b"ftyp", b"isom\0\0\0\0") + box(b"free", b"") * 600_000),
            error="consists of more than 500000 elements",
        ),
    )
    cuts = [
        Input(name=f"cut-{n}0.{name}", make=part(cut, name=name, part=n), error="is cut off")
        for name in ("webm", "mp4")
        for n in range(CUTS)
    ]
    flips = [
        Input(name=f"flipped-{seed:02}.{suffix}", make=part(flipped, name=name, seed=seed))
        for name, suffix in (("webm", "webm"), ("mp4", "mp4"), ("ffv1", "mkv"))
        for seed in range(FLIPS)
    ]
    return [*known, *cuts, *flips]
