"""Every fact of a clip that leaves the site as data, with the words that explain it.

The CSV, the clips of archive.json, their schema and the manual on the data page follow from
this one list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from generator.pages import words
from generator.pages.clips import ClipView
from generator.pages.media import STATES
from generator.records import Facts, Label, Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One fact of a clip. `type` is a JSON type; every column may be null unless `always`."""

    name: str
    type: str
    says: str
    value: Callable[[ClipView], object]
    always: bool = False
    enum: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OfFile:
    """A value that a clip's files alone decide: rows that share them have it in common."""

    read: Callable[[Facts], object]
    copy: bool = False
    """Of the published copy, not of the original."""

    def __call__(self, view: ClipView) -> object:
        if self.copy:
            return None if view.display is None else self.read(view.display.facts)
        return None if view.source_facts is None else self.read(view.source_facts)


def number(value: Fraction | None) -> float | None:
    """An exact number as the nearest one that JSON readers keep."""
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
           value=lambda v: number(v.clip.fps)),
    Column(name="fps_means", type="string", says="What the stated FPS is, in the run's words.",
           value=lambda v: v.series.fps_means or None),
    Column(name="stated_frames", type="integer", says="Frame count as the run states it.",
           value=lambda v: v.clip.stated_frames),
    Column(name="stated_seconds", type="number", says="Duration as the run states it.",
           value=lambda v: number(v.clip.stated_seconds)),
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
           says='What can be watched: "clip" (a copy on this site), "streams from its original '
           'address", "no clip".',
           value=lambda v: v.state, always=True, enum=tuple(STATES.values())),
    Column(name="missing", type="string", says="Why there is nothing to watch.",
           value=lambda v: None if v.media.playable else v.media.note),
    Column(name="bytes", type="integer", says="Size of the original file.",
           value=OfFile(lambda f: f.bytes)),
    Column(name="container", type="string", says="Container of the original.",
           value=OfFile(lambda f: f.container)),
    Column(name="codec", type="string", says="Codec of the original.",
           value=OfFile(lambda f: f.codec)),
    Column(name="profile", type="string", says="Codec profile.",
           value=OfFile(lambda f: f.profile or None)),
    Column(name="pixel_format", type="string", says="Pixel format.",
           value=OfFile(lambda f: f.pixel_format or None)),
    Column(name="file_width", type="integer", says="Picture width in the file.",
           value=OfFile(lambda f: f.width)),
    Column(name="file_height", type="integer", says="Picture height in the file.",
           value=OfFile(lambda f: f.height)),
    Column(name="frames", type="integer", says="Video packets counted in the original.",
           value=OfFile(lambda f: f.frame_count)),
    Column(name="distinct_timestamps", type="integer",
           says="Distinct presentation times among them; a player can show no more frames.",
           value=OfFile(lambda f: f.distinct_timestamps)),
    Column(name="duration_s", type="number", says="Duration of the original in seconds.",
           value=OfFile(lambda f: number(f.duration_s))),
    Column(name="mean_rate_hz", type="number", says="frames / duration_s.",
           value=OfFile(lambda f: number(f.mean_rate_hz))),
    Column(name="stated_rate_hz", type="number", says="Frame rate the container states.",
           value=OfFile(lambda f: number(f.stated_rate_hz))),
    Column(name="keyframes", type="integer", says="Keyframes in the original.",
           value=OfFile(lambda f: len(f.keyframes))),
    Column(name="longest_keyframe_interval_s", type="number",
           says="Longest time between keyframes, or from the last one to the end.",
           value=OfFile(lambda f: number(words.longest_keyframe_gap_s(f)))),
    Column(name="index_first", type="boolean", says="The index stands before the media data.",
           value=OfFile(lambda f: f.index_first)),
    Column(name="flags", type="string", says="Ids of what is odd about the file, by spaces.",
           value=OfFile(lambda f: " ".join(flag.id for flag in f.flags))),
    Column(name="display_kind", type="string", says="How the published copy was made.",
           value=lambda v: v.display.kind if v.display else None,
           enum=tuple(words.DISPLAY_KINDS)),
    Column(name="display", type="string", says="The published copy, from the site's root.",
           value=lambda v: v.media.src if v.display else None),
    Column(name="display_sha256", type="string", says="SHA-256 of the published copy.",
           value=OfFile(lambda f: f.sha256, copy=True)),
    Column(name="display_frames", type="integer", says="Video packets of the published copy.",
           value=OfFile(lambda f: f.frame_count, copy=True)),
    Column(name="display_distinct_timestamps", type="integer",
           says="Distinct presentation times in the published copy.",
           value=OfFile(lambda f: f.distinct_timestamps, copy=True)),
    Column(name="display_duration_s", type="number", says="Duration of the published copy.",
           value=OfFile(lambda f: number(f.duration_s), copy=True)),
    Column(name="claims_hold", type="integer", says="Claims of the run that this file confirms.",
           value=_verdicts(Outcome.HOLDS), always=True),
    Column(name="claims_fail", type="integer", says="Claims that this file refutes.",
           value=_verdicts(Outcome.FAILS), always=True),
    Column(name="claims_cannot_be_checked", type="integer",
           says="Claims that this file can neither confirm nor refute.",
           value=_verdicts(Outcome.CANNOT_CHECK), always=True),
)  # fmt: skip


def rows(views: Iterable[ClipView]) -> Iterator[list[object]]:
    """The values of all columns, clip by clip; a file's own are read once for all its rows."""
    own = [(n, column.value) for n, column in enumerate(COLUMNS) if not _of_file(column)]
    shared: dict[tuple[int, int], list[object]] = {}
    for view in views:
        files = id(view.source_facts), id(view.display)
        if files not in shared:
            shared[files] = [one.value(view) if _of_file(one) else None for one in COLUMNS]
        row = shared[files].copy()
        for n, value in own:
            row[n] = value(view)
        yield row


def _of_file(column: Column) -> bool:
    return isinstance(column.value, OfFile)
