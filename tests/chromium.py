"""Find a Chromium for the browser tests: `python tests/chromium.py [--install]`.

Order: the environment's CHROMIUM, a browser on the PATH, Playwright's own. With --install a
missing one is installed where that is allowed: by apt-get as root, else by Playwright.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from installing import by_apt, quietly

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
REMEDY = (
    "no Chromium found: install one (Debian: apt-get install chromium; elsewhere: "
    "python -m playwright install chromium), or name its program in the variable CHROMIUM"
)


def find() -> str | None:
    """The program of a Chromium, or None."""
    named = os.environ.get("CHROMIUM")
    if named:
        return named if Path(named).is_file() else None
    for name in NAMES:
        path = shutil.which(name)
        if path:
            return path
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return None
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    return own if Path(own).is_file() else None


def install() -> str | None:
    """Try to install one; None when nothing could be installed."""
    by_apt("chromium")
    if find() is None:
        quietly(sys.executable, "-m", "playwright", "install", "chromium")
    return find()


def main() -> int:
    """Print which browser the tests will use. Exit code 0 either way: the tests skip aloud."""
    found = find() or (install() if "--install" in sys.argv[1:] else None)
    print(f"browser tests use {found}" if found else REMEDY)
    return 0


if __name__ == "__main__":
    sys.exit(main())
