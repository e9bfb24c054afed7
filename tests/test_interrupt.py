"""Ctrl-C and `kill` end a build at once: nothing keeps running, and the old site stays."""

from __future__ import annotations

import hashlib
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from generator.cli import main

SAMPLE = Path(__file__).resolve().parent / "sample"
pytestmark = pytest.mark.skipif(
    not Path("/proc/self/environ").exists(), reason="needs /proc to look for what still runs"
)


def tree(site: Path) -> dict[str, str]:
    return {
        path.relative_to(site).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in site.rglob("*")
        if path.is_file()
    }


def encoders(root: Path) -> list[str]:
    """Command lines of programs that write below `root`."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if folder.name.isdigit() and "ffmpeg" in line and str(root) in line:
            found.append(line)
    return found


def until(condition, what: str, seconds: float = 30) -> None:  # type: ignore[no-untyped-def]
    deadline_s = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline_s, what
        time.sleep(0.05)


def heed_interrupts() -> None:
    """As at a terminal: programs started in the background ignore Ctrl-C, and so do theirs."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_build_ends_its_encoders_and_keeps_the_site(
    tmp_path: Path, how: signal.Signals
) -> None:
    root = tmp_path / "sample"
    shutil.copytree(SAMPLE, root)
    assert main(["build", "--root", str(root)]) == 0
    before = tree(root / "site")
    table = root / "content" / "runs" / "cards" / "clips.csv"
    table.write_text(table.read_text() + "long,declared,test-card,,1920x1080,30,130\n")
    command = (sys.executable, "-m", "generator", "build", "--root", str(root))
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, preexec_fn=heed_interrupts
    ) as build:
        try:
            until(lambda: encoders(root), "no encode began")
            build.send_signal(how)
            _, said = build.communicate(timeout=20)
        finally:
            build.kill()
    assert build.returncode == 130
    assert "Traceback" not in said
    until(lambda: not encoders(root), "an encoder outlived its build", seconds=5)
    assert tree(root / "site") == before
    assert sorted(path.name for path in root.iterdir()) == [".cache", "content", "site"]
