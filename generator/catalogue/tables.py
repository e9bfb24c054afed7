"""Tables of numbers that charts on pages are drawn from: content/runs/<id>/tables/<name>.csv.

The first column is where a point stands, every other one a line of the chart; but `X low` and
`X high`, where both stand, are the interval of line `X`. A field may be empty.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from generator.catalogue.decode import Complaints, as_written, read_text
from generator.intake import TABLE, TableError, csv_rows

__all__ = ["FOLDER", "HIGH", "LOW", "MOST_LINES", "Lines", "read_table"]

FOLDER = "tables"
MOST_LINES = 6
"""Lines of a chart, as many as there are colours that can be told apart."""

LOW, HIGH = " low", " high"


class Lines(NamedTuple):
    """What a table says: for each place of a point the values of all lines, and for each line that
    has them its intervals, in the same order."""

    names: tuple[str, ...]
    rows: tuple[tuple[float, tuple[float | None, ...]], ...]
    intervals: dict[str, tuple[tuple[float, float] | None, ...]]


def read_table(path: Path, complaints: Complaints) -> Lines | None:
    """None where there is anything to complain of. All numbers are 0 or more: charts begin at 0."""
    before = len(complaints.found)
    text = read_text(path, complaints, max_bytes=TABLE.max_bytes)
    if text is None:
        return None
    lines = csv_rows(text)
    rows: list[tuple[float, tuple[float | None, ...]]] = []
    try:
        header = [name.strip() for name in next(lines, (1, []))[1]]
        bounded = [name for name in header[1:] if {name + LOW, name + HIGH} <= set(header)]
        bounds = {name + end for name in bounded for end in (LOW, HIGH)}
        names = [name for name in header[1:] if name not in bounds]
        if not 1 <= len(names) <= MOST_LINES or not all(header):
            complaints.add(
                path,
                "line 1",
                f"names {len(names)} lines",
                f"name the place of a point, then 1 to {MOST_LINES} lines of the chart",
            )
            return None
        if len(set(header)) < len(header):
            twice = next(name for name in header if header.count(name) > 1)
            complaints.add(path, "line 1", f"names {as_written(twice)} twice", "name each once")
            return None
        for number, fields in lines:
            row = _row(path, number, header, fields, complaints)
            if row is not None:
                rows.append(row)
            if complaints.full(path):
                break
    except TableError as fault:
        complaints.add(path, f"line {fault.line}", fault.problem, fault.remedy)
    if not rows and len(complaints.found) == before:
        complaints.add(path, "line 2", "holds no row", "write one for each place of a point")
    if len(complaints.found) > before:
        return None
    told = [(place, dict(zip(header[1:], values, strict=True))) for place, values in rows]
    return Lines(
        names=tuple(names),
        rows=tuple((place, tuple(row[name] for name in names)) for place, row in told),
        intervals={
            name: tuple(_interval(row[name + LOW], row[name + HIGH]) for _, row in told)
            for name in bounded
        },
    )


def _interval(low: float | None, high: float | None) -> tuple[float, float] | None:
    return None if low is None or high is None else (low, high)


def _row(
    path: Path, line: int, header: Sequence[str], fields: Sequence[str], complaints: Complaints
) -> tuple[float, tuple[float | None, ...]] | None:
    if len(fields) != len(header):
        complaints.add(
            path,
            f"line {line}",
            f"holds {len(fields)} fields where the header names {len(header)}",
            "leave a field empty where there is no number, commas included",
        )
        return None
    values = []
    for name, field in zip(header, fields, strict=True):
        value = _number(field.strip())
        if value is None and (field.strip() or name == header[0]):
            complaints.add(
                path,
                f"line {line} {as_written(name)}",
                f"{as_written(field)} is no number from 0",
                "write such as 12.5",
            )
            return None
        values.append(value)
    place, *others = values
    assert place is not None
    return place, tuple(others)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None
