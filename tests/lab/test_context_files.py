"""What a command says of switched prompts and of pictures for VACE: used, recorded, or refused.

Sizes are tried on the command line itself, each wrong one has a sentence and an exit code.
"""

from __future__ import annotations

import json
import shutil
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("torch", reason="the extra `lab` is not installed: no torch")
pytest.importorskip("diffusers", reason="the extra `lab` is not installed")

from generator.catalogue import load
from generator.cli import main
from generator.clips.encode import encode
from generator.project import Project

image = pytest.importorskip("PIL.Image", reason="Pillow writes the pictures of these tests")

SAMPLE = Path(__file__).resolve().parents[1] / "sample"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    root = tmp_path_factory.mktemp("project")
    shutil.copytree(SAMPLE / "content", root / "content")
    lighthouse = root / "content" / "prompts" / "lighthouse.md"
    shutil.copyfile(lighthouse, lighthouse.with_name("storm.md"))
    memflow = 'title = "MemFlow"\nsummary = "A model."\ncontent_rate_hz = 16\n'
    (root / "content" / "pipelines" / "memflow.toml").write_text(memflow, "utf-8")
    return Project(root=root)


def an_image(path: Path, width: int, height: int, seed: int = 0) -> Path:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    image.fromarray(pixels).save(path)
    return path


def a_video(path: Path, width: int, height: int, frames: int, rate: int = 16) -> Path:
    pixels = np.random.default_rng(frames).integers(0, 256, (frames, height, width, 3), np.uint8)
    encode([pixels], path, rate_hz=Fraction(rate))
    return path


def generate(project: Project, *arguments: object) -> int:
    return main(
        [
            *("generate", "--root", str(project.root), "--weights", "random", "--tiny"),
            *("--device", "cpu", "--dtype", "float32", "--size", "48x32", "--steps", "1"),
            *("--prompt", "lighthouse", "--seconds", "6", "--repeats", "1"),
            *("--machine", "sample-gpu", *map(str, arguments)),
        ]
    )


def test_a_run_with_context_and_switches_says_so(
    project: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In its conditions, its cells, its series' title and its protocol; and the site reads it."""
    arguments = (
        *("--run", "with-context", "--keep-noise", "--switch", "3=storm"),
        *("--reference", an_image(tmp_path / "figure.png", 40, 50)),
        *("--control", a_video(tmp_path / "depth.mp4", 48, 32, 100)),
        *("--mask", an_image(tmp_path / "mask.jpg", 48, 32), "--context-scale", "0.5"),
    )
    assert generate(project, *arguments) == 0, capsys.readouterr().err
    catalogue = load(project)
    run = next(run for run in catalogue.runs if run.id == "with-context")
    clip = next(clip for clip in catalogue.clips if clip.run == "with-context")
    cell: dict[str, Any] = json.loads(
        (run.folder / "cells" / f"{clip.row_id}.json").read_text("utf-8")
    )
    # frames 0-8, 9-20, ..., 45-56: at 16 a second the first chunk from 3 s on begins at 57 / 16
    assert [(one["chunk"], one["at_s"]) for one in cell["switches"]] == [(5, 3.5625)]
    assert dict(clip.extra)["prompt-switches"] == "storm from 3.5625 s"
    said = cell["conditions"]["said"]
    assert said["prompt switches"] == "storm from 3.5625 s"
    assert said["VACE context"].startswith("reference figure.png sha256 ")
    assert "control depth.mp4 sha256 " in said["VACE context"]
    assert said["VACE context"].endswith("; scale 0.5")
    assert "prompts switched" in run.series[0].title or "toy" in run.series[0].title
    assert "encoding of the VACE context" in " ".join(run.protocol)
    assert "vace-context" in " ".join(run.protocol)

    (tmp_path / "figure.png").unlink()
    an_image(tmp_path / "figure.png", 40, 50, seed=1)
    assert generate(project, *arguments, "--seed", 5) == 2
    assert "begun under other conditions" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("switches", "sentence"),
    [
        (["soon=lighthouse"], "is no switch; write seconds, =, and a prompt"),
        (["0=lighthouse"], "is no switch"),
        (["2=nobody"], "no prompt 'nobody' in content/prompts; known are"),
        (["6=lighthouse"], "when the clip of 6 s is over; switch earlier"),
        (["3=lighthouse", "2=lighthouse"], "comes before"),
        (["3=lighthouse", "3.2=lighthouse"], "and so does the one before it"),
    ],
)
def test_a_switch_that_cannot_be_is_told(
    project: Project, capsys: pytest.CaptureFixture[str], switches: list[str], sentence: str
) -> None:
    asked = [word for switch in switches for word in ("--switch", switch)]
    assert generate(project, "--run", "never", *asked) == 2
    assert sentence in capsys.readouterr().err
    assert not (project.runs / "never").exists()


def test_every_mistake_of_a_context_is_told_at_once(
    project: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "words.png").write_text("no picture", "utf-8")
    (tmp_path / "cut.png").write_bytes(an_image(tmp_path / "whole.png", 64, 64).read_bytes()[:900])
    code = generate(
        *(project, "--run", "never", "--reference", tmp_path / "words.png"),
        *("--reference", tmp_path / "none.png", "--reference", tmp_path / "cut.png"),
        *("--control", a_video(tmp_path / "short.mp4", 48, 32, 20)),
        *("--mask", a_video(tmp_path / "fast.mp4", 48, 32, 100, rate=30)),
    )
    told = capsys.readouterr().err.splitlines()
    assert code == 1
    assert len(told) == 5, told
    for words, line in zip(
        (
            "words.png: neither a PNG nor a JPEG; export",
            "none.png: cannot be read (No such file or directory); check the path",
            "cut.png",
            "short.mp4: holds 20 frames where the clip has 96; give one of at least 6 s",
            "fast.mp4: runs at 30 frames per second where the clip has 16; convert it to 16",
        ),
        told,
        strict=True,
    ):
        assert words in line
    assert not (project.runs / "never").exists()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (["--mask", "grey.png"], "--mask grey.png: stands alone; give the video that it masks"),
        (["--control", "grey.png"], "is a picture where a video is read; give it with --reference"),
        (["--control", "."], "cannot be read"),
        (["--reference", "line.png"], "more than 16 times as long as it is wide; crop it"),
        (["--control", "wide.mp4"], "is 64x32 where the clip is 48x32; scale it to 48x32"),
        (["--control", "right.mp4", "--mask", "wide.png"], "mask is 64x32 where the clip is 48x32"),
        (["--control", "right.mp4", *(["--reference", "grey.png"] * 3)], "room for 2 beside"),
        (["--reference", "grey.png"] * 4, "4 pictures, where a chunk has room for 3; leave some"),
        (["--context-scale", "2"], "--context-scale: scales nothing; give --reference"),
        (["--reference", "grey.png", "--context-scale", "11"], "not in the range 0<=x<=10"),
        (["--control", "right.mp4", "--size", "64x32"], "is 48x32 where the clip is 64x32"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else "",
)
def test_what_does_not_fit_has_a_sentence(
    project: Project,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    given: list[str],
    sentence: str,
) -> None:
    """Before any weights are read; with --dry-run and --prove-wipe as well."""
    monkeypatch.chdir(tmp_path)
    an_image(Path("grey.png"), 48, 32)
    an_image(Path("line.png"), 34, 2)
    an_image(Path("wide.png"), 64, 32)
    a_video(Path("wide.mp4"), 64, 32, 96)
    a_video(Path("right.mp4"), 48, 32, 96)
    for way in ((), ("--dry-run",), ("--prove-wipe",)):
        assert generate(project, "--run", "never", *given, *way) in (1, 2)
        assert sentence in capsys.readouterr().err
    assert not (project.runs / "never").exists()


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    reference=st.none() | st.tuples(st.integers(1, 90), st.integers(1, 90)),
    control=st.none()
    | st.tuples(st.sampled_from([48, 32, 64]), st.sampled_from([32, 48]), st.integers(1, 30)),
    mask=st.none() | st.tuples(st.sampled_from([48, 32]), st.sampled_from([32, 16])),
)
def test_no_picture_of_any_size_crashes_the_command(
    project: Project,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    reference: tuple[int, int] | None,
    control: tuple[int, int, int] | None,
    mask: tuple[int, int] | None,
) -> None:
    """It proves its wipe with what it was given, a reset between two clips included, or it says
    what does not fit."""
    given: list[object] = []
    if reference is not None:
        given += ["--reference", an_image(tmp_path / "reference.png", *reference)]
    if control is not None:
        given += ["--control", a_video(tmp_path / "control.mp4", *control)]
    if mask is not None:
        given += ["--mask", an_image(tmp_path / "mask.png", *mask)]
    code = generate(project, *given, "--seconds", "1", "--prove-wipe")
    said = capsys.readouterr()
    if code == 0:
        assert "bit-identical" in said.out
        assert ("leaving out vace-context: noticed" in said.out) == bool(given)
    else:
        assert code == 1
        assert all("; " in line for line in said.err.splitlines())
        assert said.err
