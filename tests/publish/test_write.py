"""A site appears whole or not at all."""

import hashlib
import json
import os
import stat
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from publishing import contents, publish, tree

from generator.errors import PublishError
from generator.publish import write
from generator.publish.write import MANIFEST, drafting, only_builder


def test_the_folder_holds_exactly_what_was_rendered(tmp_path: Path) -> None:
    """Files of the last build that this one does not make are gone."""
    clip = tmp_path / "clip"
    clip.write_bytes(b"moving")
    site = tmp_path / "site"
    publish({"index.html": "one", "old/index.html": "x"}, {}, site)
    publish({"index.html": "two"}, {"media/c.webm": clip}, site, notes={"media/c.webm": {"a": 1}})
    written = contents(site)
    manifest = json.loads(written.pop(MANIFEST))
    assert written == {"index.html": b"two", "media/c.webm": b"moving"}
    assert {name: entry["sha256"] for name, entry in manifest["files"].items()} == {
        name: hashlib.sha256(data).hexdigest() for name, data in written.items()
    }
    assert manifest["files"]["media/c.webm"]["made"] == {"a": 1}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip", "site"]


def test_a_vanished_source_leaves_the_old_site(tmp_path: Path) -> None:
    site = tmp_path / "site"
    publish({"index.html": "one"}, {}, site)
    before = tree(site)
    with pytest.raises(PublishError, match="is as it was"):
        publish({"index.html": "two"}, {"media/c": tmp_path / "gone"}, site)
    assert tree(site) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["site"]


@pytest.mark.skipif(os.name != "posix", reason="modes of files are POSIX's")
@pytest.mark.parametrize("umask", [0o077, 0o027, 0o022, 0o002])
def test_what_is_published_can_be_read_by_a_web_server(tmp_path: Path, umask: int) -> None:
    """A web server is another user. A site that was published readable to few is opened up, too;
    nothing else is: not the folder above, and what a group may write stays so."""
    site = tmp_path / "site"
    clip = tmp_path / "clip"
    clip.write_bytes(b"moving")
    above = tmp_path.stat().st_mode
    before = os.umask(umask)
    try:
        for text in ("one", "two"):
            publish({"index.html": text, "a/b/c.html": "x"}, {"media/c.webm": clip}, site)
            modes = {path: stat.S_IMODE(path.stat().st_mode) for path in [site, *site.rglob("*")]}
            for path, mode in modes.items():
                least = 0o755 if path.is_dir() else 0o644
                assert mode & least == least, f"{path}: {mode:o}"
                assert mode & ~(least | (0o777 & ~umask)) == 0, f"{path}: {mode:o}"
            for path in modes:
                path.chmod(0o700 if path.is_dir() else 0o600)
    finally:
        os.umask(before)
    assert tmp_path.stat().st_mode == above


def test_leftovers_of_a_killed_build_are_cleared(tmp_path: Path) -> None:
    (tmp_path / ".site.matrix-archive-killed" / "half").mkdir(parents=True)
    publish({"index.html": "one"}, {}, tmp_path / "site")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["site"]


@pytest.mark.parametrize("manifest", [None, '{"name": "my app"}', '{"version": 1, "files": {}}'])
def test_a_folder_of_somebody_else_is_not_overwritten(tmp_path: Path, manifest: str | None) -> None:
    """Whether or not it holds a manifest.json of some kind."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "thesis.txt").write_text("years of work")
    if manifest is not None:
        (site / MANIFEST).write_text(manifest)
    before = tree(site)
    with pytest.raises(PublishError, match="no build put this file there"):
        publish({"index.html": "one"}, {}, site)
    assert tree(site) == before


def test_a_link_to_a_site_is_followed(tmp_path: Path) -> None:
    """The link stays a link; what it leads to is the new site."""
    real, link = tmp_path / "real", tmp_path / "site"
    real.mkdir()
    link.symlink_to(real, target_is_directory=True)
    publish({"index.html": "one"}, {}, link)
    assert link.is_symlink()
    assert (real / "index.html").read_bytes() == b"one"


def test_a_file_in_the_site_s_place_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "site").write_text("a letter")
    with pytest.raises(PublishError, match="is no folder"):
        publish({"index.html": "one"}, {}, tmp_path / "site")
    assert (tmp_path / "site").read_text() == "a letter"


def test_a_second_builder_says_so(tmp_path: Path) -> None:
    with (
        only_builder(tmp_path),
        pytest.raises(PublishError, match="another build"),
        only_builder(tmp_path),
    ):
        pass


def test_a_file_that_is_known_is_taken_over_and_one_that_was_touched_is_not(
    tmp_path: Path,
) -> None:
    """Known is what still has the size, time and inode with which it was written."""
    site = tmp_path / "site"
    with drafting(site) as draft:
        draft.text("index.html", "one")
        draft.text("a.txt", "the same")
        write.publish(draft, site, {})
        known = dict(draft.files)
    (site / "index.html").write_text("eno")
    with drafting(site) as draft:
        assert draft.keep("a.txt", known["a.txt"])
        assert not draft.keep("index.html", known["index.html"])
        assert not draft.keep("gone.txt", known["a.txt"])
        draft.text("index.html", "two")
        assert write.publish(draft, site, {})
    assert {name: data for name, data in contents(site).items() if name != MANIFEST} == {
        "a.txt": b"the same",
        "index.html": b"two",
    }


def test_a_site_that_is_the_same_stays_where_it_is(tmp_path: Path) -> None:
    site = tmp_path / "site"
    publish({"index.html": "one"}, {}, site)
    inode = site.stat().st_ino
    known = write.Written(
        sha256=hashlib.sha256(b"one").hexdigest(),
        stamp=write.stamp((site / "index.html").stat()),
    )
    with drafting(site) as draft:
        assert draft.keep("index.html", known)
        assert not write.publish(draft, site, {})
    assert site.stat().st_ino == inode
    assert publish({"index.html": "two"}, {}, site)
    assert site.stat().st_ino != inode


NAMES = ("index.html", "a", "a/index.html", "a/b", "a/b/index.html", "c/index.html", "c/d.json")
SITES = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(["one", "two", ""]), min_size=1)


def possible(site: dict[str, str]) -> bool:
    """No file stands where a folder is."""
    return not any(other.startswith(f"{name}/") for name in site for other in site)


@example([{"a": "one"}, {"index.html": "one"}, {"a/b/index.html": "", "a/index.html": ""}])
@given(st.lists(SITES.filter(possible), min_size=3, max_size=6))
def test_a_draft_that_begins_with_the_site_before_becomes_what_one_from_nothing_would(
    tmp_path_factory: pytest.TempPathFactory, sites: list[dict[str, str]]
) -> None:
    """And what is published stays as it is meanwhile, though it shares files with the draft."""
    folder = tmp_path_factory.mktemp("spare")
    site, spare = folder / "site", folder / "spare"
    known: dict[str, write.Written] = {}
    for texts in sites:
        before = tree(site)
        with drafting(site, spare) as draft:
            for name, text in texts.items():
                same = (
                    name in known
                    and known[name].sha256 == hashlib.sha256(text.encode()).hexdigest()
                )
                if not (same and draft.keep(name, known[name])):
                    draft.text(name, text)
            assert tree(site) == before
            write.publish(draft, site, {})
            known = dict(draft.files)
        found = contents(site)
        del found[MANIFEST]
        assert found == {name: text.encode() for name, text in texts.items()}
        folders = {p for p in site.rglob("*") if p.is_dir()}
        assert all(any(folder.iterdir()) for folder in folders)
        assert {p.name for p in folder.iterdir()} <= {"site", "spare"}
        assert all(
            written.stamp == write.stamp((site / name).stat()) for name, written in known.items()
        )
