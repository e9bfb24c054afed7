"""Find a Firefox, and what drives it, for the browser tests: `python tests/firefox.py [--install]`.

Order: the environment's FIREFOX, then firefox or firefox-esr on the PATH; it is driven over
WebDriver BiDi by the npm package puppeteer-core beside the virtual environment. With --install
what is missing is fetched by apt-get as root, and by npm.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import NamedTuple

from installing import NODE, by_apt, by_npm

VERSION = "24.43.1"
DRIVER = NODE / "node_modules" / "puppeteer-core" / "lib/esm/puppeteer/puppeteer-core.js"
NAMES = ("firefox", "firefox-esr")
REMEDY = (
    "no Firefox that can be driven: install one (Debian: apt-get install firefox-esr) or name its "
    "program in the variable FIREFOX, install Node.js 20 or newer, and run `npm install --prefix "
    f"{NODE} puppeteer-core@{VERSION}`"
)


class Found(NamedTuple):
    """The programs and the script that drive a Firefox."""

    firefox: str
    node: str
    driver: Path


def find() -> Found | None:
    """A Firefox and its driver, or None."""
    named = os.environ.get("FIREFOX")
    firefox = named if named and Path(named).is_file() else None
    if not named:
        firefox = next((path for path in map(shutil.which, NAMES) if path), None)
    node = shutil.which("node")
    return Found(firefox, node, DRIVER) if firefox and node and DRIVER.is_file() else None


def install() -> Found | None:
    """Try to install what is missing; None when that could not be done."""
    if not any(map(shutil.which, NAMES)):
        by_apt("firefox-esr", recommended=True)  # libavcodec, whatever its number: H.264
    if not DRIVER.is_file():
        by_npm(f"puppeteer-core@{VERSION}")
    return find()


def main() -> int:
    """Print which Firefox the tests will use. Exit code 0 either way: the tests skip aloud."""
    found = find() or (install() if "--install" in sys.argv[1:] else None)
    print(f"tests in Firefox use {found.firefox}" if found else REMEDY)
    return 0


if __name__ == "__main__":
    sys.exit(main())
