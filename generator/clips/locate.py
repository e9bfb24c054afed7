"""Where a clip's file is: found by its sha256, never by trusting a name.

Looks into the run's media/ folder, then among downloaded originals, then into mirror folders.
Files are hashed only when they are needed, each at most once in the life of a `Library`.
"""

from __future__ import annotations

import os
import stat
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from generator.clips.hashes import Hashes
from generator.errors import Complaint, ContentError
from generator.records import Clip

__all__ = [
    *("CLIP_SUFFIXES", "Library", "at_hand", "lfs_oid"),
    *("locate", "why_refused"),
]

CLIP_SUFFIXES = (".mp4", ".m4v", ".mov", ".webm", ".mkv")
"""How names of clips end, in small letters."""

MAX_CLIP_BYTES = 2 << 30
"""A larger file is no clip: it is neither downloaded nor looked at in a mirror."""

LFS_SIGNATURE = b"version https://git-lfs"
LFS_POINTER_MAX_BYTES = 1024
HASHING_THREADS = 2


def locate(
    clips: Iterable[Clip],
    *,
    runs: Mapping[str, Path],
    fetched: Path,
    mirrors: Sequence[Path] = (),
    hashes: Hashes | None = None,
) -> dict[str, Path]:
    """Clip id to file, for every clip whose file is at hand.

    `runs` are the folders of runs by id, `fetched` holds downloads named by their sha256,
    `mirrors` are folders of files under any name.

    Raises:
        ContentError: with every file that stands where a row says but is not what the row says,
            and every Git LFS pointer that stands in a clip's place.
    """
    library = Library(fetched=fetched, mirrors=mirrors, hashes=hashes)
    files = _of_all_runs(library, clips, runs)
    if library.complaints:
        raise ContentError(library.complaints)
    return files


def at_hand(clips: Iterable[Clip], *, runs: Mapping[str, Path], fetched: Path) -> dict[str, Path]:
    """As `locate`, for whoever can get what is missing: a wrong file counts as none."""
    return _of_all_runs(Library(fetched=fetched), clips, runs)


def _of_all_runs(
    library: Library, clips: Iterable[Clip], runs: Mapping[str, Path]
) -> dict[str, Path]:
    by_run: dict[str, list[Clip]] = defaultdict(list)
    for clip in clips:
        by_run[clip.run].append(clip)
    return {
        name: path
        for run, rows in by_run.items()
        for name, path in library.locate(rows, runs[run]).items()
    }


class Library:
    """The folders that clips may lie in, and the hashes that were taken of their files."""

    def __init__(
        self, *, fetched: Path, mirrors: Sequence[Path] = (), hashes: Hashes | None = None
    ) -> None:
        self.complaints: list[Complaint] = []
        self._fetched = fetched
        self._mirrors = tuple(mirrors)
        self._hashes = hashes or Hashes()
        self._refused: dict[str, tuple[str, str] | None] = {}
        self._listings: dict[Path, list[Path]] = {}

    def locate(self, clips: Sequence[Clip], run_folder: Path) -> dict[str, Path]:
        """Files of `clips`, which are rows of the run in `run_folder`; complaints are kept."""
        found: dict[str, Path] = {}
        wanted: dict[str, Clip] = {}
        for clip in clips:
            if clip.no_clip:
                continue
            path, complaint = self._named(clip, run_folder)
            if complaint is not None:
                self.complaints.append(complaint)
            elif path is not None:
                found[clip.id] = path
            elif clip.sha256:
                wanted[clip.id] = clip
        pointers: dict[str, Path] = {}
        for folder in (run_folder / "media", self._fetched, *self._mirrors):
            for name, clip in list(wanted.items()):
                path = self._downloaded(clip) if folder == self._fetched else self._in(folder, clip)
                if path is None:
                    continue
                if self._hashes.of(path) == clip.sha256:
                    found[name] = path
                    del wanted[name]
                else:
                    pointers.setdefault(name, path)
        self.complaints += [
            Complaint(
                where=_row(wanted[name], run_folder, "sha256"), problem=problem, remedy=remedy
            )
            for name, path in pointers.items()
            if name in wanted
            for problem, remedy in [_pointer(path)]
        ]
        return found

    def _named(self, clip: Clip, run_folder: Path) -> tuple[Path | None, Complaint | None]:
        """The file that the row names, when it is there and is what the row says."""
        if not clip.file:
            return None, None
        media = run_folder / "media"
        path = media / clip.file
        place = str(path)  # paths are slow to look up by the thousand
        if place not in self._refused:  # rows may share a file
            if not os.path.lexists(place):
                return None, None
            self._refused[place] = why_refused(path, media)
        refused = self._refused[place]
        if refused is not None:
            problem, remedy = refused
            return None, Complaint(
                where=_row(clip, run_folder, "file"), problem=problem, remedy=remedy
            )
        if clip.sha256 and self._hashes.of(path) != clip.sha256:
            return None, Complaint(
                where=_row(clip, run_folder, "sha256"),
                problem=f'"{clip.file}" is another file: its sha256 is {self._hashes.of(path)}, '
                f"the row says {clip.sha256}",
                remedy="put the file that was measured there, or mend the row if it is this one",
            )
        return path, None

    def _downloaded(self, clip: Clip) -> Path | None:
        """The downloaded original. Its name is its hash, yet disks rot, so the hash is taken;
        a damaged copy is none, and `fetch` replaces it."""
        for path in self._list(self._fetched):
            if path.name.partition(".")[0] == clip.sha256 and self._hashes.of(path) == clip.sha256:
                return path
        return None

    def _in(self, folder: Path, clip: Clip) -> Path | None:
        """A file of `folder` with the clip's hash, else a Git LFS pointer to it.

        Files of the clip's name are hashed first: a large mirror need not be read whole.
        """
        files = self._list(folder)
        names = _likely_names(clip)
        likely = [path for path in files if path.name in names]
        for batch in (likely, files):
            self._hash_all(batch)
            for path in batch:
                if self._hashes.of(path) == clip.sha256:
                    return path
        return next((path for path in files if lfs_oid(path) == clip.sha256), None)

    def _list(self, folder: Path) -> list[Path]:
        """Readable files of a folder and of the folders in it, in a fixed order; nothing hidden
        and nothing that leads out of the folder."""
        if folder not in self._listings:
            self._listings[folder] = [
                path
                for path in _walk(folder)
                if why_refused(path, folder, pointers=True) is None
                and os.access(path, os.R_OK)
                and path.stat().st_size <= MAX_CLIP_BYTES
            ]
        return self._listings[folder]

    def _hash_all(self, paths: Sequence[Path]) -> None:
        """Hashes of many files, several at a time."""
        with ThreadPoolExecutor(HASHING_THREADS) as pool:
            for _ in pool.map(self._hashes.of, paths):
                pass


def lfs_oid(path: Path) -> str | None:
    """The sha256 that a Git LFS pointer stands for; None when the file is no pointer."""
    if path.stat().st_size > LFS_POINTER_MAX_BYTES:
        return None
    text = path.read_bytes()
    if not text.startswith(LFS_SIGNATURE):
        return None
    for line in text.decode("utf-8", "replace").splitlines():
        if line.startswith("oid sha256:"):
            return line.removeprefix("oid sha256:").strip()
    return ""


def why_refused(path: Path, folder: Path, *, pointers: bool = False) -> tuple[str, str] | None:
    """(problem, remedy) when `path` must not be read as a clip of `folder`; None when it may.

    Links are followed, but not out of the folder; only regular files are opened. Git LFS
    pointers pass when `pointers` is set.
    """
    if _is_plainly_inside(path, folder):
        return None
    real = Path(os.path.realpath(path))  # a loop of links ends at itself
    name = path.relative_to(folder)
    if not real.is_relative_to(os.path.realpath(folder)):
        return f'"{name}" leads out of its folder', "put the file itself there instead of a link"
    if not real.is_file():
        return f'"{name}" is no file', "put the clip's file there"
    if not pointers and lfs_oid(real) is not None:
        return _pointer(path)
    return None


def _is_plainly_inside(path: Path, folder: Path) -> bool:
    """A regular file right in the folder, too large for a pointer: what `why_refused` finds out
    step by step, of nearly every clip and at once."""
    if path.parent != folder:
        return False
    try:
        status = path.lstat()
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and status.st_size > LFS_POINTER_MAX_BYTES


def _pointer(path: Path) -> tuple[str, str]:
    return (
        f'"{path.name}" is a Git LFS pointer and not the clip itself',
        "run `git lfs pull`; where Netlify builds, set GIT_LFS_ENABLED=true",
    )


def _walk(folder: Path) -> Iterator[Path]:
    for here, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith("."):
                yield Path(here) / name


def _likely_names(clip: Clip) -> set[str]:
    names = {PurePosixPath(clip.file).name} if clip.file else set()
    if clip.url:
        names.add(PurePosixPath(unquote(urlsplit(clip.url).path)).name)
    return names


def _row(clip: Clip, run_folder: Path, column: str) -> str:
    """As the catalogue names places: content/runs/<run>/clips.csv line N, column."""
    table = Path(*run_folder.parts[-3:], "clips.csv").as_posix()
    return f"{table} line {clip.line}, {column}"
