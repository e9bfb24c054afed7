"""Display copies against their originals: the same packets wherever packets can stay."""

from __future__ import annotations

import hashlib
from fractions import Fraction
from pathlib import Path

import av
import pytest
from making import clip, ffmpeg, h264, packets, pictures, times, vp8

from generator.clips import prepare, retime
from generator.clips.cache import cached_facts
from generator.clips.display import make_display
from generator.clips.retime import even_grid, ticks
from generator.errors import MediaError
from generator.records import Display

FIRST = ("-movflags", "+faststart")


def show(path: Path, spread: Fraction | int | None = None) -> Display:
    cache = path.parent / "cache"
    facts = cached_facts(path, sha256=None, cache=cache)
    over = None if spread is None else Fraction(spread)
    return make_display(path, facts, over, cache=cache)


# Where frames belong


def test_an_even_grid_in_closed_form() -> None:
    assert even_grid(4, Fraction(2)) == (0, Fraction(1, 2), 1, Fraction(3, 2))
    tick = Fraction(1, 1000)
    grid = even_grid(987, Fraction(20), tick_s=tick)
    assert grid[1] == Fraction(20, 1000)  # 20.263 ms
    assert grid[2] == Fraction(41, 1000)  # 40.527 ms
    assert len(set(grid)) == 987
    assert all(abs(time - n * Fraction(20, 987)) <= tick / 2 for n, time in enumerate(grid))
    assert even_grid(2, Fraction(1, 1000), tick_s=tick) == (0, tick)  # a half goes up


@pytest.mark.parametrize("rate", ["49.3", "24", "24000/1001", "987/20", "0.5", "1000"])
def test_ticks_hit_every_frame(rate: str) -> None:
    base, frame = ticks(Fraction(rate))
    assert Fraction(base, frame) == Fraction(rate)
    assert base >= 10_000


# Kinds of copies


def test_what_needs_nothing_is_left_alone(tmp_path: Path) -> None:
    path = h264(tmp_path / "a.mp4", "-bf", "0", *FIRST)
    display = show(path)
    assert (display.kind, display.path) == ("original", path)
    configuration = path.read_bytes().split(b"avcC")[1]
    assert display.mime == f'video/mp4; codecs="avc1.{configuration[1:4].hex()}"'
    webm = vp8(tmp_path / "a.webm", "-cues_to_front", "1")
    assert show(webm).kind == "original"
    assert show(webm).mime == 'video/webm; codecs="vp8"'


def test_a_file_already_spread_is_left_alone(tmp_path: Path) -> None:
    path = h264(tmp_path / "a.mp4", "-bf", "0", *FIRST)
    assert show(path, 2).kind == "original"
    assert show(path, 3).kind == "retimed"


def test_a_wrong_suffix_is_mended_in_a_copy_of_the_same_bytes(tmp_path: Path) -> None:
    path = h264(tmp_path / "a.mp4", "-bf", "0", *FIRST).rename(tmp_path / "a.webm")
    display = show(path)
    assert display.kind == "original"
    assert display.path.suffix == ".mp4"
    assert display.path.read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    "name", ["late.mp4", "reordered.mp4", "late.webm", "live.webm", "h264.mkv", "vp8.mkv"]
)
def test_an_index_is_moved_and_nothing_else(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "live.webm":
        vp8(tmp_path / "a.webm")
        ffmpeg("-i", tmp_path / "a.webm", "-c", "copy", "-live", "1", path)
    elif name in ("late.webm", "vp8.mkv"):
        vp8(path)
    else:
        reorder = ("-preset", "medium", "-bf", "3") if name != "late.mp4" else ("-bf", "0")
        h264(path, *reorder)
    display = show(path)
    assert display.kind == "remuxed"
    assert display.path.suffix == (".mp4" if "h264" in name or "mp4" in name else ".webm")
    assert display.facts.index_first
    assert packets(display.path) == packets(path)
    assert times(display.path) == times(path)
    assert list(pictures(display.path)) == list(pictures(path))


def test_sound_does_not_come_along(tmp_path: Path) -> None:
    ffmpeg(
        *("-f", "lavfi", "-i", "testsrc2=s=160x96:r=25", "-f", "lavfi", "-i", "sine", "-t", "1"),
        *("-c:v", "libvpx", "-deadline", "realtime", "-cues_to_front", "1", tmp_path / "a.webm"),
    )
    display = show(tmp_path / "a.webm")
    assert display.kind == "remuxed"
    assert packets(display.path) == packets(tmp_path / "a.webm")
    with av.open(str(display.path)) as opened:
        assert [stream.type for stream in opened.streams] == ["video"]


# Retiming


@pytest.mark.parametrize("spread", [Fraction(3), Fraction("7.77"), Fraction(1, 3)])
@pytest.mark.parametrize("name", ["vp8.webm", "h264.mp4", "bframes.mp4", "vp9.mp4", "h264.mkv"])
def test_frames_are_spread_exactly_and_stay_the_same(
    tmp_path: Path, name: str, spread: Fraction
) -> None:
    path = tmp_path / name
    if name == "vp8.webm":
        vp8(path)
    elif name == "vp9.mp4":
        clip(path, "-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8")
    else:
        h264(path, *(("-preset", "medium", "-bf", "3") if name == "bframes.mp4" else ("-bf", "0")))
    display = show(path, spread)
    tick = Fraction(1, 1000) if name == "vp8.webm" else None
    assert display.kind == "retimed"
    assert packets(display.path) == packets(path)
    assert times(display.path) == list(even_grid(50, spread, tick_s=tick))
    rounding = 0 if tick is None else tick / 2
    assert abs(display.facts.duration_s - spread) <= rounding
    assert list(pictures(display.path)) == list(pictures(path))
    assert {flag.id for flag in display.facts.flags} <= {
        "reordered",
        "long-keyframe-interval",
        "stated-rate",
    }


def unusual(folder: Path) -> dict[str, Path]:
    """Files as recorders and cutters leave them, all of the same fifty frames out of order."""
    base = h264(folder / "base.mp4", "-preset", "medium", "-bf", "3")
    paths = {name: folder / name for name in ("fragments.mp4", "late.mp4", "late.mkv", "cut.mp4")}
    copy = ("-c", "copy")
    ffmpeg("-i", base, *copy, "-movflags", "frag_keyframe+empty_moov", paths["fragments.mp4"])
    ffmpeg("-itsoffset", "3", "-i", base, *copy, paths["late.mp4"])
    ffmpeg("-i", base, *copy, "-output_ts_offset", "3", paths["late.mkv"])
    ffmpeg("-ss", "0.5", "-i", base, *copy, paths["cut.mp4"])
    return paths


@pytest.mark.parametrize("name", ["fragments.mp4", "late.mp4", "late.mkv"])
def test_unusual_files_are_retimed_without_loss(tmp_path: Path, name: str) -> None:
    path = unusual(tmp_path)[name]
    display = show(path, 4)
    assert display.kind == "retimed"
    assert display.facts.timestamps_s == even_grid(50, Fraction(4))
    assert packets(display.path) == packets(tmp_path / "base.mp4")
    assert list(pictures(display.path)) == list(pictures(tmp_path / "base.mp4"))


@pytest.mark.parametrize("name", ["late.mp4", "late.mkv"])
def test_a_copy_starts_at_zero_and_keeps_the_intervals(tmp_path: Path, name: str) -> None:
    path = unusual(tmp_path)[name]
    assert times(path)[0] >= 3
    display = show(path)
    assert display.kind == "remuxed"
    assert display.facts.timestamps_s == tuple(Fraction(n, 25) for n in range(50))


@pytest.mark.parametrize("spread", [None, 4])
def test_frames_that_an_edit_list_hides_stay_hidden(tmp_path: Path, spread: int | None) -> None:
    path = unusual(tmp_path)["cut.mp4"]
    facts = cached_facts(path, sha256=None, cache=tmp_path / "cache")
    with av.open(str(path)) as opened:
        shown = sum(1 for _ in opened.decode(video=0))
    assert shown < facts.frame_count
    display = show(path, spread)
    assert display.kind == "re-encoded"
    assert display.facts.frame_count == shown
    if spread is not None:
        assert display.facts.timestamps_s == even_grid(shown, Fraction(spread))


def test_duplicates_become_distinct(tmp_path: Path) -> None:
    vp8(tmp_path / "a.webm")
    shared = "setts=pts=floor(N/2)*80:dts=floor(N/2)*80"
    ffmpeg("-i", tmp_path / "a.webm", "-c", "copy", "-bsf:v", shared, tmp_path / "b.webm")
    display = show(tmp_path / "b.webm", 5)
    assert display.kind == "retimed"
    assert display.facts.distinct_timestamps == 50
    assert display.facts.duration_s == 5
    assert display.facts.stated_rate_hz == 10
    assert packets(display.path) == packets(tmp_path / "a.webm")


def test_what_cannot_be_retimed_without_decoding_is_encoded_and_says_why(tmp_path: Path) -> None:
    """Out of order and uneven; and packets that are never shown."""
    uneven = ("-vf", "select=mod(n\\,4)", "-fps_mode", "passthrough")
    path = h264(tmp_path / "a.mp4", "-preset", "medium", "-bf", "3", *uneven)
    display = show(path, 4)
    assert display.kind == "re-encoded"
    assert display.recipe["why"] == "its frames are stored out of order and come unevenly"
    assert display.facts.timestamps_s == even_grid(50, Fraction(4))
    assert display.facts.duration_s == 4

    hiding = ("-c:v", "libvpx", "-auto-alt-ref", "1", "-lag-in-frames", "16", "-b:v", "100k")
    for half in ("1", "2"):
        twice = ("-pass", half, "-passlogfile", str(tmp_path / "log"))
        clip(tmp_path / "b.webm", *hiding, *twice, frames=60)
    display = show(tmp_path / "b.webm", 4)
    assert display.kind == "re-encoded"
    assert display.facts.timestamps_s == even_grid(60, Fraction(4))


def test_a_spread_that_no_player_could_show_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"50 frames cannot be spread over 0\.04 s; mend"):
        show(vp8(tmp_path / "a.webm"), Fraction(4, 100))


# Encoding anew

UNPLAYABLE = {
    "hevc.mp4": ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none"),
    "h264-444.mp4": ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv444p"),
    "h264-10bit.mp4": ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p10le"),
    "ffv1.mkv": ("-c:v", "ffv1"),
    "prores.mov": ("-c:v", "prores_ks"),
}


@pytest.mark.parametrize("name", UNPLAYABLE)
@pytest.mark.parametrize("spread", [None, 5])
def test_what_no_browser_plays_becomes_h264(tmp_path: Path, name: str, spread: int | None) -> None:
    path = clip(tmp_path / name, *UNPLAYABLE[name], frames=40)
    display = show(path, spread)
    facts = display.facts
    assert display.kind == "re-encoded"
    assert str(display.recipe["why"]).startswith("no browser is sure to play")
    assert (facts.codec, facts.pixel_format, facts.container) == ("h264", "yuv420p", "mp4")
    assert facts.frame_count == 40
    rate = Fraction(25) if spread is None else Fraction(8)
    assert facts.timestamps_s == tuple(n / rate for n in range(40))
    assert facts.index_first
    assert display.mime.startswith('video/mp4; codecs="avc1.64')
    worst = max(differences(path, display.path))
    assert worst < 12, "the copy shows other pictures"


def differences(one: Path, other: Path) -> list[float]:
    """Mean difference of luma, frame by frame, on a scale of 255."""
    import numpy as np

    found = []
    with av.open(str(one)) as a, av.open(str(other)) as b:
        for left, right in zip(a.decode(video=0), b.decode(video=0), strict=True):
            luma = [frame.to_ndarray(format="gray").astype(np.int16) for frame in (left, right)]
            found.append(float(np.abs(luma[0] - luma[1]).mean()))
    return found


def test_duplicate_times_survive_encoding_in_order(tmp_path: Path) -> None:
    clip(tmp_path / "a.mkv", "-c:v", "ffv1", frames=20)
    shared = "setts=pts=floor(N/2)*80:dts=floor(N/2)*80"
    ffmpeg("-i", tmp_path / "a.mkv", "-c", "copy", "-bsf:v", shared, tmp_path / "b.mkv")
    display = show(tmp_path / "b.mkv")
    stamps = display.facts.timestamps_s
    assert display.facts.frame_count == 20
    assert len(set(stamps)) == 20
    assert [round(stamp * 1000) // 80 for stamp in stamps] == [n // 2 for n in range(20)]


def test_odd_sides_are_padded_for_h264(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mkv", "-vf", "scale=161:97", "-c:v", "ffv1", frames=3)
    facts = show(path).facts
    assert (facts.width, facts.height) == (162, 98)


def test_encoding_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    source = clip(tmp_path / "a.mkv", "-c:v", "ffv1", frames=40)
    hashes = set()
    for place in ("one", "two"):
        facts = cached_facts(source, sha256=None, cache=tmp_path / place)
        display = make_display(source, facts, None, cache=tmp_path / place)
        hashes.add(hashlib.sha256(display.path.read_bytes()).hexdigest())
    assert len(hashes) == 1


def test_a_copy_that_came_out_wrong_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plan that promises other times than its options make: nothing of it is kept."""
    path = vp8(tmp_path / "a.webm")
    wrong = tuple(Fraction(n) for n in range(50))
    monkeypatch.setattr(retime, "even_grid", lambda *_, **__: wrong)
    with pytest.raises(MediaError, match=r"a\.webm: no right display copy .*other times"):
        show(path, 3)
    assert list((tmp_path / "cache").rglob("display.*")) == []


def test_a_file_with_spoilt_frames_is_refused(tmp_path: Path) -> None:
    """The container is whole, its frames are not: the stills find no picture."""
    path = h264(tmp_path / "a.mp4", "-bf", "0", *FIRST)
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + 4
    data[start:] = bytes(len(data) - start)
    path.write_bytes(data)
    with pytest.raises(MediaError, match=r"a\.mp4: "):
        prepare(path, sha256=None, spread_over_s=None, cache=tmp_path / "cache")


# All of it


def test_everything_a_page_needs_comes_at_once_and_again_for_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = vp8(tmp_path / "a.webm")
    media = prepare(path, sha256=None, spread_over_s=Fraction(4), cache=tmp_path / "cache")
    assert media.source == path
    assert media.facts.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert media.display.facts.sha256 == hashlib.sha256(media.display.path.read_bytes()).hexdigest()
    assert media.facts.duration_s == 2
    assert media.display.facts.duration_s == 4

    def refuse(*_: object, **__: object) -> None:
        pytest.fail("a warm cache starts no program")

    monkeypatch.setattr("generator.clips.ffmpeg.run_alone", refuse)
    monkeypatch.setattr("generator.clips.packets.run_alone", refuse)
    again = prepare(path, sha256=None, spread_over_s=Fraction(4), cache=tmp_path / "cache")
    assert again == media


def test_bytes_do_not_depend_on_place_or_day(tmp_path: Path) -> None:
    hashes = []
    for place in ("one", "two"):
        folder = tmp_path / place
        folder.mkdir()
        if place == "one":
            path = vp8(folder / "a.webm")
        else:
            path = folder / "another name.webm"
            path.write_bytes((tmp_path / "one" / "a.webm").read_bytes())
        media = prepare(path, sha256=None, spread_over_s=Fraction(4), cache=folder / "cache")
        made = (media.display.path, media.poster.path, media.storyboard.path)
        hashes.append([hashlib.sha256(file.read_bytes()).hexdigest() for file in made])
        assert str(tmp_path).encode() not in b"".join(file.read_bytes() for file in made)
    assert hashes[0] == hashes[1]
