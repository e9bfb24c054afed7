"""Serve a built site as its host will: Range answers, ETags, its own headers and 404 page."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from generator.errors import UsageError

HeaderRules = Sequence[tuple[str, Mapping[str, str]]]


def header_rules(text: str) -> HeaderRules:
    """Parse a `_headers` file: a path pattern per block, indented `Name: value` lines below.

    https://docs.netlify.com/manage/routing/headers/
    """
    rules: list[tuple[str, dict[str, str]]] = []
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if not line[0].isspace():
            rules.append((line.strip(), {}))
        elif rules:
            name, _, value = line.strip().partition(":")
            rules[-1][1][name.strip().lower()] = value.strip()
    return rules


def application(site: Path) -> ASGIApp:
    """An ASGI application that serves the folder `site`.

    HTML is answered under its folder (`/method/`), unknown paths with the site's 404.html.
    """
    return Starlette(
        routes=[Mount("/", app=_Files(directory=site, html=True))],
        exception_handlers={404: _not_found(site)},
        middleware=[Middleware(_Headers, site=site)],
    )


class _Files(StaticFiles):
    async def get_response(self, path: str, scope: Scope) -> Response:
        if Path(path).name in ("_headers", "_redirects"):
            raise HTTPException(404)
        response = await super().get_response(path, scope)
        if response.status_code == 404:  # html=True answers 404.html by itself
            raise HTTPException(404)
        return response


def _not_found(site: Path):  # type: ignore[no-untyped-def]
    async def answer(request: Request, error: Exception) -> Response:
        page = site / "404.html"
        if page.is_file():
            return FileResponse(page, status_code=404)
        return Response("Not found", status_code=404)

    return answer


class _Headers:
    """Adds the site's own headers to every answer, as its `_headers` file orders."""

    def __init__(self, app: ASGIApp, *, site: Path) -> None:
        self.app = app
        self.site = site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path = scope["path"]
        rules_file = self.site / "_headers"
        rules = header_rules(rules_file.read_text("utf-8")) if rules_file.is_file() else ()
        extra: dict[str, str] = {}
        for pattern, headers in rules:
            if fnmatchcase(path, pattern):
                extra.update(headers)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = [(k, v) for k, v in message["headers"] if k.decode() not in extra]
                added = [(k.encode(), v.encode()) for k, v in extra.items()]
                message["headers"] = kept + added
            await send(message)

        await self.app(scope, receive, send_with_headers)


def serve(site: Path, *, host: str, port: int, on_ready: Callable[[str], None]) -> None:
    """Serve `site` until interrupted; `on_ready` gets the address once it answers there.

    Raises:
        UsageError: nothing can be served under that host and port.
    """
    import uvicorn

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        door = socket.create_server((host, port), family=family)
    except OSError as error:
        raise UsageError(
            f"--host {host} --port {port}: cannot be served there ({error.strerror or error}); "
            "choose another port"
        ) from error
    with door:
        on_ready(f"http://{f'[{host}]' if family == socket.AF_INET6 else host}:{port}/")
        config = uvicorn.Config(application(site), log_level="warning")
        uvicorn.Server(config).run(sockets=[door])
