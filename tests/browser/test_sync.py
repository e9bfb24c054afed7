"""Two elements in step: the bars of one second after every event, and the frames behind them.

A run that misses a bar is repeated, at most twice, because the machine has other guests; the
bars themselves never move, and a repetition is told in the terminal.
"""

from __future__ import annotations

import warnings
from itertools import pairwise

import pytest
from conftest import archive_at_hand
from playwright.sync_api import Browser, Page

from .footage import Footage, Reel, frame_at
from .scenarios import (
    ADVANCE,
    EXTRA,
    MAX_MS,
    P95_MS,
    SCENARIOS,
    Scenario,
    open_pair,
    run_until_passed,
)

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


def hold(browser: Browser, base: str, reel: Reel, scenario: Scenario) -> None:
    outcome = run_until_passed(browser, base, reel, scenario)
    print(outcome)
    if outcome.attempts > 1:
        warnings.warn(f"needed {outcome.attempts} attempts: {outcome}", RepeatedRun, stacklevel=2)
    assert outcome.p95_ms <= P95_MS, outcome
    assert outcome.max_ms <= MAX_MS, outcome
    if scenario.starves:
        assert outcome.advance > 0, outcome
    else:
        assert outcome.advance >= ADVANCE, outcome


class RepeatedRun(UserWarning):
    """A scenario held its bars only when repeated."""


@pytest.mark.filterwarnings("default::UserWarning")
@pytest.mark.parametrize("scenario", [*SCENARIOS, *EXTRA], ids=lambda scenario: scenario.name)
def test_cards_are_in_step_one_second_after(
    browser: Browser, cards: Reel, cards_base: str, scenario: Scenario
) -> None:
    """Clock offset p95 <= 8 ms and max <= 34 ms, the clock at >= 0.98 of wall time.

    Where the real clips are at hand they take the cards' place in the issue's scenarios: the
    same bars, harder files, and a minute less.
    """
    if scenario in SCENARIOS and archive_at_hand():
        pytest.skip("the real clips go through the same scenario")
    hold(browser, cards_base, cards, scenario)


@pytest.mark.archive
@pytest.mark.filterwarnings("default::UserWarning")
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_real_clips_are_in_step_one_second_after(
    browser: Browser, real: Reel, real_base: str, scenario: Scenario
) -> None:
    """The same bars for the original page's clips, duplicate timestamps and late index included."""
    hold(browser, real_base, real, scenario)


def test_a_slow_link_is_slow(browser: Browser, cards: Reel, cards_base: str) -> None:
    """Two downloads over one 1 Mbit/s link take the time that their bytes need, and no less."""
    page = open_pair(browser, cards_base, "")
    a, b = cards.pair("large")
    took_s = page.evaluate(
        """async ([a, b]) => {
          const fetchPart = (name) => fetch(`/clips/${name}?kbit=1000&delay_ms=100&link=test`,
            { headers: { Range: 'bytes=0-124999' } }).then((answer) => answer.arrayBuffer());
          const fromMs = performance.now();
          const parts = await Promise.all([fetchPart(a), fetchPart(b)]);
          if (parts.some((part) => part.byteLength !== 125000)) throw new Error('short');
          return (performance.now() - fromMs) / 1000;
        }""",
        [a.name, b.name],
    )
    page.context.close()
    assert 2.0 <= took_s <= 2.6


# Frames: what the pixels say, what the player says, what the clock says


@pytest.mark.parametrize("pair", ["default", "small", "large"])
def test_a_standing_picture_is_the_frame_the_clock_names(
    browser: Browser, cards: Reel, cards_base: str, pair: str
) -> None:
    """Pixels, reported frame and transport time agree exactly wherever the viewer stops."""
    a, b = cards.pair(pair)
    page = open_pair(browser, cards_base, f"a={a.name}&b={b.name}")
    play_and_wait(page)
    page.evaluate("clipPair().pause()")
    for time_s in (0.0, 0.513, 1.999, 3.0, 3.777, 5.25, 7.125, 9.999):
        page.evaluate("(t) => clipPair().seek(t)", time_s)
        page.wait_for_function("() => clipPair().state.phase === 'still'")
        page.evaluate("() => twoPaints()")
        seen = page.evaluate("seen()")
        for side, footage in (("a", a), ("b", b)):
            expected = frame_at(footage, seen[side]["currentTime"])
            assert seen[side]["code"] == expected, (side, time_s, seen)
            assert seen[side]["frame"] == expected, (side, time_s, seen)
            assert abs(seen[side]["currentTime"] - time_s) <= 0.0025, (side, time_s, seen)
    page.context.close()


def test_frame_steps_skip_no_picture_of_either_clip(
    browser: Browser, cards: Reel, cards_base: str
) -> None:
    """Forward and back through the first pictures: one change at a time, pixels as witness."""
    a, b = cards.pair("small")
    page = open_pair(browser, cards_base, f"a={a.name}&b={b.name}")
    play_and_wait(page)
    page.evaluate("() => { clipPair().pause(); clipPair().seek(0); }")
    frames = [step(page, direction) for direction in [0] + 12 * [1] + 12 * [-1]]
    page.context.close()

    forward = frames[:13]
    for (a_before, b_before), (a_after, b_after) in pairwise(forward):
        assert (a_after - a_before, b_after - b_before) in ((1, 0), (0, 1), (1, 1))
    assert forward[0] == (0, 0)
    assert frames[12:] == forward[::-1]


def step(page: Page, direction: int) -> tuple[int, int]:
    """Steps (0: stays) and reads both frame numbers from the pixels."""
    if direction:
        assert page.evaluate("(direction) => clipPair().step(direction)", direction)
    page.wait_for_function("() => clipPair().state.phase === 'still'")
    page.evaluate("() => twoPaints()")
    seen = page.evaluate("seen()")
    assert all(seen[side]["code"] == seen[side]["frame"] for side in "ab"), seen
    return seen["a"]["code"], seen["b"]["code"]


@pytest.mark.parametrize(
    ("pair", "rate"), [("default", 1), ("small", 1), ("large", 1), ("small", 0.25)]
)
def test_a_moving_picture_is_the_frame_the_player_reports(
    browser: Browser, cards: Reel, cards_base: str, pair: str, rate: float
) -> None:
    """While playing, every frame read back is the one reported, and the clock is within a frame."""
    a, b = cards.pair(pair)
    for attempt in range(3):
        page = open_pair(browser, cards_base, f"a={a.name}&b={b.name}")
        page.evaluate("(rate) => clipPair().setRate(rate)", rate)
        play_and_wait(page)
        page.wait_for_timeout(1000)
        samples = page.evaluate("watchFrames(3000)")
        page.context.close()
        shares = []
        for side, footage in (("a", a), ("b", b)):
            mine = [sample for sample in samples if sample["side"] == side]
            assert len(mine) >= 10
            reported_frames_are_shown(footage, mine)
            shares.append(share_within_a_frame(footage, mine))
        if min(shares) >= 0.95:
            break
        warnings.warn(f"attempt {attempt + 1}: {shares} within a frame", RepeatedRun, stacklevel=1)
    assert min(shares) >= 0.95


def reported_frames_are_shown(footage: Footage, samples: list[dict[str, float]]) -> None:
    """A picture read in a frame callback is the frame reported, or one before the next report.

    Not always the same: the compositor does not wait for the page to show a newer frame. Where an
    element stalled, all are put back to where it stands, and the next report is an earlier one.
    """
    for sample, after in pairwise(samples):
        stamped = frame_at(footage, sample["mediaTime"], 0.0005)
        assert abs(footage.timestamps_s[stamped] - sample["mediaTime"]) < 0.001, sample
        assert sample["frame"] == stamped, sample
        put_back = after["clock"] < sample["clock"]
        first, last = sample["frame"], after["frame"]
        assert first <= last or put_back, (sample, after)
        assert min(first, last) <= sample["code"] <= max(first, last), (sample, after)


def share_within_a_frame(footage: Footage, samples: list[dict[str, float]]) -> float:
    """How many frames were at most one away from what the clock asked for when they were seen."""
    asked = [frame_at(footage, sample["clock"]) for sample in samples]
    near = [abs(frame - sample["frame"]) <= 1 for frame, sample in zip(asked, samples, strict=True)]
    return sum(near) / len(near)


def play_and_wait(page: Page) -> None:
    """Plays until both clips run and their timestamps are known."""
    page.evaluate("clipPair().play()")
    page.wait_for_function("() => clipPair().state.phase === 'running'")
    page.wait_for_function(
        "() => Object.values(clipPair().state.clips).every((clip) => clip.stepsFrames)"
    )
