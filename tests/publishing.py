"""A site of given texts and files, published at once."""

from __future__ import annotations

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
