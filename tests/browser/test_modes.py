"""The ways of laying two clips over each other, judged by what is on the screen."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import av
import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from numpy.typing import NDArray
from playwright.sync_api import Browser, Page, expect

from .footage import Reel
from .scenarios import open_pair

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

MODES = ("side", "wipe", "overlay", "flicker", "difference")
Pixels = NDArray[np.float64]


@pytest.fixture
def page(browser: Browser, cards: Reel, cards_base: str) -> Iterator[Page]:
    """Two cards of one size, at 3.1 s, with their pictures drawn."""
    a, b = cards.pair("small")
    complaints: list[str] = []
    query = f"a={a.name}&b={b.name}&engine=frames"
    page = open_pair(browser, cards_base, query, complaints=complaints)
    page.evaluate("clipPair().seek(3.1)")
    page.wait_for_function("() => clipPair().state.clips.b.frame !== null")
    yield page
    page.context.close()
    assert complaints == []


def view(page: Page, **change: Any) -> None:
    page.evaluate("(change) => clipPair().setView(change)", change)
    page.evaluate("twoPaints()")


def seen(page: Page) -> Pixels:
    """The picture where both clips lie, as a person sees it: height x width x RGB."""
    box = page.locator("[data-side=a] .pane-canvas").bounding_box()
    assert box
    shot = page.screenshot(clip=box, animations="allow")
    with av.open(io.BytesIO(shot)) as reader:
        return next(reader.decode(video=0)).to_ndarray(format="rgb24").astype(float)


def alone(page: Page) -> tuple[Pixels, Pixels]:
    """A and B, each by itself at the size they have over each other; tags are covered."""
    page.evaluate(
        "for (const one of document.querySelectorAll('.pane-tag, .stage-split'))"
        " one.style.opacity = 0"
    )
    view(page, mode="wipe", split=1)
    a = seen(page)
    view(page, mode="wipe", split=0)
    return a, seen(page)


def test_the_wipe_shows_one_clip_left_and_the_other_right_of_its_divider(page: Page) -> None:
    a, b = alone(page)
    assert np.abs(a - b).max() > 100
    view(page, mode="wipe", split=0.5)
    both = seen(page)
    middle = both.shape[1] // 2

    assert np.abs(both[:, : middle - 2] - a[:, : middle - 2]).max() <= 2
    assert np.abs(both[:, middle + 2 :] - b[:, middle + 2 :]).max() <= 2
    page.locator("clip-pair").press("x")
    page.evaluate("twoPaints()")
    swapped = seen(page)
    assert np.abs(swapped[:, : middle - 2] - b[:, : middle - 2]).max() <= 2
    assert np.abs(swapped[:, middle + 2 :] - a[:, middle + 2 :]).max() <= 2


def test_the_divider_is_a_slider_for_keys_and_for_a_finger(page: Page) -> None:
    view(page, mode="wipe", split=0.5)
    divider = page.get_by_role("slider", name="Where one clip ends")
    divider.press("ArrowRight")
    assert page.evaluate("clipPair().view.split") == 0.51
    assert divider.get_attribute("aria-valuetext") == "A 51 %, B 49 %"
    box = page.locator("[data-side=a] .pane-canvas").bounding_box()
    assert box
    high = box["y"] + box["height"] * 0.3
    page.mouse.move(box["x"] + box["width"] * 0.51, high)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.25, high, steps=5)
    page.mouse.up()
    assert page.evaluate("clipPair().view.split") == pytest.approx(0.25, abs=0.02)
    page.mouse.click(box["x"] + box["width"] * 0.8, high)
    page.wait_for_function("() => clipPair().state.playing")


def test_the_divider_ends_with_the_picture(page: Page) -> None:
    view(page, mode="wipe")
    picture, divider = (
        page.locator(which).bounding_box()
        for which in ("[data-side=a] .pane-canvas", ".stage-split")
    )
    assert picture
    assert divider
    assert divider["y"] == pytest.approx(picture["y"], abs=1)
    assert divider["height"] == pytest.approx(picture["height"], abs=1)


def test_the_overlay_mixes_both_by_its_opacity(page: Page) -> None:
    a, b = alone(page)
    for mix in (0, 0.25, 0.5, 1):
        view(page, mode="overlay", mix=mix)
        off = np.abs(seen(page) - ((1 - mix) * a + mix * b))
        assert off.max() <= 16, "the compositor scales and rounds both before it mixes"
        assert off.mean() <= 1


def test_the_difference_is_what_its_definition_says(page: Page) -> None:
    """Held against numpy, from the pixels of the two canvases; and the same frame is black."""
    view(page, mode="difference", gain=4, heat=False)
    a, b, shown = canvases(page)
    assert np.array_equal(shown, np.clip(np.abs(b - a) * 4, 0, 255))
    view(page, heat=True)
    _, _, shown = canvases(page)
    lighter = np.floor((b - a) @ np.array([54, 183, 19]) / 256)
    assert np.abs(shown[lighter == 0]).max() == 0
    assert (shown[lighter > 8, 0] > shown[lighter > 8, 2]).all()
    assert (shown[lighter < -8, 2] > shown[lighter < -8, 0]).all()


def canvases(page: Page) -> list[Pixels]:
    """RGB of A's and B's picture and of their difference, from the canvases themselves."""
    found = page.evaluate("""() => ['[data-side=a] .pane-canvas', '[data-side=b] .pane-canvas',
      '.stage-difference'].map((which) => {
      const { width, height } = document.querySelector(which);
      const scratch = new OffscreenCanvas(width, height).getContext('2d');
      scratch.drawImage(document.querySelector(which), 0, 0);
      return [...scratch.getImageData(0, 0, width, height).data];
    })""")
    return [np.array(one, dtype=float).reshape(-1, 4)[:, :3] for one in found]


def test_flicker_shows_one_at_a_time_and_never_flashes_fast(page: Page) -> None:
    view(page, mode="flicker", hz=99)
    assert page.evaluate("clipPair().view.hz") == 3
    changes = page.evaluate("""() => new Promise((done) => {
      const over = document.querySelector('[data-side=b] .pane-screen');
      const seen = []; const untilMs = performance.now() + 2000;
      const look = () => {
        const { visibility } = getComputedStyle(over);
        if (seen.at(-1) !== visibility) seen.push(visibility);
        if (performance.now() < untilMs) requestAnimationFrame(look); else done(seen.length - 1);
      };
      look();
    })""")
    assert 8 <= changes <= 12  # three times there and back a second


def test_who_wants_little_motion_swaps_by_hand(
    browser: Browser, cards: Reel, cards_base: str
) -> None:
    a, b = cards.pair("small")
    query = f"a={a.name}&b={b.name}&engine=frames"
    page = open_pair(browser, cards_base, query, reduced_motion="reduce")
    view(page, mode="flicker")
    assert page.evaluate("document.getAnimations().length") == 0
    page.context.close()


TRANSFORMS = """() => [...document.querySelectorAll('.pane-canvas')]
  .map((one) => getComputedStyle(one).transform)"""


def test_zoom_and_pan_move_both_alike_until_they_are_unlocked(page: Page) -> None:
    page.locator("clip-pair").press("+")
    page.locator("clip-pair").press("+")
    assert page.evaluate("clipPair().view.zoom") == 2.25
    drag(page, 0.1, 0.05)
    before = page.evaluate(TRANSFORMS)
    assert before[0] == before[1] != "none"
    assert page.evaluate("clipPair().view.panX") == pytest.approx(0.1 / 2.25, abs=0.005)
    assert not page.evaluate("clipPair().state.playing"), "a drag is no click"
    page.locator("clip-pair").press("u")
    drag(page, 0.05, 0)
    after = page.evaluate(TRANSFORMS)
    assert after[0] == before[0]
    assert after[1] != before[1]
    page.locator("clip-pair").press("0")
    page.evaluate("twoPaints()")
    assert page.evaluate("clipPair().view.zoom") == 1
    assert len(set(page.evaluate(TRANSFORMS))) == 1


def drag(page: Page, x: float, y: float) -> None:
    """Drags A's picture by shares of its pane's size."""
    box = page.locator("[data-side=a] .pane-canvas").evaluate(
        "(one) => { const b = one.parentElement.getBoundingClientRect();"
        " return [b.x, b.y, b.width, b.height]; }"
    )
    at = box[0] + box[2] / 2, box[1] + box[3] / 2
    page.mouse.move(*at)
    page.mouse.down()
    page.mouse.move(at[0] + x * box[2] / 2, at[1] + y * box[3] / 2)
    page.mouse.move(at[0] + x * box[2], at[1] + y * box[3])
    page.mouse.up()


PLACES = """() => {
  const [a, b] = ['a', 'b']
    .map((side) => document.querySelector(`[data-side=${side}] .pane-canvas`));
  const box = [a.offsetWidth, a.offsetHeight];
  const wide = Math.min(box[0], (box[1] * a.width) / a.height);
  const [left, right] = [a, b].map((one) => one.getBoundingClientRect());
  const high = (wide * a.height) / a.width;
  return { box, share: [(right.left - left.left) / wide, (right.top - left.top) / high] };
}"""


@pytest.mark.parametrize("mode", ["wipe", "overlay"])
def test_an_aligned_clip_lies_where_it_lay_whatever_the_window(page: Page, mode: str) -> None:
    """By the same share of its picture, also where the pane is wider than the picture."""
    view(page, mode=mode, alignX=0.1, alignY=-0.05)
    seen = []
    for width, height in ((1200, 900), (1200, 500), (800, 1100), (360, 740)):
        page.set_viewport_size({"width": width, "height": height})
        page.evaluate("twoPaints()")
        seen.append(page.evaluate(PLACES))
    shapes = [round(one["box"][0] / one["box"][1], 2) for one in seen]
    assert max(shapes) > 1.2 * min(shapes), "no pane is wider than its picture"
    for one in seen:
        assert one["share"] == pytest.approx([0.1, -0.05], abs=0.002)


@pytest.fixture
def touch(browser: Browser, cards: Reel, cards_base: str) -> Iterator[Page]:
    """The same on a screen for fingers."""
    a, b = cards.pair("small")
    page = open_pair(
        browser,
        cards_base,
        f"a={a.name}&b={b.name}&engine=frames",
        viewport={"width": 400, "height": 740},
        has_touch=True,
        is_mobile=True,
    )
    page.evaluate("clipPair().seek(3.1)")
    page.wait_for_function("() => clipPair().state.clips.b.frame !== null")
    yield page
    page.context.close()


def fingers(page: Page, *moves: list[tuple[float, float]]) -> None:
    """Fingers set down at the first places of A's picture, led to the further ones, lifted."""
    box = page.locator("[data-side=a] .pane-screen").bounding_box()
    assert box
    session = page.context.new_cdp_session(page)
    for number, places in enumerate(moves):
        points = [
            {"x": box["x"] + x * box["width"], "y": box["y"] + y * box["height"], "id": finger}
            for finger, (x, y) in enumerate(places)
        ]
        kind = "touchMove" if number else "touchStart"
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        page.evaluate("twoPaints()")
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    page.evaluate("twoPaints()")


@pytest.mark.parametrize("mode", ["side", "wipe"])
def test_two_fingers_enlarge_both_pictures_and_not_the_page(touch: Page, mode: str) -> None:
    view(touch, mode=mode)
    fingers(
        touch,
        [(0.15, 0.4), (0.35, 0.4)],
        [(0.1, 0.4), (0.4, 0.4)],
        [(0.05, 0.4), (0.45, 0.4)],
    )
    touch.wait_for_function("() => Math.abs(clipPair().view.zoom - 2) < 0.02")
    found = touch.evaluate("clipPair().view")
    # The quarter of the picture's width that was between the fingers is there still.
    assert found["zoom"] * (-0.25 + found["panX"]) == pytest.approx(-0.25, abs=0.01)
    assert len(set(touch.evaluate(TRANSFORMS))) == 1
    assert touch.evaluate("[visualViewport.scale, scrollY]") == [1, 0]
    assert not touch.evaluate("clipPair().state.playing"), "two fingers are no click"
    assert touch.evaluate("new URL(clipPair().link).searchParams.get('zoom')").startswith("2,")
    fingers(touch, [(0.1, 0.4), (0.4, 0.4)], [(0.2, 0.4), (0.3, 0.4)], [(0.24, 0.4), (0.26, 0.4)])
    touch.wait_for_function("() => clipPair().view.zoom === 1 && clipPair().view.panX === 0")


@pytest.mark.parametrize("mode", ["side", "wipe"])
def test_one_finger_scrolls_the_page_and_leads_the_divider(touch: Page, mode: str) -> None:
    view(touch, mode=mode, split=0.5)
    if mode == "wipe":
        fingers(touch, [(0.5, 0.3)], [(0.45, 0.3)], [(0.35, 0.3)], [(0.25, 0.3)])
        touch.wait_for_function("() => Math.abs(clipPair().view.split - 0.25) < 0.03")
        assert touch.evaluate("scrollY") == 0
    fingers(touch, [(0.8, 0.8)], [(0.8, 0.5)], [(0.8, 0.2)], [(0.8, -0.1)])
    touch.wait_for_function("() => scrollY > 20")
    assert touch.evaluate("clipPair().view.zoom") == 1


@pytest.mark.parametrize("mode", MODES)
def test_a_phone_shows_the_rate_of_each_clip_in_every_mode(page: Page, mode: str) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    view(page, mode=mode)
    for side, rate in (("a", "49.4 fps"), ("b", "16.3 fps")):
        told = page.locator(f"[data-side={side}] .pane-clock > i")
        expect(told).to_have_text(rate)
        assert told.evaluate("""(one) => {
          const [inner, outer] = [one, one.parentElement]
            .map((each) => each.getBoundingClientRect());
          return inner.left >= outer.left && inner.right <= outer.right + 0.5
            && inner.top >= outer.top - 0.5 && inner.bottom <= outer.bottom + 0.5
            && one.offsetHeight > 0 && outer.right <= innerWidth;
        }""")


@pytest.mark.parametrize("width", [360, 1440])
def test_axe_finds_nothing_in_any_mode_and_nothing_is_cut_off(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    for mode in MODES:
        view(page, mode=mode, heat=True)
        pressed = page.locator(".view-modes [aria-pressed=true]")
        expect(pressed).to_have_attribute("data-command", mode)
        found = Axe().run(page, context="clip-pair").response["violations"]
        assert [(rule["id"], rule["help"]) for rule in found] == [], mode
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_modes_work_where_elements_are_steered(
    browser: Browser, cards: Reel, cards_base: str
) -> None:
    """Engine B's videos go through the same modes; the difference is drawn from them."""
    a, b = cards.pair("small")
    page = open_pair(browser, cards_base, f"a={a.name}&b={b.name}")
    page.evaluate("clipPair().play()")
    page.wait_for_function("() => clipPair().state.phase === 'running'")
    view(page, mode="difference", gain=8)
    page.wait_for_function("() => !document.querySelector('.stage-difference').hidden")
    view(page, mode="wipe")
    assert page.locator(".stage-split").is_visible()
    page.context.close()
