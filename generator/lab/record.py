"""What was measured, as a run that the site reads: cells/, and run.toml, clips.csv and per-frame/
made of them.

A cell is one JSON file that is whole or not there; it holds every chunk's arrival of every repeat,
and the conditions it was measured under. run.toml and clips.csv are written anew after each cell,
so a run that was interrupted is a shorter run, and goes on at the next cell. Needs no torch.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

from generator.errors import UsageError
from generator.kept import read_json, write_json
from generator.lab.pipelines import about
from generator.measure.roofline import NETWORKS
from generator.measure.timing import Timing, summarised
from generator.records import ARRIVAL, EXTRA_PREFIX, FRAME, PER_FRAME_FOLDER

__all__ = [
    "VERSION",
    "Cell",
    "RunAbout",
    "Switch",
    "assemble",
    "finished",
    "keep",
    "measured",
    "speed_of",
    "start",
    "weights_of",
]

VERSION = 1
CELLS = "cells"
CONDITIONS = ("pipeline", "machine", "software", "said", "seconds", "repeats")
"""What all cells of a run share."""
SWITCHES, CONTEXT = "prompt switches", "VACE context"
"""What a run's conditions say of them, under these names, where there are any."""
FPS_MEANS = "frames per wall second of the steady state, VAE decode and transfer to host included"
RENDERED_MEANS = "frames per wall second of the steady state, transfer to host included"
TOY = (
    "A toy network of a few thousand parameters, to rehearse with: no figure of it means anything."
)
TITLES = {
    "memflow": "MemFlow",
    "helios": "Helios (diffusers' pipeline)",
    "neon": "Neon",
    "rendered": "Rendered scenes, no model",
}
THIS_PROJECT = "This project"
NOTE = "Random weights: the clips show noise, and only their timing means anything."


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """From a chunk on another prompt holds; its first frame is shown `at_s` seconds in."""

    chunk: int
    at_s: Fraction
    prompt: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One clip to be made. Sides in pixels; `prompt` is an id, `text` its words."""

    pipeline: str
    prompt: str
    text: str
    width: int
    height: int
    steps: tuple[int, ...]
    seed: int
    switches: tuple[Switch, ...] = ()

    @property
    def id(self) -> str:
        parts = [self.prompt, self.size, *map(str, self.steps)]
        seed = f"-seed-{self.seed}" if self.seed else ""
        return "-".join(parts) + seed + ("-switched" if self.switches else "")

    @property
    def size(self) -> str:
        return f"{self.width}x{self.height}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunAbout:
    """What a run says of itself beside its numbers."""

    id: str
    title: str
    machine: str
    """Id of a machine of content/machines."""
    measured_by: str = THIS_PROJECT
    rights: str = "Made by this project's own code and free under its licence (MIT)."
    publish_media: bool = False
    protocol: tuple[str, ...] = field(default_factory=tuple)


def measured(
    cell: Cell,
    *,
    timings: Sequence[Timing],
    peak_bytes: int | None,
    frames: int,
    frames_sha256: Sequence[str],
    step_list: Sequence[float],
    conditions: Mapping[str, Any],
    clip: Mapping[str, str] | None,
    no_clip: str,
    failed: str = "",
    series: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """A cell's record. `clip` holds `file` and `sha256`; `failed` says why there is no number;
    `series` (`id`, `title`) keeps numbers of several ways apart that one run compares."""
    missing = [name for name in CONDITIONS if name not in conditions]
    if missing:
        raise ValueError(f"conditions without {', '.join(missing)}")
    return {
        "version": VERSION,
        "cell": f"{series['id']}-{cell.id}" if series else cell.id,
        **({"series": dict(series)} if series else {}),
        "prompt": cell.prompt,
        "prompt_text": cell.text,
        **({"switches": [_switch(one) for one in cell.switches]} if cell.switches else {}),
        "size": cell.size,
        "steps": list(cell.steps),
        "step_list": list(step_list),
        "step_list_warped": True,
        "seed": cell.seed,
        "frames": frames,
        "frames_sha256": list(frames_sha256),
        "peak_bytes": peak_bytes,
        "takes": [
            {
                "arrivals_s": list(timing.arrivals_s),
                "frames": list(timing.frames),
                "settled_chunk": timing.settled_chunk,
            }
            for timing in timings
        ],
        "clip": dict(clip) if clip else None,
        "no_clip": no_clip,
        "failed": failed,
        "conditions": dict(conditions),
    }


def _switch(one: Switch) -> dict[str, Any]:
    return {
        "chunk": one.chunk,
        "at_s": float(one.at_s),
        "prompt": one.prompt,
        "prompt_text": one.text,
    }


def start(folder: Path, conditions: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The cells that are there, by id. Raises UsageError where they were measured otherwise, or
    where the folder holds a run that this command did not write."""
    cells = finished(folder)
    if not cells and (folder / "run.toml").exists():
        raise UsageError(
            f"{folder}: a run of another making stands there, and runs are never changed; "
            "choose another id with --run"
        )
    for cell in cells.values():
        before = json.loads(json.dumps(cell["conditions"]))
        now = json.loads(json.dumps(dict(conditions)))
        other = [f"{name}: {a} before, {b} now" for name, a, b in _differences(before, now)]
        if other:
            raise UsageError(
                f"{folder}: begun under other conditions ({'; '.join(other)}); "
                "numbers of one run share them: choose another id with --run"
            )
    return cells


def finished(folder: Path) -> dict[str, dict[str, Any]]:
    """Every cell that is there whole, by id, in the order of their names."""
    found = {}
    for path in sorted((folder / CELLS).glob("*.json")):
        cell = read_json(path)
        if cell.get("version") != VERSION:
            raise UsageError(
                f"{path}: version {cell.get('version')!r} of a cell's record where {VERSION} is "
                "read; finish the run with the version that began it"
            )
        found[str(cell["cell"])] = cell
    return found


def keep(
    folder: Path, run: RunAbout, record: Mapping[str, Any], *, media: Path | None = None
) -> None:
    """Add one cell, and its clip from `media`, to the run; then write the run anew.

    The first cell brings the run's folder with it, in one step.
    """
    if folder.exists():
        _add(folder, run, record, media)
        return
    beside = folder.parent / f".generate-{folder.name}"
    shutil.rmtree(beside, ignore_errors=True)
    try:
        beside.mkdir(parents=True)
        _add(beside, run, record, media)
        beside.rename(folder)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise


def _add(folder: Path, run: RunAbout, record: Mapping[str, Any], media: Path | None) -> None:
    if media is not None:
        target = folder / "media" / str(record["clip"]["file"])
        target.parent.mkdir(exist_ok=True)
        partial = target.with_name(f".{target.name}.partial")
        shutil.copyfile(media, partial)
        partial.replace(target)
    write_json(folder / CELLS / f"{record['cell']}.json", record, sync=True)
    assemble(folder, run)


def assemble(folder: Path, run: RunAbout) -> None:
    """clips.csv, run.toml and per-frame/ from the cells that are there."""
    from generator.clips.draft import clips_csv

    cells = list(finished(folder).values())
    for cell in cells:
        if cell["clip"]:
            (folder / PER_FRAME_FOLDER).mkdir(exist_ok=True)
            _write(folder / PER_FRAME_FOLDER / _per_frame_name(cell), per_frame_csv(cell))
    _write(folder / "clips.csv", clips_csv([_row(cell) for cell in _ordered(cells)]))
    _write(folder / "run.toml", _run_toml(run, cells))


def _per_frame_name(cell: Mapping[str, Any]) -> str:
    return f"{cell['cell']}.csv"


def per_frame_csv(cell: Mapping[str, Any]) -> str:
    """When each frame of the cell's clip was on the host, in the take that it shows: all frames of
    a chunk when the chunk was."""
    take = cell["takes"][0]
    arrivals = [
        arrival
        for arrival, frames in zip(take["arrivals_s"], take["frames"], strict=True)
        for _ in range(frames)
    ]
    lines = (f"{n},{arrival:.6f}\n" for n, arrival in enumerate(arrivals[: cell["frames"]]))
    return f"{FRAME},{ARRIVAL}\n{''.join(lines)}"


def timings_of(cell: Mapping[str, Any]) -> list[Timing]:
    return [
        Timing(
            arrivals_s=tuple(take["arrivals_s"]),
            frames=tuple(take["frames"]),
            settled_chunk=take["settled_chunk"],
        )
        for take in cell["takes"]
    ]


def speed_of(folder: Path, cell_id: str) -> str:
    """How fast a finished cell was made, in words."""
    cell = read_json(folder / CELLS / f"{cell_id}.json")
    rate_hz = about(cell["conditions"]["pipeline"]).content_rate_hz
    told = summarised(timings_of(cell), rate_hz)
    return (
        f"{told.fps:.2f} FPS, {told.real_time_factor:.2f} of the rate that it plays at; "
        f"first frames after {told.first_frame_s:.2f} s"
    )


def _row(cell: Mapping[str, Any]) -> dict[str, str]:
    pipeline = cell["conditions"]["pipeline"]
    row = {
        "id": cell["cell"],
        "series": _row_series(cell),
        "pipeline": pipeline,
        "prompt": cell["prompt"],
        "size": cell["size"],
        "steps": "/".join(map(str, cell["steps"])),
        "seed": str(cell["seed"]),
        "no_clip": cell["no_clip"],
    }
    if cell.get("switches"):
        told = ", ".join(f"{one['prompt']} from {one['at_s']:g} s" for one in cell["switches"])
        row[f"{EXTRA_PREFIX}prompt-switches"] = told
    if cell["clip"]:
        row |= {
            "frames": str(cell["frames"]),
            "seconds": cell["conditions"]["seconds"],
            "sha256": cell["clip"]["sha256"],
            "file": cell["clip"]["file"],
            "per_frame": _per_frame_name(cell),
        }
    if cell["failed"]:
        return {**row, "no_clip": cell["failed"]}
    summary = summarised(timings_of(cell), about(pipeline).content_rate_hz)
    figures = {
        "fps-low": f"{summary.fps_low:.2f}",
        "fps-high": f"{summary.fps_high:.2f}",
        "repeats": str(summary.repeats),
        "real-time-factor": f"{summary.real_time_factor:.3f}",
        "first-frame-s": f"{summary.first_frame_s:.3f}",
        "chunk-p50-s": f"{summary.p50_s:.4f}",
        "chunk-p95-s": f"{summary.p95_s:.4f}",
        "peak-memory-gib": ""
        if cell["peak_bytes"] is None
        else f"{cell['peak_bytes'] / 2**30:.2f}",
        "step-list": "/".join(f"{t:.4f}".rstrip("0").rstrip(".") for t in cell["step_list"]),
        "frames-sha256": cell["frames_sha256"][0],
    }
    return {
        **row,
        "fps": f"{summary.fps:.2f}",
        **{
            f"{EXTRA_PREFIX}{name}": value
            for name, value in (figures | cell.get("further", {})).items()
        },
    }


def _run_toml(run: RunAbout, cells: Sequence[Mapping[str, Any]]) -> str:
    from generator.clips.draft import quoted

    conditions = cells[0]["conditions"]
    pipeline, said = conditions["pipeline"], conditions["said"]
    random = str(said["weights"]).startswith("random")
    toy = str(said.get("architecture", "")).startswith("tiny")
    with_clip = [cell for cell in cells if cell["clip"]]
    failed = sum(bool(cell["failed"]) for cell in cells)
    apart = _other_words(cells)
    machine = ", ".join(f"{name} {value}" for name, value in conditions["machine"].items())
    by = "this project" if run.measured_by == THIS_PROJECT else run.measured_by
    summary = (
        (
            f"{len(cells)} cells of {pipeline}, generated and measured by {by}"
            if cells[0]["steps"]
            else f"{len(cells)} cells rendered, not generated, and measured by {by}"
        )
        + (" as a toy network, to rehearse" if toy else "")
        + (" with random weights: speed only" if random and not toy else "")
        + (f"; {failed} failed" if failed else "")
        + "."
    )
    lines = [
        "# Written by `generate` from the records in cells/, anew after each cell.",
        f"title = {quoted(run.title)}",
        f"summary = {quoted(summary)}",
        f"measured_by = {quoted(run.measured_by)}",
        f"published = {conditions.get('day') or date.today().isoformat()}",
        f"machine = {quoted(run.machine)}",
        f"machine_stated = {quoted(machine)}",
        f"weights = {quoted(weights_of(said))}",
        f"rights = {quoted(run.rights)}",
        f"publish_media = {str(run.publish_media).lower()}",
        "",
        "protocol = [",
        *(f"  {quoted(sentence)}," for sentence in run.protocol),
        "]",
        "",
        "notes = " + quoted(_notes(random, toy)),
        "",
        "[software]",
        *(
            f"{quoted(name)} = {quoted(str(value))}"
            for name, value in _software(conditions)
            if name not in apart
        ),
    ]
    for of_series in _by_series(cells):
        lines += _series_toml(of_series, apart, random, toy)
    if with_clip:
        lines += [
            "",
            "[[claims]]",
            'kind = "duration"',
            'id = "exact-duration"',
            f"says = {quoted('Every clip lasts ' + conditions['seconds'] + ' s')}",
            f"seconds = {conditions['seconds']}",
            "tolerance_s = 0.001",
        ]
    return "\n".join(lines) + "\n"


def _by_series(cells: Sequence[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """One list for each series, which most runs have one of."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for cell in cells:
        found.setdefault(_row_series(cell), []).append(cell)
    return list(found.values())


def _row_series(cell: Mapping[str, Any]) -> str:
    return str(cell.get("series", {}).get("id", cell["conditions"]["pipeline"]))


def _other_words(cells: Sequence[Mapping[str, Any]]) -> set[str]:
    """What the pipelines of a run's series do not all say alike."""
    told = [cell["conditions"]["said"] for cell in cells]
    names = {name for said in told for name in said}
    return {name for name in names if len({str(said.get(name)) for said in told}) > 1}


def _series_toml(
    cells: Sequence[Mapping[str, Any]], apart: set[str], random: bool, toy: bool
) -> Iterable[str]:
    from generator.clips.draft import quoted

    pipeline, said = cells[0]["conditions"]["pipeline"], cells[0]["conditions"]["said"]
    title = _series_title(pipeline, said, random, toy)
    if "series" in cells[0]:
        title = f"{cells[0]['series']['title']}{', random weights' if random else ''}"
    yield from ("", "[[series]]", f"id = {quoted(_row_series(cells[0]))}")
    yield from (f"title = {quoted(title)}", 'label = "measured-here"')
    yield f"fps_means = {quoted(FPS_MEANS if cells[0]['steps'] else RENDERED_MEANS)}"
    whole = 'interpolation = "none"'  # no pipeline here puts frames between those that it makes
    if toy:
        yield from (whole, "chart = false", f"note = {quoted(TOY)}")
        return
    work = _work(pipeline, said)
    yield f"work = {quoted(work)}" if work else whole  # a network's work says so, too
    words = [f"{name}: {said[name]}." for name in sorted(apart) if name in said]
    if note := " ".join([NOTE] * random + words):
        yield f"note = {quoted(note)}"


def _work(pipeline: str, said: Mapping[str, str]) -> str:
    """What the roofline counts it as; "" where it cannot, or where bf16's peak is not the one."""
    if SWITCHES in said or CONTEXT in said:
        return ""
    sparse = said.get("memory", "").startswith("sparse")
    name = f"{pipeline}-sparse" if sparse else pipeline
    return name if name in NETWORKS and said.get("dtype") in ("bfloat16", "float16") else ""


def weights_of(said: Mapping[str, str]) -> str:
    """As run.toml states them."""
    if "VAE weights" not in said:
        return said["weights"]
    return f"Transformer: {said['weights']}. VAE: {said['VAE weights']}"


def _software(conditions: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    yield from conditions["software"].items()
    yield from (
        (name, value)
        for name, value in conditions["said"].items()
        if name not in ("weights", "VAE weights")
    )


def _series_title(pipeline: str, said: Mapping[str, str], random: bool, toy: bool) -> str:
    if toy:
        return f"Rehearsal with a toy network in place of {pipeline}"
    title = TITLES.get(pipeline, pipeline)
    mode = said.get("compile mode", "none").split()[0]
    return (
        f"{title}, this project's code"
        + (f", compile mode {mode}" if mode != "none" else "")
        + (", prompts switched" if SWITCHES in said else "")
        + (", with a VACE context" if CONTEXT in said else "")
        + (", random weights" if random else "")
    )


def _notes(random: bool, toy: bool) -> str:
    lines = [
        "Every chunk's time of arrival in every repeat, and the sha256 of all pictures, stand in "
        "the run's folder `cells`, one file a cell.",
    ]
    if toy:
        lines.append(TOY)
    elif random:
        lines.append(
            "**Weights were random.** The same operations on the same shapes take the same time "
            "whatever the numbers are, so the speed counts; the pictures are noise."
        )
    return "\n\n".join(lines)


def _ordered(cells: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    def place(cell: Mapping[str, Any]) -> tuple[object, ...]:
        width, height = map(int, cell["size"].split("x"))
        return cell["prompt"], width * height, cell["steps"], cell["seed"]

    return sorted(cells, key=place)


def _differences(before: Any, now: Any, name: str = "") -> Iterable[tuple[str, str, str]]:
    """(place, before, now) wherever two conditions differ. The day is none."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in sorted({*before, *now} - {"day"}):
            place = f"{name}.{key}" if name else key
            yield from _differences(before.get(key), now.get(key), place)
    elif before != now:
        yield name, str(before), str(now)


def seconds_text(seconds: Fraction) -> str:
    """As clips.csv and TOML write it: 20, 2.5."""
    return f"{float(seconds):.6f}".rstrip("0").rstrip(".")


def _write(path: Path, text: str) -> None:
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text, encoding="utf-8", newline="\n")
    partial.replace(path)
