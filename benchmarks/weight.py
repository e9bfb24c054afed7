"""What a first visit costs on the wire before anybody touches the page, in a real Chromium.

    python benchmarks/weight.py                    build site/, then measure
    python benchmarks/weight.py --site site        measure what is there
    python benchmarks/weight.py --out benchmarks/results/weight.json

Everything the browser takes in counts but videos: headers and bodies, text compressed with gzip as
hosts do it, over HTTP/1.1, with an empty cache. Bytes are no timing: the same site weighs the same
on every machine, give or take what differs in headers.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "benchmarks")]

from browser.launch import FLAGS, open_chromium  # noqa: E402
from browser.weight import (  # noqa: E402
    BUDGET_BYTES,
    MAX_SHIFT,
    SCREENS,
    Visit,
    serving_compressed,
    visit,
)
from chromium import REMEDY, find  # noqa: E402
from lighthouse import built_site, pages, surroundings  # noqa: E402


def row(page: str, seen: Visit) -> dict[str, Any]:
    return {
        "page": page,
        "width": seen.screen.width,
        "height": seen.screen.height,
        "density": seen.screen.density,
        "bytes": seen.wire_bytes,
        "requests": len([one for one in seen.answers if one.wire_bytes]),
        "by_kind": {kind: size for kind, size in seen.by_kind().items() if size},
        "layout_shift": round(seen.shift, 4),
        "other_hosts": seen.elsewhere,
        "largest_paint": seen.largest_paint,
        "holds_the_bars": (
            seen.wire_bytes <= BUDGET_BYTES and seen.shift <= MAX_SHIFT and not seen.elsewhere
        ),
    }


def line(one: dict[str, Any]) -> str:
    kinds = "  ".join(f"{kind} {size / 1000:.0f}" for kind, size in one["by_kind"].items())
    held = "held" if one["holds_the_bars"] else "    "
    return (
        f"{one['page']:8} {one['width']:5} px {one['density']:g}x  {one['bytes'] / 1000:5.0f} kB  "
        f"{one['requests']:3} requests  shift {one['layout_shift']:.3f}  {held}  {kinds}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--site", type=Path, help="a built site; without it site/ is built anew")
    parser.add_argument("--out", type=Path, help="write all figures to this JSON file")
    asked = parser.parse_args()
    program = find()
    if program is None:
        print(REMEDY, file=sys.stderr)
        return 1
    site, built = (asked.site, f"as built in {asked.site.name}/") if asked.site else built_site()
    table = []
    with serving_compressed(site.resolve()) as base, open_chromium(program) as browser:
        for page, path in pages(site).items():
            for screen in SCREENS:
                table.append(row(page, visit(browser, base, path, screen)))
                print(line(table[-1]), flush=True)
        version = browser.version
    if asked.out:
        result = {
            "provenance": {
                **surroundings(site, built),
                "browser": f"Chromium {version}, headless",
                "browser_flags": list(FLAGS),
                "bars": {"home_bytes": BUDGET_BYTES, "layout_shift": MAX_SHIFT},
            },
            "table": table,
        }
        asked.out.parent.mkdir(parents=True, exist_ok=True)
        asked.out.write_text(json.dumps(result, indent=1) + "\n")
    return 0 if all(one["holds_the_bars"] for one in table if one["page"] == "home") else 1


if __name__ == "__main__":
    sys.exit(main())
