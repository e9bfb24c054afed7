"""The comparer in Firefox: the same frames by their pixels, and what it does without a decoder.

Timing bars are held in Chromium; here it is told whether the pictures are right.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from firefox import REMEDY, find

from .bidi import Firefox, open_firefox
from .footage import Reel, frame_at
from .test_engine_a import every_tick_is_exact, ticks

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

DECODES = """async (codec) =>
  (await VideoDecoder.isConfigSupported({ codec, codedWidth: 512, codedHeight: 288 })).supported"""
H264 = "avc1.640015"


@pytest.fixture(scope="module")
def firefox() -> Iterator[Firefox]:
    found = find()
    if found is None:
        pytest.skip(REMEDY)
    with open_firefox(found) as opened:
        yield opened


@pytest.fixture(autouse=True)
def nobody_complains(firefox: Firefox) -> Iterator[None]:
    firefox.complaints.clear()
    yield
    assert firefox.complaints == []


def open_clips(firefox: Firefox, base: str, reel: Reel, *parts: str, engine: str) -> None:
    names = [f"{side}={reel.clips[part].name}" for side, part in zip("ab", parts, strict=True)]
    firefox.open(f"{base}/pair?engine={engine}&{'&'.join(names)}&attributes=")
    firefox.until("Boolean(window.startWatching && window.clipPair?.()?.state)")


def phase(firefox: Firefox, name: str) -> None:
    firefox.until("(name) => clipPair().state.phase === name", name)


def play_past(firefox: Firefox, time_s: float) -> None:
    firefox.until("(timeS) => (clipPair().state.shownS ?? clipPair().state.timeS) > timeS", time_s)


@pytest.mark.parametrize(
    "parts", [("vp8-16", "vp9-30"), ("av1-25", "vp9-9"), ("vp8-30", "av1-36")], ids="+".join
)
def test_every_tick_shows_the_frames_due(
    firefox: Firefox, formats: Reel, formats_base: str, parts: tuple[str, str]
) -> None:
    """Play, seek, other speeds, a loop and steps with the exact engine: pixels against packets."""
    clips = [formats.clips[part] for part in parts]
    open_clips(firefox, formats_base, formats, *parts, engine="frames")
    firefox.ask("() => { startWatching(); clipPair().play(); }")
    play_past(firefox, 0.7)
    firefox.ask("() => clipPair().seek(3.3)")
    play_past(firefox, 3.8)
    firefox.ask("() => { clipPair().setRate(2); clipPair().seek(1.234); }")
    phase(firefox, "running")
    play_past(firefox, 1.9)
    firefox.ask(
        "() => { clipPair().setRate(1); clipPair().setLoop({ on: true, inS: 2, outS: 2.6 }); }"
    )
    firefox.until("() => clipPair().state.lap >= 1")
    firefox.ask("() => { clipPair().pause(); clipPair().setLoop({ on: false }); }")
    phase(firefox, "still")
    for direction in (1, 1, 1, -1, -1, -1, -1):
        firefox.ask("(direction) => clipPair().step(direction)", direction)
        phase(firefox, "still")
    firefox.ask("() => clipPair().seek(3)")
    phase(firefox, "still")
    firefox.until("() => clipPair().state.shownS === 3")
    seen = ticks([*firefox.ask("() => stopWatching()"), firefox.ask("() => tick()")])

    assert firefox.ask("() => document.querySelector('clip-pair').dataset.engine") == "frames"
    every_tick_is_exact(clips, seen)
    assert seen[-1].clock_s == 3.0


def test_h264_is_exact_where_it_decodes_and_told_where_it_does_not(
    firefox: Firefox, formats: Reel, formats_base: str
) -> None:
    """Firefox has no H.264 of its own: without the system's, the other clip is offered."""
    open_clips(firefox, formats_base, formats, "h264-24", "av1-25", engine="frames")
    firefox.ask("() => { startWatching(); clipPair().play(); }")
    if firefox.ask(DECODES, H264):
        play_past(firefox, 1)
        seen = ticks(firefox.ask("() => stopWatching()"))
        every_tick_is_exact([formats.clips[part] for part in ("h264-24", "av1-25")], seen)
        return
    player = "document.querySelector('clip-pair')"
    firefox.until(f"() => {player}.innerText.includes('no pictures could be decoded from it')")
    told = firefox.ask(f"() => {player}.innerText")
    assert "A did not decode here" in told
    assert "B can be played without it." in told
    before_s = firefox.ask("() => clipPair().timeS")
    firefox.until("(beforeS) => clipPair().timeS > beforeS + 0.5", before_s)
    codes = firefox.ask("() => tick()[5]")
    assert codes[0] is None
    assert codes[1] > 0


def test_elements_stand_at_the_frames_that_the_clock_names(
    firefox: Firefox, cards: Reel, cards_base: str
) -> None:
    """The engine of two elements: both play, and wherever they stop the pixels are the clock's."""
    a, b = cards.pair("default")
    firefox.open(f"{cards_base}/pair?engine=elements&a={a.name}&b={b.name}&attributes=")
    firefox.until("Boolean(window.seen && window.clipPair?.()?.state)")
    firefox.ask("() => clipPair().play()")
    play_past(firefox, 1)
    phase(firefox, "running")
    firefox.ask("() => clipPair().pause()")
    firefox.until("() => Object.values(clipPair().state.clips).every((one) => one.stepsFrames)")
    for time_s in (0.513, 3.0, 7.125):
        firefox.ask("(timeS) => clipPair().seek(timeS)", time_s)
        phase(firefox, "still")
        firefox.ask("async () => { await twoPaints(); }")
        shown = firefox.ask("() => seen()")
        for side, footage in (("a", a), ("b", b)):
            assert abs(shown[side]["currentTime"] - time_s) <= 0.0025, shown
            assert shown[side]["code"] == frame_at(footage, shown[side]["currentTime"]), shown


def test_the_published_page_works_by_keys_and_comes_back_by_its_address(
    firefox: Firefox, base: str
) -> None:
    """Under the site's own policy: a mode, steps, zoom and swap by keys; the address keeps them."""
    firefox.open(f"{base}/compare/?a=cards--slow&b=cards--fast")
    player = "document.querySelector('clip-pair')"
    firefox.until(f"() => Boolean({player}?.querySelector('.transport button'))")
    firefox.ask(f"() => {player}.querySelector('.transport button').focus()")
    firefox.press("w")
    firefox.until(f"() => {player}.getAttribute('mode') === 'wipe'")
    firefox.until(f"() => {player}.state?.clips?.b?.frame != null")
    for key in (".", ".", ".", "+", "x"):
        firefox.press(key)
        firefox.until(f"() => {player}.getAttribute('phase') === 'still'")
    firefox.until("() => location.search.includes('t=')")
    link, shown_s = firefox.ask(f"() => [{player}.link, {player}.state.shownS]")
    assert shown_s > 0

    firefox.open(link)
    firefox.until(f"() => {player}?.state?.clips?.b?.frame != null")
    again = firefox.ask(f"() => [{player}.view.mode, {player}.view.zoom, {player}.state.swapped]")
    assert again == ["wipe", 1.5, True]
    assert firefox.ask(f"() => {player}.state.shownS") == pytest.approx(shown_s, abs=1e-6)
