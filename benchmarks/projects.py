"""Projects to measure builds with: many clips, many rows. Made by script, the same every time.

Files are cut from nothing (FFmpeg's test picture) unless the real clips are at hand; a number of
distinct files comes from one by a `free` box at its end, which players and probes pass over.
"""

from __future__ import annotations

import csv
import hashlib
import itertools
import struct
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import imageio_ffmpeg

COLUMNS = ("id", "series", "pipeline", "prompt", "size", "steps", "fps", "seed", "sha256", "file")
SITE = """
title = "Measured"
tagline = "A project to time builds with"
description = "Rows and clips made by a script, to time builds with."
base_url = "https://example.org/"
language = "en"
"""
RUN = """
title = "Run {number}"
summary = "Rows made by a script."
measured_by = "nobody: these rows time the generator"
published = 2026-01-01
machine = "none"
weights = "none"
rights = "Made by a script; do with them what you like."
publish_media = true

[software]
"nothing" = "not stated"

[[series]]
id = "rows"
title = "Rows"
label = "projected"
fps_means = "made up by a script"

[[claims]]
kind = "duration"
id = "exact-duration"
says = "Every clip lasts 20 s"
seconds = 20
tolerance_s = 0.01

[[claims]]
kind = "fps-from-frames"
id = "fps-is-frames"
says = "The stated FPS is the number of frames divided by 20 s"
seconds = 20
decimals = 1
rounding = "cut"
"""
PIPELINE = """
title = "Pipeline {number}"
summary = "Made by a script"
order = {number}
"""
MACHINE = """
title = "No machine"
source = "none"
"""
PROMPT = """---
title: Prompt {number}
text: A street in the rain, seen for the {number}th time, with neon signs and a tram that passes.
order: {number}
---

Made by a script. [Method](/method/).
"""


def make(
    root: Path, rows: int, files: Sequence[Path], *, prompts: int, pipelines: int, runs: int
) -> None:
    """A project of `rows` rows in `runs` runs over `files`, which are copied into the runs."""
    content = root / "content"
    for name in ("prompts", "pipelines", "machines", "pages"):
        (content / name).mkdir(parents=True)
    (content / "site.toml").write_text(SITE, "utf-8")
    (content / "machines" / "none.toml").write_text(MACHINE, "utf-8")
    for n in range(1, prompts + 1):
        (content / "prompts" / f"prompt-{n}.md").write_text(PROMPT.format(number=n), "utf-8")
    for n in range(1, pipelines + 1):
        text = PIPELINE.format(number=n)
        (content / "pipelines" / f"pipeline-{n}.toml").write_text(text, "utf-8")
    digests = {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    cells = _cells(prompts, pipelines)
    sources = itertools.cycle(files)
    for run in range(1, runs + 1):
        folder = content / "runs" / f"run-{run}"
        (folder / "media").mkdir(parents=True)
        (folder / "run.toml").write_text(RUN.format(number=run), "utf-8")
        with (folder / "clips.csv").open("w", encoding="utf-8", newline="") as stream:
            table = csv.writer(stream, lineterminator="\n")
            table.writerow(COLUMNS)
            for row in range(rows // runs):
                path = next(sources)
                copied = folder / "media" / path.name
                if not copied.exists():
                    copied.hardlink_to(path)
                prompt, pipeline, size, steps, seed = next(cells)
                fps = f"{400 / (steps + 7):.1f}"
                cell = (pipeline, prompt, size, steps, fps, seed)
                table.writerow((f"row-{row}", "rows", *cell, digests[path], path.name))


def _cells(prompts: int, pipelines: int) -> Iterator[tuple[str, str, str, int, int]]:
    """Every combination, seed after seed."""
    for seed in itertools.count():
        for prompt, pipeline, size, steps in itertools.product(
            range(1, prompts + 1),
            range(1, pipelines + 1),
            ("512x288", "848x480"),
            (2, 3, 4, 6, 8, 10, 12, 16, 20, 50),
        ):
            yield f"prompt-{prompt}", f"pipeline-{pipeline}", size, steps, seed


def small_clips(folder: Path, count: int) -> list[Path]:
    """Distinct files that hold the same two seconds of FFmpeg's test picture at 24 FPS."""
    folder.mkdir(parents=True)
    first = folder / "first.mp4"
    drawn = "-f lavfi -i testsrc2=size=192x108:rate=24:duration=2"
    encoded = "-pix_fmt yuv420p -g 24 -threads 1 -movflags +faststart"
    ffmpeg = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-loglevel", "error"]
    subprocess.run([*ffmpeg, *drawn.split(), *encoded.split(), str(first)], check=True)
    data = first.read_bytes()
    first.unlink()
    made = []
    for n in range(count):
        path = folder / f"clip-{n:05}.mp4"
        path.write_bytes(data + struct.pack(">I4sQ", 16, b"free", n))
        made.append(path)
    return made
