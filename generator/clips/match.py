"""A table and a folder side by side: which line is which file, and everything that does not fit."""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from generator.clips.hashes import sha256_of
from generator.clips.locate import CLIP_SUFFIXES, why_refused
from generator.clips.probe import probe
from generator.clips.progress import Progress
from generator.clips.table import SHOWN_CHARS, Row, Table, bounded, shown
from generator.errors import Complaint, MediaError
from generator.intake import printable
from generator.project import Project
from generator.records import Facts

__all__ = ["Desk"]

PROBES = 2
OFFERED_AT_MOST = 20
"""Files that are looked up as what a faulty line may have meant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Table, folder, and the complaints that laying one beside the other gave."""

    folder: Path
    project: Project
    where: str
    table: Table
    complaints: list[Complaint]
    named: dict[Path, str] = field(default_factory=dict)
    """File to its name relative to the folder."""

    def complain(self, row: Row, column: str, problem: str, remedy: str) -> None:
        place = f"{self.where} line {row.line}, {self.table.called(column)}"
        self.complaints.append(Complaint(where=place, problem=problem, remedy=remedy))

    def match(self) -> dict[int, Path]:
        """Line to file. Complains of lines without files and of files without lines."""
        files = {
            path.relative_to(self.folder).as_posix(): path
            for path in sorted(self.folder.rglob("*"))
            if not any(part.startswith(".") for part in path.relative_to(self.folder).parts)
            and not path.is_dir()
        }
        self.named.update({path: name for name, path in files.items()})
        rows = self.table.rows
        if rows and not {"file", "sha256", "no_clip"} & set(self.table.header):
            self.complaints.append(
                Complaint(
                    where=f"{self.where} line 1",
                    problem="no column names the clips' files",
                    remedy='add a column "file"',
                )
            )
            return {}
        hashes: dict[str, Path] = {}
        if any(row.sha256 and not row.file for row in rows):
            clips = [path for path in files.values() if path.suffix.lower() in CLIP_SUFFIXES]
            readable = [path for path in clips if why_refused(path, self.folder) is None]
            hashes = {sha256_of(path): path for path in readable}
        found: dict[int, Path] = {}
        line_of: dict[Path, int] = {}
        alike: dict[str, list[str]] = defaultdict(list)
        for name in files:
            alike[PurePosixPath(name).name].append(name)
        for row in rows:
            path = self._file_of(row, files, hashes, alike)
            if path is None:
                continue
            refused = why_refused(path, self.folder)
            if refused is not None:
                self.complain(row, "file", *refused)
            if path in line_of:
                self.complain(
                    row,
                    "file",
                    f"{shown(self.named[path])} stands in line {line_of[path]} already",
                    "name each file once",
                )
                continue
            line_of[path] = row.line
            if refused is None:
                found[row.line] = path
        for name, path in files.items():
            if path.suffix.lower() in CLIP_SUFFIXES and path not in line_of:
                self.complaints.append(
                    Complaint(
                        where=f"{self.project.relative(self.folder)}/{printable(name)}",
                        problem=f"no line of {self.where} names this file",
                        remedy="add a line for it, or move it out of the folder",
                    )
                )
        return found

    def _file_of(
        self,
        row: Row,
        files: Mapping[str, Path],
        hashes: Mapping[str, Path],
        alike: Mapping[str, Sequence[str]],
    ) -> Path | None:
        """`alike` are names of files by their last part."""
        if not row.file:
            if row.sha256 in hashes:
                return hashes[row.sha256]
            if not (row.no_clip or (row.sha256 and row.url)):
                self.complain(
                    row,
                    "file",
                    "is missing",
                    "name the clip's file, or say in a column no_clip why there is none",
                )
            return None
        if row.no_clip:
            self.complain(row, "no_clip", "there is a file as well", "leave one of the two empty")
            return None
        path = files.get(row.file)
        if path is None:
            names = alike.get(row.file, ())
            if len(names) == 1:
                path = files[names[0]]
        if path is None:
            asked = len(self.complaints) < OFFERED_AT_MOST and len(row.file) <= SHOWN_CHARS
            near = asked and difflib.get_close_matches(row.file, files, n=1, cutoff=0.65)
            self.complain(
                row,
                "file",
                f"no file {shown(row.file)} in {self.project.relative(self.folder)}",
                f"did you mean {shown(near[0])}?" if near else "put it there, or take the line out",
            )
        return path

    def probe(self, files: Mapping[int, Path], on_progress: Progress | None) -> dict[Path, Facts]:
        """What each file holds. Complains of files that are no clips."""

        def look(path: Path) -> Facts | MediaError:
            try:
                return probe(path)
            except MediaError as error:
                return error

        facts: dict[Path, Facts] = {}
        with ThreadPoolExecutor(PROBES) as pool:
            looks = pool.map(look, files.values())
            for done, (path, found) in enumerate(zip(files.values(), looks, strict=True), start=1):
                if isinstance(found, MediaError):
                    text = str(found).removeprefix(f"{path}: ")
                    problem, _, remedy = text.partition("; ")
                    self.complaints.append(
                        Complaint(
                            where=self.project.relative(path),
                            problem=bounded(problem),
                            remedy=remedy or "export the clip anew as WebM or MP4",
                        )
                    )
                else:
                    facts[path] = found
                if on_progress:
                    on_progress("clips", done, len(files))
        return facts

    def check(self, files: Mapping[int, Path], facts: Mapping[Path, Facts]) -> None:
        """Complains where the table says another file than the one that is there.

        Frames and seconds are claims about the clip, not marks of the file: they may differ.
        """
        for row in self.table.rows:
            found = facts.get(files[row.line]) if row.line in files else None
            if found is None:
                if row.size is None and not row.file and (row.no_clip or row.url):
                    self.complain(
                        row,
                        "size",
                        "is missing",
                        "there is no file to take it from; write width x height",
                    )
                continue
            if row.size is not None and row.size != (found.width, found.height):
                self.complain(
                    row,
                    "size",
                    f"says {row.size[0]}x{row.size[1]}, the file holds "
                    f"{found.width}x{found.height}",
                    "mend the line, or put the right file there",
                )
            if row.sha256 and row.sha256 != found.sha256:
                self.complain(
                    row,
                    "sha256",
                    f"says {row.sha256}, the file's is {found.sha256}",
                    "put the file that was measured there, or mend the line",
                )
            if row.bytes is not None and row.bytes != found.bytes:
                self.complain(
                    row,
                    "bytes",
                    f"says {row.bytes}, the file holds {found.bytes}",
                    "put the file that was measured there, or mend the line",
                )
