"""Write a site beside the old one, then put it in its place in one step.

Whoever reads the folder sees the old site or the new one, never a mixture. Nothing is touched
when writing fails half-way.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from generator.errors import PublishError

MANIFEST = "manifest.json"
MANIFEST_VERSION = 1


@contextmanager
def only_builder(folder: Path) -> Iterator[None]:
    """Hold the builder's lock of a project's cache folder, or say who else builds.

    Raises:
        PublishError: another build is under way.
    """
    lock = FileLock(folder / "build.lock")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except OSError as error:
        if not isinstance(error, Timeout):
            raise PublishError(
                f"{folder}: cannot be written ({error.strerror}); it holds what builds keep, "
                "so make it a folder that can be written"
            ) from error
        raise PublishError(
            f"{folder}: another build of this project is under way; wait for it to end"
        ) from error
    try:
        yield
    finally:
        lock.release()


def publish(
    texts: Mapping[str, str],
    files: Mapping[str, Path],
    target: Path,
    *,
    notes: Mapping[str, object],
) -> dict[str, object]:
    """Make `target` hold exactly these texts and files and a manifest of them.

    `notes` go into the manifest per published path (what a derived file was made from).

    Raises:
        PublishError: the disk or a file did not allow it; `target` is as it was.
    """
    target = target.resolve()
    _refuse_what_is_not_ours(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _clear_leftovers(target)
        beside = Path(tempfile.mkdtemp(prefix=_beside(target), dir=target.parent))
    except OSError as error:
        raise PublishError(
            f"{target.parent}: cannot be written ({error.strerror}); nothing was published"
        ) from error
    try:
        manifest = _fill(beside, texts, files, notes)
        beside.chmod(0o755)
        _swap(beside, target)
    except OSError as error:
        shutil.rmtree(beside, ignore_errors=True)
        raise PublishError(
            f"{error.filename or target}: {error.strerror}; the site in {target} is as it was"
        ) from error
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise
    shutil.rmtree(beside, ignore_errors=True)
    return manifest


def _refuse_what_is_not_ours(target: Path) -> None:
    """A folder is replaced only when a build wrote every file in it."""
    if not target.exists():
        return
    if not target.is_dir():
        raise PublishError(f"{target}: is no folder; move it away")
    ours = _listed(target / MANIFEST)
    for path in target.rglob("*"):
        name = path.relative_to(target).as_posix()
        if not path.is_dir() and name not in ours:
            raise PublishError(
                f"{path}: no build put this file there; "
                "move it away, so that nothing of yours is lost"
            )


def _listed(manifest: Path) -> set[str]:
    """The names in a manifest of ours; none when it is no such manifest."""
    try:
        known = json.loads(manifest.read_text("utf-8"))
        if known["version"] == MANIFEST_VERSION:
            return {MANIFEST, *known["files"]}
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return set()


def _beside(target: Path) -> str:
    return f".{target.name}.matrix-archive-"


def _clear_leftovers(target: Path) -> None:
    """Remove what killed builds left beside the site; the builder's lock is held."""
    for stray in target.parent.glob(f"{_beside(target)}*"):
        shutil.rmtree(stray, ignore_errors=True)


def _fill(
    folder: Path,
    texts: Mapping[str, str],
    files: Mapping[str, Path],
    notes: Mapping[str, object],
) -> dict[str, object]:
    entries: dict[str, dict[str, object]] = {}
    both = sorted(set(texts) & set(files))
    if both:
        raise PublishError(f"two things would be published as {', '.join(both)}")
    for name in sorted({*texts, *files}):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name in texts:
            data = texts[name].encode()
            path.write_bytes(data)
            entries[name] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        else:
            shutil.copyfile(files[name], path)
            with path.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
            entries[name] = {"bytes": path.stat().st_size, "sha256": digest}
        if name in notes:
            entries[name]["made"] = notes[name]
    manifest: dict[str, object] = {"version": MANIFEST_VERSION, "files": entries}
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n", "utf-8")
    return manifest


def _swap(beside: Path, target: Path) -> None:
    """Put `beside` in the place of `target`; afterwards `beside` holds the old site, if any."""
    if not target.exists():
        beside.rename(target)
    elif not _exchange(beside, target):
        old = beside.with_name(beside.name + ".old")
        target.rename(old)
        try:
            beside.rename(target)
        except OSError:
            old.rename(target)
            raise
        shutil.rmtree(old, ignore_errors=True)


def _exchange(one: Path, other: Path) -> bool:
    """Swap two folders in one step, where the system can (Linux renameat2)."""
    if not sys.platform.startswith("linux"):
        return False
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is None:
        return False
    at_cwd, exchange = -100, 2
    done = renameat2(at_cwd, os.fsencode(one), at_cwd, os.fsencode(other), exchange)
    if done == 0:
        return True
    if ctypes.get_errno() in (errno.ENOSYS, errno.EINVAL, errno.EPERM):
        return False
    raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(other))
