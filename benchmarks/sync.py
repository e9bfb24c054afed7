"""How far apart two players drift: ours, and the original page's logic, side by side.

    python benchmarks/sync.py                  the real clips where they are, else test cards
    python benchmarks/sync.py --cards          test cards, which everybody has
    python benchmarks/sync.py --runs 3 --out benchmarks/results/sync.json

Each scenario of tests/browser/scenarios.py runs --runs times with each player in a fresh browser
profile, and is sampled once per animation frame from one second after the event. The table shows
the clock offset |B - A| in ms, worst run first to be seen: p95 and max are the largest of all
runs. Nothing is repeated or left out here; the tests' second attempts do not exist in a benchmark.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from browser.fixture import fixture_app  # noqa: E402
from browser.footage import Reel, card_reel, real_reel  # noqa: E402
from browser.launch import FLAGS, open_chromium  # noqa: E402
from browser.loopback import serving  # noqa: E402
from browser.scenarios import (  # noqa: E402
    ADVANCE,
    MAX_MS,
    P95_MS,
    SCENARIOS,
    SETTLE_S,
    Outcome,
    Scenario,
    processor_ticks,
    run,
)
from chromium import REMEDY, find  # noqa: E402
from taken import taken_in_chromium  # noqa: E402

PLAYERS = ("naive", "pair")
ARCHIVE = ROOT.parent / "shared" / "archive"


def measure(reel: Reel, program: str, runs: int) -> tuple[list[Outcome], str]:
    """Every run of every scenario with both players, and the browser's version."""
    outcomes = []
    app = fixture_app(list(reel.clips.values()))
    with serving(app) as base, open_chromium(program) as browser:
        for scenario in SCENARIOS:
            for player in PLAYERS:
                mine = [run(browser, base, reel, scenario, player) for _ in range(runs)]
                outcomes += mine
                print(line(scenario, player, mine), flush=True)
        return outcomes, browser.version


def line(scenario: Scenario, player: str, outcomes: list[Outcome]) -> str:
    worst = summary(scenario, player, outcomes)
    figures = "  ".join(f"{worst[name]:8.1f}" for name in ("p50_ms", "p95_ms", "max_ms"))
    name = {"naive": "original logic", "pair": "clip-pair"}[player]
    held = "held" if worst["holds_the_bars"] else ""
    return f"{scenario.name:34} {name:15} {figures}  {worst['advance']:6.3f}  {held}"


def summary(scenario: Scenario, player: str, outcomes: list[Outcome]) -> dict[str, Any]:
    """The worst of the runs, figure by figure; the median is the runs' middle median."""
    medians = sorted(outcome.p50_ms for outcome in outcomes)
    return {
        "scenario": scenario.name,
        "player": player,
        "p50_ms": medians[len(medians) // 2],
        "p95_ms": max(outcome.p95_ms for outcome in outcomes),
        "max_ms": max(outcome.max_ms for outcome in outcomes),
        "advance": min(outcome.advance for outcome in outcomes),
        "network_starves": scenario.starves,
        "holds_the_bars": all(outcome.passes(scenario) for outcome in outcomes),
    }


def table(outcomes: list[Outcome]) -> list[dict[str, Any]]:
    return [
        summary(
            scenario,
            player,
            [o for o in outcomes if (o.scenario, o.player) == (scenario.name, player)],
        )
        for scenario in SCENARIOS
        for player in PLAYERS
    ]


def provenance(reel: Reel, browser: str, runs: int) -> dict[str, Any]:
    return {
        **taken_in_chromium(browser, FLAGS),
        "python": platform.python_version(),
        "footage": reel.kind,
        "clips": {part: clip.name for part, clip in reel.clips.items()},
        "runs": runs,
        "settle_s": SETTLE_S,
        "bars": {"p95_ms": P95_MS, "max_ms": MAX_MS, "advance": ADVANCE},
        "note": (
            "busy is the share of all processors in use by anybody while sampling; the machine "
            "was shared. advance is the slowest of both elements and the player's own clock, "
            "per second of wall time; where network_starves, both may hold."
        ),
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cards", action="store_true", help="test cards even where clips are")
    parser.add_argument("--runs", type=int, default=3, help="runs per scenario and player")
    parser.add_argument("--out", type=Path, help="write all figures to this JSON file")
    asked = parser.parse_args()
    program = find()
    if program is None:
        print(REMEDY, file=sys.stderr)
        return 1
    archive = Path(os.environ.get("MATRIX_ARCHIVE_CLIPS") or ARCHIVE)
    real = not asked.cards and (archive / "archive.csv").is_file()
    with tempfile.TemporaryDirectory() as folder:
        reel = real_reel(archive) if real else card_reel(Path(folder))
        print(f"{reel.kind}; clock offset in ms: p50, p95, max; advance per wall second")
        before = processor_ticks()
        outcomes, version = measure(reel, program, asked.runs)
        after = processor_ticks()
    result = {
        "provenance": provenance(reel, version, asked.runs),
        "busy_overall": round((after[0] - before[0]) / max(1, after[1] - before[1]), 2),
        "table": table(outcomes),
        "runs": [asdict(outcome) for outcome in outcomes],
    }
    if asked.out:
        asked.out.parent.mkdir(parents=True, exist_ok=True)
        asked.out.write_text(json.dumps(result, indent=1) + "\n")
    ours = [row for row in result["table"] if row["player"] == "pair"]
    return 0 if all(row["holds_the_bars"] for row in ours) else 1


if __name__ == "__main__":
    sys.exit(main())
