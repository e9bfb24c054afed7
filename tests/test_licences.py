"""docs/licences.md says what runs and what is carried, and every licence in it is allowed."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import av._core
import imageio_ffmpeg
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).resolve().parent.parent
SCRIPT = REPOSITORY / "release" / "licences.py"
WRITTEN = REPOSITORY / "docs" / "licences.md"
CARRIED = {".woff2", ".woff", ".ttf", ".otf", ".min.js", ".min.css"}
"""Endings of files that somebody else made."""


@pytest.fixture(scope="module")
def script() -> dict[str, Any]:
    return runpy.run_path(str(SCRIPT))


def needed(name: str, seen: set[str]) -> set[str]:
    """A package and all it needs here, by its installed metadata."""
    for line in metadata.requires(name) or ():
        requirement = Requirement(line)
        other = canonicalize_name(requirement.name)
        if other in seen or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        seen.add(other)
        needed(other, seen)
    return seen


def test_the_report_is_a_fresh_one_and_faultless() -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT)], capture_output=True, encoding="utf-8", timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == WRITTEN.read_text("utf-8"), "run `make licences`"


def test_all_that_a_build_needs_is_in_it() -> None:
    """The closure over installed metadata, walked here, misses no package of the report."""
    listed = re.findall(r"^\| ([a-z0-9-]+) \| \d", WRITTEN.read_text("utf-8"), re.MULTILINE)
    assert needed("matrix-archive", set()) <= set(listed)
    assert len(listed) == len(set(listed))


def test_versions_in_it_are_the_installed_ones() -> None:
    """The environment was made from the lock, so each installed version stands in its row."""
    for line in WRITTEN.read_text("utf-8").splitlines():
        if row := re.match(r"\| ([a-z0-9-]+) \| (\d[^|]*) \|", line):
            assert metadata.version(row[1]) in re.split(r"<br>| \(.*?\)", row[2]), row[1]


def test_every_file_of_others_in_static_is_listed(script: dict[str, Any]) -> None:
    static = REPOSITORY / "static"
    there = {
        path.relative_to(static).as_posix()
        for path in static.rglob("*")
        if path.is_file()
        and (path.name.endswith(tuple(CARRIED)) or path.is_relative_to(static / "vendor"))
        and "LICENSE" not in path.name
    }
    assert there == {one.path for one in script["VENDORED"]}
    for one in script["VENDORED"]:
        licence = (static / one.text).read_text("utf-8")
        named = {
            "OFL-1.1": "SIL Open Font License, Version 1.1",
            "MIT": "MIT License",
            "MPL-2.0": "Mozilla Public License Version 2.0",
        }
        assert named[one.licence].lower() in licence.lower(), one.text


def test_the_bundled_plotly_says_that_version(script: dict[str, Any]) -> None:
    (one,) = (one for one in script["VENDORED"] if one.name.startswith("plotly.js"))
    head = (REPOSITORY / "static" / one.path).read_text("utf-8")[:200]
    assert f"v{one.version}\n" in head


def test_the_bundled_mediabunny_says_its_version_and_where_its_source_is(
    script: dict[str, Any],
) -> None:
    """The MPL asks for the source's address; the worker imports just this file."""
    (one,) = (one for one in script["VENDORED"] if one.name.startswith("mediabunny"))
    head = (REPOSITORY / "static" / one.path).read_text("utf-8")[:400]
    assert f"mediabunny v{one.version}, MPL-2.0" in head
    assert f"npm package mediabunny@{one.version}" in head
    recipe = (REPOSITORY / "release" / "mediabunny.sh").read_text("utf-8")
    assert f"MEDIABUNNY={one.version} " in recipe


@pytest.mark.parametrize(
    ("licence", "allowed"),
    [
        ("MIT", True),
        ("Apache-2.0 OR GPL-3.0-only", True),
        ("MIT AND GPL-3.0-only", False),
        ("GPL-3.0-only", False),
        ("MIT AND (GPL-2.0-only OR BSD-3-Clause)", True),
        ("", False),
    ],
)
def test_what_is_not_allowed_is_refused(
    script: dict[str, Any], licence: str, allowed: bool
) -> None:
    """Of alternatives one must be allowed, of things that hold together all."""
    assert bool(script["faults_of"](licence)) is not allowed


def test_ffmpeg_is_under_what_the_report_says() -> None:
    """The program and the libraries are asked themselves."""
    program = imageio_ffmpeg.get_ffmpeg_exe()
    told = subprocess.run([program, "-L"], capture_output=True, text=True, timeout=60).stdout
    assert "GNU General Public License" in told
    assert re.search(r"either version 3 of the License, or\s+\(at your option\) any later", told)
    libraries = {one["license"] for one in av._core.library_meta.values()}
    assert libraries == {"LGPL version 3 or later"}
    said = " ".join(WRITTEN.read_text("utf-8").split())
    assert "`--enable-gpl --enable-version3`: GPL-3.0-or-later" in said
    assert "call themselves LGPL-3.0-or-later" in said
