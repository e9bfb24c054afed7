"""Somebody's table of clips, read with goodwill: many names for a column, many ways to write 8.

Nothing is guessed from file names, and a number that is not there stays away. What cannot be
understood becomes a complaint with its line; reading stops at none but what is no table.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeVar

from generator.errors import Complaint, ContentError
from generator.intake import (
    LISTED_AT_MOST,
    TABLE,
    Refusal,
    TableError,
    csv_rows,
    printable,
    text_of,
)
from generator.records import EXTRA_PREFIX

__all__ = ["Row", "Table", "bounded", "read_table", "shown"]

Value = TypeVar("Value")

COLUMNS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "id": (("id", "cell", "clip id", "row"),),
    "file": (
        ("file", "filename", "file name", "video file", "path"),
        ("video", "clip", "name"),
    ),
    "pipeline": (("pipeline", "model"), ("method", "system")),
    "prompt": (("prompt", "prompt text"),),
    "prompt_id": (("prompt id", "prompt name"),),
    "size": (("size", "resolution", "dimensions", "frame size"),),
    "width": (("width",), ("w",)),
    "height": (("height",), ("h",)),
    "steps": (
        ("steps", "denoising steps", "num steps", "inference steps", "num inference steps", "nfe"),
    ),
    "fps": (("fps", "output fps", "published fps", "stated fps", "fps out", "frames per second"),),
    "frames": (("frames", "frame count", "num frames", "stated frames"),),
    "seconds": (("seconds", "duration", "duration s", "length s", "stated seconds"),),
    "seed": (("seed",),),
    "sha256": (("sha256", "sha 256"), ("hash", "checksum")),
    "bytes": (("bytes", "file size", "size bytes"),),
    "url": (("url", "address"), ("link", "source")),
    "interpolation": (("interpolation", "interpolator", "frame interpolation"),),
    "series": (("series",),),
    "no_clip": (("no clip",),),
}
"""What a column may be called, in small letters, words parted by blanks. Of two columns that
could be the same, the one in the earlier group is; two of one group are a mistake."""

DELIMITERS = ",;\t"
UNSTATED = frozenset(
    {"", "-", "--", "–", "—", "?", "n/a", "na", "none", "null", "nan", "unknown", "not stated"}
)
"""Ways to say nothing."""
NUMBER = re.compile(r"[0-9]{1,12}([.,][0-9]{1,9})?")
WHOLE = re.compile(r"([0-9]{1,12})([.,]0)?")
UNIT = re.compile(r"\s*(fps|s|sec|seconds)$", re.IGNORECASE)
GROUPED = re.compile(r"[1-9][0-9]{0,2}([.,][0-9]{3})+")
"""Digits that may be parted into thousands: is 2,000 two thousand, or two?"""
DECIMAL_COMMA = re.compile(r"[0-9]+,([0-9]{1,2}|[0-9]{4,})")
RATES = frozenset({"fps", "seconds"})
"""Columns of numbers with decimals."""
UNGROUPED = {
    **dict.fromkeys(
        ("width", "height", "bytes", "frames", "seed"), "write digits only, such as 2000"
    ),
    **dict.fromkeys(RATES, "write thousands as 2000 and decimals with a point, such as 2.5"),
    "steps": "write digits only, or 2/2/2 for stages",
}
"""Column to how its numbers are written without a mark between thousands."""
SHOWN_CHARS = 80
"""The longest value that a message repeats whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A line of the table. What it does not state is None or "". Numbers are text as they will
    stand in clips.csv."""

    line: int
    id: str
    file: str
    pipeline: str
    prompt: str
    prompt_id: str
    size: tuple[int, int] | None
    steps: str
    fps: str
    frames: str
    seconds: str
    seed: str
    sha256: str
    bytes: int | None
    url: str
    interpolation: str
    series: str
    no_clip: str
    extra: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table as understood."""

    rows: tuple[Row, ...]
    header: Mapping[str, str]
    """What each column that was understood is called in the file."""
    left_out: tuple[str, ...]
    """Columns that are neither known nor numbers."""

    def called(self, column: str) -> str:
        """The column's name in the file, for complaints."""
        return self.header.get(column, column)


def read_table(path: Path, where: str) -> tuple[Table, list[Complaint]]:
    """The table at `path`, called `where` in complaints: comma, semicolon or tab, UTF-8.

    Raises:
        ContentError: it cannot be read to its end. That alone is said: what else would be found
            wrong, in lines and files, may come of it.
    """
    complaints: list[Complaint] = []

    def complain(place: str, problem: str, remedy: str) -> None:
        if len(complaints) < LISTED_AT_MOST:
            name = printable(f"{where} {place}" if place else where)
            complaints.append(Complaint(where=name, problem=problem, remedy=printable(remedy)))

    lines = _lines(path, where, complain)
    names = [name.strip() for name in next(lines, (1, []))[1]]
    if len(names) > TABLE.max_columns:
        problem = f"{len(names)} columns are more than a table may have"
        raise _unreadable(f"{where} line 1", problem, f"keep at most {TABLE.max_columns}")
    header = _header(names, complain)
    cells = list(_cells(lines, names, complain))
    if not cells:
        write = "write a line per clip under a line of names"
        raise _unreadable(where, "the table holds no line", write)
    commas = {
        column
        for column in RATES & header.keys()
        if any(DECIMAL_COMMA.fullmatch(_bare(row[header[column]])) for _, row in cells)
    }
    understood = set(header.values())
    extra = [
        name
        for name in names
        if name and name not in understood and _is_carried(name, [row[name] for _, row in cells])
    ]
    for name in extra:
        if not name.startswith(EXTRA_PREFIX) and EXTRA_PREFIX + name in extra:
            complain(
                "line 1",
                f'"{name}" and "{EXTRA_PREFIX}{name}" would be one column of the run',
                "rename one of the two",
            )
    if len(cells) > TABLE.max_rows:
        cells = []
    rows = tuple(_row(line, row, header, extra, commas, complain) for line, row in cells)
    left_out = tuple(name for name in names if name and name not in {*understood, *extra})
    return Table(rows=rows, header=header, left_out=left_out), complaints


Complain = Callable[[str, str, str], None]


def _unreadable(where: str, problem: str, remedy: str) -> ContentError:
    complaint = Complaint(where=printable(where), problem=problem, remedy=printable(remedy))
    return ContentError([complaint])


def _lines(path: Path, where: str, complain: Complain) -> Iterator[tuple[int, list[str]]]:
    """Lines that hold anything, with their numbers; a first line sep=; is a spreadsheet's own."""
    try:
        text = text_of(path, max_bytes=TABLE.max_bytes)
    except FileNotFoundError:
        text = Refusal(problem="no such file", remedy="check the path")
    if isinstance(text, Refusal):
        raise _unreadable(f"{where} {text.place}".rstrip(), text.problem, text.remedy)
    said = re.match(r"sep=([,;\t])\r?\n", text)
    delimiter = said[1] if said else max(DELIMITERS, key=lambda mark: _fit(text, mark))
    lines = csv_rows(text, delimiter)
    try:
        if said:
            next(lines)
        rows = -1  # the names are none
        for number, cells in lines:
            if not any(cell.strip() for cell in cells):
                continue
            rows += 1
            if rows > TABLE.max_rows:
                complain(
                    f"line {number}",
                    f"a run holds at most {TABLE.max_rows} clips",
                    "spread them over several runs",
                )
                yield number, cells
                return
            yield number, cells
    except TableError as fault:
        raise _unreadable(f"{where} line {fault.line}", fault.problem, fault.remedy) from fault


def _fit(text: str, delimiter: str) -> tuple[int, int]:
    """How many names of the first line are known under this delimiter, and how many there are."""
    known = {name for groups in COLUMNS.values() for group in groups for name in group}
    try:
        for names in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
            if any(name.strip() for name in names):
                return sum(_plain(name) in known for name in names), len(names)
    except csv.Error:
        pass
    return 0, 0


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]+", " ", name).strip().casefold()


def _header(names: Sequence[str], complain: Complain) -> dict[str, str]:
    """Known column to its name in the file."""
    for name in dict.fromkeys(names):
        if name and names.count(name) > 1:
            complain("line 1", f"column {shown(name)} stands twice", "keep one")
    plain = {name: _plain(name) for name in names}
    header: dict[str, str] = {}
    for column, groups in COLUMNS.items():
        for group in groups:
            found = [name for name in dict.fromkeys(names) if plain[name] in group]
            if len(found) > 1:
                complain(
                    "line 1",
                    f"{' and '.join(map(shown, found))} could both be {column}",
                    f'rename the one that is not meant, such as to "{EXTRA_PREFIX}{found[-1]}"',
                )
            if found:
                header[column] = found[0]
                break
    return header


def _cells(
    lines: Iterator[tuple[int, list[str]]], names: Sequence[str], complain: Complain
) -> Iterator[tuple[int, dict[str, str]]]:
    for line, cells in lines:
        if len(cells) > len(names) and any(cell.strip() for cell in cells[len(names) :]):
            complain(
                f"line {line}",
                f"{len(cells)} fields under {len(names)} names",
                'quote fields that hold commas: "a, b"',
            )
        padded = [*cells, *[""] * (len(names) - len(cells))]
        plain = (re.sub(r"\r\n?", "\n", cell.strip()) for cell in padded)
        yield line, dict(zip(names, plain, strict=False))


def _is_carried(name: str, values: Sequence[str]) -> bool:
    """Columns of one's own are carried along when they say so or hold nothing but numbers."""
    stated = [value for value in values if value.casefold() not in UNSTATED]
    return name.startswith(EXTRA_PREFIX) or (
        bool(stated) and all(re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", value) for value in stated)
    )


def _row(
    line: int,
    cells: Mapping[str, str],
    header: Mapping[str, str],
    extra: Sequence[str],
    commas: Container[str],
    complain: Complain,
) -> Row:
    """`commas` are the columns in which a comma stands before decimals."""

    def text(column: str) -> str:
        value = cells[header[column]] if column in header else ""
        return "" if value.casefold() in UNSTATED else value

    def read(column: str, parse: Callable[[str], Value | None], unstated: Value, say: str) -> Value:
        value = text(column)
        if not value:
            return unstated
        problem, _, remedy = say.partition("; ")
        parsed = parse(value)
        plain_point = column in RATES and column not in commas
        if column in UNGROUPED and _may_be_grouped(value, plain_point=plain_point):
            parsed, problem = None, "may hold a mark between thousands"
            remedy = UNGROUPED[column]
        if parsed is None:
            complain(f"line {line}, {header[column]}", f"{shown(value)} {problem}", remedy)
            return unstated
        return parsed

    width = read("width", _whole, "", "is no width in pixels; write digits only")
    height = read("height", _whole, "", "is no height in pixels; write digits only")
    size = read("size", _size, None, "is no size; write width x height, such as 848x480")
    if size is None and width and height:
        size = int(width), int(height)
    whole = "is no whole number; write digits only"
    count = read("bytes", _whole, "", whole)
    return Row(
        line=line,
        id=text("id"),
        file=_file(text("file")),
        pipeline=text("pipeline"),
        prompt=text("prompt"),
        prompt_id=text("prompt_id"),
        size=size,
        steps=read("steps", _steps, "", "is no step count; write 1 or more, or 2/2/2 for stages"),
        fps=read("fps", _number, "", "is no frame rate; write digits, such as 49.3"),
        frames=read("frames", _whole, "", whole),
        seconds=read("seconds", _number, "", "is no time in seconds; write digits, such as 20.0"),
        seed=read("seed", _seed, "", whole),
        sha256=read("sha256", _sha256, "", "is no sha256; write 64 hexadecimal digits"),
        bytes=int(count) if count else None,
        url=text("url"),
        interpolation=cells.get(header.get("interpolation", ""), ""),
        series=text("series"),
        no_clip=text("no_clip"),
        extra=tuple(
            (name.removeprefix(EXTRA_PREFIX), cells[name])
            for name in extra
            if cells[name].casefold() not in UNSTATED
        ),
    )


def bounded(text: str, most: int = 3 * SHOWN_CHARS) -> str:
    """Text on one line, its middle left out where it is longer than `most` characters."""
    line = printable(" ".join(text.split()))
    return line if len(line) <= most else f"{line[: most // 2]} … {line[-(most // 2) :]}"


def shown(value: str) -> str:
    """A value of the table as messages repeat it."""
    return f'"{bounded(value, SHOWN_CHARS)}"'


def _file(text: str) -> str:
    return str(PurePosixPath(text.replace("\\", "/"))) if text else ""


def _number(text: str) -> str | None:
    """A number above 0 with the decimals it was written with; a unit after it is dropped."""
    bare = _bare(text)
    if not re.fullmatch(NUMBER, bare) or not re.search("[1-9]", bare):
        return None
    return bare.replace(",", ".")


def _bare(text: str) -> str:
    return UNIT.sub("", text)


def _whole(text: str) -> str | None:
    found = re.fullmatch(WHOLE, text)
    return str(int(found[1])) if found and int(found[1]) > 0 else None


def _seed(text: str) -> str | None:
    found = re.fullmatch(r"(-?[0-9]{1,20})([.,]0)?", text)
    return found[1] if found else None


def _may_be_grouped(text: str, *, plain_point: bool) -> bool:
    """Whether digits may be parted into thousands. A single point before three digits is a
    decimal one, as in 23.976, where `plain_point` is set."""
    bare = _bare(text).lstrip("+-")
    one_point = "," not in bare and bare.count(".") == 1
    return GROUPED.fullmatch(bare) is not None and not (plain_point and one_point)


def _steps(text: str) -> str | None:
    parts = [_whole(part) for part in re.split(r"\s*[/,;+]\s*|\s+", text.strip("[]() "))]
    if any(part is None or int(part) > 9999 for part in parts):
        return None
    return "/".join(part for part in parts if part)


def _size(text: str) -> tuple[int, int] | None:
    found = re.fullmatch(
        r"([1-9][0-9]{0,4})\s*(?:px)?\s*[x×*]\s*([1-9][0-9]{0,4})\s*(?:px)?", text.lower()
    )
    return (int(found[1]), int(found[2])) if found else None


def _sha256(text: str) -> str | None:
    plain = text.lower().removeprefix("sha256:")
    return plain if re.fullmatch("[0-9a-f]{64}", plain) else None
