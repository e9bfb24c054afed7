"""The whole story on one screen: content/ in, verified site/ out.

Reads content and media, writes site/ and the cache. Never touches the network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar
from urllib.parse import urlsplit

from generator import catalogue as reading
from generator import pages
from generator.clips import card, ffmpeg, locate, process
from generator.clips.cache import cached_facts
from generator.clips.display import prepare
from generator.clips.progress import Progress, silent
from generator.clips.stills import plan_stills
from generator.errors import Complaint, ContentError, MediaError, PublishError, UsageError
from generator.measure import claims
from generator.project import Project
from generator.publish import assets, check, write
from generator.records import Catalogue, Clip, Evidence, Facts, Media, Pipeline, Run, Verdict

Given = TypeVar("Given")
Made = TypeVar("Made")


class Renderer(Protocol):
    """Makes the clip of a declared cell: the lab's pipelines come in through this door."""

    def __call__(self, clip: Clip, *, cache: Path) -> Path:
        """Render `clip` (or find it rendered in `cache`) and return its file."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to build."""

    base_url: str | None = None
    mirrors: tuple[Path, ...] = ()
    include_media: frozenset[str] = frozenset()
    """Runs whose clips enter the site although they say publish_media = false."""
    require_media: bool = False
    renderers: Mapping[str, Renderer] | None = None
    """Renderers by the name that pipelines give; test cards are always there."""
    jobs: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a build did."""

    site: Path
    pages: int
    clips: int
    with_media: int
    bytes: int


def build(project: Project, options: Options, progress: Progress = silent) -> Report:
    """Build site/ from content/.

    Raises:
        ContentError: mistakes in content/, all of them.
        MediaError: a clip's file is none, or a required one is missing.
        PublishError: the site would break its own promises.
    """
    with write.only_builder(project.cache):
        catalogue = reading.load(project, base_url=options.base_url)
        evidence = gather(project, catalogue, options, progress)
        prefix, static = assets.collect(project.static)
        progress("pages", 0, 1)
        rendered = pages.render(catalogue, evidence, templates=project.templates, assets=prefix)
        progress("pages", 1, 1)
        files = {**rendered.files, **static}
        base_path = urlsplit(catalogue.site.base_url).path
        faults = check.problems(rendered.texts, files, base_path=base_path)
        if faults:
            raise PublishError("the rendered site is broken:\n" + "\n".join(faults))
        notes = recipes(evidence, rendered.files)
        manifest = write.publish(rendered.texts, files, project.site, notes=notes)
    entries = manifest["files"]
    assert isinstance(entries, dict)
    return Report(
        site=project.site,
        pages=sum(name.endswith(".html") for name in entries),
        clips=len(evidence),
        with_media=sum(item.media is not None for item in evidence),
        bytes=sum(entry["bytes"] for entry in entries.values()),
    )


def gather(
    project: Project, catalogue: Catalogue, options: Options, progress: Progress = silent
) -> tuple[Evidence, ...]:
    """Everything known about every clip: file found or rendered, probed, derived, checked."""
    runs = {run.id: run for run in catalogue.runs}
    unknown = sorted(options.include_media - set(runs))
    if unknown:
        raise UsageError(f"--include-media {unknown[0]}: no such run; known are {', '.join(runs)}")
    sources = find_sources(project, catalogue, options, progress)
    present = [clip for clip in catalogue.clips if clip.id in sources]

    def derive(clip: Clip) -> Media:
        series = runs[clip.run].series_by_id(clip.series)
        return prepare(
            sources[clip.id],
            sha256=clip.sha256,
            spread_over_s=series.spread_over_s,
            cache=project.derived,
        )

    made = _in_parallel(derive, present, options.jobs, lambda i, n: progress("clips", i, n))
    media = {clip.id: one for clip, one in zip(present, made, strict=True)}
    return tuple(
        _evidence(clip, runs[clip.run], media.get(clip.id), options) for clip in catalogue.clips
    )


def examine(
    project: Project, catalogue: Catalogue, options: Options, progress: Progress = silent
) -> tuple[tuple[Clip, Facts | None, tuple[Verdict, ...]], ...]:
    """Claims held against files, without deriving anything: what `check` shows."""
    runs = {run.id: run for run in catalogue.runs}
    sources = find_sources(project, catalogue, options, progress)
    present = [clip for clip in catalogue.clips if clip.id in sources]

    def facts_of(clip: Clip) -> Facts:
        return cached_facts(sources[clip.id], sha256=clip.sha256, cache=project.derived)

    probed = _in_parallel(facts_of, present, options.jobs, lambda i, n: progress("clips", i, n))
    facts = {clip.id: one for clip, one in zip(present, probed, strict=True)}
    return tuple(
        (clip, facts.get(clip.id), claims.check(runs[clip.run], clip, facts.get(clip.id)))
        for clip in catalogue.clips
    )


def find_sources(
    project: Project, catalogue: Catalogue, options: Options, progress: Progress
) -> dict[str, Path]:
    """Clip id -> file: found by hash, or rendered where a renderer for its pipeline is at hand."""
    sources = locate.locate(
        catalogue.clips,
        runs={run.id: run.folder for run in catalogue.runs},
        fetched=project.fetched,
        mirrors=options.mirrors,
    )
    renderers: dict[str, Renderer] = {"test-card": card.rendered, **(options.renderers or {})}
    pipelines = {pipeline.id: pipeline for pipeline in catalogue.pipelines}
    missing = [
        clip
        for clip in catalogue.clips
        if clip.id not in sources and pipelines[clip.pipeline].renderer in renderers
    ]

    def render(clip: Clip) -> Path:
        renderer = renderers[pipelines[clip.pipeline].renderer]
        return renderer(clip, cache=project.derived)

    made = _in_parallel(render, missing, options.jobs, lambda i, n: progress("cards", i, n))
    sources |= {clip.id: path for clip, path in zip(missing, made, strict=True)}
    if options.require_media:
        _require(project, catalogue, sources, pipelines)
    return sources


def _require(
    project: Project,
    catalogue: Catalogue,
    sources: Mapping[str, Path],
    pipelines: Mapping[str, Pipeline],
) -> None:
    runs = {run.id: run for run in catalogue.runs}
    absent = [
        Complaint(
            where=f"{project.relative(runs[clip.run].folder / 'clips.csv')} line {clip.line}",
            problem=f"the clip of {clip.row_id} is not at hand",
            remedy=(
                "run `python -m generator fetch`, or name a folder that holds it with --mirror"
                if clip.url
                else f"put it into {project.relative(runs[clip.run].folder / 'media')}"
            ),
        )
        for clip in catalogue.clips
        if clip.id not in sources and not clip.no_clip
    ]
    if absent:
        raise ContentError(absent)


def _evidence(clip: Clip, run: Run, media: Media | None, options: Options) -> Evidence:
    included = run.id in options.include_media
    return Evidence(
        clip=clip,
        run=run,
        series=run.series_by_id(clip.series),
        media=media,
        missing="" if media else clip.no_clip or "the file was not at hand for this build",
        verdicts=claims.check(run, clip, media.facts if media else None),
        publish_media=run.publish_media or included,
        publish_stills=run.publish_stills or included,
    )


def recipes(
    evidence: Iterable[Evidence], files: Mapping[str, Path]
) -> dict[str, dict[str, object]]:
    """For the manifest: what each published media file was made from, and how."""
    made: dict[Path, dict[str, object]] = {}
    for item in evidence:
        if item.media is None:
            continue
        source = {"source_sha256": item.media.facts.sha256}
        shown = item.media.display
        made[shown.path] = {**source, **shown.recipe}
        taken = {**source, "display_sha256": shown.facts.sha256, "ffmpeg": ffmpeg.version()}
        taken |= plan_stills(shown.facts).recipe
        made[item.media.poster.path] = {**taken, "picture": "poster"}
        made[item.media.thumbnail.path] = {**taken, "picture": "thumbnail"}
        made[item.media.storyboard.path] = {**taken, "picture": "storyboard"}
    return {name: made[path] for name, path in files.items() if path in made}


def _in_parallel(
    work: Callable[[Given], Made],
    items: Sequence[Given],
    jobs: int,
    on_done: Callable[[int, int], None],
) -> list[Made]:
    """`work` on every item, `jobs` at a time; results in order. All failures are reported."""
    results: list[Made] = []
    failures: list[MediaError] = []
    with ThreadPoolExecutor(max_workers=max(1, jobs)) as pool:
        futures = [pool.submit(work, item) for item in items]
        try:
            for i, future in enumerate(futures):
                try:
                    results.append(future.result())
                except MediaError as error:
                    failures.append(error)
                on_done(i + 1, len(items))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            process.end_all()
            raise
    if failures:
        raise MediaError("\n".join(dict.fromkeys(map(str, failures))))
    return results
