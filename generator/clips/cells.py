"""Lines of somebody's table as lines of clips.csv, with the series and stubs they ask for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from generator.clips import draft
from generator.clips.draft import slug
from generator.clips.match import Desk
from generator.clips.naming import Names, free_id, plain, titles_in
from generator.clips.prompts import Prompts
from generator.clips.table import UNSTATED, Row, shown
from generator.project import Project
from generator.records import EXTRA_PREFIX, Facts, Label

__all__ = ["Stated", "cells_of", "kept_names", "named_by_title"]

NO_INTERPOLATION = frozenset({"none", "no", "off", "false", "0", "without"})
"""Ways to say that there was none; to say nothing is to state nothing."""
SERIES = {
    Label.PUBLISHED_ELSEWHERE: ("published", "Published elsewhere"),
    Label.MEASURED_HERE: ("measured", "Measured here"),
    Label.PROJECTED: ("projected", "Projected"),
    Label.DECLARED: ("declared", "Declared"),
}
"""Id and title of a series, by its label."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """What holds for all rows."""

    label: Label
    pipeline: str
    """That of rows that name none."""
    url_prefix: str
    """The public folder in which the files stand by their names, or ""."""


def cells_of(
    desk: Desk,
    files: Mapping[int, Path],
    facts: Mapping[Path, Facts],
    kept: Mapping[Path, str],
    *,
    stated: Stated,
    stubs: dict[Path, str],
) -> tuple[list[dict[str, str]], list[draft.DraftSeries]]:
    """Lines of clips.csv, one a row, and the series they belong to; `stubs` gains what they
    refer to. `kept` are the files' names inside media/."""
    rows: list[dict[str, str]] = []
    series: dict[str, draft.DraftSeries] = {}
    ids = _RowIds(desk)
    names_of_series = Names("series")
    pipelines = named_by_title(desk.project, "pipelines", draft.pipeline_toml, stubs)
    prompts = Prompts(desk.project.content / "prompts", stubs)
    interpolates = any(row.interpolation for row in desk.table.rows)
    for row in desk.table.rows:
        path = files.get(row.line)
        found = facts.get(path) if path else None
        size = (found.width, found.height) if found else row.size or (0, 0)
        one = _series(row, stated.label, interpolates, names_of_series)
        known = series.setdefault(one.id, one)
        if known.interpolation.casefold() != one.interpolation.casefold():
            desk.complain(
                row,
                "interpolation",
                f'{shown(row.interpolation)} differs from what series "{one.id}" began with',
                "give each interpolation a series of its own",
            )
        if row.fps and not known.fps_means:
            column = desk.table.called("fps")
            means = f'output FPS as stated in the column "{column}"'
            series[one.id] = replace(known, fps_means=means)
        cells = {
            "series": one.id,
            "pipeline": pipelines(row.pipeline or stated.pipeline),
            "prompt": _prompt(desk, row, prompts),
            "size": f"{size[0]}x{size[1]}",
            "steps": row.steps,
            "fps": row.fps,
            "frames": row.frames,
            "seconds": row.seconds,
            "seed": row.seed,
            "sha256": found.sha256 if found else row.sha256,
            "url": row.url or _url(stated.url_prefix, desk.named[path] if path else ""),
            "file": kept[path] if path else "",
            "no_clip": row.no_clip,
            **{EXTRA_PREFIX + name: value for name, value in row.extra},
        }
        rows.append({"id": ids.id_of(row, path, cells), **cells})
    return rows, list(series.values())


class _RowIds:
    """A row's own id, else its file's name, else what the cell is; unique in the run.

    Ids that people wrote come first, so that none has to give way to one that is made up.
    """

    def __init__(self, desk: Desk) -> None:
        self._written: dict[int, str] = {}
        self._taken: set[str] = set()
        stated: dict[str, Row] = {}
        for row in desk.table.rows:
            twin = stated.get(plain(row.id))
            if row.id and twin is not None:
                desk.complain(
                    row,
                    "id",
                    f"{shown(row.id)} stands in line {twin.line} already",
                    "give each line an id of its own",
                )
            elif row.id:
                stated[plain(row.id)] = row
                self._written[row.line] = self._new(row.id)

    def id_of(self, row: Row, path: Path | None, cells: Mapping[str, str]) -> str:
        if row.line in self._written:
            return self._written[row.line]
        parts = (cells["pipeline"], cells["prompt"], cells["size"], cells["steps"])
        return self._new(path.stem if path else "-".join(filter(None, (*parts, cells["series"]))))

    def _new(self, text: str) -> str:
        name = free_id(text, self._taken, kind="cell")
        self._taken.add(name)
        return name


def _series(row: Row, label: Label, interpolates: bool, names: Names) -> draft.DraftSeries:
    """Numbers with and without interpolation do not count the same: they never share a series."""
    stem, title = SERIES[label]
    kind = row.interpolation.strip()
    without = kind.casefold() in NO_INTERPOLATION
    if not without and kind.casefold() in UNSTATED:
        kind = ""
    if row.series:
        stem, title = "", row.series
    elif interpolates:
        if without:
            end, words = "no-interpolation", "without interpolation"
        elif kind:
            end, words = slug(kind) or "interpolation", kind
        else:
            end, words = "interpolation-not-stated", "interpolation not stated"
        stem, title = f"{stem}-{end}", f"{title}, {words}"
    return draft.DraftSeries(
        id=names.id_of(title, stem=stem),
        title=title,
        label=label,
        fps_means="",
        interpolation="none" if without else kind,
    )


def named_by_title(
    project: Project, folder: str, write: Callable[[str], str], stubs: dict[Path, str]
) -> Callable[[str], str]:
    """A function from a name to its id in a folder of content/; what is not there is started."""
    home = project.content / folder
    names = Names(folder.removesuffix("s"), titles_in(home))

    def id_of(text: str) -> str:
        name = names.id_of(text)
        path = home / f"{name}.toml"
        if path not in stubs and not path.exists():
            stubs[path] = write(text)
        return name

    return id_of


def _prompt(desk: Desk, row: Row, prompts: Prompts) -> str:
    """Id of the row's prompt, "" where it states none."""
    if not row.prompt_id:
        return prompts.of(row.prompt) if row.prompt else ""
    name = prompts.named(row.prompt_id, row.prompt)
    text = prompts.text_of(name)
    if row.prompt and text != " ".join(row.prompt.split()):
        desk.complain(
            row,
            "prompt",
            f'prompt "{name}" has another text already'
            if text
            else f'prompt "{name}" is there, but its file does not state the text',
            "give each text an id of its own"
            if text
            else f"write it into content/prompts/{name}.md, or give it another id",
        )
    return name


def _url(prefix: str, name: str) -> str:
    return f"{prefix.rstrip('/')}/{quote(name)}" if prefix and name else ""


def kept_names(named: Mapping[Path, str]) -> dict[Path, str]:
    """Files' names inside media/: as they were, without what a path may not hold, each once."""
    kept: dict[Path, str] = {}
    taken: set[str] = set()
    for path, name in named.items():
        plain = PurePosixPath(
            *(
                part.lstrip("~").replace(":", "-").replace("\\", "-") or "clip"
                for part in name.split("/")
            )
        )
        one, number = plain, 1
        while str(one).casefold() in taken:
            number += 1
            one = plain.with_stem(f"{plain.stem}-{number}")
        taken.add(str(one).casefold())
        kept[path] = str(one)
    return kept
