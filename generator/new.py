"""A project of one's own, which builds at once: `new_project(folder)`.

The files are those of generator/starter/, word for word.
"""

from __future__ import annotations

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
        UsageError: something is in the folder already, or it cannot be written.
    """
    try:
        if folder.exists() and any(path.name != ".git" for path in folder.iterdir()):
            raise UsageError(
                f"{folder}: this folder is not empty; name a new one, or `ingest` clips into "
                "the project that is there"
            )
        return [_copy(path, folder) for path in sorted(STARTER.rglob("*")) if path.is_file()]
    except OSError as error:
        raise UsageError(
            f"{folder}: no project can be started there ({error.strerror}); name another folder"
        ) from error


def _copy(path: Path, folder: Path) -> Path:
    name = path.relative_to(STARTER)
    target = folder / name.with_name(RENAMED.get(name.name, name.name))
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(path.read_bytes())
    return target
