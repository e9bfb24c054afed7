"""Poster, thumbnail and storyboard: the right frames, read back from cards that number theirs."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from making import clip, h264, vp8
from numpy.typing import NDArray

from generator.clips import ffmpeg, prepare
from generator.clips.card import render_card
from generator.clips.framecode import read_frame_code
from generator.clips.stills import plan_stills
from generator.records import Media


def prepared(path: Path, spread: Fraction | None = None) -> Media:
    return prepare(path, sha256=None, spread_over_s=spread, cache=path.parent / "cache")


def gray(path: Path) -> NDArray[np.uint8]:
    with av.open(str(path)) as opened:
        return next(opened.decode(video=0)).to_ndarray(format="gray")


def frame_gray(path: Path, *, frame: int) -> NDArray[np.float64]:
    with av.open(str(path)) as opened:
        frames = [one.to_ndarray(format="gray") for one in opened.decode(video=0)]
    return frames[frame].astype(float)


def test_the_poster_shows_the_frame_at_forty_per_cent(tmp_path: Path) -> None:
    path = tmp_path / "card.mp4"
    render_card(path, width=512, height=288, rate=Fraction(25), seconds=Fraction(4))
    poster = prepared(path).poster
    picture = gray(poster.path)
    assert (poster.width, poster.height) == (512, 288) == picture.shape[::-1]
    assert read_frame_code(picture) == 40


def test_the_thumbnail_is_the_poster_made_small(tmp_path: Path) -> None:
    path = tmp_path / "card.mp4"
    render_card(path, width=1024, height=768, rate=Fraction(25), seconds=Fraction(4))
    media = prepared(path)
    small, large = gray(media.thumbnail.path).astype(float), frame_gray(path, frame=40)
    assert small.shape == (192, 256)
    assert np.abs(small - large.reshape(192, 4, 256, 4).mean(axis=(1, 3))).mean() < 3
    assert media.thumbnail.path.stat().st_size < media.poster.path.stat().st_size / 2


def test_tiles_show_the_middle_of_each_part(tmp_path: Path) -> None:
    """200 frames, 25 tiles: tile i shows frame 8 i + 4."""
    path = tmp_path / "card.mp4"
    render_card(path, width=640, height=384, rate=Fraction(25), seconds=Fraction(8))
    media = prepared(path)
    board = media.storyboard
    picture = gray(board.path)
    assert picture.shape == (board.height, board.width) == (480, 800)
    assert (board.tiles, board.columns, board.rows) == (25, 5, 5)
    assert (board.tile_width, board.tile_height) == (160, 96)
    assert plan_stills(media.display.facts).tile_frames == tuple(range(4, 200, 8))
    with av.open(str(path)) as opened:
        frames = [frame.to_ndarray(format="gray") for frame in opened.decode(video=0)]
    shrunk = [frame.reshape(96, 4, 160, 4).mean(axis=(1, 3)) for frame in frames]
    for tile in range(25):
        y, x = tile // 5 * 96, tile % 5 * 160
        seen = picture[y : y + 96, x : x + 160].astype(float)
        distances = [np.abs(seen - other).mean() for other in shrunk]
        assert int(np.argmin(distances)) == 8 * tile + 4


def test_uneven_clips_are_divided_by_time_not_by_number(tmp_path: Path) -> None:
    """Frames 0 to 99 in two seconds, 100 to 149 in four: a third of the tiles show the first."""
    clock = "setpts=if(lt(N\\,100)\\,N*0.02\\,2+(N-100)*0.08)/TB"
    options = ("-vf", clock, "-fps_mode", "passthrough", "-enc_time_base", "1:1000", "-bf", "0")
    path = h264(tmp_path / "a.mp4", *options, frames=150)
    tiles = plan_stills(prepared(path).display.facts).tile_frames
    assert len(tiles) == 25
    assert sum(tile < 100 for tile in tiles) == 8


@pytest.mark.parametrize("frames", [1, 2, 7, 24, 26])
def test_short_clips_have_as_many_tiles_as_frames(tmp_path: Path, frames: int) -> None:
    board = prepared(vp8(tmp_path / "a.webm", frames=frames)).storyboard
    assert board.tiles == min(frames, 25)
    assert gray(board.path).shape == (board.height, board.width)


@pytest.mark.parametrize(
    ("size", "poster", "thumbnail", "tile"),
    [
        ("1280x720", (848, 477), (256, 144), (160, 90)),
        ("96x160", (96, 160), (96, 160), (96, 160)),
        ("480x832", (480, 832), (256, 444), (116, 200)),
        ("64x48", (64, 48), (64, 48), (64, 48)),
    ],
)
def test_sizes_are_told_as_they_are(
    tmp_path: Path,
    size: str,
    poster: tuple[int, int],
    thumbnail: tuple[int, int],
    tile: tuple[int, int],
) -> None:
    media = prepared(vp8(tmp_path / "a.webm", frames=2, source=f"testsrc2=s={size}:r=25"))
    assert (media.poster.width, media.poster.height) == poster
    assert gray(media.poster.path).shape[::-1] == poster
    assert (media.thumbnail.width, media.thumbnail.height) == thumbnail
    assert gray(media.thumbnail.path).shape[::-1] == thumbnail
    assert (media.storyboard.tile_width, media.storyboard.tile_height) == tile
    assert gray(media.storyboard.path).shape == (media.storyboard.height, media.storyboard.width)


def test_without_webp_there_is_jpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ffmpeg, "has_encoder", lambda name: name != "libwebp")
    media = prepared(vp8(tmp_path / "a.webm", frames=5))
    for picture in (media.poster, media.thumbnail, media.storyboard):
        assert picture.path.suffix == ".jpg"
        assert picture.path.read_bytes()[:3] == b"\xff\xd8\xff"


def test_colours_survive(tmp_path: Path) -> None:
    """A red clip has a red poster, whatever the colour matrix of its size."""
    for size in ("160x96", "1280x720"):
        path = clip(
            tmp_path / f"{size}.mp4",
            *("-c:v", "libx264", "-pix_fmt", "yuv420p", "-bf", "0"),
            *("-vf", "scale=out_color_matrix=bt709", "-colorspace", "bt709"),
            frames=2,
            source=f"color=c=0xcc2010:s={size}:r=25",
        )
        with av.open(str(prepared(path).poster.path)) as opened:
            colour = next(opened.decode(video=0)).to_ndarray(format="rgb24").mean(axis=(0, 1))
        assert np.abs(colour - (0xCC, 0x20, 0x10)).max() < 8, (size, colour)
