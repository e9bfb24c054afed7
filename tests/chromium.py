"""Find a Chromium for the browser tests: `python tests/chromium.py [--install]`.

Order: the environment's CHROMIUM, a browser on the PATH, Playwright's own. With --install a
missing one is installed where that is allowed: by apt-get as root, else by Playwright.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

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
    if shutil.which("apt-get") and hasattr(os, "geteuid") and os.geteuid() == 0:
        quietly("apt-get", "update", "-qq")
        quietly("apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium")
    if find() is None:
        quietly(sys.executable, "-m", "playwright", "install", "chromium")
    return find()


def quietly(*command: str) -> None:
    """Run an installer without its talk; whether it worked is seen by what is there then."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
    )


def main() -> int:
    """Print which browser the tests will use. Exit code 0 either way: the tests skip aloud."""
    found = find() or (install() if "--install" in sys.argv[1:] else None)
    print(f"browser tests use {found}" if found else REMEDY)
    return 0


if __name__ == "__main__":
    sys.exit(main())
