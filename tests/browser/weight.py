"""What a visit costs before anybody touches the page: bytes, requests, moves and the first paint.

Text is compressed as hosts do it (gzip), which `python -m generator serve` leaves to them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from playwright.sync_api import Browser
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from generator.publish.serve import application

from .loopback import serving

TEXT = {"", ".html", ".css", ".js", ".json", ".svg", ".xml", ".csv", ".txt", ".webmanifest"}
"""Suffixes that hosts compress; pictures, fonts and clips are compressed already."""
BUDGET_BYTES = 150_000
COMPARE_BYTES = 185_000
"""The compare page alone: there the comparer is what somebody came for, and loads at once; a fifth
of it are the headers of forty answers."""
MAX_SHIFT = 0.1

OBSERVE = """
globalThis.seen = { shift: 0, paint: null };
new PerformanceObserver((list) => {
  for (const one of list.getEntries()) if (!one.hadRecentInput) seen.shift += one.value;
}).observe({ type: 'layout-shift', buffered: true });
new PerformanceObserver((list) => {
  const { startTime, element } = list.getEntries().at(-1);
  seen.paint = { ms: startTime, element: element ? element.outerHTML.slice(0, 120) : '' };
}).observe({ type: 'largest-contentful-paint', buffered: true });
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """A window: size in CSS pixels, and device pixels per CSS pixel."""

    width: int
    height: int
    density: float = 1

    def __str__(self) -> str:
        return f"{self.width} px" + (f" at {self.density:g}x" if self.density != 1 else "")


SCREENS = (
    Screen(width=360, height=740),
    Screen(width=360, height=740, density=2),
    Screen(width=768, height=1024),
    Screen(width=768, height=1024, density=2),
    Screen(width=1440, height=900),
    Screen(width=1440, height=900, density=2),
    Screen(width=2560, height=1440),
    Screen(width=2560, height=1440, density=2),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answered request. `wire_bytes` counts headers and the body as it travelled."""

    url: str
    kind: str
    wire_bytes: int


@dataclass(slots=True, kw_only=True)
class Visit:
    """One load of one page with an empty cache."""

    base: str
    screen: Screen
    answers: list[Answer] = field(default_factory=list)
    shift: float = 0.0
    largest_paint_ms: float | None = None
    largest_paint: str = ""

    @property
    def wire_bytes(self) -> int:
        """Everything but videos."""
        return sum(one.wire_bytes for one in self.answers if one.kind != "Media")

    @property
    def elsewhere(self) -> list[str]:
        """Addresses of other hosts that were asked for something."""
        ours = (f"{self.base}/", "data:", "blob:")
        return [one.url for one in self.answers if not one.url.startswith(ours)]

    def by_kind(self) -> dict[str, int]:
        kinds: dict[str, int] = {}
        for one in self.answers:
            kinds[one.kind] = kinds.get(one.kind, 0) + one.wire_bytes
        return dict(sorted(kinds.items(), key=lambda item: -item[1]))


class _Compressed:
    """ASGI middleware: gzip for text, as hosts do it; all else passes untouched."""

    def __init__(self, app: ASGIApp, level: int) -> None:
        self._plain = app
        self._zipped = GZipMiddleware(app, minimum_size=200, compresslevel=level)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        text = scope["type"] == "http" and PurePosixPath(scope["path"]).suffix in TEXT
        await (self._zipped if text else self._plain)(scope, receive, send)


@contextmanager
def serving_compressed(site: Path, *, level: int = 9) -> Iterator[str]:
    """Serves the built site with its own headers, text compressed; gives its address."""
    with serving(_Compressed(application(site), level)) as base:
        yield base


def visit(browser: Browser, base: str, path: str, screen: Screen) -> Visit:
    """Open the page, touch nothing, wait until it asks for nothing more."""
    context = browser.new_context(
        viewport={"width": screen.width, "height": screen.height},
        device_scale_factor=screen.density,
    )
    context.add_init_script(OBSERVE)
    page = context.new_page()
    wire = context.new_cdp_session(page)
    asked: dict[str, tuple[str, str]] = {}
    seen = Visit(base=base, screen=screen)

    def begins(event: dict[str, Any]) -> None:
        asked[event["requestId"]] = (event["request"]["url"], event.get("type", "Other"))

    def ends(event: dict[str, Any]) -> None:
        url, kind = asked.get(event["requestId"], ("", "Other"))
        size = int(event.get("encodedDataLength", 0))
        seen.answers.append(Answer(url=url, kind=kind, wire_bytes=size))

    wire.on("Network.requestWillBeSent", begins)
    wire.on("Network.loadingFinished", ends)
    wire.on("Network.loadingFailed", ends)
    wire.send("Network.enable")
    wire.send("Network.setCacheDisabled", {"cacheDisabled": True})
    page.goto(base + path, wait_until="networkidle")
    page.evaluate("document.fonts.ready.then(() => 0)")
    page.wait_for_timeout(500)
    told = page.evaluate("seen")
    seen.shift = told["shift"]
    if told["paint"]:
        seen.largest_paint_ms = told["paint"]["ms"]
        seen.largest_paint = told["paint"]["element"]
    context.close()
    return seen
