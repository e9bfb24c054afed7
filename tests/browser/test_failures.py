"""Clips that do not come, under both engines: what a visitor reads, what goes on, what mends it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from generator.pages import policy

from .fixture import fixture_app
from .footage import CODECS, Footage, Reel, encode, read_footage, render_card
from .loopback import serving
from .scenarios import open_pair

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

SENTENCES = {
    "missing": "The file is not there any more (the server answers 404).",
    "empty": "The file is there, but it is empty.",
    "undecodable": "The file came, but no pictures could be decoded from it here.",
    "refused": "The server refuses to send it.",
    "unreachable": "The server cannot be reached: this device may be offline.",
    "silent": "The server does not answer.",
    "cut": "The file ends before its last frame.",
}
ANSWERS = {
    "missing": lambda: Response("gone", 404),
    "empty": lambda: Response(b"", media_type="video/mp4"),
    "undecodable": lambda: Response(b"no clip at all. " * 4096, media_type="video/mp4"),
    "refused": lambda: Response("not for you", 403),
}
ENGINES = ("frames", "elements")
SLATE = "[data-side=b] .pane-slate"


@dataclass
class Ailing:
    """The fixture's server, of which every clip below /ailing/ has what ails it at the moment."""

    app: ASGIApp
    ails: str = ""
    policy: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        ailing = scope["type"] == "http" and scope["path"].startswith("/ailing/")
        if ailing and self.ails in ANSWERS:
            await ANSWERS[self.ails]()(scope, receive, send)
            return
        if ailing and self.ails == "silent":
            while (await receive())["type"] != "http.disconnect":
                pass
            return
        if ailing:
            scope = {**scope, "path": scope["path"].replace("/ailing/", "/clips/")}

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = [
                    (name, value)
                    for name, value in message["headers"]
                    if not (self.policy and name == b"content-security-policy")
                ]
                if self.policy:
                    kept.append((b"content-security-policy", self.policy.encode()))
                if ailing:
                    kept += [(n.encode(), v.encode()) for n, v in self.headers.items()]
                message["headers"] = kept
            await send(message)

        await self.app(scope, receive, with_headers)


@pytest.fixture
def ailing(cards: Reel) -> Iterator[tuple[Ailing, str]]:
    server = Ailing(fixture_app(list(cards.clips.values())))
    with serving(server) as base:
        yield server, base


@contextmanager
def opened(browser: Browser, base: str, cards: Reel, engine: str, src: str) -> Iterator[Page]:
    """A good clip as A, and as B whatever `src` gives; nothing has been asked to play yet."""
    good, bad = cards.pair("small")
    page = open_pair(browser, base, f"a={good.name}&engine={engine}")
    page.evaluate(
        "([src, timestampsUrl, durationS]) => "
        "clipPair().load('b', { id: 'ill', src, timestampsUrl, durationS })",
        [src, f"/timestamps/{bad.name}.json", bad.duration_s],
    )
    yield page
    page.context.close()


def shows(page: Page, side: str) -> None:
    """A picture of the side is seen, by whichever engine."""
    page.wait_for_function("(side) => clipPair().picture(side) !== null", arg=side)


def plays_on(page: Page) -> None:
    """The good clip runs, whatever became of the other."""
    page.wait_for_function("() => clipPair().state.phase === 'running'")
    page.wait_for_function("() => clipPair().timeS > 0.4")
    shows(page, "a")


def lines(slate: Locator) -> list[str]:
    return [one for one in slate.inner_text().split("\n") if one]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("ails", ANSWERS)
def test_a_clip_says_what_ails_it_while_the_other_plays_and_comes_back_when_mended(
    browser: Browser, cards: Reel, ailing: tuple[Ailing, str], ails: str, engine: str
) -> None:
    server, base = ailing
    server.ails = ails
    name = cards.pair("small")[1].name
    with opened(browser, base, cards, engine, f"/ailing/{name}") as page:
        page.evaluate("clipPair().play()")
        slate = page.locator(SLATE)
        expect(slate).to_contain_text(SENTENCES[ails])
        plays_on(page)
        offers = ["Download the file" if ails == "undecodable" else "Open its address"]
        assert lines(slate) == [
            "Could not be loaded",
            SENTENCES[ails],
            "A can be played without it.",
            "Try again",
            *offers,
        ]
        link = slate.get_by_role("link", name=offers[0])
        assert link.get_attribute("href") == f"{base}/ailing/{name}"
        live = page.locator(".transport-live")
        expect(live).to_have_text(f"B could not be loaded. {SENTENCES[ails]}")

        again = slate.get_by_role("button", name="Try again")
        again.evaluate("(button) => { button.dataset.tried = ''; }")
        again.click()
        # What stood there before says the same: the answer to this try has a button of its own.
        expect(
            page.locator(f"{SLATE} button:not([data-tried])", has_text="Try again")
        ).to_be_visible()
        expect(slate).to_contain_text(SENTENCES[ails])
        server.ails = ""
        again.click()
        expect(slate).to_be_hidden()
        shows(page, "b")
        assert page.locator("clip-pair").get_attribute("data-engine") == engine


@pytest.mark.parametrize("engine", ENGINES)
def test_a_server_that_never_answers_holds_the_other_clip_for_a_while_only(
    browser: Browser, cards: Reel, ailing: tuple[Ailing, str], engine: str
) -> None:
    server, base = ailing
    server.ails = "silent"
    name = cards.pair("small")[1].name
    with opened(browser, base, cards, engine, f"/ailing/{name}") as page:
        page.evaluate("clipPair().play()")
        slate = page.locator(SLATE)
        expect(slate).to_contain_text(SENTENCES["silent"], timeout=30_000)
        plays_on(page)
        server.ails = ""
        slate.get_by_role("button", name="Try again").click()
        expect(slate).to_be_hidden()
        shows(page, "b")
        assert page.locator("clip-pair").get_attribute("data-engine") == engine


def test_a_file_that_ends_early_is_no_exact_clip(
    browser: Browser, formats_cut: tuple[Footage, Footage]
) -> None:
    """Its last picture must not stand for those that are missing while the clock goes on."""
    whole, cut = formats_cut
    with serving(fixture_app([whole, cut])) as base:
        page = open_pair(browser, base, f"a={whole.name}&b={cut.name}&engine=frames")
        page.evaluate("clipPair().play()")
        slate = page.locator(SLATE)
        expect(slate).to_contain_text(SENTENCES["cut"], timeout=30_000)
        plays_on(page)
        page.context.close()


@pytest.fixture
def formats_cut(tmp_path: Path) -> tuple[Footage, Footage]:
    """A clip, and one of which the last half is missing, told as if it were whole."""
    plain, whole = tmp_path / "plain.mp4", tmp_path / "whole.mp4"
    render_card(plain, width=512, height=288, rate=Fraction(24), seconds=Fraction(6))
    encode(plain, whole, CODECS["h264"][1])
    footage = read_footage(whole)
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    return footage, replace(footage, name=cut.name, path=cut)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_device_that_is_offline_is_told_so_and_goes_on_when_it_is_back(
    browser: Browser, cards: Reel, ailing: tuple[Ailing, str], engine: str
) -> None:
    """Offline before anything came: both clips say so. A button brings its clip back, and the
    other with it where the exact engine can take over again."""
    _, base = ailing
    name = cards.pair("small")[1].name
    with opened(browser, base, cards, engine, f"/clips/{name}") as page:
        page.context.set_offline(True)
        page.evaluate("clipPair().play()")
        for side in "ab":
            slate = page.locator(f"[data-side={side}] .pane-slate")
            expect(slate).to_contain_text(SENTENCES["unreachable"], timeout=15_000)
        page.context.set_offline(False)
        for side in "ab":
            slate = page.locator(f"[data-side={side}] .pane-slate")
            if slate.is_visible():
                slate.get_by_role("button", name="Try again").click()
            expect(slate).to_be_hidden()
            shows(page, "a")
        shows(page, "b")
        assert page.locator("clip-pair").get_attribute("data-engine") == engine


@pytest.mark.parametrize("how", ["refused", "missing", "kept from other sites"])
def test_a_clip_that_its_own_site_keeps_names_that_site(
    browser: Browser, cards: Reel, ailing: tuple[Ailing, str], how: str
) -> None:
    """Of another site's answer scripts learn nothing, so no more is said than is known: 403, 404
    and a Cross-Origin-Resource-Policy look alike. Such clips are the elements' business, and the
    bar says that they drive, and why."""
    server, base = ailing
    name = cards.pair("small")[1].name
    away = Ailing(fixture_app(list(cards.clips.values())), ails=how)
    if how not in ANSWERS:
        away.headers = {"Cross-Origin-Resource-Policy": "same-origin"}
    with serving(away) as elsewhere:
        elsewhere = elsewhere.replace("127.0.0.1", "localhost")
        server.policy = policy.content_policy([elsewhere])
        with opened(browser, base, cards, "frames", f"{elsewhere}/ailing/{name}") as page:
            page.evaluate("clipPair().play()")
            slate = page.locator(SLATE)
            host = elsewhere.removeprefix("http://")
            said = f"{host} did not send it: it may be gone, or kept from other sites."
            expect(slate).to_contain_text(said)
            plays_on(page)
            assert lines(slate)[1:] == [
                said,
                "A can be played without it.",
                "Try again",
                "Open its address",
            ]
            expect(page.locator(".transport-inexact")).to_have_text(
                "Your browser's own players, in step but not exact to the frame: "
                "B comes from another site."
            )
            away.ails, away.headers = "", {}
            slate.get_by_role("button", name="Try again").click()
            expect(slate).to_be_hidden()
            shows(page, "b")


@pytest.mark.parametrize("engine", ENGINES)
def test_two_clips_that_fail_each_say_why(
    browser: Browser, cards: Reel, ailing: tuple[Ailing, str], engine: str
) -> None:
    server, base = ailing
    server.ails = "missing"
    a, b = cards.pair("small")
    with opened(browser, base, cards, engine, f"/ailing/{b.name}") as page:
        page.evaluate(
            "([src, timestampsUrl]) => "
            "clipPair().load('a', { id: 'x', src, timestampsUrl, durationS: 5 })",
            [f"/ailing/{a.name}", f"/timestamps/{a.name}.json"],
        )
        page.evaluate("clipPair().play()")
        for side in "ab":
            slate = page.locator(f"[data-side={side}] .pane-slate")
            expect(slate).to_contain_text(SENTENCES["missing"])
            expect(slate).not_to_contain_text("can be played")
        expect(page.locator(".transport-readout")).to_have_text("could not be loaded")


DEAF = """
window.dismissed = 0;
window.Worker = class extends Worker {
  postMessage(message) {
    this.deaf ||= message.type === 'open' && message.src.includes(DEAF);
    // Its script runs, and finds no way out of the file from then on.
    if (!this.deaf) super.postMessage(message);
    else if (message.type === 'open') {
      this.dispatchEvent(new MessageEvent('message', { data: { type: 'here' } }));
    }
  }
  terminate() {
    window.dismissed += this.deaf ? 1 : 0;
    super.terminate();
  }
};
"""


def test_a_reader_that_never_comes_back_is_given_up_and_the_others_go_on(
    browser: Browser, cards: Reel, cards_base: str
) -> None:
    """It is asked, owes an answer, is ended; what the browser's own player makes of the clip is
    shown, and said."""
    good, deaf = cards.pair("small")
    context = browser.new_context(viewport={"width": 1200, "height": 900})
    context.add_init_script(DEAF.replace("DEAF", f"'{deaf.name}'"))
    page = context.new_page()
    page.goto(f"{cards_base}/pair?a={good.name}&b={deaf.name}&engine=frames")
    page.wait_for_function("() => pairIsUp()")
    assert page.locator("clip-pair").get_attribute("data-engine") == "frames"
    page.evaluate("clipPair().play()")
    expect(page.locator(".transport-readout")).to_have_text("holding for B")
    expect(page.locator("clip-pair")).to_have_attribute("data-engine", "elements", timeout=60_000)
    expect(page.locator(".transport-inexact")).to_contain_text(
        "B did not decode here (its reader never came back)"
    )
    assert page.evaluate("dismissed") >= 1
    page.wait_for_function("() => clipPair().state.phase === 'running' && clipPair().timeS > 0.4")
    shows(page, "b")
    context.close()
