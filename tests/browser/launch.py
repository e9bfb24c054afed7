"""Opens the Chromium that tests/chromium.py finds, with the flags a test machine needs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, BrowserContext, sync_playwright

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

TELL = """
document.addEventListener('securitypolicyviolation', (e) =>
  policyForbade(`${document.URL}: ${e.effectiveDirective}: ${e.sample || e.blockedURI}`));
"""
WATCH = """
globalThis.violations = []; globalThis.shift = 0;
document.addEventListener('securitypolicyviolation', (e) =>
  violations.push(`${e.effectiveDirective}: ${e.sample || e.blockedURI}`));
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) shift += entry.value;
}).observe({ type: 'layout-shift', buffered: true });
"""
"""Run before a page's own scripts: keeps what its policy forbade and how far things moved."""


def forbidden(context: BrowserContext) -> list[str]:
    """Grows by whatever a policy forbids on any page of `context`, over all that it visits."""
    found: list[str] = []
    context.expose_binding("policyForbade", lambda _, what: found.append(what))
    context.add_init_script(TELL)
    return found


@contextmanager
def open_chromium(program: str) -> Iterator[Browser]:
    """A headless Chromium, closed at the end."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()
