"""Hashes of files, kept from build to build, so that a file that has not changed is not read again.

A file counts as unchanged while its path, size, time and inode are those that were noted.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from pathlib import Path

from generator.kept import FRESH_NS, read_json, stamp, write_json


def sha256_of(path: Path) -> str:
    """Hash of a file's bytes, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Hashes:
    """The hashes of files, each taken at most once in the life of this object."""

    def __init__(self, store: Path | None = None, *, trusting: bool = True) -> None:
        """`store` keeps what is known from build to build; without trust it is not believed."""
        self._store = store
        self._kept: dict[str, list[object]] = _read(store) if store and trusting else {}
        self._taken: dict[str, str] = {}
        self._told: dict[str, list[object]] = {}

    def of(self, path: Path) -> str:
        name = os.path.abspath(path)  # noqa: PTH100
        if name not in self._taken:
            before = _mark(path)
            known = self._kept.get(name)
            if known is not None and known[:3] == before:
                self._taken[name] = str(known[3])
                self._told[name] = known
            else:
                self._taken[name] = sha256_of(path)
                settled = before[1] + FRESH_NS < time.time_ns()
                if settled and before == _mark(path):
                    self._told[name] = [*before, self._taken[name]]
        return self._taken[name]

    def save(self) -> None:
        """Keep what was taken for the next build; where that cannot be, it reads more."""
        if self._store is None or self._told == self._kept:
            return
        with contextlib.suppress(OSError):
            write_json(self._store, self._told)


def _mark(path: Path) -> list[int]:
    return list(stamp(path.stat()))


def _read(store: Path) -> dict[str, list[object]]:
    kept = read_json(store)
    return {name: mark for name, mark in kept.items() if isinstance(mark, list) and len(mark) == 4}
