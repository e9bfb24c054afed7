"""Hostile media through the real path: each ends in its limits, in the documented error or in
harmless output, and a published site outlives them all."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from media import CUTS, SECRET, Input, Originals, inputs

from generator.clips import container, display, ffmpeg, packets, probe, process, stills

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "tests" / "sample"
WALL_S = 300
"""For a machine with much else to do; the slowest takes 10 s on an idle one."""
ADDRESS_SPACE_BYTES = 2 << 30
PEAK_BYTES = 1 << 30
"""What no process may ever hold, as the system counted it."""

INPUTS = inputs()
BUILT = ("empty.mp4", "hls.mp4", "audio.mp4", "1x1.mkv", "huge.mp4", "10000-fps.webm")
BUILT += ("million.mp4", "cut-50.webm")

if sys.platform != "linux":
    pytest.skip("limits of memory are proved on Linux only", allow_module_level=True)

PREPARE = """
import json, resource, sys
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[3]),) * 2)
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
from pathlib import Path
from generator.clips.display import prepare
from generator.errors import MediaError
told = {}
try:
    made = prepare(Path(sys.argv[1]), sha256=None, spread_over_s=None, cache=Path(sys.argv[2]))
except MediaError as error:
    told["error"] = str(error)
else:
    told["frames"] = made.facts.frame_count
    stills = (made.poster, made.thumbnail, made.storyboard)
    told["files"] = [str(made.display.path), *(str(still.path) for still in stills)]
own = next(row for row in open("/proc/self/status") if row.startswith("VmHWM"))
children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
told["peak"] = 1024 * max(int(own.split()[1]), children)
print(json.dumps(told))
"""

BUILD = """
import resource, runpy, sys
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv.pop(1)),) * 2)
runpy.run_module("generator", run_name="__main__", alter_sys=True)
"""


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Originals:
    return Originals(tmp_path_factory.mktemp("originals"))


def test_the_corpus_is_large_and_repeats_itself(originals: Originals, tmp_path: Path) -> None:
    names = [one.name for one in INPUTS]
    assert len(set(names)) == len(names) >= 40
    assert sum(name.startswith("cut-") for name in names) == 2 * CUTS == 20
    assert set(BUILT) <= set(names)
    again = {one.name: one for one in inputs()}
    for one in INPUTS:
        if one.name.startswith("flipped"):
            assert one.make(originals) == again[one.name].make(originals)


def test_the_documented_limits_are_those_in_force() -> None:
    documented = " ".join((ROOT / "docs" / "limits.md").read_text("utf-8").split())
    reading = packets.LIMITS
    for stated in (
        f"elements looked at | {container.MAX_PLACES:,} |",
        f"frames | {packets.MAX_PACKETS:,} |",
        f"real time, processor | {reading.wall_s} s, {reading.cpu_s} s |",
        f"address space | {reading.memory_bytes >> 30} GiB |",
        f"its answer | {reading.answer_bytes >> 20} MiB |",
        f"streams | {ffmpeg.MAX_STREAMS} |",
        f"times | {probe.MAX_SECONDS:,} s from the start |",
        f"frames for each second stated | {probe.MAX_RATE_HZ:,} |",
        f"real time, processor | {ffmpeg.MAX_WALL_S} s, {ffmpeg.MAX_CPU_S} s |",
        f"{ffmpeg.MEMORY_BYTES / 2**30:g} GiB and {ffmpeg.MEMORY_BYTES_A_PIXEL} bytes for each",
        f"one allocation | {ffmpeg.MAX_ALLOC_BYTES >> 20} MiB |",
        f"a picture made of a clip | {stills.MAX_FILE_BYTES >> 20} MiB |",
        f"twice the original and {display.INDEX_BYTES >> 20} MiB |",
        f"a copy encoded anew | {ffmpeg.MAX_FILE_BYTES >> 30} GiB |",
        f"**{reading.open_files} open files",
        f"the last {process.SAID_BYTES >> 10} KiB are kept",
    ):
        assert stated in documented
    assert ffmpeg.MAX_PIXELS == 8192 * 4320


@pytest.mark.parametrize("hostile", INPUTS, ids=lambda one: one.name)
def test_it_ends_within_its_limits(hostile: Input, originals: Originals, tmp_path: Path) -> None:
    folder, cache = tmp_path / "clips", tmp_path / "cache"
    folder.mkdir()
    (folder / "secret.txt").write_bytes(SECRET)
    path = folder / hostile.name
    path.write_bytes(hostile.make(originals))
    before = hashes(folder)

    done = subprocess.run(
        [sys.executable, "-c", PREPARE, str(path), str(cache), str(ADDRESS_SPACE_BYTES)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=WALL_S,
    )

    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["peak"] < PEAK_BYTES
    if "error" in told:
        assert hostile.error is not None, told["error"]
        assert is_documented(told["error"], path)
        assert re.search(hostile.error, told["error"])
    else:
        assert not hostile.error, f"it passed with {told['frames']} frames"
        assert told["frames"] > 0
        assert all(Path(file).stat().st_size for file in told["files"])
    assert hashes(folder) == before, "it was changed, or something beside it was written"
    left = [file for file in cache.rglob("*") if file.is_file()]
    assert not [file for file in left if file.name.startswith("partial-")]
    assert not [file for file in left if SECRET in file.read_bytes()]


def is_documented(message: str, path: Path) -> bool:
    """One line: the file, what is wrong with it, and the remedy."""
    return bool(re.fullmatch(rf"{re.escape(str(path))}: [^\n]+", message)) and (
        "; " in message or "ffmpeg failed (" in message
    )


def hashes(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


# A published site


RUN = """
title = "A clip from elsewhere"
summary = "One clip that somebody handed in."
measured_by = "nobody: made by a test"
published = 2026-01-03
machine = "sample-gpu"
machine_stated = "one sample GPU"
weights = "none"
source = { title = "Example", url = "https://example.org/page" }
rights = "Made by a test."
publish_media = true

[[series]]
id = "given"
title = "As handed in"
label = "published-elsewhere"
fps_means = "output FPS as stated"
chart = false
"""


class Site:
    """The sample with a run whose one clip can be exchanged."""

    def __init__(self, root: Path) -> None:
        self.root = root
        shutil.copytree(SAMPLE, root)
        self._run = root / "content" / "runs" / "handed-in"
        (self._run / "media").mkdir(parents=True)
        (self._run / "run.toml").write_text(RUN)

    def give(self, name: str, data: bytes) -> None:
        for old in (self._run / "media").iterdir():
            old.unlink()
        (self._run / "media" / name).write_bytes(data)
        (self._run / "clips.csv").write_text(
            "id,series,pipeline,prompt,size,fps,file\n"
            f"one,given,sample-model,lighthouse,320x256,25,{name}\n"
        )

    def build(self) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", BUILD, str(4 << 30), "build", "--root", str(self.root)]
        return subprocess.run(command, capture_output=True, text=True, timeout=WALL_S)

    @property
    def published(self) -> dict[str, str]:
        return hashes(self.root / "site")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, originals: Originals) -> Site:
    """Published once with an honest clip."""
    made = Site(tmp_path_factory.mktemp("project") / "sample")
    made.give("honest.mp4", originals["mp4"])
    done = made.build()
    assert done.returncode == 0, done.stderr
    assert any(name.endswith(".mp4") for name in made.published)
    return made


@pytest.mark.parametrize("name", BUILT)
def test_a_published_site_outlives_it(name: str, site: Site, originals: Originals) -> None:
    hostile = next(one for one in INPUTS if one.name == name)
    before = site.published
    site.give(name, hostile.make(originals))

    done = site.build()

    said = " ".join((done.stdout + done.stderr).split())
    assert "Traceback" not in said
    if hostile.error is None:
        assert done.returncode == 0, said
        assert {"index.html", "404.html"} <= set(site.published)
    else:
        assert done.returncode == 1, said
        assert name in said.replace(" ", "")
        assert re.search(hostile.error, said)
        assert site.published == before
    assert sorted(path.name for path in site.root.iterdir()) == [".cache", "content", "site"]
