"""When a measurement was taken and of which code: what every result begins with; and in which
browser, where there is one."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def taken() -> dict[str, str | None]:
    """`measured_at` in UTC and `commit`; None where there is no git to ask."""
    try:
        commit = subprocess.run(
            ["git", "-C", str(ROOT), "rev-parse", "HEAD"],
            capture_output=True,
            text=True,
            check=False,
        ).stdout.strip()
    except OSError:
        commit = ""
    return {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit or None,
    }


def taken_in_chromium(
    version: str, flags: Sequence[str], in_software: str = "decoding"
) -> dict[str, Any]:
    """The same with the browser, how it was started and what it runs on."""
    return {
        **taken(),
        "browser": f"Chromium {version}, headless, software {in_software}",
        "browser_flags": list(flags),
        "system": f"{platform.system()} {platform.machine()}",
        "processors": os.cpu_count(),
    }
