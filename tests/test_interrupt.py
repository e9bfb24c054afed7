"""Ctrl-C and `kill` end a build at once: nothing keeps running, and the old site stays."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from programs import heed_interrupts, running, until
from publishing import tree

from generator.cli import main

SAMPLE = Path(__file__).resolve().parent / "sample"
pytestmark = pytest.mark.skipif(
    not Path("/proc/self/environ").exists(), reason="needs /proc to look for what still runs"
)


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
            until(lambda: running("ffmpeg", str(root)), "no encode began")
            build.send_signal(how)
            _, said = build.communicate(timeout=20)
        finally:
            build.kill()
    assert build.returncode == 130
    assert "Traceback" not in said
    until(lambda: not running("ffmpeg", str(root)), "an encoder outlived its build", seconds=5)
    assert tree(root / "site") == before
    assert sorted(path.name for path in root.iterdir()) == [".cache", "content", "site"]
