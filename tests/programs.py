"""Programs that a test starts: who still runs, how to wait, and what an interrupt is to them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path


def until(condition: Callable[[], object], what: str, seconds: float = 60) -> None:
    """Wait for a condition; fail with `what` when it does not come."""
    deadline_s = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline_s, what
        time.sleep(0.05)


def heed_interrupts() -> None:
    """As at a terminal: programs started in the background ignore Ctrl-C, and so do theirs."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def running(*marks: str) -> dict[int, str]:
    """Number and command line of every process whose command line holds all marks; no zombies."""
    found = {}
    for folder in Path("/proc").iterdir():
        try:
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if folder.name.isdigit() and all(mark in line for mark in marks):
            found[int(folder.name)] = line
    found.pop(os.getpid(), None)
    return found


def until_gone(*marks: str) -> None:
    """Wait until no process has these marks; end those that do not go, and fail."""
    try:
        until(lambda: not running(*marks), "a process outlived the work that started it", 10)
    except AssertionError:
        for pid in running(*marks):
            os.kill(pid, signal.SIGKILL)
        raise
