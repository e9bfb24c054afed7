"""Write a site beside the old one, then put it in its place in one step.

Whoever reads the folder sees the old site or the new one, never a mixture. Nothing is touched
when writing fails half-way.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import hashlib
import json
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock, Timeout

from generator.errors import PublishError
from generator.kept import Stamp, stamp

MANIFEST = "manifest.json"
MANIFEST_VERSION = 1
FILE_MODE, FOLDER_MODE = 0o644, 0o755
"""At least. What is published is for everybody to read: a web server is somebody else, and whoever
copies the folder copies its modes. The umask is for what people keep to themselves."""
NO_MOUNT = (
    "a finished site takes the old one's place in one step, which a mount does not allow; mount "
    "the folder above it, or build elsewhere and copy the site there"
)


@contextmanager
def only_builder(folder: Path, *, waiting: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold the builder's lock of a project's cache folder, or say who else builds.

    With `waiting`, another build is waited for; it is called once when there is one.

    Raises:
        PublishError: another build is under way, and is not waited for.
    """
    lock = FileLock(folder / "build.lock")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            if waiting is None:
                raise
            waiting()
            lock.acquire()
    except OSError as error:
        if not isinstance(error, Timeout):
            raise PublishError(
                f"{folder}: cannot be written ({error.strerror}), and holds what builds keep; "
                f"{_remedy(error)}"
            ) from error
        raise PublishError(
            f"{folder}: another build of this project is under way; wait for it to end, or "
            "give --wait"
        ) from error
    try:
        yield
    finally:
        lock.release()


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """One published file."""

    sha256: str
    stamp: Stamp


class Draft:
    """A site in the making, in a folder beside the one that is published.

    The folder may hold files already, of a site before: some are the published ones under another
    name, so none is ever written to.
    """

    def __init__(self, folder: Path, target: Path) -> None:
        self.folder = folder
        self.files: dict[str, Written] = {}
        self._target = target
        self._made: set[str] = set()
        self._before = {
            name: _public(entry.stat(follow_symlinks=False)) for name, entry in present(folder)
        }

    def text(self, name: str, text: str) -> None:
        """Write a text as UTF-8."""
        self.add({name: self.write(name, text)})

    def write(self, name: str, text: str) -> Written:
        """As `text`, but the draft is told of it by `add`: what another process writes."""
        data = text.encode()
        path = self._place(name)
        with _new(path, name) as stream:
            stream.write(data)
        return Written(sha256=hashlib.sha256(data).hexdigest(), stamp=stamp(os.lstat(path)))

    def add(self, files: Mapping[str, Written]) -> None:
        twice = sorted(name for name in files if name in self.files)
        if twice:
            raise _published_twice(", ".join(twice))
        self.files.update(files)

    def copy(self, name: str, source: Path, *, sha256: str | None = None) -> None:
        """Copy a file's bytes, hashing those that arrive.

        Raises:
            PublishError: they are others than those that `sha256` was taken of.
        """
        path = self._place(name)
        with source.open("rb") as stream:
            digest = hashlib.sha256()
            with _new(path, name) as out:
                while block := stream.read(1 << 20):
                    digest.update(block)
                    out.write(block)
        if sha256 not in (None, digest.hexdigest()):
            raise PublishError(
                f"{source}: holds other bytes than when it was made or first read, so it cannot "
                f"be published as {name}; run `python -m generator build --verify`, which reads "
                "every file again and makes anew what was damaged"
            )
        self.add({name: Written(sha256=digest.hexdigest(), stamp=stamp(os.lstat(path)))})

    def keep(self, name: str, known: Written) -> bool:
        """Take over the published file `name`, if it still is the one that `known` tells of."""
        if self._before.get(name) != known.stamp:
            old = f"{self._target}/{name}"
            try:
                if _public(os.lstat(old)) != known.stamp:
                    return False
                os.link(old, self._place(name))
            except OSError:
                return False
        self.add({name: known})
        return True

    def drop(self, name: str) -> None:
        """Undo one file."""
        (self.folder / name).unlink()
        self._before.pop(name, None)
        del self.files[name]

    def _place(self, name: str) -> str:
        """Where a file is to stand: nothing is there, its folder is. Text, for paths are slow by
        the thousand."""
        folder = name.rpartition("/")[0]
        path = f"{self.folder}/{name}"
        if folder not in self._made:
            if self._before:
                self._make_room(folder)
            (self.folder / folder).mkdir(parents=True, exist_ok=True)
            self._made.add(folder)
        if name in self._before:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)  # noqa: PTH108
        elif self._before and os.path.isdir(path):  # noqa: PTH112
            shutil.rmtree(path)
        return path

    def _make_room(self, folder: str) -> None:
        """Files of the site before that stand where folders are to be."""
        while folder:
            if folder in self._before:
                with contextlib.suppress(OSError):  # another printer made room before
                    (self.folder / folder).unlink()
            folder = folder.rpartition("/")[0]

    def tidy(self) -> None:
        """Remove what the folder held before and the draft does not."""
        emptied = set()
        for name in self._before.keys() - self.files.keys():
            with contextlib.suppress(OSError):
                os.unlink(f"{self.folder}/{name}")  # noqa: PTH108
            emptied.add(name.rpartition("/")[0])
        for folder in sorted(emptied, reverse=True):
            while folder:
                try:
                    os.rmdir(f"{self.folder}/{folder}")  # noqa: PTH106
                except OSError:
                    break
                folder = folder.rpartition("/")[0]

    def open_up(self) -> None:
        """Let everybody read the folders, whatever the umask."""
        folders = {""}
        for name in self.files:
            while name and (name := name.rpartition("/")[0]) not in folders:
                folders.add(name)
        for folder in folders:
            _open_up(f"{self.folder}/{folder}", FOLDER_MODE)

    def manifest(self, notes: Mapping[str, object]) -> str:
        """The manifest: every file with its bytes and hash, a line each; `notes` say of what and
        how a derived file was made."""
        lines = []
        as_json = json.JSONEncoder(sort_keys=True).encode  # one for all: there are thousands
        for name, written in sorted(self.files.items()):
            entry: dict[str, object] = {"bytes": written.stamp.bytes, "sha256": written.sha256}
            if name in notes:
                entry["made"] = notes[name]
            lines.append(f"{as_json(name)}: {as_json(entry)}")
        files = ",\n  ".join(lines)
        return f'{{\n "files": {{\n  {files}\n }},\n "version": {MANIFEST_VERSION}\n}}\n'


def _new(path: str, name: str) -> BinaryIO:
    try:
        file = open(path, "xb")  # noqa: PTH123, SIM115
    except FileExistsError:
        raise _published_twice(name) from None
    _open_up(path, FILE_MODE)
    return file


def _open_up(path: str, least: int) -> None:
    mode = stat.S_IMODE(os.stat(path).st_mode)  # noqa: PTH116
    if mode & least != least:
        os.chmod(path, mode | least)  # noqa: PTH101


def _public(status: os.stat_result) -> Stamp | None:
    """The stamp of a file that everybody may read; None where it is to be written anew."""
    return stamp(status) if stat.S_IMODE(status.st_mode) & FILE_MODE == FILE_MODE else None


def _published_twice(names: str) -> PublishError:
    return PublishError(f"two things would be published as {names}; give one another name")


@contextmanager
def drafting(target: Path, spare: Path | None = None) -> Iterator[Draft]:
    """A new site for the folder `target`, as yet without a file. `publish` puts it there; where
    that is not reached, nothing is left of it and `target` is as it was.

    The old site is kept as `spare`, where that is on the same disk, for the next draft to begin
    with: most of its files are the same, and many take seconds to link and to remove.

    Raises:
        PublishError: the disk or a file did not allow it, or `target` holds what no build made.
    """
    target = target.resolve()
    restore(target)
    _refuse_what_is_not_ours(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _clear_leftovers(target)
        beside = Path(tempfile.mkdtemp(prefix=_beside(target), dir=target.parent))
        if spare:
            _rename(spare, beside)
    except OSError as error:
        raise PublishError(
            f"{target.parent}: cannot be written ({error.strerror}), so nothing was published; "
            f"{_remedy(error)}"
        ) from error
    try:
        draft = Draft(beside, target)
        yield draft
    except OSError as error:
        raise PublishError(
            f"{error.filename or target}: {error.strerror or error}, and the site in {target} is "
            f"as it was; {_remedy(error)}"
        ) from error
    else:
        if spare:
            _rename(beside, spare)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _remedy(error: OSError) -> str:
    if error.errno == errno.EBUSY:
        return NO_MOUNT.rpartition("; ")[2]
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "make room on its disk, and build again"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "make it a folder that can be written, and build again"
    return "mend that, and build again"


def restore(target: Path) -> None:
    """Put the old site back, where a build was killed after it took that out of the way and before
    its own stood there (on systems that cannot exchange two folders). The builder's lock is held.
    """
    target = target.resolve()
    if not target.exists():
        for old in sorted(target.parent.glob(f"{_beside(target)}*{OLD}")):
            old.rename(target)
            return


def _rename(folder: Path, to: Path) -> None:
    """Rename a folder where that is possible."""
    with contextlib.suppress(OSError):
        folder.rename(to)


def publish(draft: Draft, target: Path, notes: Mapping[str, object]) -> bool:
    """Put the draft in the place of `target` in one step, with a manifest.

    `notes` go into the manifest per published path. Returns whether anything was different:
    a site that is the same already stays where it is.
    """
    target = target.resolve()
    draft.tidy()
    manifest = draft.manifest(notes)
    if _same(draft, target, manifest):
        digest = hashlib.sha256(manifest.encode()).hexdigest()
        draft.files[MANIFEST] = Written(sha256=digest, stamp=stamp((target / MANIFEST).stat()))
        return False
    draft.text(MANIFEST, manifest)
    draft.open_up()
    _swap(draft.folder, target)
    return True


def _same(draft: Draft, target: Path, manifest: str) -> bool:
    """The published manifest is this one, and every file is the very one in the draft."""
    try:
        if (target / MANIFEST).read_text("utf-8") != manifest:
            return False
        return all(
            stamp((target / name).stat(follow_symlinks=False)) == written.stamp
            for name, written in draft.files.items()
        )
    except (OSError, ValueError):
        return False


def present(target: Path) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Every file below a folder, by its published name."""
    folders = [("", str(target))]
    while folders:
        prefix, folder = folders.pop()
        with os.scandir(folder) as entries:
            for entry in entries:
                name = prefix + entry.name
                if entry.is_dir(follow_symlinks=False):
                    folders.append((f"{name}/", entry.path))
                else:
                    yield name, entry


def _refuse_what_is_not_ours(target: Path) -> None:
    """A folder is replaced only when a build wrote every file in it."""
    if not target.exists():
        return
    if not target.is_dir():
        raise PublishError(f"{target}: is no folder; move it away")
    if os.path.ismount(target):
        raise PublishError(f"{target}: is a mount: {NO_MOUNT}")
    ours = _listed(target / MANIFEST)
    for name, entry in present(target):
        if name not in ours:
            raise PublishError(
                f"{entry.path}: no build put this file there; "
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


OLD = ".old"
"""Ending of the old site's name while the new one takes its place."""


def _beside(target: Path) -> str:
    return f".{target.name}.matrix-archive-"


def _clear_leftovers(target: Path) -> None:
    """Remove what killed builds left beside the site; the builder's lock is held."""
    for stray in target.parent.glob(f"{_beside(target)}*"):
        shutil.rmtree(stray, ignore_errors=True)


def _swap(beside: Path, target: Path) -> None:
    """Put `beside` in the place of `target`; afterwards `beside` holds the old site, if any."""
    if not target.exists():
        beside.rename(target)
    elif not _exchange(beside, target):
        old = beside.with_name(beside.name + OLD)
        target.rename(old)
        try:
            beside.rename(target)
        except OSError:
            old.rename(target)
            raise
        old.rename(beside)


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
