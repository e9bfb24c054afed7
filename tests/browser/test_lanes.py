"""Lanes under the timeline, previews over it, and clips shown at the pace at which they came.

Which frame is seen is read back from the pixels; which is due is worked out here from the file's
packets and the run's arrivals, what is drawn is asked of the browser's own geometry.
"""

from __future__ import annotations

import io
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from numpy.typing import NDArray
from playwright.sync_api import Browser, Page, expect

from generator.clips.card import render_card
from generator.clips.display import prepare
from generator.publish.serve import application

from .fixture import Extras, fixture_app
from .footage import Footage, read_footage
from .launch import forbidden
from .loopback import serving

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

CHUNK, FIRST_S, EACH_S = 12, 0.6, 0.5
"""A's run made chunks of so many frames; when the first came, and each further one."""
STATED_FPS = 5
"""What B's run states; it recorded no arrivals."""
SLACK_S = 1e-6
MOVED = """
globalThis.moved = 0;
new PerformanceObserver((list) => {
  for (const one of list.getEntries()) if (!one.hadRecentInput) moved += one.value;
}).observe({ type: 'layout-shift', buffered: true });
"""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Two cards that differ in rate and length, what is known of them, and where they are."""

    a: Footage
    b: Footage
    extras: dict[str, Extras]
    sheets: dict[str, Path]
    base: str

    def schedules(self, base: str) -> tuple[list[float], list[float], float]:
        """When the frames of A and of B are due, and where the transport ends: from the words of
        the definition, not from the player."""
        a, b = list(self.a.timestamps_s), list(self.b.timestamps_s)
        a_s, b_s = round(self.a.duration_s, 3), round(self.b.duration_s, 3)
        match base:
            case "frame":
                after = [a_s + n * a_s / len(a) for n in range(len(b))]
                return a, (a + after)[: len(b)], max(a_s, (a + after)[len(b)])
            case "fraction":
                longest = max(a_s, b_s)
                return [s / a_s * longest for s in a], [s / b_s * longest for s in b], longest
            case "live":
                came = self.extras[self.a.name].arrivals_s or []
                at_rate = [n / STATED_FPS for n in range(len(b))]
                return came, at_rate, max(came[-1], len(b) / STATED_FPS)
        return a, b, max(a_s, b_s)

    def due(self, base: str, time_s: float) -> tuple[int, int]:
        a, b, _ = self.schedules(base)
        return due(a, time_s), due(b, time_s)


def due(schedule_s: list[float], time_s: float) -> int:
    return max(0, bisect_right(schedule_s, time_s + SLACK_S) - 1)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("lanes")
    clips, extras, sheets = [], {}, {}
    for name, rate, seconds in (("a", Fraction(24), 6), ("b", Fraction(15), 7)):
        path = folder / f"{name}.mp4"
        render_card(path, width=512, height=288, rate=rate, seconds=Fraction(seconds))
        clip = read_footage(path)
        board = prepare(path, sha256=None, spread_over_s=None, cache=folder / "cache").storyboard
        count = len(clip.timestamps_s)
        clips.append(clip)
        sheets[name] = board.path
        shape = (board.columns, board.rows, board.tiles, board.tile_width, board.tile_height)
        waits: list[float | None] = [40 + n % 12 for n in range(count)]
        waits[30:40] = [None] * 10
        extras[clip.name] = Extras(
            arrivals_s=[FIRST_S + EACH_S * (n // CHUNK) for n in range(count)]
            if name == "a"
            else None,
            series=({"name": "step latency", "unit": "ms", "values": waits},)
            if name == "a"
            else (),
            fps=24 if name == "a" else STATED_FPS,
            board=(board.path, " ".join(map(str, shape))),
        )
    with serving(fixture_app(clips, extras)) as base:
        yield Stage(a=clips[0], b=clips[1], extras=extras, sheets=sheets, base=base)


Open = Callable[..., Page]


@pytest.fixture
def open_page(browser: Browser, stage: Stage) -> Iterator[Open]:
    """Opens the pair; fails on any complaint, and on whatever the policy forbids."""
    complaints: list[str] = []
    contexts = []
    violations: list[list[str]] = []

    def open_it(more: str = "&engine=frames", lanes: bool = True, **context: Any) -> Page:
        opened = browser.new_context(viewport={"width": 1200, "height": 1000}, **context)
        contexts.append(opened)
        violations.append(forbidden(opened))
        opened.add_init_script(MOVED)
        page = opened.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.append(message.text))
        page.goto(f"{stage.base}/pair?a={stage.a.name}&b={stage.b.name}{more}")
        page.wait_for_function("() => Boolean(window.watch && pairIsUp())")
        if lanes:
            page.get_by_text("Frame by frame").click()
            drawn(page)
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert complaints == []
    assert [one for found in violations for one in found] == []


def drawn(page: Page, count: int = 2) -> None:
    page.wait_for_function(
        "(count) => document.querySelectorAll('.lane path[d^=M]').length === count", arg=count
    )


def still(page: Page) -> None:
    page.wait_for_function(
        "() => { const s = clipPair().state;"
        " return s.phase === 'still' && s.shownS === s.timeS && s.clips.b.frame !== null; }"
    )


def codes(page: Page) -> tuple[int, int]:
    return tuple(page.evaluate("tick()[5]"))  # type: ignore[return-value]


def box_of(page: Page, which: str) -> dict[str, float]:
    found = page.locator(which).bounding_box()
    assert found
    return dict(found)


@pytest.mark.parametrize("base", ["time", "frame", "fraction", "live"])
def test_a_press_on_a_lane_leads_to_the_frames_under_the_pointer(
    open_page: Open, stage: Stage, base: str
) -> None:
    """In every base the axis is the timeline's; a drag goes on from there."""
    page = open_page()
    page.evaluate("(base) => clipPair().setBase(base)", base)
    _, _, end_s = stage.schedules(base)
    page.evaluate("clipPair().seek(0)")
    still(page)
    box = box_of(page, ".lanes-plot")
    if base == "live":
        end_s = page.evaluate("clipPair().state.endS")
        assert end_s == pytest.approx(len(stage.b.timestamps_s) / STATED_FPS)
    track = box_of(page, ".transport-track")
    assert (box["x"], box["width"]) == (track["x"], track["width"])
    y = box["y"] + box["height"] / 3
    for share in (0.07, 0.5, 0.23, 0.91):
        x = round(box["x"] + share * box["width"])
        page.mouse.click(x, y)
        still(page)
        assert codes(page) == stage.due(base, (x - box["x"]) / box["width"] * end_s)
    page.mouse.move(box["x"] + 100, y)
    page.mouse.down()
    page.mouse.move(box["x"] + 400, y, steps=6)
    page.mouse.up()
    page.mouse.move(box["x"] + 500, y)
    still(page)
    assert codes(page) == stage.due(base, 400 / box["width"] * end_s)


def test_the_playhead_stands_where_the_clock_does(open_page: Open) -> None:
    """Once per animation frame while playing, and after seeks."""
    page = open_page()
    look = """() => {
      const { left, width } = document.querySelector('.lanes-plot').getBoundingClientRect();
      const head = document.querySelector('.lanes-plot > i').getBoundingClientRect();
      const { timeS, endS } = clipPair().state;
      return head.left + head.width / 2 - left - (timeS / endS) * width;
    }"""
    for time_s in (0, 0.5, 3.3, 7):
        page.evaluate("(timeS) => clipPair().seek(timeS)", time_s)
        still(page)
        assert abs(page.evaluate(look)) < 0.6
    page.evaluate("() => { clipPair().seek(0.2); clipPair().play(); }")
    page.wait_for_function("() => clipPair().state.phase === 'running'")
    off = page.evaluate(f"""() => new Promise((done) => {{
      const look = {look};
      const seen = [];
      const go = () => {{
        // The player draws in this very frame, before or after this: its clock is the same.
        queueMicrotask(() => seen.push(look()));
        if (seen.length < 60) requestAnimationFrame(go); else done(seen);
      }};
      requestAnimationFrame(go);
    }})""")
    assert max(map(abs, off)) < 0.6


def test_the_values_at_the_playhead_are_there_as_text(open_page: Open, stage: Stage) -> None:
    """Bits of the very packets; nothing where the run recorded nothing."""
    page = open_page()
    for time_s in (0, 1.26, 5.99, 6.5):
        page.evaluate("(timeS) => clipPair().seek(timeS)", time_s)
        still(page)
        frames = stage.due("time", time_s)
        sizes = (stage.a.packet_bytes[frames[0]], stage.b.packet_bytes[frames[1]])
        said = [f"{letter} {bits_text(8 * size)}" for letter, size in zip("AB", sizes, strict=True)]
        assert page.locator(".lanes-values").inner_text().split("\n") == said or (
            " ".join(page.locator(".lanes-values").inner_text().split()) == " ".join(said)
        )
    page.get_by_label("Series").select_option("step latency [ms]")
    for time_s, text in ((1.01, "40 ms"), (35.5 / 24, "–")):
        page.evaluate("(timeS) => clipPair().seek(timeS)", time_s)
        still(page)
        shown = " ".join(page.locator(".lanes-values").inner_text().split())
        assert shown == f"A {text} B –"
    tree = page.locator("clip-pair .transport-lanes").aria_snapshot()
    assert "A –" in tree or "A" in tree


def bits_text(bits: int) -> str:
    return f"{float(f'{bits / 1000:.3g}'):g} kbit" if bits >= 1000 else f"{bits} bit"


def test_what_is_drawn_is_what_the_packets_say(open_page: Open, stage: Stage) -> None:
    """The browser is asked which points the drawing fills: below each value, and not above."""
    page = open_page()
    _, _, end_s = stage.schedules("time")
    sizes = [8 * n for n in (*stage.a.packet_bytes, *stage.b.packet_bytes)]
    logarithmic = max(sizes) / min(sizes) >= 20
    assert ("logarithmic" in page.locator(".lanes-scale").inner_text()) == logarithmic
    low = min(sizes) / 1.5 if logarithmic else 0
    for row, clip in enumerate((stage.a, stage.b)):
        wanted = []
        for frame in range(0, len(clip.timestamps_s), 7):
            middle = (clip.timestamps_s[frame] + 0.5 / (24, 15)[row]) / end_s * 480
            column = int(middle)
            here = [
                8 * size
                for n, size in enumerate(clip.packet_bytes)
                if clip.timestamps_s[n] / end_s * 480 < column + 1 - 1e-6
                and (n + 1) / (24, 15)[row] / end_s * 480 > column + 1e-6
            ]
            share = (
                np.log(max(here) / low) / np.log(max(sizes) / low)
                if logarithmic
                else max(here) / max(sizes)
            )
            wanted.append([column + 0.5, 40 * (1 - float(share))])
        filled = page.evaluate(
            """([row, points]) => {
              const path = document.querySelectorAll('.lane path')[row];
              return points.map(([x, y]) => [path.isPointInFill({ x, y: y + 0.2 }),
                path.isPointInFill({ x, y: y - 0.2 })]);
            }""",
            [row, wanted],
        )
        assert filled == [[True, False]] * len(wanted)
    past = page.evaluate("document.querySelector('.lane path').isPointInFill({ x: 470, y: 39.9 })")
    assert not past, "A is over by then"


def test_as_live_the_frames_come_as_the_run_recorded_them(open_page: Open, stage: Stage) -> None:
    """A by its recorded arrivals, chunk after chunk; B at its stated rate; and both say so."""
    page = open_page(lanes=False)
    assert page.evaluate("clipPair().setBase('live')") is None
    page.evaluate("clipPair().seek(0.3)")
    still(page)
    assert codes(page) == (0, 1)
    clocks = page.locator(".pane-clock")
    mean = 144 / (stage.schedules("live")[0][-1] * 144 / 143)
    expect(clocks.first).to_have_text(f"144 frames · arrivals: mean {mean:.1f} FPS")
    expect(clocks.last).to_contain_text("frame 1 of 0–104 · at the stated 5 FPS")
    page.evaluate("() => { startWatching(); clipPair().play(); }")
    page.wait_for_function("() => clipPair().state.phase === 'running'")
    page.wait_for_timeout(2000)
    page.evaluate("clipPair().pause()")
    ticks = page.evaluate("stopWatching()")
    seen = [(tick[1], tuple(tick[5])) for tick in ticks if None not in tick[5]]
    assert len({pair for _, pair in seen}) > 8
    wrong = [(time_s, pair) for time_s, pair in seen if pair != stage.due("live", time_s)]
    assert wrong == [], "wrong frame"
    assert {a for _, (a, _) in seen} <= {0, *range(CHUNK - 1, 144, CHUNK)}, "chunks come whole"
    page.evaluate("clipPair().setBase('time')")
    expect(clocks.first).to_contain_text("24.0 fps")


def test_as_live_a_slate_stands_where_no_frame_was_there_yet(open_page: Open) -> None:
    """Until the first chunk has come, in every mode; a step leads to it and back."""
    page = open_page(lanes=False)
    page.evaluate("clipPair().setBase('live')")
    page.evaluate("clipPair().seek(0.3)")
    still(page)
    slate = page.locator("[data-side=a] .pane-slate")
    expect(slate).to_be_visible()
    expect(slate).to_have_text(f"No frame yetFirst frame after {FIRST_S} s")
    expect(page.locator("[data-side=b] .pane-slate")).to_be_hidden()
    top = """() => {
      const box = document.querySelector('[data-side=a] .pane-canvas').getBoundingClientRect();
      const found = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
      return Boolean(found.closest('.pane-slate'));
    }"""
    assert page.evaluate(top)
    assert page.evaluate("clipPair().state.clips.a.frame") is None
    expect(page.get_by_role("slider", name="Time")).to_have_attribute(
        "aria-valuetext", "0.3 of 21.0 seconds, frame B 1"
    )
    page.evaluate("clipPair().setView({ mode: 'difference' })")
    expect(page.locator(".stage-difference")).to_be_hidden()
    page.wait_for_function(top)
    page.locator("clip-pair").press(".")
    page.locator("clip-pair").press(".")
    page.wait_for_function("(first) => clipPair().state.shownS === first", arg=FIRST_S)
    expect(slate).to_be_hidden()
    expect(page.locator(".stage-difference")).to_be_visible()
    page.locator("clip-pair").press(",")
    page.wait_for_function("(first) => clipPair().state.shownS < first", arg=FIRST_S)
    expect(slate).to_be_visible()
    page.set_viewport_size({"width": 360, "height": 740})
    page.evaluate("clipPair().setView({ mode: 'side' })")
    for side in "ab":
        cut = "(one) => one.getBoundingClientRect().right > innerWidth || !one.offsetHeight"
        assert not page.locator(f"[data-side={side}] .pane-clock > i").evaluate(cut)


def test_an_address_as_live_waits_for_the_arrivals(open_page: Open, stage: Stage) -> None:
    """The base is asked for before anything is loaded, as a copied address asks."""
    page = open_page(lanes=False)
    page.evaluate("clipPair().restore(new URLSearchParams('base=live&t=1.2'))")
    still(page)
    assert page.evaluate("clipPair().state.base") == "live"
    assert codes(page) == stage.due("live", 1.2)


def test_a_pointer_on_the_time_bar_shows_what_is_there(open_page: Open, stage: Stage) -> None:
    """Which tile: from the sheet's geometry and from its pixels. Nothing moves, nothing is said."""
    page = open_page(lanes=False)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    assert page.locator(".transport-preview").count() == 0
    track = box_of(page, ".transport-track")
    y = track["y"] + track["height"] / 2
    page.mouse.move(track["x"] + 5, y)
    page.mouse.move(track["x"] + 9, y)
    page.wait_for_function("() => document.querySelector('.transport-preview:not([hidden])')")
    page.wait_for_function("() => clipPair().state.clips.b.stepsFrames")
    page.wait_for_load_state("networkidle")
    assert sorted(url for url in asked if "/boards/" in url) == [
        f"{stage.base}/boards/{clip.name}" for clip in (stage.a, stage.b)
    ]
    sheets = {side: picture(path.read_bytes()) for side, path in stage.sheets.items()}
    for share in (0.0, 0.31, 0.62, 0.995):
        x = round(track["x"] + share * (track["width"] - 1))
        page.mouse.move(x, y)
        page.evaluate("twoPaints()")
        time_s = (x - track["x"]) / track["width"] * 7
        expect(page.locator(".preview-time")).to_have_text(f"{int(time_s * 10 + 1e-6) / 10:.1f} s")
        for side, clip in (("a", stage.a), ("b", stage.b)):
            own_s = clip.timestamps_s[due(list(clip.timestamps_s), time_s)]
            tile = min(24, int(own_s / round(clip.duration_s, 3) * 25 + 1e-9))
            column, row = tile % 5, tile // 5
            shown = page.locator(f".preview-tile[data-side={side}]")
            assert placed(shown.evaluate("(e) => getComputedStyle(e).backgroundPosition")) == (
                pytest.approx((25 * column, 25 * row), abs=0.01)
            )
            seen = picture(shown.screenshot())
            assert seen.shape[1] in (160, 161), "as wide as on its sheet, perhaps between pixels"
            likeness = {
                (c, r): np.abs(
                    seen[20:88, :160]
                    - sheets[side][90 * r + 20 : 90 * r + 88, 160 * c : 160 * c + 160]
                ).mean()  # the letter stands above
                for r in range(5)
                for c in range(5)
            }
            assert min(likeness, key=lambda at: likeness[at]) == (column, row), (side, tile)
        preview = box_of(page, ".preview-box")
        assert preview["x"] >= track["x"] - 1
        assert preview["x"] + preview["width"] <= track["x"] + track["width"] + 1
        assert preview["y"] + preview["height"] <= track["y"], "it stands above the bar"
    assert page.locator(".transport-preview").get_attribute("aria-hidden") == "true"
    page.mouse.move(track["x"], track["y"] + 200)
    expect(page.locator(".preview-box")).to_be_hidden()
    assert page.evaluate("moved") == 0


def placed(text: str) -> tuple[float, ...]:
    return tuple(float(part.removesuffix("%")) for part in text.split())


def picture(data: bytes) -> NDArray[np.float64]:
    """Height x width x RGB."""
    with av.open(io.BytesIO(data)) as reader:
        return next(reader.decode(video=0)).to_ndarray(format="rgb24").astype(float)


def test_keys_and_fingers_on_the_time_bar_show_it_too(open_page: Open) -> None:
    page = open_page(lanes=False, has_touch=True)
    slider = page.get_by_role("slider", name="Time")
    slider.focus()
    slider.press("PageUp")
    shown = page.locator(".preview-box")
    expect(shown).to_be_visible()
    expect(page.locator(".preview-time")).to_have_text("1.0 s")
    expect(shown).to_be_hidden(timeout=4000)
    slider.press("End")
    expect(page.locator(".preview-time")).to_have_text("7.0 s")
    slider.blur()
    expect(shown).to_be_hidden()
    track = box_of(page, ".transport-track")
    page.touchscreen.tap(track["x"] + track["width"] / 2, track["y"] + track["height"] / 2)
    expect(shown).to_be_visible()
    expect(page.locator(".preview-time")).to_have_text("3.5 s")


def test_nothing_is_asked_for_before_somebody_wants_it(open_page: Open) -> None:
    """Neither code nor numbers nor sheets; and opening moves nothing by itself."""
    asked: list[str] = []
    page = open_page(lanes=False)
    page.on("request", lambda request: asked.append(request.url))
    page.reload()
    page.wait_for_function("() => Boolean(window.watch && pairIsUp())")
    page.wait_for_load_state("networkidle")
    parts = ("lanes.js", "preview.js", "/lanes/", "/boards/")
    assert [
        url for url in asked if url.endswith(parts[:2]) or any(p in url for p in parts[2:])
    ] == []
    page.get_by_text("Frame by frame").click()
    drawn(page)
    assert not [url for url in asked if "/boards/" in url]
    assert len([url for url in asked if "/lanes/" in url]) == 2
    assert page.evaluate("moved") == 0


def test_another_clip_brings_other_numbers(open_page: Open, stage: Stage) -> None:
    page = open_page()
    page.evaluate("clipPair().seek(1)")
    still(page)
    before = page.locator(".lane path").first.get_attribute("d")
    page.evaluate(
        "([side, clip]) => clipPair().load(side, clip)",
        ["a", {
            "id": stage.b.name, "src": f"/clips/{stage.b.name}", "width": 512, "height": 288,
            "durationS": 7, "timestampsUrl": f"/timestamps/{stage.b.name}.json",
            "lanesUrl": f"/lanes/{stage.b.name}.json",
        }],
    )  # fmt: skip
    page.wait_for_function(
        "() => { const [a, b] = document.querySelectorAll('.lane path');"
        " return a.getAttribute('d') === b.getAttribute('d'); }"
    )
    assert page.locator(".lane path").first.get_attribute("d") != before
    expect(page.get_by_label("Series")).to_be_hidden()
    assert page.locator(".lanes-name").inner_text() == "bits per frame:"


def test_lanes_work_where_elements_are_steered(open_page: Open, stage: Stage) -> None:
    page = open_page("")
    assert page.locator("clip-pair[data-engine=elements]").count() == 1
    box = box_of(page, ".lanes-plot")
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 5)
    assert page.evaluate("clipPair().timeS") == pytest.approx(3.5, abs=0.02)


@pytest.mark.parametrize("count", [1, 9])
def test_a_row_stands_for_each_clip(open_page: Open, stage: Stage, count: int) -> None:
    names = dict.fromkeys("abcdefghi"[:count], stage.b.name)
    query = "".join(f"&{side}={name}" for side, name in names.items())
    page = open_page(f"{query}&engine=frames" if count > 1 else "&b=&engine=frames", lanes=False)
    page.get_by_text("Frame by frame").click()
    drawn(page, count)
    assert page.locator(".lane > span").all_inner_texts()[:count] == list("ABCDEFGHI"[:count])
    assert box_of(page, ".lanes-plot")["height"] < 260


@pytest.mark.parametrize("width", [360, 1440])
@pytest.mark.parametrize("colours", [None, "active"])
def test_axe_finds_nothing_and_the_drawing_stands_out(
    open_page: Open, width: int, colours: str | None
) -> None:
    page = open_page(forced_colors=colours) if colours else open_page()
    page.set_viewport_size({"width": width, "height": 900})
    page.evaluate("clipPair().seek(2)")
    still(page)
    slider = page.get_by_role("slider", name="Time")
    slider.press("ArrowRight")
    page.locator(".preview-box:visible").wait_for()
    # What colours the system forces, axe cannot tell; there the pixels are looked at below.
    rules = {"color-contrast": {"enabled": colours is None}}
    found = Axe().run(page, context="clip-pair", options={"rules": rules}).response["violations"]
    assert [(rule["id"], [n["html"] for n in rule["nodes"]]) for rule in found] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.locator(".lanes-plot").scroll_into_view_if_needed()
    lane = picture(page.locator(".lane").last.screenshot())
    ground, drawing = lane[2, -40:].mean(axis=0), lane[-5, -40:].mean(axis=0)
    assert np.abs(ground - drawing).max() > 60


def test_the_published_site_has_numbers_and_sheets(browser: Browser, site: Path) -> None:
    """From the site's own files under its own policy: bits of the very packets that play."""
    with serving(application(site)) as base:
        context = browser.new_context(viewport={"width": 1440, "height": 1000})
        violations = forbidden(context)
        page = context.new_page()
        page.goto(f"{base}/compare/")
        page.locator(".transport").wait_for()
        page.get_by_text("Frame by frame").click()
        drawn(page)
        page.wait_for_function("() => document.querySelector('clip-pair').schedule('b')")
        asked = page.evaluate("""async () => {
          const pair = document.querySelector('clip-pair');
          return Promise.all(pair.sides.map(async (side) => (
            [pair.clip(side).src, (await pair.lanes(side)).series[0]])));
        }""")
        for src, series in asked:
            data = context.request.get(src).body()
            with av.open(io.BytesIO(data)) as reader:
                packets = [p for p in reader.demux(video=0) if p.pts is not None]
            packets.sort(key=lambda packet: packet.pts or 0)
            assert series["values"] == [8 * packet.size for packet in packets]
            assert (series["name"], series["unit"]) == ("bits per frame", "bit")
        track = box_of(page, ".transport-track")
        with page.expect_response(lambda answer: "/media/" in answer.url) as found:
            page.mouse.move(track["x"] + 40, track["y"] + 9)
            page.mouse.move(track["x"] + 50, track["y"] + 9)
        assert found.value.ok
        page.locator(".preview-box:visible").wait_for()
        context.close()
    assert violations == []
