"""Finds a Chromium to test with, or says in one line what to install."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Playwright, sync_playwright

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
NAMES = ("chromium", "chromium-browser", "google-chrome")
REMEDY = (
    "no Chromium found: set CHROMIUM to one, install the package chromium, "
    "or run: python -m playwright install chromium"
)


def find_chromium(playwright: Playwright, environ: Mapping[str, str] = os.environ) -> str | None:
    """Path of a Chromium: $CHROMIUM, the usual names on the path, Playwright's own; else None.

    Raises FileNotFoundError where $CHROMIUM names no program: a wish is not guessed around.
    """
    wished = environ.get("CHROMIUM", "")
    if wished:
        found = shutil.which(wished)
        if found is None:
            raise FileNotFoundError(f"CHROMIUM names {wished!r}, which is no program")
        return found
    for name in NAMES:
        found = shutil.which(name)
        if found:
            return found
    own = Path(playwright.chromium.executable_path)
    return str(own) if own.is_file() else None


@contextmanager
def open_chromium() -> Iterator[Browser]:
    """A headless Chromium. Raises FileNotFoundError with the remedy where there is none."""
    with sync_playwright() as playwright:
        program = find_chromium(playwright)
        if program is None:
            raise FileNotFoundError(REMEDY)
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()
