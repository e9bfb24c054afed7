"""A small archive from literal data: two prompts, three runs, every kind of rights."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from blank import a_clip

from generator.records import (
    Catalogue,
    Claim,
    Clip,
    Display,
    Evidence,
    Facts,
    Flag,
    Label,
    Link,
    Machine,
    Media,
    Outcome,
    Page,
    Pipeline,
    Preset,
    Prompt,
    Run,
    Series,
    Site,
    Still,
    Storyboard,
    Verdict,
    in_ticks,
)

ASSETS = "assets/0123456789abcdef/"
TEMPLATES = (Path(__file__).resolve().parents[2] / "templates",)
STATIC = Path(__file__).resolve().parents[2] / "static"
HOSTILE = 'Rain <script>alert("x")</script> & "neon" </script> \u2028 end'

SITE = Site(
    title="Sample Archive",
    tagline="Two clips & a claim",
    description="A sample.",
    base_url="https://example.org/archive/",
    language="en",
    hero=("One line.", "Another line."),
    links=(Link(title="Elsewhere", url="https://example.com/?a=1&b=2"),),
)
PROMPTS = (
    Prompt(id="rain", title="Rain", text=HOSTILE, html="<p>About rain.</p>", order=1),
    Prompt(id="sun", title="Sun", text="A sun.", html="", order=2),
)
PIPELINES = (
    Pipeline(
        id="model",
        title="Model <1>",
        summary="Makes clips.",
        html='<p>See <a href="/method/">the method</a>.</p>',
        order=1,
        content_rate_hz=Fraction(16),
        parameters="1.3 B",
        licence="",
        renderer="",
        links=(),
    ),
    Pipeline(
        id="card",
        title="Card",
        summary="No model.",
        html="",
        order=2,
        content_rate_hz=None,
        parameters="none",
        licence="MIT",
        renderer="test-card",
        links=(),
    ),
)
MACHINES = (
    Machine(
        id="h100",
        title="H100",
        memory_gb=80.0,
        bandwidth_tb_s=3.35,
        bf16_tflops=None,
        fp8_tflops=None,
        fp4_tflops=None,
        source="its maker",
        notes="",
    ),
)
PAGES = tuple(
    Page(
        id=name,
        title=name.title(),
        summary=f"About {name}.",
        html='<h2 id="top">Top</h2><p><a href="/archive/">All</a> <a href="#top">up</a></p>',
        order=order,
        kind=kind,
        group=group,
    )
    for order, (name, kind, group) in enumerate(
        (
            ("rife", "page", "enhancements"),
            ("audio", "page", "enhancements"),
            ("b200", "plan", "plans"),
            ("protocol", "page", "method"),
        )
    )
)


def preset(preset_id: str, *clips: str, **changes: object) -> Preset:
    made = Preset(
        id=preset_id,
        title=f"Preset <{preset_id}>",
        summary="Why & what.",
        html='<p>See <a href="/method/">the method</a>.</p>',
        order=1,
        clips=clips,
        mode="side",
        base="time",
        start_s=Fraction(0),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


PRESETS = (
    preset("first", "loud--a", "loud--gone"),
    preset("second", "loud--a", "loud--b", mode="wipe", base="live", start_s=Fraction(5, 4)),
    preset("third", "quiet--far", "quiet--near", "quiet--unseen", "cards--card", html=""),
)
LOUD_SERIES = Series(
    id="main",
    title="Main",
    label=Label.PUBLISHED_ELSEWHERE,
    fps_means="FPS as stated",
    spread_over_s=Fraction(20),
    interpolation="RIFE",
    chart=True,
    note="the recording stalls",
)
CARD_SERIES = replace(
    LOUD_SERIES,
    id="declared",
    title="Declared",
    label=Label.DECLARED,
    spread_over_s=None,
    interpolation="none",
    chart=False,
    note="",
)
DURATION = Claim(
    id="lasts",
    kind="duration",
    says="Every clip lasts 2 s",
    quoted=True,
    series=(),
    seconds=Fraction(2),
    tolerance_s=Fraction(1, 100),
    decimals=1,
    rounding="cut",
    reason="",
)


READING = replace(
    DURATION,
    id="divided",
    kind="fps-from-frames",
    says="the number is frames divided by 2 s",
    quoted=False,
)


def run(run_id: str, series: Series, **changes: object) -> Run:
    made = Run(
        id=run_id,
        title=f"Run {run_id}",
        summary="A run.",
        html="",
        measured_by="Somebody",
        published="2026-03-18",
        source=None,
        machine="h100",
        machine_stated="",
        software=(("Thing", ""),),
        weights="",
        protocol=("First this.",),
        rights="Theirs.",
        publish_media=True,
        publish_stills=True,
        series=(series,),
        claims=(DURATION,),
        folder=Path("runs") / run_id,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def clip(run_id: str, row: str, series: str, **changes: object) -> Clip:
    own = {"pipeline": "model", "prompt": "rain", "width": 512, "height": 288, "steps": (4,)}
    return a_clip(row, run=run_id, series=series, **{**own, "fps": Fraction("24.5"), **changes})


LOUD = run("loud", LOUD_SERIES, claims=(DURATION, READING))
QUIET = run("quiet", LOUD_SERIES, publish_media=False, publish_stills=False, claims=())
CARDS = run("cards", CARD_SERIES, machine="", claims=())
RUNS = (LOUD, QUIET, CARDS)
CLIPS = (
    clip("loud", "a", "main", steps=(2,), fps=Fraction("49.3")),
    clip("loud", "b", "main", steps=(2, 2, 2), fps=Fraction(11), extra=(("latency_s", "0.7"),)),
    clip("loud", "gone", "main", prompt="sun", fps=Fraction("12.8"), no_clip="Never published."),
    clip("loud", "silent", "main", fps=None, prompt="sun", steps=(8,)),
    clip("quiet", "far", "main", url="https://clips.example.net/v/far.webm", seed=7),
    clip("quiet", "near", "main", steps=(6,)),
    clip("quiet", "unseen", "main", steps=(8,), url="https://other.example.net/unseen.mp4"),
    clip("cards", "card", "declared", pipeline="card", prompt="", steps=(), fps=Fraction("12.8")),
)
CATALOGUE = Catalogue(
    site=SITE,
    prompts=PROMPTS,
    pipelines=PIPELINES,
    machines=MACHINES,
    pages=PAGES,
    presets=PRESETS,
    runs=RUNS,
    clips=CLIPS,
)
WITHOUT_FILE = {"loud--gone", "loud--silent", "quiet--unseen"}


def facts(data: bytes, times: tuple[Fraction, ...]) -> Facts:
    ticks, ticks_per_second = in_ticks(times)
    return Facts(
        sha256=hashlib.sha256(data).hexdigest(),
        bytes=len(data),
        container="webm",
        codec="vp8",
        profile="",
        pixel_format="yuv420p",
        width=512,
        height=288,
        frame_count=len(times),
        ticks=ticks,
        ticks_per_second=ticks_per_second,
        packet_bytes=tuple(100 + index for index in range(len(times))),
        keyframes=(0, 3),
        duration_s=Fraction(17, 10),
        stated_rate_hz=None,
        index_first=False,
        flags=(Flag(id="duplicate-timestamps", text="2 frames share <their> time"),),
    )


def evidence(folder: Path) -> tuple[Evidence, ...]:
    """Evidence for every clip, its files written below `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    runs = {one.id: one for one in RUNS}
    return tuple(_piece(one, runs[one.run], folder) for one in CLIPS)


def _piece(one: Clip, run: Run, folder: Path) -> Evidence:
    media = None if one.id in WITHOUT_FILE else _media(one, folder)
    verdicts = tuple(
        Verdict(
            claim=claim.id,
            says=claim.says,
            quoted=claim.quoted,
            outcome=Outcome.FAILS if media else Outcome.CANNOT_CHECK,
            stated="2 s",
            found="1.700 s" if media else "",
            note="as the file's end says" if media else "",
        )
        for claim in run.claims
    )
    return Evidence(
        clip=one,
        run=run,
        series=run.series[0],
        media=media,
        missing="" if media else one.no_clip or "the file was not at hand",
        verdicts=verdicts,
        publish_media=run.publish_media,
        publish_stills=run.publish_stills,
    )


def _media(one: Clip, folder: Path) -> Media:
    def write(name: str) -> Path:
        path = folder / f"{one.id}{name}"
        path.write_bytes(path.name.encode())
        return path

    def still(path: Path, width: int, height: int) -> Still:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        return Still(path=path, sha256=digest, width=width, height=height, recipe={})

    source, display, board = write(".webm"), write(".display.webm"), write(".board.webp")
    times = tuple(Fraction(index, 30) for index in (0, 1, 1, 2, 3, 3))
    even = tuple(Fraction(20 * index, 6) for index in range(6))
    return Media(
        source=source,
        facts=facts(source.read_bytes(), times),
        display=Display(
            path=display,
            kind="retimed",
            mime="video/webm",
            facts=replace(
                facts(display.read_bytes(), even), duration_s=Fraction(20), index_first=True
            ),
            recipe={"step": "retimed", "ffmpeg": "7.0"},
        ),
        poster=still(write(".webp"), 512, 288),
        thumbnail=still(write(".small.webp"), 320, 180),
        storyboard=Storyboard(
            path=board,
            sha256=hashlib.sha256(board.read_bytes()).hexdigest(),
            width=1024,
            height=288,
            columns=2,
            rows=1,
            tiles=2,
            tile_width=512,
            tile_height=288,
            recipe={},
        ),
    )
