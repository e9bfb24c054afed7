"""What all pages of one site share: records resolved into views, and the way to print a page."""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

from jinja2 import Environment, TemplateError, TemplateSyntaxError

from generator.charts import Chart, fps_against_steps, ms_per_frame_against_steps
from generator.errors import PublishError
from generator.measure.fit import fit_line
from generator.pages import addresses, metadata
from generator.pages.clips import ClipView
from generator.pages.facets import FacetView
from generator.pages.groups import Group
from generator.pages.method import ClaimView
from generator.records import Catalogue, Clip


@dataclass(frozen=True, slots=True, kw_only=True)
class Press:
    """What all pages share, and where they go."""

    catalogue: Catalogue
    views: tuple[ClipView, ...]
    claims: tuple[ClaimView, ...]
    facets: Mapping[str, tuple[FacetView, ...]]
    groups: tuple[Group, ...]
    method: Group
    jinja: Environment
    assets: str
    texts: dict[str, str] = field(default_factory=dict)

    def page(
        self,
        address: str,
        template: str,
        *,
        title: str,
        description: str,
        section: str = "",
        view: ClipView | None = None,
        **context: object,
    ) -> None:
        """Render `templates/pages/<template>.html` to `address`."""
        here = addresses.file_of(address)
        site = self.catalogue.site
        if address == addresses.NOT_FOUND:
            href = partial(addresses.rooted, base_url=site.base_url)
        else:
            href = partial(addresses.reference, here=here)
        if here in self.texts:
            raise PublishError(f"{here}: two pages would stand at this address")
        try:
            self.texts[here] = self.jinja.get_template(f"pages/{template}.html").render(
                href=href,
                asset=lambda name: href(self.assets + name),
                prose=partial(addresses.relink, href=href),
                at=addresses,
                site=site,
                navigation=self.navigation(section),
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
                **context,
            )
        except TemplateError as error:
            raise PublishError(_where(error)) from error

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
        self, clips: Iterable[ClipView], address: str, name: str, *, fits: bool = True
    ) -> tuple[tuple[Chart, str], ...]:
        """The charts of some clips for the page at `address`, with the address of their data.

        `name` tells apart charts of different pages: hrefs inside a figure are the page's own.
        """
        evidence = [view.evidence for view in clips]
        here = addresses.file_of(address)

        def clip_url(clip: Clip) -> str:
            return addresses.reference(addresses.clip(clip.id), here)

        made = [
            fps_against_steps(
                evidence,
                pipelines=self.catalogue.pipelines,
                prompts=self.catalogue.prompts,
                clip_url=clip_url,
                chart_id=f"{name}-fps-against-steps",
            )
        ]
        if fits:
            made.append(
                ms_per_frame_against_steps(
                    evidence,
                    pipelines=self.catalogue.pipelines,
                    prompts=self.catalogue.prompts,
                    clip_url=clip_url,
                    fit_line=fit_line,
                    chart_id=f"{name}-ms-per-frame-against-steps",
                )
            )
        drawn = [chart for chart in made if chart is not None]
        for chart in drawn:
            self.texts[addresses.chart_data(chart.id)] = chart.figure + "\n"
        return tuple((chart, addresses.chart_data(chart.id)) for chart in drawn)


def _where(error: TemplateError) -> str:
    """Template, line and fault: a project may lay its own templates over ours."""
    if isinstance(error, TemplateSyntaxError):
        return f"{error.filename or error.name} line {error.lineno}: {error.message}"
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename.endswith(".html")
    ]
    if not frames:
        return f"template {error.message}: is not there; restore it or take your own away"
    return f"{frames[-1].filename} line {frames[-1].lineno}: {error.message}"
