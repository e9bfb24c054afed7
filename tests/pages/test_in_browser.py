"""The sample site in a real browser, under its own content policy."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from browser.launch import WATCH, forbidden, open_chromium
from browser.loopback import serving
from chromium import REMEDY, find
from playwright.sync_api import Browser, Page, Route, expect
from publishing import publish

from generator.pages import Rendered
from generator.publish.serve import application
from pages import sample

pytestmark = pytest.mark.browser

SUBPATH = "archive/"
"""Of the sample's base URL."""
PAGES = (
    *("", "archive/", "compare/", "method/", "data/", "plans/", "plans/b200/", "runs/loud/"),
    *("prompts/rain/", "pipelines/model/", "clips/loud--a/", "clips/loud--gone/"),
    *("clips/quiet--far/", "compare/second/", "compare/third/", "embed/third/"),
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = find()
    if program is None:
        pytest.skip(REMEDY)
    with open_chromium(program) as opened:
        yield opened


@pytest.fixture(scope="module")
def base(rendered: Rendered, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the sample site, published and served as any other, in a folder of its host."""
    site = tmp_path_factory.mktemp("published") / "site"
    static = {
        sample.ASSETS + path.relative_to(sample.STATIC).as_posix(): path
        for path in sample.STATIC.rglob("*")
        if path.is_file()
    }
    publish(rendered.texts, {**rendered.files, **static}, site)
    with serving(application(site)) as address:
        yield f"{address}/{SUBPATH}"


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    opened = browser.new_page(viewport={"width": 1280, "height": 900})
    opened.add_init_script(WATCH)
    violations = forbidden(opened.context)
    opened.route(re.compile(r"example\.(net|com|org)"), lambda route: route.abort())
    yield opened
    opened.close()
    assert violations == []


@pytest.mark.parametrize("address", PAGES)
def test_a_page_breaks_no_policy_no_rule_of_access_and_no_phone(
    page: Page, base: str, address: str
) -> None:
    failures: list[str] = []
    page.on("pageerror", lambda error: failures.append(str(error)))
    page.on(
        "response",
        lambda answer: failures.append(answer.url) if answer.status >= 400 else None,
    )
    page.goto(base + address, wait_until="networkidle")

    assert page.evaluate("violations") == []
    assert failures == []
    found = Axe().run(page).response["violations"]
    assert [(one["id"], one["nodes"][0]["html"][:120]) for one in found] == []
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_fonts_arrive_without_moving_the_page(page: Page, base: str) -> None:
    page.goto(base, wait_until="load")
    page.evaluate("document.fonts.ready")
    page.wait_for_timeout(300)

    assert page.evaluate("[...document.fonts].filter((f) => f.status === 'loaded').length") >= 2
    assert page.evaluate("shift") <= 0.1


def test_the_picker_finds_a_clip_and_keeps_it_in_the_address(page: Page, base: str) -> None:
    page.goto(f"{base}compare/")
    field = page.get_by_role("combobox", name="B", exact=True)
    field.click()
    expect(page.locator(".picker [role=option]:visible")).to_have_count(len(sample.CLIPS))
    field.fill("card 12.8fps")
    expect(page.locator(".picker [role=option]:visible")).to_have_count(1)
    field.press("Enter")

    expect(page).to_have_url(f"{base}compare/?a=loud--a&b=cards--card")
    video = page.locator('[data-side="b"] video')
    expect(video).to_have_attribute("data-clip", "cards--card")
    assert (video.get_attribute("src") or "").startswith(f"{base}media/")
    expect(page.locator('[data-side="b"] .pane-fps')).to_have_attribute(
        "href", f"{base}clips/cards--card/"
    )


def test_the_address_chooses_the_clips(page: Page, base: str) -> None:
    page.goto(f"{base}compare/?a=quiet--far&b=nothing")

    expect(page.locator('[data-side="a"] video')).to_have_attribute(
        "src", "https://clips.example.net/v/far.webm"
    )
    expect(page.locator('[data-side="b"] video')).to_have_attribute("data-clip", "loud--b")
    expect(page.get_by_text("B: no clip is called nothing.")).to_be_visible()


def test_tab_goes_from_one_list_to_the_other_to_the_player(page: Page, base: str) -> None:
    """A list of options scrolls, and Chromium would stop at it."""
    page.goto(f"{base}compare/")
    first = page.get_by_role("combobox", name="A", exact=True)
    expect(first).to_be_enabled()
    page.locator(".transport").wait_for()
    first.focus()
    seen = []
    for _ in range(3):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.id || document.activeElement.localName"))

    assert seen == ["pick-b", "button", "clip-pair"]


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("2,2,2", ["loud--b"]),
        ("[2,2,2]", ["loud--b"]),
        ("8 steps", ["loud--silent", "quiet--unseen"]),
        ("8 step", ["loud--silent", "quiet--unseen"]),
        ("2 steps", ["loud--a"]),
        ("8 steps sun", ["loud--silent"]),
        ("8 steps 512×288 rain", ["quiet--unseen"]),
        ("88 steps", []),
    ],
)
def test_the_picker_understands_steps(page: Page, base: str, typed: str, found: list[str]) -> None:
    page.goto(f"{base}compare/")
    page.get_by_role("combobox", name="A", exact=True).fill(typed)
    options = page.locator(".picker [role=option]:visible")
    expect(options).to_have_count(len(found))

    assert [one.get_attribute("data-id") for one in options.all()] == found


def test_a_cell_without_clip_says_why_on_its_own_side(page: Page, base: str) -> None:
    page.goto(f"{base}compare/?a=loud--gone&b=cards--card")
    pane = page.locator('[data-side="a"].pane')
    expect(pane.locator(".pane-slate")).to_contain_text("No clip")
    expect(pane.locator(".pane-slate")).to_contain_text("Never published.")
    expect(pane.locator(".pane-fps")).to_contain_text("12.8")
    status = page.get_by_role("status").first
    expect(status).to_contain_text("A: no clip. Never published.")
    expect(status).to_contain_text("B: Card")
    expect(page.locator(".transport-span")).to_have_text("B only: 20.0 s")


def test_captions_written_by_script_are_those_of_the_page(page: Page, base: str) -> None:
    """The same clips, once as the page came and once chosen the other way round."""
    captions = "[...document.querySelectorAll('clip-pair figcaption')].map((one) => " + (
        "[...one.children].map("
        "(part) => [part.className, part.href ?? '', part.textContent.trim()]))"
    )
    page.goto(f"{base}compare/")
    page.locator(".transport").wait_for()
    written = page.evaluate(captions)
    page.goto(f"{base}compare/?a=loud--b&b=loud--a")
    expect(page.locator('[data-side="a"] video')).to_have_attribute("data-clip", "loud--b")
    expect(page.locator('[data-side="b"] video')).to_have_attribute("data-clip", "loud--a")
    a, b = page.evaluate(captions)

    assert [written[0][0], written[1][0]] == [["pane-side", "", "A"], ["pane-side", "", "B"]]
    assert [written[0][1:], written[1][1:]] == [b[1:], a[1:]]
    assert [a[0][2], b[0][2]] == ["A", "B"]
    assert written[0][-1][0] == "pane-plays"
    assert written[0][-1][2].lower().startswith("retimed: 6 frames evenly over 20.0\u00a0s")


def test_letters_stay_with_their_clips_and_lists_when_swapped(page: Page, base: str) -> None:
    page.goto(f"{base}compare/")
    page.get_by_role("button", name="Swap sides").click()
    expect(page.locator("clip-picker")).to_have_attribute("swapped", "")
    places = {}
    for side in "ab":
        letter = page.locator(f'[data-side="{side}"] .pane-side')
        expect(letter).to_have_text(side.upper())
        boxes = [letter.bounding_box(), page.locator(f'.picker[data-side="{side}"]').bounding_box()]
        places[side] = [box["x"] for box in boxes if box]

    assert [a > b for a, b in zip(places["a"], places["b"], strict=True)] == [True, True]


def test_a_swap_before_the_list_of_clips_is_here_stays(page: Page, base: str) -> None:
    held: list[Route] = []
    page.route("**/data/clips.json", lambda route: held.append(route))
    page.goto(f"{base}compare/")
    page.get_by_role("button", name="Swap sides").click()
    expect(page.locator("clip-pair")).to_have_attribute("swapped", "")
    for one in held:
        one.continue_()
    expect(page.locator("clip-picker")).to_have_attribute("swapped", "")

    assert page.locator("clip-pair").get_attribute("swapped") is not None


def test_escape_leaves_the_choice_as_it_was(page: Page, base: str) -> None:
    page.goto(f"{base}compare/")
    field = page.get_by_role("combobox", name="A", exact=True)
    before = field.input_value()
    field.fill("zzz")
    expect(page.get_by_text("No clip matches.")).to_be_visible()
    field.press("Escape")

    expect(field).to_have_value(before)
    expect(page.locator(".picker [role=option]:visible")).to_have_count(0)


def test_texts_from_content_stay_text_in_captions(page: Page, base: str) -> None:
    page.goto(f"{base}compare/?a=loud--b&b=quiet--near")

    expect(page.locator('[data-side="a"] .pane-title')).to_contain_text("Model <1>")


def test_the_filter_narrows_the_matrix_and_keeps_its_state(page: Page, base: str) -> None:
    page.goto(f"{base}archive/")
    count = page.locator(".filter-count")
    expect(count).to_have_text(f"{len(sample.CLIPS)} cells")
    page.get_by_role("checkbox", name="Sun").check(force=True)
    expect(count).to_have_text(f"2 of {len(sample.CLIPS)} cells")
    expect(page.locator("[data-row]:visible")).to_have_count(1)
    page.get_by_role("checkbox", name="no clip").check(force=True)

    expect(page).to_have_url(f"{base}archive/?prompt=sun&state=none")
    page.reload()
    expect(page.get_by_role("checkbox", name="Sun")).to_be_checked()
    page.get_by_role("button", name="Show all").click()
    expect(page).to_have_url(f"{base}archive/")
    expect(count).to_have_text(f"{len(sample.CLIPS)} cells")


def test_the_filter_narrows_by_steps_and_interpolation_too(page: Page, base: str) -> None:
    """Steps are cells of a row, so the others of the row are dimmed; interpolation is a row's."""
    page.goto(f"{base}archive/")
    count = page.locator(".filter-count")
    every = len(sample.CLIPS)
    page.get_by_role("checkbox", name="[2,2,2]").check(force=True)
    expect(count).to_have_text(f"1 of {every} cells")
    expect(page.locator(".cell:visible:not([data-dimmed]) .cell-fps")).to_have_text(["11.0 FPS"])
    page.get_by_role("button", name="Show all").click()
    page.get_by_role("checkbox", name="none", exact=True).check(force=True)
    expect(count).to_have_text(f"1 of {every} cells")
    expect(page).to_have_url(f"{base}archive/?interpolation=none")
    page.reload()
    expect(count).to_have_text(f"1 of {every} cells")


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("sun", {"loud--gone", "loud--silent"}),
        ("card", {"cards--card"}),
        ("512x288 8 steps", {"loud--silent", "quiet--unseen"}),
        ("rife 2 steps", {"loud--a"}),
        ("none", {"cards--card"}),
        ("no rife", {"cards--card"}),
        ("no ri", {"cards--card"}),
        ("No interpolation", {"cards--card"}),
        ("no clip", {"loud--gone", "loud--silent", "quiet--near"}),
    ],
)
def test_the_picker_finds_by_prompt_pipeline_size_steps_and_interpolation(
    page: Page, base: str, typed: str, found: set[str]
) -> None:
    page.goto(f"{base}compare/")
    field = page.get_by_role("combobox", name="B", exact=True)
    field.fill(typed)
    options = page.locator(".picker [role=option]:visible")
    expect(options).to_have_count(len(found))
    assert {one.get_attribute("data-id") for one in options.all()} == found


def test_every_clip_that_plays_can_be_compared_from_its_card_and_its_page(
    page: Page, base: str
) -> None:
    """By pointer and by key, and never where there is nothing to see."""
    page.goto(f"{base}archive/")
    cells = page.locator(".cell")
    links = page.locator(".cell .cell-compare")
    assert links.count() == page.locator('.cell:not([data-state="none"])').count() < cells.count()
    assert page.locator('.cell[data-state="none"] .cell-compare').count() == 0
    link = page.get_by_role("link", name=re.compile("Compare Card .* with"))
    expect(link).to_have_css("opacity", "0")
    link.focus()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    expect(link).to_have_css("opacity", "1")
    box = link.bounding_box()
    assert box
    assert min(box["width"], box["height"]) >= 24
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/compare/\?a=cards--card"))
    expect(page.locator('[data-side="a"] video')).to_have_attribute("data-clip", "cards--card")

    page.goto(f"{base}clips/cards--card/")
    page.get_by_role("link", name="Compare with…", exact=True).click()
    expect(page).to_have_url(re.compile(r"/compare/\?a=cards--card"))
    page.goto(f"{base}clips/loud--gone/")
    assert page.get_by_role("link", name="Compare with…", exact=True).count() == 0


def test_a_mark_steps_at_the_rate_of_the_cell_pointed_at(page: Page, base: str) -> None:
    page.goto(f"{base}archive/")
    page.wait_for_load_state("networkidle")
    page.locator('.cell[data-fps="49.3"]').first.hover()
    page.locator(".cadence-mark").wait_for()  # its script comes with the first pointer
    timing = "document.getAnimations().map((a) => a.effect.getTiming())"
    (found,) = page.evaluate(timing)

    assert found["easing"] == "steps(49)"
    assert found["duration"] == pytest.approx(1000 * 49 / 49.3)


def test_everything_is_there_without_javascript(browser: Browser, base: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{base}compare/")
    assert page.locator("video[controls]").count() == 2
    assert page.get_by_role("combobox").count() == 0
    page.goto(f"{base}archive/")
    assert page.locator(".cell:visible").count() == len(sample.CLIPS)
    assert page.get_by_role("checkbox").count() == 0
    stills = page.locator(".cell-still")
    laid_out = "(all) => all.map((one) => getComputedStyle(one).display)"
    assert set(stills.evaluate_all(laid_out)) == {"block"}
    context.close()


@pytest.mark.parametrize("width", [360, 768, 1440, 2560])
def test_cells_hold_all_that_they_say(page: Page, base: str, width: int) -> None:
    """With a still or without: no figure, step count or state is cut off."""
    page.set_viewport_size({"width": width, "height": 900})
    for address in ("", "archive/", "clips/loud--a/"):
        page.goto(base + address, wait_until="load")
        page.evaluate("document.fonts.ready")
        cut = page.evaluate("""
          [...document.querySelectorAll('.cell-link')].flatMap((cell) => {
            const box = cell.getBoundingClientRect();
            const outside = [...cell.querySelectorAll(':scope > :not(.cell-still)')]
              .map((part) => [part.className, part.getBoundingClientRect()])
              .filter(([, part]) => part.height && (part.top < box.top - 1
                || part.bottom > box.bottom + 1));
            const tall = cell.scrollHeight > cell.clientHeight;
            return tall || outside.length ? [[cell.href, outside.map(([name]) => name)]] : [];
          })
        """)

        assert page.locator(".cell[data-still]").count() > 0
        assert cut == [], (width, address)


def test_a_phone_shows_all_ways_and_all_columns(page: Page, base: str) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(f"{base}clips/loud--a/")
    beyond = """
      (what) => [...document.querySelectorAll(what)]
        .filter((one) => one.getBoundingClientRect().right > innerWidth)
        .map((one) => one.textContent)
    """

    assert page.evaluate(beyond, ".nav a") == []
    assert page.locator(".filefacts [data-name='display copy']").count() > 0
    assert page.evaluate(beyond, ".filefacts td, .verdicts td") == []
    page.goto(f"{base}data/")
    assert page.evaluate(beyond, ".table :is(th, td), .facts :is(dt, dd)") == []
    heights = page.evaluate(
        "[...document.querySelectorAll('.table th.code')].map((one) => one.offsetHeight)"
    )
    assert max(heights) < 40, "a name is broken over two lines"


def test_paper_is_white_and_holds_whole_tables(page: Page, base: str) -> None:
    page.emulate_media(media="print")
    for address in ("", "clips/loud--a/", "method/"):
        page.goto(base + address)
        style = "(what) => getComputedStyle(document.querySelector(what))"

        assert page.evaluate(f"({style})('html').backgroundColor") == "rgb(255, 255, 255)"
        assert page.evaluate(f"({style})('body').color") == "rgb(0, 0, 0)"
        assert page.locator(".nav:visible, .transport:visible, archive-filter:visible").count() == 0
        scrolling = page.evaluate(
            "[...document.querySelectorAll('.scroll')].map((x) => getComputedStyle(x).overflowX)"
        )
        assert set(scrolling) <= {"visible"}


def test_a_forced_palette_keeps_marks_apart(browser: Browser, base: str) -> None:
    context = browser.new_context(forced_colors="active")
    page = context.new_page()
    page.goto(f"{base}method/")
    mark = """
      ([what, before]) => {
        const style = getComputedStyle(document.querySelector(what), before ? '::before' : null);
        return [style.backgroundColor, style.backgroundImage, style.textDecorationLine];
      }
    """
    assert page.evaluate(mark, [".nav [aria-current]", False])[2] == "underline"
    shown = [
        page.evaluate(mark, [f".outcome[data-outcome={outcome}]", True])
        for outcome in ("fails", "cannot_check")
    ]
    page.evaluate("document.querySelector('.outcome').dataset.outcome = 'holds'")
    shown.append(page.evaluate(mark, [".outcome[data-outcome=holds]", True]))
    assert len({tuple(one[:2]) for one in shown}) == 3
    page.goto(f"{base}clips/loud--a/")
    for strokes in (".times svg", ".packets svg", ".wordmark-mark", ".clip-cadence line"):
        stroke = f"getComputedStyle(document.querySelector('{strokes}')).stroke"
        paper = "getComputedStyle(document.body).backgroundColor"
        assert page.evaluate(f"{stroke} !== {paper} && {stroke} !== 'none'"), strokes
    context.close()
