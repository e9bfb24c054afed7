"""The sample's whole site, text by text, against tests/golden/: `make golden` refreshes it.

Hashes in addresses change with every byte of a stylesheet or a clip; they are masked here and
held elsewhere. Everything else a reader or a program sees is compared as it is.
"""

from __future__ import annotations

import difflib
import re
import shutil
from pathlib import Path

import pytest

from generator import build as building
from generator.project import Project

HERE = Path(__file__).resolve().parent
GOLDEN = HERE / "golden"
BY_HASH = {("data", "packets"), ("data", "timestamps"), ("data", "lanes")}
"""Texts named by the hash of a clip, which tests/pages/test_data.py looks into."""
TEXTS = {".html", ".json", ".xml", ".csv", ".txt", ".webmanifest", ".svg", ""}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return texts_of(build_in(tmp_path_factory.mktemp("golden") / "sample"))


def build_in(root: Path) -> Path:
    shutil.copytree(HERE / "sample", root)
    building.build(Project(root=root), building.Options())
    return root / "site"


def texts_of(site: Path) -> dict[str, str]:
    return {
        path.relative_to(site).as_posix(): mask(path.read_text("utf-8"))
        for path in sorted(site.rglob("*"))
        if path.is_file()
        and path.suffix in TEXTS
        and path.relative_to(site).parts[:-1] not in BY_HASH
        and not path.is_relative_to(site / "assets")
        and path.name != "manifest.json"
    }


def mask(text: str) -> str:
    text = re.sub(
        r"(assets|media|packets|timestamps|lanes)/[0-9a-f]{16}(-[0-9a-f]{16})?", r"\1/HASH", text
    )
    text = re.sub(r"\b[0-9a-f]{64}\b", "SHA256", text)
    return re.sub(r"ffmpeg (version )?[\w.-]+", "ffmpeg VERSION", text)


def test_the_sample_site_is_the_golden_one(
    built: dict[str, str], request: pytest.FixtureRequest
) -> None:
    if request.config.getoption("--refresh-golden"):
        shutil.rmtree(GOLDEN, ignore_errors=True)
        for name, text in built.items():
            path = GOLDEN / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        pytest.skip("golden site refreshed: look at the difference before you commit it")
    golden = {
        path.relative_to(GOLDEN).as_posix(): path.read_text("utf-8")
        for path in sorted(GOLDEN.rglob("*"))
        if path.is_file()
    }
    assert built.keys() == golden.keys()
    for name, text in built.items():
        difference = difflib.unified_diff(
            golden[name].splitlines(), text.splitlines(), name, name, lineterm="", n=1
        )
        shown = "\n".join(list(difference)[:40])
        assert not shown, f"{shown}\nA wanted change? `make golden` takes it over."


def test_a_second_build_elsewhere_has_the_same_bytes(tmp_path: Path) -> None:
    """No clock, no path, no order of work shows in the output: every file, clips included."""
    trees = []
    for name in ("one", "two"):
        site = build_in(tmp_path / name)
        trees.append(
            {p.relative_to(site).as_posix(): p.read_bytes() for p in site.rglob("*") if p.is_file()}
        )
    assert trees[0].keys() == trees[1].keys()
    assert [name for name in trees[0] if trees[0][name] != trees[1][name]] == []
