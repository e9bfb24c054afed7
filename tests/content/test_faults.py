"""The real content with one thing broken yields one complaint: mistakes neither spread nor hide."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from generator.catalogue import load
from generator.errors import ContentError
from generator.project import Project

CONTENT = Path(__file__).resolve().parents[2] / "content"
RUN = "runs/2026-03-story-machine-h100"


@pytest.fixture
def content(tmp_path: Path) -> Path:
    return Path(shutil.copytree(CONTENT, tmp_path / "content"))


def break_file(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")


def places(content: Path) -> list[str]:
    """Where something is wrong, all of it."""
    with pytest.raises(ContentError) as caught:
        load(Project(root=content.parent))
    return [complaint.where for complaint in caught.value.complaints]


@pytest.mark.parametrize(
    ("file", "old", "new", "place"),
    [
        ("pipelines/memflow.toml", "content_rate_hz =", "content_rate =", "$.content_rate"),
        ("prompts/drone-metropolis.md", "order: 2", "order: two", "$.order"),
        ("machines/h100-80gb.toml", "memory_gb = 80", "memory_gb = -80", "$.memory_gb"),
        (f"{RUN}/run.toml", 'machine = "h100-80gb"', 'machine = "h100-80g"', "$.machine"),
    ],
)
def test_what_refers_to_a_faulty_file_is_not_wrong_too(
    content: Path, file: str, old: str, new: str, place: str
) -> None:
    break_file(content / file, old, new)

    assert places(content) == [f"content/{file} {place}"]


def test_a_faulty_run_does_not_hide_mistakes_in_its_table(content: Path) -> None:
    break_file(content / RUN / "run.toml", 'weights = "', 'weight = "')
    break_file(content / RUN / "clips.csv", "512x288,2,49.3,caff", "512x288,0,49.3,caff")

    assert places(content) == [
        f"content/{RUN}/run.toml $.weights",
        f"content/{RUN}/run.toml $.weight",
        f"content/{RUN}/clips.csv line 2, steps",
    ]
