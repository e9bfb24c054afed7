"""The cache: content decides, and nothing half-made is ever found in it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from fractions import Fraction
from pathlib import Path

import pytest
from making import clip, vp8

from generator.clips import cache as caching
from generator.clips import ffmpeg
from generator.clips.cache import cached_facts, derived
from generator.clips.display import make_display
from generator.clips.probe import probe
from generator.errors import MediaError

RECIPE = {"step": "test", "version": 1}


def put(folder: Path) -> None:
    (folder / "out.bin").write_bytes(b"made")


def leftovers(cache: Path) -> list[Path]:
    return [path for path in cache.rglob("*") if path.name.startswith(caching.PARTIAL)]


def test_the_same_terms_are_made_once(tmp_path: Path) -> None:
    made = []

    def make(folder: Path) -> None:
        made.append(folder)
        put(folder)

    first = derived(tmp_path, source_sha256="a", recipe=RECIPE, make=make)
    again = derived(tmp_path, source_sha256="a", recipe=dict(reversed(RECIPE.items())), make=make)
    assert first == again
    assert len(made) == 1
    assert (first / "out.bin").read_bytes() == b"made"
    assert leftovers(tmp_path) == []


def test_source_recipe_and_ffmpeg_each_decide(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = {
        derived(tmp_path, source_sha256="a", recipe=RECIPE, make=put),
        derived(tmp_path, source_sha256="b", recipe=RECIPE, make=put),
        derived(tmp_path, source_sha256="a", recipe=RECIPE | {"version": 2}, make=put),
    }
    monkeypatch.setattr(ffmpeg, "version", lambda: "another")
    folders.add(derived(tmp_path, source_sha256="a", recipe=RECIPE, make=put))
    assert len(folders) == 4


def test_keys_hold_no_place_and_no_time(tmp_path: Path) -> None:
    one = derived(tmp_path / "one", source_sha256="a", recipe=RECIPE, make=put)
    time.sleep(0.02)
    two = derived(tmp_path / "two", source_sha256="a", recipe=RECIPE, make=put)
    assert one.relative_to(tmp_path / "one") == two.relative_to(tmp_path / "two")
    assert (one / caching.SEAL).read_bytes() == (two / caching.SEAL).read_bytes()


def test_work_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        put(folder)
        raise MediaError("no")

    with pytest.raises(MediaError, match="no"):
        derived(tmp_path, source_sha256="a", recipe=RECIPE, make=fail)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    folder = derived(tmp_path, source_sha256="a", recipe=RECIPE, make=put)
    assert (folder / "out.bin").exists()


@pytest.mark.parametrize("kept", ["an entry", "facts"])
@pytest.mark.parametrize("fault", ["a file", "read-only", "full"])
def test_a_cache_that_keeps_nothing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: str, fault: str
) -> None:
    path = vp8(tmp_path / "a.webm", frames=3)
    cache = tmp_path / "cache"

    def refuse(*arguments: object, **options: object) -> None:
        raise OSError(*{"read-only": (30, "Read-only file system"), "full": (28, "No room")}[fault])

    if fault == "a file":
        cache.write_text("x")
    elif fault == "full":
        monkeypatch.setattr(caching.os, "fsync", refuse)
    else:
        monkeypatch.setattr(Path, "mkdir", refuse)

    def keep() -> None:
        if kept == "facts":
            cached_facts(path, sha256=None, cache=cache)
        else:
            derived(cache, source_sha256="a", recipe=RECIPE, make=put)

    with pytest.raises(MediaError) as caught:
        keep()

    assert str(caught.value).startswith(f"{cache}: nothing can be kept there (")
    assert str(caught.value).endswith(
        "; make it a folder that can be written, with room on its disk"
    )
    monkeypatch.undo()
    assert leftovers(cache) == []


def test_a_source_that_is_gone_is_not_laid_on_the_cache(tmp_path: Path) -> None:
    def make(folder: Path) -> None:
        (tmp_path / "gone.webm").read_bytes()

    with pytest.raises(MediaError, match=r"gone\.webm: cannot be read \(No such file"):
        derived(tmp_path / "cache", source_sha256="a", recipe=RECIPE, make=make)


@pytest.mark.parametrize("damage", ["cut", "gone", "seal"])
def test_a_damaged_entry_is_made_again(tmp_path: Path, damage: str) -> None:
    folder = derived(tmp_path, source_sha256="a", recipe=RECIPE, make=put)
    if damage == "cut":
        (folder / "out.bin").write_bytes(b"ma")
    elif damage == "gone":
        (folder / "out.bin").unlink()
    else:
        (folder / caching.SEAL).write_bytes(b"{")
    again = derived(tmp_path, source_sha256="a", recipe=RECIPE, make=put)
    assert again == folder
    assert (again / "out.bin").read_bytes() == b"made"


def test_two_makers_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    """Both work, one name: the second finds the first's and keeps it."""
    both_work = threading.Barrier(2, timeout=30)

    def slowly(folder: Path) -> None:
        put(folder)
        both_work.wait()

    found: list[Path] = []

    def build() -> None:
        found.append(derived(tmp_path, source_sha256="a", recipe=RECIPE, make=slowly))

    threads = [threading.Thread(target=build) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 2
    assert found[0] == found[1]
    assert (found[0] / "out.bin").read_bytes() == b"made"
    assert leftovers(tmp_path) == []


BUILD = """
import sys
from pathlib import Path
from generator.clips.cache import cached_facts
from generator.clips.display import make_display
source, cache = map(Path, sys.argv[1:])
facts = cached_facts(source, sha256=None, cache=cache)
make_display(source, facts, None, cache=cache)
"""


def test_an_encode_that_was_killed_never_counts(tmp_path: Path) -> None:
    """SIGKILL in the middle of an encode: what it wrote is no entry, and the next build makes a
    whole one and clears away the rest."""
    large = "testsrc2=s=640x360:r=25"
    source = clip(tmp_path / "a.mkv", "-c:v", "ffv1", frames=60, source=large)
    cache = tmp_path / "cache"
    command = [sys.executable, "-c", BUILD, str(source), str(cache)]
    with subprocess.Popen(command, start_new_session=True) as process:
        written = wait_for(lambda: [p for p in leftovers(cache) for p in p.rglob("display.mp4")])
        os.kill(process.pid, signal.SIGKILL)
        process.wait(timeout=30)
    assert written
    assert process.returncode == -signal.SIGKILL
    assert list(cache.rglob(caching.SEAL)) == []

    facts = cached_facts(source, sha256=None, cache=cache)
    display = make_display(source, facts, None, cache=cache)
    assert display.kind == "re-encoded"
    assert display.facts.frame_count == 60
    assert [path for path in leftovers(cache) if path.parent == display.path.parent.parent] == []


def wait_for(find):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if found := find():
            return found
        time.sleep(0.02)
    return None


def test_facts_come_back_from_the_cache_as_they_went_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = vp8(tmp_path / "a.webm", source="testsrc2=s=160x96:r=30000/1001")
    first = cached_facts(path, sha256=None, cache=tmp_path)
    assert first == probe(path)
    monkeypatch.setattr(caching, "probe", lambda *_, **__: pytest.fail("probed again"))
    assert cached_facts(path, sha256=None, cache=tmp_path) == first
    assert cached_facts(tmp_path / "moved.webm", sha256=first.sha256, cache=tmp_path) == first
    assert isinstance(first.timestamps_s[1], Fraction)


def test_facts_of_another_version_are_found_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = vp8(tmp_path / "a.webm", frames=3)
    facts = cached_facts(path, sha256=None, cache=tmp_path)
    (stored,) = (tmp_path / "facts").iterdir()
    stored.write_text(stored.read_text().replace('"frame_count":3', '"frame_count":4'))
    assert cached_facts(path, sha256=None, cache=tmp_path).frame_count == 4
    monkeypatch.setattr(caching, "FACTS_VERSION", -1)
    caching._prober.cache_clear()
    try:
        assert cached_facts(path, sha256=None, cache=tmp_path) == facts
    finally:
        monkeypatch.undo()
        caching._prober.cache_clear()
