"""A build that does only what changed gives what a build of everything gives."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from publishing import tree

from generator import build as building
from generator.errors import PublishError
from generator.project import Project, defaults

SAMPLE = Path(__file__).resolve().parent / "sample"
ALL = building.Options(verify=True)


def replace(root: Path, file: str, old: str, new: str) -> None:
    path = root / file
    text = path.read_text("utf-8")
    assert old in text, f"{file} holds no {old!r}"
    path.write_text(text.replace(old, new), "utf-8")


def own_template(root: Path) -> None:
    (root / "templates" / "pages").mkdir(parents=True)
    stock = (defaults() / "templates" / "pages" / "not-found.html").read_text("utf-8")
    (root / "templates" / "pages" / "not-found.html").write_text(
        stock.replace("<p", "<p lang='en'")
    )


def own_style(root: Path) -> None:
    (root / "static" / "css").mkdir(parents=True)
    stock = (defaults() / "static" / "css" / "tokens.css").read_text("utf-8")
    (root / "static" / "css" / "tokens.css").write_text(f"{stock}\n")


def another_prompt(root: Path) -> None:
    old = root / "content" / "prompts" / "lighthouse.md"
    (root / "content" / "prompts" / "pier.md").write_text(old.read_text("utf-8"), "utf-8")


def tamper(root: Path) -> None:
    page = root / "site" / "archive" / "index.html"
    page.write_text(page.read_text("utf-8").replace("archive", "archivE"), "utf-8")


def tamper_and_hide_it(root: Path) -> None:
    """With the size and time that it had: a new inode tells."""
    page = root / "site" / "archive" / "index.html"
    before = page.stat()
    other = page.with_name("other.html")
    other.write_bytes(page.read_bytes().replace(b"archive", b"archivE"))
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(page)


def spoil_drawings(root: Path) -> None:
    """A page with charts is printed, and none of what is kept of them can be read."""
    kept = list((Project(root=root).printing / "charts").iterdir())
    assert kept
    for path in kept:
        path.write_text('{"charts": [{"id": "cut off"}]}')
    replace(root, "content/prompts/lighthouse.md", "lighthouse", "tall lighthouse")


EDITS: dict[str, Callable[[Path], None]] = {
    "a prompt's text": lambda root: replace(
        root, "content/prompts/lighthouse.md", "lighthouse", "tall lighthouse"
    ),
    "a row's rate": lambda root: replace(root, "content/runs/elsewhere/clips.csv", "28.3", "28.4"),
    "a row of another name": lambda root: (
        replace(
            root,
            "content/runs/cards/clips.csv",
            "fast,declared,test-card,,256x144,24,2\n",
            "quick,declared,test-card,,256x144,24,2\n",
        )
        or replace(root, "content/presets/slow-and-fast.md", "cards--fast", "cards--quick")
        or replace(root, "content/presets/all-four.md", "cards--fast", "cards--quick")
    ),
    "another card": lambda root: replace(
        root, "content/runs/cards/clips.csv", "256x144,6,2", "256x144,7,2"
    ),
    "the site's title": lambda root: replace(
        root, "content/site.toml", "Sample archive", "Simple archive"
    ),
    "rights": lambda root: replace(
        root, "content/runs/cards/run.toml", "publish_media = true", "publish_media = false"
    ),
    "a run's machine": lambda root: replace(
        root, "content/runs/elsewhere/run.toml", "one sample GPU", "two sample GPUs"
    ),
    "a template": own_template,
    "a style sheet": own_style,
    "another prompt": another_prompt,
    "nothing": lambda root: None,
    "a published page": tamper,
    "a published page, hidden": tamper_and_hide_it,
    "a published file gone": lambda root: next((root / "site" / "media").iterdir()).unlink(),
    "the memory": lambda root: Project(root=root).memory.write_text('{"version": 1, "files": 3}'),
    "the list of hashes": lambda root: Project(root=root).hashes.write_text("[]"),
    "the list of what was derived": lambda root: Project(root=root).prepared.write_text("{}"),
    "the kept drawings": lambda root: spoil_drawings(root),
    "the cache": lambda root: shutil.rmtree(root / ".cache" / "derived"),
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("incremental") / "sample"
    shutil.copytree(SAMPLE, root)
    building.build(Project(root=root), building.Options())
    return root


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_after_any_edit_both_give_the_same_bytes(
    built: Path, tmp_path: Path, edit: Callable[[Path], None]
) -> None:
    quick, slow = tmp_path / "quick", tmp_path / "slow"
    shutil.copytree(built, quick, copy_function=shutil.copy2)
    building.build(Project(root=quick), building.Options())  # copies have other inodes
    edit(quick)
    shutil.copytree(quick, slow, ignore=shutil.ignore_patterns("site", "printing", "*.json"))
    building.build(Project(root=quick), building.Options())
    building.build(Project(root=slow), ALL)
    assert tree(quick / "site") == tree(slow / "site")


def test_drawings_are_kept_while_a_page_shows_them(built: Path, tmp_path: Path) -> None:
    root, fresh = tmp_path / "edited", tmp_path / "fresh"
    shutil.copytree(built, root, copy_function=shutil.copy2)
    before = kept_drawings(root)
    EDITS["a prompt's text"](root)
    building.build(Project(root=root), building.Options())
    assert kept_drawings(root) == before, "no chart shows a prompt's text"
    EDITS["a row's rate"](root)
    building.build(Project(root=root), building.Options())
    shutil.copytree(root / "content", fresh / "content")
    building.build(Project(root=fresh), building.Options())
    assert before != kept_drawings(root) == kept_drawings(fresh)


def kept_drawings(root: Path) -> set[str]:
    return {path.name for path in (Project(root=root).printing / "charts").iterdir()}


def test_only_what_changed_is_printed(tmp_path: Path) -> None:
    root = tmp_path / "sample"
    shutil.copytree(SAMPLE, root)
    project = Project(root=root)
    everything = building.build(project, building.Options())
    assert everything.printed > everything.pages
    inode = (root / "site").stat().st_ino

    again = building.build(project, building.Options())
    assert (again.printed, again.unchanged) == (0, True)
    assert (root / "site").stat().st_ino == inode
    assert (again.pages, again.clips, again.bytes) == (
        everything.pages,
        everything.clips,
        everything.bytes,
    )

    kept = {name: (root / "site" / name).stat().st_ino for name in tree(root / "site")}
    replace(root, "content/runs/elsewhere/run.toml", "one sample GPU", "two sample GPUs")
    little = building.build(project, building.Options())
    assert 0 < little.printed < everything.printed / 2
    assert not little.unchanged
    page = "clips/cards--slow/index.html"
    assert (root / "site" / page).stat().st_ino == kept[page]
    page = "runs/elsewhere/index.html"
    assert (root / "site" / page).stat().st_ino != kept[page]

    assert building.build(project, ALL).printed == everything.printed


def test_the_same_bytes_under_other_times_print_nothing(tmp_path: Path) -> None:
    """As after a checkout: every file is read again, none is different."""
    root = tmp_path / "sample"
    shutil.copytree(SAMPLE, root)
    project = Project(root=root)
    building.build(project, building.Options())
    for path in (root / "content").rglob("*"):
        os.utime(path, ns=(0, 1_000_000_000_000_000_000))
    again = building.build(project, building.Options())
    assert (again.printed, again.unchanged) == (0, True)


def test_other_options_are_another_build(tmp_path: Path) -> None:
    root = tmp_path / "sample"
    shutil.copytree(SAMPLE, root)
    project = Project(root=root)
    building.build(project, building.Options())
    elsewhere = building.Options(base_url="https://example.com/elsewhere/")
    assert not building.build(project, elsewhere).unchanged
    assert "example.com" in (root / "site" / "sitemap.xml").read_text("utf-8")


@pytest.mark.parametrize("kind", ["*.mp4", "poster.*", "storyboard.*"])
def test_what_was_damaged_in_the_cache_is_never_published_and_verify_makes_it_anew(
    built: Path, tmp_path: Path, kind: str
) -> None:
    """A byte that a disk turned leaves size and seal as they were."""
    root = tmp_path / "sample"
    shutil.copytree(built, root, copy_function=shutil.copy2)
    project = Project(root=root)
    building.build(project, building.Options())
    before = tree(root / "site")
    damaged = [path for path in project.derived.glob(f"??/*/{kind}") if turn_a_byte(path, before)]
    assert damaged
    shutil.rmtree(root / "site")
    shutil.rmtree(project.spare, ignore_errors=True)  # it holds them as they were
    with pytest.raises(PublishError, match=r"holds other bytes .* build --verify") as refused:
        building.build(project, building.Options())
    assert root / str(refused.value).partition(":")[0] in damaged
    assert not (root / "site").exists()
    building.build(project, ALL)
    assert tree(root / "site") == before


def turn_a_byte(path: Path, published: dict[str, str]) -> bool:
    """Turn one in the middle of a file, where it is a published one."""
    data = bytearray(path.read_bytes())
    if hashlib.sha256(data).hexdigest() not in published.values():
        return False
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    return True


def test_a_clip_that_changed_and_kept_its_size_and_time_is_found_by_verify(
    tmp_path: Path,
) -> None:
    """What path, size, time and inode cannot tell, `--verify` reads."""
    hashed = building.Hashes(tmp_path / "hashes.json")
    path = tmp_path / "clip"
    path.write_bytes(b"one")
    os.utime(path, ns=(0, 1_000_000_000_000_000_000))
    first = hashed.of(path)
    hashed.save()
    with path.open("r+b") as stream:
        stream.write(b"two")
    os.utime(path, ns=(0, 1_000_000_000_000_000_000))
    assert building.Hashes(tmp_path / "hashes.json").of(path) == first
    verified = building.Hashes(tmp_path / "hashes.json", trusting=False).of(path)
    assert verified == hashlib.sha256(b"two").hexdigest()
