"""Derived files and facts, kept by content: what they were made from and how, never when or where.

An entry is a folder named by the hash of its source, its recipe and the ffmpeg that made it. It
is made beside its place under another name, checked, flushed to disk and renamed as the last
act, so an encode that was killed never counts as done.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from importlib import metadata
from pathlib import Path
from typing import Any

from generator.clips import ffmpeg
from generator.clips.disk import flush
from generator.clips.hashes import sha256_of
from generator.clips.probe import probe
from generator.errors import MediaError
from generator.kept import PARTIAL, read_json, write_json
from generator.records import Facts, Flag

Recipe = Mapping[str, Any]

FACTS_VERSION = 4
"""Raise it when facts are found otherwise than before, so that no file keeps old ones."""

SEAL = "entry.json"


def derived(
    cache: Path, *, source_sha256: str, recipe: Recipe, make: Callable[[Path], None]
) -> Path:
    """The folder that `make` fills by `recipe` from the source with this hash.

    `make` gets an empty folder, writes plain files into it, and raises when they are not what
    they should be; then nothing is kept. `recipe` is JSON and names everything that decides the
    bytes, its own version included; which ffmpeg makes them is added here.

    Raises:
        MediaError: nothing can be kept in `cache`; or whatever `make` raises.
    """
    terms = {"source": source_sha256, "recipe": dict(recipe), "ffmpeg": ffmpeg.version()}
    key = hashlib.sha256(_canonical(terms)).hexdigest()
    folder = cache / key[:2] / key
    if _whole(folder):
        return folder
    with _kept_in(cache):
        folder.parent.mkdir(parents=True, exist_ok=True)
        _sweep(folder.parent)
        with _own_folder(folder.parent) as own:
            partial = own / key
            partial.mkdir()
            make(partial)
            _seal(partial, terms)
            _put(partial, folder)
    return folder


def sealed(folder: Path) -> dict[str, str]:
    """Hash by name of the files in a folder that `derived` returned."""
    return {name: sha256 for name, (_, sha256) in read_json(folder / SEAL)["files"].items()}


def sealed_hash(path: Path, cache: Path) -> str | None:
    """The hash that a file in an entry of `cache` was sealed with; None for any other file."""
    if not path.is_relative_to(cache):
        return None
    kept = read_json(path.parent / SEAL).get("files", {}).get(path.name)
    return kept[1] if kept else None


def entries(cache: Path) -> list[Path]:
    """The folder of every entry that `derived` keeps."""
    return sorted(seal.parent for seal in cache.glob(f"??/*/{SEAL}"))


def drop_damaged(folder: Path) -> None:
    """Remove an entry that is not, byte for byte, what was sealed: then `derived` makes it anew.

    Raises:
        MediaError: it cannot be removed.
    """
    if not _intact(folder):
        with _kept_in(folder.parent.parent):
            shutil.rmtree(folder)


def cached_facts(path: Path, *, sha256: str | None, cache: Path) -> Facts:
    """What `path` holds, probed once for every content.

    `sha256` is the hash of the file where the caller has taken it.

    Raises:
        MediaError: `path` is no clip, or nothing can be kept in `cache`.
    """
    digest = sha256 or sha256_of(path)
    stored = cache / "facts" / f"{digest}.json"
    known = read_json(stored)
    if known.get("made_by") == _prober():
        return facts_from(digest, known)
    facts = probe(path, sha256=digest)
    with _kept_in(cache):
        write_json(stored, {"made_by": _prober(), **facts_to(facts)}, sort_keys=True, sync=True)
    return facts


@functools.cache
def _prober() -> str:
    return f"{FACTS_VERSION}, av {metadata.version('av')}"


@contextlib.contextmanager
def _kept_in(cache: Path) -> Iterator[None]:
    """What the disk refuses becomes one sentence with the cache's name, or the source's."""
    try:
        yield
    except OSError as error:
        named = error.filename
        if isinstance(named, str) and not Path(named).is_relative_to(cache):
            raise MediaError(
                f"{named}: cannot be read ({error.strerror}); check the file and its permissions"
            ) from error
        raise MediaError(
            f"{cache}: nothing can be kept there ({error.strerror or error}); "
            "make it a folder that can be written, with room on its disk"
        ) from error


# Entries


def _whole(folder: Path) -> bool:
    """The entry is there with every file it was sealed with, none of them cut."""
    files = read_json(folder / SEAL).get("files")
    return isinstance(files, dict) and all(
        isinstance(kept, list) and _size(folder / name) == kept[0] for name, kept in files.items()
    )


def _intact(folder: Path) -> bool:
    """As `_whole`, and every byte is as it was: all is read for it."""
    try:
        return _whole(folder) and all(
            sha256_of(folder / name) == sha256 for name, sha256 in sealed(folder).items()
        )
    except OSError:
        return False


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def _seal(folder: Path, terms: Recipe) -> None:
    """Flush everything in the folder to disk, with a list of it: sizes and hashes."""
    files = sorted(path for path in folder.iterdir())
    write_json(
        folder / SEAL,
        {**terms, "files": {path.name: [_size(path), sha256_of(path)] for path in files}},
        sort_keys=True,
        sync=True,
    )
    for path in files:
        flush(path)
    flush(folder)


def _put(partial: Path, folder: Path) -> None:
    """Give the entry its name; where somebody was quicker, theirs stays."""
    try:
        partial.rename(folder)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        if _whole(folder):
            return
        shutil.rmtree(folder)
        partial.rename(folder)
    flush(folder.parent)


@contextlib.contextmanager
def _own_folder(parent: Path) -> Iterator[Path]:
    """A folder of our own, locked while we live and removed afterwards."""
    while True:
        own = Path(tempfile.mkdtemp(prefix=PARTIAL, dir=parent))
        with _lock(own, wait=True):
            if not own.is_dir():  # swept before it was locked
                continue
            try:
                yield own
            finally:
                shutil.rmtree(own, ignore_errors=True)
            return


def _sweep(parent: Path) -> None:
    """Remove what killed makers left: folders of their own that nobody holds."""
    for left in parent.glob(f"{PARTIAL}*"):
        with _lock(left, wait=False) as abandoned:
            if abandoned:
                shutil.rmtree(left, ignore_errors=True)


@contextlib.contextmanager
def _lock(folder: Path, *, wait: bool) -> Iterator[bool]:
    """Hold a folder; False where somebody else does, it is gone, or the system has no locks."""
    try:
        import fcntl

        handle = os.open(folder, os.O_RDONLY)
    except (ImportError, OSError):
        yield False
        return
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except OSError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)


# JSON


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def facts_to(facts: Facts) -> dict[str, Any]:
    """Facts as JSON, but for the hash that they are known by."""
    return {
        **{
            name: getattr(facts, name)
            for name in (
                *("bytes", "container", "codec", "codecs", "profile", "pixel_format"),
                *("width", "height", "frame_count", "packet_bytes", "keyframes", "index_first"),
                *("ticks", "ticks_per_second"),
            )
        },
        "duration_s": str(facts.duration_s),
        "stated_rate_hz": None if facts.stated_rate_hz is None else str(facts.stated_rate_hz),
        "flags": [[flag.id, flag.text] for flag in facts.flags],
    }


def facts_from(sha256: str, known: Mapping[str, Any]) -> Facts:
    """Facts again, as `facts_to` wrote them."""
    rest = {name: value for name, value in known.items() if name != "made_by"}
    stated = rest["stated_rate_hz"]
    return Facts(
        **rest
        | {
            "sha256": sha256,
            "ticks": tuple(rest["ticks"]),
            "packet_bytes": tuple(rest["packet_bytes"]),
            "keyframes": tuple(rest["keyframes"]),
            "duration_s": Fraction(rest["duration_s"]),
            "stated_rate_hz": None if stated is None else Fraction(stated),
            "flags": tuple(Flag(id=name, text=text) for name, text in rest["flags"]),
        }
    )
