"""A run, from the command to what the site reads: measured, resumed, interrupted, out of memory."""

from __future__ import annotations

import bisect
import csv
import itertools
import json
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the extra `lab` is not installed: no torch")
pytest.importorskip("diffusers", reason="the extra `lab` is not installed")

from generator.catalogue import load  # noqa: E402
from generator.cli import main  # noqa: E402
from generator.clips.encode import encode  # noqa: E402
from generator.clips.probe import probe  # noqa: E402
from generator.errors import UsageError  # noqa: E402
from generator.lab import clock, generate, record  # noqa: E402
from generator.lab import proof as proofs  # noqa: E402
from generator.lab.pipelines import PIPELINES, Parts, open_pipeline  # noqa: E402
from generator.measure import claims  # noqa: E402
from generator.project import Project  # noqa: E402
from generator.records import Label, Outcome  # noqa: E402

SAMPLE = Path(__file__).resolve().parents[1] / "sample"
PARTS = Parts(device="cpu", dtype="float32", weights="random", tiny=True)
CHUNKS = 8
FRAMES = 9 + 12 * (CHUNKS - 1)
"""As many as the first chunks of the steady state bring: 93 frames, 5.8125 s at 16 a second."""
SECONDS = Fraction(FRAMES, 16)


def a_cell(**other: Any) -> record.Cell:
    cell = record.Cell(
        pipeline="memflow",
        prompt="lighthouse",
        text="A lighthouse.",
        width=48,
        height=32,
        steps=(1,),
        seed=0,
    )
    return replace(cell, **other)


ABOUT = record.RunAbout(id="r", title="R", machine="sample-gpu")


def a_plan(*cells: record.Cell, **other: Any) -> generate.Plan:
    return replace(
        generate.Plan(pipeline="memflow", cells=cells, parts=PARTS, seconds=SECONDS), **other
    )


@pytest.fixture
def project(tmp_path: Path) -> Project:
    shutil.copytree(SAMPLE / "content", tmp_path / "content")
    memflow = 'title = "MemFlow"\nsummary = "A model."\ncontent_rate_hz = 16\n'
    (tmp_path / "content" / "pipelines" / "memflow.toml").write_text(memflow, "utf-8")
    return Project(root=tmp_path)


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "clips.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_command_makes_a_run_that_the_site_reads(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    """Clips of exactly the length asked for, whose claims hold against their files."""
    arguments = [
        *("generate", "--root", str(project.root), "--weights", "random", "--tiny"),
        *("--device", "cpu", "--dtype", "float32", "--size", "48x32", "--steps", "1"),
        *("--steps", "2", "--seconds", "6", "--repeats", "2", "--run", "mine"),
        *("--machine", "sample-gpu", "--keep-noise"),
    ]
    assert main(arguments) == 0, capsys.readouterr().err
    folder = project.runs / "mine"
    catalogue = load(project)
    run = next(run for run in catalogue.runs if run.id == "mine")
    clips = [clip for clip in catalogue.clips if clip.run == "mine"]

    assert [clip.steps for clip in clips] == [(1,), (2,)]
    assert [series.label for series in run.series] == [Label.MEASURED_HERE]
    assert "toy network" in run.series[0].title
    assert not run.series[0].chart
    assert run.series[0].interpolation == "none"
    assert dict(run.software)["torch"] == torch.__version__
    assert run.weights == "Transformer: random, seed 0. VAE: random, seed 1"
    for clip in clips:
        facts = probe(folder / "media" / str(clip.file))
        assert (facts.frame_count, facts.duration_s) == (96, 6)
        assert {v.outcome for v in claims.check(run, clip, facts)} == {Outcome.HOLDS}
        cell = json.loads((folder / "cells" / f"{clip.row_id}.json").read_text("utf-8"))
        assert [sum(take["frames"]) for take in cell["takes"]] == [105, 105]
        take = cell["takes"][0]  # the one whose pictures the clip shows
        ends = list(itertools.accumulate(take["frames"]))
        assert clip.per_frame
        assert list(clip.per_frame.arrivals_s or ()) == pytest.approx(
            [take["arrivals_s"][bisect.bisect_right(ends, frame)] for frame in range(96)], abs=1e-6
        )
        assert len(set(cell["frames_sha256"])) == 1, "repeats of a wiped pipeline are equal"
        assert dict(clip.extra)["step-list"] == ("1000" if clip.steps == (1,) else "1000/833.3333")
        assert float(dict(clip.extra)["fps-low"]) <= float(clip.fps or 0)
    assert "2 cells made" in capsys.readouterr().out

    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert main(arguments) == 0
    assert "0 cells made, 2 were there" in capsys.readouterr().out
    assert before == {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


class Failing:
    """A pipeline that gives up at its n-th stream."""

    def __init__(self, at: int, error: BaseException) -> None:
        self.inner: Any = open_pipeline("memflow", PARTS)
        self.at, self.error, self.streams = at, error, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def stream(self) -> Iterator[Any]:
        self.streams += 1
        for chunk, part in enumerate(self.inner.stream()):
            if self.streams == self.at and chunk == 1:
                raise self.error
            yield part


def test_an_interrupted_run_goes_on_at_the_next_cell(tmp_path: Path) -> None:
    """Ctrl-C in the second cell: the first stands, readable; the next command makes the rest, and
    its clip is the one that an uninterrupted run makes."""
    plan = a_plan(a_cell(), a_cell(steps=(2,)), keep_noise=True)
    folder = tmp_path / "runs" / "r"
    failing = Failing(4, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        generate.run(plan, folder, ABOUT, encode=encode, opened=lambda name, parts: failing)
    assert [row["steps"] for row in rows(folder)] == ["1"]
    assert tomllib.loads((folder / "run.toml").read_text("utf-8"))["title"] == "R"
    assert sorted(path.name for path in folder.parent.iterdir()) == ["r"]

    outcome = generate.run(plan, folder, ABOUT, encode=encode)
    whole = tmp_path / "whole" / "r"
    generate.run(plan, whole, ABOUT, encode=encode)
    assert (outcome.made, outcome.there) == (("lighthouse-48x32-2",), ("lighthouse-48x32-1",))
    assert [row["sha256"] for row in rows(folder)] == [row["sha256"] for row in rows(whole)]


def test_too_little_memory_is_recorded_and_tried_again(tmp_path: Path) -> None:
    """The cell says why it has no number; the next is made all the same."""
    plan = a_plan(a_cell(), a_cell(steps=(2,)))
    folder = tmp_path / "r"
    failing = Failing(1, torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB."))
    outcome = generate.run(plan, folder, ABOUT, encode=None, opened=lambda name, parts: failing)

    first, second = rows(folder)
    assert outcome.failed == {"lighthouse-48x32-1": "out of memory: CUDA out of memory"}
    assert (first["fps"], first["no_clip"]) == ("", "out of memory: CUDA out of memory")
    assert float(second["fps"]) > 0
    assert second["no_clip"] == generate.NOISE
    assert generate.run(plan, folder, ABOUT, encode=None).made == ("lighthouse-48x32-1",)
    assert float(rows(folder)[0]["fps"]) > 0


def test_numbers_of_one_run_share_their_conditions(tmp_path: Path) -> None:
    """Going on with other weights is refused, and says which."""
    folder = tmp_path / "r"
    generate.run(a_plan(a_cell()), folder, ABOUT, encode=None)
    other = a_plan(a_cell(), a_cell(steps=(2,)), parts=replace(PARTS, weights_seed=5))
    with pytest.raises(UsageError, match=r"said\.weights: random, seed 0 before, random, seed 5"):
        generate.run(other, folder, ABOUT, encode=None)
    assert len(rows(folder)) == 1


def test_a_run_of_another_making_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "r"
    folder.mkdir()
    (folder / "run.toml").write_text('title = "mine"\n', "utf-8")
    with pytest.raises(UsageError, match="of another making"):
        generate.run(a_plan(a_cell()), folder, ABOUT, encode=None)
    assert (folder / "run.toml").read_text("utf-8") == 'title = "mine"\n'


def test_the_clock_sees_what_a_stream_takes() -> None:
    """With a clock that counts its readings, arrivals are known: one tick a chunk."""
    ticks = iter(range(1000))
    pipeline = open_pipeline("memflow", PARTS)
    told: list[tuple[int, int]] = []
    take = clock.measure(
        pipeline,
        generate.request_of(a_cell()),
        PIPELINES["memflow"],
        frames=100,
        on_chunk=lambda done, of: told.append((done, of)),
        now=lambda: float(next(ticks)),
    )
    assert take.timing.arrivals_s == tuple(map(float, range(1, 10)))
    assert take.timing.frames == (9, *[12] * 8)
    assert take.timing.fps == 12
    assert sum(map(len, take.frames)) == 100
    assert told[-1] == (100, 100)


def test_a_length_that_is_no_whole_number_of_frames_is_refused() -> None:
    assert clock.frames_of(Fraction(20), Fraction(16)) == 320
    with pytest.raises(UsageError, match="no whole number of frames"):
        clock.frames_of(Fraction("0.1"), Fraction(16))


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"device": "nonsense"}, "torch knows no such device"),
        ({"device": "cuda:7"}, "torch sees no GPU|CUDA"),
        ({"dtype": "int8"}, "known are bfloat16"),
        ({"attention": "flush"}, 'attention kernel "flush"'),
    ],
)
def test_parts_that_cannot_be_had_are_named(other: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        open_pipeline("memflow", replace(PARTS, **other))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"width": 50}, "50x32: MemFlow's sides divide by 16; nearest is 48x32"),
        ({"steps": (2, 2)}, "MemFlow has one stage"),
    ],
)
def test_requests_that_cannot_be_had_are_named(other: dict[str, Any], said: str) -> None:
    pipeline = open_pipeline("memflow", PARTS)
    with pytest.raises(UsageError, match=said):
        pipeline.prepare(generate.request_of(a_cell(**other)))


@pytest.mark.parametrize(
    ("wiped", "mutations", "code", "said"),
    [
        (("a", "b"), {"noise": 0}, 0, "bit-identical"),
        (("a", "c"), {"noise": 0}, 1, "NOT identical"),
        (("a", "b"), {"noise": None}, 1, "leaving out noise: not noticed"),
    ],
)
def test_the_command_line_tells_how_a_proof_went(
    project: Project,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    wiped: tuple[str, ...],
    mutations: dict[str, int | None],
    code: int,
    said: str,
) -> None:
    """What is proven is proven in test_wipe.py; here, that the first cell is asked for and that
    a proof that fails is an exit code."""
    asked: list[Any] = []

    def prove(name: str, parts: Parts, request: Any, before: Any, **chunks: int) -> proofs.Proof:
        asked.append((request, before, chunks))
        return proofs.Proof(fresh=("a", "b"), wiped=wiped, mutations=mutations)

    monkeypatch.setattr(proofs, "prove", prove)
    arguments = [
        *("generate", "--root", str(project.root), "--weights", "random", "--tiny"),
        *("--device", "cpu", "--dtype", "float32", "--size", "48x32", "--steps", "1"),
        "--prove-wipe",
    ]
    assert main(arguments) == code
    assert said in capsys.readouterr().out
    request, before, chunks = asked[0]
    assert (request.width, request.height, request.steps) == (48, 32, (1,))
    assert request.prompt != before.prompt
    assert request.seed != before.seed
    assert chunks["chunks_before"] > 11, "the bank must have turned over"


def test_a_rehearsed_benchmark_can_be_adopted(tmp_path: Path) -> None:
    """The script for the GPU machine, on a CPU with a toy, without this project's other needs.

    Its golden part and its proof have tests of their own, and are left out."""
    script = SAMPLE.parents[1] / "benchmarks" / "memflow_h200.py"
    blocker = (
        "import sys, runpy\n"
        "blocked = ('av', 'ffmpeg', 'imageio_ffmpeg', 'click', 'rich', 'pydantic', 'plotly')\n"
        "sys.modules.update(dict.fromkeys(blocked))\n"
        "import torch; torch.set_num_threads(1)\n"
        f"sys.argv = ['x', 'measure', {str(tmp_path)!r}, '--rehearse', '--skip', 'golden,wipe']\n"
        f"runpy.run_path({str(script)!r}, run_name='__main__')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", blocker], capture_output=True, encoding="utf-8", timeout=300
    )
    assert done.returncode == 0, done.stderr
    data = json.loads((tmp_path / "memflow.json").read_text("utf-8"))
    assert len(data["cells"]) == 2
    assert all(all(same) for same in data["repeats_identical"].values())
    about = replace(ABOUT, id="r")
    for cell in data["cells"].values():
        record.keep(tmp_path / "runs" / "r", about, cell)
    assert [row["x-repeats"] for row in rows(tmp_path / "runs" / "r")] == ["2"] * 2
