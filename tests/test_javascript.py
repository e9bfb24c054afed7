"""The pure modules under static/js/lib/, tested by Node's own runner (tests/js/*.test.mjs), and
what all scripts of the comparer weigh."""

from __future__ import annotations

import gzip
import re
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
JS = HERE.parent / "static" / "js"
OLDEST = 20
COMPARER_BYTES = 120_000
"""Compressed, all that it loads on any need."""


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


def test_the_comparer_weighs_no_more_than_it_may() -> None:
    """All that its parts name, at once or on need, workers and the vendored demuxer among them."""
    found: set[Path] = set()
    waiting = [JS / "elements" / name for name in ("clip-picker.js", "recent-comparisons.js")]
    while waiting:
        path = waiting.pop().resolve()
        if path not in found:
            found.add(path)
            named = re.findall(r"""['"`](\.{1,2}/[^'"`\s]+\.m?js)['"`]""", path.read_text("utf-8"))
            waiting += [path.parent / name for name in named]
    names = {path.name for path in found}

    assert {"clip-pair.js", "frames.js", "frames-worker.js", "elements.js"} < names
    assert any(name.startswith("mediabunny") for name in names)
    assert sum(len(gzip.compress(path.read_bytes(), 9)) for path in found) <= COMPARER_BYTES
