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


def test_zoom_and_pan_move_both_alike_until_they_are_unlocked(page: Page) -> None:
    transforms = """() => [...document.querySelectorAll('.pane-canvas')]
      .map((one) => getComputedStyle(one).transform)"""
    page.locator("clip-pair").press("+")
    page.locator("clip-pair").press("+")
    assert page.evaluate("clipPair().view.zoom") == 2.25
    drag(page, 0.1, 0.05)
    before = page.evaluate(transforms)
    assert before[0] == before[1] != "none"
    assert page.evaluate("clipPair().view.panX") == pytest.approx(0.1 / 2.25, abs=0.005)
    assert not page.evaluate("clipPair().state.playing"), "a drag is no click"
    page.locator("clip-pair").press("u")
    drag(page, 0.05, 0)
    after = page.evaluate(transforms)
    assert after[0] == before[0]
    assert after[1] != before[1]
    page.locator("clip-pair").press("0")
    page.evaluate("twoPaints()")
    assert page.evaluate("clipPair().view.zoom") == 1
    assert len(set(page.evaluate(transforms))) == 1


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
