"""Test cards as PyAV, another decoder, reads them back."""

from __future__ import annotations

import hashlib
import inspect
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from generator.clips import card, card_picture
from generator.clips.card import card_recipe, render_card, rendered
from generator.clips.framecode import read_frame_code
from generator.clips.probe import probe
from generator.errors import MediaError, UsageError
from generator.records import Clip

CASES = [
    (512, 288, Fraction("49.3"), Fraction(20)),
    (848, 480, Fraction("28.7"), Fraction(3)),
    (640, 384, Fraction("12.8"), Fraction(5)),
    (512, 288, Fraction("9.3"), Fraction(20)),
    (480, 832, Fraction(24000, 1001), Fraction(2)),
    (160, 96, Fraction(60), Fraction(1)),
]


def luma(frame: av.VideoFrame) -> NDArray[np.uint8]:
    plane = frame.planes[0]
    rows = np.frombuffer(bytes(plane), np.uint8).reshape(-1, plane.line_size)
    return rows[: frame.height, : frame.width]


@pytest.mark.parametrize(
    ("width", "height", "rate", "seconds"), CASES, ids=lambda value: str(value).replace("/", ":")
)
def test_every_frame_says_its_own_number(
    tmp_path: Path, width: int, height: int, rate: Fraction, seconds: Fraction
) -> None:
    """round(rate * seconds) frames, frame N at N / rate exactly, and N in its pixels."""
    path = tmp_path / "card.mp4"
    render_card(path, width=width, height=height, rate=rate, seconds=seconds)

    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == (width, height)
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        seen = [(frame.pts * stream.time_base, luma(frame)) for frame in container.decode(stream)]
        duration = stream.duration * stream.time_base

    assert [stamp for stamp, _ in seen] == [n / rate for n in range(round(rate * seconds))]
    assert [read_frame_code(picture) for _, picture in seen] == list(range(len(seen)))
    assert duration == len(seen) / rate


def test_a_card_is_made_for_seeking_and_says_so(tmp_path: Path) -> None:
    """Index first, a keyframe a second, no reordering: not one flag."""
    path = tmp_path / "card.mp4"
    render_card(path, width=512, height=288, rate=Fraction("49.3"), seconds=Fraction(4))
    facts = probe(path)
    assert facts.flags == ()
    assert facts.keyframes == (0, 49, 98, 147, 196)
    assert facts.index_first
    assert facts.codecs.startswith("avc1.64")


def test_the_same_order_gives_the_same_bytes(tmp_path: Path) -> None:
    hashes = set()
    for name in ("one", "two"):
        path = tmp_path / f"{name} 100%'s.mp4"
        render_card(path, width=512, height=288, rate=Fraction("24.3"), seconds=Fraction(3))
        hashes.add(hashlib.sha256(path.read_bytes()).hexdigest())
    assert len(hashes) == 1


def test_the_moving_parts_move(tmp_path: Path) -> None:
    """After one crossing the playhead is back; between, it is where time says it is."""
    path = tmp_path / "card.mp4"
    rate, width = Fraction(25), 512
    render_card(path, width=width, height=288, rate=rate, seconds=Fraction(3))
    with av.open(str(path)) as container:
        pictures = [luma(frame) for frame in container.decode(video=0)]
    frame = card_picture.Frame(width=width, height=288, rate=rate, count=75)
    row = frame.rail - round(0.04 * frame.unit)
    for n in range(5, 45):
        expected = float(width * n / rate / 2)
        near = range(round(expected) - 9, round(expected) + 10)
        bright = [x for x in near if pictures[n][row][x] > 180]
        assert abs(sum(bright) / len(bright) + 0.5 - expected) < 1.0, n


@pytest.mark.parametrize(
    "order",
    [
        {"width": 511},
        {"height": 90},
        {"width": 100_000},
        {"rate": Fraction(0)},
        {"rate": Fraction(-5)},
        {"rate": Fraction(10**7, 3)},
        {"seconds": Fraction(0)},
        {"seconds": Fraction(10_000)},
    ],
    ids=str,
)
def test_impossible_cards_are_refused(tmp_path: Path, order: dict[str, Fraction]) -> None:
    usual = {"width": 512, "height": 288, "rate": Fraction(24), "seconds": Fraction(2)}
    with pytest.raises(UsageError, match="a test card"):
        render_card(tmp_path / "card.mp4", **(usual | order))  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_the_recipe_changes_with_everything_that_changes_the_card() -> None:
    usual = {"width": 512, "height": 288, "rate": Fraction(24), "seconds": Fraction(2)}
    recipes = [
        card_recipe(**(usual | change))  # type: ignore[arg-type]
        for change in (
            {},
            {"width": 640},
            {"height": 384},
            {"rate": Fraction("24.1")},
            {"seconds": Fraction(3)},
        )
    ]
    assert all(a != b for i, a in enumerate(recipes) for b in recipes[:i])


def test_a_card_never_names_a_model() -> None:
    source = inspect.getsource(card) + inspect.getsource(card_picture)
    assert " ".join(card_picture.SAYS) == "TEST CARD — no model made this"
    for model in ("memflow", "helios", "rife", "wan", "ltx"):
        assert model not in source.lower()


def cell(**changes: object) -> Clip:
    usual: dict[str, object] = {
        "id": "cards--a",
        "row_id": "a",
        "run": "cards",
        "series": "declared",
        "pipeline": "test-card",
        "prompt": "",
        "width": 512,
        "height": 288,
        "steps": (),
        "fps": Fraction("9.3"),
        "stated_frames": None,
        "stated_seconds": Fraction(2),
        "seed": None,
        "sha256": None,
        "url": None,
        "file": None,
        "no_clip": "",
        "line": 2,
    }
    return Clip(**(usual | changes))  # type: ignore[arg-type]


def test_a_declared_cell_is_rendered_once(tmp_path: Path) -> None:
    first = rendered(cell(), cache=tmp_path)
    stamp = first.stat().st_mtime_ns
    assert rendered(cell(id="cards--b"), cache=tmp_path) == first
    assert first.stat().st_mtime_ns == stamp
    assert rendered(cell(fps=Fraction("9.4")), cache=tmp_path) != first
    assert probe(first).frame_count == 19


def test_a_declared_cell_without_a_rate_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"cards--a: a test card needs a rate"):
        rendered(cell(fps=None), cache=tmp_path)
