"""How long builds take, beside `sigal build` where both do the same work, and where the time goes.

    python benchmarks/builds.py archive --sigal .venv/sigal/bin/sigal
    python benchmarks/builds.py thousand
    python benchmarks/builds.py ten-thousand
    python benchmarks/builds.py archive thousand ten-thousand --out benchmarks/results/builds.json

archive: the clips of a folder (the real ones where they are), built cold and once more unchanged,
alternating with sigal in its default settings with mp4 output over the same files and with the
same ffmpeg (`python -m venv .venv/sigal && .venv/sigal/bin/pip install sigal==2.6.1`).
thousand: 1,000 distinct short clips with a page each: unchanged, with --verify, one prompt changed.
ten-thousand: 10,000 rows over the archive's files: cold, unchanged, one row and one prompt changed.

Every build is a process of its own, started as people start it: Python keeps the modules that it
compiled, whatever it was told here. Seconds are of the wall; memory
is the largest sum of what the build and all its children held at a time (their proportional set
sizes, looked at four times a second). Before each build a fixed loop is timed (`loop_s`): a
machine that shares its processors is not equally fast at all times. The profile is of one build
of the thousand that reads and prints everything anew in a single process; what was derived from
clips is taken from the cache.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import os
import platform
import pstats
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import imageio_ffmpeg
from projects import make, small_clips
from taken import taken

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
ARCHIVE = Path(os.environ.get("MATRIX_ARCHIVE_CLIPS") or ROOT.parent / "shared" / "archive")
REAL_RUN = "2026-03-story-machine-h100"
BARS = {
    "archive": {"cold, times as fast as sigal": 5},
    "thousand": {"unchanged": 1, "one prompt changed": 2},
    "ten-thousand": {"cold": 60, "cold, MB": 500, "one row changed": 10, "one prompt changed": 10},
}
LOOK_EVERY_S = 0.25
PHASES = {
    "read content": ("catalogue/__init__.py", "load"),
    "find files": ("build.py", "find_sources"),
    "probe and derive clips": ("build.py", "_in_parallel"),
    "lay out pages": ("render.py", "lay_out"),
    "print pages": ("press.py", "print_all"),
    "of these: templates": ("environment.py", "render"),
    "of these: charts": ("press.py", "draw"),
    "of these: read links and ids": ("check.py", "outline"),
    "of these: write": ("write.py", "write"),
    "check links": ("press.py", "check"),
    "publish": ("write.py", "publish"),
    "remember": ("memory.py", "remember"),
}


def held_kb(process: int) -> int:
    """What a process and all below it hold, in kB; 0 where the system does not tell."""
    total = 0
    for task in (Path("/proc") / str(process) / "task").glob("*/children"):
        try:
            total += sum(held_kb(int(child)) for child in task.read_text().split())
        except OSError:
            continue
    try:
        lines = (Path("/proc") / str(process) / "smaps_rollup").read_text().splitlines()
    except OSError:
        return total
    return total + sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def loop_s() -> float:
    """Seconds of a fixed loop: on a machine that shares its processors, what a second was worth."""
    began = time.perf_counter()
    total = 0
    for n in range(2_000_000):
        total += n
    return round(time.perf_counter() - began, 3)


def timed(command: Sequence[str], cwd: Path, **environment: str) -> dict[str, Any]:
    """One run: seconds, seconds of processors, and the most memory held."""
    as_people_have = {**os.environ}
    as_people_have.pop("PYTHONDONTWRITEBYTECODE", None)
    loop = loop_s()
    before = os.times()
    began = time.perf_counter()
    with subprocess.Popen(
        command,
        cwd=cwd,
        env={**as_people_have, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:
        peak_kb, look_s = 0, began
        while process.poll() is None:
            if time.perf_counter() >= look_s:  # seldom: a look takes the time of what it looks at
                peak_kb = max(peak_kb, held_kb(process.pid))
                look_s = time.perf_counter() + LOOK_EVERY_S
            time.sleep(0.01)
        seconds = time.perf_counter() - began
        assert process.stderr is not None
        said = process.stderr.read().decode(errors="replace")
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)}: {said[-2000:]}")
    after = os.times()
    spent = after.children_user + after.children_system
    return {
        "seconds": round(seconds, 2),
        "processor_seconds": round(spent - before.children_user - before.children_system, 2),
        "peak_mb": round(peak_kb * 1024 / 1e6),
        "loop_s": loop,
    }


def build(root: Path, *options: str) -> dict[str, Any]:
    command = (sys.executable, "-m", "generator", "build", "--root", str(root), *options)
    return timed(command, ROOT)


def forget(root: Path) -> None:
    shutil.rmtree(root / ".cache", ignore_errors=True)
    shutil.rmtree(root / "site", ignore_errors=True)


def settle() -> None:
    """A file that was changed a moment ago is not trusted to be told by its time."""
    time.sleep(0.1)


def archive(folder: Path, runs: int, sigal: str | None) -> dict[str, Any]:
    """The archive alone, cold and unchanged, alternating with sigal."""
    root = folder / "archive"
    options = archive_project(root)
    found: dict[str, list[dict[str, Any]]] = {"cold": [], "unchanged": []}
    theirs: dict[str, list[dict[str, Any]]] = {"sigal cold": [], "sigal unchanged": []}
    gallery = folder / "gallery"
    if sigal:
        (gallery / "pictures").mkdir(parents=True)
        for path in clips_of_archive():
            shutil.copyfile(path, gallery / "pictures" / path.name)
        (gallery / "sigal.conf.py").write_text("source = 'pictures'\nvideo_format = 'mp4'\n")
        (gallery / "bin").mkdir()
        (gallery / "bin" / "ffmpeg").symlink_to(imageio_ffmpeg.get_ffmpeg_exe())
    path = f"{gallery / 'bin'}:{os.environ['PATH']}"
    for _ in range(runs):
        forget(root)
        found["cold"].append(build(root, *options))
        settle()
        found["unchanged"].append(build(root, *options))
        if sigal:
            shutil.rmtree(gallery / "_build", ignore_errors=True)
            theirs["sigal cold"].append(timed((sigal, "build"), gallery, PATH=path))
            theirs["sigal unchanged"].append(timed((sigal, "build"), gallery, PATH=path))
    return {
        "clips": len(clips_of_archive()),
        "footage": "the real archive" if real() else "made by script",
        **found,
        **(theirs if sigal else {}),
    }


def archive_project(root: Path) -> list[str]:
    """A project with the archive's clips and no test cards; the options to build it with."""
    if not real():
        files = clips_of_archive()
        make(root, len(files), files, prompts=2, pipelines=1, runs=1)
        return []
    shutil.copytree(ROOT / "content", root / "content")
    shutil.rmtree(root / "content" / "runs" / "test-cards")
    shutil.rmtree(root / "content" / "presets")
    return ["--mirror", str(ARCHIVE), "--include-media", REAL_RUN]


def real() -> bool:
    return (ARCHIVE / "archive.csv").is_file()


_made: list[Path] = []


def clips_of_archive() -> list[Path]:
    """The real clips; else as many of our own."""
    if real():
        return sorted([*ARCHIVE.glob("*.webm"), *ARCHIVE.glob("*.mp4")])
    if not _made:
        _made.extend(small_clips(Path(tempfile.mkdtemp()) / "clips", 35))
    return _made


def thousand(folder: Path, runs: int, sigal: str | None) -> dict[str, Any]:
    """1,000 clips, a page each."""
    root = folder / "thousand"
    make(root, 1000, small_clips(folder / "clips", 1000), prompts=10, pipelines=5, runs=2)
    return {"clips": 1000, **rounds(root, runs, verify=True), "profile": profile(root)}


def ten_thousand(folder: Path, runs: int, sigal: str | None) -> dict[str, Any]:
    """10,000 rows over the archive's files."""
    root = folder / "ten-thousand"
    files = folder / "files"
    files.mkdir()
    for path in clips_of_archive():
        shutil.copyfile(path, files / path.name)
    make(root, 10_000, sorted(files.iterdir()), prompts=20, pipelines=5, runs=4)
    found = rounds(root, runs, verify=False)
    table = root / "content" / "runs" / "run-1" / "clips.csv"
    found["one row changed"] = [
        changed(root, table, "row-77,rows", f"row-77x{n},rows") for n in range(runs)
    ]
    return {"rows": 10_000, "files": len(clips_of_archive()), **found}


def rounds(root: Path, runs: int, *, verify: bool) -> dict[str, Any]:
    forget(root)
    found: dict[str, Any] = {"cold": [build(root)]}
    settle()
    found["unchanged"] = [build(root) for _ in range(runs)]
    if verify:
        found["unchanged, --verify"] = [build(root, "--verify")]
    prompt = root / "content" / "prompts" / "prompt-3.md"
    found["one prompt changed"] = [
        changed(root, prompt, "with neon signs", f"with {n} neon signs") for n in range(runs)
    ]
    return found


def changed(root: Path, path: Path, old: str, new: str) -> dict[str, Any]:
    """A build after one change, and one that takes it back, which is not counted."""
    before = path.read_text("utf-8")
    assert old in before
    path.write_text(before.replace(old, new), "utf-8")
    settle()
    figures = build(root)
    path.write_text(before, "utf-8")
    settle()
    build(root)
    return figures


def profile(root: Path) -> dict[str, Any]:
    """Seconds by phase of a build of everything in one process, as Python's profiler counts them:
    it slows calls down, so shares tell more than seconds."""
    from generator import build as building
    from generator.project import Project

    profiler = cProfile.Profile()
    profiler.enable()
    building.build(Project(root=root), building.Options(jobs=1, verify=True))
    profiler.disable()
    stats = pstats.Stats(profiler)
    counted = stats.stats  # type: ignore[attr-defined]
    spent = {
        phase: round(
            sum(
                row[3]
                for (file, _, name), row in counted.items()
                if file.endswith(place[0]) and name == place[1]
            ),
            2,
        )
        for phase, place in PHASES.items()
    }
    return {"total": round(stats.total_tt, 2), **spent}  # type: ignore[attr-defined]


SCENARIOS: dict[str, Callable[[Path, int, str | None], dict[str, Any]]] = {
    "archive": archive,
    "thousand": thousand,
    "ten-thousand": ten_thousand,
}


def summary(found: dict[str, Any]) -> dict[str, Any]:
    """Medians, least and most, of every kind of build."""
    told = {}
    for name, runs in found.items():
        if isinstance(runs, list):
            seconds = [run["seconds"] for run in runs]
            loops = [run["loop_s"] for run in runs]
            told[name] = {
                "median_s": round(statistics.median(seconds), 2),
                "least_s": min(seconds),
                "most_s": max(seconds),
                "peak_mb": max(run["peak_mb"] for run in runs),
                "loop_s": [min(loops), max(loops)],
                "runs": len(runs),
            }
    if "sigal cold" in told:
        pairs = zip(found["cold"], found["sigal cold"], strict=True)
        ratios = [theirs["seconds"] / ours["seconds"] for ours, theirs in pairs]
        told["cold, times as fast as sigal"] = {
            "median": round(statistics.median(ratios), 2),
            "least": round(min(ratios), 2),
            "most": round(max(ratios), 2),
        }
    return told


def provenance(runs: int, sigal: str | None) -> dict[str, Any]:
    model = "not told"
    if Path("/proc/cpuinfo").is_file():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((ln.split(":", 1)[1].strip() for ln in lines if "model name" in ln), model)
    version = ""
    if sigal:
        said = subprocess.run((sigal, "--version"), capture_output=True, text=True, check=True)
        version = said.stdout.strip()
    return {
        **taken(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": model,
        "processors": os.cpu_count(),
        "load_before": [round(one, 2) for one in os.getloadavg()],
        "ffmpeg": imageio_ffmpeg.get_ffmpeg_version(),
        "sigal": version or None,
        "runs": runs,
        "bars": BARS,
        "note": "The machine is a virtual one that shares its processors with others.",
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("scenarios", nargs="+", choices=SCENARIOS)
    parser.add_argument("--runs", type=int, default=3, help="of everything but cold large builds")
    parser.add_argument("--sigal", help="the program to build beside")
    parser.add_argument("--out", type=Path, help="write all figures to this JSON file")
    asked = parser.parse_args()
    sigal = str(Path(asked.sigal).absolute()) if asked.sigal else None
    result: dict[str, Any] = {"provenance": provenance(asked.runs, sigal)}
    for name in asked.scenarios:
        with tempfile.TemporaryDirectory() as folder:
            found = SCENARIOS[name](Path(folder), asked.runs, sigal)
        result[name] = {"summary": summary(found), **found}
        print(f"{name}: {json.dumps(result[name]['summary'], indent=1)}", flush=True)
    if asked.out:
        asked.out.parent.mkdir(parents=True, exist_ok=True)
        asked.out.write_text(json.dumps(result, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
