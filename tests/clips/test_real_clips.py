"""The 35 clips of the original page: found as archive.csv says, retimed without losing a bit."""

from __future__ import annotations

import csv
import math
from fractions import Fraction
from itertools import product
from pathlib import Path

import pytest
from making import packets, pictures

from generator.clips.cache import cached_facts
from generator.clips.display import make_display, prepare
from generator.records import Display, Facts

pytestmark = pytest.mark.archive

SPREAD = Fraction(20)
STEPS = ("2", "3", "4", "4_norife", "6", "8", "10", "12")
WEBM = [
    f"clip_{prompt}_res{size}_steps{steps}.webm"
    for prompt, size, steps in product(("p0", "p1"), ("512x288", "848x480"), STEPS)
]
MP4 = [f"benchmark_hardware_{name}.mp4" for name in ("1_1_1_A", "2_2_2_A", "2_2_2_B")]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def rows(archive: Path) -> dict[str, dict[str, str]]:
    with (archive / "archive.csv").open(newline="") as file:
        return {row["file"]: row for row in csv.DictReader(file)}


def retimed(path: Path, cache: Path) -> tuple[Facts, Display]:
    facts = cached_facts(path, sha256=None, cache=cache)
    return facts, make_display(path, facts, SPREAD, cache=cache)


def test_these_are_all_of_them(rows: dict[str, dict[str, str]]) -> None:
    assert sorted(rows) == sorted(WEBM + MP4)


@pytest.mark.parametrize("name", WEBM + MP4)
def test_facts_are_those_of_the_table(
    archive: Path, rows: dict[str, dict[str, str]], cache: Path, name: str
) -> None:
    """archive.csv was written with another tool. Its durations are whole milliseconds; an MP4's
    movie header rounds up to them, the track itself is exact."""
    facts, row = cached_facts(archive / name, sha256=None, cache=cache), rows[name]
    found = (facts.codec, facts.frame_count, facts.bytes, facts.sha256)
    assert found == (row["codec"], int(row["frames"]), int(row["bytes"]), row["sha256"])
    assert f"{facts.width}x{facts.height}" == row["resolution"]
    assert Fraction(math.ceil(facts.duration_s * 1000), 1000) == Fraction(
        row["container_duration_s"]
    )
    assert round(facts.frame_count / SPREAD, 2) == Fraction(row["frames_over_20s"])
    assert {"late-index", "long-keyframe-interval"} <= {flag.id for flag in facts.flags}


def test_the_fastest_clip_hides_nearly_half_of_its_frames(archive: Path, cache: Path) -> None:
    facts = cached_facts(archive / WEBM[0], sha256=None, cache=cache)
    assert (facts.frame_count, facts.distinct_timestamps) == (987, 521)
    (flag,) = (flag for flag in facts.flags if flag.id == "duplicate-timestamps")
    assert flag.text.startswith("466 of 987 frames repeat the timestamp of the frame before")


@pytest.mark.parametrize("name", WEBM)
def test_all_frames_are_kept_and_spread_over_twenty_seconds(
    archive: Path, cache: Path, name: str
) -> None:
    """The same packets, byte for byte; each at the millisecond nearest to its place; decoded
    frames bit-identical; 20.000 s; the index in front."""
    facts, display = retimed(archive / name, cache)
    stamps, count = display.facts.timestamps_s, facts.frame_count
    assert display.kind == "retimed"
    assert display.facts.duration_s == SPREAD
    assert display.facts.frame_count == count
    assert display.facts.index_first
    assert len(set(stamps)) == count
    half_tick = Fraction(1, 2000)
    assert all(abs(stamp - n * SPREAD / count) <= half_tick for n, stamp in enumerate(stamps))
    flags = {flag.id for flag in display.facts.flags}
    assert flags <= {"long-keyframe-interval"}
    assert packets(display.path) == packets(archive / name)
    shown = 0
    for ours, theirs in zip(pictures(display.path), pictures(archive / name), strict=True):
        assert ours == theirs
        shown += 1
    assert shown == count


@pytest.mark.parametrize("name", MP4)
def test_frames_stored_out_of_order_can_be_spread_as_well(
    archive: Path, cache: Path, name: str
) -> None:
    facts, display = retimed(archive / name, cache)
    assert display.kind == "retimed"
    expected = tuple(n * SPREAD / facts.frame_count for n in range(facts.frame_count))
    assert display.facts.timestamps_s == expected
    assert display.facts.duration_s == SPREAD
    assert packets(display.path) == packets(archive / name)
    for ours, theirs in zip(pictures(display.path), pictures(archive / name), strict=True):
        assert ours == theirs


@pytest.mark.parametrize("name", MP4)
def test_without_a_spread_only_the_index_moves(archive: Path, cache: Path, name: str) -> None:
    media = prepare(archive / name, sha256=None, spread_over_s=None, cache=cache)
    assert media.display.kind == "remuxed"
    assert media.display.facts.timestamps_s == media.facts.timestamps_s
    assert media.display.facts.duration_s == media.facts.duration_s
    assert media.display.facts.index_first
    assert packets(media.display.path) == packets(archive / name)
    assert (media.poster.width, media.poster.height) == (640, 384)
    assert media.storyboard.tiles == 25
