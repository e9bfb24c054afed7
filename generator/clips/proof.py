"""A drafted run, held against what content/ may say before any of it is written.

Whoever knows that is handed in. What it complains of is told to the person who ingests: of an
option of the command or of a line of the table, not of files that are not there yet.
"""

from __future__ import annotations

import csv
import io
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from generator.clips.match import Desk
from generator.clips.table import bounded
from generator.errors import Complaint, ContentError
from generator.intake import leads_out

__all__ = ["Validate", "complaints_of"]

Validate = Callable[[Path], object]
"""Reads the project in a folder. Raises ContentError with all that is wrong in its content/."""

OPTIONS = {
    name: f"--{name.replace('_', '-')}"
    for name in (
        *("title", "measured_by", "published", "source", "machine", "software", "weights"),
        *("rights", "publish_media"),
    )
}
"""Field of run.toml to the option that states it."""
FROM_FILES = frozenset({"size", "sha256", "file", "no_clip"})
"""Columns that say nothing while files and lines do not fit each other."""
REFERENCES = ("prompts", "pipelines", "machines")
"""Folders of content/ that a run refers to."""


def complaints_of(
    desk: Desk,
    *,
    run_id: str,
    texts: Mapping[str, str],
    stubs: Mapping[Path, str],
    rows: Sequence[Mapping[str, str]],
    validate: Validate,
) -> Iterator[Complaint]:
    """What `validate` says of the run's files (`texts` by name) and of the stubs beside it.

    Mistakes that stood in content/ before are not this run's and are left out; one place is
    named once.
    """
    with TemporaryDirectory(prefix="matrix-archive-") as folder:
        root = Path(folder)
        for name in REFERENCES:
            for path in (desk.project.content / name).glob("*.*"):
                _copy(path, root / "content" / name / path.name, within=desk.project.content)
        begun = {
            path.relative_to(desk.project.root).as_posix(): text for path, text in stubs.items()
        }
        home = f"content/runs/{run_id}"
        written = begun | {f"{home}/{name}": text for name, text in texts.items()}
        for name, text in written.items():
            target = root / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8", newline="\n")
        try:
            validate(root)
        except ContentError as error:
            found = error.complaints
        else:
            return
    lines, named = _lines_of_rows(texts["clips.csv"]), set()
    for complaint in found:
        file, _, place = complaint.where.partition(" ")
        if file in written:
            where = _said_of(desk, file, place, rows, lines)
            if where is not None and where not in named:
                named.add(where)
                yield Complaint(
                    where=where, problem=bounded(complaint.problem), remedy=complaint.remedy
                )


def _copy(path: Path, target: Path, *, within: Path) -> None:
    if path.is_file() and not leads_out(path, within):
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)


def _lines_of_rows(table: str) -> dict[int, int]:
    """Line of clips.csv, as readers count them, to the place of its row."""
    reader = csv.reader(io.StringIO(table, newline=""))
    next(reader)
    lines = [reader.line_num for _ in reader]
    return {line: place for place, line in enumerate(lines)}


def _said_of(
    desk: Desk, file: str, place: str, rows: Sequence[Mapping[str, str]], lines: Mapping[int, int]
) -> str | None:
    """Where the person wrote what stands in a file at a place; None where nobody did yet."""
    _, kind, *_ = file.split("/")
    if kind in REFERENCES:
        return _first(desk, rows, kind.removesuffix("s"), Path(file).stem)
    if file.endswith("/run.toml"):
        field = re.match(r"\$\.(\w+)", place)
        if field and field[1] in OPTIONS:
            return OPTIONS[field[1]]
        return f"{desk.where} line 1" if place.startswith("$.series") else desk.where
    found = re.match(r"line (\d+)(?:, (\w+))?", place)
    if found is None or int(found[1]) not in lines:
        return f"{desk.where} line 1"
    if desk.complaints and found[2] in FROM_FILES:
        return None
    return _cell(desk, lines[int(found[1])], found[2] or "")


def _first(desk: Desk, rows: Sequence[Mapping[str, str]], column: str, name: str) -> str:
    """Where a prompt, a pipeline or the machine is named first."""
    place = next((i for i, row in enumerate(rows) if row.get(column) == name), None)
    return "--machine" if place is None else _cell(desk, place, column)


def _cell(desk: Desk, place: int, column: str) -> str:
    """A cell of the table, or the option that speaks where the table does not."""
    row = desk.table.rows[place]
    if column == "pipeline" and not row.pipeline:
        return "--pipeline"
    if column == "url" and not row.url:
        return "--url-prefix"
    where = f"{desk.where} line {row.line}"
    return f"{where}, {desk.table.called(column)}" if column else where
