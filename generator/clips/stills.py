"""Poster and storyboard: pictures of a clip, taken in one pass over its display copy."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import ffmpeg as builder

from generator.clips import ffmpeg
from generator.clips.cache import derived
from generator.clips.container import examine
from generator.errors import MediaError
from generator.records import Display, Facts, Still, Storyboard

RECIPE = 1
"""Raise it when stills are made otherwise than before, so that cached ones are made anew."""

POSTER_AT = Fraction(2, 5)
"""Part of the clip after which the poster is taken."""
POSTER_MAX_WIDTH = 848
COLUMNS, ROWS = 5, 5
TILE_WIDTH, TILE_MAX_HEIGHT = 160, 200

SCALING = {"flags": "lanczos+accurate_rnd+full_chroma_int+bitexact", "out_color_matrix": "bt601"}
WEBP = {"c:v": "libwebp", "quality": 80, "compression_level": 4, "pix_fmt": "yuv420p"}
JPEG = {"c:v": "mjpeg", "q:v": 4, "pix_fmt": "yuvj420p"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Which frames (counted in order of presentation) are taken, and how large."""

    poster_frame: int
    poster_size: tuple[int, int]
    tile_frames: tuple[int, ...]
    tile_size: tuple[int, int]
    suffix: str
    encoding: dict[str, Any]

    @property
    def columns(self) -> int:
        return min(COLUMNS, len(self.tile_frames))

    @property
    def rows(self) -> int:
        return -(-len(self.tile_frames) // self.columns)

    @property
    def recipe(self) -> dict[str, Any]:
        return {
            "step": "stills",
            "version": RECIPE,
            "encoding": self.encoding,
            "poster": [self.poster_frame, *self.poster_size],
            "tiles": [list(self.tile_frames), *self.tile_size],
        }


def stills(display: Display, *, about: str, cache: Path) -> tuple[Still, Storyboard]:
    """Poster and storyboard of a display copy.

    `about` names the clip in the MediaError that is raised when it cannot be decoded.
    """
    plan = plan_stills(display.facts)
    names = f"poster.{plan.suffix}", f"storyboard.{plan.suffix}"

    def make(folder: Path) -> None:
        _take(display.path, plan, folder / names[0], folder / names[1], about=about)

    folder = derived(cache, source_sha256=display.facts.sha256, recipe=plan.recipe, make=make)
    (width, height), (tile_width, tile_height) = plan.poster_size, plan.tile_size
    return Still(path=folder / names[0], width=width, height=height), Storyboard(
        path=folder / names[1],
        width=plan.columns * tile_width,
        height=plan.rows * tile_height,
        columns=plan.columns,
        rows=plan.rows,
        tiles=len(plan.tile_frames),
        tile_width=tile_width,
        tile_height=tile_height,
    )


def plan_stills(facts: Facts) -> Plan:
    """Choose frames and sizes."""
    webp = ffmpeg.has_encoder("libwebp")
    return Plan(
        poster_frame=_frame_at(facts, POSTER_AT),
        poster_size=_fit(facts, POSTER_MAX_WIDTH, 1 << 14),
        tile_frames=_tile_frames(facts),
        tile_size=_fit(facts, TILE_WIDTH, TILE_MAX_HEIGHT, multiple=2),
        suffix="webp" if webp else "jpg",
        encoding=WEBP if webp else JPEG,
    )


def _tile_frames(facts: Facts) -> tuple[int, ...]:
    """The frame in the middle of each part: by time, or by number where frames stand too long."""
    tiles = min(COLUMNS * ROWS, facts.frame_count)
    middles = [Fraction(2 * tile + 1, 2 * tiles) for tile in range(tiles)]
    by_time = tuple(_frame_at(facts, middle) for middle in middles)
    if len(set(by_time)) == tiles:
        return by_time
    return tuple(int(middle * facts.frame_count) for middle in middles)


def _frame_at(facts: Facts, part: Fraction) -> int:
    """The frame to be seen after that part of the clip."""
    return max(0, bisect_right(facts.timestamps_s, part * facts.duration_s) - 1)


def _fit(facts: Facts, width: int, height: int, *, multiple: int = 1) -> tuple[int, int]:
    """The largest size of the clip's shape within these bounds, and never enlarged."""
    scale = min(Fraction(1), Fraction(width, facts.width), Fraction(height, facts.height))
    across, down = (
        max(1, math.floor(side * scale / multiple + Fraction(1, 2))) * multiple
        for side in (facts.width, facts.height)
    )
    return across, down


def _take(path: Path, plan: Plan, poster: Path, storyboard: Path, *, about: str) -> None:
    frames = ffmpeg.source(path, examine(path).demuxer)["V:0"].filter_multi_output("split")
    wanted = "+".join(f"eq(n,{frame})" for frame in plan.tile_frames)
    one = _scaled(frames[0].filter("select", f"eq(n,{plan.poster_frame})"), plan.poster_size)
    many = _scaled(frames[1].filter("select", wanted), plan.tile_size).filter(
        "tile", f"{plan.columns}x{plan.rows}", nb_frames=len(plan.tile_frames)
    )
    outputs = [
        builder.output(
            picture,
            ffmpeg.file_url(target),
            f="image2",
            update=1,
            fps_mode="passthrough",
            **{"frames:v": 1},
            **plan.encoding,
            **ffmpeg.REPRODUCIBLE,
        )
        for picture, target in ((one, poster), (many, storyboard))
    ]
    ffmpeg.run(builder.merge_outputs(*outputs), about=about)
    for target in (poster, storyboard):
        if not target.is_file() or not target.stat().st_size:
            raise MediaError(f"{about}: its frames cannot be decoded; export the clip anew")


def _scaled(picture: Any, size: tuple[int, int]) -> Any:
    return picture.filter("scale", *size, **SCALING)
