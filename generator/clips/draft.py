"""A new run as the files it will be: run.toml, clips.csv, and stubs of what they refer to.

Writes text, no files. What is not known says "not stated", so that a reader sees it and a
person can fill it in.
"""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from generator.records import Label

__all__ = ["MAX_ID_CHARS", "NOT_STATED", "DraftRun", "DraftSeries", "clips_csv", "run_toml", "slug"]

NOT_STATED = "not stated"
MAX_ID_CHARS = 80
"""Ids become names of files and folders, two of them joined: no system allows more than 255."""
COLUMNS = (
    *("id", "series", "pipeline", "prompt", "size", "steps", "fps", "frames", "seconds", "seed"),
    *("sha256", "url", "file", "no_clip", "per_frame"),
)
REQUIRED = ("id", "series", "pipeline", "size")


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftSeries:
    """A [[series]] of run.toml."""

    id: str
    title: str
    label: Label
    fps_means: str
    interpolation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftRun:
    """What run.toml says."""

    title: str
    summary: str
    notes: str
    measured_by: str
    published: date
    date_is_of_ingest: bool
    source: str
    machine: str
    software: Mapping[str, str]
    weights: str
    rights: str
    publish_media: bool
    series: Sequence[DraftSeries]


def run_toml(run: DraftRun) -> str:
    """Text of run.toml."""
    day = f"published = {run.published.isoformat()}"
    if run.date_is_of_ingest:
        day += "  # the day of ingest; write the day of publication where it is another"
    lines = [
        f'# Started by ingest. What it could not find out says "{NOT_STATED}": fill it in.',
        f"title = {quoted(run.title)}",
        f"summary = {quoted(run.summary)}",
        f"measured_by = {quoted(run.measured_by)}",
        day,
        f"machine = {quoted(run.machine)}",
        f"weights = {quoted(run.weights)}",
        f"rights = {quoted(run.rights)}",
        f"publish_media = {str(run.publish_media).lower()}",
        f"notes = {quoted(run.notes)}",
    ]
    if run.source:
        lines.append(f"source = {{ title = {quoted(run.source)}, url = {quoted(run.source)} }}")
    if run.software:
        lines += ["", "[software]"]
        lines += [f"{quoted(name)} = {quoted(run.software[name])}" for name in run.software]
    for series in run.series:
        lines += [
            "",
            "[[series]]",
            f"id = {quoted(series.id)}",
            f"title = {quoted(series.title)}",
            f"label = {quoted(series.label)}",
        ]
        if series.fps_means:
            lines.append(f"fps_means = {quoted(series.fps_means)}")
        lines.append(f"interpolation = {quoted(series.interpolation)}")
    return "\n".join(lines) + "\n"


def clips_csv(rows: Sequence[Mapping[str, str]]) -> str:
    """Text of clips.csv; columns that no row fills are left out."""
    filled = {name for row in rows for name, value in row.items() if value}
    further = dict.fromkeys(name for row in rows for name in row if name not in COLUMNS)
    names = [name for name in (*COLUMNS, *further) if name in filled or name in REQUIRED]
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, names, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def prompt_md(title: str, text: str) -> str:
    """A prompt; `text` is "" where only its name is known."""
    if text:
        return f"---\ntitle: {quoted(title)}\ntext: {quoted(text)}\n---\n"
    return (
        f"---\ntitle: {quoted(title)}\n"
        "# Started by ingest: write the prompt here, word for word.\n"
        f"text: {quoted(NOT_STATED)}\n---\n"
    )


def pipeline_toml(title: str) -> str:
    """A pipeline of which only the name is known."""
    return (
        "# Started by ingest: fill in what is known, and what docs/content.md offers besides.\n"
        f"title = {quoted(title)}\nsummary = {quoted('Not described yet.')}\n"
    )


def machine_toml(title: str) -> str:
    """A machine of which only the name is known."""
    return (
        "# Started by ingest: fill in the figures of its maker, with their source.\n"
        f"title = {quoted(title)}\nsource = {quoted(NOT_STATED)}\n"
    )


def quoted(text: str) -> str:
    """`text` as a string that TOML, YAML and JSON all read alike."""
    return re.sub(
        r"[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]",
        lambda found: f"\\u{ord(found[0]):04x}",
        json.dumps(text, ensure_ascii=False),
    )


def slug(text: str) -> str:
    """An id made of `text`: small letters, digits, single hyphens, and dots within numbers.

    At most MAX_ID_CHARS long; "" where the text holds none of these letters.
    """
    letters = unicodedata.normalize("NFKD", text).lower()
    plain = "".join(letter for letter in letters if not unicodedata.combining(letter))
    words = re.sub(r"[^a-z0-9.]+", "-", plain)
    joined = re.sub(r"[-.]*-[-.]*|\.{2,}", "-", words).strip("-.")
    return joined[:MAX_ID_CHARS].rstrip("-.")
