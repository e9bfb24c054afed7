"""Lines of somebody's table as lines of clips.csv, with the series and stubs they ask for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

from generator.clips import draft
from generator.clips.draft import slug
from generator.clips.match import Desk
from generator.clips.table import Row
from generator.project import Project
from generator.records import EXTRA_PREFIX, Facts, Label

__all__ = ["cells_of", "kept_name", "start_stub"]

NO_INTERPOLATION = frozenset(
    {"", "-", "--", "–", "—", "none", "no", "off", "false", "0", "without", "n/a"}
)
SERIES = {
    Label.PUBLISHED_ELSEWHERE: ("published", "Published elsewhere"),
    Label.MEASURED_HERE: ("measured", "Measured here"),
    Label.PROJECTED: ("projected", "Projected"),
    Label.DECLARED: ("declared", "Declared"),
}
"""Id and title of a series, by its label."""


def cells_of(
    desk: Desk,
    files: Mapping[int, Path],
    facts: Mapping[Path, Facts],
    *,
    label: Label,
    pipeline: str,
    url_prefix: str,
    stubs: dict[Path, str],
) -> tuple[list[dict[str, str]], list[draft.DraftSeries]]:
    """Lines of clips.csv, and the series they belong to; `stubs` gains what they refer to.

    `pipeline` is that of rows that name none; `url_prefix`, when not empty, the public folder
    in which the files stand by their names.
    """
    rows: list[dict[str, str]] = []
    series: dict[str, draft.DraftSeries] = {}
    lines: dict[str, int] = {}
    interpolates = any(row.interpolation for row in desk.table.rows)
    for row in desk.table.rows:
        path = files.get(row.line)
        found = facts.get(path) if path else None
        size = (found.width, found.height) if found else row.size or (0, 0)
        one = _series(row, label, interpolates)
        known = series.setdefault(one.id, one)
        if known.interpolation.casefold() != one.interpolation.casefold():
            desk.complain(
                row,
                "interpolation",
                f'"{row.interpolation}" differs from what series "{one.id}" began with',
                "give each interpolation a series of its own",
            )
        if row.fps and not known.fps_means:
            column = desk.table.called("fps")
            means = f'output FPS as stated in the column "{column}"'
            series[one.id] = replace(known, fps_means=means)
        cells = {
            "series": one.id,
            "pipeline": _pipeline(desk.project, row.pipeline or pipeline, stubs),
            "prompt": _prompt(desk, row, stubs),
            "size": f"{size[0]}x{size[1]}",
            "steps": row.steps,
            "fps": row.fps,
            "frames": row.frames,
            "seconds": row.seconds,
            "seed": row.seed,
            "sha256": found.sha256 if found else row.sha256,
            "url": row.url or _url(url_prefix, desk.named[path] if path else ""),
            "file": kept_name(desk.named[path]) if path else "",
            "no_clip": row.no_clip,
            **{EXTRA_PREFIX + name: value for name, value in row.extra},
        }
        rows.append({"id": _row_id(desk, row, path, cells, lines), **cells})
    return rows, list(series.values())


def _row_id(
    desk: Desk, row: Row, path: Path | None, cells: Mapping[str, str], lines: dict[str, int]
) -> str:
    """The row's own id, else its file's name, else what the cell is; unique in the run."""
    if row.id:
        name = slug(row.id)
        if name in lines:
            desk.complain(
                row,
                "id",
                f'"{row.id}" stands in line {lines[name]} already',
                "give each line an id of its own",
            )
    else:
        parts = (cells["pipeline"], cells["prompt"], cells["size"], cells["steps"])
        base = slug(path.stem if path else "-".join(filter(None, (*parts, cells["series"]))))
        name, copies = base, 1
        while name in lines:
            copies += 1
            name = f"{base}-{copies}"
    lines.setdefault(name, row.line)
    return name


def _series(row: Row, label: Label, interpolates: bool) -> draft.DraftSeries:
    """Numbers with and without interpolation do not count the same: they never share a series."""
    base, title = SERIES[label]
    kind = row.interpolation.strip()
    without = kind.casefold() in NO_INTERPOLATION
    if row.series:
        base, title = slug(row.series), row.series
    elif interpolates:
        base = f"{base}-{'no-interpolation' if without else slug(kind)}"
        title = f"{title}, {'without interpolation' if without else kind}"
    return draft.DraftSeries(
        id=base,
        title=title,
        label=label,
        fps_means="",
        interpolation="none" if without else kind,
    )


def _pipeline(project: Project, name: str, stubs: dict[Path, str]) -> str:
    pipeline = slug(name)
    start_stub(stubs, project.content / "pipelines" / f"{pipeline}.toml", draft.pipeline_toml, name)
    return pipeline


def _prompt(desk: Desk, row: Row, stubs: dict[Path, str]) -> str:
    """Id of the row's prompt: named, or found by its text, or made of its first words."""
    folder = desk.project.content / "prompts"
    if row.prompt_id:
        name, text = slug(row.prompt_id), row.prompt
        title = row.prompt_id
    elif not any(map(str.isspace, row.prompt)) or (folder / f"{slug(row.prompt)}.md").is_file():
        name, text = slug(row.prompt, otherwise=""), ""
        title = row.prompt
    else:
        return _prompt_of_text(folder, row.prompt, stubs)
    path = folder / f"{name}.md"
    if not name:
        return ""
    if text and not _holds(path, text, stubs):
        unstated = stubs.get(path) == draft.prompt_md(title, "")
        if (path in stubs or path.exists()) and not unstated:
            desk.complain(
                row,
                "prompt",
                f'prompt "{name}" has another text already',
                "give each text an id of its own",
            )
        stubs[path] = draft.prompt_md(title, text)
    elif path not in stubs and not path.exists():
        stubs[path] = draft.prompt_md(title, text)
    return name


def _prompt_of_text(folder: Path, text: str, stubs: dict[Path, str]) -> str:
    """Id of the prompt with this text: one that is there, else a new one."""
    for path in (*sorted(folder.glob("*.md")), *stubs):
        if path.parent == folder and _holds(path, text, stubs):
            return path.stem
    title = " ".join(text.split()[:6])
    base = name = slug(title)
    copies = 1
    while (path := folder / f"{name}.md") in stubs or path.exists():
        copies += 1
        name = f"{base}-{copies}"
    stubs[path] = draft.prompt_md(title, text)
    return name


def _holds(path: Path, text: str, stubs: Mapping[Path, str]) -> bool:
    """Whether a prompt's file states this text, in one of the ways to write it on one line."""
    written = stubs.get(path)
    if written is None:
        written = path.read_text("utf-8", "replace") if path.is_file() else ""
    ways = {f"text: {form}" for form in (text, draft.quoted(text), f'"{text}"', f"'{text}'")}
    return any(line.strip() in ways for line in written.splitlines())


def start_stub(stubs: dict[Path, str], path: Path, write: Callable[[str], str], title: str) -> None:
    """Note the text of a file that is not there yet."""
    if path not in stubs and not path.exists():
        stubs[path] = write(title)


def _url(prefix: str, name: str) -> str:
    return f"{prefix.rstrip('/')}/{quote(name)}" if prefix and name else ""


def kept_name(name: str) -> str:
    """A file's name inside media/: as it was, without what a path may not hold."""
    return "/".join(
        part.lstrip("~").replace(":", "-").replace("\\", "-") or "clip" for part in name.split("/")
    )
