"""Where each page of the site stands, and how one page names another.

An address is a path from the site's root: "" is the home page, folders end with a slash. Pages
are files `<address>index.html`. Everything published is reached by relative references, so the
site works in any folder of any host; only 404.html, served at any depth, names the root.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from urllib.parse import urlsplit

from markupsafe import Markup, escape

from generator.records import SIDES

ARCHIVE = "archive/"
COMPARE = "compare/"
EMBED = "embed/"
"""The one top folder whose pages other sites may show in a frame."""
EMBED_COMPARE = "embed/compare/"
METHOD = "method/"
DATA = "data/"
NOT_FOUND = "404.html"

_ROOTED_LINK = re.compile(r'(<(?:a|img|source|video)\b[^>]*?\s(?:href|src)=")/(?!/)([^"]*)"')


def clip(clip_id: str) -> str:
    return f"clips/{clip_id}/"


def run(run_id: str) -> str:
    return f"runs/{run_id}/"


def prompt(prompt_id: str) -> str:
    return f"prompts/{prompt_id}/"


def pipeline(pipeline_id: str) -> str:
    return f"pipelines/{pipeline_id}/"


def size(width: int, height: int) -> str:
    return f"sizes/{width}x{height}/"


def steps(counts: tuple[int, ...]) -> str:
    """`steps/8/`, `steps/2-2-2/`; "" for clips without steps, which have no such page."""
    return f"steps/{'-'.join(map(str, counts))}/" if counts else ""


def group(group_id: str) -> str:
    return f"{group_id}/"


def page(group_id: str, page_id: str) -> str:
    return f"{group_id}/{page_id}/"


def shelf(address: str, number: int) -> str:
    """The cells at `address` may fill several pages; the first stands at the address itself."""
    return address if number == 1 else f"{address}page-{number}/"


def compare(*clip_ids: str) -> str:
    """The comparison of two to nine clips, in this order."""
    named = zip(SIDES[: len(clip_ids)], clip_ids, strict=True)
    return f"{COMPARE}?{'&'.join(f'{side}={clip_id}' for side, clip_id in named)}"


def preset(preset_id: str) -> str:
    return f"{COMPARE}{preset_id}/"


def embedded(preset_id: str) -> str:
    """The same for the frames of other sites."""
    return f"{EMBED}{preset_id}/"


def oembed(preset_id: str) -> str:
    return f"oembed/{preset_id}.json"


def chart_data(chart_id: str) -> str:
    return f"data/charts/{chart_id}.json"


def packets(original_sha256: str, display_sha256: str = "") -> str:
    """Times and sizes of a file's packets and, where one is published, of its display copy's."""
    names = [sha256[:16] for sha256 in (original_sha256, display_sha256) if sha256]
    return f"data/packets/{'-'.join(names)}.json"


def timestamps(sha256: str) -> str:
    """Times of the bytes that play, in seconds, as a plain list for players."""
    return f"data/timestamps/{sha256[:16]}.json"


def lanes(sha256: str, per_frame_sha256: str = "") -> str:
    """Numbers of the bytes that play, frame by frame, and of the run's own file of them."""
    names = [one[:16] for one in (sha256, per_frame_sha256) if one]
    return f"data/lanes/{'-'.join(names)}.json"


def poster(clip_id: str) -> str:
    """The drawn stand-in for a clip whose pictures may not be shown: its number and cadence."""
    return f"posters/{clip_id}.svg"


def plain_poster(clip_id: str) -> str:
    """The same without the number, for the page that says it large anyway."""
    return f"posters/{clip_id}.plain.svg"


def file_of(address: str) -> str:
    """The file that serves `address`."""
    return f"{address}index.html" if address == "" or address.endswith("/") else address


def is_absolute(address: str) -> bool:
    return bool(urlsplit(address).scheme)


def reference(address: str, here: str) -> str:
    """`address` as written on the page in file `here`, query and fragment kept."""
    absolute, way, rest = _parts(address)
    if absolute:
        return address
    folders = here.split("/")[:-1]
    shared = 0
    for ours, theirs in zip(folders, way[:-1], strict=False):
        if ours != theirs:
            break
        shared += 1
    return ("../" * (len(folders) - shared) + "/".join(way[shared:]) or "./") + rest


@lru_cache(maxsize=1 << 15)
def _parts(address: str) -> tuple[bool, list[str], str]:
    """(leads elsewhere, the segments of its path, query and fragment): pages share addresses."""
    path, mark, rest = re.match(r"([^?#]*)([?#]?)(.*)", address, re.S).groups()  # type: ignore[union-attr]
    return is_absolute(address), path.split("/"), mark + rest


def rooted(address: str, base_url: str) -> str:
    """`address` from the host's root: for the page that is served at any depth."""
    return address if is_absolute(address) else urlsplit(base_url).path + address


def relink(html: str, href: Callable[[str], str]) -> Markup:
    """Prose whose links begin with a slash (the site's root) as the page at hand writes them.

    `html` is trusted: it was sanitised when it was read."""
    return Markup(_ROOTED_LINK.sub(lambda found: f'{found[1]}{escape(href(found[2]))}"', html))
