"""Every page of the site, one function each; `render` says which there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from generator.charts import Chart
from generator.pages import addresses, columns, data, feeds, metadata, policy, words
from generator.pages.clips import ClipView, clip_views, fact_rows, flag_rows, provenance
from generator.pages.environment import environment
from generator.pages.facets import facets
from generator.pages.groups import Group, empty_group, groups
from generator.pages.holdings import copies, gaps
from generator.pages.home import extremes, preset_pair
from generator.pages.matrix import matrix
from generator.pages.method import claim_views
from generator.pages.neighbours import neighbours
from generator.pages.press import Press
from generator.records import Catalogue, Evidence, Pipeline, Prompt, Run

METHOD_GROUP = "method"
"""The group whose pages are listed on the method page instead of on one of their own."""


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
    """The whole site. Same records, same bytes; nothing is read but templates and media.

    Args:
        assets: published prefix of the static tree, with its closing slash.
    """
    views = clip_views(catalogue, evidence)
    prose = groups(catalogue.pages)
    allowed = policy.content_policy({view.media.origin for view in views} - {""})
    press = Press(
        catalogue=catalogue,
        views=views,
        claims=claim_views(catalogue.runs, views),
        facets=facets(catalogue, views),
        groups=tuple(group for group in prose if group.id != METHOD_GROUP),
        method=next(
            (group for group in prose if group.id == METHOD_GROUP), empty_group(METHOD_GROUP)
        ),
        jinja=environment(templates, policy=allowed),
        assets=assets,
    )
    _home(press)
    _archive(press)
    _facets(press)
    _runs(press)
    _clips(press)
    _compare(press)
    _method(press)
    _prose(press)
    _data(press)
    _not_found(press)
    _posters(press)
    pages = [
        name.removesuffix("index.html") for name in press.texts if name.endswith("/index.html")
    ]
    site = catalogue.site
    texts = {
        **press.texts,
        **data.texts(catalogue, views),
        "feed.xml": feeds.atom(catalogue, views),
        "sitemap.xml": feeds.sitemap(site, ["", *pages]),
        "robots.txt": feeds.robots(site),
        "site.webmanifest": feeds.manifest(site, assets),
        "_headers": policy.headers(allowed, press.texts),
    }
    files = {name: path for view in views for name, path in view.media.files}
    return Rendered(texts=dict(sorted(texts.items())), files=dict(sorted(files.items())))


def _home(press: Press) -> None:
    site, views = press.catalogue.site, press.views
    press.page(
        "",
        "home",
        title=site.title,
        description=site.description,
        pair=preset_pair(site, views),
        extremes=extremes(views),
        charts=press.charts(views, "", "home", fits=False),
        bands=matrix(views),
        claims=tuple(claim for claim in press.claims if claim.about_models),
        gaps=gaps(press.catalogue.runs, views),
        cells=len(views),
        watchable=sum(view.media.playable for view in views),
    )


def _archive(press: Press) -> None:
    press.page(
        addresses.ARCHIVE,
        "archive",
        title="The archive",
        description=f"Every cell: {words.count(len(press.views), 'clip')} by prompt, pipeline, "
        "size and steps, with the stated frames per second of each.",
        section=addresses.ARCHIVE,
        bands=matrix(press.views),
        facets=press.facets,
        cells=len(press.views),
        series=sorted({(view.series.label.value, view.label) for view in press.views}),
        charts=press.charts(press.views, addresses.ARCHIVE, "archive"),
    )


def _facets(press: Press) -> None:
    pipelines = {one.id: one for one in press.catalogue.pipelines}
    prompts = {one.id: one for one in press.catalogue.prompts}
    for dimension, members in press.facets.items():
        if dimension == "runs":
            continue
        for facet in members:
            pipeline: Pipeline | None = (
                pipelines.get(facet.id) if dimension == "pipelines" else None
            )
            prompt: Prompt | None = prompts.get(facet.id) if dimension == "prompts" else None
            about = (pipeline.summary if pipeline else "") or (prompt.text if prompt else "")
            charts: tuple[tuple[Chart, str], ...] = ()
            if dimension in ("pipelines", "prompts", "sizes"):
                charts = press.charts(facet.clips, facet.address, f"{dimension}-{facet.id}")
            press.page(
                facet.address,
                "facet",
                title=facet.title,
                description=f"{facet.kind} {facet.title}: {words.count(len(facet.clips), 'cell')} "
                f"of the archive. {about}".strip(),
                section=addresses.ARCHIVE,
                facet=facet,
                siblings=members,
                dimension=dimension,
                pipeline=pipeline,
                prompt=prompt,
                bands=matrix(facet.clips),
                charts=charts,
            )


def _runs(press: Press) -> None:
    machines = {machine.id: machine for machine in press.catalogue.machines}
    by_id: dict[str, Run] = {run.id: run for run in press.catalogue.runs}
    for facet in press.facets["runs"]:
        run = by_id[facet.id]
        press.page(
            facet.address,
            "run",
            title=run.title,
            description=run.summary,
            section=addresses.ARCHIVE,
            run=run,
            facet=facet,
            machine=machines.get(run.machine),
            bands=matrix(facet.clips),
            copies=copies(facet.clips),
            claims=tuple(claim for claim in press.claims if claim.run.id == run.id),
        )


def _clips(press: Press) -> None:
    machines = {machine.id: machine for machine in press.catalogue.machines}
    claims = {(one.run.id, one.id): one for one in press.claims}
    for view in press.views:
        press.page(
            view.page,
            "clip",
            title=_clip_title(view),
            description=metadata.clip_description(view),
            section=addresses.ARCHIVE,
            view=view,
            clip=view,
            facts=fact_rows(view),
            flags=flag_rows(view),
            copies=copies([view]),
            provenance=provenance(view, machines),
            neighbours=neighbours(view, press.views),
            claims={verdict.claim: claims[view.run.id, verdict.claim] for verdict in view.verdicts},
        )


def _clip_title(view: ClipView) -> str:
    rate = f"{view.fps} FPS" if view.clip.fps is not None else ""
    if not rate or rate in view.title:
        return view.title
    return f"{rate}: {view.title}"


def _compare(press: Press) -> None:
    pair = preset_pair(press.catalogue.site, press.views)
    press.page(
        addresses.COMPARE,
        "compare",
        title="Compare",
        description="Any two clips of the archive, side by side and in step under one clock.",
        section=addresses.COMPARE,
        pair=pair,
        watchable=tuple(view for view in press.views if view.media.playable),
        bands=matrix(view for view in press.views if view.media.playable),
    )


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
        columns=columns.COLUMNS,
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
    for view in press.views:
        if view.media.playable and not view.media.has_still:
            press.texts[addresses.poster(view.id)] = template.render(view=view, plain=False)
            press.texts[addresses.plain_poster(view.id)] = template.render(view=view, plain=True)
