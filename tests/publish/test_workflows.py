"""What publishes the site: commands that exist, least rights, nothing pasted into a shell."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import tomllib
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from generator.cli import command
from generator.pages import policy

REPOSITORY = Path(__file__).resolve().parents[2]
STARTER = REPOSITORY / "generator" / "starter"
HOMES = (REPOSITORY, STARTER)
"""Where they stand: here, and in what `new` gives a project."""
WORKFLOWS = [
    path for home in HOMES for path in sorted((home / ".github" / "workflows").glob("*.yml"))
]
NETLIFY = [tomllib.loads((home / "netlify.toml").read_text("utf-8")) for home in HOMES]


def jobs(path: Path) -> dict[str, dict[str, Any]]:
    found = yaml.safe_load(path.read_text("utf-8"))["jobs"]
    assert isinstance(found, dict)
    return found


def steps(path: Path) -> Iterator[dict[str, Any]]:
    for job in jobs(path).values():
        yield from job["steps"]


def scripts() -> list[tuple[str, str]]:
    found = [
        (path.name, step["run"]) for path in WORKFLOWS for step in steps(path) if "run" in step
    ]
    return [*found, *(("netlify.toml", one["build"]["command"]) for one in NETLIFY)]


def calls(script: str) -> Iterator[list[str]]:
    """The generator's own commands in a script, word by word."""
    for line in re.split(r"\n|&&", script.replace("\\\n", " ")):
        if "python -m generator" in line:
            words = shlex.split(line)
            yield words[words.index("generator") + 1 :]


def parse(name: str, arguments: list[str]) -> None:
    """Raises what a person would be shown for an option or argument that does not exist."""
    found = command.commands[name]
    found.make_parser(click.Context(found)).parse_args(list(arguments))


def test_the_files_are_there() -> None:
    assert [path.name for path in WORKFLOWS] == ["huggingface.yml", "pages.yml"] * len(HOMES)


@pytest.mark.parametrize("name", ["huggingface.yml", "pages.yml"])
def test_a_new_project_differs_in_how_the_generator_comes_and_in_its_own_words(name: str) -> None:
    """Step by step the same, so that what is mended here is mended there."""
    ours, theirs = (jobs(home / ".github" / "workflows" / name) for home in HOMES)
    for job in (*ours.values(), *theirs.values()):
        for step in job["steps"]:
            if step.get("name") == "Install":
                step["run"] = [line for line in step["run"].splitlines() if '"$RUNNER' in line]
            elif "card" in step.get("name", ""):
                words = re.compile(r"title: .*|^[A-Z].*\.$", re.MULTILINE)
                assert len(words.findall(step["run"])) == 2
                step["run"] = words.sub("", step["run"])
    assert ours == theirs


def test_a_workflow_says_that_nobody_named_the_generator(tmp_path: Path) -> None:
    """The step itself, with the file as `new` gives it, in an environment without a generator."""
    home = tmp_path / "venv"
    venv.create(home, symlinks=True, with_pip=True)
    shutil.copy(STARTER / "requirements.txt", tmp_path)
    step = next(one for one in steps(WORKFLOWS[-1]) if one.get("name") == "Install")
    environment = {**os.environ, "PATH": f"{home / 'bin'}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-e", "-c", step["run"]],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        env={**environment, "PIP_NO_INDEX": "1"},
    )
    assert done.returncode == 1
    assert "::error file=requirements.txt::names no generator yet" in done.stdout


def test_every_command_that_publishes_exists_with_its_options() -> None:
    seen = []
    for _, script in scripts():
        for name, *arguments in calls(script):
            parse(name, arguments)
            seen.append(name)
    assert seen.count("fetch") == seen.count("build") == 3 * len(HOMES)
    assert seen.count("check") == 2 * len(HOMES)
    with pytest.raises(click.NoSuchOption):
        parse("check", ["--no-such-option"])


def test_every_host_is_fetched_for_then_built_for_then_looked_at() -> None:
    for path in WORKFLOWS:
        names = [name for step in steps(path) if "run" in step for name, *_ in calls(step["run"])]
        assert names == ["fetch", "build", "check"], path.name
    for one in NETLIFY:
        assert [name for name, *_ in calls(one["build"]["command"])] == ["fetch", "build"]


@pytest.mark.parametrize(("name", "script"), scripts())
def test_scripts_are_good_shell_with_nothing_pasted_in(name: str, script: str) -> None:
    """Values come as environment variables, in quotes; what GitHub pastes in could be code."""
    subprocess.run(["bash", "-n", "-c", script], check=True, timeout=10)
    assert "${{" not in script
    for found in re.finditer(r"\$[A-Za-z_]+", script):
        assert script[: found.start()].count('"') % 2 == 1, f"{name}: {found[0]} without quotes"


def test_rights_are_the_least() -> None:
    allowed = {"contents": "read", "pages": "read"}
    for path in WORKFLOWS:
        workflow = yaml.safe_load(path.read_text("utf-8"))
        assert workflow["permissions"] in ({}, {"contents": "read"})
        assert set(workflow[True]) == {"workflow_dispatch", "push"}  # YAML reads `on` as true
        for name, job in workflow["jobs"].items():
            rights = job.get("permissions", workflow["permissions"])
            if name == "publish" and path.name == "pages.yml":
                assert rights == {"pages": "write", "id-token": "write"}
                assert not any("run" in step for step in job["steps"])
            else:
                assert rights.items() <= allowed.items(), (path.name, name)
            assert job["timeout-minutes"] <= 90


def test_actions_are_githubs_own_and_name_a_version() -> None:
    for path in WORKFLOWS:
        for step in steps(path):
            if "uses" in step:
                assert re.fullmatch(r"actions/[a-z-]+@v[0-9]+", step["uses"]), step["uses"]
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"] == {"persist-credentials": False}


def test_the_token_is_given_to_the_upload_alone() -> None:
    given = [
        step["name"] for path in WORKFLOWS for step in steps(path) if "secrets." in json.dumps(step)
    ]
    assert given == ["Publish"] * len(HOMES)
    for path in WORKFLOWS:
        for job in jobs(path).values():
            assert "secrets." not in json.dumps(job.get("env", {}))


@pytest.mark.parametrize("home", HOMES, ids=["here", "new"])
def test_the_space_gets_the_site_and_a_card_that_says_static(tmp_path: Path, home: Path) -> None:
    """The step itself, run on a small site."""
    (tmp_path / "site" / "data").mkdir(parents=True)
    (tmp_path / "site" / "data" / "x.json").write_text("{}")
    (step,) = [
        step
        for step in steps(home / ".github/workflows/huggingface.yml")
        if "card" in step.get("name", "")
    ]
    subprocess.run(
        ["bash", "-e", "-c", step["run"]],
        cwd=tmp_path,
        check=True,
        timeout=10,
        env=dict(os.environ),
    )
    assert (tmp_path / "space" / "data" / "x.json").read_text() == "{}"
    assert not (tmp_path / "site" / "README.md").exists()
    _, card, _ = (tmp_path / "space" / "README.md").read_text().split("---\n")
    assert yaml.safe_load(card)["sdk"] == "static"


def test_headers_are_said_in_one_place() -> None:
    """netlify.toml would win over _headers, and `serve` does not read it."""
    for one in NETLIFY:
        assert "headers" not in one
        assert one["build"]["publish"] == "site"
        assert one["build"]["processing"] == {"skip_processing": True}
    assert "unsafe" not in policy.content_policy([])


def test_every_host_in_the_documentation_has_its_workflow() -> None:
    text = (REPOSITORY / "docs" / "publishing.md").read_text("utf-8")
    for path in (*WORKFLOWS, REPOSITORY / "netlify.toml"):
        if not path.is_relative_to(STARTER):
            assert f"(../{path.relative_to(REPOSITORY).as_posix()})" in text
    for line in re.findall(r"^python -m generator .*", text, re.MULTILINE):
        for name, *arguments in calls(line):
            parse(name, arguments)
