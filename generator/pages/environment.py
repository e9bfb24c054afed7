"""The one Jinja environment: strict about names, escaping by default, silent about the clock."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from fractions import Fraction
from functools import lru_cache
from math import sqrt
from pathlib import Path

from jinja2 import (
    Environment,
    FileSystemBytecodeCache,
    FileSystemLoader,
    StrictUndefined,
    select_autoescape,
)
from jinja2.bccache import Bucket
from markupsafe import Markup

from generator.pages import words
from generator.pages.clips import fact_rows, flag_rows, provenance
from generator.pages.holdings import copies
from generator.pages.presets import FRAME
from generator.records import Facts

FOLDER = "templates"
CADENCE_UNITS = 1000
FILES_KEPT = 128
"""Rows may share a file: what is drawn from one is not drawn again at once."""


class Compiled(FileSystemBytecodeCache):
    """Compiled templates, kept in a folder from build to build; on a full disk they are not."""

    def __init__(self, folder: Path) -> None:
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
        super().__init__(str(folder))

    def dump_bytecode(self, bucket: Bucket) -> None:
        with suppress(OSError):
            super().dump_bytecode(bucket)


def environment(
    templates: Sequence[Path], *, policy: str, cache: Path | None = None
) -> Environment:
    """Templates are looked for in `templates`, first folder first; pages name the `policy`.
    Compiled templates are kept in `cache`."""
    made = Environment(
        loader=FileSystemLoader([str(folder) for folder in templates]),
        bytecode_cache=Compiled(cache / FOLDER) if cache else None,
        autoescape=select_autoescape(("html", "svg", "xml"), default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {
        "rate": words.rate,
        "seconds": words.seconds,
        "grouped": words.grouped,
        "bytes": words.bytes_,
        "or_not_stated": words.or_not_stated,
        "number": number,
        "count": words.count,
        "sentence": words.sentence,
        "typeset": words.typeset,
    }
    made.globals |= {
        "policy": policy,
        "FRAME": FRAME,
        "LABELS": words.LABELS,
        "OUTCOMES": words.OUTCOMES,
        "display_kind": words.display_kind,
        "cadence": cadence,
        "copies_of": copies,
        "fact_rows": fact_rows,
        "flag_rows": flag_rows,
        "largest": max,
        "provenance": provenance,
        "packet_plot": packet_plot,
        "time_marks": time_marks,
    }
    return made


def number(value: float | None) -> str:
    """A figure of a machine or pipeline, as short as it is exact."""
    return words.NOT_STATED if value is None else f"{value:g}"


def cadence(fps: Fraction | None) -> str:
    """Dash pattern of a line 1000 units long: one stroke per frame of one second."""
    if not fps:
        return ""
    period = CADENCE_UNITS / float(fps)
    stroke = min(9.0, period * 0.42)
    return f"{stroke:.2f} {period - stroke:.2f}"


@lru_cache(maxsize=FILES_KEPT)
def packet_plot(facts: Facts, width: int = 1000, height: int = 100) -> Markup:
    """SVG path data: a stroke per packet, its height growing with the square root of its bytes;
    otherwise keyframes would leave nothing of the rest."""
    if not facts.packet_bytes:
        return Markup("")
    largest = max(facts.packet_bytes) or 1
    pitch = width / len(facts.packet_bytes)
    return Markup(  # figures only
        "".join(
            f"M{(index + 0.5) * pitch:.1f} {height}V{height - height * sqrt(size / largest):.1f}"
            for index, size in enumerate(facts.packet_bytes)
        )
    )


@lru_cache(maxsize=FILES_KEPT)
def time_marks(facts: Facts, window_s: int = 2, width: int = 1000, height: int = 10) -> Markup:
    """SVG path data: a stroke per distinct timestamp in the first `window_s` seconds."""
    start, end = facts.ticks[:1], window_s * facts.ticks_per_second
    places = sorted({tick - start[0] for tick in facts.ticks if tick - start[0] < end})
    return Markup(
        "".join(
            f"M{place / facts.ticks_per_second / window_s * width:.1f} 0V{height}"
            for place in places
        )
    )
