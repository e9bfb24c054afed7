"""Comparisons in the frames of another site, under the headers that they are published with."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape

import pytest
from playwright.sync_api import Browser, BrowserContext, Frame, Page, expect
from starlette.responses import HTMLResponse

from .launch import forbidden
from .loopback import serving
from .test_site import READ_CODE

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A window; fails the test when a policy forbids anything, or a page complains."""
    context = browser.new_context(viewport={"width": 1100, "height": 800})
    violations = forbidden(context)
    complaints: list[str] = []
    context.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
    context.on("weberror", lambda error: complaints.append(f"error: {error.error}"))
    yield context
    context.close()
    assert violations == []
    assert complaints == []


def framed(page: Page, code: str, base: str) -> Iterator[Frame]:
    """The frame that `code` makes in a page of another origin."""
    with serving(HTMLResponse(f"<!doctype html><title>Elsewhere</title>{code}")) as elsewhere:
        page.goto(elsewhere.replace("127.0.0.1", "localhost"))
        page.locator("iframe").scroll_into_view_if_needed()
        (frame,) = [one for one in page.frames if one.url.startswith(base)]
        yield frame


def iframe(address: str) -> str:
    return (
        f'<iframe src="{escape(address)}" width="960" height="660" title="A comparison" '
        'allow="fullscreen; clipboard-write"></iframe>'
    )


def until(frame: Frame, condition: str) -> None:
    for _ in range(400):
        if frame.evaluate(condition):
            return
        frame.page.wait_for_timeout(50)
    pytest.fail(f"never came true: {condition}")


@pytest.mark.parametrize(
    "address",
    ["/embed/slow-and-fast/", "/embed/compare/?a=cards--slow&b=cards--fast", "/embed/compare/"],
)
def test_a_comparison_plays_in_the_frame_of_another_site(
    context: BrowserContext, base: str, address: str
) -> None:
    """Both pictures are those due at its clock, nothing is wider or higher than the frame, and
    the way to the whole comparison opens a window of its own."""
    for frame in framed(context.new_page(), iframe(base + address), base):
        frame.get_by_role("button", name="Play", exact=True).click()
        until(frame, "document.querySelector('clip-pair').state.shownS > 0.6")
        frame.get_by_role("button", name="Pause", exact=True).click()
        until(frame, "document.querySelector('clip-pair').getAttribute('phase') === 'still'")
        clock_s = frame.evaluate("document.querySelector('clip-pair').state.shownS")
        codes = [frame.evaluate(READ_CODE, side) for side in "ab"]
        assert codes == [int(clock_s * 6 + 1e-6), int(clock_s * 24 + 1e-6)]
        assert frame.evaluate(
            "[document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
        ) == [960, 660]
        with context.expect_page() as opened:
            frame.get_by_role("link", name="Open on Sample archive").click()
        whole = opened.value
        whole.wait_for_load_state()
        assert whole.url.startswith(f"{base}/compare/")
        assert whole.evaluate("window.opener") is None


def test_the_copied_code_shows_the_same_frames_in_the_same_view(
    context: BrowserContext, base: str
) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=base)
    page = context.new_page()
    page.goto(f"{base}/compare/?a=cards--fast&b=cards--slow&t=1.3&mode=wipe")
    until(page.main_frame, "document.querySelector('clip-pair')?.state?.clips?.b?.frame != null")
    page.locator("clip-pair").press("e")
    expect(page.locator(".transport-told")).to_have_text(
        "Code copied: it embeds these very frames."
    )
    code = page.evaluate("navigator.clipboard.readText()")
    assert re.fullmatch(r"<iframe [^<>]*></iframe>", code)
    for frame in framed(page, code, base):
        until(frame, "document.querySelector('clip-pair')?.state?.clips?.b?.frame != null")
        assert [frame.evaluate(READ_CODE, side) for side in "ab"] == [31, 7]
        assert frame.locator("clip-pair").get_attribute("mode") == "wipe"
        link = frame.get_by_role("link", name="Open on Sample archive").get_attribute("href")
        assert link == f"{base}/compare/?a=cards--fast&b=cards--slow&t=1.3&mode=wipe&split=0.5"


def test_more_than_two_a_missing_and_an_unknown_clip_each_have_their_pane(
    context: BrowserContext, base: str
) -> None:
    address = (
        f"{base}/embed/compare/?a=cards--slow&b=elsewhere--lighthouse-2&c=nobody&d=cards--fast"
    )
    for frame in framed(context.new_page(), iframe(address), base):
        frame.locator(".transport").wait_for()
        slates = [frame.locator(f"[data-side={side}] .pane-slate") for side in "abcd"]
        expect(slates[0]).to_be_hidden()
        expect(slates[1]).to_contain_text("No clip")
        expect(slates[2]).to_have_text("No clipNo clip is called nobody.")
        expect(slates[3]).to_be_hidden()
        frame.evaluate("document.querySelector('clip-pair').seek(1)")
        until(frame, "document.querySelector('clip-pair').getAttribute('phase') === 'still'")
        assert [frame.evaluate(READ_CODE, side) for side in "ad"] == [6, 24]


def test_one_clip_alone_plays(context: BrowserContext, base: str) -> None:
    page = context.new_page()
    page.goto(f"{base}/embed/compare/?b=cards--fast")
    page.get_by_role("button", name="Play", exact=True).click()
    page.wait_for_function("() => document.querySelector('clip-pair').state.shownS > 0.3")
    assert page.locator("clip-pair .pane").count() == 1


def test_without_script_the_frame_of_a_preset_has_players_with_controls(
    browser: Browser, base: str
) -> None:
    page = browser.new_page(java_script_enabled=False)
    page.goto(f"{base}/embed/slow-and-fast/")
    assert page.locator("video[controls][src]").count() == 2
    page.goto(f"{base}/compare/slow-and-fast/")
    assert page.locator("video[controls][src]").count() == 2
    assert page.get_by_role("textbox", name="Embed it").input_value().startswith("<iframe ")
    page.goto(f"{base}/embed/compare/?a=cards--slow&b=cards--fast")
    expect(page.locator(".embed-none")).to_be_visible()
    page.close()


def test_an_oembed_answer_is_json_and_leads_to_a_frame(context: BrowserContext, base: str) -> None:
    """Found as consumers find it: from the link in the page's head."""
    page = context.new_page()
    page.goto(f"{base}/compare/slow-and-fast/")
    link = page.locator('link[type="application/json+oembed"]').get_attribute("href") or ""
    public = "https://sample.example"
    answer = page.request.get(link.replace(public, base))
    assert answer.headers["content-type"].startswith("application/json")
    code = answer.json()["html"].replace(public, base)
    for frame in framed(page, code, base):
        frame.locator(".transport").wait_for()
        assert frame.locator("h1").text_content() == "Slow and fast"


def test_a_preset_opens_as_it_says_and_fetches_no_clip_before_somebody_asks(
    context: BrowserContext, base: str
) -> None:
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{base}/compare/all-four/")
    page.locator(".transport").wait_for()
    page.wait_for_load_state("networkidle")
    assert not [url for url in asked if url.endswith(".mp4")]
    state = page.evaluate("document.querySelector('clip-pair').state")
    assert (state["base"], state["timeS"]) == ("frame", 0.5)
    page.evaluate("document.querySelector('clip-pair').seek(0.5)")
    until(page.main_frame, "document.querySelector('clip-pair').state.clips.a.frame !== null")
    link = page.evaluate("document.querySelector('clip-pair').link")
    assert "base=frame" in link
    assert link.startswith(f"{base}/compare/?a=cards--slow&b=cards--fast&c=elsewhere")
