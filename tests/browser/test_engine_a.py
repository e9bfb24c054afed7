"""The exact engine: at every tick each canvas holds the frame whose interval contains the clock.

Which frame a canvas holds is read back from its pixels, what frame is due is worked out here from
the file's own packets. Seven pairs differ in codec, size, rate and length; longer runs of the same
are in benchmarks/sync_engines.py.
"""

from __future__ import annotations

import time
import warnings
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from .fixture import fixture_app
from .footage import CODECS, Footage, Reel, encode, read_footage, render_card
from .loopback import serving
from .scenarios import ADVANCE

pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("browser"),
    pytest.mark.filterwarnings("default::UserWarning"),
]

PAIRS = (
    ("h264-24", "vp8-16"),
    ("vp9-30", "av1-25"),
    ("h264-49", "vp9-9"),
    ("vp8-30", "av1-36"),
    ("av1-25", "h264-24"),
    ("vp8-16", "vp9-30"),
)
SHOWN = 0.75
"""Share of the frames due that must have been on screen here, where the machine has other guests
and each tick is read back; the bar of 0.95 is held in benchmarks/sync_engines.py."""
EXACT_S = 1e-6


class RepeatedRun(UserWarning):
    """A run was too slow on a busy machine and was repeated; exactness is never repeated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """One look at the page: wall time, the player's clock, and what the pixels say."""

    wall_s: float
    clock_s: float
    lap: int
    phase: str
    rate: float
    codes: tuple[int | None, ...]


@pytest.fixture
def open_clips(browser: Browser, formats: Reel, formats_base: str) -> Iterator[Any]:
    """Opens clips by part under the exact engine; fails on any complaint of the page."""
    complaints: list[str] = []
    pages: list[Page] = []

    def open_it(*parts: str, travel: str = "", attributes: str = "") -> Page:
        names = [
            f"{side}={formats.clips[part].name}"
            for side, part in zip("abcdefghi", parts, strict=False)
        ]
        quoted = travel.replace("&", "%26").replace("=", "%3D")
        ways = [f"travel-{side}={quoted}" for side in "abcdefghi"[: len(parts)] if travel]
        page = browser.new_context(viewport={"width": 1200, "height": 900}).new_page()
        pages.append(page)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.append(message.text))
        query = "&".join([*names, *ways, f"attributes={attributes}"])
        page.goto(f"{formats_base}/pair?engine=frames&{query}")
        page.wait_for_function("() => Boolean(window.framesReady && framesReady())")
        return page

    yield open_it
    for page in pages:
        page.context.close()
    assert complaints == []


def due(footage: Footage, clock_s: float) -> int:
    return max(0, bisect_right(footage.timestamps_s, clock_s + EXACT_S) - 1)


def phase(page: Page, name: str, timeout_s: float = 20) -> None:
    page.wait_for_function(
        "(name) => clipPair().state.phase === name", arg=name, timeout=timeout_s * 1000
    )


def ticks(raw: list[list[Any]]) -> list[Tick]:
    return [
        Tick(
            wall_s=wall_ms / 1000,
            clock_s=clock_s,
            lap=lap,
            phase=phase,
            rate=rate,
            codes=tuple(codes),
        )
        for wall_ms, clock_s, lap, phase, rate, codes in raw
    ]


def every_tick_is_exact(clips: list[Footage], seen: list[Tick]) -> None:
    """No picture before the first; from then on each is the one due, in every single tick."""
    drawn = [tick for tick in seen if any(code is not None for code in tick.codes)]
    assert len(drawn) > 30
    wrong = [
        (tick, expected)
        for tick in drawn
        if tick.codes != (expected := tuple(due(clip, tick.clock_s) for clip in clips))
    ]
    assert wrong == [], f"wrong frame in {len(wrong)} of {len(drawn)} ticks, first: {wrong[0]}"


def test_every_tick_shows_the_frames_due_whatever_a_viewer_does_meanwhile(
    open_clips: Any, formats: Reel
) -> None:
    """Six pairs: play, seek while playing, other speeds, a loop, steps there and back."""
    for parts in PAIRS:
        clips = [formats.clips[part] for part in parts]
        page = open_clips(*parts)
        assert page.locator("clip-pair[data-engine=frames]").count() == 1
        page.evaluate("() => { startWatching(); clipPair().play(); }")
        phase(page, "running")
        page.wait_for_timeout(1000)
        page.evaluate("clipPair().seek(3.3)")
        page.wait_for_timeout(900)
        page.evaluate("clipPair().seek(1.234)")
        page.wait_for_timeout(600)
        page.evaluate("clipPair().setRate(2)")
        page.wait_for_timeout(700)
        page.evaluate("clipPair().setRate(0.25)")
        page.wait_for_timeout(600)
        page.evaluate("clipPair().setRate(1)")
        page.evaluate("clipPair().setLoop({ on: true, inS: 2, outS: 2.6 })")
        page.wait_for_function("() => clipPair().state.lap >= 1")
        page.wait_for_timeout(600)
        page.evaluate("clipPair().pause()")
        phase(page, "still")
        page.evaluate("clipPair().setLoop({ on: false })")
        for direction in (1, 1, 1, 1, -1, -1, -1, -1, -1, -1):
            page.evaluate("(direction) => clipPair().step(direction)", direction)
            phase(page, "still")
        for time_s in (0.0, 5.1, 3.0):
            page.evaluate("(t) => clipPair().seek(t)", time_s)
            page.wait_for_timeout(30)
        phase(page, "still")
        seen = ticks([*page.evaluate("stopWatching()"), page.evaluate("tick()")])
        page.context.close()

        every_tick_is_exact(clips, seen)
        assert max(tick.lap for tick in seen) >= 1, "the loop never went round"
        assert seen[-1].clock_s == 3.0


def test_a_loop_that_is_set_while_a_seek_is_under_way_is_as_exact_as_any(
    open_clips: Any, formats: Reel
) -> None:
    clips = [formats.clips[part] for part in PAIRS[0]]
    page = open_clips(*PAIRS[0])
    page.evaluate("() => { startWatching(); clipPair().play(); }")
    page.wait_for_function("() => clipPair().state.shownS > 3")
    page.evaluate(
        "() => { clipPair().seek(1.5); clipPair().setLoop({ on: true, inS: 2, outS: 2.6 }); }"
    )
    page.wait_for_function("() => clipPair().state.lap >= 2")
    page.evaluate("clipPair().pause()")
    phase(page, "still")
    every_tick_is_exact(clips, ticks(page.evaluate("stopWatching()")))


def test_slow_clips_play_on_after_steps(browser: Browser, tmp_path: Path) -> None:
    """Five and six frames a second leave room for few pictures behind the clock."""
    clips = []
    for rate in (5, 6):
        path = tmp_path / f"slow-{rate}.mp4"
        render_card(path, width=512, height=288, rate=Fraction(rate), seconds=Fraction(8))
        clips.append(read_footage(path))
    with serving(fixture_app(clips)) as base:
        page = browser.new_page()
        page.goto(f"{base}/pair?engine=frames&a={clips[0].name}&b={clips[1].name}")
        page.wait_for_function("() => Boolean(window.framesReady && framesReady())")
        page.evaluate("() => { startWatching(); clipPair().play(); }")
        page.wait_for_function("() => clipPair().state.shownS > 1.5")
        page.evaluate("clipPair().pause()")
        phase(page, "still")
        for _ in range(6):
            page.evaluate("clipPair().step(1)")
            phase(page, "still")
        before_s = page.evaluate("clipPair().state.shownS")
        page.evaluate("clipPair().play()")
        page.wait_for_function("(timeS) => clipPair().state.shownS > timeS + 0.5", arg=before_s)
        page.evaluate("clipPair().pause()")
        phase(page, "still")
        seen = ticks(page.evaluate("stopWatching()"))
        page.close()
    every_tick_is_exact(clips, seen)


def test_a_moment_beyond_the_file_is_kept_until_the_base_is_known(
    open_clips: Any, formats: Reel
) -> None:
    """At the pace of frames of the faster first clip the others last longer than their files."""
    clips = [formats.clips[part] for part in ("vp9-9", "vp8-30")]
    page = open_clips("vp9-9", "vp8-30")
    page.evaluate("() => clipPair().restore(new URLSearchParams('base=frame&t=15'))")
    phase(page, "still")
    page.wait_for_function("() => clipPair().state.shownS === 15")
    assert page.evaluate("tick()[5]")[1] == due(clips[1], 0) + round(15 * 187 / 20 - 0.5)


def test_the_first_clip_sets_the_pace_also_when_it_is_another(
    open_clips: Any, formats: Reel
) -> None:
    """In "same frame": after a change, and after a clip is taken away, as if opened so."""
    parts = ("h264-24", "vp9-9", "vp8-30")
    page = open_clips(*parts)
    page.evaluate("() => { clipPair().setBase('frame'); clipPair().seek(2); }")
    phase(page, "still")
    other = formats.clips["av1-36"]
    page.evaluate(
        "([src, timestampsUrl, durationS]) => "
        "clipPair().load('a', { id: 'x', src, timestampsUrl, durationS })",
        [f"/clips/{other.name}", f"/timestamps/{other.name}.json", other.duration_s],
    )
    page.wait_for_function("() => clipPair().state.clips.a.frame !== null")
    page.evaluate("clipPair().seek(2)")
    phase(page, "still")
    page.wait_for_function("() => clipPair().state.shownS === 2")
    frame = due(other, 2)
    b = formats.clips["vp9-9"]
    assert page.evaluate("tick()[5]") == [frame, min(frame, len(b.timestamps_s) - 1), frame]

    page.evaluate("clipPair().unload('a')")
    page.wait_for_function("() => !('a' in clipPair().state.clips)")
    phase(page, "still")
    page.wait_for_function("(frame) => tick()[5].at(-1) === frame", arg=due(b, 2))


@pytest.mark.parametrize("parts", [("h264-24", "vp9-9"), ("vp8-16", "av1-25")], ids=str)
def test_on_a_free_network_the_clock_keeps_time_and_the_frames_due_are_seen(
    open_clips: Any, formats: Reel, parts: tuple[str, str]
) -> None:
    """The clock at >= 0.98 of wall time, and no stretch of frames left out."""
    clips = [formats.clips[part] for part in parts]
    for attempt in range(3):
        page = open_clips(*parts)
        page.evaluate("clipPair().play()")
        phase(page, "running")
        page.evaluate("startWatching()")
        page.wait_for_timeout(4000)
        seen = ticks(page.evaluate("stopWatching()"))
        page.context.close()
        every_tick_is_exact(clips, seen)
        pace, shares = pace_of(seen), [share_shown(seen, side) for side in range(2)]
        if pace >= ADVANCE and min(shares) >= SHOWN:
            break
        warnings.warn(f"attempt {attempt + 1}: {pace}, {shares}", RepeatedRun, stacklevel=1)
    assert pace >= ADVANCE
    assert min(shares) >= SHOWN


def pace_of(seen: list[Tick]) -> float:
    """Clock seconds per second of wall time and rate."""
    first, last = seen[0], seen[-1]
    return (last.clock_s - first.clock_s) / (last.wall_s - first.wall_s) / first.rate


def share_shown(seen: list[Tick], side: int) -> float:
    """How many of the frames between the first and the last seen were seen."""
    codes = [tick.codes[side] for tick in seen]
    numbers = [code for code in codes if code is not None]
    return len(set(numbers)) / (max(numbers) - min(numbers) + 1)


def test_a_slow_network_holds_the_clock_and_shows_no_wrong_frame(
    open_clips: Any, formats: Reel
) -> None:
    """Two clips over a link that carries 60 % of them: it plays before all is there, and holds."""
    parts = ("av1-36", "vp9-30")
    clips = [formats.clips[part] for part in parts]
    kbit = round(0.6 * sum(clip.mean_kbit for clip in clips))
    page = open_clips(*parts, travel=f"kbit={kbit}&delay_ms=60&link=both")
    from_s = time.monotonic()
    page.evaluate("() => { startWatching(); clipPair().play(); }")
    phase(page, "running")
    took_s = time.monotonic() - from_s
    page.wait_for_timeout(2500)
    page.evaluate("clipPair().seek(4)")
    phase(page, "running", timeout_s=30)
    page.wait_for_timeout(1500)
    seen = ticks(page.evaluate("stopWatching()"))
    page.context.close()

    every_tick_is_exact(clips, seen)
    whole_s = sum(clip.path.stat().st_size for clip in clips) * 8 / 1000 / kbit
    assert took_s < 0.6 * whole_s, "it waited for the whole clips"
    assert any(tick.phase == "gathering" for tick in seen)
    assert pace_of(seen) < ADVANCE, "the link was not slow"


def test_steps_meet_every_frame_of_both_clips_and_come_back_over_the_same(
    open_clips: Any, formats: Reel
) -> None:
    parts = ("av1-36", "vp8-16")
    clips = [formats.clips[part] for part in parts]
    page = open_clips(*parts)
    page.evaluate("clipPair().seek(1)")
    phase(page, "still")
    path = [page.evaluate("tick()")[5]]
    for direction in [1] * 30 + [-1] * 30:
        page.evaluate("(direction) => clipPair().step(direction)", direction)
        phase(page, "still")
        path.append(page.evaluate("tick()")[5])
    page.context.close()

    assert path[0] == [due(clip, 1) for clip in clips]
    for (a_before, b_before), (a_after, b_after) in pairwise(path[:31]):
        assert (a_after - a_before, b_after - b_before) in ((1, 0), (0, 1), (1, 1))
    assert path[30:] == path[:31][::-1]


def test_nine_clips_stand_on_one_clock(open_clips: Any, formats: Reel) -> None:
    """As many as a comparison may have; exact in every tick, and the clock moves."""
    parts = (*formats.clips, "h264-24")
    clips = [formats.clips[part] for part in parts]
    page = open_clips(*parts)
    page.evaluate("() => { startWatching(); clipPair().play(); }")
    phase(page, "running", timeout_s=60)
    page.wait_for_function("() => clipPair().state.shownS > 1.5", timeout=60_000)
    page.evaluate("clipPair().seek(4.5)")
    page.wait_for_function("() => clipPair().state.shownS > 4.6", timeout=60_000)
    seen = ticks(page.evaluate("stopWatching()"))
    page.context.close()

    every_tick_is_exact(clips, seen)


def test_no_more_than_a_second_of_pictures_is_at_hand(open_clips: Any, formats: Reel) -> None:
    parts = ("h264-49", "vp9-9")
    page = open_clips(*parts)
    page.evaluate("clipPair().play()")
    phase(page, "running")
    most = {"a": 0, "b": 0}
    for _ in range(40):
        page.wait_for_timeout(50)
        clips = page.evaluate("clipPair().state.clips")
        most = {side: max(most[side], clips[side]["queued"]) for side in most}
    page.evaluate("clipPair().pause()")
    page.wait_for_timeout(300)
    clips = page.evaluate("clipPair().state.clips")

    for side, part in zip("ab", parts, strict=True):
        footage = formats.clips[part]
        a_second = len(footage.timestamps_s) / footage.duration_s
        assert max(most[side], clips[side]["queued"]) <= a_second + 1


# Other ways to lay clips side by side in time


def test_the_time_bases_show_what_their_definitions_say(open_clips: Any, formats: Reel) -> None:
    """Same frame, same fraction, as live: expectations worked out here, pictures read back."""
    parts = ("h264-24", "vp9-9")
    a, b = (formats.clips[part] for part in parts)
    page = open_clips(*parts)
    assert page.evaluate("clipPair().setBase('live')") is None
    assert (
        page.locator(".transport-live").text_content()
        == "A clip does not say how fast it was made."
    )
    lengths = [round(clip.duration_s, 3) for clip in (a, b)]
    share = lengths[1] / max(lengths)
    by_base = {
        "frame": lambda clock_s: (due(a, clock_s), min(due(a, clock_s), len(b.timestamps_s) - 1)),
        "fraction": lambda clock_s: (due(a, clock_s), due(b, clock_s * share)),
        "live": lambda clock_s: (int(clock_s * 48 + EXACT_S), int(clock_s * 5 + EXACT_S)),
    }
    for base, expected in by_base.items():
        if base == "live":
            for side, clip, fps in (("a", a, 48), ("b", b, 5)):
                page.evaluate("([side, clip]) => clipPair().load(side, clip)", [side, {
                    "id": clip.name, "src": f"/clips/{clip.name}", "width": clip.width,
                    "height": clip.height, "durationS": round(clip.duration_s, 3), "fps": fps,
                    "timestampsUrl": f"/timestamps/{clip.name}.json"}])  # fmt: skip
        page.evaluate("(base) => { clipPair().setBase(base); clipPair().seek(0.7); }", base)
        page.wait_for_timeout(100)
        phase(page, "still")
        page.evaluate("() => { startWatching(); clipPair().play(); }")
        phase(page, "running")
        page.wait_for_timeout(900)
        page.evaluate("clipPair().pause()")
        seen = ticks(page.evaluate("stopWatching()"))
        assert len(seen) > 20
        wrong = [tick for tick in seen if tick.codes != expected(tick.clock_s)]
        assert wrong == [], (base, wrong[0], expected(wrong[0].clock_s))


# Frames whose stamps repeat, as the original page's are


@pytest.fixture(scope="module")
def doubled(formats: Reel, tmp_path_factory: pytest.TempPathFactory) -> Footage:
    """49.35 frames a second stamped on a grid of 30: many share a stamp, as in the archive."""
    source = formats.clips["h264-49"].path
    plain = source.parent / "plain-h264-49.mp4"
    vp8 = tmp_path_factory.mktemp("doubled") / "vp8.webm"
    encode(plain, vp8, CODECS["vp8"][1])
    target = vp8.parent / "doubled.webm"
    with av.open(str(vp8)) as reader, av.open(str(target), "w") as writer:
        track = reader.streams.video[0]
        out = writer.add_stream_from_template(track)
        for packet in reader.demux(track):
            if packet.pts is None:
                continue
            stamp_ms = round(1000 * int(packet.pts * packet.time_base * 30) / 30)
            packet.pts = packet.dts = round(stamp_ms / 1000 / packet.time_base)
            packet.stream = out
            writer.mux(packet)
    footage = read_footage(target)
    assert len(set(footage.timestamps_s)) < 0.7 * len(footage.timestamps_s)
    return footage


def test_of_frames_with_one_stamp_the_last_is_shown(
    browser: Browser, doubled: Footage, formats: Reel
) -> None:
    other = formats.clips["h264-24"]
    with serving(fixture_app([doubled, other])) as base:
        page = browser.new_page()
        page.goto(f"{base}/pair?engine=frames&a={doubled.name}&b={other.name}")
        page.wait_for_function("() => Boolean(window.framesReady && framesReady())")
        page.evaluate("() => { startWatching(); clipPair().play(); }")
        phase(page, "running")
        page.wait_for_timeout(1500)
        page.evaluate("clipPair().seek(4.01)")
        page.wait_for_timeout(1000)
        seen = ticks(page.evaluate("stopWatching()"))
        page.close()
    every_tick_is_exact([doubled, other], seen)


# Engine B takes over


def test_without_webcodecs_the_elements_are_steered(
    browser: Browser, formats: Reel, formats_base: str
) -> None:
    a, b = formats.clips["vp8-16"], formats.clips["vp9-30"]
    context = browser.new_context()
    context.add_init_script("delete globalThis.VideoDecoder")
    page = context.new_page()
    page.goto(f"{formats_base}/pair?engine=frames&a={a.name}&b={b.name}")
    page.wait_for_function("() => Boolean(window.watch && pairIsUp())")
    assert page.locator("clip-pair[data-engine=elements]").count() == 1
    page.evaluate("clipPair().play()")
    phase(page, "running")
    assert page.evaluate("codeOf(document.querySelector('video'))") is not None
    context.close()


FAILURES = {
    "a decoder that refuses": "VideoDecoder.isConfigSupported = async () => ({supported: false})",
    "a decoder that breaks": """
      const decode = VideoDecoder.prototype.decode; let left = 30;
      VideoDecoder.prototype.decode = function (chunk) {
        if ((left -= 1) < 0) throw new DOMException('broken', 'EncodingError');
        return decode.call(this, chunk);
      }""",
}


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
def test_where_decoding_fails_the_elements_go_on_from_there(
    browser: Browser, formats: Reel, formats_base: str, failure: str
) -> None:
    """The worker's own decoder is made to fail; play goes on at its time, and it is said."""
    a, b = formats.clips["vp8-16"], formats.clips["vp9-30"]
    context = browser.new_context()
    page = context.new_page()

    def spoil(route: Any) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, body=f"{failure};\n{answer.text()}")

    page.route("**/frames-worker.js", spoil)
    page.goto(f"{formats_base}/pair?engine=frames&a={a.name}&b={b.name}")
    page.wait_for_function("() => Boolean(window.watch && pairIsUp())")
    assert page.locator("clip-pair[data-engine=frames]").count() == 1
    page.evaluate("() => { clipPair().seek(2); clipPair().play(); }")
    page.wait_for_selector("clip-pair[data-engine=elements]")
    phase(page, "running")
    page.wait_for_function("() => clipPair().timeS > 2.3")
    assert page.evaluate("clipPair().timeS") < 8
    assert page.locator(".pane-canvas").count() == 0
    assert "own players" in page.inner_text(".transport")
    context.close()


# The original page's clips, which carry no code: their pixels against a reference decoder's

REAL_PAIRS = (
    ("clip_p0_res512x288_steps2.webm", "clip_p0_res848x480_steps12.webm"),
    ("benchmark_hardware_2_2_2_A.mp4", "clip_p0_res512x288_steps8.webm"),
)


@pytest.mark.archive
@pytest.mark.parametrize("names", REAL_PAIRS, ids=str)
def test_real_clips_show_the_pictures_a_reference_decoder_finds_there(
    browser: Browser, archive: Path, names: tuple[str, str]
) -> None:
    """Of all frames within a second, the one due is the nearest to what is on screen."""
    clips = [read_footage(archive / name) for name in names]
    points = [sample_points(clip) for clip in clips]
    with serving(fixture_app(clips)) as base:
        page = browser.new_page()
        page.goto(f"{base}/pair?engine=frames&a={clips[0].name}&b={clips[1].name}")
        page.wait_for_function("() => Boolean(window.framesReady && framesReady())")
        page.evaluate("clipPair().play()")
        phase(page, "running")
        samples = page.evaluate("([points, ms]) => watchLumas(points, ms)", [points, 1500])
        page.evaluate("clipPair().seek(6.2)")
        page.wait_for_timeout(1200)
        samples += page.evaluate("([points, ms]) => watchLumas(points, ms)", [points, 800])
        page.close()
    assert len(samples) > 60
    for side, clip in enumerate(clips):
        pictures = reference_lumas(clip, points[side], until_s=max(s[0] for s in samples) + 1)
        wrong = []
        for clock_s, lumas in samples:
            frame = due(clip, clock_s)
            near = range(max(0, frame - 20), min(frame + 20, len(pictures)))
            away = {one: np.abs(pictures[one] - lumas[side]).mean() for one in near}
            nearest = min(away, key=lambda one: away[one])
            same = np.abs(pictures[nearest] - pictures[frame]).mean() < 0.05
            if nearest != frame and not same:
                wrong.append((clock_s, frame, nearest, away[frame], away[nearest]))
        assert wrong == []


def sample_points(clip: Footage) -> list[tuple[int, int]]:
    draw = np.random.default_rng(1)
    return [
        (int(x), int(y))
        for x, y in zip(
            draw.integers(0, clip.width, 600), draw.integers(0, clip.height, 600), strict=True
        )
    ]


def reference_lumas(
    clip: Footage, points: list[tuple[int, int]], until_s: float
) -> dict[int, np.ndarray[Any, Any]]:
    """Frame index -> BT.709 luma of RGB at the points, as PyAV decodes them, frame for packet."""
    at = np.array(points)
    found = {}
    with av.open(str(clip.path)) as container:
        for index, frame in enumerate(container.decode(video=0)):
            if clip.timestamps_s[index] > until_s:
                break
            rgb = frame.to_ndarray(format="rgb24")[at[:, 1], at[:, 0]].astype(float)
            found[index] = rgb @ np.array([0.2126, 0.7152, 0.0722])
    return found
