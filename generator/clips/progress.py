"""How long work tells of itself."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Told of long work: what is done, how many of how many."""

    def __call__(self, stage: str, done: int, total: int) -> None: ...


def silent(stage: str, done: int, total: int) -> None:
    """Progress that nobody watches."""
