"""Install what the tests drive, where that is allowed; whether it worked is seen by what is there.

Nothing here fails: what could not be installed is what a test then skips for, aloud.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

NODE = Path(sys.prefix) / "node"
"""Where npm's packages go: beside the virtual environment's own."""


def by_apt(*packages: str, recommended: bool = False) -> None:
    """As root, on a system that has apt-get; with what the packages recommend where asked."""
    if shutil.which("apt-get") and hasattr(os, "geteuid") and os.geteuid() == 0:
        quietly("apt-get", "update", "-qq")
        options = () if recommended else ("--no-install-recommends",)
        quietly("apt-get", "install", "-y", "-qq", *options, *packages)


def by_npm(package: str) -> None:
    """One package and version, into NODE."""
    npm = shutil.which("npm")
    if npm:
        NODE.mkdir(parents=True, exist_ok=True)
        quietly(npm, "install", "--no-audit", "--no-fund", "--prefix", str(NODE), package)


def quietly(*command: str) -> None:
    """Run an installer without its talk."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
    )
