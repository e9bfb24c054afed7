"""The whole story on one screen: content/ in, verified site/ out.

Reads content and media, writes site/ and the cache. Never touches the network.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import Protocol, TypeVar
from urllib.parse import unquote, urlsplit

from generator import catalogue as reading
from generator import pages
from generator.again import Options, Report, inputs, nothing_new
from generator.clips import card, locate, packets, process
from generator.clips.cache import cached_facts, drop_damaged, entries, sealed_hash
from generator.clips.hashes import Hashes
from generator.clips.plan import NOT_ALL_SHOWN
from generator.clips.prepared import Prepared, Terms
from generator.clips.progress import Progress, silent
from generator.errors import Complaint, ContentError, MediaError, PublishError, UsageError
from generator.measure import claims
from generator.project import Project
from generator.publish import assets, memory, press, write
from generator.records import Catalogue, Clip, Evidence, Facts, Media, Run, Verdict

__all__ = ["Options", "Renderer", "Report", "build", "examine", "gather"]

Given = TypeVar("Given")
Made = TypeVar("Made")


class Renderer(Protocol):
    """Makes the clip of a declared cell: the lab's pipelines come in through this door."""

    def __call__(self, clip: Clip, *, cache: Path) -> Path:
        """Render `clip` (or find it rendered in `cache`) and return its file."""
        ...


def build(project: Project, options: Options, progress: Progress = silent) -> Report:
    """Build site/ from content/. What the last build did and nothing has changed is not done
    again, unless `options.verify` asks for it.

    Raises:
        ContentError: mistakes in content/, all of them.
        MediaError: a clip's file is none, or a required one is missing.
        PublishError: the site would break its own promises.
    """
    known = nothing_new(project, options)
    if known is not None:
        return known
    with _naming(project), write.only_builder(project.cache, waiting=options.waiting):
        write.restore(project.site)
        remembered = memory.Memory() if options.verify else memory.recall(project.memory)
        try:
            return _build(project, options, progress, remembered, inputs(project, options))
        finally:
            gc.unfreeze()


def _build(
    project: Project, options: Options, progress: Progress, known: memory.Memory, read: str
) -> Report:
    hashes = Hashes(project.hashes, trusting=not options.verify)
    prefix, static = assets.collect(project.static)
    if options.verify:
        held = entries(project.derived)
        _in_parallel(drop_damaged, held, options.jobs, lambda i, n: progress("cache", i, n))
    with _long_lived():
        catalogue = reading.load(project, base_url=options.base_url)
        evidence = gather(project, catalogue, options, progress, hashes)
        layout = pages.lay_out(
            catalogue,
            evidence,
            templates=project.templates,
            assets=prefix,
            cache=None if options.verify else project.printing,
        )
    with write.drafting(project.site, project.spare) as draft:
        made = press.print_all(
            layout.sheets,
            draft,
            known,
            base_path=unquote(urlsplit(catalogue.site.base_url).path),
            jobs=options.jobs,
            on_done=lambda done, of: progress("pages", done, of),
        )
        files = {name: published.path for name, published in layout.files.items()} | static
        for name, path in files.items():
            published = layout.files.get(name)
            kept = known.files.get(name)
            unchanged = kept and (not published or published.sha256 == kept.sha256)
            if not (unchanged and kept and draft.keep(name, kept)):
                draft.copy(name, path, sha256=published.sha256 if published else None)
        made.check(static, layout.prose)
        changed = write.publish(draft, project.site, recipes(evidence, layout.files))
    numbers = {
        "pages": sum(name.endswith(".html") for name in draft.files),
        "clips": len(evidence),
        "with_media": sum(item.media is not None for item in evidence),
        "bytes": sum(
            written.stamp.bytes for name, written in draft.files.items() if name != write.MANIFEST
        ),
    }
    lost = _absent(
        project,
        catalogue,
        [item.clip for item in evidence if item.media is None and item.clip.lost_when_absent],
    )
    hashes.save()
    pages.forget_drawings(project.printing, layout.drawings)
    remembered = memory.Memory(
        inputs=read,
        sheets=made.sheets,
        files=draft.files,
        outlines=made.outlines,
        report=numbers,
        lost=[asdict(one) for one in lost],
    )
    memory.remember(project.memory, remembered)
    return Report(
        site=project.site, unchanged=not changed, printed=made.printed, lost=tuple(lost), **numbers
    )


@contextmanager
def _naming(project: Project) -> Iterator[None]:
    """What goes wrong with a file of the project names it as mistakes in content/ do. Whoever finds
    it out knows the file and no project."""
    try:
        yield
    except (MediaError, PublishError) as error:
        raise type(error)(project.naming(str(error))) from error


@contextmanager
def _long_lived() -> Iterator[None]:
    """Records live to the build's end: the collector does not look for garbage among them, which
    would take long, and in forked printers copy them all."""
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()


def gather(
    project: Project,
    catalogue: Catalogue,
    options: Options,
    progress: Progress = silent,
    hashes: Hashes | None = None,
) -> tuple[Evidence, ...]:
    """Everything known about every clip: file found or rendered, probed, derived, checked."""
    runs = {run.id: run for run in catalogue.runs}
    unknown = sorted(options.include_media - set(runs))
    if unknown:
        raise UsageError(f"--include-media {unknown[0]}: no such run; known are {', '.join(runs)}")
    hashes = hashes or Hashes(project.hashes)

    prepared = Prepared(project.prepared, project.derived, trusting=not options.verify)

    def spread(clip: Clip) -> Fraction | None:
        return runs[clip.run].series_by_id(clip.series).spread_over_s

    def terms(path: Path, clip: Clip) -> Terms:
        return Terms(path, _sha256(path, clip, project, hashes), spread(clip))

    def known(path: Path, clip: Clip) -> Media | None:
        return prepared.known(terms(path, clip))

    def derive(path: Path, clip: Clip) -> Media:
        return prepared.derive(terms(path, clip))

    def same(path: Path, clip: Clip) -> Hashable:
        return f"{clip.sha256 or path} {spread(clip)} {path.suffix}"  # fractions are slow to hash

    media = _of_each(project, catalogue, options, progress, hashes, derive, same, known)
    prepared.save()
    shown = [
        (clip, media[clip.id].display.facts.frame_count)
        for clip in catalogue.clips
        if clip.per_frame and clip.id in media
    ]
    reading.check_counts(shown, runs, project)
    return tuple(
        _evidence(clip, runs[clip.run], media.get(clip.id), options) for clip in catalogue.clips
    )


def examine(
    project: Project, catalogue: Catalogue, options: Options, progress: Progress = silent
) -> tuple[tuple[Clip, Facts | None, tuple[Verdict, ...]], ...]:
    """Claims held against files, without deriving anything: what `check` shows."""
    runs = {run.id: run for run in catalogue.runs}
    hashes = Hashes(project.hashes, trusting=not options.verify)

    def facts_of(path: Path, clip: Clip) -> Facts:
        sha256 = _sha256(path, clip, project, hashes)
        return cached_facts(path, sha256=sha256, cache=project.derived)

    with _naming(project):
        facts = _of_each(
            project, catalogue, options, progress, hashes, facts_of, lambda path, clip: path
        )
    known = [(clip, facts[clip.id]) for clip in catalogue.clips if clip.id in facts]
    whole = [
        (clip, one.frame_count)
        for clip, one in known
        if clip.per_frame and not NOT_ALL_SHOWN & {flag.id for flag in one.flags}
    ]
    reading.check_counts(whole, runs, project)
    return tuple(
        (clip, facts.get(clip.id), claims.check(runs[clip.run], clip, facts.get(clip.id)))
        for clip in catalogue.clips
    )


def _sha256(path: Path, clip: Clip, project: Project, hashes: Hashes) -> str:
    """The hash that the clip's file has, or must have where that is known."""
    return clip.sha256 or sealed_hash(path, project.derived) or hashes.of(path)


def _of_each(
    project: Project,
    catalogue: Catalogue,
    options: Options,
    progress: Progress,
    hashes: Hashes,
    work: Callable[[Path, Clip], Made],
    same: Callable[[Path, Clip], Hashable],
    known: Callable[[Path, Clip], Made | None] = lambda path, clip: None,
) -> dict[str, Made]:
    """Clip id to what `work` makes of its file, for all clips at hand; once for those that are
    the `same`, for rows may share a file. What is `known` needs no work."""
    sources = find_sources(project, catalogue, options, progress, hashes)
    present = [clip for clip in catalogue.clips if clip.id in sources]
    keys = {clip.id: same(sources[clip.id], clip) for clip in present}
    shared = {keys[clip.id]: clip for clip in reversed(present)}
    by_key = {key: known(sources[clip.id], clip) for key, clip in shared.items()}
    unknown = [clip for key, clip in shared.items() if by_key[key] is None]
    with packets.readers_at_hand():
        made = _in_parallel(
            lambda clip: work(sources[clip.id], clip),
            unknown,
            options.jobs,
            lambda i, n: progress("clips", i, n),
        )
    by_key |= {keys[clip.id]: one for clip, one in zip(unknown, made, strict=True)}
    return {clip.id: one for clip in present if (one := by_key[keys[clip.id]]) is not None}


def find_sources(
    project: Project, catalogue: Catalogue, options: Options, progress: Progress, hashes: Hashes
) -> dict[str, Path]:
    """Clip id -> file: found by hash, or rendered where a renderer for its pipeline is at hand."""
    sources = locate.locate(
        catalogue.clips,
        runs={run.id: run.folder for run in catalogue.runs},
        fetched=project.fetched,
        mirrors=options.mirrors,
        hashes=hashes,
    )
    renderers: dict[str, Renderer] = {"test-card": card.rendered, **(options.renderers or {})}
    pipelines = {pipeline.id: pipeline for pipeline in catalogue.pipelines}
    missing = [
        clip
        for clip in catalogue.clips
        if clip.id not in sources
        and pipelines[clip.pipeline].renderer in renderers
        and (pipelines[clip.pipeline].renderer == "test-card" or _is_declared(clip))
    ]

    def render(clip: Clip) -> Path:
        renderer = renderers[pipelines[clip.pipeline].renderer]
        return renderer(clip, cache=project.derived)

    made = _in_parallel(render, missing, options.jobs, lambda i, n: progress("cards", i, n))
    sources |= {clip.id: path for clip, path in zip(missing, made, strict=True)}
    if options.require_media:
        absent = [clip for clip in catalogue.clips if clip.id not in sources and not clip.no_clip]
        if absent:
            raise ContentError(_absent(project, catalogue, absent))
    return sources


def _is_declared(clip: Clip) -> bool:
    """Whether nothing is said of a file: what a run names or explains is not made in its place."""
    return not (clip.names_file or clip.no_clip)


def _absent(project: Project, catalogue: Catalogue, clips: Iterable[Clip]) -> list[Complaint]:
    """For each of `clips` that its file is missing, and where it can come from."""
    runs = {run.id: run for run in catalogue.runs}
    return [
        Complaint(
            where=f"{project.relative(runs[clip.run].folder / 'clips.csv')} line {clip.line}",
            problem=f"the clip of {clip.row_id} is not at hand"
            + (f', file "{clip.file}"' if clip.file else ""),
            remedy=(
                "run `python -m generator fetch`, or name a folder that holds it with --mirror"
                if clip.url
                else f"put it into {project.relative(runs[clip.run].folder / 'media')}"
            ),
        )
        for clip in clips
    ]


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
    evidence: Iterable[Evidence], files: Mapping[str, pages.Published]
) -> dict[str, dict[str, object]]:
    """For the manifest: what each published media file was made from, and how."""
    made: dict[str, dict[str, object]] = {}
    for item in evidence:
        if item.media is None:
            continue
        media, shown = item.media, item.media.display
        source = {"source_sha256": media.facts.sha256}
        made[shown.facts.sha256] = {**source, **shown.recipe}
        source |= {"display_sha256": shown.facts.sha256}
        for picture in (media.poster, media.thumbnail, media.storyboard):
            made[picture.sha256] = {**source, **picture.recipe}
    return {
        name: made[published.sha256]
        for name, published in files.items()
        if published.sha256 in made
    }


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
