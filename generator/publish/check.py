"""A site that would break its own promises is not published: dead links, lost anchors, stray ids.

Checks what a browser would request from the site itself. Does not ask the network.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from posixpath import dirname, join, normpath
from urllib.parse import unquote, urlsplit

ADDRESS_ATTRIBUTES = {"href", "src", "poster", "data-src", "action"}
CSS_URL = re.compile(r"""url\(\s*['"]?([^'")]+)['"]?\s*\)""")
JS_IMPORT = re.compile(r"""^\s*(?:import|export)\b[^'"]*?['"](\.{1,2}/[^'"]+)['"]""", re.MULTILINE)


@dataclass(slots=True)
class _Page:
    ids: list[str] = field(default_factory=list)
    addresses: list[tuple[int, str, str]] = field(default_factory=list)
    """(line, attribute, address)."""
    inline: list[tuple[int, str]] = field(default_factory=list)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.page = _Page()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        line = self.getpos()[0]
        given = dict(attrs)
        if given.get("id"):
            self.page.ids.append(given["id"] or "")
        for name, value in attrs:
            if name in ADDRESS_ATTRIBUTES and value is not None:
                self.page.addresses.append((line, name, value))
            elif name == "srcset" and value:
                for part in value.split(","):
                    self.page.addresses.append((line, name, part.split()[0]))
            elif name == "style" or name.startswith("on"):
                self.page.inline.append((line, name))
        kind = given.get("type") or ""
        if (tag == "script" and "src" not in given and "json" not in kind) or tag == "style":
            self.page.inline.append((line, f"<{tag}>"))


def problems(
    texts: Mapping[str, str], files: Mapping[str, Path], *, base_path: str = "/"
) -> list[str]:
    """Everything wrong with a rendered site, one sentence each, in page order.

    `base_path` is the path of the base URL: absolute addresses below it are the site's own.
    """
    known = set(texts) | set(files)
    pages = {name: _read(text) for name, text in texts.items() if name.endswith(".html")}
    found: list[str] = []
    for name, page in pages.items():
        found += _twice(name, page.ids)
        found += [
            f"{name} line {line}: {what} would be blocked by the site's own security policy"
            for line, what in page.inline
        ]
        for line, attribute, address in page.addresses:
            fault = _fault(name, address, known, pages, base_path)
            if fault:
                found.append(f"{name} line {line}, {attribute}: {fault}")
    for name, path in files.items():
        if name.endswith((".css", ".js")) and not name.endswith(".min.js"):
            try:
                found += _source_faults(name, path.read_text("utf-8"), known)
            except UnicodeDecodeError:
                found.append(f"{name}: is not UTF-8 text; save {path} as UTF-8")
    return found


def _read(text: str) -> _Page:
    reader = _Reader()
    reader.feed(text)
    reader.close()
    return reader.page


def _twice(name: str, ids: Iterable[str]) -> list[str]:
    seen: set[str] = set()
    twice: dict[str, None] = {}
    for one in ids:
        if one in seen:
            twice[one] = None
        seen.add(one)
    return [f'{name}: the id "{one}" stands twice' for one in twice]


def _fault(
    page: str,
    address: str,
    known: Collection[str],
    pages: Mapping[str, _Page],
    base_path: str,
) -> str:
    parts = urlsplit(address)
    if parts.scheme or parts.netloc or address.startswith("data:"):
        return ""
    if address == "":
        return "the address is empty"
    path = unquote(parts.path)
    if path.startswith("/"):
        if not path.startswith(base_path):
            return f'"{address}" leads outside the site'
        target = path[len(base_path) :]
    elif path:
        target = normpath(join(dirname(page), path)) + ("/" if path.endswith("/") else "")
    else:
        target = page
    target = target.removeprefix("./")
    if target in ("", "."):
        target = "index.html"
    if target.startswith(".."):
        return f'"{address}" leads outside the site'
    if target.endswith("/"):
        target = ("" if target == "./" else target) + "index.html"
    if target not in known:
        return f'"{address}" leads nowhere ({target} is not published)'
    if parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].ids:
        return f'"{address}": nothing on {target} has the id "{parts.fragment}"'
    return ""


def _source_faults(name: str, text: str, known: Collection[str]) -> list[str]:
    pattern = CSS_URL if name.endswith(".css") else JS_IMPORT
    return [
        f'{name}: "{address}" leads nowhere'
        for address in pattern.findall(text)
        if not urlsplit(address).scheme
        and normpath(join(dirname(name), urlsplit(address).path)) not in known
    ]
