"""The renderer of scenes as training takes it: the one place where the two meet."""

from __future__ import annotations

from generator.errors import UsageError
from generator.lab.train.data import Footage

__all__ = ["footage"]


def footage() -> Footage:
    """Raises UsageError while there is no renderer."""
    raise UsageError(
        "train neon: the renderer of scenes (generator/lab/train/scenes) is not part of this "
        "version; without it there is nothing to train on"
    )
