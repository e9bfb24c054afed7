"""Numbers of a run for each frame of a clip: per-frame/<name>.csv beside the run's clips.csv.

A file's form is checked when content/ is read; that it has a line for each frame of the clip, when
the clip's own frames are known.
"""

from __future__ import annotations

import csv
import hashlib
import io
import math
import re
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from generator.catalogue import forms
from generator.catalogue.decode import Complaints, as_written, did_you_mean, read_text
from generator.errors import ContentError
from generator.intake import PER_FRAME
from generator.project import Project
from generator.records import (
    ARRIVAL,
    BITS_PER_FRAME,
    FRAME,
    PER_FRAME_FOLDER,
    Clip,
    FrameSeries,
    PerFrame,
    Run,
)

__all__ = ["UNITS", "check_counts", "read_per_frame"]

UNITS = (
    *("bit", "B", "KiB", "MiB", "GiB", "us", "ms", "s", "Hz", "MHz", "px", "%", "dB"),
    *("W", "J", "°C", "TFLOP"),
)
"""Of a series; two clips are drawn on one scale where name and unit are the same."""

_COLUMN = re.compile(r"([^\[\]]+?)(?:\s*\[([^\[\]]*)\])?")
_LONGEST_NAME = 40
_FROM_0 = "number the clip's frames from 0, one line each"
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")


def read_per_frame(path: Path, complaints: Complaints) -> PerFrame | None:
    """The file's columns; None where there is anything to complain of."""
    before = len(complaints.found)
    text = read_text(path, complaints, max_bytes=PER_FRAME.max_bytes)
    if text is None:
        return None
    try:
        rows = csv.reader(io.StringIO(text, newline=""), strict=True)
        header = [name.strip() for name in next(rows, [])]
        columns = _columns(path, header, complaints)
        if columns is None:
            return None
        values = _values(path, header, rows, complaints)
    except csv.Error as error:
        complaints.add(path, "", f"no valid CSV: {error}", "mend the line")
        return None
    if not values[0] and len(complaints.found) == before:
        complaints.add(path, "line 2", "no frame is listed", _FROM_0)
    if len(complaints.found) > before:
        return None
    by_name = dict(zip(header, values, strict=True))
    return PerFrame(
        name=path.name,
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        count=len(values[0]),
        arrivals_s=by_name.get(ARRIVAL),
        series=tuple(
            FrameSeries(name=name, unit=unit, values=by_name[column])
            for column, (name, unit) in columns.items()
        ),
    )


def _columns(
    path: Path, header: Sequence[str], complaints: Complaints
) -> dict[str, tuple[str, str]] | None:
    """Column to (name, unit), of the series; None where the header has mistakes."""
    before = len(complaints.found)

    def fault(problem: str, remedy: str) -> None:
        complaints.add(path, "line 1", problem, remedy)

    if not header or header[0] != FRAME:
        first = as_written(header[0]) if header else "nothing"
        fault(f"begins with {first}", f'call the first column "{FRAME}": {_FROM_0}')
        return None
    found: dict[str, tuple[str, str]] = {}
    for column, times in Counter(header).items():
        if times > 1:
            fault(f"column {as_written(column)} stands twice", "keep one")
        if column in (FRAME, ARRIVAL):
            continue
        match = _COLUMN.fullmatch(column)
        unreadable = forms.unreadable(column)
        if match is None or unreadable or len(match[1]) > _LONGEST_NAME:
            fault(
                f"{as_written(column)} is no name for a series",
                f'write such as "step latency [ms]": at most {_LONGEST_NAME} plain characters, '
                "then the unit in square brackets",
            )
            continue
        name, unit = match[1], match[2]
        if unit is not None and unit not in UNITS:
            fault(
                f"{as_written(unit)} is no unit that is known here",
                did_you_mean(unit, UNITS)
                or f"write one of: {', '.join(UNITS)}; leave the brackets out for a plain number",
            )
        elif name == BITS_PER_FRAME:
            fault(f'"{name}" is read from the clip itself', "name the series otherwise")
        else:
            found[column] = (name, unit or "")
    if len(set(found.values())) < len(found):
        fault("two series have the same name and unit", "name one of them otherwise")
    if len(found) > PER_FRAME.max_series:
        fault(f"{len(found)} series are too many", f"keep at most {PER_FRAME.max_series}")
    if header == [FRAME]:
        fault("there are no numbers", f'add "{ARRIVAL}" or a series such as "step latency [ms]"')
    return found if len(complaints.found) == before else None


def _values(
    path: Path, header: Sequence[str], rows: Iterator[list[str]], complaints: Complaints
) -> list[array[float]]:
    """A list of numbers for each column, NaN where a cell is empty."""
    values = [array("d") for _ in header]
    for row in rows:
        line = rows.line_num  # type: ignore[attr-defined]
        expected = len(values[0])
        if expected >= PER_FRAME.max_rows:
            complaints.add(
                path,
                f"line {line}",
                f"holds more than {PER_FRAME.max_rows} frames",
                "split the clip: no site shows one that long frame by frame",
            )
            break
        if len(row) != len(header):
            complaints.add(
                path,
                f"line {line}",
                f"{len(row)} {'field' if len(row) == 1 else 'fields'}, the header has "
                f"{len(header)}",
                "leave a field empty where there is no number",
            )
        else:
            for i, cell in enumerate(row):
                fault = _fault(header[i], cell.strip(), expected, values[i])
                if fault:
                    complaints.add(path, f"line {line}, {header[i]}", *fault)
                    values[i].append(expected if i == 0 else math.nan)
        if complaints.full(path):
            break
    return values


def _fault(column: str, cell: str, frame: int, before: array[float]) -> tuple[str, str] | None:
    """Take the cell in; or what is wrong with it, and what mends it."""
    if column == FRAME:
        if not cell.isascii() or not cell.isdigit() or len(cell) > 9 or int(cell) != frame:
            return f"{as_written(cell)} stands where frame {frame} is due", _FROM_0
        before.append(frame)
        return None
    if not cell and column != ARRIVAL:
        before.append(math.nan)
        return None
    number = float(cell) if _NUMBER.fullmatch(cell) else math.nan
    if not math.isfinite(number):
        problem = f"{as_written(cell)} is no number" if cell else "is empty"
        if column == ARRIVAL:
            return problem, "write seconds since the clock started, such as 0.166, for each frame"
        return problem, "write digits, such as 3.35, or leave the field empty where there is none"
    if column == ARRIVAL:
        if number < 0:
            return f"{cell} is less than 0", "count seconds from the start of the clock"
        if before and number < before[-1]:
            return (
                f"{cell} is earlier than the frame before it ({before[-1]:g})",
                "frames arrive in the order in which they are shown; check the clock",
            )
    before.append(number)
    return None


def check_counts(
    clips: Iterable[tuple[Clip, int]], runs: Mapping[str, Run], project: Project
) -> None:
    """Hold each clip's numbers against how many frames it really shows.

    Raises:
        ContentError: a file has more or fewer lines than its clip has frames; all such.
    """
    complaints = Complaints(project)
    told: set[tuple[Path, int]] = set()
    for clip, frames in clips:
        numbers = clip.per_frame
        if numbers is None or numbers.count == frames:
            continue
        path = runs[clip.run].folder / PER_FRAME_FOLDER / numbers.name
        if (path, frames) in told:  # rows may share both
            continue
        told.add((path, frames))
        complaints.add(
            path,
            "",
            f"lists {numbers.count} frames, but the clip of {clip.row_id} shows {frames}",
            "write a line for each frame of the file, in the order in which they are shown",
        )
    if complaints.found:
        raise ContentError(complaints.found)
