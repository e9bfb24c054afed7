"""The published content holds what the page it begins with publishes, and nothing more."""

from __future__ import annotations

import csv
import re
from collections import Counter
from fractions import Fraction
from pathlib import Path

import pytest

from generator.catalogue import load
from generator.project import Project
from generator.records import Catalogue, Clip, Label, Run

ROOT = Path(__file__).resolve().parents[2]
RUN = "2026-03-story-machine-h100"
CARDS = "test-cards"
PAGE = "https://yepicaiaaron.github.io/story-machine-benchmarks/"

PROMPTS = {
    "cyberpunk-detective": (
        "A cinematic low-angle tracking shot of a cyberpunk detective walking down a neon-lit "
        "alleyway in the rain, 8k, photorealistic."
    ),
    "drone-metropolis": (
        "A dynamic drone shot sweeping over a futuristic sci-fi metropolis with flying cars and "
        "massive holographic advertisements, vivid colors, 4k."
    ),
}

STEPS = (2, 3, 4, 6, 8, 10, 12)
PUBLISHED = {
    ("cyberpunk-detective", "512x288"): "49.3 38.9 36.7 27.5 22.1 18.8 16.3",
    ("cyberpunk-detective", "848x480"): "28.3 24.3 20.6 16.5 13.3 11.3 9.3",
    ("drone-metropolis", "512x288"): "47.2 40.5 34.8 27.1 23.0 19.3 16.7",
    ("drone-metropolis", "848x480"): "28.7 23.9 20.5 16.4 13.3 11.1 9.4",
}
HELIOS = {(1, 1, 1): Fraction("12.8"), (2, 2, 2): Fraction("11.0")}


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load(Project(root=ROOT))


@pytest.fixture(scope="module")
def run(catalogue: Catalogue) -> Run:
    return run_of(catalogue, RUN)


@pytest.fixture(scope="module")
def clips(catalogue: Catalogue) -> list[Clip]:
    return [clip for clip in catalogue.clips if clip.run == RUN]


def run_of(catalogue: Catalogue, run_id: str) -> Run:
    return next(run for run in catalogue.runs if run.id == run_id)


def of_series(clips: list[Clip], series: str) -> list[Clip]:
    return [clip for clip in clips if clip.series == series]


def test_the_page_has_28_cells_with_rife_4_without_and_4_of_helios(clips: list[Clip]) -> None:
    assert Counter(clip.series for clip in clips) == {
        "memflow-rife": 28,
        "memflow-no-rife": 4,
        "helios": 4,
    }


def test_prompts_stand_word_for_word(catalogue: Catalogue) -> None:
    assert {prompt.id: prompt.text for prompt in catalogue.prompts} == PROMPTS


def test_memflow_cells_carry_the_published_numbers(clips: list[Clip]) -> None:
    expected = {
        (prompt, size, (steps,)): Fraction(fps)
        for (prompt, size), row in PUBLISHED.items()
        for steps, fps in zip(STEPS, row.split(), strict=True)
    }
    actual = {
        (clip.prompt, clip.size, clip.steps): clip.fps for clip in of_series(clips, "memflow-rife")
    }
    assert actual == expected


def test_helios_cells_carry_the_number_of_their_step_setting(clips: list[Clip]) -> None:
    actual = {(clip.prompt, clip.steps): clip.fps for clip in of_series(clips, "helios")}
    assert actual == {(prompt, steps): fps for prompt in PROMPTS for steps, fps in HELIOS.items()}


def test_cells_without_rife_state_no_number(clips: list[Clip], run: Run) -> None:
    """32 numbers are stated and four are missing: nothing is filled in by arithmetic."""
    silent = [clip for clip in clips if clip.fps is None]
    assert [clip.series for clip in silent] == ["memflow-no-rife"] * 4
    assert {clip.steps for clip in silent} == {(4,)}
    assert run.series_by_id("memflow-no-rife").fps_means == ""


def test_every_clip_but_one_is_named_by_hash_and_address(clips: list[Clip]) -> None:
    hashes = [clip.sha256 for clip in clips if clip.sha256]
    addresses = [clip.url for clip in clips]
    assert len(hashes) == len(set(hashes)) == 35
    assert len(set(addresses)) == 36
    assert all(url and re.match(re.escape(PAGE) + r"(videos|assets)/\w", url) for url in addresses)


def test_the_clip_that_cannot_be_had_keeps_its_number(clips: list[Clip]) -> None:
    (missing,) = [clip for clip in clips if clip.no_clip]
    assert missing.id == f"{RUN}--metropolis-helios-1-1-1"
    assert missing.url == PAGE + "assets/benchmark_hardware_1_1_1_B.mp4"
    assert (missing.fps, missing.sha256) == (Fraction("12.8"), None)


def test_clips_of_others_are_not_published_here(run: Run) -> None:
    assert (run.publish_media, run.publish_stills) == (False, False)
    assert {series.label for series in run.series} == {Label.PUBLISHED_ELSEWHERE}


def test_series_with_and_without_interpolation_are_kept_apart(run: Run) -> None:
    said = {
        series.id: (series.interpolation, series.spread_over_s, series.chart)
        for series in run.series
    }
    assert said == {
        "memflow-rife": ("RIFE", 20, True),
        "memflow-no-rife": ("none", 20, False),
        "helios": ("", None, True),  # the page does not say
    }


def test_claims_are_those_of_the_page(run: Run) -> None:
    kinds = {claim.id: (claim.kind, claim.series) for claim in run.claims}
    assert kinds == {
        "exact-duration": ("duration", ()),
        "fps-is-frames-over-20s": ("fps-from-frames", ("memflow-rife",)),
        "helios-fps-is-frames-over-20s": ("fps-from-frames", ("helios",)),
        "wall-time": ("statement", ()),
        "cache-reset": ("statement", ()),
        "rife-on": ("statement", ("memflow-rife",)),
        "hardware": ("statement", ()),
    }
    frames = next(claim for claim in run.claims if claim.kind == "fps-from-frames")
    assert (frames.seconds, frames.decimals, frames.rounding) == (20, 1, "cut")


def test_there_is_a_test_card_for_every_stated_size_and_rate(
    catalogue: Catalogue, clips: list[Clip]
) -> None:
    cards = [clip for clip in catalogue.clips if clip.run == CARDS]
    stated = {(clip.size, clip.fps) for clip in clips if clip.fps}
    assert {(card.size, card.fps) for card in cards} == stated
    assert len(cards) == len(stated)
    assert {card.stated_seconds for card in cards} == {20}
    assert run_of(catalogue, CARDS).publish_media


def test_what_is_measured_here_says_on_what_with_what_and_how(catalogue: Catalogue) -> None:
    """Machine, software, weights and protocol; random weights are called so and show no clip."""
    for run in catalogue.runs:
        if Label.MEASURED_HERE not in {series.label for series in run.series}:
            continue
        assert run.machine != "none"
        assert run.software
        assert run.protocol
        assert run.weights
        if "random" in run.weights:
            assert all("random weights" in series.title for series in run.series), run.id
            clips = [clip for clip in catalogue.clips if clip.run == run.id]
            assert all("random weights" in clip.no_clip for clip in clips), run.id


def test_work_not_done_is_marked_as_a_plan(catalogue: Catalogue) -> None:
    plans = {page.id for page in catalogue.pages if page.kind == "plan"}
    assert plans == {"b200", "three-stage-pipeline", "quantization", "flow-grpo"}
    assert plans == {page.id for page in catalogue.pages if page.group == "plans"}


def test_links_between_pages_lead_somewhere(catalogue: Catalogue) -> None:
    """Addresses are written from the root; a fragment names a heading of the page it is on."""
    ids_of = {
        f"/{page.group}/{page.id}/": set(re.findall(r' id="([^"]+)"', page.html))
        for page in catalogue.pages
    }
    addresses = {
        *ids_of,
        *("/archive/", "/compare/", "/method/", "/data/", "/enhancements/", "/plans/"),
        *(f"/prompts/{prompt.id}/" for prompt in catalogue.prompts),
        *(f"/pipelines/{pipeline.id}/" for pipeline in catalogue.pipelines),
        *(f"/runs/{run.id}/" for run in catalogue.runs),
        *(f"/clips/{clip.id}/" for clip in catalogue.clips),
    }
    texts = (*catalogue.pages, *catalogue.pipelines, *catalogue.prompts, *catalogue.runs)
    astray = [
        (text.id, link)
        for text in texts
        for link in re.findall(r'href="(/[^"]*)"', text.html)
        if (address := link.partition("#")[0]) not in addresses
        or ("#" in link and link.partition("#")[2] not in ids_of.get(address, ()))
    ]
    assert astray == []


@pytest.mark.archive
def test_rows_equal_the_table_of_the_real_clips(archive: Path, clips: list[Clip]) -> None:
    with (archive / "archive.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    expected = {
        row["sha256"]: (
            {"memflow": "memflow", "helios-distilled": "helios"}[row["model"]],
            row["prompt"],
            row["resolution"],
            tuple(int(steps) for steps in row["steps"].split("/")),
            Fraction(row["published_fps"]) if row["published_fps"] else None,
            PAGE + ("videos/" if row["file"].endswith(".webm") else "assets/") + row["file"],
        )
        for row in rows
    }
    actual = {
        clip.sha256: (clip.pipeline, clip.prompt, clip.size, clip.steps, clip.fps, clip.url)
        for clip in clips
        if clip.sha256
    }
    assert actual == expected
    assert {row["sha256"] for row in rows if row["interpolation"] == "rife"} == {
        clip.sha256 for clip in of_series(clips, "memflow-rife")
    }
