"""The static tree under one fingerprint, so that its modules may import each other by name."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from generator.errors import PublishError
from generator.intake import leads_out


def collect(trees: Sequence[Path]) -> tuple[str, dict[str, Path]]:
    """All files of the static trees, later trees laid over earlier ones.

    Returns:
        The published prefix (`assets/<hash16>/`, a hash of every name and byte) and
        published path -> source path.
    """
    found: dict[str, Path] = {}
    for tree in trees:
        if not tree.is_dir():
            raise PublishError(f"{tree}: no static folder there; restore it or reinstall")
        for path in sorted(tree.rglob("*")):
            name = path.relative_to(tree).as_posix()
            if path.is_file() and not any(part.startswith(".") for part in Path(name).parts):
                if leads_out(path, tree):
                    raise PublishError(
                        f"{path}: leads out of the static folder; put the file itself there"
                    )
                found[name] = path
    digest = hashlib.sha256()
    for name, path in sorted(found.items()):
        digest.update(name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    prefix = f"assets/{digest.hexdigest()[:16]}/"
    return prefix, {prefix + name: path for name, path in sorted(found.items())}
