"""The published site in a real browser, under exactly the headers it is published with."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Route, expect

from generator.publish.serve import header_rules, headers_for

from .launch import forbidden

pytestmark = pytest.mark.browser

PAGES = {
    "home": "/",
    "archive": "/archive/",
    "compare": "/compare/",
    "preset": "/compare/all-four/",
    "frame of a preset": "/embed/all-four/",
    "frame of any": "/embed/compare/?a=cards--fast&b=elsewhere--lighthouse-2&c=nobody",
    "clip": "/clips/cards--fast/",
    "clip-without-file": "/clips/elsewhere--lighthouse-2/",
    "method": "/method/",
    "data": "/data/",
    "prompt": "/prompts/lighthouse/",
    "pipeline": "/pipelines/test-card/",
    "run": "/runs/cards/",
    "missing": "/no/such/page",
}
WIDTHS = (360, 1440, 2560)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that fails the test when the browser complains of anything on it, or when the site's
    policy forbids anything that it tries."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    violations = forbidden(context)
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
    yield page
    context.close()
    serious = [text for text in complaints if not ("404" in text and "Failed to load" in text)]
    assert serious == []
    assert violations == []


def test_what_the_policy_forbids_is_seen(browser: Browser, base: str) -> None:
    """An inline script, an inline style, a foreign picture: as header and as the page's own word
    the policy stops each, and the watch that all other tests rely on sees it."""
    context = browser.new_context()
    violations = forbidden(context)
    page = context.new_page()
    page.goto(base + "/method/")
    page.evaluate("""() => {
      const add = (name, given) =>
        document.body.append(Object.assign(document.createElement(name), given));
      add('script', { textContent: 'globalThis.ran = true' });
      add('img', { src: 'https://elsewhere.example/x.png' });
      document.body.setAttribute('style', 'color: red');
    }""")
    page.wait_for_timeout(300)
    assert page.evaluate("globalThis.ran") is None
    context.close()
    told = [violation.split(": ")[1] for violation in violations]
    assert {name: told.count(name) for name in told} == {
        "script-src-elem": 2,
        "img-src": 2,
        "style-src-attr": 2,
    }


def test_answers_carry_the_headers_that_the_build_ordered(
    page: Page, base: str, site: Path
) -> None:
    rules = header_rules((site / "_headers").read_text("utf-8"))
    for path in (*PAGES.values(), "/feed.xml", "/data/archive.json"):
        ordered = headers_for(path, rules)
        assert len(ordered) >= 5
        assert ordered.items() <= page.request.get(base + path).headers.items(), path


@pytest.mark.parametrize("path", PAGES.values(), ids=PAGES)
def test_every_kind_of_page_is_quiet_fits_is_accessible_and_asks_nobody_else(
    page: Page, base: str, path: str
) -> None:
    """No policy violation, no error, nothing wider than the window, nothing axe objects to, and
    everything it loads comes from its own host."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.set_viewport_size({"width": WIDTHS[0], "height": 900})
    page.goto(base + path)
    page.wait_for_load_state("networkidle")
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done, 50)))")
        overflow = page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert overflow <= 0, f"{width} px wide: {overflow} px too much"
    found = Axe().run(page, options={"resultTypes": ["violations"]})
    assert found.response["violations"] == [], found.generate_report()
    assert asked
    assert [url for url in asked if not url.startswith((base, "data:", "blob:"))] == []


def test_an_unknown_address_answers_404_with_the_sites_own_page(page: Page, base: str) -> None:
    answer = page.goto(base + "/no/such/page")
    assert answer is not None
    assert answer.status == 404
    expect(page.get_by_role("link", name="Archive").first).to_be_visible()


def test_a_range_is_answered_with_206(page: Page, base: str, site: Path) -> None:
    clip = next((site / "media").glob("*.mp4"))
    answer = page.request.get(f"{base}/media/{clip.name}", headers={"Range": "bytes=4-7"})
    assert answer.status == 206
    assert answer.headers["content-range"] == f"bytes 4-7/{clip.stat().st_size}"
    assert answer.body() == clip.read_bytes()[4:8]
    assert "immutable" in answer.headers["cache-control"]
    again = page.request.get(f"{base}/", headers={"If-None-Match": page_etag(page, base)})
    assert again.status == 304


def page_etag(page: Page, base: str) -> str:
    return page.request.get(f"{base}/").headers["etag"]


def test_without_javascript_clips_have_controls_and_numbers_a_table(
    browser: Browser, base: str
) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(base + "/compare/")
    videos = page.locator("clip-pair video")
    assert videos.count() == 2
    for i in range(2):
        assert videos.nth(i).get_attribute("controls") is not None
        assert videos.nth(i).get_attribute("src")
    page.goto(base + "/archive/")
    assert page.locator("table").first.is_visible()
    page.goto(base + "/clips/cards--fast/")
    assert page.locator("video[controls]").count() == 1
    context.close()


READ_CODE = """async (side) => {
  const script = document.querySelector('script[type=module]').src;
  const { readFrameCode } = await import(new URL('lib/framecode.js', script));
  const shown = document.querySelector(`[data-side=${side}] canvas`);
  const pen = new OffscreenCanvas(shown.width, shown.height).getContext('2d');
  pen.drawImage(shown, 0, 0);
  return readFrameCode(pen.getImageData(0, 0, shown.width, shown.height));
}"""


def until(page: Page, condition: str) -> None:
    """Wait for a condition without `eval`, which the site's policy forbids the page."""
    deadline_s = time.monotonic() + 20
    while not page.evaluate(condition):
        assert time.monotonic() < deadline_s, f"never came true: {condition}"
        page.wait_for_timeout(50)


def test_any_two_clips_can_be_chosen_and_play_in_step(page: Page, base: str) -> None:
    """Chosen by typing, kept in the address, played by one button; pixels tell the frames."""
    page.goto(base + "/compare/")
    for side, name in (("A", "6.0"), ("B", "24.0")):
        field = page.get_by_role("combobox", name=side, exact=True)
        field.fill(name)
        page.get_by_role("option").first.click()
    expect(page).to_have_url(f"{base}/compare/?a=cards--slow&b=cards--fast")
    player = page.locator("clip-pair")
    player.get_by_role("button", name="Play", exact=True).click()
    until(page, "document.querySelector('clip-pair').state.shownS > 1.2")
    player.get_by_role("button", name="Pause", exact=True).click()
    paused_s = frames_are_exact(page)
    page.keyboard.press("j")  # one second back
    until(page, f"document.querySelector('clip-pair').state.shownS < {paused_s - 0.9}")
    assert frames_are_exact(page) == pytest.approx(paused_s - 1)


def frames_are_exact(page: Page) -> float:
    """Both pictures are the frames due at the player's clock, which is returned."""
    until(page, "document.querySelector('clip-pair').getAttribute('phase') === 'still'")
    clock_s = float(page.evaluate("document.querySelector('clip-pair').state.shownS"))
    codes = [page.evaluate(READ_CODE, side) for side in "ab"]
    half_s = 0.0005 + 1e-6  # a file's stamps are whole milliseconds, before or behind the true time
    for code, rate in zip(codes, (6, 24), strict=True):
        assert code in {int((clock_s + off) * rate) for off in (-half_s, half_s)}, (codes, clock_s)
    return clock_s


def test_an_address_brings_the_view_and_its_frames_back(page: Page, base: str) -> None:
    """Set up by hand, left in the address bar, opened again: the same view, the same frames."""
    page.goto(base + "/compare/?a=cards--slow&b=cards--fast")
    player = page.locator("clip-pair")
    player.get_by_role("button", name="Wipe").click()
    until(page, "document.querySelector('clip-pair').state?.clips?.b?.frame != null")
    for key in (".", ".", ".", "+", "x", "<"):
        player.press(key)
        until(page, "document.querySelector('clip-pair').getAttribute('phase') === 'still'")
    until(page, "location.search.includes('t=') && location.search.includes('rate=0.75')")
    page.wait_for_timeout(700)
    address, clock_s = page.url, frames_are_exact(page)
    assert clock_s > 0
    link = page.evaluate("document.querySelector('clip-pair').link")
    assert link == address

    page.goto(base + "/")
    page.goto(address)
    until(page, "document.querySelector('clip-pair')?.state?.clips?.b?.frame != null")
    assert frames_are_exact(page) == pytest.approx(clock_s, abs=1e-6)
    again = page.evaluate(
        "(({view, state}) => ({view, state}))(document.querySelector('clip-pair'))"
    )
    assert (again["view"]["mode"], again["view"]["zoom"]) == ("wipe", 1.5)
    assert (again["state"]["swapped"], again["state"]["rate"]) == (True, 0.75)


def test_a_view_is_saved_as_a_picture_with_what_is_compared(page: Page, base: str) -> None:
    page.goto(base + "/compare/?a=cards--slow&b=cards--fast&t=1&mode=difference&gain=8")
    until(page, "document.querySelector('clip-pair')?.state?.clips?.b?.frame != null")
    with page.expect_download() as download:
        page.get_by_role("button", name="Save this view").click()
    saved = download.value
    assert saved.suggested_filename == "cards--slow_cards--fast_1.000s.png"
    head = saved.path().read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    assert int.from_bytes(head[16:20]) == 640


WRITTEN = """
globalThis.written = [];
const { fillText } = OffscreenCanvasRenderingContext2D.prototype;
OffscreenCanvasRenderingContext2D.prototype.fillText = function write(...given) {
  const [text, x] = given;
  const right = x + this.measureText(text).width;
  written.push([given.length, text, right <= this.canvas.width]);
  return fillText.apply(this, given);
};
"""


def test_a_long_address_under_a_picture_is_whole_and_no_letter_is_squeezed(
    page: Page, base: str
) -> None:
    view = "mode=wipe&split=0.123&zoom=3.25,0.1234,-0.2345&align=0.1111,-0.2222&loop=0.123456-1.5"
    page.add_init_script(WRITTEN)
    page.goto(f"{base}/compare/?a=cards--slow&b=cards--fast&t=1&{view}&rate=0.75&swap=1")
    until(page, "document.querySelector('clip-pair')?.state?.clips?.b?.frame != null")
    with page.expect_download():
        page.get_by_role("button", name="Save this view").click()
    written = page.evaluate("written")
    assert {(given, fits) for given, _, fits in written} == {(3, True)}
    lines = [text for _, text, _ in written]
    address = page.evaluate("document.querySelector('clip-pair').link")
    first = next(i for i, text in enumerate(lines) if text.startswith(base))
    assert len(lines[first:]) > 1
    assert "".join(lines[first:]) == address


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (1366, 768)])
def test_time_bar_and_play_button_are_seen_with_the_pictures(
    page: Page, base: str, width: int, height: int
) -> None:
    """Two clips of 848x480 side by side, nothing scrolled."""
    page.set_viewport_size({"width": width, "height": height})
    page.goto(base + "/compare/?a=cards--slow&b=cards--fast", wait_until="networkidle")
    page.evaluate("""async () => {
      for (const one of document.querySelectorAll('clip-pair video')) {
        Object.assign(one, { width: 848, height: 480 });
      }
      await document.fonts.ready;
    }""")
    player = page.locator("clip-pair")
    for part in (
        player.get_by_role("slider", name="Time"),
        player.get_by_role("button", name="Play", exact=True),
        player.locator("[data-side=a] video"),
    ):
        expect(part).to_be_in_viewport(ratio=1)
    wide = player.locator("[data-side=a] video").bounding_box()
    assert wide
    assert wide["width"] >= 0.3 * width, "the pictures are what the page is for"
    assert page.evaluate("scrollY") == 0


def test_what_is_pressed_before_the_list_of_clips_came_is_not_undone(page: Page, base: str) -> None:
    """On a bare address it holds; where an address asks for a view nothing can be pressed yet."""
    held: list[Route] = []
    page.route("**/data/clips.json", lambda route: held.append(route))
    page.goto(base + "/compare/")
    player, picker = page.locator("clip-pair"), page.locator("clip-picker")
    player.get_by_role("button", name="Swap sides").click()
    player.get_by_role("button", name="Wipe").click()
    expect(player).to_have_attribute("swapped", "")
    assert page.locator("clip-picker button:visible:enabled").count() == 0
    held.pop().continue_()
    expect(picker).to_have_attribute("swapped", "")
    expect(page).to_have_url(re.compile(r"mode=wipe.*swap=1"))
    expect(player).to_have_attribute("swapped", "")

    page.goto(base + "/")
    page.goto(base + "/compare/?a=cards--fast&b=cards--slow&swap=1")
    page.locator("clip-pair .transport").wait_for()
    expect(player).to_have_attribute("inert", "")
    box = player.locator("[data-command=swap]").bounding_box()
    assert box
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert player.get_attribute("swapped") is None
    held.pop().continue_()
    expect(player).not_to_have_attribute("inert", "")
    expect(player).to_have_attribute("swapped", "")
    player.get_by_role("button", name="Swap sides").click()
    expect(player).not_to_have_attribute("swapped", "")


def test_an_address_brings_its_clips_back(page: Page, base: str) -> None:
    page.goto(base + "/compare/?a=cards--fast&b=cards--slow")
    for side, clip in (("a", "cards--fast"), ("b", "cards--slow")):
        expect(page.locator(f"[data-side={side}] video")).to_have_attribute("data-clip", clip)
