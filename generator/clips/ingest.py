"""Somebody's folder of clips and their table become a run.

Size, hash and whether a file is a clip at all are found in the files; frames, seconds and rates
are statements, so they are taken from the table or stay unstated: every build counts them again
and says where the two differ. All mistakes are reported at once, and then nothing is written.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path, PurePosixPath
from typing import Literal

from generator.clips import draft
from generator.clips.cells import Stated, cells_of, kept_names, named_by_title
from generator.clips.disk import alone
from generator.clips.draft import MAX_ID_CHARS, NOT_STATED, slug
from generator.clips.hashes import sha256_of
from generator.clips.match import Desk
from generator.clips.progress import Progress
from generator.clips.proof import Validate, complaints_of
from generator.clips.table import bounded, read_table, shown
from generator.errors import Complaint, ContentError, MediaError, UsageError
from generator.intake import LISTED_AT_MOST
from generator.project import Project
from generator.records import Label

__all__ = ["About", "IngestReport", "ingest"]

Media = Literal["copy", "link", "none"]

LOCK = "ingest.lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What no file can tell about a run. Everything may stay unstated."""

    title: str = ""
    """The run's id when empty."""
    measured_by: str = NOT_STATED
    published: date | None = None
    """Day of publication; the day of ingest when None."""
    source: str = ""
    """Address where the numbers were published."""
    machine: str = NOT_STATED
    software: Mapping[str, str] = field(default_factory=dict)
    """Name to version."""
    weights: str = NOT_STATED
    rights: str = NOT_STATED
    label: Label = Label.PUBLISHED_ELSEWHERE
    pipeline: str = NOT_STATED
    """For rows that name none."""
    url_prefix: str = ""
    """Address of the folder under which the files stand publicly by their names."""
    publish_media: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestReport:
    """What an ingest wrote."""

    run: str
    """Its folder, relative to the project."""
    rows: int
    with_file: int
    series: tuple[str, ...]
    stubs: tuple[str, ...]
    """Files started beside the run, relative to the project: they want filling in."""
    left_out: tuple[str, ...]
    """Columns of the table that were neither known nor numbers."""
    media: Media

    def __str__(self) -> str:
        where = {
            "copy": "copied into its media/ folder",
            "link": "linked into its media/ folder",
            "none": "not copied: builds find them with --mirror",
        }[self.media]
        lines = [
            f"{self.run}: {self.rows} cells in {len(self.series)} series "
            f"({', '.join(self.series)}), {self.with_file} clips {where}"
        ]
        if self.left_out:
            lines.append(f"columns left out: {', '.join(map(bounded, self.left_out))}")
        lines += [f"started {name}: fill it in" for name in self.stubs]
        return "\n".join(lines)


def ingest(
    folder: Path,
    *,
    table: Path,
    run_id: str,
    project: Project,
    validate: Validate,
    about: About | None = None,
    media: Media = "copy",
    on_progress: Progress | None = None,
) -> IngestReport:
    """Make content/runs/<run_id>/ of the clips in `folder` and the lines of `table`.

    `media` says whether the files are copied into the run, hard-linked, or stay where they are.
    Prompts, pipelines and the machine that are not there yet are started as stubs. `validate`
    reads a project as builds will; what it would refuse is not written.

    Raises:
        ContentError: every mistake of options, table and files; nothing was written.
        UsageError: the run cannot be made as asked, such as because it is there already.
    """
    about = about or About()
    _check_request(run_id, about)
    with _only_ingest(project):
        _check_free(run_id, project)
        return _ingest(folder, table, run_id, project, validate, about, media, on_progress)


@contextmanager
def _only_ingest(project: Project) -> Iterator[None]:
    """Hold the project, so that no other ingest gives the same ids; translate what disks say."""
    try:
        with alone(project.cache / LOCK) as ours:
            if not ours:
                raise UsageError(
                    f"{project.root}: another ingest is under way in this project; "
                    "wait for it to end"
                )
            yield
    except OSError as error:
        raise UsageError(
            f"{error.filename2 or error.filename or project.root}: cannot be read or written "
            f"({error.strerror or error}), so nothing was ingested; "
            "check that it is what it should be, its permissions and the room on its disk"
        ) from error


def _ingest(
    folder: Path,
    table: Path,
    run_id: str,
    project: Project,
    validate: Validate,
    about: About,
    media: Media,
    on_progress: Progress | None,
) -> IngestReport:
    where = project.relative(table)
    read, complaints = read_table(table, where)
    desk = Desk(folder=folder, project=project, where=where, table=read, complaints=complaints)
    files = desk.match()
    if len(complaints) > LISTED_AT_MOST:
        raise ContentError(_listed(complaints))
    facts = desk.probe(files, on_progress)
    desk.check(files, facts)
    stubs: dict[Path, str] = {}
    kept = kept_names({path: desk.named[path] for path in files.values()})
    stated = Stated(label=about.label, pipeline=about.pipeline, url_prefix=about.url_prefix)
    rows, series = cells_of(desk, files, facts, kept, stated=stated, stubs=stubs)
    if media == "none":
        rows = [{**row, "file": ""} for row in rows]
    machine = named_by_title(project, "machines", draft.machine_toml, stubs)(about.machine)
    run = _draft(run_id, machine, desk, rows, series, about)
    texts = {"run.toml": draft.run_toml(run), "clips.csv": draft.clips_csv(rows)}
    if rows:
        said = {complaint.where for complaint in desk.complaints}
        found = complaints_of(
            desk, run_id=run_id, texts=texts, stubs=stubs, rows=rows, validate=validate
        )
        desk.complaints.extend(one for one in list(found) if one.where not in said)
    if desk.complaints:
        raise ContentError(_listed(desk.complaints))
    _write(
        project.runs / run_id,
        texts=texts,
        files={} if media == "none" else {kept[path]: path for path in facts},
        hashes={path: found.sha256 for path, found in facts.items()},
        stubs=stubs,
        media=media,
    )
    return IngestReport(
        run=project.relative(project.runs / run_id),
        rows=len(rows),
        with_file=len(facts),
        series=tuple(one.id for one in series),
        stubs=tuple(project.relative(path) for path in stubs),
        left_out=read.left_out,
        media=media,
    )


def _listed(complaints: Iterable[Complaint]) -> list[Complaint]:
    """Each complaint once, and no more of them than somebody would read."""
    found = list(dict.fromkeys(complaints))
    if len(found) <= LISTED_AT_MOST:
        return found
    rest = Complaint(
        where=found[LISTED_AT_MOST].where,
        problem=f"{len(found) - LISTED_AT_MOST} more mistakes from here on are not listed",
        remedy="mend these, and give the command again",
    )
    return [*found[:LISTED_AT_MOST], rest]


def _check_request(run_id: str, about: About) -> None:
    if len(run_id) > MAX_ID_CHARS:
        raise UsageError(
            f"--run {shown(run_id)}: no id for a run; write {MAX_ID_CHARS} characters or fewer"
        )
    if not run_id or slug(run_id) != run_id:
        raise UsageError(
            f"--run {shown(run_id)}: no id for a run; write small letters, digits and single "
            f'hyphens, such as "{slug(run_id) or "2026-05-my-model-h100"}"'
        )
    for option, given in (("--machine", about.machine), ("--pipeline", about.pipeline)):
        if not given.strip():
            raise UsageError(f"{option} {shown(given)}: is empty; name it, or leave {option} out")
    if about.label is Label.MEASURED_HERE and not about.software:
        raise UsageError(
            "what was measured here names its software; state each with its version: "
            "--software NAME=VERSION, or --software NAME='not stated'"
        )
    if about.publish_media and about.rights.strip().casefold() in ("", NOT_STATED):
        raise UsageError(
            "--publish-media: clips are published only where it is stated whose they are and that "
            "they may be; state it with --rights"
        )


def _check_free(run_id: str, project: Project) -> None:
    if os.path.lexists(project.runs / run_id):
        raise UsageError(
            f"{project.relative(project.runs / run_id)}: this run is there already, and runs are "
            "never changed; choose another id, or remove it yourself if it was a mistake"
        )


def _draft(
    run_id: str,
    machine: str,
    desk: Desk,
    rows: Sequence[Mapping[str, str]],
    series: Sequence[draft.DraftSeries],
    about: About,
) -> draft.DraftRun:
    pipelines = list(dict.fromkeys(row["pipeline"] for row in rows))
    table = PurePosixPath(desk.where).name
    return draft.DraftRun(
        title=about.title or run_id,
        summary=f"{_count(len(rows), 'cell')} of {', '.join(pipelines)}, ingested from {table}.",
        notes=(
            "Numbers are as the ingested table states them. Sizes and hashes were taken from the "
            "files; nothing was measured by ingesting."
        ),
        measured_by=about.measured_by,
        published=about.published or date.today(),
        date_is_of_ingest=about.published is None,
        source=about.source,
        machine=machine,
        software=about.software,
        weights=about.weights,
        rights=about.rights,
        publish_media=about.publish_media,
        series=series,
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _write(
    run: Path,
    *,
    texts: Mapping[str, str],
    files: Mapping[str, Path],
    hashes: Mapping[Path, str],
    stubs: Mapping[Path, str],
    media: Media,
) -> None:
    """Everything under another name first; the run appears whole, in one step, as the last.

    A draft that a killed ingest left behind is replaced; stubs that are there are left alone.
    """
    beside = run.parent / f".ingest-{run.name}"
    shutil.rmtree(beside, ignore_errors=True)
    started: list[Path] = []
    try:
        beside.mkdir(parents=True)
        for name, text in texts.items():
            (beside / name).write_text(text, encoding="utf-8", newline="\n")
        for name, path in files.items():
            target = beside / "media" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            _take(path, target, hashes[path], media)
        for path, text in stubs.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8", newline="\n") as file:
                started.append(path)
                file.write(text)
        beside.rename(run)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        for path in started:
            path.unlink(missing_ok=True)
        raise


def _take(path: Path, target: Path, sha256: str, media: Media) -> None:
    if media == "link":
        try:
            os.link(path.resolve(), target)
        except OSError as error:
            raise UsageError(
                f"{path}: cannot be linked into the run ({error.strerror}); copy it instead"
            ) from error
        return
    shutil.copyfile(path, target)
    if sha256_of(target) != sha256:
        raise MediaError(f"{path}: changed while it was being copied; run the ingest again")
