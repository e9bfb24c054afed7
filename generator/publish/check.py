"""A site that would break its own promises is not published: dead links, lost anchors, stray ids.

Checks what a browser would request from the site itself. Does not ask the network. A parser of
HTML says what is wrong with a page (`problems`); whether anything is, is told without one and
much faster from the page's `outline`, which can be kept from build to build.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from posixpath import dirname, join, normpath
from urllib.parse import unquote, urlsplit

ADDRESS_ATTRIBUTES = {"href", "src", "poster", "data-src", "action"}
CSS_URL = re.compile(r"""url\(\s*['"]?([^'")]+)['"]?\s*\)""")
JS_IMPORT = re.compile(r"""^\s*(?:import|export)\b[^'"]*?['"](\.{1,2}/[^'"]+)['"]""", re.MULTILINE)


_INSIDE = re.compile(r"""<([^<>"']*+(?:"[^"<>]*+"[^<>"']*+)*+)>""")
"""A whole tag with values in double quotes."""
_QUOTED = re.compile(r'\s(id|href|src|poster|data-src|action|srcset)="([^"]*)"')
"""An attribute that tells something, as our templates write it."""
_UNUSUAL = tuple(
    re.compile(pattern, re.DOTALL)
    for pattern in (
        # written otherwise, or inline
        r'\s(?:(?:id|href|src|srcset|poster|data-src|action)(?:\s+=|=[^"])|(?:on[a-z]+|style)\s*=)',
        r"""["'/](?:id|href|src|srcset|poster|data-src|action|style|on[a-z]+)\s*=""",
        r"^[^a-z/!]|^/[a-z]\S*\s|^!--|^style\b",
        r'^script(?!.*(?:\ssrc="|json"))',
    )
)
"""Inside of a tag, in small letters."""
_RAW = re.compile(r"(?i)<(?:textarea|title|script)[^>]*>[^<]*<[^/]")
"""What looks like a tag in there is none."""


@dataclass(frozen=True, slots=True)
class Outline:
    """What other pages and the whole site need to know of one page."""

    ids: frozenset[str]
    targets: frozenset[tuple[str, str]]
    """(published path, id on it or ""): what the page refers to."""
    sound: bool
    """Nothing in the page itself is wrong."""


def outline(name: str, text: str, *, base_path: str = "/") -> Outline:
    """The outline of the page `name`: by the parser where the page holds anything unusual."""
    tags = _INSIDE.findall(text)
    whole = len(tags) == text.count("<") == text.count(">")
    if not whole or _RAW.search(text):
        return parsed_outline(name, text, base_path=base_path)
    ids: list[str] = []
    addresses: list[str] = []
    for tag, times in Counter(tags).items():
        if tag.startswith('path d="') and tag.count('"') == 2:  # long, and tells nothing
            continue
        told = _told(tag)
        if told is None:
            return parsed_outline(name, text, base_path=base_path)
        for kind, value in told:
            if kind == "id":
                ids += [value] * times
            else:
                addresses.append(value)
    return _outline(name, ids, addresses, sound=True, base_path=base_path)


@lru_cache(maxsize=1 << 15)
def _told(tag: str) -> tuple[tuple[str, str], ...] | None:
    """("id" or "address", value) of what the inside of a tag tells; None when it is unusual.
    Pages of one site have most of their tags in common."""
    small = tag.lower()
    found = _QUOTED.findall(tag)
    if len(found) != len(_QUOTED.findall(small)) or any(odd.search(small) for odd in _UNUSUAL):
        return None
    told: list[tuple[str, str]] = []
    for kind, value in found:
        value = unescape(value)
        if kind == "id":
            told.append(("id", value))
        elif kind == "srcset":
            told += [("address", part.split()[0]) for part in value.split(",") if part.strip()]
        else:
            told.append(("address", value))
    return tuple(told)


def parsed_outline(name: str, text: str, *, base_path: str = "/") -> Outline:
    """The same, as a parser of HTML reads the page."""
    page = _read(text)
    addresses = [address for _, _, address in page.addresses]
    return _outline(name, page.ids, addresses, sound=not page.inline, base_path=base_path)


def _outline(
    name: str, ids: Sequence[str], addresses: Iterable[str], *, sound: bool, base_path: str
) -> Outline:
    targets = set()
    for address in dict.fromkeys(addresses):
        try:
            target = _target(name, address, base_path)
        except ValueError:
            sound = False
        else:
            if target[0]:
                targets.add(target)
    return Outline(
        ids=frozenset(ids),
        targets=frozenset(targets),
        sound=sound and len(ids) == len(set(ids)),
    )


def unsound(outlines: Mapping[str, Outline], known: Collection[str]) -> list[str]:
    """The pages with which something is wrong, on a site of files `known`."""
    return [
        name
        for name, page in outlines.items()
        if not page.sound
        or any(
            target not in known
            or (fragment and target in outlines and fragment not in outlines[target].ids)
            for target, fragment in page.targets
        )
    ]


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
    """Everything wrong with a site of these texts and files, one sentence each.

    `base_path` is the path of the base URL, its %-escapes undone: absolute addresses below it
    are the site's own.
    """
    known = set(texts) | set(files)
    return page_problems(texts, known, base_path=base_path) + source_problems(files, known)


def page_problems(
    texts: Mapping[str, str],
    known: Collection[str],
    *,
    base_path: str = "/",
    elsewhere: Mapping[str, Outline] | None = None,
) -> list[str]:
    """Everything wrong with rendered pages of a site of files `known`, in page order.

    `elsewhere` are the site's further pages, which are led to but not looked at.
    """
    pages = {name: _read(text) for name, text in texts.items() if name.endswith(".html")}
    ids: dict[str, Collection[str]] = {name: page.ids for name, page in (elsewhere or {}).items()}
    ids |= {name: page.ids for name, page in pages.items()}
    found: list[str] = []
    for name, page in pages.items():
        found += _twice(name, page.ids)
        found += [
            f"{name} line {line}: {what} would be blocked by the site's own security policy"
            for line, what in page.inline
        ]
        for line, attribute, address in page.addresses:
            fault = _fault(name, address, known, ids, base_path)
            if fault:
                found.append(f"{name} line {line}, {attribute}: {fault}")
    return found


def source_problems(files: Mapping[str, Path], known: Collection[str]) -> list[str]:
    """What style sheets and scripts refer to and is not published."""
    found: list[str] = []
    for name, path in files.items():
        if name.endswith((".css", ".js")) and not name.endswith(".min.js"):
            try:
                found += _source_faults(name, path.read_text("utf-8"), known)
            except UnicodeDecodeError:
                found.append(f"{name}: is not UTF-8 text ({path})")
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
    ids: Mapping[str, Collection[str]],
    base_path: str,
) -> str:
    try:
        target, fragment = _target(page, address, base_path)
    except ValueError as error:
        return str(error)
    if target and target not in known:
        return f'"{address}" leads nowhere ({target} is not published)'
    if fragment and target in ids and fragment not in ids[target]:
        return f'"{address}": nothing on {target} has the id "{fragment}"'
    return ""


def _target(page: str, address: str, base_path: str) -> tuple[str, str]:
    """The published path that an address on `page` leads to, and the id on it; ("", "") for an
    address of another site.

    Raises:
        ValueError: the address can lead nowhere.
    """
    up = "../" * page.count("/")
    below = address.removeprefix(up)
    if below and below != address and not below.startswith((".", "/")) and ":" not in below:
        return _target_from_root(below)
    return _target_from(page, address, base_path)


@lru_cache(maxsize=1 << 16)
def _target_from_root(address: str) -> tuple[str, str]:
    """The same for what pages below folders have in common: `address` is as on the home page."""
    return _target_from("index.html", address, "/")


def _target_from(page: str, address: str, base_path: str) -> tuple[str, str]:
    parts = urlsplit(address)
    if parts.scheme or parts.netloc or address.startswith("data:"):
        return "", ""
    if address == "":
        raise ValueError("the address is empty")
    path = unquote(parts.path)
    if path.startswith("/"):
        if not path.startswith(base_path):
            raise ValueError(f'"{address}" leads outside the site')
        target = path[len(base_path) :]
    elif path:
        target = normpath(join(dirname(page), path)) + ("/" if path.endswith("/") else "")
    else:
        target = page
    target = target.removeprefix("./")
    if target.startswith(".."):
        raise ValueError(f'"{address}" leads outside the site')
    if target in ("", "."):
        target = "index.html"
    elif target.endswith("/"):
        target += "index.html"
    return target, unquote(parts.fragment)


def _source_faults(name: str, text: str, known: Collection[str]) -> list[str]:
    pattern = CSS_URL if name.endswith(".css") else JS_IMPORT
    return [
        f'{name}: "{address}" leads nowhere'
        for address in pattern.findall(text)
        if not urlsplit(address).scheme
        and normpath(join(dirname(name), urlsplit(address).path)) not in known
    ]
