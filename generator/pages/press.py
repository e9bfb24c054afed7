"""What all pages of one site share: records resolved into views, and the way to print a page."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, TemplateError, TemplateSyntaxError

from generator.charts import Chart, curves, fps_against_steps, ms_per_frame_against_steps
from generator.errors import PublishError
from generator.pages import addresses, drawings, metadata
from generator.pages.clips import ClipView
from generator.pages.digest import Digester
from generator.pages.facets import FacetView
from generator.pages.groups import Group
from generator.pages.matrix import BandView
from generator.pages.method import ClaimView
from generator.pages.presets import PresetView
from generator.records import Catalogue, Evidence, PageChart, Pipeline, Prompt

MOST_MARKS = 400
"""A chart of more clips is a cloud that nobody can read; the pages of its parts have theirs."""


Texts = dict[str, str]
"""Published path to text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """Files that are printed together: a page, say, with the data of its charts.

    Sheets of one `digest` print the same; `name` is the same from build to build.
    """

    name: str
    digest: str
    texts: Callable[[], Texts]
    slow: bool = False
    """Takes long to print beside others: it has charts, or something to say of every clip."""

    def made(self) -> Sheet:
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Later:
    """A sheet of which there are many, or that has something to say of every clip: even to tell
    whether it has changed is work, which is left to the processes that print."""

    name: str
    made: Callable[[], Sheet]
    slow: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Press:
    """What all pages share, and the sheets that are to be printed."""

    catalogue: Catalogue
    views: tuple[ClipView, ...]
    bands: tuple[BandView, ...]
    """The matrix of them all."""
    claims: tuple[ClaimView, ...]
    presets: tuple[PresetView, ...]
    facets: Mapping[str, tuple[FacetView, ...]]
    groups: tuple[Group, ...]
    method: Group
    jinja: Environment
    assets: str
    digest: Digester
    code: str
    """Digest of the code that draws and prints."""
    ground: str
    """Digest of what every page is printed with: code, templates, site, static tree, groups."""
    cache: Path | None
    plotted: Mapping[str, Evidence]
    """What charts show of each clip, by its id, and no more: no chart is drawn anew because of
    anything else."""
    sheets: dict[str, Sheet | Later] = field(default_factory=dict)
    drawings: set[str] = field(default_factory=set)
    """Keys of all drawn charts."""

    def page(self, address: str, template: str, **about: Any) -> None:
        """Add the page that `page_sheet` tells of."""
        self.add(self.page_sheet(address, template, **about))

    def page_sheet(
        self,
        address: str,
        template: str,
        *,
        title: str,
        description: str,
        section: str = "",
        view: ClipView | None = None,
        charts: Charts | PageCharts | None = None,
        **context: object,
    ) -> Sheet:
        """The sheet with `templates/pages/<template>.html` at `address`.

        `charts` are drawn when the page is printed; their data are further texts of the sheet.
        """
        here = addresses.file_of(address)
        site = self.catalogue.site
        if address == addresses.NOT_FOUND:
            href = partial(addresses.rooted, base_url=site.base_url)
        else:
            href = partial(addresses.reference, here=here)
        navigation = self.navigation(section)

        drawing = ""
        if charts:
            drawing = self.digest(self.code, charts)
            self.drawings.add(drawing)

        def texts() -> Texts:
            drawn: tuple[Chart, ...] = ()
            if charts:
                drawn = drawings.drawn(self.cache, drawing, charts.draw)
            shown = tuple((chart, addresses.chart_data(chart.id)) for chart in drawn)
            try:
                page = self.jinja.get_template(f"pages/{template}.html").render(
                    href=href,
                    asset=lambda name: href(self.assets + name),
                    prose=partial(addresses.relink, href=href),
                    at=addresses,
                    site=site,
                    navigation=navigation,
                    meta=metadata.page_meta(
                        site,
                        title=title,
                        description=description,
                        address=address,
                        assets=self.assets,
                        view=view,
                    ),
                    title=title,
                    address=address,
                    charts=shown,
                    view=view,
                    **context,
                )
            except TemplateError as error:
                raise PublishError(_where(error)) from error
            return {here: page, **{place: f"{chart.figure}\n" for chart, place in shown}}

        return self.sheet(
            here,
            texts,
            *(template, title, description, section, view, context, charts),
            slow=charts is not None,
        )

    def sheet(
        self,
        name: str,
        texts: Callable[[], Texts],
        *made_of: object,
        slow: bool = False,
    ) -> Sheet:
        """The sheet whose texts depend on `made_of` and on nothing else but the ground."""
        digest = self.digest(self.ground, name, made_of)
        return Sheet(name=name, digest=digest, texts=texts, slow=slow)

    def add(self, sheet: Sheet | Later) -> None:
        """Put a sheet among those that are to be printed."""
        if sheet.name in self.sheets:
            raise PublishError(
                f"{sheet.name}: two pages would stand at this address; give one of them another id"
            )
        self.sheets[sheet.name] = sheet

    def navigation(self, section: str) -> tuple[tuple[str, str, bool], ...]:
        """(title, address, is the section at hand)."""
        entries = [
            ("Archive", addresses.ARCHIVE),
            ("Compare", addresses.COMPARE),
            *((group.title, group.address) for group in self.groups),
            ("Method", addresses.METHOD),
            ("Data", addresses.DATA),
        ]
        return tuple((title, address, address == section) for title, address in entries)

    def charts(
        self, views: Sequence[ClipView], address: str, name: str, *, fits: bool = True
    ) -> Charts | None:
        """The charts of some clips for the page at `address`; None for more than can be shown.

        `name` tells apart charts of different pages: hrefs inside a figure are the page's own.
        """
        if len(views) > MOST_MARKS:
            return None
        pipelines = {view.pipeline.id: view.pipeline for view in views}
        prompts = {view.prompt.id: view.prompt for view in views if view.prompt}
        return Charts(
            evidence=tuple(self.plotted[view.id] for view in views),
            pipelines=tuple(pipelines.values()),
            prompts=tuple(replace(prompt, text="", html="") for prompt in prompts.values()),
            here=addresses.file_of(address),
            name=name,
            fits=fits,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Charts:
    """Charts for the page in file `here`, not drawn yet, with all that they are drawn from."""

    evidence: tuple[Evidence, ...]
    pipelines: tuple[Pipeline, ...]
    prompts: tuple[Prompt, ...]
    here: str
    name: str
    fits: bool

    def draw(self) -> tuple[Chart, ...]:
        drawn = [self._draw(fps_against_steps, "fps-against-steps")]
        if self.fits:
            drawn.append(self._draw(ms_per_frame_against_steps, "ms-per-frame-against-steps"))
        return tuple(chart for chart in drawn if chart is not None)

    def _draw(self, draw: Callable[..., Chart | None], name: str) -> Chart | None:
        return draw(
            self.evidence,
            pipelines=self.pipelines,
            prompts=self.prompts,
            clip_url=lambda clip: addresses.reference(addresses.clip(clip.id), self.here),
            chart_id=f"{self.name}-{name}",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PageCharts:
    """Charts of a page's own, for the page in file `here`, not drawn yet."""

    told: tuple[PageChart, ...]
    here: str

    def draw(self) -> tuple[Chart, ...]:
        return tuple(
            curves(one, href=addresses.reference(addresses.run(one.run), self.here))
            for one in self.told
        )


def _where(error: TemplateError) -> str:
    """Template, line and fault: a project may lay its own templates over ours."""
    if isinstance(error, TemplateSyntaxError):
        return f"{error.filename or error.name} line {error.lineno}: {error.message}; {_MEND}"
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename.endswith(".html")
    ]
    if not frames:
        return f"template {error.message}: is not there; restore it or take your own away"
    return f"{frames[-1].filename} line {frames[-1].lineno}: {error.message}; {_MEND}"


_MEND = "mend the template"
