"""The archive as data: one list of columns gives the CSV, the JSON, its schema and its manual."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from typing import Any

from generator.pages import addresses, words
from generator.pages.clips import ClipView
from generator.pages.media import STATES, MediaView
from generator.records import Catalogue, Facts, Label, Link, Outcome, Run

FORMAT = 1
"""Of archive.json; grows when a reader of the old format would misunderstand the new one."""

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One fact of a clip. `type` is a JSON type; every column may be null unless `always`."""

    name: str
    type: str
    says: str
    value: Callable[[ClipView], object]
    always: bool = False
    enum: tuple[str, ...] = ()


def _of_facts(read: Callable[[Facts], object]) -> Callable[[ClipView], object]:
    return lambda view: None if view.source_facts is None else read(view.source_facts)


def _of_copy(read: Callable[[Facts], object]) -> Callable[[ClipView], object]:
    return lambda view: None if view.display is None else read(view.display.facts)


def _number(value: Fraction | None) -> float | None:
    return None if value is None else float(value)


def _verdicts(outcome: Outcome) -> Callable[[ClipView], object]:
    return lambda view: sum(verdict.outcome is outcome for verdict in view.verdicts)


COLUMNS: tuple[Column, ...] = (
    Column(name="id", type="string", says="Clip id, unique in the archive.",
           value=lambda v: v.id, always=True),
    Column(name="page", type="string", says="Its page, from the site's root.",
           value=lambda v: v.page, always=True),
    Column(name="run", type="string", says="Run id: the unit of evidence it belongs to.",
           value=lambda v: v.run.id, always=True),
    Column(name="series", type="string", says="Series of the run; numbers compare within one.",
           value=lambda v: v.series.id, always=True),
    Column(name="label", type="string", says="Where the number comes from.",
           value=lambda v: v.series.label.value, always=True,
           enum=tuple(label.value for label in Label)),
    Column(name="pipeline", type="string", says="Pipeline id.",
           value=lambda v: v.clip.pipeline, always=True),
    Column(name="prompt", type="string", says="Prompt id; none for test cards.",
           value=lambda v: v.clip.prompt or None),
    Column(name="width", type="integer", says="Stated picture width in pixels.",
           value=lambda v: v.clip.width, always=True),
    Column(name="height", type="integer", says="Stated picture height in pixels.",
           value=lambda v: v.clip.height, always=True),
    Column(name="steps", type="string",
           says="Denoising steps; per stage with slashes between for staged samplers.",
           value=lambda v: "/".join(map(str, v.clip.steps)) or None),
    Column(name="steps_total", type="integer", says="Sum of the steps.",
           value=lambda v: v.clip.steps_total if v.clip.steps else None),
    Column(name="fps", type="number", says="Frames per second as the run states them.",
           value=lambda v: _number(v.clip.fps)),
    Column(name="fps_means", type="string", says="What the stated FPS is, in the run's words.",
           value=lambda v: v.series.fps_means or None),
    Column(name="stated_frames", type="integer", says="Frame count as the run states it.",
           value=lambda v: v.clip.stated_frames),
    Column(name="stated_seconds", type="number", says="Duration as the run states it.",
           value=lambda v: _number(v.clip.stated_seconds)),
    Column(name="seed", type="integer", says="Random seed.", value=lambda v: v.clip.seed),
    Column(name="interpolation", type="string", says="Frame interpolation used by the series.",
           value=lambda v: v.series.interpolation or None),
    Column(name="measured_by", type="string", says="Who measured.",
           value=lambda v: v.run.measured_by or None),
    Column(name="published", type="string", says="Date of publication, ISO 8601.",
           value=lambda v: v.run.published or None),
    Column(name="machine", type="string", says="Machine id.",
           value=lambda v: v.run.machine or None),
    Column(name="machine_stated", type="string", says="The machine in the words of who measured.",
           value=lambda v: v.run.machine_stated or None),
    Column(name="weights", type="string", says="Model weights.",
           value=lambda v: v.run.weights or None),
    Column(name="url", type="string", says="Original address of the clip.",
           value=lambda v: v.clip.url),
    Column(name="sha256", type="string", says="SHA-256 of the original file, as the run names it.",
           value=lambda v: v.clip.sha256),
    Column(name="state", type="string",
           says='What can be watched: "clip" (a copy on this site), "streams from original", '
           '"no clip".',
           value=lambda v: v.state, always=True, enum=tuple(STATES.values())),
    Column(name="missing", type="string", says="Why there is nothing to watch.",
           value=lambda v: None if v.media.playable else v.media.note),
    Column(name="bytes", type="integer", says="Size of the original file.",
           value=_of_facts(lambda f: f.bytes)),
    Column(name="container", type="string", says="Container of the original.",
           value=_of_facts(lambda f: f.container)),
    Column(name="codec", type="string", says="Codec of the original.",
           value=_of_facts(lambda f: f.codec)),
    Column(name="profile", type="string", says="Codec profile.",
           value=_of_facts(lambda f: f.profile or None)),
    Column(name="pixel_format", type="string", says="Pixel format.",
           value=_of_facts(lambda f: f.pixel_format or None)),
    Column(name="file_width", type="integer", says="Picture width in the file.",
           value=_of_facts(lambda f: f.width)),
    Column(name="file_height", type="integer", says="Picture height in the file.",
           value=_of_facts(lambda f: f.height)),
    Column(name="frames", type="integer", says="Video packets counted in the original.",
           value=_of_facts(lambda f: f.frame_count)),
    Column(name="distinct_timestamps", type="integer",
           says="Distinct presentation times among them; a player can show no more frames.",
           value=_of_facts(lambda f: f.distinct_timestamps)),
    Column(name="duration_s", type="number", says="Duration of the original in seconds.",
           value=_of_facts(lambda f: _number(f.duration_s))),
    Column(name="mean_rate_hz", type="number", says="frames / duration_s.",
           value=_of_facts(lambda f: _number(f.mean_rate_hz))),
    Column(name="stated_rate_hz", type="number", says="Frame rate the container states.",
           value=_of_facts(lambda f: _number(f.stated_rate_hz))),
    Column(name="keyframes", type="integer", says="Keyframes in the original.",
           value=_of_facts(lambda f: len(f.keyframes))),
    Column(name="longest_keyframe_interval_s", type="number",
           says="Longest time between keyframes, or from the last one to the end.",
           value=_of_facts(lambda f: _number(words.longest_keyframe_gap_s(f)))),
    Column(name="index_first", type="boolean", says="The index stands before the media data.",
           value=_of_facts(lambda f: f.index_first)),
    Column(name="flags", type="string", says="Ids of what is odd about the file, by spaces.",
           value=_of_facts(lambda f: " ".join(flag.id for flag in f.flags))),
    Column(name="display_kind", type="string", says="How the published copy was made.",
           value=lambda v: v.display.kind if v.display else None,
           enum=tuple(words.DISPLAY_KINDS)),
    Column(name="display", type="string", says="The published copy, from the site's root.",
           value=lambda v: v.media.src if v.display else None),
    Column(name="display_sha256", type="string", says="SHA-256 of the published copy.",
           value=_of_copy(lambda f: f.sha256)),
    Column(name="display_frames", type="integer", says="Video packets of the published copy.",
           value=_of_copy(lambda f: f.frame_count)),
    Column(name="display_distinct_timestamps", type="integer",
           says="Distinct presentation times in the published copy.",
           value=_of_copy(lambda f: f.distinct_timestamps)),
    Column(name="display_duration_s", type="number", says="Duration of the published copy.",
           value=_of_copy(lambda f: _number(f.duration_s))),
    Column(name="claims_hold", type="integer", says="Claims of the run that this file confirms.",
           value=_verdicts(Outcome.HOLDS), always=True),
    Column(name="claims_fail", type="integer", says="Claims that this file refutes.",
           value=_verdicts(Outcome.FAILS), always=True),
    Column(name="claims_cannot_be_checked", type="integer",
           says="Claims that this file can neither confirm nor refute.",
           value=_verdicts(Outcome.CANNOT_CHECK), always=True),
)  # fmt: skip


def texts(catalogue: Catalogue, views: Sequence[ClipView]) -> dict[str, str]:
    """Every file of data/ but the charts."""
    return {
        "data/clips.csv": clips_csv(views),
        "data/archive.json": dump(archive(catalogue, views), indent=1),
        "data/schema.json": dump(schema(), indent=1),
        "data/clips.json": dump([brief(view) for view in views]),
        **{addresses.clip_data(view.id): dump(packets(view)) for view in views},
        **{
            addresses.timestamps(view.id): dump(
                [float(time) for time in view.media.plays.timestamps_s]
            )
            for view in views
            if view.media.plays
        },
    }


def dump(value: object, indent: int | None = None) -> str:
    separators = (",", ":") if indent is None else (",", ": ")
    return (
        json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent, separators=separators)
        + "\n"
    )


def clips_csv(views: Sequence[ClipView]) -> str:
    """A line per clip; nulls are empty; further columns of the runs follow as `extra.<name>`."""
    extras = sorted({name for view in views for name, _ in view.clip.extra})
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*(column.name for column in COLUMNS), *(f"extra.{name}" for name in extras)])
    for view in views:
        extra = dict(view.clip.extra)
        cells = [_cell(column.value(view)) for column in COLUMNS]
        writer.writerow([*cells, *(extra.get(name, "") for name in extras)])
    return out.getvalue()


def _cell(value: object) -> str:
    if value is None:
        return ""
    return json.dumps(value) if isinstance(value, bool) else str(value)


def archive(catalogue: Catalogue, views: Sequence[ClipView]) -> Json:
    """Everything the site knows, as one value."""
    site = catalogue.site
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
                "content_rate_hz": _number(one.content_rate_hz),
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
                **{column.name: column.value(view) for column in COLUMNS},
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
            for view in views
        ],
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
                "spread_over_s": _number(one.spread_over_s),
                "interpolation": one.interpolation or None,
            }
            for one in run.series
        ],
        "claims": [
            {"id": one.id, "kind": one.kind, "says": one.says, "series": list(one.series)}
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
        "label": view.label,
        "size": view.size,
        "steps": view.clip.steps_label if view.clip.steps else None,
        "fps": _number(view.clip.fps),
        "page": view.page,
        "media": _brief_media(view.media, view.id) if view.media.playable else None,
        "state": view.state,
    }


def _brief_media(media: MediaView, clip_id: str) -> Json:
    board = media.storyboard
    return {
        "src": media.src,
        "type": media.mime,
        "poster": media.poster,
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
        "duration_s": _number(media.duration_s),
        "frames": media.frames,
        "timestamps": addresses.timestamps(clip_id) if media.plays else None,
        "note": media.note,
    }


def packets(view: ClipView) -> Json:
    """Exact times and sizes of a clip's packets: seconds = ticks / ticks_per_second."""
    return {
        "id": view.id,
        "plays": {"local": "display", "remote": "original", "none": None}[view.media.state],
        "original": _packets(view.source_facts),
        "display": _packets(view.display.facts if view.display else None),
        "recipe": view.display.recipe if view.display else None,
    }


def _packets(facts: Facts | None) -> Json | None:
    if facts is None:
        return None
    per_second = lcm(*(time.denominator for time in facts.timestamps_s))
    return {
        "sha256": facts.sha256,
        "ticks_per_second": per_second,
        "ticks": [int(time * per_second) for time in facts.timestamps_s],
        "packet_bytes": list(facts.packet_bytes),
        "keyframes": list(facts.keyframes),
    }


def schema() -> Json:
    """JSON Schema (2020-12) of archive.json."""
    text, number = _typed("string"), _typed("number")
    link = _object({"title": _exactly("string"), "url": _exactly("string")})
    words_ = _exactly("string")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Matrix Archive data",
        **_object(
            {
                "format": {"const": FORMAT},
                "schema": words_,
                "site": _object({"title": words_, "description": words_, "base_url": words_}),
                "prompts": _list(_object({"id": words_, "title": words_, "text": words_})),
                "pipelines": _list(
                    _object(
                        {
                            "id": words_,
                            "title": words_,
                            "summary": words_,
                            "content_rate_hz": number,
                            "parameters": text,
                            "licence": text,
                            "links": _list(link),
                        }
                    )
                ),
                "machines": _list(
                    _object(
                        {
                            "id": words_,
                            "title": words_,
                            "memory_gb": number,
                            "bandwidth_tb_s": number,
                            "bf16_tflops": number,
                            "fp8_tflops": number,
                            "fp4_tflops": number,
                            "source": text,
                            "notes": text,
                        }
                    )
                ),
                "runs": _list(_run_schema(link)),
                "clips": _list(_clip_schema()),
            }
        ),
    }


def _run_schema(link: Mapping[str, object]) -> Json:
    text, words_ = _typed("string"), _exactly("string")
    return _object(
        {
            "id": words_,
            "title": words_,
            "summary": words_,
            "measured_by": text,
            "published": text,
            "source": {"anyOf": [link, {"type": "null"}]},
            "machine": text,
            "machine_stated": text,
            "software": _list(_object({"name": words_, "version": words_})),
            "weights": text,
            "protocol": _list(words_),
            "rights": text,
            "series": _list(
                _object(
                    {
                        "id": words_,
                        "title": words_,
                        "label": {"enum": [label.value for label in Label]},
                        "fps_means": text,
                        "spread_over_s": _typed("number"),
                        "interpolation": text,
                    }
                )
            ),
            "claims": _list(
                _object({"id": words_, "kind": words_, "says": words_, "series": _list(words_)})
            ),
        }
    )


def _clip_schema() -> Json:
    verdict = _object(
        {
            "claim": _exactly("string"),
            "outcome": {"enum": [outcome.value for outcome in Outcome]},
            "stated": _exactly("string"),
            "found": _exactly("string"),
            "note": _exactly("string"),
        }
    )
    return _object(
        {
            **{column.name: _column_schema(column) for column in COLUMNS},
            "extra": {"type": "object", "additionalProperties": {"type": "string"}},
            "verdicts": _list(verdict),
        }
    )


def _column_schema(column: Column) -> Json:
    if column.enum:
        allowed: Json = {"enum": [*column.enum, *([] if column.always else [None])]}
    else:
        allowed = _exactly(column.type) if column.always else _typed(column.type)
    return {**allowed, "description": column.says}


def _exactly(kind: str) -> Json:
    return {"type": kind}


def _typed(kind: str) -> Json:
    return {"type": [kind, "null"]}


def _list(items: Mapping[str, object]) -> Json:
    return {"type": "array", "items": dict(items)}


def _object(properties: Mapping[str, object]) -> Json:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }
