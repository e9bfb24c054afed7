"""Everything that can go wrong, in one tree; only the command line catches it.

MatrixError                 exit code
├── ContentError      1     mistakes in what people wrote, all of them at once
├── MediaError        1     a file that is no clip, or not the clip it should be
├── FetchError        1     a download that did not arrive whole and right
├── PublishError      1     a site that must not be published
└── UsageError        2     a command that cannot be carried out as asked
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """One mistake: where it stands, what is wrong there, and what mends it.

    `where` is a path relative to the project with a line or a `$.path`:
    `content/runs/x/clips.csv line 7, steps` or `content/runs/x/run.toml $.pipeline`.
    """

    where: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.where}: {self.problem}; {self.remedy}"


class MatrixError(Exception):
    """Root of the tree."""

    exit_code = 1


class ContentError(MatrixError):
    """Mistakes in content/, collected over the whole run."""

    def __init__(self, complaints: Sequence[Complaint]) -> None:
        self.complaints = tuple(complaints)
        super().__init__("\n".join(str(complaint) for complaint in self.complaints))


class MediaError(MatrixError):
    """A file cannot serve as a clip. Each line reads `file: problem; remedy`."""


class FetchError(MatrixError):
    """A download failed; nothing was left under its final name. Lines as of MediaError."""


class PublishError(MatrixError):
    """The rendered site breaks one of its own promises; nothing was published. Lines as of
    MediaError; a line that ends with a colon introduces those below it."""


class UsageError(MatrixError):
    """The command cannot be carried out as asked."""

    exit_code = 2
