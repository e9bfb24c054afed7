"""A project of one's own, which builds at once: `new_project(folder)`.

The files are those of generator/starter/, word for word.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from generator.errors import UsageError

__all__ = ["new_project"]

STARTER = Path(__file__).resolve().parent / "starter"
RENAMED = {"gitignore": ".gitignore"}
"""Kept under a name that has no effect where it lies."""


def new_project(folder: Path) -> list[Path]:
    """Start a project in `folder`, which is not there yet, empty, or a repository without files.

    Returns the files written.

    Raises:
        UsageError: something is in the folder already, or it cannot be written; nothing is left
            there then.
    """
    written: list[Path] = []
    made: list[Path] = []
    try:
        if folder.exists() and any(path.name != ".git" for path in folder.iterdir()):
            raise UsageError(
                f"{folder}: this folder is not empty; name a new one, or `ingest` clips into "
                "the project that is there"
            )
        for path in sorted(STARTER.rglob("*")):
            if path.is_file():
                _copy(path, _target(path, folder), written, made)
    except OSError as error:
        _take_back(written, made)
        raise UsageError(
            f"{folder}: no project can be started there ({error.strerror}); name another folder"
        ) from error
    except BaseException:
        _take_back(written, made)
        raise
    return written


def _target(path: Path, folder: Path) -> Path:
    name = path.relative_to(STARTER)
    return folder / name.with_name(RENAMED.get(name.name, name.name))


def _copy(path: Path, target: Path, written: list[Path], made: list[Path]) -> None:
    """Copy a file; what comes to be on the way is noted before it can fail."""
    absent = [parent for parent in target.parents if not parent.exists()]
    for parent in reversed(absent):
        made.append(parent)
        parent.mkdir()
    with target.open("xb") as file:
        written.append(target)
        file.write(path.read_bytes())


def _take_back(written: list[Path], made: list[Path]) -> None:
    """Remove what was begun, so that the next try finds the folder as this one did."""
    for path in written:
        path.unlink(missing_ok=True)
    for folder in reversed(made):
        with suppress(OSError):
            folder.rmdir()
