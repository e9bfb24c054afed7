"""What the comparer costs: the time to draw a tick, and memory over long looping.

    python benchmarks/comparer_cost.py --out benchmarks/results/comparer_cost.json    12 minutes
    python benchmarks/comparer_cost.py --loop-minutes 0.5 --draw-seconds 5            a quick look

Two test cards of 848x480 play in Chromium under engine A, which decodes in software there. `draw`:
every animation frame's callbacks are timed by the page's own clock, and after those a pixel of each
canvas is read back, so that nothing of the drawing is put off; `with_read_back` is both together,
`callbacks` the player alone. Ticks that drew no new picture count, too.

`memory`: both clips loop. Each quarter of a minute, after a collection of garbage, the page's heap
is read, and the memory of all of the browser's processes as the system counts it (PSS). `grown` is
the slope of a line through the second half of the samples, over its length.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from browser.fixture import fixture_app  # noqa: E402
from browser.footage import CODECS, Footage, encode, read_footage  # noqa: E402
from browser.launch import FLAGS, open_chromium  # noqa: E402
from browser.loopback import serving  # noqa: E402
from browser.scenarios import busy_share, processor_ticks, quantile  # noqa: E402
from chromium import REMEDY, find  # noqa: E402
from taken import taken_in_chromium  # noqa: E402

from generator.clips.card import render_card  # noqa: E402

CLIPS = {"vp8-30": ("vp8", 30), "h264-24": ("h264", 24)}
SIZE = (848, 480)
SECONDS = 8
BAR_MS = 8
SAMPLE_S = 15
MODES = ("side", "wipe", "overlay", "difference")

TIME = """
const ask = window.requestAnimationFrame.bind(window);
window.drawn = new Map();
window.requestAnimationFrame = (callback) => ask((now) => {
  const from = performance.now();
  callback(now);
  const called = performance.now();
  for (const canvas of document.querySelectorAll('canvas')) {
    if (canvas.width > 1) canvas.getContext('2d')?.getImageData(0, 0, 1, 1);
  }
  const [spent, all] = window.drawn.get(now) ?? [0, 0];
  window.drawn.set(now, [spent + called - from, all + performance.now() - from]);
});
"""
"""Run before a page's own scripts: [callbacks, those and reading back] of each tick, in ms."""


def cards(folder: Path) -> list[Footage]:
    width, height = SIZE
    made = []
    for name, (codec, rate) in CLIPS.items():
        plain = folder / f"plain-{name}.mp4"
        seconds = Fraction(SECONDS)
        render_card(plain, width=width, height=height, rate=Fraction(rate), seconds=seconds)
        container, options = CODECS[codec]
        encode(plain, folder / f"{name}.{container}", options)
        made.append(read_footage(folder / f"{name}.{container}"))
    return made


def opened(browser: Any, address: str, *, timed: bool) -> Any:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    if timed:
        context.add_init_script(TIME)
    page = context.new_page()
    page.goto(address)
    page.wait_for_function("() => window.pairIsUp && pairIsUp()")
    page.evaluate("clipPair().setLoop({ on: true })")
    return page


def draw(browser: Any, address: str, mode: str, seconds: float) -> dict[str, Any]:
    page = opened(browser, address, timed=True)
    page.evaluate(f"clipPair().setView({{ mode: '{mode}' }})")
    page.evaluate("clipPair().play()")
    page.wait_for_function("() => clipPair().state.shownS > 0.5")
    before = processor_ticks()
    page.evaluate("drawn.clear()")
    page.wait_for_timeout(1000 * seconds)
    ticks = page.evaluate("[...drawn.values()]")
    found = {
        "mode": mode,
        "engine": page.evaluate("clipPair().dataset.engine"),
        "ticks": len(ticks),
        "ticks_a_second": round(len(ticks) / seconds, 1),
        "callbacks": quantiles([spent for spent, _ in ticks]),
        "with_read_back": quantiles([whole for _, whole in ticks]),
        "busy": round(busy_share(before, processor_ticks()), 2),
    }
    page.context.close()
    return found


def quantiles(found_ms: list[float]) -> dict[str, float]:
    ordered = sorted(found_ms)
    return {
        "p50_ms": round(quantile(ordered, 0.5), 2),
        "p95_ms": round(quantile(ordered, 0.95), 2),
        "max_ms": round(ordered[-1], 2),
    }


def memory(browser: Any, address: str, minutes: float) -> dict[str, Any]:
    page = opened(browser, address, timed=False)
    console = page.context.new_cdp_session(page)
    page.evaluate("clipPair().play()")
    page.wait_for_function("() => clipPair().state.shownS > 0.5")
    samples = []
    start = time.monotonic()
    while (passed_s := time.monotonic() - start) < 60 * minutes:
        console.send("HeapProfiler.collectGarbage")
        heap = console.send("Runtime.getHeapUsage")
        samples.append(
            {
                "s": round(passed_s, 1),
                "heap_mb": round(heap["usedSize"] / 1e6, 2),
                "browser_pss_mb": round(browser_pss_bytes() / 1e6, 1),
                "queued": page.evaluate(
                    "Object.values(clipPair().state.clips).map((one) => one.queued)"
                ),
            }
        )
        print(f"{samples[-1]}", flush=True)
        page.wait_for_timeout(1000 * min(SAMPLE_S, max(1, 6 * minutes)))
    engine = page.evaluate("clipPair().dataset.engine")
    playing = page.evaluate("clipPair().state.playing")
    page.context.close()
    half = samples[len(samples) // 2 :]
    return {
        "engine": engine,
        "still_playing": playing,
        "minutes": minutes,
        "samples": samples,
        "grown": {
            name: round(grown([one["s"] for one in half], [one[name] for one in half]), 2)
            for name in ("heap_mb", "browser_pss_mb")
        },
    }


def grown(at_s: list[float], values: list[float]) -> float:
    slope, _ = statistics.linear_regression(at_s, values)
    return slope * (at_s[-1] - at_s[0])


def browser_pss_bytes() -> int:
    """Proportional memory of this process's descendants, Chromium and its driver."""
    parents = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(status.parent.name)] = int(fields[1])
    ours, total = {os.getpid()}, 0
    while found := {child for child, parent in parents.items() if parent in ours} - ours:
        ours |= found
    for process in ours - {os.getpid()}:
        try:
            rollup = Path(f"/proc/{process}/smaps_rollup").read_text()
        except OSError:
            continue
        total += sum(
            1024 * int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")
        )
    return total


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--draw-seconds", type=float, default=20, help="of play, per mode")
    parser.add_argument("--loop-minutes", type=float, default=10, help="of looping")
    parser.add_argument("--out", type=Path, help="write all figures to this JSON file")
    asked = parser.parse_args()
    program = find()
    if program is None:
        print(REMEDY, file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder:
        clips = cards(Path(folder))
        query = "&".join(f"{side}={clip.name}" for side, clip in zip("ab", clips, strict=True))
        with serving(fixture_app(clips)) as base, open_chromium(program) as browser:
            address = f"{base}/pair?engine=frames&{query}"
            draws = []
            for mode in MODES:
                draws.append(draw(browser, address, mode, asked.draw_seconds))
                print(draws[-1], flush=True)
            looped = memory(browser, address, asked.loop_minutes)
            version = browser.version
    print(looped["grown"], flush=True)
    if asked.out:
        provenance = {
            **taken_in_chromium(version, FLAGS, "decoding and drawing"),
            "clips": {name: [codec, *SIZE, rate] for name, (codec, rate) in CLIPS.items()},
        }
        result = {"provenance": provenance, "draw": draws, "memory": looped}
        asked.out.parent.mkdir(parents=True, exist_ok=True)
        asked.out.write_text(json.dumps(result, indent=1) + "\n")
    side = next(one for one in draws if one["mode"] == "side")
    return 0 if side["with_read_back"]["p95_ms"] <= BAR_MS else 1


if __name__ == "__main__":
    sys.exit(main())
