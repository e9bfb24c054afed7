"""The one door to ffmpeg: what it refuses, how it ends, what it says."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import ffmpeg as builder
import pytest
from making import clip, vp8

from generator.clips import ffmpeg, process
from generator.errors import MediaError, UsageError

needs_prlimit = pytest.mark.skipif(
    not process.door().bounded_first, reason="limits need `prlimit` of util-linux, absent here"
)


def copy_to(path: Path, demuxer: str, target: Path) -> None:
    node = builder.output(
        ffmpeg.source(path, demuxer)["V:0"], ffmpeg.file_url(target), c="copy", f="null"
    )
    ffmpeg.run(node, about=path.name)


def test_only_media_containers_may_be_demuxers(tmp_path: Path) -> None:
    """Even a caller that asks for concat or HLS by name does not get it."""
    vp8(tmp_path / "real.webm", frames=3)
    listed = tmp_path / "list.mp4"
    listed.write_text("ffconcat version 1.0\nfile real.webm\n")
    playlist = tmp_path / "play.mp4"
    playlist.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nreal.webm\n#EXT-X-ENDLIST\n")
    for path, demuxer in ((listed, "concat"), (playlist, "hls"), (listed, "mov")):
        with pytest.raises(MediaError, match=path.name):
            copy_to(path, demuxer, tmp_path / "out")


def test_decoders_outside_the_list_are_not_opened(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mkv", "-c:v", "mjpeg", frames=2)
    node = builder.output(ffmpeg.source(path, "matroska")["V:0"], "-", f="null")
    with pytest.raises(MediaError, match="opening decoder"):
        ffmpeg.run(node, about="a.mkv")


def test_pictures_beyond_the_limit_are_not_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = vp8(tmp_path / "a.webm", frames=2)
    monkeypatch.setattr(ffmpeg, "MAX_PIXELS", 100)
    node = builder.output(ffmpeg.source(path, "matroska")["V:0"], "-", f="null", xerror=None)
    with pytest.raises(MediaError):
        ffmpeg.run(node, about="a.webm")


def test_a_failure_names_the_work_and_quotes_ffmpeg(tmp_path: Path) -> None:
    (tmp_path / "a.webm").write_bytes(b"\x1a\x45\xdf\xa3" + bytes(200))
    with pytest.raises(MediaError) as caught:
        copy_to(tmp_path / "a.webm", "matroska", tmp_path / "out")
    message = str(caught.value)
    assert message.startswith("a.webm: ffmpeg failed (")
    assert "EBML" in message
    assert "0x" not in message
    assert "\n" not in message


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a disk without room")
def test_a_full_disk_is_the_systems_own_error() -> None:
    node = builder.output(
        ffmpeg.drawn("color=c=black:s=640x360:d=2"), ffmpeg.file_url(Path("/dev/full")), f="mpegts"
    )
    with pytest.raises(OSError, match="No space left on device") as caught:
        ffmpeg.run(node, about="a card")
    assert caught.value.errno == errno.ENOSPC


def test_the_processor_limit_is_passed_on() -> None:
    endless = builder.output(ffmpeg.drawn("testsrc2=s=1280x720"), "-", f="null")
    with pytest.raises(MediaError, match="endless"):
        ffmpeg.run(endless, about="endless", cpu_s=1, wall_s=60)


@needs_prlimit
def test_what_is_written_ends_at_its_bound(tmp_path: Path) -> None:
    target = tmp_path / "a.raw"
    endless = builder.output(
        ffmpeg.drawn("testsrc2=s=320x240"), ffmpeg.file_url(target), f="rawvideo"
    )
    with pytest.raises(MediaError, match=r"^endless: .*(File too large|a file of more than 1 MiB)"):
        ffmpeg.run(endless, about="endless", file_bytes=1 << 20, wall_s=120)
    assert target.stat().st_size == 1 << 20


@needs_prlimit
def test_memory_is_granted_by_the_size_of_a_frame() -> None:
    """Holding 900 frames of 2.8 MB takes more than small pictures are granted."""
    greedy = builder.output(
        ffmpeg.drawn("testsrc2=s=1280x720:d=36,format=yuv444p,reverse"), "-", f="null"
    )
    with pytest.raises(
        MediaError, match=r"^greedy: .*(allocate memory|temporarily unavailable|of memory)"
    ):
        ffmpeg.run(greedy, about="greedy", pixels=0, wall_s=120)


def test_the_version_names_this_very_build() -> None:
    line = subprocess.run(
        [ffmpeg.executable(), "-version"], capture_output=True, text=True, check=True
    ).stdout.split()[2]
    assert ffmpeg.version().startswith(f"{line}+")
    assert ffmpeg.has_encoder("libx264")
    assert not ffmpeg.has_encoder("no-such-encoder")


def test_another_ffmpeg_can_be_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    other = tmp_path / "my ffmpeg"
    other.write_text("#!/bin/sh\necho ffmpeg version 1.2.3 Copyright\n")
    other.chmod(0o755)
    monkeypatch.setenv("MATRIX_FFMPEG", str(other))
    assert ffmpeg.executable() == str(other)
    assert ffmpeg.version().startswith("1.2.3+")
    monkeypatch.setenv("MATRIX_FFMPEG", str(tmp_path / "none"))
    with pytest.raises(UsageError, match="MATRIX_FFMPEG"):
        ffmpeg.executable()


@pytest.mark.parametrize("program", ["/bin/true", "/bin/false", "/bin/echo", "/bin/cat"])
def test_what_is_no_ffmpeg_is_told_in_one_line(program: str, tmp_path: Path) -> None:
    """A build of a new project, as a person gives the command."""
    if not Path(program).exists():
        pytest.skip(f"needs {program}")
    sample = Path(__file__).resolve().parents[1] / "sample"
    shutil.copytree(sample, tmp_path / "mine")
    done = subprocess.run(
        [sys.executable, "-m", "generator", "build", "--root", str(tmp_path / "mine")],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "MATRIX_FFMPEG": program},
    )
    assert done.returncode == 2
    (said,) = done.stderr.splitlines()
    assert said.endswith(
        f"{program}: does not answer as ffmpeg does; name an ffmpeg in MATRIX_FFMPEG, or unset it"
    )
    assert not (tmp_path / "mine" / "site").exists()
