"""What `pip install` gives is enough to start a project and build it, without this checkout."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent


def run(*command: str, cwd: Path, path: Path | None = None) -> str:
    environment = {**os.environ, "PYTHONPATH": str(path) if path else "", "PYTHONSAFEPATH": "1"}
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_wheel_starts_and_builds_a_new_project(tmp_path: Path) -> None:
    """Templates, styles, fonts and starter files travel inside it."""
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "-q")
    wheels, installed = tmp_path / "wheels", tmp_path / "installed"
    run(
        *(*pip, "wheel", str(REPOSITORY), "--no-deps", "--no-build-isolation", "-w", str(wheels)),
        cwd=tmp_path,
    )
    (wheel,) = wheels.glob("*.whl")
    run(*pip, "install", "--no-deps", "--target", str(installed), str(wheel), cwd=tmp_path)
    python = (sys.executable, "-m", "generator")
    where = run(
        *(sys.executable, "-c", "import generator; print(generator.__file__)"),
        cwd=tmp_path,
        path=installed,
    )
    assert Path(where.strip()).is_relative_to(installed)
    run(*python, "new", "mine", cwd=tmp_path, path=installed)
    said = run(*python, "build", cwd=tmp_path / "mine", path=installed)
    assert "pages" in said
    assert (tmp_path / "mine" / "site" / "index.html").is_file()
