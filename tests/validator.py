"""Find the W3C's HTML checker for the tests: `python tests/validator.py [--install]`.

Order: the environment's VNU_JAR, then the npm package vnu-jar beside the virtual environment.
With --install a missing one is fetched by npm, and a missing Java by apt-get as root.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from chromium import quietly

VERSION = "26.9.27"
NODE = Path(sys.prefix) / "node"
JAR = NODE / "node_modules" / "vnu-jar" / "build" / "dist" / "vnu.jar"
REMEDY = (
    f"no HTML checker found: install Java 11 or newer and npm, then `npm install --prefix "
    f"{NODE} vnu-jar@{VERSION}`, or name its jar in the variable VNU_JAR"
)


def find() -> tuple[str, ...] | None:
    """The command that starts the checker, or None."""
    java = shutil.which("java")
    jar = Path(os.environ.get("VNU_JAR") or JAR)
    return (java, "-jar", str(jar)) if java and jar.is_file() else None


def install() -> tuple[str, ...] | None:
    """Try to install what is missing; None when that could not be done."""
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    if not shutil.which("java") and shutil.which("apt-get") and root:
        quietly("apt-get", "update", "-qq")
        quietly(
            "apt-get", "install", "-y", "-qq", "--no-install-recommends", "default-jre-headless"
        )
    npm = shutil.which("npm")
    if npm and not JAR.is_file():
        NODE.mkdir(parents=True, exist_ok=True)
        package = f"vnu-jar@{VERSION}"
        quietly(npm, "install", "--no-audit", "--no-fund", "--prefix", str(NODE), package)
    return find()


def main() -> int:
    """Print which checker the tests will use. Exit code 0 either way: the tests skip aloud."""
    found = find() or (install() if "--install" in sys.argv[1:] else None)
    print(f"HTML is checked by {found[-1]}" if found else REMEDY)
    return 0


if __name__ == "__main__":
    sys.exit(main())
