"""`build --generate`: the lab makes declared cells, once, and only under the weights they state."""

from __future__ import annotations

import csv
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the extra `lab` is not installed: no torch")
pytest.importorskip("diffusers", reason="the extra `lab` is not installed")

from generator.catalogue import load
from generator.cli import main
from generator.clips.probe import probe
from generator.lab.pipelines import Parts, open_pipeline
from generator.lab.record import weights_of
from generator.lab.render import LabRenderer
from generator.project import Project

SAMPLE = Path(__file__).resolve().parents[1] / "sample"
WEIGHTS = "Transformer: random, seed 0. VAE: random, seed 1"
OPTIONS = ("--generate", "--weights", "random", "--tiny", "--device", "cpu", "--dtype", "float32")


def a_run(project: Project, weights: str = WEIGHTS, **cell: str) -> None:
    folder = project.runs / "declared"
    folder.mkdir()
    (folder / "run.toml").write_text(
        f"""title = "To be made"
summary = "Cells that a build makes."
measured_by = "Nobody yet"
published = 2026-11-22
machine = "sample-gpu"
weights = "{weights}"
rights = "Free."
publish_media = true

[software]
torch = "any"

[[series]]
id = "memflow"
title = "MemFlow, tiny and random"
label = "measured-here"
""",
        "utf-8",
    )
    row = {
        "id": "one",
        "series": "memflow",
        "pipeline": "memflow",
        "prompt": "lighthouse",
        "size": "48x32",
        "steps": "2",
        "seed": "3",
        "seconds": "2",
    } | cell
    with (folder / "clips.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, row)
        writer.writeheader()
        writer.writerow(row)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    shutil.copytree(SAMPLE / "content", tmp_path / "content")
    (tmp_path / "content" / "pipelines" / "memflow.toml").write_text(
        'title = "MemFlow"\nsummary = "A model."\ncontent_rate_hz = 16\nrenderer = "lab"\n', "utf-8"
    )
    return Project(root=tmp_path)


def build(project: Project, *options: str) -> int:
    return main(["build", "--root", str(project.root), *options])


def test_a_declared_cell_is_made_and_shown(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    """2 s at 16 frames a second, in the site; a build without --generate shows the cell without."""
    a_run(project)
    assert build(project) == 0, capsys.readouterr().err
    assert "without a clip at hand" in capsys.readouterr().out
    before = {path.name for path in project.site.rglob("*.mp4")}
    assert build(project, *OPTIONS) == 0, capsys.readouterr().err
    made = [path for path in project.site.rglob("*.mp4") if path.name not in before]
    facts = [probe(path) for path in made]
    assert [(f.width, f.height, f.frame_count, f.duration_s) for f in facts] == [(48, 32, 32, 2)]
    page = (project.site / "clips" / "declared--one" / "index.html").read_text("utf-8")
    assert "random" in page

    again = project.site.stat().st_ino
    assert build(project, *OPTIONS) == 0
    assert "nothing has changed" in capsys.readouterr().out
    assert project.site.stat().st_ino == again


def test_a_clip_that_was_made_is_not_made_again(project: Project, tmp_path: Path) -> None:
    """Torch works only where something is missing; the bytes are those of the pipeline."""
    a_run(project)
    clip = next(clip for clip in load(project).clips if clip.run == "declared")
    parts = Parts(device="cpu", dtype="float32", weights="random", tiny=True)
    streams = []

    class Counting:
        def __init__(self) -> None:
            self.inner = open_pipeline("memflow", parts)

        def __getattr__(self, name: str) -> object:
            if name == "stream":
                streams.append(name)
            return getattr(self.inner, name)

    renderer = LabRenderer(parts, lambda: load(project), lambda name, given: Counting())  # type: ignore[arg-type,return-value]
    first = renderer(clip, cache=tmp_path / "cache")
    second = renderer(clip, cache=tmp_path / "cache")
    assert (first, len(streams)) == (second, 1)
    assert weights_of(open_pipeline("memflow", parts).said) == WEIGHTS


def test_a_clip_is_never_shown_under_other_weights(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    a_run(project, weights="base.pt of MemFlow")
    assert build(project, *OPTIONS) == 1
    told = capsys.readouterr().err
    assert 'content/runs/declared/run.toml $.weights: states "base.pt of MemFlow" where' in told
    assert "name the stated ones with --weights" in told


@pytest.mark.parametrize(
    ("cell", "sentence"),
    [
        ({"size": "50x32"}, "sides divide by 16"),
        ({"steps": ""}, "states no number of steps"),
        ({"prompt": ""}, "states no prompt"),
        ({"seconds": "0.7"}, "no whole number of frames"),
    ],
)
def test_a_cell_that_cannot_be_made_has_a_sentence(
    project: Project, capsys: pytest.CaptureFixture[str], cell: dict[str, str], sentence: str
) -> None:
    a_run(project, **cell)
    assert build(project, *OPTIONS) == 1
    assert sentence in capsys.readouterr().err


def test_a_cell_that_says_why_it_has_no_clip_is_left_alone(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    a_run(project, no_clip="never recorded")
    assert build(project, *OPTIONS) == 0
    assert "without a clip at hand" in capsys.readouterr().out


def test_options_of_the_lab_ask_for_generate(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    assert build(project, "--weights", "random", "--tiny") == 2
    assert "--weights, --tiny: only of use with --generate" in capsys.readouterr().err
    assert build(project, "--generate") == 2
    assert "--generate: name the weights that the lab renders with" in capsys.readouterr().err


@pytest.mark.parametrize("declared", [False, True])
def test_torch_is_loaded_only_to_make_a_clip_and_its_absence_has_a_sentence(
    project: Project, declared: bool
) -> None:
    """With nothing to make a build needs no torch; with a cell to make it says how to get it."""
    if declared:
        a_run(project)
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from generator.cli import main\n"
        f"sys.exit(main(['build', '--root', {str(project.root)!r}, *{list(OPTIONS)!r}]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == (2 if declared else 0), done.stderr
    assert ("install the extra: pip install" in done.stderr) == declared
