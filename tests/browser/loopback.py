"""A loopback server with Range, the site's security header, and links of a chosen speed.

A clip's address says how it travels: `?kbit=400&delay_ms=100&link=b`. All answers that name the
same link share its bandwidth. The pace is set where the bytes are written, so neither the
kernel's buffers nor the browser's cache soften it. Everything else is served at full speed.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from generator.pages import policy

CSP = policy.rules(policy.content_policy(()), ())["/*"]["Content-Security-Policy"]
"""The very policy of a site whose clips are all its own."""
CHUNK_BYTES = 4096


class Links:
    """ASGI middleware: answers whose address names a speed are paced, all others pass."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._free_at_s: dict[str, float] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = parse_qs(scope.get("query_string", b"").decode())
        if scope["type"] != "http" or "kbit" not in asked:
            await self._app(scope, receive, send)
            return
        bytes_per_s = float(asked["kbit"][0]) * 1000 / 8
        link = asked.get("link", [scope["path"]])[0]
        await asyncio.sleep(float(asked.get("delay_ms", ["0"])[0]) / 1000)

        async def paced(message: Message) -> None:
            body = message.get("body", b"")
            if message["type"] != "http.response.body" or not body:
                await send(message)
                return
            for start in range(0, len(body), CHUNK_BYTES):
                piece = body[start : start + CHUNK_BYTES]
                await self._wait(link, len(piece) / bytes_per_s)
                more = message.get("more_body", False) or start + CHUNK_BYTES < len(body)
                await send({**message, "body": piece, "more_body": more})

        await self._app(scope, receive, paced)

    async def _wait(self, link: str, takes_s: float) -> None:
        now_s = time.monotonic()
        free_at_s = max(now_s, self._free_at_s.get(link, 0.0)) + takes_s
        self._free_at_s[link] = free_at_s
        await asyncio.sleep(free_at_s - now_s)


class Headers:
    """ASGI middleware: the site's security policy, and no cache between two measurements."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message["headers"],
                    (b"content-security-policy", CSP.encode()),
                    (b"cache-control", b"no-cache"),
                ]
            await send(message)

        await self._app(scope, receive, with_headers)


@contextmanager
def serving(app: ASGIApp) -> Iterator[str]:
    """Serves app on a free loopback port in a thread; gives its address without final slash."""
    config = uvicorn.Config(
        app, host="127.0.0.1", port=0, log_level="error", lifespan="off", ws="none"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        deadline_s = time.monotonic() + 10
        while not server.started:
            if time.monotonic() > deadline_s or not thread.is_alive():
                raise RuntimeError("the loopback server did not start")
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        server.force_exit = True
        thread.join(timeout=10)
