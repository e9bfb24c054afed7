"""The data files: what they hold follows from the records, and the schema describes them."""

from __future__ import annotations

import csv
import io
import json
import re
from fractions import Fraction
from typing import Any

from generator.pages import Rendered
from generator.pages.columns import COLUMNS
from pages import sample

KINDS = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "object": dict,
    "array": list,
    "null": type(None),
}


def faults(value: object, schema: dict[str, Any], path: str = "$") -> list[str]:
    """What of `value` breaks `schema`: the part of JSON Schema that ours uses."""
    if "anyOf" in schema:
        tries = [faults(value, one, path) for one in schema["anyOf"]]
        return [] if [] in tries else tries[0]
    if "const" in schema and value != schema["const"]:
        return [f"{path}: {value!r} is not {schema['const']!r}"]
    if "enum" in schema and value not in schema["enum"]:
        return [f"{path}: {value!r} is none of {schema['enum']}"]
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if kinds and not any(_is(value, kind) for kind in kinds):
        return [f"{path}: {value!r} is not {kinds}"]
    found: list[str] = []
    if isinstance(value, dict):
        known = schema.get("properties", {})
        found += [f"{path}: no {name}" for name in schema.get("required", []) if name not in value]
        for name, one in value.items():
            rest = schema.get("additionalProperties", True)
            if name in known:
                found += faults(one, known[name], f"{path}.{name}")
            elif rest is False:
                found.append(f"{path}: {name} is unknown")
            elif isinstance(rest, dict):
                found += faults(one, rest, f"{path}.{name}")
    if isinstance(value, list) and "items" in schema:
        for index, one in enumerate(value):
            found += faults(one, schema["items"], f"{path}[{index}]")
    return found


def _is(value: object, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, KINDS[kind])  # type: ignore[arg-type]


def test_the_archive_keeps_to_its_schema(rendered: Rendered) -> None:
    schema = json.loads(rendered.texts["data/schema.json"])
    archive = json.loads(rendered.texts["data/archive.json"])

    assert faults(archive, schema) == []
    archive["clips"][0]["fps"] = "fast"
    archive["clips"][1]["new"] = 1
    assert faults(archive, schema) == [
        "$.clips[0].fps: 'fast' is not ['number', 'null']",
        "$.clips[1]: new is unknown",
    ]


def test_the_table_has_a_line_per_clip_with_every_fact(rendered: Rendered) -> None:
    rows = list(csv.DictReader(io.StringIO(rendered.texts["data/clips.csv"])))
    by_id = {row["id"]: row for row in rows}

    assert [row["id"] for row in rows] == [clip.id for clip in sample.CLIPS]
    assert list(rows[0]) == [*(column.name for column in COLUMNS), "extra.latency_s"]
    loud = by_id["loud--a"]
    assert loud["fps"] == "49.3"
    assert (loud["frames"], loud["distinct_timestamps"], loud["duration_s"]) == ("6", "4", "1.7")
    assert loud["display_duration_s"] == "20.0"
    assert loud["claims_fail"] == "2"
    assert loud["index_first"] == "false"
    assert by_id["loud--b"]["steps"] == "2/2/2"
    assert by_id["loud--b"]["extra.latency_s"] == "0.7"
    assert by_id["loud--silent"]["fps"] == ""
    assert by_id["loud--gone"]["missing"] == "Never published."
    assert by_id["quiet--far"]["display"] == ""
    assert by_id["quiet--far"]["state"] == "streams from its original address"


def test_exact_times_survive(rendered: Rendered) -> None:
    clips = {one["id"]: one for one in json.loads(rendered.texts["data/clips.json"])}
    times = clips["loud--a"]["media"]["timestamps"]
    played = times.removeprefix("data/timestamps/").removesuffix(".json")
    (name,) = (name for name in rendered.texts if re.match(rf"data/packets/.*-{played}", name))
    packets = json.loads(rendered.texts[name])
    original = packets["original"]
    per_second = original["ticks_per_second"]

    assert [Fraction(tick, per_second) for tick in original["ticks"]] == [
        Fraction(index, 30) for index in (0, 1, 1, 2, 3, 3)
    ]
    assert original["packet_bytes"] == [100, 101, 102, 103, 104, 105]
    display = packets["display"]
    assert [Fraction(one, display["ticks_per_second"]) for one in display["ticks"]] == [
        Fraction(20 * index, 6) for index in range(6)
    ]


def test_players_get_the_times_of_what_they_play(rendered: Rendered) -> None:
    def times(clip_id: str) -> list[float]:
        return json.loads(rendered.texts[clips[clip_id]["media"]["timestamps"]])

    clips = {one["id"]: one for one in json.loads(rendered.texts["data/clips.json"])}

    assert times("loud--a") == [float(Fraction(20 * index, 6)) for index in range(6)]
    assert times("quiet--far") == [index / 30 for index in (0, 1, 1, 2, 3, 3)]
    assert clips["loud--gone"]["media"] is None


def test_pickers_get_every_clip_and_what_plays(rendered: Rendered) -> None:
    clips = {one["id"]: one for one in json.loads(rendered.texts["data/clips.json"])}

    assert list(clips) == [clip.id for clip in sample.CLIPS]
    assert clips["loud--gone"]["media"] is None
    assert clips["loud--gone"]["missing"] == "Never published."
    assert clips["loud--a"]["missing"] is None
    assert clips["quiet--far"]["media"]["src"] == "https://clips.example.net/v/far.webm"
    assert clips["loud--a"]["media"]["src"] in rendered.files
    assert clips["loud--a"]["media"]["poster"] in rendered.files
    assert clips["quiet--far"]["media"]["poster"] in rendered.texts
    unseen = clips["quiet--unseen"]["media"]
    assert (unseen["duration_s"], unseen["frames"], unseen["timestamps"]) == (None, None, None)
    assert len({clip["title"] for clip in clips.values()}) == len(clips)


def test_pickers_are_told_what_really_plays(rendered: Rendered) -> None:
    """Of a streamed original no more pictures are promised than it has distinct times."""
    playing = {
        one["id"]: one["media"]["playing"]
        for one in json.loads(rendered.texts["data/clips.json"])
        if one["media"]
    }

    assert playing["loud--a"] == ("retimed: 6 frames evenly over 20.0\u00a0s. The recording stalls")
    assert playing["quiet--far"] == (
        "streams from its original address: 6 frames in 1.7\u00a0s, of which 4 can be shown: "
        "2.4 pictures a second at most. The recording stalls"
    )
    assert playing["quiet--unseen"] == (
        "streams from its original address; nobody has looked at the file in this build"
    )


def test_where_the_caption_says_the_number_the_poster_does_not(rendered: Rendered) -> None:
    clips = {one["id"]: one for one in json.loads(rendered.texts["data/clips.json"])}

    assert clips["quiet--far"]["media"]["poster"] == "posters/quiet--far.plain.svg"
    assert clips["loud--a"]["media"]["poster"].startswith("media/")
