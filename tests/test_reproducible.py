"""Same in, same out: builds in surroundings that differ in all they can give the same bytes.

The programs that build are real ones, started as a user starts them.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import pytest

from generator.clips import ffmpeg
from generator.clips.hashes import sha256_of

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent
RUN = "2026-03-story-machine-h100"
REAL = (
    "benchmark_hardware_1_1_1_A.mp4",
    "clip_p0_res848x480_steps12.webm",
    "clip_p0_res512x288_steps4_norife.webm",
    "clip_p1_res512x288_steps12.webm",
)

RUN_TOML = """\
title = "Clips of every kind"
summary = "Four clips: shown as they are, with another index, with other times, encoded anew."
measured_by = "nobody: drawn pictures"
published = 2026-01-01
machine = "none"
machine_stated = "none"
weights = "none"
rights = "CC0"
publish_media = true
source = { title = "Example", url = "https://example.org/page" }
protocol = ["Drawn by ffmpeg."]

[[series]]
id = "plain"
title = "As it is"
label = "published-elsewhere"
fps_means = "frames per second of the file"

[[series]]
id = "spread"
title = "Spread"
label = "published-elsewhere"
fps_means = "frames per second of the file"
spread_over_s = 3
"""
CLIPS_CSV = """\
id,series,pipeline,prompt,size,steps,fps,file
original,plain,sample-model,istanbul,160x96,2,25,original.mp4
remuxed,plain,sample-model,istanbul,160x96,4,25,remuxed.mp4
retimed,spread,sample-model,istanbul,160x96,6,25,retimed.webm
encoded,plain,sample-model,istanbul,160x96,8,25,encoded.mkv
"""
PROMPT = """\
---
title: İstanbul ıİiI – ﬁle 日本
text: "A cat on a roof in İstanbul."
---
A prompt with letters that locales disagree about: İ I ı i ß ẞ œ „“.
"""
ENCODED = {
    "original.mp4": ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-movflags", "+faststart"),
    "remuxed.mp4": ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-crf", "35"),
    "retimed.webm": ("-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8"),
    "encoded.mkv": ("-c:v", "ffv1"),
}


PLAIN = {
    "TZ": "Asia/Kathmandu",
    "LC_ALL": "C",
    "PYTHONHASHSEED": "1",
    "PYTHONUTF8": "0",
    "PYTHONCOERCECLOCALE": "0",
}
OTHER = {"TZ": "America/St_Johns", "PYTHONHASHSEED": "2", "PYTHONUTF8": "0", "COLUMNS": "40"}


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample, with a run of clips of which each gets another kind of display copy."""
    root = tmp_path_factory.mktemp("original") / "sample"
    shutil.copytree(HERE / "sample", root)
    run = root / "content" / "runs" / "made"
    (run / "media").mkdir(parents=True)
    (run / "run.toml").write_text(RUN_TOML, "utf-8")
    (run / "clips.csv").write_text(CLIPS_CSV, "utf-8")
    (root / "content" / "prompts" / "istanbul.md").write_text(PROMPT, "utf-8")
    program = (imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-v", "error", "-f", "lavfi")
    for name, options in ENCODED.items():
        drawn = ("-i", "testsrc2=s=160x96:r=25", "-frames:v", "50", *options)
        subprocess.run([*program, *drawn, run / "media" / name], check=True, timeout=60)
    return root


@pytest.fixture(scope="module")
def one(original: Path) -> Path:
    """The site that the others are held against."""
    return built(copied(original, original.parent / "one"), "--jobs", "1", **PLAIN)


@pytest.fixture
def memory() -> Iterator[Path]:
    """A folder on a file system of another kind, where there is one."""
    place = Path("/dev/shm")
    with tempfile.TemporaryDirectory(
        prefix="matrix archive é ", dir=place if os.access(place, os.W_OK) else None
    ) as folder:
        yield Path(folder)


def copied(source: Path, target: Path, *, backwards: bool = False) -> Path:
    """A copy whose files come into being in the order of their names, or against it."""
    paths = sorted(path for path in source.rglob("*") if path.is_file())
    for path in reversed(paths) if backwards else paths:
        copy = target / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
        os.utime(copy, (1, 1) if backwards else None)
    return target


def built(
    root: Path,
    *options: str | Path,
    start: tuple[str, ...] = (),
    umask: int = 0o022,
    cwd: Path | None = None,
    **environment: str,
) -> Path:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("LC_", "LANG", "PYTHON", "TZ"))
    }
    done = subprocess.run(
        [*start, sys.executable, "-m", "generator", "build", "--root", root, *options],
        env={**kept, **environment},
        cwd=cwd or root,
        umask=umask,
        capture_output=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
    return root / "site"


def tree(site: Path) -> dict[str, str]:
    """Path -> hash of every file, and of every folder that it is one."""
    return {
        path.relative_to(site).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        if path.is_file()
        else "folder"
        for path in sorted(site.rglob("*"))
    }


def same(one: Path, other: Path) -> None:
    left, right = tree(one), tree(other)
    assert left.keys() ^ right.keys() == set()
    assert [name for name in left if left[name] != right[name]] == []


def turkish(folder: Path) -> dict[str, str]:
    """A locale with its own encoding, its own decimal comma and its own lower-case I."""
    name = "tr_TR.ISO-8859-9"
    program = shutil.which("localedef")
    if program:
        subprocess.run(
            [program, "-i", "tr_TR", "-f", "ISO-8859-9", folder / name],
            capture_output=True,
            timeout=120,
        )
    environment = {"LOCPATH": str(folder), "LC_ALL": name, "LANGUAGE": "tr"}
    asked = subprocess.run(
        [sys.executable, "-c", "import locale; print(locale.setlocale(locale.LC_ALL, ''))"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    if asked.stdout.strip() != name:
        pytest.skip(f"no locale {name}, and none can be made (apt-get install locales)")
    return environment


def test_folder_zone_locale_jobs_seed_and_umask_leave_no_trace(
    original: Path, one: Path, tmp_path: Path, memory: Path
) -> None:
    """Pages, posters, storyboards, display copies of every kind and the manifest."""
    locale = turkish(tmp_path)
    away = copied(original, memory / "two" / "deeper", backwards=True)
    other = built(
        *(away, "--jobs", "4"),
        umask=0o077,
        cwd=tmp_path,
        HOME=str(tmp_path / "home"),
        TMPDIR=str(memory),
        **OTHER,
        **locale,
    )
    same(one, other)
    manifest = json.loads((one / "manifest.json").read_text("utf-8"))
    kinds = {entry.get("made", {}).get("kind") for entry in manifest["files"].values()}
    assert kinds >= {"original", "remuxed", "retimed", "re-encoded"}


@pytest.mark.skipif(shutil.which("faketime") is None, reason="no faketime here to set clocks with")
def test_the_date_leaves_no_trace(original: Path, one: Path, tmp_path: Path) -> None:
    """Another century, as all clocks of the process tell it."""
    start = ("faketime", "-f", "@2101-02-28 23:59:58")
    told = subprocess.run([*start, "date", "+%Y"], capture_output=True, text=True, timeout=60)
    assert told.stdout.strip() == "2101"
    then_root = copied(original, tmp_path / "then")
    then = built(then_root, start=start)
    (log,) = (then_root / ".cache" / "logs").iterdir()
    assert log.name.startswith("21010"), "the build did not see that date"
    same(one, then)


def test_a_cache_leaves_no_trace(one: Path, tmp_path: Path) -> None:
    """A build that finds everything made writes what the one wrote that made it."""
    shutil.copytree(one, tmp_path / "first")
    same(tmp_path / "first", built(one.parent))


@pytest.mark.archive
def test_real_clips_give_the_same_bytes_too(archive: Path, tmp_path: Path, memory: Path) -> None:
    """Four of them, two codecs, retimed in both containers."""
    clips = tmp_path / "clips"
    clips.mkdir()
    for name in REAL:
        shutil.copyfile(archive / name, clips / name)
    content = tmp_path / "original" / "content"
    shutil.copytree(REPOSITORY / "content", content)
    shutil.rmtree(content / "runs" / "test-cards")
    for preset in (content / "presets").iterdir():
        if "test-cards" in preset.read_text("utf-8"):
            preset.unlink()
    options = ("--include-media", RUN)
    one = built(
        copied(content.parent, tmp_path / "one"),
        *("--mirror", clips, "--jobs", "1", *options),
        **PLAIN,
    )
    away = copied(clips, memory / "clips", backwards=True)
    other = built(
        copied(content.parent, memory / "two", backwards=True),
        *("--mirror", away, "--jobs", "4", *options),
        umask=0o077,
        **OTHER,
        LC_ALL="C.UTF-8",
    )
    same(one, other)
    made = [entry for entry in manifest_of(one).values() if "made" in entry]
    assert {sha256_of(archive / name) for name in REAL} <= {
        entry["made"]["source_sha256"] for entry in made
    }


# The manifest


def manifest_of(site: Path) -> dict[str, Any]:
    files: dict[str, Any] = json.loads((site / "manifest.json").read_text("utf-8"))["files"]
    return files


def test_the_manifest_lists_every_file_with_its_hash(one: Path) -> None:
    listed = manifest_of(one)
    found = {name: digest for name, digest in tree(one).items() if digest != "folder"}
    del found["manifest.json"]
    assert {name: entry["sha256"] for name, entry in listed.items()} == found
    assert all((one / name).stat().st_size == entry["bytes"] for name, entry in listed.items())


def test_derived_media_name_their_source_recipe_and_ffmpeg(one: Path) -> None:
    """Sources are files of the project, by hash; recipes tell what was asked of ffmpeg."""
    root, listed = one.parent, manifest_of(one)
    sources = {
        hashlib.sha256(path.read_bytes()).hexdigest(): path.name
        for folder in (root / "content" / "runs" / "made" / "media", root / ".cache" / "derived")
        for path in folder.rglob("*")
        if path.is_file()
    }
    media = {name: entry["made"] for name, entry in listed.items() if name.startswith("media/")}
    assert len(media) == 4 * 6  # display copy, poster, thumbnail, storyboard of six clips
    for name, made in media.items():
        assert sources[made["source_sha256"]] in {*ENCODED, "card.mp4"}, name
        assert made["ffmpeg"] == ffmpeg.version(), name
        assert isinstance(made["version"], int), name
        if made["step"] == "stills":
            assert made["display_sha256"] in {entry["sha256"] for entry in listed.values()}
            assert made["picture"] in ("poster", "thumbnail", "storyboard")
            assert made["encoding"]["c:v"] in ("libwebp", "mjpeg")
        else:
            assert made["step"] == "display"
            assert (made["kind"] == "original") == (listed[name]["sha256"] == made["source_sha256"])
            assert (made["kind"] == "original") == ("options" not in made)
