"""The pure modules under static/js/lib/, tested by Node's own runner: tests/js/*.test.mjs."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
OLDEST = 20


def node() -> str:
    """The program of a Node that has a test runner; skips aloud without one."""
    program = shutil.which("node")
    if program is None:
        pytest.skip(f"no node here: install Node.js {OLDEST} or newer")
    told = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=60)
    if int(told.stdout.removeprefix("v").split(".")[0]) < OLDEST:
        pytest.skip(f"node is {told.stdout.strip()}: install Node.js {OLDEST} or newer")
    return program


@pytest.mark.parametrize("path", sorted(HERE.glob("js/*.test.mjs")), ids=lambda path: path.name)
def test_what_node_says_of_a_pure_module(path: Path) -> None:
    done = subprocess.run(
        [node(), "--test", "--test-reporter=spec", str(path)],
        capture_output=True,
        encoding="utf-8",
        timeout=120,
    )
    assert done.returncode == 0, done.stdout
