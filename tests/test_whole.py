"""Never half a site: whatever ends a build, what is published is the old site or the new one."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from publishing import tree
from small_disk import WHY_NOT, on_small_disk

from generator import build as building
from generator.cli import main
from generator.project import Project

SAMPLE = Path(__file__).resolve().parent / "sample"
KILLS = 100
SEED = 20261122


def faults(site: Path) -> list[str]:
    """What of a site is not as its own manifest says."""
    listed = json.loads((site / "manifest.json").read_text("utf-8"))["files"]
    found = tree(site)
    del found["manifest.json"]
    return [
        name for name in {*listed, *found} if listed.get(name, {}).get("sha256") != found.get(name)
    ]


def title_the_prompt(root: Path, title: str) -> None:
    """A change that shows on most pages."""
    path = root / "content" / "prompts" / "lighthouse.md"
    lines = path.read_text("utf-8").splitlines(keepends=True)
    path.write_text(
        "".join(f"title: {title}\n" if line.startswith("title:") else line for line in lines),
        "utf-8",
    )


def start_build(root: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        (sys.executable, "-m", "generator", "build", "--root", str(root)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="needs process groups")
def test_a_build_that_is_killed_a_hundred_times_never_leaves_half_a_site(tmp_path: Path) -> None:
    """SIGKILL at random moments of a build over a published site, every fourth time with nothing
    in the cache, so that it strikes encoders, too. The next build then succeeds."""
    root = tmp_path / "sample"
    shutil.copytree(SAMPLE, root)
    manifests, seconds = {}, {}
    for title in ("Lighthouse", "Another lighthouse"):
        title_the_prompt(root, title)
        assert main(["build", "--root", str(root)]) == 0
        manifests[title] = (root / "site" / "manifest.json").read_bytes()
    for kind in ("warm", "cold"):
        title_the_prompt(root, "Lighthouse" if kind == "warm" else "Another lighthouse")
        if kind == "cold":
            shutil.rmtree(root / ".cache")
        began = time.monotonic()
        with start_build(root) as build:
            build.communicate(timeout=300)
        seconds[kind] = time.monotonic() - began
        assert build.returncode == 0
    assert len(set(manifests.values())) == 2
    chance = random.Random(SEED)
    old, new = "Another lighthouse", "Lighthouse"
    struck = {"old": 0, "new": 0}
    while struck["old"] + struck["new"] < KILLS:
        kill = struck["old"] + struck["new"]
        cold = kill % 4 == 3
        if cold:
            shutil.rmtree(root / ".cache", ignore_errors=True)
        title_the_prompt(root, new)
        kind = "cold" if cold else "warm"
        began = time.monotonic()
        with start_build(root) as build:
            try:
                build.communicate(timeout=chance.uniform(0, seconds[kind]))
            except subprocess.TimeoutExpired:
                os.killpg(build.pid, signal.SIGKILL)
                build.communicate(timeout=60)
                lived = False
            else:
                lived = True
        published = (root / "site" / "manifest.json").read_bytes()
        assert published in (manifests[old], manifests[new]), f"kill {kill}"
        assert faults(root / "site") == [], f"kill {kill}"
        if lived:
            assert build.returncode == 0
            seconds[kind] = time.monotonic() - began
        else:
            struck["old" if published == manifests[old] else "new"] += 1
        if published == manifests[new]:
            old, new = new, old
        elif kill % 5 == 4 or cold:
            with start_build(root) as build:
                said, _ = build.communicate(timeout=300)
            assert build.returncode == 0, said
            assert (root / "site" / "manifest.json").read_bytes() == manifests[new]
            assert faults(root / "site") == []
            assert sorted(p.name for p in root.iterdir()) == [".cache", "content", "site"]
            old, new = new, old
    assert struck["old"] > KILLS / 4, "the kills came too late to tell anything"


def test_the_next_build_after_a_kill_at_the_swap_succeeds(tmp_path: Path) -> None:
    """Between the swap and the note of it: the site is the new one, the memory the old build's."""
    root = tmp_path / "sample"
    shutil.copytree(SAMPLE, root)
    project = Project(root=root)
    building.build(project, building.Options())
    memory = project.memory.read_bytes()
    title_the_prompt(root, "Another lighthouse")
    building.build(project, building.Options())
    fresh = tree(root / "site")
    project.memory.write_bytes(memory)
    assert building.build(project, building.Options()).printed
    assert tree(root / "site") == fresh


@pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)
@pytest.mark.parametrize("spare_kb", [0, 8, 40, 120, 400])
def test_a_full_disk_leaves_the_old_site_and_one_clear_line(tmp_path: Path, spare_kb: int) -> None:
    """A real disk, filled up to `spare_kb` before a build that prints everything anew."""
    found = on_small_disk(tmp_path, "full", spare_kb)
    assert found["exit_code"] == 1, found
    assert len(found["said"]) == 1, found
    assert "No space left on device" in found["said"][0], found
    assert found["same"], "the old site is not as it was"
    assert found["beside"] == [".cache", "content", "filler", "site"], found
    assert found["next_exit_code"] == 0, found


@pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)
def test_a_disk_that_fills_while_encoding_is_told_once_with_a_remedy(tmp_path: Path) -> None:
    """The first build of a project: all cards are to be drawn, and there is no room for any."""
    found = on_small_disk(tmp_path, "full-at-first", 40)
    assert found["exit_code"] == 1, found
    assert len(found["said"]) == 1, found
    said = found["said"][0]
    assert ".cache" in said, found
    assert "(No space left on device)" in said, found
    assert "with room on its disk" in said, found
    assert found["next_exit_code"] == 0, found


@pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)
@pytest.mark.parametrize("part", ["project", "site"])
def test_an_output_that_cannot_be_written_stays_with_one_clear_line(
    tmp_path: Path, part: str
) -> None:
    """A real disk, mounted read-only: the project's, or the one that the site alone lies on."""
    found = on_small_disk(tmp_path, f"read-only-{part}", 0)
    assert found["exit_code"] == 1, found
    assert len(found["said"]) == 1, found
    expected = "Read-only file system" if part == "project" else "site: is a mount: "
    assert expected in found["said"][0], found
    assert found["same"], "the old site is not as it was"


@pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)
def test_a_site_that_something_is_mounted_on_stays_with_one_line_and_a_remedy(
    tmp_path: Path,
) -> None:
    """A folder bound to itself, which only the exchange of folders finds out; then set free."""
    found = on_small_disk(tmp_path, "bound-site", 0)
    assert found["exit_code"] == 1, found
    (said,) = found["said"]
    assert said.startswith("site: Device or resource busy"), found
    assert "mount the folder above it, or build elsewhere and copy the site there" in said, found
    assert found["same"], "the old site is not as it was"
    assert found["beside"] == [".cache", "content", "site", "static"], found
    assert found["next_exit_code"] == 0, found


KILLED = """
import os, pathlib, signal, sys
from generator.cli import main
from generator.publish import write

write._exchange = lambda one, other: False  # as on a system without renameat2
rename = pathlib.Path.rename

def rename_and_die(path, target):
    moved = rename(path, target)
    if str(target).endswith(write.OLD):
        os.kill(os.getpid(), signal.SIGKILL)
    return moved

pathlib.Path.rename = rename_and_die
main(["build", "--root", sys.argv[1]])
"""


def test_a_site_taken_out_of_the_way_by_a_killed_build_is_put_back(tmp_path: Path) -> None:
    """Between two renames, where folders cannot be exchanged: a next build that fails leaves the
    old site, one that succeeds the new one, and neither leaves anything beside it."""
    root = tmp_path / "sample"
    shutil.copytree(SAMPLE, root)
    assert main(["build", "--root", str(root)]) == 0
    before = tree(root / "site")
    title_the_prompt(root, "Another lighthouse")
    killed = subprocess.run([sys.executable, "-c", KILLED, str(root)], timeout=300)
    assert killed.returncode == -signal.SIGKILL
    assert not (root / "site").exists()

    pages = root / "content" / "pages"
    (pages / "broken.md").write_text("no front matter")
    assert main(["build", "--root", str(root)]) == 1
    assert tree(root / "site") == before

    (pages / "broken.md").unlink()
    assert main(["build", "--root", str(root)]) == 0
    assert tree(root / "site") != before
    assert faults(root / "site") == []
    assert sorted(path.name for path in root.iterdir()) == [".cache", "content", "site"]


@pytest.mark.parametrize("gone", ["clip", "table", "content"])
def test_a_source_that_vanishes_leaves_the_old_site_and_one_clear_line(
    tmp_path: Path, gone: str, capfd: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "sample"
    shutil.copytree(SAMPLE, root)
    shutil.rmtree(root / "content" / "runs" / "elsewhere")
    shutil.rmtree(root / "content" / "presets")
    assert main(["build", "--root", str(root)]) == 0
    clips = tmp_path / "clips"
    clips.mkdir()
    shutil.copyfile(next((root / "site" / "media").glob("*.mp4")), clips / "own.mp4")
    (clips / "table.csv").write_text("file,steps,fps\nown.mp4,4,24\n")
    stated = ["--pipeline", "sample-model", "--run", "own", "--rights", "Ours", "--publish-media"]
    table = ["--table", str(clips / "table.csv"), "--root", str(root)]
    assert main(["ingest", str(clips), *table, *stated]) == 0
    assert main(["build", "--root", str(root), "--require-media"]) == 0
    run = root / "content" / "runs" / "own"
    before = tree(root / "site")
    capfd.readouterr()
    if gone == "clip":
        (run / "media" / "own.mp4").unlink()
    elif gone == "table":
        (run / "clips.csv").unlink()
    else:
        shutil.rmtree(root / "content")
    assert main(["build", "--root", str(root), "--require-media"]) != 0
    said = [line for line in capfd.readouterr().err.splitlines() if line]
    assert len(said) == 1, said
    assert tree(root / "site") == before


def test_a_dead_link_in_prose_is_reported_with_the_file_that_it_was_written_in(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "sample"
    shutil.copytree(SAMPLE, root)
    front = "---\ntitle: Note\nsummary: A note.\ngroup: notes\n---\n"
    (root / "content" / "pages" / "n.md").write_text(f"{front}See [all](archive/).\n")
    assert main(["build", "--root", str(root)]) == 1
    told = capfd.readouterr().err
    assert '"archive/" leads nowhere' in told
    assert "content/pages/n.md: mend the link there" in told
    assert not (root / "site").exists()
