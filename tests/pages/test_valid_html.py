"""Every page, held against the standard by the W3C's own checker (vnu)."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from validator import REMEDY, find

from generator.pages import Rendered

GOLDEN = Path(__file__).resolve().parents[1] / "golden"


def complaints(folder: Path) -> list[str]:
    """What the checker says of all HTML below a folder: errors and warnings.

    It reads files, of which the 'self' of a page's policy is none; what a browser makes of the
    policy is tested in one (tests/browser/).
    """
    command = find()
    if command is None:
        pytest.skip(REMEDY)
    done = subprocess.run(
        [*command, "--stdout", "--format", "json", "--skip-non-html", str(folder)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.stdout, done.stderr
    return [
        f"{one.get('url', '')} line {one.get('lastLine', '?')}: {one['message']}"
        for one in json.loads(done.stdout)["messages"]
        if "violates Content Security Policy (meta tag)" not in one["message"]
    ]


def test_the_checker_finds_what_is_wrong(tmp_path: Path) -> None:
    """Silence means something: a page with a known fault is not passed over."""
    fault = "<!doctype html><html lang=en><title>t</title><p id=a><p id=a><img src=x.png>"
    (tmp_path / "page.html").write_text(fault, "utf-8")
    found = " ".join(complaints(tmp_path))

    assert "Duplicate ID" in found
    assert "alt" in found


def test_every_page_of_a_catalogue_with_everything_in_it_is_valid(
    rendered: Rendered, tmp_path: Path
) -> None:
    for name, text in rendered.texts.items():
        if name.endswith(".html"):
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")

    assert complaints(tmp_path) == []


def test_every_page_of_the_golden_site_is_valid() -> None:
    """Which is, byte for byte, what a build of tests/sample publishes (tests/test_golden.py)."""
    assert complaints(GOLDEN) == []
