"""Facts against files whose makers are known, and one clear error for everything else."""

from __future__ import annotations

import http.server
import os
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import pytest
from making import clip, ffmpeg, h264, times, vp8

from generator.clips import container, packets
from generator.clips.probe import probe
from generator.errors import MediaError
from generator.records import Facts


def flags(facts: Facts) -> set[str]:
    return {flag.id for flag in facts.flags}


def text(facts: Facts, name: str) -> str:
    return next(flag.text for flag in facts.flags if flag.id == name)


# What files hold


def test_a_plain_mp4_is_read_exactly(tmp_path: Path) -> None:
    facts = probe(h264(tmp_path / "a.mp4", "-bf", "0", "-movflags", "+faststart"))
    assert (facts.container, facts.codec, facts.pixel_format) == ("mp4", "h264", "yuv420p")
    assert (facts.width, facts.height, facts.frame_count) == (160, 96, 50)
    assert facts.timestamps_s == tuple(Fraction(n, 25) for n in range(50))
    assert facts.duration_s == 2
    assert facts.keyframes == (0, 25)
    assert facts.stated_rate_hz == 25
    assert facts.mean_rate_hz == 25
    assert facts.index_first
    assert facts.flags == ()
    assert facts.bytes == (tmp_path / "a.mp4").stat().st_size


def test_an_index_behind_the_data_is_seen_in_both_containers(tmp_path: Path) -> None:
    for path in (h264(tmp_path / "a.mp4", "-bf", "0"), vp8(tmp_path / "a.webm")):
        facts = probe(path)
        assert not facts.index_first
        assert flags(facts) == {"late-index"}
    ffmpeg("-i", tmp_path / "a.webm", "-c", "copy", "-cues_to_front", "1", tmp_path / "b.webm")
    assert probe(tmp_path / "b.webm").index_first


def test_duplicate_timestamps_are_counted(tmp_path: Path) -> None:
    """Frames N and N+1 share a time for every even N: half of them cannot be shown."""
    vp8(tmp_path / "a.webm")
    shared = "setts=pts=floor(N/2)*80:dts=floor(N/2)*80"
    ffmpeg("-i", tmp_path / "a.webm", "-c", "copy", "-bsf:v", shared, tmp_path / "b.webm")
    facts = probe(tmp_path / "b.webm")
    assert (facts.frame_count, facts.distinct_timestamps) == (50, 25)
    assert {"duplicate-timestamps", "variable-rate"} <= flags(facts)
    assert text(facts, "duplicate-timestamps").startswith("25 of 50 frames repeat the timestamp")
    assert facts.timestamps_s == tuple(times(tmp_path / "b.webm"))


def test_uneven_frames_and_a_rate_that_is_not_true(tmp_path: Path) -> None:
    """Every fourth frame is gone, and the container still states 25."""
    select = ("-vf", "select=mod(n\\,4)", "-fps_mode", "passthrough")
    facts = probe(vp8(tmp_path / "a.webm", *select, frames=60))
    assert facts.stated_rate_hz == 25
    assert {"variable-rate", "stated-rate"} <= flags(facts)
    assert text(facts, "variable-rate").startswith("frames come 40 to 80 ms apart")


def test_matroska_rounding_is_no_variable_rate(tmp_path: Path) -> None:
    facts = probe(vp8(tmp_path / "a.webm", source="testsrc2=s=160x96:r=493/10"))
    assert facts.timestamps_s[1:4] == (Fraction(20, 1000), Fraction(41, 1000), Fraction(61, 1000))
    assert "variable-rate" not in flags(facts)
    assert facts.stated_rate_hz is not None
    assert abs(facts.stated_rate_hz - Fraction("49.3")) < Fraction(1, 1000)


def test_long_gaps_between_keyframes_are_measured(tmp_path: Path) -> None:
    path = h264(tmp_path / "a.mp4", "-g", "1000", "-bf", "0", frames=120)
    assert text(probe(path), "long-keyframe-interval").startswith("up to 4.8 s pass")


def test_reordered_frames_come_in_order_of_presentation(tmp_path: Path) -> None:
    facts = probe(h264(tmp_path / "a.mp4", "-preset", "medium", "-bf", "3"))
    assert "reordered" in flags(facts)
    assert facts.timestamps_s == tuple(Fraction(n, 25) for n in range(50))
    assert facts.keyframes == (0, 25)


def test_a_recording_without_duration_and_index(tmp_path: Path) -> None:
    """What browsers record: unknown sizes, no Cues, no Duration."""
    vp8(tmp_path / "a.webm")
    ffmpeg("-i", tmp_path / "a.webm", "-c", "copy", "-live", "1", tmp_path / "b.webm")
    facts = probe(tmp_path / "b.webm")
    assert {"no-index", "no-duration"} <= flags(facts)
    assert facts.frame_count == 50
    assert facts.duration_s == 2


def test_pictures_that_are_never_shown_are_counted(tmp_path: Path) -> None:
    """libvpx's alternate reference frames are packets without a frame."""
    path = tmp_path / "a.webm"
    hiding = ("-c:v", "libvpx", "-auto-alt-ref", "1", "-lag-in-frames", "16", "-b:v", "100k")
    for half in ("1", "2"):
        twice = ("-pass", half, "-passlogfile", str(tmp_path / "log"))
        clip(path, *hiding, *twice, frames=60)
    facts = probe(path)
    with av.open(str(path)) as opened:
        shown = sum(1 for _ in opened.decode(video=0))
    assert shown == 60
    hidden = facts.frame_count - shown
    assert hidden > 0
    assert "duplicate-timestamps" not in flags(facts)
    assert text(facts, "hidden-frames").startswith(f"{hidden} of {facts.frame_count} packets")


def test_other_streams_odd_sides_and_oblong_pixels_are_named(tmp_path: Path) -> None:
    ffmpeg(
        *("-f", "lavfi", "-i", "testsrc2=s=160x96:r=25", "-f", "lavfi", "-i", "sine", "-t", "1"),
        *("-c:v", "libvpx", "-deadline", "realtime", "-c:a", "libopus"),
        *("-vf", "format=yuv420p,scale=161:97,setsar=4/3"),
        tmp_path / "a.webm",
    )
    facts = probe(tmp_path / "a.webm")
    assert {"other-streams", "odd-size", "non-square-pixels"} <= flags(facts)
    assert text(facts, "other-streams") == "besides the video there is audio"


def test_codecs_parameters_are_what_browsers_expect(tmp_path: Path) -> None:
    """avc1 as in the avcC box, av01 as in av1C; VP9 by its level table."""
    h264(tmp_path / "a.mp4", "-preset", "veryfast", "-profile:v", "main", "-level", "3.1")
    assert probe(tmp_path / "a.mp4").codecs == "avc1.4d401f"
    vp9 = ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8")
    clip(tmp_path / "b.webm", *vp9, frames=5)
    assert probe(tmp_path / "b.webm").codecs == "vp09.00.10.08"
    clip(tmp_path / "c.mp4", *vp9, frames=5, source="testsrc2=s=848x480:r=25")
    assert probe(tmp_path / "c.mp4").codecs == "vp09.00.30.08"
    av1 = ("-c:v", "libsvtav1", "-preset", "12", "-pix_fmt", "yuv420p10le")
    clip(tmp_path / "d.webm", *av1, frames=5)
    assert probe(tmp_path / "d.webm").codecs == "av01.0.00M.10"


# What is no clip

REAL = Path("real.webm")


def hls(folder: Path, port: int) -> bytes:
    return (
        f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nhttp://127.0.0.1:{port}/a.ts\n"
        f"#EXTINF:10,\n{folder / REAL}\n#EXT-X-ENDLIST\n"
    ).encode()


def ffconcat(folder: Path, port: int) -> bytes:
    return f"ffconcat version 1.0\nfile {REAL}\nfile http://127.0.0.1:{port}/b.ts\n".encode()


def dash(folder: Path, port: int) -> bytes:
    base = f"http://127.0.0.1:{port}/"
    return f'<?xml version="1.0"?><MPD><BaseURL>{base}</BaseURL></MPD>'.encode()


@contextmanager
def listening() -> Iterator[tuple[int, list[str]]]:
    """A server that answers nothing and remembers who asked."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1], asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("name", ["clip.mp4", "clip.webm"])
@pytest.mark.parametrize(
    ("write", "called"),
    [(hls, "an HLS playlist"), (ffconcat, "an ffconcat list"), (dash, "an XML text")],
)
@pytest.mark.parametrize("straight", [False, True], ids=["whole chain", "demuxer alone"])
def test_lists_of_other_files_open_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    write,
    called: str,
    name: str,
    straight: bool,
) -> None:
    """Text that names files and addresses is refused by its bytes; and were that first look not
    there, the demuxer would refuse it as well. Nobody is asked for anything."""
    vp8(tmp_path / REAL, frames=5)
    with listening() as (port, asked):
        path = tmp_path / name
        path.write_bytes(write(tmp_path, port))
        if straight:
            layout = container.examine(tmp_path / REAL)
            monkeypatch.setattr(container, "examine", lambda _: layout)
        with pytest.raises(MediaError) as caught:
            probe(path)
    assert str(path) in str(caught.value)
    assert (called in str(caught.value)) is not straight
    assert asked == []


def lfs() -> bytes:
    return b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n"


@pytest.mark.parametrize(
    ("content", "reason", "remedy"),
    [
        (b"", "the file is empty", "fetch or copy the file again"),
        (lfs(), "is a Git LFS pointer", "run `git lfs pull`"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "is a PNG picture", "export the clip anew"),
        (b"<!doctype html><title>404</title>", "is a web page", "export the clip anew"),
        (b"RIFF\0\0\0\0AVI LIST", "is an AVI, WAV or WebP file", "export the clip anew"),
        (b"hello", "is no WebM or MP4 file", "export the clip anew"),
        (b"\x1a\x45\xdf\xa3", "is cut off", "fetch or copy the file again"),
        (b"\0\0\0\x18ftypisom" + bytes(12), "has no index", "fetch or copy the file again"),
        (b"\0\0\0\x18ftypisom", "is cut off", "fetch or copy the file again"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_is_no_clip_says_what_it_is(
    tmp_path: Path, content: bytes, reason: str, remedy: str
) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)
    with pytest.raises(MediaError) as caught:
        probe(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert reason in message
    assert remedy in message
    assert "\n" not in message


@pytest.mark.parametrize("kind", ["webm", "cues.webm", "late.mp4", "first.mp4"])
def test_cut_files_are_told_from_whole_ones(tmp_path: Path, kind: str) -> None:
    """Wherever the cut falls, in either container, index first or last."""
    whole, cut = tmp_path / f"whole.{kind}", tmp_path / f"cut.{kind}"
    if kind.endswith("webm"):
        vp8(whole, *(("-cues_to_front", "1") if kind == "cues.webm" else ()))
    else:
        h264(whole, *(("-movflags", "+faststart") if kind == "first.mp4" else ()))
    assert probe(whole).frame_count == 50
    data = whole.read_bytes()
    for kept in (40, len(data) // 3, len(data) // 2, len(data) - 300, len(data) - 1):
        cut.write_bytes(data[:kept])
        with pytest.raises(MediaError, match=r"cut off|no media data"):
            probe(cut)


def test_sound_alone_is_no_clip(tmp_path: Path) -> None:
    for name in ("a.mp4", "a.webm"):
        ffmpeg("-f", "lavfi", "-i", "sine", "-t", "1", tmp_path / name)
        with pytest.raises(MediaError, match=r"has no video track \(only audio\)"):
            probe(tmp_path / name)


def test_a_cover_picture_is_no_video(tmp_path: Path) -> None:
    ffmpeg("-f", "lavfi", "-i", "color=s=64x64", "-frames:v", "1", tmp_path / "cover.png")
    ffmpeg(
        *("-f", "lavfi", "-i", "sine", "-i", tmp_path / "cover.png", "-t", "1", "-map", "0"),
        *("-map", "1", "-c:v", "copy", "-disposition:v:0", "attached_pic", tmp_path / "a.mp4"),
    )
    with pytest.raises(MediaError, match="has no video track"):
        probe(tmp_path / "a.mp4")


def test_a_codec_that_is_not_opened_is_named(tmp_path: Path) -> None:
    clip(tmp_path / "a.mp4", "-c:v", "mjpeg", frames=3)
    with pytest.raises(MediaError, match="is coded in 'mjpeg'"):
        probe(tmp_path / "a.mp4")


def test_only_regular_files_in_their_own_folder_are_opened(tmp_path: Path) -> None:
    inside, outside = tmp_path / "media", tmp_path / "elsewhere"
    inside.mkdir()
    outside.mkdir()
    vp8(outside / "real.webm", frames=5)
    (inside / "link.webm").symlink_to(outside / "real.webm")
    (inside / "dangling.webm").symlink_to(outside / "gone.webm")
    (inside / "folder.webm").mkdir()
    os.mkfifo(inside / "pipe.webm")
    for name, reason in (
        ("link.webm", "the link leaves its folder"),
        ("dangling.webm", "the link leads nowhere"),
        ("folder.webm", "is a folder"),
        ("pipe.webm", "is no regular file"),
        ("missing.webm", "there is no such file"),
    ):
        with pytest.raises(MediaError, match=reason):
            probe(inside / name)


def test_a_link_within_its_folder_is_followed(tmp_path: Path) -> None:
    vp8(tmp_path / "real.webm", frames=5)
    (tmp_path / "link.webm").symlink_to(tmp_path / "real.webm")
    assert probe(tmp_path / "link.webm").frame_count == 5


@pytest.mark.parametrize("name", ["-i.webm", "a%03d.webm", "http:__x.webm", "ü '\"$(x) .webm"])
def test_names_are_names_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    vp8(tmp_path / "plain.webm", frames=5)
    (tmp_path / "plain.webm").rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert probe(Path(name)).frame_count == 5


def test_a_reader_that_crashes_or_hangs_is_one_files_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = vp8(tmp_path / "a.webm", frames=5)
    reader = tmp_path / "reader.py"
    monkeypatch.setattr(packets, "READER", reader)
    reader.write_text("import os; os.abort()")
    with pytest.raises(MediaError, match=r"a\.webm: the demuxer broke off"):
        probe(path)
    monkeypatch.setattr(packets, "LIMITS", replace(packets.LIMITS, wall_s=0.5))
    reader.write_text("import time; time.sleep(60)")
    with pytest.raises(MediaError, match=r"a\.webm: stopped after 0\.5 s"):
        probe(path)


def test_damaged_sizes_end_in_an_error_not_a_crash(tmp_path: Path) -> None:
    """Random bytes over the head of real files: facts or a MediaError, never anything else."""
    import random

    dice = random.Random(7)
    for whole in (vp8(tmp_path / "a.webm", frames=8), h264(tmp_path / "a.mp4", frames=8)):
        data = whole.read_bytes()
        for trial in range(6):
            spoilt = bytearray(data)
            for _ in range(dice.choice((1, 4, 40))):
                spoilt[dice.randrange(8, len(spoilt))] = dice.randrange(256)
            path = tmp_path / f"{trial}{whole.suffix}"
            path.write_bytes(spoilt)
            with suppress(MediaError):
                assert probe(path).frame_count > 0


def test_a_box_that_claims_to_be_huge_is_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"\0\0\0\x10ftypisom\0\0\0\0" + struct.pack(">I4sQ", 1, b"moov", 2**62))
    with pytest.raises(MediaError, match="cut off"):
        probe(path)


@pytest.mark.parametrize(("degrees", "turned"), [("90", 270), ("180", 180), ("-90", 90)])
def test_an_index_that_turns_the_picture_is_flagged(
    tmp_path: Path, degrees: str, turned: int
) -> None:
    """ffmpeg counts anticlockwise, players and this flag clockwise."""
    plain = h264(tmp_path / "a.mp4", "-bf", "0", frames=5)
    assert "turned" not in flags(probe(plain))
    ffmpeg("-display_rotation", degrees, "-i", plain, "-c", "copy", tmp_path / "b.mp4")
    facts = probe(tmp_path / "b.mp4")
    assert text(facts, "turned").startswith(f"the index has players turn the picture by {turned} d")
    assert (facts.width, facts.height) == (160, 96)


def test_an_index_that_mirrors_the_picture_is_flagged(tmp_path: Path) -> None:
    plain = h264(tmp_path / "a.mp4", "-bf", "0", frames=5)
    ffmpeg("-display_hflip", "-i", plain, "-c", "copy", tmp_path / "b.mp4")
    assert "mirror" in text(probe(tmp_path / "b.mp4"), "turned")
