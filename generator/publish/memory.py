"""What a build remembers for the next one, so that it does again only what has changed.

Nothing here decides what a site holds: it spares work whose outcome is known. A file counts as
known while its path, size, time and inode are those that were noted. What cannot be read, or was
written by another version, is forgotten, and everything is done anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from generator.kept import FRESH_NS, Stamp, read_json, stamp, write_json
from generator.publish.check import Outline
from generator.publish.write import Written, present

VERSION = 1


@dataclass(slots=True, kw_only=True)
class Memory:
    """One finished build."""

    inputs: str = ""
    """Digest of everything that was read, by path, size, time and inode; "" for not known."""
    sheets: dict[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)
    """Sheet to its digest and the files that it became."""
    files: dict[str, Written] = field(default_factory=dict)
    outlines: dict[str, Outline] = field(default_factory=dict)
    report: dict[str, int] = field(default_factory=dict)
    lost: list[dict[str, str]] = field(default_factory=list)
    """Where, problem and remedy of every clip whose file was gone."""


def may_tell_of(file: Path, read: str) -> bool:
    """Whether the memory begins as one of a build with these inputs does: `recall` reads it all."""
    known = {"version": VERSION, "inputs": read}
    head = json.dumps(known, separators=(",", ":")).removesuffix("}").encode()
    try:
        with file.open("rb") as stream:
            return stream.read(len(head)) == head
    except OSError:
        return False


def recall(file: Path) -> Memory:
    """The last build's memory; an empty one where there is none."""
    try:
        kept = read_json(file)
        if kept["version"] != VERSION:
            return Memory()
        names, targets = kept["names"], [tuple(target) for target in kept["targets"]]
        return Memory(
            inputs=kept["inputs"],
            sheets={
                name: (digest, tuple(names[i] for i in made))
                for name, (digest, made) in kept["sheets"].items()
            },
            files={
                name: Written(sha256=sha256, stamp=Stamp(*rest))
                for name, (sha256, *rest) in kept["files"].items()
            },
            outlines={
                name: Outline(
                    ids=frozenset(names[i] for i in ids),
                    targets=frozenset(targets[i] for i in led),
                    sound=True,
                )
                for name, (ids, led) in kept["outlines"].items()
            },
            report=kept["report"],
            lost=kept["lost"],
        )
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return Memory()


def remember(file: Path, memory: Memory) -> None:
    """Keep a finished build's memory; where it cannot be kept, the next build is a slower one."""
    names: dict[str, int] = {}
    targets: dict[tuple[str, str], int] = {}

    def number(known: dict[Any, int], values: Iterable[Any]) -> list[int]:
        return [known.setdefault(value, len(known)) for value in values]

    kept = {
        "version": VERSION,  # these two first: see `may_tell_of`
        "inputs": memory.inputs,
        "sheets": {
            name: [digest, number(names, made)] for name, (digest, made) in memory.sheets.items()
        },
        "files": {name: [written.sha256, *written.stamp] for name, written in memory.files.items()},
        "outlines": {
            name: [number(names, page.ids), number(targets, page.targets)]
            for name, page in memory.outlines.items()
        },
        "report": memory.report,
        "lost": memory.lost,
        "names": list(names),
        "targets": list(targets),
    }
    with contextlib.suppress(OSError):
        write_json(file, kept)


def inputs(places: Sequence[Path], terms: Mapping[str, Any]) -> str:
    """Digest of every file in or below `places`, told by path, size, time and inode, and of
    `terms`, which are JSON; "" when a file is too fresh to be told so, or a folder is a link."""
    now = time.time_ns()
    digest = hashlib.blake2b(json.dumps(terms, sort_keys=True).encode(), digest_size=16)
    try:
        for place in places:
            for path, status in sorted(_statuses(place)):
                if now - status.st_mtime_ns < FRESH_NS:
                    return ""
                digest.update(os.fsencode(f"{path}\0{tuple(stamp(status))}\0"))
    except _Untold:
        return ""
    return digest.hexdigest()


class _Untold(Exception):  # noqa: N818
    """A link to a folder: what lies behind it is not watched."""


def _statuses(place: Path) -> Iterable[tuple[str, os.stat_result]]:
    """Files below a folder; a file itself; nothing where nothing is."""
    if not place.is_dir():
        with contextlib.suppress(OSError):
            yield str(place), place.stat()
        return
    for here, folders, files in os.walk(place):
        folders[:] = [name for name in folders if name != "__pycache__"]
        for name in folders:
            if os.path.islink(os.path.join(here, name)):  # noqa: PTH114, PTH118
                raise _Untold
        for name in files:
            path = os.path.join(here, name)  # noqa: PTH118
            with contextlib.suppress(OSError):
                yield path, os.stat(path)  # noqa: PTH116


def stands(target: Path, memory: Memory) -> bool:
    """The published site is the one that `memory` tells of, file for file."""
    left = dict(memory.files)
    try:
        for name, entry in present(target):
            known = left.pop(name, None)
            if known is None or stamp(entry.stat(follow_symlinks=False)) != known.stamp:
                return False
        return not left
    except OSError:
        return False
