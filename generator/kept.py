"""What is kept from build to build: JSON files that are whole or not there, and what tells
without reading that a file is still the same."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

FRESH_NS = 20_000_000
"""A file changed less than this before it was looked at might change again and keep its time:
what is known of it is not trusted."""
PARTIAL = "partial-"


class Stamp(NamedTuple):
    """What tells without reading that a file is the one that it was."""

    bytes: int
    mtime_ns: int
    inode: int


def stamp(status: os.stat_result) -> Stamp:
    return Stamp(status.st_size, status.st_mtime_ns, status.st_ino)


def read_json(path: Path) -> dict[str, Any]:
    """What the file says; {} where it is missing or no JSON object."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def write_json(path: Path, value: object, *, sort_keys: bool = False, sync: bool = False) -> None:
    """Write a file that is whole or not there; where `sync` is set, even after a power cut.

    Raises:
        OSError: the disk did not allow it; nothing is left of it then.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(value, sort_keys=sort_keys, separators=(",", ":"), ensure_ascii=False)
    with tempfile.NamedTemporaryFile(
        prefix=PARTIAL, suffix=path.name, dir=path.parent, delete=False
    ) as file:
        try:
            file.write(text.encode("utf-8", "surrogatepass"))
            file.flush()
            if sync:
                os.fsync(file.fileno())
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise
    Path(file.name).replace(path)
