"""Serve a built site as its host will: Range answers, ETags, its own headers and 404 page.

Every answer comes from one edition of the site: a build may take the folder's place at any
moment, and then an answer under way is finished from the files it began with.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from fnmatch import fnmatchcase
from mimetypes import guess_type
from pathlib import Path
from stat import S_ISREG
from urllib.parse import quote, unquote, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from generator.errors import PublishError, UsageError
from generator.publish.write import MANIFEST

HeaderRules = Sequence[tuple[str, Mapping[str, str]]]
_State = frozenset[tuple[str, int, int]]

UNSERVED = ("_headers", "_redirects")
"""What hosts read and do not hand out."""
NOT_FOUND = "404.html"
UNHASHED = "public, max-age=0, must-revalidate"
"""Netlify's Cache-Control for whatever no rule names."""
KINDS = {
    ".js": "text/javascript",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
}
"""Not left to the system's own table: under `nosniff` a script of another kind is not run."""
QUIET_MS = 250
"""So long nothing may change before a build begins: editors save in several steps."""
ENDING_S = 10.0
RANGE = re.compile(r"([0-9]{1,18})-([0-9]{0,18})|-([0-9]{1,18})")


def header_rules(text: str) -> HeaderRules:
    """Parse a `_headers` file: a path pattern per block, indented `Name: value` lines below.

    A name given twice in a block has both values, as lists have in HTTP.
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
            _add(rules[-1][1], name.strip().lower(), value.strip())
    return rules


def headers_for(path: str, rules: HeaderRules) -> dict[str, str]:
    """What `rules` order for a path that begins with a slash; names in lower case.

    Hosts differ when several rules set one header: the last one counts, or all do. Here all do,
    which is the stricter reading, so a site that works here needs no such luck.
    """
    ordered: dict[str, str] = {}
    for pattern, headers in rules:
        if fnmatchcase(path, pattern):
            for name, value in headers.items():
                _add(ordered, name, value)
    return ordered


def _add(headers: dict[str, str], name: str, value: str) -> None:
    headers[name] = f"{headers[name]}, {value}" if name in headers else value


def application(site: Path) -> ASGIApp:
    """An ASGI application that serves the folder `site`.

    HTML is answered under its folder (`/method/`), unknown paths with the site's 404.html. A
    site whose base URL has a path stands under that path, as on its host.
    """
    return _Site(site)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Edition:
    """What one build published: names with their tags, the headers, and the path above all."""

    tags: Mapping[str, str]
    rules: HeaderRules
    base_path: str


class _Site:
    """Answers requests. Keeps the edition at hand until another one stands in its place."""

    def __init__(self, site: Path) -> None:
        self._site = site
        self._kept: tuple[tuple[int, ...], _Edition] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        response, extra = await run_in_threadpool(self._answer, Request(scope))

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=list(message["headers"]))
                headers.update(extra)
                if message["status"] >= 400:  # what is missing today may be there tomorrow
                    headers["cache-control"] = UNHASHED
                message["headers"] = headers.raw
            await send(message)

        await response(scope, receive, send_with_headers)

    def _answer(self, request: Request) -> tuple[Response, Mapping[str, str]]:
        """The answer, and the headers that the site orders for it."""
        for _ in range(3):  # a folder taken away under our hands has a successor
            with suppress(FileNotFoundError), _Folder(self._site) as folder:
                edition = self._edition(folder)
                path = request.scope["path"]
                below = "/" + path.removeprefix(edition.base_path)
                extra = {"cache-control": UNHASHED, **headers_for(below, edition.rules)}
                answer = self._find(request, path, edition, folder)
                if answer.status_code == 404:  # the path's own rules say too little of it
                    extra = headers_for(f"/{NOT_FOUND}", edition.rules) | extra
                return answer, extra
        return PlainTextResponse(f"{self._site}: no whole site there; build one", 503), {}

    def _edition(self, folder: _Folder) -> _Edition:
        handle = folder.open(MANIFEST)
        with os.fdopen(handle, "rb") as stream:
            stat = os.fstat(handle)
            identity = (stat.st_dev, stat.st_ino, stat.st_mtime_ns, stat.st_size)
            kept = self._kept  # another thread may put a newer one there at any time
            if kept is None or kept[0] != identity:
                self._kept = kept = identity, _read(stream.read(), folder)
        return kept[1]

    def _find(self, request: Request, path: str, edition: _Edition, folder: _Folder) -> Response:
        if request.method not in ("GET", "HEAD"):
            return PlainTextResponse("Only GET and HEAD", 405, {"Allow": "GET, HEAD"})
        base = edition.base_path
        if path in ("/", base.removesuffix("/")) and base != "/":
            return _moved(base, request)
        name = path.removeprefix(base) if path.startswith(base) else ""
        if path.startswith(base) and name not in UNSERVED:
            page = f"{name}index.html" if name == "" or name.endswith("/") else name
            if page in edition.tags:
                return _file(request, page, edition.tags[page], folder)
            if f"{name}/index.html" in edition.tags:
                return _moved(f"{path}/", request)
        if NOT_FOUND not in edition.tags:
            return PlainTextResponse("Not found", 404)
        with os.fdopen(folder.open(NOT_FOUND), "rb") as stream:
            return Response(stream.read(), 404, media_type="text/html")


class _Folder:
    """A folder held open: what is opened in it is of one build, whatever happens to its name."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle: int | None = None

    def __enter__(self) -> _Folder:
        if os.open in os.supports_dir_fd:
            self._handle = os.open(self._path, os.O_RDONLY)
        return self

    def __exit__(self, *_: object) -> None:
        if self._handle is not None:
            os.close(self._handle)

    def open(self, name: str) -> int:
        """A handle to read the file `name`, for the caller to close."""
        if self._handle is None:
            return os.open(self._path / name, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        return os.open(name, os.O_RDONLY, dir_fd=self._handle)

    def text(self, name: str) -> str:
        with os.fdopen(self.open(name), encoding="utf-8") as stream:
            return stream.read()

    def reopenable(self, name: str, handle: int) -> str:
        """A path that leads to what `handle` has open, where the system has such paths."""
        held = f"/dev/fd/{handle}"
        return held if Path(held).exists() else str(self._path / name)


class _HeldFile(FileResponse):
    """Answers from a file that was open when it was looked up, and closes it at the end."""

    def __init__(self, name: str, *, tag: str, folder: _Folder) -> None:
        self._handle = folder.open(name)
        stat = os.fstat(self._handle)
        suffix = Path(name).suffix
        super().__init__(
            folder.reopenable(name, self._handle),
            headers={"ETag": tag},
            media_type=KINDS.get(suffix) or guess_type(name)[0] or "application/octet-stream",
            stat_result=stat,
        )
        self.changed_s = int(stat.st_mtime)
        """As Last-Modified says, in whole seconds since 1970."""

    def close(self) -> None:
        os.close(self._handle)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [
            (name, value)
            for name, value in scope["headers"]
            if name != b"range" or _is_range(value.decode("latin-1"))
        ]
        scope = {**scope, "headers": headers}
        try:
            await super().__call__(scope, receive, send)
        finally:
            self.close()


def _is_range(value: str) -> bool:
    """Whether a Range header asks for bytes. Another unit, or what is no range, is to be ignored:
    https://www.rfc-editor.org/rfc/rfc9110.html#section-14.2."""
    unit, _, asked = value.partition("=")
    parts = [RANGE.fullmatch(part.strip(" \t")) for part in asked.split(",")]
    return unit.strip().lower() == "bytes" and all(
        part and (part[3] or not part[2] or int(part[1]) <= int(part[2])) for part in parts
    )


def _read(manifest: bytes, folder: _Folder) -> _Edition:
    entries = json.loads(manifest)["files"]
    tags = {name: f'"{entry["sha256"]}"' for name, entry in entries.items()}
    tags[MANIFEST] = f'"{hashlib.sha256(manifest).hexdigest()}"'
    rules = header_rules(folder.text("_headers")) if "_headers" in entries else ()
    robots = folder.text("robots.txt") if "robots.txt" in entries else ""
    base_path = "/"
    for line in robots.splitlines():
        if line.startswith("Sitemap:"):
            sitemap = urlsplit(line.split(maxsplit=1)[1]).path
            base_path = unquote(sitemap).removesuffix("sitemap.xml")
    return _Edition(tags=tags, rules=rules, base_path=base_path)


def _file(request: Request, name: str, tag: str, folder: _Folder) -> Response:
    """The file, or that it is what the browser has: https://www.rfc-editor.org/rfc/rfc9110.html
    #section-13.2.2: where tags are told, times do not count."""
    asked = request.headers.get("if-none-match")
    if asked is not None:
        known = {one.strip().removeprefix("W/") for one in asked.split(",")}
        if tag in known or "*" in known:
            return Response(status_code=304, headers={"ETag": tag})
    since_s = _seconds(request.headers.get("if-modified-since", ""))
    held = _HeldFile(name, tag=tag, folder=folder)
    if asked is None and since_s is not None and held.changed_s <= since_s:
        held.close()
        return Response(status_code=304, headers={"ETag": tag})
    return held


def _seconds(date: str) -> float | None:
    """Seconds since 1970 of a date as HTTP writes it; None where it is none."""
    try:
        told = parsedate_to_datetime(date)
        return told.replace(tzinfo=told.tzinfo or UTC).timestamp()
    except (ValueError, OverflowError):
        return None


def _moved(path: str, request: Request) -> Response:
    query = request.url.query
    return RedirectResponse(quote(path) + (f"?{query}" if query else ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What to look at, and what to do when it changes."""

    folders: tuple[Path, ...]
    """There or not: one that appears is looked at from then on."""
    command: tuple[str, ...]
    """A program that builds the site, once others have ended that build it too, and says on its
    own what it finds wrong."""
    on_change: Callable[[], None]


def serve(
    site: Path,
    *,
    host: str,
    port: int,
    on_ready: Callable[[str], None],
    watch: Watch | None = None,
) -> None:
    """Serve `site` until interrupted; `on_ready` gets the address once it answers there.

    With `watch` the site is built again, beside the one served, whenever something changed.

    Raises:
        UsageError: nothing can be served under that host and port.
        PublishError: what should be watched cannot be.
    """
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
        asyncio.run(_serve(site, door, watch))


async def _serve(site: Path, door: socket.socket, watch: Watch | None) -> None:
    import uvicorn

    config = uvicorn.Config(
        application(site),
        log_level="warning",
        lifespan="off",
        ws="none",
        timeout_graceful_shutdown=1,  # a video that a browser holds open would never end
    )
    server = uvicorn.Server(config)
    if watch is None:
        await server.serve(sockets=[door])
        return

    def end(_: object) -> None:
        server.should_exit = True

    building = asyncio.create_task(keep_built(site, watch))
    building.add_done_callback(end)
    try:
        await server.serve(sockets=[door])
    finally:
        building.cancel()
    if building.done() and not building.cancelled():
        raise PublishError(
            f"{site}: its sources cannot be watched ({building.exception()}); "
            "serve with --no-watch, and build when something changed"
        )


async def keep_built(site: Path, watch: Watch) -> None:
    """Build again whenever the watched folders differ from what the last build saw, for ever.

    What is compared are names, sizes and times: reading a file, or linking to it, is no change.
    """
    from watchfiles import awatch

    seen = await asyncio.to_thread(_state, watch.folders)
    built: _State | None = None if _older(site, seen) else seen
    while True:
        there = [folder for folder in watch.folders if folder.is_dir()]
        looked = False
        async with aclosing(
            awatch(*there, step=QUIET_MS, rust_timeout=500, yield_on_timeout=True)
        ) as events:
            async for changes in events:
                if changes or not looked:  # the first look is for what changed before the watch
                    looked = True
                    seen = await asyncio.to_thread(_state, watch.folders)
                    if seen != built:
                        built = seen
                        watch.on_change()
                        await _run(watch.command)
                if there != [folder for folder in watch.folders if folder.is_dir()]:
                    break


def run(command: Sequence[str]) -> int:
    """Run a program to its end; when we are interrupted, so is it. Returns its exit code."""
    return asyncio.run(_run(command))


async def _run(command: Sequence[str]) -> int:
    process = await asyncio.create_subprocess_exec(*command)
    try:
        return await process.wait()
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.terminate()
            try:
                await asyncio.wait_for(process.wait(), ENDING_S)
            except TimeoutError:
                process.kill()


def _state(folders: Sequence[Path]) -> _State:
    """(path, time of last change in ns, bytes) of everything in `folders`."""
    found = set()
    for folder in folders:
        for here, _, names in os.walk(folder):
            for path in (Path(here), *(Path(here, name) for name in names)):
                with suppress(OSError):
                    stat = path.stat()
                    size = stat.st_size if S_ISREG(stat.st_mode) else 0
                    found.add((str(path), stat.st_mtime_ns, size))
    return frozenset(found)


def _older(site: Path, state: _State) -> bool:
    """Whether something was changed after `site` was built."""
    try:
        made_ns = (site / MANIFEST).stat().st_mtime_ns
    except FileNotFoundError:
        return True
    return any(changed_ns > made_ns for _, changed_ns, _ in state)
