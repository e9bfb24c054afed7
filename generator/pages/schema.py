"""JSON Schema (2020-12) of archive.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from generator.pages.columns import COLUMNS, Column
from generator.records import Label, Outcome, Site

FORMAT = 1
"""Of archive.json; grows when a reader of the old format would misunderstand the new one."""

Json = dict[str, Any]


def schema(site: Site) -> Json:
    """The whole file: an object whose parts are all required and none unknown."""
    text, number = _typed("string"), _typed("number")
    link = _object({"title": _exactly("string"), "url": _exactly("string")})
    words_ = _exactly("string")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"{site.base_url}data/schema.json",
        "title": f"{site.title}: data",
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
                "bounds": _list(_bound_schema()),
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
                        "note": text,
                    }
                )
            ),
            "claims": _list(
                _object(
                    {
                        "id": words_,
                        "kind": words_,
                        "says": words_,
                        "quoted": _exactly("boolean"),
                        "series": _list(words_),
                    }
                )
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


def _bound_schema() -> Json:
    """Figures that nobody measured, apart from those of `clips`; each says what it is."""

    def said(kind: str, says: str) -> Json:
        return {**_exactly(kind), "description": says}

    return _object(
        {
            "clip": said("string", "Id of the measured cell that it stands beside."),
            "kind": {
                "enum": ["limit", "projection"],
                "description": "limit: what the data sheet of the cell's own machine allows; "
                "projection: the share of it that was reached, on a machine where nothing ran.",
            },
            "machine": said("string", "Machine that the figure is of."),
            "fps": said("number", "The limit, or the projection. Never a measurement."),
            "share": said("number", "Of the limit on the cell's machine, what was measured."),
            "limit_fps": said("number", "What this machine's data sheet allows."),
            "bounded_by": {
                "enum": ["compute", "memory"],
                "description": "What takes more of that limit's time.",
            },
            "flop_per_frame": said("integer", "Operations for a frame, counted from shapes."),
            "bytes_per_frame": said("integer", "Least bytes that cross the memory for a frame."),
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
