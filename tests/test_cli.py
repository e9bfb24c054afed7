"""The command line as a person meets it: help with examples, exit codes, and nothing half-done."""

from __future__ import annotations

import json
import re
import shutil
import tomllib
from pathlib import Path

import pytest

from generator.catalogue import load
from generator.cli import command, main
from generator.project import Project

REPOSITORY = Path(__file__).resolve().parent.parent
SAMPLE = REPOSITORY / "tests" / "sample"


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    """A tiny project of one's own, in a folder that may be changed."""
    shutil.copytree(SAMPLE, tmp_path / "sample")
    return tmp_path / "sample"


@pytest.mark.parametrize("name", sorted(command.commands))
def test_every_command_shows_examples_and_exit_codes(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([name, "--help"]) == 0
    text = capsys.readouterr().out
    assert f"python -m generator {name}" in text.split("Examples:")[1]
    assert "Exit codes: 0 done; 1" in text


@pytest.mark.parametrize("name", sorted(command.commands))
def test_examples_are_understood(name: str) -> None:
    """Each example parses: options that do not exist would be refused with exit code 2."""
    examples = command.commands[name].callback.examples  # type: ignore[union-attr]
    assert examples
    for line in examples:
        words = re.split(r" (?:&&|>) ", line)[0].split()
        assert words[:4] == ["python", "-m", "generator", name]
        options = {option for p in command.commands[name].params for option in p.opts}
        for word in words[4:]:
            if word.startswith("-"):
                assert word in options, line


def test_the_readme_names_only_commands_that_exist() -> None:
    text = (REPOSITORY / "README.md").read_text("utf-8")
    for name in re.findall(r"python -m generator ([a-z]+)", text):
        assert name in command.commands, name
    for name in command.commands:
        assert f"python -m generator {name}" in text, name


def test_interpolation_that_nobody_stated_is_shown_as_not_stated(sample: Path) -> None:
    """As people write run.toml by hand: what is left out is not taken for "none"."""
    run = sample / "content" / "runs" / "elsewhere" / "run.toml"
    stated = 'interpolation = "none"\n'
    found: dict[str, tuple[object, str]] = {}
    for text in (run.read_text("utf-8"), run.read_text("utf-8").replace(stated, "")):
        run.write_text(text, "utf-8")
        assert main(["build", "--root", str(sample)]) == 0
        archive = json.loads((sample / "site" / "data" / "archive.json").read_text("utf-8"))
        (series,) = next(one for one in archive["runs"] if one["id"] == "elsewhere")["series"]
        page = (sample / "site" / "runs" / "elsewhere" / "index.html").read_text("utf-8")
        key = "stated" if stated in text else "left out"
        found[key] = series["interpolation"], re.findall(r"Interpolation: ([^.]*)\.", page)[0]
    assert found == {"stated": ("none", "none"), "left out": (None, "not stated")}


def test_what_a_network_made_whole_is_not_interpolated() -> None:
    """`work` says what made every frame, so the real runs that state it need not say more."""
    project = Project(root=REPOSITORY)
    series = [one for run in load(project).runs for one in run.series if one.work]
    assert {one.interpolation for one in series} == {"none"}
    files = REPOSITORY.glob("content/runs/*/run.toml")
    written = [one for path in files for one in tomllib.loads(path.read_text("utf-8"))["series"]]
    assert all("interpolation" not in one for one in written if one.get("work"))
    assert len(series) > 5


def test_a_build_writes_a_site_and_says_what_it_did(
    sample: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["build", "--root", str(sample)]) == 0
    assert re.match(r"site/: \d+ pages, \d+ cells .*MB", capsys.readouterr().out)
    manifest = json.loads((sample / "site" / "manifest.json").read_text())
    assert {"index.html", "404.html", "_headers"} <= set(manifest["files"])


def test_mistakes_are_all_listed_and_nothing_is_written(
    sample: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two files, two mistakes, one run; exit code 1; the site of before stays as it was."""
    assert main(["build", "--root", str(sample)]) == 0
    before = (sample / "site" / "manifest.json").read_bytes()
    capsys.readouterr()
    site = sample / "content" / "site.toml"
    site.write_text(site.read_text().replace("base_url", "base_ulr"))
    (sample / "content" / "prompts" / "new one.md").write_text("no front matter")
    assert main(["build", "--root", str(sample)]) == 1
    said = capsys.readouterr().err
    assert 'did you mean "base_url"?' in said
    assert "content/prompts/new one.md" in said
    assert "Traceback" not in said
    assert (sample / "site" / "manifest.json").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["build", "--root", "/nowhere-at-all"], "no content/ folder there"),
        (["build", "--mirror", "/nowhere-at-all"], "does not exist"),
        (["build", "--base-url", "example.org"], "write an address of a folder"),
        (["build", "--generate"], "lab"),
        (["fetch", "--run", "nope"], "no such run"),
        (["frobnicate"], "No such command"),
        (["build", "--include-media", "nope"], "no such run"),
    ],
)
def test_a_command_that_cannot_be_carried_out_exits_with_2(
    arguments: list[str], words: str, sample: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if arguments[0] != "frobnicate" and "--root" not in arguments:
        arguments = [*arguments, "--root", str(sample)]
    assert main(arguments) == 2
    assert words in capsys.readouterr().err


def test_strict_check_fails_where_a_claim_fails(
    sample: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The sample's claims hold; a wrong one makes --strict, and only --strict, exit with 1."""
    assert main(["check", "--root", str(sample), "--strict"]) == 0
    for run in (sample / "content" / "runs").glob("*/run.toml"):
        run.write_text(
            run.read_text()
            + '\n[[claims]]\nkind = "duration"\nid = "too-long"\nsays = "an hour"\nseconds = 3600\n'
        )
    assert main(["check", "--root", str(sample)]) == 0
    assert main(["check", "--root", str(sample), "--strict"]) == 1
    assert "too-long" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("--size", "512", "is no size; write width x height in pixels"),
        ("--size", "500x288", "does not divide by 16 on both sides; write such as 496x288"),
        ("--part", "2", "is no part of a schedule; write K/N, such as 1/2"),
        ("--part", "1x2", "is no part of a schedule; write K/N, such as 1/2"),
        ("--part", "1/2/3", "is no part of a schedule; write K/N, such as 1/2"),
        ("--part", "-1/2", "is no part of a schedule; write K/N, such as 1/2"),
    ],
)
def test_training_is_told_which_of_its_options_is_wrong(
    option: str, value: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "neon", "--stage", "vae", option, value]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f'{option} "{value}": {says}')
