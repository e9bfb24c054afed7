"""Poster, thumbnail and storyboard: pictures of a clip, taken in one pass over its display copy."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import ffmpeg as builder

from generator.clips import ffmpeg
from generator.clips.cache import derived, sealed
from generator.clips.container import examine
from generator.errors import MediaError
from generator.records import Display, Facts, Still, Storyboard

RECIPE = 4
"""Raise it when stills are made otherwise than before, so that cached ones are made anew."""

POSTER_AT = Fraction(2, 5)
"""Part of the clip after which the poster is taken."""
POSTER_MAX_WIDTH = 848
THUMBNAIL_MAX_WIDTH = 256
"""For cells, which are seldom wider than 200 px."""
COLUMNS, ROWS = 5, 5
TILE_WIDTH, TILE_MAX_HEIGHT = 160, 200
MAX_FILE_BYTES = 64 << 20
"""A picture larger than this is none that a page could carry."""

SCALING = {"flags": "lanczos+accurate_rnd+full_chroma_int+bitexact", "out_color_matrix": "bt601"}
WEBP = {"c:v": "libwebp", "quality": 58, "compression_level": 4, "pix_fmt": "yuv420p"}
JPEG = {"c:v": "mjpeg", "q:v": 4, "pix_fmt": "yuvj420p"}
SMALLER = {"libwebp": {"quality": 34}, "mjpeg": {"q:v": 7}}
"""What thumbnails change in the encoding, by its encoder: they lie dimmed behind figures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Which frames (counted in order of presentation) are taken, and how large."""

    poster_frame: int
    poster_size: tuple[int, int]
    thumbnail_size: tuple[int, int]
    tile_frames: tuple[int, ...]
    tile_size: tuple[int, int]
    suffix: str
    encoding: dict[str, Any]

    def file(self, name: str) -> str:
        return f"{name}.{self.suffix}"

    @property
    def columns(self) -> int:
        return min(COLUMNS, len(self.tile_frames))

    @property
    def rows(self) -> int:
        return -(-len(self.tile_frames) // self.columns)

    @property
    def thumbnail_encoding(self) -> dict[str, Any]:
        return {**self.encoding, **SMALLER[self.encoding["c:v"]]}

    def recipe_of(self, picture: str) -> dict[str, object]:
        """How one of the pictures is taken, with the ffmpeg that does."""
        return {**self.recipe, "picture": picture, "ffmpeg": ffmpeg.version()}

    @property
    def recipe(self) -> dict[str, Any]:
        return {
            "step": "stills",
            "version": RECIPE,
            "encoding": self.encoding,
            "poster": [self.poster_frame, *self.poster_size],
            "thumbnail": [self.thumbnail_encoding, *self.thumbnail_size],
            "tiles": [list(self.tile_frames), *self.tile_size],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Stills:
    """The pictures of one clip. `thumbnail` shows the frame of `poster`."""

    poster: Still
    thumbnail: Still
    storyboard: Storyboard


def stills(display: Display, *, about: str, cache: Path) -> Stills:
    """Poster, thumbnail and storyboard of a display copy.

    `about` names the clip in the MediaError that is raised when it cannot be decoded.
    """
    plan = plan_stills(display.facts)

    def make(folder: Path) -> None:
        pixels = display.facts.width * display.facts.height
        _take(display.path, plan, folder, about=about, pixels=pixels)

    folder = derived(cache, source_sha256=display.facts.sha256, recipe=plan.recipe, make=make)
    hashes = sealed(folder)
    tile_width, tile_height = plan.tile_size

    def still(name: str, size: tuple[int, int]) -> Still:
        file = plan.file(name)
        return Still(
            path=folder / file,
            sha256=hashes[file],
            width=size[0],
            height=size[1],
            recipe=plan.recipe_of(name),
        )

    return Stills(
        poster=still("poster", plan.poster_size),
        thumbnail=still("thumbnail", plan.thumbnail_size),
        storyboard=Storyboard(
            path=folder / plan.file("storyboard"),
            sha256=hashes[plan.file("storyboard")],
            width=plan.columns * tile_width,
            height=plan.rows * tile_height,
            columns=plan.columns,
            rows=plan.rows,
            tiles=len(plan.tile_frames),
            tile_width=tile_width,
            tile_height=tile_height,
            recipe=plan.recipe_of("storyboard"),
        ),
    )


def plan_stills(facts: Facts) -> Plan:
    """Choose frames and sizes."""
    webp = ffmpeg.has_encoder("libwebp")
    return Plan(
        poster_frame=_frame_at(facts, POSTER_AT),
        poster_size=_fit(facts, POSTER_MAX_WIDTH, 1 << 14),
        thumbnail_size=_fit(facts, THUMBNAIL_MAX_WIDTH, 1 << 14),
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
    ticks = part * facts.duration_s * facts.ticks_per_second
    return max(0, bisect_right(facts.ticks, math.floor(ticks)) - 1)


def _fit(facts: Facts, width: int, height: int, *, multiple: int = 1) -> tuple[int, int]:
    """The largest size of the clip's shape within these bounds, and never enlarged."""
    scale = min(Fraction(1), Fraction(width, facts.width), Fraction(height, facts.height))
    across, down = (
        max(1, math.floor(side * scale / multiple + Fraction(1, 2))) * multiple
        for side in (facts.width, facts.height)
    )
    return across, down


def _take(path: Path, plan: Plan, folder: Path, *, about: str, pixels: int) -> None:
    frames = ffmpeg.source(path, examine(path).demuxer)["V:0"].filter_multi_output("split", 3)
    poster = f"eq(n,{plan.poster_frame})"
    tiles = "+".join(f"eq(n,{frame})" for frame in plan.tile_frames)
    pictures = {
        "poster": (_taken(frames[0], poster, plan.poster_size), plan.encoding),
        "thumbnail": (_taken(frames[1], poster, plan.thumbnail_size), plan.thumbnail_encoding),
        "storyboard": (
            _taken(frames[2], tiles, plan.tile_size).filter(
                "tile", f"{plan.columns}x{plan.rows}", nb_frames=len(plan.tile_frames)
            ),
            plan.encoding,
        ),
    }
    targets = {name: folder / plan.file(name) for name in pictures}
    outputs = [
        builder.output(
            picture,
            ffmpeg.file_url(targets[name]),
            f="image2",
            update=1,
            fps_mode="passthrough",
            **{"frames:v": 1},
            **encoding,
            **ffmpeg.REPRODUCIBLE,
        )
        for name, (picture, encoding) in pictures.items()
    ]
    ffmpeg.run(
        builder.merge_outputs(*outputs), about=about, pixels=pixels, file_bytes=MAX_FILE_BYTES
    )
    for target in targets.values():
        if not target.is_file() or not target.stat().st_size:
            raise MediaError(f"{about}: its frames cannot be decoded; export the clip anew")


def _taken(frames: Any, wanted: str, size: tuple[int, int]) -> Any:
    return frames.filter("select", wanted).filter("scale", *size, **SCALING)
