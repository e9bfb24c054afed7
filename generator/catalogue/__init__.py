"""content/ to records: walk, decode, resolve, and collect every complaint on the way.

Knows what people may write. Does not know clips' files, pages or the network.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Collection, Container, Iterable, Mapping, Sequence, Set
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from generator.catalogue import forms, tables
from generator.catalogue.decode import (
    Complaints,
    did_you_mean,
    read_clips,
    read_markdown,
    read_toml,
)
from generator.catalogue.perframe import check_counts, read_per_frame
from generator.catalogue.text import prose
from generator.errors import ContentError, UsageError
from generator.intake import leads_out, printable
from generator.project import Project
from generator.records import (
    CARD,
    FEWEST_COMPARED,
    PER_FRAME_FOLDER,
    SIDES,
    Catalogue,
    Claim,
    Clip,
    Label,
    Link,
    Machine,
    Page,
    PageChart,
    PerFrame,
    Pipeline,
    Preset,
    Prompt,
    Run,
    Series,
    Site,
)

__all__ = ["check_counts", "load"]

NounT = TypeVar("NounT", Prompt, Pipeline)


def load(project: Project, *, base_url: str | None = None) -> Catalogue:
    """Read all of content/.

    Raises:
        ContentError: with every mistake of every file.
    """
    complaints = Complaints(project)
    content = project.content
    _check_names(content, complaints)
    site = _site(content / "site.toml", base_url, complaints)
    prompts = _prompts(content / "prompts", complaints)
    pipelines = _pipelines(content / "pipelines", complaints)
    machines = _machines(content / "machines", complaints)
    pages_read = _pages(content / "pages", complaints)
    runs: list[Run] = []
    clips: list[Clip] = []
    faulty_runs: set[str] = set()
    for folder in _entries(content / "runs"):
        before = len(complaints.found)
        form = _run_form(folder, complaints)
        if form is not None:
            runs += _run(folder, form, machines, complaints)
        if leads_out(folder / "media", content):
            complaints.add(
                folder / "media",
                "",
                "leads out of the project's content",
                "name the folder that it leads to with --mirror",
            )
        if folder.is_dir():
            clips += _clips(folder, form, prompts, pipelines, complaints)
        if len(complaints.found) > before:
            faulty_runs.add(folder.name)
    titles = {run.id: run.title for run in runs}
    pages = [
        _charted(*read, content / "runs", titles, faulty_runs, complaints) for read in pages_read
    ]
    presets = _presets(content / "presets", clips, faulty_runs, complaints)
    if complaints.found or site is None:
        raise ContentError(complaints.found)
    return Catalogue(
        site=site,
        prompts=_ordered(prompts),
        pipelines=_ordered(pipelines),
        machines=tuple(machine for machine in machines.values() if machine is not None),
        pages=tuple(sorted(pages, key=lambda page: (page.group, page.order, page.id))),
        presets=tuple(sorted(presets, key=lambda preset: (preset.order, preset.id))),
        runs=tuple(runs),
        clips=tuple(clips),
    )


_NAMES = ("site.toml", "prompts", "pipelines", "machines", "pages", "presets", "runs")


def _check_names(content: Path, complaints: Complaints) -> None:
    """A folder with a misspelt name would be passed over in silence."""
    for path in _entries(content):
        if path.name not in (*_NAMES, "README.md"):
            complaints.add(
                path,
                "",
                f'nothing in content/ is called "{printable(path.name)}"',
                did_you_mean(path.name, _NAMES) or f"known are {', '.join(_NAMES)}",
            )


def _ordered(by_id: Mapping[str, NounT | None]) -> tuple[NounT, ...]:
    nouns = [noun for noun in by_id.values() if noun is not None]
    return tuple(sorted(nouns, key=lambda noun: (noun.order, noun.id)))


def _entries(folder: Path) -> Iterable[Path]:
    """Visible entries of a folder that may be absent, in name order."""
    if not folder.is_dir():
        return ()
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _files(folder: Path, suffix: str, complaints: Complaints) -> Iterable[tuple[str, Path]]:
    """(id, path) of a folder's files; complains of names that are no ids."""
    for path in _entries(folder):
        if path.suffix != suffix:
            complaints.add(
                path, "", f"only {suffix} files are read here", "rename it or move it elsewhere"
            )
        elif not _is_id(path.stem):
            complaints.add(path, "", f'"{path.stem}" is no id', _ID_REMEDY)
        else:
            yield path.stem, path


_ID_REMEDY = "rename it with small letters, digits and single hyphens or dots"


def _is_id(text: str) -> bool:
    return re.fullmatch(forms.ID_PATTERN, text) is not None


def _links(links: Iterable[forms.LinkForm]) -> tuple[Link, ...]:
    return tuple(Link(title=link.title, url=link.url) for link in links)


def _site(path: Path, base_url: str | None, complaints: Complaints) -> Site | None:
    form = read_toml(path, forms.SiteForm, complaints)
    if form is None:
        return None
    return Site(
        title=form.title,
        tagline=form.tagline,
        description=form.description,
        base_url=form.base_url if base_url is None else _given_base_url(base_url),
        language=form.language,
        hero=form.hero or (form.title,),
        links=_links(form.links),
    )


def _given_base_url(base_url: str) -> str:
    """The address of --base-url, as hosts hand it over: with or without the closing slash."""
    address = base_url if base_url.endswith("/") else f"{base_url}/"
    try:
        return TypeAdapter(forms.FolderAddress).validate_python(address)
    except ValidationError:
        raise UsageError(
            f'--base-url "{base_url}": no web address; '
            "write an address of a folder, such as https://example.org/"
        ) from None


# What stands in a file with mistakes is None: its id is known, so that whoever refers to it is
# not told that there is no such thing.


def _prose(path: Path, place: str, text: str, complaints: Complaints, *, line: int = 0) -> str:
    """Safe HTML of the Markdown at `place` in a file, which begins at `line` where that is known;
    "" where it must not be shown."""
    html = prose(text)
    if isinstance(html, str):
        return html
    for further, problem, remedy in html:
        at = f"line {line + further - 1}" if line and further else ""
        complaints.add(path, f"{place} {at}".strip(), problem, remedy)
    return ""


def _prompts(folder: Path, complaints: Complaints) -> dict[str, Prompt | None]:
    prompts: dict[str, Prompt | None] = {}
    for name, path in _files(folder, ".md", complaints):
        prompts[name] = None
        read = read_markdown(path, forms.PromptForm, complaints)
        if read is not None:
            form, body, line = read
            prompts[name] = Prompt(
                id=name,
                title=form.title,
                text=form.text,
                html=_prose(path, "", body, complaints, line=line),
                order=form.order,
            )
    return prompts


def _pipelines(folder: Path, complaints: Complaints) -> dict[str, Pipeline | None]:
    pipelines: dict[str, Pipeline | None] = {}
    for name, path in _files(folder, ".toml", complaints):
        pipelines[name] = None
        form = read_toml(path, forms.PipelineForm, complaints)
        if form is not None:
            pipelines[name] = Pipeline(
                id=name,
                title=form.title,
                summary=form.summary,
                html=_prose(path, "$.notes", form.notes, complaints),
                order=form.order,
                content_rate_hz=form.content_rate_hz,
                parameters=form.parameters,
                licence=form.licence,
                renderer=form.renderer,
                links=_links(form.links),
            )
    return pipelines


def _machines(folder: Path, complaints: Complaints) -> dict[str, Machine | None]:
    machines: dict[str, Machine | None] = {}
    for name, path in _files(folder, ".toml", complaints):
        machines[name] = None
        form = read_toml(path, forms.MachineForm, complaints)
        if form is not None:
            machines[name] = Machine(id=name, **dict(form))
    return machines


def _pages(
    folder: Path, complaints: Complaints
) -> list[tuple[Path, Page, tuple[forms.PageChartForm, ...]]]:
    """Pages, without the charts that they ask for."""
    pages = []
    for name, path in _files(folder, ".md", complaints):
        read = read_markdown(path, forms.PageForm, complaints)
        if read is not None:
            form, body, line = read
            html = _prose(path, "", body, complaints, line=line)
            page = Page(id=name, html=html, **{**dict(form), "charts": ()})
            pages.append((path, page, form.charts))
    return pages


def _charted(
    path: Path,
    page: Page,
    charts: Sequence[forms.PageChartForm],
    runs: Path,
    titles: Mapping[str, str],
    faulty_runs: Set[str],
    complaints: Complaints,
) -> Page:
    """The page with its charts, as far as there is nothing to complain of."""
    found = []
    for number, chart in enumerate(charts):
        place = f"$.charts[{number}]"
        file = runs / chart.run / tables.FOLDER / f"{chart.table}.csv"
        if chart.run in faulty_runs:
            continue
        if chart.run not in titles:
            complaints.add(
                path,
                f"{place}.run",
                f'no run "{chart.run}"',
                did_you_mean(chart.run, titles) or "name a folder of content/runs",
            )
        elif not file.is_file():
            complaints.add(
                path,
                f"{place}.table",
                f'run {chart.run} holds no table "{chart.table}"',
                f"write {file.name} in its folder {tables.FOLDER}/",
            )
        elif (table := tables.read_table(file, complaints)) is not None:
            told = {name: value for name, value in dict(chart).items() if name != "table"}
            found.append(
                PageChart(
                    **told,
                    id=f"{page.id}-{number + 1}-{chart.table}",
                    run_title=titles[chart.run],
                    names=table.names,
                    rows=table.rows,
                    intervals=table.intervals,
                )
            )
    return replace(page, charts=tuple(found))


def _run_form(folder: Path, complaints: Complaints) -> forms.RunForm | None:
    if not folder.is_dir():
        complaints.add(folder, "", "only folders stand here", "give each run a folder of its own")
        return None
    if not _is_id(folder.name):
        complaints.add(folder, "", f'"{folder.name}" is no run id', _ID_REMEDY)
    return read_toml(folder / "run.toml", forms.RunForm, complaints)


def _run(
    folder: Path,
    form: forms.RunForm,
    machines: Mapping[str, Machine | None],
    complaints: Complaints,
) -> list[Run]:
    """The run, or nothing where it refers to what is not there."""
    path = folder / "run.toml"
    before = len(complaints.found)
    if form.machine not in machines:
        complaints.add(path, "$.machine", *_unknown("machine", form.machine, machines))
    series_ids = [series.id for series in form.series]
    for i, series in enumerate(form.series):
        if series.id in series_ids[:i]:
            complaints.add(
                path, f"$.series[{i}].id", f'"{series.id}" stands twice', "name it otherwise"
            )
        if series.label is Label.MEASURED_HERE and not form.software:
            complaints.add(
                path,
                "$.software",
                f'series "{series.id}" is measured here, but no software is stated',
                "list the software and versions under [software]",
            )
        if series.work and series.label is not Label.MEASURED_HERE:
            complaints.add(
                path,
                f"$.series[{i}].work",
                f'series "{series.id}" is {series.label.words}, but only what is measured here is '
                "known to have done this work",
                "leave it out",
            )
        if series.work and series.interpolation not in ("", "none"):
            complaints.add(
                path,
                f"$.series[{i}].work",
                f'the FPS of series "{series.id}" counts interpolated frames, which the network '
                "does not make",
                "leave it out",
            )
    claim_ids = [claim.id for claim in form.claims]
    for i, claim in enumerate(form.claims):
        if claim.id in claim_ids[:i]:
            complaints.add(
                path, f"$.claims[{i}].id", f'"{claim.id}" stands twice', "name it otherwise"
            )
        for name in claim.series:
            if name not in series_ids:
                complaints.add(path, f"$.claims[{i}].series", *_unknown("series", name, series_ids))
    machine = machines.get(form.machine)
    if form.publish_media and form.rights.strip().lower() == "not stated":
        complaints.add(
            path,
            "$.publish_media",
            "the clips would be published, but whose they are is not stated",
            "write under rights whose they are and what may be done with them",
        )
    if len(complaints.found) > before or machine is None:
        return []
    run = Run(
        id=folder.name,
        title=form.title,
        summary=form.summary,
        html=_prose(path, "$.notes", form.notes, complaints),
        measured_by=form.measured_by,
        published=form.published.isoformat(),
        source=Link(title=form.source.title, url=form.source.url) if form.source else None,
        machine=form.machine,
        machine_stated=form.machine_stated or machine.title,
        software=tuple(form.software.items()),
        weights=form.weights,
        protocol=form.protocol,
        rights=form.rights,
        publish_media=form.publish_media,
        publish_stills=form.publish_media if form.publish_stills is None else form.publish_stills,
        series=tuple(_series(series) for series in form.series),
        claims=tuple(_claim(claim) for claim in form.claims),
        folder=folder,
    )
    return [run]


def _series(form: forms.SeriesForm) -> Series:
    made_whole = {"interpolation": "none"} if form.work else {}
    return Series(**{**dict(form), **made_whole})


def _claim(form: forms.DurationClaimForm | forms.FpsClaimForm | forms.StatementForm) -> Claim:
    given = dict(form)
    return Claim(
        id=form.id,
        kind=form.kind,
        says=form.says,
        quoted=form.quoted,
        series=form.series,
        seconds=given.get("seconds"),
        tolerance_s=given.get("tolerance_s", Fraction(0)),
        decimals=given.get("decimals", 1),
        rounding=given.get("rounding", "nearest"),
        reason=given.get("reason", ""),
    )


def _clips(
    folder: Path,
    run: forms.RunForm | None,
    prompts: Mapping[str, Prompt | None],
    pipelines: Mapping[str, Pipeline | None],
    complaints: Complaints,
) -> list[Clip]:
    """Lines of a run's table; where the run itself has mistakes, its series are not known."""
    path = folder / "clips.csv"
    series_by_id = None if run is None else {one.id: one for one in reversed(run.series)}
    clips: list[Clip] = []
    lines_of: dict[str, list[int]] = defaultdict(list)
    numbers: dict[str, PerFrame | None] = {}  # rows may share a file
    for line, form, extra in read_clips(path, complaints):
        if complaints.full(path):
            break
        lines_of[form.id].append(line)
        place = f"line {line}, "
        pipeline = pipelines.get(form.pipeline)
        series = None if series_by_id is None else series_by_id.get(form.series)
        if series_by_id is not None and series is None:
            complaints.add(path, place + "series", *_unknown("series", form.series, series_by_id))
        if series is not None and form.fps is not None and not series.fps_means:
            complaints.add(
                path,
                place + "fps",
                f'series "{series.id}" does not say what its FPS means',
                "write fps_means for it in run.toml",
            )
        if form.pipeline not in pipelines:
            complaints.add(
                path, place + "pipeline", *_unknown("pipeline", form.pipeline, pipelines)
            )
        if form.prompt is not None and form.prompt not in prompts:
            complaints.add(path, place + "prompt", *_unknown("prompt", form.prompt, prompts))
        if pipeline is not None:
            label = None if series is None else series.label
            _check_source(path, line, form, pipeline, label, complaints)
        if form.per_frame and form.per_frame not in numbers:
            numbers[form.per_frame] = read_per_frame(
                folder / PER_FRAME_FOLDER / form.per_frame, complaints
            )
        width, height = map(int, form.size.split("x"))
        clips.append(
            Clip(
                id=f"{folder.name}--{form.id}",
                row_id=form.id,
                run=folder.name,
                series=form.series,
                pipeline=form.pipeline,
                prompt=form.prompt or "",
                width=width,
                height=height,
                steps=form.steps,
                fps=form.fps,
                stated_frames=form.frames,
                stated_seconds=form.seconds,
                seed=form.seed,
                sha256=form.sha256,
                url=form.url,
                file=form.file,
                no_clip=form.no_clip,
                line=line,
                extra=extra,
                per_frame=numbers[form.per_frame] if form.per_frame else None,
            )
        )
    for row_id, lines in lines_of.items():
        for line in lines[1:]:
            complaints.add(
                path,
                f"line {line}, id",
                f'"{row_id}" stands in line {lines[0]} already',
                "give each line an id of its own",
            )
    return clips


def _check_source(
    path: Path,
    line: int,
    form: forms.ClipForm,
    pipeline: Pipeline,
    label: Label | None,
    complaints: Complaints,
) -> None:
    """A cell says where its clip comes from, or why there is none."""
    place = f"line {line}, "
    if pipeline.renderer == "test-card":
        _check_card(path, place, form, label, complaints)
        return
    if label is Label.DECLARED:
        complaints.add(
            path,
            place + "series",
            f'"{form.series}" is labelled declared, but "{pipeline.id}" is no test card',
            "put the clip into a series whose label says where its number comes from",
        )
    for name in ("sha256", "file"):
        if form.no_clip and getattr(form, name):
            complaints.add(
                path,
                place + "no_clip",
                f"there is a {name} as well",
                f"leave no_clip empty, or take the {name} out",
            )
    if not (form.sha256 or form.no_clip or form.file or pipeline.renderer):
        complaints.add(
            path,
            place + "sha256",
            "is missing",
            "write the sha256 of the clip's file, or say in no_clip why there is none",
        )
    if (
        form.file
        and not (form.sha256 or form.no_clip)
        and not (path.parent / "media" / form.file).is_file()
    ):
        complaints.add(
            path,
            place + "file",
            f'no file "{form.file}" in the run\'s media/ folder',
            "put it there, or write its sha256 and url",
        )


def _check_card(
    path: Path, place: str, form: forms.ClipForm, label: Label | None, complaints: Complaints
) -> None:
    """A test card is rendered from its row, which therefore says all that it needs."""
    for name in ("fps", "seconds"):
        if getattr(form, name) is None:
            complaints.add(
                path,
                place + name,
                "is missing",
                "a test card is rendered from its fps and seconds; write both",
            )
    for name in ("sha256", "url", "file", "no_clip", "per_frame"):
        if getattr(form, name):
            complaints.add(
                path, place + name, "a test card has none: every build renders it", "leave it empty"
            )
    if label not in (None, Label.DECLARED):
        complaints.add(
            path,
            place + "series",
            f'"{form.series}" is labelled {label}, but a test card is measured by nobody',
            'put test cards into a series with label = "declared"',
        )
    if form.fps and form.seconds:
        frames = form.fps * form.seconds
        if frames.denominator != 1:
            complaints.add(
                path,
                place + "fps",
                f"{float(form.fps):g} FPS over {float(form.seconds):g} s is no whole "
                "number of frames",
                "choose seconds so that fps x seconds is whole",
            )
        elif frames > CARD.max_frames:
            complaints.add(
                path,
                place + "seconds",
                f"{frames} frames are more than a test card can number",
                f"choose fps x seconds of at most {CARD.max_frames}",
            )
        if max(form.fps.numerator, form.fps.denominator) > CARD.max_rate_term:
            complaints.add(
                path,
                place + "fps",
                f"{form.fps} FPS is no rate that a test card can keep",
                "write a rate such as 49.3 or 30000/1001",
            )
    width, height = map(int, form.size.split("x"))
    if form.fps and form.seconds and form.fps * form.seconds <= CARD.max_frames:
        frames = form.fps * form.seconds
        if width * height * frames > CARD.max_pixels:
            complaints.add(
                path,
                place + "seconds",
                f"{math.ceil(frames)} frames of {form.size} are more than a build draws",
                f"choose fewer, or a smaller size: at most {CARD.max_pixels} pixels in all",
            )
    if (
        width % 2
        or height % 2
        or not CARD.min_width <= width <= CARD.max_side
        or not CARD.min_height <= height <= CARD.max_side
    ):
        complaints.add(
            path,
            place + "size",
            f'"{form.size}" cannot hold a test card',
            f"choose even sides from {CARD.min_width} x {CARD.min_height} "
            f"to {CARD.max_side} x {CARD.max_side}",
        )


PRESET_TAKEN = "compare"
"""The id whose embed page would stand where that of any comparison does."""


def _presets(
    folder: Path, clips: Iterable[Clip], faulty_runs: Container[str], complaints: Complaints
) -> list[Preset]:
    """Presets name clips; those of a faulty run cannot be told to be missing."""
    known = {clip.id for clip in clips}
    presets = []
    for name, path in _files(folder, ".md", complaints):
        if name == PRESET_TAKEN:
            complaints.add(path, "", f'"{name}" is taken by the site itself', "rename it")
        read = read_markdown(path, forms.PresetForm, complaints)
        if read is None:
            continue
        form, body, line = read
        _check_preset(path, form, known, faulty_runs, complaints)
        presets.append(
            Preset(id=name, html=_prose(path, "", body, complaints, line=line), **dict(form))
        )
    return presets


def _check_preset(
    path: Path,
    form: forms.PresetForm,
    known: Collection[str],
    faulty_runs: Container[str],
    complaints: Complaints,
) -> None:
    fewest, most = FEWEST_COMPARED, len(SIDES)
    count = len(form.clips)
    if not fewest <= count <= most:
        named = f"names {count} {'clip' if count == 1 else 'clips'}"
        complaints.add(path, "$.clips", named, f"name {fewest} to {most}")
    elif form.mode != "side" and count != fewest:
        complaints.add(
            path,
            "$.mode",
            f'"{form.mode}" lays one clip over another, but {count} are named',
            "leave mode out, or name two clips",
        )
    for i, clip in enumerate(form.clips):
        if clip in form.clips[:i]:
            complaints.add(path, f"$.clips[{i}]", f'"{clip}" stands twice', "name each clip once")
        elif clip not in known and clip.partition("--")[0] not in faulty_runs:
            complaints.add(path, f"$.clips[{i}]", *_unknown("clip", clip, known))


def _unknown(noun: str, name: str, known: Iterable[str]) -> tuple[str, str]:
    names = sorted(known)
    remedy = did_you_mean(name, names)
    if not remedy:
        remedy = f"known are {', '.join(names[:12])}" if names else f"there is no {noun} yet"
    return f'no {noun} "{name}"', remedy
