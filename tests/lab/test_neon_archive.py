"""The default archive: what was ordered and what it holds, its presets, the way there and back."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from generator import build as building
from generator.catalogue import load
from generator.catalogue.decode import Complaints
from generator.catalogue.tables import read_table
from generator.clips.hashes import sha256_of
from generator.clips.probe import probe
from generator.lab import matrix
from generator.project import Project

ROOT = Path(__file__).resolve().parents[2]
ORDERS = ROOT / "benchmarks" / "neon"
H100 = "2026-03-story-machine-h100"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import neon_archive

    return neon_archive


def cells(order: str) -> list[Any]:
    texts = {prompt.id: prompt.text for prompt in load(Project(root=ROOT)).prompts}
    return list(matrix.cells_of(matrix.read_matrix(ORDERS / f"{order}.toml"), texts))


def test_the_orders_are_what_the_archive_is_to_hold() -> None:
    """28 clips of 20 s that weigh 24 MB at most; the same cells on a CPU; a reference of each."""
    ordered = {name: matrix.read_matrix(ORDERS / f"{name}.toml") for name in ("archive", "cpu")}
    generated, rendered = cells("archive"), cells("rendered")
    assert len(generated) == 2 * 2 * 7
    assert {cell.steps[0] for cell in generated} == {2, 3, 4, 6, 8, 10, 12}
    assert ordered["archive"].seconds == 20
    assert len(generated) * (ordered["archive"].clip_mb or 99) <= 24
    assert [cell.id for cell in cells("cpu")] == [cell.id for cell in generated]
    assert not ordered["cpu"].clips
    assert {(c.prompt, c.size) for c in rendered} == {(c.prompt, c.size) for c in generated}
    machines = {machine.id for machine in load(Project(root=ROOT)).machines}
    assert {one.machine for one in ordered.values()} | {matrix.OWN_COMPUTER} <= machines


def test_the_archive_holds_what_was_ordered() -> None:
    """Every clip exactly 240 frames at 12 a second, all of them within their weight, made with the
    weights that are shipped."""
    runs = ROOT / "content" / "runs"
    for order in ("archive", "rendered"):
        folder = runs / matrix.read_matrix(ORDERS / f"{order}.toml").run
        with (folder / "clips.csv").open(encoding="utf-8", newline="") as file:
            rows = {row["id"]: row for row in csv.DictReader(file)}
        assert sorted(rows) == sorted(cell.id for cell in cells(order))
        clips = [folder / "media" / row["file"] for row in rows.values()]
        assert sum(clip.stat().st_size for clip in clips) <= 24e6
        for clip in clips:
            facts = probe(clip)
            assert (facts.frame_count, facts.duration_s) == (240, 20)
    said = (runs / "neon-h200" / "run.toml").read_text("utf-8")
    pieces = sorted((ROOT / "weights" / "neon").glob("*.safetensors"))
    assert sum(piece.stat().st_size for piece in pieces) <= 36e6
    for piece in pieces:
        assert piece.stat().st_size <= 15e6
        assert (sha256_of(piece) in said) is piece.name.startswith("neon-")


@pytest.fixture(scope="module")
def with_archive(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """content/ without test cards, which take long."""
    root = tmp_path_factory.mktemp("archive")
    shutil.copytree(ROOT / "content", root / "content")
    shutil.rmtree(root / "content" / "runs" / "test-cards")
    for preset in (root / "content" / "presets").glob("*.md"):
        if "test-cards--" in preset.read_text("utf-8"):
            preset.unlink()
    return Project(root=root)


def opened(project: Project, **options: Any) -> list[str]:
    """Clips that the published home page plays, in order."""
    building.build(project, building.Options(jobs=2, **options))
    text = (project.root / "site" / "index.html").read_text("utf-8")
    return re.findall(r"<clip-pair[^>]*>.*?</clip-pair>", text, re.DOTALL)


def test_home_opens_on_neon_where_the_other_archives_clips_are_not_at_hand(
    with_archive: Project,
) -> None:
    """From a clone alone: two and twelve steps of one prompt, size and noise."""
    (pair,) = opened(with_archive)
    assert "neon-h200--cyberpunk-detective-512x288-2" in pair
    assert "neon-h200--cyberpunk-detective-512x288-12" in pair
    assert H100 not in pair


@pytest.mark.archive
def test_home_opens_on_the_h100s_clips_where_they_are(with_archive: Project, archive: Path) -> None:
    (pair,) = opened(with_archive, mirrors=(archive,))
    assert f"{H100}--detective-helios-2-2-2" in pair
    assert f"{H100}--detective-848x480-8" in pair
    assert "neon" not in pair


def test_a_rehearsal_comes_back_in_few_pieces_and_is_adopted_whole(
    script: Any, tmp_path: Path
) -> None:
    """Toy clips through `generate` into pieces, in a process without what a GPU machine
    may lack, and out of them into a content/ that loads; a run that stands is not touched, and a
    spoilt piece is named."""
    pytest.importorskip("torch", reason="the extra `lab` is not installed: no torch")
    out, work = tmp_path / "out", tmp_path / "work"
    make = ["make", str(out), "--rehearse", "--work", str(work)]
    absent = ("av", "plotly", "starlette", "uvicorn", "watchfiles", "diffusers", "transformers")
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({absent!r}))\n"
        f"sys.path.insert(0, {str(ROOT / 'benchmarks')!r})\n"
        "import neon_archive as script, torch; torch.set_num_threads(1)\n"
        f"script.MOST_BYTES = 60_000; sys.exit(script.make(script.parsed({make!r})))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", timeout=300
    )
    assert done.returncode == 0, done.stderr
    told = json.loads((out / script.INDEX).read_text("utf-8"))
    assert told["complete"]
    assert {name: run["clips"] for name, run in told["runs"].items()} == {
        "rehearsal-archive": 2,
        "rehearsal-rendered": 1,
    }
    assert 2 <= len(told["pieces"]) < 8
    assert len(list(out.iterdir())) == len(told["pieces"]) + 1

    root = tmp_path / "mine"
    shutil.copytree(work / "rehearsal" / "content", root / "content")
    shutil.rmtree(root / "content" / "runs")
    (root / "content" / "runs").mkdir()
    adopt = script.parsed(["adopt", str(out), "--content", str(root / "content")])
    assert script.adopt(adopt) == 0
    catalogue = load(Project(root=root))
    for clip in catalogue.clips:
        (run,) = (run for run in catalogue.runs if run.id == clip.run)
        assert run.publish_media
        facts = probe(run.folder / "media" / str(clip.file))
        assert (facts.frame_count, facts.duration_s) == (24, 2)
        assert sha256_of(run.folder / "media" / str(clip.file)) == clip.sha256
    assert len(catalogue.clips) == 3

    with pytest.raises(SystemExit, match="rehearsal-archive: stands there"):
        script.adopt(adopt)
    piece = out / f"{script.TAR}.1"
    piece.write_bytes(piece.read_bytes()[:-1] + b"x")
    with pytest.raises(SystemExit, match=r"neon-archive\.tar\.1: is not what"):
        script.adopt(adopt)


def test_what_ran_out_of_time_goes_on_elsewhere(
    script: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No minute left for the second order: exit code 130 and no adoption; a call on another machine
    takes the first order's cells from what came back, and makes the rest."""
    pytest.importorskip("torch", reason="the extra `lab` is not installed: no torch")
    first, second = tmp_path / "first", tmp_path / "second"
    real = script.generated
    monkeypatch.setattr(
        script,
        "generated",
        lambda command, left, commit: (
            130 if "rendered" in str(command) else real(command, left, "")
        ),
    )
    call = ["make", str(first), "--rehearse", "--work", str(tmp_path / "a")]
    assert script.make(script.parsed(call)) == 130
    with pytest.raises(SystemExit, match="not complete"):
        script.adopt(script.parsed(["adopt", str(first)]))
    monkeypatch.setattr(script, "generated", real)
    call = ["make", str(second), "--rehearse", "--work", str(tmp_path / "b")]
    capsys.readouterr()
    assert script.make(script.parsed([*call, "--from", str(first)])) == 0
    assert "0 cells made, 2 were there" in capsys.readouterr().out


def test_a_command_ends_when_its_time_is_over(script: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """By an interrupt, as from a keyboard: what it had finished stays."""
    import time

    from generator import cli

    def long(given: list[str]) -> int:
        try:
            time.sleep(60)
        except KeyboardInterrupt:
            return 130
        return 0

    monkeypatch.setattr(cli, "main", long)
    assert script.generated(["generate"], 1.0, "") == 130


def test_curves_are_tables_with_intervals(script: Any, tmp_path: Path) -> None:
    """A line by steps for each size, its interval beside it; other clips' figures as flat lines."""

    def row(value: float) -> dict[str, dict[str, float]]:
        told = {"value": value, "low": 0.9 * value, "high": 1.2 * value}
        names = ("frechet", "attribute_error", "sharpness_to_rendered", "warp_error")
        return dict.fromkeys((*names, "rms_to_64_steps"), told)

    by_steps = {"64": row(10), "12": row(20), "2": row(90), "rendered": row(1)}
    by_steps["reconstructed"] = row(2)
    quarters = [{"from_s": 0.0, "to_s": 5.0, **row(7)}, {"from_s": 5.0, "to_s": 10.0, **row(8)}]
    told = {"size": "64x32", "by_steps": by_steps, "drift": {"quarters": quarters}}
    run, figures = tmp_path / "content" / "runs" / "one", tmp_path / "figures.json"
    run.mkdir(parents=True)
    figures.write_text(json.dumps({"evaluation": told}), "utf-8")
    assert script.curves(script.parsed(["curves", str(run), str(figures)])) == 0
    complaints = Complaints(Project(root=tmp_path))
    found = {path.stem: read_table(path, complaints) for path in (run / "tables").iterdir()}
    assert not complaints.found
    assert found["frechet"] == (
        ("64x32", "64 steps at 64x32"),
        ((2.0, (90.0, 10.0)), (12.0, (20.0, 10.0))),
        {"64x32": ((81.0, 108.0), (18.0, 24.0))},
    )
    drift = found["drift-frechet"]
    assert drift is not None
    assert drift.rows == ((5.0, (7.0,)), (10.0, (8.0,)))
    assert set(found) == {*script.MEASURES, *script.DRIFT}


def test_the_demo_says_that_there_are_no_weights_before_it_installs_anything(
    tmp_path: Path,
) -> None:
    make = shutil.which("make")
    if make is None:
        pytest.skip("no make here")
    shutil.copyfile(ROOT / "Makefile", tmp_path / "Makefile")
    command = [make, "-C", str(tmp_path), "demo", "VENV=mine"]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=60)
    assert done.returncode != 0
    assert "weights/neon/config.json is missing" in done.stderr
    assert "docs/neon.md" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["Makefile"]
