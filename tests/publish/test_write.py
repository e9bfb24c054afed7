"""A site appears whole or not at all."""

import hashlib
import json
from pathlib import Path

import pytest

from generator.errors import PublishError
from generator.publish.write import MANIFEST, only_builder, publish


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_folder_holds_exactly_what_was_rendered(tmp_path: Path) -> None:
    """Files of the last build that this one does not make are gone."""
    clip = tmp_path / "clip"
    clip.write_bytes(b"moving")
    site = tmp_path / "site"
    publish({"index.html": "one", "old/index.html": "x"}, {}, site, notes={})
    publish({"index.html": "two"}, {"media/c.webm": clip}, site, notes={"media/c.webm": {"a": 1}})
    written = tree(site)
    manifest = json.loads(written.pop(MANIFEST))
    assert written == {"index.html": b"two", "media/c.webm": b"moving"}
    assert {name: entry["sha256"] for name, entry in manifest["files"].items()} == {
        name: hashlib.sha256(data).hexdigest() for name, data in written.items()
    }
    assert manifest["files"]["media/c.webm"]["made"] == {"a": 1}
    assert [path.name for path in tmp_path.iterdir() if "tmp" in path.name] == []


def test_a_vanished_source_leaves_the_old_site(tmp_path: Path) -> None:
    site = tmp_path / "site"
    publish({"index.html": "one"}, {}, site, notes={})
    before = tree(site)
    with pytest.raises(PublishError, match="is as it was"):
        publish({"index.html": "two"}, {"media/c": tmp_path / "gone"}, site, notes={})
    assert tree(site) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["site"]


def test_leftovers_of_a_killed_build_are_cleared(tmp_path: Path) -> None:
    (tmp_path / "site.tmp-killed" / "half").mkdir(parents=True)
    publish({"index.html": "one"}, {}, tmp_path / "site", notes={})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["site"]


def test_a_folder_of_somebody_else_is_not_overwritten(tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / "thesis.txt").write_text("years of work")
    with pytest.raises(PublishError, match="no build put there"):
        publish({"index.html": "one"}, {}, site, notes={})
    assert tree(site) == {"thesis.txt": b"years of work"}


def test_a_second_builder_says_so(tmp_path: Path) -> None:
    with (
        only_builder(tmp_path),
        pytest.raises(PublishError, match="another build"),
        only_builder(tmp_path),
    ):
        pass
