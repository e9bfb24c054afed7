"""What a first visit costs before anybody touches the page, counted on the wire."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from generator import build as building
from generator.project import Project

from .weight import (
    BUDGET_BYTES,
    COMPARE_BYTES,
    MAX_SHIFT,
    Screen,
    serving_compressed,
    visit,
)

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

TESTS = Path(__file__).resolve().parents[1]
RUN = "2026-03-story-machine-h100"
PHONE = Screen(width=360, height=740, density=2)
DESK = Screen(width=1440, height=900)


@pytest.fixture(scope="module")
def sample_base(site: Path) -> Iterator[str]:
    with serving_compressed(site) as base:
        yield base


@pytest.fixture(scope="module")
def archive_base(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The repository's own site with every real clip and still on it: the heaviest there is."""
    root = tmp_path_factory.mktemp("weight") / "archive"
    shutil.copytree(TESTS.parent / "content", root / "content")
    options = building.Options(mirrors=(archive,), include_media=frozenset({RUN}), jobs=2)
    building.build(Project(root=root), options)
    with serving_compressed(root / "site") as base:
        yield base


def keep_to_the_budget(browser: Browser, base: str, path: str, screen: Screen) -> None:
    seen = visit(browser, base, path, screen)

    assert len(seen.answers) > 10, "the visit loaded no page"
    assert seen.elsewhere == []
    heaviest = sorted(seen.answers, key=lambda one: -one.wire_bytes)[:8]
    most = COMPARE_BYTES if path == "/compare/" else BUDGET_BYTES
    assert seen.wire_bytes <= most, (seen.by_kind(), heaviest)
    assert seen.shift <= MAX_SHIFT


@pytest.mark.parametrize("screen", [PHONE, DESK], ids=str)
@pytest.mark.parametrize("path", ["/", "/archive/", "/compare/", "/clips/cards--fast/"])
def test_a_page_of_the_sample_stays_light_still_and_among_itself(
    browser: Browser, sample_base: str, path: str, screen: Screen
) -> None:
    keep_to_the_budget(browser, sample_base, path, screen)


@pytest.mark.archive
@pytest.mark.parametrize("screen", [PHONE, DESK], ids=str)
@pytest.mark.parametrize("path", ["/", "/archive/", "/compare/"])
def test_a_page_with_every_real_clip_stays_light_still_and_among_itself(
    browser: Browser, archive_base: str, path: str, screen: Screen
) -> None:
    keep_to_the_budget(browser, archive_base, path, screen)


@pytest.mark.archive
def test_stills_far_below_come_when_somebody_goes_there(
    browser: Browser, archive_base: str
) -> None:
    """None is fetched that is out of sight, all are there after a walk, nothing moves."""
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.goto(archive_base + "/archive/", wait_until="networkidle")
    fetched = """
      () => [...document.querySelectorAll('.cell-still')].map((still) =>
        [still.complete && still.naturalWidth > 0, still.closest('.cell').getBoundingClientRect()])
        .map(([there, box]) => [there, box.top < innerHeight && box.bottom > 0])
    """
    before = page.evaluate(fetched)
    assert {there for there, in_sight in before if in_sight} == {True}
    assert {there for there, in_sight in before if not in_sight} == {False}
    page.mouse.move(700, 500)
    for _ in range(page.evaluate("Math.ceil(document.body.scrollHeight / 600)")):
        page.mouse.wheel(0, 600)
        page.wait_for_timeout(60)
    page.wait_for_load_state("networkidle")

    assert [there for there, _ in page.evaluate(fetched)] == [True] * len(before)
    page.close()


@pytest.mark.parametrize("width", [360, 1440])
def test_the_player_is_there_before_it_is_reached(
    browser: Browser, sample_base: str, width: int
) -> None:
    """Out of sight it loads nothing; the first sign of a visitor brings it, and nothing moves."""
    page = browser.new_page(viewport={"width": width, "height": 900})
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(sample_base + "/", wait_until="networkidle")
    assert not [one for one in asked if "clip-pair.js" in one]
    below = "document.querySelector('clip-pair').getBoundingClientRect().top >= innerHeight"
    assert page.evaluate(below)
    height = page.evaluate("document.querySelector('clip-pair').offsetHeight")
    page.mouse.move(300, 300)
    page.locator("clip-pair .transport").wait_for(state="attached")

    assert page.evaluate(below)
    after = page.evaluate("document.querySelector('clip-pair').offsetHeight")
    assert after == pytest.approx(height, abs=1)  # of whole pixels
    page.close()


def test_rare_letters_are_fetched_only_where_they_stand(browser: Browser, sample_base: str) -> None:
    """Each face comes in two files; the second holds what English seldom needs."""
    page = browser.new_page()
    page.goto(sample_base + "/", wait_until="networkidle")
    files = """
      () => performance.getEntriesByType('resource').map((one) => one.name.split('/').pop())
        .filter((name) => name.endsWith('.woff2')).sort()
    """
    cores = ["big-shoulders-core.woff2", "geist-mono-core.woff2", "hanken-grotesk-core.woff2"]
    assert page.evaluate(files) == cores
    for family, weight in (("Big Shoulders", 900), ("Hanken Grotesk", 400), ("Geist Mono", 600)):
        loaded = page.evaluate(
            "([face, text]) => document.fonts.load(face, text).then((all) => all.length)",
            [f"{weight} 20px '{family}'", "é"],
        )
        assert loaded == 1, family
    assert len(page.evaluate(files)) == 6
    page.close()
