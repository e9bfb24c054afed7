"""The nouns: what we compare and what we know of it.

A record is complete when it exists; a later stage makes another record instead of filling one.
Content becomes `Catalogue`; the files behind it become `Facts`; both together `Evidence`.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from functools import lru_cache
from math import lcm
from pathlib import Path

OMITTED = {"digest": False}
"""Metadata of a field that digests of pages leave out: this package works it out from the fields
beside it, or no page shows it."""

EXTRA_PREFIX = "x-"
"""Columns of clips.csv that begin so are carried along as they are."""

PER_FRAME_FOLDER = "per-frame"
"""Of a run: where files stand that hold a line for each frame of a clip."""
FRAME, ARRIVAL = "frame", "arrival_s"
"""Their columns that are no series: the frame's number from 0, and when it was there."""
BITS_PER_FRAME = "bits per frame"
"""The one series that every clip's own file gives."""


FEWEST_COMPARED, SIDES = 2, "abcdefghi"
"""Clips of a comparison, and their letters in addresses and over panes: none has more."""


class Label(StrEnum):
    """Where a number comes from. Labels never mix in one series."""

    PUBLISHED_ELSEWHERE = "published-elsewhere"
    MEASURED_HERE = "measured-here"
    PROJECTED = "projected"
    DECLARED = "declared"  # test cards: a rate that was ordered, not achieved by any model

    @property
    def words(self) -> str:
        """As readers see it: `published elsewhere`."""
        return self.value.replace("-", " ")


class Outcome(StrEnum):
    """What became of a claim when it was held against a file."""

    HOLDS = "holds"
    FAILS = "fails"
    CANNOT_CHECK = "cannot be checked"


@dataclass(frozen=True, slots=True, kw_only=True)
class CardLimits:
    """What a test card can be. Sides in pixels."""

    min_width: int = 160
    min_height: int = 96
    """A smaller picture holds no readable frame code."""
    max_side: int = 4096
    max_rate_term: int = 1_000_000
    """Of the rate as a fraction in lowest terms."""
    max_frames: int = 1 << 16
    """As many as the frame code can number."""
    max_pixels: int = 1 << 33
    """Of all frames together: minutes of drawing."""


CARD = CardLimits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A titled address."""

    title: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What the whole site says about itself. `base_url` ends with a slash."""

    title: str
    tagline: str
    description: str
    base_url: str
    language: str
    hero: tuple[str, ...]
    links: tuple[Link, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """A text that pipelines were asked to depict, word for word."""

    id: str
    title: str
    text: str
    html: str
    order: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """Something that makes clips. `renderer` is "" (clips come from elsewhere), "test-card"
    (rendered by every build) or "lab" (rendered by `build --generate`)."""

    id: str
    title: str
    summary: str
    html: str
    order: int
    content_rate_hz: Fraction | None
    parameters: str
    licence: str
    renderer: str
    links: tuple[Link, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Hardware that numbers were measured on, with the source of its figures."""

    id: str
    title: str
    memory_gb: float | None
    bandwidth_tb_s: float | None
    bf16_tflops: float | None
    fp8_tflops: float | None
    fp4_tflops: float | None
    source: str
    notes: str
    projected: bool = False
    """Whether pages of measured cells project their numbers to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageChart:
    """A chart of a page's own, from a table of one run: every column but the first is a line."""

    id: str
    """Unique in the whole site."""
    title: str
    summary: str
    run: str
    """Id of the run whose numbers these are."""
    run_title: str
    label: Label
    x: str
    """What the first column is."""
    y: str
    """What the numbers are."""
    unit: str
    stacked: bool
    """Each line upon the one before."""
    names: tuple[str, ...]
    rows: tuple[tuple[float, tuple[float | None, ...]], ...]
    intervals: Mapping[str, tuple[tuple[float, float] | None, ...]] = field(default_factory=dict)
    """Of lines that have them: from where to where each value may lie."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page of prose. `kind` is "page" or "plan"; a plan is work not done yet."""

    id: str
    title: str
    summary: str
    html: str
    order: int
    kind: str
    group: str
    """The page it is listed on: "enhancements", "plans", "method", ..."""
    charts: tuple[PageChart, ...] = ()
    """Shown below its text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A comparison that somebody thought worth a page: two to nine clips, and what to look at."""

    id: str
    title: str
    summary: str
    html: str
    order: int
    clips: tuple[str, ...]
    """Clip ids, from A on."""
    mode: str
    """How the clips are laid: "side", or for two of them "wipe", "overlay", "flicker",
    "difference"."""
    base: str
    """Which moments belong together: "time", "frame", "fraction" or "live"."""
    start_s: Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A statement of a run about its clips, and how to hold it against a file.

    `kind`: "duration" (file lasts `seconds` ± `tolerance_s`), "fps-from-frames"
    (stated FPS = frames / `seconds`, `rounding` "cut" or "nearest" to `decimals`),
    "statement" (nothing in the file can confirm or refute it; `reason` says why).
    """

    id: str
    kind: str
    says: str
    quoted: bool = False
    """Whether `says` is word for word what was published."""
    series: tuple[str, ...]
    seconds: Fraction | None
    tolerance_s: Fraction
    decimals: int
    rounding: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Numbers of one run that may stand in one line of a chart."""

    id: str
    title: str
    label: Label
    fps_means: str
    """What the stated FPS is, in words; "" when the series states none."""
    spread_over_s: Fraction | None
    """Spread the frames evenly over this time in the display copy; None keeps the file's."""
    interpolation: str
    """Frame interpolation that the FPS includes, "none", or "" where it is not stated."""
    chart: bool
    note: str = ""
    """What a viewer of its clips must know; "" when nothing."""
    work: str = ""
    """A network of `measure.roofline.NETWORKS` that makes every frame; "" where none is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One unit of evidence: who measured what, where, how, and what they claim."""

    id: str
    title: str
    summary: str
    html: str
    measured_by: str
    published: str
    """ISO date."""
    source: Link | None
    machine: str
    machine_stated: str
    """The machine in the words of whoever measured."""
    software: tuple[tuple[str, str], ...]
    """(name, version or "not stated")."""
    weights: str
    protocol: tuple[str, ...]
    rights: str
    publish_media: bool
    publish_stills: bool
    series: tuple[Series, ...]
    claims: tuple[Claim, ...]
    folder: Path

    def series_by_id(self, series_id: str) -> Series:
        return next(series for series in self.series if series.id == series_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameSeries:
    """A number for each frame of a clip, NaN where none was recorded. `unit` is "" for plain
    numbers."""

    name: str
    unit: str
    values: array[float]


@dataclass(frozen=True, slots=True, kw_only=True)
class PerFrame:
    """What a run recorded of each frame of a clip, in the order in which they are shown."""

    name: str
    """Of the file in the run's per-frame/ folder."""
    sha256: str
    """Of its text."""
    count: int
    arrivals_s: array[float] | None
    """When each frame was there, in seconds since the clock started, never falling; frames that
    were made together arrive together."""
    series: tuple[FrameSeries, ...]

    def __hash__(self) -> int:
        return hash(self.sha256)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """One cell of the matrix: a line of a run's clips.csv. It may have no file."""

    id: str
    """Unique in the whole archive and in addresses: run id and row id joined by "--"."""
    row_id: str
    run: str
    series: str
    pipeline: str
    prompt: str
    """"" where the cell has no prompt (test cards)."""
    width: int
    height: int
    steps: tuple[int, ...]
    """Denoising steps; one number per stage for staged samplers; () where there are none."""
    fps: Fraction | None
    """As stated by the run; None is "not stated", and stays so."""
    stated_frames: int | None
    stated_seconds: Fraction | None
    seed: int | None
    sha256: str | None
    url: str | None
    file: str | None
    """Name inside the run's media/ folder."""
    no_clip: str
    """Why there is no file, in the run's words; "" otherwise."""
    line: int
    """Line in clips.csv, for complaints."""
    extra: tuple[tuple[str, str], ...] = ()
    """Further numeric columns of the table, as written."""
    per_frame: PerFrame | None = None

    @property
    def steps_total(self) -> int:
        return sum(self.steps)

    @property
    def steps_label(self) -> str:
        """`8`, `[2,2,2]` or an em dash."""
        if not self.steps:
            return "—"
        if len(self.steps) == 1:
            return str(self.steps[0])
        return "[" + ",".join(map(str, self.steps)) + "]"

    @property
    def size(self) -> str:
        return f"{self.width}x{self.height}"

    @property
    def names_file(self) -> bool:
        """Whether anything is said of a file: such a clip is not made anew in its place."""
        return bool(self.file or self.url or self.sha256)

    @property
    def lost_when_absent(self) -> bool:
        """Whether nothing brings its file back: it has no address, and nobody says that there is
        none."""
        return self.names_file and not (self.url or self.no_clip)


@lru_cache(maxsize=4096)
def _distinct_ticks(facts: Facts) -> int:
    return len(set(facts.ticks))


def in_ticks(times_s: Iterable[Fraction]) -> tuple[tuple[int, ...], int]:
    """Exact times as whole ticks, and how many of them make a second: the fewest that do."""
    times = tuple(times_s)
    per_second = lcm(*(time.denominator for time in times))
    return tuple(int(time * per_second) for time in times), per_second


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """Something about a file that a player or reader will feel. `id` is stable, `text` plain."""

    id: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What one media file really holds, from its packets. Times are exact.

    `ticks` / `ticks_per_second` are presentation times in seconds, one per packet of the first
    video stream, in presentation order; duplicates stay. `packet_bytes` runs in the same order.
    """

    sha256: str
    bytes: int
    container: str
    codec: str
    profile: str
    pixel_format: str
    width: int
    height: int
    frame_count: int
    ticks: tuple[int, ...]
    ticks_per_second: int
    packet_bytes: tuple[int, ...]
    keyframes: tuple[int, ...]
    """Indices (presentation order) of keyframes."""
    duration_s: Fraction
    """As the container states it; else end of the last frame."""
    stated_rate_hz: Fraction | None
    index_first: bool
    """The container's index (moov, Cues) stands before the media data."""
    flags: tuple[Flag, ...]
    codecs: str = ""
    """The `codecs` parameter of its media type (`vp8`, `avc1.64001e`); "" where none is known."""

    def __hash__(self) -> int:
        return hash(self.sha256)

    @property
    def timestamps_s(self) -> tuple[Fraction, ...]:
        """Made anew at each call: whoever needs times of many files reckons in ticks."""
        return tuple(Fraction(tick, self.ticks_per_second) for tick in self.ticks)

    @property
    def distinct_timestamps(self) -> int:
        return _distinct_ticks(self)

    @property
    def mean_rate_hz(self) -> Fraction:
        return Fraction(self.frame_count) / self.duration_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A claim held against one clip."""

    claim: str
    """Claim id."""
    says: str
    quoted: bool = False
    outcome: Outcome
    stated: str
    found: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Still:
    """A picture derived from a clip."""

    path: Path
    sha256: str
    width: int
    height: int
    recipe: dict[str, object] = field(hash=False, metadata=OMITTED)
    """How it was taken, with the ffmpeg version; goes into the manifest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Storyboard:
    """A sprite of evenly spaced frames: tile i shows the middle of its i-th part of the clip."""

    path: Path
    sha256: str
    width: int
    height: int
    columns: int
    rows: int
    tiles: int
    tile_width: int
    tile_height: int
    recipe: dict[str, object] = field(hash=False, metadata=OMITTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Display:
    """The copy that players show. `kind`: "original", "remuxed" (index to the front),
    "retimed" (same packets, new timestamps) or "re-encoded" (an H.264 display copy)."""

    path: Path
    kind: str
    mime: str
    facts: Facts
    recipe: dict[str, object] = field(hash=False)
    """What was done, with the ffmpeg version; goes into the manifest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """Everything derived from one clip's file."""

    source: Path
    facts: Facts
    display: Display
    poster: Still
    thumbnail: Still
    """The poster's frame, small: for cells."""
    storyboard: Storyboard


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A clip with what was found out about it.

    `media` is None when no file is at hand. `publish_media`/`publish_stills` say whether its
    bytes may enter the site; where they may not, players stream from `clip.url`.
    """

    clip: Clip
    run: Run
    series: Series
    media: Media | None
    missing: str
    """Why there is no media, in one sentence; "" when there is."""
    verdicts: tuple[Verdict, ...] = field(metadata=OMITTED)
    publish_media: bool
    publish_stills: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """All of content/, valid and resolved: every id that is referred to exists."""

    site: Site
    prompts: tuple[Prompt, ...]
    pipelines: tuple[Pipeline, ...]
    machines: tuple[Machine, ...]
    pages: tuple[Page, ...]
    presets: tuple[Preset, ...]
    runs: tuple[Run, ...]
    clips: tuple[Clip, ...]
    """In the order of runs and of their lines."""

    def machine(self, run: Run) -> Machine | None:
        """The machine of a run, where it is one of content/."""
        return next((one for one in self.machines if one.id == run.machine), None)

    @property
    def projected(self) -> tuple[Machine, ...]:
        """Machines that nobody measured on: numbers are projected to them."""
        return tuple(one for one in self.machines if one.projected)
