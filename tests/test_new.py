"""A new project is without fault and builds at once."""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path

import pytest

from generator.catalogue import load
from generator.cli import main
from generator.errors import UsageError
from generator.new import new_project
from generator.project import Project, find_project
from generator.records import Label


def test_a_new_project_loads_without_a_complaint(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "mine"

    written = new_project(folder)

    assert sorted(written) == sorted(path for path in folder.rglob("*") if path.is_file())
    catalogue = load(find_project(None, start=folder / "content"))
    assert [clip.id for clip in catalogue.clips] == [
        "first-cards--card-12",
        "first-cards--card-24",
        "first-cards--card-48",
    ]
    assert {one.label for run in catalogue.runs for one in run.series} == {Label.DECLARED}
    assert len(catalogue.prompts) == len(catalogue.pages) == len(catalogue.machines) == 1


def test_it_is_ready_for_git_and_a_host(tmp_path: Path) -> None:
    new_project(tmp_path)

    assert {"/site/", "/.cache/"} <= set((tmp_path / ".gitignore").read_text().split())
    assert tomllib.loads((tmp_path / "netlify.toml").read_text())["build"]["publish"] == "site"
    readme = (tmp_path / "README.md").read_text()
    assert "python -m generator build" in readme
    assert "python -m generator serve" in readme


def test_it_builds_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", str(tmp_path / "mine")]) == 0
    assert main(["build", "--root", str(tmp_path / "mine")]) == 0
    assert main(["check", "--root", str(tmp_path / "mine"), "--strict"]) == 0

    assert (tmp_path / "mine" / "site" / "index.html").is_file()
    media = (tmp_path / "mine" / "site" / "media").iterdir()
    assert sum(path.suffix == ".mp4" for path in media) == 3


@pytest.mark.parametrize("name", ["notes.txt", ".env"])
def test_a_folder_with_anything_in_it_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")

    with pytest.raises(UsageError, match="this folder is not empty"):
        new_project(tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_an_empty_repository_is_a_fine_place(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()

    assert new_project(tmp_path)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("x")

    with pytest.raises(UsageError, match="no project can be started there"):
        new_project(tmp_path / "mine")


@pytest.mark.parametrize("there", ["nothing", "an empty folder", "a repository"])
def test_a_full_disk_leaves_the_place_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: str
) -> None:
    """/dev/full refuses the bytes of the third file as a full disk does; then it is mended."""
    folder = tmp_path / "deep" / "mine"
    if there != "nothing":
        (folder / ".git" if there == "a repository" else folder).mkdir(parents=True)
    before = sorted(tmp_path.rglob("*"))
    real, opened = Path.open, []

    def full(path: Path, mode: str = "r", *arguments: object, **options: object) -> object:
        if mode == "xb":
            opened.append(path)
            if len(opened) == 3:
                path.touch()
                return real(Path("/dev/full"), "wb", *arguments, **options)
        return real(path, mode, *arguments, **options)

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(UsageError, match="No space left on device"):
        new_project(folder)
    monkeypatch.undo()

    assert len(opened) == 3
    assert sorted(tmp_path.rglob("*")) == before
    assert new_project(folder)


@pytest.mark.parametrize("name", ["", "  "])
def test_no_name_is_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    monkeypatch.chdir(tmp_path)

    assert main(["new", name]) == 2

    assert "this names no folder" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_hint_can_be_pasted_into_a_shell(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "my archive; it's"

    assert main(["new", str(folder)]) == 0

    hint = capsys.readouterr().out.partition("Now: ")[2]
    command = hint.replace("python -m generator build", "pwd")
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(folder)


def test_ingest_and_the_starter_fit_together(tmp_path: Path) -> None:
    """The README's own example: its table is understood by the command that it names."""
    from fractions import Fraction

    from generator.clips.card import render_card
    from generator.clips.ingest import ingest

    new_project(tmp_path / "mine")
    readme = (tmp_path / "mine" / "README.md").read_text()
    lines = readme.partition("```csv\n")[2].partition("```")[0].splitlines()
    clips = tmp_path / "clips"
    clips.mkdir()
    (clips / "results.csv").write_text("\n".join(line.strip() for line in lines))
    for name, rate in (("a.mp4", 8), ("b.mp4", 6)):
        render_card(clips / name, width=160, height=96, rate=Fraction(rate), seconds=Fraction(1))
    project = Project(root=tmp_path / "mine")

    ingest(
        clips,
        table=clips / "results.csv",
        run_id="2026-05-my-model",
        project=project,
        validate=lambda draft: load(Project(root=draft)),
    )

    made = [clip for clip in load(project).clips if clip.run == "2026-05-my-model"]
    assert [(clip.pipeline, clip.steps, clip.fps) for clip in made] == [
        ("my-model", (4,), Fraction("23.4")),
        ("my-model", (8,), Fraction("13.1")),
    ]
