"""Processes that work beside a call of `neon_train.py` and end with it, however it ended: a child's
standard input is a pipe that closes then.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


class Children:
    """By name; those that cannot be started are told of, and the call does without."""

    def __init__(self, commands: Mapping[str, Sequence[str]], folder: Path) -> None:
        """`commands` write what they came to as JSON into `folder`, as `<name>.json`."""
        self.folder, self.children = folder, dict[str, subprocess.Popen[bytes]]()
        self.failed: dict[str, str] = {}
        folder.mkdir(parents=True, exist_ok=True)
        for name, command in commands.items():
            try:
                with (folder / f"{name}.txt").open("wb") as log:
                    self.children[name] = subprocess.Popen(
                        command, stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT
                    )
            except OSError as error:  # the call does its work without
                self.failed[name] = f"{type(error).__name__}: {error}"

    def running(self) -> list[str]:
        return [name for name, child in self.children.items() if child.poll() is None]

    def report(self) -> dict[str, Any]:
        """By name what was written, or how it ended and its last words, or that it runs."""
        found: dict[str, Any] = {name: {"failed": why} for name, why in self.failed.items()}
        for name, child in self.children.items():
            status = child.poll()
            if status is None:
                found[name] = {"running": True}
            elif status:
                said = (self.folder / f"{name}.txt").read_text("utf-8", errors="replace")
                found[name] = {"failed": f"exit status {status}", "said": said[-2000:]}
            else:
                with contextlib.suppress(OSError, ValueError):
                    found[name] = json.loads((self.folder / f"{name}.json").read_text("utf-8"))
        return found

    def stop(self) -> None:
        """End what still runs."""
        for child in self.children.values():
            assert child.stdin is not None
            with contextlib.suppress(OSError):
                child.stdin.close()
        for child in self.children.values():
            try:
                child.wait(3)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def until_the_parent_ends() -> None:
    """Ends this process when its standard input closes."""

    def wait() -> None:
        while os.read(0, 4096):
            pass
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def written(path: Path, data: bytes) -> None:
    """Whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partly = path.with_name(f"{path.name}.partial")
    partly.write_bytes(data)
    partly.replace(path)
