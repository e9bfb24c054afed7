"""A project may lay its own templates over ours; a mistake in one is named with file and line."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from generator import build as building
from generator.errors import PublishError
from generator.project import Project

SAMPLE = Path(__file__).resolve().parents[1] / "sample"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<h1>\n{{ no_such_thing }}</h1>", "pages/home.html line 2: 'no_such_thing' is undefined"),
        ("<h1>\n{% if %}</h1>", "pages/home.html line 2: "),
        ("{% extends 'gone.html' %}", "gone.html"),
    ],
)
def test_a_mistake_in_a_template_names_its_place(tmp_path: Path, text: str, words: str) -> None:
    root = tmp_path / "sample"
    shutil.copytree(SAMPLE, root)
    (root / "templates" / "pages").mkdir(parents=True)
    (root / "templates" / "pages" / "home.html").write_text(text)
    with pytest.raises(PublishError) as caught:
        building.build(Project(root=root), building.Options())
    assert words in str(caught.value)
    assert not (root / "site").exists()
