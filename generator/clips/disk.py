"""Folders that several runs share: one holder at a time, and bytes that outlive a power cut."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

__all__ = ["alone", "flush"]


@contextmanager
def alone(lock: Path) -> Iterator[bool]:
    """Hold the lock that is named by a file; False where another run holds it.

    The lock dies with the process; its file stays. Raises OSError where none can be made.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    held = FileLock(lock)
    try:
        held.acquire(timeout=0)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        held.release()


def flush(path: Path) -> None:
    """fsync a file or, where the system allows it, a folder."""
    if os.name == "nt":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
