"""The archive as data files: CSV, JSON, and what pickers and players load."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Sequence

from generator.pages import words
from generator.pages.clips import ClipView
from generator.pages.columns import COLUMNS, number, rows
from generator.pages.limits import bounds
from generator.pages.schema import FORMAT, Json, schema
from generator.records import BITS_PER_FRAME, Catalogue, Facts, Link, PerFrame, Run, Site


def archive_json(catalogue: Catalogue, views: Sequence[ClipView]) -> str:
    """A line for every record, so that people can read it and programs write it fast."""
    parts = []
    for name, value in archive(catalogue, views).items():
        if isinstance(value, list):
            lines = ",\n  ".join(dump(one).rstrip("\n") for one in value)
            parts.append(f'"{name}": [\n  {lines}\n ]' if value else f'"{name}": []')
        else:
            parts.append(f'"{name}": {dump(value).rstrip()}')
    return "{\n " + ",\n ".join(parts) + "\n}\n"


def schema_json(site: Site) -> str:
    return dump(schema(site), indent=1)


def briefs_json(views: Sequence[ClipView]) -> str:
    return dump([brief(view) for view in views])


def timestamps_json(facts: Facts) -> str:
    return dump([tick / facts.ticks_per_second for tick in facts.ticks])


def lanes_json(facts: Facts, numbers: PerFrame | None) -> str:
    """Series with a value for each frame that plays, in the order of `timestamps_json`; null where
    none was recorded. `arrivals_s`: when each frame was made, null where nobody recorded it."""
    series = [
        {"name": BITS_PER_FRAME, "unit": "bit", "values": [8 * n for n in facts.packet_bytes]}
    ]
    for one in numbers.series if numbers else ():
        values = [_plain(value) for value in one.values]
        series.append({"name": one.name, "unit": one.unit, "values": values})
    arrivals = numbers.arrivals_s if numbers else None
    return dump({"series": series, "arrivals_s": arrivals and [_plain(one) for one in arrivals]})


def _plain(value: float) -> float | int | None:
    """As people write it: 12 and not 12.0, nothing where there is no number."""
    if math.isnan(value):
        return None
    return int(value) if value.is_integer() and abs(value) < 1e15 else value


def dump(value: object, indent: int | None = None) -> str:
    separators = (",", ":") if indent is None else (",", ": ")
    return (
        json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent, separators=separators)
        + "\n"
    )


def clips_csv(views: Sequence[ClipView]) -> str:
    """A line per clip; nulls are empty; further columns of the runs follow as `extra.<name>`.

    Texts that a spreadsheet would run as a formula have an apostrophe before them; JSON has them
    as they are.
    """
    extras = sorted({name for view in views for name, _ in view.clip.extra})
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*(column.name for column in COLUMNS), *(f"extra.{name}" for name in extras)])
    for view, row in zip(views, rows(views), strict=True):
        extra = dict(view.clip.extra)
        cells = [_cell(value) for value in row]
        writer.writerow([*cells, *(inert(extra.get(name, "")) for name in extras)])
    return out.getvalue()


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return inert(value)
    return json.dumps(value) if isinstance(value, bool) else str(value)


FORMULA = re.compile(r"[\s']*[=+\-@\t\r\n＝＋－＠]")
"""How a cell begins that spreadsheets take for a formula, blanks and apostrophes before it or not:
https://owasp.org/www-community/attacks/CSV_Injection."""
NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")


APART = re.compile(r"([;\t\r\n])")
"""Where a program that is told of other marks than commas, or knows no quotes, begins a cell."""


def inert(text: str) -> str:
    """A cell that no spreadsheet runs: an apostrophe stands before what is no number but begins
    like a formula, at the start and wherever a spreadsheet may begin another cell."""
    first, *others = APART.split(text)
    begun = [is_formula(text), *(not APART.fullmatch(part) and is_formula(part) for part in others)]
    parts = zip(begun, (first, *others), strict=True)
    return "".join(f"'{part}" if formula else part for formula, part in parts)


def is_formula(text: str) -> bool:
    """Whether a spreadsheet may run a cell of this text: it begins like a formula and is no
    number."""
    return bool(FORMULA.match(text)) and not NUMBER.fullmatch(text)


BOUNDS = ("clip", "kind", "machine", "fps", "share", "limit_fps", "bounded_by")
"""Columns of bounds.csv; what they mean stands in the schema."""


def bounds_csv(catalogue: Catalogue, views: Sequence[ClipView]) -> str:
    """A line for every figure that nobody measured, with its kind; the others are in clips.csv."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(BOUNDS)
    for one in _bounds(catalogue, views):
        writer.writerow([_cell(one[name]) for name in BOUNDS])
    return out.getvalue()


def _bounds(catalogue: Catalogue, views: Sequence[ClipView]) -> list[Json]:
    """Of each cell whose work is known: the limit of its machine, and projections to others."""
    projected = catalogue.projected
    return [
        {
            "clip": view.id,
            "kind": one.kind,
            "machine": one.machine.id,
            "fps": float(f"{one.fps:.4g}"),
            "share": float(f"{one.share:.4g}"),
            "limit_fps": float(f"{one.work.fps:.4g}"),
            "bounded_by": one.work.by,
            "flop_per_frame": round(one.work.flop_per_frame),
            "bytes_per_frame": round(one.work.bytes_per_frame),
        }
        for view in views
        for one in bounds(view, catalogue.machine(view.run), projected)
    ]


def archive(catalogue: Catalogue, views: Sequence[ClipView]) -> Json:
    """Everything the site knows, as one value."""
    site = catalogue.site
    names = [column.name for column in COLUMNS]
    return {
        "format": FORMAT,
        "schema": "schema.json",
        "site": {"title": site.title, "description": site.description, "base_url": site.base_url},
        "prompts": [
            {"id": one.id, "title": one.title, "text": one.text} for one in catalogue.prompts
        ],
        "pipelines": [
            {
                "id": one.id,
                "title": one.title,
                "summary": one.summary,
                "content_rate_hz": number(one.content_rate_hz),
                "parameters": one.parameters or None,
                "licence": one.licence or None,
                "links": [_link(link) for link in one.links],
            }
            for one in catalogue.pipelines
        ],
        "machines": [
            {
                "id": one.id,
                "title": one.title,
                "memory_gb": one.memory_gb,
                "bandwidth_tb_s": one.bandwidth_tb_s,
                "bf16_tflops": one.bf16_tflops,
                "fp8_tflops": one.fp8_tflops,
                "fp4_tflops": one.fp4_tflops,
                "source": one.source or None,
                "notes": one.notes or None,
            }
            for one in catalogue.machines
        ],
        "runs": [_run(run) for run in catalogue.runs],
        "clips": [
            {
                **dict(zip(names, row, strict=True)),
                "extra": dict(view.clip.extra),
                "verdicts": [
                    {
                        "claim": verdict.claim,
                        "outcome": verdict.outcome.value,
                        "stated": verdict.stated,
                        "found": verdict.found,
                        "note": verdict.note,
                    }
                    for verdict in view.verdicts
                ],
            }
            for view, row in zip(views, rows(views), strict=True)
        ],
        "bounds": _bounds(catalogue, views),
    }


def _run(run: Run) -> Json:
    return {
        "id": run.id,
        "title": run.title,
        "summary": run.summary,
        "measured_by": run.measured_by or None,
        "published": run.published or None,
        "source": _link(run.source) if run.source else None,
        "machine": run.machine or None,
        "machine_stated": run.machine_stated or None,
        "software": [{"name": name, "version": version} for name, version in run.software],
        "weights": run.weights or None,
        "protocol": list(run.protocol),
        "rights": run.rights or None,
        "series": [
            {
                "id": one.id,
                "title": one.title,
                "label": one.label.value,
                "fps_means": one.fps_means or None,
                "spread_over_s": number(one.spread_over_s),
                "interpolation": one.interpolation or None,
                "note": one.note or None,
            }
            for one in run.series
        ],
        "claims": [
            {
                "id": one.id,
                "kind": one.kind,
                "says": one.says,
                "quoted": one.quoted,
                "series": list(one.series),
            }
            for one in run.claims
        ],
    }


def _link(link: Link) -> Json:
    return {"title": link.title, "url": link.url}


def brief(view: ClipView) -> Json:
    """A clip as pickers and players need it. Addresses are from the site's root."""
    return {
        "id": view.id,
        "title": view.title,
        "prompt": view.prompt.title if view.prompt else None,
        "pipeline": view.pipeline.title,
        "series": view.series.title,
        "interpolation": view.series.interpolation,
        "label": view.label,
        "size": view.size,
        "steps": view.clip.steps_label if view.clip.steps else None,
        "fps": number(view.clip.fps),
        "page": view.page,
        "media": _brief_media(view) if view.media.playable else None,
        "state": view.state,
        "missing": None if view.media.playable else words.sentence(view.media.note),
    }


def _brief_media(view: ClipView) -> Json:
    media, board = view.media, view.media.storyboard
    return {
        "src": media.src,
        "type": media.mime,
        "poster": media.plain_poster,
        "storyboard": board
        and {
            "src": board.src,
            "columns": board.columns,
            "rows": board.rows,
            "tiles": board.tiles,
            "tile_width": board.tile_width,
            "tile_height": board.tile_height,
        },
        "width": media.width,
        "height": media.height,
        "duration_s": number(media.duration_s),
        "frames": media.frames,
        "timestamps": view.timestamps or None,
        "lanes": view.lanes or None,
        "arrivals": view.arrivals_recorded,
        "playing": media.playing,
    }


def packets_json(view: ClipView) -> str:
    """Exact times and sizes of a clip's packets: seconds = ticks / ticks_per_second."""
    copy = view.display
    return dump(
        {
            "original": _packets(view.source_facts),
            "display": _packets(copy.facts if copy else None),
            "recipe": copy.recipe if copy else None,
        }
    )


def _packets(facts: Facts | None) -> Json | None:
    if facts is None:
        return None
    return {
        "sha256": facts.sha256,
        "ticks_per_second": facts.ticks_per_second,
        "ticks": list(facts.ticks),
        "packet_bytes": list(facts.packet_bytes),
        "keyframes": list(facts.keyframes),
    }
