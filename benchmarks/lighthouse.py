"""What Lighthouse 12 says of the published site on a mid-range phone: its mobile default preset.

    npm install --prefix .venv/node lighthouse@12.8.2        once
    python benchmarks/lighthouse.py                          build site/, then measure
    python benchmarks/lighthouse.py --site site              measure what is there
    python benchmarks/lighthouse.py --out benchmarks/results/lighthouse.json

The build takes in the real clips where they are (the heaviest site there is), and is served from
this machine with its own headers, text compressed with gzip as hosts do it, over HTTP/1.1 and
without latency of its own: Lighthouse simulates the phone's network and processor. Each page is
measured --runs times with a fresh browser profile; the table shows medians and the worst.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from browser.weight import serving_compressed  # noqa: E402
from chromium import REMEDY, find  # noqa: E402
from taken import taken  # noqa: E402

from generator import build as building  # noqa: E402
from generator.project import Project  # noqa: E402

VERSION = "12.8.2"
NODE = Path(sys.prefix) / "node"
CLI = NODE / "node_modules" / "lighthouse" / "cli" / "index.js"
INSTALL = f"npm install --prefix {NODE} lighthouse@{VERSION}"
ARCHIVE = ROOT.parent / "shared" / "archive"
REAL_RUN = "2026-03-story-machine-h100"
CHROME_FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic")
BARS = {"performance": 95, "accessibility": 100, "best-practices": 100, "seo": 100}
LCP_MS, CLS = 2500, 0.1
FIGURES = {
    "lcp_ms": "largest-contentful-paint",
    "fcp_ms": "first-contentful-paint",
    "tbt_ms": "total-blocking-time",
    "speed_index_ms": "speed-index",
    "cls": "cumulative-layout-shift",
    "bytes": "total-byte-weight",
}
LIMIT_S = 240
TRIES = 3


def pages(site: Path) -> dict[str, str]:
    """Home, archive, compare, and the clip page that says most."""
    clips = (site / "clips").glob("*/index.html")
    longest = max(clips, key=lambda page: (page.stat().st_size, page.parent.name))
    return {
        "home": "/",
        "archive": "/archive/",
        "clip": f"/clips/{longest.parent.name}/",
        "compare": "/compare/",
    }


def measure(address: str, program: str) -> dict[str, Any]:
    """One run of Lighthouse: scores of 0 to 100, figures, and every audit that costs points."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [
            *("node", str(CLI), address, "--quiet", "--output=json"),
            f"--output-path={report}",
            f"--only-categories={','.join(BARS)}",
            f"--chrome-flags={' '.join(CHROME_FLAGS)}",
        ]
        environment = {**os.environ, "CHROME_PATH": program}
        for left in range(TRIES - 1, -1, -1):  # Chromium now and then hands over no trace
            if not subprocess.run(
                command, env=environment, check=not left, timeout=LIMIT_S
            ).returncode:
                break
        said = json.loads(report.read_text("utf-8"))
    if said.get("runtimeError"):
        raise RuntimeError(f"{address}: {said['runtimeError']['message']}")
    audits = said["audits"]
    lost = {
        reference["id"]: audits[reference["id"]]["score"]
        for category in said["categories"].values()
        for reference in category["auditRefs"]
        if reference["weight"] and (audits[reference["id"]]["score"] or 0) < 1
        if audits[reference["id"]]["scoreDisplayMode"] in ("binary", "numeric", "metricSavings")
    }
    return {
        "scores": {
            name: round(100 * category["score"]) for name, category in said["categories"].items()
        },
        **{name: round(audits[audit]["numericValue"], 3) for name, audit in FIGURES.items()},
        "benchmark_index": said["environment"]["benchmarkIndex"],
        "below_full_marks": lost,
        "browser": re.sub(r".*(Chrome/[\d.]+).*", r"\1", said["environment"]["hostUserAgent"]),
    }


def summary(page: str, runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Medians and the worst of the runs."""
    scores = {name: sorted(run["scores"][name] for run in runs) for name in BARS}
    medians = {name: statistics.median(values) for name, values in scores.items()}
    figures = {name: statistics.median(run[name] for run in runs) for name in FIGURES}
    return {
        "page": page,
        "scores": medians,
        "worst_scores": {name: values[0] for name, values in scores.items()},
        **figures,
        "holds_the_bars": (
            all(medians[name] >= bar for name, bar in BARS.items())
            and figures["lcp_ms"] <= LCP_MS
            and figures["cls"] <= CLS
        ),
    }


def line(row: Mapping[str, Any]) -> str:
    scores = "  ".join(f"{row['scores'][name]:5.0f}" for name in BARS)
    held = "held" if row["holds_the_bars"] else ""
    return (
        f"{row['page']:9} {scores}   LCP {row['lcp_ms']:5.0f} ms  TBT {row['tbt_ms']:4.0f} ms  "
        f"CLS {row['cls']:.3f}  {row['bytes'] / 1000:5.0f} kB  {held}"
    )


def surroundings(site: Path, built: str) -> dict[str, Any]:
    """When, where and of what: for every benchmark of the published site."""
    return {
        **taken(),
        "site": built,
        "pages_of_the_site": sum(1 for _ in site.rglob("*.html")),
        "server": "loopback, HTTP/1.1, gzip level 9 for text, the site's own headers",
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processors": os.cpu_count(),
        "load_average": [round(one, 2) for one in os.getloadavg()],
    }


def provenance(site: Path, built: str, runs: int, browser: str) -> dict[str, Any]:
    node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True)
    return {
        **surroundings(site, built),
        "lighthouse": VERSION,
        "preset": "mobile (default): simulated slow 4G, processor slowed four times",
        "browser": browser,
        "browser_flags": list(CHROME_FLAGS),
        "node": node.stdout.strip(),
        "runs": runs,
        "bars": {**BARS, "lcp_ms": LCP_MS, "cls": CLS},
        "note": (
            "scores of 0 to 100. benchmark_index is Lighthouse's own guess at this machine's "
            "speed; the lower, the more the simulated phone is slowed down beyond what it means."
        ),
    }


def built_site() -> tuple[Path, str]:
    """Builds the repository's own site; returns it and what went into it."""
    archive = Path(os.environ.get("MATRIX_ARCHIVE_CLIPS") or ARCHIVE)
    real = (archive / "archive.csv").is_file()
    options = building.Options(
        mirrors=(archive,) if real else (),
        include_media=frozenset([REAL_RUN]) if real else frozenset(),
    )
    report = building.build(Project(root=ROOT), options)
    kind = "with the real clips included" if real else "without the real clips"
    return report.site, f"the repository's own content, {kind}: {report.pages} pages"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--site", type=Path, help="a built site; without it site/ is built anew")
    parser.add_argument("--runs", type=int, default=5, help="runs per page")
    parser.add_argument("--page", action="append", help="only this page (home, archive, ...)")
    parser.add_argument("--out", type=Path, help="write all figures to this JSON file")
    asked = parser.parse_args()
    program = find()
    if program is None:
        print(REMEDY, file=sys.stderr)
        return 1
    if shutil.which("node") is None or not CLI.is_file():
        print(f"no Lighthouse found: install Node 20 or newer, then {INSTALL}", file=sys.stderr)
        return 1
    site, built = (asked.site, f"as built in {asked.site.name}/") if asked.site else built_site()
    runs: dict[str, list[dict[str, Any]]] = {}
    with serving_compressed(site.resolve()) as base:
        for page, path in pages(site).items():
            if asked.page and page not in asked.page:
                continue
            runs[page] = [measure(base + path, program) for _ in range(asked.runs)]
            print(line(summary(page, runs[page])), flush=True)
            for audit, score in runs[page][0]["below_full_marks"].items():
                print(f"          {audit}: {score}")
    table = [summary(page, mine) for page, mine in runs.items()]
    if asked.out:
        browser = next(iter(runs.values()))[0]["browser"]
        result = {
            "provenance": provenance(site, built, asked.runs, browser),
            "table": table,
            "runs": [{"page": page, **run} for page, mine in runs.items() for run in mine],
        }
        asked.out.parent.mkdir(parents=True, exist_ok=True)
        asked.out.write_text(json.dumps(result, indent=1) + "\n")
    return 0 if all(row["holds_the_bars"] for row in table) else 1


if __name__ == "__main__":
    sys.exit(main())
