"""The log of training: lines of JSON, those of every run behind those before. No torch."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

__all__ = ["LOG", "Log", "carry_log", "read_log", "rounded"]

LOG = "log.jsonl"
"""Beside the weights."""


class Log:
    """Lines of JSON about one run, added to those of the runs before."""

    def __init__(self, path: Path, name: str, began: float, now: Callable[[], float]) -> None:
        self.path, self.began, self.now = path, began, now
        before = read_log(path)
        number = 1 + sum(line["event"] == "run" for line in before)
        self.id = f"{number}-{name}"

    @property
    def seconds(self) -> float:
        return self.now() - self.began

    def write(self, event: str, **facts: Any) -> None:
        line = {"run": self.id, "event": event, "seconds": round(self.seconds, 2), **facts}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def read_log(path: Path) -> list[dict[str, Any]]:
    """Every whole line; one that was cut short by an end of the machine is left out."""
    if not path.is_file():
        return []
    return list(_lines(path.read_text("utf-8")))


def _lines(text: str) -> Iterator[dict[str, Any]]:
    for line in text.splitlines():
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if isinstance(found, dict) and "event" in found:
            yield found


def carry_log(source: Path | None, out: Path) -> None:
    if source is not None and source != out and (source / LOG).is_file():
        shutil.copyfile(source / LOG, out / LOG)


def rounded(numbers: Mapping[str, float]) -> dict[str, float | None]:
    """To five digits; what is not finite as none, for JSON knows no other."""
    return {
        name: float(f"{value:.5g}") if math.isfinite(value) else None
        for name, value in numbers.items()
    }
