"""What a build did, for whoever asks later: a file of JSON lines in .cache/logs/.

Each line is written as it happens, so a killed build leaves all that it did, and no "end". A log
that cannot be written keeps no build from going on, and is said once that went well: of one that
failed, its own error is what matters. Nothing here enters site/.
"""

from __future__ import annotations

import json
import os
import platform
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from threading import Lock
from typing import TextIO

from generator.answer import errors_of, exit_code_of
from generator.clips import ffmpeg
from generator.clips.progress import Progress
from generator.errors import MatrixError

VERSION = 1
KEPT = 20
"""Logs of that many builds stay."""
ENDING = "-build.jsonl"


class Logbook:
    """Writes lines as long as it can; told of progress, it times every stage."""

    def __init__(self, path: Path, file: TextIO | None, trouble: str = "") -> None:
        self._path, self._file = path, file
        self.trouble = trouble
        """Why the log is not whole; "" where it is."""
        self._lock = Lock()
        self._result: dict[str, object] = {}
        self._began_s: dict[str, float] = {}
        self._ended_s = time.monotonic()
        """When the last stage ended: from then the next one is at work."""

    def write(self, event: str, **facts: object) -> None:
        """One line: when, what, and facts about it."""
        moment = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = json.dumps({"at": moment, "event": event, **facts}, default=str)
        with self._lock:
            if self._file is None:
                return
            try:
                self._file.write(line + "\n")
            except OSError as error:
                self.close()
                self.trouble = f"{self._path}: the log breaks off here ({error.strerror or error})"

    def warn(self, text: str) -> None:
        """Something that did not keep the build from going on."""
        self.write("warning", text=text)

    def result(self, **facts: object) -> None:
        """What the last line says of a build that went well."""
        self._result = facts

    def telling(self, progress: Progress) -> Progress:
        """`progress`, listened to: a line when a stage begins, and one with its seconds."""

        def tell(stage: str, done: int, total: int) -> None:
            progress(stage, done, total)
            now_s = time.monotonic()
            if stage not in self._began_s:
                self._began_s[stage] = now_s if done == 0 else self._ended_s
                self.write("begin", stage=stage, total=total)
            if done == total:
                self._ended_s = now_s
                seconds = round(now_s - self._began_s.pop(stage), 3)
                self.write("done", stage=stage, total=total, seconds=seconds)

        return tell

    def close(self) -> None:
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
            self._file = None


@contextmanager
def kept(
    folder: Path,
    *,
    file: Path | None,
    project: Path,
    options: Mapping[str, object],
    complain: Callable[[str], None],
) -> Iterator[Logbook]:
    """A log of the work inside: in a file of its own in `folder`, or at the end of `file`.

    An error goes through it, after it was written down.
    """
    started_s = time.monotonic()
    book = _open(folder, file)
    book.write("start", version=VERSION, **_surroundings(), project=project, options=options)
    try:
        yield book
    except BaseException as error:
        for entry in errors_of(error):
            book.write("error", **entry)
        if not isinstance(error, MatrixError | OSError | KeyboardInterrupt):
            book.write("fault", traceback=traceback.format_exc())
        code: dict[str, object] = {"exit_code": exit_code_of(error)}
        book.write("end", **code, seconds=round(time.monotonic() - started_s, 3))
        raise
    else:
        seconds = round(time.monotonic() - started_s, 3)
        book.write("end", exit_code=0, seconds=seconds, **book._result)
        if book.trouble:
            complain(book.trouble)
    finally:
        book.close()


def _open(folder: Path, file: Path | None) -> Logbook:
    path = file or folder
    try:
        if file is None:
            folder.mkdir(parents=True, exist_ok=True)
            path, stream = _new(folder)
            _forget_old(folder)
        else:
            stream = file.open("a", encoding="utf-8", buffering=1, newline="\n")
    except OSError as error:
        trouble = f"{path}: no log can be written there ({error.strerror or error})"
        return Logbook(path, None, trouble)
    return Logbook(path, stream)


def _new(folder: Path) -> tuple[Path, TextIO]:
    """A file that nobody else writes, named by the time and, where clocks agree, a number."""
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    for number in range(1, 1000):
        path = folder / f"{moment}{f'.{number}' if number > 1 else ''}{ENDING}"
        with suppress(FileExistsError):
            return path, path.open("x", encoding="utf-8", buffering=1, newline="\n")
    raise FileExistsError(f"{moment}: too many logs of one moment")


def _forget_old(folder: Path) -> None:
    for path in sorted(folder.glob(f"*{ENDING}"))[:-KEPT]:
        with suppress(OSError):
            path.unlink()


def _surroundings() -> dict[str, object]:
    """Which programs are at work."""
    versions: dict[str, object] = {"python": platform.python_version()}
    with suppress(metadata.PackageNotFoundError):
        versions["generator"] = metadata.version("matrix-archive")
    with suppress(MatrixError):  # the build itself will say so, if it needs one
        versions["ffmpeg"] = ffmpeg.version()
    return {"process": os.getpid(), "system": platform.platform(), "versions": versions}
