"""The real archive, end to end: 35 clips of the original page, every claim held against them."""

from __future__ import annotations

import csv
import json
import shutil
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest

from generator import build as building
from generator.catalogue import load
from generator.cli import main
from generator.errors import ContentError
from generator.project import Project
from generator.records import Evidence, Facts, Outcome

REPOSITORY = Path(__file__).resolve().parent.parent
RUN = "2026-03-story-machine-h100"

pytestmark = pytest.mark.archive


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy of content/ without the test cards, so that only the archive is built."""
    root = tmp_path_factory.mktemp("archive")
    shutil.copytree(REPOSITORY / "content", root / "content")
    shutil.rmtree(root / "content" / "runs" / "test-cards")
    for preset in (root / "content" / "presets").iterdir():
        if "test-cards" in preset.read_text("utf-8"):
            preset.unlink()
    return Project(root=root)


@pytest.fixture(scope="module")
def options(archive: Path) -> building.Options:
    return building.Options(mirrors=(archive,), include_media=frozenset({RUN}), jobs=2)


@pytest.fixture(scope="module")
def evidence(project: Project, options: building.Options) -> dict[str, Evidence]:
    catalogue = load(project)
    ours = tuple(clip for clip in catalogue.clips if clip.run == RUN)
    gathered = building.gather(project, replace(catalogue, clips=ours), options)
    return {item.clip.row_id: item for item in gathered}


def outcomes(evidence: dict[str, Evidence], claim: str, pipeline: str) -> Counter[Outcome]:
    return Counter(
        verdict.outcome
        for item in evidence.values()
        for verdict in item.verdicts
        if item.clip.pipeline == pipeline and verdict.claim == claim and item.media
    )


def test_exactly_20_seconds_fails_for_35_of_35_files(evidence: dict[str, Evidence]) -> None:
    found = outcomes(evidence, "exact-duration", "memflow") + outcomes(
        evidence, "exact-duration", "helios"
    )
    assert found == {Outcome.FAILS: 35}


def test_fps_is_frames_over_20_s_for_28_of_28_memflow_cells(evidence: dict[str, Evidence]) -> None:
    """Consistent when cut to one decimal; for the Helios files it is not."""
    claim = "fps-is-frames-over-20s"
    assert outcomes(evidence, claim, "memflow") == {Outcome.HOLDS: 28}
    assert outcomes(evidence, f"helios-{claim}", "helios") == {Outcome.FAILS: 3}


@pytest.mark.parametrize("claim", ["wall-time", "cache-reset"])
def test_what_a_file_cannot_tell_is_said(evidence: dict[str, Evidence], claim: str) -> None:
    found = outcomes(evidence, claim, "memflow") + outcomes(evidence, claim, "helios")
    assert found == {Outcome.CANNOT_CHECK: 35}


def test_figures_agree_with_the_archive_table(evidence: dict[str, Evidence], archive: Path) -> None:
    """archive.csv was taken with other tools; frames, durations and codecs must agree."""
    with (archive / "archive.csv").open(newline="") as table:
        expected = {row["sha256"]: row for row in csv.DictReader(table)}
    facts = {item.media.facts.sha256: item.media.facts for item in evidence.values() if item.media}
    assert facts.keys() == expected.keys()
    for sha256, row in expected.items():
        assert facts[sha256].frame_count == int(row["frames"])
        assert facts[sha256].codec == row["codec"]
        assert facts[sha256].bytes == int(row["bytes"])
        assert abs(facts[sha256].duration_s - Fraction(row["container_duration_s"])) < Fraction(
            1, 1000
        )


def test_the_49_3_fps_clip_shows_all_its_frames(evidence: dict[str, Evidence]) -> None:
    media = evidence["detective-512x288-2"].media
    assert media is not None
    assert (media.facts.frame_count, media.facts.distinct_timestamps) == (987, 521)
    assert media.display.kind == "retimed"
    assert media.display.facts.distinct_timestamps == 987
    assert media.display.facts.duration_s == 20


def test_a_cell_without_a_clip_stays_with_its_number(evidence: dict[str, Evidence]) -> None:
    cell = evidence["metropolis-helios-1-1-1"]
    assert cell.media is None
    assert cell.clip.fps == Fraction("12.8")
    assert cell.missing


def test_check_json_says_the_same(
    project: Project,
    archive: Path,
    evidence: dict[str, Evidence],
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = main(["check", "--root", str(project.root), "--mirror", str(archive), "--json"])
    assert code == 0
    clips = json.loads(capsys.readouterr().out)["clips"]
    assert len([clip for clip in clips if clip["run"] == RUN]) == 36
    for clip in clips:
        if clip["run"] != RUN:
            continue
        item = evidence[clip["id"].removeprefix(f"{RUN}--")]
        assert [claim["outcome"] for claim in clip["claims"]] == [
            str(verdict.outcome) for verdict in item.verdicts
        ]


def test_required_media_that_is_absent_is_an_error(project: Project) -> None:
    """Without the mirror nothing is there; each missing clip is named with its line."""
    with pytest.raises(ContentError) as caught:
        building.build(project, building.Options(require_media=True))
    complaints = [c for c in caught.value.complaints if RUN in c.where]
    assert len(complaints) == 35
    assert all("fetch" in complaint.remedy for complaint in complaints)
    assert not project.site.exists()


def test_media_of_others_stay_out_of_the_site_unless_asked_for(
    project: Project, archive: Path, evidence: dict[str, Evidence]
) -> None:
    """publish_media = false keeps every byte out, of stills and display copies too."""
    theirs = {
        path.read_bytes()
        for item in evidence.values()
        if item.media
        for path in (
            item.media.source,
            item.media.display.path,
            item.media.poster.path,
            item.media.storyboard.path,
        )
    }

    def published() -> set[bytes]:
        return {
            path.read_bytes()
            for path in project.site.rglob("*")
            if path.suffix in {".webm", ".mp4", ".webp", ".jpg", ".avif"}
        }

    building.build(project, building.Options(mirrors=(archive,)))
    assert published() & theirs == set()
    policy = (project.site / "_headers").read_text()
    assert "https://yepicaiaaron.github.io" in policy

    options = building.Options(mirrors=(archive,), include_media=frozenset({RUN}))
    building.build(project, options)
    displays = {i.media.display.path.read_bytes() for i in evidence.values() if i.media}
    assert displays <= published()
    assert "yepicaiaaron" not in (project.site / "_headers").read_text()


def test_the_figures_in_the_prose_are_those_of_the_files(evidence: dict[str, Evidence]) -> None:
    """content/pages/files-and-claims.md quotes figures; each is computed here from the files."""
    facts = {name: item.media.facts for name, item in evidence.items() if item.media is not None}
    memflow = {name: one for name, one in facts.items() if "helios" not in name}
    plain = {name: one for name, one in memflow.items() if name.endswith("no-rife")}
    rife = {name: one for name, one in memflow.items() if name not in plain}
    helios = {name: one for name, one in facts.items() if "helios" in name}

    def span(some: dict[str, Facts]) -> str:
        durations = [one.duration_s for one in some.values()]
        return f"{float(min(durations)):.1f} to {float(max(durations)):.1f} s"

    repeats = sum(one.frame_count - one.distinct_timestamps for one in memflow.values())
    frames = sum(one.frame_count for one in memflow.values())
    gaps = [
        max(
            b - a
            for a, b in pairwise([*(one.timestamps_s[i] for i in one.keyframes), one.duration_s])
        )
        for one in facts.values()
    ]
    expected = [
        f"MemFlow with RIFE: {span(rife)}",
        f"The four without: {span(plain)}",
        f"Helios: {span(helios)}",
        f"{repeats:,} of {frames:,} frames share their time",
        f"between keyframes is {float(min(gaps)):.1f} to {float(max(gaps)):.1f} s",
        *(
            f"| {one.frame_count} | {one.distinct_timestamps} | {float(one.duration_s):.1f} s |"
            for name, one in rife.items()
            if name in ("detective-512x288-2", "detective-512x288-4", "detective-848x480-12")
        ),
        *(
            f"| {plain[f'{cell}-4-no-rife'].frame_count} | {rife[f'{cell}-4'].frame_count} |"
            for cell in (
                *("detective-512x288", "detective-848x480"),
                *("metropolis-512x288", "metropolis-848x480"),
            )
        ),
    ]
    text = (REPOSITORY / "content" / "pages" / "files-and-claims.md").read_text("utf-8")
    assert [words for words in expected if words not in text] == []
    assert all(not one.index_first for one in facts.values())
