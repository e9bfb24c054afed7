"""Who may show the site's pages in a frame, asked of the one who decides: a browser."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from publishing import publish
from starlette.responses import HTMLResponse

from generator.pages import policy
from generator.publish.serve import application, header_rules, headers_for

from .loopback import serving

ALLOWED = policy.content_policy(["https://clips.example"])
PAGES = {
    "index.html": "home",
    "404.html": "not here",
    "method/index.html": "method",
    "clips/embed/index.html": "no player",
}


def site_of(folder: Path, pages: Mapping[str, str]) -> Path:
    texts = {name: f"<!doctype html><title>x</title><p>{text}" for name, text in pages.items()}
    publish({**texts, "_headers": policy.headers(ALLOWED, pages)}, {}, folder / "site")
    return folder / "site"


@pytest.mark.browser
@pytest.mark.parametrize("with_player", [False, True])
def test_other_sites_may_frame_players_and_nothing_else(
    browser: Browser, tmp_path: Path, with_player: bool
) -> None:
    player = {"embed/a--b/index.html": "a player"} if with_player else {}
    with serving(application(site_of(tmp_path, {**PAGES, **player}))) as base:
        paths = ["/", "/method/", "/clips/embed/", "/no/such/page", "/embed/a--b/"]
        frames = "".join(f'<iframe src="{base}{path}"></iframe>' for path in paths)
        with serving(HTMLResponse(f"<!doctype html>{frames}")) as elsewhere:
            page = browser.new_page()
            page.goto(elsewhere, wait_until="networkidle")
            shown = {
                frame.url.removeprefix(base): frame.locator("body").inner_text()
                for frame in page.frames
                if frame.url.startswith(base)
            }
            page.close()
    assert shown == ({"/embed/a--b/": "a player"} if with_player else {})


def test_no_header_is_ordered_twice_once_there_are_players() -> None:
    """Hosts disagree about what that would mean: the stricter value would take the frames away."""
    names = [*PAGES, "embed/a--b/index.html", "manifest.json", "media/x.mp4", "assets/1/x.css"]
    rules = header_rules(policy.headers(ALLOWED, names))
    for path in (*(f"/{name}" for name in names), "/", "/method/", "/embed/a--b/"):
        ordered = headers_for(path, rules)
        framers = "*" if path.startswith("/embed/") else "'none'"
        assert ordered["content-security-policy"] == f"{ALLOWED}; frame-ancestors {framers}", path
        assert ordered["x-content-type-options"] == "nosniff"
        kept = path.startswith(("/media/", "/assets/"))
        assert ordered.get("cache-control") == (policy.FOREVER if kept else None)
