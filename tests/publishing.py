"""A site of given texts and files, published at once."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from generator.publish import write


def publish(
    texts: Mapping[str, str],
    files: Mapping[str, Path],
    site: Path,
    notes: Mapping[str, object] | None = None,
) -> bool:
    """As a build does; returns whether anything was different."""
    with write.drafting(site) as draft:
        for name, text in texts.items():
            draft.text(name, text)
        for name, path in files.items():
            draft.copy(name, path)
        return write.publish(draft, site, notes or {})


def tree(folder: Path) -> dict[str, str]:
    """Every file below a folder, by its name from there, with the hash of its bytes."""
    return {name: sha256(data) for name, data in contents(folder).items()}


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder with its bytes."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
