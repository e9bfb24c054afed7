"""What publishes the site: commands that exist, least rights, nothing pasted into a shell."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from generator.cli import command
from generator.pages import policy

REPOSITORY = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((REPOSITORY / ".github" / "workflows").glob("*.yml"))
NETLIFY = tomllib.loads((REPOSITORY / "netlify.toml").read_text("utf-8"))


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
    return [*found, ("netlify.toml", NETLIFY["build"]["command"])]


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
    assert [path.name for path in WORKFLOWS] == ["huggingface.yml", "pages.yml"]


def test_every_command_that_publishes_exists_with_its_options() -> None:
    seen = []
    for _, script in scripts():
        for name, *arguments in calls(script):
            parse(name, arguments)
            seen.append(name)
    assert seen.count("fetch") == seen.count("build") == 3
    assert seen.count("check") == 2
    with pytest.raises(click.NoSuchOption):
        parse("check", ["--no-such-option"])


def test_every_host_is_fetched_for_then_built_for_then_looked_at() -> None:
    for path in WORKFLOWS:
        names = [name for step in steps(path) if "run" in step for name, *_ in calls(step["run"])]
        assert names == ["fetch", "build", "check"], path.name
    assert [name for name, *_ in calls(NETLIFY["build"]["command"])] == ["fetch", "build"]


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
    assert given == ["Publish"]
    for path in WORKFLOWS:
        for job in jobs(path).values():
            assert "secrets." not in json.dumps(job.get("env", {}))


def test_the_space_gets_the_site_and_a_card_that_says_static(tmp_path: Path) -> None:
    """The step itself, run on a small site."""
    (tmp_path / "site" / "data").mkdir(parents=True)
    (tmp_path / "site" / "data" / "x.json").write_text("{}")
    (step,) = [
        step
        for step in steps(REPOSITORY / ".github/workflows/huggingface.yml")
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
    assert "headers" not in NETLIFY
    assert NETLIFY["build"]["publish"] == "site"
    assert "unsafe" not in policy.content_policy([])


def test_every_host_in_the_documentation_has_its_workflow() -> None:
    text = (REPOSITORY / "docs" / "publishing.md").read_text("utf-8")
    for path in (*WORKFLOWS, REPOSITORY / "netlify.toml"):
        assert f"(../{path.relative_to(REPOSITORY).as_posix()})" in text
    for line in re.findall(r"^python -m generator .*", text, re.MULTILINE):
        for name, *arguments in calls(line):
            parse(name, arguments)
