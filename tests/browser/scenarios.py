"""What can happen to two players, and how far apart it leaves them.

Every scenario injects its disturbance on the <video> elements themselves, behind the player's
back, and is measured from one second after the event, once per animation frame. The same
scenarios run against our player and against the original page's logic.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page

from .footage import Footage, Reel

SETTLE_S = 1.0
"""The time a player has after the event, by the issue's bar."""
P95_MS, MAX_MS, ADVANCE = 8.0, 34.0, 0.98
"""The bars: clock offset in ms, and the clock's share of wall time on a free network."""

VIDEOS = "const [a, b] = document.querySelectorAll('video');"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One event and the pair and network it happens to."""

    name: str
    pair: str
    event: str = ""
    """JavaScript that runs after warm_up_s of play in step; `a` and `b` are the videos. Empty:
    the start of play itself is the event."""
    warm_up_s: float = 1.0
    watch_s: float = 3.0
    travel_a: str = ""
    travel_b: str = ""
    starves: bool = False
    """The network cannot carry both: both may hold, but together, so no advance is asked."""


ORIGINAL_CLICK = "a.currentTime = 0; b.currentTime = 0; a.play(); b.play();"
PAUSE_B = "b.pause(); await new Promise((r) => setTimeout(r, 1000)); b.play();"

SCENARIOS = (
    Scenario(name="start, default pair", pair="default"),
    Scenario(name="start, 512x288, 2 vs 12 steps", pair="small"),
    Scenario(name="start, 848x480, 2 vs 12 steps", pair="large"),
    Scenario(name="second click while playing", pair="default", event=ORIGINAL_CLICK),
    Scenario(name="change clip, click at once", pair="small", event="CHANGE CLIP"),
    Scenario(
        name="4 Mbit/s + 60 ms",
        pair="default",
        travel_a="kbit=4000&delay_ms=60&link=both",
        travel_b="kbit=4000&delay_ms=60&link=both",
        watch_s=4,
    ),
    Scenario(
        name="1 Mbit/s + 100 ms",
        pair="default",
        travel_a="kbit=1000&delay_ms=100&link=both",
        travel_b="kbit=1000&delay_ms=100&link=both",
        watch_s=7,
        starves=True,
    ),
    Scenario(
        name="only B slow, 400 kbit/s",
        pair="default",
        travel_b="kbit=400&delay_ms=0&link=b",
        watch_s=6,
        starves=True,
    ),
    Scenario(
        name="both seeked to 5 s while playing",
        pair="default",
        event="a.currentTime = 5; b.currentTime = 5;",
    ),
    Scenario(name="user scrubs B +3 s", pair="default", event="b.currentTime += 3;"),
    Scenario(name="user pauses B for 1 s", pair="default", event=PAUSE_B),
)

EXTRA = (
    Scenario(
        name="B starved at half its bit rate",
        pair="small",
        travel_b="kbit={half}&delay_ms=0&link=b",
        watch_s=7,
        starves=True,
    ),
    Scenario(name="B paused and left alone", pair="small", event="b.pause();"),
    Scenario(name="A scrubbed back 2 s", pair="small", event="a.currentTime -= 2;"),
    Scenario(name="B's rate set to 2", pair="small", event="b.playbackRate = 2;"),
    Scenario(
        name="B's source changed from outside",
        pair="small",
        event="b.src = OTHER; b.currentTime = 0; b.play();",
    ),
    Scenario(
        name="page busy for 400 ms",
        pair="small",
        event="const t = performance.now(); while (performance.now() - t < 400);",
    ),
)
"""Beyond the issue's list: what else is done to elements in the wild."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one run of a scenario measured."""

    scenario: str
    player: str
    footage: str
    samples: int
    p50_ms: float
    p95_ms: float
    max_ms: float
    advance: float
    """Slowest of the two elements and the player's clock, in seconds per second of wall time."""
    start_ms: float | None
    """From the start of play until both pictures moved; None where they never did."""
    busy: float
    """Share of this machine's processors in use, by anybody, while the samples were taken."""
    attempts: int = 1

    def passes(self, scenario: Scenario) -> bool:
        in_step = self.p95_ms <= P95_MS and self.max_ms <= MAX_MS
        return in_step and (scenario.starves or self.advance >= ADVANCE)


def run(browser: Browser, base: str, reel: Reel, scenario: Scenario, player: str) -> Outcome:
    """Plays a scenario in a fresh profile with player "pair" (ours) or "naive"."""
    a, b = reel.pair(scenario.pair)
    context = browser.new_context(viewport={"width": 1200, "height": 900})
    try:
        page = context.new_page()
        page.goto(address(base, player, a, b, scenario))
        page.wait_for_function("() => Boolean(window.watch && (window.naivePlay || pairIsUp()))")
        moved = "window.movedMs = untilBothMove();"
        play = "naivePlay();" if player == "naive" else "clipPair().play();"
        page.evaluate(f"() => {{ {moved} {play} }}")
        if scenario.event:
            page.evaluate("() => Promise.race([movedMs, new Promise((r) => setTimeout(r, 5000))])")
            page.wait_for_timeout(scenario.warm_up_s * 1000)
            event = event_for(scenario, player, reel)
            page.evaluate(f"async () => {{ {VIDEOS} {event} }}")
        page.wait_for_timeout(SETTLE_S * 1000)
        before = processor_ticks()
        samples = page.evaluate("(ms) => watch(ms)", scenario.watch_s * 1000)
        busy = busy_share(before, processor_ticks())
        start_ms = page.evaluate("() => Promise.race([movedMs, new Promise((r) => r(null))])")
    finally:
        context.close()
    return summarise(samples, scenario.name, player, reel.kind, start_ms, busy)


def run_until_passed(
    browser: Browser, base: str, reel: Reel, scenario: Scenario, attempts: int = 3
) -> Outcome:
    """Our player's first run that holds the bars, or its last; says how many it took."""
    for attempt in range(1, attempts + 1):
        outcome = replace(run(browser, base, reel, scenario, "pair"), attempts=attempt)
        if outcome.passes(scenario):
            break
    return outcome


def address(base: str, player: str, a: Footage, b: Footage, scenario: Scenario) -> str:
    half = round(b.mean_kbit / 2)
    travel = [
        f"travel-{side}={text.format(half=half).replace('&', '%26').replace('=', '%3D')}"
        for side, text in (("a", scenario.travel_a), ("b", scenario.travel_b))
        if text
    ]
    return f"{base}/{player}?" + "&".join([f"a={a.name}", f"b={b.name}", *travel])


def event_for(scenario: Scenario, player: str, reel: Reel) -> str:
    """The event's JavaScript for a player; only a changed clip is asked of ours by its API."""
    other = reel.clips["other"]
    source = f"'/clips/{other.name}'"
    if scenario.event != "CHANGE CLIP":
        return scenario.event.replace("OTHER", source)
    if player == "naive":
        return f"b.src = {source}; {ORIGINAL_CLICK}"
    return (
        f"const pair = clipPair(); pair.pause(); pair.load('b', {{ id: '{other.name}', "
        f"src: {source}, durationS: {other.duration_s} }}); pair.seek(0); "
        "pair.querySelector('[data-command=toggle]').click();"
    )


def summarise(
    samples: list[list[float]],
    scenario: str,
    player: str,
    footage: str,
    start_ms: float | None,
    busy: float,
) -> Outcome:
    """Figures of one watch; samples are [wall ms, a s, b s, clock s or null, ...]."""
    offsets = sorted(abs(a - b) * 1000 for _, a, b, *_ in samples)
    first, last = samples[0], samples[-1]
    wall_s = (last[0] - first[0]) / 1000
    columns = [column for column in (1, 2, 3) if first[column] is not None]
    return Outcome(
        scenario=scenario,
        player=player,
        footage=footage,
        samples=len(samples),
        p50_ms=round(quantile(offsets, 0.5), 1),
        p95_ms=round(quantile(offsets, 0.95), 1),
        max_ms=round(offsets[-1], 1),
        advance=round(min((last[i] - first[i]) / wall_s for i in columns), 4),
        start_ms=None if start_ms is None else round(start_ms, 1),
        busy=round(busy, 2),
    )


def quantile(ascending: list[float], share: float) -> float:
    """The smallest value that at least this share of the values does not exceed."""
    rank = max(1, -(-len(ascending) * share // 1))
    return ascending[int(rank) - 1]


def processor_ticks() -> tuple[int, int]:
    """(busy, all) ticks of all processors since boot; zeros where the system does not tell."""
    stat = Path("/proc/stat")
    if not stat.is_file():
        return 0, 0
    ticks = [int(field) for field in stat.read_text().split("\n", 1)[0].split()[1:]]
    return sum(ticks) - ticks[3] - ticks[4], sum(ticks)


def busy_share(before: tuple[int, int], after: tuple[int, int]) -> float:
    passed = after[1] - before[1]
    return (after[0] - before[0]) / passed if passed else float("nan")


def open_pair(
    browser: Browser,
    base: str,
    query: str,
    complaints: list[str] | None = None,
    **context: Any,
) -> Page:
    """A fresh page with our player, ready to be asked; complaints gathers what the page says."""
    context = {"viewport": {"width": 1200, "height": 900}, **context}
    page = browser.new_context(**context).new_page()
    if complaints is not None:
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.append(message.text))
    page.goto(f"{base}/pair?{query}")
    page.wait_for_function("() => Boolean(window.watch && pairIsUp())")
    return page
