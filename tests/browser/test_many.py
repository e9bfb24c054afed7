"""Three to nine clips in the published compare page: a whole row on one clock, and who is added.

Which frame a pane shows is read back from its pixels; which is due follows from the rate that its
card was drawn at.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from generator import build as building
from generator.project import Project
from generator.publish.serve import application

from .launch import WATCH, forbidden
from .loopback import serving

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

ROW = {2: (30, 8), 3: (24, 8), 4: (20, 8), 6: (15, 8), 8: (12, 7), 10: (10, 8), 12: (6, 9)}
"""Steps -> frames per second and seconds of the card in their cell."""
SPARE = {"small": (25, 8), "tall": (8, 8)}
"""Two more cards, of another size, in a row of their own."""
IDS = [f"row--s{steps}" for steps in ROW]
NINE = [*IDS, *(f"row--{name}" for name in SPARE)]
RATES = [Fraction(fps) for fps, _ in (*ROW.values(), *SPARE.values())]
EXACT_S = Fraction(1, 1_000_000)
OPTIONS = ".picker [role=option]:visible"
PAIR = "document.querySelector('clip-pair')"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample with one more run: a row of seven cards by steps, and two of other sizes."""
    root = tmp_path_factory.mktemp("row") / "sample"
    shutil.copytree(Path(__file__).resolve().parents[1] / "sample", root)
    runs = root / "content/runs"
    (runs / "row").mkdir()
    said, _, _ = (runs / "cards/run.toml").read_text("utf-8").partition("[[claims]]")
    (runs / "row/run.toml").write_text(said.replace("Two cards", "A row of cards"), "utf-8")
    lines = ["id,series,pipeline,prompt,size,steps,fps,seconds"]
    for steps, (fps, seconds) in ROW.items():
        lines.append(f"s{steps},declared,test-card,lighthouse,256x144,{steps},{fps},{seconds}")
    for name, (fps, seconds) in SPARE.items():
        size = {"small": "192x108", "tall": "160x192"}[name]
        lines.append(f"{name},declared,test-card,lighthouse,{size},2,{fps},{seconds}")
    (runs / "row/clips.csv").write_text("\n".join(lines) + "\n", "utf-8")
    building.build(Project(root=root), building.Options(base_url="https://sample.example/"))
    return root / "site"


@pytest.fixture(scope="module")
def base(project: Path) -> Iterator[str]:
    with serving(application(project)) as address:
        yield address


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """Fails the test when a page complains or tries what the site's policy forbids."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.add_init_script(WATCH)
    violations = forbidden(context)
    complaints: list[str] = []
    context.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
    context.on("weberror", lambda error: complaints.append(str(error.error)))
    yield context
    context.close()
    assert [text for text in complaints if "Failed to load" not in text] == []
    assert violations == []


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


def address(base: str, ids: list[str], more: str = "") -> str:
    sides = "&".join(f"{side}={one}" for side, one in zip("abcdefghi", ids, strict=False))
    return f"{base}/compare/?{sides}{more}"


def until(page: Page, condition: str, timeout_s: float = 60) -> None:
    """Wait without `eval`, which the site's policy forbids the page."""
    deadline_s = time.monotonic() + timeout_s
    while not page.evaluate(condition):
        assert time.monotonic() < deadline_s, f"never came true: {condition}"
        page.wait_for_timeout(50)


def ready(page: Page, count: int) -> None:
    """The lists work, and there are so many panes."""
    expect(page.locator(".picker-add")).to_have_count(1)
    expect(page.locator("clip-pair .transport")).to_be_attached()
    expect(page.locator("clip-pair > .pane")).to_have_count(count)
    expect(page.locator("#pick-a")).to_be_enabled()


def still(page: Page) -> None:
    until(page, f"{PAIR}.state.phase === 'still'")


SPY = """async () => {
  const script = document.querySelector('script[type=module]').src;
  const { readFrameCode, rowHeightOf } = await import(new URL('lib/framecode.js', script));
  const pair = document.querySelector('clip-pair');
  const pen = new OffscreenCanvas(512, 64).getContext('2d', { willReadFrequently: true });
  const codeOf = (canvas) => {
    if (!canvas || canvas.hidden) return null;
    const { width, height } = canvas;
    const high = 2 * rowHeightOf(height);
    pen.drawImage(canvas, 0, height - high, width, high, 0, 0, width, high);
    return readFrameCode(pen.getImageData(0, 0, width, high), height);
  };
  globalThis.tick = () => {
    const { shownS, lap, phase } = pair.state;
    return [shownS, lap, phase,
      [...pair.querySelectorAll('.pane')].map((one) => codeOf(one.querySelector('.pane-canvas')))];
  };
  globalThis.ticks = [];
  const look = () => { ticks.push(tick()); requestAnimationFrame(look); };
  requestAnimationFrame(look);
}"""


def due(clock_s: float, rates: list[Fraction], ids: list[str] = NINE) -> list[int]:
    """The frame of each card whose interval holds the clock; past its end its last one."""
    lengths = [Fraction(seconds) for _, seconds in (*ROW.values(), *SPARE.values())]
    clock = Fraction(clock_s) + EXACT_S
    return [
        min(int(clock * rate), int(rate * length) - 1)
        for rate, length in zip(rates, lengths, strict=False)
    ]


def test_a_row_of_the_matrix_plays_in_step_from_its_link_exact_in_every_tick(
    page: Page, base: str
) -> None:
    """Play, seek, step there and back, a loop: seven panes show the seven frames due, always."""
    page.goto(f"{base}/archive/")
    page.get_by_role("link", name="Play all 7 in step from Test card · 2 steps").click()
    expect(page).to_have_url(address(base, IDS))
    ready(page, 7)
    player = page.get_by_role("region", name="Seven clips in step")
    page.evaluate(SPY)
    player.get_by_role("button", name="Play", exact=True).click()
    until(page, f"{PAIR}.state.shownS > 1.5")
    page.evaluate(f"{PAIR}.seek(4.321)")
    until(page, f"{PAIR}.state.shownS > 5")
    page.evaluate(f"{PAIR}.setLoop({{ on: true, inS: 2, outS: 2.7 }})")
    until(page, f"{PAIR}.state.lap >= 2")
    player.get_by_role("button", name="Pause", exact=True).click()
    still(page)
    page.evaluate(f"{PAIR}.setLoop({{ on: false }})")
    there = []
    for key in ".....,,,,,":
        player.press(key)
        still(page)
        there.append(page.evaluate("tick()")[3])
    page.evaluate(f"{PAIR}.seek(7.5)")  # one of them is over
    still(page)
    last = page.evaluate("tick()")
    seen = [*page.evaluate("ticks"), last]

    assert page.evaluate(f"{PAIR}.dataset.engine") == "frames"
    drawn = [one for one in seen if any(code is not None for code in one[3])]
    assert len(drawn) > 100
    wrong = [(one, due(one[0], RATES[:7])) for one in drawn if one[3] != due(one[0], RATES[:7])]
    assert wrong == [], f"wrong frame in {len(wrong)} of {len(drawn)} ticks, first: {wrong[0]}"
    assert there[5:9] == there[3::-1]
    assert last[3] == [225, 180, 150, 112, 83, 75, 45]
    assert {one[2] for one in seen} >= {"running", "still"}


def test_the_address_brings_seven_clips_and_their_frames_back(page: Page, base: str) -> None:
    page.goto(address(base, IDS))
    ready(page, 7)
    page.evaluate(f"{PAIR}.seek(3.3)")
    for key in ("+", ".", ".", "<"):
        page.locator("clip-pair").press(key)
        still(page)
    until(page, "location.search.includes('t=') && location.search.includes('rate=0.75')")
    page.wait_for_timeout(700)
    page.evaluate(SPY)
    before = page.evaluate("tick()")
    left = page.url
    link = page.evaluate(f"{PAIR}.link")
    page.goto(f"{base}/")
    page.goto(link)
    ready(page, 7)
    until(page, f"{PAIR}.state.clips.g?.frame != null")
    page.evaluate(SPY)
    after = page.evaluate("tick()")

    assert link == left
    assert after[0] == pytest.approx(before[0], abs=1e-6)
    assert after[3] == before[3] == due(before[0], RATES[:7])
    assert page.evaluate(f"{PAIR}.view.zoom") == 1.5
    assert page.evaluate(f"{PAIR}.state.rate") == 0.75


def chosen(page: Page) -> list[str]:
    return page.locator("clip-pair .pane video").evaluate_all(  # type: ignore[no-any-return]
        "(all) => all.map((one) => one.dataset.clip)"
    )


def focused(page: Page) -> str:
    return page.evaluate(  # type: ignore[no-any-return]
        "document.activeElement.getAttribute('aria-label') ?? document.activeElement.id"
        " ?? document.activeElement.className"
    )


def test_clips_are_added_and_removed_by_keys_alone(page: Page, base: str) -> None:
    """Up to nine and down to two; letters leave no gap, the address follows, the clock stays."""
    page.goto(address(base, IDS[:2], "&t=1.25"))
    ready(page, 2)
    expect(page.get_by_role("button", name=re.compile("Remove clip"))).to_have_count(0)
    add = page.get_by_role("button", name="Add a clip")
    add.focus()
    page.keyboard.press("Enter")
    assert focused(page) == "pick-c"
    page.keyboard.type("4 steps 256")
    expect(page.locator(OPTIONS)).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page).to_have_url(address(base, IDS[:3], "&t=1.25"))
    expect(page.locator("[data-side=c] .pane-title")).to_contain_text("4 steps")
    expect(page.get_by_role("region", name="Three clips in step")).to_be_visible()
    for place, words in enumerate(
        ["6 steps", "8 steps 256", "10 steps", "12 steps", "192x108", "160x192"]
    ):
        add.press("Enter")
        assert focused(page) == f"pick-{'defghi'[place]}"
        page.keyboard.type(words)
        page.keyboard.press("Enter")
    assert chosen(page) == NINE
    expect(add).to_be_disabled()
    expect(page).to_have_url(address(base, NINE, "&t=1.25"))
    until(page, f"{PAIR}.state.clips.i?.frame != null")
    page.evaluate(SPY)
    assert page.evaluate("tick()")[3] == due(1.25, RATES)

    for _ in range(2):  # who comes after moves up, and so does the focus
        page.get_by_role("button", name="Remove clip B").focus()
        page.keyboard.press("Enter")
        assert focused(page) == "Remove clip B"
    left = [IDS[0], *NINE[3:]]
    assert chosen(page) == left
    expect(page).to_have_url(address(base, left, "&t=1.25"))
    expect(page.get_by_role("status").first).to_contain_text("is out; 7 clips are left.")
    until(page, f"{PAIR}.state.clips.g?.frame != null && {PAIR}.getAttribute('phase') === 'still'")
    assert page.evaluate("tick()")[3] == due(1.25, [RATES[0], *RATES[3:]])
    page.get_by_role("button", name="Remove clip G").press("Enter")
    assert focused(page) == "Remove clip F"
    for _ in range(4):
        page.get_by_role("button", name="Remove clip A").press("Enter")
    expect(page.locator("clip-pair > .pane")).to_have_count(2)
    expect(page.get_by_role("button", name=re.compile("Remove clip"))).to_have_count(0)
    assert focused(page) == "" or page.evaluate("document.activeElement.matches('.picker-add')")
    assert len(chosen(page)) == 2


def test_an_empty_list_can_be_taken_away_again_and_blocks_nothing(page: Page, base: str) -> None:
    page.goto(address(base, IDS[:3]))
    ready(page, 3)
    add = page.get_by_role("button", name="Add a clip")
    add.click()
    page.keyboard.press("Escape")
    add.click()  # the same empty list again
    expect(page.locator(".picker")).to_have_count(4)
    page.get_by_role("button", name="Remove clip B").click()
    expect(page.locator(".picker")).to_have_count(3)
    assert chosen(page) == [IDS[0], IDS[2]]
    expect(page).to_have_url(address(base, [IDS[0], IDS[2]]))
    page.get_by_role("button", name="Remove clip C").click()
    expect(page.locator(".picker")).to_have_count(2)
    assert chosen(page) == [IDS[0], IDS[2]]


def test_one_more_clip_moves_none_of_those_that_are_there(page: Page, base: str) -> None:
    """Where its line has room for it; and nothing moves by itself while an address opens."""
    page.goto(address(base, IDS[:4]))
    ready(page, 4)
    page.wait_for_timeout(500)
    assert page.evaluate("shift") <= 0.1
    page.get_by_role("button", name="Add a clip").click()
    page.locator(OPTIONS).nth(4).click()
    ready(page, 5)
    boxes = """() => [...document.querySelectorAll('.pane')].map((one) => {
      const { x, y, width, height } = one.getBoundingClientRect();
      return [x, y + scrollY, width, height];
    })"""
    before = page.evaluate(boxes)
    page.get_by_role("button", name="Add a clip").click()
    page.locator(OPTIONS).nth(5).click()
    ready(page, 6)

    for here, there in zip(page.evaluate(boxes), before, strict=False):
        assert here == pytest.approx(there, abs=0.5)


@pytest.fixture(scope="module")
def broken_base(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The same site, whose host lost one clip, emptied another and garbled a third."""
    copy = tmp_path_factory.mktemp("broken") / "site"
    shutil.copytree(project, copy)
    listed = (copy / "data/clips.json").read_text("utf-8")
    places = [
        re.search(rf'"row--{name}".*?"src":"([^"]*)"', listed) for name in ("s3", "s6", "small")
    ]
    lost, empty, garbled = [found[1] for found in places if found]
    (copy / empty).write_bytes(b"")
    (copy / garbled).write_bytes(bytes(range(256)) * 400)
    site = application(copy)

    async def host(scope: Scope, receive: Receive, send: Send) -> None:
        gone = scope["type"] == "http" and scope["path"] == f"/{lost}"
        await (PlainTextResponse("gone", 404) if gone else site)(scope, receive, send)

    with serving(host) as address:
        yield address


def test_three_bad_ones_among_nine_block_none_of_the_others(page: Page, broken_base: str) -> None:
    """A missing, a zero-byte and an undecodable file say what happened; six play, exactly."""
    page.goto(address(broken_base, NINE))
    ready(page, 9)
    page.evaluate(SPY)
    page.locator("clip-pair").get_by_role("button", name="Play", exact=True).click()
    until(page, f"{PAIR}.state.shownS > 1.5")
    page.evaluate(f"{PAIR}.seek(5)")
    until(page, f"{PAIR}.state.shownS > 5.5")
    seen = page.evaluate("ticks")

    for side, text in (
        ("b", "not there any more"),
        ("d", "it is empty"),
        ("h", "no pictures could be decoded"),
    ):
        expect(page.locator(f"[data-side={side}] .pane-slate")).to_contain_text(text)
    assert page.evaluate(f"{PAIR}.dataset.engine") == "frames"
    live = [0, 2, 4, 5, 6, 8]
    drawn = [one for one in seen if one[3][8] is not None]
    assert len(drawn) > 60
    for clock_s, _, _, codes in drawn:
        expected = due(clock_s, RATES)
        assert [codes[place] for place in live] == [expected[place] for place in live]
        assert [codes[place] for place in (1, 3, 7)] == [None] * 3
    expect(page.locator(".transport-span")).to_have_text(
        "Common 7.0 s, then fewer, last G, to 9.0 s"
    )


def test_where_elements_are_steered_bad_ones_block_none_either(
    browser: Browser, broken_base: str
) -> None:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.add_init_script("delete globalThis.VideoDecoder")
    page = context.new_page()
    page.goto(address(broken_base, NINE))
    ready(page, 9)
    page.locator("clip-pair").get_by_role("button", name="Play", exact=True).click()
    until(page, f"{PAIR}.state.phase === 'running' && {PAIR}.state.timeS > 1")
    failed = page.evaluate(
        f"Object.entries({PAIR}.state.clips).filter(([, one]) => one.failed).map(([one]) => one)"
    )
    assert page.evaluate(f"{PAIR}.dataset.engine") == "elements"
    assert failed == ["b", "d", "h"]
    context.close()


@pytest.mark.parametrize(("width", "least"), [(360, 320), (1440, 400)])
@pytest.mark.parametrize("count", [3, 7, 9])
def test_pictures_stay_large_the_bar_at_hand_and_axe_finds_nothing(
    page: Page, base: str, count: int, width: int, least: int
) -> None:
    page.set_viewport_size({"width": width, "height": 740 if width < 500 else 900})
    page.goto(address(base, NINE[:count], "&t=2"))
    ready(page, count)
    until(page, f"{PAIR}.state.clips.c?.frame != null")
    for place in range(count):
        screen = page.locator(".pane-screen").nth(place)
        screen.scroll_into_view_if_needed()
        box = screen.bounding_box()
        assert box
        assert box["width"] >= least
        for name in ("Play", "Next frame"):
            button = page.get_by_role("button", name=name, exact=True)
            expect(button).to_be_in_viewport(ratio=1)
        assert page.evaluate("""() => {
          const one = document.querySelector('[data-command=toggle]');
          const { x, y, width, height } = one.getBoundingClientRect();
          return one.contains(document.elementFromPoint(x + width / 2, y + height / 2));
        }""")
    for mode in ("side", "wipe", "difference"):
        page.evaluate(f"(mode) => {PAIR}.setView({{ mode }})", mode)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        found = Axe().run(page, options={"resultTypes": ["violations"]})
        assert found.response["violations"] == [], found.generate_report()


def test_what_has_the_focus_is_in_sight_though_the_bar_is_cut(page: Page, base: str) -> None:
    """Keys reach every control of a bar of which two lines are seen."""
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(address(base, NINE, "&t=1"))
    ready(page, 9)
    page.locator(".pane-screen").nth(2).scroll_into_view_if_needed()
    page.locator("[data-command=toggle]").focus()
    for _ in range(16):
        page.keyboard.press("Tab")
        if not page.evaluate("Boolean(document.activeElement.closest('.transport'))"):
            break
        assert page.evaluate("""() => {
          const { top, bottom } = document.activeElement.getBoundingClientRect();
          return top >= 0 && bottom <= innerHeight;
        }"""), page.evaluate("document.activeElement.outerHTML")


def test_any_two_of_many_can_be_laid_over_each_other(page: Page, base: str) -> None:
    page.goto(address(base, IDS, "&t=3"))
    ready(page, 7)
    until(page, f"{PAIR}.state.clips.g?.frame != null")
    expect(page.get_by_role("button", name="Swap sides")).to_be_disabled()
    page.get_by_role("button", name="Wipe").click()
    expect(page.get_by_role("button", name="Swap sides")).to_be_enabled()
    second = page.get_by_role("combobox", name="Second of the two")
    second.select_option("g")
    shown = (
        "() => [...document.querySelectorAll('.pane-screen')].map((one) => one.checkVisibility())"
    )
    assert page.evaluate(shown) == [True, *[False] * 5, True]
    split = page.get_by_role("slider", name="Where one clip ends")
    assert split.get_attribute("aria-valuetext") == "A 50 %, G 50 %"
    until(page, "location.search.includes('of=ag')")
    page.reload()
    ready(page, 7)
    until(page, f"{PAIR}.state.clips.g?.frame != null")
    assert page.evaluate(shown) == [True, *[False] * 5, True]
    page.get_by_role("combobox", name="First of the two").select_option("g")
    assert split.get_attribute("aria-valuetext") == "G 50 %, A 50 %"
    page.get_by_role("button", name="Side by side").click()
    assert page.evaluate(shown) == [True] * 7
    with page.expect_download() as download:
        page.get_by_role("button", name="Save this view").click()
    assert download.value.suggested_filename == "row--s2_and_6_more_3.000s.png"
    head = download.value.path().read_bytes()[:24]
    assert int.from_bytes(head[16:20]) == 3 * 640 + 2 * 8


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("", ["cards--slow", "cards--fast"]),
        ("a=row--s4", ["row--s4", "cards--fast"]),
        ("b=row--s4", ["cards--slow", "row--s4"]),
        ("a=cards--fast", ["cards--fast", "cards--slow"]),
        ("a=row--s2&b=row--s12", ["row--s2", "row--s12"]),
        ("a=row--s2&c=row--s12", ["row--s2", "cards--fast", "row--s12"]),
    ],
)
def test_an_address_that_leaves_clips_out_keeps_its_mode_and_gets_the_others(
    page: Page, base: str, query: str, ids: list[str]
) -> None:
    page.goto(f"{base}/compare/?{query}&mode=wipe&split=0.3&t=1")
    ready(page, len(ids))
    expect(page.locator("clip-pair")).to_have_attribute("mode", "wipe")
    assert page.evaluate(f"{PAIR}.view.split") == 0.3
    assert page.evaluate(f"{PAIR}.timeS") == 1
    assert chosen(page) == ids
    page.wait_for_timeout(500)
    expect(page.locator("clip-pair")).to_have_attribute("mode", "wipe")
    assert "mode=wipe" in page.url


def test_clips_that_nobody_has_are_named_and_the_others_close_up(page: Page, base: str) -> None:
    page.goto(f"{base}/compare/?a=row--s2&b=row--s3&c=nothing&d=row--s4")
    ready(page, 3)
    assert chosen(page) == IDS[:3]
    expect(page.get_by_text("C: no clip is called nothing.")).to_be_visible()


# What was played before


def test_what_was_played_is_listed_once_and_can_be_forgotten(page: Page, base: str) -> None:
    recent = page.locator(".recent")
    for ids in (IDS, IDS[:2], list(reversed(IDS))):
        page.goto(address(base, ids))
        ready(page, len(ids))
        page.locator("clip-pair").press("k")
        until(page, f"{PAIR}.state.phase === 'running'")
        page.wait_for_timeout(100)
    page.goto(f"{base}/compare/")
    ready(page, 2)
    page.mouse.move(300, 300)
    expect(recent.locator(".recent-count")).to_have_text("2")
    recent.locator("summary").click()
    links = recent.get_by_role("link")
    expect(links).to_have_count(2)
    expect(links.nth(1)).to_have_text("2 steps / 3 steps Test card · 256 × 144 · Lighthouse")
    links.first.click()
    expect(page).to_have_url(address(base, list(reversed(IDS))))
    ready(page, 7)
    recent.locator("summary").click()
    recent.get_by_role("button", name="Forget them").click()
    expect(links).to_have_count(0)
    assert page.evaluate("localStorage.length") == 0


def test_no_more_than_ten_are_kept_and_none_where_storage_is_forbidden(
    browser: Browser, context: BrowserContext, base: str
) -> None:
    page = context.new_page()
    page.goto(f"{base}/compare/")
    ready(page, 2)
    page.evaluate("""() => localStorage.setItem('recent-comparisons /compare/', JSON.stringify(
      ['bcdefghijkl'].flatMap((all) => [...all]).map((_, i) => ['row--s2', `row--s${i}`])))""")
    page.locator("clip-pair").press("k")
    until(page, f"{PAIR}.state.phase === 'running'")
    until(page, "JSON.parse(localStorage.getItem('recent-comparisons /compare/')).length === 10")
    kept = page.evaluate("JSON.parse(localStorage.getItem('recent-comparisons /compare/'))")
    assert kept[0] == ["cards--slow", "cards--fast"]

    page = context.new_page()
    page.add_init_script("""Object.defineProperty(globalThis, 'localStorage', {
      get() { throw new DOMException('forbidden', 'SecurityError'); } })""")
    page.goto(f"{base}/compare/")
    ready(page, 2)
    page.locator("clip-pair").press("k")
    until(page, f"{PAIR}.state.shownS > 0.2")
    expect(page.locator(".recent-count")).to_have_text("none yet")


def test_the_rest_of_the_bar_reads_well_for_many(page: Page, base: str) -> None:
    texts: dict[int, Any] = {}
    for count in (2, 3, 7):
        page.goto(address(base, IDS[:count], "&t=1"))
        ready(page, count)
        until(page, f"{PAIR}.state.clips.b?.frame != null")
        texts[count] = page.locator(".transport-span").text_content()
    assert texts == {
        2: "Both clips: 8.0 s",
        3: "All 3 clips: 8.0 s",
        7: "Common 7.0 s, then fewer, last G, to 9.0 s",
    }
