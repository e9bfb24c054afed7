"""The archive cut along each of its dimensions: prompt, pipeline, size, steps, run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from generator.charts.wording import dimensions
from generator.pages import addresses, words
from generator.pages.clips import ClipView
from generator.records import Catalogue


@dataclass(frozen=True, slots=True, kw_only=True)
class FacetView:
    """One value of one dimension, with its clips."""

    kind: str
    id: str
    title: str
    address: str
    clips: tuple[ClipView, ...]


def facets(catalogue: Catalogue, views: Sequence[ClipView]) -> dict[str, tuple[FacetView, ...]]:
    """Facets by dimension; prompts, pipelines and runs without clips are there, too."""
    sizes = sorted(
        {(view.clip.width, view.clip.height) for view in views}, key=lambda wh: (wh[0] * wh[1], wh)
    )
    steps = sorted(
        {view.clip.steps for view in views} - {()}, key=lambda one: (len(one), sum(one), one)
    )
    labels = {view.clip.steps: view.clip.steps_label for view in views}

    by_value: dict[Callable[[ClipView], object], dict[object, list[ClipView]]] = {}
    for of in (_pipeline, _prompt, _size, _steps, _run):
        found = by_value[of] = {}
        for view in views:
            found.setdefault(of(view), []).append(view)

    def facet(
        kind: str, key: str, title: str, address: str, of: Callable[[ClipView], object], is_: object
    ) -> FacetView:
        clips = tuple(by_value[of].get(is_, ()))
        return FacetView(kind=kind, id=key, title=title, address=address, clips=clips)

    pipelines = sorted(catalogue.pipelines, key=lambda one: (one.order, one.id))
    prompts = sorted(catalogue.prompts, key=lambda one: (one.order, one.id))
    return {
        "pipelines": tuple(
            facet("Pipeline", one.id, one.title, addresses.pipeline(one.id), _pipeline, one.id)
            for one in pipelines
        ),
        "prompts": tuple(
            facet("Prompt", one.id, one.title, addresses.prompt(one.id), _prompt, one.id)
            for one in prompts
        ),
        "sizes": tuple(
            facet(
                "Size",
                f"{width}x{height}",
                dimensions(width, height),
                addresses.size(width, height),
                _size,
                (width, height),
            )
            for width, height in sizes
        ),
        "steps": tuple(
            facet(
                "Steps",
                labels[one],
                words.steps(one, labels[one]),
                addresses.steps(one),
                _steps,
                one,
            )
            for one in steps
        ),
        "runs": tuple(
            facet("Run", one.id, one.title, addresses.run(one.id), _run, one.id)
            for one in catalogue.runs
        ),
    }


def _pipeline(view: ClipView) -> str:
    return view.clip.pipeline


def _prompt(view: ClipView) -> str:
    return view.clip.prompt


def _size(view: ClipView) -> tuple[int, int]:
    return (view.clip.width, view.clip.height)


def _steps(view: ClipView) -> tuple[int, ...]:
    return view.clip.steps


def _run(view: ClipView) -> str:
    return view.run.id
