"""Every page of the site, one function each; `render` says which there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from generator.errors import PublishError
from generator.pages import addresses, columns, data, feeds, metadata, policy, words
from generator.pages.clips import ClipView, clip_views
from generator.pages.digest import Digester, code, trees
from generator.pages.environment import environment
from generator.pages.facets import facets
from generator.pages.groups import Group, empty_group, groups
from generator.pages.holdings import copies, gaps
from generator.pages.home import extremes, preset_pair
from generator.pages.limits import limit_row, limit_rows
from generator.pages.matrix import BandView, matrix, shelves
from generator.pages.media import Published
from generator.pages.method import claim_views
from generator.pages.neighbours import Surroundings
from generator.pages.presets import CardView, frame, oembed, preset_views
from generator.pages.press import Later, PageCharts, Press, Sheet, Texts
from generator.records import Catalogue, Evidence, Pipeline, Prompt, Run

HOME_CARDS = 3
HOME_CELLS = 240
PAGE_CELLS = 480
"""What a page shows of a large archive: more is no overview, and takes long on a phone."""
METHOD_GROUP = "method"
"""The group whose pages are listed on the method page instead of on one of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A site before it is printed: what there is to print, and the media files it needs."""

    sheets: tuple[Sheet | Later, ...]
    files: dict[str, Published]
    drawings: frozenset[str]
    """Under which keys its charts are kept: see `drawings.forget`."""
    prose: dict[str, str]
    """Published page to the file in content/ that its text was written in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A site as text, and the media files it needs."""

    texts: dict[str, str]
    files: dict[str, Path]


def render(
    catalogue: Catalogue,
    evidence: Sequence[Evidence],
    *,
    templates: Sequence[Path],
    assets: str,
) -> Rendered:
    """The whole site, printed at once: `lay_out` for whoever has room for all of it."""
    layout = lay_out(catalogue, evidence, templates=templates, assets=assets)
    texts = {name: text for sheet in layout.sheets for name, text in sheet.made().texts().items()}
    files = {name: published.path for name, published in layout.files.items()}
    return Rendered(texts=dict(sorted(texts.items())), files=files)


def lay_out(
    catalogue: Catalogue,
    evidence: Sequence[Evidence],
    *,
    templates: Sequence[Path],
    assets: str,
    cache: Path | None = None,
) -> Layout:
    """Everything that is to be printed. Same records, same bytes; nothing is read but templates.

    Args:
        assets: published prefix of the static tree, with its closing slash.
        cache: folder that keeps compiled templates and drawn charts from build to build.
    """
    views = clip_views(catalogue, evidence)
    prose = groups(catalogue.pages)
    shown = tuple(group for group in prose if group.id != METHOD_GROUP)
    digest, printers = Digester(), code()
    origins = {view.media.origin for view in views} - {""}
    if len(origins) > policy.MOST_ORIGINS:
        raise PublishError(
            f"clips stream from {len(origins)} hosts, but a page's policy can name "
            f"{policy.MOST_ORIGINS}; publish copies of some (publish_media = true)"
        )
    allowed = policy.content_policy(origins)
    press = Press(
        catalogue=catalogue,
        views=views,
        bands=matrix(views),
        claims=claim_views(catalogue.runs, views),
        presets=preset_views(catalogue.presets, views),
        facets=facets(catalogue, views),
        groups=shown,
        method=next(
            (group for group in prose if group.id == METHOD_GROUP), empty_group(METHOD_GROUP)
        ),
        jinja=environment(templates, policy=allowed, cache=cache),
        assets=assets,
        digest=digest,
        code=printers,
        cache=cache,
        plotted={view.id: replace(view.evidence, media=None, verdicts=()) for view in views},
        ground=digest(
            printers,
            trees(templates),
            assets,
            catalogue.site,
            allowed,
            [(group.title, group.address) for group in shown],
        ),
    )
    _home(press)
    _archive(press)
    _facets(press)
    _runs(press)
    _clips(press)
    _compare(press)
    _presets(press)
    _method(press)
    _prose(press)
    _data(press)
    _not_found(press)
    _posters(press)
    _for_machines(press, allowed)
    digest.forget()
    files = {published.name: published for view in views for published in view.media.files}
    return Layout(
        sheets=tuple(sheet for _, sheet in sorted(press.sheets.items())),
        files=dict(sorted(files.items())),
        drawings=frozenset(press.drawings),
        prose=_prose_files((*press.groups, press.method)),
    )


def _prose_files(listed: Sequence[Group]) -> dict[str, str]:
    """Published page to the file in content/ that its text was written in."""
    told = {addresses.page(group.id, page.id): page.id for group in listed for page in group.pages}
    told |= {group.address: group.lead.id for group in listed if group.lead}
    return {addresses.file_of(at): f"content/pages/{name}.md" for at, name in told.items()}


def _for_machines(press: Press, allowed: str) -> None:
    """Data files, feed, sitemap and headers; the sitemap lists what was laid out before it."""
    catalogue, views, site = press.catalogue, press.views, press.catalogue.site
    pages = [
        "",
        *(
            name.removesuffix("index.html")
            for name in press.sheets
            if name.endswith("/index.html") and not name.startswith(addresses.EMBED)
        ),
    ]
    everything = (catalogue, views)

    def text(name: str, make: Callable[[], str], made_of: object) -> None:
        press.add(press.sheet(name, lambda: {name: make()}, made_of))

    def of_all(name: str, make: Callable[[], str], made_of: Callable[[], object]) -> None:
        """Text about every clip."""
        press.add(
            Later(
                name=name,
                made=lambda: press.sheet(name, lambda: {name: make()}, made_of()),
                slow=True,
            )
        )

    def listed() -> object:
        """Lists of clips hold the titles of prompts and none of their words."""
        titled = {one.id: replace(one, text="", html="") for one in catalogue.prompts}
        return [replace(one, prompt=titled[one.prompt.id]) if one.prompt else one for one in views]

    of_all("data/archive.json", lambda: data.archive_json(catalogue, views), lambda: everything)
    of_all("data/clips.csv", lambda: data.clips_csv(views), listed)
    of_all("data/clips.json", lambda: data.briefs_json(views), listed)
    of_all("feed.xml", lambda: feeds.atom(catalogue, views), lambda: everything)
    of_all("data/bounds.csv", lambda: data.bounds_csv(catalogue, views), lambda: everything)
    text("data/schema.json", lambda: data.schema_json(site), site)
    text("sitemap.xml", lambda: feeds.sitemap(site, pages), pages)
    text("robots.txt", lambda: feeds.robots(site), site)
    text("site.webmanifest", lambda: feeds.manifest(site, press.assets), site)
    for preset in press.presets:
        answer = oembed(site, preset)
        text(preset.oembed, partial(data.dump, answer, indent=1), answer)
    _frames(press)
    tops = sorted({"".join(name.partition("/")[:2]) for name in press.sheets})
    text("_headers", lambda: policy.headers(allowed, tops), tops)


def _frames(press: Press) -> None:
    """Times, sizes and numbers of each clip's frames: a sheet per file, for clips may share one."""
    sharing: dict[str, list[ClipView]] = {}
    for view in press.views:
        if view.packets:
            sharing.setdefault(view.packets, []).append(view)
    taken: set[str] = set()
    for name, views in sharing.items():
        makers: dict[str, Callable[[], str]] = {name: partial(data.packets_json, views[0])}
        for view in views:
            if plays := view.media.plays:
                makers[view.timestamps] = partial(data.timestamps_json, plays)
                makers[view.lanes] = partial(data.lanes_json, plays, view.per_frame)
        for other in taken & set(makers):  # what plays may be made of several files
            del makers[other]
        taken |= set(makers)
        made_of = (views[0].source_facts, views[0].display, list(makers))
        made = partial(press.sheet, name, partial(_texts, makers), *made_of)
        press.add(Later(name=name, made=made))


def _texts(makers: Mapping[str, Callable[[], str]]) -> Texts:
    return {name: make() for name, make in makers.items()}


def _home(press: Press) -> None:
    site, views = press.catalogue.site, press.views
    press.page(
        "",
        "home",
        title=site.title,
        description=site.description,
        pair=preset_pair(press.catalogue.presets, views),
        presets=tuple(card for card in _cards(press) if card.watchable > 1)[:HOME_CARDS],
        extremes=extremes(views),
        bands=next(iter(shelves(press.bands, HOME_CELLS)), ()),
        claims=tuple(claim for claim in press.claims if claim.about_models),
        gaps=gaps(press.catalogue.runs, views),
        cells=len(views),
        watchable=sum(view.media.playable for view in views),
        charts=press.charts(views, "", "home", fits=False),
    )


def _archive(press: Press) -> None:
    title = "The archive"
    trail = (("Archive", addresses.ARCHIVE),)
    made = _further(press, addresses.ARCHIVE, press.bands, title, trail)
    press.page(
        addresses.ARCHIVE,
        "archive",
        title=title,
        description=f"Every cell: {words.count(len(press.views), 'clip')} by prompt, pipeline, "
        "size and steps, with the stated frames per second of each.",
        section=addresses.ARCHIVE,
        bands=made.bands,
        shelves=made.pages,
        facets={
            name: tuple((one.id, one.title, one.address, len(one.clips)) for one in members)
            for name, members in press.facets.items()
        },
        cells=len(press.views),
        series=sorted({(view.series.label.value, view.label) for view in press.views}),
        steps=tuple(
            label
            for _, _, label in sorted(
                {
                    (len(clip.steps), clip.steps, clip.steps_label)
                    for clip in (view.clip for view in press.views)
                    if clip.steps
                }
            )
        ),
        interpolations=sorted({view.series.interpolation for view in press.views} - {""}),
        charts=press.charts(press.views, addresses.ARCHIVE, "archive"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelves:
    """Cells for the page at hand, and the addresses of all pages among which they are divided:
    none where one page holds them."""

    bands: tuple[BandView, ...]
    pages: tuple[str, ...]


def _further(
    press: Press,
    address: str,
    all_bands: Sequence[BandView],
    title: str,
    trail: tuple[tuple[str, str], ...],
) -> Shelves:
    """Lay out the pages for those cells that find no room at `address` itself."""
    made = shelves(all_bands, PAGE_CELLS)
    several = len(made) > 1
    pages = tuple(addresses.shelf(address, n) for n in range(1, len(made) + 1)) if several else ()
    for number, bands in enumerate(made[1:], 2):
        press.page(
            pages[number - 1],
            "shelf",
            title=f"{title}, page {number}",
            description=f"{title}: cells, page {number} of {len(pages)}.",
            section=addresses.ARCHIVE,
            heading=title,
            trail=trail,
            number=number,
            bands=bands,
            shelves=pages,
            cells=sum(band.count for band in all_bands),
        )
    return Shelves(bands=made[0] if made else (), pages=pages)


def _facets(press: Press) -> None:
    pipelines = {one.id: one for one in press.catalogue.pipelines}
    prompts = {one.id: one for one in press.catalogue.prompts}
    for dimension, members in press.facets.items():
        if dimension == "runs":
            continue
        siblings = tuple((facet.title, facet.address) for facet in members)
        for facet in members:
            pipeline: Pipeline | None = (
                pipelines.get(facet.id) if dimension == "pipelines" else None
            )
            prompt: Prompt | None = prompts.get(facet.id) if dimension == "prompts" else None
            about = (pipeline.summary if pipeline else "") or (prompt.text if prompt else "")
            trail = (
                ("Archive", addresses.ARCHIVE),
                (dimension.capitalize(), f"{addresses.ARCHIVE}#{dimension}"),
                (facet.title, facet.address),
            )
            made = _further(press, facet.address, matrix(facet.clips), facet.title, trail)
            charts = None
            if dimension in ("pipelines", "prompts", "sizes"):
                charts = press.charts(facet.clips, facet.address, f"{dimension}-{facet.id}")
            press.page(
                facet.address,
                "facet",
                title=facet.title,
                description=f"{facet.kind} {facet.title}: {words.count(len(facet.clips), 'cell')} "
                f"of the archive. {about}".strip(),
                section=addresses.ARCHIVE,
                kind=facet.kind,
                trail=trail,
                siblings=siblings,
                dimension=dimension,
                pipeline=pipeline,
                prompt=prompt,
                bands=made.bands,
                shelves=made.pages,
                cells=len(facet.clips),
                charts=charts,
            )


def _runs(press: Press) -> None:
    projected = press.catalogue.projected
    by_id: dict[str, Run] = {run.id: run for run in press.catalogue.runs}
    for facet in press.facets["runs"]:
        run = by_id[facet.id]
        trail = (
            ("Archive", addresses.ARCHIVE),
            ("Runs", f"{addresses.ARCHIVE}#runs"),
            (run.title, facet.address),
        )
        made = _further(press, facet.address, matrix(facet.clips), run.title, trail)
        machine = press.catalogue.machine(run)
        press.page(
            facet.address,
            "run",
            title=run.title,
            description=run.summary,
            section=addresses.ARCHIVE,
            run=run,
            machine=machine,
            limits=limit_rows(facet.clips[:PAGE_CELLS], machine, projected),
            bands=made.bands,
            shelves=made.pages,
            cells=len(facet.clips),
            copies=copies(facet.clips),
            claims=tuple(claim for claim in press.claims if claim.run.id == run.id),
        )


def _clips(press: Press) -> None:
    projected = press.catalogue.projected
    anchors: dict[str, dict[str, str]] = {run.id: {} for run in press.catalogue.runs}
    for claim in press.claims:
        anchors[claim.run.id][claim.id] = claim.anchor
    surroundings = Surroundings(press.views)

    def sheet(view: ClipView) -> Sheet:
        machine = press.catalogue.machine(view.run)
        return press.page_sheet(
            view.page,
            "clip",
            title=_clip_title(view),
            description=metadata.clip_description(view),
            section=addresses.ARCHIVE,
            view=view,
            machine=machine,
            limited=limit_row(view, machine, projected),
            neighbours=surroundings.of(view),
            anchors=anchors[view.run.id],
        )

    for view in press.views:
        press.add(Later(name=addresses.file_of(view.page), made=partial(sheet, view)))


def _clip_title(view: ClipView) -> str:
    rate = f"{view.fps} FPS" if view.clip.fps is not None else ""
    if not rate or rate in view.title:
        return view.title
    return f"{rate}: {view.title}"


def _compare(press: Press) -> None:
    watchable = [view for view in press.views if view.media.playable]
    bands = press.bands if len(watchable) == len(press.views) else matrix(watchable)
    press.page(
        addresses.COMPARE,
        "compare",
        title="Compare",
        description="Two to nine clips of the archive, side by side and in step under one clock.",
        section=addresses.COMPARE,
        pair=preset_pair(press.catalogue.presets, press.views),
        presets=_cards(press),
        watchable=len(watchable),
        bands=next(iter(shelves(bands, PAGE_CELLS)), ()),
    )


def _presets(press: Press) -> None:
    """A page for each, the same for other sites' frames, and one there for any comparison."""
    site = press.catalogue.site
    for one in press.presets:
        title, description = one.preset.title, one.preset.summary
        press.page(
            one.page,
            "preset",
            title=title,
            description=description,
            section=addresses.COMPARE,
            preset=one,
            snippet=frame(site, one),
            others=tuple(card for card in _cards(press) if card.page != one.page),
        )
        press.page(
            one.embedded,
            "embed",
            title=f"{title}, for frames",
            description=description,
            preset=one,
            full=one.page,
            default="",
        )
    pair = preset_pair(press.catalogue.presets, press.views)
    press.page(
        addresses.EMBED_COMPARE,
        "embed",
        title="Clips in step",
        description="A comparison of clips, for the frames of other sites.",
        preset=None,
        full=addresses.COMPARE,
        default=addresses.compare(pair.a.id, pair.b.id).partition("?")[2] if pair else "",
    )


def _cards(press: Press) -> tuple[CardView, ...]:
    return tuple(one.card for one in press.presets)


def _method(press: Press) -> None:
    press.page(
        addresses.METHOD,
        "method",
        title="Method",
        description="How numbers enter this archive, what their labels mean, and what became of "
        "every claim when it was held against every file.",
        section=addresses.METHOD,
        claims=press.claims,
        gaps=gaps(press.catalogue.runs, press.views),
        runs=press.catalogue.runs,
        group=press.method,
    )
    _articles(press, press.method, addresses.METHOD)


def _prose(press: Press) -> None:
    for group in press.groups:
        press.page(
            group.address,
            "group",
            title=group.lead.title if group.lead else group.title,
            description=group.lead.summary if group.lead else _listing(group),
            section=group.address,
            group=group,
        )
        _articles(press, group, group.address)


def _articles(press: Press, group: Group, section: str) -> None:
    for number, page in enumerate(group.pages):
        press.page(
            addresses.page(group.id, page.id),
            "article",
            title=page.title,
            description=page.summary,
            section=section,
            page=page,
            charts=PageCharts(
                told=page.charts,
                here=addresses.file_of(addresses.page(group.id, page.id)),
            )
            if page.charts
            else None,
            group=group,
            before=group.pages[number - 1] if number else None,
            after=group.pages[number + 1] if number + 1 < len(group.pages) else None,
        )


def _listing(group: Group) -> str:
    return f"{group.title}: {', '.join(page.title for page in group.pages)}."


def _data(press: Press) -> None:
    press.page(
        addresses.DATA,
        "data",
        title="Data",
        description="Everything this site knows, as CSV and JSON, with its schema.",
        section=addresses.DATA,
        columns=tuple(
            (one.name, one.type, one.says, one.always, one.enum) for one in columns.COLUMNS
        ),
        cells=len(press.views),
        runs=tuple(
            (run, copies([view for view in press.views if view.run.id == run.id]))
            for run in press.catalogue.runs
        ),
    )


def _not_found(press: Press) -> None:
    press.page(
        addresses.NOT_FOUND,
        "not-found",
        title="No such frame",
        description="There is nothing at this address.",
    )


def _posters(press: Press) -> None:
    """Drawn stand-ins for clips whose own pictures are not published."""
    template = press.jinja.get_template("poster.svg")

    def texts(view: ClipView) -> Texts:
        return {
            addresses.poster(view.id): template.render(view=view, plain=False),
            addresses.plain_poster(view.id): template.render(view=view, plain=True),
        }

    for view in press.views:
        if view.media.playable and not view.media.has_still:
            press.add(press.sheet(addresses.poster(view.id), partial(texts, view), view))
