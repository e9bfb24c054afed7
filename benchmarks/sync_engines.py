"""Which frames stand side by side: the original page's logic, engine B and engine A.

    python benchmarks/sync_engines.py --out benchmarks/results/sync_engines.json
    python benchmarks/sync_engines.py --seconds 10        a quick look

Six pairs of test cards (four codecs; rates, sizes and lengths that never agree) play --seconds with
each player in a fresh profile, on a free network and, one pair, on a slow one: play, a seek while
playing, twice the speed, half the speed, back to the start. Once per animation frame the frame
number of both pictures is read back from the pixels; nothing that a player says of itself is used.

Two frames belong together when there is a moment at which both are due. `apart_ms` is by how much
they miss that: 0 where they belong together. `wrong` is the share of ticks with a miss. `pace` is
how fast the pictures went on, by their frames' stamps, per second of wall time and speed, without
the second after each event; `shown` is the share of the frames due meanwhile, at normal speed, that
were on screen in at least one tick.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from browser.fixture import fixture_app  # noqa: E402
from browser.footage import FORMATS, Footage, Reel, format_reel  # noqa: E402
from browser.launch import FLAGS, open_chromium  # noqa: E402
from browser.loopback import serving  # noqa: E402
from browser.scenarios import busy_share, processor_ticks, quantile  # noqa: E402
from browser.test_engine_a import PAIRS  # noqa: E402
from chromium import REMEDY, find  # noqa: E402
from taken import taken, taken_in_chromium  # noqa: E402

PLAYERS = {"naive": "original logic", "elements": "engine B", "frames": "engine A"}
SLOW = ("av1-36", "vp9-30")
BARS = {"pace": 0.98, "shown": 0.95}
MOST_ATTEMPTS = 3
"""Of a pair with engine A: the machine has other guests, and a stall of it is no fault of the
player. Every attempt is kept and told."""
SETTLE_S = 1.0
SECONDS_A_TIME = 8
"""So many seconds of a run for each time that the cards are as long as FORMATS says: then the
events lead to no clip's end, where pictures stand and `pace` would count that."""
EVENTS = (
    (0.3, "seek", "clipPair().seek(2.5)", "v.currentTime = 2.5"),
    (0.5, "2x", "clipPair().setRate(2)", "v.playbackRate = 2"),
    (0.65, "0.5x", "clipPair().setRate(0.5)", "v.playbackRate = 0.5"),
    (
        0.8,
        "back",
        "clipPair().setRate(1); clipPair().seek(0)",
        "v.playbackRate = 1; v.currentTime = 0",
    ),
)
"""When, as a share of the run; what it does to our player, and to each video of the original."""


class Mark(NamedTuple):
    """An event: when, as a share of the run; its name; the page's time before and after it."""

    share: float
    name: str
    before_ms: float
    after_ms: float


def run(browser: Any, base: str, reel: Reel, parts: tuple[str, str], player: str, seconds: float,
        kbit: float | None) -> dict[str, Any]:  # fmt: skip
    clips = [reel.clips[part] for part in parts]
    travel = f"kbit={kbit:.0f}&delay_ms=60&link=both" if kbit else ""
    quoted = travel.replace("&", "%26").replace("=", "%3D")
    query = "&".join(
        f"{side}={clip.name}&travel-{side}={quoted}" for side, clip in zip("ab", clips, strict=True)
    )
    page_name = "naive" if player == "naive" else "pair"
    context = browser.new_context(viewport={"width": 1200, "height": 900})
    page = context.new_page()
    page.goto(f"{base}/{page_name}?engine={player}&{query}")
    page.wait_for_function(
        "() => Boolean(window.startWatching && (window.naivePlay || pairIsUp()))"
    )
    before = processor_ticks()
    page.evaluate("naivePlay()" if player == "naive" else "clipPair().play()")
    page.evaluate("startWatching()")
    now = "performance.now()"
    marks = [Mark(0.0, "start", page.evaluate(now), page.evaluate(now))]
    for share, name, ours, theirs in EVENTS:
        page.wait_for_timeout(1000 * seconds * (share - marks[-1].share))
        before_ms = page.evaluate(now)
        each = f"for (const v of document.querySelectorAll('video')) {{ {theirs} }}"
        page.evaluate(f"() => {{ {each if player == 'naive' else ours} }}")
        marks.append(Mark(share, name, before_ms, page.evaluate(now)))
    page.wait_for_timeout(1000 * seconds * (1 - marks[-1].share))
    ticks = page.evaluate("stopWatching()")
    context.close()
    return {
        "pair": list(parts),
        "network": f"{kbit:.0f} kbit/s for both" if kbit else "free",
        "player": player,
        **figures(clips, ticks, marks),
        "busy": round(busy_share(before, processor_ticks()), 2),
    }


def figures(clips: list[Footage], ticks: list[list[Any]], marks: list[Mark]) -> dict[str, Any]:
    drawn = [(wall, codes) for wall, *_, codes in ticks if None not in codes]
    apart = sorted(apart_ms(clips, codes) for _, codes in drawn)
    paces, shown = [], []
    rate = {"start": 1.0, "seek": 1.0, "2x": 2.0, "0.5x": 0.5, "back": 1.0}
    ends = [*(mark.before_ms for mark in marks[1:]), float("inf")]
    for mark, to_ms in zip(marks, ends, strict=True):
        name, from_ms = mark.name, mark.after_ms + 1000 * SETTLE_S
        calm = [one for one in drawn if from_ms <= one[0] < to_ms]
        if len(calm) < 2:
            continue
        wall_s = (calm[-1][0] - calm[0][0]) / 1000
        for side, clip in enumerate(clips):
            codes = [one[1][side] for one in calm]
            if codes[-1] >= len(clip.timestamps_s) - 1:
                continue
            went_s = clip.timestamps_s[codes[-1]] - clip.timestamps_s[codes[0]]
            paces.append(went_s / wall_s / rate[name])
            if rate[name] == 1:
                shown.append(len(set(codes)) / (max(codes) - min(codes) + 1))
    return {
        "ticks": len(drawn),
        "ticks_a_second": round(len(ticks) / max(1e-9, (ticks[-1][0] - ticks[0][0]) / 1000), 1),
        "wrong": round(sum(ms > 0 for ms in apart) / max(1, len(apart)), 4),
        "apart_ms": {
            "p50": round(quantile(apart, 0.5), 1),
            "p95": round(quantile(apart, 0.95), 1),
            "max": round(apart[-1], 1),
        },
        "pace": round(sum(paces) / len(paces), 4) if paces else None,
        "shown": round(min(shown), 4) if shown else None,
    }


def apart_ms(clips: list[Footage], codes: list[int]) -> float:
    """By how much the intervals of two shown frames miss each other; 0 where they overlap."""
    (a_from, a_to), (b_from, b_to) = (
        interval(clip, code) for clip, code in zip(clips, codes, strict=True)
    )
    return max(0.0, b_from - a_to, a_from - b_to) * 1000


def interval(clip: Footage, code: int) -> tuple[float, float]:
    stamps = clip.timestamps_s
    return stamps[code], stamps[code + 1] if code + 1 < len(stamps) else float("inf")


def line(one: dict[str, Any]) -> str:
    apart = one["apart_ms"]
    pair = " + ".join(one["pair"]) + ("" if one["network"] == "free" else ", slow")
    return (
        f"{pair:28} {PLAYERS[one['player']]:15} {one['ticks']:6} ticks  wrong {one['wrong']:7.2%}  "
        f"apart {apart['p50']:5.1f} {apart['p95']:6.1f} {apart['max']:7.1f} ms  "
        f"pace {one['pace']}  shown {one['shown']}  busy {one['busy']}"
    )


def provenance(browser: str, seconds: float) -> dict[str, Any]:
    return {
        **taken_in_chromium(browser, FLAGS),
        "clips": {name: [str(part) for part in how] for name, how in FORMATS.items()},
        "seconds": seconds,
        "note": "busy is the share of all processors in use by anybody; the machine was shared. A "
        "pair that misses a bar with engine A is measured again, three times at most.",
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=60, help="of play, per pair and player")
    parser.add_argument("--out", type=Path, help="write all figures to this JSON file")
    parser.add_argument(
        "--again", type=Path, help="measure again what missed a bar in this file, and add it"
    )
    asked = parser.parse_args()
    program = find()
    if program is None:
        print(REMEDY, file=sys.stderr)
        return 1
    done = json.loads(asked.again.read_text()) if asked.again else None
    runs: list[dict[str, Any]] = list(done["runs"]) if done else []
    with tempfile.TemporaryDirectory() as folder:
        reel = format_reel(Path(folder), times=math.ceil(asked.seconds / SECONDS_A_TIME))
        slow_kbit = 0.7 * sum(reel.clips[part].mean_kbit for part in SLOW)
        ways = [*((parts, None) for parts in PAIRS), (SLOW, slow_kbit)]
        app = fixture_app(list(reel.clips.values()))

        def measure(parts: tuple[str, str], player: str, kbit: float | None, attempt: int) -> None:
            found = run(browser, base, reel, parts, player, asked.seconds, kbit)
            runs.append({**found, "attempt": attempt})
            print(line(runs[-1]), flush=True)

        with serving(app) as base, open_chromium(program) as browser:
            version = browser.version
            for parts, kbit in [] if done else ways:
                for player in PLAYERS:
                    measure(parts, player, kbit, 1)
            for attempt in range(2, MOST_ATTEMPTS + 1):
                for parts in missed(runs):
                    measure(parts, "frames", None, attempt)
    if asked.out:
        asked.out.parent.mkdir(parents=True, exist_ok=True)
        result = {"provenance": provenance(version, asked.seconds), "runs": runs}
        if done:
            result["provenance"] = done["provenance"] | {"measured_again": taken()["measured_at"]}
        asked.out.write_text(json.dumps(result, indent=1) + "\n")
    exact = all(one["wrong"] == 0 for one in runs if one["player"] == "frames")
    return 0 if exact and not missed(runs) else 1


def missed(runs: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Pairs that engine A has not yet played, on a free network, at the pace and with the frames
    that it owes."""
    held: dict[tuple[str, str], bool] = {}
    for one in runs:
        if one["player"] == "frames" and one["network"] == "free":
            first, second = one["pair"]
            good = (one["pace"] or 0) >= BARS["pace"] and (one["shown"] or 0) >= BARS["shown"]
            held[first, second] = held.get((first, second), False) or good
    return [pair for pair, good in held.items() if not good]


if __name__ == "__main__":
    sys.exit(main())
