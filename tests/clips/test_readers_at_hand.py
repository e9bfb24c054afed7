"""Readers that stay for the next file: they tell what one started for each file tells."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from making import h264, vp8
from programs import until_gone

from generator.clips import packets, process
from generator.clips.packets import read_track, readers_at_hand
from generator.errors import MediaError

pytestmark = pytest.mark.skipif(
    not process.can_keep(), reason="this system lends no namespaces: every reader is started anew"
)
REAL = packets.READER


def test_many_files_read_by_few_readers_are_read_as_by_one_each(
    tmp_path: Path, archive: Path
) -> None:
    made = [
        vp8(tmp_path / "a.webm"),
        h264(tmp_path / "a.mp4"),
        h264(tmp_path / "b.mov", "-bf", "2"),
    ]
    real = sorted(path for path in archive.iterdir() if path.suffix in (".webm", ".mp4"))[:12]
    alone = [read_track(path) for path in made + real]
    with readers_at_hand(), ThreadPoolExecutor(3) as pool:
        together = list(pool.map(read_track, made + real))
        assert 1 <= len(packets._at_hand) <= 3
    assert together == alone
    until_gone(str(REAL))


def test_what_is_wrong_is_said_in_the_same_words(tmp_path: Path) -> None:
    whole = h264(tmp_path / "a.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.webm").write_text("no clip")
    for path in (tmp_path / "cut.mp4", tmp_path / "text.webm", tmp_path / "gone.mp4"):
        with pytest.raises(MediaError) as alone:
            read_track(path)
        with readers_at_hand(), pytest.raises(MediaError) as at_hand:
            read_track(path)
        assert str(at_hand.value) == str(alone.value)


MISBEHAVIOUR = {
    "ends at once": "sys.exit(3)",
    "says nothing": "time.sleep(600)",
    "says nonsense": "print('ready when you are', flush=True); time.sleep(600)",
    "breaks off": "sys.stdin.readline(); print('0 99\\n{}', flush=True); time.sleep(600)",
    "ends in the middle": "sys.stdin.readline(); print('0 99\\n{}', flush=True)",
    "promises too much": "sys.stdin.readline(); print(f'0 {1 << 40}', flush=True)",
    "tells of a fault": "sys.stdin.readline(); print('11 2\\n{}', flush=True)",
    "answers no question": "sys.stdin.readline(); print('0 2\\n[]', flush=True); time.sleep(600)",
}


@pytest.mark.parametrize("does", MISBEHAVIOUR.values(), ids=MISBEHAVIOUR)
def test_a_file_is_read_alone_where_a_reader_at_hand_misbehaves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, does: str
) -> None:
    path = vp8(tmp_path / "a.webm", frames=5)
    right = read_track(path)
    reader = tmp_path / "reader.py"
    reader.write_text(
        "import runpy, sys, time\n"
        f"if len(sys.argv) > 2: runpy.run_path({str(REAL)!r}, run_name='__main__')\n"
        f"else: {does}\n"
    )
    monkeypatch.setattr(packets, "READER", reader)
    monkeypatch.setattr(packets, "LIMITS", replace(packets.LIMITS, wall_s=2))
    with readers_at_hand():
        assert read_track(path) == right
    until_gone(str(reader))


def test_nothing_that_reading_one_file_started_is_left_for_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A demuxer gone astray starts a process of its own session; then the next file is read."""
    first, second = vp8(tmp_path / "first.webm", frames=5), vp8(tmp_path / "next.webm", frames=6)
    right = [read_track(first), read_track(second)]
    mark = "seven-hundred-winks"
    reader = tmp_path / "reader.py"
    reader.write_text(f"""
import os, runpy, subprocess, sys
real = runpy.run_path({str(REAL)!r}, run_name="reader")
def read(*question):
    sleeper = [sys.executable, "-I", "-S", "-c", "import time; time.sleep(600)", {mark!r}]
    subprocess.Popen(sleeper, start_new_session=True, stdout=subprocess.DEVNULL)
    return true(*question)
true = real["read"]
real["main"].__globals__["read"] = read
real["main"]()
""")
    monkeypatch.setattr(packets, "READER", reader)
    with readers_at_hand():
        for path, track in zip((first, second), right, strict=True):
            assert read_track(path) == track
            until_gone(mark)
        assert len(packets._at_hand) == 1
    until_gone(str(reader))


def test_an_interrupted_build_ends_readers_at_hand(tmp_path: Path) -> None:
    path = vp8(tmp_path / "a.webm", frames=5)
    with readers_at_hand():
        right = read_track(path)
        process.end_all()
        until_gone(str(REAL))
        assert read_track(path) == right
