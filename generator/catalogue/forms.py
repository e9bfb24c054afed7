"""What people write: the shape of every file in content/, with the words that explain it.

These types are the content reference (docs/content.md is generated from them). They check one
file at a time; what refers to something else is resolved by `catalogue.load`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from fractions import Fraction
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    HttpUrl,
    field_validator,
)

from generator.records import Label

NUMBER_PATTERN = r"[+-]?[0-9]{1,15}(\.[0-9]{0,15})?([eE][+-]?[0-9])?|[+-]?[0-9]{1,15}/[0-9]{1,15}"
"""49.3, 24 or 30000/1001: bounded, so that no line of a table can ask for a billion digits."""
_NO_NUMBER = "is no number; write digits, such as 49.3 or 30000/1001"

ID_PATTERN = r"^[a-z0-9]+(?:[.-][a-z0-9]+)*$"
HOST_PATTERN = r"[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]"
TAKEN = (
    *("archive", "assets", "clips", "compare", "data", "embed", "media", "oembed", "pipelines"),
    *("posters", "prompts", "runs", "sizes", "steps"),
)
"""Folders of the site itself, whose names no group of pages may bear."""
SIZE_PATTERN = r"^[1-9][0-9]{0,4}x[1-9][0-9]{0,4}$"
STEPS_PATTERN = r"^[1-9][0-9]{0,3}(/[1-9][0-9]{0,3}){0,15}$"


class Form(BaseModel):
    """A file or a table in a file. Unknown keys are mistakes, not ignored."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        defer_build=True,
        str_strip_whitespace=True,
        allow_inf_nan=False,
    )

    @field_validator("*", mode="after")
    @classmethod
    def _readable(cls, value: object) -> object:
        """Feeds and pages cannot hold control characters, however they were written."""
        for text in _texts(value):
            fault = unreadable(text)
            if fault is not None:
                raise ValueError(fault)
            if len(text) > LONGEST_TEXT:
                raise ValueError(f"is too long; write {LONGEST_TEXT} characters or fewer")
        if isinstance(value, tuple | dict) and len(value) > MOST_ENTRIES:
            raise ValueError(f"holds too much; write {MOST_ENTRIES} entries or fewer")
        return value


LONGEST_TEXT = 1 << 16
"""Characters of any one text; Markdown has narrower limits of its own."""
LONGEST_ADDRESS = 2000
LONGEST_PATH = 1000
MOST_ENTRIES = 200
"""Entries of any one list or table."""
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f\ufffe\uffff]")
DIRECTION = re.compile("[\u202a-\u202e\u2066-\u2069]")
"""Embeddings, overrides and isolates: what stands after them shows in another order than it has.
Hebrew or Arabic needs none of them."""


def unreadable(text: str) -> str | None:
    """`what is wrong; what mends it` where text cannot be shown as it is written."""
    if text.isascii() and text.isprintable():  # nearly all texts, at once
        return None
    if CONTROL.search(text):
        return "holds a control character; take it out"
    turned = DIRECTION.search(text)
    if turned:
        return (
            f"holds U+{ord(turned[0]):04X}, which turns the direction of the text around it; "
            "take it out: letters have their direction by themselves"
        )
    return None


def _texts(value: object) -> Iterable[str]:
    if isinstance(value, str):
        return (value,)
    if isinstance(value, tuple):
        return [text for part in value for text in _texts(part)]
    if isinstance(value, dict):
        return [text for pair in value.items() for text in _texts(pair)]
    return ()


# Validators say "what is wrong; what mends it". `decode` puts the value before it.


def _plain_url(value: str) -> str:
    if len(value) > LONGEST_ADDRESS:
        raise ValueError(f"is too long; write {LONGEST_ADDRESS} characters or fewer")
    try:
        address = HttpUrl(value)
    except ValueError:
        raise ValueError("is no web address; write one that begins with https://") from None
    if address.username or address.password:
        raise ValueError("holds a user's name; an address that is published must not")
    if not re.fullmatch(HOST_PATTERN, address.host or ""):
        raise ValueError("names no host; write one such as https://example.org/")
    return str(address)


def _directory_url(value: str) -> str:
    address = _plain_url(value)
    if "?" in address or "#" in address:
        raise ValueError("is no folder; write an address without ? and #")
    if not value.endswith("/"):
        raise ValueError(f"does not end with a slash; write {value}/")
    return address


def _exact(value: object) -> object:
    """Numbers keep the decimals they were written with."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(_NO_NUMBER)
    text = str(value).strip()
    if not re.fullmatch(NUMBER_PATTERN, text):
        raise ValueError(_NO_NUMBER)
    try:
        return Fraction(text)
    except ZeroDivisionError:
        raise ValueError(_NO_NUMBER) from None


def _positive(value: Fraction) -> Fraction:
    if value <= 0:
        raise ValueError("is not greater than 0; write a number above 0, or leave it out")
    return value


def _not_negative(value: Fraction) -> Fraction:
    if value < 0:
        raise ValueError("is less than 0; write 0 or more")
    return value


def _at_most_a_day(value: Fraction) -> Fraction:
    if value > 86_400:
        raise ValueError("is longer than a day; write seconds")
    return value


def _whole(value: object) -> object:
    """Digits only: a table's `1_0` or `4.0` is a slip, not a number of frames."""
    if isinstance(value, str) and not re.fullmatch(r"-?[0-9]{1,18}", value.strip()):
        raise ValueError("is no whole number; write digits only")
    return value


def _own_claim(value: str) -> str:
    if value.startswith("table-"):
        raise ValueError("is kept for what the table states; name the claim otherwise")
    return value


def _own_group(value: str) -> str:
    if value in TAKEN or "." in value:
        raise ValueError("is taken by the site itself; choose another, such as notes")
    return value


def _inside_media(value: str) -> str:
    parts = re.split(r"[/\\]", value)
    if any(len(part.encode()) > 255 for part in parts) or len(value) > LONGEST_PATH:
        raise ValueError("is longer than a disk can hold; rename the file")
    if {"", ".", ".."} & set(parts) or value.startswith("~") or ":" in value:
        raise ValueError("leads elsewhere; write the name of a file inside the run's media/ folder")
    return value


def _per_frame_file(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}\.csv", value):
        raise ValueError(
            "is no name of a file in the run's per-frame/ folder; write letters, digits, hyphens "
            "and dots, such as clip-4.csv"
        )
    return value


Text = Annotated[str, Field(min_length=1)]
Line = Annotated[str, Field(min_length=1, max_length=1000)]
Id = Annotated[str, Field(pattern=ID_PATTERN, max_length=80)]
ClaimId = Annotated[Id, AfterValidator(_own_claim)]
GroupId = Annotated[Id, AfterValidator(_own_group)]
Whole = Annotated[int, BeforeValidator(_whole)]
Address = Annotated[str, AfterValidator(_plain_url)]
FolderAddress = Annotated[str, AfterValidator(_directory_url)]
Exact = Annotated[Fraction, BeforeValidator(_exact)]
Positive = Annotated[Exact, AfterValidator(_positive)]
NotNegative = Annotated[Exact, AfterValidator(_not_negative)]
Duration = Annotated[Positive, AfterValidator(_at_most_a_day)]


class LinkForm(Form):
    """A titled address."""

    title: Line
    """What the link is called."""
    url: Address
    """Where it leads: http or https."""


class SiteForm(Form):
    """content/site.toml: what the whole site says about itself."""

    title: Line
    """Name of the site."""
    tagline: Line
    """One line under the name."""
    description: Text
    """One or two sentences for search engines and link previews."""
    base_url: FolderAddress
    """Where the site will stand, with a closing slash. `build --base-url` overrides it."""
    language: Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]+)*$")] = "en"
    """Language of the pages, as in HTML's lang."""
    hero: tuple[Line, ...] = ()
    """Lines of the large heading on the home page; the title when empty."""
    links: tuple[LinkForm, ...] = ()
    """Links in the footer."""


class PromptForm(Form):
    """Front matter of content/prompts/<id>.md; the text below it is prose about the prompt."""

    title: Line
    """Short name."""
    text: Text
    """The prompt, word for word as the pipelines were given it."""
    order: int = 100
    """Place in lists, smallest first."""


class PipelineForm(Form):
    """content/pipelines/<id>.toml: something that makes clips."""

    title: Line
    """Name."""
    summary: Text
    """One sentence."""
    notes: str = ""
    """Markdown about it."""
    order: int = 100
    """Place in lists, smallest first."""
    content_rate_hz: Positive | None = None
    """Frames per second that the model's content is meant to be shown at."""
    parameters: str = "not stated"
    """Size of the model, such as "1.3 B"."""
    licence: str = "not stated"
    """Licence of code and weights."""
    renderer: Literal["", "test-card", "lab"] = ""
    """Who makes missing clips: nobody, every build ("test-card"), or `build --generate` ("lab")."""
    links: tuple[LinkForm, ...] = ()
    """Paper, code, weights."""


class MachineForm(Form):
    """content/machines/<id>.toml: hardware, with where its figures come from."""

    title: Line
    """Name."""
    memory_gb: float | None = Field(default=None, gt=0)
    """Memory, in 10^9 bytes."""
    bandwidth_tb_s: float | None = Field(default=None, gt=0)
    """Memory bandwidth, in 10^12 bytes per second."""
    bf16_tflops: float | None = Field(default=None, gt=0)
    """Dense bf16 peak, in 10^12 operations per second."""
    fp8_tflops: float | None = Field(default=None, gt=0)
    """Dense FP8 peak."""
    fp4_tflops: float | None = Field(default=None, gt=0)
    """Dense FP4 peak."""
    source: Text
    """Who states these figures."""
    notes: str = ""
    """Anything else, in one sentence."""
    projected: bool = False
    """Whether pages of measured cells show what may be reached on it, labelled as projected."""


class PageChartForm(Form):
    """An entry of `charts` in a page's front matter: a chart below its text, drawn from a table of
    a run, content/runs/<run>/tables/<table>.csv. The first column of that table is
    where a point stands, each further one (six at most) a line of the chart. Beside a line `X` the
    columns `X low` and `X high` are its intervals, drawn as a band; stacked lines show none."""

    run: Id
    """The run whose numbers they are."""
    table: Id
    """Name of the table, without .csv."""
    title: Line
    """Heading."""
    summary: Line
    """What to read from it, in one or two sentences."""
    label: Label
    """Where the numbers come from."""
    x: Line
    """What the first column is, such as denoising steps."""
    y: Line
    """What the numbers are, such as time of a chunk."""
    unit: Line
    """Their unit, such as ms."""
    stacked: bool = False
    """Draw each line upon the one before, for parts of a whole."""


class PageForm(Form):
    """Front matter of content/pages/<id>.md; the text below it is the page."""

    title: Line
    """Heading."""
    summary: Text
    """One sentence for lists and previews."""
    group: GroupId
    """The listing it belongs to, such as `enhancements`, `plans` or `method`."""
    kind: Literal["page", "plan"] = "page"
    """A plan is work not done yet, and is marked as such."""
    order: int = 100
    """Place in its group, smallest first."""
    charts: tuple[PageChartForm, ...] = ()
    """Charts below the text, in this order."""


class PresetForm(Form):
    """Front matter of content/presets/<id>.md, a comparison with a page of its own; the text below
    it is a note: what to look at, and what the clips cannot show."""

    title: Line
    """What is compared, in a few words."""
    summary: Line
    """One sentence for cards and previews."""
    clips: tuple[Text, ...]
    """Two to nine clip ids (`<run>--<row>`), from A on."""
    mode: Literal["side", "wipe", "overlay", "flicker", "difference"] = "side"
    """How the clips are laid when the page opens; all but "side" lay one of two over the other."""
    base: Literal["time", "frame", "fraction", "live"] = "time"
    """Which moments of the clips belong together when the page opens; "live" is the pace at which
    the frames were made."""
    start_s: NotNegative = Fraction(0)
    """Where the page opens, in seconds."""
    order: int = 100
    """Place among the cards, smallest first; the home page plays the first of two clips that are
    at hand."""


class SeriesForm(Form):
    """[[series]] in run.toml: numbers that may stand in one line of a chart."""

    id: Id
    """Referred to by the series column of clips.csv."""
    title: Line
    """Name."""
    label: Label
    """Where the numbers come from; labels never mix in one series."""
    fps_means: str = ""
    """What the stated FPS is, in words; leave out when the series states none."""
    spread_over_s: Duration | None = None
    """Spread each clip's frames evenly over this many seconds in the copy that players show."""
    interpolation: str = ""
    """Frame interpolation that the FPS includes, or "none"; left out, it is not stated, unless
    `work` says that a network made every frame."""
    chart: bool = True
    """Whether the series is drawn in charts."""
    note: str = ""
    """What a viewer of its clips must know, such as that a recording repeats frames."""
    work: Literal["", "memflow", "memflow-sparse", "helios", "neon"] = ""
    """What made every frame, where its operations are known: pages then hold each number against
    what the machine allows. The FPS must be one of the steady state, VAE decode included."""


class DurationClaimForm(Form):
    """[[claims]] with kind = "duration": every file lasts this long."""

    kind: Literal["duration"]
    """Compares the container's duration with `seconds`."""
    id: ClaimId
    """Name of the claim."""
    says: Text
    """The claim, in the words of whoever made it where `quoted` is set."""
    quoted: bool = False
    """Whether `says` is word for word what was published; it is then shown in quotation marks."""
    series: tuple[Id, ...] = ()
    """Series that it is made for; all when empty."""
    seconds: Positive
    """Stated duration."""
    tolerance_s: NotNegative = Fraction(1, 100)
    """How far a file may be off and still hold."""


class FpsClaimForm(Form):
    """[[claims]] with kind = "fps-from-frames": stated FPS is frames divided by a time."""

    kind: Literal["fps-from-frames"]
    """Compares the stated FPS with the file's frames / `seconds`."""
    id: ClaimId
    """Name of the claim."""
    says: Text
    """The claim, in the words of whoever made it where `quoted` is set."""
    quoted: bool = False
    """Whether `says` is word for word what was published; it is then shown in quotation marks."""
    series: tuple[Id, ...] = ()
    """Series that it is made for; all when empty."""
    seconds: Positive
    """Time that the frames are said to have taken."""
    decimals: int = Field(default=1, ge=0, le=6)
    """Decimals that the FPS was stated with."""
    rounding: Literal["cut", "nearest"] = "nearest"
    """How the quotient was brought to so many decimals."""


class StatementForm(Form):
    """[[claims]] with kind = "statement": nothing in a file can confirm or refute it."""

    kind: Literal["statement"]
    """Listed on every clip as "cannot be checked"."""
    id: ClaimId
    """Name of the claim."""
    says: Text
    """The claim, in the words of whoever made it where `quoted` is set."""
    quoted: bool = False
    """Whether `says` is word for word what was published; it is then shown in quotation marks."""
    series: tuple[Id, ...] = ()
    """Series that it is made for; all when empty."""
    reason: Text
    """Why the file cannot tell."""


ClaimForm = Annotated[DurationClaimForm | FpsClaimForm | StatementForm, Field(discriminator="kind")]


class RunForm(Form):
    """content/runs/<id>/run.toml: one unit of evidence. Its clips are lines of clips.csv."""

    title: Line
    """Name of the run."""
    summary: Text
    """One sentence."""
    notes: str = ""
    """Markdown about it."""
    measured_by: Text
    """Who measured."""
    published: date
    """Day of publication, as in 2026-03-14."""
    source: LinkForm | None = None
    """Where the numbers were published."""
    machine: Id
    """A machine of content/machines."""
    machine_stated: str = ""
    """The machine in the words of whoever measured."""
    software: dict[str, str] = Field(default_factory=dict)
    """Software and versions; "not stated" where they are unknown."""
    weights: Text
    """Which weights, or "not stated"."""
    protocol: tuple[Text, ...] = ()
    """How it was measured, as stated, a sentence each."""
    rights: Text
    """Whose clips these are and what may be done with them."""
    publish_media: bool = False
    """Whether the clips themselves may enter the site."""
    publish_stills: bool | None = None
    """Whether posters and storyboards may; as publish_media when left out."""
    series: Annotated[tuple[SeriesForm, ...], Field(min_length=1)]
    """What kinds of numbers it holds."""
    claims: tuple[ClaimForm, ...] = ()
    """What it says about its clips."""


def _steps(value: object) -> object:
    if isinstance(value, str):
        text = value.strip().strip("[]").replace(",", "/").replace(" ", "")
        if not text:
            return ()
        if not re.fullmatch(STEPS_PATTERN, text):
            raise ValueError("is no step count; write 1 or more, or 2/2/2 for stages")
        return tuple(int(part) for part in text.split("/"))
    return value


class ClipForm(Form):
    """A line of clips.csv: one cell of the matrix. Empty fields are left out."""

    id: Id
    """Unique in the run; the clip's address is clips/<run>--<id>/."""
    series: Id
    """A series of run.toml."""
    pipeline: Id
    """A pipeline of content/pipelines."""
    prompt: Id | None = None
    """A prompt of content/prompts; empty for clips without one."""
    size: Annotated[str, Field(pattern=SIZE_PATTERN)]
    """Width x height in pixels, such as 848x480."""
    steps: Annotated[tuple[int, ...], BeforeValidator(_steps)] = ()
    """Denoising steps; one number a stage for staged samplers, such as 2/2/2."""
    fps: Positive | None = None
    """Output frames per second as stated; empty when not stated."""
    frames: Whole | None = Field(default=None, ge=1)
    """Frames as stated; held against the file."""
    seconds: Duration | None = None
    """Seconds as stated; held against the file. Test cards last this long."""
    seed: Whole | None = None
    """Seed of the noise, where stated."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    """Hash of the clip's file, by which it is found."""
    url: Address | None = None
    """Public address of the clip's file."""
    file: Annotated[str, AfterValidator(_inside_media)] | None = None
    """File name inside the run's media/ folder."""
    no_clip: str = ""
    """Why there is no clip, when there is none."""
    per_frame: Annotated[str, AfterValidator(_per_frame_file)] | None = None
    """Name of a CSV in the run's per-frame/ folder, with a line for each frame of the clip."""
