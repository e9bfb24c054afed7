"""Text that others wrote comes in here: a regular file of bounded size, UTF-8, in its folder.

Nothing is read of a file that is too large, and nothing waits: a pipe or a device is no text.
"""

from __future__ import annotations

import csv
import io
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = [
    *("LISTED_AT_MOST", "PER_FRAME", "TABLE", "TEXT", "PerFrameLimits", "Refusal"),
    *("TableError", "TableLimits", "TextLimits", "csv_rows", "leads_out", "printable", "text_of"),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class TextLimits:
    """How much a file that people write may hold."""

    max_bytes: int = 1 << 18
    """Of a TOML file, or of a Markdown file with its front matter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableLimits:
    """How much a table may hold: clips.csv, or one that is ingested."""

    max_bytes: int = 8 << 20
    max_rows: int = 10_000
    max_columns: int = 200
    max_cell_chars: int = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PerFrameLimits:
    """How much a table with a line for each frame of one clip may hold."""

    max_bytes: int = 8 << 20
    max_rows: int = 200_000
    """As many as a clip may have frames."""
    max_series: int = 12


LISTED_AT_MOST = 200
"""Mistakes that are listed of one file: whoever has more makes the same one again and again."""
TEXT = TextLimits()
TABLE = TableLimits()
PER_FRAME = PerFrameLimits()
OPENING = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
"""A pipe that took the file's place since it was looked at does not hold anybody up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a file was not taken in: where in it, what is wrong, what mends it."""

    place: str = ""
    problem: str
    remedy: str


def text_of(path: Path, *, max_bytes: int, within: Path | None = None) -> str | Refusal:
    """The text of a UTF-8 file without its byte order mark, or why it cannot be had.

    `within` is the folder that links may not lead out of.

    Raises:
        FileNotFoundError: there is no such file.
    """
    try:
        if within is not None and leads_out(path, within):
            return Refusal(
                problem="leads out of the project's content",
                remedy="put the file itself here instead of a link",
            )
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            return Refusal(problem="this is no file", remedy="put a text file in its place")
        if found.st_size > max_bytes:
            return _too_large(found.st_size, max_bytes)
        with os.fdopen(os.open(path, OPENING), "rb") as file:
            data = file.read(max_bytes + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        return Refusal(
            problem=f"cannot be read ({error.strerror})", remedy="check the path and permissions"
        )
    except ValueError as error:  # a name that no system can hold
        return Refusal(problem=f"cannot be read ({error})", remedy="check the path")
    if len(data) > max_bytes:
        return _too_large(len(data), max_bytes)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return Refusal(
            place=f"byte {error.start}",
            problem="this is not UTF-8 text",
            remedy="save the file as UTF-8",
        )


def _too_large(size: int, most: int) -> Refusal:
    return Refusal(
        problem=f"holds {size / 2**20:.1f} MiB, of which at most {most / 2**20:g} are read",
        remedy="shorten it, or spread it over several files",
    )


def leads_out(path: Path, folder: Path) -> bool:
    """Whether links on the way to `path` lead out of `folder`, itself perhaps a link."""
    return not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


class TableError(Exception):
    """A table that is no CSV from `line` on, where its unreadable row begins."""

    def __init__(self, line: int, problem: str, remedy: str) -> None:
        super().__init__(problem)
        self.line, self.problem, self.remedy = line, problem, remedy


def csv_rows(text: str, delimiter: str = ",") -> Iterator[tuple[int, list[str]]]:
    """Rows of a table, each with the number of the line that it ends in; one of no field for a line
    with nothing on it.

    Raises:
        TableError: behind the last row that can be read. A quotation mark that stays open is
            noticed as late as at the end of the table, and told where its row begins.
    """
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    begun = 1
    try:
        for fields in reader:
            begun = reader.line_num + 1
            yield reader.line_num, fields
    except csv.Error as error:
        if str(error) == "unexpected end of data":
            problem = "a field in quotation marks begins here and does not end"
            remedy = 'close it; inside such a field write the mark twice ("")'
            raise TableError(begun, problem, remedy) from error
        where = "" if begun == reader.line_num else f" up to line {reader.line_num}"
        raise TableError(begun, f"no valid CSV{where}: {error}", "mend the line") from error


def printable(text: str) -> str:
    """Text for a message: what would steer a terminal or break the line becomes U+FFFD."""
    return "".join(sign if sign.isprintable() else "\ufffd" for sign in text)
