"""Find the W3C's HTML checker for the tests: `python tests/validator.py [--install]`.

Order: the environment's VNU_JAR, then the npm package vnu-jar beside the virtual environment.
With --install a missing one is fetched by npm, and a missing Java by apt-get as root.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from installing import NODE, by_apt, by_npm

VERSION = "26.9.27"
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
    if not shutil.which("java"):
        by_apt("default-jre-headless")
    if not JAR.is_file():
        by_npm(f"vnu-jar@{VERSION}")
    return find()


def main() -> int:
    """Print which checker the tests will use. Exit code 0 either way: the tests skip aloud."""
    found = find() or (install() if "--install" in sys.argv[1:] else None)
    print(f"HTML is checked by {found[-1]}" if found else REMEDY)
    return 0


if __name__ == "__main__":
    sys.exit(main())
