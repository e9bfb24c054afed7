"""Encoded clips, read back by PyAV: as many frames, evenly spaced, of the pictures given."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from generator.clips.encode import encode
from generator.clips.hashes import sha256_of
from generator.clips.probe import probe
from generator.errors import MediaError


def ramp(frames: int, height: int = 48, width: int = 64) -> np.ndarray:
    """Grey pictures, each a little lighter than the one before."""
    levels = np.linspace(20, 230, frames).astype(np.uint8)
    return np.broadcast_to(levels[:, None, None, None], (frames, height, width, 3)).copy()


@pytest.mark.parametrize(("rate", "frames"), [(Fraction(16), 320), (Fraction(24), 48)])
def test_a_clip_lasts_exactly_as_long_as_its_frames(
    tmp_path: Path, rate: Fraction, frames: int
) -> None:
    """320 frames at 16 a second: exactly 20 s, a keyframe a second, pictures in order."""
    path = tmp_path / "clip.mp4"
    pictures = ramp(frames)
    encode(np.array_split(pictures, 7), path, rate_hz=rate)

    facts = probe(path)
    assert facts.frame_count == frames
    assert facts.duration_s == frames / rate
    assert facts.timestamps_s == tuple(i / rate for i in range(frames))
    gaps = np.diff([*facts.keyframes, frames])
    assert facts.keyframes[0] == 0
    assert gaps.max() <= rate
    assert facts.index_first
    with av.open(str(path)) as container:
        shown = [frame.to_ndarray(format="rgb24").mean() for frame in container.decode(video=0)]
    assert np.abs(np.array(shown) - pictures.mean(axis=(1, 2, 3))).max() < 4


def test_the_same_pictures_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4"):
        encode([ramp(32)], tmp_path / name, rate_hz=Fraction(16))
    assert sha256_of(tmp_path / "a.mp4") == sha256_of(tmp_path / "b.mp4")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "b.mp4"]


def test_a_clip_fits_into_what_it_may_weigh(tmp_path: Path) -> None:
    """Noise, which takes all the bits that it gets: with a limit the file lies under it, and not
    far under it; as many frames, in order, and the same bytes each time."""
    drawn = np.random.default_rng(3)
    noisy = np.clip(ramp(48) + drawn.integers(-40, 40, (48, 48, 64, 3)), 0, 255).astype(np.uint8)
    encode([noisy], tmp_path / "free.mp4", rate_hz=Fraction(12))
    limit = (tmp_path / "free.mp4").stat().st_size // 3
    for name in ("a.mp4", "b.mp4"):
        encode([noisy], tmp_path / name, rate_hz=Fraction(12), most_bytes=limit)
    assert 0.7 * limit < (tmp_path / "a.mp4").stat().st_size <= limit
    assert sha256_of(tmp_path / "a.mp4") == sha256_of(tmp_path / "b.mp4")
    facts = probe(tmp_path / "a.mp4")
    assert facts.timestamps_s == tuple(Fraction(i, 12) for i in range(48))
    with av.open(str(tmp_path / "a.mp4")) as container:
        shown = [frame.to_ndarray(format="rgb24").mean() for frame in container.decode(video=0)]
    assert np.abs(np.array(shown) - noisy.mean(axis=(1, 2, 3))).max() < 12
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "b.mp4", "free.mp4"]


def test_what_cannot_be_that_small_is_said(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="32 frames of 64x48 do not fit into 100 bytes"):
        encode([ramp(32)], tmp_path / "clip.mp4", rate_hz=Fraction(16), most_bytes=100)


def test_no_pictures_make_no_clip(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="no pictures"):
        encode([], tmp_path / "clip.mp4", rate_hz=Fraction(16))
