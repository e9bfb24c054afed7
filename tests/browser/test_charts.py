"""<chart-figure> in a real browser, under the site's content policy and nothing milder."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from charts.samples import OTHERS, PIPELINES, PROMPTS, PUBLISHED, clip_url
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from playwright.sync_api import Browser, Page, expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from generator.charts import Chart, fps_against_steps, ms_per_frame_against_steps

from .launch import WATCH
from .loopback import CSP, serving

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[2]
PAGE = """{% from "parts/chart.html" import chart %}<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Charts</title>
<meta name="viewport" content="width=device-width">
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/page.css">
<link rel="stylesheet" href="/static/css/elements/chart-figure.css">
<script type="module" src="/static/js/elements/chart-figure.js"></script>
<main><h1>Charts</h1><div class="{{ before }}"></div><section><h2>Speed</h2>
{% for one in charts %}{{ chart(one, one.id ~ ".json") }}{% endfor %}</section></main></html>"""
CLIP = '<!doctype html><title>A clip</title><link rel="icon" href="data:,">'
STYLE = """
body { margin: 0; background: #070707; color: #f2f2ea; font: 16px/1.5 sans-serif; }
main { padding: 16px; } .tall { height: 5000px; } h1, h2, h3 { line-height: 1.1; }
"""
PLOTLY = "**/plotly-basic-*.js"


def charts() -> list[Chart]:
    common: dict[str, Any] = {"pipelines": PIPELINES, "prompts": PROMPTS, "clip_url": clip_url}
    evidence = (*PUBLISHED, *OTHERS)
    made = [fps_against_steps(evidence, **common), ms_per_frame_against_steps(evidence, **common)]
    return [chart for chart in made if chart is not None]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A page with both charts, `/charts/`, the same far below the fold, `/charts/?tall`."""
    jinja = Environment(
        loader=FileSystemLoader(ROOT / "templates"), autoescape=True, undefined=StrictUndefined
    )
    figures = {chart.id: chart.figure for chart in charts()}

    def page(request: Request) -> Response:
        before = "tall" if "tall" in request.query_params else "none"
        html = jinja.from_string(PAGE).render(charts=charts(), before=before)
        return HTMLResponse(html, headers={"Content-Security-Policy": CSP})

    app = Starlette(
        routes=[
            Route("/charts/", page),
            Route(
                "/charts/{id}.json",
                lambda request: Response(
                    figures[request.path_params["id"]], media_type="application/json"
                ),
            ),
            Route("/page.css", lambda request: Response(STYLE, media_type="text/css")),
            Route("/clips/{id}/", lambda request: HTMLResponse(CLIP)),
            Mount("/static", StaticFiles(directory=ROOT / "static")),
        ]
    )
    with serving(app) as at:
        yield at


Visit = Callable[..., Page]


@pytest.fixture
def visit(browser: Browser, address: str) -> Iterator[Visit]:
    """Opens the page in a context of its own; what the browser complains of fails the test."""
    contexts = []

    def open_page(width: int = 1280, path: str = "/charts/", **options: Any) -> Page:
        context = browser.new_context(viewport={"width": width, "height": 800}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.add_init_script(WATCH)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console",
            lambda said: complaints.append(said.text) if said.type == "error" else None,
        )
        page.goto(address + path)
        return page

    complaints: list[str] = []
    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


def drawn(page: Page, number: int = 0) -> Page:
    """Scroll to a chart and wait until Plotly has drawn it."""
    page.locator("chart-figure").nth(number).scroll_into_view_if_needed()
    page.wait_for_function(
        "i => document.querySelectorAll('chart-figure')[i].dataset.state === 'drawn'", arg=number
    )
    return page


def points(page: Page, number: int = 0):
    return page.locator("chart-figure").nth(number).locator(".scatterlayer .point")


def point_of(page: Page, words: str) -> tuple[float, float, str]:
    """Middle of the first chart's point whose hover text holds `words`, and its address."""
    figure = json.loads(charts()[0].figure)
    places = [
        (text, href)
        for trace in figure["data"]
        if "customdata" in trace
        for text, href in zip(trace["hovertext"], trace["customdata"], strict=True)
    ]
    number = next(i for i, (text, _) in enumerate(places) if words in text.replace("<br>", " "))
    box = points(page).nth(number).bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, places[number][1]


def test_every_number_is_drawn_and_the_policy_is_kept(visit):
    page = visit()
    for number in (0, 1):
        drawn(page, number)
        assert points(page, number).count() == 37
        page.locator("chart-figure").nth(number).hover()
    page.locator(".modebar-btn").first.click()

    assert page.evaluate("violations") == []
    assert page.locator("chart-figure .js-line").count() == 8 + 5
    expect(page.locator(".chart-poster").first).to_be_hidden()


def test_plotly_takes_the_place_of_the_poster_to_the_pixel(visit):
    """Nothing jumps when the interactive chart arrives: neither marks nor the page."""
    page = visit()
    drawn(page)
    gaps = page.evaluate("""() => {
        const middle = (e) => { const b = e.getBoundingClientRect();
          return [b.x + b.width / 2, b.y + b.height / 2]; };
        const root = document.querySelector('chart-figure');
        const poster = [...root.querySelectorAll('.chart-poster a > path')].map(middle);
        const plotly = [...root.querySelectorAll('.scatterlayer .point')].map(middle);
        return poster.map(([x, y], i) => Math.hypot(x - plotly[i][0], y - plotly[i][1]));
    }""")

    assert len(gaps) == 37
    assert max(gaps) < 1.5
    assert page.evaluate("shift") < 0.001


def test_nothing_is_loaded_before_it_is_nearly_seen(visit, address):
    page = visit(path="/charts/?tall")
    page.wait_for_timeout(500)
    before = page.evaluate("performance.getEntriesByType('resource').map(r => r.name)")
    drawn(page)
    drawn(page, 1)
    after = page.evaluate("performance.getEntriesByType('resource').map(r => r.name)")

    assert not [name for name in before if "plotly" in name or name.endswith(".json")]
    assert len([name for name in after if "plotly" in name]) == 1
    assert len([name for name in after if name.endswith(".json")]) == 2


def test_pointing_names_the_clip(visit):
    page = drawn(visit())
    x, y, _ = point_of(page, "MemFlow, 8 steps Drone over a metropolis 512\u00a0×\u00a0288")
    page.mouse.move(x, y)

    hover = page.locator(".hoverlayer .hovertext").first
    for words in (
        *("MemFlow, 8 steps", "Drone over a metropolis", "512\u00a0×\u00a0288"),
        *("23.0 FPS, published elsewhere", "measured by the page's author"),
    ):
        expect(hover).to_contain_text(words)


def test_a_click_opens_the_clips_page(visit, address):
    page = drawn(visit())
    x, y, href = point_of(page, "MemFlow, 2 steps Cyberpunk detective 512\u00a0×\u00a0288")
    page.mouse.move(x, y)
    page.mouse.click(x, y)

    page.wait_for_url(address + href.removeprefix(".."))
    assert page.title() == "A clip"


def test_a_click_with_control_opens_it_beside(visit, address):
    page = drawn(visit())
    x, y, href = point_of(page, "MemFlow, 2 steps Cyberpunk detective 512\u00a0×\u00a0288")
    page.mouse.move(x, y)
    page.keyboard.down("Control")
    with page.context.expect_page() as opened:
        page.mouse.click(x, y)

    opened.value.wait_for_url(address + href.removeprefix(".."))
    assert page.url == address + "/charts/"


def test_a_finger_is_told_first_and_taken_there_second(visit, address):
    page = drawn(visit(360, has_touch=True, is_mobile=True))
    x, y, href = point_of(page, "MemFlow, 2 steps Cyberpunk detective 512\u00a0×\u00a0288")
    page.touchscreen.tap(x, y)
    expect(page.locator(".hoverlayer .hovertext").first).to_contain_text("MemFlow, 2 steps")
    page.wait_for_timeout(400)
    assert page.url == address + "/charts/"

    page.touchscreen.tap(x, y)
    page.wait_for_url(address + href.removeprefix(".."))


def test_a_finger_on_the_chart_scrolls_the_page(visit):
    page = drawn(visit(360, has_touch=True, is_mobile=True))
    box = page.locator(".chart__canvas").first.bounding_box()
    assert box is not None
    start, before = box["y"] + 250, page.evaluate("scrollY")
    fingers = page.context.new_cdp_session(page)

    def touch(kind: str, *heights: float) -> None:
        where = [{"x": 150, "y": y} for y in heights]
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": where})

    touch("touchStart", start)
    for step in range(1, 11):
        touch("touchMove", start - 20 * step)
    touch("touchEnd")

    page.wait_for_function("before => scrollY > before + 100", arg=before)


OVERLAPS = """() => {
  const texts = [...document.querySelectorAll(
    '.chart__canvas .xtick text, .chart__canvas .ytick text, .chart__canvas .annotation-text')];
  const boxes = texts.map((t) => [t.textContent, t.getBoundingClientRect()]);
  const bad = [];
  for (const [i, [a, p]] of boxes.entries()) {
    if (p.left < 0 || p.right > innerWidth) bad.push(`${a} leaves the page`);
    for (const [b, q] of boxes.slice(i + 1))
      if (p.left < q.right && q.left < p.right && p.top < q.bottom - 1 && q.top < p.bottom - 1)
        bad.push(`${a} over ${b}`);
  }
  return [boxes.length, bad];
}"""


ROOM = """() => {
  const style = getComputedStyle(document.querySelector('.chart__stage'));
  const pen = document.createElement('canvas').getContext('2d');
  pen.font = `${style.fontSize} ${style.fontFamily}`;
  return [Number.parseFloat(style.paddingLeft), pen.measureText('0.015').width + 8];
}"""
"""Pixels left of the plot, and what the widest number of an axis takes with its distance."""


@pytest.mark.parametrize("width", [360, 1440])
def test_it_fits_a_phone_and_a_desk(visit, width):
    page = drawn(drawn(visit(width)), 1)
    count, bad = page.evaluate(OVERLAPS)

    assert count > 20
    assert bad == []
    assert page.evaluate("document.documentElement.scrollWidth") == width
    room, needed = page.evaluate(ROOM)
    assert room >= needed
    page.locator("summary").first.click()
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_hover_text_stays_on_a_phone(visit):
    page = drawn(visit(360))
    for words in ("MemFlow, 2 steps Cyberpunk", "MemFlow, 12 steps", "Helios, [2,2,2] steps"):
        x, y, _ = point_of(page, words)
        page.mouse.move(x, y)
        page.wait_for_timeout(200)
        box = page.locator(".hoverlayer .hovertext path").first.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 360


def test_it_follows_its_box(visit):
    page = drawn(visit(1280))
    page.set_viewport_size({"width": 700, "height": 800})

    page.wait_for_function(
        "() => document.querySelector('.chart__canvas .main-svg').clientWidth === 700 - 32"
    )


def test_legend_items_show_and_hide_their_line(visit):
    page = drawn(visit())
    button = page.locator("chart-figure").first.locator("li[data-traces] button").first
    button.focus()
    page.keyboard.press("Enter")

    expect(button).to_have_attribute("aria-pressed", "false")
    expect(points(page)).to_have_count(37 - 7)
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    expect(points(page)).to_have_count(37)


def test_every_clip_is_reached_by_keyboard(visit, address):
    page = drawn(visit())
    page.locator("summary").first.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('role')") == "region"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    page.wait_for_url(address + "/clips/*/")


def test_without_scripts_the_picture_and_the_numbers_are_there(visit, address):
    page = visit(360, java_script_enabled=False)
    expect(page.locator(".chart-poster").first).to_be_visible()
    assert page.locator(".chart-poster").first.locator("a").count() == 37
    link = page.locator("chart-figure ~ details tbody a").first
    expect(link).to_be_visible()  # the numbers lie open
    link.click()

    page.wait_for_url(address + "/clips/*/")


@pytest.mark.parametrize(
    ("lost", "reason"), [(PLOTLY, "library did not load"), ("**/*.json", "data did not load")]
)
def test_a_failure_is_said_and_the_picture_stays(browser, address, lost, reason):
    with browser.new_context() as context:
        page = context.new_page()
        page.route(lost, lambda route: route.fulfill(status=404))
        page.goto(address + "/charts/")

        expect(page.get_by_role("status").first).to_contain_text(reason)
        expect(page.locator(".chart-poster").first).to_be_visible()
        assert page.locator(".chart__canvas").count() == 0


def test_nothing_moves_for_those_who_asked_for_rest(visit):
    page = drawn(visit(reduced_motion="reduce"))
    page.locator("chart-figure").first.hover()

    moving = page.evaluate("""document.getAnimations().map((one) =>
        `${one.effect.target.className} ${one.transitionProperty}`)""")
    assert moving == []


def test_an_element_moved_in_the_page_draws_again(visit):
    page = drawn(visit())
    page.evaluate("""() => {
        const chart = document.querySelector('chart-figure');
        chart.parentElement.append(chart);
    }""")
    drawn(page)

    expect(points(page)).to_have_count(37)
    assert page.locator("chart-figure").first.locator(".chart__canvas").count() == 1


def test_axe_finds_nothing(visit):
    page = drawn(drawn(visit(360)), 1)
    page.locator("summary").first.click()
    found = Axe().run(page).response["violations"]

    assert [(one["id"], [node["html"][:120] for node in one["nodes"]][:3]) for one in found] == []
