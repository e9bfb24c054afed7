"""The pure modules, held against closed forms; they run where they are used, in a browser."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser

from generator.clips.framecode import cell_edges, row_height, upper_row

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

Js = Callable[..., Any]


@pytest.fixture(scope="module")
def js(browser: Browser, cards_base: str) -> Iterator[Js]:
    """Runs an expression over the module's names (`t`: transport.js, `f`: framecode.js)."""
    page = browser.new_page()
    page.goto(f"{cards_base}/naive?a=&b=")
    modules = "{ t: await import('/static/js/lib/transport.js'), "
    modules += "f: await import('/static/js/lib/framecode.js') }"

    def evaluate(expression: str, *arguments: object) -> Any:
        return page.evaluate(
            f"async (x) => {{ const {{ t, f }} = {modules}; return {expression}; }}",
            list(arguments),
        )

    yield evaluate
    page.close()


@pytest.mark.parametrize("rate", [0.1, 1, 2])
def test_a_running_clock_is_a_straight_line(js: Js, rate: float) -> None:
    shown = js(
        "[0, 500, 60000].map((ms) => t.clockAt(t.runningClock(3, 1000, x[0]), 1000 + ms))", rate
    )

    assert shown == pytest.approx([3, 3 + 0.5 * rate, 3 + 60 * rate])


def test_a_stopped_clock_stands(js: Js) -> None:
    assert js("[0, 1e9].map((ms) => t.clockAt(t.stoppedClock(7.25), ms))") == [7.25, 7.25]


@pytest.mark.parametrize("start_s", [0.004, 0.03, -0.03, 0.095, -0.095])
@pytest.mark.parametrize("rate", [0.5, 1, 2])
def test_an_error_decays_as_the_differential_equation_says(
    js: Js, start_s: float, rate: float
) -> None:
    """de/dt = rate(e) - base: straight while the ceiling holds, then exp(-t / settleS)."""
    step_s, until_s = 0.001, 0.35
    errors = js(
        """(() => {
          const errors = [x[0]];
          for (let i = 0; i < x[2] / x[1]; i += 1) {
            const error = errors.at(-1);
            errors.push(error + (t.correctedRate(error, x[3]) - x[3]) * x[1]);
          }
          return errors;
        })()""",
        start_s,
        step_s,
        until_s,
        rate,
    )
    law = js("t.LAW")

    for index in range(0, len(errors), 25):
        expected = closed_form(abs(start_s), index * step_s, law, rate)
        if expected > 1.5 * law["deadBandS"]:
            # half a per cent of rate is the step in which corrections come
            assert abs(errors[index]) == pytest.approx(expected, rel=0.05, abs=0.0012 * rate)
        assert abs(errors[index]) <= abs(start_s)
    assert abs(errors[-1]) <= max(0.008, closed_form(abs(start_s), until_s, law, rate) * 1.1)


def closed_form(start_s: float, after_s: float, law: dict[str, float], rate: float) -> float:
    ceiling = law["maxNudge"] * rate
    knee_s = ceiling * law["settleS"]
    straight_s = max(0.0, (start_s - knee_s) / ceiling)
    if after_s <= straight_s:
        return start_s - ceiling * after_s
    return min(start_s, knee_s) * math.exp(-(after_s - straight_s) / law["settleS"])


@pytest.mark.parametrize("rate", [0.1, 0.5, 1, 2])
def test_no_correction_leaves_what_browsers_play(js: Js, rate: float) -> None:
    rates = js("[-9, -0.1, -0.0005, 0, 0.0005, 0.1, 9].map((e) => t.correctedRate(e, x[0]))", rate)

    assert all(0.0625 <= corrected <= 16 for corrected in rates)
    assert rates == sorted(rates, reverse=True)
    assert rates[2:5] == [rate] * 3


def test_one_bad_sample_moves_nothing_two_do(js: Js) -> None:
    strikes = js(
        """[0.2, 0.05, -0.3, 0.3].reduce((all, error) =>
          [...all, t.nextStrikes(all.at(-1), error)], [0]).map((n) => t.mustSeek(n))"""
    )

    assert strikes == [False, False, False, False, True]


def test_the_longest_clip_ends_the_transport_and_the_shortest_the_common_span(js: Js) -> None:
    assert js("[t.transportEnd([22.1, 14.9]), t.commonSpan([22.1, 14.9])]") == [22.1, 14.9]
    assert js("[t.transportEnd([]), t.commonSpan([])]") == [0, 0]
    assert js("[t.transportEnd([NaN, 5]), t.commonSpan([0, 5])]") == [5, 5]


def test_a_clip_past_its_end_stands_at_its_last_picture(js: Js) -> None:
    assert js("[t.standAt(3, 14.9), t.standAt(20, 14.9), t.standAt(-1, 14.9)]") == pytest.approx(
        [3, 14.895, 0]
    )
    assert js("[t.isOver(14.89, 14.9), t.isOver(14.897, 14.9), t.isOver(5, 0)]") == [
        False,
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("loop", "expected"),
    [
        ({"inS": None, "outS": None}, [0, 10]),
        ({"inS": 2, "outS": 5}, [2, 5]),
        ({"inS": 2, "outS": None}, [2, 10]),
        ({"inS": 5, "outS": 2}, [0, 10]),
        ({"inS": -3, "outS": 99}, [0, 10]),
    ],
)
def test_a_loop_is_cut_to_the_clips(
    js: Js, loop: dict[str, float | None], expected: list[float]
) -> None:
    assert js("Object.values(t.playRange(x[0], 10))", loop) == expected


def test_the_buffer_ahead_is_what_follows_without_a_gap(js: Js) -> None:
    ranges = [[0, 4], [6, 9]]

    assert js("[1, 5, 6, 9.5].map((s) => t.bufferedAhead(x[0], s))", ranges) == [3, 0, 3, 0]


def test_a_frame_is_shown_from_its_stamp_to_the_next(js: Js) -> None:
    """Every moment of every interval, by its own arithmetic, on an uneven grid."""
    stamps = [0, 0.02, 0.041, 0.1, 0.5, 0.52]
    found = js(
        """x[0].map((stamp, i) => [0, 0.3, 0.9].map((share) =>
          t.frameAt(x[0], stamp + share * ((x[0][i + 1] ?? 9) - stamp))))""",
        stamps,
    )

    assert found == [[index] * 3 for index in range(len(stamps))]
    assert js("t.frameAt([1, 2], 0)") == 0


def test_of_equal_stamps_the_last_frame_is_named(js: Js) -> None:
    assert js("t.frameAt([0, 0.033, 0.033, 0.067], 0.05)") == 2


def test_a_step_stands_in_the_middle_between_two_changes(js: Js) -> None:
    lists = [[0, 0.1, 0.2, 0.3], [0, 0.25]]

    assert js("t.changes(x[0])", lists) == [0, 0.1, 0.2, 0.25, 0.3]
    assert js("t.stepTime(x[0], 0.21, 1, 0.4)", lists) == pytest.approx(0.275)
    assert js("t.stepTime(x[0], 0.21, -1, 0.4)", lists) == pytest.approx(0.15)
    assert js("t.stepTime(x[0], 0.39, 1, 0.4)", lists) == pytest.approx(0.35)
    assert js("t.stepTime(x[0], 0, -1, 0.4)", lists) == pytest.approx(0.05)
    assert js("t.stepTime([], 0.21, 1, 0.4)") == 0.21


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (14.23, "14.2 s"),
        (14.999, "14.9 s"),
        (59.95, "59.9 s"),
        (60, "1:00.0"),
        (67.34, "1:07.3"),
        (-1, "0.0 s"),
        (0.3, "0.3 s"),
    ],
)
def test_times_read_as_people_write_them(js: Js, seconds: float, text: str) -> None:
    assert js("t.formatTime(x[0])", seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(22.083, "22.1 s"), (17.366, "17.4 s"), (14.95, "15.0 s"), (13, "13.0 s"), (59.96, "1:00.0")],
)
def test_lengths_are_rounded_to_the_nearest_tenth(js: Js, seconds: float, text: str) -> None:
    assert js("t.formatDuration(x[0])", seconds) == text


@pytest.mark.parametrize(
    ("at_s", "end_s", "written", "spoken"),
    [
        (0, 22.083, "0.0 s / 22.1 s", "0.0 of 22.1 seconds"),
        (7.39, 22.083, "7.3 s / 22.1 s", "7.3 of 22.1 seconds"),
        (22.05, 22.083, "22.0 s / 22.1 s", "22.0 of 22.1 seconds"),
        (22.083, 22.083, "22.1 s / 22.1 s", "22.1 of 22.1 seconds"),
        (17.04, 17.04, "17.0 s / 17.0 s", "17.0 of 17.0 seconds"),
        (0, 0, "– / –", "no length known"),
    ],
)
def test_a_clock_is_cut_counts_up_to_its_end_and_sounds_as_it_reads(
    js: Js, at_s: float, end_s: float, written: str, spoken: str
) -> None:
    assert js("[t.clockText(...x), t.spokenTime(...x)]", at_s, end_s) == [written, spoken]


# The frame code, against the writer's own definition


def band(width: int, height: int, number: int) -> list[int]:
    """Luma rows of the code band as generator.clips.framecode defines it, upper then lower."""
    edges, cells = cell_edges(width), upper_row(number)
    upper = [0] * width
    for cell, bit in enumerate(cells):
        upper[edges[cell] : edges[cell + 1]] = [235 * bit] * (edges[cell + 1] - edges[cell])
    return upper


READ = """(() => {
  const [width, height, row, upper, noise] = x;
  const data = new Uint8ClampedArray(4 * width * height).fill(90);
  for (let y = height - 2 * row; y < height; y += 1) {
    for (let px = 0; px < width; px += 1) {
      const value = y < height - row ? upper[px] : 235 - upper[px];
      data.fill(value + noise * Math.sin(px * y), 4 * (y * width + px), 4 * (y * width + px) + 3);
    }
  }
  return f.readFrameCode({ data, width, height });
})()"""


@pytest.mark.parametrize(("width", "height"), [(512, 288), (848, 480), (640, 384), (160, 96)])
@pytest.mark.parametrize("number", [0, 1, 986, 21845, 65535])
def test_the_number_written_is_the_number_read(
    js: Js, width: int, height: int, number: int
) -> None:
    upper = band(width, height, number)

    assert js(READ, width, height, row_height(height), upper, 60) == number


def test_a_picture_without_a_sound_code_is_no_number(js: Js) -> None:
    """Flat, flipped in one bit, or with its lower row missing."""
    width, height, row = 512, 288, row_height(288)
    upper = band(width, height, 5)
    flipped = [*upper]
    edges = cell_edges(width)
    flipped[edges[4] : edges[5]] = [235 - value for value in flipped[edges[4] : edges[5]]]

    assert js(READ, width, height, row, flipped, 0) is None
    assert js("f.readFrameCode(new ImageData(512, 288))") is None
    assert js("f.readFrameCode(new ImageData(512, 40))") is None
