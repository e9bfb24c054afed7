"""The fixture pages: one with our player, one with the original page's logic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from .footage import Footage
from .loopback import Headers, Links

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent

HEAD = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width">
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/static/css/elements/clip-pair.css">
<link rel="stylesheet" href="/static/css/elements/clip-pair-view.css">
<link rel="stylesheet" href="/static/css/elements/clip-pair-lanes.css">
<link rel="stylesheet" href="/page/fixture.css">
<script type="module" src="/page/probe.js"></script>
<script type="module" src="/page/ticks.js"></script>
{scripts}<h1>{title}</h1>
"""


def clip_address(footage: Footage, travel: str = "") -> str:
    return f"/clips/{footage.name}" + (f"?{travel}" if travel else "")


@dataclass(frozen=True, kw_only=True)
class Extras:
    """What a run and a build add to a clip."""

    arrivals_s: list[float] | None = None
    """When each frame was made."""
    series: tuple[dict[str, object], ...] = ()
    """Beside the bits per frame, as the site publishes them."""
    fps: float | None = None
    board: tuple[Path, str] | None = None
    """A storyboard: its file; columns, rows, tiles, width and height of a tile."""


def video_markup(footage: Footage | None, travel: str = "", extras: Extras | None = None) -> str:
    """The <video> as the site's templates write it; None is a cell whose clip is missing."""
    if footage is None:
        return "<video muted playsinline controls preload='none' width='512' height='288'></video>"
    return (
        "<video muted playsinline controls preload='none' "
        f"width='{footage.width}' height='{footage.height}' "
        f"src='{escape(clip_address(footage, travel))}' data-clip='{footage.name}' "
        f"data-duration='{footage.duration_s:.3f}' data-frames='{len(footage.timestamps_s)}' "
        f"data-timestamps='/timestamps/{footage.name}.json'{_more(footage, extras)}></video>"
    )


def _more(footage: Footage, extras: Extras | None) -> str:
    if extras is None:
        return ""
    more = f" data-lanes='/lanes/{footage.name}.json'"
    if extras.fps:
        more += f" data-fps='{extras.fps}'"
    if extras.arrivals_s:
        more += " data-arrivals"
    if extras.board:
        more += f" data-storyboard='/boards/{footage.name}' data-tiles='{extras.board[1]}'"
    return more


def pair_markup(videos: dict[str, str], attributes: str = "") -> str:
    panes = "\n".join(
        f'<figure class="pane" data-side="{side}"><div class="pane-screen">{video}</div>'
        f"<figcaption>Clip {side.upper()}</figcaption></figure>"
        for side, video in videos.items()
    )
    return f"<clip-pair {attributes}>\n{panes}\n</clip-pair>"


def fixture_app(clips: list[Footage], extras: Mapping[str, Extras] | None = None) -> ASGIApp:
    """Serves /pair and /naive?a=NAME&b=NAME&travel-a=...&travel-b=..., the clips, our statics.

    /pair drives <video> elements; with engine=frames it leaves the choice to the player. `extras`
    stand by the clip's name.
    """
    by_name = {footage.name: footage for footage in clips}
    more = extras or {}

    def videos(request: Request) -> dict[str, str]:
        asked = request.query_params
        return {
            side: video_markup(
                by_name.get(asked.get(side, "")),
                asked.get(f"travel-{side}", ""),
                more.get(asked.get(side, "")),
            )
            for side in ("a", "b", *"cdefghi")
            if side in "ab" or side in asked
        }

    def pair(request: Request) -> Response:
        scripts = '<script type="module" src="/static/js/elements/clip-pair.js"></script>'
        engine = request.query_params.get("engine", "elements")
        attributes = request.query_params.get("attributes", "")
        if engine != "frames":
            attributes += f' engine="{engine}"'
        markup = pair_markup(videos(request), attributes)
        spacer = '<div class="below">below the fold</div>'
        return HTMLResponse(HEAD.format(title="Our player", scripts=scripts) + markup + spacer)

    def naive(request: Request) -> Response:
        scripts = '<script type="module" src="/page/naive.js"></script>'
        markup = "\n".join(videos(request).values())
        return HTMLResponse(HEAD.format(title="Original logic", scripts=scripts) + markup)

    def timestamps(request: Request) -> Response:
        footage = by_name[request.path_params["name"]]
        return JSONResponse(list(footage.timestamps_s))

    def lanes(request: Request) -> Response:
        footage = by_name[request.path_params["name"]]
        bits = [8 * size for size in footage.packet_bytes]
        own = more[footage.name]
        series = [{"name": "bits per frame", "unit": "bit", "values": bits}, *own.series]
        return JSONResponse({"series": series, "arrivals_s": own.arrivals_s})

    def board(request: Request) -> Response:
        found = more[request.path_params["name"]].board
        assert found
        return FileResponse(found[0])

    def clip(request: Request) -> Response:
        return FileResponse(by_name[request.path_params["name"]].path)

    routes: list[BaseRoute] = [
        Route("/pair", pair),
        Route("/naive", naive),
        Route("/timestamps/{name}.json", timestamps),
        Route("/lanes/{name}.json", lanes),
        Route("/boards/{name}", board),
        Route("/clips/{name}", clip),
        Mount("/static", StaticFiles(directory=ROOT / "static")),
        Mount("/page", StaticFiles(directory=HERE / "page")),
    ]
    return Headers(Links(Starlette(routes=routes)))
