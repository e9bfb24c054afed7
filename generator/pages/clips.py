"""Records of one clip -> what its page, cell and caption show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property

from generator.charts.wording import dimensions
from generator.pages import addresses, words
from generator.pages.media import STATES, MediaView, media_view
from generator.records import (
    OMITTED,
    Catalogue,
    Clip,
    Display,
    Evidence,
    Facts,
    Machine,
    PerFrame,
    Pipeline,
    Prompt,
    Run,
    Series,
    Verdict,
)

FILM_RATE_HZ = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class CellView:
    """What other pages than its own show of a clip, and no more: they are printed anew when
    this changes, and not whenever anything about the clip does."""

    id: str
    page: str
    title: str
    short: str
    prompt_id: str
    prompt_title: str
    fps: Fraction | None
    fps_short: str
    """For a place that has room for a figure only."""
    at_film_rate: bool
    steps: str
    steps_label: str
    """"" where there are none."""
    steps_page: str
    state: str
    state_words: str
    still: str
    """Its picture, small; "" where its cell shows none."""
    still_width: int
    still_height: int

    @property
    def playable(self) -> bool:
        return self.state != "none"


@dataclass(frozen=True, kw_only=True)
class ClipView:
    """A clip with everything its pages say about it, resolved."""

    evidence: Evidence
    pipeline: Pipeline
    prompt: Prompt | None
    media: MediaView = field(metadata=OMITTED)  # from evidence and pipeline
    title: str
    """Names the clip among all others: pipeline, steps, size, prompt."""
    short: str
    """The title without its prompt."""

    @property
    def clip(self) -> Clip:
        return self.evidence.clip

    @property
    def id(self) -> str:
        return self.evidence.clip.id

    @property
    def run(self) -> Run:
        return self.evidence.run

    @property
    def series(self) -> Series:
        return self.evidence.series

    @property
    def page(self) -> str:
        return addresses.clip(self.id)

    @property
    def packets(self) -> str:
        """Address of its packets' times and sizes; "" where no file was looked at."""
        if self.source_facts is None:
            return ""
        own = self.display and self.display.facts.sha256 != self.source_facts.sha256
        copy = self.display.facts.sha256 if own and self.display else ""
        return addresses.packets(self.source_facts.sha256, copy)

    @property
    def timestamps(self) -> str:
        """Address of the times of what plays; "" where nobody has looked at it."""
        return addresses.timestamps(self.media.plays.sha256) if self.media.plays else ""

    @property
    def per_frame(self) -> PerFrame | None:
        """What the run recorded of each frame that plays; None where it is not of these frames."""
        numbers, plays = self.clip.per_frame, self.media.plays
        return numbers if numbers and plays and numbers.count == plays.frame_count else None

    @property
    def arrivals_recorded(self) -> bool:
        return self.per_frame is not None and self.per_frame.arrivals_s is not None

    @property
    def lanes(self) -> str:
        """Address of its numbers frame by frame; "" where nobody has looked at what plays."""
        if not self.media.plays:
            return ""
        numbers = self.per_frame
        return addresses.lanes(self.media.plays.sha256, numbers.sha256 if numbers else "")

    @property
    def fps(self) -> str:
        return words.rate(self.clip.fps)

    @property
    def rendered_here(self) -> bool:
        """A card that this build drew: there is no original elsewhere."""
        return _rendered_here(self.clip, self.pipeline)

    @property
    def at_film_rate(self) -> bool:
        return self.clip.fps is not None and self.clip.fps >= FILM_RATE_HZ

    @property
    def size(self) -> str:
        return dimensions(self.clip.width, self.clip.height)

    @property
    def steps(self) -> str:
        return words.steps(self.clip.steps, self.clip.steps_label)

    @property
    def label(self) -> str:
        return self.series.label.words

    @property
    def state(self) -> str:
        return STATES[self.media.state]

    @property
    def source_facts(self) -> Facts | None:
        return self.evidence.media.facts if self.evidence.media else None

    @property
    def display(self) -> Display | None:
        """The display copy, where it is published."""
        media = self.evidence.media
        return media.display if media and self.media.state == "local" else None

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        return self.evidence.verdicts

    @cached_property
    def cell(self) -> CellView:
        clip, media = self.clip, self.media
        # A test card's picture would be figures behind figures.
        pictured = media.has_still and self.pipeline.renderer != "test-card"
        short = "–" if clip.fps is None else words.rate_short(clip.fps)
        return CellView(
            id=self.id,
            page=self.page,
            title=self.title,
            short=self.short,
            prompt_id=self.prompt.id if self.prompt else "",
            prompt_title=self.prompt.title if self.prompt else "",
            fps=clip.fps,
            fps_short=short,
            at_film_rate=self.at_film_rate,
            steps=self.steps,
            steps_label=clip.steps_label if clip.steps else "",
            steps_page=addresses.steps(clip.steps),
            state=media.state,
            state_words="streams" if media.state == "remote" else self.state,
            still=media.thumbnail if pictured else "",
            still_width=media.thumbnail_width,
            still_height=media.thumbnail_height,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagRow:
    """What a player feels with the original, and what became of it in the copy."""

    text: str
    fate: str
    """"" where no other copy is published."""
    mended: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FactRow:
    """One fact of a file, of the original and of the display copy."""

    name: str
    original: str
    display: str


def clip_views(catalogue: Catalogue, evidence: Sequence[Evidence]) -> tuple[ClipView, ...]:
    """A view per piece of evidence, in its order; titles are made distinct."""
    prompts = {prompt.id: prompt for prompt in catalogue.prompts}
    pipelines = {pipeline.id: pipeline for pipeline in catalogue.pipelines}
    shorts = _shorts(evidence, pipelines)
    shared: dict[tuple[object, ...], MediaView] = {}  # rows that share a file share its view
    views = []
    for piece in evidence:
        prompt = prompts.get(piece.clip.prompt)
        pipeline = pipelines[piece.clip.pipeline]
        short = shorts[piece.clip.id]
        published = piece.media and piece.publish_media and piece.publish_stills
        key = (id(piece.media), id(piece.series)) if published else (piece.clip.id,)
        if key not in shared:
            shared[key] = _media(piece, pipeline)
        views.append(
            ClipView(
                evidence=piece,
                pipeline=pipeline,
                prompt=prompt,
                media=shared[key],
                short=short,
                title=f"{short} · {prompt.title}" if prompt else short,
            )
        )
    return tuple(views)


def _media(piece: Evidence, pipeline: Pipeline) -> MediaView:
    media = media_view(piece)
    if not (_rendered_here(piece.clip, pipeline) and media.state == "local" and media.plays):
        return media
    return replace(media, note=f"{words.RENDERED} {words.timing(media.plays)}")


def _rendered_here(clip: Clip, pipeline: Pipeline) -> bool:
    return pipeline.renderer == "test-card" and not clip.names_file


def _shorts(evidence: Sequence[Evidence], pipelines: Mapping[str, Pipeline]) -> dict[str, str]:
    """Short titles, by clip id: as brief as they can be and still differ."""

    def plain(piece: Evidence) -> str:
        clip = piece.clip
        middle = words.steps(clip.steps, clip.steps_label)
        if not middle and clip.fps is not None:
            middle = f"{words.rate(clip.fps)} FPS"
        parts = (pipelines[clip.pipeline].title, middle, dimensions(clip.width, clip.height))
        return " · ".join(part for part in parts if part)

    def with_series(piece: Evidence) -> str:
        return f"{plain(piece)} · {piece.series.title}"

    names = {piece.clip.id: plain(piece) for piece in evidence}
    for longer in (with_series, lambda piece: f"{with_series(piece)} · {piece.clip.row_id}"):
        seen = Counter((names[piece.clip.id], piece.clip.prompt) for piece in evidence)
        for piece in evidence:
            if seen[names[piece.clip.id], piece.clip.prompt] > 1:
                names[piece.clip.id] = longer(piece)
    return names


def fact_rows(view: ClipView) -> tuple[FactRow, ...]:
    """The facts of the original file and, where it is another one, of the published copy."""
    source = view.source_facts
    if source is None:
        return ()
    copy = view.display.facts if view.display and view.display.kind != "original" else None
    original, display = _facts(source), _facts(copy) if copy else {}
    return tuple(
        FactRow(name=name, original=text, display=display.get(name, ""))
        for name, text in original.items()
    )


def flag_rows(view: ClipView) -> tuple[FlagRow, ...]:
    """The flags of the original, each with its fate in the published copy, then the copy's own."""
    source = view.source_facts
    if source is None:
        return ()
    if view.display is None or view.display.kind == "original":
        return tuple(FlagRow(text=flag.text, fate="", mended=False) for flag in source.flags)
    copied = {flag.id: flag.text for flag in view.display.facts.flags}
    rows = []
    for flag in source.flags:
        left = copied.pop(flag.id, None)
        if left is None:
            fate = "Mended in the display copy."
        elif left == flag.text:
            fate = "The same in the display copy."
        else:
            fate = f"In the display copy: {left}."
        rows.append(FlagRow(text=flag.text, fate=fate, mended=left is None))
    own = (
        FlagRow(text=text, fate="In the display copy only.", mended=False)
        for text in copied.values()
    )
    return (*rows, *own)


def _facts(facts: Facts) -> dict[str, str]:
    gap = words.longest_keyframe_gap_s(facts)
    codec = ", ".join(part for part in (facts.codec, facts.profile, facts.pixel_format) if part)
    return {
        "Container": facts.container,
        "Codec": codec,
        "Picture": dimensions(facts.width, facts.height),
        "Frames": words.grouped(facts.frame_count),
        "Distinct timestamps": words.grouped(facts.distinct_timestamps),
        "Duration": words.seconds(facts.duration_s),
        "Mean rate": f"{words.rate(facts.mean_rate_hz)} frames/s",
        "Rate the file states": (
            f"{words.rate(facts.stated_rate_hz)} frames/s"
            if facts.stated_rate_hz is not None
            else words.NOT_STATED
        ),
        "Keyframes": words.grouped(len(facts.keyframes)),
        "Longest keyframe interval": "none" if gap is None else words.seconds(gap),
        "Index": "before the media data" if facts.index_first else "after the media data",
        "Size": words.bytes_(facts.bytes),
        "SHA-256": facts.sha256,
    }


def provenance(view: ClipView, machine: Machine | None) -> tuple[tuple[str, str], ...]:
    """(what, in words) about where the stated number comes from."""
    run, series, clip = view.run, view.series, view.clip
    software = "; ".join(
        f"{name}: {words.or_not_stated(version)}" for name, version in run.software
    )
    number = words.NOT_STATED if clip.fps is None else f"{view.fps} FPS, {view.label}"
    in_table = [
        ("Frames, in the run’s table", clip.stated_frames),
        (
            "Duration, in the run’s table",
            None if clip.stated_seconds is None else words.seconds(clip.stated_seconds),
        ),
    ]
    rows = [
        ("Number", number),
        ("It means", words.sentence(series.fps_means)),
        ("Measured by", run.measured_by),
        ("Published", run.published),
        ("Machine", machine.title if machine else ""),
        ("Machine, as stated", run.machine_stated),
        ("Software", software),
        ("Weights", run.weights),
        ("Interpolation", series.interpolation),
        *((name, value) for name, value in in_table if value is not None),
        ("Seed", clip.seed),
        *clip.extra,
    ]
    return tuple((name, words.or_not_stated(value)) for name, value in rows)
