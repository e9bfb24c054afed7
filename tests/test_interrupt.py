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


@pytest.mark.parametrize("loaded", ["click", "generator.errors", "filelock"])
def test_an_interrupt_while_modules_are_loaded_ends_without_a_traceback(
    tmp_path: Path, loaded: str
) -> None:
    """Ctrl-C in the first second: struck where Python finds `loaded`, before or in `main`."""
    shutil.copytree(SAMPLE, tmp_path, dirs_exist_ok=True)
    striking = (
        "import os, runpy, signal, sys\n"
        "class Strike:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == {loaded!r}:\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Strike())\n"
        f"sys.argv[1:] = ['build', '--root', {str(tmp_path)!r}]\n"
        "runpy.run_module('generator', run_name='__main__', alter_sys=True)\n"
    )
    ran = subprocess.run(
        (sys.executable, "-c", striking),
        capture_output=True,
        text=True,
        preexec_fn=heed_interrupts,
        timeout=60,
    )
    assert ran.returncode == 130, ran.stderr
    assert len(ran.stderr.strip().splitlines()) <= 1, ran.stderr
    assert not (tmp_path / "site").exists()
