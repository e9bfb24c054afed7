"""The sample site for people who use no mouse, no eyes, other colours or little motion.

What one is told and in which order comes from Chromium's own accessibility tree, what is to be
seen from pixels. Keys of the player: test_clip_pair.py.
"""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Iterator
from typing import Any

import av
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

PAGES = {
    "home": "/",
    "archive": "/archive/",
    "compare": "/compare/",
    "preset": "/compare/slow-and-fast/",
    "clip": "/clips/cards--fast/",
    "method": "/method/",
    "data": "/data/",
}
WIDTHS = (360, 1440)
CONTROLS = {
    "button",
    "link",
    "checkbox",
    "slider",
    "combobox",
    "combobox menu",
    "DisclosureTriangle",
}
STANDS_OUT = 60
"""Of 255 in one of red, green, blue."""


@pytest.fixture(scope="module")
def contexts(browser: Browser) -> Iterator[dict[str, BrowserContext]]:
    """One window for each way of seeing."""
    ways: dict[str, dict[str, Any]] = {
        "plain": {},
        "forced light": {"forced_colors": "active", "color_scheme": "light"},
        "forced dark": {"forced_colors": "active", "color_scheme": "dark"},
        "still": {"reduced_motion": "reduce"},
    }
    opened = {name: browser.new_context(**how) for name, how in ways.items()}
    yield opened
    for context in opened.values():
        context.close()


@pytest.fixture
def look(contexts: dict[str, BrowserContext], base: str) -> Iterator[Any]:
    """Opens a page in one of the windows, with every script it will ever load."""
    pages: list[Page] = []

    def open_it(path: str, *, way: str = "plain", width: int = 1440) -> Page:
        page = contexts[way].new_page()
        pages.append(page)
        page.set_viewport_size({"width": width, "height": 900})
        page.goto(base + path, wait_until="networkidle")
        somebody_is_there(page)
        return page

    yield open_it
    for page in pages:
        page.close()


def somebody_is_there(page: Page) -> None:
    """Moves the pointer until the player is up: all that waits for a visitor may load then.

    More than once, because scripts that come late have not heard the first move.
    """
    transport = page.locator("clip-pair .transport")
    for x in range(5, 305):
        page.mouse.move(x, 300)
        if not page.locator("clip-pair").count() or transport.count():
            return
        page.wait_for_timeout(100)
    pytest.fail(f"{page.url}: the player never came")


# Ears


def told(page: Page) -> list[dict[str, Any]]:
    """What a screen reader is told, in its order: role, name, level."""
    wire = page.context.new_cdp_session(page)
    wire.send("Accessibility.enable")
    nodes = wire.send("Accessibility.getFullAXTree")["nodes"]
    wire.detach()
    by_id = {node["nodeId"]: node for node in nodes}
    ordered: list[dict[str, Any]] = []

    def walk(node: dict[str, Any]) -> None:
        if not node.get("ignored"):
            properties = {one["name"]: one["value"].get("value") for one in node["properties"]}
            ordered.append(
                {
                    "role": node["role"]["value"],
                    "name": node.get("name", {}).get("value", "").strip(),
                    "level": properties.get("level"),
                }
            )
        for child in node.get("childIds", ()):
            if child in by_id:
                walk(by_id[child])

    for node in nodes:
        node.setdefault("properties", [])
    walk(nodes[0])
    return ordered


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("path", PAGES.values(), ids=PAGES)
def test_headings_landmarks_and_names_tell_the_page(look: Any, path: str, width: int) -> None:
    """One h1, no level left out, one banner, main and foot, a name for all that can be worked."""
    nodes = told(look(path, width=width))
    roles = [node["role"] for node in nodes]
    levels = [node["level"] for node in nodes if node["role"] == "heading"]

    assert levels[0] == 1
    assert levels.count(1) == 1
    assert [b for a, b in itertools.pairwise(levels) if b > a + 1] == []
    assert [roles.count(one) for one in ("banner", "main", "contentinfo")] == [1, 1, 1]
    named = {*CONTROLS, "heading", "navigation", "region", "image", "Video"}
    assert [n for n in nodes if n["role"] in named and not n["name"]] == []
    assert not [n for n in nodes if n["role"] == "button" and n["name"].lower() == "button"]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(
    ("path", "rows"), [("/archive/", 2), ("/data/", 20), ("/clips/cards--fast/", 8)]
)
def test_tables_are_told_as_tables_however_they_are_laid_out(
    look: Any, path: str, rows: int, width: int
) -> None:
    """On phones their rows are grids and paragraphs; to ears they stay rows of cells."""
    roles = [node["role"] for node in told(look(path, width=width))]

    assert roles.count("table") >= 1
    assert roles.count("row") >= rows
    assert roles.count("rowheader") >= 1
    assert roles.count("columnheader") >= 2
    assert roles.count("cell") >= rows


IN_ORDER = """
  (what) => {
    const seen = [...document.querySelectorAll(what)].filter((one) =>
      one.checkVisibility({ visibilityProperty: true }) && !one.closest('.skip, .visually-hidden')
      && one.getClientRects().length && (one.closest('thead') ?? one).offsetWidth > 1);
    const box = (one) => one.getBoundingClientRect();
    const wrong = [];
    seen.forEach((one, at) => {
      if (!at) return;
      const [before, after] = [box(seen[at - 1]), box(one)];
      const back = after.bottom <= before.top + 2 && after.left <= before.left + 2;
      const near = (one, other) => Math.abs(one - other) < 2;
      const same = near(after.top, before.top) && near(after.bottom, before.bottom);
      if (back || (same && after.right <= before.left + 2)) {
        wrong.push([seen[at - 1], one].map((it) => it.textContent.trim().slice(0, 40)));
      }
    });
    return wrong;
  }
"""
"""Who lies above or left of what stands before it in the document, not being a new column."""


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("path", PAGES.values(), ids=PAGES)
def test_what_is_told_first_stands_first(look: Any, path: str, width: int) -> None:
    page = look(path, width=width)

    assert (
        page.evaluate(IN_ORDER, "main :is(h1, h2, h3, h4, p, figure, th, td, dt, dd, label)") == []
    )
    assert page.evaluate(IN_ORDER, ":is(.masthead, .colophon) a") == []


# Keys

FOCUSABLE = """
  () => {
    const all = [...document.querySelectorAll(
      'a[href], button, input, select, summary, video[controls], [tabindex="0"]')];
    const can = all.filter((one) =>
      !one.disabled && one.tabIndex === 0 && one.checkVisibility({ visibilityProperty: true }));
    can.forEach((one, at) => { one.dataset.stop = at; });
    return can.length;
  }
"""
HERE = """
  () => {
    const one = document.activeElement;
    if (!one || one === document.body) return null;
    const seen = one.closest('label') ?? one;
    const box = seen.getBoundingClientRect();
    return {
      stop: one.dataset.stop ?? '', what: `${one.localName}.${one.className}`,
      inSight: box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth,
      box: { x: box.x + scrollX, y: box.y + scrollY, width: box.width, height: box.height },
    };
  }
"""


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("path", PAGES.values(), ids=PAGES)
def test_tab_reaches_everything_once_around_and_out_again(look: Any, path: str, width: int) -> None:
    """The skip link first, then all that can be worked, in sight, in order; nothing holds on."""
    page = look(path, width=width)
    wanted = page.evaluate(FOCUSABLE)
    page.keyboard.press("Tab")
    first = page.evaluate("document.activeElement.className")
    assert first == "skip"
    box = page.locator(".skip").bounding_box()
    assert box
    assert box["y"] >= 0
    stops: list[dict[str, Any]] = []
    for _ in range(2 * wanted + 40):
        here = page.evaluate(HERE)
        if here is None:
            break
        stops.append(here)
        page.keyboard.press("Tab")
    else:
        pytest.fail(f"Tab never leaves the page; at last {stops[-3:]}")
    reached = {stop["stop"] for stop in stops}

    assert [n for n in range(wanted) if str(n) not in reached] == []
    assert [stop["what"] for stop in stops if not stop["inSight"]] == []
    order = [int(stop["stop"]) for stop in stops if stop["stop"]]
    assert order == sorted(order)


def test_the_skip_link_leads_past_the_head(look: Any) -> None:
    page = look("/archive/")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")

    assert page.evaluate("document.activeElement.closest('main') !== null")


def test_the_home_pages_player_is_worked_by_keys_alone(look: Any) -> None:
    page = look("/")
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.localName") == "clip-pair":
            break
    player = page.locator("clip-pair")
    expect(player).to_be_focused()
    page.keyboard.press("Space")
    expect(player).to_have_attribute("playing", "")
    page.keyboard.press("Space")
    expect(player).not_to_have_attribute("playing", "")
    bar = page.get_by_role("slider", name="Time")
    while not bar.evaluate("(one) => one === document.activeElement"):
        page.keyboard.press("Tab")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    told = re.compile(r"0\.1 of 2\.0 seconds, frame A \d+, B \d+")
    expect(bar).to_have_attribute("aria-valuetext", told)


def pixels(png: bytes) -> Any:
    with av.open(io.BytesIO(png), format="png_pipe") as picture:
        return next(picture.decode(video=0)).to_ndarray(format="rgb24").astype(int)


@pytest.mark.parametrize("way", ["plain", "forced light", "forced dark"])
@pytest.mark.parametrize("path", PAGES.values(), ids=PAGES)
def test_focus_is_to_be_seen_on_every_kind_of_control(look: Any, path: str, way: str) -> None:
    """Pixels in and around it change, and enough of them for a line around it."""
    page = look(path, way=way)
    page.evaluate(FOCUSABLE)
    # A screenshot of the whole page lays out what is far away; nothing is to move between two.
    page.evaluate("""() => document.querySelectorAll('[data-rows]').forEach(
      (rows) => { rows.style.contentVisibility = 'visible' })""")
    kinds = page.evaluate("""
      () => [...new Map([...document.querySelectorAll('[data-stop]:not(video)')]
        .map((one) => [`${one.localName} ${one.type ?? ''} ${one.className}`, one.dataset.stop]))]
    """)
    assert len(kinds) >= 4
    for kind, stop in kinds:
        page.keyboard.press("Shift")  # what follows counts as done by keys
        page.evaluate("(stop) => document.querySelector(`[data-stop='${stop}']`).focus()", stop)
        here = page.evaluate(HERE)
        box = here["box"]
        view = page.viewport_size
        assert view
        clip = {
            "x": max(0, box["x"] - 8),
            "y": max(0, box["y"] - 8),
            "width": min(box["width"] + 16, view["width"] - max(0, box["x"] - 8)),
            "height": min(box["height"] + 16, 800),
        }
        focused = pixels(page.screenshot(clip=clip, full_page=True, animations="disabled"))
        page.evaluate("document.activeElement.blur()")
        blurred = pixels(page.screenshot(clip=clip, full_page=True, animations="disabled"))
        changed = int((abs(focused - blurred).max(axis=2) > STANDS_OUT).sum())
        least = min(box["width"], 40) + min(box["height"], 12)
        assert changed >= least, (kind, changed)


# Other colours

MARKS = {
    "/": [".hero-rate .cadence", ".wordmark-mark", ".tally svg", ".cell-link", ".action"],
    "/archive/": [".filter-group label", ".filter-rate input", ".cell-state", ".legend .cadence"],
    "/compare/": [".transport-button", ".transport-seek", ".transport-rate", ".picker input"],
    "/clips/cards--fast/": [".clip-cadence", ".times svg", ".packets svg", ".action"],
}


@pytest.mark.parametrize("way", ["forced light", "forced dark"])
@pytest.mark.parametrize("path", MARKS)
def test_a_forced_palette_leaves_no_mark_or_control_blank(look: Any, path: str, way: str) -> None:
    page = look(path, way=way)
    for selector in MARKS[path]:
        mark = page.locator(selector).first
        if not mark.count():
            continue
        mark.scroll_into_view_if_needed()
        seen = pixels(mark.screenshot(animations="disabled"))
        paper = seen[0, 0]
        inked = (abs(seen - paper).max(axis=2) > STANDS_OUT).mean()
        assert inked > 0.01, (selector, inked)


def test_a_forced_palette_leaves_a_charts_lines_and_points(look: Any) -> None:
    page = look("/archive/", way="forced light")
    chart = page.locator("chart-figure").first
    chart.scroll_into_view_if_needed()
    expect(chart).to_have_attribute("data-state", "drawn")
    for what in (".js-line", ".point", ".xtick text", ".ytick text"):
        colours = chart.locator(what).evaluate_all("""
          (all) => all.map((one) => {
            const { stroke, fill } = getComputedStyle(one);
            return [stroke, fill];
          })
        """)
        assert colours, what
        paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert [pair for pair in colours if set(pair) <= {"none", paper}] == []
    seen = pixels(chart.locator(".chart__stage").screenshot(animations="disabled"))
    assert (abs(seen - seen[0, 0]).max(axis=2) > STANDS_OUT).mean() > 0.005


# Little motion


@pytest.mark.parametrize("path", PAGES.values(), ids=PAGES)
def test_who_wants_little_motion_gets_none(look: Any, path: str) -> None:
    page = look(path, way="still")
    moving = page.evaluate("""
      () => [...document.querySelectorAll('*')].filter((one) => {
        const style = getComputedStyle(one);
        const longest = (list) => Math.max(...list.split(',').map(Number.parseFloat));
        return (style.animationName !== 'none' && longest(style.animationDuration) > 0)
          || longest(style.transitionDuration) > 0 || style.scrollBehavior !== 'auto';
      }).map((one) => one.outerHTML.slice(0, 80))
    """)
    for cell in page.locator("[data-fps]").all()[:3]:
        cell.hover()
    page.wait_for_timeout(300)

    assert moving == []
    assert page.evaluate("document.getAnimations().length") == 0
    assert page.evaluate("[...document.querySelectorAll('video')].every((one) => one.paused)")


@pytest.mark.parametrize("path", ["/", "/compare/", "/clips/cards--fast/"])
def test_nothing_plays_that_nobody_started(look: Any, path: str) -> None:
    page = look(path)
    page.wait_for_timeout(300)

    assert page.locator("video").count() > 0
    assert page.evaluate("[...document.querySelectorAll('video')].every((one) => one.paused)")


# Axe, with everything open


@pytest.mark.parametrize("way", ["plain", "forced light"])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("path", ["/archive/", "/compare/", "/method/"])
def test_axe_finds_nothing_where_everything_is_open(
    look: Any, path: str, width: int, way: str
) -> None:
    page = look(path, way=way, width=width)
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    if path == "/archive/":
        toggle = page.locator(".filter-toggle")
        if toggle.is_visible():
            toggle.click()
        page.get_by_role("checkbox").first.check(force=True)
    if path == "/compare/":
        page.get_by_role("combobox", name="A", exact=True).click()
        expect(page.get_by_role("option").first).to_be_visible()
    # A forced palette is the visitor's own choice, and axe computes with the colours it replaced.
    rules = {"color-contrast": {"enabled": way == "plain"}}
    found = Axe().run(page, options={"resultTypes": ["violations"], "rules": rules})

    assert [
        (one["id"], one["nodes"][0]["html"][:120]) for one in found.response["violations"]
    ] == []
